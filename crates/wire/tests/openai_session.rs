//! Does a session with OpenAI start as it must, and say each thing it hears once and in order?

mod scene;

use bytes::Bytes;
use call::{
    Audio, FailureKind, ItemId, LegCommand, LegEvent, Oddity, Outcome, ReplyId, ToolId, Turns, Usage,
};
use scene::*;
use serde_json::{Value, json};
use wire::{
    Frame, Protocol,
    openai::{Eagerness, NoiseReduction, ReasoningEffort, Setup, Transcription, Turn},
};

#[test]
fn a_whole_turn_is_told_in_the_call_s_words() {
    let mut scene = Scene::ready(Turns::Live);
    for message in [
        speech_started("item_U1"),
        json!({ "type": "input_audio_buffer.speech_stopped", "audio_end_ms": 4810, "item_id": "item_U1" }),
        committed("item_U1"),
        json!({ "type": "conversation.item.added", "item": { "id": "item_U1", "role": "user" } }),
        created("resp_1"),
        item_added("resp_1", "item_A1"),
        json!({ "type": "response.content_part.added", "part": { "type": "audio", "transcript": "" } }),
        json!({ "type": "response.output_audio_transcript.delta", "response_id": "resp_1", "item_id": "item_A1",
            "delta": "We open ", "obfuscation": "abc" }),
        json!({ "type": "response.output_audio.delta", "response_id": "resp_1", "item_id": "item_A1",
            "content_index": 0, "delta": "fn5+/w==" }),
        json!({ "type": "conversation.item.input_audio_transcription.completed", "item_id": "item_U1",
            "content_index": 0, "transcript": "When do you open?",
            "usage": { "type": "tokens", "total_tokens": 26, "input_tokens": 17 } }),
        json!({ "type": "response.output_audio.done", "response_id": "resp_1", "item_id": "item_A1" }),
        json!({ "type": "response.output_audio_transcript.done", "response_id": "resp_1", "item_id": "item_A1",
            "transcript": "We open at eight." }),
        json!({ "type": "conversation.item.done", "item": { "id": "item_A1" } }),
        json!({ "type": "response.output_item.done", "item": { "id": "item_A1" } }),
        done("resp_1", "completed"),
        json!({ "type": "rate_limits.updated", "rate_limits": [] }),
    ] {
        scene.provider(message);
    }
    let (reply, caller, agent) = (ReplyId(1), ItemId(1), ItemId(2));
    let words = |text: &str, whole| LegEvent::AgentWords { item: agent, text: text.into(), whole };
    let audio = Audio::base64(Bytes::from("fn5+/w==")).unwrap();
    assert_eq!(
        scene.events(),
        [
            LegEvent::SpeechStarted,
            LegEvent::SpeechStopped,
            LegEvent::TurnCommitted { item: caller },
            LegEvent::ReplyStarted { reply },
            LegEvent::ItemStarted { reply, item: agent },
            words("We open ", false),
            LegEvent::Speech { reply, item: agent, audio },
            LegEvent::CallerWords { item: caller, text: "When do you open?".into(), whole: true },
            LegEvent::Used(Usage {
                transcription_audio_in: 17,
                transcription_text_out: 9,
                ..Usage::default()
            }),
            LegEvent::SpeechDone { reply, item: agent },
            words("We open at eight.", true),
            finished(1, Outcome::Completed),
        ]
    );
    assert_eq!(scene.frames(), Vec::<Value>::new());
}

#[test]
fn a_tool_that_the_provider_runs_by_itself_is_told_and_needs_no_result() {
    let mut scene = Scene::replying(Turns::Live);
    let item = |more: Value| {
        let mut item =
            json!({ "id": "mcp_1", "type": "mcp_call", "server_label": "calendar", "name": "list" });
        item.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        item
    };
    scene.provider(json!({ "type": "mcp_list_tools.completed", "item_id": "l" }));
    scene.provider(
        json!({ "type": "response.output_item.added", "response_id": "resp_1", "item": item(json!({})) }),
    );
    scene.provider(json!({ "type": "response.mcp_call_arguments.delta", "item_id": "mcp_1", "delta": "{" }));
    assert_eq!(scene.events(), []);
    let arguments = json!({ "type": "response.mcp_call_arguments.done", "response_id": "resp_1", "item_id": "mcp_1",
        "arguments": "{}" });
    scene.provider(arguments.clone());
    scene.provider(arguments); // twice is once
    let (reply, id) = (ReplyId(1), ToolId(1));
    let (server, name, arguments) = ("calendar".to_owned(), "list".to_owned(), "{}".to_owned());
    let runs = LegEvent::ToolElsewhere { reply, id, server, name, arguments };
    assert_eq!(scene.events(), [runs, LegEvent::Odd(Oddity::UnknownEvent)]);
    scene.provider(json!({ "type": "response.mcp_call.completed", "item_id": "mcp_1" }));
    scene.provider(json!({ "type": "response.output_item.done", "response_id": "resp_1",
        "item": item(json!({ "output": "[]", "error": null })) }));
    let done = |result: Option<&str>| LegEvent::ToolElsewhereDone {
        id,
        failed: false,
        result: result.map(str::to_owned),
    };
    assert_eq!(scene.events(), [done(None), done(Some("[]"))]);
    scene.session.obey(LegCommand::ToolResult { id, result: "{}".into() });
    assert_eq!(scene.frames(), Vec::<Value>::new());
    // A server that cannot be talked to, and a call that nobody announced.
    scene.provider(json!({ "type": "mcp_list_tools.failed", "item_id": "l" }));
    scene.provider(json!({ "type": "response.mcp_call.failed", "item_id": "mcp_9" }));
    assert_eq!(scene.events(), [LegEvent::Odd(Oddity::OwnError), LegEvent::Odd(Oddity::UnknownEvent)]);
}

#[test]
fn the_first_update_asks_for_ulaw_both_ways_and_for_every_setting() {
    let mut scene = Scene::new(Setup {
        instructions: "You answer the phone.".into(),
        voice: Some("marin".into()),
        speed: Some(1.25),
        language: Some("de-CH".into()),
        turn: Turn::ServerVad { threshold: 0.75, prefix_padding_ms: 200, silence_ms: 600 },
        noise_reduction: Some(NoiseReduction::FarField),
        transcription: Some(Transcription { model: "gpt-transcribe".into() }),
        max_output_tokens: Some(900),
        reasoning_effort: Some(ReasoningEffort::Xhigh),
        tools: Vec::new(),
        servers: Vec::new(),
        turns: Turns::Held,
    });
    assert_eq!(scene.frames(), Vec::<Value>::new(), "nothing is sent before session.created");
    scene.provider(json!({ "type": "conversation.created" }));
    scene.provider(json!({ "type": "session.created", "session": { "type": "realtime" } }));
    let ulaw = json!({ "type": "audio/pcmu" });
    assert_eq!(
        scene.frame(),
        json!({ "type": "session.update", "event_id": "pc-1", "session": {
            "type": "realtime", "output_modalities": ["audio"], "instructions": "You answer the phone.",
            "audio": {
                "input": { "format": ulaw, "noise_reduction": { "type": "far_field" },
                    "transcription": { "model": "gpt-transcribe", "languages": ["de"] },
                    "turn_detection": { "type": "server_vad", "threshold": 0.75, "prefix_padding_ms": 200,
                        "silence_duration_ms": 600, "create_response": false, "interrupt_response": false } },
                "output": { "format": ulaw, "voice": "marin", "speed": 1.25 } },
            "reasoning": { "effort": "xhigh" }, "max_output_tokens": 900 } })
    );
    assert_eq!(scene.events(), []);
}

#[test]
fn what_is_not_set_is_left_to_the_provider() {
    let turn = Turn::Semantic { eagerness: Eagerness::Low };
    let mut scene = Scene::new(Setup { turn, turns: Turns::Live, ..Setup::default() });
    scene.provider(json!({ "type": "session.created" }));
    let ulaw = json!({ "type": "audio/pcmu" });
    assert_eq!(
        scene.frame()["session"],
        json!({ "type": "realtime", "output_modalities": ["audio"], "instructions": "",
            "audio": { "input": { "format": ulaw, "turn_detection": { "type": "semantic_vad", "eagerness": "low",
                "create_response": true, "interrupt_response": true } }, "output": { "format": ulaw } } })
    );
}

#[test]
fn older_transcription_models_take_one_language() {
    let transcription = Some(Transcription { model: "whisper-1".into() });
    let mut scene = Scene::new(Setup { language: Some("EN".into()), transcription, ..Setup::default() });
    scene.provider(json!({ "type": "session.created" }));
    let asked = &scene.frame()["session"]["audio"]["input"]["transcription"];
    assert_eq!(*asked, json!({ "model": "whisper-1", "language": "en" }));
}

#[test]
fn no_audio_goes_out_before_the_formats_are_confirmed() {
    let hear = || LegCommand::Hear(Audio::ulaw(&[0x7e, 0x7e, 0x7e, 0xff]));
    let mut scene = Scene::new(Setup::default());
    scene.call(hear());
    scene.provider(json!({ "type": "session.created" }));
    scene.call(hear());
    assert_eq!(scene.sent(), ["session.update"]);
    scene.provider(updated(Turns::Held));
    assert_eq!(scene.events(), [LegEvent::Ready]);
    scene.call(hear());
    scene.call(LegCommand::Hear(Audio::ulaw(&[])));
    let frame = scene.session.poll_frame().unwrap();
    assert_eq!(
        frame,
        Frame::Audio {
            text: Bytes::from(r#"{"type":"input_audio_buffer.append","audio":"fn5+/w=="}"#),
            time: std::time::Duration::from_micros(500),
        }
    );
    assert_eq!(scene.frames(), Vec::<Value>::new());
}

#[test]
fn many_frames_come_out_of_the_buffer_as_they_went_in() {
    let mut scene = Scene::ready(Turns::Live);
    let mut kept = Vec::new();
    for (size, byte) in [(160, 1), (160, 2), (8000, 3), (1, 4)].into_iter().cycle().take(100) {
        scene.call(LegCommand::Hear(Audio::ulaw(&vec![byte; size])));
        kept.push((scene.frame(), Audio::ulaw(&vec![byte; size])));
    }
    for (frame, audio) in kept {
        assert_eq!(frame, json!({ "type": "input_audio_buffer.append", "audio": audio.text() }));
    }
}

#[test]
fn a_session_in_another_format_never_becomes_ready() {
    let with = |input: Value, output: Value| {
        json!({ "type": "session.updated", "session": { "audio": {
            "input": { "format": input }, "output": { "format": output } } } })
    };
    let (ulaw, pcm) = (json!({ "type": "audio/pcmu" }), json!({ "type": "audio/pcm", "rate": 24000 }));
    for updated in [
        with(pcm.clone(), ulaw.clone()),
        with(ulaw.clone(), pcm),
        with(ulaw, Value::Null),
        with(json!("g711_ulaw"), json!("g711_ulaw")),
        json!({ "type": "session.updated", "session": {} }),
        json!({ "type": "session.updated" }),
    ] {
        let mut scene = Scene::new(Setup::default());
        scene.provider(json!({ "type": "session.created" }));
        scene.provider(updated.clone());
        let events = scene.events();
        let [LegEvent::Failed(failure)] = &events[..] else { panic!("{updated}: {events:?}") };
        assert_eq!(failure.kind, FailureKind::Nonsense, "{updated}");
    }
}

#[test]
fn a_later_switch_of_the_formats_ends_the_leg_instead_of_sending_static() {
    let mut scene = Scene::ready(Turns::Live);
    let pcm = json!({ "type": "audio/pcm", "rate": 24000 });
    scene.provider(json!({ "type": "session.updated", "session": { "audio": {
        "input": { "format": pcm }, "output": { "format": pcm } } } }));
    assert_eq!(scene.failure().kind, FailureKind::Nonsense);
}

#[test]
fn an_answer_that_is_given_up_is_paid_for_though_nobody_says_what_it_took() {
    let lost = LegEvent::Used(Usage { untold_answers: 1, ..Usage::default() });
    let mut closed = Scene::replying(Turns::Live);
    closed.events();
    closed.call(LegCommand::Close);
    assert_eq!(closed.events(), std::slice::from_ref(&lost));
    let mut broken = Scene::replying(Turns::Live);
    broken.events();
    broken.session.closed(None, "connection broken");
    assert!(matches!(&broken.events()[..], [used, LegEvent::Failed(_)] if *used == lost));
    let mut idle = Scene::ready(Turns::Live);
    idle.events();
    idle.call(LegCommand::Close);
    assert_eq!(idle.events(), []);
}
