//! A leg without a provider: it says back what it hears.
//!
//! The line test. Whoever hears their own words after a pause, and can talk over them, has a line that works
//! both ways. It speaks the same language as the legs that cost money, so everything around it is the same.

use std::{collections::VecDeque, time::Duration};

use crate::{
    Audio, ItemId, LegCommand, LegEvent, Outcome, ReplyId, Turns, Usage, ulaw,
    voice::{Change, Voice},
};

#[derive(Debug)]
pub struct Echo {
    voice: Voice,
    turns: Turns,
    /// What was heard: while nobody speaks only the last moment, so that the first sound is not lost.
    heard: VecDeque<u8>,
    speaking: bool,
    /// A turn is complete and has not been answered.
    turn: Vec<u8>,
    events: VecDeque<LegEvent>,
    replies: u32,
    items: u32,
}

impl Echo {
    /// Answers after so long a pause.
    pub fn new(pause: Duration, turns: Turns) -> Self {
        Self {
            voice: Voice::new(pause),
            turns,
            heard: VecDeque::new(),
            speaking: false,
            turn: Vec::new(),
            events: VecDeque::from([LegEvent::Ready]),
            replies: 0,
            items: 0,
        }
    }

    pub fn obey(&mut self, command: LegCommand) {
        match command {
            LegCommand::Hear(audio) => self.hear(&audio),
            LegCommand::Reply => self.answer(),
            // There is no voice to say words with; a chime says that somebody would.
            LegCommand::Say(_) => self.reply(&chime(), Some("(chime)")),
            LegCommand::TakeTurns(turns) => self.turns = turns,
            LegCommand::Ping => self.events.push_back(LegEvent::Alive),
            // A reply is handed over whole, so there is nothing to stop, and no history to mend.
            LegCommand::Cancel
            | LegCommand::Truncate { .. }
            | LegCommand::Forget { .. }
            | LegCommand::ToolResult { .. }
            | LegCommand::Tell(_)
            | LegCommand::Remember(_)
            | LegCommand::Rewrite { .. }
            | LegCommand::Close => {}
        }
    }

    pub fn poll_event(&mut self) -> Option<LegEvent> {
        self.events.pop_front()
    }

    fn hear(&mut self, audio: &Audio) {
        let bytes = audio.decode();
        let change = self.voice.hear(&bytes);
        self.heard.extend(bytes);
        match change {
            Some(Change::Started) if !self.speaking => {
                self.speaking = true;
                self.events.push_back(LegEvent::SpeechStarted);
            }
            Some(Change::Stopped) if self.speaking => self.stopped(),
            Some(Change::Started | Change::Stopped) | None => {}
        }
        if self.speaking && self.heard.len() >= LONGEST {
            self.stopped(); // somebody who never pauses hears the first part of it back
        }
        if !self.speaking {
            let old = self.heard.len().saturating_sub(BEFORE);
            self.heard.drain(..old);
        }
    }

    fn stopped(&mut self) {
        self.speaking = false;
        self.turn = self.heard.drain(..).collect();
        let item = self.next_item();
        self.events.extend([LegEvent::SpeechStopped, LegEvent::TurnCommitted { item }]);
        if self.turns == Turns::Live {
            self.answer();
        }
    }

    fn answer(&mut self) {
        let turn = std::mem::take(&mut self.turn);
        self.reply(&turn, None);
    }

    fn reply(&mut self, sound: &[u8], words: Option<&str>) {
        self.replies += 1;
        let (reply, item) = (ReplyId(self.replies), self.next_item());
        self.events.extend([LegEvent::ReplyStarted { reply }, LegEvent::ItemStarted { reply, item }]);
        for piece in sound.chunks(PIECE) {
            self.events.push_back(LegEvent::Speech { reply, item, audio: Audio::ulaw(piece) });
        }
        if let Some(words) = words {
            self.events.push_back(LegEvent::AgentWords { item, text: words.into(), whole: true });
        }
        let (outcome, usage) = (Outcome::Completed, Usage::default());
        self.events.push_back(LegEvent::SpeechDone { reply, item });
        self.events.push_back(LegEvent::ReplyDone { reply, outcome, usage });
    }

    fn next_item(&mut self) -> ItemId {
        self.items += 1;
        ItemId(self.items)
    }
}

/// Two soft notes, 150 ms each.
fn chime() -> Vec<u8> {
    // Half-waves at 667 and 1,000 Hz: plain to hear, plain to make.
    [6, 4]
        .iter()
        .flat_map(|half| (0..1_200).map(move |i| if i / half % 2 == 0 { 0xb5 } else { 0x35 }))
        .collect()
}

/// The detector needs a moment to hear a voice; this much before it counts as speech.
const BEFORE: usize = 300 * 8;

/// So much is said back at most: 20 seconds.
const LONGEST: usize = 20 * ulaw::RATE as usize;

/// In pieces as a provider would send them: 400 ms.
const PIECE: usize = 400 * 8;

#[cfg(test)]
mod tests {
    use super::*;

    fn events(echo: &mut Echo) -> Vec<LegEvent> {
        std::iter::from_fn(|| echo.poll_event()).collect()
    }

    fn spoken(events: &[LegEvent]) -> Vec<u8> {
        let audio = events.iter().filter_map(|event| match event {
            LegEvent::Speech { audio, .. } => Some(audio.decode()),
            _ => None,
        });
        audio.flatten().collect()
    }

    /// An echo that has just been told by its detector that somebody began to speak.
    fn speaking(turns: Turns) -> Echo {
        let mut echo = Echo::new(Duration::from_millis(100), turns);
        assert_eq!(events(&mut echo), [LegEvent::Ready]);
        echo.speaking = true;
        echo
    }

    #[test]
    fn it_answers_a_turn_with_the_same_sound() {
        let mut echo = speaking(Turns::Live);
        let sound: Vec<u8> = (0..8_000u32).map(|i| (i % 200) as u8).collect();
        echo.obey(LegCommand::Hear(Audio::ulaw(&sound)));
        echo.stopped();
        let events = events(&mut echo);
        assert_eq!(spoken(&events), sound);
        assert_eq!(events[..2], [LegEvent::SpeechStopped, LegEvent::TurnCommitted { item: ItemId(1) }]);
        assert!(matches!(events.last(), Some(LegEvent::ReplyDone { outcome: Outcome::Completed, .. })));
    }

    #[test]
    fn while_turns_are_held_it_waits_to_be_asked() {
        let mut echo = speaking(Turns::Held);
        echo.obey(LegCommand::Hear(Audio::ulaw(&[7; 800])));
        echo.stopped();
        assert_eq!(spoken(&events(&mut echo)), []);
        echo.obey(LegCommand::Reply);
        assert_eq!(spoken(&events(&mut echo)), [7; 800]);
    }

    #[test]
    fn somebody_who_never_pauses_fills_no_memory() {
        let mut echo = speaking(Turns::Live);
        for _ in 0..2_000 {
            echo.obey(LegCommand::Hear(Audio::ulaw(&[0x30; 160])));
            assert!(echo.heard.len() <= LONGEST + 160);
        }
        assert!(!spoken(&events(&mut echo)).is_empty());
    }

    #[test]
    fn silence_is_kept_for_a_moment_only() {
        let mut echo = Echo::new(Duration::from_millis(100), Turns::Live);
        for _ in 0..2_000 {
            echo.obey(LegCommand::Hear(Audio::silence(Duration::from_millis(20))));
        }
        assert_eq!(echo.heard.len(), BEFORE);
        assert_eq!(events(&mut echo), [LegEvent::Ready]);
    }
}
