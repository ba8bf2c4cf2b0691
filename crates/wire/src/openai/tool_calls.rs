//! Which of OpenAI's calls of tools has which number, until it is answered.

use std::collections::VecDeque;

use call::ToolId;

#[derive(Debug, Default)]
pub(super) struct ToolCalls {
    open: VecDeque<(ToolId, String)>,
    newest: u32,
}

impl ToolCalls {
    pub fn called(&mut self, call: String) -> ToolId {
        self.newest += 1;
        let id = ToolId(self.newest);
        if self.open.len() >= MOST_OPEN {
            self.open.pop_front();
        }
        self.open.push_back((id, call));
        id
    }

    /// Its name, once.
    pub fn answered(&mut self, id: ToolId) -> Option<String> {
        let at = self.open.iter().position(|(open, _)| *open == id)?;
        self.open.remove(at).map(|(_, call)| call)
    }
}

/// The call lets a few run at once; the rest it has answered already.
const MOST_OPEN: usize = 64;
