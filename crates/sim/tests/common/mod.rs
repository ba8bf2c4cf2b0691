//! The smallest relay that bridges a phone and a leg, and a client that says to the pretend service what it is told.
//!
//! Written against the documents once more, so that neither pretend side is only tested against itself.

#![allow(dead_code)] // each test file uses its part

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use std::{net::SocketAddr, time::Duration};
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{Message, client::IntoClientRequest},
};

pub type Socket = WebSocketStream<TcpStream>;
pub const LIMIT: Duration = Duration::from_secs(10);

/// Opens the service's socket with `headers` besides the usual ones.
pub async fn open(address: SocketAddr, path: &str, headers: &[(&'static str, &str)]) -> Socket {
    let mut request = format!("ws://{address}{path}").into_client_request().unwrap();
    for (name, value) in headers {
        request.headers_mut().insert(*name, value.parse().unwrap());
    }
    let tcp = TcpStream::connect(address).await.unwrap();
    tcp.set_nodelay(true).unwrap();
    tokio_tungstenite::client_async(request, tcp).await.unwrap().0
}

/// Opens a session with `key`.
pub async fn open_session(address: SocketAddr, key: &str) -> Socket {
    let bearer = format!("Bearer {key}");
    open(address, "/v1/realtime?model=gpt-realtime-2.1", &[("authorization", &bearer)]).await
}

pub fn ulaw_session() -> Value {
    let ulaw = json!({"type": "audio/pcmu"});
    json!({"type": "session.update", "event_id": "cfg", "session": {"type": "realtime", "audio": {
        "input": {"format": ulaw, "transcription": {"model": "gpt-transcribe"},
                  "turn_detection": {"type": "server_vad", "silence_duration_ms": 300}},
        "output": {"format": ulaw, "voice": "marin"}}}})
}

pub async fn say(socket: &mut Socket, event: Value) {
    socket.send(Message::text(event.to_string())).await.unwrap();
}

/// The next event of one of `kinds`; others are skipped. Panics at the end of the socket or after 10 s.
pub async fn hear(socket: &mut Socket, kinds: &[&str]) -> Value {
    let mut skipped = Vec::new();
    let wait = async {
        while let Some(message) = socket.next().await {
            let Message::Text(text) = message.unwrap() else { continue };
            let event: Value = serde_json::from_str(&text).unwrap();
            if kinds.contains(&event["type"].as_str().unwrap()) {
                return Some(event);
            }
            skipped.push(event["type"].clone());
        }
        None
    };
    match tokio::time::timeout(LIMIT, wait).await {
        Ok(Some(event)) => event,
        Ok(None) => panic!("the socket ended before {kinds:?}; skipped {skipped:?}"),
        Err(_) => panic!("no {kinds:?}; skipped {skipped:?}"),
    }
}

/// A session that is open and set to µ-law.
pub async fn configured(address: SocketAddr, key: &str) -> Socket {
    let mut socket = open_session(address, key).await;
    hear(&mut socket, &["session.created"]).await;
    say(&mut socket, ulaw_session()).await;
    hear(&mut socket, &["session.updated"]).await;
    socket
}

/// Serves one phone call, bridging it to a session with `key`: barge-in as protocols/openai-realtime.md 6.1 wants it,
/// with 20 ms marks for exactness. Returns when either side ends.
pub async fn relay(listener: TcpListener, provider: SocketAddr, key: String) {
    let (tcp, _) = listener.accept().await.unwrap();
    tcp.set_nodelay(true).unwrap();
    let mut phone = tokio_tungstenite::accept_async(tcp).await.unwrap();
    let mut leg = configured(provider, &key).await;
    let (mut sid, mut next_mark) = (String::new(), 0u64);
    // Items that are being played: id, ms sent; and of each mark: item and its ms.
    let mut playing: Vec<(String, u64)> = Vec::new();
    let mut marks: Vec<(String, String, u64)> = Vec::new();
    let mut heard: Vec<(String, u64)> = Vec::new();
    let mut dropped: Vec<String> = Vec::new();
    loop {
        tokio::select! {
            message = phone.next() => {
                let Some(Ok(message)) = message else { break };
                let Message::Text(text) = message else { continue };
                let event: Value = serde_json::from_str(&text).unwrap();
                match event["event"].as_str().unwrap() {
                    "start" => sid = event["streamSid"].as_str().unwrap().to_owned(),
                    "media" => say(&mut leg, json!({"type": "input_audio_buffer.append",
                        "audio": event["media"]["payload"]})).await,
                    "mark" => {
                        let name = event["mark"]["name"].as_str().unwrap();
                        if let Some(at) = marks.iter().position(|(mark, _, _)| mark == name) {
                            let (_, item, ms) = marks.remove(at);
                            heard.retain(|(id, _)| *id != item);
                            heard.push((item, ms));
                        }
                    }
                    "stop" => break,
                    _ => {}
                }
            }
            message = leg.next() => {
                let Some(Ok(message)) = message else { break };
                let Message::Text(text) = message else { continue };
                let event: Value = serde_json::from_str(&text).unwrap();
                let item = event["item_id"].as_str().unwrap_or("").to_owned();
                match event["type"].as_str().unwrap() {
                    "response.output_audio.delta" if !dropped.contains(&item) => {
                        if playing.last().is_none_or(|(id, _)| *id != item) {
                            playing.push((item.clone(), 0));
                        }
                        let audio = decode(event["delta"].as_str().unwrap());
                        for piece in audio.chunks(160) {
                            let sent = &mut playing.last_mut().unwrap().1;
                            *sent += piece.len() as u64;
                            let (sent_ms, name) = (*sent / 8, format!("m{next_mark}"));
                            next_mark += 1;
                            marks.push((name.clone(), item.clone(), sent_ms));
                            for event in [
                                json!({"event": "media", "streamSid": sid, "media": {"payload": encode(piece)}}),
                                json!({"event": "mark", "streamSid": sid, "mark": {"name": name}}),
                            ] {
                                phone.feed(Message::text(event.to_string())).await.unwrap();
                            }
                        }
                        phone.flush().await.unwrap();
                    }
                    "input_audio_buffer.speech_started" if !playing.is_empty() => {
                        say(&mut phone, json!({"event": "clear", "streamSid": sid})).await;
                        marks.clear();
                        for (item, _) in playing.drain(..) {
                            let ms = heard.iter().find(|(id, _)| *id == item).map_or(0, |(_, ms)| *ms);
                            dropped.push(item.clone());
                            let event = match ms {
                                0 => json!({"type": "conversation.item.delete", "item_id": item}),
                                ms => json!({"type": "conversation.item.truncate", "item_id": item,
                                             "content_index": 0, "audio_end_ms": ms}),
                            };
                            say(&mut leg, event).await;
                        }
                    }
                    _ => {}
                }
            }
        }
    }
    let _ = phone.close(None).await;
    let _ = leg.close(None).await;
}

pub fn encode(bytes: &[u8]) -> String {
    use base64::Engine;
    base64::engine::general_purpose::STANDARD.encode(bytes)
}

pub fn decode(text: &str) -> Vec<u8> {
    use base64::Engine;
    base64::engine::general_purpose::STANDARD.decode(text).unwrap()
}
