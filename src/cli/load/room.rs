//! Does this machine have enough open files and ports for so many calls? Better known before than half way.

use std::fs;

/// Of one run.
#[derive(Clone, Copy, Debug)]
pub struct Needs {
    pub calls: u64,
    /// Lines whose callers are replaced again and again: each leaves a port behind that rests for a minute.
    pub restless: u64,
    /// Sockets of one call in this process: the phone's, and those of the pretend providers.
    pub driver_sockets: u64,
    /// Sockets of one call in a relay of our own, which has the same limit as we.
    pub relay_sockets: Option<u64>,
}

/// What the system allows; `None` where it does not tell.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    pub open_files: Option<u64>,
    pub ports: Option<u64>,
}

/// Listeners, timers, logs, connections that are kept warm.
const SPARE: u64 = 100;
/// A minute of rest, and a new caller every 1.5 s.
const RESTING: u64 = 40;

impl Limits {
    pub fn read() -> Self {
        let ports = fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range").ok();
        Self { open_files: crate::settings::open_files::limit(), ports: ports.and_then(|text| count(&text)) }
    }
}

fn count(range: &str) -> Option<u64> {
    let mut ends = range.split_whitespace().map_while(|word| word.parse::<u64>().ok());
    let (low, high) = (ends.next()?, ends.next()?);
    (high + 1).checked_sub(low)
}

/// What does not suffice, and what to do; `None` when everything does.
pub fn shortage(needs: &Needs, limits: &Limits) -> Option<String> {
    let each = needs.driver_sockets.max(needs.relay_sockets.unwrap_or(0));
    let files = needs.calls * each + SPARE;
    if let Some(limit) = limits.open_files.filter(|limit| *limit < files) {
        let fit = limit.saturating_sub(SPARE) / each.max(1);
        return Some(format!(
            "{} calls need {files} open files in one process, and the system allows {limit}: raise it with `ulimit -n \
             {files}`, or take {fit} calls at most",
            needs.calls
        ));
    }
    // All phones dial one address, and each needs a port of its own for it.
    let ports = needs.calls + needs.restless * RESTING;
    let limit = limits.ports.filter(|limit| *limit < ports)?;
    Some(format!(
        "{} calls, {} of them with callers who come and go, need about {ports} ports, and the system has {limit}: widen \
         net.ipv4.ip_local_port_range, or take fewer calls or hang-ups",
        needs.calls, needs.restless
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NEEDS: Needs = Needs { calls: 1_000, restless: 0, driver_sockets: 2, relay_sockets: Some(2) };

    #[test]
    fn what_suffices_is_not_spoken_of() {
        assert_eq!(shortage(&NEEDS, &Limits { open_files: Some(2_100), ports: Some(28_232) }), None);
        assert_eq!(shortage(&NEEDS, &Limits { open_files: None, ports: None }), None);
    }

    #[test]
    fn too_few_open_files_are_said_with_the_number_that_fits() {
        let said = shortage(&NEEDS, &Limits { open_files: Some(1_024), ports: None }).unwrap();
        assert!(said.contains("ulimit -n 2100") && said.contains("462 calls at most"), "{said}");
    }

    #[test]
    fn callers_who_come_and_go_use_up_ports() {
        let limits = Limits { open_files: None, ports: Some(28_232) };
        assert_eq!(shortage(&Needs { restless: 600, ..NEEDS }, &limits), None);
        let said = shortage(&Needs { restless: 700, ..NEEDS }, &limits).unwrap();
        assert!(said.contains("29000 ports") && said.contains("ip_local_port_range"), "{said}");
    }

    #[test]
    fn a_range_of_ports_includes_both_its_ends() {
        assert_eq!(count("32768\t60999\n"), Some(28_232));
        assert_eq!((count(""), count("9 1")), (None, None));
    }
}
