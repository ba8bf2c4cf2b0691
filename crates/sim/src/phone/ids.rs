//! Who does this phone say it is? Each carrier has ids of another shape; no two phones of one process share any.

use super::Carrier;
use crate::dice::Dice;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Who this phone says it is: the account (at Telnyx the user), the call (its call control id) and the stream, as the
/// carrier's `start` has them. Vonage sends none of them.
#[derive(Clone, Debug)]
pub struct Ids {
    pub account_sid: String,
    pub call_sid: String,
    pub stream_sid: String,
}

impl Ids {
    /// New ones, in the carrier's shape.
    pub fn fresh(carrier: Carrier) -> Self {
        let mut dice = fresh_dice();
        let [account_sid, call_sid, stream_sid] = match carrier {
            Carrier::Twilio => ["AC", "CA", "MZ"].map(|kind| format!("{kind}{}", dice.hex(32))),
            Carrier::Telnyx { .. } => [uuid(&mut dice), format!("v3:{}", dice.hex(54)), uuid(&mut dice)],
            Carrier::SignalWire | Carrier::Vonage { .. } => {
                [uuid(&mut dice), uuid(&mut dice), uuid(&mut dice)]
            }
            Carrier::Plivo => {
                [format!("190{:015}", dice.between(0, 999_999_999_999_999)), uuid(&mut dice), uuid(&mut dice)]
            }
            Carrier::Exotel { .. } => ["shop1".to_owned(), dice.hex(32), format!("MZ{}", dice.hex(32))],
        };
        Self { account_sid, call_sid, stream_sid }
    }
}

pub(crate) fn fresh_uuid() -> String {
    uuid(&mut fresh_dice())
}

fn fresh_dice() -> Dice {
    static CALLS: AtomicU64 = AtomicU64::new(0);
    let nanos =
        std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(0, |d| d.as_nanos() as u64);
    Dice::new(nanos ^ (CALLS.fetch_add(1, Relaxed) << 48) ^ u64::from(std::process::id()))
}

fn uuid(dice: &mut Dice) -> String {
    format!("{}-{}-4{}-a{}-{}", dice.hex(8), dice.hex(4), dice.hex(3), dice.hex(3), dice.hex(12))
}
