//! In which pieces speech goes to the carrier, and when.
//!
//! Most carriers take any length at any time, and then nothing waits here. Some play a piece badly that is shorter than
//! theirs, want whole frames, or keep only so much of what is still to be played. What waits here is not on the tape
//! yet: nobody can have heard it, and an interruption throws it away. The end of an answer does not wait, silence fills
//! its last piece.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use crate::{
    Audio, Call, CarrierCommand, ItemId, Pieces, ReplyId, Timer,
    playout::Cut,
    ulaw::{self, bytes},
};

#[derive(Debug, Default)]
pub(crate) struct Feed {
    pieces: Pieces,
    waiting: VecDeque<Waiting>,
    /// When the newest of it came.
    since: Option<Instant>,
}

#[derive(Debug)]
enum Waiting {
    Speech {
        reply: ReplyId,
        item: ItemId,
        audio: Audio,
    },
    /// This item has come to its end.
    End(ItemId),
}

/// What goes out next.
#[derive(Debug)]
enum Next {
    Piece { audio: Audio, of: Vec<(ReplyId, ItemId, u64)>, silence: u64 },
    End(ItemId),
}

impl Feed {
    /// The carrier's stream has begun.
    pub fn set(&mut self, pieces: Pieces) {
        self.pieces = pieces;
    }

    /// Whether something was said that is not on the tape.
    pub fn has_speech(&self) -> bool {
        self.waiting.iter().any(|waiting| matches!(waiting, Waiting::Speech { .. }))
    }

    /// How long what waits will play.
    pub fn left(&self) -> Duration {
        ulaw::duration(self.lengths().map(|(_, len)| len).sum())
    }

    /// It will not be played. How much there was of each item.
    pub fn throw_away(&mut self) -> Vec<(ItemId, u64)> {
        let thrown = self.lengths().collect();
        self.waiting.clear();
        thrown
    }

    fn lengths(&self) -> impl Iterator<Item = (ItemId, u64)> {
        self.waiting.iter().filter_map(|waiting| match waiting {
            Waiting::Speech { item, audio, .. } => Some((*item, audio.len() as u64)),
            Waiting::End(_) => None,
        })
    }

    /// The next piece, when the tape still has so much to play. `all`: no more comes that it could wait for.
    fn next(&mut self, on_tape: Duration, all: bool) -> Option<Next> {
        let Pieces { least, step, ahead } = self.pieces;
        match self.waiting.front()? {
            Waiting::End(item) => {
                let item = *item;
                self.waiting.pop_front();
                return Some(Next::End(item));
            }
            Waiting::Speech { .. } if ahead.is_some_and(|ahead| on_tape >= ahead) => return None,
            Waiting::Speech { .. } => {}
        }
        let run = self.waiting.iter().take_while(|waiting| matches!(waiting, Waiting::Speech { .. })).count();
        let ends = all || run < self.waiting.len();
        let mut there: u64 = self.lengths().take(run).map(|(_, len)| len).sum();
        let (least, step) = (bytes(least), bytes(step).max(1));
        let longest = bytes(LONGEST) / step * step;
        if there < least && !ends {
            return None;
        }
        there = there.min(longest.max(least));
        let taken = if ends { there } else { there / step * step };
        if taken == 0 {
            return None;
        }
        let silence = taken.next_multiple_of(step).max(least.next_multiple_of(step)) - taken;
        Some(self.take(taken, silence))
    }

    /// So many bytes off the front, with silence behind them. What need not be touched is not.
    fn take(&mut self, mut wanted: u64, silence: u64) -> Next {
        let (mut of, mut sound) = (Vec::new(), Vec::new());
        while wanted > 0 {
            let Some(Waiting::Speech { reply, item, audio }) = self.waiting.pop_front() else { break };
            let len = audio.len() as u64;
            if len == wanted && of.is_empty() && silence == 0 {
                return Next::Piece { of: vec![(reply, item, len)], audio, silence };
            }
            let mut piece = audio.decode();
            if len > wanted {
                let rest = Audio::ulaw(&piece.split_off(usize::try_from(wanted).unwrap_or(usize::MAX)));
                self.waiting.push_front(Waiting::Speech { reply, item, audio: rest });
            }
            of.push((reply, item, piece.len() as u64));
            wanted = wanted.saturating_sub(len);
            sound.extend(piece);
        }
        sound.resize(sound.len() + usize::try_from(silence).unwrap_or(0), ulaw::SILENCE);
        Next::Piece { audio: Audio::ulaw(&sound), of, silence }
    }

    /// When to look again: when the carrier has room, or when nothing came for so long that what is there must go.
    fn look_again(&self, now: Instant, on_tape: Duration) -> Option<Instant> {
        let since = self.since.filter(|_| !self.waiting.is_empty())?;
        match self.pieces.ahead {
            Some(ahead) if on_tape >= ahead => Some(now + (on_tape - ahead) + ROOM),
            Some(_) | None => Some((since + PAUSE).max(now + on_tape.saturating_sub(PAUSE))),
        }
    }
}

impl Call {
    /// The agent says this; it goes to the carrier now, or as soon as that takes it.
    pub(crate) fn play(&mut self, reply: ReplyId, item: ItemId, audio: Audio) {
        if self.feed.pieces == Pieces::default() {
            let bytes = audio.len() as u64;
            return self.play_now(audio, &[(reply, item, bytes)], 0);
        }
        self.playout.announce(reply, item);
        self.feed.since = Some(self.now);
        self.feed.waiting.push_back(Waiting::Speech { reply, item, audio });
        self.feed_tape(false);
    }

    /// No more of this item comes.
    pub(crate) fn finish_item(&mut self, item: ItemId) {
        if self.feed.waiting.is_empty() {
            return self.finish_now(item);
        }
        self.feed.waiting.push_back(Waiting::End(item));
        self.feed_tape(false);
    }

    /// Gives the carrier what it takes. `all`: also what it would rather have in a longer piece.
    pub(crate) fn feed_tape(&mut self, all: bool) {
        while let Some(next) = self.feed.next(self.playout.tape.left(self.now), all) {
            match next {
                Next::Piece { audio, of, silence } => self.play_now(audio, &of, silence),
                Next::End(item) => self.finish_now(item),
            }
        }
        match self.feed.look_again(self.now, self.playout.tape.left(self.now)) {
            Some(at) => self.timers.set(Timer::Feed, at),
            None => self.timers.clear(Timer::Feed),
        }
    }

    /// Whether the caller would hear more if nothing happened.
    pub(crate) fn has_audio(&self) -> bool {
        self.playout.tape.has_audio() || self.feed.has_speech()
    }

    /// How long what was said still plays.
    pub(crate) fn left_to_play(&self) -> Duration {
        self.playout.tape.left(self.now) + self.feed.left()
    }

    /// Nothing more is played. What was heard of each item that was not heard to its end.
    pub(crate) fn cut_tape(&mut self, now: Instant) -> Vec<Cut> {
        let thrown = self.feed.throw_away();
        let mut cuts = self.playout.cut(now);
        for (item, bytes) in thrown {
            if let Some(cut) = cuts.iter_mut().find(|cut| cut.item == item) {
                cut.sent += ulaw::duration(bytes);
            }
        }
        self.timers.clear(Timer::Feed);
        self.watch_tape();
        cuts
    }

    fn play_now(&mut self, audio: Audio, of: &[(ReplyId, ItemId, u64)], silence: u64) {
        self.tally.frames_out += 1;
        self.carrier(CarrierCommand::Play(audio));
        for (reply, item, bytes) in of {
            self.playout.put(self.now, *reply, *item, *bytes);
            self.turn_has_sound(*reply, *bytes);
        }
        self.playout.tape.put_silence(silence);
        if let Some(mark) = self.playout.tape.mark_if_due() {
            self.carrier(CarrierCommand::Mark(mark));
            self.watch_tape();
        }
    }

    fn finish_now(&mut self, item: ItemId) {
        if let Some(mark) = self.playout.finish(item) {
            self.carrier(CarrierCommand::Mark(mark));
            self.watch_tape();
        }
    }
}

/// As for what a leg sends: half a minute in one message would be lost as one.
const LONGEST: Duration = Duration::from_millis(960);

/// A leg that sends 20 ms at a time sends five of them in this. When nothing came for so long, or the tape would run
/// dry in it, no more is waited for.
const PAUSE: Duration = Duration::from_millis(100);

/// Where there is room for so much, it is worth while.
const ROOM: Duration = Duration::from_millis(500);

#[cfg(test)]
mod tests {
    use super::*;

    const REPLY: ReplyId = ReplyId(1);
    const ITEM: ItemId = ItemId(1);

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    fn feed(least: u64, step: u64, ahead: Option<u64>) -> Feed {
        Feed { pieces: Pieces { least: ms(least), step: ms(step), ahead: ahead.map(ms) }, ..Feed::default() }
    }

    fn says(feed: &mut Feed, bytes: usize) {
        feed.waiting.push_back(Waiting::Speech {
            reply: REPLY,
            item: ITEM,
            audio: Audio::ulaw(&vec![7; bytes]),
        });
    }

    /// Sound and silence of each piece that goes out, in bytes.
    fn out(feed: &mut Feed, all: bool) -> Vec<(u64, u64)> {
        let pieces = std::iter::from_fn(|| {
            loop {
                match feed.next(ms(0), all)? {
                    Next::Piece { audio, of, silence } => {
                        let sound: u64 = of.iter().map(|(_, _, len)| len).sum();
                        assert_eq!(audio.len() as u64, sound + silence);
                        return Some((sound, silence));
                    }
                    Next::End(_) => {}
                }
            }
        });
        pieces.collect()
    }

    #[test]
    fn short_pieces_are_gathered_until_they_are_long_enough() {
        let mut feed = feed(200, 20, None);
        for _ in 0..9 {
            says(&mut feed, 160);
            assert_eq!(out(&mut feed, false), []);
        }
        says(&mut feed, 160);
        assert_eq!(out(&mut feed, false), [(1_600, 0)]);
        says(&mut feed, 2_000);
        assert_eq!(out(&mut feed, false), [(1_920, 0)], "whole frames");
        assert_eq!(feed.left(), ms(10));
    }

    #[test]
    fn the_end_of_an_answer_does_not_wait() {
        let mut feed = feed(200, 20, None);
        says(&mut feed, 2_100);
        feed.waiting.push_back(Waiting::End(ITEM));
        assert_eq!(out(&mut feed, false), [(2_100, 140)]);
        says(&mut feed, 100);
        feed.waiting.push_back(Waiting::End(ITEM));
        assert_eq!(out(&mut feed, false), [(100, 1_500)]);
        assert!(feed.waiting.is_empty());
    }

    #[test]
    fn what_needs_no_change_is_not_touched() {
        let mut feed = feed(20, 0, None);
        let audio = Audio::ulaw(&[7; 200]);
        let text = audio.text_bytes().as_ptr();
        feed.waiting.push_back(Waiting::Speech { reply: REPLY, item: ITEM, audio });
        let Some(Next::Piece { audio, .. }) = feed.next(ms(0), false) else { panic!("it is long enough") };
        assert_eq!(audio.text_bytes().as_ptr(), text);
        says(&mut feed, 100);
        assert_eq!(out(&mut feed, false), []);
        says(&mut feed, 100);
        assert_eq!(out(&mut feed, false), [(200, 0)]);
    }

    #[test]
    fn no_more_goes_out_than_the_carrier_keeps() {
        let mut feed = feed(20, 20, Some(40_000));
        says(&mut feed, 7_680);
        assert!(feed.next(ms(40_000), true).is_none());
        feed.waiting.push_back(Waiting::End(ITEM));
        assert!(feed.next(ms(40_000), true).is_none(), "its end comes behind it");
        assert!(matches!(feed.next(ms(39_999), false), Some(Next::Piece { .. })));
        assert!(matches!(feed.next(ms(40_959), false), Some(Next::End(_))), "an end needs no room");
    }

    #[test]
    fn no_piece_is_longer_than_a_message_may_be() {
        let mut feed = feed(200, 20, None);
        (0..10).for_each(|_| says(&mut feed, 3_000));
        assert!(out(&mut feed, true).iter().all(|(sound, silence)| sound + silence <= 7_680));
    }

    #[test]
    fn what_is_thrown_away_is_known() {
        let mut feed = feed(200, 20, None);
        says(&mut feed, 300);
        says(&mut feed, 400);
        feed.waiting.push_back(Waiting::End(ITEM));
        assert!(feed.has_speech());
        assert_eq!(feed.throw_away(), [(ITEM, 300), (ITEM, 400)]);
        assert!(!feed.has_speech() && out(&mut feed, true).is_empty());
    }
}
