//! What this machine spends on whom: the relay, this process, everybody together. From `/proc`, so on Linux only;
//! elsewhere these figures are missing and nothing else.

use std::{fs, time::Duration};

use sim::probe::Histogram;

/// Since the machine or the process began.
#[derive(Clone, Copy, Debug, Default)]
pub struct Spent {
    /// CPU seconds of this process: the phones and the pretend providers.
    pub driver: Option<f64>,
    pub relay: Option<f64>,
    /// CPU seconds of everybody, of all there are, and of those what the machine under this one took.
    pub busy: Option<f64>,
    pub all: Option<f64>,
    pub stolen: Option<f64>,
}

impl Spent {
    pub fn read(relay: Option<u32>) -> Self {
        let everybody = fs::read_to_string("/proc/stat").ok().and_then(|text| of_everybody(&text));
        Self {
            driver: cpu("self"),
            relay: relay.and_then(|pid| cpu(&pid.to_string())),
            busy: everybody.map(|(busy, ..)| busy),
            all: everybody.map(|(_, all, _)| all),
            stolen: everybody.map(|(.., stolen)| stolen),
        }
    }

    pub fn since(&self, earlier: &Self) -> Self {
        let less = |now: Option<f64>, before: Option<f64>| Some(now? - before?);
        Self {
            driver: less(self.driver, earlier.driver),
            relay: less(self.relay, earlier.relay),
            busy: less(self.busy, earlier.busy),
            all: less(self.all, earlier.all),
            stolen: less(self.stolen, earlier.stolen),
        }
    }
}

/// CPU seconds that a process has used.
fn cpu(process: &str) -> Option<f64> {
    of_process(&fs::read_to_string(format!("/proc/{process}/stat")).ok()?)
}

fn of_process(stat: &str) -> Option<f64> {
    // The name stands in brackets and may hold anything, brackets too.
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    Some((fields.get(11)?.parse::<f64>().ok()? + fields.get(12)?.parse::<f64>().ok()?) / TICKS)
}

/// Busy, all and stolen, in CPU seconds.
fn of_everybody(stat: &str) -> Option<(f64, f64, f64)> {
    let line = stat.lines().find_map(|line| line.strip_prefix("cpu "))?;
    // user nice system idle iowait irq softirq steal; what follows is counted in `user` already.
    let ticks: Vec<f64> = line.split_whitespace().take(8).map_while(|word| word.parse().ok()).collect();
    let all: f64 = ticks.iter().sum();
    let idle = ticks.get(3)? + ticks.get(4)?;
    Some(((all - idle) / TICKS, all / TICKS, ticks.get(7)? / TICKS))
}

/// Resident memory in kilobytes.
pub fn memory(pid: u32) -> Option<f64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.trim().trim_end_matches("kB").trim().parse().ok()
}

/// How many files and sockets a process has open.
pub fn open_files(pid: u32) -> Option<usize> {
    Some(fs::read_dir(format!("/proc/{pid}/fd")).ok()?.count())
}

pub fn cores() -> f64 {
    std::thread::available_parallelism().map_or(1.0, |cores| cores.get() as f64)
}

/// Notes for ever how late this process is for its own appointments: where the phones' frames have to wait as well.
pub async fn be_punctual(late: &Histogram) {
    let mut due = tokio::time::Instant::now();
    loop {
        due += BEAT;
        tokio::time::sleep_until(due).await;
        // Appointments that were missed meanwhile are kept too: each of them was late.
        late.add(due.elapsed());
    }
}

/// Half as long as a frame.
const BEAT: Duration = Duration::from_millis(10);

/// The kernel counts CPU time in hundredths of a second, on every Linux that matters here.
const TICKS: f64 = 100.0;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_may_be_called_anything() {
        let stat = "42 (a) b) S 1 1 1 0 -1 4 0 0 0 0 150 50 0 0 20 0 4 0 1 1 1";
        assert_eq!(of_process(stat), Some(2.0));
        assert_eq!(of_process("42 (short) S"), None);
    }

    #[test]
    fn waiting_for_a_disk_is_not_being_busy() {
        let stat = "cpu  100 0 100 700 100 0 0 50 30 0\ncpu0 1 2 3\n";
        assert_eq!(of_everybody(stat), Some((2.5, 10.5, 0.5)));
        assert_eq!(of_everybody("cpu  1 2\n"), None);
        assert_eq!(of_everybody(""), None);
    }
}
