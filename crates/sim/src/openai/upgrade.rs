//! Who gets a WebSocket? Clients with a credential; what else is wrong is told after the upgrade, as the service does.
//!
//! A wrong key is no HTTP 401 there: the upgrade succeeds, one `error` comes, then close 3000. A missing one is.

use super::{
    ConnectError, Connection, Ledger, MAX_ORDERS, Shared, behaviour::Behaviour,
    connection::Connection as Live,
};
use crate::{
    Headers,
    http::{self, Head},
    line::{Line, Wire},
};
use std::{sync::Arc, time::Duration};
use tokio::{
    net::TcpStream,
    sync::{mpsc, watch},
};
use tokio_rustls::TlsAcceptor;
use tokio_tungstenite::tungstenite::{handshake::derive_accept_key, protocol::Role};

/// For TLS and the request head together.
const HANDSHAKE_LIMIT: Duration = Duration::from_secs(10);

pub(super) async fn welcome(tcp: TcpStream, shared: Arc<Shared>) -> std::io::Result<()> {
    tcp.set_nodelay(true)?;
    let reading = async {
        let mut wire: Wire = match shared.options.tls.clone() {
            Some(config) => Box::new(TlsAcceptor::from(config).accept(tcp).await?),
            None => Box::new(tcp),
        };
        let head = http::read_head(&mut wire).await?;
        Ok::<_, std::io::Error>((wire, head))
    };
    let (mut wire, head) = tokio::time::timeout(HANDSHAKE_LIMIT, reading).await??;
    let Some(request) = Request::read(&head) else {
        return http::answer(
            &mut wire,
            404,
            &Headers::new(),
            &error_body("not_found", "Unknown request URL."),
        )
        .await;
    };
    let Some(key) = request.key.filter(|key| !key.is_empty()) else {
        let body = error_body("missing_api_key", "You didn't provide an API key.");
        return http::answer(&mut wire, 401, &Headers::new(), &body).await;
    };
    let is_known = shared.options.keys.as_ref().map_or(!key.contains("invalid"), |keys| keys.contains(&key));
    if !request.is_realtime {
        let (status, body) = match is_known {
            true => {
                (200, r#"{"object":"list","data":[{"id":"gpt-realtime-2.1","object":"model"}]}"#.to_owned())
            }
            false => (401, error_body("invalid_api_key", "Incorrect API key provided.")),
        };
        return http::answer(&mut wire, status, &Headers::new(), &body).await;
    }
    let mut behaviour = shared.behaviour_for(&key);
    tokio::time::sleep(behaviour.faults.upgrade_after).await;
    if let Some((status, headers, body)) = &behaviour.faults.refuse_upgrade {
        return http::answer(&mut wire, *status, headers, body).await;
    }
    let Some(websocket_key) = head.header("sec-websocket-key") else {
        let body = error_body("upgrade_required", "A WebSocket is expected here.");
        return http::answer(&mut wire, 426, &Headers::new(), &body).await;
    };
    let headers: Headers = [
        ("upgrade", "websocket".to_owned()),
        ("connection", "Upgrade".to_owned()),
        ("sec-websocket-accept", derive_accept_key(websocket_key.as_bytes())),
        ("x-request-id", "req_pretend".to_owned()),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .into();
    http::write_head(&mut wire, "HTTP/1.1 101 Switching Protocols", &headers, "").await?;
    let fault = wrong_with(&head, &request.model, request.is_azure, is_known, &key);
    let mut ledger = Ledger::new(&request.model, without_credentials(&head.headers));
    if let Some(error) = fault {
        ledger.violation(format!("connected with {}: {}", error.code, error.message));
        behaviour.faults.error_at_connect = Some(error);
    }
    let line = Line::open(wire, head.rest, Role::Server, behaviour.latency).await;
    connect(shared, key, behaviour, ledger, line).await;
    Ok(())
}

async fn connect(shared: Arc<Shared>, key: String, behaviour: Behaviour, ledger: Ledger, line: Line) {
    let (ledger, seen) = watch::channel(ledger);
    let (orders, inbox) = mpsc::channel(MAX_ORDERS);
    let live = Live::new(line, behaviour, ledger, shared.options.probe.clone());
    let stop = shared.stop_of(&key);
    shared.remember(Connection { key, ledger: seen, orders });
    live.run(inbox, stop).await;
}

struct Request {
    is_realtime: bool,
    is_azure: bool,
    model: String,
    key: Option<String>,
}

impl Request {
    fn read(head: &Head) -> Option<Self> {
        let (path, query) = head.second().split_once('?').unwrap_or((head.second(), ""));
        let (is_realtime, is_azure) = match path {
            "/v1/realtime" => (true, false),
            "/openai/v1/realtime" => (true, true),
            "/v1/models" | "/openai/v1/models" => (false, false),
            _ => return None,
        };
        let model = query.split('&').find_map(|pair| pair.strip_prefix("model=")).unwrap_or("");
        let bearer = head.header("authorization").and_then(|value| value.strip_prefix("Bearer "));
        let key = bearer.or(head.header("api-key")).map(|key| key.trim().to_owned());
        head.start.starts_with("GET ").then(|| Self {
            is_realtime,
            is_azure,
            model: http::unescaped(model),
            key,
        })
    }
}

fn wrong_with(head: &Head, model: &str, is_azure: bool, is_known: bool, key: &str) -> Option<ConnectError> {
    if !is_known {
        let tail: String = key.chars().skip(key.chars().count().saturating_sub(4)).collect();
        return Some(ConnectError::invalid_api_key(&format!("sk-***{tail}")));
    }
    if head.header("openai-beta").is_some() {
        let message = "The Realtime Beta API is no longer supported. Please use the GA API.";
        return Some(ConnectError::of("beta_api_shape_disabled", message, 4000));
    }
    if model.is_empty() {
        return Some(ConnectError::of("missing_model", "You must provide a model parameter.", 4000));
    }
    if !is_azure && !model.starts_with("gpt-realtime") {
        let message = format!("Model \"{model}\" is not supported in realtime mode.");
        return Some(ConnectError::of("invalid_model", &message, 4000));
    }
    None
}

fn without_credentials(headers: &Headers) -> Headers {
    let secret = ["authorization", "api-key", "sec-websocket-key"];
    headers.iter().filter(|(name, _)| !secret.contains(&name.as_str())).cloned().collect()
}

fn error_body(code: &str, message: &str) -> String {
    serde_json::json!({"error": {"message": message, "type": "invalid_request_error", "param": null, "code": code}})
        .to_string()
}
