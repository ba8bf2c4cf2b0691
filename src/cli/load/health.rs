//! What the relay says of itself: is it there, and how many calls has it?

use std::time::Duration;

use reqwest::{Client, Response, redirect::Policy};
use serde_json::Value;
use tokio::time::{Instant, sleep};

use crate::outward::tls;

pub struct Health {
    client: Client,
    url: String,
    host: String,
}

/// The stream address of a relay, checked as far as that goes without asking it.
pub fn stream_address(text: &str) -> Result<String, String> {
    let wanted = "write a stream address, such as wss://relay.example.com/stream/twilio";
    let rest = text.strip_prefix("ws://").or(text.strip_prefix("wss://"));
    let rest = rest.ok_or_else(|| format!("it does not begin with ws:// or wss://: {wanted}"))?;
    if rest.split('/').next().is_none_or(str::is_empty) || text.contains(char::is_whitespace) {
        return Err(format!("there is no host in it, or a blank: {wanted}"));
    }
    Ok(text.split(['?', '#']).next().unwrap_or(text).to_owned())
}

impl Health {
    /// Of the relay with this stream address.
    pub fn of(stream: &str) -> anyhow::Result<Self> {
        let (scheme, rest) = match stream.strip_prefix("wss://") {
            Some(rest) => ("https", rest),
            None => ("http", stream.trim_start_matches("ws://")),
        };
        let host = rest.split('/').next().unwrap_or(rest).to_owned();
        let client = Client::builder()
            .tls_backend_preconfigured(tls::for_requests(&[]).as_ref().clone())
            .no_proxy()
            .redirect(Policy::none())
            .timeout(LIMIT)
            .build()?;
        Ok(Self { client, url: format!("{scheme}://{host}/health"), host })
    }

    /// Its calls, if it tells. Whoever does not answer at all is an error.
    pub async fn calls(&self) -> anyhow::Result<Option<u64>> {
        let answer = self.client.get(&self.url).send().await.map_err(|error| {
            let mut cause: &dyn std::error::Error = &error;
            while let Some(deeper) = cause.source() {
                cause = deeper;
            }
            anyhow::anyhow!(
                "{} cannot be reached ({cause}): is the relay running, and is this its address?",
                self.host
            )
        })?;
        // What is not ours may have no such page, or another one.
        let told: Value = serde_json::from_slice(&beginning(answer).await).unwrap_or_default();
        Ok(told["active_calls"].as_u64())
    }

    /// Waits until it has no more calls than this, and says how many it has then.
    pub async fn has_at_most(&self, calls: u64, limit: Duration) -> Option<u64> {
        let until = Instant::now() + limit;
        loop {
            let now = self.calls().await.ok().flatten()?;
            if now <= calls || Instant::now() >= until {
                return Some(now);
            }
            sleep(LOOK).await;
        }
    }
}

/// Ours is some hundred bytes; what a stranger sends beyond this is not read.
async fn beginning(mut answer: Response) -> Vec<u8> {
    let mut body = Vec::new();
    while let Ok(Some(more)) = answer.chunk().await {
        body.extend_from_slice(&more);
        if body.len() > LONGEST {
            break;
        }
    }
    body
}

const LONGEST: usize = 64 << 10;
const LIMIT: Duration = Duration::from_secs(10);
const LOOK: Duration = Duration::from_millis(200);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn health_is_asked_of_the_same_host() {
        for (stream, health) in [
            ("ws://127.0.0.1:8080/stream/twilio", "http://127.0.0.1:8080/health"),
            ("wss://relay.example.com/stream/twilio", "https://relay.example.com/health"),
            ("ws://[::1]:80", "http://[::1]:80/health"),
        ] {
            assert_eq!(Health::of(stream).unwrap().url, health);
        }
    }

    #[test]
    fn an_address_that_cannot_be_one_is_refused_before_anything_is_dialled() {
        for text in ["", "relay.example.com", "https://relay.example.com/", "ws://", "ws:///x", "ws://a b/"] {
            assert!(stream_address(text).unwrap_err().contains("wss://relay.example.com"), "{text}");
        }
        assert_eq!(stream_address("ws://a/stream/twilio?token=1").unwrap(), "ws://a/stream/twilio");
    }
}
