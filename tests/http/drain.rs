//! A machine that is about to stop: no new calls, and none cut.

use std::{future::pending, time::Duration};

use futures_util::{SinkExt, StreamExt};
use tokio_tungstenite::tungstenite::Message;

use super::house::open;

#[tokio::test]
async fn a_draining_machine_keeps_its_calls_and_sends_new_ones_elsewhere() {
    let house = open(&[("FLY_MACHINE_ID", "m1")]).await;
    let mut call = house.upgrade("/stream/twilio/good", "").await.call().await;
    let life = house.life.clone();
    let drained = tokio::spawn(async move { life.drain(Duration::from_secs(60), pending()).await });
    house.until("it drains", |house| house.life.is_draining()).await;
    for path in ["/stream/twilio/good", "/stream/twilio", "/api/twilio/media-stream/bad"] {
        let answer = house.upgrade(path, "").await;
        assert_eq!((answer.status, answer.code().as_str()), (503, "draining"), "{path}");
        assert_eq!(answer.header("fly-replay"), Some("elsewhere=true"));
        assert_eq!(answer.header("retry-after"), Some("5"));
    }
    assert_eq!(house.get("/ready").await.status, 503);
    let health = house.get("/health").await;
    assert_eq!((health.status, health.json()["status"].as_str()), (200, Some("draining")));
    call.send(Message::text("still here")).await.unwrap();
    assert_eq!(call.next().await.unwrap().unwrap(), Message::text("still here"));
    assert!(!drained.is_finished());
    drop(call);
    assert!(drained.await.unwrap());
    assert!(!house.life.stop.is_cancelled(), "nobody had to be cut");
}

#[tokio::test]
async fn a_call_that_outlasts_the_grace_is_told_to_stop() {
    let house = open(&[]).await;
    let mut call = house.upgrade("/stream/twilio/good", "").await.call().await;
    assert!(house.life.drain(Duration::ZERO, pending()).await);
    assert!(!matches!(call.next().await, Some(Ok(Message::Text(_)))));
}
