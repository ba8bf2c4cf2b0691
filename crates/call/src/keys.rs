//! Keys that the caller presses, as the agent is told of them.
//!
//! People press several in a row and stop, or end with `#`: the agent is told once, of all of them. Who presses
//! keys while the agent speaks has heard enough.

use std::time::Duration;

use crate::{Call, LegCommand, Note, Timer, call::Phase, floor::Opening, transcript::Speaker};

impl Call {
    pub(crate) fn on_key(&mut self, key: char) {
        self.tally.keys += 1;
        self.note(Note::Key(key));
        if self.phase != Phase::Live {
            return;
        }
        self.somebody_is_heard();
        if self.pressed.len() < MOST_KEYS {
            self.pressed.push(key);
        }
        if key == '#' || self.pressed.len() >= MOST_KEYS {
            return self.on_keys_pressed();
        }
        self.timers.set(Timer::Keys, self.now + MORE_KEYS);
    }

    pub(crate) fn on_keys_pressed(&mut self) {
        if self.is_asking_consent() && self.phase == Phase::Live {
            return self.timers.set(Timer::Keys, self.now + MORE_KEYS); // it is said to its end first
        }
        self.timers.clear(Timer::Keys);
        let keys = std::mem::take(&mut self.pressed);
        if keys.is_empty() || self.phase != Phase::Live {
            return;
        }
        let text = format!("(The caller pressed {keys} on the phone's keypad.)");
        self.caller_is_there(Speaker::Caller, &text);
        self.caller_said_something();
        if self.config.interruptible && self.floor.opening == Opening::Over {
            self.barge_in();
        }
        self.leg(LegCommand::Tell(text));
        self.reply();
    }
}

/// Between two keys of one number.
const MORE_KEYS: Duration = Duration::from_millis(1_500);

/// A card's number with room to spare.
const MOST_KEYS: usize = 32;
