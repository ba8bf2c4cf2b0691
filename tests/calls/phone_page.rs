//! The browser phone's door: a carrier's protocol word for word, and news of its own call for the page that asks.

use std::{collections::VecDeque, net::SocketAddr, sync::Arc, time::Duration};

use base64::{Engine, engine::general_purpose::STANDARD};
use futures_util::{SinkExt, StreamExt};
use patchcord::{
    phone::{Agent, Answerer, Mint, Phone as PagePhone},
    relay::Relay,
    settings::Settings,
};
use serde_json::{Value, json};
use sim::{
    app::{Answer, App},
    openai::{Behaviour, OpenAi, OpenAiOptions, Reply},
    phone::{Phone, PhoneOptions},
    ulaw,
    voice::speech,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::{Instant, Interval, interval, timeout},
};
use tokio_tungstenite::{
    WebSocketStream, client_async,
    tungstenite::{Message, client::IntoClientRequest},
};

use crate::house::{House, LIMIT, SECRET, echo, openai, token};

const ON: [(&str, &str); 1] = [("PHONE_PAGE", "true")];

#[tokio::test(flavor = "multi_thread")]
async fn a_browser_that_asks_for_nothing_more_is_spoken_to_as_a_carrier_is() {
    let house = House::with(&ON).await;
    let options = PhoneOptions::new(format!("ws://{}/stream/browser", house.relay.address));
    let token = token(&options.ids.call_sid, &echo());
    let phone = Phone::dial(options.token(&token)).await.unwrap();
    phone.say(speech(Duration::from_millis(700), 2));
    phone.agent_finished(Duration::from_millis(100), LIMIT).await.unwrap();
    phone.hang_up();
    phone.ended(LIMIT).await.unwrap();
    assert_eq!(phone.look(|phone| phone.violations.clone()), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_is_told_words_waits_and_cuts_of_its_call_and_how_it_ended() {
    let provider = OpenAi::start(OpenAiOptions::default()).await.unwrap();
    let long =
        "We open at six on weekdays and at seven on Saturdays, and on Sundays we are closed all day long.";
    provider.behave(
        "sk-page",
        Behaviour {
            caller_says: vec!["When are you open?".to_owned(), "Thanks.".to_owned()],
            replies: vec![Reply::say(long), Reply::say("Bye.")],
            ..Behaviour::default()
        },
    );
    let house = House::with(&[ON[0], ("OPENAI_BASE_URL", &provider.base_url())]).await;
    let mut page = Page::dial(&house, openai("sk-page")).await;
    page.until("live", |_| true).await;
    page.say(Duration::from_millis(900)).await;
    let words = page.until("words", |news| news["who"] == "agent").await;
    page.listen(Duration::from_millis(1_500)).await;
    page.say(Duration::from_millis(900)).await;
    let cut = page.until("cut", |_| true).await;
    assert_eq!(cut["item"], words["item"]);
    let heard = cut["heard"].as_str().unwrap();
    assert!(long.starts_with(heard) && heard.len() < long.len(), "{cut}");
    page.until("interrupted", |_| true).await;
    assert!(page.clears == 1, "the playback was cleared");
    let turn = page.until("turn", |_| true).await;
    let segments = turn["segments"].as_array().unwrap();
    let sum: u64 = segments.iter().map(|segment| segment["ms"].as_u64().unwrap()).sum();
    let silence = turn["silence_ms"].as_u64().unwrap();
    // Each is cut to whole milliseconds on its own.
    assert!(sum <= silence && silence <= sum + segments.len() as u64, "{turn}");
    assert_eq!((&turn["number"], &turn["interrupted"]), (&1.into(), &true.into()));
    assert!(turn["at_ms"].as_u64() > Some(500), "{turn}");
    page.until("words", |news| news["who"] == "agent" && news["text"] == "Bye.").await;
    page.send(json!({ "event": "stop", "streamSid": SID, "stop": {} })).await;
    let ended = page.until("ended", |_| true).await;
    assert_eq!(ended["reason"], "caller_hung_up");
    assert_eq!(
        page.closed().await,
        Some((1000, "call over".to_owned())),
        "the last news come before the close"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_is_told_which_tool_was_asked_for_what_and_not_what_it_answered() {
    let app = App::start().await.unwrap();
    app.answer("/lookup", Answer::json(&json!({ "status": "CANARY" })));
    let provider = OpenAi::start(OpenAiOptions::default()).await.unwrap();
    let long = format!(r#"{{"text":"{}"}}"#, "x".repeat(9_000));
    let replies = [
        Reply::call("lookup", r#"{"order":7}"#, "call_1").and_call("lookup", &long, "call_2"),
        Reply::say("It is on its way."),
    ];
    provider.behave("sk-tools", Behaviour::default().replies(replies));
    let variables = [ON[0], ("OPENAI_BASE_URL", &provider.base_url()), ("WEBHOOK_ALLOW_PRIVATE", "true")];
    let house = House::with(&variables).await;
    let mut claims = openai("sk-tools");
    claims["tools"] = json!([{ "name": "lookup", "url": app.url("/lookup") }]);
    let mut page = Page::dial(&house, claims).await;
    page.until("live", |_| true).await;
    page.say(Duration::from_millis(900)).await;
    let called = page.until("tool_called", |_| true).await;
    assert_eq!((&called["name"], &called["arguments"]), (&"lookup".into(), &json!({ "order": 7 })));
    let too_long = page.until("tool_called", |news| news["id"] != called["id"]).await;
    assert_eq!(too_long["arguments"], Value::Null, "not all of it is news");
    let outcome = page.until("tool", |news| news["id"] == called["id"]).await;
    assert_eq!(outcome["outcome"], "done");
    page.send(json!({ "event": "stop", "streamSid": SID, "stop": {} })).await;
    page.until("ended", |_| true).await;
    assert!(!page.told.iter().any(|news| news.to_string().contains("CANARY")), "{:?}", page.told);
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_hears_of_another_call() {
    let house = House::with(&ON).await;
    let mut quiet = Page::dial(&house, echo()).await;
    let mut other = Page::dial(&house, echo()).await;
    other.until("live", |_| true).await;
    other.send(json!({ "event": "dtmf", "streamSid": SID, "dtmf": { "digit": "7" } })).await;
    assert_eq!(other.until("key", |_| true).await["key"], "7");
    quiet.send(json!({ "event": "stop", "streamSid": SID, "stop": {} })).await;
    quiet.until("ended", |_| true).await;
    assert!(quiet.told.iter().all(|news| news["kind"] != "key"), "{:?}", quiet.told);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_page_is_told_the_code_by_the_close() {
    let house = House::with(&ON).await;
    let mut page = Page::open(&house).await;
    page.start("rubbish").await;
    assert_eq!(page.until("ended", |_| true).await["reason"], "refused");
    assert_eq!(page.closed().await, Some((1008, "token_malformed".to_owned())));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_on_this_machine_gets_tokens_for_the_agents_that_it_may_call_and_for_no_others() {
    let answerer = Answerer { id: "echo", name: "the relay".to_owned(), fields: echo() };
    let agent = Agent { id: "test", name: "A test", about: "Says it back.", answerers: vec![answerer] };
    let mint: Mint = Arc::new(|fields, call| token(call, fields));
    let variables = [("RELAY_SECRET", SECRET), ("PORT", "0"), ("OPS_PORT", "0"), ("BIND", "127.0.0.1")];
    let settings = Settings::read(variables).unwrap();
    let phone = PagePhone::with(vec![agent], mint);
    let relay = Relay::start_with(&settings, std::time::Instant::now(), Some(phone)).await.unwrap();
    let address = relay.address;
    let own = format!("http://{address}");
    for (origin, path, status) in [
        (Some(&*own), "test/echo/CA1", 200),
        (None, "test/echo/CA1", 403),
        (Some("https://evil.example.com"), "test/echo/CA1", 403),
        (Some("null"), "test/echo/CA1", 403),
        (Some(&*own), "test/openai/CA1", 404),
        (Some(&*own), "other/echo/CA1", 404),
        (Some(&*own), "test/echo/CA%201", 400),
        (Some(&*own), "test/echo/", 400),
        (Some(&*own), "test/echo", 404),
    ] {
        let origin = origin.map(|origin| format!("origin: {origin}\r\n")).unwrap_or_default();
        let (got, body) = post(address, &format!("/phone/token/{path}"), &origin).await;
        assert_eq!(got, status, "{origin} {path}");
        assert_eq!(status == 200, body["token"].is_string(), "{body}");
    }
    let options = PhoneOptions::new(format!("ws://{address}/stream/browser"));
    let path = format!("/phone/token/test/echo/{}", options.ids.call_sid);
    let (_, body) = post(address, &path, &format!("origin: {own}\r\n")).await;
    let call = Phone::dial(options.token(body["token"].as_str().unwrap())).await.unwrap();
    call.say(speech(Duration::from_millis(700), 2));
    call.agent_finished(Duration::from_millis(100), LIMIT).await.unwrap();
}

async fn post(address: SocketAddr, path: &str, headers: &str) -> (u16, Value) {
    let mut socket = TcpStream::connect(address).await.unwrap();
    let request = format!("POST {path} HTTP/1.1\r\nhost: {address}\r\n{headers}\r\n");
    socket.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    timeout(LIMIT, socket.read_to_string(&mut answer)).await.unwrap().unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.split(' ').nth(1).unwrap().parse().unwrap(), serde_json::from_str(body).unwrap())
}

const SID: &str = "MZpage";
const CALL: &str = "CApage";

/// What the page does, as far as a test needs it: it speaks, and its marks come back when a loudspeaker would be there.
struct Page {
    socket: WebSocketStream<TcpStream>,
    clock: Interval,
    told: Vec<Value>,
    clears: usize,
    /// The next frame's time, in ms.
    at: u64,
    /// When what came so far will have been played.
    played: Instant,
    marks: VecDeque<(Instant, Value)>,
}

impl Page {
    async fn open(house: &House) -> Self {
        let address = house.relay.address;
        let mut request = format!("ws://{address}/stream/browser?news=1").into_client_request().unwrap();
        let origin = format!("http://{address}").parse().unwrap();
        request.headers_mut().insert("origin", origin);
        let tcp = TcpStream::connect(address).await.unwrap();
        let (socket, _) = client_async(request, tcp).await.unwrap();
        let (clock, played) = (interval(Duration::from_millis(20)), Instant::now());
        let (told, clears, at, marks) = Default::default();
        Self { socket, clock, told, clears, at, played, marks }
    }

    async fn dial(house: &House, claims: Value) -> Self {
        let mut page = Self::open(house).await;
        page.start(&token(CALL, &claims)).await;
        page
    }

    async fn start(&mut self, token: &str) {
        self.send(json!({
            "event": "start", "streamSid": SID, "start": {
                "streamSid": SID, "callSid": CALL, "accountSid": "AC1", "tracks": ["inbound"],
                "customParameters": { "token": token },
                "mediaFormat": { "encoding": "audio/x-mulaw", "sampleRate": 8000, "channels": 1 },
            },
        }))
        .await;
    }

    async fn send(&mut self, message: Value) {
        self.socket.send(Message::text(message.to_string())).await.unwrap();
    }

    /// A word, and the silence that ends it, as fast as it is spoken.
    async fn say(&mut self, length: Duration) {
        let sound = [speech(length, 3), ulaw::silence(Duration::from_millis(700))].concat();
        self.frames(&sound).await;
    }

    async fn listen(&mut self, length: Duration) {
        self.frames(&ulaw::silence(length)).await;
    }

    async fn frames(&mut self, sound: &[u8]) {
        for frame in sound.chunks(ulaw::FRAME) {
            while !self.step().await {}
            let media = json!({ "track": "inbound", "timestamp": self.at.to_string(), "payload": STANDARD.encode(frame) });
            self.at += 20;
            self.send(json!({ "event": "media", "streamSid": SID, "media": media })).await;
        }
    }

    /// Waits for a message, or for the next frame's turn: true.
    async fn step(&mut self) -> bool {
        let tick = tokio::select! {
            _ = self.clock.tick() => true,
            message = self.socket.next() => {
                self.take(message.expect("it is not closed yet").unwrap());
                false
            }
        };
        while let Some((_, mark)) = self.marks.pop_front_if(|(due, _)| *due <= Instant::now()) {
            self.send(json!({ "event": "mark", "streamSid": SID, "mark": mark })).await;
        }
        tick
    }

    fn take(&mut self, message: Message) {
        let Message::Text(text) = message else { return };
        let mut message: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(message["streamSid"], SID);
        let now = Instant::now();
        match message["event"].as_str().unwrap() {
            "news" => self.told.push(message["news"].take()),
            "media" => {
                let audio = STANDARD.decode(message["media"]["payload"].as_str().unwrap()).unwrap();
                self.played = self.played.max(now) + Duration::from_millis(audio.len() as u64 / 8);
            }
            "mark" => self.marks.push_back((self.played.max(now), message["mark"].take())),
            "clear" => {
                self.clears += 1;
                self.played = now;
                self.marks.iter_mut().for_each(|(due, _)| *due = now);
            }
            other => panic!("{other}"),
        }
    }

    /// The first news of this kind that fits, among those that came and those to come.
    async fn until(&mut self, kind: &str, fits: impl Fn(&Value) -> bool) -> Value {
        let found = async {
            loop {
                let found = self.told.iter().find(|news| news["kind"] == kind && fits(news));
                if let Some(found) = found {
                    return found.clone();
                }
                self.step().await;
            }
        };
        timeout(LIMIT, found).await.unwrap_or_else(|_| panic!("no {kind}"))
    }

    async fn closed(mut self) -> Option<(u16, String)> {
        loop {
            match timeout(LIMIT, self.socket.next()).await.unwrap()? {
                Ok(Message::Close(frame)) => return frame.map(|it| (it.code.into(), it.reason.to_string())),
                Ok(_) => {}
                Err(_) => return None,
            }
        }
    }
}
