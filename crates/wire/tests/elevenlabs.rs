//! ElevenLabs' messages on its multi-context socket, as a mouth of a cascade understands and makes them.

use bytes::Bytes;
use call::{
    Audio, FailureKind, ReplyId,
    cascade::{MouthCommand, MouthEvent},
};
use serde_json::{Value, json};
use wire::{
    Frame, Protocol,
    elevenlabs::{Multi, MultiSetup, refused},
};

fn multi() -> Multi {
    let mut multi = Multi::new(&MultiSetup::default());
    assert_eq!(events(&mut multi), [MouthEvent::Ready]);
    multi
}

fn events(multi: &mut Multi) -> Vec<MouthEvent> {
    std::iter::from_fn(|| multi.poll_event()).collect()
}

fn read(multi: &mut Multi, message: Value) -> Vec<MouthEvent> {
    multi.read(&Bytes::from(message.to_string()));
    events(multi)
}

fn frames(multi: &mut Multi) -> Vec<Value> {
    let value = |frame| match frame {
        Frame::Control(text) | Frame::InOrder(text) | Frame::Goodbye(text) => {
            serde_json::from_slice(&text).unwrap()
        }
        Frame::Ping => json!("ping"),
        other => panic!("{other:?}"),
    };
    std::iter::from_fn(|| multi.poll_frame()).map(value).collect()
}

fn say(multi: &mut Multi, reply: u32, words: &str) {
    multi.obey(MouthCommand::Say { reply: ReplyId(reply), words: words.into() });
}

fn stop(multi: &mut Multi, reply: u32) {
    multi.obey(MouthCommand::Stop { reply: ReplyId(reply), heard: None });
}

fn speech(reply: u32) -> MouthEvent {
    MouthEvent::Speech { reply: ReplyId(reply), audio: Audio::ulaw(&[1, 2, 3]) }
}

#[test]
fn the_voice_is_in_the_path_and_the_rest_in_the_query() {
    let setup = MultiSetup {
        voice: "a/b c".into(),
        model: "eleven_flash_v2_5".into(),
        language: Some("pt".into()),
        speed: Some(1.1),
    };
    assert_eq!(
        setup.path_and_query(),
        "/text-to-speech/a%2Fb%20c/multi-stream-input?model_id=eleven_flash_v2_5&output_format=ulaw_8000&auto_mode=true\
         &inactivity_timeout=180&language_code=pt"
    );
    let mut multi = Multi::new(&setup);
    say(&mut multi, 1, "Hi.");
    assert_eq!(
        frames(&mut multi)[0],
        json!({ "text": " ", "context_id": "r1", "voice_settings": { "speed": 1.1 } })
    );
}

#[test]
fn a_reply_is_a_context_from_its_first_word_to_its_last_sound() {
    let mut multi = multi();
    say(&mut multi, 1, "Sure,");
    say(&mut multi, 1, "we open at eight.");
    multi.obey(MouthCommand::Finish(ReplyId(1)));
    assert_eq!(
        frames(&mut multi),
        [
            json!({ "text": " ", "context_id": "r1" }),
            json!({ "text": "Sure, ", "context_id": "r1", "flush": true }),
            json!({ "text": "we open at eight. ", "context_id": "r1", "flush": true }),
            json!({ "context_id": "r1", "close_context": true }),
        ]
    );
    // Both spellings, and an alignment that nobody asked for.
    assert_eq!(
        read(&mut multi, json!({ "audio": "AQID", "contextId": "r1", "alignment": { "chars": ["S"] } })),
        [speech(1)]
    );
    assert_eq!(
        read(&mut multi, json!({ "audio": "AQID", "context_id": "r1", "is_final": false })),
        [speech(1)]
    );
    assert_eq!(read(&mut multi, json!({ "audio": null, "contextId": "r1" })), []);
    assert_eq!(
        read(&mut multi, json!({ "isFinal": true, "contextId": "r1" })),
        [MouthEvent::Done(ReplyId(1))]
    );
    assert_eq!(read(&mut multi, json!({ "audio": "AQID", "contextId": "r1" })), [], "after its last word");
}

#[test]
fn what_was_stopped_is_closed_and_not_heard_and_the_next_begins_at_once() {
    let mut multi = multi();
    say(&mut multi, 1, "We open at eight.");
    frames(&mut multi);
    stop(&mut multi, 1);
    assert_eq!(events(&mut multi), [MouthEvent::Stopped]);
    say(&mut multi, 2, "Gladly.");
    let sent = frames(&mut multi);
    assert_eq!(sent[0], json!({ "context_id": "r1", "close_context": true }));
    assert_eq!(sent[1], json!({ "text": " ", "context_id": "r2" }));
    assert_eq!(read(&mut multi, json!({ "audio": "AQID", "contextId": "r1" })), []);
    assert_eq!(read(&mut multi, json!({ "audio": "AQID", "contextId": "r2" })), [speech(2)]);
    assert_eq!(read(&mut multi, json!({ "isFinal": true, "contextId": "r1" })), []);
}

#[test]
fn a_context_that_was_finished_is_not_closed_twice() {
    let mut multi = multi();
    say(&mut multi, 1, "We open at eight.");
    multi.obey(MouthCommand::Finish(ReplyId(1)));
    frames(&mut multi);
    stop(&mut multi, 1);
    assert_eq!(frames(&mut multi), Vec::<Value>::new());
    assert_eq!(read(&mut multi, json!({ "isFinal": true, "contextId": "r1" })), [MouthEvent::Stopped]);
}

#[test]
fn a_sixth_context_waits_for_a_place() {
    let mut multi = multi();
    for reply in 1..=5 {
        say(&mut multi, reply, "Hm.");
        stop(&mut multi, reply);
    }
    frames(&mut multi);
    events(&mut multi);
    say(&mut multi, 6, "At last.");
    multi.obey(MouthCommand::Finish(ReplyId(6)));
    assert_eq!(frames(&mut multi), Vec::<Value>::new());
    read(&mut multi, json!({ "isFinal": true, "contextId": "r3" }));
    let sent = frames(&mut multi);
    assert_eq!(sent.len(), 3);
    assert_eq!(sent[1]["text"], "At last. ");
    assert_eq!(read(&mut multi, json!({ "audio": "AQID", "contextId": "r6" })), [speech(6)]);
    assert_eq!(
        read(&mut multi, json!({ "isFinal": true, "contextId": "r6" })),
        [MouthEvent::Done(ReplyId(6))]
    );
    say(&mut multi, 7, "One.");
    frames(&mut multi);
    say(&mut multi, 8, "Two.");
    stop(&mut multi, 8);
    assert_eq!(frames(&mut multi), Vec::<Value>::new(), "it waited, and nobody wants it any more");
}

#[test]
fn a_bad_key_is_told_after_a_good_upgrade() {
    for (name, kind) in [
        ("invalid_api_key", FailureKind::BadKey),
        ("detected_unusual_activity", FailureKind::BadKey),
        ("quota_exceeded", FailureKind::Quota),
        ("voice_not_found", FailureKind::Refused),
        ("too_many_concurrent_requests", FailureKind::RateLimited),
        ("something_new", FailureKind::Provider),
    ] {
        let mut multi = multi();
        let told =
            read(&mut multi, json!({ "message": "told sk_secret0123456789", "error": name, "code": 1008 }));
        let [MouthEvent::Failed(failure)] = &told[..] else { panic!("{told:?}") };
        assert_eq!((failure.provider, failure.kind), ("elevenlabs", kind), "{name}");
        assert!(failure.detail.contains(name) && !failure.detail.contains("secret"), "{failure}");
        multi.closed(Some(1008), name);
        assert_eq!(events(&mut multi), [], "said once");
    }
    let mut multi = multi();
    multi.closed(Some(1008), "quota_exceeded");
    assert!(
        matches!(&events(&mut multi)[..], [MouthEvent::Failed(failure)] if failure.kind == FailureKind::Quota)
    );
}

#[test]
fn refusals_of_the_upgrade_are_read_in_all_their_shapes() {
    for (status, body, kind) in [
        (401, r#"{"detail":{"status":"invalid_api_key","message":"no"}}"#, FailureKind::BadKey),
        (401, r#"{"detail":{"status":"quota_exceeded","message":"no"}}"#, FailureKind::Quota),
        (
            429,
            r#"{"detail":{"type":"rate_limit_error","code":"system_busy","message":"no"}}"#,
            FailureKind::RateLimited,
        ),
        (422, r#"{"detail":[{"loc":["body"],"msg":"no","type":"value_error"}]}"#, FailureKind::Refused),
        (404, r#"{"detail":"Not Found"}"#, FailureKind::Refused),
        (500, "", FailureKind::Provider),
    ] {
        let failure = refused(status, body.as_bytes());
        assert_eq!(failure.kind, kind, "{status} {body}: {failure}");
        assert!(failure.detail.contains(&status.to_string()));
    }
}

#[test]
fn goodbye_is_said_in_its_own_way() {
    let mut multi = multi();
    multi.obey(MouthCommand::KeepAlive);
    multi.obey(MouthCommand::Close);
    assert_eq!(frames(&mut multi), [json!("ping"), json!({ "close_socket": true })]);
    say(&mut multi, 1, "Too late.");
    multi.read(&Bytes::from_static(b"{"));
    assert_eq!((frames(&mut multi), events(&mut multi)), (vec![], vec![]));
}
