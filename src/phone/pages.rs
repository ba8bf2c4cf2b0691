//! The files of the page, and what a browser is told about them.
//!
//! They are part of the binary: nothing is read from a disk, and nothing comes from elsewhere. The policy says so to the
//! browser, so that not even a mistake in the page could send what is said to somebody else.

use hyper::header::{HeaderName, HeaderValue};
use serde_json::Value;
use warp::reply::Response;

pub(super) fn file(name: &str) -> Option<Response> {
    let (_, kind, text) = FILES.iter().find(|(known, _, _)| *known == name)?;
    Some(page(kind, (*text).to_owned()))
}

pub(super) fn json(body: &Value) -> Response {
    page("application/json", body.to_string())
}

fn page(kind: &'static str, body: String) -> Response {
    let mut response = Response::new(body.into());
    for (name, value) in HEADERS.iter().copied().chain([("content-type", kind)]) {
        response.headers_mut().insert(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
    response
}

macro_rules! files {
    ($($name:literal $kind:ident $file:literal;)*) => {
        &[$(($name, $kind, include_str!(concat!("web/", $file))),)*]
    };
}

const FILES: &[(&str, &str, &str)] = files! {
    "" HTML "index.html";
    "phone.css" CSS "phone.css";
    "icon.svg" SVG "icon.svg";
    "main.js" JS "main.js";
    "agents.js" JS "agents.js";
    "line.js" JS "line.js";
    "sound.js" JS "sound.js";
    "transcript.js" JS "transcript.js";
    "waits.js" JS "waits.js";
    "words.js" JS "words.js";
    "worklet.js" JS "worklet.js";
    "resampler.js" JS "resampler.js";
    "tape.js" JS "tape.js";
    "ulaw.js" JS "ulaw.js";
};

const HTML: &str = "text/html; charset=utf-8";
const CSS: &str = "text/css; charset=utf-8";
const SVG: &str = "image/svg+xml";
const JS: &str = "text/javascript; charset=utf-8";

/// Everything from here, and only what a phone needs. `'self'` covers the WebSocket to here as well.
const HEADERS: &[(&str, &str)] = &[
    (
        "content-security-policy",
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
         base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    ),
    ("permissions-policy", "microphone=(self), camera=(), geolocation=()"),
    ("cross-origin-opener-policy", "same-origin"),
    ("cross-origin-resource-policy", "same-origin"),
    ("referrer-policy", "no-referrer"),
    ("x-content-type-options", "nosniff"),
    ("cache-control", "no-store"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_that_the_page_names_is_there() {
        let mut named = 0;
        for (file, kind, text) in FILES {
            // In the page from the root, in scripts beside themselves.
            let pieces = text.split(['"', '\'', '`']);
            for name in pieces.filter_map(|piece| piece.strip_prefix("/phone/").or(piece.strip_prefix("./")))
            {
                if *kind == JS || *kind == HTML {
                    let dynamic = name == "agents" || name.starts_with("token");
                    assert!(dynamic || super::file(name).is_some(), "{file} names {name}");
                    named += 1;
                }
            }
        }
        assert!(named >= 12, "{named}");
    }

    #[test]
    fn nothing_comes_from_elsewhere() {
        for (file, _, text) in FILES {
            let foreign = text.split("://").skip(1).filter(|rest| !rest.starts_with("www.w3.org/2000/svg"));
            for rest in foreign {
                let own = rest.starts_with("localhost") || rest.starts_with("${location.host}");
                assert!(own, "{file}: …://{}", rest.chars().take(40).collect::<String>());
            }
        }
    }
}
