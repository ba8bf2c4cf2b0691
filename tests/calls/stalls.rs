//! When this machine stood still. Shared machines do, for a tenth of a second at a time, and what was timed then
//! tells of the machine and not of the relay.

use std::{
    sync::{LazyLock, Mutex},
    thread,
    time::{Duration, Instant},
};

static STALLS: LazyLock<Mutex<Vec<(Instant, Instant)>>> = LazyLock::new(|| {
    // Two, for a stall may be one core's alone.
    for _ in 0..2 {
        thread::spawn(watch);
    }
    Mutex::default()
});

/// From now on stalls are noticed.
pub fn watch_out() {
    LazyLock::force(&STALLS);
}

/// How long the machine stood still, all in all, between two moments or just before.
pub fn between(start: Instant, end: Instant) -> Duration {
    let stalls = STALLS.lock().unwrap();
    let near = stalls.iter().filter(|(began, ended)| *began < end && *ended + AFTER > start);
    near.map(|(began, ended)| *ended - *began).sum()
}

fn watch() {
    loop {
        let before = Instant::now();
        thread::sleep(STEP);
        let after = Instant::now();
        if after - before > STEP + LATE {
            STALLS.lock().unwrap().push((before, after));
        }
    }
}

const STEP: Duration = Duration::from_millis(2);
const LATE: Duration = Duration::from_millis(12);

/// What piled up is worked off.
const AFTER: Duration = Duration::from_millis(250);
