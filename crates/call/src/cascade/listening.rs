//! From the caller's voice to a turn, and what is done while it is not sure that the turn is over.

use super::{Cascade, EarEvent, MindCommand, Next, Order, answer::Guess};
use crate::{Audio, LegEvent, Turns, voice::Change};

impl Cascade {
    pub(super) fn hear(&mut self, audio: Audio) {
        let mut ended = false;
        if let Some(voice) = &mut self.voice {
            match voice.hear(&audio.decode()) {
                Some(Change::Started) => {
                    let sign = self.attention.voice_began(self.now);
                    self.tell(sign);
                }
                Some(Change::Stopped) => {
                    self.attention.voice_stopped(self.now);
                    ended = true;
                }
                None => {}
            }
        }
        self.upkeep.heard(self.now);
        self.listen(audio);
        if ended {
            self.end_turn(); // behind its last sound
        }
    }

    /// Takes what the ear says.
    pub fn ear(&mut self, now: std::time::Instant, event: EarEvent) {
        self.pass(now);
        if self.over || self.only_speaks {
            return;
        }
        self.upkeep.ear_pulse.sign(self.now);
        match event {
            EarEvent::Ready => self.ear_is_open(),
            EarEvent::Started => self.words_began(),
            EarEvent::Words(words) => {
                if let Some(ends) = self.ends.as_mut().filter(|_| self.upkeep.so_far != words) {
                    ends.words(self.now);
                }
                self.upkeep.so_far = words;
                self.words_began();
            }
            EarEvent::Perhaps(words) => {
                self.upkeep.ear_spoke(self.now);
                self.guess(words);
            }
            EarEvent::Resumed => {
                self.upkeep.ear_spoke(self.now);
                self.drop_guess();
            }
            EarEvent::Ended(words) => {
                self.upkeep.turn_ended();
                if self.is_over(&words) {
                    self.turn_ended(words);
                }
            }
            EarEvent::Alive => self.upkeep.ear_pulse.answers(),
            EarEvent::Odd(oddity) => self.events.push_back(LegEvent::Odd(oddity)),
            EarEvent::Failed(failure) => self.ear_is_lost(failure),
        }
    }

    fn words_began(&mut self) {
        self.upkeep.ear_spoke(self.now);
        let sign = self.attention.words_began(self.now);
        self.tell(sign);
    }

    /// The mind may begin to think. Should the caller go on, nobody will ever know.
    fn guess(&mut self, words: String) {
        let idle = self.answer.is_none() && self.turns == Turns::Live;
        if !idle || words.trim().is_empty() || self.guess.as_ref().is_some_and(|guess| guess.words == words) {
            return;
        }
        self.drop_guess();
        let ask = self.next_ask();
        let thread = self.memory.thread(Some(&words));
        self.order(Order::Mind(MindCommand::Ask { ask, thread }));
        self.guess = Some(Guess::new(ask, words));
    }

    pub(super) fn drop_guess(&mut self) {
        if let Some(ask) = self.guess.take().and_then(|guess| guess.running()) {
            self.order(Order::Mind(MindCommand::Cancel(ask)));
        }
    }

    pub(super) fn turn_ended(&mut self, words: String) {
        let words = self.with_carried(words);
        let said = !words.trim().is_empty();
        let told = self.attention.turn_ended();
        match (said, told) {
            (true, true) => self.commit(words),
            (true, false) => {
                self.events.push_back(LegEvent::SpeechStarted);
                self.ended = Some(words);
            }
            (false, told) => {
                self.drop_guess();
                if told {
                    self.events.push_back(LegEvent::SpeechStopped);
                }
            }
        }
    }

    /// The turn has its place in the conversation, and is answered.
    pub(super) fn commit(&mut self, words: String) {
        let item = self.next_item();
        self.events.push_back(LegEvent::SpeechStopped);
        self.events.push_back(LegEvent::TurnCommitted { item });
        self.events.push_back(LegEvent::CallerWords { item, text: words.clone(), whole: true });
        let fits = self.turns == Turns::Live
            && self.answer.is_none()
            && self.guess.as_ref().is_some_and(|guess| guess.words == words);
        self.memory.caller(words);
        match self.guess.take_if(|_| fits) {
            Some(guess) => self.adopt(guess),
            None => {
                self.drop_guess();
                if self.turns == Turns::Live {
                    self.wish(Next::Reply);
                }
            }
        }
    }
}
