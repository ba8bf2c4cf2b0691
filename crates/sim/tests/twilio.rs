//! Does the pretend Twilio move and end calls as the real one does, and does it see what would harm a caller?

mod common;

use base64::{Engine, engine::general_purpose::STANDARD};
use common::{LIMIT, encode};
use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use sim::{
    phone::{Ids, Phone, PhoneEnd, PhoneOptions},
    twilio::{Trouble, Twilio, Wish},
};
use std::time::Duration;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    time::{Instant, timeout},
};
use tokio_tungstenite::{accept_async, tungstenite::Message};

const KEY: &str = "SK00112233445566778899aabbccddeeff";
const SECRET: &str = "a-secret";
const DIALS: &str =
    "Twiml=%3CResponse%3E%3CDial%3E%3CNumber%3E%2B15550100%3C%2FNumber%3E%3C%2FDial%3E%3C%2FResponse%3E";
const ENDS: &str = "Status=completed";

/// A call that Twilio carries, with a relay that speaks for so long and then only listens.
struct Line {
    twilio: Twilio,
    phone: Phone,
    ids: Ids,
}

impl Line {
    async fn open(seconds: usize) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let options = PhoneOptions::new(format!("ws://{}/x", listener.local_addr().unwrap()));
        tokio::spawn(async move {
            let mut relay = accept_async(listener.accept().await.unwrap().0).await.unwrap();
            while let Some(Ok(message)) = relay.next().await {
                let Message::Text(text) = message else { continue };
                let event: Value = serde_json::from_str(&text).unwrap();
                let pieces = if event["event"] == "start" { seconds } else { 0 };
                for _ in 0..pieces {
                    let media = json!({ "payload": encode(&[0x55; 8_000]) });
                    let speech = json!({ "event": "media", "streamSid": event["streamSid"], "media": media });
                    relay.send(Message::text(speech.to_string())).await.unwrap();
                }
            }
        });
        let phone = Phone::dial(options).await.unwrap();
        if seconds > 0 {
            phone.until(|phone| phone.playing, LIMIT).await.unwrap();
        }
        let twilio = Twilio::start().await.unwrap();
        twilio.takes_key(KEY, SECRET);
        twilio.may_dial("+15550100");
        twilio.carries(phone.line());
        let ids = phone.look(|phone| phone.ids.clone());
        Self { twilio, phone, ids }
    }

    fn path(&self) -> String {
        format!("/2010-04-01/Accounts/{}/Calls/{}.json", self.ids.account_sid, self.ids.call_sid)
    }

    async fn asks(&self, body: &str) -> Option<(u16, Value)> {
        ask(&self.twilio, &format!("POST {}", self.path()), &login(KEY, SECRET), FORM, body).await
    }

    fn goes_on(&self) {
        assert!(self.phone.look(|phone| phone.end.is_none() && !phone.is_closing));
    }
}

const FORM: &str = "application/x-www-form-urlencoded";

fn login(key: &str, secret: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("{key}:{secret}")))
}

/// Status and body; `None` when the connection ended without an answer.
async fn ask(twilio: &Twilio, start: &str, login: &str, kind: &str, body: &str) -> Option<(u16, Value)> {
    let mut tcp = TcpStream::connect(twilio.address).await.unwrap();
    let length = body.len();
    let head = format!(
        "{start} HTTP/1.1\r\nhost: x\r\nauthorization: {login}\r\ncontent-type: {kind}\r\ncontent-length: {length}\r\n\r\n"
    );
    tcp.write_all(format!("{head}{body}").as_bytes()).await.unwrap();
    let mut answer = String::new();
    timeout(LIMIT, tcp.read_to_string(&mut answer)).await.unwrap().ok()?;
    let (head, body) = answer.split_once("\r\n\r\n")?;
    let status = head.split(' ').nth(1)?.parse().unwrap();
    Some((status, serde_json::from_str(body).unwrap()))
}

#[tokio::test]
async fn a_call_that_is_moved_or_ended_loses_its_stream() {
    let dialled = Wish::Dial("Number".into(), "+15550100".into());
    for (body, wish) in [(DIALS, dialled), (ENDS, Wish::Complete)] {
        let line = Line::open(0).await;
        let (status, answer) = line.asks(body).await.unwrap();
        assert_eq!((status, &answer["sid"]), (200, &json!(line.ids.call_sid)));
        assert_eq!(line.phone.ended(LIMIT).await.unwrap(), PhoneEnd::EndedByCarrier { answered: true });
        let asked = line.twilio.asked();
        assert_eq!((asked.len(), asked[0].status, &asked[0].wish), (1, 200, &Some(wish)));
        assert_eq!(line.twilio.violations(), Vec::<String>::new());
    }
}

#[tokio::test]
async fn what_is_not_a_request_to_change_a_call_is_refused_and_counted() {
    let line = Line::open(0).await;
    let (path, good) = (line.path(), login(KEY, SECRET));
    let post = format!("POST {path}");
    let long = format!("Twiml={}", "x".repeat(4_001));
    let table = [
        ("another method", format!("GET {path}"), good.as_str(), FORM, DIALS, 405, 20004),
        ("no JSON asked for", post.replace(".json", ""), &good, FORM, DIALS, 404, 20404),
        ("another resource", post.replace("Calls", "Messages"), &good, FORM, DIALS, 404, 20404),
        ("an id that is none", post.replace("/CA", "/XX"), &good, FORM, DIALS, 404, 20404),
        ("a query", format!("{post}?x=1"), &good, FORM, DIALS, 404, 20404),
        ("another way to log in", post.clone(), "Bearer x", FORM, DIALS, 401, 20003),
        ("JSON", post.clone(), &good, "application/json", "{}", 415, 20415),
        ("nothing", post.clone(), &good, FORM, "", 400, 20001),
        ("both at once", post.clone(), &good, FORM, &format!("{DIALS}&{ENDS}"), 400, 20001),
        ("another status", post.clone(), &good, FORM, "Status=canceled", 400, 20001),
        ("no document", post.clone(), &good, FORM, "Twiml=hello", 400, 12100),
        ("a document too long", post.clone(), &good, FORM, &long, 400, 32018),
    ];
    for (n, (what, start, login, kind, body, status, code)) in table.iter().enumerate() {
        let (got, answer) = ask(&line.twilio, start, login, kind, body).await.unwrap();
        assert_eq!((got, &answer["code"]), (*status, &json!(code)), "{what}");
        assert_eq!(line.twilio.violations().len(), n + 1, "{what}");
    }
    line.goes_on();
}

#[tokio::test]
async fn a_wrong_key_and_a_call_that_is_over_are_refused_and_nobodys_fault() {
    let line = Line::open(0).await;
    let post = format!("POST {}", line.path());
    for (login, status) in [(login(KEY, "another"), 401), (login("SKother", SECRET), 401)] {
        assert_eq!(ask(&line.twilio, &post, &login, FORM, DIALS).await.unwrap().0, status);
    }
    let other = post.replace(&line.ids.account_sid, &format!("AC{}", "0".repeat(32)));
    assert_eq!(ask(&line.twilio, &other, &login(KEY, SECRET), FORM, DIALS).await.unwrap().0, 404);
    line.goes_on();
    line.phone.hang_up();
    line.phone.ended(LIMIT).await.unwrap();
    assert_eq!(line.asks(DIALS).await.unwrap().0, 404);
    assert_eq!(line.twilio.violations(), Vec::<String>::new());
}

#[tokio::test]
async fn what_would_harm_a_caller_is_done_and_counted() {
    // A minute of speech, of which the caller has heard the beginning.
    let line = Line::open(60).await;
    assert_eq!(line.asks(&DIALS.replace("100", "199")).await.unwrap().0, 200);
    assert_eq!(line.phone.ended(LIMIT).await.unwrap(), PhoneEnd::EndedByCarrier { answered: true });
    assert_eq!(line.asks(DIALS).await.unwrap().0, 200);
    let [number, cut, twice] = &line.twilio.violations()[..] else {
        panic!("{:?}", line.twilio.violations())
    };
    assert!(
        number.contains("nobody allowed") && cut.contains("still to be heard") && twice.contains("twice")
    );
}

#[tokio::test]
async fn troubles_come_one_after_the_other_and_then_it_works() {
    let line = Line::open(0).await;
    let late = Duration::from_millis(300);
    line.twilio.trouble([
        Trouble::Status(429),
        Trouble::Status(500),
        Trouble::Cut,
        Trouble::Silent,
        Trouble::Late(late),
    ]);
    assert_eq!(line.asks(DIALS).await.unwrap(), (429, error(429, 20429, "Too Many Requests")));
    assert_eq!(line.asks(DIALS).await.unwrap(), (500, error(500, 20500, "Internal Server Error")));
    assert_eq!(line.asks(DIALS).await, None);
    let silent = timeout(late, line.asks(DIALS)).await;
    assert!(silent.is_err(), "{silent:?}");
    line.goes_on();
    let before = Instant::now();
    let (answer, end) = tokio::join!(line.asks(DIALS), line.phone.ended(LIMIT));
    assert_eq!((answer.unwrap().0, end.unwrap()), (200, PhoneEnd::EndedByCarrier { answered: true }));
    assert!(before.elapsed() >= late, "{:?}", before.elapsed());
    let statuses: Vec<u16> = line.twilio.asked().iter().map(|asked| asked.status).collect();
    assert_eq!(statuses, [429, 500, 0, 0, 200]);
    assert_eq!(line.twilio.violations(), Vec::<String>::new());
}

fn error(status: u16, code: u64, message: &str) -> Value {
    let more_info = format!("https://www.twilio.com/docs/errors/{code}");
    json!({ "code": code, "message": message, "more_info": more_info, "status": status })
}

#[tokio::test]
async fn one_for_phones_of_ones_own_takes_any_key_and_any_call() {
    let twilio = Twilio::start_easy().await.unwrap();
    twilio.answers_after(Duration::from_millis(150));
    let path = format!("POST /2010-04-01/Accounts/AC{0}/Calls/CA{0}.json", "0".repeat(32));
    let before = Instant::now();
    assert_eq!(ask(&twilio, &path, &login("SK1", "x"), FORM, ENDS).await.unwrap().0, 200);
    assert!(before.elapsed() >= Duration::from_millis(150));
    assert_eq!(ask(&twilio, &path, &login("SKinvalid", "x"), FORM, ENDS).await.unwrap().0, 401);
    assert_eq!(twilio.violations(), Vec::<String>::new());
}
