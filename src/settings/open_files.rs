//! How many sockets and files the system lets this process have.
//!
//! The limit is only read: raising it needs a system call that our safe code does not make. What starts the
//! process can raise it (`ulimit -n`, `LimitNOFILE=`), so a limit that is too low is said at start.

/// Of one call: the sockets of carrier and leg, one for a request (a tool, a report), and the file of its recording.
const PER_CALL: u64 = 4;
/// What the process needs whatever happens: listeners, timers, health checks, logs.
const SPARE: u64 = 256;

/// The soft limit; `None` where the system does not tell or has none.
pub fn limit() -> Option<u64> {
    parse(&std::fs::read_to_string("/proc/self/limits").ok()?)
}

/// What to say when so many calls do not fit under this limit.
pub fn warning(limit: u64, max_calls: usize) -> Option<String> {
    let needed = max_calls as u64 * PER_CALL + SPARE;
    (limit < needed).then(|| {
        format!(
            "the system allows this process {limit} open files, MAX_CALLS={max_calls} can need {needed}: \
             raise it with `ulimit -n {needed}` or lower MAX_CALLS to {}",
            limit.saturating_sub(SPARE) / PER_CALL
        )
    })
}

fn parse(limits: &str) -> Option<u64> {
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"))?;
    line.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_soft_limit_is_the_first_number() {
        let text = "Limit  Soft Limit  Hard Limit  Units\nMax open files            1024                 524288               files\n";
        assert_eq!(parse(text), Some(1024));
        assert_eq!(parse("Max open files unlimited unlimited files"), None);
        assert_eq!(parse(""), None);
    }

    #[test]
    fn a_limit_too_low_for_the_calls_is_said_with_its_cure() {
        assert_eq!(warning(4256, 1000), None);
        let said = warning(1024, 1000).unwrap();
        assert!(said.contains("ulimit -n 4256") && said.contains("MAX_CALLS to 192"), "{said}");
    }
}
