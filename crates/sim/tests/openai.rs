//! Does the pretend service answer as the real one does, and does it count every mistake?

mod common;

use common::{LIMIT, Socket, configured, encode, hear, open, open_session, say, ulaw_session};
use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use sim::{
    openai::{
        Behaviour, ConnectError, Connection, Ending, Faults, LegEnd, OpenAi, OpenAiOptions, Pieces, Reply,
        StartedBy, What, When,
    },
    ulaw, voice,
};
use std::time::Duration;
use tokio_tungstenite::tungstenite::{self, Message, client::IntoClientRequest};

const KEY: &str = "sk-test";

async fn service(behaviour: Behaviour) -> OpenAi {
    OpenAi::start(OpenAiOptions { behaviour, ..OpenAiOptions::default() }).await.unwrap()
}

async fn session(behaviour: Behaviour) -> (OpenAi, Socket, Connection) {
    let service = service(behaviour).await;
    let socket = configured(service.address, KEY).await;
    let leg = service.connection(KEY, LIMIT).await.unwrap();
    (service, socket, leg)
}

fn violations(leg: &Connection) -> Vec<String> {
    leg.look(|ledger| ledger.violations.clone())
}

/// Appends in frames of 20 ms, as fast as they go.
async fn append(socket: &mut Socket, audio: &[u8]) {
    for frame in audio.chunks(160) {
        let event = json!({"type": "input_audio_buffer.append", "audio": encode(frame)});
        socket.feed(Message::text(event.to_string())).await.unwrap();
    }
    socket.flush().await.unwrap();
}

async fn speak(socket: &mut Socket, length: Duration) {
    let audio = [voice::speech(length, 3), ulaw::silence(Duration::from_millis(400))].concat();
    append(socket, &audio).await;
}

/// The close frame, after whatever comes before it.
async fn closed(socket: &mut Socket) -> Option<(u16, String)> {
    loop {
        match tokio::time::timeout(LIMIT, socket.next()).await.unwrap()? {
            Ok(Message::Close(frame)) => {
                return frame.map(|frame| (frame.code.into(), frame.reason.to_string()));
            }
            Ok(_) => {}
            Err(_) => return None,
        }
    }
}

#[tokio::test]
async fn each_client_mistake_is_answered_with_its_code_and_counted() {
    let message = |item: Value| json!({"type": "conversation.item.create", "item": item});
    let update = |part: Value| json!({"type": "session.update", "session": part});
    let input = |part: Value| update(json!({"type": "realtime", "audio": {"input": part}}));
    let turn = |part: Value| input(json!({"turn_detection": part}));
    // Event, code, param.
    let table = [
        (json!({"type": "session.updaet"}), "invalid_value", "type"),
        (json!({"kind": "session.update"}), "missing_required_parameter", "type"),
        (json!({"type": "response.audio.cancel"}), "invalid_value", "type"),
        (json!({"type": "response.cancel", "reason": "x"}), "unknown_parameter", "reason"),
        (json!({"type": "session.update"}), "missing_required_parameter", "session"),
        (update(json!({"instructions": "x"})), "missing_required_parameter", "session.type"),
        (update(json!({"type": "transcription"})), "invalid_value", "session.type"),
        (update(json!({"type": "realtime", "temperature": 0.8})), "unknown_parameter", "session.temperature"),
        (
            update(json!({"type": "realtime", "modalities": ["audio"]})),
            "unknown_parameter",
            "session.modalities",
        ),
        (update(json!({"type": "realtime", "voice": "marin"})), "unknown_parameter", "session.voice"),
        (
            update(json!({"type": "realtime", "input_audio_format": "g711_ulaw"})),
            "unknown_parameter",
            "session.input_audio_format",
        ),
        (update(json!({"type": "realtime", "instructions": 7})), "invalid_type", "session.instructions"),
        (
            update(json!({"type": "realtime", "output_modalities": ["audio", "text"]})),
            "invalid_value",
            "session.output_modalities",
        ),
        (
            update(json!({"type": "realtime", "max_output_tokens": 5000})),
            "integer_above_max_value",
            "session.max_output_tokens",
        ),
        (update(json!({"type": "realtime", "model": "gpt-realtime-3"})), "invalid_value", "session.model"),
        (
            input(json!({"format": {"type": "audio/pcmu", "rate": 8000}})),
            "unknown_parameter",
            "session.audio.input.format.rate",
        ),
        (
            input(json!({"format": {"type": "audio/pcm"}})),
            "missing_required_parameter",
            "session.audio.input.format.rate",
        ),
        (input(json!({"format": "g711_ulaw"})), "invalid_type", "session.audio.input.format"),
        (
            turn(json!({"type": "server_vad", "threshold": 1.5})),
            "invalid_value",
            "session.audio.input.turn_detection.threshold",
        ),
        (turn(json!({"type": "none"})), "invalid_value", "session.audio.input.turn_detection.type"),
        (
            turn(json!({"type": "semantic_vad", "threshold": 0.5})),
            "unknown_parameter",
            "session.audio.input.turn_detection.threshold",
        ),
        (
            turn(json!({"type": "server_vad", "idle_timeout_ms": 100})),
            "integer_below_min_value",
            "session.audio.input.turn_detection.idle_timeout_ms",
        ),
        (
            update(json!({"type": "realtime", "audio": {"output": {"voice": "nova"}}})),
            "invalid_value",
            "session.audio.output.voice",
        ),
        (
            update(json!({"type": "realtime", "tools": [{"type": "function", "function": {"name": "x"}}]})),
            "missing_required_parameter",
            "session.tools[0].name",
        ),
        (json!({"type": "input_audio_buffer.append"}), "missing_required_parameter", "audio"),
        (json!({"type": "input_audio_buffer.append", "audio": "%%%"}), "invalid_value", "audio"),
        (
            json!({"type": "input_audio_buffer.append", "audio": "/w==", "rate": 1}),
            "unknown_parameter",
            "rate",
        ),
        (json!({"type": "input_audio_buffer.commit"}), "input_audio_buffer_commit_empty", ""),
        (
            message(json!({"type": "message", "role": "user", "content": "hi"})),
            "invalid_type",
            "item.content",
        ),
        (
            message(json!({"type": "message", "role": "assistant",
                           "content": [{"type": "output_audio", "audio": "/w=="}]})),
            "missing_required_parameter",
            "item.content[0].text",
        ),
        (
            message(json!({"type": "function_call_output", "call_id": "call_x", "output": "{}"})),
            "invalid_tool_call_id",
            "item.call_id",
        ),
        (
            message(json!({"type": "function_call_output", "call_id": "call_x", "output": {"a": 1}})),
            "invalid_type",
            "item.output",
        ),
        (
            json!({"type": "conversation.item.create", "previous_item_id": "nobody", "item": {"type": "message",
                   "role": "system", "content": [{"type": "input_text", "text": "x"}]}}),
            "item_not_found",
            "previous_item_id",
        ),
        (
            json!({"type": "conversation.item.truncate", "item_id": "nobody", "content_index": 0, "audio_end_ms": 1}),
            "item_not_found",
            "item_id",
        ),
        (
            json!({"type": "conversation.item.truncate", "item_id": "x", "content_index": 0, "audio_end_ms": -1}),
            "integer_below_min_value",
            "audio_end_ms",
        ),
        (
            json!({"type": "conversation.item.truncate", "item_id": "x", "content_index": 0, "audio_end_ms": 1.5}),
            "invalid_type",
            "audio_end_ms",
        ),
        (json!({"type": "conversation.item.delete", "item_id": "nobody"}), "item_not_found", "item_id"),
        (
            json!({"type": "conversation.item.retrieve", "item_id": "nobody"}),
            "item_retrieve_invalid_item_id",
            "item_id",
        ),
        (json!({"type": "response.cancel"}), "response_cancel_not_active", ""),
        (
            json!({"type": "response.create", "response": {"modalities": ["audio"]}}),
            "unknown_parameter",
            "response.modalities",
        ),
        (
            json!({"type": "response.create", "response": {"voice": "x"}}),
            "unknown_parameter",
            "response.voice",
        ),
    ];
    let (_service, mut socket, leg) = session(Behaviour::default()).await;
    for (n, (mut event, code, param)) in table.into_iter().enumerate() {
        let before = leg.look(|ledger| ledger.violation_count);
        event["event_id"] = json!(format!("mistake-{n}"));
        let told = event.to_string();
        say(&mut socket, event).await;
        let error = hear(&mut socket, &["error"]).await["error"].clone();
        assert_eq!(error["code"], code, "{told}: {error}");
        assert_eq!(error["param"].as_str().unwrap_or(""), param, "{told}: {error}");
        assert_eq!(error["event_id"], format!("mistake-{n}"), "{told}");
        assert!(leg.look(|ledger| ledger.violation_count) > before, "{told} was not counted");
    }
    // All or nothing: none of the refused updates left anything behind.
    let session = leg.look(|ledger| ledger.session.clone());
    assert_eq!(session["audio"]["input"]["format"], json!({"type": "audio/pcmu"}));
    assert_eq!(session["audio"]["input"]["turn_detection"]["threshold"], 0.5);
}

#[tokio::test]
async fn broken_json_and_binary_frames_do_not_end_the_session() {
    let (_service, mut socket, leg) = session(Behaviour::default()).await;
    socket.send(Message::text("{")).await.unwrap();
    assert_eq!(hear(&mut socket, &["error"]).await["error"]["code"], "invalid_json");
    socket.send(Message::binary(vec![1])).await.unwrap();
    assert_eq!(hear(&mut socket, &["error"]).await["error"]["code"], "invalid_event");
    assert_eq!(violations(&leg).len(), 2);
    say(&mut socket, json!({"type": "input_audio_buffer.clear"})).await;
    hear(&mut socket, &["input_audio_buffer.cleared"]).await;
}

#[tokio::test]
async fn audio_before_the_formats_are_ulaw_is_a_violation_that_no_error_reports() {
    let service = service(Behaviour::default()).await;
    let mut socket = open_session(service.address, KEY).await;
    let created = hear(&mut socket, &["session.created"]).await;
    assert_eq!(created["session"]["audio"]["input"]["format"], json!({"type": "audio/pcm", "rate": 24000}));
    assert_eq!(created["session"]["audio"]["input"]["turn_detection"]["silence_duration_ms"], 200);
    append(&mut socket, &[0xFF; 160]).await;
    let leg = service.connection(KEY, LIMIT).await.unwrap();
    leg.until(|ledger| ledger.violation_count == 1, LIMIT).await.unwrap();
    say(&mut socket, ulaw_session()).await;
    let updated = hear(&mut socket, &["session.updated", "error"]).await;
    assert_eq!(updated["session"]["audio"]["output"]["format"], json!({"type": "audio/pcmu"}));
    append(&mut socket, &[0xFF; 160]).await;
    leg.until(|ledger| ledger.appends == 2, LIMIT).await.unwrap();
    assert_eq!(leg.look(|ledger| ledger.violation_count), 1);
}

#[tokio::test]
async fn a_spoken_turn_has_all_events_in_their_order() {
    let behaviour = Behaviour {
        caller_says: vec!["When do you open?".into()],
        extras: false,
        pace: f64::INFINITY,
        ..Behaviour::default().replies([Reply::say("At eight.")])
    };
    let (_service, mut socket, leg) = session(behaviour).await;
    speak(&mut socket, Duration::from_millis(800)).await;
    let mut kinds: Vec<String> = Vec::new();
    let mut last = Value::Null;
    while last["type"] != "rate_limits.updated" {
        let Message::Text(text) = socket.next().await.unwrap().unwrap() else { continue };
        last = serde_json::from_str(&text).unwrap();
        let kind = last["type"].as_str().unwrap().to_owned();
        // The caller's transcript floats.
        if !kind.contains("input_audio_transcription") && kinds.last() != Some(&kind) {
            kinds.push(kind);
        }
    }
    let head = [
        "input_audio_buffer.speech_started",
        "input_audio_buffer.speech_stopped",
        "input_audio_buffer.committed",
        "conversation.item.added",
        "conversation.item.done",
        "response.created",
        "response.output_item.added",
        "conversation.item.added",
        "response.content_part.added",
        "response.output_audio_transcript.delta",
        "response.output_audio.delta",
    ];
    let tail = [
        "response.output_audio.done",
        "response.output_audio_transcript.done",
        "response.content_part.done",
        "conversation.item.done",
        "response.output_item.done",
        "response.done",
        "rate_limits.updated",
    ];
    assert!(kinds.starts_with(&head.map(str::to_owned)), "{kinds:?}");
    assert!(kinds.ends_with(&tail.map(str::to_owned)), "{kinds:?}");
    let heard =
        |ledger: &sim::openai::Ledger| ledger.items.iter().any(|item| item.text == "When do you open?");
    leg.until(heard, LIMIT).await.unwrap();
    assert_eq!(violations(&leg), Vec::<String>::new());
}

#[tokio::test]
async fn deltas_join_to_the_scripted_audio_in_pieces_of_any_size() {
    let audio = voice::speech(Duration::from_millis(3001), 77);
    let behaviour =
        Behaviour { pace: 100.0, ..Behaviour::default().replies([Reply::audio("x y z", audio.clone())]) };
    let (_service, mut socket, _leg) = session(behaviour).await;
    say(&mut socket, json!({"type": "response.create"})).await;
    let (mut heard, mut odd) = (Vec::new(), false);
    loop {
        let event = hear(&mut socket, &["response.output_audio.delta", "response.done"]).await;
        if event["type"] == "response.done" {
            assert_eq!(event["response"]["status"], "completed");
            assert_eq!(event["response"]["usage"]["output_token_details"]["audio_tokens"], 60);
            break;
        }
        assert!(event["obfuscation"].is_string());
        let piece = common::decode(event["delta"].as_str().unwrap());
        odd |= !piece.len().is_multiple_of(160);
        heard.extend(piece);
    }
    assert!(heard == audio && odd);
}

#[tokio::test]
async fn a_greeting_speaks_the_words_it_was_given() {
    let (_service, mut socket, _leg) = session(Behaviour { pace: 100.0, ..Behaviour::default() }).await;
    for instructions in ["Say exactly: Good morning.", "Say exactly “Good morning.” and nothing else"] {
        say(&mut socket, json!({"type": "response.create", "response": {"instructions": instructions}}))
            .await;
        let done = hear(&mut socket, &["response.output_audio_transcript.done"]).await;
        assert_eq!(done["transcript"], "Good morning.");
        hear(&mut socket, &["response.done"]).await;
    }
}

#[tokio::test]
async fn truncating_past_what_was_sent_is_refused_and_up_to_it_is_not() {
    let reply = Reply::say_for("Hello.", Duration::from_millis(500));
    let (_service, mut socket, leg) = session(Behaviour::default().replies([reply])).await;
    say(&mut socket, json!({"type": "response.create"})).await;
    let done = hear(&mut socket, &["response.done"]).await;
    let item = done["response"]["output"][0]["id"].clone();
    let truncate = |ms: u64| json!({"type": "conversation.item.truncate", "item_id": item, "content_index": 0, "audio_end_ms": ms});
    say(&mut socket, truncate(501)).await;
    let error = hear(&mut socket, &["error", "conversation.item.truncated"]).await;
    assert_eq!(error["error"]["message"], "Audio content of 500ms is already shorter than 501ms");
    say(&mut socket, truncate(500)).await;
    hear(&mut socket, &["conversation.item.truncated"]).await;
    assert_eq!(violations(&leg).len(), 1);
    let accepted: Vec<bool> = leg.look(|ledger| ledger.truncations.iter().map(|cut| cut.accepted).collect());
    assert_eq!(accepted, [false, true]);
    say(&mut socket, truncate(0)).await;
    hear(&mut socket, &["conversation.item.truncated"]).await;
    assert_eq!(violations(&leg).len(), 2, "zero is to be deleted instead");
}

#[tokio::test]
async fn what_the_caller_said_cannot_be_truncated() {
    let (_service, mut socket, leg) = session(Behaviour::default()).await;
    speak(&mut socket, Duration::from_millis(500)).await;
    let committed = hear(&mut socket, &["input_audio_buffer.committed"]).await;
    say(
        &mut socket,
        json!({"type": "conversation.item.truncate", "item_id": committed["item_id"],
        "content_index": 0, "audio_end_ms": 10}),
    )
    .await;
    let error = hear(&mut socket, &["error"]).await["error"].clone();
    assert_eq!((&error["code"], &error["param"]), (&Value::Null, &Value::Null));
    assert_eq!(violations(&leg).len(), 1);
}

#[tokio::test]
async fn the_voice_is_locked_after_the_first_audio() {
    let (_service, mut socket, leg) = session(Behaviour::default()).await;
    say(&mut socket, json!({"type": "response.create"})).await;
    hear(&mut socket, &["response.done"]).await;
    let voice = json!({"type": "realtime", "audio": {"output": {"voice": "cedar"}}});
    say(&mut socket, json!({"type": "session.update", "session": voice})).await;
    let error = hear(&mut socket, &["error", "session.updated"]).await;
    assert_eq!(error["error"]["code"], "cannot_update_voice");
    assert_eq!(violations(&leg).len(), 1);
}

#[tokio::test]
async fn messages_that_crossed_are_races_and_late_ones_are_violations() {
    let (_service, mut socket, leg) = session(Behaviour::default()).await;
    speak(&mut socket, Duration::from_millis(500)).await;
    hear(&mut socket, &["response.created"]).await;
    say(&mut socket, json!({"type": "response.create"})).await;
    let error = hear(&mut socket, &["error"]).await;
    assert_eq!(error["error"]["code"], "conversation_already_has_active_response");
    hear(&mut socket, &["response.done"]).await;
    say(&mut socket, json!({"type": "response.cancel"})).await;
    assert_eq!(hear(&mut socket, &["error"]).await["error"]["code"], "response_cancel_not_active");
    assert_eq!((violations(&leg).len(), leg.look(|ledger| ledger.races.len())), (0, 2));
    // Whoever has created a response itself knows that it runs.
    say(&mut socket, json!({"type": "response.create"})).await;
    hear(&mut socket, &["response.created"]).await;
    say(&mut socket, json!({"type": "response.create"})).await;
    hear(&mut socket, &["error"]).await;
    assert_eq!(violations(&leg).len(), 1);
}

#[tokio::test]
async fn speech_cancels_the_reply_unless_interruptions_are_off() {
    let long = || Reply::say_for("A long story.", Duration::from_secs(20));
    let (_service, mut socket, leg) = session(Behaviour::default().replies([long(), long()])).await;
    say(&mut socket, json!({"type": "response.create"})).await;
    hear(&mut socket, &["response.output_audio.delta"]).await;
    append(&mut socket, &voice::speech(Duration::from_millis(300), 1)).await;
    let done = hear(&mut socket, &["response.done"]).await;
    assert_eq!(done["response"]["status_details"], json!({"type": "cancelled", "reason": "turn_detected"}));
    assert_eq!(done["response"]["output"][0]["status"], "incomplete");
    append(&mut socket, &ulaw::silence(Duration::from_millis(400))).await;
    hear(&mut socket, &["response.output_audio.delta"]).await;
    let turn = json!({"type": "server_vad", "interrupt_response": false});
    say(&mut socket, json!({"type": "session.update", "session": {"type": "realtime", "audio": {"input": {"turn_detection": turn}}}})).await;
    hear(&mut socket, &["session.updated"]).await;
    append(&mut socket, &voice::speech(Duration::from_millis(300), 2)).await;
    hear(&mut socket, &["input_audio_buffer.speech_started"]).await;
    say(&mut socket, json!({"type": "response.cancel", "event_id": "stop"})).await;
    let done = hear(&mut socket, &["response.done", "error"]).await;
    assert_eq!(done["response"]["status_details"]["reason"], "client_cancelled");
    assert_eq!(violations(&leg), Vec::<String>::new());
}

#[tokio::test]
async fn late_audio_of_a_cancelled_reply_still_comes() {
    let faults = Faults {
        late_audio: Duration::from_millis(900),
        very_late_audio: Duration::from_millis(500),
        ..Faults::default()
    };
    let long = Reply::say_for("A long story.", Duration::from_secs(20));
    let pieces = Pieces::Fixed(Duration::from_millis(100));
    let (_service, mut socket, _leg) =
        session(Behaviour { pieces, ..Behaviour::default().replies([long]).faults(faults) }).await;
    say(&mut socket, json!({"type": "response.create"})).await;
    hear(&mut socket, &["response.output_audio.delta"]).await;
    append(&mut socket, &voice::speech(Duration::from_millis(300), 1)).await;
    hear(&mut socket, &["input_audio_buffer.speech_started"]).await;
    let mut late = 0;
    while hear(&mut socket, &["response.output_audio.delta", "response.done"]).await["type"]
        != "response.done"
    {
        late += 1;
    }
    assert_eq!(late, 9);
    for _ in 0..5 {
        hear(&mut socket, &["response.output_audio.delta"]).await;
    }
}

#[tokio::test]
async fn a_tool_call_is_answered_and_the_reply_goes_on() {
    let call =
        Reply::say("One moment.").and_call("opening_hours", r#"{"day": "mon"}"#, "call_A1").with_phases();
    let (_service, mut socket, leg) =
        session(Behaviour::default().replies([call, Reply::say("At eight.")])).await;
    say(&mut socket, json!({"type": "response.create"})).await;
    let arguments = hear(&mut socket, &["response.function_call_arguments.done"]).await;
    assert_eq!((&arguments["name"], &arguments["output_index"]), (&json!("opening_hours"), &json!(1)));
    let item = hear(&mut socket, &["response.output_item.done"]).await["item"].clone();
    assert_eq!((&item["status"], &item["arguments"]), (&json!("completed"), &json!(r#"{"day": "mon"}"#)));
    let output =
        json!({"type": "function_call_output", "call_id": "call_A1", "output": "{\"from\":\"08:00\"}"});
    say(&mut socket, json!({"type": "conversation.item.create", "item": output})).await;
    hear(&mut socket, &["response.done"]).await;
    say(&mut socket, json!({"type": "response.create"})).await;
    let done = hear(&mut socket, &["response.output_audio_transcript.done"]).await;
    assert_eq!(done["transcript"], "At eight.");
    assert_eq!(violations(&leg), Vec::<String>::new());
    say(
        &mut socket,
        json!({"type": "conversation.item.create", "item": {"type": "function_call_output",
        "call_id": "call_A1", "output": "again"}}),
    )
    .await;
    assert_eq!(hear(&mut socket, &["error"]).await["error"]["code"], "invalid_tool_call_id");
}

#[tokio::test]
async fn without_turn_detection_the_client_commits() {
    let (_service, mut socket, leg) = session(Behaviour::default()).await;
    say(&mut socket, json!({"type": "session.update", "session": {"type": "realtime", "audio": {"input": {"turn_detection": null}}}})).await;
    hear(&mut socket, &["session.updated"]).await;
    speak(&mut socket, Duration::from_millis(500)).await;
    say(&mut socket, json!({"type": "input_audio_buffer.commit"})).await;
    let event =
        hear(&mut socket, &["input_audio_buffer.committed", "input_audio_buffer.speech_started"]).await;
    assert_eq!(event["type"], "input_audio_buffer.committed");
    assert_eq!(leg.look(|ledger| ledger.responses.len()), 0);
    assert_eq!(violations(&leg), Vec::<String>::new());
}

#[tokio::test]
async fn connections_that_cannot_be_are_refused_as_the_service_does() {
    let service = service(Behaviour::default()).await;
    let bearer = |key: &'static str| ("authorization", key);
    let table = [
        ("/v1/realtime?model=gpt-realtime-2.1", vec![bearer("Bearer invalid-1")], "invalid_api_key", 3000),
        ("/v1/realtime", vec![bearer("Bearer k2")], "missing_model", 4000),
        ("/v1/realtime?model=gpt-5", vec![bearer("Bearer k3")], "invalid_model", 4000),
        (
            "/v1/realtime?model=gpt-realtime-2.1",
            vec![bearer("Bearer k4"), ("openai-beta", "realtime=v1")],
            "beta_api_shape_disabled",
            4000,
        ),
    ];
    for (path, headers, code, close) in table {
        let mut socket = open(service.address, path, &headers).await;
        assert_eq!(hear(&mut socket, &["error", "session.created"]).await["error"]["code"], code);
        let (got, reason) = closed(&mut socket).await.unwrap();
        assert_eq!((got, reason), (close, format!("invalid_request_error.{code}")));
    }
    assert_eq!(service.violations().len(), 4);
    for (path, status) in [("/v1/realtime?model=gpt-realtime-2.1", 401), ("/v2/other", 404)] {
        let request = format!("ws://{}{path}", service.address).into_client_request().unwrap();
        let tcp = tokio::net::TcpStream::connect(service.address).await.unwrap();
        match tokio_tungstenite::client_async(request, tcp).await {
            Err(tungstenite::Error::Http(answer)) => assert_eq!(answer.status(), status),
            other => panic!("{path}: {other:?}"),
        }
    }
}

#[tokio::test]
async fn azure_keys_and_paths_are_taken() {
    let service = service(Behaviour::default()).await;
    let path = "/openai/v1/realtime?model=my%2Ddeployment";
    let mut socket = open(service.address, path, &[("api-key", "azure-key")]).await;
    assert_eq!(hear(&mut socket, &["session.created", "error"]).await["session"]["model"], "my-deployment");
    let leg = service.connection("azure-key", LIMIT).await.unwrap();
    assert!(leg.look(|ledger| ledger.headers.iter().all(|(name, _)| name != "api-key")));
    assert!(!format!("{leg:?}").contains("azure-key"));
}

#[tokio::test]
async fn each_key_has_its_own_behaviour_and_each_connection_its_turn() {
    let service = service(Behaviour::default()).await;
    let refusal = (503, vec![("retry-after".to_owned(), "1".to_owned())], r#"{"error":{}}"#.to_owned());
    let refused = Behaviour::default().faults(Faults { refuse_upgrade: Some(refusal), ..Faults::default() });
    service.behave_in_turn("sk-a", [refused, Behaviour::default()]);
    let request = || {
        let mut request =
            format!("ws://{}/v1/realtime?model=gpt-realtime", service.address).into_client_request().unwrap();
        request.headers_mut().insert("authorization", "Bearer sk-a".parse().unwrap());
        request
    };
    let tcp = tokio::net::TcpStream::connect(service.address).await.unwrap();
    match tokio_tungstenite::client_async(request(), tcp).await {
        Err(tungstenite::Error::Http(answer)) => {
            assert_eq!(
                (answer.status().as_u16(), &answer.headers()["retry-after"]),
                (503, &"1".parse().unwrap())
            );
        }
        other => panic!("{other:?}"),
    }
    let tcp = tokio::net::TcpStream::connect(service.address).await.unwrap();
    let (mut socket, _) = tokio_tungstenite::client_async(request(), tcp).await.unwrap();
    hear(&mut socket, &["session.created"]).await;
}

#[tokio::test]
async fn an_empty_account_opens_and_then_fails() {
    let (_service, mut socket, _leg) = session(Behaviour::default().faults(Faults::out_of_quota())).await;
    say(&mut socket, json!({"type": "response.create"})).await;
    let done = hear(&mut socket, &["response.done"]).await;
    assert_eq!(done["response"]["status_details"]["error"]["code"], "insufficient_quota");
    assert_eq!(hear(&mut socket, &["error"]).await["error"]["code"], "insufficient_quota");
    assert_eq!(closed(&mut socket).await.unwrap().0, 4000);
}

#[tokio::test]
async fn an_overloaded_service_fails_a_response_and_does_the_next() {
    let (_service, mut socket, leg) = session(Behaviour::default().faults(Faults::overloaded(1))).await;
    for status in ["failed", "completed"] {
        say(&mut socket, json!({"type": "response.create"})).await;
        assert_eq!(hear(&mut socket, &["response.done"]).await["response"]["status"], status);
    }
    assert_eq!(leg.look(|ledger| ledger.responses[0].by), StartedBy::Client);
}

#[tokio::test]
async fn scripted_endings_reach_the_client() {
    let cut = Reply::say("I was").ending(Ending::Incomplete("max_output_tokens"));
    let (_service, mut socket, _leg) = session(Behaviour::default().replies([cut])).await;
    say(&mut socket, json!({"type": "response.create"})).await;
    let done = hear(&mut socket, &["response.done"]).await;
    assert_eq!(
        done["response"]["status_details"],
        json!({"type": "incomplete", "reason": "max_output_tokens"})
    );
}

#[tokio::test]
async fn trouble_comes_when_it_was_asked_for() {
    let long = || Reply::say_for("A long story.", Duration::from_secs(10));
    let at = |when, what| Behaviour::default().replies([long()]).faults(Faults::default().at(when, what));

    let (_service, mut socket, leg) =
        session(at(When::AudioSent(Duration::from_millis(300)), What::Cut)).await;
    say(&mut socket, json!({"type": "response.create"})).await;
    hear(&mut socket, &["response.output_audio.delta"]).await;
    assert_eq!(closed(&mut socket).await, None, "no close frame");
    assert_eq!(leg.ended(LIMIT).await.unwrap(), LegEnd::Cut);

    let (_service, mut socket, leg) = session(at(When::ResponseCreated(1), What::sixty_minutes())).await;
    say(&mut socket, json!({"type": "response.create"})).await;
    assert_eq!(closed(&mut socket).await.unwrap().0, 1001);
    assert!(matches!(leg.ended(LIMIT).await.unwrap(), LegEnd::ClosedByService { code: 1001, .. }));

    let (_service, mut socket, _leg) = session(at(When::SpeechStarted(1), What::SendText("{".into()))).await;
    speak(&mut socket, Duration::from_millis(300)).await;
    loop {
        if let Message::Text(text) = socket.next().await.unwrap().unwrap()
            && text.as_str() == "{"
        {
            break;
        }
    }

    let quick = Behaviour { pace: 100.0, ..at(When::BeforeDone(1), What::Stall) };
    let (_service, mut socket, leg) = session(quick).await;
    say(&mut socket, json!({"type": "response.create"})).await;
    hear(&mut socket, &["response.output_item.done"]).await;
    socket.send(Message::Ping("anyone?".into())).await.unwrap();
    append(&mut socket, &[0xFF; 160]).await;
    leg.until(|ledger| ledger.appends == 1, LIMIT).await.unwrap();
    // What was on its way may come, but no `response.done` and no pong.
    while let Ok(message) = tokio::time::timeout(Duration::from_millis(100), socket.next()).await {
        let message = message.unwrap().unwrap();
        assert!(!message.is_pong() && !message.to_string().contains("response.done"), "{message}");
    }
}

#[tokio::test]
async fn start_up_can_fail_in_every_way() {
    let faults = Faults { wrong_formats: true, ..Faults::default() };
    let (_service, _socket, leg) = session(Behaviour::default().faults(faults)).await;
    assert_eq!(leg.look(|ledger| ledger.session["audio"]["output"]["format"]["type"].clone()), "audio/pcm");
    assert!(leg.look(|ledger| ledger.configured_at.is_none()));

    let error = ConnectError::of("account_deactivated", "Gone.", 4000);
    let silent = [
        Faults { no_session_created: true, no_session_updated: true, ..Faults::default() },
        Faults { error_at_connect: Some(error), ..Faults::default() },
    ];
    let service = service(Behaviour::default()).await;
    service.behave_in_turn(KEY, silent.map(|faults| Behaviour::default().faults(faults)));
    let mut socket = open_session(service.address, KEY).await;
    say(&mut socket, ulaw_session()).await;
    let leg = service.connection(KEY, LIMIT).await.unwrap();
    leg.until(|ledger| ledger.events.len() == 1, LIMIT).await.unwrap();
    leg.make(What::Error("server_error", "server_error", "only this"));
    let first = hear(&mut socket, &["error", "session.created", "session.updated"]).await;
    assert_eq!(first["error"]["message"], "only this");
    let mut socket = open_session(service.address, KEY).await;
    assert_eq!(hear(&mut socket, &["error"]).await["error"]["code"], "account_deactivated");
    assert_eq!(closed(&mut socket).await.unwrap().0, 4000);
}

#[tokio::test]
async fn nobody_speaking_triggers_the_idle_timeout() {
    let (_service, mut socket, leg) = session(Behaviour { pace: 100.0, ..Behaviour::default() }).await;
    let turn = json!({"type": "server_vad", "idle_timeout_ms": 5000});
    say(&mut socket, json!({"type": "session.update", "session": {"type": "realtime", "audio": {"input": {"turn_detection": turn}}}})).await;
    hear(&mut socket, &["session.updated"]).await;
    let greeting = json!({"instructions": "Say exactly: Hi."});
    say(&mut socket, json!({"type": "response.create", "response": greeting})).await;
    hear(&mut socket, &["input_audio_buffer.timeout_triggered"]).await;
    hear(&mut socket, &["response.created"]).await;
    let by: Vec<StartedBy> = leg.look(|ledger| ledger.responses.iter().map(|response| response.by).collect());
    assert_eq!(by, [StartedBy::Client, StartedBy::IdleTimeout]);
}
