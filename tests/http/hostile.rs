//! Peers that take their time, or send too much.

use std::time::{Duration, Instant};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    task::JoinSet,
    time::{sleep, timeout},
};

use super::house::{ask, open, open_with, upgrade};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_hundred_half_open_handshakes_are_gone_at_their_deadline_and_disturb_no_call() {
    let house = open_with(&[], Duration::from_secs(5), 256).await;
    let start = Instant::now();
    let mut peers = JoinSet::new();
    for peer in 0..200 {
        let addr = house.addr;
        peers.spawn(async move {
            let mut socket = TcpStream::connect(addr).await.unwrap();
            let head = upgrade("/stream/twilio/t", "");
            // Some say nothing, the others a byte now and then: the clock must not start again with each.
            let drips = if peer % 4 == 0 { 0 } else { head.len() - 1 };
            let (mut read, mut write) = socket.split();
            let drip = async {
                for byte in &head.as_bytes()[..drips] {
                    if write.write_all(&[*byte]).await.is_err() {
                        return;
                    }
                    sleep(Duration::from_millis(100)).await;
                }
                std::future::pending::<()>().await;
            };
            let mut rest = Vec::new();
            tokio::select! {
                _ = read.read_to_end(&mut rest) => {}
                () = drip => {}
            }
            rest
        });
    }
    let mut call = house.upgrade("/stream/twilio/good", "").await.call().await;
    // Dripping the whole head would take some twenty seconds; a peer that is still there then was let be.
    let mut gone = 0;
    let hello = tokio_tungstenite::tungstenite::Message::text("hello");
    let all_gone = async {
        while gone < 200 {
            tokio::select! {
                peer = peers.join_next() => {
                    assert!(peer.expect("not all are gone").unwrap().is_empty());
                    gone += 1;
                }
                () = sleep(Duration::from_millis(20)) => {
                    futures_util::SinkExt::send(&mut call, hello.clone()).await.unwrap();
                    assert_eq!(futures_util::StreamExt::next(&mut call).await.unwrap().unwrap(), hello);
                }
            }
        }
    };
    timeout(Duration::from_secs(15), all_gone).await.expect("closed long before their heads were complete");
    assert!(start.elapsed() >= Duration::from_secs(5), "nobody is hurried");
}

#[tokio::test]
async fn too_much_is_answered_with_what_is_too_much() {
    let house = open(&[]).await;
    let headers = |bytes: usize| format!("x-filler: {}\r\n", "a".repeat(bytes));
    for (request, status, code) in [
        (upgrade(&format!("/stream/twilio/{}", "a".repeat(66_560)), ""), 413, "token_too_large"),
        (upgrade(&format!("/{}", "a".repeat(200_000)), ""), 413, "token_too_large"),
        (upgrade("/stream/twilio/t", &headers(17_000)), 431, "headers_too_large"),
        (upgrade("/stream/twilio/t", &headers(200_000)), 431, "headers_too_large"),
        (upgrade("/stream/twilio/t", &"a: b\r\n".repeat(101)), 431, "headers_too_large"),
        ("\r\nGET / HTTP/1.1\r\n\r\n".to_owned(), 400, "bad_request"),
    ] {
        let answer = ask(house.addr, &request).await;
        assert_eq!((answer.status, answer.code().as_str()), (status, code), "{} bytes", request.len());
        let line = format!("patchcord_refusals_total{{code=\"{code}\"}}");
        assert!(house.metrics.page().contains(&line), "{code}");
    }
    assert_eq!(house.upgrade("/stream/twilio/t", &headers(15_000)).await.status, 101);
    assert_eq!(house.upgrade("/stream/twilio/t", &"a: b\r\n".repeat(90)).await.status, 101);
}

#[tokio::test]
async fn what_is_not_http_gets_no_more_than_a_400() {
    let house = open(&[]).await;
    for request in ["hello there\r\n\r\n", "GET\0 / HTTP/1.1\r\n\r\n"] {
        assert_eq!(ask(house.addr, request).await.status, 400, "{request:?}");
    }
    // HTTP/2 without having agreed on it: the socket is closed.
    assert_eq!(ask(house.addr, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await.status, 0);
    assert_eq!(house.get("/health").await.status, 200);
}

#[tokio::test]
async fn more_connections_than_there_is_room_for_wait_their_turn() {
    let house = open_with(&[], Duration::from_millis(300), 2).await;
    let _silent = [TcpStream::connect(house.addr).await, TcpStream::connect(house.addr).await];
    // Both places are taken until their deadline; the third is served then.
    assert_eq!(house.get("/health").await.status, 200);
    // Calls take no place.
    let _calls = [house.upgrade("/stream/twilio/a", "").await, house.upgrade("/stream/twilio/b", "").await];
    assert_eq!(house.get("/health").await.status, 200);
}
