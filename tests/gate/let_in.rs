//! Tokens that are let in, and what the call then knows.

use std::time::Duration;

use base64::{
    Engine,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use patchcord::gate::{
    Code, Gate, GateSettings,
    config::{Auth, Does, Eagerness, Effort, Leg, NoiseReduction, OpenAiLeg, Tool, Turn},
    mint::Minter,
};
use secrecy::ExposeSecret;
use serde_json::{Value, json};

use crate::scene::{self, *};

fn only_leg(claims: &Value) -> OpenAiLeg {
    let config = config(&gate(), &minter().seal(claims)).unwrap();
    match &config.legs[..] {
        [Leg::OpenAi(leg)] => leg.clone(),
        other => panic!("one openai leg, not {other:?}"),
    }
}

#[test]
fn a_signed_token_becomes_a_call_with_everything_it_asked_for() {
    let claims = with(json!({
        "agent": { "language": "en", "temperature": 0.7, "speed": 1.25 },
        "call": { "max_seconds": 1800, "warning_message": "Half a minute left.", "interruptible": false,
                  "error_message": "Sorry." },
        "context": { "order": 7 },
    }));
    let gate = gate();
    let token = minter().sign(&claims);
    let pass = gate.open(&token, now()).unwrap();
    assert_eq!(pass.iss, "https://app.example.com");
    assert_eq!(
        (pass.jti.as_deref(), pass.sub.as_deref(), pass.acct.as_deref()),
        (Some("token-1"), Some(CALL), Some(ACCOUNT))
    );
    assert!(!pass.sealed);
    let config = config(&gate, &token).unwrap();
    assert_eq!(config.agent.prompt.as_deref(), Some("MARKER-prompt"));
    assert_eq!(config.agent.greeting.as_deref(), Some("MARKER-greeting"));
    assert_eq!((config.agent.temperature, config.agent.speed), (Some(0.7), Some(1.25)));
    assert_eq!(config.call.max, Duration::from_secs(1_800));
    assert_eq!(config.call.warning.as_deref(), Some("Half a minute left."));
    assert!(!config.call.interruptible);
    assert_eq!(config.context, json!({ "order": 7 }));
}

#[test]
fn a_call_may_be_recorded_and_where_to_is_shown_nowhere() {
    let url = "https://storage.example.com/calls/1.wav?signature=MARKER";
    let claims = with(json!({ "call": { "record": { "put_url": url, "say": "This call is recorded." } } }));
    let config = config(&gate(), &minter().sign(&claims)).unwrap();
    let record = config.call.record.clone().unwrap();
    assert_eq!((record.url.as_str(), record.say.as_deref()), (url, Some("This call is recorded.")));
    assert!(!format!("{config:?} {:?} {record:?}", config.call).contains("MARKER"));
    let page = include_str!("../../docs/recording.md");
    let example = page.split_once("```json\n").unwrap().1;
    let example: Value = serde_json::from_str(example.split_once("```").unwrap().0).unwrap();
    let copied = scene::config(&gate(), &minter().sign(&with(example))).unwrap();
    assert!(copied.call.record.unwrap().say.is_some());
    let silent = with(json!({ "call": { "record": { "put_url": url, "say": " " } } }));
    let config = scene::config(&gate(), &minter().sign(&silent)).unwrap();
    assert_eq!(config.call.record.unwrap().say, None);
}

#[test]
fn a_leg_has_sensible_settings_when_the_token_gives_none() {
    let leg = only_leg(&claims());
    assert_eq!(leg.model, "gpt-realtime-2.1-mini");
    assert_eq!(leg.base_url, "https://api.openai.com/v1");
    assert_eq!(leg.auth, Auth::Bearer);
    assert_eq!(leg.key.expose_secret(), "sk-MARKER-key");
    let silence = Duration::from_millis(500);
    assert_eq!(leg.turn, Turn::Server { silence, threshold: None, prefix_padding: None });
    assert_eq!(leg.transcription.as_deref(), Some("gpt-transcribe"));
    assert_eq!((leg.noise_reduction, leg.max_output_tokens, leg.reasoning), (None, None, None));
}

#[test]
fn every_setting_of_a_leg_arrives() {
    let leg = only_leg(&with(json!({ "legs": [{
        "kind": "openai", "model": "gpt-realtime-2.1", "noise_reduction": "far_field",
        "turn": { "mode": "server_vad", "silence_ms": 300, "threshold": 0.6, "prefix_padding_ms": 200 },
        "transcription": { "model": "whisper-1" }, "max_output_tokens": 2000, "reasoning": { "effort": "minimal" },
    }] })));
    assert_eq!(leg.model, "gpt-realtime-2.1");
    assert_eq!(leg.noise_reduction, Some(NoiseReduction::FarField));
    let (silence, prefix_padding) = (Duration::from_millis(300), Some(Duration::from_millis(200)));
    assert_eq!(leg.turn, Turn::Server { silence, threshold: Some(0.6), prefix_padding });
    assert_eq!(leg.transcription.as_deref(), Some("whisper-1"));
    assert_eq!((leg.max_output_tokens, leg.reasoning), (Some(2_000), Some(Effort::Minimal)));

    let leg = only_leg(&with(json!({ "legs": [{ "kind": "openai", "turn": { "mode": "semantic_vad" } }] })));
    assert_eq!(leg.turn, Turn::Semantic { eagerness: Eagerness::Auto });
}

#[test]
fn transcription_can_be_switched_off() {
    for off in [
        json!({ "kind": "openai", "transcription": false }),
        json!({ "kind": "openai", "transcription": null }),
    ] {
        assert_eq!(only_leg(&with(json!({ "legs": [off] }))).transcription, None);
    }
}

#[test]
fn azure_gets_its_key_in_its_own_header() {
    let leg = |extra: Value| {
        let mut leg = json!({ "kind": "openai", "base_url": "https://me.openai.azure.com/openai/v1/" });
        leg.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        only_leg(&with(json!({ "legs": [leg] })))
    };
    assert_eq!(leg(json!({})).auth, Auth::ApiKey);
    assert_eq!(leg(json!({})).base_url, "https://me.openai.azure.com/openai/v1");
    assert_eq!(leg(json!({ "auth": "bearer" })).auth, Auth::Bearer);
}

#[test]
fn an_app_that_has_just_five_values_signs_them_as_they_are() {
    let mut claims = with(json!({ "agent": null, "legs": null, "keys": null }));
    let five = json!({ "agentId": "a1", "openAIKey": "sk-MARKER-flat", "prompt": "Be kind.", "voice": "cedar", "temperature": 0.8 });
    claims.as_object_mut().unwrap().extend(five.as_object().unwrap().clone());
    let leg = only_leg(&claims);
    assert_eq!((leg.model.as_str(), leg.key.expose_secret()), ("gpt-realtime-2.1-mini", "sk-MARKER-flat"));
    let agent = config(&gate(), &minter().sign(&claims)).unwrap().agent;
    assert_eq!((agent.id.as_deref(), agent.prompt.as_deref()), (Some("a1"), Some("Be kind.")));
    assert_eq!((agent.voice.as_deref(), agent.temperature), (Some("cedar"), Some(0.8)));
}

#[test]
fn an_echo_leg_needs_no_key_and_fallbacks_are_kept_in_order() {
    let claims =
        with(json!({ "legs": [{ "kind": "echo" }, { "kind": "echo", "pause_ms": 900 }], "keys": null }));
    let config = config(&gate(), &minter().sign(&claims)).unwrap();
    let pauses: Vec<_> = config
        .legs
        .iter()
        .map(|leg| match leg {
            Leg::Echo(echo) => echo.pause.as_millis(),
            Leg::OpenAi(_) | Leg::Cascade(_) => panic!("an echo leg"),
        })
        .collect();
    assert_eq!(pauses, [600, 900]);
}

#[test]
fn a_call_is_never_longer_than_the_relay_allows() {
    for (asked, max) in [(json!(7_200), 3_600), (json!(60), 60), (json!(null), 3_600)] {
        let claims = with(json!({ "call": { "max_seconds": asked } }));
        let config = config(&gate(), &minter().sign(&claims)).unwrap();
        assert_eq!(config.call.max, Duration::from_secs(max));
    }
}

#[test]
fn the_relays_own_key_is_used_when_the_token_brings_none() {
    let mut settings = settings();
    settings.providers.openai.key = Some("sk-MARKER-relay".into());
    let gate = Gate::new(settings).unwrap();
    let config = config(&gate, &minter().sign(&with(json!({ "keys": null })))).unwrap();
    assert!(matches!(&config.legs[0], Leg::OpenAi(leg) if leg.key.expose_secret() == "sk-MARKER-relay"));
}

#[test]
fn during_rotation_tokens_of_both_secrets_are_taken_with_and_without_kid() {
    let old = "the-old-secret-of-at-least-thirty-two-bytes";
    let new = "the-new-secret-of-at-least-thirty-two-bytes";
    let secrets = patchcord::gate::secrets(&format!("2026-10={old},2026-11={new}").into());
    let gate = Gate::new(GateSettings { secrets, ..settings() }).unwrap();
    for (kid, secret) in [("2026-10", old), ("2026-11", new)] {
        for minter in [Minter::new(&secret.into()), Minter::new(&secret.into()).with_kid(kid)] {
            assert!(gate.open(&minter.sign(&claims()), now()).is_ok(), "{kid} signed");
            let pass = gate.open(&minter.seal(&claims()), now()).unwrap();
            assert!(pass.sealed);
        }
    }
    let pass = gate.open(&Minter::new(&new.into()).with_kid("2026-11").sign(&claims()), now()).unwrap();
    assert_eq!(pass.kid.as_deref(), Some("2026-11"));
}

#[test]
fn clocks_may_differ_by_a_few_seconds() {
    let token = minter().sign(&claims());
    for (seconds, fine) in [(NOW - 7, false), (NOW - 6, true), (NOW + 89 + 4, true), (NOW + 89 + 5, false)] {
        assert_eq!(gate().open(&token, at(seconds)).is_ok(), fine, "{seconds}");
    }
}

#[test]
fn dates_may_have_parts_of_a_second_and_aud_may_be_a_list() {
    let claims =
        with(json!({ "iat": 1795178399.5, "exp": 1795178489.75, "nbf": NOW, "aud": ["other", "patchcord"] }));
    assert!(gate().open(&minter().sign(&claims), now()).is_ok());
}

#[test]
fn a_token_for_another_region_says_so() {
    let elsewhere = |region: Value| {
        let pass = gate().open(&minter().sign(&with(json!({ "region": region }))), now()).unwrap();
        pass.elsewhere().map(str::to_owned)
    };
    assert_eq!(elsewhere(json!("fra")).as_deref(), Some("fra"));
    assert_eq!(elsewhere(json!("iad")), None);
    assert_eq!(elsewhere(json!(null)), None);
}

#[test]
fn the_pass_fits_the_call_it_was_made_for() {
    let pass = gate().open(&minter().sign(&claims()), now()).unwrap();
    let started =
        call::Started { call_id: CALL.into(), account_id: Some(ACCOUNT.into()), ..Default::default() };
    assert!(pass.bound_to(&started).is_ok());
}

#[test]
fn nothing_that_is_secret_is_ever_printed() {
    let gate = gate();
    let claims = with(
        json!({ "context": { "who": "MARKER-context" }, "keys": { "twilio": twilio_key() }, "call": { "error_message": "MARKER-words", "warning_message": "MARKER-words" } }),
    );
    let token = minter().sign(&claims);
    let pass = gate.open(&token, now()).unwrap();
    let config = scene::config(&gate, &token).unwrap();
    let shown = format!("{gate:?} {pass:?} {config:#?} {config:?} {:?} {:?}", minter(), settings());
    assert!(!shown.contains("MARKER"), "{shown}");
    assert!(shown.contains("***"), "{shown}");
}

#[test]
fn a_cascade_has_its_parts_where_the_relay_or_the_token_puts_them() {
    let mut settings = settings();
    settings.providers.deepgram.key = Some("the relay's".into());
    settings.upstream_allow.push("llm.example.com".into());
    let claims = with(json!({
        "legs": [{
            "kind": "cascade", "vad": "local",
            "stt": { "provider": "deepgram", "keyterms": ["Mill Street"], "eager_eot_threshold": 0.4 },
            "llm": { "provider": "openai", "model": "gpt-6-luna", "base_url": "https://llm.example.com/v1/",
                     "reasoning": "none", "max_tokens": 300, "extra": { "verbosity": "low" } },
            "tts": { "provider": "deepgram", "voice": "aura-2-thalia-en" },
        }],
        "keys": { "openai": "sk-mine" },
    }));
    let config = config(&Gate::new(settings).unwrap(), &minter().sign(&claims)).unwrap();
    assert_eq!(config.legs[0].kind(), "cascade");
    let Leg::Cascade(leg) = &config.legs[0] else { panic!("a cascade") };
    assert_eq!((leg.stt.model.as_str(), leg.stt.eager_eot_threshold), ("flux-general-en", Some(0.4)));
    assert_eq!(leg.stt.place.key.expose_secret(), "the relay's");
    assert_eq!(leg.tts.place.base_url, "https://api.deepgram.com/v1");
    assert_eq!((leg.llm.place.base_url.as_str(), leg.llm.place.own), ("https://llm.example.com/v1", false));
    assert_eq!(leg.llm.place.key.expose_secret(), "sk-mine");
    assert_eq!((leg.llm.max_tokens, leg.llm.extra.len()), (Some(300), 1));
    let shown = format!("{config:?}");
    assert!(!shown.contains("sk-mine") && !shown.contains("the relay's"), "{shown}");
}

#[test]
fn tools_of_the_main_app_arrive() {
    let parameters = json!({ "type": "object", "properties": { "order": { "type": "integer" } } });
    let claims = with(json!({ "tools": [
        { "name": "lookup", "description": "Finds an order.", "parameters": parameters,
          "url": "https://app.example.com/lookup", "timeout_ms": 5000, "say": "One moment." },
        { "kind": "knowledge", "name": "ask", "url": "https://app.example.com/ask" },
    ] }));
    let config = config(&gate(), &minter().seal(&claims)).unwrap();
    let [lookup, ask] = &config.tools[..] else { panic!("{:?}", config.tools) };
    let asks = |tool: &Tool| match &tool.does {
        Does::Ask { url, timeout } => (url.path().to_owned(), *timeout),
        Does::HangUp | Does::SendDtmf | Does::Elsewhere { .. } | Does::Transfer { .. } => {
            panic!("{} asks nobody", tool.name)
        }
    };
    assert_eq!(lookup.name, "lookup");
    assert_eq!(asks(lookup), ("/lookup".to_owned(), Duration::from_secs(5)));
    assert_eq!(lookup.description.as_deref(), Some("Finds an order."));
    assert_eq!(json!(lookup.parameters), parameters);
    assert_eq!((lookup.say.as_deref(), ask.say.as_deref()), (Some("One moment."), None));
    assert_eq!(asks(ask), ("/ask".to_owned(), Duration::from_secs(8)));
    assert_eq!(json!(ask.parameters)["required"], json!(["question"]));
}

#[test]
fn a_server_of_tools_arrives_and_its_key_is_never_shown() {
    let claims = with(json!({ "tools": [
        { "kind": "mcp", "server_label": "calendar", "server_url": "https://mcp.example.com/sse",
          "authorization": "MARKER", "allowed_tools": ["list"], "say": "Let me look." },
    ] }));
    let config = config(&gate(), &minter().seal(&claims)).unwrap();
    let [tool] = &config.tools[..] else { panic!("{:?}", config.tools) };
    let Does::Elsewhere { server, timeout } = &tool.does else { panic!("{:?}", tool.does) };
    assert_eq!((tool.name.as_str(), tool.say.as_deref()), ("calendar", Some("Let me look.")));
    assert_eq!((server.url.as_str(), *timeout), ("https://mcp.example.com/sse", Duration::from_secs(20)));
    assert_eq!(server.allowed.as_deref(), Some(&["list".to_owned()][..]));
    assert_eq!(server.authorization.as_ref().unwrap().expose_secret(), "MARKER");
    assert!(!format!("{config:?}{server:?}").contains("MARKER"));
}

#[test]
fn without_a_secret_to_sign_with_no_tool_can_be_called() {
    let key = json!({ "kty": "oct", "alg": "HS256", "k": URL_SAFE_NO_PAD.encode(SECRET) });
    let jwks = Some(json!({ "keys": [key] }).to_string().into());
    let settings = GateSettings { secrets: Vec::new(), jwks, ..settings() };
    let gate = Gate::new(settings).unwrap();
    let claims = with(json!({ "tools": [{ "name": "lookup", "url": "https://app.example.com/x" }] }));
    let refusal = config(&gate, &minter().sign(&claims)).unwrap_err();
    assert!(refusal.to_string().contains("RELAY_SECRET"), "{refusal}");
}

/// With the word MARKER in it, in more than one form.
const OWN_SECRET: &str = "whsec_MARKERMARKERMARKERMARKERMARKERMARKER";

#[test]
fn a_report_may_have_a_secret_of_its_own_also_where_the_relay_has_none() {
    let key = json!({ "kty": "oct", "alg": "HS256", "k": URL_SAFE_NO_PAD.encode(SECRET) });
    let jwks = Some(json!({ "keys": [key] }).to_string().into());
    let without = Gate::new(GateSettings { secrets: Vec::new(), jwks, ..settings() }).unwrap();
    let url = "https://app.example.com/report";
    let claims = with(json!({ "report": { "url": url, "secret": OWN_SECRET } }));
    for (gate, token) in [(&gate(), minter().seal(&claims)), (&without, minter().sign(&claims))] {
        let config = config(gate, &token).unwrap();
        let bytes = STANDARD.decode(OWN_SECRET.strip_prefix("whsec_").unwrap()).unwrap();
        assert_eq!(config.report.as_ref().unwrap().secret.as_ref().unwrap().bytes(), bytes);
        let (shown, bytes) = (format!("{config:?}"), format!("{bytes:?}"));
        assert!(!shown.contains("MARKER") && !shown.contains(bytes.trim_matches(['[', ']'])), "{shown}");
    }
    let plain = with(json!({ "report": { "url": url } }));
    assert!(config(&gate(), &minter().seal(&plain)).unwrap().report.unwrap().secret.is_none());
    let refusal = config(&without, &minter().sign(&plain)).unwrap_err();
    assert!(refusal.to_string().contains("RELAY_SECRET"), "{refusal}");
}

#[test]
fn an_agent_that_may_hang_up_and_asks_who_is_silent_arrives() {
    let claims = with(json!({
        "tools": [{ "kind": "hang_up" }, { "kind": "send_dtmf" }],
        "call": { "idle": { "after_seconds": 8, "say": ["Are you still there?"], "then": "hang_up" } },
    }));
    let config = config(&gate(), &minter().seal(&claims)).unwrap();
    let [hang_up, send_dtmf] = &config.tools[..] else { panic!("{:?}", config.tools) };
    assert!(send_dtmf.name == "send_dtmf" && matches!(send_dtmf.does, Does::SendDtmf));
    assert!(hang_up.name == "hang_up" && matches!(hang_up.does, Does::HangUp));
    assert!(hang_up.description.as_deref().is_some_and(|text| text.contains("goodbye")));
    let idle = config.call.idle.unwrap();
    assert_eq!((idle.after, idle.then_hang_up), (Duration::from_secs(8), true));
    assert_eq!(idle.say, ["Are you still there?"]);
}

#[test]
fn targets_of_a_transfer_are_names_for_the_model() {
    let claims = with(json!({
        "tools": [{ "kind": "transfer", "targets": { "sales": "+15550100", "support": "sip:help@example.com" } }],
        "report": { "url": "https://app.example.com/report", "events": ["call.action", "call.ended"] },
    }));
    let config = config(&gate(), &minter().seal(&claims)).unwrap();
    let [transfer] = &config.tools[..] else { panic!("{:?}", config.tools) };
    let shown = json!(transfer.parameters);
    assert_eq!(shown["properties"]["target"]["enum"], json!(["sales", "support"]));
    assert!(!shown.to_string().contains("5550100"), "the numbers stay here");
    let Does::Transfer { targets } = &transfer.does else { panic!("{transfer:?}") };
    assert_eq!(targets["sales"], "+15550100");
}

#[test]
fn with_twilios_key_the_relay_dials_by_itself_and_needs_no_report() {
    let tools =
        json!([{ "kind": "transfer", "targets": { "sales": "+15550100", "desk": "client:front_desk" } }]);
    let claims = with(json!({ "keys": { "twilio": twilio_key() }, "tools": tools }));
    let twilio = config(&gate(), &minter().seal(&claims)).unwrap().twilio.unwrap();
    assert_eq!(twilio.sid, ACCOUNT);
    assert_eq!(twilio.key.expose_secret(), "SK0123456789abcdef0123456789abcdef");
    assert_eq!(twilio.secret.expose_secret(), "MARKER-twilio");
    // Without `acct` there is nothing to compare with.
    let claims = with(json!({ "acct": null, "keys": { "twilio": twilio_key() }, "tools": tools }));
    assert!(config(&gate(), &minter().seal(&claims)).unwrap().twilio.is_some());
    assert!(config(&gate(), &minter().seal(&scene::claims())).unwrap().twilio.is_none());
}

#[test]
fn a_token_with_twilios_key_or_a_secret_must_be_sealed_where_keys_must() {
    let strict = Gate::new(GateSettings { require_sealed: true, ..settings() }).unwrap();
    let report = json!({ "url": "https://app.example.com/report", "secret": OWN_SECRET });
    let claims = with(json!({ "legs": [{ "kind": "echo" }], "keys": null, "report": report }));
    assert_eq!(strict.open(&minter().sign(&claims), now()).unwrap_err().code, Code::TokenNotSealed);
    assert!(strict.open(&minter().seal(&claims), now()).is_ok());
    let claims =
        with(json!({ "legs": [{ "kind": "echo" }], "keys": { "openai": null, "twilio": twilio_key() } }));
    assert_eq!(strict.open(&minter().sign(&claims), now()).unwrap_err().code, Code::TokenNotSealed);
    assert!(strict.open(&minter().seal(&claims), now()).is_ok());
}
