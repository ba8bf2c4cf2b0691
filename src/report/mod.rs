//! What the main app is told about a call, until it has heard it.
//!
//! A report is kept until the main app has answered 2xx: sent again and again for ten minutes, and with
//! `REPORT_SPOOL_DIR` in a file from the first moment, so that not even a crash loses it. What cannot be
//! delivered is logged whole. The id stays the same, so who hears twice knows it.

mod bill;
mod body;
mod delivery;
mod lock;
mod spool;

pub use self::{
    body::{Names, ended, started, tell_recording, transfer, turn},
    delivery::Reports,
    lock::Lock,
};

use bytes::Bytes;
use reqwest::Url;

use crate::outward::report_secret::ReportSecret;

/// One message to the main app.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    pub id: String,
    pub url: Url,
    /// JSON.
    pub body: Bytes,
    /// Signs it, when the main app chose one.
    pub secret: Option<ReportSecret>,
}
