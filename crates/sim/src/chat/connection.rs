//! How does one request follow the other on a connection? Each is read whole and answered before the next is read.

use super::{
    Shared,
    body::{self, Body, MAX_BODY},
    client::Client,
    ledger::{End, Ledger, Note},
    lock,
    pick::Picked,
    plan,
    route::{self, Asked, Refused},
    rules, stream,
};
use crate::{Headers, chat::Fault, http::Head};
use serde_json::Value;
use std::{
    io::{Error, ErrorKind},
    sync::{Arc, atomic::Ordering},
    time::Duration,
};
use tokio::{
    net::TcpStream,
    time::{Instant, timeout},
};

const BODY_LIMIT: Duration = Duration::from_secs(30);

/// What becomes of the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Then {
    Keep,
    Close,
    /// At once, without a word.
    Cut,
}

pub(super) async fn welcome(tcp: TcpStream, shared: Arc<Shared>) -> Result<(), Error> {
    tcp.set_nodelay(true)?;
    let number = 1 + shared.connections.fetch_add(1, Ordering::Relaxed);
    let mut client = Client::new(Box::new(tcp));
    loop {
        let Ok(head) = timeout(shared.options.idle, client.head()).await else { return Ok(()) };
        let head = match head {
            Err(error) if error.kind() == ErrorKind::InvalidData => {
                shared.violation(format!("not HTTP: {error}"));
                let refused = Refused::new(400, None, error.to_string(), None);
                let whole = (refused.status, &Headers::new(), refused.body.as_str());
                answer(&mut client, &shared, whole, Then::Close).await?;
                client.close().await;
                return Ok(());
            }
            head => head?,
        };
        let began = Instant::now();
        let body = timeout(BODY_LIMIT, body::read(&mut client, &head)).await??;
        let (body, failed) = match body {
            Body::Whole(body) => (body, None),
            Body::TooLarge => {
                let message = format!("The request is larger than {MAX_BODY} bytes.");
                (Vec::new(), Some(Refused::new(413, Some("request_too_large"), message, None)))
            }
            Body::Broken(why) => (Vec::new(), Some(Refused::new(400, None, why, None))),
        };
        let (method, path, asked) = route::route(&head);
        let ledger = Ledger {
            began,
            connection: number,
            method: method.to_owned(),
            path: path.to_owned(),
            headers: route::without_credentials(&head.headers),
            body: serde_json::from_slice(&body).unwrap_or(Value::Null),
            status: None,
            violations: Vec::new(),
            first_token_at: None,
            tokens: 0,
            sent: String::new(),
            usage: None,
            end: None,
        };
        let key = route::key(&head).unwrap_or("").to_owned();
        let note = Note::open(shared.clone(), &key, asked == Asked::Models, ledger);
        let then = if failed.is_some() || wants_close(&head) { Then::Close } else { Then::Keep };
        let visit = Visit { shared: &shared, note: &note, head: &head, key: &key, then };
        match visit.answer(&mut client, failed).await {
            Ok(Then::Keep) => {}
            Ok(Then::Close) => {
                drop(note);
                client.close().await;
                return Ok(());
            }
            Ok(Then::Cut) => return Ok(()),
            // Only a client that is gone makes writing fail.
            Err(error) => {
                note.cancelled();
                return Err(error);
            }
        }
    }
}

fn wants_close(head: &Head) -> bool {
    let asked = head.header("connection").is_some_and(|value| value.eq_ignore_ascii_case("close"));
    asked || !head.start.ends_with("HTTP/1.1")
}

/// One request and all that is needed to answer it.
struct Visit<'a> {
    shared: &'a Arc<Shared>,
    note: &'a Note,
    head: &'a Head,
    key: &'a str,
    then: Then,
}

impl Visit<'_> {
    async fn answer(&self, client: &mut Client, failed: Option<Refused>) -> Result<Then, Error> {
        let asked = match failed.map_or_else(|| route::check(self.head), Err) {
            Ok(asked) => asked,
            Err(refused) => return self.refuse(client, &refused).await,
        };
        for missing in route::missing_headers(self.head, asked) {
            self.note.violation(&missing);
        }
        if asked == Asked::Models {
            let body = route::models();
            self.plain(client, 200, &Headers::new(), &body, End::Finished).await?;
            return Ok(self.then);
        }
        let body = self.note.body();
        let (counted, refused) = rules::check(&body);
        for what in counted {
            self.note.violation(&what);
        }
        if let Some(refused) = refused {
            return self.refuse(client, &refused).await;
        }
        let picked = lock(&self.shared.picks).pick(self.key, &body);
        let began = Instant::now();
        if !client.is_there_until(began.checked_add(picked.head)).await {
            self.note.cancelled();
            return Ok(Then::Cut);
        }
        if let Some(Fault::Status(status, headers, text)) = &picked.fault {
            self.plain(client, *status, headers, text, End::Refused).await?;
            return Ok(self.then);
        }
        self.stream(client, &body, &picked, began).await
    }

    async fn stream(
        &self,
        client: &mut Client,
        body: &Value,
        picked: &Picked,
        began: Instant,
    ) -> Result<Then, Error> {
        let plan = plan::plan(&plan::Ask::of(body), picked);
        let mut headers = usual(self.shared);
        headers.extend(named(&[
            ("content-type", "text/event-stream"),
            ("cache-control", "no-cache"),
            ("transfer-encoding", "chunked"),
        ]));
        if self.then == Then::Close {
            headers.extend(named(&[("connection", "close")]));
        }
        self.note.change(|ledger| ledger.status = Some(200));
        client.head_of_answer(200, &headers).await?;
        let then = stream::play(client, plan, began, picked, self.note).await?;
        Ok(if then == Then::Keep { self.then } else { then })
    }

    async fn refuse(&self, client: &mut Client, refused: &Refused) -> Result<Then, Error> {
        self.note.violation(&refused.why);
        self.plain(client, refused.status, &Headers::new(), &refused.body, End::Refused).await?;
        Ok(self.then)
    }

    async fn plain(
        &self,
        client: &mut Client,
        status: u16,
        own: &Headers,
        body: &str,
        end: End,
    ) -> Result<(), Error> {
        self.note.change(|ledger| ledger.status = Some(status));
        answer(client, self.shared, (status, own, body), self.then).await?;
        self.note.end(end);
        Ok(())
    }
}

/// Status, headers that replace the usual ones, and the whole body.
async fn answer(
    client: &mut Client,
    shared: &Shared,
    (status, own, body): (u16, &Headers, &str),
    then: Then,
) -> Result<(), Error> {
    let mut headers = usual(shared);
    headers.extend(named(&[("content-type", "application/json")]));
    let mut headers = route::merged(headers, own);
    headers.extend(named(&[("content-length", &body.len().to_string())]));
    if then == Then::Close {
        headers.extend(named(&[("connection", "close")]));
    }
    client.answer(status, &headers, body).await
}

fn usual(shared: &Shared) -> Headers {
    route::usual_headers(shared.answered.fetch_add(1, Ordering::Relaxed))
}

fn named(headers: &[(&str, &str)]) -> Headers {
    headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}
