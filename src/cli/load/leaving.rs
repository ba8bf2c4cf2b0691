//! How callers leave before the call is over. A relay that misses one of these ways keeps a call for ever.

use std::time::Duration;

use sim::dice::Dice;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// Gives up while it still rings: the connection goes away in the handshake, or right behind it.
    Dialling,
    /// Hangs up as soon as it is through: the leg is only being opened then.
    AtOnce,
    /// `stop`, then close, as Twilio does when the caller hangs up.
    Stop,
    /// Closes the WebSocket without `stop`.
    Close,
    /// The connection goes away without a word.
    Vanish,
    /// Hangs up while the agent speaks.
    MidAnswer,
}

impl Way {
    pub const ALL: [Self; 6] =
        [Self::Dialling, Self::AtOnce, Self::Stop, Self::Close, Self::Vanish, Self::MidAnswer];

    /// They take turns, so each way is tried as often as the others.
    pub fn nth(number: usize) -> Self {
        Self::ALL[number % Self::ALL.len()]
    }

    pub fn name(self) -> &'static str {
        match self {
            Self::Dialling => "while_dialling",
            Self::AtOnce => "at_once",
            Self::Stop => "stop",
            Self::Close => "close",
            Self::Vanish => "vanish",
            Self::MidAnswer => "in_mid_answer",
        }
    }

    pub fn place(self) -> usize {
        Self::ALL.iter().position(|way| *way == self).unwrap_or(0)
    }

    /// How long this caller stays before it does so.
    pub fn stays(self, dice: &mut Dice) -> Duration {
        let (least, most) = match self {
            // A handshake on this machine takes less than a millisecond: some of these are soon enough.
            Self::Dialling => (0, 3),
            Self::AtOnce => (0, 0),
            Self::Stop | Self::Close | Self::Vanish => (200, 3_000),
            Self::MidAnswer => (50, 400),
        };
        Duration::from_millis(dice.between(least, most))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_way_has_its_turn() {
        let first: Vec<Way> = (0..6).map(Way::nth).collect();
        assert_eq!(first, Way::ALL);
        assert_eq!(Way::nth(6), Way::Dialling);
        assert!(Way::ALL.iter().enumerate().all(|(at, way)| way.place() == at));
    }

    #[test]
    fn nobody_who_leaves_early_stays_long() {
        let mut dice = Dice::new(1);
        for way in Way::ALL {
            assert!((0..100).all(|_| way.stays(&mut dice) <= Duration::from_secs(3)), "{way:?}");
        }
    }
}
