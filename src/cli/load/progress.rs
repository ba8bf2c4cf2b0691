//! What a run is doing at this moment, for whoever sits in front of it. On a terminal only.

use std::{io::IsTerminal, time::Duration};

use indicatif::{ProgressBar, ProgressStyle};

use super::{
    book::{Reading, total},
    figures::Second,
    plan::Plan,
};

pub struct Progress {
    bar: ProgressBar,
    steps: Vec<u32>,
}

impl Progress {
    pub fn new(plan: &Plan, is_quiet: bool) -> Self {
        let steps = plan.steps.clone();
        if is_quiet || !std::io::stderr().is_terminal() {
            return Self { bar: ProgressBar::hidden(), steps };
        }
        let style = ProgressStyle::with_template("{prefix:>24} {wide_bar} {eta:>4}  {msg}");
        let style = style.unwrap_or_else(|_| ProgressStyle::default_bar());
        Self { bar: ProgressBar::new(millis(plan.length())).with_style(style), steps }
    }

    pub fn at(&self, since_the_beginning: Duration) {
        self.bar.set_position(millis(since_the_beginning));
    }

    pub fn now(&self, what: &'static str) {
        self.bar.set_prefix(what);
    }

    pub fn step(&self, what: &str, number: usize) {
        let (step, of, calls) = (number + 1, self.steps.len(), self.steps[number]);
        let which = if of > 1 { format!(" (step {step} of {of})") } else { String::new() };
        self.bar.set_prefix(format!("{what} {calls}{which}"));
    }

    /// What was so in the last second, and what was counted in all.
    pub fn tell(&self, second: &Second, all: &Reading) {
        let mut parts = vec![format!("{} calls", second.calls)];
        parts.extend(second.frames.map(|(_, p99)| format!("p99 {p99:.1} ms")));
        let waits = second.silences.iter().flatten().map(|(p50, _)| format!("silence {p50:.0} ms"));
        parts.extend(waits.take(1));
        let counts = [
            (all.left.iter().sum(), "left early"),
            (total(&all.refused), "refused"),
            (total(&all.lost), "lost"),
        ];
        parts.extend(
            counts.into_iter().filter(|(count, _)| *count > 0).map(|(count, what)| format!("{count} {what}")),
        );
        self.bar.set_message(parts.join(", "));
    }

    pub fn over(&self) {
        self.bar.finish_and_clear();
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
