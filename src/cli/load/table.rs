//! The figures of a run for a terminal.

use sim::probe::Counted;

use super::{
    book::total,
    figures::{Run, Step},
    leaving::Way,
    meaning::told,
    verdict::is_bottleneck,
};

pub fn print(run: &Run) {
    print!("{}", text(run));
}

fn text(run: &Run) -> String {
    let mut lines = Vec::new();
    for step in &run.steps {
        lines.extend(of_step(run, step));
        lines.push(String::new());
    }
    lines.extend(of_all(run));
    lines.push(String::new());
    lines.push(run.meaning());
    lines.join("\n") + "\n"
}

fn of_step(run: &Run, step: &Step) -> Vec<String> {
    let mut title = format!("{} calls for {:.1} s", step.calls, step.held_for.as_secs_f64());
    if step.fewest < u64::from(step.calls) {
        title += &format!(", {:.1} stood on average, {} at least", step.stood, step.fewest);
    }
    if !step.is_complete {
        title += ", ended early";
    }
    if is_bottleneck(&step.doubts) {
        title += "  (not the relay's figures, see below)";
    }
    let mut lines =
        vec![title, format!("  {:<38}{:>9}{:>9}{:>9}{:>9}{:>10}", "", "p50", "p90", "p99", "max", "count")];
    if step.held.to_provider.count() > 0 {
        lines.push(row("caller → provider, ms", &step.held.to_provider));
        lines.push(row("provider → caller, ms", &step.held.to_carrier));
    }
    for (agent, silence) in run.silences(step) {
        lines.push(row(&format!("{}: silence, ms", agent.name), silence));
        if let Some(given) = agent.given {
            lines.push(format!("    of each silence {} ms are not the relay's", given.as_millis()));
        }
    }
    let figure =
        |value: Option<f64>, unit: &str| value.map_or("–".to_owned(), |value| format!("{value:.2} {unit}"));
    lines.push(format!(
        "  {:<38}{:>9}",
        "CPU of the relay per call-second",
        figure(step.cpu_ms_per_call_second, "ms")
    ));
    lines.push(format!(
        "  {:<38}{:>9}",
        "memory of the relay per call",
        figure(step.memory_kb_per_call, "kB")
    ));
    let strain = &step.strain;
    if let (Some(busy), Some(driver)) = (strain.busy, strain.driver) {
        let relay = strain.relay.map_or(String::new(), |used| format!(", the relay {used:.2}"));
        lines.push(format!(
            "  cores in use: {busy:.2} of {:.0}; phones and pretend providers {driver:.2}{relay}",
            strain.cores
        ));
    }
    lines.extend(step.doubts.iter().map(|doubt| format!("  ! {}", doubt.sentence(strain))));
    lines
}

fn of_all(run: &Run) -> Vec<String> {
    let all = &run.all;
    let mut lines = vec![format!("calls begun                {}", all.begun)];
    for (title, tally) in [
        ("refused                   ", &all.refused),
        ("lost                      ", &all.lost),
        ("wrong messages            ", &all.wrong),
    ] {
        let of_what = if tally.is_empty() { String::new() } else { format!(": {}", told(tally)) };
        lines.push(format!("{title} {}{of_what}", total(tally)));
    }
    if all.left.iter().any(|count| *count > 0) {
        let ways = Way::ALL.map(|way| format!("{} {}", way.name().replace('_', " "), all.left[way.place()]));
        lines.push(format!("left early                 {}", ways.join(", ")));
    }
    let after = &run.after;
    let calls = after.calls.map_or("not told by this relay".to_owned(), |calls| calls.to_string());
    let files = after.files.zip(after.files_before);
    let files = files.map_or(String::new(), |(now, before)| format!("; open files {now}, {before} before"));
    lines.push(format!("calls left in the relay    {calls}{files}"));
    let shown = run.warnings.iter().take(WARNINGS);
    lines.extend(shown.map(|(words, count)| format!("the relay warned           {count} × {words}")));
    if run.is_cut_short {
        lines.push("It was ended early.".to_owned());
    }
    lines
}

fn row(title: &str, counted: &Counted) -> String {
    let ms = |share| counted.percentile(share).as_secs_f64() * 1_000.0;
    let max = counted.largest().as_secs_f64() * 1_000.0;
    format!("  {title:<38}{:>9.2}{:>9.2}{:>9.2}{max:>9.2}{:>10}", ms(0.5), ms(0.9), ms(0.99), counted.count())
}

const WARNINGS: usize = 5;
