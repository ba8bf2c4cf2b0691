//! Every decision of a phone call, and nothing else.
//!
//! A [`Call`] takes one [`Input`] at a time (something the carrier, the AI leg, the token gate or the clock
//! said) and answers with [`Command`]s for whoever owns the sockets. It opens no socket and reads no clock:
//! time comes in with each input, so the same inputs always give the same commands.
//!
//! The words it speaks are those of the phone, not of a vendor. `wire` translates each vendor's bytes to
//! and from [`CarrierEvent`], [`CarrierCommand`], [`LegEvent`] and [`LegCommand`].

mod allowance;
mod apology;
mod audio;
mod beginning;
mod call;
mod carrier;
pub mod cascade;
mod config;
mod consent;
mod conversation;
pub mod echo;
mod end;
mod ending;
mod failover;
mod feed;
mod floor;
#[doc(hidden)]
pub mod fuzz;
mod gaps;
mod history;
mod hold;
mod hush;
mod keys;
mod latency;
mod leaving;
mod leg;
mod line;
mod numbers;
mod phone_clock;
mod playout;
mod presence;
mod pressing;
mod pulse;
mod recording;
mod renewal;
mod summary;
mod tape;
mod timers;
mod tones;
mod tools;
mod transcript;
mod turn_book;
pub mod ulaw;
mod usage;
pub mod voice;
mod witness;

#[cfg(debug_assertions)]
#[doc(hidden)]
pub use audio::decoded;
pub use audio::{Audio, NotAudio};
pub use call::{Call, Command, Input};
pub use carrier::{CarrierCommand, CarrierEvent, Closing, Gone, Lag, MarkId, Mended, Pieces, Started};
pub use config::{Config, LegRules, Record};
pub use end::{EndReason, RefusalCode};
pub use history::Past;
pub use latency::Segments;
pub use leg::{Failure, FailureKind, ItemId, LegCommand, LegEvent, Oddity, Outcome, ReplyId, Say, Turns};
pub use presence::Idle;
pub use recording::Stereo;
pub use summary::{LegEnd, LegUse, Note, Summary, Tally};
pub use timers::Timer;
pub use tones::tones;
pub use tools::{Does, Tool, ToolEnd, ToolId};
pub use transcript::{Line, Speaker, ToolLine};
pub use turn_book::{Turn, TurnTold};
pub use usage::{Meter, Usage};
pub use witness::HeardBy;
