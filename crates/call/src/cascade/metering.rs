//! What the parts are paid for: sound for the ear, tokens of the mind, letters for the mouth.
//!
//! Counted when it is sent, for that is what the vendors count: an answer is paid for whether anybody hears it or
//! not. Of one that is stopped in the middle they do not say what it took; such answers are counted.

use std::time::Duration;

use super::{AskId, Cascade, EarCommand, MindCommand, MindEvent, MouthCommand, Order};
use crate::{LegEvent, Usage};

#[derive(Debug, Default)]
pub(super) struct Metering {
    /// What the call has not been told.
    untold: Usage,
    /// Questions that wait for the end of their answer, and whether it has begun. A few at most.
    open: Vec<(AskId, bool)>,
}

impl Metering {
    fn ordered(&mut self, order: &Order) {
        match order {
            Order::Ear(EarCommand::Hear(audio)) => self.untold.transcribed += audio.duration(),
            Order::Mind(MindCommand::Ask { ask, .. }) => self.open.push((*ask, false)),
            Order::Mind(MindCommand::Cancel(ask)) => {
                if self.closes(*ask).is_some() {
                    self.untold.untold_answers += 1;
                }
            }
            Order::Mouth(MouthCommand::Say { words, .. }) => {
                // A space goes with each piece, so that no words run together.
                self.untold.characters += words.chars().count() as u64 + 1;
            }
            Order::Ear(_) | Order::Mind(_) | Order::Mouth(_) => {}
        }
    }

    pub fn hears_of(&mut self, event: &MindEvent) {
        match event {
            MindEvent::Words { ask, .. } | MindEvent::Called { ask, .. } => {
                if let Some((_, begun)) = self.open.iter_mut().find(|(open, _)| open == ask) {
                    *begun = true;
                }
            }
            MindEvent::Done { ask, usage, .. } => {
                self.untold += *usage;
                if self.closes(*ask).is_some() && *usage == Usage::default() {
                    self.untold.untold_answers += 1;
                }
            }
            MindEvent::Failed { ask, .. } => {
                // A question that is refused costs nothing.
                if self.closes(*ask) == Some(true) {
                    self.untold.untold_answers += 1;
                }
            }
            MindEvent::Ready | MindEvent::Gone(_) | MindEvent::Odd(_) => {}
        }
    }

    /// The question is over. Whether its answer had begun, if it was open.
    fn closes(&mut self, ask: AskId) -> Option<bool> {
        let at = self.open.iter().position(|(open, _)| *open == ask)?;
        Some(self.open.swap_remove(at).1)
    }

    /// Worth telling. Sound comes all the time, so it is told by the second.
    fn is_due(&self) -> bool {
        let besides = Usage { transcribed: Duration::ZERO, ..self.untold };
        self.untold.transcribed >= TELL_AFTER || besides != Usage::default()
    }
}

impl Cascade {
    pub(super) fn order(&mut self, order: Order) {
        // What is said to a mouth that is being opened anew does not arrive, and is said again.
        let arrives = !matches!(order, Order::Mouth(_)) || self.upkeep.mouth_takes();
        if arrives {
            self.metering.ordered(&order);
        }
        self.orders.push_back(order);
    }

    /// What was used since this was last told, if it is worth telling and anybody listens.
    pub(super) fn usage(&mut self) -> Option<LegEvent> {
        (!self.over && self.metering.is_due()).then(|| LegEvent::Used(self.unsaid()))
    }

    /// What was used and has not been told. After the end somebody has to ask for it.
    pub fn unsaid(&mut self) -> Usage {
        let mut unsaid = std::mem::take(&mut self.metering.untold);
        self.events.retain(|event| match event {
            LegEvent::Used(usage) => {
                unsaid += *usage;
                false
            }
            _ => true,
        });
        unsaid
    }
}

const TELL_AFTER: Duration = Duration::from_secs(1);
