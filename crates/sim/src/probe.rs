//! How long does the relay keep a frame? Marked frames are stamped where they leave and where they arrive.
//!
//! The mark is the frame's first 12 bytes, so it survives base64 and any relay that passes audio through. Phone and
//! provider must live in one process (one clock) for the two halves; the round trip needs the phone only.

use std::{
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    time::{Duration, Instant},
};

/// Frames of one call that can be under way at once: 5 s. Older ones are overwritten, and then not counted.
const RING: usize = 256;
const MAGIC: [u8; 4] = [0xA5, 0x17, 0x5A, 0xE8];
/// Bytes of a mark.
pub const MARK: usize = 12;

/// Where frames were, and when; shared by all calls of a run.
#[derive(Debug)]
pub struct Probe {
    epoch: Instant,
    slots: Box<[Slot]>,
    /// Caller's frame leaves the phone → arrives at the provider.
    pub inbound: Histogram,
    /// Provider's frame leaves → arrives at the phone.
    pub outbound: Histogram,
    /// Phone → provider → phone.
    pub round_trip: Histogram,
}

#[derive(Debug, Default)]
struct Slot {
    frame: AtomicU64,
    left_phone: AtomicU64,
    left_provider: AtomicU64,
}

impl Probe {
    pub fn new(calls: usize) -> Self {
        Self {
            epoch: Instant::now(),
            slots: (0..calls.max(1) * RING).map(|_| Slot::default()).collect(),
            inbound: Histogram::default(),
            outbound: Histogram::default(),
            round_trip: Histogram::default(),
        }
    }

    /// Marks a frame of `call` and stamps its departure.
    pub fn leaves_phone(&self, call: u32, frame: u32, audio: &mut [u8]) {
        let Some(head) = audio.get_mut(..MARK) else { return };
        head[..4].copy_from_slice(&MAGIC);
        head[4..8].copy_from_slice(&call.to_le_bytes());
        head[8..].copy_from_slice(&frame.to_le_bytes());
        if let Some(slot) = self.slot(call, frame) {
            slot.frame.store(u64::from(frame) + 1, Relaxed);
            slot.left_provider.store(0, Relaxed);
            slot.left_phone.store(self.now(), Relaxed);
        }
    }

    /// Counts every marked frame in `audio`, however many were put together.
    pub fn arrives_at_provider(&self, audio: &[u8]) {
        let now = self.now();
        for (call, frame) in marks(audio) {
            if let Some(slot) = self.current(call, frame) {
                self.inbound.note(now.saturating_sub(slot.left_phone.load(Relaxed)));
            }
        }
    }

    pub fn leaves_provider(&self, audio: &[u8]) {
        let now = self.now();
        for (call, frame) in marks(audio) {
            if let Some(slot) = self.current(call, frame) {
                slot.left_provider.store(now, Relaxed);
            }
        }
    }

    pub fn arrives_at_phone(&self, audio: &[u8]) {
        let now = self.now();
        for (call, frame) in marks(audio) {
            let Some(slot) = self.current(call, frame) else { continue };
            self.round_trip.note(now.saturating_sub(slot.left_phone.load(Relaxed)));
            let left = slot.left_provider.load(Relaxed);
            if left != 0 {
                self.outbound.note(now.saturating_sub(left));
            }
        }
    }

    /// Forgets what was counted so far: the warm-up.
    pub fn reset(&self) {
        for histogram in [&self.inbound, &self.outbound, &self.round_trip] {
            histogram.reset();
        }
    }

    fn now(&self) -> u64 {
        self.epoch.elapsed().as_nanos() as u64
    }

    fn slot(&self, call: u32, frame: u32) -> Option<&Slot> {
        self.slots.get((call as usize).checked_mul(RING)? + frame as usize % RING)
    }

    fn current(&self, call: u32, frame: u32) -> Option<&Slot> {
        self.slot(call, frame).filter(|slot| slot.frame.load(Relaxed) == u64::from(frame) + 1)
    }
}

/// The marks in `audio`, looked for at every frame's beginning.
fn marks(audio: &[u8]) -> impl Iterator<Item = (u32, u32)> {
    audio.chunks(crate::ulaw::FRAME).filter_map(|frame| {
        let head = frame.get(..MARK)?;
        let word = |from: usize| Some(u32::from_le_bytes(head.get(from..from + 4)?.try_into().ok()?));
        (head[..4] == MAGIC).then_some((word(4)?, word(8)?))
    })
}

/// Durations in buckets 3 % wide. Adding is one atomic increment.
#[derive(Debug)]
pub struct Histogram {
    buckets: Box<[AtomicU64]>,
    largest: AtomicU64,
}

/// 32 buckets for each doubling, 64 doublings.
const FINE: u32 = 5;

impl Default for Histogram {
    fn default() -> Self {
        Self {
            buckets: (0..64usize << FINE).map(|_| AtomicU64::new(0)).collect(),
            largest: AtomicU64::new(0),
        }
    }
}

impl Histogram {
    pub fn add(&self, duration: Duration) {
        self.note(duration.as_nanos() as u64);
    }

    pub fn count(&self) -> u64 {
        self.buckets.iter().map(|bucket| bucket.load(Relaxed)).sum()
    }

    pub fn largest(&self) -> Duration {
        Duration::from_nanos(self.largest.load(Relaxed))
    }

    /// The duration that `share` (0 to 1) of all stayed under, at most 3 % too high; zero when nothing was counted.
    pub fn percentile(&self, share: f64) -> Duration {
        self.so_far().percentile(share)
    }

    /// What was counted until now. Two of these tell what was counted between them.
    pub fn so_far(&self) -> Counted {
        let counts = self.buckets.iter().map(|bucket| bucket.load(Relaxed)).collect();
        Counted { counts, largest: self.largest() }
    }

    pub fn reset(&self) {
        self.buckets.iter().for_each(|bucket| bucket.store(0, Relaxed));
        self.largest.store(0, Relaxed);
    }

    fn note(&self, nanos: u64) {
        if let Some(bucket) = self.buckets.get(bucket_of(nanos)) {
            bucket.fetch_add(1, Relaxed);
        }
        self.largest.fetch_max(nanos, Relaxed);
    }
}

/// What a [`Histogram`] had counted at a moment, or between two.
#[derive(Clone, Debug, Default)]
pub struct Counted {
    counts: Box<[u64]>,
    largest: Duration,
}

impl Counted {
    /// What was counted after `earlier`, which came from the same histogram. The largest of it is known as exactly
    /// as its bucket is.
    pub fn since(&self, earlier: &Self) -> Self {
        let before = earlier.counts.iter().copied().chain(std::iter::repeat(0));
        let counts: Box<[u64]> =
            self.counts.iter().zip(before).map(|(now, before)| now.saturating_sub(before)).collect();
        let last = counts.iter().rposition(|count| *count > 0);
        let largest = last.map_or(Duration::ZERO, |last| Duration::from_nanos(upper_edge(last)));
        Self { counts, largest: largest.min(self.largest) }
    }

    pub fn count(&self) -> u64 {
        self.counts.iter().sum()
    }

    pub fn largest(&self) -> Duration {
        self.largest
    }

    /// As [`Histogram::percentile`].
    pub fn percentile(&self, share: f64) -> Duration {
        let wanted = (self.count() as f64 * share.clamp(0.0, 1.0)).ceil() as u64;
        let mut seen = 0;
        for (at, count) in self.counts.iter().enumerate() {
            seen += count;
            if seen >= wanted.max(1) {
                return Duration::from_nanos(upper_edge(at)).min(self.largest);
            }
        }
        Duration::ZERO
    }

    /// The buckets with something in them: the longest duration of each, and how many there were.
    pub fn buckets(&self) -> impl Iterator<Item = (Duration, u64)> {
        let filled = self.counts.iter().enumerate().filter(|(_, count)| **count > 0);
        filled.map(|(at, count)| (Duration::from_nanos(upper_edge(at)), *count))
    }
}

fn bucket_of(nanos: u64) -> usize {
    let doubling = (63 - (nanos | 1).leading_zeros()).max(FINE) - FINE;
    ((doubling as usize) << FINE) + (nanos >> doubling) as usize
}

fn upper_edge(bucket: usize) -> u64 {
    // Each doubling but the first uses the upper half of its numbers only, hence the shift by one.
    let doubling = (bucket >> FINE).saturating_sub(1) as u32;
    let step = bucket as u64 - (u64::from(doubling) << FINE);
    (step + 1).saturating_mul(1u64 << doubling.min(58)) - 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_at_most_three_percent_too_high() {
        let histogram = Histogram::default();
        (1..=10_000u64).for_each(|micros| histogram.add(Duration::from_micros(micros)));
        for (share, micros) in [(0.5, 5000.0), (0.99, 9900.0), (1.0, 10_000.0)] {
            let ratio = histogram.percentile(share).as_secs_f64() * 1e6 / micros;
            assert!((0.999..1.04).contains(&ratio), "p{share}: {ratio}");
        }
        assert_eq!(histogram.largest(), Duration::from_millis(10));
    }

    #[test]
    fn what_was_counted_between_two_moments_knows_nothing_of_what_was_before() {
        let histogram = Histogram::default();
        histogram.add(Duration::from_secs(1));
        let earlier = histogram.so_far();
        (1..=100u64).for_each(|ms| histogram.add(Duration::from_millis(ms)));
        let between = histogram.so_far().since(&earlier);
        assert_eq!((between.count(), between.buckets().map(|(_, count)| count).sum::<u64>()), (100, 100));
        for (found, ms) in [(between.percentile(0.5), 50.0), (between.largest(), 100.0)] {
            let ratio = found.as_secs_f64() * 1e3 / ms;
            assert!((0.999..1.04).contains(&ratio), "{found:?} for {ms} ms");
        }
        assert_eq!(histogram.so_far().since(&histogram.so_far()).percentile(0.99), Duration::ZERO);
    }

    #[test]
    fn every_size_of_number_falls_under_its_buckets_edge() {
        for nanos in (0..63).flat_map(|shift| [1u64 << shift, (1u64 << shift) + 1, (3u64 << shift) / 2]) {
            let edge = upper_edge(bucket_of(nanos));
            assert!(edge >= nanos && edge as f64 <= nanos as f64 * 1.04 + 1.0, "{nanos}: {edge}");
        }
    }

    #[test]
    fn a_marked_frame_is_timed_both_ways_even_when_frames_were_joined() {
        let probe = Probe::new(2);
        let mut joined = vec![0xFF; 320];
        probe.leaves_phone(1, 0, &mut joined[..160]);
        probe.leaves_phone(1, 1, &mut joined[160..]);
        probe.arrives_at_provider(&joined);
        probe.leaves_provider(&joined);
        probe.arrives_at_phone(&joined);
        let counts = [&probe.inbound, &probe.outbound, &probe.round_trip].map(Histogram::count);
        assert_eq!(counts, [2, 2, 2]);
    }

    #[test]
    fn a_frame_that_was_overwritten_or_never_marked_is_not_counted() {
        let probe = Probe::new(1);
        let (mut old, mut new) = (vec![0xFF; 160], vec![0xFF; 160]);
        probe.leaves_phone(0, 3, &mut old);
        probe.leaves_phone(0, 3 + RING as u32, &mut new);
        probe.arrives_at_provider(&old);
        probe.arrives_at_provider(&[0xFF; 160]);
        assert_eq!(probe.inbound.count(), 0);
    }
}
