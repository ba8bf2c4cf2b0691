//! What to do next in a session with OpenAI.
//!
//! Until `session.updated` shows µ-law both ways, the provider would hear our audio as 24 kHz PCM: so
//! [`LegEvent::Ready`] waits for it, and caller audio before that is dropped. What the server has in force
//! is what its last `session.updated` said, not what we last asked for.
//!
//! Bounded by construction: a message gives at most four events and three frames, a command at most two
//! frames, and whoever owns the session takes them all after each. Should it not, [`UNTAKEN`] ends the leg.

use std::{collections::VecDeque, fmt};

use bytes::{Bytes, BytesMut};
use call::{Failure, FailureKind, LegCommand, LegEvent, Oddity, Outcome, ReplyId, Say, Turns, Usage};

use super::{
    client::{self, Frame},
    creates::{Creates, Refused, What},
    failure::{self, Class, ProviderError},
    names::{Cut, Names},
    server::{self, Message, ReplyDone, Updated},
    setup::Setup,
};
use crate::loose::Text;

/// One session, from the open socket to its close.
pub struct Session {
    setup: Setup,
    phase: Phase,
    turns: TurnTaking,
    creates: Creates,
    names: Names,
    malformed: u32,
    last_event_id: u32,
    hear_buffer: BytesMut,
    events: VecDeque<LegEvent>,
    frames: VecDeque<Frame>,
}

#[derive(Debug, PartialEq, Eq)]
enum Phase {
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
struct TurnTaking {
    in_force: Turns,
    wanted: Turns,
    asked: Option<(String, Turns)>,
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
            malformed: 0,
            last_event_id: 0,
            hear_buffer: BytesMut::new(),
            events: VecDeque::new(),
            frames: VecDeque::new(),
        }
    }

    /// Takes one text message of the provider.
    pub fn read(&mut self, text: &Bytes) {
        if self.is_over() || !self.is_taken_from() {
            return;
        }
        match server::read(text) {
            Ok(message) => self.on_message(message),
            Err(server::Malformed) => self.nonsense(),
        }
    }

    /// Takes one binary message, of which there should be none.
    pub fn read_binary(&mut self) {
        if !self.is_over() && self.is_taken_from() {
            self.nonsense();
        }
    }

    /// The provider answered a ping.
    pub fn pong(&mut self) {
        if !self.is_over() && self.is_taken_from() {
            self.events.push_back(LegEvent::Alive);
        }
    }

    /// The provider closed the socket, or without a code: it broke.
    pub fn closed(&mut self, code: Option<u16>, reason: &str) {
        if !self.is_over() {
            self.fail(failure::closed(code, reason));
        }
    }

    /// Takes one command of the call.
    pub fn obey(&mut self, command: LegCommand) {
        if let LegCommand::Close = command {
            if self.phase != Phase::Closed {
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
                if self.phase == Phase::Ready && !audio.is_empty() {
                    self.frames.push_back(client::hear(&mut self.hear_buffer, &audio));
                }
            }
            LegCommand::Say(Say { text }) => self.create(What::Say(text)),
            LegCommand::Reply => self.create(What::Reply),
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

    pub fn poll_event(&mut self) -> Option<LegEvent> {
        self.events.pop_front()
    }

    /// What goes to the provider next, in order.
    pub fn poll_frame(&mut self) -> Option<Frame> {
        self.frames.pop_front()
    }

    fn is_over(&self) -> bool {
        match self.phase {
            Phase::Greeting | Phase::SettingUp { .. } | Phase::Ready => false,
            Phase::Failed | Phase::Closed => true,
        }
    }

    fn is_ready(&self) -> bool {
        self.phase == Phase::Ready
    }

    fn is_taken_from(&mut self) -> bool {
        let taken = self.events.len() < UNTAKEN && self.frames.len() < UNTAKEN;
        if !taken {
            self.fail(failure::failure(FailureKind::Stuck, "what it had to say was not taken"));
        }
        taken
    }

    fn on_message(&mut self, message: Message<'_>) {
        match message {
            Message::Created => self.on_created(),
            Message::Updated(updated) => self.on_updated(&updated),
            Message::SpeechStarted { item } => {
                item.some().map(|id| self.names.item_of(id, None));
                if self.turns.in_force == Turns::Live {
                    self.creates.stopped_by_server();
                }
                self.events.push_back(LegEvent::SpeechStarted);
            }
            Message::SpeechStopped => self.events.push_back(LegEvent::SpeechStopped),
            Message::Committed { item } => match item.some() {
                Some(id) => {
                    let (item, _) = self.names.item_of(id, None);
                    self.events.push_back(LegEvent::TurnCommitted { item });
                }
                None => self.nonsense(),
            },
            Message::ReplyCreated { reply, purpose } => self.on_reply_created(&reply, &purpose),
            Message::ItemAdded { reply, item } => match self.reply(&reply) {
                Some(reply) if !item.is_empty() => {
                    self.item(&item, reply);
                }
                Some(_) => self.nonsense(),
                None => self.odd(Oddity::UnknownEvent),
            },
            Message::Audio { reply, item, part, audio } => {
                let (Some(reply), Some(id)) = (self.reply(&reply), item.some()) else {
                    return self.odd(Oddity::UnknownEvent);
                };
                let item = self.item(id, reply);
                if !audio.is_empty() {
                    self.names.count_audio(item, part, &audio);
                    self.events.push_back(LegEvent::Speech { reply, item, audio });
                }
            }
            Message::AudioDone { reply, item } => {
                let item = item.some().and_then(|id| self.names.item(id)).map(|item| item.number);
                match (self.reply(&reply), item) {
                    (Some(reply), Some(item)) => self.events.push_back(LegEvent::SpeechDone { reply, item }),
                    _ => self.odd(Oddity::UnknownEvent),
                }
            }
            Message::AgentWords { reply, item, text, whole } => {
                let (Some(reply), Some(id)) = (self.reply(&reply), item.some()) else {
                    return self.odd(Oddity::UnknownEvent);
                };
                let item = self.item(id, reply);
                self.events.push_back(LegEvent::AgentWords { item, text, whole });
            }
            Message::CallerWords { item, text, whole, usage } => {
                match item.some().and_then(|id| self.names.item(id)).map(|item| item.number) {
                    Some(item) => self.events.push_back(LegEvent::CallerWords { item, text, whole }),
                    None => self.odd(Oddity::UnknownEvent),
                }
                self.events.extend(usage.map(LegEvent::Used));
            }
            Message::TranscriptionFailed => self.odd(Oddity::BenignError),
            Message::ReplyDone(done) => self.on_reply_done(&done),
            Message::Error(error) => self.on_error(&error),
            Message::Idle => {}
            Message::Unknown => self.odd(Oddity::UnknownEvent),
        }
    }

    fn on_created(&mut self) {
        if self.phase != Phase::Greeting {
            return self.odd(Oddity::UnknownEvent);
        }
        let event_id = self.event_id();
        self.setup.turns = self.turns.wanted;
        self.frames.push_back(client::set_up(&event_id, &self.setup));
        self.phase = Phase::SettingUp { event_id };
    }

    fn on_updated(&mut self, updated: &Updated) {
        let setting_up = match self.phase {
            Phase::SettingUp { .. } => true,
            Phase::Ready => false,
            Phase::Greeting | Phase::Failed | Phase::Closed => return self.odd(Oddity::UnknownEvent),
        };
        if updated.ulaw == Some(false) || setting_up && updated.ulaw.is_none() {
            return self.fail(failure::nonsense("the session's formats are not audio/pcmu"));
        }
        let asked = self.turns.asked.take().map(|(_, turns)| turns);
        let expected = if setting_up { Some(self.setup.turns) } else { asked };
        let told = updated.interrupts.map(|interrupts| if interrupts { Turns::Live } else { Turns::Held });
        self.turns.in_force = told.or(expected).unwrap_or(self.turns.in_force);
        if setting_up {
            self.phase = Phase::Ready;
            self.events.push_back(LegEvent::Ready);
            self.send_create();
        }
        if expected.is_some_and(|turns| turns != self.turns.wanted) {
            self.settle_turns();
        }
    }

    fn on_reply_created(&mut self, response_id: &str, purpose: &str) {
        let Some(reply) = Some(response_id).filter(|id| !id.is_empty()).map(|id| self.names.begin_reply(id))
        else {
            return self.nonsense();
        };
        let Some(reply) = reply else { return self.odd(Oddity::UnknownEvent) };
        self.events.push_back(LegEvent::ReplyStarted { reply });
        let server_creates = self.turns.in_force == Turns::Live;
        if self.creates.created(response_id, purpose, server_creates) {
            self.cancel(response_id);
        }
    }

    fn on_reply_done(&mut self, done: &ReplyDone<'_>) {
        let Some(id) = done.reply.some() else { return self.nonsense() };
        let Some(reply) = self.names.finish_reply(id) else { return self.odd(Oddity::UnknownEvent) };
        self.creates.done(id);
        let error = done.error.as_ref();
        let outcome = match (&*done.status.0, error) {
            ("completed", _) => Outcome::Completed,
            ("cancelled", _) => Outcome::Cancelled,
            ("failed", Some(error)) => Outcome::FailedForNow(error.as_failure(FailureKind::Provider)),
            ("failed", None) => {
                Outcome::FailedForNow(failure::failure(FailureKind::Provider, "response failed"))
            }
            _ => Outcome::Incomplete,
        };
        let fatal = match (&outcome, error.map(ProviderError::class)) {
            (Outcome::FailedForNow(failure), Some(Class::Fatal(_))) => Some(failure.clone()),
            _ => None,
        };
        self.events.push_back(LegEvent::ReplyDone { reply, outcome, usage: done.usage });
        match fatal {
            Some(failure) => self.fail(failure),
            None => self.send_create(),
        }
    }

    fn on_error(&mut self, error: &ProviderError<'_>) {
        let class = error.class();
        let about = error.event_id.some();
        if let Class::Fatal(kind) = class {
            return self.fail(error.failure(kind));
        }
        if !self.is_ready() {
            let about_set_up = match &self.phase {
                Phase::SettingUp { event_id } => about.is_none_or(|about| about == event_id),
                Phase::Greeting | Phase::Ready | Phase::Failed | Phase::Closed => about.is_none(),
            };
            return match class {
                Class::Transient(kind) => self.fail(error.failure(kind)),
                Class::OwnBug if about_set_up => self.fail(error.failure(FailureKind::Refused)),
                Class::OwnBug => self.odd(Oddity::OwnError),
                Class::Benign | Class::AlreadyActive | Class::Fatal(_) => self.odd(Oddity::BenignError),
            };
        }
        if about.is_some() && about == self.turns.asked.as_ref().map(|(event_id, _)| event_id.as_str()) {
            self.turns.asked = None;
            return self.odd(Oddity::OwnError);
        }
        match (self.creates.refused(about, class), class) {
            (Refused::Failed { silent }, _) => {
                self.odd(Oddity::OwnError);
                if silent {
                    self.reply_never_begun(error.as_failure(FailureKind::Refused));
                }
                self.send_create();
            }
            (Refused::NotOurs, Class::OwnBug) => {
                if about.is_none() {
                    self.turns.asked = None; // it may be about this, and must not block the next one
                }
                self.odd(Oddity::OwnError);
            }
            (Refused::Settled | Refused::NotOurs, _) => self.odd(Oddity::BenignError),
        }
    }

    /// A create that failed before it had a response: told like one that failed at once, so that the call
    /// does not wait for an answer that nobody makes.
    fn reply_never_begun(&mut self, failure: Failure) {
        let reply = self.names.unnamed_reply();
        self.events.push_back(LegEvent::ReplyStarted { reply });
        let outcome = Outcome::FailedForNow(failure);
        self.events.push_back(LegEvent::ReplyDone { reply, outcome, usage: Usage::default() });
    }

    fn create(&mut self, what: What) {
        if self.creates.ask(what) {
            self.send_create();
        } else {
            self.odd(Oddity::OwnError);
        }
    }

    fn send_create(&mut self) {
        if !self.is_ready() || !self.creates.is_due() {
            return;
        }
        let event_id = self.event_id();
        self.frames.extend(self.creates.send(&event_id).map(|what| match what {
            What::Say(text) => client::say(&event_id, text),
            What::Reply => client::reply(&event_id),
        }));
    }

    fn cancel(&mut self, response_id: &str) {
        let event_id = self.event_id();
        self.frames.push_back(client::cancel(&event_id, response_id));
    }

    /// Asks for the turns that are wanted, one update at a time.
    fn settle_turns(&mut self) {
        if !self.is_ready() || self.turns.asked.is_some() || self.turns.in_force == self.turns.wanted {
            return;
        }
        let event_id = self.event_id();
        self.frames.push_back(client::take_turns(&event_id, self.setup.turn, self.turns.wanted));
        self.turns.asked = Some((event_id, self.turns.wanted));
    }

    fn reply(&self, id: &Text<'_>) -> Option<ReplyId> {
        self.names.reply(id.some()?).map(|reply| reply.number)
    }

    /// The item's number. One that was not announced, as other servers may do, is announced now.
    fn item(&mut self, id: &str, reply: ReplyId) -> call::ItemId {
        let (item, new) = self.names.item_of(id, Some(reply));
        if new {
            self.events.push_back(LegEvent::ItemStarted { reply, item });
        }
        item
    }

    fn event_id(&mut self) -> String {
        self.last_event_id = self.last_event_id.wrapping_add(1);
        format!("pc-{}", self.last_event_id)
    }

    fn odd(&mut self, oddity: Oddity) {
        self.events.push_back(LegEvent::Odd(oddity));
    }

    fn nonsense(&mut self) {
        self.malformed += 1;
        if !self.is_ready() {
            self.fail(failure::nonsense("its first messages cannot be understood"));
        } else if self.malformed > MALFORMED {
            self.fail(failure::nonsense("too many messages that cannot be understood"));
        } else {
            self.odd(Oddity::Malformed);
        }
    }

    fn fail(&mut self, failure: Failure) {
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
