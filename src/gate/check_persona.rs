//! Can each leg speak as the agent is to speak? A token never gets less than it asked for without a word.

use std::ops::RangeInclusive;

use super::{
    Code,
    check::Check,
    config::{Agent, CascadeLeg, Leg, SpeakingProvider},
};

impl Check<'_> {
    pub(super) fn persona(&mut self, agent: &Agent, legs: &[Leg]) {
        let told = [("agent.accent", &agent.accent), ("agent.manner", &agent.manner)];
        for (index, leg) in legs.iter().enumerate() {
            let Leg::Cascade(cascade) = leg else { continue }; // OpenAI's models do it all, an echo has no voice
            let (voice, speeds) = voice(cascade);
            let path = format!("legs[{index}].tts");
            if let Some(speed) = agent.speed.filter(|speed| !speeds.contains(speed)) {
                let (least, most) = (speeds.start(), speeds.end());
                let text = format!(
                    "is {speed}, and {voice} (`{path}`) speaks at {least} to {most} times its own speed: choose one \
                     that every leg has"
                );
                self.add(Code::ClaimsValue, "agent.speed", text);
            }
            for (field, _) in told.iter().filter(|(_, asked)| asked.is_some()) {
                let text = format!(
                    "is nothing that {voice} (`{path}`) can be told: leave it out and choose a voice that sounds so"
                );
                self.add(Code::ClaimsNotSupported, field, text);
            }
        }
    }
}

/// Who speaks there, and how much slower or faster than usual.
fn voice(leg: &CascadeLeg) -> (&'static str, RangeInclusive<f64>) {
    match leg.tts.provider {
        SpeakingProvider::Elevenlabs => ("ElevenLabs", 0.7..=1.2),
        SpeakingProvider::Deepgram if leg.tts.voice.starts_with("flux-") => ("Deepgram's Flux", 0.5..=1.5),
        SpeakingProvider::Deepgram => ("Deepgram's Aura", 0.7..=1.5),
    }
}
