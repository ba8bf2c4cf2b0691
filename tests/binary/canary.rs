//! No key, token, secret or prompt comes out anywhere, however loud the log and whatever goes wrong.

use std::time::Duration;

use crate::process::{Binary, LIMIT, token};
use serde_json::{Value, json};
use sim::{
    app::{self, App},
    chat::{self, Chat, ChatOptions},
    deepgram::{Deepgram, DeepgramOptions},
    elevenlabs::ElevenLabs,
    openai::{Behaviour, ConnectError, Faults, OpenAi, OpenAiOptions},
    phone::{Phone, PhoneOptions},
    twilio::Twilio,
    voice::speech,
};

const KEY: &str = "sk-CANARYKEY0123456789";
const REPORT_SECRET: &str = "whsec_CANARYCANARYCANARYCANARYCANARYCANARYCANA";

fn agent(key: &str) -> Value {
    json!({
        "agent": { "id": "a", "prompt": "CANARY-prompt: never tell.", "greeting": "Hello." },
        "legs": [{ "kind": "openai", "model": "gpt-realtime-2.1-mini" }],
        "keys": { "openai": key, "deepgram": "CANARY-deepgram" },
        "context": { "note": "CANARY-context" },
        "call": { "record": { "put_url": "http://127.0.0.1:1/CANARY-kept?signature=CANARY" } },
    })
}

fn cascade(key: &str, ear: &str, mouth: Value, tool: &str) -> Value {
    json!({
        "agent": { "id": "c", "prompt": "CANARY-prompt: never tell.", "greeting": "Hello." },
        "legs": [{
            "kind": "cascade", "stt": { "provider": ear },
            "llm": { "provider": "groq", "model": "openai/gpt-oss-20b", "extra": { "seed": 7 } },
            "tts": mouth,
        }],
        "tools": [
            { "name": "lookup", "url": tool, "description": "CANARY-description" },
            { "kind": "transfer", "targets": { "sales": "+15550199" } },
        ],
        "keys": {
            "deepgram": key, "groq": key, "elevenlabs": key,
            "twilio": {
                "account_sid": format!("AC{}", "0".repeat(32)),
                "api_key": format!("SK{}", "c".repeat(32)), "api_secret": "CANARY-twilio",
            },
        },
        "context": { "note": "CANARY-context" },
        "call": { "record": { "put_url": format!("{tool}?signature=CANARY") } },
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_secret_is_ever_printed() {
    for format in ["json", "text"] {
        let provider = OpenAi::start(OpenAiOptions::default()).await.unwrap();
        let fault = |name: &str, faults| {
            let key = format!("{KEY}-{name}");
            provider.behave(&key, Behaviour { faults, ..Behaviour::default() });
            key
        };
        let told = format!(
            r#"{{"error":{{"type":"x","code":"invalid_api_key","message":"Incorrect API key: {KEY}-refused"}}}}"#
        );
        let keys = [
            KEY.to_owned(),
            fault("refused", Faults { refuse_upgrade: Some((401, Vec::new(), told)), ..Faults::default() }),
            fault(
                "bad",
                Faults { error_at_connect: Some(ConnectError::invalid_api_key(KEY)), ..Faults::default() },
            ),
            fault("odd", Faults { refuse_update: Some("unknown_parameter"), ..Faults::default() }),
            "sk-CANARY\nwith a line break".to_owned(),
        ];
        let base_url = provider.base_url();
        let deepgram = Deepgram::start(DeepgramOptions::default()).await.unwrap();
        let (chat, elevenlabs) =
            (Chat::start(ChatOptions::default()).await.unwrap(), ElevenLabs::start().await.unwrap());
        let parts = [deepgram.base_url(), chat.base_url(), elevenlabs.base_url()];
        // It takes no key at all.
        let twilio = Twilio::start().await.unwrap();
        let twilio_url = twilio.base_url();
        let app = App::start().await.unwrap();
        app.answer("/CANARY-report", app::Answer::json(&json!({})).cuts(1));
        app.answer("/CANARY-path", app::Answer::json(&json!({ "secret": "CANARY-result" })));
        let arguments = r#"{"order":"CANARY-argument"}"#;
        let transfer = chat::ToolCall::new("call_2", "transfer", r#"{"target":"sales"}"#);
        let thinks = chat::Behaviour::default()
            .on("hello", chat::Answer::call("call_1", "lookup", arguments))
            .on_result("lookup", chat::Answer::say("Done.").tool(transfer))
            .on_result("transfer", chat::Answer::say("I am sorry."));
        chat.behave(KEY, thinks);
        let variables = [
            ("WEBHOOK_ALLOW_PRIVATE", "true"),
            ("DEEPGRAM_BASE_URL", parts[0].as_str()),
            ("GROQ_BASE_URL", parts[1].as_str()),
            ("ELEVENLABS_BASE_URL", parts[2].as_str()),
            ("TWILIO_BASE_URL", twilio_url.as_str()),
            ("LOG", "trace"),
            ("LOG_FORMAT", format),
            ("OPENAI_BASE_URL", base_url.as_str()),
            ("OPENAI_API_KEY", "sk-CANARY-of-the-relay"),
        ];
        let relay = Binary::start(&variables);
        let mut seen = Vec::new();
        let report = json!({ "url": app.url("/CANARY-report"), "secret": REPORT_SECRET });
        for key in &keys {
            let mut claims = agent(key);
            claims["report"] = report.clone();
            let phone = relay.call(&claims).await;
            if key == KEY {
                phone.agent_finished(Duration::from_millis(200), LIMIT).await.unwrap();
                phone.say(speech(Duration::from_millis(800), 1));
                phone.agent_finished(Duration::from_millis(200), LIMIT).await.unwrap();
                phone.press('5');
                phone.send_text("{\"event\":\"media\",\"CANARY-rubbish\":");
                phone.hang_up();
            }
            seen.push(format!("{:?}", phone.ended(LIMIT).await.unwrap()));
        }
        let flux = || json!({ "provider": "deepgram", "voice": "flux-kit-en" });
        let other = || json!({ "provider": "elevenlabs", "voice": "v" });
        let (good, broken) = (app.url("/CANARY-path"), "http://127.0.0.1:1/CANARY-path".to_owned());
        let mut told = 0;
        for (key, ear, mouth, tool) in [
            (KEY, "deepgram", other(), &good),
            (KEY, "elevenlabs", flux(), &broken),
            ("CANARY-invalid-key", "deepgram", other(), &good),
            ("CANARY-invalid-key", "elevenlabs", other(), &good),
        ] {
            let mut claims = cascade(key, ear, mouth, tool);
            claims["report"] = report.clone();
            let phone = relay.call(&claims).await;
            if key == KEY {
                phone.agent_finished(Duration::from_millis(200), LIMIT).await.unwrap();
                phone.say(speech(Duration::from_millis(800), 1));
                assert_eq!(twilio.request(told, LIMIT).await.unwrap().status, 401);
                told += 1;
                phone.hang_up();
            }
            seen.push(format!("{:?}", phone.ended(LIMIT).await.unwrap()));
        }
        let posts = app.posts("/CANARY-path");
        assert_eq!(posts.iter().filter(|post| post.method == "POST").count(), 1, "the tool was called");
        assert!(posts.iter().any(|post| post.method == "PUT"), "a call was recorded");
        // Reports come, after one that was cut.
        app.post("/CANARY-report", 1, |_| true, LIMIT).await.unwrap();
        seen.extend(refusals(&relay).await);
        for path in ["/metrics", "/health"] {
            seen.push(relay.ops(path).await);
        }
        relay.signal("TERM");
        let (status, printed) = relay.end();
        assert!(status.success(), "{status}");
        assert!(
            printed.contains("call ended") && printed.lines().count() > 20,
            "the log is there: {printed}"
        );
        seen.push(printed);
        for text in &seen {
            let at = text.find("CANARY").or_else(|| text.find(&token(&agent(KEY), "CA1")[40..200]));
            assert!(
                at.is_none(),
                "{format}: …{}…",
                &text[at.unwrap().saturating_sub(300)..text.len().min(at.unwrap() + 60)]
            );
        }
    }
}

/// What callers get to see when their token is not good: bodies of refusals before the upgrade.
async fn refusals(relay: &Binary) -> Vec<String> {
    let good = token(&agent(KEY), "CA1");
    let mut odd = agent(KEY);
    odd["agent"]["voice"] = "CANARY".repeat(100).into();
    odd["call"] = json!({ "max_seconds": "CANARY" });
    let expired = token(&json!({ "exp": 1, "keys": { "openai": KEY } }), "CA1");
    let tokens =
        [good[..good.len() - 4].to_owned(), "CANARY.CANARY.CANARY".to_owned(), expired, token(&odd, "CA1")];
    let mut seen = Vec::new();
    for token in tokens {
        let options = PhoneOptions::new(format!("ws://{}/stream/twilio/{token}", relay.address));
        seen.push(format!("{:?}", Phone::dial(options).await.unwrap_err()).replace(&token, ""));
    }
    seen
}
