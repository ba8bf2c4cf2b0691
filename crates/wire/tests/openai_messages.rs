//! Is what is new told from what is broken, and is every message read whatever is missing in it?

mod scene;

use call::{FailureKind, LegCommand, LegEvent, Oddity, Turns, Usage};
use proptest::prelude::*;
use scene::*;
use serde_json::{Value, json};
use wire::{
    Frame, Protocol,
    openai::{Session, Setup, path_and_query, refused},
};

#[test]
fn usage_is_read_whatever_part_of_it_is_missing() {
    let whole = json!({ "total_tokens": 253, "input_tokens": 132, "output_tokens": 121,
        "input_token_details": { "text_tokens": 119, "audio_tokens": 13, "image_tokens": 5, "cached_tokens": 66,
            "cached_tokens_details": { "text_tokens": 60, "audio_tokens": 4, "image_tokens": 2 } },
        "output_token_details": { "text_tokens": 30, "audio_tokens": 91 } });
    let none = Usage::default();
    let untold = Usage { untold_answers: 1, ..none };
    let cases = [
        (
            whole,
            Usage {
                text_in: 119,
                text_cached: 60,
                audio_in: 13,
                audio_cached: 4,
                image_in: 5,
                image_cached: 2,
                text_out: 30,
                audio_out: 91,
                ..none
            },
        ),
        (Value::Null, untold),
        (json!({}), untold),
        (json!({ "input_tokens": 132, "output_tokens": 121 }), Usage { text_in: 132, text_out: 121, ..none }),
        (
            json!({ "input_token_details": null, "output_token_details": { "text_tokens": null, "audio_tokens": "91" } }),
            Usage { audio_out: 91, ..none },
        ),
        (
            json!({ "input_token_details": { "text_tokens": 9, "cached_tokens": 5, "cached_tokens_details": null } }),
            Usage { text_in: 9, text_cached: 5, ..none },
        ),
        (
            json!({ "input_token_details": { "text_tokens": 9, "cached_tokens": 50 } }),
            Usage { text_in: 9, text_cached: 9, ..none },
        ),
        (
            json!({ "input_token_details": { "text_tokens": 9, "audio_tokens": 70, "cached_tokens": 50 } }),
            Usage { text_in: 9, text_cached: 9, audio_in: 70, audio_cached: 41, ..none },
        ),
        (
            json!({ "input_tokens": u64::MAX, "output_tokens": -4 }),
            Usage { text_in: u32::MAX.into(), ..none },
        ),
    ];
    for (usage, expected) in cases {
        let mut scene = Scene::replying(Turns::Live);
        scene.provider(json!({ "type": "response.done",
            "response": { "id": "resp_1", "status": "completed", "usage": usage } }));
        match &scene.events()[..] {
            [LegEvent::ReplyDone { usage: read, .. }] => assert_eq!(*read, expected, "{usage}"),
            other => panic!("{usage}: {other:?}"),
        }
    }
}

#[test]
fn a_transcription_is_paid_in_tokens_or_in_time() {
    let (none, ms) = (Usage::default(), std::time::Duration::from_millis);
    for (usage, expected) in [
        (json!({ "type": "duration", "seconds": 1.5 }), Some(Usage { transcribed: ms(1_500), ..none })),
        (json!({ "type": "duration", "seconds": -1.5 }), Some(none)),
        (json!({ "type": "tokens", "total_tokens": 26 }), Some(Usage { transcription_audio_in: 26, ..none })),
        (
            json!({ "type": "tokens", "total_tokens": 26, "input_tokens": 17, "output_tokens": 9,
                "input_token_details": { "text_tokens": 4, "audio_tokens": 13 } }),
            Some(Usage {
                transcription_audio_in: 13,
                transcription_text_in: 4,
                transcription_text_out: 9,
                ..none
            }),
        ),
        (json!({ "type": "characters", "characters": 26 }), None),
        (Value::Null, None),
    ] {
        let mut scene = Scene::ready(Turns::Live);
        scene.provider(committed("item_U1"));
        scene.events();
        scene.provider(json!({ "type": "conversation.item.input_audio_transcription.completed",
            "item_id": "item_U1", "transcript": "Hi", "usage": usage, "languages": ["en"] }));
        let words = LegEvent::CallerWords { item: call::ItemId(1), text: "Hi".into(), whole: true };
        let expected: Vec<_> = [words].into_iter().chain(expected.map(LegEvent::Used)).collect();
        assert_eq!(scene.events(), expected, "{usage}");
    }
}

#[test]
fn what_vendors_add_is_tolerated_and_counted() {
    let unknown = [LegEvent::Odd(Oddity::UnknownEvent)];
    for (text, expected) in [
        (r#"{"type":"ping"}"#, &[][..]),
        (r#"{"type":"conversation.created"}"#, &[]),
        (r#"{"type":"rate_limits.updated","rate_limits":[{"name":"tokens"}]}"#, &[]),
        (
            r#"{"type":"response.mood","delta":{"x":[1,null]},"item_id":7,"transcript":[],"content_index":{}}"#,
            &unknown,
        ),
        (
            r#"{"type":"response.output_item.added","response_id":"r","item":{"id":"f","type":"mcp_call"}}"#,
            &unknown,
        ),
        (r#"{"type":"response.function_call_arguments.delta","delta":"{"}"#, &[]),
        (r#"{"type":"session.created","session":{}}"#, &unknown),
        (r#"{"type":"input_audio_buffer.speech_started"}"#, &[LegEvent::SpeechStarted]),
        (
            r#"{"type":"conversation.item.input_audio_transcription.failed","item_id":"i","error":null}"#,
            &[LegEvent::Odd(Oddity::BenignError)],
        ),
    ] {
        let mut scene = Scene::ready(Turns::Live);
        scene.text(text);
        assert_eq!(scene.events(), expected, "{text}");
    }
}

#[test]
fn what_is_broken_is_told_from_what_is_new() {
    let long_id = format!(r#"{{"type":"response.created","response":{{"id":"{}"}}}}"#, "r".repeat(257));
    let minutes = json!({ "type": "response.output_audio.delta", "response_id": "resp_1", "item_id": "item_1",
        "delta": call::Audio::ulaw(&vec![7; 480_001]).text() });
    for text in [
        "",
        "not json",
        "[]",
        "{}",
        r#"{"type":null}"#,
        r#"{"type":"error"}"#,
        r#"{"type":"error","error":7}"#,
        r#"{"type":"response.created"}"#,
        r#"{"type":"response.created","response":{"id":""}}"#,
        r#"{"type":"response.done","response":{"status":"completed"}}"#,
        r#"{"type":"response.output_item.added","response_id":"resp_1","item":{"type":"message","role":"assistant"}}"#,
        r#"{"type":"input_audio_buffer.committed"}"#,
        r#"{"type":"response.output_audio.delta","response_id":"resp_1","item_id":"item_1","delta":"a\"b="}"#,
        r#"{"type":"response.output_audio.delta","response_id":"resp_1","item_id":"item_1","delta":"abc"}"#,
        &long_id,
        &minutes.to_string(),
    ] {
        let mut scene = Scene::replying(Turns::Live);
        scene.text(text);
        assert_eq!(scene.events(), [LegEvent::Odd(Oddity::Malformed)], "{}", &text[..text.len().min(100)]);
    }
}

#[test]
fn escapes_in_a_payload_are_understood() {
    let mut scene = Scene::speaking(Turns::Live, 20);
    scene.text(r#"{"type":"response.output\u005faudio.delta","response_id":"resp\u005f1","item_id":"item_1","delta":"a\/b+"}"#);
    match &scene.events()[..] {
        [LegEvent::Speech { audio, .. }] => assert_eq!(audio.text(), "a/b+"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn speech_is_a_piece_of_the_message_and_not_a_copy() {
    let mut scene = Scene::speaking(Turns::Live, 20);
    let text = bytes::Bytes::from(speech("resp_1", "item_1", 200).to_string());
    scene.session.read(&text);
    match &scene.events()[..] {
        [LegEvent::Speech { audio, .. }] => {
            assert!(text.as_ptr_range().contains(&audio.text_bytes().as_ptr()))
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_provider_that_talks_nonsense_fails() {
    let mut scene = Scene::new(Setup::default());
    scene.text("<html>");
    assert_eq!(scene.failure().kind, FailureKind::Nonsense);
    let mut scene = Scene::new(Setup::default());
    scene.session.read_binary(&bytes::Bytes::new());
    assert_eq!(scene.failure().kind, FailureKind::Nonsense);
    let mut scene = Scene::ready(Turns::Live);
    for _ in 0..8 {
        scene.text("{");
        scene.session.read_binary(&bytes::Bytes::new());
    }
    assert_eq!(scene.events(), [const { LegEvent::Odd(Oddity::Malformed) }; 16]);
    scene.text("{");
    assert_eq!(scene.failure().kind, FailureKind::Nonsense);
}

#[test]
fn a_ping_goes_out_and_its_answer_is_a_sign_of_life() {
    let mut scene = Scene::ready(Turns::Live);
    scene.call(LegCommand::Ping);
    assert_eq!(scene.frames(), ["ping"]);
    scene.session.pong();
    assert_eq!(scene.events(), [LegEvent::Alive]);
}

#[test]
fn what_nobody_takes_ends_the_leg_instead_of_growing() {
    let mut scene = Scene::ready(Turns::Live);
    for _ in 0..5000 {
        scene.call(LegCommand::Ping);
    }
    assert_eq!(scene.failure().kind, FailureKind::Stuck);
    assert_eq!(scene.frames().len(), 1024);
    let mut scene = Scene::ready(Turns::Live);
    for _ in 0..5000 {
        scene.session.pong();
    }
    assert_eq!(scene.events().len(), 1025, "the last is the failure");
    let mut scene = Scene::ready(Turns::Live);
    for _ in 0..5000 {
        scene.provider(speech_started("item_U1"));
    }
    assert_eq!(scene.events().len(), 1025, "the last is the failure");
}

#[test]
fn a_model_s_name_is_safe_in_the_address() {
    assert_eq!(path_and_query("gpt-realtime-2.1_x~"), "/realtime?model=gpt-realtime-2.1_x~");
    assert_eq!(path_and_query("a b&c=d/é\r\n"), "/realtime?model=a%20b%26c%3Dd%2F%C3%A9%0D%0A");
}

#[test]
fn a_debug_print_shows_no_words() {
    let mut session = Session::new(Setup { instructions: "MARKER".into(), ..Setup::default() });
    let setup = Setup { instructions: "MARKER".into(), ..Setup::default() };
    session.obey(LegCommand::Say(call::Say { text: "MARKER".into() }));
    let frame = Frame::Control("MARKER".into());
    assert!(!format!("{session:?} {setup:?} {frame:?}").contains("MARKER"));
}

/// Messages whose parts are of any type, with the ids that the scene knows and others.
fn any_message() -> impl Strategy<Value = String> {
    let kinds = vec![
        "session.created",
        "session.updated",
        "response.created",
        "response.done",
        "response.output_item.added",
        "response.output_audio.delta",
        "response.output_audio.done",
        "response.output_audio_transcript.delta",
        "input_audio_buffer.speech_started",
        "input_audio_buffer.committed",
        "error",
        "conversation.item.input_audio_transcription.completed",
        "new.event",
    ];
    let values = vec![
        "null",
        "0",
        "-1",
        "1e999",
        "\"\"",
        "\"\\ud800\"",
        "\"fn5+/w==\"",
        "[]",
        "{}",
        "\"resp_1\"",
        "\"item_1\"",
        r#"{"id":"resp_1"}"#,
        r#"{"id":"resp_2","status":"failed","status_details":{"error":{"code":"server_error"}}}"#,
        r#"{"id":"item_1","type":"message","role":"assistant"}"#,
        r#"{"code":"unknown_parameter","event_id":"pc-2"}"#,
        r#"{"code":"conversation_already_has_active_response"}"#,
        r#"{"audio":{"input":null}}"#,
    ];
    let fields = vec![
        "response_id",
        "item_id",
        "delta",
        "response",
        "item",
        "error",
        "session",
        "content_index",
        "usage",
    ];
    let parts =
        proptest::collection::btree_map(prop::sample::select(fields), prop::sample::select(values), 0..5);
    (prop::sample::select(kinds), parts).prop_map(|(kind, parts)| {
        let parts: String = parts.iter().map(|(field, value)| format!(r#","{field}":{value}"#)).collect();
        format!(r#"{{"type":"{kind}"{parts}}}"#)
    })
}

fn any_command() -> impl Strategy<Value = LegCommand> {
    prop_oneof![
        Just(LegCommand::Reply),
        Just(LegCommand::Cancel),
        Just(LegCommand::Say(call::Say { text: "Hi".into() })),
        Just(LegCommand::TakeTurns(Turns::Held)),
        Just(LegCommand::TakeTurns(Turns::Live)),
        (0..4u32).prop_map(|item| LegCommand::Forget { item: call::ItemId(item) }),
        (0..4u32, 0..900u64).prop_map(|(item, ms)| cut(item, ms)),
    ]
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        Scene::speaking(Turns::Live, 20).session.read(&bytes::Bytes::from(bytes.clone()));
        refused(400, &bytes);
        Scene::new(Setup::default()).session.closed(Some(4000), &String::from_utf8_lossy(&bytes));
    }

    #[test]
    fn whatever_crosses_it_says_failed_at_most_once_and_last(
        steps in proptest::collection::vec(prop_oneof![any_message().prop_map(Ok), any_command().prop_map(Err)], 0..60),
    ) {
        let mut scene = Scene::speaking(Turns::Live, 400);
        let mut creates_on_their_way = 0;
        let mut events = Vec::new();
        for step in steps {
            match step {
                Ok(message) => {
                    creates_on_their_way = 0;
                    scene.text(&message);
                }
                Err(command) => scene.call(command),
            }
            creates_on_their_way += scene.sent().iter().filter(|kind| *kind == "response.create").count();
            prop_assert!(creates_on_their_way <= 1, "two creates without a word of the provider between them");
            events.extend(scene.events());
        }
        let failed = events.iter().position(|event| matches!(event, LegEvent::Failed(_)));
        prop_assert!(failed.is_none_or(|at| at + 1 == events.len()), "{events:?}");
    }
}
