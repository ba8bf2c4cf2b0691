//! Configurations that a token only points to, served by a main app on loopback.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use aws_lc_rs::digest;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use patchcord::gate::{Code, Gate, GateSettings, config::Config, fetch::Fetcher};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

use crate::scene::*;

/// Answers every request with the same bytes and keeps what was asked.
struct App {
    url: String,
    asked: Arc<AtomicUsize>,
    last: Arc<std::sync::Mutex<String>>,
}

impl App {
    async fn serving(answer: Vec<u8>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/config", listener.local_addr().unwrap());
        let app = Self { url, asked: Arc::default(), last: Arc::default() };
        let (asked, last) = (app.asked.clone(), app.last.clone());
        tokio::spawn(async move {
            while let Ok((mut socket, _)) = listener.accept().await {
                let request = read_request(&mut socket).await;
                asked.fetch_add(1, Ordering::SeqCst);
                *last.lock().unwrap() = String::from_utf8_lossy(&request).into_owned();
                // The gate may hang up on what is too large.
                let _ = socket.write_all(&answer).await;
            }
        });
        app
    }

    async fn with_config(json: &str) -> Self {
        Self::serving(answer("200 OK", json)).await
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}

async fn read_request(socket: &mut TcpStream) -> Vec<u8> {
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n") && socket.read_buf(&mut request).await.unwrap_or(0) > 0 {}
    request
}

fn answer(status: &str, body: &str) -> Vec<u8> {
    format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}", body.len())
        .into_bytes()
}

fn hash(json: &str) -> String {
    URL_SAFE_NO_PAD.encode(digest::digest(&digest::SHA256, json.as_bytes()))
}

fn body() -> Value {
    let claims = claims();
    json!({ "agent": claims["agent"], "legs": claims["legs"], "keys": claims["keys"], "context": { "order": 7 } })
}

fn token(iss: &str, url: &str, sha256: &str) -> String {
    let config = json!({ "url": url, "sha256": sha256 });
    minter().sign(&with(json!({ "iss": iss, "agent": null, "legs": null, "keys": null, "config": config })))
}

struct Relay {
    gate: Gate,
    fetcher: Fetcher,
}

impl Relay {
    fn new() -> Self {
        let gate = Gate::new(GateSettings { allow_private: true, ..settings() }).unwrap();
        Self { gate, fetcher: Fetcher::new(true, tls()).unwrap() }
    }

    async fn config(&self, token: &str) -> Result<Config, Code> {
        let mut pass = self.gate.open(token, now()).map_err(|refusal| refusal.code)?;
        assert!(pass.is_by_reference());
        pass.take_config(&self.fetcher).await.map_err(|refusal| {
            assert!(!refusal.to_string().contains("MARKER"), "{refusal}");
            assert_eq!(refusal.iss.as_deref(), Some("https://app.example.com"));
            refusal.code
        })
    }
}

const APP: &str = "https://app.example.com";

#[tokio::test]
async fn the_configuration_is_fetched_with_the_token_and_only_once() {
    let json = body().to_string();
    let app = App::with_config(&json).await;
    let relay = Relay::new();
    let token = token(APP, &app.url, &hash(&json));
    for _ in 0..3 {
        let config = relay.config(&token).await.unwrap();
        assert_eq!(config.agent.prompt.as_deref(), Some("MARKER-prompt"));
        assert_eq!(config.context, json!({ "order": 7 }));
    }
    assert_eq!(app.asked(), 1);
    let request = app.last.lock().unwrap().clone();
    assert!(request.starts_with("GET /config HTTP/1.1\r\n"), "{request}");
    assert!(
        request.to_lowercase().contains(&format!("authorization: bearer {}", token.to_lowercase())),
        "{request}"
    );
}

#[tokio::test]
async fn knowing_a_hash_is_not_enough_to_use_another_apps_configuration() {
    let json = body().to_string();
    let app = App::with_config(&json).await;
    let relay = Relay::new();
    relay.config(&token(APP, &app.url, &hash(&json))).await.unwrap();
    let closed = "http://127.0.0.1:1/";
    let mut pass = relay.gate.open(&token("https://other.example.com", closed, &hash(&json)), now()).unwrap();
    let refusal = pass.take_config(&relay.fetcher).await.unwrap_err();
    assert_eq!(refusal.code, Code::ConfigUnreachable);
    relay
        .config(&token(APP, closed, &hash(&json)))
        .await
        .expect("its own app's is remembered, wherever it is");
}

#[tokio::test]
async fn what_does_not_have_the_signed_hash_is_refused_and_not_remembered() {
    let json = body().to_string();
    let app = App::with_config(&json).await;
    let relay = Relay::new();
    let wrong = token(APP, &app.url, &hash("something else"));
    for asked in 1..=2 {
        assert_eq!(relay.config(&wrong).await.unwrap_err(), Code::ConfigHash);
        assert_eq!(app.asked(), asked);
    }
}

#[tokio::test]
async fn a_configuration_is_read_as_strictly_as_a_token() {
    let mut typo = body();
    typo["agent"]["promt"] = "MARKER".into();
    let mut registered = body();
    registered["exp"] = 1.into();
    let mut nested = body();
    nested["config"] = json!({ "url": "https://a.example.com", "sha256": "x" });
    let twice = body().to_string().replacen("\"voice\":", "\"voice\":\"MARKER\",\"voice\":", 1);
    for (json, code) in [
        (typo.to_string(), Code::ClaimsUnknownField),
        (registered.to_string(), Code::ClaimsUnknownField),
        (nested.to_string(), Code::ClaimsUnknownField),
        (twice, Code::ClaimsDuplicate),
        ("[]".into(), Code::ClaimsMalformed),
        ("{}".into(), Code::ClaimsMissing),
        ("MARKER".into(), Code::ClaimsMalformed),
        (json!({ "legs": [{ "kind": "openai" }] }).to_string(), Code::ClaimsKeyMissing),
    ] {
        let app = App::with_config(&json).await;
        assert_eq!(
            Relay::new().config(&token(APP, &app.url, &hash(&json))).await.unwrap_err(),
            code,
            "{json}"
        );
    }
}

#[tokio::test]
async fn twilios_key_in_a_configuration_must_be_for_the_account_of_the_token() {
    for (sid, expected) in [(ACCOUNT, None), ("AC00000000000000000000000000000000", Some(Code::ClaimsValue))]
    {
        let mut json = body();
        json["keys"]["twilio"] = twilio_key();
        json["keys"]["twilio"]["account_sid"] = sid.into();
        let json = json.to_string();
        let app = App::with_config(&json).await;
        let got = Relay::new().config(&token(APP, &app.url, &hash(&json))).await;
        assert_eq!(got.err(), expected, "{sid}");
    }
}

#[tokio::test]
async fn a_main_app_that_does_not_deliver_is_told_apart() {
    let huge = body().to_string() + &" ".repeat(250_000);
    // Says it is small, by saying nothing.
    let endless = [b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n".to_vec(), vec![b' '; 300_000]].concat();
    let cut = b"HTTP/1.1 200 OK\r\ncontent-length: 5000\r\nconnection: close\r\n\r\n{".to_vec();
    for (name, answer, code) in [
        ("an error page", answer("500 Internal Server Error", "MARKER"), Code::ConfigUnreachable),
        ("not let in", answer("401 Unauthorized", ""), Code::ConfigUnreachable),
        ("another success", answer("206 Partial Content", &body().to_string()), Code::ConfigUnreachable),
        ("hangs up", Vec::new(), Code::ConfigUnreachable),
        ("cut in the middle", cut, Code::ConfigUnreachable),
        ("too large", answer("200 OK", &huge), Code::ConfigTooLarge),
        ("endless", endless, Code::ConfigTooLarge),
    ] {
        let app = App::serving(answer).await;
        let got = Relay::new().config(&token(APP, &app.url, &hash(&body().to_string()))).await;
        assert_eq!(got.unwrap_err(), code, "{name}");
        assert_eq!(app.asked(), 1, "{name}");
    }
    let nobody = token(APP, "http://127.0.0.1:1/", &hash(""));
    assert_eq!(Relay::new().config(&nobody).await.unwrap_err(), Code::ConfigUnreachable);
}

/// Takes the three seconds of real time that the gate waits: paused clocks and real sockets do not mix.
#[tokio::test]
async fn a_main_app_that_never_finishes_its_answer_is_given_up() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let silent = tokio::spawn(async move {
        let (mut socket, _) = listener.accept().await.unwrap();
        read_request(&mut socket).await;
        socket.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{").await.unwrap();
        std::future::pending::<()>().await;
    });
    let relay = Relay::new();
    let mut pass = relay.gate.open(&token(APP, &url, &hash("")), now()).unwrap();
    let refusal = pass.take_config(&relay.fetcher).await.unwrap_err();
    assert_eq!(refusal.code, Code::ConfigUnreachable);
    assert!(refusal.message.contains("did not answer in 3 s"), "{refusal}");
    silent.abort();
}

#[tokio::test]
async fn a_redirect_is_not_followed_even_to_the_right_configuration() {
    let json = body().to_string();
    let there = App::with_config(&json).await;
    let head = format!("HTTP/1.1 307 Temporary Redirect\r\nlocation: {}\r\n", there.url);
    let here =
        App::serving(format!("{head}content-length: 0\r\nconnection: close\r\n\r\n").into_bytes()).await;
    let got = Relay::new().config(&token(APP, &here.url, &hash(&json))).await;
    assert_eq!(got.unwrap_err(), Code::ConfigUnreachable);
    assert_eq!((here.asked(), there.asked()), (1, 0));
}

#[tokio::test]
async fn a_name_that_leads_to_this_machine_is_not_reached() {
    let json = body().to_string();
    let app = App::with_config(&json).await;
    let url = app.url.replace("127.0.0.1", "localhost");
    let gate = Gate::new(GateSettings { allow_private: true, ..settings() }).unwrap();
    let mut pass = gate.open(&token(APP, &url, &hash(&json)), now()).unwrap();
    // The URL passed; now the guard of the connection is the strict one.
    let refusal = pass.take_config(&Fetcher::new(false, tls()).unwrap()).await.unwrap_err();
    assert_eq!(refusal.code, Code::ConfigUnreachable);
    assert!(refusal.message.contains("private address"), "{refusal}");
    assert_eq!(app.asked(), 0);
    Relay::new().config(&token(APP, &url, &hash(&json))).await.expect("with WEBHOOK_ALLOW_PRIVATE it is");
}
