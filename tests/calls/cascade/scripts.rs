//! Whole calls over every ear and every voice, word by word: what was recognised, thought, spoken and heard.

use std::time::Duration;

use call::EndReason;
use serde_json::{Value, json};
use sim::{
    app::{self, App},
    chat::{self, Answer, ErrorForm, Fault, Ledger},
    deepgram::{ListenWhen, SpeakWhen, Trouble},
};

use super::pairs::{KEY, Pair, Script, Talk, lines, pairs, with_every_pair};
use crate::house::LIMIT;

const LONG: &str = "We open at eight on weekdays, at nine on Saturdays, and on Sundays we are closed all day. \
                    The rye bread comes out of the oven at ten, if you want it warm.";

fn thinks<const N: usize>(replies: [&str; N]) -> chat::Behaviour {
    chat::Behaviour::default().replies(replies)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_agent_greets_and_three_turns_are_answered() {
    with_every_pair(|pair| async move {
        let replies = [
            "We open at **eight**, and close at six. Anything else?",
            "On Sunday we are closed.",
            "You are welcome. Goodbye!",
        ];
        let hears = ["When do you open?", "And on Sunday?", "Thank you."];
        let mut script = Script::new(pair, hears, thinks(replies));
        script.claims["agent"]["greeting"] = "Hello, this is the bakery.".into();
        let talk = Talk::begin(pair, script).await;
        talk.finished().await;
        for seed in [5, 6, 7] {
            talk.turn(seed).await;
        }
        let all = [
            "a: Hello, this is the bakery.",
            "u: When do you open?",
            "a: We open at eight, and close at six. Anything else?",
            "u: And on Sunday?",
            "a: On Sunday we are closed.",
            "u: Thank you.",
            "a: You are welcome. Goodbye!",
        ];
        assert_eq!(talk.told(2).await, all[..6], "{pair:?}");
        assert_eq!(talk.recognised(), hears, "{pair:?}");
        assert_eq!(
            talk.said().join(" "),
            "Hello, this is the bakery. We open at eight, and close at six. Anything else? On Sunday we are closed. \
             You are welcome. Goodbye!",
            "{pair:?}"
        );
        assert_eq!(talk.connections(), (1, 1));
        let page = talk.studio.house.relay.exchange.metrics.page();
        assert!(page.contains(r#"patchcord_rate_left_ratio{provider="groq",of="tokens"} 0."#), "{page}");
        let summary = talk.end().await;
        assert_eq!(lines(&summary), all, "{pair:?}");
        let usage = summary.usage.total();
        assert!(usage.text_in > 0 && usage.transcribed.as_secs() > 2, "{pair:?}: {usage:?}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_who_talks_over_the_agent_is_answered_and_what_was_not_heard_was_not_said() {
    with_every_pair(|pair| async move {
        let hears = ["When do you open?", "Thanks, that will do."];
        let talk = Talk::begin(pair, Script::new(pair, hears, thinks([LONG, "See you soon!"]))).await;
        talk.say(5).await;
        talk.heard(2_000).await;
        talk.turn(6).await;
        let cleared = talk.phone.look(|phone| phone.clears.first().cloned()).expect("playback was cleared");
        let told = talk.told(1).await;
        let summary = talk.end().await;
        let said = lines(&summary);
        let heard =
            said[1].strip_prefix("a: ").and_then(|heard| heard.strip_suffix('|')).expect("it was cut");
        assert!(LONG.starts_with(heard) && heard.len() > 10, "{pair:?}: {heard:?}");
        // Each letter takes 65 ms.
        let played = cleared.played_in_all.as_millis() as usize / 65;
        assert!(heard.len().abs_diff(played) < 16, "{pair:?}: {heard:?}, and {played} letters were played");
        assert_eq!(
            told,
            ["u: When do you open?".to_owned(), format!("a: {heard}"), "u: Thanks, that will do.".to_owned()],
            "{pair:?}"
        );
        assert_eq!(said[2..], ["u: Thanks, that will do.", "a: See you soon!"], "{pair:?}");
        assert_eq!(summary.tally.barge_ins, 1, "{pair:?}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_who_goes_on_before_the_first_sound_gets_one_answer_to_all_of_it() {
    with_every_pair(|pair| async move {
        let slow = chat::Behaviour { first: Duration::from_millis(2_500), ..chat::Behaviour::default() };
        let hears = ["I would like a loaf.", "Of rye, please."];
        let talk =
            Talk::begin(pair, Script::new(pair, hears, slow.replies(["Which one?", "Rye it is."]))).await;
        talk.say(5).await;
        let first = talk.studio.chat.request(KEY, 0, LIMIT).await.unwrap();
        talk.turn(6).await;
        assert_eq!(first.look(Ledger::cancelled_after), Some(0), "{pair:?}");
        let all = ["u: I would like a loaf.", "u: Of rye, please.", "a: Rye it is."];
        assert_eq!(talk.told(1).await, all[..2], "{pair:?}");
        assert_eq!(talk.said(), ["Rye it is."], "{pair:?}");
        assert_eq!(lines(&talk.end().await), all, "{pair:?}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_who_hangs_up_in_mid_reply_leaves_nothing_open() {
    with_every_pair(|pair| async move {
        let slow = chat::Behaviour { token: Duration::from_millis(100), ..chat::Behaviour::default() };
        let talk = Talk::begin(pair, Script::new(pair, ["Tell me."], slow.replies([LONG]))).await;
        talk.say(5).await;
        talk.heard(200).await;
        let request = talk.studio.chat.request(KEY, 0, LIMIT).await.unwrap();
        let (summary, talk) = talk.end_after_trouble().await;
        assert_eq!(summary.reason, EndReason::CallerHungUp);
        request.until(|ledger| ledger.cancelled_after().is_some(), LIMIT).await.unwrap();
        talk.studio.house.idle().await;
    })
    .await;
}

/// Only Flux guesses; with it every voice.
fn guessing_pairs() -> Vec<Pair> {
    pairs().filter(|pair| pair.ear.starts_with("flux")).collect()
}

fn eager(script: &mut Script) {
    script.claims["legs"][0]["stt"]["eager_eot_threshold"] = json!(0.4);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_was_thought_ahead_is_spoken_when_the_turn_is_over() {
    for pair in guessing_pairs() {
        let mut script = Script::new(pair, ["When do you open?"], thinks(["At eight."]));
        eager(&mut script);
        let talk = Talk::begin(pair, script).await;
        talk.turn(5).await;
        assert_eq!(talk.studio.chat.requests(KEY).len(), 1, "{pair:?}: asked once, and that was enough");
        let ear = talk.studio.deepgram.listener(KEY, 0, LIMIT).await.unwrap();
        assert_eq!(ear.look(|ledger| (ledger.guesses, ledger.resumed)), (1, 0), "{pair:?}");
        assert_eq!(lines(&talk.end().await), ["u: When do you open?", "a: At eight."], "{pair:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_thought_about_half_a_turn_leaves_no_trace_and_runs_no_tool() {
    for pair in guessing_pairs() {
        let app = App::start().await.unwrap();
        app.answer("/cancel", app::Answer::json(&json!({ "cancelled": true })));
        let thinks = chat::Behaviour::default()
            .on("no, do not", Answer::say("Then I leave it as it is."))
            .on("cancel", Answer::call("call_1", "cancel_order", "{}"));
        let mut script = Script::new(pair, ["Cancel my order | no, do not cancel it."], thinks);
        eager(&mut script);
        script.silence = Duration::from_millis(700);
        script.claims["tools"] = json!([{ "name": "cancel_order", "url": app.url("/cancel") }]);
        let talk = Talk::begin(pair, script).await;
        talk.phone.say(sim::voice::speech(Duration::from_millis(900), 5));
        talk.phone.say(vec![0xff; 200 * 8]);
        talk.phone.say(sim::voice::speech(Duration::from_millis(900), 6));
        talk.phone.said(LIMIT).await.unwrap();
        talk.finished().await;
        let ear = talk.studio.deepgram.listener(KEY, 0, LIMIT).await.unwrap();
        assert_eq!(ear.look(|ledger| (ledger.guesses, ledger.resumed)), (2, 1), "{pair:?}");
        assert_eq!(talk.studio.chat.requests(KEY).len(), 2, "{pair:?}");
        assert_eq!(app.posts("/cancel").len(), 0, "{pair:?}: the half turn's tool ran");
        assert_eq!(
            lines(&talk.end().await),
            ["u: Cancel my order no, do not cancel it.", "a: Then I leave it as it is."],
            "{pair:?}"
        );
    }
}

fn lookup(app: &App, say: Option<&str>) -> Value {
    json!([{ "name": "lookup_order", "description": "Finds an order.", "url": app.url("/lookup"), "say": say,
             "parameters": { "type": "object", "properties": { "order": { "type": "integer" } } } }])
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tool_is_called_and_its_result_spoken_about() {
    with_every_pair(|pair| async move {
        let app = App::start().await.unwrap();
        app.answer("/lookup", app::Answer::json(&json!({ "status": "shipped" })));
        let thinks = chat::Behaviour::default()
            .on("order", Answer::call("call_1", "lookup_order", "{\"order\":7}"))
            .on_result("shipped", Answer::say("It is on its way."));
        let mut script = Script::new(pair, ["Where is my order?"], thinks);
        script.claims["tools"] = lookup(&app, None);
        script.claims["context"] = json!({ "shop": 3 });
        script.claims["agent"]["id"] = "agent_42".into();
        let talk = Talk::begin(pair, script).await;
        talk.turn(5).await;
        let post = app.post("/lookup", 0, |_| true, LIMIT).await.unwrap();
        let body = post.json();
        assert_eq!((&body["name"], &body["arguments"]), (&json!("lookup_order"), &json!({ "order": 7 })));
        assert_eq!(
            (&body["context"], &body["call"]["agent_id"]),
            (&json!({ "shop": 3 }), &json!("agent_42"))
        );
        assert_eq!(
            body["call"]["carrier_call_id"],
            talk.phone.look(|phone| phone.ids.call_sid.clone()),
            "{body}"
        );
        assert!(
            post.header("webhook-id").starts_with("tool_")
                && post.header("webhook-signature").starts_with("v1,")
        );
        assert_eq!(post.header("idempotency-key"), post.header("webhook-id"));
        let requests = talk.studio.chat.requests(KEY);
        assert_eq!((app.posts("/lookup").len(), requests.len()), (1, 2), "{pair:?}");
        let messages = requests[1].body()["messages"].clone();
        assert_eq!(messages[2]["tool_calls"][0]["id"], "call_1", "{messages}");
        assert_eq!(
            messages[3],
            json!({ "role": "tool", "tool_call_id": "call_1", "content": "{\"status\":\"shipped\"}" })
        );
        assert_eq!(talk.said(), ["It is on its way."], "{pair:?}");
        assert_eq!(lines(&talk.end().await), ["u: Where is my order?", "a: It is on its way."], "{pair:?}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_who_talks_while_a_tool_runs_is_answered_and_then_told_the_result() {
    with_every_pair(|pair| async move {
        let app = App::start().await.unwrap();
        let slow = app::Answer::json(&json!({ "status": "shipped" })).after(Duration::from_millis(5_500));
        app.answer("/lookup", slow);
        let thinks = chat::Behaviour::default()
            .on("where", Answer::call("call_1", "lookup_order", "{\"order\":7}"))
            .on("still there", Answer::say("Yes, I am looking."))
            .on_result("shipped", Answer::say("It is on its way."));
        let mut script = Script::new(pair, ["Where is my order?", "Are you still there?"], thinks);
        script.claims["tools"] = lookup(&app, Some("One moment, please."));
        let talk = Talk::begin(pair, script).await;
        talk.turn(5).await; // the excuse
        talk.turn(6).await;
        // The result comes, and the agent speaks by itself.
        let request = talk.studio.chat.request(KEY, 2, LIMIT).await.unwrap();
        talk.finished().await;
        let told: Vec<String> = request.messages().into_iter().skip(1).map(|(_, text)| text).collect();
        assert_eq!(
            told,
            [
                "Where is my order?",
                "",
                "{\"status\":\"still running, no result yet\"}",
                "One moment, please.",
                "Are you still there?",
                "Yes, I am looking.",
                "",
                "{\"status\":\"shipped\"}",
            ],
            "{pair:?}"
        );
        assert_eq!(app.posts("/lookup").len(), 1, "{pair:?}");
        assert_eq!(
            lines(&talk.end().await),
            [
                "u: Where is my order?",
                "a: One moment, please.",
                "u: Are you still there?",
                "a: Yes, I am looking.",
                "a: It is on its way.",
            ],
            "{pair:?}"
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_model_that_fails_before_its_first_word_is_asked_again() {
    with_every_pair(|pair| async move {
        let thinks = thinks(["At eight."]).faults([Fault::after(0, ErrorForm::TopLevel)]);
        let talk = Talk::begin(pair, Script::new(pair, ["When do you open?"], thinks)).await;
        talk.turn(5).await;
        assert_eq!(talk.said(), ["At eight."], "{pair:?}");
        assert_eq!(lines(&talk.end().await), ["u: When do you open?", "a: At eight."], "{pair:?}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_model_that_fails_in_mid_sentence_has_said_what_it_said() {
    with_every_pair(|pair| async move {
        let cut = Answer::say("We open at eight every day, and close at six.")
            .fault(Fault::after(8, ErrorForm::Eof));
        let thinks = chat::Behaviour::default().reply(cut).reply(Answer::say("Yes."));
        let talk = Talk::begin(pair, Script::new(pair, ["When do you open?", "Really?"], thinks)).await;
        talk.turn(5).await;
        talk.turn(6).await;
        let sent = talk.studio.chat.request(KEY, 0, LIMIT).await.unwrap().look(|ledger| ledger.sent.clone());
        let said = format!("a: {}", sent.trim());
        assert_eq!(talk.told(1).await, ["u: When do you open?", &said, "u: Really?"], "{pair:?}");
        assert_eq!(
            lines(&talk.end().await),
            ["u: When do you open?", &said, "u: Really?", "a: Yes."],
            "{pair:?}"
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_voice_that_breaks_in_mid_sentence_says_the_rest() {
    with_every_pair(|pair| async move {
        let text = "We open at eight on weekdays and at nine on Saturdays and never on Sundays.";
        let mut script = Script::new(pair, ["When do you open?"], thinks([text]));
        script.mouth_trouble = Some((SpeakWhen::SoundSent(Duration::from_millis(2_000)), Trouble::Cut));
        let sound = Script::new(pair, ["When do you open?"], chat::Behaviour::default());
        let talk = Talk::begin(pair, script).await;
        talk.voice_is_open().await;
        talk.studio.prepare(&sound);
        talk.turn(5).await;
        let said = talk.said();
        assert_eq!((said.len(), said[0].as_str()), (2, text), "{pair:?}");
        assert!(text.ends_with(&said[1]) && !said[1].is_empty(), "{pair:?}: {said:?}");
        // Two seconds are thirty letters: what was said twice or left out is a word at most.
        assert!(said[1].len().abs_diff(text.len() - 30) <= 10, "{pair:?}: {said:?}");
        assert_eq!(talk.connections(), (1, 2));
        let (summary, _) = talk.end_after_trouble().await;
        assert_eq!(summary.transcript.len(), 2, "{pair:?}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_ear_that_goes_silent_in_mid_turn_is_replaced_and_the_turn_answered() {
    with_every_pair(|pair| async move {
        let mut script = Script::new(pair, ["When do you open?"], thinks(["At eight."]));
        script.ear_trouble = Some((ListenWhen::TurnStarted(1), Trouble::Stall));
        let sound = Script::new(pair, ["When do you open?"], chat::Behaviour::default());
        let talk = Talk::begin(pair, script).await;
        talk.ear_is_open().await;
        talk.studio.prepare(&sound);
        talk.turn(5).await;
        assert_eq!(talk.connections(), (2, 1), "{pair:?}");
        let told = talk.told(0).await;
        assert!(told[0].contains("When do you open?"), "{pair:?}: {told:?}");
        let (summary, _) = talk.end_after_trouble().await;
        assert_eq!(lines(&summary)[1], "a: At eight.", "{pair:?}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_languages_in_one_call_are_understood_and_answered() {
    with_every_pair(|pair| async move {
        let hears = ["आप कब खुलते हैं?", "And on Sunday?"];
        let mut script =
            Script::new(pair, hears, thinks(["हम आठ बजे खुलते हैं। और कुछ?", "On Sunday we are closed."]));
        script.claims["agent"]["language"] = "multi".into();
        if pair.ear.starts_with("flux") {
            script.claims["legs"][0]["stt"]["model"] = "flux-general-multi".into();
        }
        let talk = Talk::begin(pair, script).await;
        talk.turn(5).await;
        talk.turn(6).await;
        assert_eq!(talk.said(), ["हम आठ बजे खुलते हैं।", "और कुछ?", "On Sunday we are closed."], "{pair:?}");
        // Nova is told so; the others find out by themselves, and a language that is named would bind them.
        for ear in talk.studio.deepgram.listeners() {
            let told = ear.look(|ledger| ledger.query.contains(&("language".to_owned(), "multi".to_owned())));
            assert_eq!(told, pair.ear == "nova-3");
        }
        let named = |query: &[(String, String)]| query.iter().any(|(name, _)| name == "language_code");
        assert!(!talk.studio.elevenlabs.voices().iter().any(|one| one.look(|ledger| named(&ledger.query))));
        assert!(
            !talk.studio.elevenlabs.listeners().iter().any(|one| one.look(|ledger| named(&ledger.query)))
        );
        assert_eq!(
            lines(&talk.end().await),
            [
                "u: आप कब खुलते हैं?",
                "a: हम आठ बजे खुलते हैं। और कुछ?",
                "u: And on Sunday?",
                "a: On Sunday we are closed."
            ],
            "{pair:?}"
        );
    })
    .await;
}
