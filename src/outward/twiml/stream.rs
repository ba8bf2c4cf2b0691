//! How is Twilio told to bring a call's sound to a relay?
//!
//! With `<Connect><Stream>`. The token travels in numbered parameters, since Twilio strips query strings and writes
//! paths into logs. Nothing comes after it: when the relay closes the stream, Twilio hangs up.

use crate::{gate::travel::CHUNKS_MAX, markup::escaped, settings::is_loopback};

/// Why there is no document.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unfit {
    #[error("Twilio drops query strings: leave `?…` out of the stream's address")]
    Query,
    #[error("Twilio opens streams to wss:// addresses only")]
    NotSecure,
    #[error(
        "the token has {0} characters, and the TwiML for Twilio holds {most}: shorten the prompt, or put the \
         configuration at an address of its own and point to it with `config`",
        most = CHUNKS_MAX * CHUNK
    )]
    TooLarge(usize),
}

/// The answer to a voice webhook. Plain `ws://` is for this machine itself, where tests are.
pub fn stream(url: &str, token: &str) -> Result<String, Unfit> {
    if url.contains('?') {
        return Err(Unfit::Query);
    }
    let secure = url.starts_with("wss://") || url.strip_prefix("ws://").is_some_and(is_here);
    if !secure {
        return Err(Unfit::NotSecure);
    }
    let chunks: Vec<&str> =
        (0..token.len()).step_by(CHUNK).map(|at| &token[at..token.len().min(at + CHUNK)]).collect();
    let parameter = |name: &str, value: &str| {
        format!("      <Parameter name=\"{name}\" value=\"{}\"/>\n", escaped(value))
    };
    let chunks_in_order = chunks.iter().enumerate().map(|(i, chunk)| parameter(&format!("t{i}"), chunk));
    let document = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Response>\n  <Connect>\n    <Stream url=\"{}\">\n{}{}    </Stream>\n  </Connect>\n</Response>\n",
        escaped(url),
        parameter("tn", &chunks.len().to_string()),
        chunks_in_order.collect::<String>(),
    );
    if chunks.len() > CHUNKS_MAX || document.len() > DOCUMENT_MAX {
        return Err(Unfit::TooLarge(token.len()));
    }
    Ok(document)
}

fn is_here(rest: &str) -> bool {
    let authority = rest.split('/').next().unwrap_or_default();
    let host = authority.rsplit_once(':').map_or(authority, |(host, _)| host);
    is_loopback(host)
}

/// Twilio takes less than 500 characters for a name and its value together.
const CHUNK: usize = 480;

/// Twilio's error 11750.
const DOCUMENT_MAX: usize = 64 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_document_holds_the_token_in_pieces_that_twilio_takes() {
        let token = "abc.".repeat(300);
        let document = stream("wss://relay.example.com/stream/twilio", &token).unwrap();
        assert!(document.contains("<Parameter name=\"tn\" value=\"3\"/>"), "{document}");
        let values: String = (0..3)
            .map(|i| {
                let rest = document.split_once(&format!("name=\"t{i}\" value=\"")).unwrap().1;
                rest.split_once('"').unwrap().0.to_owned()
            })
            .inspect(|value| assert!(value.len() + 2 < 500))
            .collect();
        assert_eq!(values, token);
    }

    #[test]
    fn what_a_carrier_would_cut_or_refuse_is_refused_here() {
        assert_eq!(stream("wss://relay.example.com/stream?a=1", "t"), Err(Unfit::Query));
        for url in
            ["https://relay.example.com/stream", "ws://relay.example.com/", "ws://127.0.0.1.example.com/"]
        {
            assert_eq!(stream(url, "t"), Err(Unfit::NotSecure), "{url}");
        }
        assert!(stream("ws://127.0.0.1:8080/stream/twilio", "t").is_ok());
    }

    #[test]
    fn a_document_is_as_large_as_twilio_takes_it_and_no_larger() {
        let url = "wss://relay.example.com/";
        let largest = stream(url, &"x".repeat(47_520)).unwrap();
        assert!(largest.len() < DOCUMENT_MAX, "{}", largest.len());
        let told = stream(url, &"x".repeat(47_521)).unwrap_err().to_string();
        assert!(told.contains("47521") && told.contains("47520") && told.contains("`config`"), "{told}");
        let long = format!("{url}{}", "a".repeat(20_000));
        assert_eq!(stream(&long, &"x".repeat(47_520)), Err(Unfit::TooLarge(47_520)));
    }
}
