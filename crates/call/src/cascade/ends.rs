//! When is the caller's turn over, if the ear leaves that to us?
//!
//! When our own detector has heard a pause. Words take a moment to come after that, and who goes on meanwhile
//! has not finished: what is understood so far then waits for the rest. A detector can be wrong both ways, so
//! words that have not changed for a while end a turn too, whatever noise there is.

use std::time::{Duration, Instant};

use super::{Cascade, EarCommand, Order};

#[derive(Debug, Default)]
pub(super) struct Ends {
    /// Ends that the ear was told of and has not answered.
    asked: u32,
    /// The newest words came then.
    still: Option<Instant>,
    /// Nothing new was understood for long enough: the turn is over even if there is a voice.
    certain: bool,
}

impl Ends {
    /// The ear has understood more.
    pub fn words(&mut self, now: Instant) {
        self.still = Some(now);
        self.certain = false;
    }

    /// The ear has given the words up to an end that it was told of. Whether the turn is over with them.
    fn answered(&mut self, voice: bool) -> bool {
        self.asked = self.asked.saturating_sub(1);
        self.asked == 0 && (self.certain || !voice)
    }

    pub fn due(&self) -> Option<Instant> {
        self.still.map(|since| since + STILL)
    }
}

impl Cascade {
    /// The caller has stopped, as far as anyone can tell.
    pub(super) fn end_turn(&mut self) {
        let open = self.upkeep.ear_is_open();
        if let Some(ends) = &mut self.ends {
            ends.still = None;
            if open {
                ends.asked += 1;
                self.order(Order::Ear(EarCommand::EndTurn));
            }
        }
    }

    pub(super) fn look_for_an_end(&mut self) {
        let now = self.now;
        if let Some(ends) = &mut self.ends
            && ends.due().is_some_and(|due| due <= now)
        {
            ends.certain = true;
            self.end_turn();
        }
    }

    /// Whether these words end the turn. Otherwise they wait for the rest of it.
    pub(super) fn is_over(&mut self, words: &str) -> bool {
        let voice = self.attention.hears_a_voice();
        let over = self.ends.as_mut().is_none_or(|ends| ends.answered(voice));
        if !over && !words.trim().is_empty() {
            self.carry(words.to_owned());
        }
        over
    }

    /// A new ear knows nothing of what the old one was told.
    pub(super) fn forget_ends(&mut self) {
        if let Some(ends) = &mut self.ends {
            *ends = Ends::default();
        }
    }
}

/// Somebody who speaks says a word in this time.
const STILL: Duration = Duration::from_millis(1_500);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        LegEvent, Turns,
        cascade::{EarEvent, Judges, MindEvent, MouthEvent, Setup},
    };

    struct Scene {
        now: Instant,
        cascade: Cascade,
    }

    impl Scene {
        fn new() -> Self {
            #[expect(
                clippy::disallowed_methods,
                reason = "any instant will do as the start of a test's clock"
            )]
            let now = Instant::now();
            let (judges, ends_turns) = (Judges::Both, Some(Duration::from_millis(500)));
            let setup = Setup { prompt: None, turns: Turns::Live, judges, ends_turns };
            let mut cascade = Cascade::new(&setup, now);
            cascade.ear(now, EarEvent::Ready);
            cascade.mind(now, MindEvent::Ready);
            cascade.mouth(now, MouthEvent::Ready);
            let mut scene = Self { now, cascade };
            scene.ends();
            scene
        }

        fn voice(&mut self) {
            let sign = self.cascade.attention.voice_began(self.now);
            self.cascade.tell(sign);
        }

        /// As the detector does after its pause.
        fn pause(&mut self) {
            self.cascade.attention.voice_stopped(self.now);
            self.cascade.end_turn();
        }

        fn ear(&mut self, event: EarEvent) {
            self.cascade.ear(self.now, event);
        }

        fn pass(&mut self, ms: u64) {
            let end = self.now + Duration::from_millis(ms);
            while let Some(due) = self.cascade.poll_timeout().filter(|due| *due <= end) {
                self.now = self.now.max(due);
                self.cascade.tick(self.now);
                self.ear(EarEvent::Alive);
            }
            self.now = end;
        }

        /// How often the ear was told of an end since the last look.
        fn ends(&mut self) -> usize {
            let orders = std::iter::from_fn(|| self.cascade.poll_order());
            orders.filter(|order| *order == Order::Ear(EarCommand::EndTurn)).count()
        }

        /// What the caller said since the last look.
        fn turns(&mut self) -> Vec<String> {
            let events = std::iter::from_fn(|| self.cascade.poll_event());
            let words = events.filter_map(|event| match event {
                LegEvent::CallerWords { text, .. } => Some(text),
                _ => None,
            });
            words.collect()
        }
    }

    fn words(text: &str) -> EarEvent {
        EarEvent::Words(text.into())
    }

    fn ended(text: &str) -> EarEvent {
        EarEvent::Ended(text.into())
    }

    #[test]
    fn a_pause_ends_the_turn() {
        let mut scene = Scene::new();
        scene.voice();
        scene.ear(words("When do you"));
        scene.pause();
        assert_eq!(scene.ends(), 1);
        scene.ear(ended("When do you open?"));
        assert_eq!(scene.turns(), ["When do you open?"]);
    }

    #[test]
    fn who_goes_on_before_the_words_are_there_has_not_finished() {
        let mut scene = Scene::new();
        scene.voice();
        scene.pause();
        scene.pass(200);
        scene.voice();
        scene.ear(ended("When do you"));
        assert_eq!(scene.turns(), [""; 0]);
        scene.ear(words("open on"));
        scene.pause();
        scene.ear(ended("open on Sunday?"));
        assert_eq!(scene.turns(), ["When do you open on Sunday?"]);
    }

    #[test]
    fn two_pauses_before_the_first_words_are_one_turn() {
        let mut scene = Scene::new();
        scene.voice();
        scene.pause();
        scene.voice();
        scene.pause();
        assert_eq!(scene.ends(), 2);
        scene.ear(ended("Hello,"));
        assert_eq!(scene.turns(), [""; 0]);
        scene.ear(ended("is anybody there?"));
        assert_eq!(scene.turns(), ["Hello, is anybody there?"]);
    }

    #[test]
    fn a_noise_after_the_words_does_not_hold_the_answer_up_for_long() {
        let mut scene = Scene::new();
        scene.voice();
        scene.pause();
        scene.voice(); // a lorry
        scene.ear(ended("When do you open?"));
        scene.pass(1_000);
        assert_eq!(scene.turns(), [""; 0]);
        scene.pass(300);
        assert_eq!(scene.turns(), ["When do you open?"]);
    }

    #[test]
    fn words_that_stand_still_end_the_turn_whatever_the_detector_hears() {
        let mut scene = Scene::new();
        scene.voice(); // a television that never stops
        scene.ear(words("When do"));
        scene.pass(1_000);
        scene.ear(words("When do you open?"));
        scene.ear(words("When do you open?"));
        scene.pass(1_400);
        assert_eq!(scene.ends(), 0);
        scene.pass(200);
        assert_eq!(scene.ends(), 1);
        scene.ear(ended("When do you open?"));
        assert_eq!(scene.turns(), ["When do you open?"]);
    }

    #[test]
    fn a_caller_too_quiet_for_the_detector_is_answered() {
        let mut scene = Scene::new();
        scene.ear(words("Hello?"));
        scene.pass(1_600);
        assert_eq!(scene.ends(), 1);
        scene.ear(ended("Hello?"));
        assert_eq!(scene.turns(), ["Hello?"]);
    }

    #[test]
    fn a_new_ear_owes_no_answer_to_ends_that_the_old_one_was_told_of() {
        let mut scene = Scene::new();
        scene.voice();
        scene.ear(words("When do you"));
        scene.pause();
        let (provider, kind) = ("elevenlabs", crate::FailureKind::Closed);
        scene.ear(EarEvent::Failed(crate::Failure { provider, kind, detail: "".into() }));
        scene.pause(); // nobody is told while there is no ear
        scene.ear(EarEvent::Ready);
        scene.voice();
        scene.ends();
        scene.ear(words("open?"));
        scene.pause();
        assert_eq!(scene.ends(), 1);
        scene.ear(ended("open?"));
        assert_eq!(scene.turns(), ["When do you open?"]);
    }

    #[test]
    fn a_cough_ends_nothing() {
        let mut scene = Scene::new();
        scene.voice();
        scene.pause();
        scene.ear(ended(""));
        scene.pass(3_000);
        assert_eq!(scene.turns(), [""; 0]);
    }
}
