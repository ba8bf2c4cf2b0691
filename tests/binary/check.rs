//! `check --agent`: whether key, model and voice of each leg work, found out by using them.

use std::{fs, process::Command};

use serde_json::{Value, json};
use sim::{
    chat::{Chat, ChatOptions},
    deepgram::{Deepgram, DeepgramOptions},
    elevenlabs::ElevenLabs,
    openai::{OpenAi, OpenAiOptions},
};

use crate::process::SECRET;

/// What it prints about these legs, one line each, and whether it was content with everything.
async fn check(name: &str, legs: Value) -> (bool, Vec<String>) {
    let deepgram = Deepgram::start(DeepgramOptions::default()).await.unwrap();
    let chat = Chat::start(ChatOptions::default()).await.unwrap();
    let elevenlabs = ElevenLabs::start().await.unwrap();
    let openai = OpenAi::start(OpenAiOptions::default()).await.unwrap();
    let path = std::env::temp_dir().join(format!("patchcord-check-{}-{name}.json", std::process::id()));
    fs::write(&path, json!({ "iss": "x", "agent": { "prompt": "Be kind." }, "legs": legs }).to_string())
        .unwrap();
    let shown = path.display().to_string();
    let variables = [
        ("RELAY_SECRET", SECRET.to_owned()),
        ("PORT", "0".to_owned()),
        ("OPS_PORT", "0".to_owned()),
        ("BIND", "127.0.0.1".to_owned()),
        ("PUBLIC_URL", "https://relay.example.com".to_owned()),
        ("TWILIO_AUTH_TOKEN", "two-one".to_owned()),
        ("OPENAI_API_KEY", "sk-one".to_owned()),
        ("DEEPGRAM_API_KEY", "dg-one".to_owned()),
        ("GROQ_API_KEY", "gsk-one".to_owned()),
        ("ELEVENLABS_API_KEY", "el-one".to_owned()),
        ("OPENAI_BASE_URL", openai.base_url()),
        ("DEEPGRAM_BASE_URL", deepgram.base_url()),
        ("GROQ_BASE_URL", chat.base_url()),
        ("ELEVENLABS_BASE_URL", elevenlabs.base_url()),
    ];
    let agent = shown.clone();
    let output = tokio::task::spawn_blocking(move || {
        let mut command = Command::new(env!("CARGO_BIN_EXE_patchcord"));
        command.args(["check", "--agent", &agent]).env_clear().envs(variables).output().unwrap()
    });
    let output = output.await.unwrap();
    fs::remove_file(&path).unwrap();
    let all = String::from_utf8(output.stdout).unwrap();
    for key in ["one", SECRET] {
        assert!(!all.contains(key), "{all}");
    }
    let answers =
        all.contains("`serve --agent` would answer Twilio's webhook at https://relay.example.com/twiml");
    assert_eq!(answers, !all.contains("is not known"), "{all}");
    let about = |line: &str| {
        let (mark, text) = line.split_once(&format!("{shown}:"))?;
        Some(format!("{}{}", mark.trim_end(), text.trim_start()))
    };
    (output.status.success(), all.lines().filter_map(about).collect())
}

fn cascade(stt: Value, llm: &str, tts: Value) -> Value {
    json!({ "kind": "cascade", "stt": stt, "llm": { "provider": "groq", "model": llm }, "tts": tts })
}

#[tokio::test(flavor = "multi_thread")]
async fn legs_that_work_say_how_fast() {
    let flux = json!({ "provider": "deepgram" });
    let scribe = json!({ "provider": "elevenlabs" });
    let legs = json!([
        { "kind": "openai" },
        cascade(flux, "openai/gpt-oss-20b", json!({ "provider": "deepgram", "voice": "flux-kit-en" })),
        cascade(scribe, "openai/gpt-oss-20b", json!({ "provider": "elevenlabs", "voice": "v" })),
    ]);
    let (content, mut lines) = check("good", legs).await;
    // Nobody has found a price for this voice: worth a look, and no reason to be discontent.
    let odd = lines.remove(2);
    assert!(odd.starts_with("look") && odd.contains("flux-kit-en has no price"), "{odd}");
    assert!(content && lines.len() == 3, "{lines:?}");
    for (line, kind) in lines.iter().zip(["openai", "cascade", "cascade"]) {
        assert!(line.starts_with("ok") && line.contains(kind) && line.contains("speaks after"), "{line}");
        assert_eq!(line.contains("answers after"), kind == "cascade", "{line}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_does_not_work_is_named_with_the_providers_own_words() {
    let flux = || json!({ "provider": "deepgram" });
    let aura = |voice: &str| json!({ "provider": "deepgram", "voice": voice });
    let legs = json!([
        cascade(flux(), "openai/gpt-oss-20b", aura("aura-2-nobody")),
        cascade(flux(), "llama-3.3-70b-versatile", aura("aura-2-thalia-en")),
        cascade(flux(), "openai/gpt-oss-20b", json!({ "provider": "elevenlabs", "voice": "nobody" })),
        cascade(
            json!({ "provider": "deepgram", "model": "nova-3" }),
            "openai/gpt-oss-20b",
            aura("aura-2-thalia-en")
        ),
    ]);
    let (content, lines) = check("bad", legs).await;
    assert!(!content && lines.len() == 4, "{lines:?}");
    for (line, words) in
        lines.iter().zip(["aura-2-nobody", "llama-3.3-70b-versatile", "A voice with this id"])
    {
        assert!(line.starts_with("BAD") && line.contains(words), "{line}");
    }
    assert!(lines[3].starts_with("ok"), "{lines:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_no_relay_would_take_says_why() {
    let (content, lines) = check("typo", json!([{ "kind": "openai", "modle": "x" }])).await;
    assert!(!content && lines[0].contains("1: `legs[0].modle` is not known"), "{lines:?}");
}

#[tokio::test(flavor = "multi_thread")]
#[cfg(feature = "tools")]
async fn the_pretend_providers_of_the_command_line_serve_every_kind_of_leg_on_one_port() {
    use patchcord::outward::{
        requests::Clients,
        tls,
        twilio::{Account, Twilio, Update},
    };
    use std::{
        io::{BufRead, BufReader},
        process::Stdio,
    };
    let mut sim = Command::new(env!("CARGO_BIN_EXE_patchcord"));
    let mut sim = sim.args(["sim", "--port", "0"]).env_clear().stdout(Stdio::piped()).spawn().unwrap();
    let mut variables: Vec<(String, String)> = Vec::new();
    for line in BufReader::new(sim.stdout.take().unwrap()).lines().map_while(Result::ok) {
        let pairs = line.split_whitespace().filter_map(|word| word.split_once('='));
        variables.extend(pairs.map(|(name, value)| (name.to_owned(), value.to_owned())));
        if line.contains("Ctrl-C") {
            break;
        }
    }
    assert_eq!(variables.len(), 9, "{variables:?}");
    let (_, twilio) = variables.iter().find(|(name, _)| name == "TWILIO_BASE_URL").unwrap();
    let twilio = Twilio::new(Clients::new(&tls::for_requests(&[])).unwrap(), twilio.clone());
    let sid = |letters: &str| letters.to_owned() + &"0".repeat(32);
    let account = Account { sid: sid("AC"), key: sid("SK").into(), secret: "any".into() };
    assert_eq!(twilio.update(&account, &sid("CA"), &Update::Completed).await, Ok(()));
    let legs = json!([
        { "kind": "openai" },
        cascade(json!({ "provider": "deepgram" }), "openai/gpt-oss-20b", json!({ "provider": "deepgram", "voice": "flux-kit-en" })),
        cascade(json!({ "provider": "elevenlabs" }), "openai/gpt-oss-20b", json!({ "provider": "elevenlabs", "voice": "v" })),
    ]);
    let path = std::env::temp_dir().join(format!("patchcord-sim-{}.json", std::process::id()));
    fs::write(&path, json!({ "agent": {}, "legs": legs }).to_string()).unwrap();
    let mut check = Command::new(env!("CARGO_BIN_EXE_patchcord"));
    check.args(["check", "--agent", &path.display().to_string()]).env_clear().envs(variables);
    let output = check.envs([("RELAY_SECRET", SECRET), ("PORT", "0"), ("OPS_PORT", "0")]).output().unwrap();
    sim.kill().unwrap();
    sim.wait().unwrap();
    fs::remove_file(&path).unwrap();
    let all = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success() && all.matches("speaks after").count() == 3, "{all}");
}
