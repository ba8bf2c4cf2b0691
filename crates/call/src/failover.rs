//! What happens when a leg dies: the next one takes the conversation over.
//!
//! What the old leg has sent is still played; nothing more of it comes. The new one is told what was heard, hears
//! what the old one may have missed of the caller's words, and owes what the old one owed. Until it is ready
//! the call goes on without a leg: the caller's voice waits, tools run, the tape plays.

use std::{collections::VecDeque, time::Duration};

use crate::{
    Audio, Call, CarrierCommand, EndReason, Failure, ItemId, LegCommand, Note, Say, Timer, Turns,
    call::Phase,
    floor::{Answer, Ask},
    history::{self, Past},
    hold::Hold,
    pulse::Pulse,
    summary::{LegEnd, LegUse},
};

/// No leg is there, and another one is being opened.
#[derive(Debug, Default)]
pub(crate) struct Switch {
    /// The old one died in the middle of an answer, of which something is to be heard.
    cut_off: bool,
    /// Who takes turns, as the new leg was told when it was dialled.
    turns: Option<Turns>,
    /// It is a session that was opened anew, and may be dialled once more.
    once_more: bool,
    /// What the old one answered nobody knows in words: the new one hears it, and answers from the beginning.
    answers_anew: bool,
    /// To be said and told when it is there.
    later: VecDeque<LegCommand>,
}

/// The caller's latest words, for a leg that has not heard them. Only kept while there is another leg.
#[derive(Debug)]
pub(crate) struct Recent {
    sound: Hold,
    /// The caller says something, and nobody knows what yet.
    open: bool,
    /// It is being answered already: a leg writes down what it heard later than it understands it.
    answered: bool,
}

impl Default for Recent {
    fn default() -> Self {
        Self { sound: Hold::of(LEAD), open: false, answered: false }
    }
}

impl Recent {
    pub fn hears(&mut self, audio: Audio) {
        self.sound.push(audio);
    }

    pub fn begins(&mut self) {
        (self.open, self.answered) = (true, false);
        self.sound.keep(LONGEST_TURN);
    }

    /// Something was said that is neither known nor answered.
    pub fn is_open(&self) -> bool {
        self.open
    }

    /// The first sound of an answer is there.
    pub fn is_being_answered(&mut self) {
        self.answered = self.open;
    }

    /// Something was said that is not known, and of the answer to it a part is there.
    fn is_answered_in_part(&self) -> bool {
        self.open && self.answered
    }

    /// The whole answer is there.
    pub fn is_answered(&mut self) {
        if self.answered {
            self.is_known();
        }
    }

    /// What was said is known, or answered.
    pub fn is_known(&mut self) {
        if std::mem::take(&mut self.open) {
            // Its last sound must not be heard again in front of the next sentence.
            self.sound.keep(EDGE);
            self.sound.keep(LEAD);
        }
    }
}

impl Call {
    /// This leg cannot go on.
    pub(crate) fn leg_lost(&mut self, failure: Failure) {
        self.apology_is_over();
        if matches!(self.phase, Phase::Closing(_) | Phase::Over | Phase::Lobby { .. }) {
            return self.finish(EndReason::LegFailed(failure));
        }
        if self.switch.as_mut().is_some_and(|switch| std::mem::take(&mut switch.once_more)) {
            self.leg_ends(LegEnd::Failed(failure));
            self.leg(LegCommand::Close);
            return self.dial();
        }
        if self.is_last_leg() {
            self.leg_ends(LegEnd::Failed(failure.clone()));
            let goodbye_is_said = self.is_hanging_up();
            return self.finish(if goodbye_is_said {
                EndReason::AgentHungUp
            } else {
                EndReason::LegFailed(failure)
            });
        }
        self.leg_no += 1;
        self.note(Note::LegLost { failure: failure.clone(), next: self.leg_no });
        self.replace_leg(LegEnd::Failed(failure));
    }

    /// Lets this leg go and opens the one that `leg_no` names.
    pub(crate) fn replace_leg(&mut self, why: LegEnd) {
        let renewed = why == LegEnd::Renewed;
        self.leg_ends(why);
        match &mut self.phase {
            Phase::Connecting { ready, .. } => *ready = false,
            _ if self.switch.is_some() => {}
            _ => {
                let answers_anew = self.recent.as_ref().is_some_and(Recent::is_answered_in_part);
                let cut_off = self.stop_at_what_was_sent();
                self.switch = Some(Switch { cut_off, once_more: renewed, answers_anew, ..Switch::default() });
                self.hold.keep(LAST_READY);
            }
        }
        self.leg(LegCommand::Close);
        self.dial();
        self.leave_when_all_is_heard();
    }

    pub(crate) fn leg_ends(&mut self, why: LegEnd) {
        if let Some(LegUse { end, .. }) = self.legs.last_mut() {
            *end = why;
        }
    }

    /// Nothing more of the answer comes. What is owed from here on, the next leg owes; whether the caller
    /// hears a part of an answer is returned.
    pub(crate) fn stop_at_what_was_sent(&mut self) -> bool {
        for timer in [Timer::ReplyDue, Timer::RetryReply, Timer::CallerQuiet, Timer::LegQuiet, Timer::Renew] {
            self.timers.clear(timer);
        }
        let unheard = self.recent.as_ref().is_some_and(Recent::is_open);
        let answered = self.recent.as_ref().is_some_and(Recent::is_answered_in_part);
        if unheard {
            self.transcript.forget_wordless(answered);
            self.turn_is_unheard();
        }
        self.floor.caller_since = None;
        let (to, begun) = match std::mem::replace(&mut self.floor.answer, Answer::None) {
            Answer::None => return false,
            Answer::Owed { to, .. } | Answer::Failed { to } => (to, Vec::new()),
            Answer::Making { to, reply } => {
                self.feed_tape(true);
                let sent = self.playout.sent_of(reply);
                self.finish_items(reply);
                (to, sent)
            }
        };
        self.floor.silence();
        let (begun, nothing): (Vec<_>, Vec<_>) = begun.into_iter().partition(|(_, sent)| !sent.is_zero());
        for (item, _) in nothing {
            self.transcript.heard(item, String::new());
        }
        let said: Vec<ItemId> = begun.into_iter().map(|(item, _)| item).collect();
        let owed = match to {
            // It was on its way out; whatever it was to add goes unsaid.
            _ if self.leaving.is_some() => None,
            Ask::Say(text) => self.unsaid(&text, &said).map(Ask::Say),
            // The new leg hears the question itself.
            Ask::Turn | Ask::Reply if unheard && (said.is_empty() || answered) => None,
            Ask::Turn | Ask::Reply => Some(Ask::Reply),
        };
        let cut_off = !said.is_empty() && owed == Some(Ask::Reply);
        if let Some(to) = owed {
            self.floor.answer = Answer::Owed { to, nudged: true };
        }
        cut_off
    }

    /// What is left of words of ours of which some were said.
    fn unsaid(&self, text: &str, said: &[ItemId]) -> Option<String> {
        let words = |item: &ItemId| {
            self.transcript.find(*item).map_or(0, |line| line.said.split_whitespace().count())
        };
        let said: usize = said.iter().map(words).sum();
        let rest: Vec<&str> = text.split_whitespace().skip(said).collect();
        (!rest.is_empty()).then(|| rest.join(" "))
    }

    /// The new leg is there: it learns what was heard, hears what it missed, and goes on.
    pub(crate) fn take_over(&mut self) {
        if self.switch.as_ref().is_some_and(|switch| switch.answers_anew) && self.has_audio() {
            self.carrier(CarrierCommand::Clear);
            self.take_back();
        }
        let Some(Switch { cut_off, turns, later, .. }) = self.switch.take() else { return };
        let (lines, tools) = self.transcript.all();
        let mut past = history::told(lines, tools);
        past.extend(cut_off.then(history::cut_off));
        if !past.is_empty() {
            self.leg(LegCommand::Remember(past));
        }
        if turns != Some(self.floor.turns) {
            self.leg(LegCommand::TakeTurns(self.floor.turns));
        }
        let missed = self.recent.take().filter(|recent| recent.open);
        self.recent = self.recent_voice();
        if let (Some(recent), true) = (&mut self.recent, missed.is_some()) {
            recent.begins();
        }
        let mut missed = missed.map(|recent| recent.sound).unwrap_or_default();
        while let Some(audio) = missed.pop().or_else(|| self.hold.pop()) {
            if let Some(recent) = &mut self.recent {
                recent.hears(audio.clone());
            }
            self.leg(LegCommand::Hear(audio));
        }
        self.hold = Hold::default();
        self.press_when_all_is_said();
        if let Answer::Owed { to, .. } = std::mem::replace(&mut self.floor.answer, Answer::None) {
            match to {
                Ask::Say(text) => self.say(text),
                Ask::Reply | Ask::Turn => self.reply(),
            }
        }
        if std::mem::take(&mut self.floor.reply_queued) {
            self.reply();
        }
        for command in later {
            self.leg(command);
        }
        self.go_on();
    }

    /// No leg hears it now.
    pub(crate) fn without_leg(&mut self, command: LegCommand) {
        let waits = self.floor.answer != Answer::None;
        let Some(switch) = &mut self.switch else { return };
        match command {
            LegCommand::Hear(audio) => self.tally.frames_dropped += self.hold.push(audio),
            // Words that are the only ones owed are known as such, see `say`.
            LegCommand::Say(_) if !waits => {}
            LegCommand::Say(_) | LegCommand::Tell(_) if switch.later.len() < MOST_LATER => {
                switch.later.push_back(command);
            }
            LegCommand::Close => self.push(crate::Command::Leg(command)),
            // What was heard, what tools brought and what is owed stands in the call's own books.
            LegCommand::Say(Say { .. })
            | LegCommand::Tell(_)
            | LegCommand::Reply
            | LegCommand::ToolResult { .. }
            | LegCommand::Cancel
            | LegCommand::Truncate { .. }
            | LegCommand::Forget { .. }
            | LegCommand::TakeTurns(_)
            | LegCommand::Remember(_)
            | LegCommand::Rewrite { .. }
            | LegCommand::Ping => {}
        }
    }

    /// It is about something of an earlier leg: this one knows it as history.
    pub(crate) fn of_history(&mut self, command: LegCommand) {
        let command = match command {
            LegCommand::Truncate { item, .. } | LegCommand::Forget { item } => {
                let words = self.transcript.find(item).and_then(|line| line.heard.clone());
                LegCommand::Rewrite { item, words: words.unwrap_or_default() }
            }
            LegCommand::ToolResult { id, .. } => match self.transcript.tool(id) {
                Some(tool) => LegCommand::Remember(vec![Past::Fact(history::done(tool))]),
                None => return,
            },
            _ => return,
        };
        self.push(crate::Command::Leg(command));
    }

    /// Opens the leg that `leg_no` names.
    pub(crate) fn dial(&mut self) {
        let turns = self.floor.turns;
        match &mut self.switch {
            Some(switch) => switch.turns = Some(turns),
            None => self.recent = self.recent_voice(),
        }
        self.numbers.next_leg();
        self.usage.next_leg();
        self.legs.push(LegUse { leg: self.leg_no, from: self.age(), end: LegEnd::Used });
        self.dialled = self.now;
        let ready = if self.is_last_leg() { LAST_READY } else { READY };
        self.timers.set(Timer::LegReady, self.now + ready);
        self.push(crate::Command::Dial { leg: self.leg_no, turns });
    }

    pub(crate) fn is_last_leg(&self) -> bool {
        self.leg_no + 1 >= self.config.legs.len()
    }

    fn recent_voice(&self) -> Option<Recent> {
        (!self.is_last_leg()).then(Recent::default)
    }

    /// The leg that was dialled is ready.
    pub(crate) fn on_leg_ready(&mut self) {
        let first = match &mut self.phase {
            Phase::Connecting { ready, .. } if !*ready => {
                *ready = true;
                true
            }
            Phase::Live if self.switch.is_some() => false,
            _ => return,
        };
        self.timers.clear(Timer::LegReady);
        self.look_for_its_end();
        self.note(Note::LegReady { after: self.now - self.dialled });
        self.leg_pulse = Pulse::of_leg(self.now);
        self.timers.set(Timer::LegQuiet, self.leg_pulse.next_look());
        if first {
            self.leg(LegCommand::Ping);
            return self.go_live();
        }
        self.take_over();
        self.leg(LegCommand::Ping);
    }
}

/// From the dialled leg to one that takes audio, when another one could be tried instead.
const READY: Duration = Duration::from_secs(3);

/// The same when there is no other. Long enough for a slow handshake far away, short enough that the caller is
/// still there when the main app takes over.
const LAST_READY: Duration = Duration::from_millis(4_500);

/// A voice is noticed a moment after it began; this much before belongs to it.
const LEAD: Duration = Duration::from_millis(800);

/// A turn is known to be over only after so much silence; what came since may be the next one's first sound.
const EDGE: Duration = Duration::from_millis(200);

/// Of a longer turn the beginning is lost with the leg that heard it.
const LONGEST_TURN: Duration = Duration::from_secs(12);

/// Words of ours, and keys, that wait for a leg.
const MOST_LATER: usize = 8;
