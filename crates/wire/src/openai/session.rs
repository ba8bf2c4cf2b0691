//! What to do next in a session with OpenAI.
//!
//! Until `session.updated` shows µ-law both ways, the provider would hear our audio as 24 kHz PCM: so
//! [`LegEvent::Ready`] waits for it, and caller audio before that is dropped. What the server has in force
//! is what its last `session.updated` said, not what we last asked for.
//!
//! Bounded by construction: a message gives at most four events and three frames, a command at most two
//! frames (or one for each entry of a history, whose length is the call's to bound), and whoever owns the session takes them all after each. Should it not, [`UNTAKEN`] ends the leg.

use std::{collections::VecDeque, fmt};

use bytes::{Bytes, BytesMut};
use call::{Failure, FailureKind, LegCommand, LegEvent, Oddity, Say, Turns, Usage};
use serde_json::Value;

use super::{
    client,
    creates::{Creates, What},
    failure,
    names::{Cut, Names},
    remembered::Remembered,
    server,
    setup::Setup,
    tool_calls::ToolCalls,
};
use crate::protocol::{Frame, Protocol};

/// One session, from the open socket to its close.
pub struct Session {
    pub(super) setup: Setup,
    pub(super) phase: Phase,
    pub(super) turns: TurnTaking,
    pub(super) creates: Creates,
    pub(super) names: Names,
    pub(super) tool_calls: ToolCalls,
    remembered: Remembered,
    malformed: u32,
    last_event_id: u32,
    hear_buffer: BytesMut,
    pub(super) events: VecDeque<LegEvent>,
    pub(super) frames: VecDeque<Frame>,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// Waits for `session.created`.
    Greeting,
    /// Waits for `session.updated`, or for an error about this event.
    SettingUp {
        event_id: String,
    },
    Ready,
    /// It failed, and said so.
    Failed,
    /// We said goodbye.
    Closed,
}

/// Who answers: as it is, as it is wanted, and the one update between that is not answered yet.
#[derive(Debug)]
pub(super) struct TurnTaking {
    pub in_force: Turns,
    pub wanted: Turns,
    pub asked: Option<(String, Turns)>,
}

impl Session {
    pub fn new(setup: Setup) -> Self {
        let turns = TurnTaking { in_force: setup.turns, wanted: setup.turns, asked: None };
        Self {
            setup,
            phase: Phase::Greeting,
            turns,
            creates: Creates::default(),
            names: Names::default(),
            tool_calls: ToolCalls::default(),
            remembered: Remembered::default(),
            malformed: 0,
            last_event_id: 0,
            hear_buffer: BytesMut::new(),
            events: VecDeque::new(),
            frames: VecDeque::new(),
        }
    }
}

impl Protocol for Session {
    type Event = LegEvent;
    type Command = LegCommand;

    /// Takes one text message of the provider.
    fn read(&mut self, text: &Bytes) {
        if self.is_over() || !self.is_taken_from() {
            return;
        }
        match server::read(text) {
            Ok(message) => self.on_message(message),
            Err(server::Malformed) => self.nonsense(),
        }
    }

    /// Takes one binary message, of which there should be none.
    fn read_binary(&mut self, _: &Bytes) {
        if !self.is_over() && self.is_taken_from() {
            self.nonsense();
        }
    }

    /// The provider answered a ping.
    fn pong(&mut self) {
        if !self.is_over() && self.is_taken_from() {
            self.events.push_back(LegEvent::Alive);
        }
    }

    /// The provider closed the socket, or without a code: it broke.
    fn closed(&mut self, code: Option<u16>, reason: &str) {
        if !self.is_over() {
            self.fail(failure::closed(code, reason));
        }
    }

    /// Takes one command of the call.
    fn obey(&mut self, command: LegCommand) {
        if let LegCommand::Close = command {
            if self.phase != Phase::Closed {
                self.lose_the_answer();
                self.phase = Phase::Closed;
                self.frames.push_back(Frame::Close);
            }
            return;
        }
        if self.is_over() || !self.is_taken_from() {
            return;
        }
        match command {
            LegCommand::Hear(audio) => {
                if self.is_ready() && !audio.is_empty() {
                    self.frames.push_back(client::hear(&mut self.hear_buffer, &audio));
                }
            }
            LegCommand::Say(Say { text }) => self.create(What::Say(text)),
            LegCommand::Tell(text) => {
                let event_id = self.event_id();
                self.frames.push_back(client::tell(&event_id, &text));
            }
            LegCommand::Remember(past) => {
                for past in past {
                    let message = self.remembered.add(past);
                    self.send(message);
                }
            }
            LegCommand::Rewrite { item, words } => {
                for message in self.remembered.rewrite(item, &words) {
                    self.send(message);
                }
            }
            LegCommand::Reply => self.create(What::Reply),
            LegCommand::ToolResult { id, result } => {
                if let Some(call) = self.tool_calls.answered(id) {
                    let event_id = self.event_id();
                    self.frames.push_back(client::tool_result(&event_id, &call, &result));
                }
            }
            LegCommand::Cancel => {
                if let Some(response_id) = self.creates.cancel() {
                    self.cancel(&response_id);
                }
            }
            LegCommand::Truncate { item, heard } => {
                let event_id = self.event_id();
                self.frames.extend(self.names.cut(item, heard).map(|(id, cut)| match cut {
                    Cut::At { part, ms } => client::truncate(&event_id, id, part, ms),
                    Cut::Delete => client::delete(&event_id, id),
                }));
            }
            LegCommand::Forget { item } => {
                let event_id = self.event_id();
                self.frames.extend(self.names.forget(item).map(|id| client::delete(&event_id, id)));
            }
            LegCommand::TakeTurns(turns) => {
                self.turns.wanted = turns;
                self.settle_turns();
            }
            LegCommand::Ping => self.frames.push_back(Frame::Ping),
            LegCommand::Close => {}
        }
    }

    fn poll_event(&mut self) -> Option<LegEvent> {
        self.events.pop_front()
    }

    /// What goes to the provider next, in order.
    fn poll_frame(&mut self) -> Option<Frame> {
        self.frames.pop_front()
    }
}

impl Session {
    fn is_over(&self) -> bool {
        match self.phase {
            Phase::Greeting | Phase::SettingUp { .. } | Phase::Ready => false,
            Phase::Failed | Phase::Closed => true,
        }
    }

    pub(super) fn is_ready(&self) -> bool {
        self.phase == Phase::Ready
    }

    fn is_taken_from(&mut self) -> bool {
        let taken = self.events.len() < UNTAKEN && self.frames.len() < UNTAKEN;
        if !taken {
            self.fail(failure::failure(FailureKind::Stuck, "what it had to say was not taken"));
        }
        taken
    }

    fn create(&mut self, what: What) {
        if self.creates.ask(what) {
            self.send_create();
        } else {
            self.odd(Oddity::OwnError);
        }
    }

    pub(super) fn send_create(&mut self) {
        if !self.is_ready() || !self.creates.is_due() {
            return;
        }
        let event_id = self.event_id();
        self.frames.extend(self.creates.send(&event_id).map(|what| match what {
            What::Say(text) => client::say(&event_id, text),
            What::Reply => client::reply(&event_id),
        }));
    }

    pub(super) fn cancel(&mut self, response_id: &str) {
        let event_id = self.event_id();
        self.frames.push_back(client::cancel(&event_id, response_id));
    }

    fn send(&mut self, mut message: Value) {
        message["event_id"] = Value::String(self.event_id());
        self.frames.push_back(client::control(&message));
    }

    /// Asks for the turns that are wanted, one update at a time.
    pub(super) fn settle_turns(&mut self) {
        if !self.is_ready() || self.turns.asked.is_some() || self.turns.in_force == self.turns.wanted {
            return;
        }
        let event_id = self.event_id();
        self.frames.push_back(client::take_turns(&event_id, self.setup.turn, self.turns.wanted));
        self.turns.asked = Some((event_id, self.turns.wanted));
    }

    pub(super) fn event_id(&mut self) -> String {
        self.last_event_id = self.last_event_id.wrapping_add(1);
        format!("pc-{}", self.last_event_id)
    }

    /// What is being made is paid for, and nobody will say what it took.
    fn lose_the_answer(&mut self) {
        if !self.is_over() && self.creates.is_active() {
            let used = Usage { untold_answers: 1, ..Usage::default() };
            self.events.push_back(LegEvent::Used(used));
        }
    }

    pub(super) fn odd(&mut self, oddity: Oddity) {
        self.events.push_back(LegEvent::Odd(oddity));
    }

    pub(super) fn nonsense(&mut self) {
        self.malformed += 1;
        if !self.is_ready() {
            self.fail(failure::nonsense("its first messages cannot be understood"));
        } else if self.malformed > MALFORMED {
            self.fail(failure::nonsense("too many messages that cannot be understood"));
        } else {
            self.odd(Oddity::Malformed);
        }
    }

    pub(super) fn fail(&mut self, failure: Failure) {
        self.lose_the_answer();
        self.phase = Phase::Failed;
        self.events.push_back(LegEvent::Failed(failure));
    }
}

/// Without instructions and words.
impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session")
            .field("phase", &self.phase)
            .field("turns", &self.turns)
            .field("creates", &self.creates)
            .finish_non_exhaustive()
    }
}

/// In a call of an hour. A provider that goes on like that is not the one we agreed on a protocol with.
const MALFORMED: u32 = 16;

/// Events or frames that nobody took: twenty seconds of caller audio.
const UNTAKEN: usize = 1024;
