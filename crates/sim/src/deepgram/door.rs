//! Who gets a WebSocket? Clients with a good key and a query that the service takes.

use super::{
    Shared,
    aura::AuraSpeaker,
    flux_voice::FluxSpeaker,
    ledger::{ListenLedger, SpeakLedger},
    listen::Listener,
    remember,
    strict::{self, Service},
};
use crate::{
    Headers,
    http::{self, Head},
    line::{Line, Wire},
};
use std::{sync::Arc, time::Duration};
use tokio::{net::TcpStream, sync::watch};
use tokio_tungstenite::tungstenite::{handshake::derive_accept_key, protocol::Role};

const HANDSHAKE_LIMIT: Duration = Duration::from_secs(10);

pub(super) async fn welcome(tcp: TcpStream, shared: Arc<Shared>) -> std::io::Result<()> {
    tcp.set_nodelay(true)?;
    let mut wire: Wire = Box::new(tcp);
    let head = tokio::time::timeout(HANDSHAKE_LIMIT, http::read_head(&mut wire)).await??;
    let (path, query) = head.second().split_once('?').unwrap_or((head.second(), ""));
    let service = match path {
        "/v1/listen" => Some(Service::Nova),
        "/v2/listen" => Some(Service::Flux),
        "/v1/speak" => Some(Service::Aura),
        "/v2/speak" => Some(Service::FluxVoice),
        "/v1/projects" | "/v1/models" => None,
        _ => return refuse(&mut wire, 404, "NOT_FOUND", "no such path").await,
    };
    let key =
        head.header("authorization").and_then(|value| value.strip_prefix("Token ")).unwrap_or("").to_owned();
    if key.is_empty() || key.contains("invalid") {
        return refuse(&mut wire, 401, "INVALID_AUTH", "Invalid credentials.").await;
    }
    let Some(service) = service else {
        return http::answer(&mut wire, 200, &Headers::new(), r#"{"projects":[],"stt":[],"tts":[]}"#).await;
    };
    let behaviour = shared.behaviour_for(&key);
    tokio::time::sleep(behaviour.upgrade_after).await;
    if let Some((status, body)) = &behaviour.refuse {
        return http::answer(&mut wire, *status, &Headers::new(), body).await;
    }
    let query = http::pairs(query);
    if let Err((status, code, words)) = strict::check_query(service, &query) {
        return refuse(&mut wire, status, code, &words).await;
    }
    let Some(websocket_key) = head.header("sec-websocket-key") else {
        return refuse(&mut wire, 426, "UPGRADE_REQUIRED", "A WebSocket is expected here.").await;
    };
    let headers: Headers = [
        ("upgrade", "websocket".to_owned()),
        ("connection", "Upgrade".to_owned()),
        ("sec-websocket-accept", derive_accept_key(websocket_key.as_bytes())),
        ("dg-request-id", "00000000-0000-0000-0000-000000000000".to_owned()),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .into();
    http::write_head(&mut wire, "HTTP/1.1 101 Switching Protocols", &headers, "").await?;
    let headers = without_credentials(&head);
    let line = Line::open(wire, head.rest, Role::Server, behaviour.latency).await;
    let stop = shared.stop_of(&key);
    match service {
        Service::Nova | Service::Flux => {
            let version = if service == Service::Flux { 2 } else { 1 };
            let (ledger, seen) =
                watch::channel(ListenLedger { version, query, headers, ..Default::default() });
            remember(&shared.listeners, &key, seen);
            Listener::new(line, behaviour.listen, ledger).run(stop).await;
        }
        Service::Aura | Service::FluxVoice => {
            let (ledger, seen) = watch::channel(SpeakLedger { query, headers, ..Default::default() });
            remember(&shared.speakers, &key, seen);
            if service == Service::Aura {
                AuraSpeaker::new(line, behaviour.speak, ledger).run(stop).await;
            } else {
                FluxSpeaker::new(line, behaviour.speak, ledger).run(stop).await;
            }
        }
    }
    Ok(())
}

async fn refuse(wire: &mut Wire, status: u16, code: &str, words: &str) -> std::io::Result<()> {
    let body = serde_json::json!({ "err_code": code, "err_msg": words, "request_id": "pretend" }).to_string();
    http::answer(wire, status, &vec![("dg-error".to_owned(), words.to_owned())], &body).await
}

fn without_credentials(head: &Head) -> Headers {
    let secret = ["authorization", "sec-websocket-key"];
    head.headers.iter().filter(|(name, _)| !secret.contains(&name.as_str())).cloned().collect()
}
