//! What the caller has really heard.
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

use crate::{ItemId, MarkId, ReplyId, ulaw, witness::Witness};

#[derive(Debug, Default)]
pub(crate) struct Playout {
    /// What is on the tape and not known to be played, oldest first.
    pieces: VecDeque<Piece>,
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

/// The part of one item that was put on the tape.
#[derive(Debug)]
struct Piece {
    reply: ReplyId,
    item: ItemId,
    start: u64,
    len: u64,
    /// No more audio of this item will come.
    whole: bool,
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

/// What was heard of an item that was cut off.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Cut {
    pub item: ItemId,
    pub heard: Duration,
    /// What there was to hear of it.
    pub sent: Duration,
}

impl Playout {
    /// A mark on the empty tape: its way there and back is the line's.
    pub fn probe(&mut self, now: Instant) -> MarkId {
        let mark = self.new_mark();
        self.probe = Some((mark, now));
        mark
    }

    /// An item exists that will be spoken; nothing of it was sent yet.
    pub fn announce(&mut self, reply: ReplyId, item: ItemId) {
        // A leg keeps far fewer items open; past this many it talks nonsense and they are not worth a cut.
        if self.pieces.len() < MAX_PIECES && !self.pieces.iter().any(|p| p.item == item) {
            self.pieces.push_back(Piece { reply, item, start: self.sent, len: 0, whole: false });
        }
    }

    /// Sound comes out of the carrier so much later than it was put on the tape.
    pub fn lags_by(&mut self, lag: Duration) {
        self.lag = ulaw::bytes(lag);
    }

    /// So much of this item goes to the carrier now.
    pub fn put(&mut self, now: Instant, reply: ReplyId, item: ItemId, bytes: u64) {
        if self.heard(now) >= self.sent {
            self.clock = Some((now, self.sent));
            self.run = self.clock;
        }
        self.announce(reply, item);
        let start = self.sent;
        if let Some(piece) = self.pieces.iter_mut().find(|p| p.item == item) {
            if piece.len == 0 {
                piece.start = start;
            }
            piece.len += bytes;
        }
        self.sent += bytes;
    }

    /// And so much silence behind it, which belongs to nothing.
    pub fn put_silence(&mut self, bytes: u64) {
        self.sent += bytes;
    }

    /// A mark to send now, when one is due.
    pub fn mark_if_due(&mut self) -> Option<MarkId> {
        (self.sent - self.marked >= MARK_EVERY).then(|| self.mark_end())
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

    /// All audio of this item was pushed. Returns a mark to send when its end has none.
    pub fn finish(&mut self, item: ItemId) -> Option<MarkId> {
        let piece = self.pieces.iter_mut().find(|p| p.item == item)?;
        piece.whole = true;
        self.forget_what_was_heard();
        (self.marked < self.sent && self.marks.len() < MAX_MARKS).then(|| self.mark_end())
    }

    /// The items of this reply that are still open; each wants a [`Playout::finish`].
    pub fn open_items(&self, reply: ReplyId) -> Vec<ItemId> {
        self.pieces.iter().filter(|p| p.reply == reply && !p.whole).map(|p| p.item).collect()
    }

    /// The items of this reply, and how much of each was sent.
    pub fn sent_of(&self, reply: ReplyId) -> Vec<(ItemId, Duration)> {
        let of = self.pieces.iter().filter(|p| p.reply == reply && !p.whole);
        of.map(|p| (p.item, ulaw::duration(p.len))).collect()
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
        self.forget_what_was_heard();
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
        self.forget_what_was_heard();
        moved
    }

    /// Whether something is on the tape that was not played to its end, or may still come.
    pub fn is_busy(&self) -> bool {
        self.pieces.iter().any(|p| p.len > 0 || !p.whole)
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

    /// The tape is cleared now. Returns what was heard of each item that was not heard to its end.
    pub fn cut(&mut self, now: Instant) -> Vec<Cut> {
        let heard = self.heard(now);
        let came_out = heard.saturating_sub(self.lag);
        let cuts = self.pieces.iter().filter(|p| !(p.whole && heard >= p.start + p.len)).map(|p| Cut {
            item: p.item,
            heard: ulaw::duration(came_out.saturating_sub(p.start).min(p.len)),
            sent: ulaw::duration(p.len),
        });
        let cuts = cuts.collect();
        // The numbers of marks go on, so what comes back of the old ones is not found any more.
        let Self { next_mark, round_trip, probe, lag, .. } = *self;
        let witness = std::mem::take(&mut self.witness);
        *self = Self { next_mark, round_trip, probe, witness, lag, ..Self::default() };
        cuts
    }

    /// The other side hung up: until then it played, some time before we hear of it.
    pub fn hung_up_at(&self, now: Instant) -> Instant {
        now.checked_sub(self.round_trip()).unwrap_or(now)
    }

    /// How far the tape will have been played when a message that we send now arrives. Never more than was
    /// sent, and not past a mark that should have come back by now.
    fn heard(&self, now: Instant) -> u64 {
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

    fn forget_what_was_heard(&mut self) {
        let confirmed = self.confirmed;
        self.pieces.retain(|p| !(p.whole && p.start + p.len <= confirmed));
    }
}

/// One mark for so much audio: 200 ms. Closer marks would double the messages of a leg that sends 20 ms at
/// a time; between them the clock is exact enough.
const MARK_EVERY: u64 = 1_600;

/// A tape of ten minutes has 3,000 marks, and ten minutes is what a carrier buffers.
const MAX_MARKS: usize = 3_000;

/// Items of a few replies; see `announce`.
const MAX_PIECES: usize = 64;

/// A line slower than this is not a line; more would let one odd mark spoil the clock for the whole call.
const MAX_ROUND_TRIP: Duration = Duration::from_millis(500);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::HeardBy;

    const REPLY: ReplyId = ReplyId(1);
    const ITEM: ItemId = ItemId(1);

    struct Tape {
        playout: Playout,
        start: Instant,
    }

    impl Tape {
        fn new() -> Self {
            #[expect(
                clippy::disallowed_methods,
                reason = "any instant will do as the start of a test's clock"
            )]
            Self { playout: Playout::default(), start: Instant::now() }
        }

        fn at(&self, ms: u64) -> Instant {
            self.start + Duration::from_millis(ms)
        }

        fn push(&mut self, at_ms: u64, item: u32, audio_ms: u64) -> Option<MarkId> {
            let now = self.at(at_ms);
            self.playout.put(now, REPLY, ItemId(item), audio_ms * 8);
            self.playout.mark_if_due()
        }

        fn heard_ms(&mut self, at_ms: u64) -> Vec<(u32, u64)> {
            let now = self.at(at_ms);
            self.playout.cut(now).iter().map(|c| (c.item.0, c.heard.as_millis() as u64)).collect()
        }
    }

    #[test]
    fn before_the_first_mark_comes_back_the_clock_tells_what_was_heard() {
        let mut tape = Tape::new();
        tape.push(1_000, 1, 400);
        assert_eq!(tape.heard_ms(1_130), [(1, 130)]);
    }

    #[test]
    fn never_more_than_was_sent() {
        let mut tape = Tape::new();
        tape.push(0, 1, 100);
        assert_eq!(tape.heard_ms(5_000), [(1, 100)]);
    }

    #[test]
    fn the_clock_does_not_run_past_a_mark_that_has_not_come_back() {
        let mut tape = Tape::new();
        let mark = tape.push(0, 1, 400);
        assert_eq!(mark, Some(MarkId(1)));
        tape.push(10, 1, 400);
        // The carrier stalled: by the clock 700 ms were played, but the mark at 400 ms is still out.
        assert_eq!(tape.heard_ms(700), [(1, 400)]);
    }

    #[test]
    fn a_mark_sets_the_clock_right() {
        let mut tape = Tape::new();
        let mark = tape.push(0, 1, 400).unwrap();
        tape.push(10, 1, 400);
        let now = tape.at(450); // 50 ms later than the clock thought
        tape.playout.reached(now, mark);
        assert_eq!(tape.heard_ms(550), [(1, 500)]);
    }

    #[test]
    fn what_plays_while_the_clear_travels_counts_as_heard() {
        let mut tape = Tape::new();
        let probe = tape.playout.probe(tape.at(0));
        tape.playout.reached(tape.at(80), probe); // 40 ms each way
        let mark = tape.push(1_000, 1, 400).unwrap();
        tape.push(1_000, 1, 400);
        // It begins to play at 1,040; 400 ms later the mark sets out and is here at 1,480.
        tape.playout.reached(tape.at(1_480), mark);
        // A clear sent at 1,500 arrives at 1,540, when 500 ms have been played.
        assert_eq!(tape.heard_ms(1_500), [(1, 500)]);
    }

    #[test]
    fn a_line_that_was_busy_when_it_was_measured_is_measured_again() {
        let mut tape = Tape::new();
        let probe = tape.playout.probe(tape.at(0));
        tape.playout.reached(tape.at(300), probe); // it takes 40 ms each way when nothing is in the way
        let mark = tape.push(1_000, 1, 400).unwrap();
        tape.push(1_000, 1, 400);
        tape.playout.reached(tape.at(1_480), mark);
        assert_eq!(tape.heard_ms(1_500), [(1, 500)]);
    }

    #[test]
    fn a_mark_from_before_the_tape_ran_dry_does_not_move_the_clock() {
        let mut tape = Tape::new();
        let probe = tape.playout.probe(tape.at(0));
        tape.playout.reached(tape.at(100), probe); // 50 ms each way
        let mark = tape.push(1_000, 1, 200).unwrap();
        tape.push(1_240, 1, 400); // it ran dry for 40 ms
        tape.playout.reached(tape.at(1_300), mark);
        assert_eq!(tape.heard_ms(1_340), [(1, 300)]);
    }

    #[test]
    fn an_item_heard_to_its_end_is_not_cut_and_one_not_begun_was_not_heard() {
        let mut tape = Tape::new();
        tape.push(0, 1, 400);
        tape.playout.finish(ITEM);
        tape.push(0, 2, 400);
        tape.playout.finish(ItemId(2));
        tape.playout.announce(REPLY, ItemId(3));
        tape.playout.reached(tape.at(400), MarkId(1));
        assert_eq!(tape.heard_ms(500), [(2, 100), (3, 0)]);
    }

    #[test]
    fn marks_that_flood_back_after_a_clear_prove_nothing() {
        let mut tape = Tape::new();
        let old = tape.push(0, 1, 400).unwrap();
        assert_eq!(tape.heard_ms(100), [(1, 100)]);
        tape.push(200, 2, 400);
        tape.playout.reached(tape.at(210), old);
        assert_eq!(tape.heard_ms(250), [(2, 50)]);
    }

    #[test]
    fn a_pause_between_two_items_does_not_count_as_playing() {
        let mut tape = Tape::new();
        let mark = tape.push(0, 1, 400).unwrap();
        tape.playout.finish(ITEM);
        tape.playout.reached(tape.at(400), mark);
        assert!(!tape.playout.is_busy());
        tape.push(2_000, 2, 400);
        assert_eq!(tape.heard_ms(2_100), [(2, 100)]);
    }

    #[test]
    fn small_pieces_share_a_mark_and_the_last_one_gets_its_own() {
        let mut tape = Tape::new();
        let marks = (0..12).filter_map(|i| tape.push(i, 1, 20)).count();
        assert_eq!(marks, 1);
        assert!(tape.playout.finish(ITEM).is_some());
        assert_eq!(tape.playout.finish(ITEM), None);
        assert!(tape.playout.is_busy());
    }

    #[test]
    fn where_no_mark_ever_comes_back_the_clock_says_what_was_played() {
        let mut tape = Tape::new();
        tape.playout.probe(tape.at(0));
        tape.push(1_000, 1, 400);
        tape.playout.finish(ITEM);
        assert_eq!(tape.playout.gives_up_at(), Some(tape.at(1_500)), "the probe");
        assert!(tape.playout.give_up(tape.at(1_500)));
        assert_eq!(tape.playout.witness.heard_by(), HeardBy::Clock);
        assert!(!tape.playout.is_busy(), "by then it was played");
        tape.push(2_000, 2, 400);
        tape.push(2_000, 2, 400);
        assert_eq!(tape.playout.gives_up_at(), Some(tape.at(2_400)), "none is waited for any more");
        assert!(tape.playout.give_up(tape.at(2_400)));
        assert!(tape.playout.is_busy());
        assert_eq!(tape.heard_ms(2_550), [(2, 550)], "not held at a mark");
    }

    #[test]
    fn the_clock_does_not_stop_at_a_mark_that_nobody_expects() {
        let mut tape = Tape::new();
        tape.playout.probe(tape.at(0));
        tape.playout.give_up(tape.at(1_500));
        tape.push(2_000, 1, 400);
        tape.push(2_000, 1, 400);
        assert_eq!(tape.heard_ms(2_550), [(1, 550)], "though the mark at 400 ms was not given up yet");
    }

    #[test]
    fn a_carrier_that_keeps_marks_may_be_held_up() {
        let mut tape = Tape::new();
        let probe = tape.playout.probe(tape.at(0));
        tape.playout.reached(tape.at(20), probe);
        let mark = tape.push(1_000, 1, 400).unwrap();
        assert_eq!(tape.playout.gives_up_at(), Some(tape.at(11_420)));
        tape.playout.reached(tape.at(9_000), mark);
        assert_eq!(tape.playout.gives_up_at(), None);
        assert_eq!(tape.playout.witness.heard_by(), HeardBy::Marks);
    }

    #[test]
    fn marks_that_come_after_all_are_believed_again() {
        let mut tape = Tape::new();
        tape.playout.probe(tape.at(0));
        let late = tape.push(0, 1, 200).unwrap();
        let next = tape.push(0, 1, 400).unwrap();
        tape.playout.give_up(tape.at(1_700));
        assert_eq!(tape.playout.gives_up_at(), None, "both were given up");
        tape.playout.reached(tape.at(1_800), late);
        tape.playout.reached(tape.at(1_850), next);
        tape.push(2_000, 1, 400);
        assert_eq!(tape.playout.gives_up_at(), Some(tape.at(12_400)));
        assert_eq!(tape.playout.witness.heard_by(), HeardBy::Clock, "for a part of the call");
    }

    #[test]
    fn what_is_still_in_a_conversion_was_not_heard() {
        let mut tape = Tape::new();
        tape.playout.lags_by(Duration::from_millis(2));
        tape.push(1_000, 1, 400);
        assert_eq!(tape.heard_ms(1_130), [(1, 128)]);
    }

    #[test]
    fn silence_behind_a_piece_belongs_to_nothing() {
        let mut tape = Tape::new();
        tape.push(0, 1, 100);
        tape.playout.put_silence(800);
        let mark = tape.playout.mark_if_due().unwrap();
        tape.playout.finish(ITEM);
        tape.push(0, 2, 200);
        tape.playout.reached(tape.at(200), mark);
        assert_eq!(tape.heard_ms(300), [(2, 100)]);
    }

    #[test]
    fn an_item_whose_end_was_marked_early_is_done_as_soon_as_it_is_whole() {
        let mut tape = Tape::new();
        let mark = tape.push(0, 1, 200).unwrap();
        tape.playout.reached(tape.at(200), mark);
        assert!(tape.playout.is_busy());
        assert_eq!(tape.playout.finish(ITEM), None);
        assert!(!tape.playout.is_busy());
    }
}
