//! How the agent presses keys: tones behind what it says, when its whole answer is on the tape.
//!
//! Tones have a place on the tape, and none in a leg's history: no leg ever hears of their items.

use std::time::Duration;

use crate::{Audio, Call, ItemId, Note, ToolEnd, floor::Answer, tools::sentence};

impl Call {
    pub(crate) fn press_when_all_is_said(&mut self) {
        let making = match self.floor.answer {
            Answer::Making { reply, .. } => Some(reply),
            _ => None,
        };
        while let Some((reply, id, sound)) = self.tools.take_tones(|reply| making != Some(reply)) {
            self.tools.pressed += 1;
            let item = ItemId(u32::MAX - self.tools.pressed);
            for piece in sound.chunks(LONGEST_PIECE) {
                self.play(reply, item, Audio::ulaw(piece));
            }
            self.finish_item(item);
            self.note(Note::Tool { id, tool: None, end: ToolEnd::Tones, after: Duration::ZERO });
            self.watch_tools();
            self.answer_tool(reply, id, r#"{"status":"sent"}"#.to_owned());
        }
    }

    /// The caller speaks instead.
    pub(crate) fn press_nothing(&mut self) {
        while let Some((_, id, _)) = self.tools.take_tones(|_| true) {
            self.note(Note::Tool { id, tool: None, end: ToolEnd::Refused, after: Duration::ZERO });
            self.watch_tools();
            let result = sentence("Not done: the caller interrupted before the keys were pressed.");
            self.leg(crate::LegCommand::ToolResult { id, result });
        }
    }
}

/// Whether an item is only tones.
pub(crate) fn is_tones(item: ItemId) -> bool {
    item.0 > u32::MAX / 2
}

/// As for speech: 960 ms.
const LONGEST_PIECE: usize = 7_680;
