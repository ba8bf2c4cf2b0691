//! The two doors of a relay without a main app: Twilio's webhook, and the page for being called.
//!
//! Both take a form. Its body is read first, to a small limit, so that whoever is refused has been heard to the end and
//! gets the answer. Paths, queries and bodies hold numbers and secrets: nothing here prints one.

use std::{
    pin::pin,
    time::{Duration, Instant, SystemTime},
};

use bytes::Buf;
use futures_util::{Stream, StreamExt};
use hyper::{
    HeaderMap, Method, StatusCode, Uri,
    header::{ACCEPT, CONTENT_TYPE, HeaderName, HeaderValue},
};
use secrecy::ExposeSecret;
use serde_json::json;
use tokio::time::timeout;
use tracing::{debug, info};
use warp::reply::Response;

use super::{
    entrance::Entrance,
    origin,
    refusal::Refused,
    replay::was_replayed,
    twilio_signature::{self, Algorithm},
};
use crate::{
    outward::twilio::Twilio,
    settings::Settings,
    standalone::{CallMe, NoAnswer, Standalone, Webhook, Wish, fields, page},
};

/// A relay that answers for itself, and its way to Twilio.
#[derive(Clone, Debug)]
pub struct Reception {
    pub standalone: Standalone,
    pub twilio: Twilio,
}

/// A request to one of the two, as the routes hand it over.
pub(super) struct Form {
    pub method: Method,
    pub uri: Uri,
    pub headers: HeaderMap,
}

impl Form {
    fn header(&self, name: impl hyper::header::AsHeaderName) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    fn query(&self) -> &str {
        self.uri.query().unwrap_or_default()
    }
}

impl<S> Entrance<S> {
    /// `/twiml`
    pub(super) async fn webhook(self, form: Form, body: impl Body) -> Response {
        let body = read(body).await;
        let answer = body.and_then(|body| self.document(&form, &body));
        answer.map_or_else(|refused| self.turn_down(&form, &refused), |xml| page_of("text/xml", xml))
    }

    /// `/twilio/call-me`
    pub(super) async fn call_me(self, form: Form, body: impl Body) -> Response {
        let body = read(body).await;
        let desk =
            self.reception.as_ref().and_then(|it| it.standalone.call_me().map(|call_me| (it, call_me)));
        let Some((reception, call_me)) = desk else { return self.turn_down(&form, &Refused::no_call_me()) };
        let action = self.settings.public_url.as_ref().map(|url| url.path()).unwrap_or_default();
        let action = format!("{action}/twilio/call-me");
        let show = |status, wish: &Wish, news| {
            let mut response =
                page_of("text/html", page::html(&action, wish, call_me.asks_for_a_secret(), news));
            *response.status_mut() = status;
            let policy = HeaderValue::try_from(page::policy()).expect("a policy is plain text");
            response.headers_mut().insert("content-security-policy", policy);
            response
        };
        if matches!(form.method, Method::GET | Method::HEAD) {
            return show(StatusCode::OK, &Wish::read(form.query()), page::News::Nothing);
        }
        let wish = body.as_deref().map(Wish::read).unwrap_or_default();
        let placed = match body {
            Ok(_) => self.place(&form, reception, call_me, &wish).await,
            Err(refused) => Err(refused),
        };
        // Whoever asks for a page gets one; programs get JSON.
        let wants_page = form.header(ACCEPT).contains("text/html");
        match placed {
            Ok((call, to)) if wants_page => {
                debug!(call, to, "the number is called");
                show(StatusCode::OK, &Wish::default(), page::News::Ringing(&to))
            }
            Ok((call, _)) => {
                let mut response = page_of("application/json", json!({ "call": call }).to_string());
                *response.status_mut() = StatusCode::CREATED;
                response
            }
            Err(refused) if wants_page => {
                let plain = self.turn_down(&form, &refused);
                let mut response = show(refused.status, &wish, page::News::Refused(&refused.message));
                let kept = plain.headers().iter().filter(|(name, _)| *name != CONTENT_TYPE);
                response.headers_mut().extend(kept.map(|(name, value)| (name.clone(), value.clone())));
                response
            }
            Err(refused) => self.turn_down(&form, &refused),
        }
    }

    fn document(&self, form: &Form, body: &str) -> Result<String, Refused> {
        let reception = self.reception.as_ref().ok_or_else(Refused::no_webhook)?;
        let fields = match form.method {
            Method::GET => Vec::new(),
            Method::POST if is_form(form) => fields(body),
            Method::POST => return Err(Refused::not_a_form()),
            _ => return Err(Refused::method("GET, POST")),
        };
        self.has_room()?;
        check_signature(&self.settings, form, &fields)?;
        let fields = if form.method == Method::GET { self::fields(form.query()) } else { fields };
        let webhook = Webhook::read(&fields).map_err(|wrong| {
            Refused::new(StatusCode::BAD_REQUEST, "bad_request", format!("not a call: {wrong}"))
        })?;
        let document = reception.standalone.answer(&webhook, SystemTime::now()).map_err(|why| {
            let status = match why {
                NoAnswer::OtherAccount => (StatusCode::FORBIDDEN, "twilio_account"),
                NoAnswer::Again => (StatusCode::CONFLICT, "answered_already"),
                NoAnswer::Unfit(_) => (StatusCode::INTERNAL_SERVER_ERROR, "twiml_too_large"),
            };
            Refused::new(status.0, status.1, why.to_string())
        })?;
        info!(call = webhook.call, "a webhook was answered: the stream should come");
        Ok(document)
    }

    async fn place(
        &self,
        form: &Form,
        reception: &Reception,
        call_me: &CallMe,
        wish: &Wish,
    ) -> Result<(String, String), Refused> {
        if form.method != Method::POST {
            return Err(Refused::method("GET, HEAD, POST"));
        }
        if !is_form(form) {
            return Err(Refused::not_a_form());
        }
        if !is_from_here(&form.headers, &self.settings) {
            return Err(Refused::foreign_form());
        }
        self.has_room()?;
        let placed = call_me.place(&reception.twilio, wish, Instant::now()).await?;
        info!(call = placed.call, "somebody is called who asked for it at /twilio/call-me");
        Ok((placed.call, placed.to))
    }

    /// A call that could not be taken need not begin.
    fn has_room(&self) -> Result<(), Refused> {
        if self.lifecycle.is_draining() {
            return Err(Refused::busy("draining", "this machine is about to stop and takes no new calls"));
        }
        if self.slots.is_full() {
            return Err(Refused::busy("full", "this machine is full"));
        }
        Ok(())
    }

    fn turn_down(&self, form: &Form, refused: &Refused) -> Response {
        self.metrics.refused(refused.code);
        info!(code = refused.code, status = refused.status.as_u16(), "refused: {}", refused.message);
        refused.response(self.settings.fly.machine.is_some() && !was_replayed(&form.headers))
    }
}

/// Without the key nobody is believed: whoever gets a document can place a call.
fn check_signature(settings: &Settings, form: &Form, fields: &[(String, String)]) -> Result<(), Refused> {
    let key = settings.twilio_auth_token.as_ref().zip(settings.public_url.as_ref());
    let fits = key.is_some_and(|(key, public)| {
        let (target, signature) = ((form.uri.path(), form.uri.query()), form.header("x-twilio-signature"));
        let key = key.expose_secret();
        twilio_signature::is_valid_webhook(Algorithm::Sha1, key, public, target, fields, signature.as_bytes())
    });
    if fits { Ok(()) } else { Err(Refused::webhook_signature()) }
}

/// Whether a person sent this form from our own page, or a program did. Another page's form says where it is from.
fn is_from_here(headers: &HeaderMap, settings: &Settings) -> bool {
    let site = headers.get("sec-fetch-site").and_then(|site| site.to_str().ok());
    let same_site = site.is_none_or(|site| matches!(site, "same-origin" | "none"));
    let public = || {
        let own = settings.public_url.as_ref().map(|url| url.origin());
        let origin = headers.get("origin").map(|origin| origin.as_bytes()).unwrap_or_default();
        own.is_some_and(|own| own.as_bytes().eq_ignore_ascii_case(origin))
    };
    same_site && (origin::is_absent(headers) || origin::is_own(headers) || public())
}

fn is_form(form: &Form) -> bool {
    let kind = form.header(CONTENT_TYPE).split(';').next().unwrap_or_default().trim();
    kind.eq_ignore_ascii_case("application/x-www-form-urlencoded")
}

/// A request's body, piece by piece.
pub(super) trait Body: Stream<Item = Result<Self::Piece, warp::Error>> + Send {
    type Piece: Buf + Send;
}

impl<B: Buf + Send, S: Stream<Item = Result<B, warp::Error>> + Send> Body for S {
    type Piece = B;
}

async fn read(body: impl Body) -> Result<String, Refused> {
    let mut body = pin!(body);
    let all = async {
        let (mut all, mut length) = (Vec::new(), 0);
        while let Some(piece) = body.next().await {
            let mut piece = piece.map_err(|_| Refused::bad_request("the body breaks off"))?;
            length += piece.remaining();
            // What is too long is heard to the end, or nearly, and thrown away.
            if length > MOST_UNREAD {
                break;
            }
            while piece.has_remaining() && length <= BODY {
                let chunk = piece.chunk();
                all.extend_from_slice(chunk);
                let taken = chunk.len();
                piece.advance(taken);
            }
        }
        if length > BODY {
            return Err(Refused::body_too_large());
        }
        String::from_utf8(all).map_err(|_| Refused::bad_request("the body is not text in UTF-8"))
    };
    let late = Refused::new(StatusCode::REQUEST_TIMEOUT, "body_timeout", "the body did not come in time");
    timeout(PATIENCE, all).await.unwrap_or(Err(late))
}

fn page_of(kind: &'static str, body: String) -> Response {
    let mut response = Response::new(body.into());
    let kind = HeaderValue::try_from(format!("{kind}; charset=utf-8")).expect("a kind is plain text");
    response.headers_mut().insert(CONTENT_TYPE, kind);
    for (name, value) in HEADERS {
        response.headers_mut().insert(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
    response
}

/// `same-origin` and not less: with no referrer at all a browser would say that our own form comes from nowhere.
const HEADERS: [(&str, &str); 3] = [
    ("cache-control", "no-store"),
    ("referrer-policy", "same-origin"),
    ("x-content-type-options", "nosniff"),
];

/// Twilio's webhooks have about one kilobyte, with a SIP call's headers a few.
const BODY: usize = 16 * 1024;
const MOST_UNREAD: usize = 256 * 1024;
/// It comes with the head.
const PATIENCE: Duration = Duration::from_secs(5);
