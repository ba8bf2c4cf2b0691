//! Tools of one call: signed requests to the main app, each a future of the call's own task.
//!
//! Whatever comes of one, the model gets something that it can speak about. Dropping one closes its
//! connection; how long it may take is not decided here.

use std::{
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::{Duration, SystemTime},
};

use bytes::{Bytes, BytesMut};
use call::{ToolEnd, ToolId};
use reqwest::{Response, Url};
use serde_json::{Value, json};
use tokio::time::timeout;

use super::moving::HandOver;
use crate::{
    gate::{
        Config,
        config::{Does, Tool},
    },
    outward::webhooks::Webhooks,
    report::Report,
};

pub(super) struct Toolbox {
    webhooks: Arc<Webhooks>,
    running: Vec<(ToolId, Work<Outcome>)>,
    handing: Option<(ToolId, Work<bool>)>,
}

type Work<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// How it ended, and what the model is told.
type Outcome = (ToolEnd, String);

/// Of which call somebody speaks to the main app.
#[derive(Clone, Copy)]
pub(super) struct CallNames<'a> {
    pub id: &'a str,
    pub carrier_call: &'a str,
}

impl Toolbox {
    pub fn new(webhooks: Arc<Webhooks>) -> Self {
        Self { webhooks, running: Vec::new(), handing: None }
    }

    pub fn run(&mut self, names: CallNames<'_>, config: &Config, id: ToolId, tool: usize, arguments: &str) {
        let Some(Tool { name, does, .. }) = config.tools.get(tool) else { return };
        let running: Work<Outcome> = match (serde_json::from_str::<Value>(arguments), does) {
            (Err(_), _) => Box::pin(async { failed("The arguments of this call are not JSON.") }),
            (Ok(arguments), Does::Ask { url, .. }) => {
                let body = json!({
                    "call": { "id": names.id, "carrier_call_id": names.carrier_call, "agent_id": config.agent.id },
                    "name": name,
                    "arguments": arguments,
                    "context": config.context,
                });
                let message = format!("tool_{}_{}", names.id, id.0);
                let body = Bytes::from(body.to_string());
                Box::pin(ask(self.webhooks.clone(), url.clone(), message, body))
            }
            (Ok(arguments), Does::Transfer { targets }) => {
                let target = arguments["target"].as_str().filter(|target| targets.contains_key(*target));
                let outcome = match target {
                    Some(target) => (ToolEnd::HandsOver, target.to_owned()),
                    None => {
                        let known: Vec<&String> = targets.keys().collect();
                        failed(&format!("There is no such target. There are: {}", json!(known)))
                    }
                };
                Box::pin(std::future::ready(outcome))
            }
            (Ok(arguments), Does::SendDtmf) => {
                // Models write digits as a number now and then.
                let digits = match &arguments["digits"] {
                    Value::String(digits) => digits.clone(),
                    other => other.to_string(),
                };
                Box::pin(std::future::ready((ToolEnd::Tones, digits)))
            }
            (Ok(_), Does::HangUp | Does::Elsewhere { .. }) => return, // done by the call, or by the provider
        };
        self.running.push((id, running));
    }

    /// Tells whoever moves the caller to whom. What they answer decides whether the call ends.
    pub fn hand_over(&mut self, id: ToolId, order: HandOver) {
        let webhooks = self.webhooks.clone();
        let handing = async move {
            match order {
                HandOver::ByApp(report) => is_taken(&webhooks, &report).await,
                HandOver::ByTwilio(line, update) => line.tell(&update).await,
            }
        };
        self.handing = Some((id, Box::pin(handing)));
    }

    /// Whether somebody takes the caller, when that is known.
    pub fn poll_handed_over(&mut self, cx: &mut Context<'_>) -> Poll<(ToolId, bool)> {
        let Some((id, handing)) = &mut self.handing else { return Poll::Pending };
        let (id, taken) = (*id, ready!(handing.as_mut().poll(cx)));
        self.handing = None;
        Poll::Ready((id, taken))
    }

    /// Nobody waits for it any more.
    pub fn stop(&mut self, id: ToolId) {
        self.running.retain(|(running, _)| *running != id);
    }

    /// The next one that is done.
    pub fn poll(&mut self, cx: &mut Context<'_>) -> Poll<(ToolId, Outcome)> {
        let done = self.running.iter_mut().enumerate().find_map(|(at, (_, running))| {
            match running.as_mut().poll(cx) {
                Poll::Ready(outcome) => Some((at, outcome)),
                Poll::Pending => None,
            }
        });
        match done {
            Some((at, outcome)) => Poll::Ready((self.running.swap_remove(at).0, outcome)),
            None => Poll::Pending,
        }
    }
}

async fn ask(webhooks: Arc<Webhooks>, url: Url, message: String, body: Bytes) -> Outcome {
    let post = || webhooks.post(url.clone(), &message, body.clone(), None, SystemTime::now()).send();
    let response = match post().await {
        // A connection that was kept warm may have been closed meanwhile. The id tells the app that it is the
        // same call.
        Err(error) if !error.is_timeout() => {
            tokio::time::sleep(AGAIN_AFTER).await;
            post().await
        }
        first => first,
    };
    match response {
        Ok(response) => read(response).await,
        Err(_) => failed("The system behind this tool cannot be reached at the moment."),
    }
}

async fn is_taken(webhooks: &Webhooks, report: &Report) -> bool {
    let Report { id, url, body, secret } = report;
    for _ in 0..2 {
        let post = webhooks.post(url.clone(), id, body.clone(), secret.as_ref(), SystemTime::now());
        if let Ok(Ok(response)) = timeout(ONE_TRY, post.send()).await {
            return response.status().is_success();
        }
        tokio::time::sleep(AGAIN_AFTER).await;
    }
    false
}

async fn read(mut response: Response) -> Outcome {
    let status = response.status();
    if !status.is_success() {
        return failed(&format!("The system behind this tool refused, with status {}.", status.as_u16()));
    }
    let mut body = BytesMut::new();
    loop {
        match response.chunk().await {
            Ok(Some(piece)) if body.len() + piece.len() <= LONGEST_ANSWER => body.extend_from_slice(&piece),
            Ok(Some(_)) => return failed("The answer of the system behind this tool is too long to read."),
            Ok(None) => break,
            Err(_) => return failed("The connection to the system behind this tool broke."),
        }
    }
    if status == 204 || body.trim_ascii().is_empty() {
        return (ToolEnd::Done, json!({ "status": "done" }).to_string());
    }
    match serde_json::from_slice::<Value>(&body) {
        Ok(answer) => (ToolEnd::Done, answer.to_string()),
        Err(_) => failed("The system behind this tool gave an answer that cannot be read."),
    }
}

fn failed(why: &str) -> Outcome {
    (ToolEnd::Failed, json!({ "error": why }).to_string())
}

/// Every byte of it is read by the model, in each turn anew.
const LONGEST_ANSWER: usize = 64 << 10;

/// Twice this is less than the call waits for it.
const ONE_TRY: Duration = Duration::from_secs(3);

const AGAIN_AFTER: Duration = Duration::from_millis(200);
