//! Does the provider's history end where the caller stopped hearing, and who takes turns change hands?

mod scene;

use std::time::Duration;

use call::{ItemId, LegCommand, LegEvent, Oddity, Turns};
use scene::*;
use serde_json::{Value, json};

fn truncate(event_id: &str, item: &str, part: u32, ms: u64) -> Value {
    json!({ "type": "conversation.item.truncate", "event_id": event_id, "item_id": item,
        "content_index": part, "audio_end_ms": ms })
}

fn delete(event_id: &str, item: &str) -> Value {
    json!({ "type": "conversation.item.delete", "event_id": event_id, "item_id": item })
}

#[test]
fn an_item_is_cut_to_what_was_heard_and_never_past_its_end() {
    for (heard, expected) in [
        (Duration::from_millis(250), truncate("pc-2", "item_1", 0, 250)),
        (Duration::from_micros(250_999), truncate("pc-2", "item_1", 0, 250)),
        (Duration::from_millis(400), truncate("pc-2", "item_1", 0, 400)),
        (Duration::from_millis(460), truncate("pc-2", "item_1", 0, 400)),
        (Duration::MAX, truncate("pc-2", "item_1", 0, 400)),
        (Duration::from_micros(999), delete("pc-2", "item_1")),
        (Duration::ZERO, delete("pc-2", "item_1")),
    ] {
        let mut scene = Scene::speaking(Turns::Live, 400);
        scene.call(LegCommand::Truncate { item: ItemId(1), heard });
        assert_eq!(scene.frame(), expected, "heard {heard:?}");
    }
}

#[test]
fn half_milliseconds_at_the_end_do_not_count() {
    let mut scene = Scene::replying(Turns::Live);
    scene.provider(
        json!({ "type": "response.output_audio.delta", "response_id": "resp_1", "item_id": "item_1",
        "content_index": 2, "delta": call::Audio::ulaw(&[7; 85]).text() }),
    );
    scene.call(cut(1, 100));
    assert_eq!(scene.frame(), truncate("pc-2", "item_1", 2, 10));
}

#[test]
fn a_second_cut_of_an_item_does_not_reach_past_the_first() {
    let mut scene = Scene::speaking(Turns::Live, 400);
    scene.call(cut(1, 100));
    scene.call(cut(1, 300));
    scene.call(cut(1, 50));
    assert_eq!(
        scene.frames(),
        [
            truncate("pc-2", "item_1", 0, 100),
            truncate("pc-3", "item_1", 0, 100),
            truncate("pc-4", "item_1", 0, 50)
        ]
    );
}

#[test]
fn each_item_of_a_reply_is_cut_on_its_own() {
    let mut scene = Scene::speaking(Turns::Live, 400);
    scene.provider(item_added("resp_1", "item_2"));
    scene.provider(speech("resp_1", "item_2", 200));
    scene.provider(item_added("resp_1", "item_3"));
    scene.call(cut(2, 300));
    scene.call(cut(3, 300));
    scene.call(LegCommand::Forget { item: ItemId(1) });
    assert_eq!(
        scene.frames(),
        [truncate("pc-2", "item_2", 0, 200), delete("pc-3", "item_3"), delete("pc-4", "item_1")]
    );
}

#[test]
fn an_item_that_is_still_being_made_is_cancelled_first_and_cut_then() {
    let mut scene = Scene::speaking(Turns::Held, 400);
    scene.call(LegCommand::Cancel);
    scene.call(cut(1, 100));
    assert_eq!(scene.sent(), ["response.cancel", "conversation.item.truncate"]);
}

#[test]
fn what_is_unknown_gone_or_the_caller_s_own_is_not_cut() {
    let mut scene = Scene::speaking(Turns::Live, 400);
    scene.provider(committed("item_U1"));
    scene.call(cut(2, 100));
    scene.call(cut(7, 100));
    scene.call(LegCommand::Forget { item: ItemId(7) });
    assert_eq!(scene.frames(), Vec::<Value>::new());
    scene.call(LegCommand::Forget { item: ItemId(1) });
    assert_eq!(scene.sent(), ["conversation.item.delete"]);
    scene.call(LegCommand::Forget { item: ItemId(1) });
    scene.call(cut(1, 100));
    assert_eq!(scene.frames(), Vec::<Value>::new());
}

#[test]
fn only_the_latest_items_and_replies_are_remembered() {
    let mut scene = Scene::speaking(Turns::Live, 400);
    for number in 2..=65 {
        scene.provider(item_added("resp_1", &format!("item_{number}")));
        scene.provider(speech("resp_1", &format!("item_{number}"), 20));
    }
    scene.events();
    scene.call(cut(1, 100));
    assert_eq!(scene.frames(), Vec::<Value>::new(), "the first of 65 is forgotten");
    scene.call(cut(2, 10));
    assert_eq!(scene.frame(), truncate("pc-3", "item_2", 0, 10));
    for number in 2..=17 {
        scene.provider(created(&format!("resp_{number}")));
    }
    scene.events();
    scene.provider(speech("resp_1", "item_1", 20));
    assert_eq!(scene.events(), [LegEvent::Odd(Oddity::UnknownEvent)], "the first of 17 is forgotten");
    scene.provider(speech("resp_2", "item_65", 20));
    assert!(matches!(scene.events()[..], [LegEvent::Speech { .. }]));
}

#[test]
fn ids_are_sent_back_as_they_came_whatever_is_in_them() {
    let odd_id = "it\"em\\\u{1}\n ä";
    let mut scene = Scene::ready(Turns::Held);
    scene.provider(created(odd_id));
    scene.provider(item_added(odd_id, odd_id));
    scene.provider(speech(odd_id, odd_id, 20));
    scene.call(LegCommand::Cancel);
    scene.call(cut(1, 10));
    let frames = scene.frames();
    assert_eq!(frames[0]["response_id"], odd_id);
    assert_eq!(frames[1]["item_id"], odd_id);
}

#[test]
fn an_item_that_was_not_announced_is_announced_with_its_first_audio() {
    let mut scene = Scene::replying(Turns::Live);
    scene.provider(speech("resp_1", "item_1", 20));
    let events = scene.events();
    assert!(matches!(events[..], [LegEvent::ItemStarted { .. }, LegEvent::Speech { .. }]), "{events:?}");
}

fn turns_update(event_id: &str, live: bool) -> Value {
    json!({ "type": "session.update", "event_id": event_id, "session": { "type": "realtime", "audio": { "input": {
        "turn_detection": { "type": "server_vad", "threshold": 0.5, "prefix_padding_ms": 300,
            "silence_duration_ms": 500, "create_response": live, "interrupt_response": live } } } } })
}

#[test]
fn taking_turns_later_touches_neither_formats_nor_voice() {
    let mut scene = Scene::ready(Turns::Held);
    scene.call(LegCommand::TakeTurns(Turns::Live));
    assert_eq!(scene.frame(), turns_update("pc-2", true));
    scene.provider(updated(Turns::Live));
    assert_eq!(scene.events(), [], "ready is said once");
    scene.call(LegCommand::TakeTurns(Turns::Live));
    assert_eq!(scene.frames(), Vec::<Value>::new(), "it is so already");
}

#[test]
fn one_update_is_on_its_way_at_a_time_and_the_last_wish_wins() {
    let mut scene = Scene::ready(Turns::Held);
    for turns in [Turns::Live, Turns::Held, Turns::Live, Turns::Held] {
        scene.call(LegCommand::TakeTurns(turns));
    }
    assert_eq!(scene.frame(), turns_update("pc-2", true));
    scene.provider(updated(Turns::Live));
    assert_eq!(scene.frame(), turns_update("pc-3", false));
    scene.provider(updated(Turns::Held));
    assert_eq!(scene.frames(), Vec::<Value>::new());
}

#[test]
fn a_wish_before_the_session_is_ready_is_not_lost() {
    let mut scene = Scene::new(wire::openai::Setup::default());
    scene.provider(json!({ "type": "session.created" }));
    scene.call(LegCommand::TakeTurns(Turns::Live));
    assert_eq!(scene.sent(), ["session.update"]);
    scene.provider(updated(Turns::Held));
    assert_eq!(scene.frame(), turns_update("pc-2", true));
}

#[test]
fn a_refused_update_leaves_the_turns_as_they_are_and_does_not_block_the_next() {
    for null_event_id in [false, true] {
        let mut scene = Scene::ready(Turns::Held);
        scene.call(LegCommand::TakeTurns(Turns::Live));
        let event_id = scene.frame()["event_id"].clone();
        let about = if null_event_id { Value::Null } else { event_id };
        scene.provider(error("invalid_request_error", json!("unknown_parameter"), "text", about));
        assert_eq!(scene.events(), [LegEvent::Odd(Oddity::OwnError)]);
        scene.call(LegCommand::TakeTurns(Turns::Live));
        assert_eq!(scene.sent(), ["session.update"]);
    }
}
