//! What the figures of a run mean: what went wrong, and what can be said of the relay.

use std::time::Duration;

use super::{
    book::{Tally, total},
    figures::{Run, Step},
    mix::Measure,
    verdict::{Doubt, is_bottleneck},
};

impl Run {
    /// What went wrong, each with what to look at. Empty: it went well.
    pub fn failures(&self) -> Vec<String> {
        let mut failures = Vec::new();
        let (refused, lost, wrong) =
            (total(&self.all.refused), total(&self.all.lost), total(&self.all.wrong));
        if self.all.begun == 0 && refused > 0 {
            failures.push(format!("not one call was taken: {}", told(&self.all.refused)));
        } else if refused > 0 {
            failures.push(format!("{refused} calls were refused: {}", told(&self.all.refused)));
        }
        if lost > 0 || wrong > 0 {
            let mut text = format!("{lost} calls were lost and {wrong} messages were wrong");
            for tally in [&self.all.lost, &self.all.wrong].into_iter().filter(|tally| !tally.is_empty()) {
                text += &format!("; {}", told(tally));
            }
            failures.push(text);
        }
        if self.after.left_calls() > 0 {
            failures.push(format!(
                "{} calls were left in the relay after everybody had hung up",
                self.after.left_calls()
            ));
        }
        if self.after.left_files() > 0 {
            failures.push(format!("{} files were left open in the relay", self.after.left_files()));
        }
        let held = self.steps.iter().any(|step| step.is_complete);
        let timed = self.steps.iter().any(|step| step.held.to_provider.count() > 0);
        if held && self.all.begun > 0 && self.has(Measure::Frames) && !timed {
            failures.push(
                "no frame came to the pretend OpenAI: does the relay's OPENAI_BASE_URL point to it?"
                    .to_owned(),
            );
        }
        failures
    }

    /// In one or two plain sentences.
    pub fn meaning(&self) -> String {
        let Some(last) = self.steps.iter().rev().find(|step| step.is_complete) else {
            return if self.is_cut_short {
                "It was ended before a step was over, so these figures say little.".to_owned()
            } else {
                "No step was held, so there are no figures.".to_owned()
            };
        };
        let sound = self.steps.iter().rev().find(|step| step.is_complete && !is_bottleneck(&step.doubts));
        let mut said = Vec::new();
        match sound {
            Some(step) => said.push(format!("At {} calls {}.", step.calls, self.in_words(step))),
            None => said.push(format!(
                "At {} calls {}, but {}: the relay is no worse than this, and how much better cannot be said from here.",
                last.calls,
                self.in_words(last),
                bottleneck(&last.doubts)
            )),
        }
        if let Some(sound) = sound.filter(|sound| sound.calls < last.calls) {
            said.push(format!(
                "Above {} calls {}: those figures are not the relay's.",
                sound.calls,
                bottleneck(&last.doubts)
            ));
        }
        let failures = self.failures();
        if failures.is_empty() {
            said.push("No call was lost, none refused, and no message was wrong.".to_owned());
        } else {
            let failures = failures.join("; and ");
            let end = if failures.ends_with('?') { "" } else { "." };
            said.push(format!("But {failures}{end}"));
        }
        said.join(" ")
    }

    fn in_words(&self, step: &Step) -> String {
        let ms = |time: Duration| format!("{:.1} ms", time.as_secs_f64() * 1_000.0);
        let mut parts = Vec::new();
        if step.held.to_provider.count() > 0 {
            let worse =
                |share| step.held.to_provider.percentile(share).max(step.held.to_carrier.percentile(share));
            parts.push(format!(
                "the relay kept half of the frames for {} at most, and 99 of 100 for {}",
                ms(worse(0.5)),
                ms(worse(0.99))
            ));
        }
        for (agent, silence) in self.silences(step) {
            if silence.count() > 0 {
                let given = agent
                    .given
                    .map_or(String::new(), |given| format!(", of which {} are not the relay's", ms(given)));
                parts.push(format!(
                    "callers of {} waited {} for an answer{given}",
                    agent.name,
                    ms(silence.percentile(0.5))
                ));
            }
        }
        if parts.is_empty() { "nothing was timed".to_owned() } else { parts.join("; ") }
    }
}

/// What stood in the way of better figures.
fn bottleneck(doubts: &[Doubt]) -> &'static str {
    if doubts.contains(&Doubt::Others) {
        "this machine had other work, and the phones and the relay had to wait for it"
    } else if doubts.contains(&Doubt::DriverLate) {
        "the phones were the bottleneck"
    } else {
        "the machine was the bottleneck, with phones and pretend providers on it"
    }
}

/// `3 × 503 full (this machine is full)`.
pub fn told(tally: &Tally) -> String {
    let each = |(code, (count, words)): (&String, &(u64, String))| {
        let words = if words.is_empty() { String::new() } else { format!(" ({words}{})", advice(code)) };
        format!("{count} × {code}{words}")
    };
    tally.iter().map(each).collect::<Vec<_>>().join(", ")
}

/// What to do about it, where the relay's own words are for its operator.
fn advice(code: &str) -> &'static str {
    match code.split(' ').next_back() {
        Some("token_signature" | "token_seal" | "token_key_unknown") => {
            "; RELAY_SECRET here must be the relay's own"
        }
        Some("token_expired" | "token_not_yet_valid") => "; the clocks here and there differ",
        Some("full" | "too_many_pending") => "; raise MAX_CALLS or MAX_PENDING there, or take fewer calls",
        Some("draining") => "; it is about to stop",
        Some("twilio_signature") => {
            "; set TWILIO_AUTH_TOKEN here to the relay's own, and dial the host of its PUBLIC_URL"
        }
        Some("timeout") => "; add calls more slowly with --ramp",
        Some(_) | None => "",
    }
}
