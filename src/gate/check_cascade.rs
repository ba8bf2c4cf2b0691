//! The parts of a cascade, from claims as they were written.
//!
//! What a vendor would refuse after the call has begun is refused here, where the claim can still be named.

use std::time::Duration;

use super::{
    check::Check,
    claims::Keys,
    config::Hearing,
    config::SpeakingProvider,
    config::{CascadeLeg, Speaking, Thinking, ThinkingProvider},
    leg_claims::{self, Cascade, HearingProvider},
    refusal::Code,
};

impl Check<'_> {
    /// All parts are looked at, so that all problems are told together.
    pub(super) fn cascade(&mut self, path: &str, leg: Cascade, keys: &Keys) -> Option<CascadeLeg> {
        let stt = self.hearing(&format!("{path}.stt"), leg.stt, keys);
        let llm = self.thinking(&format!("{path}.llm"), leg.llm, keys);
        let tts = self.speaking(&format!("{path}.tts"), leg.tts, keys);
        Some(CascadeLeg { stt: stt?, llm: llm?, tts: tts?, vad: leg.vad })
    }

    fn hearing(&mut self, path: &str, asked: leg_claims::Hearing, keys: &Keys) -> Option<Hearing> {
        let at = |field: &str| format!("{path}.{field}");
        self.name(&at("model"), asked.model.as_ref(), 128);
        let scribe = asked.provider == HearingProvider::Elevenlabs;
        let usual = if scribe { "scribe_v2_realtime" } else { "flux-general-en" };
        let model = asked.model.unwrap_or_else(|| usual.into());
        let flux = model.starts_with("flux");
        if scribe && !model.starts_with("scribe") {
            self.add(Code::ClaimsValue, &at("model"), "is not ElevenLabs': theirs is `scribe_v2_realtime`");
        }
        for (field, used, belongs) in [
            ("eot_threshold", asked.eot_threshold.is_some(), flux),
            ("eager_eot_threshold", asked.eager_eot_threshold.is_some(), flux),
            ("eot_timeout_ms", asked.eot_timeout_ms.is_some(), flux),
            ("silence_ms", asked.silence_ms.is_some(), !flux),
        ] {
            if used && !belongs {
                let other = if flux { "`nova` models and to ElevenLabs" } else { "`flux` models" };
                self.add(Code::ClaimsValue, &at(field), format!("belongs to the {other}"));
            }
        }
        self.number(&at("eot_threshold"), asked.eot_threshold, 0.5, 0.9);
        self.number(&at("eager_eot_threshold"), asked.eager_eot_threshold, 0.3, 0.9);
        if asked.eager_eot_threshold.is_some_and(|eager| eager > asked.eot_threshold.unwrap_or(0.7)) {
            let text = "must not be above `eot_threshold` (0.7 when left out)";
            self.add(Code::ClaimsValue, &at("eager_eot_threshold"), text);
        }
        self.whole(&at("eot_timeout_ms"), asked.eot_timeout_ms, 500, 60_000);
        self.whole(&at("silence_ms"), asked.silence_ms, 10, 5_000);
        let keyterms = asked.keyterms.unwrap_or_default();
        let (most, longest) = if scribe { SCRIBE_KEYTERMS } else { DEEPGRAM_KEYTERMS };
        if keyterms.len() > most {
            self.add(Code::ClaimsValue, &at("keyterms"), format!("has more than {most} entries"));
        }
        for (index, term) in keyterms.iter().enumerate().take(most) {
            self.name(&format!("{path}.keyterms[{index}]"), Some(term), longest);
        }
        let providers = &self.rules.providers;
        let (own, key) = match asked.provider {
            HearingProvider::Deepgram => (&providers.deepgram, ("deepgram", keys.deepgram.as_ref())),
            HearingProvider::Elevenlabs => (&providers.elevenlabs, ("elevenlabs", keys.elevenlabs.as_ref())),
        };
        let place = self.place(path, asked.base_url.as_deref(), own, key)?;
        let usual = if scribe { 500 } else { 300 };
        Some(Hearing {
            provider: asked.provider,
            place,
            model,
            keyterms,
            eot_threshold: asked.eot_threshold,
            eager_eot_threshold: asked.eager_eot_threshold,
            eot_timeout: asked.eot_timeout_ms.map(Duration::from_millis),
            silence: Duration::from_millis(asked.silence_ms.unwrap_or(usual)),
        })
    }

    fn thinking(&mut self, path: &str, asked: leg_claims::Thinking, keys: &Keys) -> Option<Thinking> {
        let at = |field: &str| format!("{path}.{field}");
        self.name(&at("model"), Some(&asked.model), 128);
        self.whole(&at("max_tokens"), asked.max_tokens, 1, 100_000);
        let extra = asked.extra.unwrap_or_default();
        for ours in ["model", "messages", "stream"] {
            if extra.contains_key(ours) {
                self.add(Code::ClaimsValue, &format!("{path}.extra.{ours}"), "is the relay's to fill in");
            }
        }
        let providers = &self.rules.providers;
        let (own, key) = match asked.provider {
            ThinkingProvider::Groq => (&providers.groq, ("groq", keys.groq.as_ref())),
            ThinkingProvider::OpenAi => (&providers.openai, ("openai", keys.openai.as_ref())),
        };
        let place = self.place(path, asked.base_url.as_deref(), own, key)?;
        Some(Thinking {
            provider: asked.provider,
            place,
            model: asked.model,
            max_tokens: asked.max_tokens,
            reasoning: asked.reasoning,
            extra,
        })
    }

    fn speaking(&mut self, path: &str, asked: leg_claims::Speaking, keys: &Keys) -> Option<Speaking> {
        let at = |field: &str| format!("{path}.{field}");
        self.name(&at("voice"), Some(&asked.voice), 64);
        self.name(&at("model"), asked.model.as_ref(), 64);
        let providers = &self.rules.providers;
        let (own, key) = match asked.provider {
            SpeakingProvider::Deepgram => (&providers.deepgram, ("deepgram", keys.deepgram.as_ref())),
            SpeakingProvider::Elevenlabs => (&providers.elevenlabs, ("elevenlabs", keys.elevenlabs.as_ref())),
        };
        match (asked.provider, &asked.model) {
            (SpeakingProvider::Deepgram, Some(_)) => {
                self.add(
                    Code::ClaimsValue,
                    &at("model"),
                    "is ElevenLabs': Deepgram's voices are their own models",
                );
            }
            (SpeakingProvider::Elevenlabs, Some(model))
                if model.starts_with("eleven_v3") || model.starts_with("eleven_v4") =>
            {
                let text = "is of a family that this version cannot speak with: use `eleven_flash_v2_5`";
                self.add(Code::ClaimsNotSupported, &at("model"), text);
            }
            _ => {}
        }
        let place = self.place(path, asked.base_url.as_deref(), own, key)?;
        let model = asked.model.unwrap_or_else(|| "eleven_flash_v2_5".into());
        Some(Speaking { provider: asked.provider, place, voice: asked.voice, model })
    }
}

/// So many of so many characters.
const DEEPGRAM_KEYTERMS: (usize, usize) = (100, 64);
const SCRIBE_KEYTERMS: (usize, usize) = (50, 20);
