//! Twilio's webhook: what it is answered, and who is not.

use patchcord::{agent_file::AgentFile, settings::Settings, standalone::Standalone};
use serde_json::json;
use sim::{
    app::{Answer, App},
    phone::{Phone, PhoneEnd},
    twilio::stream_document,
};

use crate::desk::{ACCOUNT, AUTH, Desk, ECHO, LIMIT, PUBLIC, SECRET, call, code, speaks_and_is_answered};

#[tokio::test(flavor = "multi_thread")]
async fn a_call_comes_in_and_is_answered_by_the_agent_of_the_file() {
    let desk = Desk::open(ECHO, &[]).await;
    for (number, webhook) in [(1, desk.webhook(&call(1))), (2, desk.webhook(&call(2)).by_get())] {
        let answered = webhook.send().await.unwrap();
        assert_eq!(
            (answered.status, answered.header("content-type")),
            (200, Some("text/xml; charset=utf-8"))
        );
        assert_eq!(answered.header("cache-control"), Some("no-store"));
        let document = stream_document(&answered.body).unwrap();
        assert_eq!(document.url, "wss://relay.example.com/stream/twilio");
        let phone = Phone::dial(desk.phone(&call(number), &document)).await.unwrap();
        speaks_and_is_answered(&phone).await;
        phone.hang_up();
        phone.ended(LIMIT).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_may_come_at_the_public_address_itself() {
    let desk = Desk::open_at_its_address(ECHO, &[]).await;
    let answered = desk.webhook(&call(1)).send().await.unwrap();
    let document = stream_document(&answered.body).unwrap();
    let mut options = desk.phone(&call(1), &document);
    options.url.clone_from(&document.url);
    let phone = Phone::dial(options).await.unwrap();
    speaks_and_is_answered(&phone).await;
}

#[tokio::test]
async fn whoever_is_not_twilio_gets_no_token() {
    let desk = Desk::open(ECHO, &[]).await;
    let webhook = || desk.webhook(&call(1));
    let mut elsewhere = webhook();
    elsewhere.url = "https://other.example.com/twiml".to_owned();
    let genuine = sim::twilio::webhook::signature(AUTH, &webhook().url, &webhook().fields);
    let mut by_query = webhook().by_get().header("x-twilio-signature", &genuine);
    by_query.fields.clear();
    for (what, request) in [
        ("no signature", webhook().signed_with(None)),
        ("another key", webhook().signed_with(Some("another"))),
        ("an empty one", webhook().header("x-twilio-signature", "")),
        ("rubbish", webhook().header("x-twilio-signature", "not base64!")),
        ("one of another address", elsewhere),
        ("a field more", webhook().field("Digits", "1").header("x-twilio-signature", &genuine)),
        ("a form's for a query", by_query),
    ] {
        let answered = request.send().await.unwrap();
        assert_eq!(code(&answered), (403, "twilio_signature".to_owned()), "{what}");
        assert!(!answered.body.contains("Response"), "{what}: {}", answered.body);
    }
    assert_eq!(desk.refused("twilio_signature"), 7);
    assert_eq!(webhook().header("x-twilio-signature", &genuine).send().await.unwrap().status, 200);
}

#[tokio::test]
async fn what_is_no_webhook_is_refused_in_words() {
    let desk = Desk::open(ECHO, &[("TWILIO_ACCOUNT_SID", ACCOUNT)]).await;
    let webhook = || desk.webhook(&call(1));
    let mut nameless = webhook();
    nameless.fields.retain(|(name, _)| name != "CallSid");
    let mut foreign = webhook();
    foreign.fields[1].1 = format!("AC{}", "9".repeat(32));
    let mut put = webhook();
    put.method = "PUT";
    for (request, status, name) in [
        (put, 405, "method_not_allowed"),
        (webhook().header("content-type", "application/json"), 415, "not_a_form"),
        (webhook().field("Long", &"x".repeat(16 * 1024)), 413, "body_too_large"),
        (webhook().field("Long", &"x".repeat(200 * 1024)), 413, "body_too_large"),
        (nameless, 400, "bad_request"),
        (foreign, 403, "twilio_account"),
    ] {
        let answered = request.send().await.unwrap();
        assert_eq!(code(&answered), (status, name.to_owned()), "{}", answered.body);
    }
    // A large webhook is none of these.
    let large = webhook().field("SipHeader_X", &"x".repeat(15 * 1024)).send().await.unwrap();
    assert_eq!(large.status, 200, "{}", large.body);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repeated_webhook_places_no_second_call() {
    let desk = Desk::open(ECHO, &[]).await;
    let first = stream_document(&desk.webhook(&call(1)).send().await.unwrap().body).unwrap();
    let again = stream_document(&desk.webhook(&call(1)).send().await.unwrap().body).unwrap();
    let phone = Phone::dial(desk.phone(&call(1), &first)).await.unwrap();
    speaks_and_is_answered(&phone).await;
    let second = Phone::dial(desk.phone(&call(1), &again)).await.unwrap();
    let end = second.ended(LIMIT).await.unwrap();
    assert!(
        matches!(&end, PhoneEnd::Closed { code: Some(1008), reason, .. } if reason.contains("token_replayed")),
        "{end:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_is_sealed_and_for_its_own_call_only() {
    let key = "keys = { openai = \"sk-canary\" }\n";
    let desk = Desk::open(&format!("{key}{ECHO}"), &[("REQUIRE_SEALED", "true")]).await;
    let document = stream_document(&desk.webhook(&call(1)).send().await.unwrap().body).unwrap();
    let first = &document.parameters.iter().find(|(name, _)| name == "t0").unwrap().1;
    let token: String = (0..document.parameters.len() - 1)
        .map(|at| document.parameters.iter().find(|(name, _)| *name == format!("t{at}")).unwrap().1.as_str())
        .collect();
    assert_eq!((token.split('.').count(), first.starts_with("eyJ")), (5, true), "it is sealed");
    let phone = Phone::dial(desk.phone(&call(2), &document)).await.unwrap();
    let end = phone.ended(LIMIT).await.unwrap();
    assert!(
        matches!(&end, PhoneEnd::Closed { code: Some(1008), reason, .. } if reason.contains("token_other_call")),
        "{end:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn reports_and_tools_know_who_calls() {
    let app = App::start().await.unwrap();
    app.answer("/report", Answer::json(&json!({})));
    let report = format!("{ECHO}\n[context]\nshop = 3\n\n[report]\nurl = \"{}\"\n", app.url("/report"));
    let desk = Desk::open(&report, &[("WEBHOOK_ALLOW_PRIVATE", "true")]).await;
    let document = stream_document(&desk.webhook(&call(1)).send().await.unwrap().body).unwrap();
    let phone = Phone::dial(desk.phone(&call(1), &document)).await.unwrap();
    speaks_and_is_answered(&phone).await;
    phone.hang_up();
    let ended = app.post("/report", 0, |_| true, LIMIT).await.unwrap().json();
    let known = json!({ "shop": 3, "from": "+15550100", "to": "+15550111", "direction": "inbound" });
    assert_eq!(ended["data"]["context"], known, "{ended}");
    assert_eq!(ended["data"]["call"]["carrier_call_id"], call(1));
}

#[tokio::test]
async fn a_machine_that_stops_or_is_full_sends_the_webhook_elsewhere() {
    let fly = [("MAX_CALLS", "1"), ("FLY_MACHINE_ID", "m1"), ("FLY_REGION", "iad")];
    let desk = Desk::open(ECHO, &fly).await;
    let document = stream_document(&desk.webhook(&call(1)).send().await.unwrap().body).unwrap();
    let phone = Phone::dial(desk.phone(&call(1), &document)).await.unwrap();
    speaks_and_is_answered(&phone).await;
    let answered = desk.webhook(&call(2)).send().await.unwrap();
    assert_eq!(
        (code(&answered), answered.header("fly-replay")),
        ((503, "full".to_owned()), Some("elsewhere=true"))
    );
    let answered = desk.webhook(&call(2)).header("fly-replay-src", "instance=m2").send().await.unwrap();
    assert_eq!((answered.status, answered.header("fly-replay")), (503, None));
}

#[tokio::test]
async fn a_relay_with_a_main_app_answers_no_webhooks() {
    let usual = [("RELAY_SECRET", SECRET), ("PORT", "0"), ("OPS_PORT", "0"), ("BIND", "127.0.0.1")];
    let settings = Settings::read(usual).unwrap();
    let relay = patchcord::relay::Relay::start(&settings, std::time::Instant::now()).await.unwrap();
    let desk = Desk { relay, public: PUBLIC.to_owned() };
    let answered = desk.webhook(&call(1)).send().await.unwrap();
    assert_eq!(code(&answered), (404, "not_found".to_owned()));
    assert!(answered.body.contains("serve --agent"), "{}", answered.body);
    let answered = desk.call_me("POST", &[("to", "+15550100")]).send().await.unwrap();
    assert_eq!(code(&answered), (404, "not_found".to_owned()));
}

/// What is wrong with this agent in a relay that should answer with it.
fn faults(agent: &str, more: &[(&str, &str)]) -> String {
    let usual = [("RELAY_SECRET", SECRET), ("PUBLIC_URL", PUBLIC), ("TWILIO_AUTH_TOKEN", AUTH)];
    let settings = Settings::read_for_standalone(usual.iter().chain(more).copied()).unwrap();
    let file = AgentFile::parse("agent.toml", agent).unwrap();
    Standalone::new(&settings, file).map_or_else(|faults| faults.to_string(), |_| String::new())
}

#[test]
fn an_agent_that_could_take_no_call_is_refused_before_one_comes() {
    assert_eq!(faults(ECHO, &[]), "");
    // Nothing that deflate could make small: 40,000 different digits would be.
    let mut state = 7_u64;
    let noise: String = (0..60_000)
        .map(|_| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            char::from(b' ' + ((state >> 33) % 95) as u8)
        })
        .filter(|c| !matches!(c, '"' | '\\'))
        .collect();
    let large = faults(&ECHO.replace("[agent]", &format!("[agent]\nprompt = \"{noise}\"")), &[]);
    assert!(large.starts_with("agent.toml: the agent does not fit: the token has "), "{large}");
    assert!(large.contains("shorten the prompt"), "{large}");
    let key = faults("[[legs]]\nkind = \"openai\"\n", &[]);
    assert!(
        key.starts_with("agent.toml: `keys.openai` is missing") && key.contains("OPENAI_API_KEY"),
        "{key}"
    );
    assert_eq!(faults("[[legs]]\nkind = \"openai\"\n", &[("OPENAI_API_KEY", "k")]), "");
    let range = faults(&format!("{ECHO}\n[call]\nmax_seconds = 0\n"), &[]);
    assert_eq!(range, "agent.toml:9: `call.max_seconds` must be at least 1");
    let own = faults(&format!("sub = \"CA1\"\n{ECHO}"), &[]);
    assert!(own.starts_with("agent.toml:1: `sub` is different for each call"), "{own}");
    let version = faults(&format!("v = 2\n{ECHO}"), &[]);
    assert!(version.contains("claims_version"), "{version}");
}

#[test]
fn an_agent_that_transfers_needs_the_relay_s_own_account() {
    let agent = format!("{ECHO}\n[[tools]]\nkind = \"transfer\"\ntargets = {{ sales = \"+15550100\" }}\n");
    let without = faults(&agent, &[]);
    assert!(without.contains("`report` needs") || without.contains("keys.twilio"), "{without}");
    assert_eq!(faults(&agent, &[("TWILIO_ACCOUNT_SID", ACCOUNT)]), "");
}
