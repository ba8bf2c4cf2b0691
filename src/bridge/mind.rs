//! Requests to a language model, as one part of a call: asked, streamed, dropped when not wanted.
//!
//! A request is a future of this call's own task. Dropping it closes its stream, which is how a question is
//! taken back. How long an answer may take is not decided here.

use std::{
    collections::VecDeque,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Bytes;
use call::{
    Failure, FailureKind,
    cascade::{AskId, Message, MindEvent},
};
use hyper::{
    HeaderMap,
    header::{ACCEPT, CONTENT_TYPE, HeaderValue, RETRY_AFTER},
};
use reqwest::{Client, Response};
use tokio::sync::mpsc;
use wire::chat::{self, Answer};

use crate::metrics::Metrics;

pub(super) struct Mind {
    service: Service,
    model: chat::Mind,
    running: Vec<Running>,
    /// Of requests that could not even begin.
    events: VecDeque<MindEvent>,
}

/// Where questions go.
#[derive(Clone)]
pub(super) struct Service {
    pub client: Client,
    pub provider: &'static str,
    /// Without a slash at the end.
    pub base_url: String,
    /// The key is among them.
    pub headers: HeaderMap,
    pub metrics: Arc<Metrics>,
    /// The provider's list of models is complete, so a model that is not in it does not exist.
    pub lists_models: bool,
}

struct Running {
    ask: Option<AskId>,
    work: Pin<Box<dyn Future<Output = ()> + Send>>,
    done: bool,
    events: mpsc::Receiver<MindEvent>,
}

impl Mind {
    pub fn new(service: Service, model: chat::Mind) -> Self {
        Self { service, model, running: Vec::new(), events: VecDeque::new() }
    }

    /// Opens the connection and looks whether key and model are good.
    pub fn warm_up(&mut self) {
        let (service, model) = (self.service.clone(), self.model.model.clone());
        self.run(None, |events| async move {
            let event = match look(&service, &model).await {
                Ok(()) => MindEvent::Ready,
                Err(failure) => MindEvent::Gone(failure),
            };
            events.send(event).await.ok();
        });
    }

    pub fn ask(&mut self, ask: AskId, thread: &[Message]) {
        let (service, body) = (self.service.clone(), self.model.question(thread));
        if self.running.len() >= MOST_AT_ONCE {
            let failure = Failure {
                provider: service.provider,
                kind: FailureKind::Stuck,
                detail: "too many questions at once".into(),
            };
            self.events.push_back(MindEvent::Failed { ask, failure, again: false });
            return;
        }
        self.run(Some(ask), move |events| question(service, ask, body, events));
    }

    pub fn cancel(&mut self, ask: AskId) {
        self.running.retain(|running| running.ask != Some(ask));
    }

    pub fn poll_event(&mut self, cx: &mut Context<'_>) -> Poll<MindEvent> {
        if let Some(event) = self.events.pop_front() {
            return Poll::Ready(event);
        }
        for running in &mut self.running {
            if let Poll::Ready(event) = running.poll(cx) {
                return Poll::Ready(event);
            }
        }
        self.running.retain(|running| !running.done);
        Poll::Pending
    }

    fn run<W>(&mut self, ask: Option<AskId>, work: impl FnOnce(mpsc::Sender<MindEvent>) -> W)
    where
        W: Future<Output = ()> + Send + 'static,
    {
        let (send, events) = mpsc::channel(WAITING);
        self.running.push(Running { ask, work: Box::pin(work(send)), done: false, events });
    }
}

impl Running {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<MindEvent> {
        loop {
            if let Poll::Ready(Some(event)) = self.events.poll_recv(cx) {
                return Poll::Ready(event);
            }
            if self.done {
                return Poll::Pending;
            }
            self.done = self.work.as_mut().poll(cx).is_ready();
            if self.events.is_empty() {
                return Poll::Pending;
            }
        }
    }
}

/// One question, to the end of its answer.
async fn question(service: Service, ask: AskId, body: Bytes, events: mpsc::Sender<MindEvent>) {
    let url = format!("{}/chat/completions", service.base_url);
    let request = service.client.post(url).headers(service.headers.clone());
    let request = request
        .header(CONTENT_TYPE, HeaderValue::from_static("application/json"))
        .header(ACCEPT, HeaderValue::from_static("text/event-stream"));
    let sent = request.body(body).send().await;
    if let Ok(response) = &sent {
        tell_what_is_left(&service, response.headers());
    }
    let mut response = match sent {
        Ok(response) if response.status().is_success() => response,
        Ok(response) => {
            let (failure, again) = refusal(service.provider, response).await;
            events.send(MindEvent::Failed { ask, failure, again }).await.ok();
            return;
        }
        Err(error) => {
            let failure = unreachable(service.provider, &error);
            events.send(MindEvent::Failed { ask, failure, again: true }).await.ok();
            return;
        }
    };
    let mut answer = Answer::new(service.provider, ask);
    while !answer.is_over() {
        let news = match response.chunk().await {
            Ok(Some(bytes)) => answer.read(&bytes),
            Ok(None) => answer.ended(false),
            Err(_) => answer.ended(true),
        };
        for event in news {
            if events.send(event).await.is_err() {
                return;
            }
        }
    }
}

/// How much of the account's limits is left, where the provider says so with each answer.
fn tell_what_is_left(service: &Service, headers: &HeaderMap) {
    let number = |name: String| headers.get(name)?.to_str().ok()?.trim().parse::<f64>().ok();
    for of in ["tokens", "requests"] {
        let limit = number(format!("x-ratelimit-limit-{of}")).filter(|limit| *limit > 0.0);
        let left = number(format!("x-ratelimit-remaining-{of}"));
        if let (Some(left), Some(limit)) = (left, limit) {
            service.metrics.rate_left(service.provider, of, left / limit);
        }
    }
}

async fn refusal(provider: &'static str, mut response: Response) -> (Failure, bool) {
    let retry_after = retry_after(response.headers());
    let status = response.status().as_u16();
    let mut body = Vec::new();
    while let Ok(Some(piece)) = response.chunk().await {
        body.extend_from_slice(&piece);
        if body.len() > LONGEST_BODY {
            break;
        }
    }
    chat::refused(provider, status, retry_after, &body)
}

/// In seconds. A date is some time away: as good as never for somebody on the phone.
fn retry_after(headers: &HeaderMap) -> Option<f64> {
    let number = |name: &str| headers.get(name)?.to_str().ok()?.trim().parse::<f64>().ok();
    number("retry-after-ms")
        .map(|ms| ms / 1_000.0)
        .or_else(|| number("retry-after"))
        .or_else(|| headers.contains_key(RETRY_AFTER).then_some(f64::MAX))
}

/// A key that is not good, or a model that does not exist, is found out before the caller asks anything.
async fn look(service: &Service, model: &str) -> Result<(), Failure> {
    #[derive(serde::Deserialize)]
    struct Models {
        data: Vec<Named>,
    }
    #[derive(serde::Deserialize)]
    struct Named {
        id: String,
    }
    let url = format!("{}/models", service.base_url);
    let request = service.client.get(url).headers(service.headers.clone());
    let response = request.send().await.map_err(|error| unreachable(service.provider, &error))?;
    let status = response.status().as_u16();
    if matches!(status, 401 | 403) {
        return Err(refusal(service.provider, response).await.0);
    }
    if !response.status().is_success() || !service.lists_models {
        return Ok(()); // many servers have no such list
    }
    match response.json::<Models>().await {
        Ok(models) if !models.data.iter().any(|known| known.id == model) => Err(Failure {
            provider: service.provider,
            kind: FailureKind::Refused,
            detail: format!("the model {model} is not in its list").into(),
        }),
        Ok(_) | Err(_) => Ok(()),
    }
}

fn unreachable(provider: &'static str, error: &reqwest::Error) -> Failure {
    let detail = if error.is_timeout() { "no connection in time" } else { "no connection" };
    Failure { provider, kind: FailureKind::Unreachable, detail: detail.into() }
}

/// The one that is wanted, and one that was just taken back; a third would be a mistake of ours.
const MOST_AT_ONCE: usize = 4;

/// Events of one answer that wait for the call. A full line stops the reading.
const WAITING: usize = 64;

const LONGEST_BODY: usize = 64 << 10;
