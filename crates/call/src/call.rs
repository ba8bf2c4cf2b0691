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
    Audio, CarrierCommand, CarrierEvent, Closing, Config, EndReason, FailureKind, LegCommand, LegEvent,
    LegRules, Meter, Note, RefusalCode, Say, Started, Summary, Tally, Timer, ToolEnd, ToolId, Turns,
    allowance::Allowance,
    consent::Consent,
    failover::{Recent, Switch},
    feed::Feed,
    floor::{Answer, Ask, Floor, Opening},
    gaps::Gaps,
    hold::Hold,
    hush::Hush,
    leaving::Leaving,
    numbers::Numbers,
    playout::Playout,
    presence::Presence,
    pulse::{Beat, Pulse},
    recording::{Recording, Stereo},
    summary::LegUse,
    timers::Timers,
    tools::Tools,
    transcript::Transcript,
    turn_book::TurnBook,
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
    /// A tool that was run is done. The result is for the model.
    Tool {
        id: ToolId,
        end: ToolEnd,
        result: String,
    },
    /// Whether somebody takes the caller, after [`Command::HandOver`].
    HandedOver {
        id: ToolId,
        done: bool,
    },
    /// Everything that the carrier was to be sent is on the wire, after [`Command::TellWhenSent`].
    Sent,
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
    /// Open this leg, in place of the one that is there; these turns are in force from its first moment.
    Dial {
        leg: usize,
        turns: Turns,
    },
    Carrier(CarrierCommand),
    /// Answer with [`Input::Sent`] when the carrier's commands up to here are written to its socket.
    TellWhenSent,
    Leg(LegCommand),
    /// Run this one of the agent's tools; it is answered with [`Input::Tool`].
    Run {
        id: ToolId,
        tool: usize,
        arguments: String,
    },
    /// Arrange that this target takes the caller; it is answered with [`Input::HandedOver`].
    HandOver {
        id: ToolId,
        tool: usize,
        target: String,
    },
    /// Nobody waits for this one any more.
    StopTool(ToolId),
    Note(Note),
    /// Put this behind what was recorded before.
    Record(Stereo),
    /// The last command of all.
    End(Box<Summary>),
}

#[derive(Debug)]
pub struct Call {
    pub(crate) now: Instant,
    pub(crate) born: Instant,
    pub(crate) dialled: Instant,
    pub(crate) phase: Phase,
    pub(crate) config: Config,
    commands: VecDeque<Command>,
    pub(crate) timers: Timers,
    pub(crate) allowance: Allowance,
    pub(crate) gaps: Gaps,
    pub(crate) hush: Hush,
    pub(crate) hold: Hold,
    pub(crate) floor: Floor,
    pub(crate) playout: Playout,
    pub(crate) feed: Feed,
    /// What converting the caller's voice takes.
    pub(crate) caller_lag: Duration,
    /// The leg that is used or being opened, and those that were.
    pub(crate) leg_no: usize,
    pub(crate) legs: Vec<LegUse>,
    pub(crate) numbers: Numbers,
    pub(crate) switch: Option<Switch>,
    pub(crate) recent: Option<Recent>,
    /// The last sentence is being said.
    pub(crate) apologises: bool,
    pub(crate) leg_pulse: Pulse,
    pub(crate) carrier_pulse: Pulse,
    pub(crate) transcript: Transcript,
    pub(crate) book: TurnBook,
    pub(crate) tools: Tools,
    pub(crate) leaving: Option<Leaving>,
    pub(crate) presence: Presence,
    /// Keys that the agent was not told of yet.
    pub(crate) pressed: String,
    pub(crate) consent: Consent,
    /// Nothing while the call is not recorded.
    pub(crate) recording: Option<Box<Recording>>,
    /// Where in the call its recording begins.
    pub(crate) recorded_from: Option<Duration>,
    pub(crate) tally: Tally,
    pub(crate) usage: Meter,
    pub(crate) first_audio: bool,
    pub(crate) was_live: bool,
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
            hush: Hush::default(),
            hold: Hold::default(),
            floor: Floor::default(),
            playout: Playout::default(),
            feed: Feed::default(),
            caller_lag: Duration::ZERO,
            leg_no: 0,
            legs: Vec::new(),
            numbers: Numbers::default(),
            switch: None,
            recent: None,
            apologises: false,
            leg_pulse: Pulse::of_leg(now),
            carrier_pulse: Pulse::of_carrier(now),
            transcript: Transcript::default(),
            book: TurnBook::default(),
            tools: Tools::default(),
            leaving: None,
            presence: Presence::default(),
            pressed: String::new(),
            consent: Consent::default(),
            recording: None,
            recorded_from: None,
            tally: Tally::default(),
            usage: Meter::default(),
            first_audio: false,
            was_live: false,
        }
    }

    /// Takes one input. Afterwards take commands until there are none, then wait.
    pub fn handle(&mut self, now: Instant, input: Input) {
        self.now = self.now.max(now); // a late event must not turn the clock back
        while let Some((due, timer)) = self.timers.pop_expired(self.now) {
            if timer.judges_a_peer() && self.now - due > LATE {
                // This machine stood still. What was said to it meanwhile is still to be read.
                self.timers.set(timer, self.now + LATE);
            } else {
                self.on_timer(timer); // deadlines first: a busy socket cannot starve them
            }
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
            Input::Tool { id, end, result } => self.on_tool_ended(id, end, result),
            Input::HandedOver { id, done } => self.on_handed_over(id, done),
            Input::Sent => self.on_sent(),
            Input::Stop => self.finish(EndReason::Drained),
            Input::Tick => {}
        }
        self.give_recording();
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
            Timer::LegQuiet => self.check_leg(),
            Timer::CarrierQuiet => self.check_carrier(),
            Timer::ReplyDue => self.on_reply_due(),
            Timer::RetryReply => self.on_retry_reply(),
            Timer::TalkedOver => self.barge_in(),
            Timer::Consent => self.on_consent_unheard(),
            Timer::CallerQuiet => self.on_caller_quiet(),
            Timer::ToolDue => self.on_tool_due(),
            Timer::Filler => self.on_filler(),
            Timer::GoOn => self.go_on(),
            Timer::Leaving => self.on_leaving(),
            Timer::Idle => self.on_idle(),
            Timer::Keys => self.on_keys_pressed(),
            Timer::Renew => self.on_renew(),
            Timer::TurnTold => self.tell_turns(),
            Timer::Warning => self.on_warning(),
            Timer::MaxDuration => self.finish(EndReason::MaxDuration),
            Timer::Closing => self.close_now(),
            Timer::Feed => self.feed_tape(true),
            Timer::Mark => self.on_mark_overdue(),
        }
    }

    /// Before the leg can hear it, the caller's voice waits.
    pub(crate) fn hear(&mut self, audio: Audio) {
        match self.phase {
            Phase::Lobby { .. } | Phase::Connecting { .. } => {
                self.tally.frames_dropped += self.hold.push(audio)
            }
            Phase::Live => {
                if let (Some(recent), None) = (&mut self.recent, &self.switch) {
                    recent.hears(audio.clone());
                }
                self.leg(LegCommand::Hear(audio));
            }
            Phase::Closing(_) | Phase::Over => {}
        }
    }

    pub(crate) fn say(&mut self, text: String) {
        self.turn_has_filler();
        self.leg(LegCommand::Say(Say { text: text.clone() }));
        if self.floor.answer == Answer::None {
            self.owe(Ask::Say(text));
        }
    }

    /// From now on an answer is due.
    pub(crate) fn owe(&mut self, to: Ask) {
        let patience = match to {
            Ask::Turn => self.rules().patience / 2, // half for the leg's own answer, half for a nudge
            Ask::Say(_) | Ask::Reply => self.rules().patience,
        };
        self.floor.answer = Answer::Owed { to, nudged: false };
        self.timers.set(Timer::ReplyDue, self.now + patience);
    }

    fn check_leg(&mut self) {
        match self.leg_pulse.check(self.now) {
            Beat::Fine(again) => self.timers.set(Timer::LegQuiet, again),
            Beat::Ask(again) => {
                self.timers.set(Timer::LegQuiet, again);
                self.leg(LegCommand::Ping);
            }
            Beat::Dead => self.leg_failed(FailureKind::Stalled, ""),
        }
    }

    fn check_carrier(&mut self) {
        match self.carrier_pulse.check(self.now) {
            Beat::Fine(again) => self.timers.set(Timer::CarrierQuiet, again),
            Beat::Ask(again) => {
                self.timers.set(Timer::CarrierQuiet, again);
                self.carrier(CarrierCommand::Ping);
            }
            Beat::Dead => self.end_with(EndReason::CarrierLost, Closing::Done),
        }
    }

    /// How long the call has lasted.
    pub(crate) fn age(&self) -> Duration {
        self.now - self.born
    }

    pub(crate) fn is_greeting(&self) -> bool {
        self.floor.opening == Opening::Greeting
    }

    /// What is special about the leg that is used.
    pub(crate) fn rules(&self) -> LegRules {
        self.config.legs.get(self.leg_no).copied().unwrap_or_default()
    }

    pub(crate) fn leg(&mut self, command: LegCommand) {
        if let LegCommand::ToolResult { id, result } = &command {
            self.transcript.tool_answered(*id, result);
        }
        if self.switch.is_some() {
            return self.without_leg(command);
        }
        match self.numbers.of_leg(command) {
            Ok(command) => self.push(Command::Leg(command)),
            Err(old) => self.of_history(old),
        }
    }

    pub(crate) fn carrier(&mut self, command: CarrierCommand) {
        self.record_agent(&command);
        self.push(Command::Carrier(command));
    }

    pub(crate) fn note(&mut self, note: Note) {
        self.push(Command::Note(note));
    }

    pub(crate) fn push(&mut self, command: Command) {
        self.commands.push_back(command);
    }
}

/// So late a deadline is met only by a machine that was paused or has far too much to do.
const LATE: Duration = Duration::from_millis(250);

/// From the open socket to a stream with a good token.
const START: Duration = Duration::from_secs(5);
