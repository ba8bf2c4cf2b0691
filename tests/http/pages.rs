//! What monitors, routers and scrapers read.

use super::house::{ask, open};

#[tokio::test]
async fn health_has_the_promised_shape_on_both_ports() {
    let house = open(&[("FLY_REGION", "iad"), ("FLY_MACHINE_ID", "m1"), ("FLY_APP_NAME", "a")]).await;
    let _call = house.upgrade("/stream/twilio/good", "").await.call().await;
    for addr in [house.addr, house.ops] {
        let answer = ask(addr, "GET /health HTTP/1.1\r\nhost: r\r\n\r\n").await;
        assert_eq!((answer.status, answer.header("content-type")), (200, Some("application/json")));
        let json = answer.json();
        let keys: Vec<_> = json.as_object().unwrap().keys().map(String::as_str).collect();
        let mut wanted = vec![
            "status",
            "service",
            "timestamp",
            "version",
            "region",
            "machine",
            "active_calls",
            "uptime_seconds",
        ];
        wanted.sort_unstable();
        assert_eq!(keys, wanted);
        assert_eq!(json["status"], "healthy");
        assert_eq!(json["service"], "voice-relay");
        assert_eq!((&json["region"], &json["machine"]), (&"iad".into(), &"m1".into()));
        assert_eq!(json["version"], env!("CARGO_PKG_VERSION"));
        assert_eq!(json["active_calls"], 1);
        assert!(json["uptime_seconds"].is_u64(), "{json}");
        let time = json["timestamp"].as_str().unwrap();
        assert!(time.len() == 24 && time.starts_with("20") && time.ends_with('Z'), "{time}");
    }
}

#[tokio::test]
async fn outside_fly_region_and_machine_are_null() {
    let json = open(&[]).await.get("/health").await.json();
    assert!(json["region"].is_null() && json["machine"].is_null(), "{json}");
}

#[tokio::test]
async fn ready_says_no_while_there_is_no_room() {
    let house = open(&[("MAX_CALLS", "1")]).await;
    assert_eq!(house.get("/ready").await.status, 200);
    let call = house.upgrade("/stream/twilio/good", "").await.call().await;
    let answer = house.get("/ready").await;
    assert_eq!((answer.status, answer.header("retry-after")), (503, Some("5")));
    assert_eq!(answer.header("fly-replay"), None);
    drop(call);
    house.until("the slot is free", |house| !house.slots.is_full()).await;
    assert_eq!(house.get("/ready").await.status, 200);
}

#[tokio::test]
async fn the_first_page_says_what_this_is_and_a_head_request_has_no_body() {
    let house = open(&[]).await;
    let answer = house.get("/").await;
    assert_eq!(answer.body.lines().count(), 1);
    assert!(answer.body.starts_with("patchcord "), "{}", answer.body);
    let answer = ask(house.addr, "HEAD /health HTTP/1.1\r\nhost: r\r\n\r\n").await;
    assert_eq!((answer.status, answer.body.as_str()), (200, ""));
}

#[tokio::test]
async fn numbers_are_on_the_inner_port_only() {
    let house = open(&[]).await;
    assert_eq!(house.get("/metrics").await.status, 404);
    house.get("/stream/twilio/x").await;
    let answer = ask(house.ops, "GET /metrics HTTP/1.1\r\nhost: r\r\n\r\n").await;
    assert_eq!(answer.status, 200);
    let line = "patchcord_refusals_total{code=\"not_an_upgrade\"} 1";
    assert!(answer.body.lines().any(|it| it == line), "{}", answer.body);
    assert_eq!(ask(house.ops, "GET /stream/twilio HTTP/1.1\r\nhost: r\r\n\r\n").await.status, 404);
}

#[tokio::test]
async fn one_socket_takes_both_families() {
    let house = open(&[]).await;
    let request = "GET /ready HTTP/1.1\r\nhost: r\r\n\r\n";
    assert_eq!(ask(house.addr, request).await.status, 200);
    // A machine without IPv6 listens on IPv4 alone, and that is what the fallback is for.
    let six = std::net::SocketAddr::from((std::net::Ipv6Addr::LOCALHOST, house.addr.port()));
    if std::net::TcpListener::bind("[::1]:0").is_ok() {
        assert_eq!(ask(six, request).await.status, 200);
    }
}
