//! What came of a run, and what of it is a failure.

use std::time::Duration;

use serde_json::{Map, Value, json};
use sim::probe::Counted;

use super::{
    book::{Reading, Tally, percentiles, total},
    leaving::Way,
    mix::{Agent, Measure},
    plan::Plan,
    verdict::{Doubt, Strain, is_bottleneck},
};

/// A whole run.
pub struct Run {
    pub agents: Vec<Agent>,
    pub plan: Plan,
    /// Where the relay is; `None` is one of our own.
    pub url: Option<String>,
    pub steps: Vec<Step>,
    pub seconds: Vec<Second>,
    /// Everything, the time between the steps included.
    pub all: Reading,
    pub after: After,
    /// What our own relay warned of.
    pub warnings: Vec<(String, u64)>,
    /// Somebody ended it early.
    pub is_cut_short: bool,
}

/// A number of calls that was held.
pub struct Step {
    pub calls: u32,
    pub held_for: Duration,
    /// Calls that stood, on average and at least.
    pub stood: f64,
    pub fewest: u64,
    /// While it was held: latencies.
    pub held: Reading,
    /// And while calls were added to it: losses, refusals.
    pub whole: Reading,
    pub strain: Strain,
    pub doubts: Vec<Doubt>,
    pub cpu_ms_per_call_second: Option<f64>,
    pub memory_kb_per_call: Option<f64>,
    /// Held for as long as it should be.
    pub is_complete: bool,
}

/// One second of the run, for the charts.
#[derive(Clone, Debug, Default)]
pub struct Second {
    pub at: f64,
    /// Which step it belongs to, if it was held then.
    pub step: Option<usize>,
    pub calls: u64,
    /// p50 and p99 of frames, the worse of the two ways.
    pub frames: Option<(f64, f64)>,
    /// p50 and p99 by agent.
    pub silences: Vec<Option<(f64, f64)>>,
    /// In cores.
    pub relay: Option<f64>,
    pub driver: Option<f64>,
    pub busy: Option<f64>,
    pub memory_mb: Option<f64>,
    pub late_ms: f64,
    pub refused: u64,
    pub lost: u64,
}

/// What was left in the relay when everybody had hung up.
#[derive(Clone, Copy, Debug, Default)]
pub struct After {
    pub calls_before: Option<u64>,
    pub calls: Option<u64>,
    /// Of a relay of our own.
    pub files_before: Option<usize>,
    pub files: Option<usize>,
}

impl After {
    /// Its runtime opens a few files with its first call and keeps them.
    const FEW: usize = 8;

    pub fn left_calls(&self) -> u64 {
        self.calls.map_or(0, |calls| calls.saturating_sub(self.calls_before.unwrap_or(0)))
    }

    pub fn left_files(&self) -> usize {
        let files = self.files.zip(self.files_before).map_or(0, |(now, before)| now.saturating_sub(before));
        if files > Self::FEW { files } else { 0 }
    }
}

impl Run {
    pub fn has(&self, measure: Measure) -> bool {
        self.agents.iter().any(|agent| agent.measure == measure)
    }

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

    /// For machines. What stands outside of `steps` is of the last one that was held to its end.
    pub fn json(&self) -> Value {
        let last = self.steps.iter().rev().find(|step| step.is_complete).or(self.steps.last());
        let mut all = last.map_or_else(Map::new, |step| self.step(step));
        let violations = total(&self.all.wrong);
        all.extend([
            ("steps".to_owned(), self.steps.iter().map(|step| Value::Object(self.step(step))).collect()),
            ("calls_begun".to_owned(), self.all.begun.into()),
            ("calls_lost".to_owned(), total(&self.all.lost).into()),
            ("lost".to_owned(), tally(&self.all.lost)),
            ("refused".to_owned(), tally(&self.all.refused)),
            ("violations".to_owned(), violations.into()),
            ("wrong".to_owned(), tally(&self.all.wrong)),
            ("hang_ups".to_owned(), left(&self.all)),
            (
                "after".to_owned(),
                json!({
                    "active_calls": self.after.calls, "calls_left": self.after.left_calls(),
                    "open_files_before": self.after.files_before, "open_files": self.after.files,
                }),
            ),
            (
                "warnings".to_owned(),
                self.warnings.iter().map(|(words, count)| json!({ "text": words, "count": count })).collect(),
            ),
            ("cut_short".to_owned(), self.is_cut_short.into()),
            ("meaning".to_owned(), self.meaning().into()),
            ("failures".to_owned(), self.failures().into()),
        ]);
        Value::Object(all)
    }

    fn step(&self, step: &Step) -> Map<String, Value> {
        let ms = |time: Duration| time.as_secs_f64() * 1_000.0;
        let strain = &step.strain;
        let mut told = json!({
            "calls": step.calls,
            "seconds": step.held_for.as_secs_f64(),
            "complete": step.is_complete,
            "calls_stood": step.stood,
            "calls_at_least": step.fewest,
            "cpu_ms_per_call_second": step.cpu_ms_per_call_second,
            "memory_kb_per_call": step.memory_kb_per_call,
            "calls_begun": step.whole.begun,
            "calls_lost": total(&step.whole.lost),
            "lost": tally(&step.whole.lost),
            "refused": tally(&step.whole.refused),
            "hang_ups": left(&step.whole),
            "driver_late_ms": ms(strain.late_max),
            "driver_late_p99_ms": ms(strain.late_p99),
            "cores": { "all": strain.cores, "busy": strain.busy, "relay": strain.relay, "driver": strain.driver, "stolen": strain.stolen },
            "doubts": step.doubts.iter().map(|doubt| json!({ "name": doubt.name(), "text": doubt.sentence(strain) })).collect::<Vec<_>>(),
            "driver_was_the_bottleneck": is_bottleneck(&step.doubts),
        });
        if self.has(Measure::Frames) {
            told["frames"] = step.held.to_provider.count().into();
            told["to_provider_ms"] = percentiles(&step.held.to_provider);
            told["to_carrier_ms"] = percentiles(&step.held.to_carrier);
        }
        let silences = self.silences(step);
        told["kinds"] = silences
            .iter()
            .map(|(agent, silence)| {
                json!({ "name": agent.name, "turns": silence.count(), "silence_ms": percentiles(silence), "providers_ms": agent.given.map(ms) })
            })
            .collect();
        if let [(agent, silence)] = silences[..] {
            told["turns"] = silence.count().into();
            told["silence_ms"] = percentiles(silence);
            told["providers_ms"] = agent.given.map(ms).into();
        }
        match told {
            Value::Object(told) => told,
            _ => Map::new(),
        }
    }

    /// The agents whose silences are timed, with those of this step.
    pub fn silences<'a>(&'a self, step: &'a Step) -> Vec<(&'a Agent, &'a Counted)> {
        let all = self.agents.iter().zip(&step.held.silences);
        all.filter(|(agent, _)| agent.measure == Measure::Silence).collect()
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

/// By how they left.
fn left(reading: &Reading) -> Value {
    let by: Map<String, Value> =
        Way::ALL.iter().map(|way| (way.name().to_owned(), reading.left[way.place()].into())).collect();
    by.into()
}

fn tally(tally: &Tally) -> Value {
    let by: Map<String, Value> = tally
        .iter()
        .map(|(code, (count, words))| (code.clone(), json!({ "count": count, "text": words })))
        .collect();
    by.into()
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
