//! What a silence is made of: from the caller's last sound to the first sound of the answer.
//!
//! One stopwatch that always runs, and at each moment counts for one segment. So the segments add up to the
//! silence by themselves, whatever happens on the way.

use std::time::{Duration, Instant};

/// The parts of the silence before an answer. They add up to what the caller waited.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Segments {
    /// From the caller's last sound until somebody was sure that the turn is over.
    pub decided: Duration,
    /// Until the first token of the answer; also of an answer that only called a tool, and of the one after it.
    pub thought: Duration,
    /// While only tools were at work.
    pub tools: Duration,
    /// Until the first sound came from the leg.
    pub voiced: Duration,
    /// Until it was written to the carrier.
    pub sent: Duration,
    /// Until it was heard: the way from the caller to us and back, what the carrier waits before it plays, and
    /// what it still played before.
    pub heard: Duration,
}

impl Segments {
    /// All of it: what the caller waited.
    pub fn silence(&self) -> Duration {
        self.named().into_iter().map(|(_, time)| time).sum()
    }

    /// In their order, by the names used in metrics and reports.
    pub fn named(&self) -> [(&'static str, Duration); 6] {
        let Self { decided, thought, tools, voiced, sent, heard } = *self;
        [
            ("decided", decided),
            ("thought", thought),
            ("tools", tools),
            ("voiced", voiced),
            ("sent", sent),
            ("heard", heard),
        ]
    }
}

#[derive(Debug)]
pub(crate) struct Stopwatch {
    stage: Stage,
    since: Instant,
    spent: Segments,
}

/// What the time counts for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Thinking,
    Tools,
    Voicing,
    Sending,
    Travelling,
}

impl Stopwatch {
    /// The turn is over, and the caller had fallen silent then.
    pub fn begin(fell_silent: Instant, now: Instant) -> Self {
        let decided = now.saturating_duration_since(fell_silent);
        Self { stage: Stage::Thinking, since: now, spent: Segments { decided, ..Segments::default() } }
    }

    /// An answer is asked for, perhaps not for the first time.
    pub fn asked(&mut self, now: Instant) {
        if !self.has_sound() {
            self.enter(now, Stage::Thinking);
        }
    }

    /// The first words of an answer are there.
    pub fn words(&mut self, now: Instant) {
        if matches!(self.stage, Stage::Thinking | Stage::Tools) {
            self.enter(now, Stage::Voicing);
        }
    }

    /// A tool is called. When words came before it, their sound is on its way.
    pub fn tool(&mut self, now: Instant) {
        if self.stage == Stage::Thinking {
            self.enter(now, Stage::Tools);
        }
    }

    /// While a tool works, words of ours are to be said: nobody has to think of them.
    pub fn filler(&mut self, now: Instant) {
        if self.stage == Stage::Tools {
            self.enter(now, Stage::Voicing);
        }
    }

    /// Sound came. True when it was the first.
    pub fn sound(&mut self, now: Instant) -> bool {
        let first = !self.has_sound();
        if first {
            self.enter(now, Stage::Sending);
        }
        first
    }

    /// The first sound is on the wire.
    pub fn sent(&mut self, now: Instant) {
        if self.stage == Stage::Sending {
            self.enter(now, Stage::Travelling);
        }
    }

    pub fn has_sound(&self) -> bool {
        matches!(self.stage, Stage::Sending | Stage::Travelling)
    }

    /// The first sound was heard then. What was not seen of its sending belongs to its way.
    pub fn heard(mut self, at: Instant) -> Segments {
        self.spent.heard += at.saturating_duration_since(self.since);
        self.spent
    }

    fn enter(&mut self, now: Instant, next: Stage) {
        let passed = now.saturating_duration_since(self.since);
        *match self.stage {
            Stage::Thinking => &mut self.spent.thought,
            Stage::Tools => &mut self.spent.tools,
            Stage::Voicing => &mut self.spent.voiced,
            Stage::Sending => &mut self.spent.sent,
            Stage::Travelling => &mut self.spent.heard,
        } += passed;
        (self.stage, self.since) = (next, now.max(self.since));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each letter is something that happens, ten milliseconds after what happened before.
    fn story(letters: &str) -> Segments {
        #[expect(clippy::disallowed_methods, reason = "any instant will do as the start of a test's clock")]
        let start = Instant::now();
        let at = |step: usize| start + Duration::from_millis(10 * step as u64);
        let mut watch = Stopwatch::begin(start, at(1));
        for (step, letter) in letters.chars().enumerate() {
            let now = at(step + 2);
            match letter {
                'a' => watch.asked(now),
                'w' => watch.words(now),
                't' => watch.tool(now),
                'f' => watch.filler(now),
                's' => drop(watch.sound(now)),
                'o' => watch.sent(now),
                _ => {}
            }
        }
        let end = letters.len() + 2;
        let segments = watch.heard(at(end));
        assert_eq!(segments.silence(), at(end) - start, "{letters}: it adds up, whatever happens");
        segments
    }

    #[test]
    fn the_segments_add_up_whatever_happens() {
        for (letters, [decided, thought, tools, voiced, sent, heard]) in [
            ("wso", [1, 1, 0, 1, 1, 1]),
            ("so", [1, 1, 0, 0, 1, 1]),        // sound without any words
            ("ws", [1, 1, 0, 1, 0, 1]),        // nobody said when it was on the wire
            ("w.wwso", [1, 1, 0, 4, 1, 1]),    // only the first words count
            ("taawso", [1, 3, 1, 1, 1, 1]),    // a tool, and then an answer about it
            ("tatawso", [1, 3, 2, 1, 1, 1]),   // two rounds
            ("tfso", [1, 1, 1, 1, 1, 1]),      // a filler is heard before the tool is done
            ("wtso", [1, 1, 0, 2, 1, 1]),      // words before the tool: their sound is coming
            ("wawso", [1, 2, 0, 2, 1, 1]),     // an answer that failed, and another one
            ("wsoswtafo", [1, 1, 0, 1, 1, 7]), // what comes after the first sound changes nothing
            ("f.so", [1, 3, 0, 0, 1, 1]),      // words of ours that wait for the answer
        ] {
            let ms = |tens: u64| Duration::from_millis(10 * tens);
            let expected = Segments {
                decided: ms(decided),
                thought: ms(thought),
                tools: ms(tools),
                voiced: ms(voiced),
                sent: ms(sent),
                heard: ms(heard),
            };
            assert_eq!(story(letters), expected, "{letters}");
        }
    }
}
