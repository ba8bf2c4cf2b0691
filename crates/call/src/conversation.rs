//! Who speaks next: greeting, turns, interruptions, answers that fail to come.
//!
//! While turns are [`Turns::Live`] the leg stops by itself when the caller speaks and answers by itself when
//! the caller has finished; the call only has to clear the carrier and to say what was heard. While they are
//! [`Turns::Held`], during the greeting and for agents that may not be interrupted, the call does all of it.

use crate::{
    Audio, Call, CarrierCommand, FailureKind, ItemId, LegCommand, LegEvent, Note, Oddity, Outcome, ReplyId,
    Timer, Turns,
    call::Phase,
    floor::{Answer, Ask, Opening},
    pressing::is_tones,
    transcript::Speaker,
};

use std::time::Duration;

impl Call {
    pub(crate) fn on_leg(&mut self, event: LegEvent) {
        let event = self.numbers.of_call(event);
        if self.switch.is_some() && !event.is_of_the_line() {
            return self.odd(Oddity::UnknownEvent); // it has not been asked for anything
        }
        self.leg_pulse.sign(self.now);
        match event {
            LegEvent::Ready => self.on_leg_ready(),
            LegEvent::Speech { reply, item, audio } => self.on_speech(reply, item, audio),
            LegEvent::SpeechStarted => self.on_speech_started(),
            LegEvent::SpeechStopped => self.on_speech_stopped(),
            LegEvent::TurnCommitted { item } => self.on_turn_committed(item),
            LegEvent::ReplyStarted { reply } => self.on_reply_started(reply),
            LegEvent::ReplyUnwanted { reply } => {
                self.floor.newest = self.floor.newest.max(Some(reply));
                self.floor.silence();
            }
            LegEvent::FirstWords { reply, ahead } => self.turn_has_thought(reply, ahead),
            LegEvent::ItemStarted { reply, item } => self.on_item_started(reply, item),
            LegEvent::SpeechDone { reply, item } => self.on_speech_done(reply, item),
            LegEvent::AgentWords { item, text, whole } => self.on_words(Speaker::Agent, item, text, whole),
            LegEvent::CallerWords { item, text, whole } => self.on_words(Speaker::Caller, item, text, whole),
            LegEvent::Heard { item, words } => self.transcript.heard(item, words),
            LegEvent::ToolCalled { reply, id, name, arguments } => {
                self.still_thinking(reply);
                self.turn_has_tool(reply, id);
                self.on_tool_called(reply, id, &name, arguments);
            }
            LegEvent::ToolElsewhere { reply, id, server, name, arguments } => {
                self.still_thinking(reply);
                self.on_tool_elsewhere(reply, id, &server, (&name, &arguments));
            }
            LegEvent::ToolElsewhereDone { id, failed, result } => {
                self.on_tool_elsewhere_done(id, failed, result);
            }
            LegEvent::ReplyDone { reply, outcome, usage } => {
                self.usage += usage;
                self.on_reply_done(reply, outcome);
            }
            LegEvent::Used(usage) => self.usage += usage,
            LegEvent::Alive => self.leg_pulse.answers(),
            LegEvent::Odd(oddity) => self.odd(oddity),
            LegEvent::OnlySpeaks(failure) => self.leg_only_speaks(failure),
            LegEvent::Failed(failure) => self.leg_lost(failure),
        }
    }

    fn odd(&mut self, oddity: Oddity) {
        self.tally.oddities += 1;
        self.note(Note::Odd(oddity));
    }

    fn on_speech(&mut self, reply: ReplyId, item: ItemId, mut audio: Audio) {
        if !self.has_a_voice() || self.floor.is_silenced(reply) {
            self.tally.late_audio += 1;
            return;
        }
        self.floor.newest = self.floor.newest.max(Some(reply));
        match (&mut self.recent, &self.floor.answer) {
            // A word into the greeting needs no answer of its own.
            (Some(recent), Answer::Making { to: Ask::Say(_), .. }) => recent.is_known(),
            (Some(recent), _) => recent.is_being_answered(),
            (None, _) => {}
        }
        if self.floor.is_making(reply) {
            self.timers.clear(Timer::ReplyDue);
        }
        if !std::mem::replace(&mut self.first_audio, true) {
            self.note(Note::FirstAudio { after: self.age() });
        }
        if let Some(stopped) = self.floor.caller_stopped.take() {
            self.note(Note::Answered { after: self.now - stopped });
        }
        while !audio.is_empty() {
            let piece = audio.split_front(LONGEST_MESSAGE);
            self.play(reply, item, piece);
        }
    }

    fn on_speech_started(&mut self) {
        self.somebody_is_heard();
        if let Some(recent) = &mut self.recent {
            recent.begins();
        }
        self.floor.caller_since = Some(self.now);
        self.floor.caller_stopped = None;
        if self.phase != Phase::Live {
            return;
        }
        self.watch_for_quiet();
        match self.floor.turns {
            Turns::Live => self.barge_in(),
            Turns::Held if self.is_asking_consent() => {}
            Turns::Held if self.is_greeting() && self.config.interruptible => {
                // The leg tells that somebody stopped only after its own silence, so a short word looks so
                // much longer than it was.
                let enough = TALKED_OVER + self.rules().turn_silence;
                self.timers.set(Timer::TalkedOver, self.now + enough);
            }
            Turns::Held if self.config.interruptible => self.barge_in(),
            Turns::Held => {}
        }
    }

    fn on_speech_stopped(&mut self) {
        self.somebody_is_heard();
        self.floor.caller_since = None;
        self.floor.caller_stopped = Some(self.now);
        self.timers.clear(Timer::TalkedOver);
        self.timers.clear(Timer::CallerQuiet);
        self.may_go_on_soon();
    }

    fn on_turn_committed(&mut self, item: ItemId) {
        self.tally.turns += 1;
        self.caller_said_something();
        self.transcript.begin(self.age(), Speaker::Caller, item);
        if self.phase != Phase::Live {
            return;
        }
        self.turn_begins(item);
        match self.floor.turns {
            Turns::Live if self.floor.answer == Answer::None => self.owe(Ask::Turn),
            Turns::Live => {}
            Turns::Held if self.is_asking_consent() => self.consent_spoken_into(),
            // A word into the greeting needs no answer of its own: the greeting is one.
            Turns::Held if self.is_greeting() => {}
            Turns::Held => {
                self.reply();
                self.take_turns_live();
            }
        }
    }

    pub(crate) fn reply(&mut self) {
        self.turn_is_asked();
        match self.floor.answer {
            Answer::None => self.owe(Ask::Reply),
            Answer::Owed { .. } | Answer::Failed { .. } => return, // one answer is enough
            Answer::Making { .. } if self.floor.reply_queued => return,
            Answer::Making { .. } => self.floor.reply_queued = true,
        }
        self.leg(LegCommand::Reply);
    }

    /// The leg may take its turns by itself from now on, unless this agent is never interrupted.
    pub(crate) fn take_turns_live(&mut self) {
        if self.config.interruptible && self.floor.turns == Turns::Held {
            self.floor.turns = Turns::Live;
            self.leg(LegCommand::TakeTurns(Turns::Live));
        }
    }

    fn on_reply_started(&mut self, reply: ReplyId) {
        self.floor.newest = self.floor.newest.max(Some(reply));
        self.tally.replies += 1;
        if !self.has_a_voice() {
            self.floor.silence();
            return;
        }
        let to = match std::mem::replace(&mut self.floor.answer, Answer::None) {
            Answer::Owed { to, .. } | Answer::Failed { to } => to,
            Answer::None | Answer::Making { .. } => Ask::Turn,
        };
        self.floor.reply_queued = false;
        self.tools_are_known(&to);
        self.floor.answer = Answer::Making { to, reply };
        self.timers.clear(Timer::RetryReply);
        if self.phase == Phase::Live {
            self.timers.set(Timer::ReplyDue, self.now + self.rules().patience);
        }
    }

    fn on_item_started(&mut self, reply: ReplyId, item: ItemId) {
        if !self.has_a_voice() {
            return;
        }
        if self.floor.is_silenced(reply) {
            // It was interrupted before it had a place in the history: take it out again.
            return self.leg(LegCommand::Forget { item });
        }
        self.still_thinking(reply);
        self.playout.announce(reply, item);
        self.transcript.begin(self.age(), Speaker::Agent, item);
        self.turn_has_item(reply, item);
    }

    fn on_speech_done(&mut self, reply: ReplyId, item: ItemId) {
        if self.has_a_voice() && !self.floor.is_silenced(reply) {
            self.finish_item(item);
        }
    }

    fn on_words(&mut self, speaker: Speaker, item: ItemId, text: String, whole: bool) {
        self.transcript.words(item, &text, whole);
        if let (Some(recent), Speaker::Caller, true, None) =
            (&mut self.recent, speaker, whole, self.floor.caller_since)
        {
            recent.is_known();
        }
        match speaker {
            Speaker::Agent => self.turn_has_words(item),
            Speaker::Caller if whole => self.turn_is_known(item),
            Speaker::Caller => {}
        }
        self.caller_is_there(speaker, &text);
        self.note(Note::Words { speaker, item, text, whole });
    }

    fn on_reply_done(&mut self, reply: ReplyId, outcome: Outcome) {
        if !self.floor.is_making(reply) {
            return; // interrupted, and its successor may already be under way
        }
        self.timers.clear(Timer::ReplyDue);
        self.finish_items(reply);
        let Answer::Making { to, .. } = std::mem::replace(&mut self.floor.answer, Answer::None) else {
            return;
        };
        if self.apologises {
            return self.apology_is_over();
        }
        self.consent_may_be_said(&to, &outcome);
        match outcome {
            Outcome::Completed | Outcome::Cancelled | Outcome::Incomplete => {
                self.floor.failures = 0;
                if let Some(recent) = &mut self.recent {
                    recent.is_answered();
                }
            }
            Outcome::FailedForNow(failure) if self.floor.failures >= MOST_FAILURES => {
                self.floor.failures = 0;
                return if self.rules().speaks_alone {
                    self.leg_only_speaks(failure)
                } else {
                    self.leg_lost(failure)
                };
            }
            Outcome::FailedForNow(failure) => {
                self.floor.failures += 1;
                self.note(Note::Retry(failure.kind));
                if self.floor.caller_since.is_none() {
                    self.floor.answer = Answer::Failed { to };
                    self.timers.set(Timer::RetryReply, self.now + RETRY_AFTER * self.floor.failures);
                }
            }
        }
        self.press_when_all_is_said();
        self.go_on();
        self.on_tape_moved();
    }

    pub(crate) fn on_retry_reply(&mut self) {
        let Answer::Failed { to } = std::mem::replace(&mut self.floor.answer, Answer::None) else { return };
        match to {
            Ask::Say(text) => self.say(text),
            Ask::Reply | Ask::Turn => self.reply(),
        }
    }

    /// The answer did not begin, or did not go on.
    pub(crate) fn on_reply_due(&mut self) {
        if self.switch.is_some() {
            return; // it is asked for again when there is a leg
        }
        match &mut self.floor.answer {
            Answer::Owed { to: Ask::Turn, nudged } if !*nudged => {
                *nudged = true;
                self.timers.set(Timer::ReplyDue, self.now + self.rules().patience / 2);
                self.leg(LegCommand::Reply);
            }
            Answer::Owed { .. } | Answer::Making { .. } => {
                self.leg_failed(FailureKind::Stalled, "no answer to the caller");
            }
            Answer::None | Answer::Failed { .. } => {}
        }
    }

    fn still_thinking(&mut self, reply: ReplyId) {
        if self.floor.is_making(reply) && self.timers.is_set(Timer::ReplyDue) {
            self.timers.set(Timer::ReplyDue, self.now + self.rules().patience);
        }
    }

    /// The caller talks over the agent: be quiet at once, and let the history end where the caller stopped
    /// listening.
    pub(crate) fn barge_in(&mut self) {
        if self.phase != Phase::Live {
            return;
        }
        self.stay();
        self.press_nothing();
        self.floor.opening = Opening::Over;
        let making = match std::mem::replace(&mut self.floor.answer, Answer::None) {
            Answer::None => false,
            Answer::Owed { .. } | Answer::Making { .. } | Answer::Failed { .. } => true,
        };
        self.timers.clear(Timer::ReplyDue);
        self.timers.clear(Timer::RetryReply);
        self.floor.reply_queued = false;
        self.floor.silence();
        let playing = self.has_audio();
        if making || playing {
            self.turn_is_interrupted();
        }
        if playing {
            self.tally.barge_ins += 1;
            self.carrier(CarrierCommand::Clear);
        }
        if making {
            self.leg(LegCommand::Cancel);
        }
        self.take_back();
        if playing {
            self.note(Note::BargeIn);
        }
    }

    /// Nothing more is played: the history ends where the caller stopped listening.
    pub(crate) fn take_back(&mut self) {
        for cut in self.cut_tape(self.now) {
            let (item, heard) = (cut.item, cut.heard);
            if is_tones(item) {
                continue;
            }
            self.transcript.cut(item, heard, cut.sent);
            if heard.is_zero() {
                self.leg(LegCommand::Forget { item });
            } else {
                self.leg(LegCommand::Truncate { item, heard });
            }
            let words = self.transcript.find(item).and_then(|line| line.heard.clone()).unwrap_or_default();
            self.note(Note::CutShort { item, heard, sent: cut.sent, words });
        }
    }

    pub(crate) fn finish_items(&mut self, reply: ReplyId) {
        for item in self.playout.open_items(reply) {
            self.finish_item(item);
        }
    }

    /// Something was played to its end, or nothing more will come: is it time for what waited for that?
    pub(crate) fn on_tape_moved(&mut self) {
        self.leave_when_all_is_heard();
        if self.playout.is_busy() {
            return;
        }
        self.somebody_is_heard();
        self.turn_ends_when_all_is_heard();
        match self.phase {
            Phase::Live if self.is_asking_consent() && self.floor.answer == Answer::None => {
                self.consent_is_over();
            }
            Phase::Live if self.is_greeting() && self.floor.answer == Answer::None => {
                self.floor.opening = Opening::Over;
                self.timers.clear(Timer::TalkedOver);
                // In the middle of a turn the leg's voice detector must not be touched: the turn's end does it.
                if self.floor.caller_since.is_none() {
                    self.take_turns_live();
                }
            }
            Phase::Closing(_) if self.apologises => {}
            Phase::Closing(_) => self.close_now(),
            Phase::Lobby { .. } | Phase::Connecting { .. } | Phase::Live | Phase::Over => {}
        }
    }
}

/// So long the caller must talk over the greeting to cut it: longer than "Hello?" or a cough, shorter than a
/// sentence.
const TALKED_OVER: Duration = Duration::from_millis(700);

/// Carriers take any length; half a minute in one message would be lost as one.
const LONGEST_MESSAGE: Duration = Duration::from_millis(960);

/// A failed answer is asked for again after one and after two seconds, then the leg is given up.
const MOST_FAILURES: u32 = 2;
const RETRY_AFTER: Duration = Duration::from_secs(1);
