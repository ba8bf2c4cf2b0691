//! Everything that is turned away before it is a call.

use std::sync::atomic::Ordering::Relaxed;

use aws_lc_rs::hmac;
use base64::{Engine, engine::general_purpose::STANDARD};

use super::house::{ask, open, upgrade};

#[tokio::test]
async fn each_refusal_has_its_status_and_its_code() {
    let house = open(&[]).await;
    let plain = |method: &str, path: &str| format!("{method} {path} HTTP/1.1\r\nhost: r\r\n\r\n");
    let without = |name: &str| {
        let request = upgrade("/stream/twilio/t", "");
        let lines = request.split("\r\n").filter(|line| !line.starts_with(name));
        lines.collect::<Vec<_>>().join("\r\n")
    };
    for (request, status, code) in [
        (plain("GET", "/nowhere"), 404, "not_found"),
        (plain("GET", "/stream"), 404, "not_found"),
        (plain("GET", "/phone"), 404, "not_found"),
        (plain("GET", "/phone/main.js"), 404, "not_found"),
        (plain("POST", "/phone/token/bakery/openai/CA1"), 404, "not_found"),
        (upgrade("/stream/twilio/a/b", ""), 404, "not_found"),
        (upgrade("/stream/nobody", ""), 404, "carrier_not_supported"),
        (upgrade("/stream/browser/t", ""), 404, "carrier_not_supported"),
        (plain("POST", "/stream/twilio"), 405, "method_not_allowed"),
        (plain("DELETE", "/health"), 405, "method_not_allowed"),
        (plain("GET", "/stream/twilio"), 426, "not_an_upgrade"),
        (plain("GET", "/api/twilio/media-stream/t"), 426, "not_an_upgrade"),
        (without("connection"), 426, "not_an_upgrade"),
        (without("upgrade"), 426, "not_an_upgrade"),
        (without("sec-websocket-version"), 426, "not_an_upgrade"),
        (without("sec-websocket-key"), 426, "not_an_upgrade"),
        (upgrade("/stream/twilio/bad", ""), 401, "token_malformed"),
        (upgrade("/stream/vonage", "authorization: Bearer bad\r\n"), 401, "token_malformed"),
        (upgrade("/stream/telnyx", "x-telnyx-streaming-auth-token: bad\r\n"), 401, "token_malformed"),
        (upgrade("/stream/twilio", "origin: https://evil.example.com\r\n"), 403, "origin_not_allowed"),
    ] {
        let answer = ask(house.addr, &request).await;
        assert_eq!((answer.status, answer.code().as_str()), (status, code), "{request}");
        let connection = answer.header("connection").unwrap_or_default();
        assert!(connection.contains("close"), "one request a connection: {connection}");
        assert_eq!(answer.header("fly-replay"), None, "{request}");
    }
    assert_eq!(ask(house.addr, &plain("POST", "/stream/twilio")).await.header("allow"), Some("GET"));
    assert_eq!(ask(house.addr, &plain("GET", "/stream/twilio")).await.header("upgrade"), Some("websocket"));
    house.until("all slots are free", |house| house.slots.active() == 0 && !house.slots.is_full()).await;
}

#[tokio::test]
async fn an_origin_is_checked_when_there_is_one() {
    let house = open(&[("ALLOWED_ORIGINS", "https://app.example.com")]).await;
    for (origin, status) in [
        ("", 101),
        ("origin: https://app.example.com\r\n", 101),
        ("origin: https://APP.example.com\r\n", 101),
        ("origin: https://app.example.com.evil.com\r\n", 403),
        ("origin: http://app.example.com\r\n", 403),
        ("origin: null\r\n", 403),
        ("origin: \r\n", 403),
    ] {
        assert_eq!(house.upgrade("/stream/twilio/t", origin).await.status, status, "{origin}");
    }
}

#[tokio::test]
async fn with_an_auth_token_only_twilio_gets_in_and_the_token_is_not_even_read() {
    let house = open(&[("TWILIO_AUTH_TOKEN", "12345"), ("PUBLIC_URL", "https://relay.example.com")]).await;
    let sign = |path: &str| {
        let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, b"12345");
        let tag = hmac::sign(&key, format!("wss://relay.example.com{path}").as_bytes());
        format!("x-twilio-signature: {}\r\n", STANDARD.encode(tag))
    };
    let path = "/stream/twilio/abc.def.ghi";
    for header in ["", "x-twilio-signature: c2hvcnQ=\r\n", &sign("/stream/twilio/abc.def.ghj")] {
        let answer = house.upgrade(path, header).await;
        assert_eq!((answer.status, answer.code().as_str()), (403, "twilio_signature"), "{header}");
    }
    assert_eq!(house.admitted.load(Relaxed), 0, "the signature comes before the token");
    for path in [path, "/stream/twilio", "/api/twilio/media-stream/abc"] {
        assert_eq!(house.upgrade(path, &sign(path)).await.status, 101, "{path}");
    }
}

#[tokio::test]
async fn with_plivos_token_only_plivo_gets_in() {
    let house = open(&[("PLIVO_AUTH_TOKEN", "12345"), ("PUBLIC_URL", "https://relay.example.com")]).await;
    let sign = |path: &str, nonce: &str| {
        let key = hmac::Key::new(hmac::HMAC_SHA256, b"12345");
        let tag = hmac::sign(&key, format!("https://relay.example.com{path}.{nonce}").as_bytes());
        let signature = STANDARD.encode(tag);
        format!("x-plivo-signature-v3: {signature}\r\nx-plivo-signature-v3-nonce: {nonce}\r\n")
    };
    let path = "/stream/plivo/abc.def.ghi";
    let without_nonce = sign(path, "77").lines().next().unwrap().to_owned() + "\r\n";
    for header in ["", &without_nonce, &sign("/stream/plivo/abc.def.ghj", "77")] {
        let answer = house.upgrade(path, header).await;
        assert_eq!((answer.status, answer.code().as_str()), (403, "plivo_signature"), "{header}");
    }
    assert_eq!(house.admitted.load(Relaxed), 0, "the signature comes before the token");
    assert_eq!(house.upgrade(path, &sign(path, "77")).await.status, 101);
    assert_eq!(house.upgrade("/stream/telnyx/t", "").await.code(), "carrier_not_supported");
}

#[tokio::test]
async fn a_full_machine_says_so_before_it_looks_at_anything() {
    let fly = [("MAX_CALLS", "1"), ("FLY_MACHINE_ID", "m1"), ("FLY_REGION", "iad")];
    let house = open(&fly).await;
    let _call = house.upgrade("/stream/twilio/good", "").await.call().await;
    let answer = house.upgrade("/stream/twilio/bad", "origin: https://evil.example.com\r\n").await;
    assert_eq!((answer.status, answer.code().as_str()), (503, "full"));
    assert_eq!(answer.header("retry-after"), Some("5"));
    assert_eq!(answer.header("fly-replay"), Some("elsewhere=true"));
    assert_eq!(house.admitted.load(Relaxed), 1);
    for header in ["fly-replay-src: instance=m2\r\n", "fly-replay-failed: x\r\n"] {
        let answer = house.upgrade("/stream/twilio/good", header).await;
        assert_eq!((answer.status, answer.header("fly-replay")), (503, None), "not in circles: {header}");
    }
}

#[tokio::test]
async fn outside_fly_nothing_is_sent_elsewhere() {
    let house = open(&[("MAX_CALLS", "1"), ("FLY_REGION", "iad")]).await;
    let _call = house.upgrade("/stream/twilio/region-lhr", "").await.call().await;
    let answer = house.upgrade("/stream/twilio/good", "").await;
    assert_eq!((answer.status, answer.header("fly-replay")), (503, None));
}

#[tokio::test]
async fn a_call_for_another_region_is_sent_there_once() {
    let house = open(&[("FLY_MACHINE_ID", "m1"), ("FLY_REGION", "iad")]).await;
    let answer = house.upgrade("/stream/twilio/region-lhr", "").await;
    assert_eq!((answer.status, answer.code().as_str()), (503, "wrong_region"));
    assert_eq!(answer.header("fly-replay"), Some("region=lhr"));
    let replayed = "fly-replay-src: instance=m2;region=lhr\r\n";
    for (path, header) in [("/stream/twilio/region-iad", ""), ("/stream/twilio/region-lhr", replayed)] {
        assert_eq!(house.upgrade(path, header).await.status, 101, "{path}");
    }
}

#[tokio::test]
async fn few_may_wait_for_their_token() {
    let house = open(&[("MAX_PENDING", "1")]).await;
    let mut waiting = house.upgrade("/stream/twilio", "").await.call().await;
    let answer = house.upgrade("/stream/twilio", "").await;
    assert_eq!((answer.status, answer.code().as_str()), (503, "too_many_pending"));
    assert_eq!(house.upgrade("/stream/twilio/with-token", "").await.status, 101);
    let confirm = tokio_tungstenite::tungstenite::Message::text("confirm");
    futures_util::SinkExt::send(&mut waiting, confirm).await.unwrap();
    let room = |house: &super::house::House| {
        house.slots.enter().is_ok_and(|mut slot| house.slots.wait_for_token(&mut slot).is_ok())
    };
    house.until("the confirmed call is no longer one of them", room).await;
    assert_eq!(house.upgrade("/stream/twilio", "").await.status, 101);
}

#[tokio::test]
async fn where_twilio_signs_another_carrier_comes_in_only_when_it_was_named() {
    let signed = [("TWILIO_AUTH_TOKEN", "t"), ("PUBLIC_URL", "https://relay.example.com")];
    let house = open(&signed).await;
    let refused = house.upgrade("/stream/telnyx/t", "").await;
    assert_eq!((refused.status, refused.code().as_str()), (404, "carrier_not_supported"));
    assert!(refused.json()["error"]["message"].as_str().unwrap().contains("CARRIERS allows twilio"));
    let house = open(&[signed[0], signed[1], ("CARRIERS", "twilio,telnyx")]).await;
    assert_eq!(house.upgrade("/stream/telnyx/t", "").await.status, 101);
    assert_eq!(house.upgrade("/stream/twilio/t", "").await.code(), "twilio_signature");
}
