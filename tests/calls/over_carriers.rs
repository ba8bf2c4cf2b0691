//! Does a whole conversation work over every carrier, with every kind of leg? Nobody on either side has anything to
//! complain about, the words arrive, and a caller who interrupts is understood.

use std::{
    future::Future,
    time::{Duration, Instant},
};

use call::{EndReason, HeardBy, Summary};
use futures_util::{StreamExt, stream};
use serde_json::{Value, json};
use sim::{
    app::{Answer, App},
    chat::{self, Chat, ChatOptions},
    deepgram::{self, Deepgram, DeepgramOptions},
    openai::{Behaviour, OpenAi, OpenAiOptions, Reply},
    phone::{Carrier, Law, Odd, Phone, PhoneEnd, PhoneOptions},
    ulaw,
    voice::speech,
};

use tokio::task::spawn_blocking;

use crate::{
    house::{Ear, House, LIMIT, echo, openai},
    stalls,
};

/// So many calls fit on two busy processors, with both of their sides in one process.
const AT_ONCE: usize = 4;

/// A relay with pretend providers, and a main app that hears its reports.
struct Exchange {
    house: House,
    openai: OpenAi,
    deepgram: Deepgram,
    chat: Chat,
    app: App,
}

impl Exchange {
    async fn open() -> Self {
        let openai = OpenAi::start(OpenAiOptions::default()).await.unwrap();
        let deepgram = Deepgram::start(DeepgramOptions::default()).await.unwrap();
        let chat = Chat::start(ChatOptions::default()).await.unwrap();
        let house = House::with(&[
            ("OPENAI_BASE_URL", &openai.base_url()),
            ("DEEPGRAM_BASE_URL", &deepgram.base_url()),
            ("GROQ_BASE_URL", &chat.base_url()),
            ("WEBHOOK_ALLOW_PRIVATE", "true"),
        ])
        .await;
        Self { house, openai, deepgram, chat, app: App::start().await.unwrap() }
    }

    async fn call(&self, carrier: Carrier, claims: &Value) -> Phone {
        Phone::dial(self.house.phone_over(carrier, claims.clone())).await.unwrap()
    }

    fn is_clean(&self) {
        assert_eq!(self.openai.violations(), Vec::<String>::new());
        assert_eq!(self.deepgram.violations(), Vec::<String>::new());
        assert_eq!(self.chat.violations(), Vec::<String>::new());
    }
}

/// Runs the same call over every carrier, all at once, each in an exchange of its own.
async fn over_every_carrier<F>(call: impl Fn(Exchange, Carrier) -> F)
where
    F: Future<Output = ()> + Send + 'static,
{
    stalls::watch_out();
    let only = std::env::var("CARRIER").ok();
    let wanted = |carrier: &Carrier| only.as_ref().is_none_or(|only| *only == carrier.to_string());
    let calls = Carrier::all().filter(wanted).map(|carrier| fair(&call, carrier));
    stream::iter(calls).buffer_unordered(AT_ONCE).collect::<Vec<()>>().await;
}

/// A call in which the machine stood still is placed again: a caller who falls silent in mid-word has finished.
async fn fair<F>(call: &impl Fn(Exchange, Carrier) -> F, carrier: Carrier)
where
    F: Future<Output = ()> + Send + 'static,
{
    for last in [false, false, true] {
        let began = Instant::now();
        let done = tokio::spawn(call(Exchange::open().await, carrier)).await;
        let stood_still = stalls::between(began, Instant::now());
        match done {
            Ok(()) => return,
            Err(error) if last || stood_still.is_zero() => std::panic::resume_unwind(error.into_panic()),
            Err(_) => println!("{carrier}: the machine stood still for {stood_still:?}, and so once more"),
        }
    }
}

async fn finished(phone: &Phone, carrier: Carrier) {
    let finished = phone.agent_finished(Duration::from_millis(300), LIMIT).await;
    let state = phone.look(|phone| format!("{phone:?}"));
    finished.unwrap_or_else(|waited| panic!("{carrier}: {waited:?}: {state}"));
}

async fn says(phone: &Phone, ms: u64, seed: u64) {
    phone.say(speech(Duration::from_millis(ms), seed));
    phone.said(LIMIT).await.unwrap();
}

async fn hangs_up(phone: &Phone, news: &mut Ear, carrier: Carrier) -> Summary {
    phone.hang_up();
    assert_eq!(phone.ended(LIMIT).await.unwrap(), PhoneEnd::HungUp { answered: true }, "{carrier}");
    assert_eq!(phone.look(|phone| phone.violations.clone()), Vec::<String>::new(), "{carrier}");
    let summary = news.ended().await;
    assert_eq!(summary.reason, EndReason::CallerHungUp, "{carrier}");
    assert_eq!(summary.tally.malformed, 0, "{carrier}");
    assert_eq!(summary.heard_by, HeardBy::Marks, "{carrier}");
    summary
}

/// How alike this sound is to any stretch of another, from 0 to 1.
fn likeness(said: &[u8], heard: &[u8]) -> f64 {
    let sample = |byte: &u8| f64::from(ulaw::decode(*byte));
    let said: Vec<f64> = said.iter().map(sample).collect();
    let heard: Vec<f64> = heard.iter().map(sample).collect();
    let energy = |sound: &[f64]| sound.iter().map(|one| one * one).sum::<f64>();
    let alike = |heard: &[f64]| {
        let product: f64 = said.iter().zip(heard).map(|(one, other)| one * other).sum();
        product / (energy(&said) * energy(heard)).sqrt().max(1.0)
    };
    heard.windows(said.len()).map(alike).fold(0.0, f64::max)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_hears_the_own_words() {
    over_every_carrier(|exchange, carrier| async move {
        let mut news = exchange.house.listen();
        let phone = exchange.call(carrier, &echo()).await;
        let words = speech(Duration::from_millis(1_200), 3);
        phone.say(words.clone());
        phone.said(LIMIT).await.unwrap();
        finished(&phone, carrier).await;
        phone.press('5');
        phone.press('#');
        let keys = news.when(|what| match what {
            patchcord::bridge::What::Note(note) => match **note {
                call::Note::Key(key) => Some(key),
                _ => None,
            },
            _ => None,
        });
        assert_eq!(keys.await, '5', "{carrier}");
        let heard = phone.recording().agent;
        let alike = spawn_blocking(move || likeness(&words[words.len() / 2..][..480], &heard)).await.unwrap();
        assert!(alike > 0.98, "{carrier}: {alike}");
        let summary = hangs_up(&phone, &mut news, carrier).await;
        assert_eq!(summary.tally.keys, 2, "{carrier}");
        assert_eq!(summary.tally.mended, [0; 3], "{carrier}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_greets_answers_and_stops_where_it_is_interrupted() {
    over_every_carrier(|exchange, carrier| async move {
        let mut news = exchange.house.listen();
        let long =
            "We open at eight on weekdays, at nine on Saturdays, and on Sundays we are closed all day long.";
        let replies = [long, "You are welcome."].map(Reply::say);
        exchange.openai.behave("sk-carrier", Behaviour::default().replies(replies));
        let mut claims = openai("sk-carrier");
        claims["agent"]["greeting"] = "Hello, this is the bakery.".into();
        let phone = exchange.call(carrier, &claims).await;
        finished(&phone, carrier).await;
        says(&phone, 900, 5).await;
        let before = phone.look(|phone| phone.played);
        let heard = Duration::from_millis(1_500);
        phone.until(|phone| phone.played >= before + heard, LIMIT).await.unwrap();
        let began = Instant::now();
        let mut cuts = exchange.house.listen();
        says(&phone, 900, 6).await;
        let cut = cuts.when(|what| match what {
            patchcord::bridge::What::Note(note) => match **note {
                call::Note::CutShort { heard, .. } => Some(heard),
                _ => None,
            },
            _ => None,
        });
        let cut = cut.await;
        finished(&phone, carrier).await;
        let played = phone.look(|phone| phone.clears.iter().map(|clear| clear.played).collect::<Vec<_>>());
        let summary = hangs_up(&phone, &mut news, carrier).await;
        assert_eq!(summary.tally.barge_ins, 1, "{carrier}");
        println!("{carrier}: played {played:?}, heard {cut:?}");
        let off = played[0].abs_diff(cut).saturating_sub(stalls::between(began, Instant::now()));
        assert!(played.len() == 1 && off <= Duration::from_millis(40), "{carrier}: {played:?}, {cut:?}");
        let said: Vec<_> = summary.transcript.iter().filter_map(|line| line.heard.as_deref()).collect();
        assert!(said.len() == 1 && long.starts_with(said[0].trim()), "{carrier}: {said:?}");
        exchange.is_clean();
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cascade_greets_answers_and_stops_where_it_is_interrupted() {
    over_every_carrier(|exchange, carrier| async move {
        let mut news = exchange.house.listen();
        let long = "We open at eight on weekdays, at nine on Saturdays, and on Sundays we are closed all day. The rye \
                    bread comes out of the oven at ten.";
        let hears = ["When do you open?", "Thank you."].map(str::to_owned).to_vec();
        exchange.deepgram.behave("dg", deepgram::Behaviour {
            listen: deepgram::Listen { hears, ..Default::default() },
            ..Default::default()
        });
        exchange.chat.behave("dg", chat::Behaviour::default().replies([long, "You are welcome."]));
        let mut claims = crate::cascade::cascade("dg", "flux-general-en");
        claims["agent"]["greeting"] = "Hello, this is the bakery.".into();
        let phone = exchange.call(carrier, &claims).await;
        finished(&phone, carrier).await;
        says(&phone, 900, 5).await;
        let before = phone.look(|phone| phone.played);
        phone.until(|phone| phone.played >= before + Duration::from_millis(1_500), LIMIT).await.unwrap();
        says(&phone, 600, 6).await;
        finished(&phone, carrier).await;
        let summary = hangs_up(&phone, &mut news, carrier).await;
        assert_eq!(summary.tally.barge_ins, 1, "{carrier}");
        exchange.is_clean();
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn frames_that_come_out_of_order_or_twice_are_put_right_and_told() {
    over_every_carrier(|exchange, carrier| async move {
        // Twilio's and SignalWire's are in order by their word, and Vonage's and Exotel's bear no numbers.
        if !matches!(carrier, Carrier::Telnyx { .. } | Carrier::Plivo) {
            return;
        }
        let mut news = exchange.house.listen();
        let phone = exchange.call(carrier, &echo()).await;
        phone.swap_frames(20);
        phone.repeat_frames(5);
        let words = speech(Duration::from_millis(1_200), 3);
        phone.say(words.clone());
        phone.said(LIMIT).await.unwrap();
        finished(&phone, carrier).await;
        let heard = phone.recording().agent;
        let alike = spawn_blocking(move || likeness(&words[words.len() / 2..][..480], &heard)).await.unwrap();
        assert!(alike > 0.98, "{carrier}: {alike}");
        let [out_of_order, twice, missing] = hangs_up(&phone, &mut news, carrier).await.tally.mended;
        assert!(
            out_of_order >= 15 && twice >= 3 && missing == 0,
            "{carrier}: {out_of_order} {twice} {missing}"
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_cannot_carry_a_call_is_refused_by_name() {
    over_every_carrier(|exchange, carrier| async move {
        let refused = async |odd: Odd| {
            let options = PhoneOptions { odd, ..exchange.house.phone_over(carrier, echo()) };
            Phone::dial(options).await.unwrap().ended(LIMIT).await.unwrap()
        };
        let closed = |reason: &str| PhoneEnd::Closed { code: Some(1008), reason: reason.into() };
        let opus = refused(Odd { encoding: Some("OPUS".into()), ..Odd::default() }).await;
        assert_eq!(opus, closed("stream_format"), "{carrier}");
        if matches!(carrier, Carrier::Twilio | Carrier::SignalWire | Carrier::Plivo) {
            let tracks = vec!["inbound".to_owned(), "outbound".to_owned()];
            let one_way = refused(Odd { tracks, ..Odd::default() }).await;
            assert_eq!(one_way, closed("stream_one_way"), "{carrier}");
        }
        let other = match carrier {
            Carrier::Telnyx { from: Law::Mu, to } => Carrier::Telnyx { from: Law::A, to },
            Carrier::Telnyx { from: Law::A, to } => Carrier::Telnyx { from: Law::Mu, to },
            Carrier::Exotel { rate: 8_000 } => Carrier::Exotel { rate: 16_000 },
            Carrier::Exotel { .. } => Carrier::Exotel { rate: 8_000 },
            Carrier::Vonage { rate: 8_000 } => Carrier::Vonage { rate: 16_000 },
            Carrier::Vonage { .. } => Carrier::Vonage { rate: 8_000 },
            Carrier::Twilio | Carrier::SignalWire | Carrier::Plivo => return, // µ-law, and nothing else
        };
        let phone = exchange.call(carrier, &echo()).await;
        phone.until(|phone| phone.frames_sent > 10, LIMIT).await.unwrap();
        phone.start_again(other);
        assert_eq!(phone.ended(LIMIT).await.unwrap(), closed("stream_format_changed"), "{carrier}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_report_names_the_carriers_call_and_who_said_what_was_heard() {
    over_every_carrier(|exchange, carrier| async move {
        exchange.app.answer("/report", Answer::json(&json!({})));
        let mut claims = echo();
        claims["report"] = json!({ "url": exchange.app.url("/report"), "events": ["call.ended"] });
        let options = exchange.house.phone_over(carrier, claims);
        let call = options.ids.call_sid.clone();
        let phone = Phone::dial(options).await.unwrap();
        says(&phone, 700, 3).await;
        finished(&phone, carrier).await;
        phone.hang_up();
        let report = exchange.app.post("/report", 0, |_| true, LIMIT).await.unwrap().json();
        // Vonage names none: there it is the one that the token was made for.
        assert_eq!(report["data"]["call"]["carrier_call_id"], call, "{carrier}");
        assert_eq!(report["data"]["heard_by"], "marks", "{carrier}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_is_longer_than_a_carrier_keeps_loses_nothing() {
    over_every_carrier(|exchange, carrier| async move {
        let long = Duration::from_secs(90); // Vonage keeps 61
        let reply = Reply::audio("Once upon a time.", speech(long, 9));
        exchange
            .openai
            .behave("sk-long", Behaviour { pace: 1_000.0, ..Behaviour::default() }.replies([reply]));
        let phone = exchange.call(carrier, &openai("sk-long")).await;
        says(&phone, 900, 5).await;
        let leg = exchange.openai.connection("sk-long", LIMIT).await.unwrap();
        leg.until(|ledger| ledger.responses_done() == 1, LIMIT).await.unwrap();
        let enough = Duration::from_secs(if matches!(carrier, Carrier::Vonage { .. }) { 49 } else { 85 });
        phone.until(|phone| phone.queued + phone.played >= enough, LIMIT).await.unwrap();
        phone.until(|phone| phone.played >= Duration::from_secs(3), LIMIT).await.unwrap();
        assert_eq!(phone.look(|phone| phone.violations.clone()), Vec::<String>::new(), "{carrier}");
        assert!(phone.look(|phone| phone.end.is_none()), "{carrier}");
    })
    .await;
}
