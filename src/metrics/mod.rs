//! What the relay counts, for Prometheus.
//!
//! Counted once a call, a turn or a message that went wrong, never once a frame: a call adds its frames when
//! it ends. Every label has a fixed list of values, and none is named as the platform's own (`app`, `region`,
//! `host`, `instance`).

use std::{
    sync::atomic::{AtomicI64, AtomicU64},
    time::Duration,
};

use call::{FailureKind, Oddity, Summary, ToolEnd, Turn};
use prometheus_client::{
    encoding::text::encode,
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram, info::Info},
    registry::{Registry, Unit},
};

mod costs;

use self::costs::Costs;
use crate::costs::Bill;

type Labels<const N: usize> = [(&'static str, &'static str); N];
type Seconds = Counter<f64, AtomicU64>;

#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    calls_active: Gauge<i64, AtomicI64>,
    calls_started: Counter,
    calls_ended: Family<Labels<2>, Counter>,
    refusals: Family<Labels<1>, Counter>,
    draining: Gauge<i64, AtomicI64>,
    leg_ready: Family<Labels<1>, Histogram, fn() -> Histogram>,
    first_audio: Histogram,
    answered: Histogram,
    latency: Histogram,
    segments: Family<Labels<1>, Histogram, fn() -> Histogram>,
    barge_in: Histogram,
    barge_ins: Counter,
    frames: Family<Labels<1>, Counter>,
    frames_dropped: Family<Labels<1>, Counter>,
    gaps: Seconds,
    oddities: Family<Labels<1>, Counter>,
    tools: Family<Labels<1>, Counter>,
    reports: Family<Labels<1>, Counter>,
    recordings: Family<Labels<1>, Counter>,
    leg_errors: Family<Labels<2>, Counter>,
    legs_replaced: Family<Labels<2>, Counter>,
    costs: Costs,
    queue_high_water: Histogram,
    panics: Counter,
    rate_left: Family<Labels<2>, Gauge<f64, AtomicU64>>,
    ready_after: Gauge<f64, AtomicU64>,
    tasks: Gauge<i64, AtomicI64>,
}

impl Default for Metrics {
    fn default() -> Self {
        let mut registry = Registry::with_prefix("patchcord");
        let build = Info::new([("version", env!("CARGO_PKG_VERSION"))]);
        registry.register("build", "What is running", build);
        Self {
            calls_active: register(&mut registry, "calls_active", "Calls that are going on now"),
            calls_started: register(&mut registry, "calls_started", "Sockets that were taken as calls"),
            calls_ended: register(&mut registry, "calls_ended", "Calls that ended, by reason and leg"),
            refusals: register(&mut registry, "refusals", "Upgrades and tokens that were refused, by code"),
            draining: register(&mut registry, "draining", "1 while the machine takes no new calls"),
            leg_ready: {
                let family = Family::new_with_constructor(seconds as fn() -> Histogram);
                let help = "From the dialled leg to one that takes audio";
                registry.register_with_unit("leg_ready", help, Unit::Seconds, family.clone());
                family
            },
            first_audio: timing(
                &mut registry,
                "first_audio",
                "From the open socket to the agent's first sound",
            ),
            answered: timing(
                &mut registry,
                "turn_silence",
                "From the leg's word that the caller stopped to the answer",
            ),
            latency: timing(
                &mut registry,
                "turn_latency",
                "From the caller's last sound to the first sound of the answer that was heard",
            ),
            segments: {
                let family = Family::new_with_constructor(seconds as fn() -> Histogram);
                let help = "What the latency of turns was made of, by segment";
                registry.register_with_unit("turn_segment", help, Unit::Seconds, family.clone());
                family
            },
            barge_in: timing(
                &mut registry,
                "barge_in",
                "From the leg's word that the caller speaks to the clear",
            ),
            barge_ins: register(&mut registry, "barge_ins", "Times that a caller talked over the agent"),
            frames: register(&mut registry, "frames", "Audio messages, by direction"),
            frames_dropped: register(&mut registry, "frames_dropped", "Audio messages left out, by reason"),
            gaps: {
                let gaps = Seconds::default();
                registry.register_with_unit(
                    "gaps_filled",
                    "Silence put in for missing frames",
                    Unit::Seconds,
                    gaps.clone(),
                );
                gaps
            },
            oddities: register(&mut registry, "oddities", "Events of a leg that were not acted on, by kind"),
            tools: register(&mut registry, "tools", "Calls of tools, by how they ended"),
            reports: register(&mut registry, "reports", "Reports to main apps, by outcome"),
            recordings: register(&mut registry, "recordings", "Recordings of calls, by outcome"),
            leg_errors: register(&mut registry, "leg_errors", "Legs that failed, by provider and kind"),
            legs_replaced: register(
                &mut registry,
                "legs_replaced",
                "Legs that another one took over from, by kind and by why",
            ),
            costs: Costs::new(&mut registry),
            queue_high_water: {
                let buckets = [1e3, 4e3, 16e3, 64e3, 256e3, 1e6, 4e6];
                let histogram = Histogram::new(buckets);
                let help = "The most that waited to go out on a call's sockets";
                registry.register_with_unit("queue_high_water", help, Unit::Bytes, histogram.clone());
                histogram
            },
            rate_left: register(
                &mut registry,
                "rate_left_ratio",
                "What is left of a model account's limits, as the newest answer says",
            ),
            panics: register(&mut registry, "panics", "Calls that ended by a mistake of ours"),
            ready_after: register(&mut registry, "ready_after_seconds", "From the process's start to ready"),
            tasks: register(&mut registry, "tasks", "Tasks alive in the process"),
            registry,
        }
    }
}

impl Metrics {
    pub fn call_started(&self) {
        self.calls_started.inc();
        self.calls_active.inc();
    }

    /// The call is over. What its sockets dropped and held is not in its own summary.
    pub fn call_ended(
        &self,
        leg: &'static str,
        summary: &Summary,
        bill: &Bill,
        late_for_leg: u64,
        high_water: usize,
    ) {
        let Summary { reason, tally, .. } = summary;
        self.calls_active.dec();
        self.calls_ended.get_or_create(&[("reason", reason.name()), ("leg", leg)]).inc();
        self.barge_ins.inc_by(tally.barge_ins);
        self.frames.get_or_create(&[("direction", "in")]).inc_by(tally.frames_in);
        self.frames.get_or_create(&[("direction", "out")]).inc_by(tally.frames_out);
        for (why, count) in [
            ("held_too_long", tally.frames_dropped),
            ("leg_slow", late_for_leg),
            ("interrupted", tally.late_audio),
            ("malformed", tally.malformed),
        ] {
            self.frames_dropped.get_or_create(&[("reason", why)]).inc_by(count);
        }
        self.gaps.inc_by(tally.gaps.as_secs_f64());
        self.queue_high_water.observe(high_water as f64);
        self.costs.add(bill);
    }

    /// A call's task panicked: it is gone, and says nothing more.
    pub fn call_panicked(&self) {
        self.calls_active.dec();
        self.calls_ended.get_or_create(&[("reason", "internal"), ("leg", "none")]).inc();
        self.panics.inc();
    }

    pub fn refused(&self, code: &'static str) {
        self.refusals.get_or_create(&[("code", code)]).inc();
    }

    pub fn leg_ready(&self, leg: &'static str, after: Duration) {
        self.leg_ready.get_or_create(&[("leg", leg)]).observe(after.as_secs_f64());
    }

    pub fn leg_failed(&self, provider: &'static str, kind: FailureKind) {
        self.leg_errors.get_or_create(&[("provider", provider), ("kind", kind.name())]).inc();
    }

    /// This kind of leg was lost, or its session is over, and another one takes over.
    pub fn leg_replaced(&self, leg: &'static str, why: &'static str) {
        self.legs_replaced.get_or_create(&[("leg", leg), ("why", why)]).inc();
    }

    pub fn first_audio(&self, after: Duration) {
        self.first_audio.observe(after.as_secs_f64());
    }

    pub fn answered(&self, after: Duration) {
        self.answered.observe(after.as_secs_f64());
    }

    /// A turn is over. One of which no answer was heard has no latency.
    pub fn turn_ended(&self, turn: &Turn) {
        let Some(segments) = turn.latency else { return };
        self.latency.observe(segments.silence().as_secs_f64());
        for (segment, time) in segments.named() {
            self.segments.get_or_create(&[("segment", segment)]).observe(time.as_secs_f64());
        }
    }

    pub fn barged_in(&self, took: Duration) {
        self.barge_in.observe(took.as_secs_f64());
    }

    pub fn odd(&self, oddity: Oddity) {
        let kind = match oddity {
            Oddity::UnknownEvent => "unknown_event",
            Oddity::BenignError => "benign_error",
            Oddity::OwnError => "own_error",
            Oddity::Malformed => "malformed",
        };
        self.oddities.get_or_create(&[("kind", kind)]).inc();
    }

    pub fn tool(&self, end: ToolEnd) {
        self.tools.get_or_create(&[("end", end.name())]).inc();
    }

    /// `of` is what is limited: tokens or requests.
    pub fn rate_left(&self, provider: &'static str, of: &'static str, share: f64) {
        self.rate_left.get_or_create(&[("provider", provider), ("of", of)]).set(share);
    }

    pub fn report(&self, outcome: &'static str) {
        self.reports.get_or_create(&[("outcome", outcome)]).inc();
    }

    pub fn recording(&self, outcome: &'static str) {
        self.recordings.get_or_create(&[("outcome", outcome)]).inc();
    }

    pub fn draining(&self) {
        self.draining.set(1);
    }

    pub fn ready_after(&self, time: Duration) {
        self.ready_after.set(time.as_secs_f64());
    }

    pub fn calls_active(&self) -> u64 {
        u64::try_from(self.calls_active.get()).unwrap_or(0)
    }

    /// The page that a scraper gets.
    pub fn page(&self) -> String {
        let alive =
            tokio::runtime::Handle::try_current().map_or(0, |runtime| runtime.metrics().num_alive_tasks());
        self.tasks.set(i64::try_from(alive).unwrap_or(i64::MAX));
        let mut page = String::new();
        encode(&mut page, &self.registry).expect("writing into a string");
        page
    }
}

fn register<M>(registry: &mut Registry, name: &str, help: &str) -> M
where
    M: prometheus_client::registry::Metric + Clone + Default,
{
    let metric = M::default();
    registry.register(name, help, metric.clone());
    metric
}

fn timing(registry: &mut Registry, name: &str, help: &str) -> Histogram {
    let histogram = seconds();
    registry.register_with_unit(name, help, Unit::Seconds, histogram.clone());
    histogram
}

/// From a tenth of a millisecond to ten seconds.
fn seconds() -> Histogram {
    Histogram::new([
        0.0001, 0.0003, 0.001, 0.003, 0.01, 0.03, 0.1, 0.2, 0.3, 0.5, 0.8, 1.2, 2.0, 3.0, 5.0, 10.0,
    ])
}

#[cfg(test)]
mod tests {
    use call::{EndReason, Failure, HeardBy, Tally};

    use super::*;

    fn summary(reason: EndReason) -> Summary {
        let tally = Tally { frames_in: 50, frames_out: 7, barge_ins: 1, ..Tally::default() };
        let (usage, transcript, turns, tools, legs) = Default::default();
        Summary {
            reason,
            lasted: Duration::from_secs(1),
            was_live: true,
            tally,
            usage,
            transcript,
            turns,
            tools,
            legs,
            recorded_from: None,
            heard_by: HeardBy::Marks,
        }
    }

    #[test]
    fn a_calls_life_is_on_the_page() {
        let metrics = Metrics::default();
        metrics.call_started();
        metrics.call_started();
        metrics.leg_ready("openai", Duration::from_millis(80));
        let failure = Failure { provider: "openai", kind: FailureKind::Quota, detail: "".into() };
        metrics.leg_failed(failure.provider, failure.kind);
        metrics.call_ended("openai", &summary(EndReason::LegFailed(failure)), &Bill::default(), 3, 100);
        metrics.refused("token_expired");
        let page = metrics.page();
        for line in [
            "patchcord_calls_active 1",
            "patchcord_calls_started_total 2",
            "patchcord_calls_ended_total{reason=\"leg_failed\",leg=\"openai\"} 1",
            "patchcord_refusals_total{code=\"token_expired\"} 1",
            "patchcord_leg_errors_total{provider=\"openai\",kind=\"quota\"} 1",
            "patchcord_frames_total{direction=\"in\"} 50",
            "patchcord_frames_dropped_total{reason=\"leg_slow\"} 3",
            "patchcord_leg_ready_seconds_count{leg=\"openai\"} 1",
        ] {
            assert!(page.lines().any(|l| l == line), "{line} is not in\n{page}");
        }
        assert_eq!(metrics.calls_active(), 1);
    }

    #[test]
    fn no_label_takes_a_name_that_the_platform_overwrites() {
        let metrics = Metrics::default();
        metrics.call_ended("echo", &summary(EndReason::CallerHungUp), &Bill::default(), 0, 0);
        metrics.refused("x");
        metrics.odd(Oddity::UnknownEvent);
        metrics.leg_ready("echo", Duration::ZERO);
        let page = metrics.page();
        for name in ["app", "region", "host", "instance"] {
            assert!(!page.contains(&format!("{{{name}=")) && !page.contains(&format!(",{name}=")), "{name}");
        }
    }
}
