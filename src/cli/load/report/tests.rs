use std::time::Duration;

use serde_json::json;
use sim::phone::{DialError, PhoneEnd};

use super::*;
use crate::cli::load::{
    book::Book,
    figures::After,
    mix::{Agent, Kind, agent_of_file},
    plan::{Plan, Ramp, Share},
    verdict::{Strain, doubts},
};

const EVIL: &str = "<script src=//x></script>\"'&";

/// A run of two steps: the second one on a machine that was full.
fn run(agents: Vec<Agent>, then: impl FnOnce(&Book)) -> Run {
    let book = Book::new(4, agents.len());
    let before = book.read();
    let mut frame = [0xFF; 160];
    for number in 0..50 {
        book.probe.leaves_phone(0, number, &mut frame);
        book.probe.arrives_at_provider(&frame);
        book.probe.leaves_provider(&frame);
        book.probe.arrives_at_phone(&frame);
        book.silences.iter().for_each(|silence| silence.add(Duration::from_millis(500 + u64::from(number))));
    }
    drop(book.begins());
    then(&book);
    let calm =
        Strain { cores: 2.0, driver: Some(0.4), relay: Some(0.2), busy: Some(0.7), ..Strain::default() };
    let full = Strain { busy: Some(1.95), driver: Some(1.3), relay: Some(0.6), ..calm.clone() };
    let step = |calls, strain: Strain| Step {
        calls,
        held_for: Duration::from_secs(3),
        stood: f64::from(calls),
        fewest: u64::from(calls),
        held: book.read().since(&before),
        whole: book.read().since(&before),
        doubts: doubts(&strain),
        strain,
        cpu_ms_per_call_second: Some(1.25),
        memory_kb_per_call: Some(30.0),
        is_complete: true,
    };
    let seconds = (1..=10).map(|at| Second {
        at: f64::from(at),
        step: Some(usize::from(at > 5)),
        calls: 2,
        frames: (at != 4).then_some((0.1, 0.4)),
        silences: vec![Some((520.0, 540.0)); agents.len()],
        relay: Some(0.2),
        driver: Some(0.4),
        busy: Some(0.7),
        memory_mb: Some(12.0),
        ..Second::default()
    });
    Run {
        plan: Plan {
            steps: vec![2, 4],
            ramp: Ramp(10.0),
            hold: Duration::from_secs(3),
            hang_ups: Share(0.0),
        },
        url: None,
        steps: vec![step(2, calm), step(4, full)],
        seconds: seconds.collect(),
        all: book.read(),
        after: After { calls_before: Some(0), calls: Some(0), files_before: Some(12), files: Some(14) },
        warnings: Vec::new(),
        is_cut_short: false,
        agents,
    }
}

fn kinds() -> Vec<Agent> {
    vec![Kind::Openai.agent(3), Kind::Cascade.agent(1)]
}

/// Every element that is opened is closed, in order.
fn is_well_formed(page: &str) -> Result<(), String> {
    let mut open = Vec::new();
    for part in page.split('<').skip(1) {
        let tag = part.split('>').next().unwrap_or_default();
        let name = tag.trim_start_matches('/').split([' ', '/']).next().unwrap_or_default();
        if tag.starts_with('!') || ["meta"].contains(&name) || tag.ends_with('/') {
            continue;
        }
        if tag.starts_with('/') {
            let last = open.pop();
            if last != Some(name) {
                return Err(format!("</{name}> closes {last:?}"));
            }
        } else {
            open.push(name);
        }
    }
    if open.is_empty() { Ok(()) } else { Err(format!("{open:?} stay open")) }
}

#[test]
fn the_page_is_whole_and_needs_nothing_from_elsewhere() {
    let page = page(&run(kinds(), |_| {}));
    is_well_formed(&page).unwrap();
    for forbidden in ["<script", "http://", "https://", "src=", "href=", "@import", "url("] {
        assert!(!page.contains(forbidden), "{forbidden}");
    }
    for wanted in [
        "prefers-color-scheme:dark",
        "caller → provider",
        "cascade: silence",
        "<polyline",
        "class=\"bar c0\"",
    ] {
        assert!(page.contains(wanted), "{wanted}");
    }
    // Frames, silence, calls, CPU, memory, and three spreads; lateness is flat, and nothing was lost.
    assert!(page.matches("<figure>").count() >= 8, "{}", page.matches("<figure>").count());
}

#[test]
fn what_a_strange_relay_or_a_file_is_called_stays_text() {
    let agents = vec![agent_of_file(&format!("{EVIL}.json"), 1, json!({}))];
    let mut run = run(agents, |book| {
        let body = json!({ "error": { "code": EVIL, "message": EVIL } }).to_string();
        book.refused(&DialError::Refused { status: 503, headers: Vec::new(), body });
        book.lost(&PhoneEnd::Closed { code: Some(1011), reason: EVIL.to_owned() });
        book.wrong("carrier_protocol", EVIL);
    });
    run.url = Some(format!("ws://relay/{EVIL}"));
    run.warnings = vec![(EVIL.to_owned(), 2)];
    let page = page(&run);
    assert!(!page.contains("<script") && page.contains("&lt;script src=//x&gt;"));
    is_well_formed(&page).unwrap();
}

#[test]
fn a_step_on_a_full_machine_is_marked_and_the_one_before_it_is_not() {
    let page = page(&run(kinds(), |_| {}));
    assert!(page.contains("<td>2</td>") && page.contains("<td>4 *</td>"));
    assert!(page.contains("4 calls: This machine was full") && !page.contains("2 calls: This machine"));
    assert!(page.contains("Above 2 calls the machine was the bottleneck"));
}

#[test]
fn a_run_that_went_well_says_so_and_one_that_did_not_says_what_to_do() {
    let good = run(kinds(), |_| {});
    assert!(good.failures().is_empty(), "{:?}", good.failures());
    assert!(page(&good).contains("Nothing went wrong"));
    let bad = run(kinds(), |book| {
        let body = r#"{"error":{"code":"full","message":"this machine is full"}}"#.to_owned();
        book.refused(&DialError::Refused { status: 503, headers: Vec::new(), body });
    });
    let page = page(&bad);
    assert!(
        page.contains("Something went wrong")
            && page.contains("503 full")
            && page.contains("raise MAX_CALLS")
    );
}

#[test]
fn calls_and_files_that_the_relay_keeps_are_failures() {
    let mut run = run(kinds(), |_| {});
    run.after = After { calls_before: Some(3), calls: Some(5), files_before: Some(10), files: Some(40) };
    let failures = run.failures().join("\n");
    assert!(
        failures.contains("2 calls were left") && failures.contains("30 files were left open"),
        "{failures}"
    );
    run.after = After { calls_before: Some(3), calls: Some(1), files_before: None, files: None };
    assert!(run.failures().is_empty());
}

#[test]
fn what_is_known_by_name_in_the_json_stays_there() {
    let told = run(kinds(), |_| {}).json();
    for key in [
        "calls",
        "seconds",
        "frames",
        "to_provider_ms",
        "to_carrier_ms",
        "cpu_ms_per_call_second",
        "memory_kb_per_call",
        "calls_lost",
        "violations",
        "driver_late_ms",
        "turns",
        "silence_ms",
        "providers_ms",
        "steps",
        "meaning",
    ] {
        assert!(told.get(key).is_some(), "{key}: {told}");
    }
    assert_eq!(
        (&told["steps"][0]["driver_was_the_bottleneck"], &told["steps"][1]["driver_was_the_bottleneck"]),
        (&json!(false), &json!(true))
    );
    assert_eq!(told["steps"][1]["doubts"][0]["name"], "machine_full");
}

#[test]
fn a_long_spread_becomes_few_bars_and_loses_nothing() {
    let book = Book::new(1, 1);
    (1..2_000).for_each(|ms| book.silences[0].add(Duration::from_micros(ms * ms)));
    let bars = classes(&book.read().silences[0]);
    assert!(bars.len() <= BARS + 1, "{}", bars.len());
    assert_eq!(bars.iter().map(|(_, count)| count).sum::<f64>() as u64, 1_999);
}
