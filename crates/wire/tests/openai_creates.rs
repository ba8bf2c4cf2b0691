//! Is each reply asked for at the right moment, once, and stopped when it has to be, however messages cross?

mod scene;

use call::{FailureKind, LegCommand, LegEvent, Oddity, Outcome, Turns};
use scene::*;
use serde_json::{Value, json};
use wire::openai::Setup;

fn cancel(event_id: &str, response: &str) -> Value {
    json!({ "type": "response.cancel", "event_id": event_id, "response_id": response })
}

#[test]
fn a_greeting_is_said_in_its_own_words() {
    let mut scene = Scene::ready(Turns::Held);
    scene.say("Hello, \"bakery\" here.");
    let frame = scene.frame();
    let response = &frame["response"];
    assert_eq!(frame["type"], "response.create");
    assert!(frame["event_id"].is_string());
    assert!(response["instructions"].as_str().unwrap().ends_with("\n\nHello, \"bakery\" here."), "{frame}");
    assert_eq!(response["tool_choice"], "none");
    assert_eq!(response["metadata"], json!({ "purpose": "say" }));
    assert_eq!(response.as_object().unwrap().len(), 3, "nothing else: {frame}");
}

#[test]
fn a_reply_is_a_plain_create() {
    let mut scene = Scene::ready(Turns::Held);
    scene.call(LegCommand::Reply);
    assert_eq!(scene.frame(), json!({ "type": "response.create", "event_id": "pc-2" }));
}

#[test]
fn what_is_asked_before_the_session_is_ready_waits_for_it() {
    let mut scene = Scene::new(Setup::default());
    scene.say("Hello.");
    scene.provider(json!({ "type": "session.created" }));
    assert_eq!(scene.sent(), ["session.update"]);
    scene.provider(updated(Turns::Held));
    assert_eq!(scene.sent(), ["response.create"]);
}

#[test]
fn one_reply_is_asked_for_at_a_time() {
    let mut scene = Scene::ready(Turns::Held);
    scene.say("One.");
    scene.say("Two.");
    assert_eq!(scene.sent().len(), 1);
    scene.provider(created("resp_1"));
    assert_eq!(scene.sent().len(), 0);
    scene.provider(done("resp_1", "completed"));
    assert!(scene.frame()["response"]["instructions"].as_str().unwrap().ends_with("Two."));
}

#[test]
fn at_most_four_wait_and_a_fifth_is_dropped_and_said_so() {
    let mut scene = Scene::replying(Turns::Held);
    for number in 1..=5 {
        scene.say(&format!("Number {number}."));
    }
    assert_eq!(scene.events(), [LegEvent::Odd(Oddity::OwnError)]);
    let mut said = Vec::new();
    for reply in 1..=5 {
        scene.provider(done(&format!("resp_{reply}"), "completed"));
        said.extend(scene.frames());
        scene.provider(created(&format!("resp_{}", reply + 1)));
    }
    assert_eq!(said.len(), 4);
    assert!(said[3]["response"]["instructions"].as_str().unwrap().ends_with("Number 4."));
}

#[test]
fn two_answers_to_the_same_words_are_one() {
    let mut scene = Scene::replying(Turns::Held);
    scene.call(LegCommand::Reply);
    scene.call(LegCommand::Reply);
    scene.provider(done("resp_1", "completed"));
    assert_eq!(scene.sent(), ["response.create"]);
    scene.provider(created("resp_2"));
    scene.provider(done("resp_2", "completed"));
    assert_eq!(scene.sent(), Vec::<String>::new());
}

#[test]
fn a_create_that_meets_a_reply_of_the_server_goes_out_again_after_it() {
    for about in ["its own event", "null"] {
        let mut scene = Scene::ready(Turns::Live);
        scene.say("Hello.");
        let first = scene.frame();
        let about = if about == "null" { Value::Null } else { first["event_id"].clone() };
        scene.provider(created("resp_V"));
        scene.provider(already_active(about.clone()));
        assert_eq!(scene.events(), [started(1), LegEvent::Odd(Oddity::BenignError)], "{about}");
        assert_eq!(scene.frames(), Vec::<Value>::new(), "not while the other is made: {about}");
        scene.provider(done("resp_V", "completed"));
        let again = scene.frame();
        assert_eq!(again["response"], first["response"], "{about}");
        scene.provider(created_to_say("resp_2"));
        scene.provider(done("resp_2", "completed"));
        assert_eq!(scene.frames(), Vec::<Value>::new(), "said once: {about}");
    }
}

#[test]
fn a_refusal_that_comes_after_the_reply_in_its_way_loses_nothing() {
    let mut scene = Scene::ready(Turns::Live);
    scene.say("Hello.");
    let about = scene.frame()["event_id"].clone();
    scene.provider(created("resp_V"));
    scene.provider(done("resp_V", "completed"));
    scene.provider(already_active(about));
    assert_eq!(scene.sent(), ["response.create"]);
}

#[test]
fn a_refusal_of_somebody_else_s_create_does_not_repeat_ours() {
    let mut scene = Scene::ready(Turns::Live);
    scene.say("Hello.");
    scene.frames();
    scene.provider(created_to_say("resp_1"));
    scene.provider(already_active(Value::Null));
    scene.provider(done("resp_1", "completed"));
    assert_eq!(scene.frames(), Vec::<Value>::new());
    let mut scene = Scene::ready(Turns::Held);
    scene.call(LegCommand::Reply);
    scene.frames();
    scene.provider(created("resp_1"));
    scene.provider(already_active(Value::Null));
    scene.provider(done("resp_1", "completed"));
    assert_eq!(scene.frames(), Vec::<Value>::new());
}

#[test]
fn a_create_is_tried_three_times_and_not_for_ever() {
    let mut scene = Scene::ready(Turns::Live);
    scene.say("Hello.");
    for round in 1..=3 {
        let about = scene.frame()["event_id"].clone();
        scene.provider(created(&format!("resp_{round}")));
        scene.provider(already_active(about));
        scene.events();
        scene.provider(done(&format!("resp_{round}"), "completed"));
    }
    assert_eq!(scene.frames(), Vec::<Value>::new());
}

#[test]
fn a_nudge_that_meets_the_server_s_own_answer_is_not_repeated() {
    let mut scene = Scene::ready(Turns::Live);
    scene.call(LegCommand::Reply);
    let about = scene.frame()["event_id"].clone();
    scene.provider(created("resp_V"));
    scene.provider(already_active(about));
    scene.provider(done("resp_V", "completed"));
    assert_eq!(scene.frames(), Vec::<Value>::new());
}

#[test]
fn a_refusal_without_any_reply_in_sight_does_not_spin() {
    let mut scene = Scene::ready(Turns::Held);
    scene.call(LegCommand::Reply);
    let about = scene.frame()["event_id"].clone();
    scene.provider(already_active(about));
    assert_eq!(scene.frames(), Vec::<Value>::new(), "it waits for the end of what we do not see");
    scene.provider(done("resp_unseen", "completed"));
    assert_eq!(scene.sent(), ["response.create"]);
}

#[test]
fn a_create_that_cannot_be_made_is_told_as_a_reply_that_failed() {
    let cases = [
        ("invalid_request_error", json!("invalid_value"), FailureKind::Refused, "invalid_value: text"),
        ("server_error", Value::Null, FailureKind::Provider, "server_error: text"),
        ("requests", json!("rate_limit_exceeded"), FailureKind::RateLimited, "rate_limit_exceeded: text"),
    ];
    for (kind, code, failed_as, detail) in cases {
        for null_event_id in [false, true] {
            let mut scene = Scene::ready(Turns::Held);
            scene.call(LegCommand::Reply);
            let event_id = scene.frame()["event_id"].clone();
            let about = if null_event_id { Value::Null } else { event_id };
            scene.provider(error(kind, code.clone(), "text", about));
            let outcome = Outcome::FailedForNow(failure(failed_as, detail));
            assert_eq!(scene.events(), [LegEvent::Odd(Oddity::OwnError), started(1), finished(1, outcome)]);
            scene.call(LegCommand::Reply);
            assert_eq!(scene.sent(), ["response.create"], "the next one is not held up");
        }
    }
}

#[test]
fn a_held_reply_is_cancelled_by_its_id_and_only_once() {
    let mut scene = Scene::speaking(Turns::Held, 400);
    scene.provider(speech_started("item_U1"));
    scene.call(LegCommand::Cancel);
    scene.call(LegCommand::Cancel);
    assert_eq!(scene.frame(), cancel("pc-2", "resp_1"));
}

#[test]
fn nothing_is_cancelled_when_nothing_is_made() {
    let mut scene = Scene::ready(Turns::Held);
    scene.call(LegCommand::Cancel);
    scene.provider(created("resp_1"));
    scene.provider(done("resp_1", "completed"));
    scene.call(LegCommand::Cancel);
    assert_eq!(scene.frames(), Vec::<Value>::new());
}

#[test]
fn a_live_reply_that_the_caller_talks_over_is_stopped_by_the_server_alone() {
    let mut scene = Scene::speaking(Turns::Live, 400);
    scene.provider(speech_started("item_U1"));
    scene.call(LegCommand::Cancel);
    assert_eq!(scene.frames(), Vec::<Value>::new());
}

#[test]
fn a_live_reply_is_cancelled_when_the_caller_has_not_spoken_since_it_began() {
    let mut scene = Scene::ready(Turns::Live);
    scene.provider(speech_started("item_U1"));
    scene.provider(created("resp_1"));
    scene.call(LegCommand::Cancel);
    assert_eq!(scene.frame(), cancel("pc-2", "resp_1"));
}

#[test]
fn until_live_turns_are_confirmed_the_server_does_not_stop_by_itself() {
    let mut scene = Scene::speaking(Turns::Held, 400);
    scene.call(LegCommand::TakeTurns(Turns::Live));
    scene.provider(speech_started("item_U1"));
    scene.provider(updated(Turns::Live));
    scene.call(LegCommand::Cancel);
    assert_eq!(scene.sent(), ["session.update", "response.cancel"]);
}

#[test]
fn a_create_that_is_on_its_way_is_cancelled_as_soon_as_it_has_an_id() {
    for turns in [Turns::Held, Turns::Live] {
        let mut scene = Scene::ready(turns);
        scene.say("Hello.");
        scene.say("And this.");
        scene.frames();
        scene.call(LegCommand::Cancel);
        assert_eq!(scene.frames(), Vec::<Value>::new());
        scene.provider(created_to_say("resp_1"));
        assert_eq!(scene.frame(), cancel("pc-3", "resp_1"), "{turns:?}");
        scene.provider(done("resp_1", "cancelled"));
        assert_eq!(scene.frames(), Vec::<Value>::new(), "what waited is gone: {turns:?}");
    }
}

#[test]
fn a_cancelled_create_is_cancelled_even_behind_a_reply_of_the_server() {
    let mut scene = Scene::ready(Turns::Live);
    scene.say("Hello.");
    scene.frames();
    scene.call(LegCommand::Cancel);
    scene.provider(created("resp_V"));
    assert_eq!(scene.frame(), cancel("pc-3", "resp_V"));
    scene.provider(done("resp_V", "completed"));
    scene.provider(created_to_say("resp_2"));
    assert_eq!(scene.frame(), cancel("pc-4", "resp_2"));
}

#[test]
fn a_cancelled_create_that_is_refused_does_not_come_back() {
    let mut scene = Scene::ready(Turns::Live);
    scene.say("Hello.");
    let about = scene.frame()["event_id"].clone();
    scene.provider(created("resp_V"));
    scene.call(LegCommand::Cancel);
    scene.frames();
    scene.provider(already_active(about));
    scene.provider(done("resp_V", "cancelled"));
    assert_eq!(scene.frames(), Vec::<Value>::new());
}

#[test]
fn what_is_asked_after_a_cancel_waits_for_the_end_of_the_cancelled_reply() {
    let mut scene = Scene::replying(Turns::Held);
    scene.call(LegCommand::Cancel);
    scene.say("Sorry.");
    assert_eq!(scene.sent(), ["response.cancel"]);
    scene.provider(done("resp_1", "cancelled"));
    assert_eq!(scene.sent(), ["response.create"]);
}

#[test]
fn a_cancel_that_crosses_the_end_of_its_reply_changes_nothing() {
    let mut scene = Scene::replying(Turns::Held);
    scene.call(LegCommand::Cancel);
    let about = scene.frame()["event_id"].clone();
    scene.provider(done("resp_1", "completed"));
    let code = json!("response_cancel_not_active");
    scene.provider(error(
        "invalid_request_error",
        code,
        "Cancellation failed: no active response found",
        about,
    ));
    assert_eq!(scene.events(), [finished(1, Outcome::Completed), LegEvent::Odd(Oddity::BenignError)]);
    scene.call(LegCommand::Reply);
    assert_eq!(scene.sent(), ["response.create"]);
}

#[test]
fn late_audio_keeps_the_number_of_its_reply() {
    let mut scene = Scene::speaking(Turns::Live, 200);
    scene.provider(done("resp_1", "cancelled"));
    scene.provider(created("resp_2"));
    scene.events();
    scene.provider(speech("resp_1", "item_1", 100));
    let events = scene.events();
    assert!(matches!(&events[..], [LegEvent::Speech { reply: call::ReplyId(1), .. }]), "{events:?}");
}

#[test]
fn what_belongs_to_no_reply_is_odd_and_no_more() {
    let mut scene = Scene::ready(Turns::Live);
    for message in [
        speech("resp_9", "item_9", 20),
        item_added("resp_9", "item_9"),
        json!({ "type": "response.output_audio.done", "response_id": "resp_9", "item_id": "item_9" }),
        json!({ "type": "response.output_audio_transcript.delta", "response_id": "r", "item_id": "i", "delta": "x" }),
        json!({ "type": "conversation.item.input_audio_transcription.delta", "item_id": "i", "delta": "x" }),
        done("resp_9", "completed"),
    ] {
        scene.provider(message.clone());
        assert_eq!(scene.events(), [LegEvent::Odd(Oddity::UnknownEvent)], "{message}");
    }
}

#[test]
fn a_reply_begins_once_and_is_done_once() {
    let mut scene = Scene::replying(Turns::Live);
    scene.provider(created("resp_1"));
    assert_eq!(scene.events(), [LegEvent::Odd(Oddity::UnknownEvent)]);
    scene.provider(done("resp_1", "completed"));
    scene.provider(done("resp_1", "completed"));
    assert_eq!(scene.events(), [finished(1, Outcome::Completed), LegEvent::Odd(Oddity::UnknownEvent)]);
}

#[test]
fn the_late_end_of_an_older_reply_does_not_let_the_next_create_out() {
    let mut scene = Scene::replying(Turns::Live);
    scene.provider(created("resp_2"));
    scene.say("Hello.");
    scene.provider(done("resp_1", "cancelled"));
    assert_eq!(scene.frames(), Vec::<Value>::new());
    scene.provider(done("resp_2", "completed"));
    assert_eq!(scene.sent(), ["response.create"]);
}

#[test]
fn an_error_about_an_item_does_not_count_against_a_create_on_its_way() {
    let mut scene = Scene::ready(Turns::Held);
    scene.call(LegCommand::Reply);
    scene.frames();
    scene.provider(error("invalid_request_error", json!("item_not_found"), "text", Value::Null));
    assert_eq!(scene.events(), [LegEvent::Odd(Oddity::OwnError)]);
    scene.call(LegCommand::Reply);
    assert_eq!(scene.frames(), Vec::<Value>::new(), "the first is still on its way");
}
