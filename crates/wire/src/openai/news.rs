//! What a message of OpenAI changes in its session.
//!
//! Messages come in the order in which the server did things, but they cross with ours: audio follows a
//! cancel, a refusal follows the response that caused it. So each is judged by the ids it bears and by what
//! the server had in force when it wrote it. One about a reply or item that we do not know is odd, no more.

use call::{Failure, FailureKind, ItemId, LegEvent, Oddity, Outcome, ReplyId, Turns, Usage};

use super::{
    client,
    creates::Refused,
    failure::{self, Class, ProviderError},
    server::{Message, ReplyDone, Updated},
    session::{Phase, Session},
};
use crate::loose::Text;

impl Session {
    pub(super) fn on_message(&mut self, message: Message<'_>) {
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
                Some(reply) => {
                    self.item(&item, reply);
                }
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
            Message::ToolCalled { reply, call, name, arguments } => match self.reply(&reply) {
                Some(reply) => {
                    let id = self.tool_calls.called(call);
                    self.events.push_back(LegEvent::ToolCalled { reply, id, name, arguments });
                }
                None => self.odd(Oddity::UnknownEvent),
            },
            Message::ElsewhereAnnounced { item, server, name } => {
                self.tool_calls.announced(item, server, name);
            }
            Message::ElsewhereRuns { reply, item, arguments } => {
                let call = item.some().and_then(|item| self.tool_calls.runs(item));
                match (self.reply(&reply), call) {
                    (Some(reply), Some((id, server, name))) => {
                        let event = LegEvent::ToolElsewhere { reply, id, server, name, arguments };
                        self.events.push_back(event);
                    }
                    _ => self.odd(Oddity::UnknownEvent),
                }
            }
            Message::ElsewhereDone { item, failed, result } => match self.tool_calls.elsewhere(&item) {
                Some(id) => self.events.push_back(LegEvent::ToolElsewhereDone { id, failed, result }),
                None => self.odd(Oddity::UnknownEvent),
            },
            Message::ServerFailed => self.odd(Oddity::OwnError),
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
        let Some(reply) = self.names.begin_reply(response_id) else { return self.odd(Oddity::UnknownEvent) };
        let server_creates = self.turns.in_force == Turns::Live;
        if self.creates.created(response_id, purpose, server_creates) {
            self.events.push_back(LegEvent::ReplyUnwanted { reply });
            self.cancel(response_id);
        } else {
            self.events.push_back(LegEvent::ReplyStarted { reply });
        }
    }

    fn on_reply_done(&mut self, done: &ReplyDone<'_>) {
        let Some(id) = done.reply.some() else { return self.nonsense() };
        self.creates.done(id);
        let Some(reply) = self.names.finish_reply(id) else {
            self.send_create();
            return self.odd(Oddity::UnknownEvent);
        };
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
        let mut usage = done.usage;
        if usage == Usage::default() && !matches!(outcome, Outcome::FailedForNow(_)) {
            usage.untold_answers = 1; // a server that does not count
        }
        self.events.push_back(LegEvent::ReplyDone { reply, outcome, usage });
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
        if about.is_none() && error.is_about_an_item() {
            return self.odd(if class == Class::OwnBug { Oddity::OwnError } else { Oddity::BenignError });
        }
        let server_creates = self.turns.in_force == Turns::Live;
        match (self.creates.refused(about, class, server_creates), class) {
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
            (Refused::Settled, _) => {
                self.odd(Oddity::BenignError);
                self.send_create();
            }
            // A bad moment of theirs that names nothing of ours is among these: what it spoils says so itself.
            (Refused::NotOurs, _) => self.odd(Oddity::BenignError),
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

    fn reply(&self, id: &Text<'_>) -> Option<ReplyId> {
        self.names.reply(id.some()?).map(|reply| reply.number)
    }

    /// The item's number. One that was not announced, as other servers may do, is announced now.
    fn item(&mut self, id: &str, reply: ReplyId) -> ItemId {
        let (item, new) = self.names.item_of(id, Some(reply));
        if new {
            self.events.push_back(LegEvent::ItemStarted { reply, item });
        }
        item
    }
}
