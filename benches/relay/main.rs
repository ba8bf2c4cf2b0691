//! Where the figures in the README come from: `cargo bench --bench relay`, or with `-- --quick` in a minute.
//!
//! The relay is a process of its own, so that its CPU time and memory are its own. Beside it, in the same run and
//! in turns with it, stands a relay that only splices bytes: machines differ and are noisy, the ratio is what
//! counts. Nothing is asserted here.

mod floor;
mod silence;
mod talk;

use std::{
    env, fs,
    io::{BufRead, BufReader},
    process::{Command, Stdio},
    time::Instant,
};

use serde_json::Value;

fn main() {
    let words: Vec<String> = env::args().collect();
    if words.iter().any(|word| word == "--silence") {
        silence::of_a_cascade(&[1, 50, 200]);
        return cost_of_a_cascade(&[50, 200]);
    }
    if let Some(at) = words.iter().position(|word| word == "floor") {
        return floor::serve(&words[at + 1]);
    }
    let quick = words.iter().any(|word| word == "--quick");
    machine();
    starting();
    against_the_floor(if quick { 1 } else { 3 });
    println!(
        "\n{:<22}{:>12}{:>12}{:>12}{:>12}{:>14}",
        "calls", "in p50, ms", "in p99", "out p50", "out p99", "memory, kB"
    );
    for calls in if quick { &[1, 100][..] } else { &[1, 100, 500, 1_000] } {
        let figures = load("openai", *calls, if quick { 3 } else { 8 });
        let at = |key: &str, share: &str| figures[key][share].as_f64().unwrap_or(f64::NAN);
        let memory = figures["memory_kb_per_call"].as_f64().unwrap_or(f64::NAN);
        println!(
            "{calls:<22}{:>12.3}{:>12.3}{:>12.3}{:>12.3}{memory:>14.1}",
            at("to_provider_ms", "p50"),
            at("to_provider_ms", "p99"),
            at("to_carrier_ms", "p50"),
            at("to_carrier_ms", "p99"),
        );
    }
    talk::barge_in(if quick { 10 } else { 50 });
    silence::of_a_cascade(if quick { &[1, 20] } else { &[1, 50, 200] });
    cost_of_a_cascade(if quick { &[20] } else { &[50, 200] });
}

fn machine() {
    let line = |file: &str, name: &str| {
        let text = fs::read_to_string(file).unwrap_or_default();
        text.lines()
            .find_map(|line| line.strip_prefix(name))
            .unwrap_or("?")
            .trim_start_matches([' ', '\t', ':'])
            .to_owned()
    };
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    println!(
        "{} · {cores} cores · {}",
        line("/proc/cpuinfo", "model name"),
        fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default().trim()
    );
    if cores < 2 {
        println!("with one core the phones take their share of it: the figures say little");
    }
}

fn starting() {
    let mut times: Vec<f64> = (0..5)
        .map(|_| {
            let start = Instant::now();
            let mut relay = Command::new(env!("CARGO_BIN_EXE_patchcord"))
                .env_clear()
                .envs([
                    ("RELAY_SECRET", "0123456789abcdef0123456789abcdef"),
                    ("PORT", "0"),
                    ("OPS_PORT", "0"),
                    ("LOG_FORMAT", "json"),
                ])
                .stdout(Stdio::piped())
                .spawn()
                .expect("the relay starts");
            let mut lines = BufReader::new(relay.stdout.take().expect("piped")).lines();
            lines.by_ref().map_while(Result::ok).find(|line| line.contains("listening"));
            let took = start.elapsed().as_secs_f64() * 1_000.0;
            relay.kill().ok();
            relay.wait().ok();
            took
        })
        .collect();
    times.sort_by(f64::total_cmp);
    println!("from process start to ready: {:.1} ms (median of 5)", times[2]);
}

/// The same number of calls, 50 frames a second each way, in turns: ours and the floor.
fn against_the_floor(rounds: usize) {
    const CALLS: u32 = 200;
    let (mut ours, mut floor) = (Vec::new(), Vec::new());
    for _ in 0..rounds {
        ours.push(load("openai", CALLS, 5)["cpu_ms_per_call_second"].as_f64().unwrap_or(f64::NAN));
        floor.push(floor::measure(CALLS, 5));
    }
    let median = |values: &mut Vec<f64>| {
        values.sort_by(f64::total_cmp);
        values[values.len() / 2]
    };
    let (ours, floor) = (median(&mut ours), median(&mut floor));
    println!(
        "CPU per call-second at {CALLS} calls: {ours:.2} ms, splice-only relay {floor:.2} ms, ratio {:.2}",
        ours / floor
    );
}

/// Callers who talk with a cascade: what each of them costs.
fn cost_of_a_cascade(calls: &[u32]) {
    println!("\n{:<22}{:>26}{:>14}", "cascade calls", "CPU ms per call-second", "memory, kB");
    for calls in calls {
        let figures = load("cascade", *calls, 15);
        let number = |key: &str| figures[key].as_f64().unwrap_or(f64::NAN);
        let (cpu, memory) = (number("cpu_ms_per_call_second"), number("memory_kb_per_call"));
        println!("{calls:<22}{cpu:>26.2}{memory:>14.1}");
    }
}

/// One run of `patchcord load`.
fn load(leg: &str, calls: u32, seconds: u32) -> Value {
    let (calls, seconds) = (calls.to_string(), seconds.to_string());
    let output = Command::new(env!("CARGO_BIN_EXE_patchcord"))
        .args(["load", "--json", "--leg", leg, "--calls", &calls, "--seconds", &seconds])
        .output()
        .expect("the load run starts");
    if !output.status.success() {
        println!("a load run failed: {}", String::from_utf8_lossy(&output.stderr));
    }
    serde_json::from_slice(&output.stdout).unwrap_or_default()
}
