//! Every decision of a phone call, and nothing else.
//!
//! A [`Call`] takes one [`Input`] at a time (something the carrier, the AI leg, the token gate or the clock
//! said) and answers with [`Command`]s for whoever owns the sockets. It opens no socket and reads no clock:
//! time comes in with each input, so the same inputs always give the same commands.
//!
//! The words it speaks are those of the phone, not of a vendor. `wire` translates each vendor's bytes to
//! and from [`CarrierEvent`], [`CarrierCommand`], [`LegEvent`] and [`LegCommand`].

pub mod audio;
pub mod carrier;
pub mod end;
pub mod leg;
pub mod ulaw;

pub use audio::{Audio, NotAudio};
pub use carrier::{CarrierCommand, CarrierEvent, Closing, Gone, MarkId, Started};
pub use end::{EndReason, RefusalCode};
pub use leg::{
    Failure, FailureKind, ItemId, LegCommand, LegEvent, Oddity, Outcome, ReplyId, Say, Turns, Usage,
};
