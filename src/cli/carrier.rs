//! Over which carrier does a pretend phone call? Its address there, and what a token must be like to travel.

use aws_lc_rs::digest;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use sim::{
    app::{Answer, App},
    phone::{Carrier, Law, PhoneOptions, Sound},
};

use crate::gate::mint::Minter;

/// A phone behind this carrier. `call`: the name of its call, or else one like the carrier's own.
pub(super) fn phone(url: &str, carrier: Carrier, call: Option<&str>) -> PhoneOptions {
    let mut options = PhoneOptions::new(url).carrier(carrier);
    if let Some(call) = call {
        options.ids.call_sid = call.to_owned();
    }
    let call = options.ids.call_sid.clone();
    // What no message of theirs says, main apps pass on: what Telnyx was told to play, and which call of Vonage's it is.
    match (carrier, carrier.plays()) {
        (Carrier::Vonage { .. }, _) => options.parameter("uuid", &call),
        (_, Sound::G711(Law::A)) => options.parameter("codec", "PCMA"),
        (_, Sound::G711(Law::Mu) | Sound::Linear { .. }) => options,
    }
}

/// The stream's address at a relay: `ws://host/stream/telnyx`.
pub(super) fn route(relay: &str, carrier: Carrier) -> String {
    format!("{}/stream/{}", relay.trim_end_matches('/'), carrier.route())
}

/// What such a token says. Exotel's address has no room for an agent: `app` keeps it, and the token points to it.
pub(super) fn fitting(carrier: Carrier, agent: Value, app: &App, path: &str) -> Value {
    if !points(carrier) || agent.get("config").is_some() {
        return agent;
    }
    app.answer(path, Answer::json(&agent));
    let hash = digest::digest(&digest::SHA256, agent.to_string().as_bytes());
    json!({ "config": { "url": app.url(path), "sha256": URL_SAFE_NO_PAD.encode(hash) } })
}

/// Nobody else need read it. What only points holds nothing to read, and is shorter when it is signed.
pub(super) fn token(minter: &Minter, carrier: Carrier, claims: &Value) -> String {
    if points(carrier) && claims.get("config").is_some() { minter.sign(claims) } else { minter.seal(claims) }
}

fn points(carrier: Carrier) -> bool {
    matches!(carrier, Carrier::Exotel { .. })
}
