//! Which address is what.
//!
//! Paths hold tokens here, so nothing in this file (or in warp's own logging, which is not used) may print one.

use std::{convert::Infallible, net::SocketAddr};

use hyper::{HeaderMap, Method, Uri, upgrade::OnUpgrade};
use warp::{
    Filter, Rejection, Reply,
    filters::BoxedFilter,
    path::{FullPath, Tail},
    reply::Response,
};

use super::{
    entrance::{Entrance, Request},
    health, origin,
    refusal::Refused,
    standalone::Form,
    switchboard::Switchboard,
};

/// The peer of the TCP connection, as an extension of the request.
#[derive(Clone, Copy, Debug)]
pub(super) struct Peer(pub SocketAddr);

/// The door for carriers, monitors and the platform's router.
pub fn public<S: Switchboard>(entrance: Entrance<S>) -> BoxedFilter<(Response,)> {
    let by_name = warp::path!("stream" / String / ..);
    let twilio = warp::path!("api" / "twilio" / "media-stream" / ..).map(|| "twilio".to_owned());
    let streams = by_name.or(twilio).unify().and(segment()).and(request()).then({
        let entrance = entrance.clone();
        move |carrier, segment, (method, uri, headers, on_upgrade, Peer(peer))| {
            let request =
                Request { carrier, segment, method, uri, headers, on_upgrade, peer: SocketAddr::ip(&peer) };
            entrance.clone().knock(request)
        }
    });
    let about = page(warp::path::end(), |_| health::about(), &entrance);
    let ready = page(warp::path!("ready"), health::ready, &entrance);
    let health = page(warp::path!("health"), health::health, &entrance);
    let pages = streams.or(health).unify().or(ready).unify().or(about).unify();
    pages.or(phone(&entrance)).unify().or(standalone(&entrance)).unify().recover(nothing).unify().boxed()
}

/// The browser phone, or nothing where it is switched off.
fn phone<S: Switchboard>(entrance: &Entrance<S>) -> BoxedFilter<(Response,)> {
    let (settings, switched_on) = (entrance.settings.clone(), entrance.phone.clone());
    let answer = move |tail: Tail, method: Method, headers: HeaderMap| {
        let Some(phone) = &switched_on else { return Refused::no_phone().response(false) };
        let allowed = || origin::is_listed(&headers, &settings) || origin::is_at_home(&headers);
        phone.answer(&method, tail.as_str(), allowed).unwrap_or_else(|refused| refused.response(false))
    };
    warp::path("phone")
        .and(warp::path::tail())
        .and(warp::method())
        .and(warp::header::headers_cloned())
        .map(answer)
        .boxed()
}

/// Twilio's webhook and the page for being called; or nothing where there is a main app.
fn standalone<S: Switchboard>(entrance: &Entrance<S>) -> BoxedFilter<(Response,)> {
    let form = |method, uri, headers| Form { method, uri, headers };
    let parts = || request().map(move |(method, uri, headers, _, _): Parts| form(method, uri, headers));
    let (webhooks, callers) = (entrance.clone(), entrance.clone());
    let twiml = warp::path!("twiml").and(parts()).and(warp::body::stream());
    let twiml = twiml.then(move |form, body| webhooks.clone().webhook(form, body));
    let call_me = warp::path!("twilio" / "call-me").and(parts()).and(warp::body::stream());
    let call_me = call_me.then(move |form, body| callers.clone().call_me(form, body));
    twiml.or(call_me).unify().boxed()
}

/// The door for whoever runs the relay. It is on a port of its own that no service leads to.
pub fn ops<S: Switchboard>(entrance: Entrance<S>) -> BoxedFilter<(Response,)> {
    let metrics = page(warp::path!("metrics"), health::metrics, &entrance);
    let health = page(warp::path!("health"), health::health, &entrance);
    metrics.or(health).unify().recover(nothing).unify().boxed()
}

/// A page that can be read with GET and HEAD.
fn page<S: Switchboard>(
    path: impl Filter<Extract = (), Error = Rejection> + Clone + Send + Sync + 'static,
    make: fn(&Entrance<S>) -> Response,
    entrance: &Entrance<S>,
) -> BoxedFilter<(Response,)> {
    let entrance = entrance.clone();
    let answer = move |method: Method| match method {
        Method::GET | Method::HEAD => make(&entrance),
        _ => Refused::method("GET, HEAD").response(false),
    };
    path.and(warp::method()).map(answer).boxed()
}

/// The path's last segment, if there is one.
fn segment() -> impl Filter<Extract = (Option<String>,), Error = Rejection> + Clone {
    let none = warp::path::end().map(|| None);
    none.or(warp::path::param::<String>().and(warp::path::end()).map(Some)).unify()
}

type Parts = (Method, Uri, HeaderMap, Option<OnUpgrade>, Peer);

fn request() -> impl Filter<Extract = (Parts,), Error = Rejection> + Clone {
    warp::method()
        .and(warp::path::full())
        .and(warp::query::raw().map(Some).or(warp::any().map(|| None)).unify())
        .and(warp::header::headers_cloned())
        .and(warp::ext::optional::<OnUpgrade>())
        .and(warp::ext::get::<Peer>())
        .map(|method, path: FullPath, query: Option<String>, headers, on_upgrade, peer| {
            let text = match query {
                Some(query) => format!("{}?{query}", path.as_str()),
                None => path.as_str().to_owned(),
            };
            let uri = Uri::try_from(text).unwrap_or_default();
            (method, uri, headers, on_upgrade, peer)
        })
}

async fn nothing(_: Rejection) -> Result<Response, Infallible> {
    Ok(Refused::not_found().response(false).into_response())
}
