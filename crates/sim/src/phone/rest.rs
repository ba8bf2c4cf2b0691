//! How does the pretend Twilio reach a call that it carries? Through this, without keeping the phone.

use super::{Ids, PhoneState, live::Order};
use std::time::Duration;
use tokio::sync::{mpsc, watch};

/// A call as the carrier has it. It ends when its phone is dropped, whoever still holds this.
#[derive(Clone, Debug)]
pub struct PhoneLine {
    pub ids: Ids,
    pub(super) orders: mpsc::WeakSender<Order>,
    pub(super) state: watch::Receiver<PhoneState>,
}

impl PhoneLine {
    /// Neither side has hung up.
    pub(crate) fn is_live(&self) -> bool {
        let state = self.state.borrow();
        !state.is_closing && state.end.is_none()
    }

    /// The media stream ends: `stop`, then close, as when a call goes on elsewhere.
    pub(crate) fn end_by_carrier(&self) {
        if let Some(orders) = self.orders.upgrade() {
            // Fails when the call is over, which the state tells.
            let _ = orders.try_send(Order::EndByCarrier);
        }
    }

    /// Played, and still to be played.
    pub(crate) fn position(&self) -> (Duration, Duration) {
        let state = self.state.borrow();
        (state.played, state.queued)
    }
}
