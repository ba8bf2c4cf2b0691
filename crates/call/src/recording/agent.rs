//! The right track: the agent, as the phone played it.
//!
//! The phone plays what it gets at once, or behind what it still has. So speech lies in runs without a hole. A
//! run begins where its first piece arrived, which is guessed from the line's round trip until a mark tells.
//! What is cleared goes from the end.

use std::collections::VecDeque;

use crate::{Audio, ulaw};

#[derive(Debug, Default)]
pub(super) struct AgentTrack {
    runs: VecDeque<Run>,
    /// Of all runs, in samples and in pieces.
    waiting: u64,
    pieces: usize,
    /// Sent to the phone and not kept here; see [`LONGEST`].
    lost: u64,
    /// Everything before this was taken.
    taken: u64,
}

/// Speech without a hole.
#[derive(Debug)]
struct Run {
    /// Where the first sample lies that was not taken.
    start: u64,
    len: u64,
    /// A part was taken: it cannot be moved any more.
    fixed: bool,
    /// A mark has told where it lies.
    told: bool,
    /// What is left of a piece of which a part was taken.
    open: VecDeque<u8>,
    pieces: VecDeque<Audio>,
}

impl AgentTrack {
    /// This is sent, and would be heard from `position` on if nothing else plays then.
    pub fn push(&mut self, position: u64, audio: Audio) {
        let len = audio.len() as u64;
        if self.waiting + len > LONGEST || self.pieces >= MOST_PIECES {
            self.lost += len;
            return;
        }
        let end = self.end();
        let follows = position <= end;
        if !follows {
            self.lost = 0; // what is missing would have been played by now
        }
        match self.runs.back_mut().filter(|_| follows) {
            Some(run) => {
                run.len += len;
                run.pieces.push_back(audio);
            }
            None => self.runs.push_back(Run {
                start: position.max(end),
                len,
                fixed: false,
                told: false,
                open: VecDeque::new(),
                pieces: VecDeque::from([audio]),
            }),
        }
        self.waiting += len;
        self.pieces += 1;
    }

    /// At `position` all but the last `rest` samples had been played. A mark may be late and is never early, so
    /// the earliest one is right.
    pub fn played_all_but(&mut self, position: u64, rest: u64) {
        let mut rest = rest.saturating_sub(self.lost);
        for run in self.runs.iter_mut().rev() {
            if rest >= run.len {
                rest -= run.len;
                continue;
            }
            let start = position.saturating_sub(run.len - rest);
            if !run.fixed && (!run.told || start < run.start) {
                (run.start, run.told) = (start, true);
            }
            break;
        }
        self.one_after_the_other();
    }

    /// The line's round trip was taken for so much, and is this. Where no mark has told yet, that was the guess.
    pub fn line_is(&mut self, taken_for: u64, is: u64) {
        if taken_for == is {
            return;
        }
        for run in self.runs.iter_mut().filter(|run| !run.told && !run.fixed) {
            run.start = (run.start + is).saturating_sub(taken_for);
        }
        self.one_after_the_other();
    }

    fn one_after_the_other(&mut self) {
        let mut end = self.taken;
        for run in &mut self.runs {
            run.start = run.start.max(end);
            end = run.start + run.len;
        }
    }

    /// The last so many samples will not be played.
    pub fn cut(&mut self, samples: u64) {
        let mut left = samples.saturating_sub(std::mem::take(&mut self.lost));
        while let Some(run) = self.runs.back_mut().filter(|_| left > 0) {
            let gone = left.min(run.len);
            let pieces = run.pieces.len();
            run.cut(gone);
            self.pieces -= pieces - run.pieces.len();
            self.waiting -= gone;
            left -= gone;
            if run.len == 0 {
                self.runs.pop_back();
            }
        }
    }

    /// Nothing is played from this position on.
    pub fn end_at(&mut self, position: u64) {
        while let Some(run) = self.runs.back().filter(|run| run.start + run.len > position) {
            let beyond = run.start + run.len - position.max(run.start);
            self.cut(beyond);
        }
    }

    /// Where the last sample lies that is known.
    pub fn end(&self) -> u64 {
        self.runs.back().map_or(self.taken, |run| run.start + run.len)
    }

    /// These samples, which are certain now.
    pub fn take(&mut self, from: u64, until: u64) -> Vec<u8> {
        let samples = usize::try_from(until - from).unwrap_or(0);
        let mut taken = Vec::with_capacity(samples);
        while let Some(run) = self.runs.front_mut().filter(|run| run.start < until) {
            let silence = usize::try_from(run.start - from).unwrap_or(0);
            taken.resize(silence, ulaw::SILENCE);
            let (len, pieces) = (run.len, run.pieces.len());
            run.take(samples - silence, &mut taken);
            self.waiting -= len - run.len;
            self.pieces -= pieces - run.pieces.len();
            if run.len > 0 {
                break;
            }
            self.runs.pop_front();
        }
        taken.resize(samples, ulaw::SILENCE);
        self.taken = until;
        taken
    }
}

impl Run {
    /// From the front, at most so many.
    fn take(&mut self, samples: usize, out: &mut Vec<u8>) {
        let wanted = out.len() + samples;
        self.fixed = true;
        while out.len() < wanted {
            if self.open.is_empty() {
                let Some(piece) = self.pieces.pop_front() else { break };
                self.open = piece.decode().into();
            }
            let now = self.open.len().min(wanted - out.len());
            out.extend(self.open.drain(..now));
            self.start += now as u64;
            self.len -= now as u64;
        }
    }

    /// From the back, as many as there are at most.
    fn cut(&mut self, samples: u64) {
        self.len -= samples;
        let mut left = usize::try_from(samples).unwrap_or(usize::MAX);
        while left > 0 {
            let Some(piece) = self.pieces.pop_back() else {
                return self.open.truncate(self.open.len().saturating_sub(left));
            };
            if piece.len() > left {
                let kept = piece.len() - left;
                return self.pieces.push_back(Audio::ulaw(&piece.decode()[..kept]));
            }
            left -= piece.len();
        }
    }
}

/// Ten minutes, which is also what a carrier keeps: it throws away what is beyond, and so does the recording.
/// 6.4 MB as it waits here.
const LONGEST: u64 = 600 * ulaw::RATE as u64;

/// Pieces of 20 ms make ten minutes with half of this. Of smaller crumbs less is kept, not more memory used.
const MOST_PIECES: usize = 60_000;

#[cfg(test)]
mod tests {
    use super::*;

    fn piece(len: usize, sound: u8) -> Audio {
        Audio::ulaw(&vec![sound; len])
    }

    #[test]
    fn pieces_follow_one_another_and_a_late_one_begins_a_run() {
        let mut track = AgentTrack::default();
        track.push(100, piece(50, 1));
        track.push(110, piece(50, 2)); // the phone still plays
        track.push(260, piece(10, 3)); // it ran dry at 200
        let expected: Vec<u8> =
            [vec![0xff; 100], vec![1; 50], vec![2; 50], vec![0xff; 60], vec![3; 10]].concat();
        let taken: Vec<u8> = (0..270).step_by(27).flat_map(|from| track.take(from, from + 27)).collect();
        assert_eq!(taken, expected);
        assert_eq!((track.waiting, track.pieces, track.runs.len()), (0, 0, 0));
    }

    #[test]
    fn a_cut_is_exact_to_the_sample_also_in_a_piece_that_was_begun() {
        for cut in 0..=300 {
            let mut track = AgentTrack::default();
            (0..3).for_each(|sound| track.push(0, piece(100, sound)));
            let mut heard = track.take(0, 130);
            track.cut(cut);
            let left = 170_u64.saturating_sub(cut); // what was taken stays
            assert_eq!((track.waiting, track.end()), (left, 130 + left), "cut by {cut}");
            heard.extend(track.take(130, 130 + left));
            let whole: Vec<u8> = (0..3).flat_map(|sound| [sound; 100]).collect();
            assert_eq!(heard, whole[..130 + left as usize], "cut by {cut}");
            assert_eq!(track.pieces, 0);
        }
    }

    #[test]
    fn a_mark_moves_a_run_and_what_comes_behind_it_but_nothing_that_was_taken() {
        let mut track = AgentTrack::default();
        track.push(100, piece(50, 1));
        track.push(160, piece(50, 2));
        track.played_all_but(180, 60); // 40 of the first at 180: it began at 140, and ends at 190
        assert_eq!(track.runs.iter().map(|run| run.start).collect::<Vec<_>>(), [140, 190]);
        track.take(0, 145);
        track.played_all_but(150, 60);
        assert_eq!(track.runs.iter().map(|run| run.start).collect::<Vec<_>>(), [145, 190]);
        track.played_all_but(150, 50); // the end of the first is not the beginning of the second
        assert_eq!(track.runs[1].start, 190);
    }

    #[test]
    fn of_ten_minutes_the_rest_is_thrown_away_as_the_phone_does_and_a_cut_knows_it() {
        let mut track = AgentTrack::default();
        (0..700).for_each(|_| track.push(0, piece(8_000, 1)));
        assert_eq!((track.waiting, track.lost), (LONGEST, 100 * 8_000));
        track.cut(110 * 8_000);
        assert_eq!((track.waiting, track.lost), (LONGEST - 10 * 8_000, 0));
        let mut crumbs = AgentTrack::default();
        (0..100_000).for_each(|_| crumbs.push(0, piece(1, 1)));
        assert_eq!(crumbs.pieces, MOST_PIECES);
    }
}
