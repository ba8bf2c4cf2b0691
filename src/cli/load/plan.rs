//! How many calls there are, and when: what `--steps`, `--ramp` and `--hang-ups` say.

use std::time::Duration;

/// Numbers of calls, each larger than the one before it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Steps(pub Vec<u32>);

/// How many calls begin in a second.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Ramp(pub f64);

/// On which part of the lines the callers leave early, from 0 to 1.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Share(pub f64);

/// Each step is held this long, and its figures are of that time.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    pub steps: Vec<u32>,
    pub ramp: Ramp,
    pub hold: Duration,
    pub hang_ups: Share,
}

/// Until every leg is ready and the first burst is over.
pub const SETTLE: Duration = Duration::from_secs(2);
pub const MOST_CALLS: u32 = 20_000;
/// More would be a table that nobody reads.
const MOST_STEPS: usize = 20;

impl Plan {
    pub fn most(&self) -> u32 {
        self.steps.iter().copied().max().unwrap_or(0)
    }

    /// From the moment that adding begins: when is this line due, counted from the first of the step?
    pub fn due(&self, line_of_step: u32) -> Duration {
        Duration::from_secs_f64(f64::from(line_of_step) / self.ramp.0)
    }

    /// All of it, as it should take.
    pub fn length(&self) -> Duration {
        let steps = u32::try_from(self.steps.len()).unwrap_or(u32::MAX);
        self.due(self.most()) + (SETTLE + self.hold) * steps
    }

    /// Is this one of the lines whose callers do not stay? They are spread over all lines, so that each step has
    /// its share.
    pub fn is_restless(&self, line: u32) -> bool {
        let so_many = |lines: u32| (f64::from(lines) * self.hang_ups.0 + ROUNDING).floor();
        so_many(line + 1) > so_many(line)
    }

    pub fn restless(&self) -> u32 {
        (0..self.most()).map(|line| u32::from(self.is_restless(line))).sum()
    }
}

/// A tenth of ten is one, whatever a fraction makes of it.
const ROUNDING: f64 = 1e-9;

/// `50,100,200`.
pub fn steps(text: &str) -> Result<Steps, String> {
    let mut steps: Vec<u32> = Vec::new();
    for word in text.split(',').map(str::trim) {
        let calls = word.parse().ok().filter(|calls| (1..=MOST_CALLS).contains(calls)).ok_or_else(|| {
            format!("`{word}` is no number of calls: write it as 50,100,200, from 1 to {MOST_CALLS}")
        })?;
        if let Some(before) = steps.last().filter(|before| **before >= calls) {
            return Err(format!("{calls} comes after {before}: each step adds calls, so write them rising"));
        }
        steps.push(calls);
    }
    if steps.len() > MOST_STEPS {
        return Err(format!("{} steps are too many: {MOST_STEPS} at most", steps.len()));
    }
    Ok(Steps(steps))
}

/// `20/s`, or just `20`; half a call a second is `0.5/s`.
pub fn ramp(text: &str) -> Result<Ramp, String> {
    let number = text.trim().strip_suffix("/s").unwrap_or(text.trim());
    let calls = number.parse::<f64>().ok().filter(|calls| (0.1..=1_000.0).contains(calls));
    calls.map(Ramp).ok_or_else(|| {
        "write how many calls begin in a second, such as 20/s, from 0.1/s to 1000/s".to_owned()
    })
}

/// `10%`.
pub fn share(text: &str) -> Result<Share, String> {
    let percent = text.trim().strip_suffix('%').and_then(|number| number.trim().parse::<f64>().ok());
    percent
        .filter(|percent| (0.0..=100.0).contains(percent))
        .map(|percent| Share(percent / 100.0))
        .ok_or_else(|| "write a part of the calls, such as 10%, from 0% to 100%".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(steps: &[u32], hang_ups: f64) -> Plan {
        Plan {
            steps: steps.to_vec(),
            ramp: Ramp(50.0),
            hold: Duration::from_secs(10),
            hang_ups: Share(hang_ups),
        }
    }

    #[test]
    fn steps_rise() {
        assert_eq!(steps("50, 100,200"), Ok(Steps(vec![50, 100, 200])));
        for (text, named) in [
            ("50,40", "40 comes after 50"),
            ("50,50", "50 comes after 50"),
            ("50,,60", "`` is no number"),
            ("5o", "`5o` is no number of calls"),
            ("0", "`0` is no number"),
            ("30000", "from 1 to 20000"),
        ] {
            let said = steps(text).unwrap_err();
            assert!(said.contains(named), "{text}: {said}");
        }
        let many: Vec<String> = (1..=21).map(|step| step.to_string()).collect();
        assert!(steps(&many.join(",")).unwrap_err().contains("20 at most"));
    }

    #[test]
    fn a_ramp_is_calls_a_second() {
        assert_eq!(
            (ramp("20/s"), ramp("20"), ramp("0.5/s")),
            (Ok(Ramp(20.0)), Ok(Ramp(20.0)), Ok(Ramp(0.5)))
        );
        for text in ["20/m", "fast", "0", "-1", "NaN", "inf", "5000/s", ""] {
            assert!(ramp(text).unwrap_err().contains("such as 20/s"), "{text}");
        }
    }

    #[test]
    fn a_share_needs_its_percent_sign() {
        assert_eq!(
            (share("10%"), share("0%"), share("100 %")),
            (Ok(Share(0.1)), Ok(Share(0.0)), Ok(Share(1.0)))
        );
        for text in ["0.1", "10", "101%", "-1%", "%", "NaN%"] {
            assert!(share(text).unwrap_err().contains("such as 10%"), "{text}");
        }
    }

    #[test]
    fn restless_lines_are_spread_over_all_of_them() {
        let plan = plan(&[10, 100], 0.1);
        let restless: Vec<u32> = (0..100).filter(|line| plan.is_restless(*line)).collect();
        assert_eq!(restless, [9, 19, 29, 39, 49, 59, 69, 79, 89, 99]);
        assert_eq!(plan.restless(), 10);
    }

    #[test]
    fn nobody_or_everybody_can_be_restless() {
        assert_eq!(plan(&[37], 0.0).restless(), 0);
        assert_eq!(plan(&[37], 1.0).restless(), 37);
    }

    #[test]
    fn lines_come_one_after_the_other_and_the_steps_are_held() {
        let plan = plan(&[50, 100], 0.0);
        assert_eq!((plan.due(0), plan.due(25)), (Duration::ZERO, Duration::from_millis(500)));
        assert_eq!(plan.length(), Duration::from_secs(2 + 2 * 12));
    }
}
