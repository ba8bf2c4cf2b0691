//! What has the caller heard of each thing that the agent said?
//!
//! The parts of the agent's items one after the other, as they lie on the [`Tape`] that the phone plays.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use crate::{ItemId, MarkId, ReplyId, tape::Tape, ulaw};

#[derive(Debug, Default)]
pub(crate) struct Playout {
    /// How far it was played, where that is about no item.
    pub tape: Tape,
    /// What is on the tape and not known to be played, oldest first.
    pieces: VecDeque<Piece>,
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

/// What was heard of an item that was cut off.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Cut {
    pub item: ItemId,
    pub heard: Duration,
    /// What there was to hear of it.
    pub sent: Duration,
}

impl Playout {
    /// An item exists that will be spoken; nothing of it was sent yet.
    pub fn announce(&mut self, reply: ReplyId, item: ItemId) {
        // A leg keeps far fewer items open; past this many it talks nonsense and they are not worth a cut.
        if self.pieces.len() < MAX_PIECES && !self.pieces.iter().any(|p| p.item == item) {
            self.pieces.push_back(Piece { reply, item, start: self.tape.end(), len: 0, whole: false });
        }
    }

    /// So much of this item goes to the carrier now.
    pub fn put(&mut self, now: Instant, reply: ReplyId, item: ItemId, bytes: u64) {
        let start = self.tape.put(now, bytes);
        self.announce(reply, item);
        if let Some(piece) = self.pieces.iter_mut().find(|p| p.item == item) {
            if piece.len == 0 {
                piece.start = start;
            }
            piece.len += bytes;
        }
    }

    /// All audio of this item was pushed. Returns a mark to send when its end has none.
    pub fn finish(&mut self, item: ItemId) -> Option<MarkId> {
        let piece = self.pieces.iter_mut().find(|p| p.item == item)?;
        piece.whole = true;
        self.forget_what_was_heard();
        self.tape.mark_if_unmarked()
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
        self.tape.reached(now, mark);
        self.forget_what_was_heard();
    }

    /// Marks that have had their time are not waited for any more. Whether there were any.
    pub fn give_up(&mut self, now: Instant) -> bool {
        let moved = self.tape.give_up(now);
        self.forget_what_was_heard();
        moved
    }

    /// Whether something is on the tape that was not played to its end, or may still come.
    pub fn is_busy(&self) -> bool {
        self.pieces.iter().any(|p| p.len > 0 || !p.whole)
    }

    /// The tape is cleared now. Returns what was heard of each item that was not heard to its end.
    pub fn cut(&mut self, now: Instant) -> Vec<Cut> {
        let heard = self.tape.heard(now);
        let came_out = self.tape.came_out(heard);
        let cuts = self.pieces.iter().filter(|p| !(p.whole && heard >= p.start + p.len)).map(|p| Cut {
            item: p.item,
            heard: ulaw::duration(came_out.saturating_sub(p.start).min(p.len)),
            sent: ulaw::duration(p.len),
        });
        let cuts = cuts.collect();
        self.pieces.clear();
        self.tape.clear();
        cuts
    }

    fn forget_what_was_heard(&mut self) {
        let confirmed = self.tape.confirmed();
        self.pieces.retain(|p| !(p.whole && p.start + p.len <= confirmed));
    }
}

/// Items of a few replies; see `announce`.
const MAX_PIECES: usize = 64;

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
            self.playout.tape.mark_if_due()
        }

        fn heard_ms(&mut self, at_ms: u64) -> Vec<(u32, u64)> {
            let now = self.at(at_ms);
            self.playout.cut(now).iter().map(|c| (c.item.0, c.heard.as_millis() as u64)).collect()
        }
    }

    #[test]
    fn what_plays_while_the_clear_travels_counts_as_heard() {
        let mut tape = Tape::new();
        let probe = tape.playout.tape.probe(tape.at(0));
        tape.playout.reached(tape.at(80), probe); // 40 ms each way
        let mark = tape.push(1_000, 1, 400).unwrap();
        tape.push(1_000, 1, 400);
        // It begins to play at 1,040; 400 ms later the mark sets out and is here at 1,480.
        tape.playout.reached(tape.at(1_480), mark);
        // A clear sent at 1,500 arrives at 1,540, when 500 ms have been played.
        assert_eq!(tape.heard_ms(1_500), [(1, 500)]);
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
        tape.playout.tape.probe(tape.at(0));
        tape.push(1_000, 1, 400);
        tape.playout.finish(ITEM);
        assert_eq!(tape.playout.tape.gives_up_at(), Some(tape.at(1_500)), "the probe");
        assert!(tape.playout.give_up(tape.at(1_500)));
        assert_eq!(tape.playout.tape.witness.heard_by(), HeardBy::Clock);
        assert!(!tape.playout.is_busy(), "by then it was played");
        tape.push(2_000, 2, 400);
        tape.push(2_000, 2, 400);
        assert_eq!(tape.playout.tape.gives_up_at(), Some(tape.at(2_400)), "none is waited for any more");
        assert!(tape.playout.give_up(tape.at(2_400)));
        assert!(tape.playout.is_busy());
        assert_eq!(tape.heard_ms(2_550), [(2, 550)], "not held at a mark");
    }

    #[test]
    fn silence_behind_a_piece_belongs_to_nothing() {
        let mut tape = Tape::new();
        tape.push(0, 1, 100);
        tape.playout.tape.put_silence(800);
        let mark = tape.playout.tape.mark_if_due().unwrap();
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
