//! The report: one HTML page that needs nothing else, no script and no network, and can be kept with a build.

use sim::probe::Counted;

use super::{
    book::{Tally, total},
    chart::{Band, Series, bars, escape, lines},
    figures::{Run, Second, Step},
    leaving::Way,
    mix::Measure,
    verdict::is_bottleneck,
};

pub fn page(run: &Run) -> String {
    let failures = run.failures();
    let (class, word) = match (failures.is_empty(), run.steps.iter().any(|step| is_bottleneck(&step.doubts)))
    {
        (false, _) => ("bad", "Something went wrong"),
        (true, true) => ("doubt", "Nothing went wrong, but the driver was a bottleneck"),
        (true, false) => ("good", "Nothing went wrong"),
    };
    let body = [
        format!("<h1>Patchcord under load</h1><p class=\"about\">{}</p>", escape(&about(run))),
        format!("<p class=\"verdict {class}\"><b>{word}.</b> {}</p>", escape(&run.meaning())),
        doubts(run),
        "<h2>Each number of calls</h2>".to_owned(),
        table(run),
        "<h2>Over time</h2>".to_owned(),
        over_time(run),
        spread(run),
        ends(run),
        "<p class=\"about\">How to read this: docs/load.md of Patchcord. Percentiles are at most 3 % too high. Frames \
         are timed from the phone's socket to the provider's and back, both in the process that drove this run.</p>"
            .to_owned(),
    ];
    format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" \
         content=\"width=device-width\"><title>Patchcord under load</title><style>{STYLE}</style></head>\n<body><main>\n{}\n\
         </main></body></html>\n",
        body.join("\n")
    )
}

fn about(run: &Run) -> String {
    let relay = run
        .url
        .as_deref()
        .map_or("a relay of its own on this machine".to_owned(), |url| format!("the relay at {url}"));
    let agents: Vec<String> =
        run.agents.iter().map(|agent| format!("{} {}", agent.weight, agent.name)).collect();
    let steps: Vec<String> = run.plan.steps.iter().map(u32::to_string).collect();
    let mut text = format!(
        "Patchcord {} on {}. {} calls to {relay}, held for {} s each, {} begun a second; agents by weight: {}.",
        env!("CARGO_PKG_VERSION"),
        crate::utc::rfc3339(std::time::SystemTime::now()),
        steps.join(", "),
        run.plan.hold.as_secs(),
        run.plan.ramp.0,
        agents.join(", ")
    );
    if run.plan.restless() > 0 {
        text += &format!(" On {} lines callers left early.", run.plan.restless());
    }
    if run.is_cut_short {
        text += " It was ended early.";
    }
    text
}

fn doubts(run: &Run) -> String {
    let each = |step: &Step| {
        let say = |doubt: &super::verdict::Doubt| {
            format!("<li>{} calls: {}</li>", step.calls, escape(&doubt.sentence(&step.strain)))
        };
        step.doubts.iter().map(say).collect::<String>()
    };
    let all: String = run.steps.iter().map(each).collect();
    if all.is_empty() { all } else { format!("<ul class=\"doubts\">{all}</ul>") }
}

fn table(run: &Run) -> String {
    let mut head = vec!["calls", "stood", "what", "p50, ms", "p90", "p99", "max", "count"];
    head.extend(["CPU ms per call-second", "memory kB per call", "refused", "lost"]);
    let head: String = head.iter().map(|title| format!("<th>{title}</th>")).collect();
    let rows: String = run.steps.iter().map(|step| rows(run, step)).collect();
    format!("<div class=\"wide\"><table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>")
}

fn rows(run: &Run, step: &Step) -> String {
    let mut measures: Vec<(String, &Counted)> = Vec::new();
    if run.has(Measure::Frames) {
        measures.push(("caller → provider".to_owned(), &step.held.to_provider));
        measures.push(("provider → caller".to_owned(), &step.held.to_carrier));
    }
    measures.extend(run.silences(step).into_iter().map(|(agent, silence)| {
        let given =
            agent.given.map_or(String::new(), |given| format!(" ({} ms not the relay's)", given.as_millis()));
        (format!("{}: silence{given}", agent.name), silence)
    }));
    let class = if is_bottleneck(&step.doubts) { " class=\"doubt\"" } else { "" };
    let mut rows = String::new();
    for (number, (what, counted)) in measures.iter().enumerate() {
        let mut cells = Vec::new();
        if number == 0 {
            let mark = if class.is_empty() { "" } else { " *" };
            cells.extend([format!("{}{mark}", step.calls), format!("{:.1}", step.stood)]);
        } else {
            cells.extend([String::new(), String::new()]);
        }
        cells.push(escape(what));
        let ms = |share| format!("{:.2}", counted.percentile(share).as_secs_f64() * 1_000.0);
        cells.extend([ms(0.5), ms(0.9), ms(0.99)]);
        cells.extend([
            format!("{:.2}", counted.largest().as_secs_f64() * 1_000.0),
            counted.count().to_string(),
        ]);
        if number == 0 {
            let figure = |value: Option<f64>| value.map_or("–".to_owned(), |value| format!("{value:.2}"));
            cells.extend([figure(step.cpu_ms_per_call_second), figure(step.memory_kb_per_call)]);
            cells.extend([total(&step.whole.refused).to_string(), total(&step.whole.lost).to_string()]);
        } else {
            cells.extend([const { String::new() }; 4]);
        }
        let cells: String = cells.iter().map(|cell| format!("<td>{cell}</td>")).collect();
        rows += &format!("<tr{class}>{cells}</tr>");
    }
    rows
}

fn over_time(run: &Run) -> String {
    let bands: Vec<Band> = run
        .steps
        .iter()
        .enumerate()
        .filter_map(|(number, step)| {
            let mut held = run.seconds.iter().filter(|second| second.step == Some(number));
            let first = held.next()?;
            let last = held.next_back().unwrap_or(first);
            Some(Band { from: first.at - 1.0, to: last.at, name: format!("{} calls", step.calls) })
        })
        .collect();
    let series = |name, value: &dyn Fn(&Second) -> Option<f64>| Series {
        name,
        points: run.seconds.iter().map(|second| (second.at, value(second))).collect(),
    };
    let mut charts = vec![chart(
        "How long the relay keeps a frame (the worse of the two ways)",
        lines(
            "Frame latency",
            "ms",
            &[
                series("p50", &|second| second.frames.map(|(p50, _)| p50)),
                series("p99", &|second| second.frames.map(|(_, p99)| p99)),
            ],
            &bands,
        ),
    )];
    for (number, agent) in
        run.agents.iter().enumerate().filter(|(_, agent)| agent.measure == Measure::Silence)
    {
        let of = |second: &Second| second.silences.get(number).copied().flatten();
        let mut shown = [
            series("p50", &|second| of(second).map(|(p50, _)| p50)),
            series("p99", &|second| of(second).map(|(_, p99)| p99)),
        ];
        // Answers are seconds apart. A second without one is no gap.
        shown.iter_mut().for_each(|one| one.points.retain(|(_, value)| value.is_some()));
        charts.push(chart(
            &format!("Silence before an answer: {}", agent.name),
            lines("Silence", "ms", &shown, &bands),
        ));
    }
    charts.push(chart(
        "Calls",
        lines("Calls", "", &[series("calls that stand", &|second| Some(second.calls as f64))], &bands),
    ));
    charts.push(chart(
        "CPU: of cores in use",
        lines(
            "CPU",
            "cores",
            &[
                series("relay", &|second| second.relay),
                series("phones and pretend providers", &|second| second.driver),
                series("everybody on this machine", &|second| second.busy),
            ],
            &bands,
        ),
    ));
    charts.push(chart(
        "Memory of the relay",
        lines("Memory", "MB", &[series("resident", &|second| second.memory_mb)], &bands),
    ));
    charts.push(chart(
        "How late the driver was for its own clock, at worst in each second",
        lines("Lateness", "ms", &[series("driver", &|second| Some(second.late_ms))], &bands),
    ));
    if run.seconds.iter().any(|second| second.refused + second.lost > 0) {
        let shown = [
            series("refused", &|second| Some(second.refused as f64)),
            series("lost", &|second| Some(second.lost as f64)),
        ];
        charts.push(chart("Refused and lost, in each second", lines("Losses", "", &shown, &bands)));
    }
    charts.concat()
}

/// How the durations of the last step are spread.
fn spread(run: &Run) -> String {
    let Some(step) = run.steps.iter().rev().find(|step| step.is_complete).or(run.steps.last()) else {
        return String::new();
    };
    let mut charts = Vec::new();
    for (title, counted) in
        [("caller → provider", &step.held.to_provider), ("provider → caller", &step.held.to_carrier)]
    {
        charts.push(chart(&format!("{title}: frames by time"), bars(title, "frames", &classes(counted))));
    }
    for (agent, silence) in run.silences(step) {
        charts.push(chart(
            &format!("{}: answers by silence", agent.name),
            bars(&agent.name, "answers", &classes(silence)),
        ));
    }
    let charts = charts.concat();
    if charts.is_empty() { charts } else { format!("<h2>Spread at {} calls</h2>{charts}", step.calls) }
}

/// Two dozen bars at most, each as much longer than the one before it as the next is than it; all of it is shown.
fn classes(counted: &Counted) -> Vec<(String, f64)> {
    let ms = |time: std::time::Duration| time.as_secs_f64() * 1_000.0;
    let (Some(least), Some(most)) = (
        counted.buckets().next().map(|(edge, _)| ms(edge)),
        counted.buckets().last().map(|(edge, _)| ms(edge)),
    ) else {
        return Vec::new();
    };
    let step = (most / least).powf(1.0 / BARS as f64).max(1.05);
    let mut classes: Vec<(f64, f64)> = (1..=BARS as i32)
        .map(|number| least * step.powi(number))
        .take_while(|edge| edge / step < most)
        .map(|edge| (edge, 0.0))
        .collect();
    let last = classes.len().saturating_sub(1);
    for (edge, count) in counted.buckets() {
        let at = classes.iter().position(|(upper, _)| ms(edge) <= *upper).unwrap_or(last);
        if let Some(class) = classes.get_mut(at) {
            class.1 += count as f64;
        }
    }
    classes.into_iter().map(|(upper, count)| (format!("≤ {}", of_three_digits(upper)), count)).collect()
}

fn of_three_digits(value: f64) -> String {
    let digits = if value >= 100.0 {
        0
    } else if value >= 10.0 {
        1
    } else if value >= 1.0 {
        2
    } else {
        3
    };
    format!("{value:.digits$}")
}

fn chart(title: &str, drawn: String) -> String {
    if drawn.is_empty() {
        drawn
    } else {
        format!("<figure><figcaption>{}</figcaption>{drawn}</figure>", escape(title))
    }
}

fn ends(run: &Run) -> String {
    let mut rows = vec![("calls begun".to_owned(), run.all.begun.to_string())];
    for (what, tally) in [("refused", &run.all.refused), ("lost", &run.all.lost), ("wrong", &run.all.wrong)] {
        rows.extend(entries(what, tally));
    }
    if run.plan.restless() > 0 {
        let left = |way: Way| {
            (format!("left early: {}", way.name().replace('_', " ")), run.all.left[way.place()].to_string())
        };
        rows.extend(Way::ALL.map(left));
    }
    if let Some(calls) = run.after.calls {
        rows.push(("calls left in the relay when everybody had hung up".to_owned(), calls.to_string()));
    }
    if let (Some(now), Some(before)) = (run.after.files, run.after.files_before) {
        rows.push(("open files of the relay, before and after".to_owned(), format!("{before}, {now}")));
    }
    rows.extend(
        run.warnings.iter().map(|(words, count)| (format!("the relay warned: {words}"), count.to_string())),
    );
    let rows: String = rows
        .iter()
        .map(|(what, count)| format!("<tr><td>{}</td><td>{}</td></tr>", escape(what), escape(count)))
        .collect();
    format!(
        "<h2>Beginnings and ends</h2><div class=\"wide\"><table class=\"ends\"><tbody>{rows}</tbody></table></div>"
    )
}

fn entries(what: &str, tally: &Tally) -> Vec<(String, String)> {
    if tally.is_empty() {
        return vec![(what.to_owned(), "0".to_owned())];
    }
    let each = |(code, (count, words)): (&String, &(u64, String))| {
        (format!("{what}: {code} {words}"), count.to_string())
    };
    tally.iter().map(each).collect()
}

const BARS: usize = 24;

const STYLE: &str = "\
:root{color-scheme:light dark;--back:#fff;--ink:#1c2024;--soft:#60646c;--line:#e0e1e6;--band:#f0f4ff;\
--c0:#3e63dd;--c1:#d6409f;--c2:#30a46c;--c3:#f76b15;--c4:#8e4ec6;--c5:#00a2c7;--good:#30a46c;--doubt:#e2a336;--bad:#e5484d}\
@media(prefers-color-scheme:dark){:root{--back:#111113;--ink:#edeef0;--soft:#b0b4ba;--line:#363a3f;--band:#182449;\
--c0:#849dff;--c1:#ff8dcc;--c2:#3dd68c;--c3:#ff8b3e;--c4:#d19dff;--c5:#4ccce6}}\
body{margin:0;background:var(--back);color:var(--ink);font:15px/1.5 system-ui,sans-serif}\
main{max-width:820px;margin:0 auto;padding:24px 16px}h1{font-size:26px;margin:0}h2{font-size:19px;margin:32px 0 8px}\
.about{color:var(--soft)}.verdict{border-left:4px solid;padding:8px 14px;font-size:17px}\
.verdict.good{border-color:var(--good)}.verdict.doubt{border-color:var(--doubt)}.verdict.bad{border-color:var(--bad)}\
.doubts{color:var(--soft)}.wide{overflow-x:auto}table{border-collapse:collapse;font-size:13px;font-variant-numeric:tabular-nums}\
th,td{padding:4px 8px;border-bottom:1px solid var(--line);text-align:right;vertical-align:top}\
th:nth-child(3),td:nth-child(3),.ends td:first-child{text-align:left}tr.doubt td{color:var(--soft);font-style:italic}\
figure{margin:18px 0}figcaption{font-weight:600}svg{width:100%;height:auto;display:block}\
.grid{stroke:var(--line)}.band{fill:var(--band)}.small{font-size:11px;fill:var(--soft)}.end{text-anchor:end}.middle{text-anchor:middle}\
.line{fill:none;stroke-width:1.8;stroke-linejoin:round}.legend{margin:4px 0 0;font-size:13px}.key{margin-right:14px}\
.key::before{content:'';display:inline-block;width:14px;height:3px;margin:0 6px 3px 0;background:currentColor}\
.c0{stroke:var(--c0);color:var(--c0)}.c1{stroke:var(--c1);color:var(--c1)}.c2{stroke:var(--c2);color:var(--c2)}\
.c3{stroke:var(--c3);color:var(--c3)}.c4{stroke:var(--c4);color:var(--c4)}.c5{stroke:var(--c5);color:var(--c5)}\
.dot{fill:currentColor}.bar{fill:var(--c0);stroke:none}";

#[cfg(test)]
mod tests;
