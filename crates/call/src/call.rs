//! From an open socket to its one end: what a phone call goes through.
//!
//! ```text
//! Lobby ── token known ──► Connecting ── admitted and leg ready ──► Live ──► Closing ──► Over
//! ```
//!
//! Token and stream arrive in either order. With a token in the path the leg is dialled before the carrier
//! has said a word; with a token in `start` the gate is asked first. Anything may end the call at any time,
//! and it ends exactly once.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use crate::{
    Audio, CarrierCommand, CarrierEvent, Closing, Config, EndReason, Failure, FailureKind, LegCommand,
    LegEvent, Note, RefusalCode, Say, Started, Summary, Tally, Timer, Turns, Usage,
    allowance::Allowance,
    floor::{Answer, Ask, Floor, Opening},
    gaps::Gaps,
    hold::Hold,
    playout::Playout,
    pulse::{ASK_AFTER, Beat, Pulse},
    timers::Timers,
    transcript::Transcript,
};

/// Something that happened.
#[derive(Clone, Debug, PartialEq)]
pub enum Input {
    Carrier(CarrierEvent),
    Leg(LegEvent),
    /// The gate knows the token and what it asks for. The stream may not have started yet.
    Token(Box<Config>),
    /// The gate has seen token and stream, and they belong together.
    Admitted,
    /// The gate says no.
    Refused(RefusalCode),
    /// The machine stops, and the grace period is over.
    Stop,
    /// Only the time has passed.
    Tick,
}

/// Something to do. Commands are obeyed in order.
#[derive(Clone, Debug, PartialEq)]
pub enum Command {
    /// Show the gate what the carrier said; it answers with [`Input::Token`] (unless it has) and
    /// [`Input::Admitted`], or with [`Input::Refused`].
    Admit(Box<Started>),
    /// Open the leg; these turns are in force from its first moment.
    Dial(Turns),
    Carrier(CarrierCommand),
    Leg(LegCommand),
    Note(Note),
    /// The last command of all.
    End(Box<Summary>),
}

#[derive(Debug)]
pub struct Call {
    pub(crate) now: Instant,
    born: Instant,
    dialled: Instant,
    pub(crate) phase: Phase,
    pub(crate) config: Config,
    commands: VecDeque<Command>,
    pub(crate) timers: Timers,
    pub(crate) allowance: Allowance,
    pub(crate) gaps: Gaps,
    hold: Hold,
    pub(crate) floor: Floor,
    pub(crate) playout: Playout,
    pub(crate) pulse: Pulse,
    pub(crate) transcript: Transcript,
    pub(crate) tally: Tally,
    pub(crate) usage: Usage,
    pub(crate) first_audio: bool,
    was_live: bool,
}

#[derive(Debug, PartialEq)]
pub(crate) enum Phase {
    /// Nothing is known of the call yet. `asked`: the stream has started and the gate is looking at it.
    Lobby {
        asked: bool,
    },
    /// The leg is being opened. `asked` as above; `admitted` and `ready` are the two things to wait for.
    Connecting {
        asked: bool,
        admitted: bool,
        ready: bool,
    },
    /// Caller and agent talk.
    Live,
    /// What is on the tape is played to its end; nothing new is.
    Closing(EndReason),
    Over,
}

impl Call {
    /// A carrier's socket has opened.
    pub fn new(now: Instant) -> Self {
        let mut timers = Timers::default();
        timers.set(Timer::Start, now + START);
        Self {
            now,
            born: now,
            dialled: now,
            phase: Phase::Lobby { asked: false },
            config: Config::default(),
            commands: VecDeque::new(),
            timers,
            allowance: Allowance::new(now),
            gaps: Gaps::default(),
            hold: Hold::default(),
            floor: Floor::default(),
            playout: Playout::default(),
            pulse: Pulse::new(now),
            transcript: Transcript::default(),
            tally: Tally::default(),
            usage: Usage::default(),
            first_audio: false,
            was_live: false,
        }
    }

    /// Takes one input. Afterwards take commands until there are none, then wait.
    pub fn handle(&mut self, now: Instant, input: Input) {
        self.now = self.now.max(now); // a late event must not turn the clock back
        while let Some(timer) = self.timers.pop_expired(self.now) {
            self.on_timer(timer); // deadlines first: a busy socket cannot starve them
        }
        if self.phase == Phase::Over {
            return; // crossed with the end
        }
        match input {
            Input::Carrier(event) => self.on_carrier(event),
            Input::Leg(event) => self.on_leg(event),
            Input::Token(config) => self.on_token(*config),
            Input::Admitted => self.on_admitted(),
            Input::Refused(code) => self.end(EndReason::Refused(code)),
            Input::Stop => self.finish(EndReason::Drained),
            Input::Tick => {}
        }
    }

    pub fn poll_command(&mut self) -> Option<Command> {
        self.commands.pop_front()
    }

    /// When to come back even if nothing happens, and what for.
    pub fn poll_timeout(&self) -> Option<(Instant, Timer)> {
        self.timers.next()
    }

    /// Nothing will happen any more. Commands may still be waiting.
    pub fn is_over(&self) -> bool {
        self.phase == Phase::Over
    }

    fn on_timer(&mut self, timer: Timer) {
        match timer {
            Timer::Start => self.end(EndReason::NeverStarted),
            Timer::LegReady => self.leg_failed(FailureKind::NotReady, ""),
            Timer::LegQuiet => self.check_pulse(),
            Timer::ReplyDue => self.on_reply_due(),
            Timer::RetryReply => self.on_retry_reply(),
            Timer::TalkedOver => self.barge_in(),
            Timer::CallerQuiet => self.on_caller_quiet(),
            Timer::Warning => self.on_warning(),
            Timer::MaxDuration => self.finish(EndReason::MaxDuration),
            Timer::Closing => self.close_now(),
        }
    }

    fn on_token(&mut self, config: Config) {
        let Phase::Lobby { asked } = self.phase else { return };
        // A greeting is protected from the first moment, so the leg must not stop it by itself.
        let held = config.greeting.is_some() || !config.interruptible;
        let turns = if held { Turns::Held } else { Turns::Live };
        self.floor.turns = turns;
        self.floor.opening = if config.greeting.is_some() { Opening::Greeting } else { Opening::Over };
        self.config = config;
        self.phase = Phase::Connecting { asked, admitted: false, ready: false };
        self.dialled = self.now;
        self.timers.set(Timer::LegReady, self.now + LEG_READY);
        self.push(Command::Dial(turns));
    }

    pub(crate) fn on_started(&mut self, started: Box<Started>) {
        match &mut self.phase {
            Phase::Lobby { asked } | Phase::Connecting { asked, .. } if !*asked => {
                *asked = true;
                self.push(Command::Admit(started));
            }
            Phase::Lobby { .. } | Phase::Connecting { .. } | Phase::Live => self.malformed(),
            Phase::Closing(_) | Phase::Over => {}
        }
    }

    fn on_admitted(&mut self) {
        let Phase::Connecting { asked: true, admitted, .. } = &mut self.phase else { return };
        if std::mem::replace(admitted, true) {
            return;
        }
        self.timers.clear(Timer::Start);
        self.timers.set(Timer::MaxDuration, self.now + self.config.max);
        if self.config.warning.is_some() && self.config.max > WARNING {
            self.timers.set(Timer::Warning, self.now + self.config.max - WARNING);
        }
        let probe = self.playout.probe(self.now);
        self.push(Command::Carrier(CarrierCommand::Mark(probe)));
        self.go_live();
    }

    pub(crate) fn on_leg_ready(&mut self) {
        let Phase::Connecting { ready, .. } = &mut self.phase else { return };
        if std::mem::replace(ready, true) {
            return;
        }
        self.timers.clear(Timer::LegReady);
        self.note(Note::LegReady { after: self.now - self.dialled });
        self.pulse = Pulse::new(self.now);
        self.timers.set(Timer::LegQuiet, self.now + ASK_AFTER);
        self.leg(LegCommand::Ping);
        self.go_live();
    }

    fn go_live(&mut self) {
        let Phase::Connecting { admitted: true, ready: true, .. } = self.phase else { return };
        self.phase = Phase::Live;
        self.was_live = true;
        while let Some(audio) = self.hold.pop() {
            self.leg(LegCommand::Hear(audio));
        }
        if let Some(greeting) = self.config.greeting.clone() {
            self.say(greeting);
        }
    }

    /// Before the leg can hear it, the caller's voice waits.
    pub(crate) fn hear(&mut self, audio: Audio) {
        match self.phase {
            Phase::Lobby { .. } | Phase::Connecting { .. } => {
                self.tally.frames_dropped += self.hold.push(audio)
            }
            Phase::Live => self.leg(LegCommand::Hear(audio)),
            Phase::Closing(_) | Phase::Over => {}
        }
    }

    pub(crate) fn say(&mut self, text: String) {
        self.leg(LegCommand::Say(Say { text: text.clone() }));
        if self.floor.answer == Answer::None {
            self.owe(Ask::Say(text));
        }
    }

    /// From now on an answer is due.
    pub(crate) fn owe(&mut self, to: Ask) {
        let patience = match to {
            Ask::Turn => self.config.patience / 2, // half for the leg's own answer, half for a nudge
            Ask::Say(_) | Ask::Reply => self.config.patience,
        };
        self.floor.answer = Answer::Owed { to, nudged: false };
        self.timers.set(Timer::ReplyDue, self.now + patience);
    }

    fn on_warning(&mut self) {
        if let (Phase::Live, Some(warning)) = (&self.phase, self.config.warning.clone()) {
            self.say(warning);
        }
    }

    fn check_pulse(&mut self) {
        match self.pulse.check(self.now) {
            Beat::Fine(again) => self.timers.set(Timer::LegQuiet, again),
            Beat::Ask(again) => {
                self.timers.set(Timer::LegQuiet, again);
                self.leg(LegCommand::Ping);
            }
            Beat::Dead => self.leg_failed(FailureKind::Stalled, ""),
        }
    }

    pub(crate) fn leg_failed(&mut self, kind: FailureKind, detail: &'static str) {
        let provider = self.config.leg;
        self.finish(EndReason::LegFailed(Failure { provider, kind, detail: detail.into() }));
    }

    /// Ends the call as soon as what the caller is hearing has been said, and at once when that is nothing.
    pub(crate) fn finish(&mut self, reason: EndReason) {
        if matches!(self.phase, Phase::Closing(_) | Phase::Over) {
            return;
        }
        if let (Answer::Making { reply, .. }, Phase::Live) = (&self.floor.answer, &self.phase) {
            let reply = *reply;
            self.leg(LegCommand::Cancel);
            self.finish_items(reply);
        }
        self.floor.silence();
        if !self.playout.has_audio() {
            return self.end(reason);
        }
        self.phase = Phase::Closing(reason);
        self.timers.clear_all();
        self.timers.set(Timer::Closing, self.now + LAST_WORDS);
    }

    /// In `Closing` the tape has been played, or has had its time.
    pub(crate) fn close_now(&mut self) {
        if let Phase::Closing(reason) = &self.phase {
            let reason = reason.clone();
            self.end(reason);
        }
    }

    pub(crate) fn end(&mut self, reason: EndReason) {
        let closing = match &reason {
            EndReason::CallerHungUp | EndReason::MaxDuration => Closing::Done,
            EndReason::CarrierLost => Closing::Malformed,
            EndReason::LegFailed(_) | EndReason::Internal => Closing::Failed,
            EndReason::Drained => Closing::GoingAway,
            EndReason::Refused(code) => Closing::Refused(*code),
            EndReason::NeverStarted => Closing::Refused(RefusalCode("start_timeout")),
        };
        self.end_with(reason, closing);
    }

    pub(crate) fn end_with(&mut self, reason: EndReason, closing: Closing) {
        if self.phase == Phase::Over {
            return;
        }
        self.push(Command::Carrier(CarrierCommand::Close(closing)));
        if !matches!(self.phase, Phase::Lobby { .. }) {
            self.leg(LegCommand::Close);
        }
        self.phase = Phase::Over;
        self.timers.clear_all();
        self.hold = Hold::default();
        self.tally.gaps = self.gaps.filled();
        let summary = Summary {
            reason,
            lasted: self.now - self.born,
            was_live: self.was_live,
            tally: self.tally,
            usage: self.usage,
            transcript: std::mem::take(&mut self.transcript).into_lines(),
        };
        self.push(Command::End(Box::new(summary)));
    }

    /// How long the call has lasted.
    pub(crate) fn age(&self) -> Duration {
        self.now - self.born
    }

    pub(crate) fn is_greeting(&self) -> bool {
        self.floor.opening == Opening::Greeting
    }

    pub(crate) fn leg(&mut self, command: LegCommand) {
        self.push(Command::Leg(command));
    }

    pub(crate) fn carrier(&mut self, command: CarrierCommand) {
        self.push(Command::Carrier(command));
    }

    pub(crate) fn note(&mut self, note: Note) {
        self.push(Command::Note(note));
    }

    fn push(&mut self, command: Command) {
        self.commands.push_back(command);
    }
}

/// From the open socket to a stream with a good token.
const START: Duration = Duration::from_secs(5);

/// From the dialled leg to one that takes audio. Long enough for a slow handshake far away, short enough that
/// the caller is still there when the main app takes over.
const LEG_READY: Duration = Duration::from_millis(4_500);

/// So long before the end the warning is spoken.
const WARNING: Duration = Duration::from_secs(30);

/// So long a sentence may go on after the call's end was decided.
const LAST_WORDS: Duration = Duration::from_secs(3);
