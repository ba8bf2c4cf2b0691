//! What came of a run: its figures, for people and for machines.

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
