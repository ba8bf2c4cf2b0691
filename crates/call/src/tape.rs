//! How far has the phone played what it was sent?
//!
//! A leg sends speech faster than it is spoken, so "sent" and "heard" differ by seconds. What we send the
//! carrier is a tape that it plays in real time. A mark on the tape comes back when it has been reached, and
//! between marks the clock tells. Marks also come back, all at once, after a clear, so an old mark proves
//! nothing.
//!
//! What counts for a cut is not what is playing now but what will have been played when our `clear` arrives.
//! So the clock of the tape is kept as "a message that we send at this moment finds the tape at this place".
//! The time a mark needs to come back is known from one that is sent before anything plays: it returns at
//! once. Should the line have been busy just then, every later mark that comes back sooner puts it right.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use crate::{MarkId, ulaw, witness::Witness};

#[derive(Debug, Default)]
pub(crate) struct Tape {
    /// Marks that have not come back: name and place on the tape.
    marks: VecDeque<(MarkId, u64)>,
    next_mark: u32,
    /// Bytes on the tape. It begins anew with each clear.
    sent: u64,
    /// Up to here a mark has come back.
    confirmed: u64,
    /// Up to here there is a mark.
    marked: u64,
    /// A message sent at this moment finds the tape at this place, and running.
    clock: Option<(Instant, u64)>,
    /// The same, as it was when the tape began to run, before marks had put it right.
    run: Option<(Instant, u64)>,
    /// The first sound of an answer, until it is heard.
    followed: Option<Followed>,
    /// When the mark that measures the way there and back was sent, and what it said.
    probe: Option<(MarkId, Instant)>,
    /// The shortest that was seen; nothing before the first mark is back.
    round_trip: Option<Duration>,
    /// Whether marks come back at all.
    pub witness: Witness,
    /// The newest mark that was given up since the tape began.
    given_up: Option<MarkId>,
    /// So many samples of what the tape has played are still in a conversion.
    lag: u64,
}

/// A sound of which the moment is wanted when it was heard.
#[derive(Clone, Copy, Debug)]
struct Followed {
    place: u64,
    /// When the tape began to run that it is on, and where.
    run: (Instant, u64),
    /// From there to the news that it is heard, by the mark that came back soonest.
    way: Option<Duration>,
}

impl Tape {
    /// A mark on the empty tape: its way there and back is the line's.
    pub fn probe(&mut self, now: Instant) -> MarkId {
        let mark = self.new_mark();
        self.probe = Some((mark, now));
        mark
    }

    /// Sound comes out of the carrier so much later than it was put on the tape.
    pub fn lags_by(&mut self, lag: Duration) {
        self.lag = ulaw::bytes(lag);
    }

    /// So many bytes go to the carrier now. Where on the tape they begin.
    pub fn put(&mut self, now: Instant, bytes: u64) -> u64 {
        if self.heard(now) >= self.sent {
            self.clock = Some((now, self.sent));
            self.run = self.clock;
        }
        let start = self.sent;
        self.sent += bytes;
        start
    }

    /// And so much silence behind it, which belongs to nothing.
    pub fn put_silence(&mut self, bytes: u64) {
        self.sent += bytes;
    }

    /// A mark to send now, when one is due.
    pub fn mark_if_due(&mut self) -> Option<MarkId> {
        (self.sent - self.marked >= MARK_EVERY).then(|| self.mark_end())
    }

    /// Everything until here was put on it.
    pub fn end(&self) -> u64 {
        self.sent
    }

    /// Up to here it was played for certain.
    pub fn confirmed(&self) -> u64 {
        self.confirmed
    }

    /// How far sound has come out of the carrier: what is still in a conversion was not heard.
    pub fn came_out(&self, heard: u64) -> u64 {
        heard.saturating_sub(self.lag)
    }

    /// A mark to send, when the end has none.
    pub fn mark_if_unmarked(&mut self) -> Option<MarkId> {
        (self.marked < self.sent && self.marks.len() < MAX_MARKS).then(|| self.mark_end())
    }

    /// So many bytes were pushed just now: when will the first of them be heard?
    pub fn follow(&mut self, bytes: u64) {
        let place = self.sent.saturating_sub(bytes);
        self.followed = self.run.map(|run| Followed { place, run, way: None });
    }

    /// When the sound that is followed was heard, as a message from there would tell at once; nothing if it
    /// was not heard before now. The clock alone does not know how long a carrier waits before it plays.
    pub fn heard_from(&self, now: Instant) -> Option<Instant> {
        let Followed { place, run: (at, began), way } = self.followed?;
        let way = way.unwrap_or(self.round_trip()) + ulaw::duration(self.lag);
        (self.heard(now) > place + self.lag).then(|| at + ulaw::duration(place - began) + way)
    }

    /// A mark came back. One that we did not send, or sent before the last clear, is ignored.
    pub fn reached(&mut self, now: Instant, mark: MarkId) {
        if let Some((_, sent)) = self.probe.take_if(|(probe, _)| *probe == mark) {
            self.round_trip = Some(now.saturating_duration_since(sent).min(MAX_ROUND_TRIP));
            return self.witness.speaks();
        }
        let Some(at) = self.marks.iter().position(|(sent, _)| *sent == mark) else {
            if self.given_up.is_some_and(|given_up| mark <= given_up) {
                self.witness.speaks(); // too late for this one, but the next is worth waiting for
            }
            return;
        };
        self.witness.speaks();
        let place = self.marks[at].1;
        self.marks.drain(..=at);
        self.confirmed = self.confirmed.max(place);
        // One from before the tape ran dry and began anew says nothing about where it is now.
        if let Some((at, began)) = self.run.filter(|(_, began)| place > *began) {
            // It cannot have been played earlier than that, so the way was no longer than the rest.
            let played = at + ulaw::duration(place - began);
            let way = now.saturating_duration_since(played);
            self.round_trip = self.round_trip.map(|known| known.min(way));
            if let Some(followed) = self.followed.as_mut().filter(|followed| followed.run == (at, began)) {
                followed.way = Some(followed.way.map_or(way, |known| known.min(way)));
            }
            let seen_from_here = now.checked_sub(self.round_trip()).unwrap_or(now);
            self.clock = Some((seen_from_here, place));
        }
    }

    /// When the next mark that is out has had its time.
    pub fn gives_up_at(&self) -> Option<Instant> {
        let patience = self.witness.patience();
        let probe = self.probe.map(|(_, sent)| sent + patience);
        let played = self.marks.front().zip(self.clock);
        let played = played.map(|((_, place), (at, began))| at + ulaw::duration(place.saturating_sub(began)));
        let marked = played.map(|played| played + self.round_trip() + patience);
        probe.into_iter().chain(marked).min()
    }

    /// Marks that have had their time are not waited for any more: the clock says that what is before them was played.
    /// Whether there were any.
    pub fn give_up(&mut self, now: Instant) -> bool {
        let mut moved = false;
        while self.gives_up_at().is_some_and(|at| at <= now) {
            self.witness.is_silent();
            if self.probe.take().is_some() {
                continue;
            }
            let Some((mark, place)) = self.marks.pop_front() else { break };
            self.confirmed = self.confirmed.max(place);
            self.given_up = Some(mark);
            moved = true;
        }
        moved
    }

    /// How long what is on the tape still plays.
    pub fn left(&self, now: Instant) -> Duration {
        ulaw::duration(self.sent - self.heard(now))
    }

    /// The same in samples, to the last one.
    pub fn unplayed(&self, now: Instant) -> u64 {
        self.sent - self.heard(now)
    }

    /// So many samples were sent behind the last mark that came back.
    pub fn unconfirmed(&self) -> u64 {
        self.sent - self.confirmed
    }

    /// Whether there is something on the tape that a clear would throw away.
    pub fn has_audio(&self) -> bool {
        self.sent > self.confirmed
    }

    /// Everything on it is thrown away now.
    pub fn clear(&mut self) {
        // The numbers of marks go on, so what comes back of the old ones is not found any more.
        let Self { next_mark, round_trip, probe, lag, .. } = *self;
        let witness = std::mem::take(&mut self.witness);
        *self = Self { next_mark, round_trip, probe, witness, lag, ..Self::default() };
    }

    /// The other side hung up: until then it played, some time before we hear of it.
    pub fn hung_up_at(&self, now: Instant) -> Instant {
        now.checked_sub(self.round_trip()).unwrap_or(now)
    }

    /// How far the tape will have been played when a message that we send now arrives. Never more than was
    /// sent, and not past a mark that should have come back by now.
    pub fn heard(&self, now: Instant) -> u64 {
        let by_clock = self
            .clock
            .map_or(0, |(at, place)| place.saturating_add(ulaw::bytes(now.saturating_duration_since(at))));
        let next_mark =
            self.marks.front().filter(|_| !self.witness.fails()).map_or(self.sent, |(_, place)| *place);
        let by_marks = next_mark.saturating_add(ulaw::bytes(self.round_trip()));
        by_clock.min(by_marks).max(self.confirmed).min(self.sent)
    }

    /// How long a message takes to the phone and back, as far as it is known.
    pub fn round_trip(&self) -> Duration {
        self.round_trip.unwrap_or_default()
    }

    fn mark_end(&mut self) -> MarkId {
        let mark = self.new_mark();
        self.marked = self.sent;
        self.marks.push_back((mark, self.sent));
        mark
    }

    fn new_mark(&mut self) -> MarkId {
        self.next_mark = self.next_mark.wrapping_add(1);
        MarkId(self.next_mark)
    }
}

/// One mark for so much audio: 200 ms. Closer marks would double the messages of a leg that sends 20 ms at
/// a time; between them the clock is exact enough.
const MARK_EVERY: u64 = 1_600;

/// A tape of ten minutes has 3,000 marks, and ten minutes is what a carrier buffers.
const MAX_MARKS: usize = 3_000;

/// A line slower than this is not a line; more would let one odd mark spoil the clock for the whole call.
const MAX_ROUND_TRIP: Duration = Duration::from_millis(500);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::HeardBy;

    /// A tape whose times are milliseconds since its beginning.
    struct Timed {
        tape: Tape,
        start: Instant,
    }

    impl Timed {
        fn new() -> Self {
            #[expect(
                clippy::disallowed_methods,
                reason = "any instant will do as the start of a test's clock"
            )]
            Self { tape: Tape::default(), start: Instant::now() }
        }

        fn at(&self, ms: u64) -> Instant {
            self.start + Duration::from_millis(ms)
        }

        fn push(&mut self, at_ms: u64, audio_ms: u64) -> Option<MarkId> {
            self.tape.put(self.at(at_ms), audio_ms * 8);
            self.tape.mark_if_due()
        }

        fn heard_ms(&self, at_ms: u64) -> u64 {
            self.tape.came_out(self.tape.heard(self.at(at_ms))) / 8
        }
    }

    #[test]
    fn before_the_first_mark_comes_back_the_clock_tells_what_was_heard() {
        let mut line = Timed::new();
        line.push(1_000, 400);
        assert_eq!(line.heard_ms(1_130), 130);
    }

    #[test]
    fn never_more_than_was_sent() {
        let mut line = Timed::new();
        line.push(0, 100);
        assert_eq!(line.heard_ms(5_000), 100);
    }

    #[test]
    fn the_clock_does_not_run_past_a_mark_that_has_not_come_back() {
        let mut line = Timed::new();
        let mark = line.push(0, 400);
        assert_eq!(mark, Some(MarkId(1)));
        line.push(10, 400);
        // The carrier stalled: by the clock 700 ms were played, but the mark at 400 ms is still out.
        assert_eq!(line.heard_ms(700), 400);
    }

    #[test]
    fn a_mark_sets_the_clock_right() {
        let mut line = Timed::new();
        let mark = line.push(0, 400).unwrap();
        line.push(10, 400);
        let now = line.at(450); // 50 ms later than the clock thought
        line.tape.reached(now, mark);
        assert_eq!(line.heard_ms(550), 500);
    }

    #[test]
    fn a_line_that_was_busy_when_it_was_measured_is_measured_again() {
        let mut line = Timed::new();
        let probe = line.tape.probe(line.at(0));
        line.tape.reached(line.at(300), probe); // it takes 40 ms each way when nothing is in the way
        let mark = line.push(1_000, 400).unwrap();
        line.push(1_000, 400);
        line.tape.reached(line.at(1_480), mark);
        assert_eq!(line.heard_ms(1_500), 500);
    }

    #[test]
    fn a_mark_from_before_the_tape_ran_dry_does_not_move_the_clock() {
        let mut line = Timed::new();
        let probe = line.tape.probe(line.at(0));
        line.tape.reached(line.at(100), probe); // 50 ms each way
        let mark = line.push(1_000, 200).unwrap();
        line.push(1_240, 400); // it ran dry for 40 ms
        line.tape.reached(line.at(1_300), mark);
        assert_eq!(line.heard_ms(1_340), 300);
    }

    #[test]
    fn the_clock_does_not_stop_at_a_mark_that_nobody_expects() {
        let mut line = Timed::new();
        line.tape.probe(line.at(0));
        line.tape.give_up(line.at(1_500));
        line.push(2_000, 400);
        line.push(2_000, 400);
        assert_eq!(line.heard_ms(2_550), 550, "though the mark at 400 ms was not given up yet");
    }

    #[test]
    fn a_carrier_that_keeps_marks_may_be_held_up() {
        let mut line = Timed::new();
        let probe = line.tape.probe(line.at(0));
        line.tape.reached(line.at(20), probe);
        let mark = line.push(1_000, 400).unwrap();
        assert_eq!(line.tape.gives_up_at(), Some(line.at(11_420)));
        line.tape.reached(line.at(9_000), mark);
        assert_eq!(line.tape.gives_up_at(), None);
        assert_eq!(line.tape.witness.heard_by(), HeardBy::Marks);
    }

    #[test]
    fn marks_that_come_after_all_are_believed_again() {
        let mut line = Timed::new();
        line.tape.probe(line.at(0));
        let late = line.push(0, 200).unwrap();
        let next = line.push(0, 400).unwrap();
        line.tape.give_up(line.at(1_700));
        assert_eq!(line.tape.gives_up_at(), None, "both were given up");
        line.tape.reached(line.at(1_800), late);
        line.tape.reached(line.at(1_850), next);
        line.push(2_000, 400);
        assert_eq!(line.tape.gives_up_at(), Some(line.at(12_400)));
        assert_eq!(line.tape.witness.heard_by(), HeardBy::Clock, "for a part of the call");
    }

    #[test]
    fn what_is_still_in_a_conversion_was_not_heard() {
        let mut line = Timed::new();
        line.tape.lags_by(Duration::from_millis(2));
        line.push(1_000, 400);
        assert_eq!(line.heard_ms(1_130), 128);
    }
}
