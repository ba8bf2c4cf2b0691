//! Which of OpenAI's calls of tools has which number, until it is answered.

use std::collections::VecDeque;

use call::ToolId;

#[derive(Debug, Default)]
pub(super) struct ToolCalls {
    open: VecDeque<(ToolId, String)>,
    newest: u32,
    /// Those that the provider has run by itself, by their items.
    elsewhere: VecDeque<Elsewhere>,
}

#[derive(Debug)]
struct Elsewhere {
    item: String,
    server: String,
    name: String,
    id: Option<ToolId>,
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

    /// An item stands for a call that the provider will have run.
    pub fn announced(&mut self, item: String, server: String, name: String) {
        if self.elsewhere.len() >= MOST_OPEN {
            self.elsewhere.pop_front();
        }
        self.elsewhere.push_back(Elsewhere { item, server, name, id: None });
    }

    /// It runs: its number, its server and its name, once.
    pub fn runs(&mut self, item: &str) -> Option<(ToolId, String, String)> {
        let call = self.elsewhere.iter_mut().find(|call| call.item == item && call.id.is_none())?;
        self.newest += 1;
        let id = ToolId(self.newest);
        call.id = Some(id);
        Some((id, call.server.clone(), call.name.clone()))
    }

    pub fn elsewhere(&self, item: &str) -> Option<ToolId> {
        self.elsewhere.iter().find(|call| call.item == item)?.id
    }

    /// Its name, once.
    pub fn answered(&mut self, id: ToolId) -> Option<String> {
        let at = self.open.iter().position(|(open, _)| *open == id)?;
        self.open.remove(at).map(|(_, call)| call)
    }
}

/// The call lets a few run at once; the rest it has answered already.
const MOST_OPEN: usize = 64;
