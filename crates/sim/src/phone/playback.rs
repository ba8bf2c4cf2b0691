//! What has the person at this phone heard, to the sample?
//!
//! Audio is queued faster than it plays. The position is computed from the clock whenever somebody asks, never rounded
//! to ticks, so that "played when `clear` arrived" is exact. A run is playback without a hole: it begins when audio
//! meets an empty queue and ends when the queue runs dry or is cleared.

use crate::ulaw;
use bytes::Bytes;
use std::collections::VecDeque;
use tokio::time::Instant;

/// Marks waiting at once. Twilio documents no limit; this one keeps a runaway relay from filling our memory.
const MAX_MARKS: usize = 100_000;

#[derive(Debug)]
pub(crate) struct Playback {
    /// Whether the sound itself is kept, or only counted.
    keeps_sound: bool,
    /// What is queued beyond this is thrown away.
    max_queued: u64,
    run: Option<Run>,
    audio: VecDeque<Bytes>,
    marks: VecDeque<Mark>,
    /// Bytes played in earlier runs.
    before: u64,
}

#[derive(Clone, Copy, Debug)]
struct Run {
    began: Instant,
    queued: u64,
    played: u64,
}

#[derive(Debug)]
struct Mark {
    /// Bytes of the run before it.
    at: u64,
    name: String,
}

/// What playback passed since the last look.
#[derive(Debug, Default)]
pub(crate) struct Passed {
    pub marks: Vec<String>,
    /// The sound, each piece with the moment it began to play; empty when sound is not kept.
    pub sound: Vec<(Instant, Bytes)>,
    /// A run ended by running dry: its length in bytes, and when.
    pub ended: Option<(u64, Instant)>,
}

/// What `clear` did.
#[derive(Debug, Default)]
pub(crate) struct Emptied {
    pub played: u64,
    pub thrown_away: u64,
    pub unheard: Vec<u8>,
    pub marks: Vec<String>,
}

impl Playback {
    pub fn new(keeps_sound: bool, max_queued: u64) -> Self {
        Self { keeps_sound, max_queued, run: None, audio: VecDeque::new(), marks: VecDeque::new(), before: 0 }
    }

    /// Queues audio; says how much did not fit. Call [`Playback::advance`] before.
    pub fn queue(&mut self, now: Instant, audio: Bytes) -> u64 {
        let run = self.run.get_or_insert(Run { began: now, queued: 0, played: 0 });
        let room = self.max_queued.saturating_sub(run.queued - run.played);
        let taken = room.min(audio.len() as u64);
        run.queued += taken;
        if self.keeps_sound {
            self.audio.push_back(audio.slice(..taken as usize));
        }
        audio.len() as u64 - taken
    }

    /// Replaces the end of what is queued, as far as it has not been played yet.
    pub fn amend(&mut self, end: &[u8]) {
        let unplayed: usize = self.audio.iter().map(Bytes::len).sum();
        let end = &end[end.len().saturating_sub(unplayed)..];
        let mut left = end.len();
        while let (Some(last), 1..) = (self.audio.back_mut(), left) {
            let cut = left.min(last.len());
            last.truncate(last.len() - cut);
            left -= cut;
            if last.is_empty() {
                self.audio.pop_back();
            }
        }
        if !end.is_empty() {
            self.audio.push_back(Bytes::copy_from_slice(end));
        }
    }

    /// Forgets the marks that are pending: they will not come back.
    pub fn forget_marks(&mut self) {
        self.marks.clear();
    }

    /// Queues a mark behind all audio so far; `false` when there are too many. With nothing queued it is passed by
    /// the next [`Playback::advance`].
    pub fn mark(&mut self, name: String) -> bool {
        let at = self.run.map_or(0, |run| run.queued);
        self.marks.push_back(Mark { at, name });
        self.marks.len() <= MAX_MARKS
    }

    /// Plays up to `now`.
    pub fn advance(&mut self, now: Instant) -> Passed {
        let mut passed = Passed::default();
        let Some(run) = &mut self.run else {
            passed.marks.extend(self.marks.drain(..).map(|mark| mark.name));
            return passed;
        };
        let due = now.saturating_duration_since(run.began).as_nanos() * 8 / 1_000_000;
        let target = u64::try_from(due).unwrap_or(u64::MAX).min(run.queued);
        while run.played < target {
            let Some(front) = self.audio.front_mut() else {
                run.played = target;
                break;
            };
            let piece = front.split_to(front.len().min((target - run.played) as usize));
            if front.is_empty() {
                self.audio.pop_front();
            }
            let at = run.began + ulaw::length_of(run.played);
            run.played += piece.len() as u64;
            passed.sound.push((at, piece));
        }
        while self.marks.front().is_some_and(|mark| mark.at <= run.played) {
            passed.marks.extend(self.marks.pop_front().map(|mark| mark.name));
        }
        if run.played == run.queued {
            passed.ended = Some((run.played, run.began + ulaw::length_of(run.played)));
            self.before += run.played;
            self.run = None;
        }
        passed
    }

    /// Throws away what is queued and gives back all marks. Call [`Playback::advance`] before.
    pub fn clear(&mut self) -> Emptied {
        let marks = self.marks.drain(..).map(|mark| mark.name).collect();
        let unheard = self.audio.drain(..).flatten().collect();
        let Some(run) = self.run.take() else {
            return Emptied { marks, ..Emptied::default() };
        };
        self.before += run.played;
        Emptied { played: run.played, thrown_away: run.queued - run.played, unheard, marks }
    }

    pub fn is_playing(&self) -> bool {
        self.run.is_some()
    }

    /// Bytes played since the call began, as of the last [`Playback::advance`].
    pub fn played(&self) -> u64 {
        self.before + self.run.map_or(0, |run| run.played)
    }

    pub fn queued(&self) -> u64 {
        self.run.map_or(0, |run| run.queued - run.played)
    }

    /// When the next mark is reached or the queue runs dry.
    pub fn wake(&self) -> Option<Instant> {
        let Some(run) = self.run else {
            return self.marks.front().map(|_| Instant::now());
        };
        let next = self.marks.front().map_or(run.queued, |mark| mark.at);
        Some(run.began + ulaw::length_of(next))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    const TEN_MINUTES: u64 = 600 * 8000;

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    fn audio(ms: usize) -> Bytes {
        Bytes::from((0..ms * 8).map(|at| at as u8).collect::<Vec<_>>())
    }

    #[test]
    fn a_mark_comes_back_when_the_audio_before_it_was_played_and_not_earlier() {
        let (mut playback, t0) = (Playback::new(true, TEN_MINUTES), Instant::now());
        playback.queue(t0, audio(100));
        playback.mark("a".into());
        playback.queue(t0, audio(50));
        playback.mark("b".into());
        assert_eq!(playback.wake(), Some(t0 + ms(100)));
        assert!(playback.advance(t0 + ms(99)).marks.is_empty());
        assert_eq!(playback.advance(t0 + ms(100)).marks, ["a"]);
        let end = playback.advance(t0 + ms(400));
        assert_eq!((end.marks, end.ended), (vec!["b".to_owned()], Some((1200, t0 + ms(150)))));
    }

    #[test]
    fn a_mark_with_nothing_queued_comes_back_at_once() {
        let (mut playback, t0) = (Playback::new(false, TEN_MINUTES), Instant::now());
        playback.mark("alone".into());
        assert_eq!(playback.advance(t0).marks, ["alone"]);
    }

    #[test]
    fn clear_returns_every_mark_and_knows_to_the_sample_what_was_heard() {
        let (mut playback, t0) = (Playback::new(true, TEN_MINUTES), Instant::now());
        playback.queue(t0, audio(200));
        playback.mark("never heard".into());
        let heard = playback.advance(t0 + Duration::from_micros(73_125)).sound;
        let emptied = playback.clear();
        assert_eq!((emptied.played, emptied.thrown_away), (585, 1600 - 585));
        assert_eq!(emptied.marks, ["never heard"]);
        assert_eq!([&heard[0].1[..], &emptied.unheard].concat(), audio(200));
        playback.queue(t0 + ms(80), audio(10));
        assert_eq!(playback.advance(t0 + ms(85)).sound[0].0, t0 + ms(80), "what comes after a clear plays");
        assert_eq!(playback.played(), 585 + 40);
    }

    #[test]
    fn the_clock_does_not_drift_however_often_it_is_looked_at() {
        let (mut playback, t0) = (Playback::new(false, TEN_MINUTES), Instant::now());
        playback.queue(t0, audio(10_000));
        for step in 1..9_999u64 {
            playback.advance(t0 + Duration::from_micros(step * 997));
        }
        playback.advance(t0 + ms(9_999));
        assert_eq!(playback.played(), 9_999 * 8);
    }

    #[test]
    fn a_hole_begins_a_new_run_where_the_late_audio_came() {
        let (mut playback, t0) = (Playback::new(true, TEN_MINUTES), Instant::now());
        playback.queue(t0, audio(20));
        assert!(playback.advance(t0 + ms(30)).ended.is_some());
        playback.queue(t0 + ms(30), audio(20));
        let passed = playback.advance(t0 + ms(40));
        assert_eq!((passed.sound[0].0, passed.sound[0].1.len()), (t0 + ms(30), 80));
    }

    #[test]
    fn what_is_amended_is_played_and_what_was_played_stays() {
        let (mut playback, t0) = (Playback::new(true, TEN_MINUTES), Instant::now());
        playback.queue(t0, Bytes::from(vec![1; 80]));
        playback.queue(t0, Bytes::from(vec![2; 8]));
        playback.amend(&[3; 12]);
        let mut heard: Vec<u8> =
            playback.advance(t0 + ms(10)).sound.iter().flat_map(|(_, piece)| piece.to_vec()).collect();
        playback.amend(&[4; 12]);
        heard.extend(playback.advance(t0 + ms(11)).sound.iter().flat_map(|(_, piece)| piece.to_vec()));
        assert_eq!(heard, [vec![1; 76], vec![3; 4], vec![4; 8]].concat());
    }

    #[test]
    fn ten_minutes_are_queued_and_no_more() {
        let (mut playback, t0) = (Playback::new(false, TEN_MINUTES), Instant::now());
        let minute = Bytes::from(vec![0xFF; 60 * 8000]);
        let lost: Vec<u64> = (0..11).map(|_| playback.queue(t0, minute.clone())).collect();
        assert_eq!(lost[9..], [0, 60 * 8000]);
    }
}
