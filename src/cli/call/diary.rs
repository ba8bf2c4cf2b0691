//! What has happened in this call so far? One record, of what the phone saw itself and of what the relay told.
//!
//! All times count from the moment when the phone's stream began, as in its recording. Everything else looks in here:
//! the view, the expectations of a script, the timeline and the JSON.

use std::time::Duration;

use serde_json::{Value, json};

use super::news::{Told, Turn};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::cli) enum Side {
    Caller,
    Agent,
}

impl Side {
    pub fn name(self) -> &'static str {
        match self {
            Self::Caller => "caller",
            Self::Agent => "agent",
        }
    }
}

/// Something that happened.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Fact {
    /// The phone begins to say something, or to play what came.
    Begins(Side),
    /// It has said it; or what came has been played, so much of it without a hole.
    Stops(Side),
    /// The relay had the playback cleared.
    Cleared(Cleared),
    /// The relay sent something that a carrier would complain about.
    Violation,
    /// What the caller does besides speaking.
    Acts(String),
    /// The stream is over, as the phone sees it: who ended it.
    LineOver(String),
    Told(Told),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Cleared {
    pub played: Duration,
    pub thrown_away: Duration,
}

/// One side's sound without a hole, as the phone said or played it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Stretch {
    pub side: Side,
    pub from: Duration,
    /// Not yet over: none.
    pub to: Option<Duration>,
    /// It was cut off by a clear, and so much more of it was there.
    pub cut: Option<Duration>,
}

/// Somebody's sentence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Line {
    pub who: Side,
    pub item: u64,
    pub from: Duration,
    pub said: String,
    pub whole: bool,
    /// What was heard of it when that was not all, and when that was told.
    pub heard: Option<(String, Duration)>,
}

impl Line {
    /// What the caller heard of it, as far as is known.
    pub fn heard(&self) -> &str {
        self.heard.as_ref().map_or(&self.said, |(heard, _)| heard)
    }
}

#[derive(Clone, Debug, PartialEq)]
pub(super) struct ToolCall {
    pub id: u64,
    pub at: Duration,
    pub name: String,
    pub arguments: Option<Value>,
    pub outcome: Option<String>,
}

#[derive(Debug, Default)]
pub(super) struct Diary {
    pub stretches: Vec<Stretch>,
    pub lines: Vec<Line>,
    pub tools: Vec<ToolCall>,
    /// With the moment when each was told.
    pub turns: Vec<(Duration, Turn)>,
    pub clears: Vec<(Duration, Cleared)>,
    pub violations: u64,
    /// What else is worth a line: when, who, what.
    pub remarks: Vec<(Duration, &'static str, String)>,
    /// The relay tells of this call.
    pub is_told: bool,
    pub leg_ready: Option<Duration>,
    pub first_audio: Option<Duration>,
    /// Why the call ended, by the relay's word; and how, by the phone's.
    pub reason: Option<String>,
    pub line_over: Option<String>,
    /// Letters in `lines`.
    letters: usize,
}

impl Diary {
    pub fn take(&mut self, at: Duration, fact: Fact) {
        match fact {
            Fact::Begins(side) if self.stretches.len() < MOST_FACTS => {
                self.stretches.push(Stretch { side, from: at, to: None, cut: None });
            }
            Fact::Stops(side) => self.stop(side, at, None),
            Fact::Cleared(cleared) => {
                if self.clears.len() < MOST_FACTS {
                    self.clears.push((at, cleared));
                }
                self.stop(Side::Agent, at, Some(cleared.thrown_away));
            }
            Fact::Violation => self.violations += 1,
            Fact::Acts(what) => self.remark(at, "caller", what),
            Fact::LineOver(how) => {
                self.stop(Side::Caller, at, None);
                self.stop(Side::Agent, at, None);
                self.line_over = Some(how);
            }
            Fact::Told(told) => {
                self.is_told = true;
                self.told(at, told);
            }
            Fact::Begins(_) => {} // more than a call has
        }
    }

    fn remark(&mut self, at: Duration, who: &'static str, what: String) {
        if self.remarks.len() < MOST_FACTS {
            self.remarks.push((at, who, what.chars().take(LONGEST_REMARK).collect()));
        }
    }

    fn stop(&mut self, side: Side, at: Duration, cut: Option<Duration>) {
        let open = self.stretches.iter_mut().rev().find(|one| one.side == side && one.to.is_none());
        if let Some(open) = open {
            (open.to, open.cut) = (Some(at.max(open.from)), cut);
        }
    }

    fn told(&mut self, at: Duration, told: Told) {
        match told {
            Told::LegReady { after } => self.leg_ready = self.leg_ready.or(Some(after)),
            Told::FirstAudio { after } => self.first_audio = Some(after),
            Told::Words { who, item, text, whole } => self.words(at, who, item, &text, whole),
            Told::Cut { item, heard, .. } => self.cut(at, item, heard),
            Told::Turn(turn) if self.turns.len() < MOST_FACTS => self.turns.push((at, turn)),
            Told::ToolCalled { id, name, arguments } if self.tools.len() < MOST_FACTS => {
                self.tools.push(ToolCall { id, at, name, arguments, outcome: None });
            }
            Told::ToolEnded { id, outcome, .. } => {
                if let Some(tool) = self.tools.iter_mut().rev().find(|tool| tool.id == id) {
                    tool.outcome = Some(outcome);
                }
            }
            Told::Ended { reason, cut, .. } => {
                cut.into_iter().for_each(|(item, heard)| self.cut(at, item, heard));
                self.reason = Some(reason);
            }
            Told::Remark(who, what) => self.remark(at, who, what),
            Told::Live | Told::Interrupted | Told::Key(_) => {}
            Told::Turn(_) | Told::ToolCalled { .. } => {} // more than a call has
        }
    }

    fn words(&mut self, at: Duration, who: Side, item: u64, text: &str, whole: bool) {
        if self.letters + text.len() > MOST_LETTERS {
            return;
        }
        let known = self.lines.iter().rposition(|line| line.item == item && line.who == who);
        if known.is_none() && self.lines.len() >= MOST_FACTS {
            return;
        }
        let at_line = known.unwrap_or_else(|| {
            self.lines.push(Line { who, item, from: at, said: String::new(), whole: false, heard: None });
            self.lines.len() - 1
        });
        let line = &mut self.lines[at_line];
        if line.heard.is_some() {
            return; // late words of what was cut
        }
        let before = line.said.len();
        if whole {
            line.said.clear();
        }
        line.said.push_str(text);
        line.whole |= whole;
        self.letters = self.letters - before + line.said.len();
    }

    fn cut(&mut self, at: Duration, item: u64, heard: String) {
        let line = self.lines.iter_mut().rev().find(|line| line.item == item && line.who == Side::Agent);
        if let Some(line) = line.filter(|line| line.heard.as_ref().is_none_or(|(known, _)| *known != heard)) {
            line.heard = Some((heard, at));
        }
    }

    pub fn is_over(&self) -> bool {
        self.line_over.is_some() || self.reason.is_some()
    }

    /// Why the call ended, in words: the relay's if it told, otherwise what the phone saw.
    pub fn end(&self) -> Option<&str> {
        self.reason.as_deref().or(self.line_over.as_deref())
    }

    pub fn of(&self, side: Side) -> impl DoubleEndedIterator<Item = &Stretch> {
        self.stretches.iter().filter(move |stretch| stretch.side == side)
    }

    /// How long the caller waited for this stretch of the agent's, by the phone's own ears: since it last fell silent.
    pub fn silence_before(&self, answer: &Stretch) -> Option<Duration> {
        let stop = self.of(Side::Caller).filter_map(|one| one.to).rfind(|to| *to <= answer.from)?;
        let first = self.of(Side::Agent).find(|one| one.from >= stop)?;
        (first.from == answer.from).then_some(answer.from - stop)
    }

    pub fn json(&self) -> Value {
        let ms = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        let turns = self.turns.iter().map(|(_, turn)| {
            let segments = turn.segments.iter().map(|(name, time)| (name.clone(), json!(ms(*time))));
            json!({
                "number": turn.number, "silence_ms": turn.silence.map(ms), "interrupted": turn.interrupted,
                "segments_ms": segments.collect::<serde_json::Map<_, _>>(),
            })
        });
        let said = self.lines.iter().filter(|line| !line.said.is_empty()).map(|line| {
            let heard = line.heard.as_ref().map(|(heard, _)| heard);
            json!({ "who": line.who.name(), "at_ms": ms(line.from), "said": line.said, "heard": heard })
        });
        let tools = self.tools.iter().map(|tool| {
            json!({ "name": tool.name, "at_ms": ms(tool.at), "arguments": tool.arguments, "outcome": tool.outcome })
        });
        let waited = self.of(Side::Agent).filter_map(|answer| self.silence_before(answer)).map(ms);
        json!({
            "told": self.is_told,
            "reason": self.reason,
            "leg_ready_ms": self.leg_ready.map(ms),
            "first_audio_ms": self.first_audio.map(ms),
            "waited_ms": waited.collect::<Vec<_>>(),
            "turns": turns.collect::<Vec<_>>(),
            "tools": tools.collect::<Vec<_>>(),
            "transcript": said.collect::<Vec<_>>(),
        })
    }
}

/// An hour of a lively call has some thousand. A relay that tells more is not believed.
const MOST_FACTS: usize = 20_000;

/// A line of them.
const LONGEST_REMARK: usize = 300;

/// Ten hours of speech.
const MOST_LETTERS: usize = 512 * 1024;

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    /// A diary in which this was told at these milliseconds.
    pub fn diary(facts: impl IntoIterator<Item = (u64, Fact)>) -> Diary {
        let mut diary = Diary::default();
        facts.into_iter().for_each(|(at, fact)| diary.take(ms(at), fact));
        diary
    }

    pub fn words(who: Side, item: u64, text: &str) -> Fact {
        Fact::Told(Told::Words { who, item, text: text.to_owned(), whole: true })
    }

    pub fn cut(item: u64, heard: &str) -> Fact {
        let (heard_for, sent_for) = (ms(1), ms(2));
        Fact::Told(Told::Cut { item, heard: heard.to_owned(), heard_for, sent_for })
    }

    pub fn cleared(thrown_away: u64) -> Fact {
        Fact::Cleared(Cleared { played: ms(1), thrown_away: ms(thrown_away) })
    }

    #[test]
    fn words_grow_and_what_was_cut_keeps_both_texts() {
        let piece = |text: &str, whole| {
            Fact::Told(Told::Words { who: Side::Agent, item: 1, text: text.to_owned(), whole })
        };
        let told = [(1, piece("We op", false)), (2, piece("en", false)), (3, piece("We open at six.", true))];
        let mut diary = diary(told);
        diary.take(ms(4), cut(1, "We open"));
        diary.take(ms(5), piece(" And late words.", false));
        let line = &diary.lines[0];
        assert_eq!((line.said.as_str(), line.heard(), line.from), ("We open at six.", "We open", ms(1)));
    }

    #[test]
    fn stretches_are_what_the_phone_heard_and_end_where_they_were_cut() {
        let diary = diary([
            (0, Fact::Begins(Side::Agent)),
            (500, Fact::Begins(Side::Caller)),
            (700, cleared(900)),
            (1_000, Fact::Stops(Side::Caller)),
            (1_400, Fact::Begins(Side::Agent)),
            (2_000, Fact::LineOver("hung up".into())),
        ]);
        let agent: Vec<_> = diary.of(Side::Agent).map(|one| (one.from, one.to, one.cut)).collect();
        assert_eq!(agent, [(ms(0), Some(ms(700)), Some(ms(900))), (ms(1_400), Some(ms(2_000)), None)]);
        let waited: Vec<_> = diary.of(Side::Agent).map(|one| diary.silence_before(one)).collect();
        assert_eq!(waited, [None, Some(ms(400))]);
    }

    #[test]
    fn a_relay_that_never_stops_telling_does_not_fill_the_memory() {
        let mut diary = Diary::default();
        for item in 0..30_000 {
            diary.take(ms(item), words(Side::Agent, item, &"blah ".repeat(100)));
        }
        assert!(diary.lines.len() < MOST_FACTS && diary.letters <= MOST_LETTERS);
    }
}
