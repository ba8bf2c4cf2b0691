//! Tokens on every way they travel, good and bad, through the whole relay; and carriers that talk nonsense.

use std::{
    io::{Read, Write},
    net::TcpListener,
    thread,
    time::Duration,
};

use aws_lc_rs::digest;
use serde_json::{Value, json};
use sim::{
    phone::{Opening, Phone, PhoneEnd, PhoneOptions},
    voice::speech,
};

use crate::house::{House, LIMIT, echo};

fn bare(house: &House) -> PhoneOptions {
    PhoneOptions::new(format!("ws://{}/stream/twilio", house.relay.address))
}

async fn hears_itself(phone: &Phone) {
    phone.say(speech(Duration::from_millis(700), 2));
    phone.agent_finished(Duration::from_millis(100), LIMIT).await.unwrap();
    assert_eq!(phone.look(|phone| phone.violations.clone()), Vec::<String>::new());
}

fn refused(code: &str) -> PhoneEnd {
    PhoneEnd::Closed { code: Some(1008), reason: code.into() }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_is_taken_from_path_header_and_parameters() {
    let house = House::open().await;
    for way in ["path", "old path", "header", "parameters", "query"] {
        let mut options = bare(&house);
        let token = house.token(&options.ids.call_sid, echo());
        let address = house.relay.address;
        options = match way {
            "path" => PhoneOptions { url: format!("ws://{address}/stream/twilio/{token}"), ..options },
            "old path" => {
                PhoneOptions { url: format!("ws://{address}/api/twilio/media-stream/{token}"), ..options }
            }
            "header" => options.header("authorization", &format!("Bearer {token}")),
            "query" => {
                PhoneOptions { url: format!("{}?token={token}", options.url), keep_query: true, ..options }
            }
            _ => options.token(&token),
        };
        let phone = Phone::dial(options).await.unwrap_or_else(|error| panic!("{way}: {error:?}"));
        hears_itself(&phone).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_token_is_refused_before_the_upgrade_when_it_is_known_by_then() {
    let house = House::open().await;
    let old = json!({ "iat": 1_000, "exp": 1_060 });
    for (token, code) in
        [("rubbish".to_owned(), "token_malformed"), (house.token("CA1", old), "token_expired")]
    {
        let url = format!("ws://{}/stream/twilio/{token}", house.relay.address);
        let error = Phone::dial(PhoneOptions { url, ..bare(&house) }).await.unwrap_err();
        assert_eq!(error.status(), Some(401), "{error:?}");
        assert!(format!("{error:?}").contains(code), "{error:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_token_in_start_closes_the_socket_with_its_code() {
    let house = House::open().await;
    let with = |claims: Value| {
        let options = bare(&house);
        let token = house.token(&options.ids.call_sid, claims);
        options.token(&token)
    };
    let mut typo = echo();
    typo["agent"]["promt"] = "x".into();
    let stolen = house.token("CA0000", echo());
    let cases = [
        (bare(&house), "token_missing"),
        (bare(&house).token("rubbish"), "token_malformed"),
        (bare(&house).token(&stolen), "token_other_call"),
        (with(json!({ "iat": 1_000, "exp": 1_060 })), "token_expired"),
        (with(typo), "claims_unknown_field"),
        (bare(&house).parameter("t0", "abc").parameter("tn", "2"), "token_chunk_missing"),
    ];
    for (options, code) in cases {
        let phone = Phone::dial(options).await.unwrap();
        assert_eq!(phone.ended(LIMIT).await.unwrap(), refused(code));
    }
    let mut once = echo();
    once["jti"] = "only-once".into();
    let options = with(once);
    hears_itself(&Phone::dial(options.clone()).await.unwrap()).await;
    assert_eq!(Phone::dial(options).await.unwrap().ended(LIMIT).await.unwrap(), refused("token_replayed"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_never_starts_is_closed_after_five_seconds() {
    let house = House::open().await;
    for opening in [Opening::Nothing, Opening::OnlyConnected] {
        let phone = Phone::dial(PhoneOptions { opening, ..bare(&house) }).await.unwrap();
        assert_eq!(phone.ended(LIMIT).await.unwrap(), refused("start_timeout"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_configuration_can_be_elsewhere_when_its_hash_is_signed() {
    let body = echo().to_string();
    let hash: String = digest::digest(&digest::SHA256, body.as_bytes())
        .as_ref()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/agent", listener.local_addr().unwrap());
    let answer = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
        body.len()
    );
    thread::spawn(move || {
        for mut socket in listener.incoming().map_while(Result::ok) {
            let mut head = [0; 4_096];
            let _ = socket.read(&mut head);
            socket.write_all(answer.as_bytes()).ok();
        }
    });
    let house = House::with(&[("WEBHOOK_ALLOW_PRIVATE", "true")]).await;
    let claims = |hash: &str| json!({ "config": { "url": url, "sha256": hash } });
    hears_itself(&house.call(claims(&hash)).await).await;
    let other = hash.replace(|digit: char| digit.is_ascii_digit(), "7");
    assert_eq!(house.call(claims(&other)).await.ended(LIMIT).await.unwrap(), refused("config_hash"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_carrier_that_talks_nonsense_is_forgiven_a_little_and_harms_nobody() {
    let house = House::open().await;
    let good = house.call(echo()).await;
    let [forgiven, flood, large] =
        [house.call(echo()).await, house.call(echo()).await, house.call(echo()).await];
    for _ in 0..8 {
        forgiven.send_text("{\"event\":");
        forgiven.send_binary(vec![1, 2, 3]);
        forgiven.send_text("{\"event\":\"weather\",\"rain\":true}");
    }
    (0..60).for_each(|_| flood.send_text("rubbish"));
    large.send_oversize(100_000);
    assert!(matches!(flood.ended(LIMIT).await.unwrap(), PhoneEnd::Closed { code: Some(1008), .. }));
    assert!(matches!(large.ended(LIMIT).await.unwrap(), PhoneEnd::Closed { code: Some(1009), .. }));
    hears_itself(&forgiven).await;
    hears_itself(&good).await;
}
