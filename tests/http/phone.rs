//! The browser phone's own pages, and who may place a call from which page.

use super::house::{ask, open};

const ON: [(&str, &str); 1] = [("PHONE_PAGE", "true")];

#[tokio::test]
async fn the_page_and_its_files_come_with_a_policy_that_lets_nothing_in_from_elsewhere() {
    let house = open(&ON).await;
    for (path, kind, word) in [
        ("/phone", "text/html; charset=utf-8", "<title>Patchcord phone</title>"),
        ("/phone/", "text/html; charset=utf-8", "<title>Patchcord phone</title>"),
        ("/phone/main.js", "text/javascript; charset=utf-8", "import"),
        ("/phone/worklet.js", "text/javascript; charset=utf-8", "registerProcessor"),
        ("/phone/phone.css", "text/css; charset=utf-8", "prefers-color-scheme"),
        ("/phone/icon.svg", "image/svg+xml", "<svg"),
        ("/phone/agents", "application/json", r#"{"agents":[]}"#),
    ] {
        let answer = house.get(path).await;
        assert_eq!((answer.status, answer.header("content-type")), (200, Some(kind)), "{path}");
        assert!(answer.body.contains(word), "{path}");
        let policy = answer.header("content-security-policy").unwrap();
        assert!(policy.starts_with("default-src 'none'") && !policy.contains("unsafe"), "{policy}");
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
        assert_eq!(answer.header("referrer-policy"), Some("no-referrer"));
        assert_eq!(answer.header("cache-control"), Some("no-store"));
    }
    for path in ["/phone/nothing.js", "/phone/web/main.js", "/phone/../Cargo.toml", "/phonebook"] {
        assert_eq!(house.get(path).await.code(), "not_found", "{path}");
    }
    let posted = ask(house.addr, "POST /phone HTTP/1.1\r\nhost: r\r\n\r\n").await;
    assert_eq!((posted.status, posted.header("allow")), (405, Some("GET, HEAD")));
}

#[tokio::test]
async fn a_relay_that_knows_no_agents_gives_no_tokens() {
    let house = open(&ON).await;
    let request =
        "POST /phone/token/bakery/openai/CA1 HTTP/1.1\r\nhost: localhost\r\norigin: http://localhost\r\n\r\n";
    let answer = ask(house.addr, request).await;
    assert_eq!((answer.status, answer.code().as_str()), (404, "agent_unknown"));
}

#[tokio::test]
async fn the_phone_may_call_from_where_it_came_and_no_other_page_may() {
    let house = open(&ON).await;
    for (carrier, origin, status) in [
        ("browser", "origin: http://relay\r\n", 101),
        ("browser", "origin: https://relay\r\n", 101),
        ("browser", "", 101),
        ("browser", "origin: https://evil.example.com\r\n", 403),
        ("browser", "origin: null\r\n", 403),
        ("twilio", "origin: http://relay\r\n", 403),
    ] {
        let answer = house.upgrade(&format!("/stream/{carrier}/t"), origin).await;
        assert_eq!(answer.status, status, "{carrier} {origin}");
    }
}

#[tokio::test]
async fn a_page_of_the_apps_own_may_call_without_the_phone_but_gets_no_news() {
    let mut house = open(&[("ALLOWED_ORIGINS", "https://app.example.com")]).await;
    let own = house.upgrade("/stream/browser/t?news=1", "origin: https://app.example.com\r\n").await;
    assert_eq!(own.status, 101);
    assert!(!house.asks.recv().await.unwrap().news);
    let relays = house.upgrade("/stream/browser/t", "origin: http://relay\r\n").await;
    assert_eq!(relays.status, 403, "the phone is switched off");
}

#[tokio::test]
async fn only_a_browser_that_asks_is_told_news() {
    let mut house = open(&ON).await;
    for (path, news) in [
        ("/stream/browser/t?news=1", true),
        ("/stream/browser/t", false),
        ("/stream/browser/t?news=0", false),
        ("/stream/twilio/t?news=1", false),
    ] {
        assert_eq!(house.upgrade(path, "").await.status, 101);
        assert_eq!(house.asks.recv().await.unwrap().news, news, "{path}");
    }
}

#[tokio::test]
async fn a_browser_cannot_sign_as_twilio_and_need_not() {
    let signed = [("TWILIO_AUTH_TOKEN", "12345"), ("PUBLIC_URL", "https://relay.example.com")];
    let house = open(&[ON[0], signed[0], signed[1]]).await;
    assert_eq!(house.upgrade("/stream/browser/t", "").await.status, 101);
    assert_eq!(house.upgrade("/stream/twilio/t", "").await.code(), "twilio_signature");
}
