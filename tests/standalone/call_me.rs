//! Somebody wants to be called: who is, who is not, and what they are told.

use std::time::Duration;

use sim::{
    phone::Phone,
    twilio::{Trouble, Twilio},
};

use crate::desk::{ACCOUNT, AUTH, Desk, ECHO, LIMIT, code, speaks_and_is_answered};

const NUMBER: &str = "+15550111222";
const MINE: &str = "+15550100123";
const GUARD: &str = "0123456789abcdef";
const PAGE: (&str, &str) = ("accept", "text/html,application/xhtml+xml");

async fn twilio() -> Twilio {
    let twilio = Twilio::start().await.unwrap();
    twilio.has_account(ACCOUNT, AUTH, &[NUMBER]);
    twilio.may_dial(MINE);
    twilio
}

/// A relay that may call, by these guards, over this Twilio.
async fn desk(twilio: &Twilio, guards: &[(&str, &str)]) -> Desk {
    let url = twilio.base_url();
    let usual = [("TWILIO_ACCOUNT_SID", ACCOUNT), ("TWILIO_NUMBER", NUMBER), ("TWILIO_BASE_URL", &url)];
    Desk::open_at_its_address(ECHO, &[&usual[..], guards].concat()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_leads_to_a_button_the_button_to_a_call_and_the_call_to_the_agent() {
    let twilio = twilio().await;
    let desk = desk(&twilio, &[("CALL_ME_NUMBERS", MINE), ("CALL_ME_SECRET", GUARD)]).await;
    let fields = [("to", "+1 (555) 010-0123"), ("secret", GUARD)];
    let page = desk.call_me("GET", &fields).send().await.unwrap();
    assert_eq!((page.status, page.header("content-type")), (200, Some("text/html; charset=utf-8")));
    assert!(page.body.contains("value=\"+15550100123\"") && page.body.contains("<button"), "{}", page.body);
    assert_eq!(twilio.placed(), [], "who only opens the link makes nothing ring");
    let (name, value) = PAGE;
    let pressed = desk.call_me("POST", &fields).header(name, value).header("origin", &desk.public);
    let told = pressed.send().await.unwrap();
    assert_eq!(told.status, 200, "{}", told.body);
    assert!(told.body.contains("role=\"status\"") && told.body.contains(MINE), "{}", told.body);
    assert!(!told.body.contains(GUARD), "what is done needs no secret");
    let placed = twilio.connected(0, LIMIT).await.unwrap();
    assert_eq!((placed.to.as_str(), placed.from.as_str()), (MINE, NUMBER));
    assert_eq!(placed.url, format!("{}/twiml", desk.public));
    let document = placed.document.unwrap().unwrap();
    let mut options = desk.phone(&placed.call, &document);
    options.url.clone_from(&document.url);
    let phone = Phone::dial(options).await.unwrap();
    speaks_and_is_answered(&phone).await;
    assert_eq!(twilio.violations(), Vec::<String>::new());
}

#[tokio::test]
async fn a_page_works_without_a_script_and_is_kept_nowhere() {
    let twilio = twilio().await;
    let desk = desk(&twilio, &[("CALL_ME_NUMBERS", MINE)]).await;
    let page = desk.call_me("GET", &[]).send().await.unwrap();
    let header = |name| page.header(name).unwrap_or_default();
    assert_eq!(header("cache-control"), "no-store");
    let policy = header("content-security-policy");
    assert!(policy.starts_with("default-src 'none'; style-src 'sha256-"), "{policy}");
    assert!(policy.contains("form-action 'self'") && policy.contains("frame-ancestors 'none'"), "{policy}");
    assert!(!page.body.contains("name=\"secret\""), "this relay asks for none");
    let evil = "\"><script>alert(1)</script>";
    for method in ["GET", "POST"] {
        let (name, value) = PAGE;
        let page = desk.call_me(method, &[("to", evil)]).header(name, value).send().await.unwrap();
        assert!(page.body.contains("&lt;script&gt;") && !page.body.contains("<script"), "{}", page.body);
    }
}

#[tokio::test]
async fn strangers_make_nothing_ring() {
    let twilio = twilio().await;
    let both = desk(&twilio, &[("CALL_ME_NUMBERS", MINE), ("CALL_ME_SECRET", GUARD)]).await;
    let listed = desk(&twilio, &[("CALL_ME_NUMBERS", MINE)]).await;
    let off = desk(&twilio, &[]).await;
    let with = |desk: &Desk, to: &str, secret: &str| desk.call_me("POST", &[("to", to), ("secret", secret)]);
    let mut put = with(&both, MINE, GUARD);
    put.method = "PUT";
    let mut long = with(&both, MINE, GUARD);
    long.fields.push(("x".to_owned(), "x".repeat(20_000)));
    for (request, status, name) in [
        (with(&both, MINE, ""), 403, "call_me_secret"),
        (with(&both, MINE, "0123456789abcdeg"), 403, "call_me_secret"),
        (with(&both, "+15550100124", GUARD), 403, "call_me_not_listed"),
        (with(&both, "5550100123", GUARD), 400, "call_me_number"),
        (with(&both, "911", GUARD), 400, "call_me_number"),
        (with(&both, "", GUARD), 400, "call_me_number"),
        (put, 405, "method_not_allowed"),
        (long, 413, "body_too_large"),
        (with(&both, MINE, GUARD).header("content-type", "text/plain"), 415, "not_a_form"),
        (with(&both, MINE, GUARD).header("origin", "https://evil.example.com"), 403, "origin_not_allowed"),
        (with(&both, MINE, GUARD).header("origin", "null"), 403, "origin_not_allowed"),
        (with(&both, MINE, GUARD).header("sec-fetch-site", "cross-site"), 403, "origin_not_allowed"),
        (with(&listed, "+15550100124", ""), 403, "call_me_not_listed"),
        (with(&off, MINE, ""), 404, "not_found"),
    ] {
        let answered = request.send().await.unwrap();
        assert_eq!(code(&answered), (status, name.to_owned()), "{}", answered.body);
    }
    assert_eq!(off.call_me("GET", &[]).send().await.unwrap().status, 404);
    assert_eq!(twilio.placed(), []);
    // A person is told the same on the page.
    let (name, value) = PAGE;
    let page = with(&both, MINE, "wrong").header(name, value).send().await.unwrap();
    assert_eq!(page.status, 403);
    assert!(
        page.body.contains("role=\"alert\"") && page.body.contains("secret is missing or wrong"),
        "{}",
        page.body
    );
    assert_eq!(page.header("content-type"), Some("text/html; charset=utf-8"));
}

#[tokio::test]
async fn a_link_that_got_around_wears_nobody_out() {
    let twilio = twilio().await;
    let desk = desk(&twilio, &[("CALL_ME_NUMBERS", MINE)]).await;
    let press = || desk.call_me("POST", &[("to", MINE)]);
    assert_eq!(press().send().await.unwrap().status, 201);
    for _ in 0..5 {
        let answered = press().send().await.unwrap();
        assert_eq!(code(&answered), (429, "call_me_pace".to_owned()));
        assert!(answered.header("retry-after").unwrap().parse::<u64>().unwrap() <= 15);
    }
    assert_eq!(twilio.placed().len(), 1);
}

#[tokio::test]
async fn what_twilio_refuses_is_told_in_words() {
    let twilio = twilio().await;
    let guards = [("CALL_ME_SECRET", GUARD)];
    for (to, more, words) in [
        ("+15550100199", &[][..], "verify it in Twilio's console"),
        (MINE, &[("TWILIO_NUMBER", "+15550111999")], "TWILIO_NUMBER is not a number of this account"),
        (MINE, &[("TWILIO_ACCOUNT_SID", "AC99112233445566778899aabbccddeeff")], "did not take the key"),
        (
            MINE,
            &[("TWILIO_API_KEY", "SK99112233445566778899aabbccddeeff"), ("TWILIO_API_SECRET", "s")],
            "did not take the key",
        ),
        (MINE, &[("TWILIO_BASE_URL", "http://127.0.0.1:1")], "could not be reached"),
    ] {
        let desk = desk(&twilio, &[&guards[..], more].concat()).await;
        let answered = desk.call_me("POST", &[("to", to), ("secret", GUARD)]).send().await.unwrap();
        assert_eq!(code(&answered), (502, "call_me_twilio".to_owned()));
        assert!(answered.body.contains(words), "{words}: {}", answered.body);
        assert!(!answered.body.contains("canary"), "{}", answered.body);
    }
}

#[tokio::test]
async fn a_telephone_rings_once_whatever_goes_wrong() {
    for (trouble, status, words, attempts) in [
        (Trouble::Status(429), 201, "", 2),
        (Trouble::Status(500), 502, "may ring or not", 1),
        (Trouble::Status(503), 502, "may ring or not", 1),
        (Trouble::Status(400), 502, "refuses the call", 1),
        (Trouble::Cut, 502, "may ring or not", 1),
        (Trouble::Late(Duration::from_millis(300)), 201, "", 1),
    ] {
        let twilio = twilio().await;
        twilio.trouble([trouble]);
        let desk = desk(&twilio, &[("CALL_ME_NUMBERS", MINE)]).await;
        let answered = desk.call_me("POST", &[("to", MINE)]).send().await.unwrap();
        assert_eq!(answered.status, status, "{trouble:?}: {}", answered.body);
        assert!(answered.body.contains(words), "{trouble:?}: {}", answered.body);
        assert_eq!(twilio.placed().len(), attempts, "{trouble:?}");
    }
}

#[tokio::test]
async fn an_api_key_is_used_where_there_is_one() {
    let twilio = twilio().await;
    let key = "SK00112233445566778899aabbccddeeff";
    twilio.takes_key(key, "canary-api-secret");
    let guards =
        [("CALL_ME_NUMBERS", MINE), ("TWILIO_API_KEY", key), ("TWILIO_API_SECRET", "canary-api-secret")];
    let desk = desk(&twilio, &guards).await;
    let answered = desk.call_me("POST", &[("to", MINE)]).send().await.unwrap();
    assert_eq!(answered.status, 201, "{}", answered.body);
    let placed = twilio.connected(0, LIMIT).await.unwrap();
    assert!(placed.document.unwrap().is_ok());
    assert!(answered.body.contains(&placed.call), "{}", answered.body);
}
