//! What does Twilio send, and what may a relay send back? protocols/twilio.md, sections 5 and 6.
//!
//! Outbound is strict: Twilio warns about a field too many just as about one too few (31951), so both are violations.

use super::{Carrier, Dialect, Facts, FromRelay};
use base64::{Engine, engine::general_purpose::STANDARD};
use serde::Deserialize;
use serde_json::json;
use std::{borrow::Cow, fmt::Write};
use tokio_tungstenite::tungstenite::Message;

/// Longest media message a relay should send: 1 s.
const MAX_MEDIA: usize = 8000;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Frame<'a> {
    #[serde(borrow)]
    event: Cow<'a, str>,
    #[serde(borrow, rename = "streamSid")]
    stream_sid: Option<Cow<'a, str>>,
    #[serde(borrow)]
    media: Option<Media<'a>>,
    #[serde(borrow)]
    mark: Option<Mark<'a>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Media<'a> {
    #[serde(borrow)]
    payload: Cow<'a, str>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Mark<'a> {
    #[serde(borrow)]
    name: Cow<'a, str>,
}

/// Reads one message of the relay, or says what is wrong with it.
fn read(text: &str, stream_sid: &str) -> Result<FromRelay, String> {
    let frame: Frame = serde_json::from_str(text).map_err(|error| format!("31951 {error}"))?;
    match frame.stream_sid.as_deref() {
        Some(sid) if sid == stream_sid => {}
        Some(other) => return Err(format!("31951 wrong streamSid {other:?}")),
        None => return Err("31951 no streamSid".to_owned()),
    }
    match (&*frame.event, frame.media, frame.mark) {
        ("media", Some(media), None) => {
            let audio =
                STANDARD.decode(&*media.payload).map_err(|error| format!("31951 payload: {error}"))?;
            match audio.len() {
                0 => Err("31951 empty payload".to_owned()),
                1..=MAX_MEDIA => Ok(FromRelay::Media(audio)),
                long => Err(format!("{} ms of audio in one message", long / 8)),
            }
        }
        ("mark", None, Some(mark)) => Ok(FromRelay::Mark(mark.name.into_owned())),
        ("clear", None, None) => Ok(FromRelay::Clear),
        (event, _, _) => Err(format!("31951 unknown or misshapen event {event:?}")),
    }
}

#[derive(Debug)]
pub(super) struct Twilio {
    facts: Facts,
    sequence: u64,
    chunk: u64,
}

impl Twilio {
    pub fn new(facts: Facts) -> Self {
        Self { facts, sequence: 0, chunk: 0 }
    }

    fn wrap(&mut self, event: &str, body: serde_json::Value) -> String {
        self.sequence += 1;
        let number = self.facts.number(self.sequence);
        json!({"event": event, "sequenceNumber": number, "streamSid": self.facts.ids.stream_sid, event: body})
            .to_string()
    }
}

impl Dialect for Twilio {
    fn connected(&mut self) -> Option<String> {
        Some(json!({"event": "connected", "protocol": "Call", "version": "1.0.0"}).to_string())
    }

    fn start(&mut self, _: Carrier) -> String {
        let ids = &self.facts.ids;
        let body = json!({
            "accountSid": ids.account_sid, "callSid": ids.call_sid, "streamSid": ids.stream_sid,
            "tracks": self.facts.tracks(),
            "mediaFormat": {"encoding": self.facts.encoding("audio/x-mulaw"), "sampleRate": self.facts.rate(8000), "channels": 1},
            "customParameters": self.facts.parameters(),
        });
        self.wrap("start", body)
    }

    /// Written by hand: thousands of pretend phones do this fifty times a second.
    fn media(&mut self, at_ms: u64, audio: &[u8]) -> Message {
        self.sequence += 1;
        self.chunk += 1;
        let quote = if self.facts.bare_numbers { "" } else { "\"" };
        let mut text = String::with_capacity(200 + audio.len() * 4 / 3);
        // Writing to a string cannot fail.
        let _ = write!(
            text,
            r#"{{"event":"media","sequenceNumber":{quote}{}{quote},"streamSid":"{}","media":{{"track":"{}","chunk":{quote}{}{quote},"timestamp":{quote}{at_ms}{quote},"payload":""#,
            self.sequence,
            self.facts.ids.stream_sid,
            self.facts.track(),
            self.chunk
        );
        STANDARD.encode_string(audio, &mut text);
        text.push_str("\"}}");
        Message::text(text)
    }

    fn skip(&mut self) {
        self.sequence += 1;
        self.chunk += 1;
    }

    fn dtmf(&mut self, _at_ms: u64, digit: char) -> String {
        self.wrap("dtmf", json!({"track": "inbound_track", "digit": digit.to_string()}))
    }

    fn mark(&mut self, name: &str) -> String {
        self.wrap("mark", json!({"name": name}))
    }

    fn stop(&mut self) -> Option<String> {
        let body = json!({"accountSid": self.facts.ids.account_sid, "callSid": self.facts.ids.call_sid});
        Some(self.wrap("stop", body))
    }

    fn read(&self, text: &str) -> Result<FromRelay, String> {
        read(text, &self.facts.ids.stream_sid)
    }

    fn read_binary(&self, bytes: &[u8]) -> Result<FromRelay, String> {
        Err(format!("31950 binary, {} bytes", bytes.len()))
    }
}

/// A token cut into `<Parameter>` chunks `t0`…`tN` of 480 characters and their count `tn`.
pub fn token_parameters(token: &str) -> Vec<(String, String)> {
    let characters: Vec<char> = token.chars().collect();
    let mut parameters: Vec<(String, String)> = characters
        .chunks(480)
        .enumerate()
        .map(|(at, chunk)| (format!("t{at}"), chunk.iter().collect()))
        .collect();
    parameters.push(("tn".to_owned(), parameters.len().to_string()));
    parameters
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;

    const SID: &str = "MZ1";

    #[test]
    fn exactly_three_messages_are_right_and_everything_else_is_a_violation() {
        let right = [
            (
                r#"{"event":"media","streamSid":"MZ1","media":{"payload":"/v8="}}"#,
                FromRelay::Media(vec![0xFE, 0xFF]),
            ),
            (
                r#"{"event":"mark","streamSid":"MZ1","mark":{"name":"r3:12"}}"#,
                FromRelay::Mark("r3:12".into()),
            ),
            (r#"{"event":"clear","streamSid":"MZ1"}"#, FromRelay::Clear),
        ];
        for (text, expected) in right {
            assert_eq!(read(text, SID), Ok(expected), "{text}");
        }
        let wrong = [
            r#"{"event":"media","streamSid":"MZ1","media":{"payload":"/v8=","track":"outbound"}}"#,
            r#"{"event":"media","streamSid":"MZ1","sequenceNumber":"1","media":{"payload":"/v8="}}"#,
            r#"{"event":"media","streamSid":"MZ2","media":{"payload":"/v8="}}"#,
            r#"{"event":"media","media":{"payload":"/v8="}}"#,
            r#"{"event":"media","streamSid":"MZ1","media":{"payload":"/v8"}}"#,
            r#"{"event":"media","streamSid":"MZ1","media":{"payload":""}}"#,
            r#"{"event":"media","streamSid":"MZ1"}"#,
            r#"{"event":"clear","streamSid":"MZ1","mark":{"name":"x"}}"#,
            r#"{"event":"mark","streamSid":"MZ1"}"#,
            r#"{"event":"dtmf","streamSid":"MZ1"}"#,
            "hello",
            "[]",
        ];
        for text in wrong {
            assert!(read(text, SID).is_err(), "{text}");
        }
        let long = STANDARD.encode(vec![0xFF; MAX_MEDIA + 1]);
        let text = format!(r#"{{"event":"media","streamSid":"MZ1","media":{{"payload":"{long}"}}}}"#);
        assert!(read(&text, SID).is_err());
    }

    #[test]
    fn media_looks_as_twilio_documents_it() {
        let mut options = crate::phone::PhoneOptions::new("ws://a").token("abc");
        options.ids.stream_sid = SID.to_owned();
        let mut twilio = Twilio::new(Facts::of(&options));
        let start: Value = serde_json::from_str(&twilio.start(Carrier::Twilio)).unwrap();
        assert_eq!(start["start"]["customParameters"], json!({"t0": "abc", "tn": "1"}));
        assert_eq!(start["sequenceNumber"], "1");
        let media = |twilio: &mut Twilio| -> Value {
            serde_json::from_str(twilio.media(134, &[0xFE, 0xFF]).to_text().unwrap()).unwrap()
        };
        let expected = json!({"event": "media", "sequenceNumber": "2", "streamSid": "MZ1",
            "media": {"track": "inbound", "chunk": "1", "timestamp": "134", "payload": "/v8="}});
        assert_eq!(media(&mut twilio), expected);
        options.bare_numbers = true;
        let bare = media(&mut Twilio::new(Facts::of(&options)));
        assert_eq!((&bare["sequenceNumber"], &bare["media"]["timestamp"]), (&json!(1), &json!(134)));
    }

    #[test]
    fn a_long_token_is_cut_into_chunks_that_join_to_itself() {
        let token = "x".repeat(1000);
        let parameters = token_parameters(&token);
        assert_eq!(parameters.last(), Some(&("tn".to_owned(), "3".to_owned())));
        let joined: String = parameters[..3].iter().map(|(_, value)| value.as_str()).collect();
        assert_eq!(joined, token);
        assert!(parameters.iter().all(|(name, value)| name.len() + value.len() < 500));
    }
}
