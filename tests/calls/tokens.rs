//! Tokens on their way through a real relay: every place they may travel in, and every reason to say no.

use std::time::Duration;

use call::EndReason;
use futures_util::future::join_all;
use serde_json::{Value, json};
use sim::{
    phone::{DialError, Opening, Phone, PhoneEnd, PhoneOptions},
    voice::speech,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

use crate::house::{House, LIMIT, echo, minter, token, whole};

#[tokio::test(flavor = "multi_thread")]
async fn a_token_is_taken_wherever_it_travels() {
    let house = House::open().await;
    let bare = |path: &str| house.bare_phone(path);
    let signed = |phone: &PhoneOptions| token(&phone.ids.call_sid, &echo());
    let in_path = |mut phone: PhoneOptions| {
        let token = signed(&phone);
        phone.url = format!("{}/{token}", phone.url);
        phone
    };
    let in_one = |phone: PhoneOptions| {
        let token = signed(&phone);
        phone.parameter("token", &token)
    };
    let in_header = |phone: PhoneOptions| {
        let token = signed(&phone);
        phone.header("authorization", &format!("Bearer {token}"))
    };
    let in_query = |mut phone: PhoneOptions| {
        let token = signed(&phone);
        (phone.url, phone.keep_query) = (format!("{}?token={token}", phone.url), true);
        phone
    };
    let sealed = |phone: PhoneOptions| {
        let token = minter().seal(&whole(&phone.ids.call_sid, &echo()));
        phone.token(&token)
    };
    let old_path = |mut phone: PhoneOptions| {
        phone.url = phone.url.replace("/stream/twilio", "/api/twilio/media-stream");
        in_path(phone)
    };
    let phones = [
        house.phone(echo()),
        in_path(bare("")),
        in_one(bare("")),
        in_header(bare("")),
        in_query(bare("")),
        sealed(bare("")),
        old_path(bare("")),
    ];
    join_all(phones.into_iter().map(hears_the_echo)).await;
}

async fn hears_the_echo(options: PhoneOptions) {
    let url = options.url.chars().take(60).collect::<String>();
    let phone = Phone::dial(options).await.unwrap();
    phone.say(speech(Duration::from_millis(1_000), 20));
    phone.agent_finished(Duration::from_millis(100), LIMIT).await.unwrap_or_else(|e| panic!("{url}: {e}"));
    phone.hang_up();
    assert_eq!(phone.ended(LIMIT).await.unwrap(), PhoneEnd::HungUp { answered: true });
}

/// What is wrong with a token, and how the relay calls it.
fn wrong_tokens(call: &str) -> Vec<(String, &'static str)> {
    let with = |name: &str, value: Value| {
        let mut claims = whole(call, &echo());
        claims[name] = value;
        minter().sign(&claims)
    };
    let good = token(call, &echo());
    let (rest, _) = good.rsplit_once('.').unwrap();
    let stranger = patchcord::gate::mint::Minter::new(&"0123456789abcdef0123456789abcdef".to_owned().into());
    vec![
        ("garbage".to_owned(), "token_malformed"),
        (format!("{rest}.AAAA"), "token_signature"),
        (stranger.sign(&whole(call, &echo())), "token_signature"),
        (stranger.seal(&whole(call, &echo())), "token_seal"),
        (with("exp", 4_000_000_000_u64.into()), "token_lifetime"),
        (expired(call), "token_expired"),
        (with("aud", "another".into()), "token_audience"),
        (with("propmt", "typo".into()), "claims_unknown_field"),
        (with("legs", json!([])), "claims_missing"),
        (with("v", 2.into()), "claims_version"),
    ]
}

fn expired(call: &str) -> String {
    let mut claims = whole(call, &echo());
    (claims["iat"], claims["exp"]) = (1_000_000_000.into(), 1_000_000_060.into());
    minter().sign(&claims)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_token_in_the_path_is_refused_before_the_upgrade() {
    let house = House::open().await;
    for (token, code) in wrong_tokens("CA1") {
        let error = Phone::dial(house.bare_phone(&format!("/{token}"))).await.unwrap_err();
        let DialError::Refused { status, body, .. } = &error else { panic!("{code}: {error}") };
        let body: Value = serde_json::from_str(body).unwrap();
        assert_eq!((*status, &body["error"]["code"]), (401, &json!(code)), "{body}");
        assert!(!body.to_string().contains(&token), "{body}");
        assert!(house.number(&format!(r#"patchcord_refusals_total{{code="{code}"}}"#)) >= 1, "{code}");
    }
    assert_eq!(house.number("patchcord_calls_started_total"), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_token_in_start_closes_with_1008_and_its_code() {
    let house = House::open().await;
    let options = house.bare_phone("");
    let mut refused: Vec<(PhoneOptions, &'static str)> = wrong_tokens(&options.ids.call_sid)
        .into_iter()
        .map(|(token, code)| (options.clone().token(&token), code))
        .collect();
    let good = token(&options.ids.call_sid, &echo());
    let without = |name: &str| {
        let mut phone = options.clone().token(&good);
        phone.parameters.retain(|(parameter, _)| parameter != name);
        phone
    };
    let mut other_account = whole(&options.ids.call_sid, &echo());
    other_account["acct"] = "AC0".into();
    refused.extend([
        (options.clone().token(&token("CA2", &echo())), "token_other_call"),
        (options.clone().token(&minter().sign(&other_account)), "token_other_account"),
        (options.clone(), "token_missing"),
        (without("tn"), "token_chunk_count"),
        (without("t0"), "token_chunk_missing"),
        (options.clone().token(&"x".repeat(50_000)), "token_too_many_chunks"),
    ]);
    let calls =
        refused.into_iter().map(|(options, code)| async { is_closed_for(&house, options, code).await });
    join_all(calls).await;
    assert_eq!(house.number("patchcord_calls_active"), 0);
}

async fn is_closed_for(house: &House, options: PhoneOptions, code: &str) {
    let phone = Phone::dial(options).await.unwrap();
    let end = phone.ended(Duration::from_secs(5)).await.unwrap();
    assert_eq!(end, PhoneEnd::Closed { code: Some(1008), reason: code.to_owned() });
    assert!(house.number(&format!(r#"patchcord_refusals_total{{code="{code}"}}"#)) >= 1, "{code}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_with_a_name_is_good_for_one_call() {
    let house = House::open().await;
    let mut claims = echo();
    claims["jti"] = "once".into();
    let options = house.phone(claims);
    let first = Phone::dial(options.clone()).await.unwrap();
    first.until(|phone| phone.marks_received > 0, LIMIT).await.unwrap();
    is_closed_for(&house, options, "token_replayed").await;
    first.hang_up();
    assert_eq!(first.ended(LIMIT).await.unwrap(), PhoneEnd::HungUp { answered: true });
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_never_starts_is_closed_after_its_five_seconds() {
    let house = House::open().await;
    let mut news = house.listen();
    for opening in [Opening::Nothing, Opening::OnlyConnected] {
        let mut options = house.bare_phone("");
        options.opening = opening;
        let phone = Phone::dial(options).await.unwrap();
        let summary = news.ended().await;
        assert_eq!(summary.reason, EndReason::NeverStarted);
        assert!((5_000..6_000).contains(&summary.lasted.as_millis()), "{:?}", summary.lasted);
        let end = phone.ended(LIMIT).await.unwrap();
        assert_eq!(end, PhoneEnd::Closed { code: Some(1008), reason: "start_timeout".to_owned() });
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn only_so_many_calls_may_wait_for_their_token_and_only_so_many_may_live() {
    let few = House::with(&[("MAX_PENDING", "1")]).await;
    let mut silent = few.bare_phone("");
    silent.opening = Opening::Nothing;
    let waiting = Phone::dial(silent).await.unwrap();
    is_sent_away(&few, few.phone(echo()), "too_many_pending").await;
    // One whose token is in the path does not wait for it, and is taken.
    let mut options = few.bare_phone("");
    options.url += &format!("/{}", token(&options.ids.call_sid, &echo()));
    hears_the_echo(options).await;
    drop(waiting);

    let small = House::with(&[("MAX_CALLS", "1")]).await;
    let mut news = small.listen();
    let only = small.call(echo()).await;
    is_sent_away(&small, small.phone(echo()), "full").await;
    only.hang_up();
    assert_eq!(only.ended(LIMIT).await.unwrap(), PhoneEnd::HungUp { answered: true });
    news.ended().await;
    small.idle().await;
    hears_the_echo(small.phone(echo())).await;
}

async fn is_sent_away(house: &House, options: PhoneOptions, code: &str) {
    let error = Phone::dial(options).await.unwrap_err();
    let DialError::Refused { status: 503, body, .. } = &error else { panic!("{error}") };
    assert!(body.contains(code), "{body}");
    assert!(error.header("retry-after").is_some());
    assert_eq!(house.number(&format!(r#"patchcord_refusals_total{{code="{code}"}}"#)), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_configuration_by_reference_is_fetched_and_must_be_what_was_signed() {
    let app = MainApp::serve(echo().to_string()).await;
    let house = House::with(&[("WEBHOOK_ALLOW_PRIVATE", "true")]).await;
    let by_reference = |sha256: &str| json!({ "config": { "url": app.url, "sha256": sha256 } });
    let hash = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, echo().to_string().as_bytes());
    let hash: String = hash.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    hears_the_echo(house.phone(by_reference(&hash))).await;
    is_closed_for(&house, house.phone(by_reference(&"0".repeat(64))), "config_hash").await;

    let nobody =
        json!({ "config": { "url": "http://127.0.0.1:1/config", "sha256": hash.replace('0', "1") } });
    is_closed_for(&house, house.phone(nobody), "config_unreachable").await;
    let strict = House::open().await;
    is_closed_for(&strict, strict.phone(by_reference(&hash)), "claims_url").await;
}

/// Serves one JSON to whoever brings a token.
struct MainApp {
    url: String,
}

impl MainApp {
    async fn serve(json: String) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/config", listener.local_addr().unwrap());
        tokio::spawn(async move {
            while let Ok((mut socket, _)) = listener.accept().await {
                let mut request = Vec::new();
                while !request.ends_with(b"\r\n\r\n")
                    && socket.read_buf(&mut request).await.is_ok_and(|n| n > 0)
                {}
                let request = String::from_utf8_lossy(&request).to_ascii_lowercase();
                let status = if request.contains("authorization: bearer ey") { "200 OK" } else { "401 No" };
                let head = format!(
                    "HTTP/1.1 {status}\r\nconnection: close\r\ncontent-length: {}\r\n\r\n",
                    json.len()
                );
                socket.write_all((head + &json).as_bytes()).await.ok();
            }
        });
        Self { url }
    }
}
