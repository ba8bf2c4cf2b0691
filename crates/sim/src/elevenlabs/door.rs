//! Who gets a WebSocket? Everybody: what is wrong with a key or a voice is told afterwards.

use super::{Behaviour, ScribeLedger, Shared, VoiceLedger, lock, remember, scribe::Scribe, speak::Speaker};
use crate::{
    Headers, http,
    line::{Line, Wire},
};
use std::{sync::Arc, time::Duration};
use tokio::{net::TcpStream, sync::watch};
use tokio_tungstenite::tungstenite::{handshake::derive_accept_key, protocol::Role};

const BAD_KEY: &str = r#"{"detail":{"status":"invalid_api_key","message":"Invalid API key"}}"#;
const HANDSHAKE_LIMIT: Duration = Duration::from_secs(10);

pub(super) async fn welcome(tcp: TcpStream, shared: Arc<Shared>) -> std::io::Result<()> {
    tcp.set_nodelay(true)?;
    let mut wire: Wire = Box::new(tcp);
    let head = tokio::time::timeout(HANDSHAKE_LIMIT, http::read_head(&mut wire)).await??;
    let (path, query) = head.second().split_once('?').unwrap_or((head.second(), ""));
    let voice =
        path.strip_prefix("/v1/text-to-speech/").and_then(|rest| rest.strip_suffix("/multi-stream-input"));
    if path == "/v1/user" {
        let known = head.header("xi-api-key").is_some_and(|key| !key.is_empty() && !key.contains("invalid"));
        let (status, body) = if known { (200, r#"{"subscription":{}}"#) } else { (401, BAD_KEY) };
        return http::answer(&mut wire, status, &Headers::new(), body).await;
    }
    let scribe = path == "/v1/speech-to-text/realtime";
    let websocket_key = head.header("sec-websocket-key").filter(|_| voice.is_some() || scribe);
    let Some(websocket_key) = websocket_key else {
        let body = r#"{"detail":{"status":"not_found","message":"no such path"}}"#;
        return http::answer(&mut wire, 404, &Headers::new(), body).await;
    };
    let key = head.header("xi-api-key").unwrap_or("").to_owned();
    let own = lock(&shared.by_key).get(&key).cloned();
    let mut behaviour: Behaviour = own.unwrap_or_else(|| lock(&shared.usual).clone());
    let error = |name: &str, words: &str| Some((name.to_owned(), words.to_owned()));
    if key.is_empty() || key.contains("invalid") {
        behaviour.error = error("invalid_api_key", "Invalid API key");
    } else if voice == Some("nobody") {
        behaviour.error = error("voice_not_found", "A voice with this id does not exist");
    }
    let headers: Headers = [
        ("upgrade", "websocket".to_owned()),
        ("connection", "Upgrade".to_owned()),
        ("sec-websocket-accept", derive_accept_key(websocket_key.as_bytes())),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .into();
    http::write_head(&mut wire, "HTTP/1.1 101 Switching Protocols", &headers, "").await?;
    let query = http::pairs(query);
    if scribe {
        let mut ledger = ScribeLedger { query, ..ScribeLedger::default() };
        let refused = check_scribe(&mut ledger);
        let (ledger, seen) = watch::channel(ledger);
        remember(&shared.listeners, key, seen);
        let line = Line::open(wire, head.rest, Role::Server, behaviour.latency).await;
        let error = behaviour.error.or(refused.map(|words| ("invalid_request".to_owned(), words)));
        let error = error.map(|(name, words)| match name.as_str() {
            "invalid_api_key" => ("auth_error".to_owned(), words),
            _ => (name, words),
        });
        Scribe::new(line, behaviour.listen, ledger).run(error, shared.stop.clone()).await;
        return Ok(());
    }
    let mut ledger = VoiceLedger { path: path.to_owned(), query, ..VoiceLedger::default() };
    check(&mut ledger);
    let (ledger, seen) = watch::channel(ledger);
    remember(&shared.voices, key, seen);
    let line = Line::open(wire, head.rest, Role::Server, behaviour.latency).await;
    Speaker::new(line, behaviour, ledger).run(shared.stop.clone()).await;
    Ok(())
}

fn check(ledger: &mut VoiceLedger) {
    const KNOWN: &[&str] = &[
        "model_id",
        "output_format",
        "language_code",
        "auto_mode",
        "inactivity_timeout",
        "apply_text_normalization",
        "enable_ssml_parsing",
        "sync_alignment",
        "enable_logging",
        "seed",
    ];
    let find = |name: &str| ledger.query.iter().find(|(key, _)| key == name).map(|(_, value)| value.clone());
    let mut wrong: Vec<String> = ledger
        .query
        .iter()
        .filter(|(name, _)| !KNOWN.contains(&name.as_str()))
        .map(|(name, _)| format!("unknown query parameter {name}"))
        .collect();
    if find("output_format").as_deref() != Some("ulaw_8000") {
        wrong.push("output_format is not ulaw_8000".into());
    }
    let model = find("model_id").unwrap_or_default();
    if !model.starts_with("eleven_") || model.starts_with("eleven_v3") || model.starts_with("eleven_v4") {
        wrong.push(format!("the model {model:?} does not speak on this socket"));
    }
    if find("inactivity_timeout")
        .and_then(|text| text.parse::<u32>().ok())
        .is_some_and(|seconds| seconds > 180)
    {
        wrong.push("inactivity_timeout is above 180".into());
    }
    wrong.into_iter().for_each(|what| ledger.violation(what));
}

/// What it would refuse, if anything.
fn check_scribe(ledger: &mut ScribeLedger) -> Option<String> {
    const KNOWN: &[&str] = &[
        "model_id",
        "audio_format",
        "commit_strategy",
        "language_code",
        "secondary_languages",
        "include_timestamps",
        "include_language_detection",
        "keyterms",
        "no_verbatim",
        "enable_logging",
    ];
    let find = |name: &str| ledger.query.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str());
    let keyterms: Vec<_> = ledger.query.iter().filter(|(name, _)| name == "keyterms").collect();
    let unknown = ledger.query.iter().find(|(name, _)| !KNOWN.contains(&name.as_str()));
    let wrong = if let Some((name, _)) = unknown {
        format!("unknown query parameter {name}")
    } else if find("model_id") != Some("scribe_v2_realtime") {
        format!("no such model: {:?}", find("model_id"))
    } else if find("audio_format") != Some("ulaw_8000") {
        "audio_format is not ulaw_8000".to_owned()
    } else if find("commit_strategy").is_some_and(|strategy| strategy != "manual") {
        "this pretend service knows only manual commits".to_owned()
    } else if find("language_code").is_some_and(|code| !matches!(code.len(), 2 | 3)) {
        "language_code with a region".to_owned()
    } else if keyterms.len() > 50 || keyterms.iter().any(|(_, term)| term.chars().count() > 20) {
        "too many keyterms, or too long ones".to_owned()
    } else {
        return None;
    };
    // A model may be the customer's mistake; the rest is the client's.
    if !wrong.starts_with("no such model") {
        ledger.violation(wrong.clone());
    }
    Some(wrong)
}
