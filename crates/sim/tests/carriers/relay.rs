//! A relay that says what it is told, in the words of the carrier at its other end.

use crate::common::{LIMIT, decode, encode};
use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use sim::phone::{Carrier, Ids, Phone, PhoneOptions};
use tokio::{
    net::{TcpListener, TcpStream},
    task::JoinSet,
};
use tokio_tungstenite::{
    WebSocketStream, accept_hdr_async,
    tungstenite::{
        Message,
        handshake::server::{ErrorResponse, Request, Response},
    },
};

pub struct Call {
    pub carrier: Carrier,
    pub phone: Phone,
    pub ids: Ids,
    pub socket: WebSocketStream<TcpStream>,
    /// The upgrade's target and headers.
    pub target: String,
    pub headers: Vec<(String, String)>,
}

/// Calls over each of them, all at the same time.
pub async fn at_once<F: Future<Output = ()> + Send + 'static>(
    carriers: impl Iterator<Item = Carrier>,
    test: impl Fn(Carrier) -> F,
) {
    let mut calls: JoinSet<()> = carriers.map(test).collect();
    while let Some(over) = calls.join_next().await {
        over.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic()));
    }
}

/// What the phone sent.
#[derive(Debug, PartialEq)]
pub enum Heard {
    Event(Value),
    Audio(Vec<u8>),
    Over,
}

impl Call {
    pub async fn over(carrier: &str) -> Self {
        Self::with(carrier, |options| options).await
    }

    pub async fn with(carrier: &str, change: impl FnOnce(PhoneOptions) -> PhoneOptions) -> Self {
        let carrier = Carrier::parse(carrier).unwrap();
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let options =
            PhoneOptions::new(format!("ws://{}/x", listener.local_addr().unwrap())).carrier(carrier);
        let options = change(options);
        let (mut target, mut headers) = (String::new(), Vec::new());
        #[allow(clippy::result_large_err)] // the library's
        let look = |request: &Request, response: Response| -> Result<Response, ErrorResponse> {
            target = request.uri().to_string();
            let named = request.headers().iter();
            headers =
                named.map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned())).collect();
            Ok(response)
        };
        let accept = async { accept_hdr_async(listener.accept().await.unwrap().0, look).await.unwrap() };
        let (phone, socket) = tokio::join!(Phone::dial(options), accept);
        let phone = phone.unwrap();
        let ids = phone.look(|state| state.ids.clone());
        Self { carrier, phone, ids, socket, target, headers }
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    pub async fn next(&mut self) -> Heard {
        match tokio::time::timeout(LIMIT, self.socket.next()).await.unwrap() {
            Some(Ok(Message::Text(text))) => Heard::Event(serde_json::from_str(&text).unwrap()),
            Some(Ok(Message::Binary(audio))) => Heard::Audio(audio.to_vec()),
            Some(Ok(_)) => {
                // The closing handshake wants to be read to its end.
                while let Some(Ok(_)) = self.socket.next().await {}
                Heard::Over
            }
            Some(Err(_)) | None => Heard::Over,
        }
    }

    /// The next event that is no audio; none at the end.
    pub async fn event(&mut self) -> Option<Value> {
        loop {
            match self.next().await {
                Heard::Event(event) if event["event"] != "media" => return Some(event),
                Heard::Event(_) | Heard::Audio(_) => {}
                Heard::Over => return None,
            }
        }
    }

    pub async fn event_named(&mut self, name: &str) -> Value {
        loop {
            let event = self.event().await.expect("the phone has ended");
            if event["event"] == name {
                return event;
            }
        }
    }

    /// The next media event; audio in a binary message has no such thing.
    pub async fn media(&mut self) -> Value {
        loop {
            match self.next().await {
                Heard::Event(event) if event["event"] == "media" => return event,
                Heard::Event(_) | Heard::Audio(_) => {}
                Heard::Over => panic!("the phone has ended"),
            }
        }
    }

    /// The next audio, as it was on the wire.
    pub async fn audio(&mut self) -> Vec<u8> {
        loop {
            match self.next().await {
                Heard::Event(event) if event["event"] == "media" => {
                    return decode(event["media"]["payload"].as_str().unwrap());
                }
                Heard::Audio(audio) => return audio,
                Heard::Event(_) => {}
                Heard::Over => panic!("the phone has ended"),
            }
        }
    }

    pub async fn text(&mut self, event: Value) {
        self.socket.send(Message::text(event.to_string())).await.unwrap();
    }

    /// Audio as it is on the wire, in messages as large as the carrier likes them.
    pub async fn speak(&mut self, wire: &[u8]) {
        let size = match self.carrier {
            Carrier::Vonage { .. } => self.carrier.plays().frame_bytes(),
            Carrier::Exotel { .. } => 4800,
            _ => 1600,
        };
        for piece in wire.chunks(size) {
            let message = self.media_of(piece);
            self.socket.send(message).await.unwrap();
        }
    }

    pub fn media_of(&self, wire: &[u8]) -> Message {
        let (id, payload) = (&self.ids.stream_sid, encode(wire));
        let event = match self.carrier {
            Carrier::Twilio | Carrier::SignalWire => {
                json!({"event": "media", "streamSid": id, "media": {"payload": payload}})
            }
            Carrier::Telnyx { .. } => json!({"event": "media", "media": {"payload": payload}}),
            Carrier::Plivo => json!({"event": "playAudio",
                "media": {"contentType": "audio/x-mulaw", "sampleRate": 8000, "payload": payload}}),
            Carrier::Exotel { .. } => {
                json!({"event": "media", "stream_sid": id, "media": {"payload": payload}})
            }
            Carrier::Vonage { .. } => return Message::binary(wire.to_vec()),
        };
        Message::text(event.to_string())
    }

    pub async fn mark(&mut self, name: &str) {
        let id = &self.ids.stream_sid;
        let event = match self.carrier {
            Carrier::Twilio | Carrier::SignalWire => {
                json!({"event": "mark", "streamSid": id, "mark": {"name": name}})
            }
            Carrier::Telnyx { .. } => json!({"event": "mark", "mark": {"name": name}}),
            Carrier::Plivo => json!({"event": "checkpoint", "streamId": id, "name": name}),
            Carrier::Exotel { .. } => json!({"event": "mark", "stream_sid": id, "mark": {"name": name}}),
            Carrier::Vonage { .. } => json!({"action": "notify", "payload": {"name": name}}),
        };
        self.text(event).await;
    }

    pub async fn clear(&mut self) {
        let id = &self.ids.stream_sid;
        let event = match self.carrier {
            Carrier::Twilio | Carrier::SignalWire => json!({"event": "clear", "streamSid": id}),
            Carrier::Telnyx { .. } => json!({"event": "clear"}),
            Carrier::Plivo => json!({"event": "clearAudio", "streamId": id}),
            Carrier::Exotel { .. } => json!({"event": "clear", "stream_sid": id}),
            Carrier::Vonage { .. } => json!({"action": "clear"}),
        };
        self.text(event).await;
    }

    pub fn violations(&self) -> Vec<String> {
        self.phone.look(|phone| phone.violations.clone())
    }
}
