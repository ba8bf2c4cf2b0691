//! Where does the call go, and why did it not get there? The address, the token, and what to do when a relay says no.

use anyhow::{anyhow, bail};
use serde_json::Value;
use sim::phone::{Carrier, DialError, News, PhoneOptions};
use tokio::sync::mpsc;

use super::news::printable;
use crate::{
    cli::{carrier, stage::claims, token},
    gate::Code,
};

/// A relay elsewhere, and the phone that calls it.
pub(super) struct Target {
    pub options: PhoneOptions,
    /// Where it tells what happens.
    pub news: Option<mpsc::Receiver<News>>,
}

/// The token that somebody made already, and the call that it is for.
pub(super) struct Made<'a> {
    pub token: &'a str,
    pub call: Option<&'a str>,
}

/// Without a path it is the address that tells words. `made`: otherwise a token is made with RELAY_SECRET.
pub(super) fn elsewhere(
    url: &str,
    carrier: Option<Carrier>,
    agent: &Value,
    made: Option<Made<'_>>,
) -> anyhow::Result<Target> {
    let url = whole(url, carrier)?;
    let carrier = carrier.unwrap_or_else(|| named_in(&url));
    let options = carrier::phone(&url, carrier, made.as_ref().and_then(|made| made.call));
    let token = match made {
        Some(made) => made.token.to_owned(),
        // Sealed: on its way to a relay elsewhere nobody else need read it.
        None => {
            let claims = claims(agent, Some(&options.ids.call_sid), TOKEN_SECONDS);
            carrier::token(&token::minter(None)?, carrier, &claims)
        }
    };
    let options = options.token(&token);
    if !tells(&url, None) {
        return Ok(Target { options, news: None });
    }
    let (options, news) = options.with_news();
    Ok(Target { options, news: Some(news) })
}

/// Whether this address may tell words.
pub(super) fn tells(url: &str, carrier: Option<Carrier>) -> bool {
    whole(url, carrier).is_ok_and(|url| url.contains("/stream/browser"))
}

/// The carrier whose stream's address this is; Twilio's for whatever names none.
fn named_in(url: &str) -> Carrier {
    let name = url.split_once("/stream/").map_or("", |(_, rest)| rest);
    Carrier::parse(name.split(['/', '?']).next().unwrap_or_default()).unwrap_or_default()
}

fn whole(url: &str, carrier: Option<Carrier>) -> anyhow::Result<String> {
    let Some((scheme, rest)) = url.split_once("://") else {
        bail!("{url} is no relay's address: it begins with wss://, or with ws:// on this machine");
    };
    if !["ws", "wss", "http", "https"].contains(&scheme) {
        bail!(
            "{scheme}:// cannot be called: a relay's address begins with wss://, or with ws:// on this machine"
        );
    }
    match rest.split_once('/') {
        None | Some((_, "")) => Ok(match carrier {
            Some(carrier) => carrier::route(url, carrier),
            None => format!("{}/stream/browser", url.trim_end_matches('/')),
        }),
        Some(_) => Ok(url.to_owned()),
    }
}

/// The relay was not reached, or did not let the call in.
pub(super) fn not_taken(error: &DialError) -> anyhow::Error {
    match error {
        DialError::Refused { status, body, .. } => {
            let body: Value = serde_json::from_str(body).unwrap_or_default();
            let (code, message) = (body["error"]["code"].as_str(), body["error"]["message"].as_str());
            match (code, message) {
                (Some(code), Some(message)) => {
                    let (code, message) = (&printable(code), printable(message));
                    anyhow!("the relay refused the call with {status} ({code}): {message}{}", advice(code))
                }
                _ => anyhow!(
                    "it answered {status}, and not as a relay does: does the address end in /stream/twilio or /stream/browser?"
                ),
            }
        }
        DialError::Unreachable { host, reason } => {
            anyhow!("nobody answers at {host} ({reason}): does the relay run, and is that its host and port?")
        }
        DialError::Timeout(limit) => {
            anyhow!(
                "the relay did not answer within {limit:?}: is that its port, and does something in between hold the connection?"
            )
        }
        DialError::Tls { host, reason } => {
            anyhow!("no TLS with {host} ({reason}): a relay without a certificate is called with ws://")
        }
        DialError::Handshake(why) => anyhow!("what answers is no relay ({why}): is that its host and port?"),
        DialError::NotCarried { .. } => anyhow!(
            "{error}. An agent that is too large can be kept elsewhere: `config` in the agent file points to it (docs/token.md)"
        ),
        DialError::Address { .. } => anyhow!("{error}"),
    }
}

/// The relay took the call and then closed it with this word.
pub(super) fn refused(word: &str) -> anyhow::Error {
    let code = Code::ALL.iter().find(|code| code.name() == word);
    let what = code.map(|code| format!(": {}", code.what().trim_end_matches('.'))).unwrap_or_default();
    anyhow!("the relay refused the call ({word}){what}{}", advice(word))
}

fn advice(code: &str) -> &'static str {
    match code {
        "token_signature" | "token_seal" | "token_key_unknown" => {
            ". RELAY_SECRET must be the same here and there"
        }
        "token_expired" | "token_not_yet_valid" | "token_lifetime" => {
            ". Make a new token, and compare this machine's clock with the relay's"
        }
        "token_other_call" | "token_unbound" => ". A token is for one call: name that call with --call-id",
        "token_replayed" => ". Make a new token for each call",
        "token_audience" => ". Compare RELAY_AUDIENCE here and there",
        "token_malformed" => ". Was all of it copied?",
        "claims_key_missing" => ". Put the key into the agent file's `keys`, or into the relay's settings",
        "carrier_not_supported" | "origin" | "full" | "draining" => "",
        other if other.starts_with("claims_") => ". `patchcord token --agent FILE` says which claim it is",
        _ => "",
    }
}

/// From the making of a token to its call is a moment.
const TOKEN_SECONDS: u64 = 60;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_without_a_path_is_the_one_that_tells_words() {
        for (url, called, words) in [
            ("wss://relay.example.com", "wss://relay.example.com/stream/browser", true),
            ("wss://relay.example.com/", "wss://relay.example.com/stream/browser", true),
            ("ws://127.0.0.1:8080/stream/browser", "ws://127.0.0.1:8080/stream/browser", true),
            ("wss://relay.example.com/stream/twilio", "wss://relay.example.com/stream/twilio", false),
        ] {
            assert_eq!((whole(url, None).unwrap().as_str(), tells(url, None)), (called, words));
        }
        for url in ["relay.example.com", "ftp://relay.example.com", ""] {
            let problem = whole(url, None).unwrap_err().to_string();
            assert!(problem.contains("wss://"), "{problem}");
        }
    }

    #[test]
    fn a_carrier_is_the_one_that_was_named_or_else_the_address_s() {
        let telnyx = Carrier::parse("telnyx-pcma").unwrap();
        assert_eq!(
            whole("wss://relay.example.com", Some(telnyx)).unwrap(),
            "wss://relay.example.com/stream/telnyx"
        );
        assert!(!tells("wss://relay.example.com", Some(telnyx)));
        for (url, name) in [
            ("wss://relay.example.com/stream/plivo", "plivo"),
            ("wss://relay.example.com/stream/exotel/abc?x=1", "exotel"),
            ("wss://relay.example.com/stream/browser", "twilio"),
            ("wss://relay.example.com/api/twilio/media-stream", "twilio"),
        ] {
            assert_eq!(named_in(url).to_string(), name, "{url}");
        }
    }

    #[test]
    fn a_refusal_says_its_code_what_it_means_and_what_to_do() {
        let told = refused("token_seal").to_string();
        assert!(told.contains("token_seal") && told.contains("does not open"), "{told}");
        assert!(told.ends_with("RELAY_SECRET must be the same here and there"), "{told}");
        for code in Code::ALL.iter().map(|code| code.name()).filter(|code| code.starts_with("claims_")) {
            assert!(!advice(code).is_empty(), "{code}");
        }
        assert_eq!(refused("").to_string(), "the relay refused the call ()");
    }
}
