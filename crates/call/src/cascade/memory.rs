//! What has been said in this call, as the mind is told it.
//!
//! Of the agent's own sentences the mind is told what the caller heard. A voice makes sound of text at its own
//! pace, so how much text a moment of sound is worth is known exactly only when all of a reply's sound has
//! come; until then the pace of what this voice has said before is taken.
//!
//! The whole call is kept; what is handed over is the newest part that fits into the budget.

use std::time::Duration;

use super::parts::{Message, ToolUse};
use crate::{ItemId, Past, ToolId, transcript::heard_words};

#[derive(Debug)]
pub(super) struct Memory {
    system: Option<String>,
    entries: Vec<Entry>,
    /// Bytes of all entries.
    size: usize,
    /// Letters and sound of everything that this voice has said to its end.
    paced: (u64, Duration),
}

#[derive(Debug)]
enum Entry {
    Caller(String),
    Agent(Spoken),
    /// Said before this leg took over, with the call's number of it.
    Before(ItemId, String),
    Fact(String),
}

#[derive(Debug)]
struct Spoken {
    item: ItemId,
    words: String,
    /// The sound that has come of it.
    sound: Duration,
    /// All of it has.
    whole: bool,
    heard: Heard,
    calls: Vec<Called>,
}

/// A tool that was called with it, and what came of that.
#[derive(Debug)]
struct Called {
    id: ToolId,
    call: ToolUse,
    result: Option<String>,
}

#[derive(Debug, PartialEq, Eq)]
enum Heard {
    All,
    Only(String),
    Nothing,
}

impl Memory {
    pub fn new(prompt: Option<&str>) -> Self {
        let system = prompt.filter(|prompt| !prompt.trim().is_empty()).map(str::to_owned);
        Self { system, entries: Vec::new(), size: 0, paced: (0, Duration::ZERO) }
    }

    pub fn caller(&mut self, words: String) {
        self.grow(words.len());
        self.entries.push(Entry::Caller(words));
    }

    /// What was said and done before this leg took over.
    pub fn remember(&mut self, past: Past) {
        match past {
            Past::Caller(words) => self.caller(words),
            Past::Agent { item, words } => {
                self.grow(words.len());
                self.entries.push(Entry::Before(item, words));
            }
            Past::Fact(words) => {
                self.grow(words.len());
                self.entries.push(Entry::Fact(words));
            }
        }
    }

    /// Less of it was heard than we were told.
    pub fn rewrite(&mut self, before: ItemId, words: String) {
        for entry in self.entries.iter_mut().rev() {
            match entry {
                Entry::Before(item, old) if *item == before => return *old = words,
                _ => {}
            }
        }
    }

    /// The agent begins to say something.
    pub fn agent(&mut self, item: ItemId) {
        self.grow(0);
        self.entries.push(Entry::Agent(Spoken {
            item,
            words: String::new(),
            sound: Duration::ZERO,
            whole: false,
            heard: Heard::All,
            calls: Vec::new(),
        }));
    }

    /// More of its words went to the voice.
    pub fn words(&mut self, item: ItemId, more: &str) {
        self.grow(more.len());
        if let Some(spoken) = self.spoken(item) {
            if !spoken.words.is_empty() {
                spoken.words.push(' ');
            }
            spoken.words.push_str(more);
        }
    }

    /// It called a tool as well.
    pub fn called(&mut self, item: ItemId, id: ToolId, call: ToolUse) {
        self.grow(call.len());
        if let Some(spoken) = self.spoken(item) {
            spoken.calls.push(Called { id, call, result: None });
        }
    }

    /// The tool has been run, or will not be. A result that comes when something else was said since is told
    /// as if the mind had asked a second time: so it stands where the mind looks, at the end.
    pub fn result(&mut self, id: ToolId, result: String) {
        let last = self.entries.len().saturating_sub(1);
        let calls = self.entries.iter_mut().enumerate().rev().filter_map(|(at, entry)| match entry {
            Entry::Agent(spoken) => Some((at, &mut spoken.calls)),
            _ => None,
        });
        let found = calls.flat_map(|(at, calls)| calls.iter_mut().map(move |called| (at, called)));
        let Some((at, called)) = { found }.find(|(_, called)| called.id == id) else { return };
        if at == last {
            called.result = Some(result);
            let more = called.result.as_ref().map_or(0, String::len);
            return self.grow(more);
        }
        let mut call = called.call.clone();
        call.id.push_str("_again");
        self.agent(NO_ITEM);
        self.grow(call.len() + result.len());
        if let Some(spoken) = self.spoken(NO_ITEM) {
            spoken.calls.push(Called { id, call, result: Some(result) });
        }
    }

    /// More of its sound came.
    pub fn sound(&mut self, item: ItemId, more: Duration) {
        if let Some(spoken) = self.spoken(item) {
            spoken.sound += more;
        }
    }

    /// All of its sound has come.
    pub fn whole(&mut self, item: ItemId) {
        let Some(spoken) = self.spoken(item) else { return };
        spoken.whole = true;
        let (letters, sound) = (spoken.words.chars().count() as u64, spoken.sound);
        self.paced = (self.paced.0 + letters, self.paced.1 + sound);
    }

    /// Everything that was to be said.
    pub fn all(&mut self, item: ItemId) -> String {
        self.spoken(item).map(|spoken| spoken.words.clone()).unwrap_or_default()
    }

    /// The caller heard only so much of it. Returns the words that this is.
    pub fn cut(&mut self, item: ItemId, heard: Duration) -> Option<String> {
        let words = self.voiced(item, heard)?;
        let spoken = self.spoken(item)?;
        spoken.heard = if words.is_empty() { Heard::Nothing } else { Heard::Only(words.clone()) };
        Some(words)
    }

    /// The voice itself knows better.
    pub fn correct(&mut self, item: ItemId, words: String) {
        if let Some(spoken) = self.spoken(item) {
            spoken.heard = if words.trim().is_empty() { Heard::Nothing } else { Heard::Only(words) };
        }
    }

    pub fn forget(&mut self, item: ItemId) {
        if let Some(spoken) = self.spoken(item) {
            spoken.heard = Heard::Nothing;
        }
    }

    /// What of an item's words its sound so far has said, and what is left.
    pub fn rest(&mut self, item: ItemId) -> Option<String> {
        let sound = self.spoken(item)?.sound;
        let said = self.voiced(item, sound)?.len();
        let rest = self.spoken(item)?.words.split_off(said);
        (!rest.trim().is_empty()).then(|| rest.trim_start().to_owned())
    }

    /// What to tell the mind, with `more` as the caller's newest words.
    pub fn thread(&self, more: Option<&str>) -> Vec<Message> {
        let mut newest: Vec<Message> =
            more.map(|more| Message::Caller(more.to_owned())).into_iter().collect();
        let mut room = BUDGET.saturating_sub(more.map_or(0, str::len));
        for entry in self.entries.iter().rev() {
            let Some(left) = room.checked_sub(entry.len()) else { break };
            room = left;
            entry.tell(&mut newest);
        }
        newest.extend(self.system.clone().map(Message::System));
        newest.reverse();
        newest
    }

    /// The words that so much sound of this item has said.
    fn voiced(&mut self, item: ItemId, sound: Duration) -> Option<String> {
        let pace = self.pace();
        let spoken = self.spoken(item)?;
        let letters = u32::try_from(spoken.words.chars().count()).unwrap_or(u32::MAX);
        let all = if spoken.whole { spoken.sound } else { spoken.sound.max(pace.saturating_mul(letters)) };
        Some(heard_words(&spoken.words, sound, all).to_owned())
    }

    /// The sound of one letter.
    fn pace(&self) -> Duration {
        let (letters, sound) = self.paced;
        match u32::try_from(letters) {
            Ok(letters) if letters >= ENOUGH_LETTERS => sound / letters,
            _ => USUAL_PACE,
        }
    }

    fn spoken(&mut self, item: ItemId) -> Option<&mut Spoken> {
        self.entries.iter_mut().rev().find_map(|entry| match entry {
            Entry::Agent(spoken) if spoken.item == item => Some(spoken),
            _ => None,
        })
    }

    /// The oldest goes when there is more than any mind would be told.
    fn grow(&mut self, by: usize) {
        self.size += by;
        while self.size > MOST_BYTES || self.entries.len() >= MOST_ENTRIES {
            if self.entries.len() < 2 {
                return;
            }
            let oldest = self.entries.remove(0).len();
            self.size -= oldest.min(self.size);
        }
    }
}

impl Entry {
    /// All of it in bytes, whether it was heard or not.
    fn len(&self) -> usize {
        match self {
            Self::Caller(words) | Self::Before(_, words) | Self::Fact(words) => words.len(),
            Self::Agent(Spoken { words, calls, .. }) => {
                let called = |one: &Called| one.call.len() + one.result.as_ref().map_or(0, String::len);
                words.len() + calls.iter().map(called).sum::<usize>()
            }
        }
    }

    /// Newest first, so the results stand before their calls.
    fn tell(&self, newest_first: &mut Vec<Message>) {
        let spoken = match self {
            Self::Caller(words) => return newest_first.push(Message::Caller(words.clone())),
            Self::Before(_, words) if words.is_empty() => return,
            Self::Before(_, words) => return newest_first.push(Message::Agent(words.clone())),
            Self::Fact(words) => return newest_first.push(Message::System(words.clone())),
            Self::Agent(spoken) => spoken,
        };
        let text = match &spoken.heard {
            Heard::All => spoken.words.clone(),
            Heard::Only(words) => words.clone(),
            Heard::Nothing => String::new(),
        };
        if spoken.calls.is_empty() {
            newest_first.extend((!text.is_empty()).then_some(Message::Agent(text)));
            return;
        }
        for Called { call, result, .. } in spoken.calls.iter().rev() {
            let text = result.clone().unwrap_or_else(|| STILL_RUNNING.into());
            newest_first.push(Message::Result { id: call.id.clone(), text });
        }
        let calls = spoken.calls.iter().map(|called| called.call.clone()).collect();
        newest_first.push(Message::Calls { text, calls });
    }
}

/// No leg gives it to anything that is said.
const NO_ITEM: ItemId = ItemId(0);

/// A call without a result would be refused.
const STILL_RUNNING: &str = r#"{"status":"still running, no result yet"}"#;

/// About 8,000 tokens of conversation: an hour of talk, and a price that does not grow with the call.
const BUDGET: usize = 32 * 1024;

/// A little more than is ever handed over.
const MOST_BYTES: usize = 64 * 1024;
const MOST_ENTRIES: usize = 2_000;

/// People, and the voices made after them, say some 15 letters a second.
const USUAL_PACE: Duration = Duration::from_millis(65);

/// Two sentences tell a voice's own pace.
const ENOUGH_LETTERS: u32 = 80;

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: ItemId = ItemId(1);
    const TWO: ItemId = ItemId(2);

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn the_mind_is_told_what_was_heard() {
        let mut memory = Memory::new(Some("You are kind."));
        memory.caller("When do you open?".into());
        memory.agent(TWO);
        memory.words(TWO, "We open at eight");
        memory.words(TWO, "on weekdays.");
        memory.sound(TWO, ms(2_900));
        memory.whole(TWO);
        assert_eq!(memory.cut(TWO, ms(1_600)).unwrap(), "We open at eight");
        assert_eq!(
            memory.thread(Some("Thanks.")),
            [
                Message::System("You are kind.".into()),
                Message::Caller("When do you open?".into()),
                Message::Agent("We open at eight".into()),
                Message::Caller("Thanks.".into()),
            ]
        );
        memory.forget(TWO);
        assert_eq!(memory.thread(None).len(), 2);
    }

    #[test]
    fn while_sound_is_still_coming_the_voices_own_pace_is_taken() {
        let mut memory = Memory::new(None);
        memory.agent(ONE);
        memory.words(ONE, &"letter ".repeat(20)); // 140 letters
        memory.sound(ONE, ms(14_000)); // a slow voice: 100 ms each
        memory.whole(ONE);
        memory.agent(TWO);
        memory.words(TWO, "one two three four five six seven eight");
        memory.sound(TWO, ms(1_400)); // the first third, ahead of what was heard
        assert_eq!(memory.cut(TWO, ms(1_300)).unwrap(), "one two three");
    }

    #[test]
    fn what_a_voice_did_not_get_to_say_is_known() {
        let mut memory = Memory::new(None);
        memory.agent(ONE);
        memory.words(ONE, "one two three four five");
        memory.sound(ONE, ms(13 * 65));
        assert_eq!(memory.rest(ONE).unwrap(), "four five");
        assert_eq!(memory.thread(None), [Message::Agent("one two three".into())]);
    }

    fn lookup(id: &str) -> ToolUse {
        ToolUse { id: id.into(), name: "lookup".into(), arguments: "{}".into(), extra: None }
    }

    #[test]
    fn every_call_of_a_tool_is_followed_by_its_result() {
        let mut memory = Memory::new(None);
        memory.caller("Where is my order?".into());
        memory.agent(TWO);
        memory.words(TWO, "One moment.");
        memory.called(TWO, ToolId(1), lookup("a"));
        memory.called(TWO, ToolId(2), lookup("b"));
        memory.result(ToolId(2), "two".into());
        memory.result(ToolId(9), "nobody's".into());
        let result = |id: &str, text: &str| Message::Result { id: id.into(), text: text.into() };
        let calls = |text: &str| Message::Calls { text: text.into(), calls: vec![lookup("a"), lookup("b")] };
        let thread = memory.thread(Some("Hello?"));
        assert_eq!(thread[1..4], [calls("One moment."), result("a", STILL_RUNNING), result("b", "two")]);
        memory.result(ToolId(1), "one".into());
        memory.forget(TWO);
        assert_eq!(memory.thread(None)[1..], [calls(""), result("a", "one"), result("b", "two")]);
    }

    #[test]
    fn a_result_that_comes_late_stands_at_the_end() {
        let mut memory = Memory::new(None);
        memory.agent(ONE);
        memory.called(ONE, ToolId(1), lookup("a"));
        memory.agent(TWO);
        memory.words(TWO, "One moment.");
        memory.result(ToolId(1), "one".into());
        let calls = |id: &str| Message::Calls { text: String::new(), calls: vec![lookup(id)] };
        let result = |id: &str, text: &str| Message::Result { id: id.into(), text: text.into() };
        assert_eq!(
            memory.thread(None),
            [
                calls("a"),
                result("a", STILL_RUNNING),
                Message::Agent("One moment.".into()),
                calls("a_again"),
                result("a_again", "one"),
            ]
        );
    }

    #[test]
    fn a_budget_never_parts_a_call_from_its_result() {
        let mut memory = Memory::new(None);
        for id in 0..200 {
            memory.agent(ItemId(id));
            memory.called(ItemId(id), ToolId(id), lookup(&id.to_string()));
            memory.result(ToolId(id), "x".repeat(1_000));
            let thread = memory.thread(None);
            let calls = thread.iter().filter(|one| matches!(one, Message::Calls { .. })).count();
            assert_eq!(thread.len(), calls * 2);
            assert!(matches!(thread[0], Message::Calls { .. }));
            assert!(memory.size <= MOST_BYTES);
        }
    }

    #[test]
    fn only_the_newest_is_handed_over_and_memory_does_not_grow() {
        let mut memory = Memory::new(Some("system"));
        for _ in 0..5_000 {
            memory.caller("x".repeat(1_000));
        }
        let thread = memory.thread(None);
        assert_eq!(thread.len(), 1 + BUDGET / 1_000);
        assert_eq!(thread[0], Message::System("system".into()));
        assert!(memory.size <= MOST_BYTES && memory.entries.len() <= MOST_BYTES / 1_000);
    }
}
