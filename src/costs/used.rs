//! Who is paid for what a call used: a provider and a model for everything.
//!
//! A call knows what each of its legs used, the token knows what each leg is made of.

use std::{fmt, time::Duration};

use call::{LegUse, Meter, Usage};
use reqwest::Url;

use crate::gate::config::{
    CascadeLeg, Config, Hearing, HearingProvider, Leg, OpenAiLeg, Place, Speaking, SpeakingProvider,
    Thinking, ThinkingProvider,
};

/// Who is paid, and for which of their models.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Of {
    /// `openai`, `groq`, `deepgram`, `elevenlabs`; for a server of somebody else its host.
    pub provider: String,
    /// A voice of Deepgram's is a model of its own.
    pub model: String,
    /// What is asked of the model that has a price of its own.
    pub option: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Used {
    pub of: Of,
    pub usage: Usage,
}

impl Of {
    pub fn new(provider: &str, model: &str, option: Option<&str>) -> Self {
        Self { provider: provider.into(), model: model.into(), option: option.map(Into::into) }
    }
}

impl fmt::Display for Of {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.provider, self.model)?;
        self.option.iter().try_for_each(|option| write!(f, " ({option})"))
    }
}

/// Each provider and model once, whichever legs used it. What was not used is left out.
pub fn by_model(config: &Config, legs: &[LegUse], meter: &Meter) -> Vec<Used> {
    let mut all: Vec<Used> = Vec::new();
    for (opened, usage) in legs.iter().zip(meter.legs()) {
        let parts = match config.legs.get(opened.leg) {
            Some(Leg::OpenAi(leg)) => of_openai(leg, usage),
            Some(Leg::Cascade(leg)) => of_cascade(leg, config.agent.language.as_deref(), usage),
            Some(Leg::Echo(_)) | None => Vec::new(),
        };
        for part in parts.into_iter().filter(|part| part.usage != Usage::default()) {
            match all.iter_mut().find(|known| known.of == part.of) {
                Some(known) => known.usage += part.usage,
                None => all.push(part),
            }
        }
    }
    all
}

fn of_openai(leg: &OpenAiLeg, usage: &Usage) -> Vec<Used> {
    let provider = provider("openai", leg.own, &leg.base_url);
    let talks = Usage {
        transcription_audio_in: 0,
        transcription_text_in: 0,
        transcription_text_out: 0,
        transcribed: Duration::ZERO,
        ..*usage
    };
    let writes_down = Usage {
        audio_in: usage.transcription_audio_in,
        text_in: usage.transcription_text_in,
        text_out: usage.transcription_text_out,
        transcribed: usage.transcribed,
        ..Usage::default()
    };
    // One that writes down without having been asked to is not known.
    let writer = leg.transcription.as_deref().unwrap_or("transcription");
    vec![
        Used { of: Of::new(&provider, &leg.model, None), usage: talks },
        Used { of: Of::new(&provider, writer, None), usage: writes_down },
    ]
}

fn of_cascade(leg: &CascadeLeg, language: Option<&str>, usage: &Usage) -> Vec<Used> {
    let CascadeLeg { stt, llm, tts, .. } = leg;
    let heard = Usage { transcribed: usage.transcribed, ..Usage::default() };
    let thought = Usage { transcribed: Duration::ZERO, characters: 0, ..*usage };
    let spoken = Usage { characters: usage.characters, ..Usage::default() };
    let mut all: Vec<_> = ears(stt, language).into_iter().map(|of| Used { of, usage: heard }).collect();
    all.extend([Used { of: mind(llm), usage: thought }, Used { of: mouth(tts), usage: spoken }]);
    all
}

/// The ear, and what costs something on top of it.
fn ears(stt: &Hearing, language: Option<&str>) -> Vec<Of> {
    let provider = match stt.provider {
        HearingProvider::Deepgram => of_place("deepgram", &stt.place),
        HearingProvider::Elevenlabs => of_place("elevenlabs", &stt.place),
    };
    let multi = stt.model.starts_with("nova") && language == Some("multi");
    let mut ears = vec![Of::new(&provider, &stt.model, multi.then_some("multi"))];
    // Flux takes them for nothing, as far as anybody has written down.
    if !stt.keyterms.is_empty() && !stt.model.starts_with("flux") {
        ears.push(Of::new(&provider, &stt.model, Some("keyterms")));
    }
    ears
}

fn mind(llm: &Thinking) -> Of {
    let provider = match llm.provider {
        ThinkingProvider::Groq => of_place("groq", &llm.place),
        ThinkingProvider::OpenAi => of_place("openai", &llm.place),
    };
    let tier = llm.extra.get("service_tier").and_then(|tier| tier.as_str());
    Of::new(&provider, &llm.model, tier.filter(|tier| !USUAL_TIERS.contains(tier)))
}

fn mouth(tts: &Speaking) -> Of {
    match tts.provider {
        SpeakingProvider::Deepgram => Of::new(&of_place("deepgram", &tts.place), &tts.voice, None),
        SpeakingProvider::Elevenlabs => Of::new(&of_place("elevenlabs", &tts.place), &tts.model, None),
    }
}

fn of_place(name: &'static str, place: &Place) -> String {
    provider(name, place.own, &place.base_url)
}

/// A server that copies a provider's interface has prices of its own; so has Azure, where a model's name is only what
/// somebody called it.
fn provider(name: &'static str, own: bool, base_url: &str) -> String {
    let host = Url::parse(base_url).ok().and_then(|url| url.host_str().map(str::to_ascii_lowercase));
    match host {
        Some(host) if !own || host.ends_with(".azure.com") => host,
        _ => name.to_owned(),
    }
}

/// What `service_tier` says when it asks for nothing special.
const USUAL_TIERS: [&str; 3] = ["auto", "default", "on_demand"];
