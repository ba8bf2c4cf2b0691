//! What a call used of whom, and what that costs.
//!
//! The providers say what was used, or we count what was sent to them; a [price table](Prices) with a date says what
//! that costs. The sum is exact, and an estimate all the same: discounts, free quotas and taxes are not known here, nor
//! what the carrier takes. What has no price is named and left out of the sum, never guessed.

mod bill;
mod file;
mod foresight;
mod money;
mod prices;
mod used;

pub use self::{
    bill::{Bill, Count, Entry, Line, What, bill},
    foresight::without_price,
    money::{Per, Price, Usd},
    prices::{Faults, Prices, Row},
    used::{Of, Used, by_model},
};
