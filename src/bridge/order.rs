//! What a checked token orders, in the words of the call and of its leg.

use std::time::Duration;

use call::{
    Turns,
    cascade::{self, Judges},
};
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use wire::{
    Function, chat,
    deepgram::{AuraSetup, FluxSetup, FluxVoiceSetup, NovaSetup},
    elevenlabs::{MultiSetup, ScribeSetup},
    openai::{self, Setup},
};

use crate::gate::config::{
    Agent, CascadeLeg, Config, Does, Eagerness, Effort, Hearing, HearingProvider, Leg, NoiseReduction,
    OpenAiLeg, Speaking, Thinking, ThinkingEffort, Tool, Turn, Vad,
};

/// What the call itself has to know.
pub(super) fn for_call(config: &Config) -> call::Config {
    call::Config {
        legs: config.legs.iter().map(rules).collect(),
        greeting: config.agent.greeting.clone(),
        interruptible: config.call.interruptible,
        max: config.call.max,
        warning: config.call.warning.clone(),
        error_message: config.call.error_message.clone(),
        tools: config.tools.iter().map(tool).collect(),
        idle: config.call.idle.clone(),
        carrier_hands_over: config.twilio.is_some(),
        record: config.call.record.as_ref().map(|record| call::Record { say: record.say.clone() }),
    }
}

fn rules(leg: &Leg) -> call::LegRules {
    call::LegRules {
        name: leg.kind(),
        turn_silence: turn_silence(leg),
        patience: patience(leg),
        speaks_alone: matches!(leg, Leg::Cascade(_)),
        longest: match leg {
            Leg::OpenAi(leg) => Some(leg.session),
            Leg::Cascade(_) | Leg::Echo(_) => None,
        },
    }
}

fn tool(tool: &Tool) -> call::Tool {
    let (patience, does) = match &tool.does {
        Does::Ask { timeout, .. } => (*timeout, call::Does::Ask),
        Does::HangUp => (Duration::ZERO, call::Does::HangUp),
        Does::Elsewhere { timeout, .. } => (*timeout, call::Does::Elsewhere),
        // Whether there is such a target is known at once.
        Does::Transfer { .. } => (Duration::from_secs(1), call::Does::Ask),
        // They wait for the agent's own words.
        Does::SendDtmf => (Duration::from_secs(60), call::Does::Ask),
    };
    call::Tool { name: tool.name.clone(), patience, say: tool.say.clone(), does }
}

/// What we run, or have the main app run.
fn functions(config: &Config) -> Vec<Function> {
    let ours = config.tools.iter().filter(|tool| !matches!(tool.does, Does::Elsewhere { .. }));
    ours.map(function).collect()
}

/// What the provider runs by itself. It asks nobody before: nobody on a phone could say yes in time.
fn server(tool: &Tool) -> Option<Value> {
    let Does::Elsewhere { server, .. } = &tool.does else { return None };
    let mut asked = json!({
        "type": "mcp", "server_label": tool.name, "server_url": server.url, "require_approval": "never",
    });
    if let Some(description) = &server.description {
        asked["server_description"] = json!(description);
    }
    if let Some(key) = &server.authorization {
        asked["authorization"] = json!(key.expose_secret());
    }
    if let Some(allowed) = &server.allowed {
        asked["allowed_tools"] = json!(allowed);
    }
    Some(asked)
}

fn function(tool: &Tool) -> Function {
    let Tool { name, description, parameters, .. } = tool.clone();
    Function { name, description, parameters }
}

/// How long after the caller's last sound this leg says that the caller has stopped.
fn turn_silence(leg: &Leg) -> Duration {
    match leg {
        Leg::OpenAi(OpenAiLeg { turn: Turn::Server { silence, .. }, .. }) => *silence,
        // A model that waits for the sense of a sentence says so within about a second when it is clear.
        Leg::OpenAi(OpenAiLeg { turn: Turn::Semantic { .. }, .. }) => Duration::from_secs(1),
        // Flux judges by the words, and is sure within a moment of the last one when they make sense.
        Leg::Cascade(leg) if leg.stt.model.starts_with("flux") => Duration::from_millis(400),
        Leg::Cascade(leg) => leg.stt.silence,
        Leg::Echo(echo) => echo.pause,
    }
}

/// How long this leg may be silent before its answer begins. A model that was told to think hard does.
fn patience(leg: &Leg) -> Duration {
    match leg {
        Leg::OpenAi(OpenAiLeg { reasoning: Some(Effort::Medium | Effort::High | Effort::Xhigh), .. }) => {
            Duration::from_secs(20)
        }
        // The mind is asked a second time within this, see `cascade`.
        Leg::Cascade(_) => Duration::from_secs(8),
        Leg::OpenAi(_) | Leg::Echo(_) => Duration::from_secs(5),
    }
}

/// What the core of a cascade has to know.
pub(super) fn for_cascade(config: &Config, leg: &CascadeLeg, turns: Turns) -> cascade::Setup {
    let judges = match leg.vad {
        None => Judges::Both,
        Some(Vad::Local) => Judges::Local,
        Some(Vad::Provider) => Judges::Provider,
    };
    // Scribe makes words, and leaves the turns to us.
    let ends_turns = (leg.stt.provider == HearingProvider::Elevenlabs).then_some(leg.stt.silence);
    cascade::Setup { prompt: config.agent.prompt.clone(), turns, judges, ends_turns }
}

pub(super) fn for_flux(config: &Config, stt: &Hearing) -> FluxSetup {
    let hint = config.agent.language.as_deref().and_then(language).filter(|_| stt.model.ends_with("multi"));
    FluxSetup {
        model: stt.model.clone(),
        languages: hint.map(str::to_owned).into_iter().collect(),
        keyterms: stt.keyterms.clone(),
        sure: stt.eot_threshold,
        guess: stt.eager_eot_threshold,
        silence_ms: stt.eot_timeout.map(millis),
    }
}

pub(super) fn for_nova(config: &Config, stt: &Hearing) -> NovaSetup {
    NovaSetup {
        model: stt.model.clone(),
        language: config.agent.language.clone(),
        keyterms: stt.keyterms.clone(),
        silence_ms: millis(stt.silence),
    }
}

pub(super) fn for_scribe(config: &Config, stt: &Hearing) -> ScribeSetup {
    // A region behind the language would be refused.
    let language = config.agent.language.as_deref().and_then(language);
    ScribeSetup {
        model: stt.model.clone(),
        language: language.map(str::to_owned),
        keyterms: stt.keyterms.clone(),
    }
}

pub(super) fn for_aura(config: &Config, tts: &Speaking) -> AuraSetup {
    AuraSetup { model: tts.voice.clone(), speed: config.agent.speed }
}

pub(super) fn for_flux_voice(config: &Config, tts: &Speaking) -> FluxVoiceSetup {
    FluxVoiceSetup { model: tts.voice.clone(), speed: config.agent.speed }
}

pub(super) fn for_multi(config: &Config, tts: &Speaking) -> MultiSetup {
    // Only the models of this generation take a language, and they refuse a region behind it.
    let speaks_many = tts.model.ends_with("_v2_5");
    MultiSetup {
        voice: tts.voice.clone(),
        model: tts.model.clone(),
        language: config
            .agent
            .language
            .as_deref()
            .and_then(language)
            .filter(|_| speaks_many)
            .map(str::to_owned),
        speed: config.agent.speed,
    }
}

pub(super) fn for_mind(config: &Config, llm: &Thinking) -> chat::Mind {
    chat::Mind {
        model: llm.model.clone(),
        temperature: config.agent.temperature,
        max_tokens: llm.max_tokens,
        reasoning: llm.reasoning.map(|effort| match effort {
            ThinkingEffort::None => chat::Reasoning::None,
            ThinkingEffort::Minimal => chat::Reasoning::Minimal,
            ThinkingEffort::Low => chat::Reasoning::Low,
            ThinkingEffort::Medium => chat::Reasoning::Medium,
            ThinkingEffort::High => chat::Reasoning::High,
        }),
        tools: functions(config),
        extra: llm.extra.clone(),
    }
}

/// `pt` of `pt-BR`; nothing of `multi`, which Nova takes for several languages in one call.
fn language(tag: &str) -> Option<&str> {
    tag.split('-').next().filter(|language| matches!(language.len(), 2 | 3))
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// What the provider is asked to be.
pub(super) fn for_openai(config: &Config, leg: &OpenAiLeg, turns: Turns) -> Setup {
    let agent = &config.agent;
    Setup {
        instructions: instructions(agent),
        voice: agent.voice.clone(),
        speed: agent.speed,
        language: agent.language.clone().filter(|tag| language(tag).is_some()),
        turn: turn(leg.turn),
        noise_reduction: leg.noise_reduction.map(|near| match near {
            NoiseReduction::NearField => openai::NoiseReduction::NearField,
            NoiseReduction::FarField => openai::NoiseReduction::FarField,
        }),
        transcription: leg.transcription.clone().map(|model| openai::Transcription { model }),
        max_output_tokens: leg.max_output_tokens.and_then(|tokens| u32::try_from(tokens).ok()),
        reasoning_effort: leg.reasoning.map(|effort| match effort {
            Effort::Minimal => openai::ReasoningEffort::Minimal,
            Effort::Low => openai::ReasoningEffort::Low,
            Effort::Medium => openai::ReasoningEffort::Medium,
            Effort::High => openai::ReasoningEffort::High,
            Effort::Xhigh => openai::ReasoningEffort::Xhigh,
        }),
        tools: functions(config),
        servers: config.tools.iter().filter_map(server).collect(),
        turns,
    }
}

/// The prompt, and how to sound.
fn instructions(agent: &Agent) -> String {
    let mut all = agent.prompt.clone().unwrap_or_default();
    let voice = [("Accent", &agent.accent), ("Manner", &agent.manner)];
    let voice = voice.into_iter().filter_map(|(name, how)| Some(format!("{name}: {}", how.as_ref()?)));
    let voice: Vec<_> = voice.collect();
    if !voice.is_empty() {
        if !all.is_empty() {
            all.push_str("\n\n");
        }
        all.push_str(&format!("# How you sound\n{}", voice.join("\n")));
    }
    all
}

fn turn(turn: Turn) -> openai::Turn {
    let ms = |time: Duration| u32::try_from(time.as_millis()).unwrap_or(u32::MAX);
    match turn {
        Turn::Server { silence, threshold, prefix_padding } => openai::Turn::ServerVad {
            threshold: threshold.unwrap_or(0.5),
            prefix_padding_ms: prefix_padding.map_or(300, ms),
            silence_ms: ms(silence),
        },
        Turn::Semantic { eagerness } => openai::Turn::Semantic {
            eagerness: match eagerness {
                Eagerness::Low => openai::Eagerness::Low,
                Eagerness::Medium => openai::Eagerness::Medium,
                Eagerness::High => openai::Eagerness::High,
                Eagerness::Auto => openai::Eagerness::Auto,
            },
        },
    }
}
