//! What monitors and the platform's router may know: does it work, and does it take calls?
//!
//! Two different questions. `/health` stays 200 while the machine drains, or it would be restarted under its
//! calls. `/ready` says 503 as soon as new calls should go elsewhere. No provider is asked for either: its
//! outage would take every machine out of service at once.

use std::time::SystemTime;

use hyper::StatusCode;
use serde::Serialize;
use warp::reply::Response;

use super::{entrance::Entrance, refusal::Refused};
use crate::utc;

#[derive(Serialize)]
struct Health<'a> {
    status: &'static str,
    service: &'static str,
    timestamp: String,
    version: &'static str,
    region: Option<&'a str>,
    machine: Option<&'a str>,
    active_calls: usize,
    uptime_seconds: u64,
}

pub(super) fn health<S>(entrance: &Entrance<S>) -> Response {
    let fly = &entrance.settings.fly;
    let health = Health {
        status: if entrance.lifecycle.is_draining() { "draining" } else { "healthy" },
        service: "voice-relay",
        timestamp: utc::rfc3339(SystemTime::now()),
        version: env!("CARGO_PKG_VERSION"),
        region: fly.region.as_deref(),
        machine: fly.machine.as_deref(),
        active_calls: entrance.slots.active(),
        uptime_seconds: entrance.since.elapsed().as_secs(),
    };
    let body = serde_json::to_string(&health).expect("numbers and texts can be written as JSON");
    page(StatusCode::OK, "application/json", body)
}

pub(super) fn ready<S>(entrance: &Entrance<S>) -> Response {
    if entrance.lifecycle.is_draining() {
        return Refused::busy("draining", "takes no new calls, about to stop").response(false);
    }
    if entrance.slots.is_full() {
        return Refused::busy("full", "takes no new calls until one ends").response(false);
    }
    page(StatusCode::OK, "text/plain; charset=utf-8", "ready\n".to_owned())
}

pub(super) fn about() -> Response {
    let line = concat!("patchcord ", env!("CARGO_PKG_VERSION"), " · ", env!("CARGO_PKG_REPOSITORY"), "\n");
    page(StatusCode::OK, "text/plain; charset=utf-8", line.to_owned())
}

pub(super) fn metrics<S>(entrance: &Entrance<S>) -> Response {
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    page(StatusCode::OK, kind, entrance.metrics.page())
}

fn page(status: StatusCode, kind: &'static str, body: String) -> Response {
    let mut response = Response::new(body.into());
    *response.status_mut() = status;
    response.headers_mut().insert("content-type", hyper::header::HeaderValue::from_static(kind));
    response.headers_mut().insert("cache-control", hyper::header::HeaderValue::from_static("no-store"));
    response
}
