//! When the next `response.create` may go out.
//!
//! The provider makes one response at a time and refuses a create that meets another one, most often one
//! that it has just begun by itself. So ours go out one by one: sent, then active, then idle again with
//! `response.done`. A refused one goes back to the head of the queue and out again after the response that
//! was in its way, at most [`TRIES`] times, unless that response is the answer it asked for; no more than
//! [`PENDING`] wait.
//!
//! What the provider sends comes in order, but it crosses with what we send: that a create is on its way
//! does not mean that the next `response.created` is its own.

use std::collections::VecDeque;

use super::failure::Class;

#[derive(Debug, Default)]
pub(super) struct Creates {
    slot: Slot,
    /// The latest one we sent, until it is known what became of it.
    sent: Option<Sent>,
    pending: VecDeque<Create>,
}

#[derive(Debug, Default)]
enum Slot {
    #[default]
    Idle,
    /// A create of ours is on its way.
    Sent,
    /// A response is being made. Without an id, we know of it only by a refusal.
    Active { id: Option<String>, stopped: bool },
}

#[derive(Debug)]
struct Sent {
    event_id: String,
    create: Create,
    cancelled: bool,
}

#[derive(Debug)]
struct Create {
    what: What,
    tries: u8,
}

#[derive(Clone, PartialEq, Eq)]
pub(super) enum What {
    Say(String),
    Reply,
}

/// Without the words.
impl std::fmt::Debug for What {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Say(_) => "Say",
            Self::Reply => "Reply",
        })
    }
}

/// What an error meant for the create it was about.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Refused {
    /// It was about something else.
    NotOurs,
    /// It goes out again later, or is no longer wanted.
    Settled,
    /// It will not be made. `silent`: nothing else is being made either.
    Failed { silent: bool },
}

impl Creates {
    /// `false`: too many wait already, and this one is dropped.
    pub fn ask(&mut self, what: What) -> bool {
        if what == What::Reply && self.pending.back().is_some_and(|create| create.what == What::Reply) {
            return true; // one answer answers both
        }
        let room = self.pending.len() < PENDING;
        if room {
            self.pending.push_back(Create { what, tries: 0 });
        }
        room
    }

    /// Whether one may go out now.
    pub fn is_due(&self) -> bool {
        matches!(self.slot, Slot::Idle) && !self.pending.is_empty()
    }

    /// Takes the one that goes out now, under this event id.
    pub fn send(&mut self, event_id: &str) -> Option<&What> {
        if !self.is_due() {
            return None;
        }
        let create = self.pending.pop_front()?;
        self.slot = Slot::Sent;
        let sent = Sent { event_id: event_id.to_owned(), create, cancelled: false };
        Some(&self.sent.insert(sent).create.what)
    }

    /// A response has begun. `true`: it was cancelled before, and has to be told so now.
    ///
    /// It is surely ours if it bears our purpose or if the server begins none by itself.
    pub fn created(&mut self, id: &str, purpose: &str, server_creates: bool) -> bool {
        let surely_ours = self.sent.as_ref().is_some_and(|sent| {
            !server_creates || matches!(sent.create.what, What::Say(_)) && purpose == PURPOSE
        });
        let waited = surely_ours || matches!(self.slot, Slot::Sent);
        let stopped = waited && self.sent.as_ref().is_some_and(|sent| sent.cancelled);
        if surely_ours {
            self.sent = None;
        }
        self.slot = Slot::Active { id: Some(id.to_owned()), stopped };
        stopped
    }

    /// Whether a response is being made.
    pub fn is_active(&self) -> bool {
        matches!(self.slot, Slot::Active { .. })
    }

    /// A response is over.
    pub fn done(&mut self, done: &str) {
        if let Slot::Active { id, .. } = &self.slot
            && id.as_ref().is_none_or(|id| id == done)
        {
            self.slot = Slot::Idle;
        }
    }

    /// The server has stopped what is being made, as it does by itself when the caller speaks and turns are
    /// live. A cancel of ours would only draw an error then; when the caller has not spoken since the response
    /// began (the call has another reason to stop it), nobody else stops it and ours must go out.
    pub fn stopped_by_server(&mut self) {
        if let Slot::Active { stopped, .. } = &mut self.slot {
            *stopped = true;
        }
    }

    /// Nothing that was asked for is wanted any more. The id is that of a response which has to be
    /// cancelled now; one that has not begun yet is cancelled when it does.
    pub fn cancel(&mut self) -> Option<String> {
        self.pending.clear();
        match &mut self.slot {
            Slot::Idle => None,
            Slot::Sent => {
                if let Some(sent) = &mut self.sent {
                    sent.cancelled = true;
                }
                None
            }
            Slot::Active { id: None, .. } => {
                self.slot = Slot::Idle;
                None
            }
            Slot::Active { id: Some(id), stopped } => {
                if let Some(sent) = &mut self.sent {
                    sent.cancelled = true;
                }
                (!std::mem::replace(stopped, true)).then(|| id.clone())
            }
        }
    }

    /// An error came, about this event of ours if it says so.
    pub fn refused(&mut self, event_id: Option<&str>, class: Class, server_creates: bool) -> Refused {
        let on_its_way = matches!(self.slot, Slot::Sent);
        let about_it = match (event_id, &self.sent) {
            (_, None) => false,
            (Some(event_id), Some(sent)) => sent.event_id == event_id,
            (None, Some(_)) if class == Class::AlreadyActive => !matches!(self.slot, Slot::Idle),
            (None, Some(_)) => on_its_way && class != Class::Benign,
        };
        let Some(mut sent) = self.sent.take_if(|_| about_it) else { return Refused::NotOurs };
        if class != Class::AlreadyActive {
            if on_its_way {
                self.slot = Slot::Idle;
            }
            return Refused::Failed { silent: on_its_way };
        }
        if on_its_way {
            self.slot = Slot::Active { id: None, stopped: false };
        }
        sent.create.tries += 1;
        if sent.cancelled || server_creates && sent.create.what == What::Reply {
            // The server answers by itself, and what it is making is that answer: two would be one too many.
            Refused::Settled
        } else if sent.create.tries < TRIES {
            self.pending.push_front(sent.create); // it left the queue, so there is room for one more
            Refused::Settled
        } else {
            Refused::Failed { silent: false }
        }
    }
}

/// Comes back in `response.created`.
pub(super) const PURPOSE: &str = "say";

/// A greeting, a warning, an answer: more than these would be talk that nobody waits for.
pub(super) const PENDING: usize = 4;

/// Each try waits for the end of another response, so this many in a row is not chance.
pub(super) const TRIES: u8 = 3;
