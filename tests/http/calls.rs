//! Calls that get in: where their token was found, and what their sockets can do.

use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use patchcord::gate::travel::Place;
use secrecy::ExposeSecret;
use tokio::{io::AsyncWriteExt, net::TcpStream, time::timeout};
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{Message, protocol::Role},
};

use super::house::{answer, open, upgrade};

#[tokio::test]
async fn the_token_is_found_wherever_it_travels() {
    let mut house = open(&[("MAX_PENDING", "9")]).await;
    for (path, header, place) in [
        ("/stream/twilio/tok", "", Some(Place::Path)),
        ("/api/twilio/media-stream/tok", "", Some(Place::Path)),
        ("/stream/twilio?a=b&token=tok", "", Some(Place::Query)),
        ("/stream/twilio", "authorization: Bearer tok\r\n", Some(Place::Authorization)),
        ("/stream/twilio", "x-telnyx-streaming-auth-token: tok\r\n", Some(Place::TelnyxHeader)),
        ("/stream/twilio", "", None),
        ("/stream/twilio/", "", None),
        ("/api/twilio/media-stream", "", None),
    ] {
        assert_eq!(house.upgrade(path, header).await.status, 101, "{path} {header}");
        let ask = house.asks.recv().await.unwrap();
        assert_eq!(
            (ask.carrier.name, ask.token.as_ref().map(|it| it.place)),
            ("twilio", place),
            "{path} {header}"
        );
        assert!(ask.token.as_ref().is_none_or(|it| it.token.expose_secret() == "tok"), "{path}");
        assert!(!format!("{ask:?}").contains("tok\""), "{ask:?}");
        assert_eq!(ask.peer.to_string(), "127.0.0.1", "written as people write it");
    }
}

#[tokio::test]
async fn long_tokens_arrive_whole_in_the_path() {
    let mut house = open(&[]).await;
    for length in [8_000, 32_000, 65_000] {
        let token = "x".repeat(length);
        assert_eq!(house.upgrade(&format!("/stream/twilio/{token}"), "").await.status, 101, "{length}");
        let ask = house.asks.recv().await.unwrap();
        assert_eq!(ask.token.unwrap().token.expose_secret().len(), length);
    }
}

#[tokio::test]
async fn frames_that_come_with_the_request_are_not_lost() {
    let house = open(&[]).await;
    let mut socket = TcpStream::connect(house.addr).await.unwrap();
    let mut bytes = upgrade("/stream/twilio/good", "").into_bytes();
    // A masked text frame: mask 0, so the text stands as it is.
    bytes.extend_from_slice(&[0x81, 0x80 | 5, 0, 0, 0, 0]);
    bytes.extend_from_slice(b"early");
    socket.write_all(&bytes).await.unwrap();
    let mut call = read_head(socket).await;
    let early = timeout(Duration::from_secs(10), call.next()).await.expect("the frame that came early");
    assert_eq!(early.unwrap().unwrap(), Message::text("early"));
    call.send(Message::text("later")).await.unwrap();
    assert_eq!(call.next().await.unwrap().unwrap(), Message::text("later"));
}

/// The head of the 101 alone: what follows it belongs to the call.
async fn read_head(mut socket: TcpStream) -> WebSocketStream<TcpStream> {
    use tokio::io::AsyncReadExt;
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(socket.read_u8().await.unwrap());
    }
    assert!(head.starts_with(b"HTTP/1.1 101"), "{}", String::from_utf8_lossy(&head));
    WebSocketStream::from_raw_socket(socket, Role::Client, None).await
}

#[tokio::test]
async fn a_message_above_the_limit_ends_the_call_and_one_below_does_not() {
    let house = open(&[]).await;
    let mut call = house.upgrade("/stream/twilio/good", "").await.call().await;
    let fits = Message::text("x".repeat(64 * 1024));
    call.send(fits.clone()).await.unwrap();
    assert_eq!(call.next().await.unwrap().unwrap(), fits);
    call.send(Message::text("x".repeat(64 * 1024 + 1))).await.ok();
    assert!(!matches!(call.next().await, Some(Ok(Message::Text(_)))));
    house.until("its slot is free", |house| house.slots.active() == 0).await;
}

#[tokio::test]
async fn a_call_that_panics_frees_its_slot_is_counted_and_harms_no_other() {
    let house = open(&[("MAX_CALLS", "2")]).await;
    let mut other = house.upgrade("/stream/twilio/good", "").await.call().await;
    let mut doomed = house.upgrade("/stream/twilio/panic", "").await.call().await;
    assert!(!matches!(doomed.next().await, Some(Ok(_))));
    house.until("its slot is free", |house| house.slots.active() == 1).await;
    house.until("it was counted", |house| house.metrics.page().contains("patchcord_panics_total 1")).await;
    assert_eq!(house.metrics.calls_active(), 1);
    other.send(Message::text("still here")).await.unwrap();
    assert_eq!(other.next().await.unwrap().unwrap(), Message::text("still here"));
    // One that panics before the upgrade just has no answer.
    let mut socket = TcpStream::connect(house.addr).await.unwrap();
    socket.write_all(upgrade("/stream/twilio/panic-early", "").as_bytes()).await.unwrap();
    assert_eq!(answer(socket).await.status, 0);
    house.until("that slot is free too", |house| house.slots.active() == 1).await;
}
