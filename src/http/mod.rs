//! The relay's own doors: how a carrier's socket gets in, and what monitors and routers can ask.
//!
//! A request passes, in this order: [`listen`] (the socket), [`serve`] (how many at once), [`head`] (size and
//! time, before anything is parsed), [`routes`], and for a call [`entrance`]: room, upgrade, origin,
//! signature, token. Only then is there a WebSocket, and the [`Switchboard`] has it.
//!
//! A connection carries one request. Upgrades take it with them, and for a health check every few seconds
//! keeping it open is worth nothing: so no half-sent second request can hold it.

mod early;
mod entrance;
mod head;
mod health;
mod listen;
mod origin;
pub mod plivo_signature;
mod refusal;
mod replay;
mod routes;
mod serve;
mod slots;
mod spellings;
mod standalone;
mod switchboard;
pub mod twilio_signature;
mod upgrade;

pub use self::{
    entrance::Entrance,
    listen::listen,
    refusal::Refused,
    routes::{ops, public},
    serve::{Limits, serve},
    slots::{Full, Slot, Slots},
    standalone::Reception,
    switchboard::{Ask, Presented, Switchboard},
};
