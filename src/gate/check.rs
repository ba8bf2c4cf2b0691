//! From claims as they were written to a configuration that the call can trust.
//!
//! All that is wrong is found in one pass and told together. A field that is read in `claims` must be used here,
//! or refused.

use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;

use super::{
    Rules,
    claims::{Agent, Body, Call, Keys, Registered},
    config::{self, CallRules, Config, Eagerness, EchoLeg, OpenAiLeg, Place},
    leg_claims::{Echo, Leg, OpenAi, Turn, TurnMode},
    loose::Switchable,
    problems::Problems,
    refusal::Code,
    tools::{Idle, Record, Then},
    upstream::{self, Provider},
};
use crate::outward::address;

/// The flat form says the same as one `openai` leg.
pub(super) fn unfold(claims: &mut Registered, body: Body, problems: &mut Problems) -> (Body, Form) {
    let flat = [
        ("agentId", claims.agent_id.is_some()),
        ("openAIKey", claims.openai_key.is_some()),
        ("prompt", claims.prompt.is_some()),
        ("voice", claims.voice.is_some()),
        ("temperature", claims.temperature.is_some()),
    ];
    let long = [
        ("agent", body.agent.is_some()),
        ("legs", body.legs.is_some()),
        ("keys", body.keys.is_some()),
        ("tools", body.tools.is_some()),
        ("call", body.call.is_some()),
        ("report", body.report.is_some()),
        ("context", body.context.is_some()),
    ];
    let first =
        |fields: &[(&'static str, bool)]| fields.iter().find(|(_, used)| *used).map(|(name, _)| *name);
    if claims.config.is_some() {
        for name in [first(&flat), first(&long)].into_iter().flatten() {
            problems.add(
                Code::ClaimsMixed,
                name,
                "stands beside `config`: put it into the JSON that `config` points to",
            );
        }
        return (body, Form::Reference);
    }
    let Some(name) = first(&flat) else { return (body, Form::Long) };
    if let Some(other) = first(&long[..3]) {
        let text = format!("stands beside `{other}`: use the flat form, or `agent`, `legs` and `keys`");
        problems.add(Code::ClaimsMixed, name, text);
    }
    let agent = Agent {
        id: claims.agent_id.take(),
        prompt: claims.prompt.take(),
        voice: claims.voice.take(),
        temperature: claims.temperature.take(),
        ..Agent::default()
    };
    let keys = Keys { openai: claims.openai_key.take(), ..Keys::default() };
    let legs = vec![Leg::OpenAi(OpenAi::default())];
    (Body { agent: Some(agent), legs: Some(legs), keys: Some(keys), ..body }, Form::Flat)
}

/// How the claims were written.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    Flat,
    Long,
    Reference,
}

/// `None` when a problem was found.
pub(super) fn config(
    body: Body,
    form: Form,
    rules: &Rules,
    acct: Option<&str>,
    problems: &mut Problems,
) -> Option<Config> {
    let mut check = Check { form, rules, problems, dials: false };
    let mut keys = check.keys(body.keys.unwrap_or_default());
    let twilio = keys.twilio.take().and_then(|key| check.twilio(key, acct));
    check.dials = twilio.is_some();
    let agent = check.agent(body.agent.unwrap_or_default());
    let legs = check.legs(body.legs.unwrap_or_default(), &keys);
    check.persona(&agent, &legs);
    let tools = check.tools(body.tools.unwrap_or_default());
    check.somebody_speaks_mcp(&tools, &legs);
    let call = check.call(body.call.unwrap_or_default());
    let report = body.report.and_then(|report| check.report(&report));
    let transfers = tools.iter().any(|tool| matches!(tool.does, config::Does::Transfer { .. }));
    if transfers && report.is_none() && twilio.is_none() {
        let text = "needs `report.url`, where the main app is told whom to dial, or `keys.twilio`";
        check.add(Code::ClaimsMissing, "report", text);
    }
    let context = body.context.unwrap_or(Value::Null);
    if context.to_string().len() > CONTEXT_MAX {
        check.add(
            Code::ClaimsValue,
            "context",
            "is longer than 16 kB: keep the rest in the main app and send an id",
        );
    }
    problems.is_empty().then_some(Config { agent, legs, tools, call, report, twilio, context })
}

pub(super) struct Check<'a> {
    form: Form,
    pub rules: &'a Rules,
    problems: &'a mut Problems,
    /// The relay itself tells Twilio whom to dial.
    pub dials: bool,
}

impl Check<'_> {
    /// The path is told as it stands in the token.
    pub(super) fn add(&mut self, code: Code, path: &str, text: impl Into<String>) {
        let path = match self.form {
            Form::Flat if path == "keys.openai" => "openAIKey",
            Form::Flat if path == "agent.id" => "agentId",
            Form::Flat => path.strip_prefix("agent.").unwrap_or(path),
            Form::Long | Form::Reference => path,
        };
        self.problems.add(code, path, text);
    }

    pub(super) fn text(&mut self, path: &str, text: Option<&String>, most: usize) {
        if text.is_some_and(|text| text.chars().count() > most) {
            self.add(Code::ClaimsValue, path, format!("is longer than {most} characters"));
        }
    }

    /// A short word that goes into URLs, messages and logs.
    pub(super) fn name(&mut self, path: &str, name: Option<&String>, most: usize) {
        let fine = |name: &String| {
            !name.trim().is_empty() && name.len() <= most && !name.chars().any(char::is_control)
        };
        if !name.is_none_or(fine) {
            self.add(
                Code::ClaimsValue,
                path,
                format!("is empty, longer than {most} bytes, or not printable"),
            );
        }
    }

    pub(super) fn number(&mut self, path: &str, number: Option<f64>, least: f64, most: f64) {
        if number.is_some_and(|number| !(least..=most).contains(&number)) {
            self.add(Code::ClaimsValue, path, format!("must be between {least} and {most}"));
        }
    }

    pub(super) fn whole(&mut self, path: &str, number: Option<u64>, least: u64, most: u64) {
        if number.is_some_and(|number| !(least..=most).contains(&number)) {
            self.add(Code::ClaimsValue, path, format!("must be between {least} and {most}"));
        }
    }

    fn keys(&mut self, keys: Keys) -> Keys {
        for (path, key) in [
            ("keys.openai", &keys.openai),
            ("keys.deepgram", &keys.deepgram),
            ("keys.groq", &keys.groq),
            ("keys.elevenlabs", &keys.elevenlabs),
        ] {
            let fine = |key: &SecretString| {
                let key = key.expose_secret();
                !key.is_empty() && key.len() <= KEY_MAX && key.bytes().all(|byte| byte.is_ascii_graphic())
            };
            if !key.as_ref().is_none_or(fine) {
                self.add(
                    Code::ClaimsValue,
                    path,
                    "is empty, or holds what no key does, such as a space or a line break",
                );
            }
        }
        keys
    }

    fn agent(&mut self, agent: Agent) -> config::Agent {
        self.name("agent.id", agent.id.as_ref(), 200);
        self.text("agent.prompt", agent.prompt.as_ref(), PROMPT_MAX);
        self.text("agent.greeting", agent.greeting.as_ref(), SPOKEN_MAX);
        self.name("agent.voice", agent.voice.as_ref(), 64);
        self.number("agent.temperature", agent.temperature, 0.0, 2.0);
        self.number("agent.speed", agent.speed, 0.25, 1.5);
        self.name("agent.accent", agent.accent.as_ref(), MANNER_MAX);
        self.name("agent.manner", agent.manner.as_ref(), MANNER_MAX);
        let tag = |tag: &String| {
            (2..=35).contains(&tag.len())
                && tag.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
        };
        if !agent.language.as_ref().is_none_or(tag) {
            self.add(Code::ClaimsValue, "agent.language", "is not a language such as `en` or `pt-BR`");
        }
        let Agent { id, prompt, greeting, voice, language, temperature, speed, accent, manner } = agent;
        let greeting = greeting.filter(|greeting| !greeting.trim().is_empty());
        config::Agent { id, prompt, greeting, voice, language, temperature, speed, accent, manner }
    }

    fn legs(&mut self, legs: Vec<Leg>, keys: &Keys) -> Vec<config::Leg> {
        if legs.is_empty() {
            let text = "is missing: name at least one, such as `{\"kind\":\"openai\"}`";
            self.add(Code::ClaimsMissing, "legs", text);
        }
        if legs.len() > LEGS_MAX {
            self.add(Code::ClaimsValue, "legs", format!("names more than {LEGS_MAX}"));
        }
        let mut checked = Vec::new();
        for (index, leg) in legs.into_iter().take(LEGS_MAX).enumerate() {
            let path = format!("legs[{index}]");
            match leg {
                Leg::OpenAi(leg) => checked.extend(self.openai(&path, leg, keys).map(config::Leg::OpenAi)),
                Leg::Echo(leg) => checked.push(config::Leg::Echo(self.echo(&path, &leg))),
                Leg::Cascade(leg) => {
                    let cascade = self.cascade(&path, leg, keys);
                    checked.extend(cascade.map(|leg| config::Leg::Cascade(Box::new(leg))));
                }
            }
        }
        checked
    }

    fn echo(&mut self, path: &str, leg: &Echo) -> EchoLeg {
        self.whole(&format!("{path}.pause_ms"), leg.pause_ms, 100, 10_000);
        EchoLeg { pause: Duration::from_millis(leg.pause_ms.unwrap_or(600)) }
    }

    fn openai(&mut self, path: &str, leg: OpenAi, keys: &Keys) -> Option<OpenAiLeg> {
        let at = |field: &str| format!("{path}.{field}");
        self.name(&at("model"), leg.model.as_ref(), 128);
        self.whole(&at("max_output_tokens"), leg.max_output_tokens, 1, 1_000_000);
        let turn = self.turn(&at("turn"), &leg.turn.unwrap_or_default());
        let transcription = match leg.transcription {
            Switchable::On(on) => {
                self.name(&at("transcription.model"), on.model.as_ref(), 128);
                Some(on.model.unwrap_or_else(|| "gpt-transcribe".into()))
            }
            Switchable::Off => None,
        };
        let rules = self.rules;
        let own = &rules.providers.openai;
        let place = self.place(path, leg.base_url.as_deref(), own, ("openai", keys.openai.as_ref()))?;
        let azure = upstream::is_azure(&place.base_url);
        Some(OpenAiLeg {
            model: leg.model.unwrap_or_else(|| DEFAULT_MODEL.into()),
            auth: leg.auth.unwrap_or(if azure { config::Auth::ApiKey } else { config::Auth::Bearer }),
            base_url: place.base_url,
            own: place.own,
            key: place.key,
            session: rules.openai_session,
            turn,
            noise_reduction: leg.noise_reduction,
            transcription,
            max_output_tokens: leg.max_output_tokens,
            reasoning: leg.reasoning.map(|reasoning| reasoning.effort),
        })
    }

    /// The address that a leg names, or the relay's own, and the key that goes there.
    pub(super) fn place(
        &mut self,
        path: &str,
        asked: Option<&str>,
        own: &Provider,
        (name, key): (&'static str, Option<&SecretString>),
    ) -> Option<Place> {
        let chosen = upstream::choose(asked, &own.base_url, &self.rules.allowed);
        let chosen =
            chosen.map_err(|why| self.add(Code::ClaimsUpstream, &format!("{path}.base_url"), why)).ok()?;
        let key = match (key, &own.key) {
            (Some(key), _) => key.clone(),
            (None, Some(key)) if chosen.own => key.clone(),
            (None, Some(_)) => {
                let text =
                    format!("is missing: the relay's own key does not go to another `base_url` ({path})");
                self.add(Code::ClaimsKeyMissing, &format!("keys.{name}"), text);
                return None;
            }
            (None, None) => {
                let variable = format!("{}_API_KEY", name.to_uppercase());
                let text =
                    format!("is missing, and the relay has no key of its own: send it, or set {variable}");
                self.add(Code::ClaimsKeyMissing, &format!("keys.{name}"), text);
                return None;
            }
        };
        Some(Place { base_url: chosen.base_url, key, own: chosen.own })
    }

    fn turn(&mut self, path: &str, turn: &Turn) -> config::Turn {
        let at = |field: &str| format!("{path}.{field}");
        self.whole(&at("silence_ms"), turn.silence_ms, 20, 10_000);
        self.number(&at("threshold"), turn.threshold, 0.0, 1.0);
        self.whole(&at("prefix_padding_ms"), turn.prefix_padding_ms, 0, 5_000);
        match turn.mode.unwrap_or(TurnMode::ServerVad) {
            TurnMode::ServerVad => {
                if turn.eagerness.is_some() {
                    self.add(Code::ClaimsValue, &at("eagerness"), "belongs to the mode `semantic_vad`");
                }
                config::Turn::Server {
                    silence: Duration::from_millis(turn.silence_ms.unwrap_or(500)),
                    threshold: turn.threshold,
                    prefix_padding: turn.prefix_padding_ms.map(Duration::from_millis),
                }
            }
            TurnMode::SemanticVad => {
                for (field, used) in [
                    ("silence_ms", turn.silence_ms.is_some()),
                    ("threshold", turn.threshold.is_some()),
                    ("prefix_padding_ms", turn.prefix_padding_ms.is_some()),
                ] {
                    if used {
                        self.add(Code::ClaimsValue, &at(field), "belongs to the mode `server_vad`");
                    }
                }
                config::Turn::Semantic { eagerness: turn.eagerness.unwrap_or(Eagerness::Auto) }
            }
        }
    }

    fn call(&mut self, call: Call) -> CallRules {
        if call.max_seconds == Some(0) {
            self.add(Code::ClaimsValue, "call.max_seconds", "must be at least 1");
        }
        self.text("call.warning_message", call.warning_message.as_ref(), SPOKEN_MAX);
        self.text("call.error_message", call.error_message.as_ref(), SPOKEN_MAX);
        let spoken = |text: Option<String>| text.filter(|text| !text.trim().is_empty());
        let most = self.rules.max_call;
        CallRules {
            max: call.max_seconds.map_or(most, |seconds| Duration::from_secs(seconds).min(most)),
            warning: spoken(call.warning_message),
            interruptible: call.interruptible.unwrap_or(true),
            error_message: spoken(call.error_message),
            idle: call.idle.map(|idle| self.idle(idle)),
            record: call.record.and_then(|record| self.record(record)),
        }
    }

    fn record(&mut self, asked: Record) -> Option<config::Recording> {
        self.text("call.record.say", asked.say.as_ref(), SPOKEN_MAX);
        let say = asked.say.filter(|say| !say.trim().is_empty());
        let url = address::check(&asked.put_url, self.rules.allow_private);
        let url =
            url.map_err(|why| self.add(Code::ClaimsUrl, "call.record.put_url", why.to_string())).ok()?;
        Some(config::Recording { url, say })
    }

    fn idle(&mut self, asked: Idle) -> call::Idle {
        let say = asked.say.unwrap_or_default();
        self.whole("call.idle.after_seconds", Some(asked.after_seconds), 2, 3_600);
        if say.len() > PROMPTS_MAX {
            self.add(Code::ClaimsValue, "call.idle.say", format!("has more than {PROMPTS_MAX} entries"));
        }
        for (index, text) in say.iter().enumerate().take(PROMPTS_MAX) {
            let path = format!("call.idle.say[{index}]");
            self.text(&path, Some(text), SPOKEN_MAX);
            if text.trim().is_empty() {
                self.add(Code::ClaimsValue, &path, "is empty");
            }
        }
        let then_hang_up = matches!(asked.then, Some(Then::HangUp));
        call::Idle { after: Duration::from_secs(asked.after_seconds), say, then_hang_up }
    }
}

const DEFAULT_MODEL: &str = "gpt-realtime-2.1-mini";

/// More than any Realtime model takes as instructions.
const PROMPT_MAX: usize = 128 * 1024;

/// Whom nobody answered ten times is alone.
const PROMPTS_MAX: usize = 10;

/// Two minutes of speech.
const SPOKEN_MAX: usize = 2_000;

/// Short-lived keys of Azure are tokens of 2 to 3 kB.
const KEY_MAX: usize = 8 * 1024;

/// It travels with every report and tool call.
const CONTEXT_MAX: usize = 16 * 1024;

const LEGS_MAX: usize = 8;

/// In bytes. A sentence about the voice; what the agent is and knows belongs into the prompt.
const MANNER_MAX: usize = 200;
