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
        if asked.provider == HearingProvider::Elevenlabs {
            let text = "is a provider that this version cannot listen with: use `deepgram`";
            self.add(Code::ClaimsNotSupported, &at("provider"), text);
            return None;
        }
        self.name(&at("model"), asked.model.as_ref(), 128);
        let model = asked.model.unwrap_or_else(|| "flux-general-en".into());
        let flux = model.starts_with("flux");
        for (field, used, belongs) in [
            ("eot_threshold", asked.eot_threshold.is_some(), flux),
            ("eager_eot_threshold", asked.eager_eot_threshold.is_some(), flux),
            ("eot_timeout_ms", asked.eot_timeout_ms.is_some(), flux),
            ("silence_ms", asked.silence_ms.is_some(), !flux),
        ] {
            if used && !belongs {
                let other = if flux { "nova" } else { "flux" };
                self.add(Code::ClaimsValue, &at(field), format!("belongs to the `{other}` models"));
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
        if keyterms.len() > MOST_KEYTERMS {
            self.add(Code::ClaimsValue, &at("keyterms"), format!("has more than {MOST_KEYTERMS} entries"));
        }
        for (index, term) in keyterms.iter().enumerate().take(MOST_KEYTERMS) {
            self.name(&format!("{path}.keyterms[{index}]"), Some(term), 64);
        }
        let own = &self.rules.providers.deepgram;
        let place = self.place(path, asked.base_url.as_deref(), own, ("deepgram", keys.deepgram.as_ref()))?;
        Some(Hearing {
            place,
            model,
            keyterms,
            eot_threshold: asked.eot_threshold,
            eager_eot_threshold: asked.eager_eot_threshold,
            eot_timeout: asked.eot_timeout_ms.map(Duration::from_millis),
            silence: Duration::from_millis(asked.silence_ms.unwrap_or(300)),
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
            (SpeakingProvider::Deepgram, None) if asked.voice.starts_with("flux-") => {
                let text = "is a Flux voice, which this version cannot speak with: use one such as `aura-2-thalia-en`";
                self.add(Code::ClaimsNotSupported, &at("voice"), text);
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

/// Flux takes so many.
const MOST_KEYTERMS: usize = 100;
