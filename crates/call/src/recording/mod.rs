//! What lies where on the two tracks of a recording: left the caller, right the agent as the phone played it.
//!
//! Both tracks lie on one clock, the carrier's as it is seen from here ([`clock::Clock`]). What has been sent
//! to the phone may still be cleared, so a second of the recording is given out only when nothing can change it
//! any more; until then the agent's speech waits as it came, without a copy. A call that is not recorded has no
//! [`Recording`] at all.

mod agent;
mod caller;
mod clock;

use std::{
    fmt,
    time::{Duration, Instant},
};

use bytes::Bytes;

use self::{agent::AgentTrack, caller::CallerTrack, clock::Clock};
use crate::{Audio, Call, CarrierCommand, Command, MarkId, Record, ulaw};

/// The next piece of a recording: µ-law, one byte of the caller, one of the agent, and so on.
#[derive(Clone, PartialEq, Eq)]
pub struct Stereo(pub Bytes);

/// Without the sound.
impl fmt::Debug for Stereo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Stereo({:?})", ulaw::duration(self.0.len() as u64 / 2))
    }
}

#[derive(Debug)]
pub(crate) struct Recording {
    clock: Clock,
    caller: CallerTrack,
    agent: AgentTrack,
    /// Everything before this sample was given out.
    given: u64,
}

impl Recording {
    /// What the caller said so far comes first. The last of it came at this moment; what follows it begins
    /// there on the carrier's clock.
    pub fn begin<'a>(
        last: Instant,
        follows_at: Option<Duration>,
        held: impl Iterator<Item = &'a Audio>,
    ) -> Self {
        let caller = CallerTrack::begin(held, follows_at);
        Self { clock: Clock::new(last, caller.end()), caller, agent: AgentTrack::default(), given: 0 }
    }

    /// A frame of the caller's, with the carrier's time of it.
    pub fn caller(&mut self, now: Instant, at: Option<Duration>, audio: &Audio) {
        let position = self.clock.position(now);
        if self.caller.put(position, at, audio) && at.is_some() {
            self.clock.saw(now, self.caller.end());
        }
    }

    /// This is sent to the phone now. It is there, and its sound back, after this time.
    pub fn agent(&mut self, now: Instant, round_trip: Duration, audio: Audio) {
        self.agent.push(self.clock.position(now) + ulaw::bytes(round_trip), audio);
    }

    /// A mark says that all was played but so many samples.
    pub fn played_all_but(&mut self, now: Instant, rest: u64) {
        self.agent.played_all_but(self.clock.position(now), rest);
    }

    /// The last so many samples that were sent will not be played.
    pub fn unplayed(&mut self, samples: u64) {
        self.agent.cut(samples);
    }

    /// The next second, once it is certain.
    pub fn due(&mut self, now: Instant) -> Option<Stereo> {
        let position = self.clock.position(now);
        let mut certain = position.saturating_sub(CHANGES);
        if position.saturating_sub(self.caller.end()) < CALLER_LATE {
            certain = certain.min(self.caller.end());
        }
        (certain >= self.given + PIECE).then(|| self.give(PIECE))
    }

    /// The call is over, and these last samples were not played; nor is anything after this moment.
    pub fn finish(&mut self, now: Instant, unplayed: u64) {
        self.agent.cut(unplayed);
        self.agent.end_at(self.clock.position(now));
    }

    /// After [`Recording::finish`]: what is left, piece by piece.
    pub fn rest(&mut self) -> Option<Stereo> {
        let end = self.caller.end().max(self.agent.end());
        (end > self.given).then(|| self.give((end - self.given).min(PIECE)))
    }

    fn give(&mut self, samples: u64) -> Stereo {
        let until = self.given + samples;
        let left = self.caller.take(self.given, until);
        let right = self.agent.take(self.given, until);
        self.given = until;
        let mut both = Vec::with_capacity(2 * left.len());
        left.into_iter().zip(right).for_each(|moment| both.extend(<[u8; 2]>::from(moment)));
        Stereo(both.into())
    }
}

impl Call {
    /// Gate, token and stream agree. When nobody has to be asked, all that the caller said so far is recorded.
    pub(crate) fn begin_recording_at_once(&mut self) {
        if matches!(self.config.record, Some(Record { say: None })) {
            let (last, follows_at) = self.gaps.place();
            let last = last.unwrap_or(self.now);
            let held = ulaw::duration(self.hold.iter().map(|audio| audio.len() as u64).sum());
            self.recorded_from = Some((last - self.born).saturating_sub(held));
            self.recording = Some(Box::new(Recording::begin(last, follows_at, self.hold.iter())));
        }
    }

    /// The caller knows of it.
    pub(crate) fn begin_recording_now(&mut self) {
        // A frame that comes soon begins where the last one ended; after a pause it lies where the clock says.
        let (last, follows_at) = match self.gaps.place() {
            (Some(last), follows_at) if self.now - last < ONE_LATE => (last, follows_at),
            _ => (self.now, None),
        };
        self.recorded_from = Some(last - self.born);
        self.recording = Some(Box::new(Recording::begin(last, follows_at, [].iter())));
    }

    pub(crate) fn record_caller(&mut self, at: Option<Duration>, audio: &Audio) {
        if let Some(recording) = &mut self.recording {
            recording.caller(self.now, at, audio);
        }
    }

    /// What is sent to the phone, and what is taken back.
    pub(crate) fn record_agent(&mut self, command: &CarrierCommand) {
        let Some(recording) = &mut self.recording else { return };
        match command {
            CarrierCommand::Play(audio) => {
                recording.agent(self.now, self.playout.tape.round_trip(), audio.clone());
            }
            CarrierCommand::Clear => recording.unplayed(self.playout.tape.unplayed(self.now)),
            CarrierCommand::Mark(_) | CarrierCommand::Ping | CarrierCommand::Close(_) => {}
        }
    }

    pub(crate) fn on_mark(&mut self, mark: MarkId) {
        let before = (self.playout.tape.round_trip(), self.playout.tape.unconfirmed());
        self.playout.reached(self.now, mark);
        self.watch_tape();
        let Some(recording) = &mut self.recording else { return };
        recording.agent.line_is(ulaw::bytes(before.0), ulaw::bytes(self.playout.tape.round_trip()));
        let rest = self.playout.tape.unconfirmed();
        // One that came back because of a clear proves nothing, and moves nothing.
        if rest < before.1 {
            recording.played_all_but(self.now, rest);
        }
    }

    pub(crate) fn give_recording(&mut self) {
        while let Some(piece) = self.recording.as_mut().and_then(|recording| recording.due(self.now)) {
            self.push(Command::Record(piece));
        }
    }

    /// The phone plays no more than it has.
    pub(crate) fn finish_recording(&mut self) {
        let Some(mut recording) = self.recording.take() else { return };
        recording.finish(self.now, self.playout.tape.unplayed(self.now));
        while let Some(piece) = recording.rest() {
            self.push(Command::Record(piece));
        }
    }
}

/// A second: 16 kB, a size that disks like.
const PIECE: u64 = ulaw::RATE as u64;

/// For so long a mark or a clear can still change what was played: the longest round trip that is believed,
/// twice.
const CHANGES: u64 = ulaw::RATE as u64;

/// Frames come every 20 ms; one of them may be late or lost.
const ONE_LATE: Duration = Duration::from_millis(60);

/// Frames of the caller that are late by less are waited for. A carrier that leaves out silence sends none.
const CALLER_LATE: u64 = 10 * ulaw::RATE as u64;

#[cfg(test)]
mod tests {
    use super::*;

    struct Desk {
        recording: Recording,
        start: Instant,
        now: u64,
        out: Vec<u8>,
    }

    impl Desk {
        fn new() -> Self {
            #[expect(
                clippy::disallowed_methods,
                reason = "any instant will do as the start of a test's clock"
            )]
            let start = Instant::now();
            Self { recording: Recording::begin(start, None, [].iter()), start, now: 0, out: Vec::new() }
        }

        fn at(&self) -> Instant {
            self.start + Duration::from_millis(self.now)
        }

        /// So long the caller says `said` in frames of 20 ms, each sent at its end.
        fn pass(&mut self, ms: u64, said: u8) {
            for _ in 0..ms / 20 {
                let at = Some(Duration::from_millis(self.now));
                self.now += 20;
                self.recording.caller(self.at(), at, &Audio::ulaw(&[said; 160]));
                let due = self.recording.due(self.at());
                self.out.extend(due.iter().flat_map(|piece| &piece.0));
            }
        }

        /// The agent says `ms` of `said`, over a line of so long there and back.
        fn says(&mut self, ms: u64, said: u8, round_trip_ms: u64) {
            let audio = Audio::ulaw(&vec![said; ms as usize * 8]);
            self.recording.agent(self.at(), Duration::from_millis(round_trip_ms), audio);
        }

        /// Both tracks, as runs of one sound: what, from and to in ms.
        fn tracks(mut self) -> [Vec<(u8, u64, u64)>; 2] {
            while let Some(piece) = self.recording.rest() {
                self.out.extend(&piece.0);
            }
            [0, 1].map(|side| runs(self.out.iter().skip(side).step_by(2).copied()))
        }
    }

    fn runs(track: impl Iterator<Item = u8>) -> Vec<(u8, u64, u64)> {
        let mut all: Vec<(u8, u64, u64)> = Vec::new();
        for (at, sample) in track.enumerate() {
            match all.last_mut() {
                Some((last, _, to)) if *last == sample => *to = at as u64 + 1,
                _ => all.push((sample, at as u64, at as u64 + 1)),
            }
        }
        all.into_iter().map(|(what, from, to)| (what, from / 8, to / 8)).collect()
    }

    const QUIET: u8 = ulaw::SILENCE;

    #[test]
    fn both_lie_on_one_clock_and_nothing_is_given_out_before_it_is_certain() {
        let mut desk = Desk::new();
        desk.pass(500, 7);
        desk.says(1_000, 9, 0);
        desk.pass(1_480, 7);
        assert_eq!(desk.out.len(), 0, "1,980 ms: the first second can still change");
        desk.pass(20, 7);
        assert_eq!(desk.out.len(), 16_000);
        desk.pass(1_000, 7);
        assert_eq!(desk.out.len(), 32_000);
        assert_eq!(
            desk.tracks(),
            [vec![(7, 0, 3_000)], vec![(QUIET, 0, 500), (9, 500, 1_500), (QUIET, 1_500, 3_000)]]
        );
    }

    #[test]
    fn what_a_clear_cut_off_is_not_in_it() {
        let mut desk = Desk::new();
        desk.pass(500, 7);
        for _ in 0..60 {
            desk.says(1_000, 9, 40); // a minute at once
        }
        desk.pass(3_000, 7);
        desk.recording.unplayed(60_000 * 8 - (3_000 - 40) * 8);
        desk.pass(200, 7);
        desk.says(300, 5, 40);
        desk.pass(2_000, 7);
        let [_, agent] = desk.tracks();
        assert_eq!(
            agent[1..5],
            [(9, 540, 3_500), (QUIET, 3_500, 3_740), (5, 3_740, 4_040), (QUIET, 4_040, 5_700)]
        );
    }

    #[test]
    fn a_mark_says_where_a_sentence_lay_and_only_the_first_good_one_moves_it() {
        let mut desk = Desk::new();
        desk.pass(500, 7);
        desk.says(1_000, 9, 0);
        desk.pass(260, 7);
        desk.recording.played_all_but(desk.at(), 800 * 8); // 200 ms were played: it began at 560
        desk.pass(240, 7);
        desk.recording.played_all_but(desk.at(), 600 * 8); // a late one, held up on its way
        desk.pass(200, 7);
        desk.recording.played_all_but(desk.at(), 350 * 8); // the quickest: it began at 550
        desk.pass(1_000, 7);
        let [_, agent] = desk.tracks();
        assert_eq!(agent[1], (9, 550, 1_550));
    }

    #[test]
    fn a_caller_whose_frames_are_missing_is_waited_for_and_then_is_silent() {
        let mut desk = Desk::new();
        desk.pass(400, 7);
        desk.now += 11_000; // nothing comes, the timestamps go on
        assert_eq!(desk.recording.due(desk.at()).map(|piece| piece.0.len()), Some(16_000));
        let mut desk = Desk::new();
        desk.pass(400, 7);
        desk.now += 5_000;
        assert_eq!(desk.recording.due(desk.at()), None, "they may be late");
        desk.pass(400, 8);
        let [caller, _] = desk.tracks();
        assert_eq!(caller, [(7, 0, 400), (QUIET, 400, 5_400), (8, 5_400, 5_800)]);
    }

    #[test]
    fn a_debug_print_holds_no_sound() {
        let piece = Stereo(Bytes::from(vec![0x31; 16_000]));
        assert_eq!(format!("{piece:?}"), "Stereo(1s)");
    }
}
