//! A provider dies, and the call goes on with another: nobody hears anything twice, nothing is forgotten.

use std::time::Duration;

use futures_util::{StreamExt, stream};
use serde_json::{Value, json};
use sim::{
    app::{Answer, App},
    chat::{self, Chat, ChatOptions},
    deepgram::{self, Deepgram, DeepgramOptions},
    openai::{self, Faults, OpenAi, OpenAiOptions, Reply},
    phone::{Phone, PhoneEnd},
    ulaw,
    voice::{speech, spoken_length},
};

use crate::house::{House, LIMIT};

/// All pretend providers, and a relay that knows them.
struct Town {
    house: House,
    openai: OpenAi,
    deepgram: Deepgram,
    chat: Chat,
    app: App,
}

/// Every word of a call is said by one leg, in one sentence, once. So whoever hears one knows where it is from.
fn replies(leg: &str) -> Vec<String> {
    (1..=8)
        .map(|turn| {
            ["a", "b", "c", "d", "e", "f", "g", "h"].map(|word| format!("{leg}{turn}{word}")).join(" ")
        })
        .collect()
}

fn hears(leg: &str) -> Vec<String> {
    (1..=8).map(|turn| format!("Question-{leg}{turn}?")).collect()
}

const GREETING: &str = "Hello, this is the bakery, and you may ask whatever comes to mind.";

impl Town {
    async fn open() -> Self {
        Self::with("3600").await
    }

    /// With a provider that ends its sessions after so many seconds.
    async fn with(session: &str) -> Self {
        let openai = OpenAi::start(OpenAiOptions::default()).await.unwrap();
        let deepgram = Deepgram::start(DeepgramOptions::default()).await.unwrap();
        let chat = Chat::start(ChatOptions::default()).await.unwrap();
        let variables = [
            ("WEBHOOK_ALLOW_PRIVATE", "true".to_owned()),
            ("OPENAI_BASE_URL", openai.base_url()),
            ("DEEPGRAM_BASE_URL", deepgram.base_url()),
            ("GROQ_BASE_URL", chat.base_url()),
            ("MAX_PENDING", "200".to_owned()),
            ("OPENAI_SESSION_SECONDS", session.to_owned()),
        ];
        let variables = variables.each_ref().map(|(name, value)| (*name, value.as_str()));
        let house = House::with(&variables).await;
        Self { house, openai, deepgram, chat, app: App::start().await.unwrap() }
    }

    fn prepare(&self, key: &str) {
        self.prepare_with(key, openai::Behaviour::default());
    }

    fn prepare_with(&self, key: &str, openai: openai::Behaviour) {
        let openai = openai::Behaviour { caller_says: hears("o"), ..openai };
        self.openai.behave(key, openai.replies(replies("o").iter().map(|text| Reply::say(text))));
        let mut deepgram = deepgram::Behaviour::default();
        deepgram.listen.hears = hears("c");
        self.deepgram.behave(key, deepgram);
        let replies = replies("c").iter().map(|text| chat::Answer::say(text)).collect();
        self.chat.behave(key, chat::Behaviour { replies, ..Default::default() });
        self.app.answer(&format!("/{key}"), Answer::json(&json!({})));
    }

    fn claims(&self, key: &str, legs: [&str; 2]) -> Value {
        let leg = |kind| match kind {
            "openai" => json!({ "kind": "openai", "model": "gpt-realtime-2.1-mini" }),
            _ => json!({
                "kind": "cascade",
                "stt": { "provider": "deepgram", "model": "flux-general-en" },
                "llm": { "provider": "groq", "model": "openai/gpt-oss-20b" },
                "tts": { "provider": "deepgram", "voice": "aura-2-thalia-en" },
            }),
        };
        json!({
            "agent": { "prompt": "You answer the phone for a bakery.", "greeting": GREETING },
            "legs": legs.map(leg),
            "keys": { "openai": key, "deepgram": key, "groq": key },
            "report": { "url": self.app.url(&format!("/{key}")), "events": ["call.ended"] },
        })
    }

    /// An outage of one leg's provider.
    fn kill(&self, kind: &str, key: &str) {
        if kind == "openai" { self.openai.die(key) } else { self.deepgram.die(key) }
    }

    /// What the second leg was told of the time before it, in any order: the cut ones may have been put right.
    async fn told(&self, second: &str, key: &str, entries: usize) -> Vec<String> {
        let mut told: Vec<String> = if second == "openai" {
            let session = self.openai.connection(key, LIMIT).await.unwrap();
            session.look(|ledger| {
                let gone = |id: &str| ledger.deletions.iter().any(|(_, deleted)| deleted == id);
                let ours = ledger.items.iter().filter(|item| item.id.starts_with("pc_") && !gone(&item.id));
                let spoken = ours.filter(|item| item.role != "system");
                spoken.map(|item| format!("{}: {}", &item.role[..1], item.text)).collect()
            })
        } else {
            let requests = self.chat.requests(key);
            let last = requests.last().expect("the second leg has answered").messages();
            let spoken = last.into_iter().filter(|(role, _)| role != "system");
            spoken.map(|(role, text)| format!("{}: {text}", &role[..1])).take(entries).collect()
        };
        told.sort();
        told
    }
}

/// A call that is over: what it sounded like, and what the main app was told of it.
struct Past {
    report: Value,
    caller: Vec<u8>,
    agent: Vec<u8>,
}

async fn hang_up(town: &Town, key: &str, phone: Phone) -> Past {
    let heard = phone.recording();
    phone.hang_up();
    assert_eq!(phone.ended(LIMIT).await.unwrap(), PhoneEnd::HungUp { answered: true });
    assert_eq!(phone.look(|phone| phone.violations.clone()), Vec::<String>::new());
    let report = town.app.post(&format!("/{key}"), 0, |_| true, LIMIT).await.unwrap().json()["data"].clone();
    Past { report, caller: heard.caller, agent: heard.agent }
}

impl Past {
    /// Kind and outcome of each leg.
    fn legs(&self) -> Vec<(&str, &str)> {
        let legs = self.report["legs"].as_array().unwrap().iter();
        legs.map(|leg| (leg["kind"].as_str().unwrap(), leg["outcome"].as_str().unwrap())).collect()
    }

    /// What was said: when, by whom, and what was heard of it.
    fn lines(&self) -> Vec<(u64, &str, &str)> {
        self.all_lines().into_iter().filter(|(_, _, heard)| !heard.is_empty()).collect()
    }

    /// With what nobody knows the words of.
    fn all_lines(&self) -> Vec<(u64, &str, &str)> {
        let lines = self.report["transcript"].as_array().unwrap().iter();
        lines
            .map(|line| {
                let who = if line["role"] == "agent" { "a" } else { "u" };
                (line["at_ms"].as_u64().unwrap(), who, line["heard"].as_str().unwrap())
            })
            .collect()
    }

    /// What was heard before the second leg was opened, as its history should have it.
    fn before(&self) -> Vec<String> {
        let second = self.report["legs"][1]["from_ms"].as_u64().unwrap();
        let lines = self.lines().into_iter().filter(|(at, ..)| *at < second);
        let mut before: Vec<_> = lines.map(|(_, who, heard)| format!("{who}: {heard}")).collect();
        before.sort();
        before
    }

    /// The longest time in which nobody was heard, between the agent's first sound and the end.
    fn silence(&self) -> Duration {
        let sounds = |side: &[u8], at: usize| {
            side.get(at * 160..).is_some_and(|rest| rest.iter().take(160).any(|byte| *byte != ulaw::SILENCE))
        };
        let frames = self.caller.len().max(self.agent.len()) / 160;
        let mut all: Vec<bool> =
            (0..frames).map(|at| sounds(&self.caller, at) || sounds(&self.agent, at)).collect();
        let last = all.iter().rposition(|sound| *sound).unwrap_or(0);
        all.truncate(last);
        let first = (0..frames).position(|at| sounds(&self.agent, at)).expect("the agent is heard");
        let runs = all.split_off(first);
        let longest = runs.split(|sound| *sound).map(<[bool]>::len).max().unwrap_or(0);
        Duration::from_millis(longest as u64 * 20)
    }

    /// The longest silence, when nobody could tell from this call that a leg died.
    fn is_one_call(&self, legs: [&str; 2], told: &[String], said: usize) -> Result<Duration, String> {
        let [first, second] = legs;
        let used = self.legs();
        if used != [(first, "failed"), (second, "used")] {
            return Err(format!("the legs were {used:?}"));
        }
        if told != self.before() {
            return Err(format!("it was told something else than {:?}", self.before()));
        }
        let lines = self.lines();
        let mut words: Vec<&str> = lines.iter().flat_map(|(.., heard)| heard.split_whitespace()).collect();
        words.sort_unstable();
        if let Some(twice) = words.windows(2).find(|pair| pair[0] == pair[1]) {
            return Err(format!("{:?} was said twice", twice[0]));
        }
        let off = self.played().abs_diff(self.heard());
        if off > CUTS {
            return Err(format!("{off:?} of what was heard was not, or the other way round"));
        }
        let all = self.all_lines();
        let turns = all.iter().filter(|(_, who, _)| *who == "u").count();
        if turns != said {
            return Err(format!("the caller said {said} sentences, and {turns} are known"));
        }
        // A leg that dies before it has written down a question takes its words along; but then it has answered it.
        let answers = replies("o");
        let unanswered = |pair: &&[Value]| {
            pair[0]["role"] == "caller"
                && pair[0]["said"] == ""
                && !answers.iter().any(|all| pair[1]["said"] == *all)
        };
        if let Some([_, answer]) = self.report["transcript"].as_array().unwrap().windows(2).find(unanswered) {
            return Err(format!("nobody knows the question to {answer}"));
        }
        let silence = self.silence();
        if silence < Duration::from_secs(3) { Ok(silence) } else { Err(format!("silent for {silence:?}")) }
    }

    /// How long the agent was heard.
    fn played(&self) -> Duration {
        let sound = self.agent.iter().filter(|byte| **byte != ulaw::SILENCE).count();
        ulaw::length_of(sound as u64)
    }

    /// How long what was heard takes to say.
    fn heard(&self) -> Duration {
        let said = self.lines().into_iter().filter(|(_, who, _)| *who == "a");
        said.map(|(_, _, heard)| spoken_length(heard)).sum()
    }
}

/// The same for each run, different for each call.
struct Dice(u64);

impl Dice {
    fn between(&mut self, low: u64, high: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        low + (self.0 >> 33) % (high - low)
    }
}

const CALLS: u64 = 100;
const AT_ONCE: usize = 34;

/// Of an answer that was cut one knows to the word what was heard, and a leg sends words a little before their sound.
const CUTS: Duration = Duration::from_millis(900);

#[tokio::test(flavor = "multi_thread")]
async fn whenever_the_provider_dies_the_call_goes_on_with_the_other_leg() {
    let town = Town::open().await;
    let calls = stream::iter(0..CALLS).map(|number| survives(&town, number));
    let calls: Vec<Result<Duration, String>> = calls.buffer_unordered(AT_ONCE).collect().await;
    let wrong: Vec<&String> = calls.iter().filter_map(|call| call.as_ref().err()).collect();
    assert!(
        wrong.is_empty(),
        "{} of {CALLS}:\n{}",
        wrong.len(),
        wrong.iter().map(|wrong| wrong.as_str()).collect::<Vec<_>>().join("\n")
    );
    println!("the longest silence: {:?}", calls.iter().flatten().max());
    assert_eq!(town.openai.violations(), Vec::<String>::new());
    assert_eq!(town.deepgram.violations(), Vec::<String>::new());
    assert_eq!(town.chat.violations(), Vec::<String>::new());
}

/// One call whose first leg dies at some moment; how long it was silent at most, or what was wrong with it.
async fn survives(town: &Town, number: u64) -> Result<Duration, String> {
    let mut dice = Dice(number + 1);
    let key = format!("sk-dies-{number}");
    let legs = if number.is_multiple_of(2) { ["openai", "cascade"] } else { ["cascade", "openai"] };
    // A session writes down what it heard some time after it has begun to answer.
    let transcript_after = Duration::from_millis(number * 37 % 900);
    town.prepare_with(&key, openai::Behaviour { transcript_after, ..Default::default() });
    let phone = town.house.call(town.claims(&key, legs)).await;
    let dies_after = Duration::from_millis(dice.between(0, 12_000));
    let death = async {
        tokio::time::sleep(dies_after).await;
        town.kill(legs[0], &key);
    };
    let conversation = async {
        let mut said = 4;
        finished(&phone).await;
        for turn in 0..3 {
            say(&phone, number * 10 + turn).await;
            if dice.between(0, 3) == 0 {
                said += 1;
                heard(&phone, dice.between(200, 1_500)).await;
                say(&phone, number * 10 + turn + 5).await;
            }
            finished(&phone).await;
        }
        said
    };
    let ((), said) = tokio::join!(death, conversation);
    say(&phone, number * 10 + 9).await;
    finished(&phone).await;
    let past = hang_up(town, &key, phone).await;
    let told = town.told(legs[1], &key, past.before().len()).await;
    past.is_one_call(legs, &told, said).map_err(|wrong| {
        format!("{number}, {legs:?}, dead after {dies_after:?}: {wrong}\n{:?}\n{told:?}", past.lines())
    })
}

/// The first leg's faults, and as what the report names them.
fn refusals() -> [(Faults, &'static str); 5] {
    let refused = |status, code: &str| {
        let body = json!({ "error": { "message": "No.", "type": "invalid_request_error", "code": code } });
        Some((status, Vec::new(), body.to_string()))
    };
    [
        (Faults { refuse_upgrade: refused(401, "invalid_api_key"), ..Faults::default() }, "bad_key"),
        (Faults { refuse_upgrade: refused(503, "unavailable"), ..Faults::default() }, "provider_error"),
        (Faults { refuse_update: Some("invalid_value"), ..Faults::default() }, "refused"),
        (Faults { no_session_created: true, ..Faults::default() }, "not_ready"),
        (Faults { out_of_quota: true, ..Faults::default() }, "quota"),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn a_leg_that_cannot_begin_is_replaced_before_the_caller_notices() {
    let town = Town::open().await;
    let calls = refusals().into_iter().enumerate().map(|(number, (faults, kind))| {
        let (town, key) = (&town, format!("sk-refused-{number}"));
        async move {
            town.prepare(&key);
            town.openai.behave(&key, openai::Behaviour::default().faults(faults));
            let phone = town.house.call(town.claims(&key, ["openai", "cascade"])).await;
            finished(&phone).await;
            say(&phone, 3).await;
            finished(&phone).await;
            let past = hang_up(town, &key, phone).await;
            assert_eq!(past.legs(), [("openai", "failed"), ("cascade", "used")], "{kind}");
            assert_eq!(past.report["legs"][0]["failure"]["kind"], kind, "{}", past.report["legs"]);
            let said: Vec<_> =
                past.lines().into_iter().map(|(_, who, words)| format!("{who}: {words}")).collect();
            assert_eq!(
                said,
                [format!("a: {GREETING}"), "u: Question-c1?".into(), format!("a: {}", replies("c")[0])]
            );
        }
    });
    futures_util::future::join_all(calls).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn when_the_last_leg_dies_too_the_call_ends_and_the_report_names_both() {
    let town = Town::open().await;
    let key = "sk-all-dead";
    town.prepare(key);
    let phone = town.house.call(town.claims(key, ["openai", "cascade"])).await;
    finished(&phone).await;
    town.openai.die(key);
    say(&phone, 3).await;
    finished(&phone).await;
    town.deepgram.die(key);
    phone.ended(LIMIT).await.unwrap();
    let report = town.app.post(&format!("/{key}"), 0, |_| true, LIMIT).await.unwrap().json()["data"].clone();
    assert_eq!(report["reason"], "leg_failed");
    let past = Past { report, caller: Vec::new(), agent: Vec::new() };
    assert_eq!(past.legs(), [("openai", "failed"), ("cascade", "failed")]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_ends_by_itself_is_changed_for_a_new_one_at_a_pause() {
    let town = Town::with("12").await;
    let key = "sk-renewed";
    town.prepare(key);
    let mut claims = town.claims(key, ["openai", "openai"]);
    claims["legs"].as_array_mut().unwrap().pop();
    let phone = town.house.call(claims).await;
    finished(&phone).await;
    say(&phone, 1).await;
    finished(&phone).await;
    let new = town.openai.nth_connection(key, 1, LIMIT).await.unwrap();
    new.until(|ledger| ledger.configured_at.is_some(), LIMIT).await.unwrap();
    say(&phone, 2).await;
    finished(&phone).await;
    let past = hang_up(&town, key, phone).await;
    let used = past.legs();
    assert_eq!(used[..2], [("openai", "renewed"), ("openai", "used")], "{used:?}");
    let told: Vec<String> = new.look(|ledger| {
        let ours = ledger.items.iter().filter(|item| item.id.starts_with("pc_"));
        ours.map(|item| format!("{}: {}", &item.role[..1], item.text)).collect()
    });
    let expected =
        [format!("a: {GREETING}"), format!("u: {}", hears("o")[0]), format!("a: {}", replies("o")[0])];
    assert_eq!(told, expected, "what was said, and no word of a fault");
    assert_eq!(past.lines().len(), 5, "and the next turn: {:?}", past.lines());
    assert_eq!(town.openai.violations(), Vec::<String>::new());
}

async fn finished(phone: &Phone) {
    phone.agent_finished(Duration::from_millis(600), LIMIT).await.unwrap();
}

async fn say(phone: &Phone, seed: u64) {
    phone.say(speech(Duration::from_millis(900), seed % 8));
    phone.said(LIMIT).await.unwrap();
}

/// Waits until so much of the next answer is heard.
async fn heard(phone: &Phone, ms: u64) {
    let until = phone.look(|phone| phone.played) + Duration::from_millis(ms);
    phone.until(|phone| phone.playing && phone.played >= until, LIMIT).await.unwrap();
}
