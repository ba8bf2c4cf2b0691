//! Are these figures about the relay, or about what measured them?
//!
//! Phones and pretend providers are one process, often on the relay's own machine. When they are late, or the machine
//! is full, a frame waits for them and not for the relay, and the figures must not be blamed on it.

use std::time::Duration;

/// What was so while a step was held.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Strain {
    pub cores: f64,
    /// How late this process was for its own appointments.
    pub late_p99: Duration,
    pub late_max: Duration,
    /// Cores in use, on average: by this process, by the relay if it can be seen, by everybody, and taken away by the
    /// machine under this one.
    pub driver: Option<f64>,
    pub relay: Option<f64>,
    pub busy: Option<f64>,
    pub stolen: Option<f64>,
}

/// Why a step's figures are not the relay's alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Doubt {
    /// This process was late again and again.
    DriverLate,
    /// It was late, but rarely: only the largest figures suffer.
    DriverHiccup,
    /// No core was left.
    MachineFull,
    /// The machine under this one gave its cores to others.
    Stolen,
    /// Programs that have nothing to do with this run.
    Others,
}

/// A frame lasts 20 ms. Figures of a healthy relay are below a millisecond, so a driver that is late by more than
/// this says nothing about them.
const LATE: Duration = Duration::from_millis(5);
/// A whole frame.
const VERY_LATE: Duration = Duration::from_millis(20);
/// Above this, whoever wants a core waits for one.
const FULL: f64 = 0.9;
const STOLEN: f64 = 0.03;
const OTHERS: f64 = 0.2;

pub fn doubts(strain: &Strain) -> Vec<Doubt> {
    let part = |cores: Option<f64>| cores.map_or(0.0, |used| used / strain.cores.max(1.0));
    // Without a look at the relay its use would pass for that of strangers.
    let ours = strain.driver.zip(strain.relay).map(|(driver, relay)| driver + relay);
    let others = strain.busy.zip(ours).map(|(busy, ours)| busy - ours - strain.stolen.unwrap_or(0.0));
    let mut doubts = Vec::new();
    if strain.late_p99 > LATE {
        doubts.push(Doubt::DriverLate);
    } else if strain.late_max > VERY_LATE {
        doubts.push(Doubt::DriverHiccup);
    }
    doubts.extend((part(strain.busy) > FULL).then_some(Doubt::MachineFull));
    doubts.extend((part(strain.stolen) > STOLEN).then_some(Doubt::Stolen));
    doubts.extend((part(others) > OTHERS).then_some(Doubt::Others));
    doubts
}

/// The driver, or the machine that it shares with the relay, was the bottleneck.
pub fn is_bottleneck(doubts: &[Doubt]) -> bool {
    doubts.iter().any(|doubt| matches!(doubt, Doubt::DriverLate | Doubt::MachineFull | Doubt::Stolen))
}

impl Doubt {
    pub fn name(self) -> &'static str {
        match self {
            Self::DriverLate => "driver_late",
            Self::DriverHiccup => "driver_hiccup",
            Self::MachineFull => "machine_full",
            Self::Stolen => "cpu_stolen",
            Self::Others => "other_programs",
        }
    }

    /// For a person, with the figures that it comes from.
    pub fn sentence(self, strain: &Strain) -> String {
        let ms = |time: Duration| format!("{:.1} ms", time.as_secs_f64() * 1_000.0);
        let cores = |used: Option<f64>| used.map_or("?".to_owned(), |used| format!("{used:.1}"));
        let all = strain.cores;
        match self {
            Self::DriverLate => format!(
                "The phones were the bottleneck, not the relay: this process was late for its own clock by {} in one of \
                 a hundred cases, {} at worst.",
                ms(strain.late_p99),
                ms(strain.late_max)
            ),
            Self::DriverHiccup => format!(
                "This process itself was once late by {}: look at p99, the largest figures may be its own.",
                ms(strain.late_max)
            ),
            Self::MachineFull => format!(
                "This machine was full: {} of {all:.0} cores busy, {} of them with phones and pretend providers{}. Whoever \
                 wanted a core had to wait for one.",
                cores(strain.busy),
                cores(strain.driver),
                strain.relay.map_or(String::new(), |used| format!(", {used:.1} with the relay"))
            ),
            Self::Stolen => format!(
                "The machine under this one took {} of {all:.0} cores away for others.",
                cores(strain.stolen)
            ),
            Self::Others => {
                let ours = strain.driver.zip(strain.relay).map(|(driver, relay)| driver + relay);
                let others = strain.busy.zip(ours).map(|(busy, ours)| busy - ours);
                format!(
                    "Other programs used {} of {all:.0} cores: the same run on a quiet machine would give better figures.",
                    cores(others)
                )
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn calm() -> Strain {
        Strain {
            cores: 4.0,
            late_p99: Duration::from_millis(2),
            late_max: Duration::from_millis(6),
            driver: Some(1.0),
            relay: Some(0.5),
            busy: Some(1.7),
            stolen: Some(0.0),
        }
    }

    #[test]
    fn a_calm_machine_raises_no_doubt() {
        assert_eq!(doubts(&calm()), []);
        assert!(!is_bottleneck(&[]));
    }

    #[test]
    fn a_driver_that_is_late_again_and_again_was_the_bottleneck() {
        let strain = Strain { late_p99: Duration::from_millis(6), ..calm() };
        assert_eq!(doubts(&strain), [Doubt::DriverLate]);
        assert!(is_bottleneck(&doubts(&strain)));
        let said = Doubt::DriverLate.sentence(&strain);
        assert!(said.contains("phones were the bottleneck") && said.contains("6.0 ms"), "{said}");
    }

    #[test]
    fn one_late_moment_spoils_the_largest_figure_only() {
        let strain = Strain { late_max: Duration::from_millis(40), ..calm() };
        assert_eq!(doubts(&strain), [Doubt::DriverHiccup]);
        assert!(!is_bottleneck(&doubts(&strain)));
    }

    #[test]
    fn a_full_machine_is_said_with_who_used_it() {
        let strain = Strain { busy: Some(3.8), driver: Some(2.6), relay: Some(1.1), ..calm() };
        assert_eq!(doubts(&strain), [Doubt::MachineFull]);
        let said = Doubt::MachineFull.sentence(&strain);
        assert!(
            said.contains("3.8 of 4 cores") && said.contains("2.6") && said.contains("1.1 with the relay"),
            "{said}"
        );
    }

    #[test]
    fn a_relay_elsewhere_can_be_measured_from_a_full_machine_no_better() {
        let strain = Strain { busy: Some(3.9), driver: Some(3.8), relay: None, ..calm() };
        assert_eq!(doubts(&strain), [Doubt::MachineFull]);
        assert!(!Doubt::MachineFull.sentence(&strain).contains("with the relay"));
    }

    #[test]
    fn strangers_on_the_machine_are_told_apart_from_the_relay() {
        assert_eq!(doubts(&Strain { busy: Some(2.6), ..calm() }), [Doubt::Others]);
        assert!(!is_bottleneck(&[Doubt::Others]), "there was a core left");
        assert_eq!(doubts(&Strain { busy: Some(2.6), relay: None, ..calm() }), []);
        assert_eq!(doubts(&Strain { stolen: Some(0.3), busy: Some(2.0), ..calm() }), [Doubt::Stolen]);
    }

    #[test]
    fn where_nothing_can_be_seen_only_the_clock_speaks() {
        let blind = Strain { driver: None, relay: None, busy: None, stolen: None, ..calm() };
        assert_eq!(doubts(&blind), []);
    }
}
