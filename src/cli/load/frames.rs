//! How long the relay keeps a frame, and what that costs it.
//!
//! Each phone sends fifty marked frames a second, and a provider in this process sends each of them back at
//! once: the worst case for a relay, and the one in which every frame's way can be timed.

use std::{
    io::IsTerminal,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context, bail};
use indicatif::{ProgressBar, ProgressStyle};
use secrecy::SecretString;
use serde_json::{Value, json};
use sim::{
    openai::{Behaviour, OpenAi, OpenAiOptions},
    phone::{Phone, PhoneOptions},
    probe::{Histogram, Probe},
};
use tokio::time::sleep;

use super::{
    Load,
    relay::{Relay, SECRET, cpu, memory},
};
use crate::{
    cli::stage::{PRETEND_KEY, claims},
    gate::mint::Minter,
};

pub(super) async fn run(words: Load) -> anyhow::Result<()> {
    let probe = Arc::new(Probe::new(words.calls as usize));
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", words.provider_port)).await?;
    let options =
        OpenAiOptions { behaviour: Behaviour::echo(), probe: Some(probe.clone()), ..Default::default() };
    let provider = OpenAi::serve(listener, options)?;
    let (relay, url, secret) = match &words.url {
        Some(url) => {
            (None, url.clone(), std::env::var("RELAY_SECRET").context("RELAY_SECRET must be the relay's")?)
        }
        None => {
            let providers =
                [("OPENAI_BASE_URL", provider.base_url()), ("OPENAI_API_KEY", PRETEND_KEY.to_owned())];
            let relay = Relay::start(&providers, words.calls)?;
            let url = relay.url();
            (Some(relay), url, SECRET.to_owned())
        }
    };
    let pid = words.pid.or(relay.as_ref().map(Relay::pid));
    let bar = bar(&words);
    let before = pid.and_then(memory);
    let phones = dial(&words, &url, &secret, &probe, &bar).await?;
    bar.set_message("settling");
    sleep(SETTLE).await;
    probe.reset();
    let (start, cpu_before) = (Instant::now(), pid.and_then(cpu));
    let late = watch(&words, &bar).await;
    let took = start.elapsed();
    let cpu_after = pid.and_then(cpu);
    let after = pid.and_then(memory);
    bar.finish_and_clear();
    let lost = phones.iter().filter(|phone| phone.look(|phone| phone.end.is_some())).count();
    let violations = provider.violations().len()
        + phones.iter().map(|phone| phone.look(|p| p.violation_count as usize)).sum::<usize>();
    let call_seconds = took.as_secs_f64() * f64::from(words.calls);
    let figures = json!({
        "calls": words.calls,
        "seconds": took.as_secs_f64(),
        "frames": probe.inbound.count(),
        "to_provider_ms": percentiles(&probe.inbound),
        "to_carrier_ms": percentiles(&probe.outbound),
        "cpu_ms_per_call_second": cpu_after.zip(cpu_before).map(|(after, before)| (after - before) * 1_000.0 / call_seconds),
        "memory_kb_per_call": after.zip(before).map(|(after, before)| (after - before) / f64::from(words.calls)),
        "calls_lost": lost,
        "violations": violations,
        "driver_late_ms": late.as_secs_f64() * 1_000.0,
    });
    for phone in &phones {
        phone.hang_up();
    }
    if words.json {
        println!("{figures}");
    } else {
        show(&figures);
    }
    if lost > 0 || violations > 0 {
        bail!("{lost} calls were lost and {violations} messages were wrong");
    }
    Ok(())
}

async fn dial(
    words: &Load,
    url: &str,
    secret: &str,
    probe: &Arc<Probe>,
    bar: &ProgressBar,
) -> anyhow::Result<Vec<Phone>> {
    let minter = Minter::new(&SecretString::from(secret));
    let agent = json!({ "agent": { "prompt": "You are fast." }, "legs": [{ "kind": "openai", "model": "gpt-realtime-2.1-mini" }] });
    bar.set_message("dialling");
    let mut phones = Vec::new();
    for number in 0..words.calls {
        let options = PhoneOptions::new(url);
        let token = minter.sign(&claims(&agent, Some(&options.ids.call_sid), 60));
        let mut options = options.token(&token);
        options.record = false;
        options.probe = Some((probe.clone(), number));
        phones.push(Phone::dial(options).await.with_context(|| format!("call {number} was not taken"))?);
        bar.inc(1);
        if number % 10 == 9 {
            sleep(Duration::from_millis(10)).await; // a thousand calls do not begin in one moment
        }
    }
    Ok(phones)
}

/// Lets the time pass. Returns how late this process was at worst: then it was the bottleneck.
async fn watch(words: &Load, bar: &ProgressBar) -> Duration {
    bar.set_length(words.seconds * 10);
    bar.set_position(0);
    bar.set_message("measuring");
    let (start, mut worst) = (tokio::time::Instant::now(), Duration::ZERO);
    for tick in 1..=words.seconds * 10 {
        let due = start + Duration::from_millis(100 * tick);
        tokio::time::sleep_until(due).await;
        worst = worst.max(due.elapsed());
        bar.inc(1);
    }
    worst
}

pub(super) fn bar(words: &Load) -> ProgressBar {
    if words.json || !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template("{msg:>10} {wide_bar} {pos}/{len}");
    ProgressBar::new(words.calls.into()).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}

pub(super) fn percentiles(histogram: &Histogram) -> Value {
    let ms = |time: Duration| time.as_secs_f64() * 1_000.0;
    json!({
        "p50": ms(histogram.percentile(0.5)),
        "p90": ms(histogram.percentile(0.9)),
        "p99": ms(histogram.percentile(0.99)),
        "max": ms(histogram.largest()),
    })
}

fn show(figures: &Value) {
    let number = |value: &Value| value.as_f64().map_or("–".to_owned(), |number| format!("{number:.2}"));
    println!(
        "{} calls for {} s, {} frames timed\n",
        figures["calls"],
        number(&figures["seconds"]),
        figures["frames"]
    );
    println!("{:<32}{:>8}{:>8}{:>8}{:>8}", "", "p50", "p90", "p99", "max");
    for (title, key) in
        [("caller → provider, ms", "to_provider_ms"), ("provider → caller, ms", "to_carrier_ms")]
    {
        let row = ["p50", "p90", "p99", "max"].map(|at| number(&figures[key][at]));
        println!("{title:<32}{:>8}{:>8}{:>8}{:>8}", row[0], row[1], row[2], row[3]);
    }
    println!("\nCPU per call-second              {} ms", number(&figures["cpu_ms_per_call_second"]));
    println!("memory per call                  {} kB", number(&figures["memory_kb_per_call"]));
    println!("lost calls, wrong messages       {}, {}", figures["calls_lost"], figures["violations"]);
    if figures["driver_late_ms"].as_f64().is_some_and(|late| late > 20.0) {
        println!(
            "\nThis process itself was up to {} ms late: the phones were the bottleneck, not the relay.",
            number(&figures["driver_late_ms"])
        );
    }
}

/// Until every leg is ready and the first burst is over.
const SETTLE: Duration = Duration::from_secs(2);
