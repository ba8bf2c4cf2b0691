//! Who is answered, and how do the bytes of an answer leave? One request after another on each connection.

use super::{
    Request, Shared,
    behaviour::Fault,
    stream::{self, Step},
    strict,
};
use crate::{
    Headers,
    http::{self, Head},
    line::Wire,
};
use serde_json::{Value, json};
use std::{
    io::{Error, ErrorKind},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    time::Instant,
};

const HANDSHAKE_LIMIT: Duration = Duration::from_secs(120);

pub(super) async fn accept_all(listener: TcpListener, shared: Arc<Shared>) {
    let connections = AtomicUsize::new(0);
    loop {
        let accepted = tokio::select! {
            () = shared.stop.cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((tcp, _)) => {
                let (shared, number) = (shared.clone(), connections.fetch_add(1, Relaxed) + 1);
                tokio::spawn(async move {
                    let stop = shared.stop.clone();
                    // A client that breaks off is remembered in its request; a broken head is nobody's concern.
                    let _ = stop.run_until_cancelled(serve(tcp, shared, number)).await;
                });
            }
            // Out of file descriptors: some will be free soon.
            Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
        }
    }
}

async fn serve(tcp: TcpStream, shared: Arc<Shared>, connection: usize) -> std::io::Result<()> {
    tcp.set_nodelay(true)?; // or the first words wait 40 ms for an acknowledgement
    let mut wire: Wire = Box::new(tcp);
    loop {
        let head = tokio::time::timeout(HANDSHAKE_LIMIT, http::read_head(&mut wire)).await??;
        let key = head.header("authorization").and_then(|value| value.strip_prefix("Bearer "));
        let key = key.or(head.header("api-key")).unwrap_or("").to_owned();
        if key.is_empty() || key.contains("invalid") {
            let body = error("invalid_request_error", "invalid_api_key", "Invalid API Key");
            return http::answer(&mut wire, 401, &Headers::new(), &body).await;
        }
        let path = head.second().split('?').next().unwrap_or("");
        if path.ends_with("/models") {
            let models: Vec<Value> =
                strict::MODELS.iter().map(|id| json!({ "id": id, "object": "model" })).collect();
            let body = json!({ "object": "list", "data": models }).to_string();
            plain(&mut wire, 200, &Headers::new(), &body).await?;
        } else if path.ends_with("/chat/completions") && head.start.starts_with("POST ") {
            chat(&mut wire, &head, &shared, key, connection).await?;
        } else {
            let body = error("invalid_request_error", "unknown_url", "Unknown request URL");
            return http::answer(&mut wire, 404, &Headers::new(), &body).await;
        }
    }
}

async fn chat(
    wire: &mut Wire,
    head: &Head,
    shared: &Shared,
    key: String,
    connection: usize,
) -> std::io::Result<()> {
    let body = http::read_body(wire, head).await;
    let began = Instant::now();
    let mut violations = Vec::new();
    for (name, wanted) in [("content-type", "application/json"), ("accept", "text/event-stream")] {
        if head.header(name) != Some(wanted) {
            violations.push(format!("{name} is {:?}", head.header(name)));
        }
    }
    if head.header("user-agent").is_none_or(str::is_empty) {
        violations.push("no user-agent".into());
    }
    let body: Value = serde_json::from_slice(&body).unwrap_or(Value::Null);
    violations.extend(strict::violations(&body));
    let model = body["model"].as_str().unwrap_or("").to_owned();
    let question =
        body["messages"].as_array().into_iter().flatten().rev().find(|message| message["role"] == "user");
    let question = question.and_then(|message| message["content"].as_str()).unwrap_or("").to_owned();
    let with_usage = body["stream_options"]["include_usage"] == true;
    let refusal = if !strict::MODELS.contains(&model.as_str()) {
        let words = format!("The model `{model}` does not exist or you do not have access to it.");
        Some((404, error("invalid_request_error", "model_not_found", &words)))
    } else {
        strict::refused(&body).map(|(param, words)| {
            let body = json!({ "error": { "message": words, "type": "invalid_request_error", "param": param, "code": "unsupported_value" } });
            (400, body.to_string())
        })
    };
    let headers = head
        .headers
        .iter()
        .filter(|(name, _)| name != "authorization" && name != "api-key")
        .cloned()
        .collect();
    let at = shared.remember(Request {
        key: key.clone(),
        connection,
        headers,
        body,
        first_word_after: None,
        sent: 0,
        finished: false,
        cancelled: false,
        violations,
    });
    if let Some((status, body)) = refusal {
        shared.update(at, |request| request.violations.push(format!("refused with {status}: {body}")));
        return plain(wire, status, &Headers::new(), &body).await;
    }
    let (behaviour, answer) = shared.answer(&key, &question);
    if let Some(Fault::Status(status, headers, body)) = &answer.fault {
        return plain(wire, *status, headers, body).await;
    }
    let steps = stream::steps(&behaviour, &answer, &model, with_usage);
    let told = |word| {
        shared.update(at, |request| {
            request.sent += usize::from(word);
            if word {
                request.first_word_after.get_or_insert_with(|| began.elapsed());
            }
        });
    };
    let sent = send(wire, steps, told).await;
    shared.update(at, |request| {
        request.finished = sent.is_ok();
        request.cancelled = sent.as_ref().is_err_and(|error| error.kind() != ErrorKind::ConnectionAborted);
    });
    sent
}

/// Streams an answer. An error is a client that has gone, or an end that the script wants.
async fn send(wire: &mut Wire, steps: Vec<Step>, mut told: impl FnMut(bool)) -> std::io::Result<()> {
    let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\
                x-ratelimit-limit-tokens: 250000\r\nx-ratelimit-remaining-tokens: 249000\r\nx-ratelimit-reset-tokens: 7.66s\r\n\r\n";
    wire.write_all(head.as_bytes()).await?;
    for step in steps {
        match step {
            Step::Wait(time) if time.is_zero() => {}
            Step::Wait(time) => gone_within(wire, time).await?,
            Step::Send { text, word } => {
                // In two pieces, so that letters and lines are cut anywhere.
                let (left, right) = text.as_bytes().split_at(text.len() / 2);
                for piece in [left, right].into_iter().filter(|piece| !piece.is_empty()) {
                    let mut bytes = format!("{:x}\r\n", piece.len()).into_bytes();
                    bytes.extend_from_slice(piece);
                    bytes.extend_from_slice(b"\r\n");
                    wire.write_all(&bytes).await?;
                }
                wire.flush().await?;
                told(word);
            }
            Step::End => {
                wire.write_all(b"0\r\n\r\n").await?;
                return wire.flush().await;
            }
            Step::Cut => return Err(Error::from(ErrorKind::ConnectionAborted)),
            Step::Stall => gone_within(wire, HANDSHAKE_LIMIT).await?,
        }
    }
    Ok(())
}

/// Lets the time pass, and notices a client that hangs up meanwhile.
async fn gone_within(wire: &mut Wire, time: Duration) -> std::io::Result<()> {
    let mut byte = [0];
    match tokio::time::timeout(time, wire.read(&mut byte)).await {
        Err(_) => Ok(()),
        Ok(Ok(0)) => Err(Error::from(ErrorKind::UnexpectedEof)),
        Ok(Ok(_)) => {
            Err(Error::new(ErrorKind::InvalidData, "a second request before the first was answered"))
        }
        Ok(Err(error)) => Err(error),
    }
}

/// A whole answer, after which the connection stays.
async fn plain(wire: &mut Wire, status: u16, extra: &Headers, body: &str) -> std::io::Result<()> {
    let mut headers: Headers = vec![
        ("content-type".into(), "application/json".into()),
        ("content-length".into(), body.len().to_string()),
    ];
    headers.extend(extra.iter().cloned());
    http::write_head(wire, &format!("HTTP/1.1 {status} As Told"), &headers, body).await
}

fn error(kind: &str, code: &str, words: &str) -> String {
    json!({ "error": { "message": words, "type": kind, "param": null, "code": code } }).to_string()
}
