//! Whether somebody speaks, when two judges are asked.
//!
//! The provider hears words but says so late; our own detector is early but takes a cough for a voice. The
//! first of them raises a hand, and the other one has a moment to agree. A voice that goes on needs no
//! agreement: no cough lasts so long.

use std::time::{Duration, Instant};

/// Who is asked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Judges {
    /// Whichever is first, confirmed by the other.
    #[default]
    Both,
    /// Our own detector alone.
    Local,
    /// The provider alone.
    Provider,
}

/// Who speaks, as the call is told it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sign {
    Began,
    /// It was no turn after all: a noise, or a word that nobody understood.
    Faded,
}

#[derive(Debug)]
pub(super) struct Attention {
    judges: Judges,
    /// Our detector hears a voice since then.
    voice: Option<Instant>,
    /// The provider hears words since then.
    words: Option<Instant>,
    /// The call was told that somebody speaks.
    told: bool,
    /// Nobody is heard any more since then, though the call still thinks so.
    quiet: Option<Instant>,
}

impl Attention {
    pub fn new(judges: Judges) -> Self {
        Self { judges, voice: None, words: None, told: false, quiet: None }
    }

    pub fn voice_began(&mut self, now: Instant) -> Option<Sign> {
        self.voice = Some(now);
        self.quiet = None;
        self.judge(now)
    }

    pub fn voice_stopped(&mut self, now: Instant) {
        self.voice = None;
        if self.told && self.words.is_none() {
            self.quiet = Some(now);
        }
    }

    pub fn words_began(&mut self, now: Instant) -> Option<Sign> {
        self.words.get_or_insert(now);
        self.quiet = None;
        self.judge(now)
    }

    /// The provider says that the turn is over. True when the call knew of it.
    pub fn turn_ended(&mut self) -> bool {
        self.voice = None; // ours hears the end of it later than the provider
        self.words = None;
        self.quiet = None;
        std::mem::take(&mut self.told)
    }

    pub fn tick(&mut self, now: Instant) -> Option<Sign> {
        if self.quiet.is_some_and(|since| now >= since + FADES_AFTER) {
            self.quiet = None;
            self.told = false;
            return Some(Sign::Faded);
        }
        self.judge(now)
    }

    /// Somebody is heard by one judge at least.
    pub fn is_busy(&self) -> bool {
        self.voice.is_some() || self.words.is_some()
    }

    /// Our own detector hears somebody now.
    pub fn hears_a_voice(&self) -> bool {
        self.voice.is_some()
    }

    /// When to look again.
    pub fn next(&self) -> Option<Instant> {
        let faded = self.quiet.map(|since| since + FADES_AFTER);
        let raised = (!self.told && self.judges == Judges::Both)
            .then(|| match (self.voice, self.words) {
                (Some(voice), None) => Some(voice + LONG_VOICE),
                (None, Some(words)) => Some(words + AGREES_WITHIN),
                _ => None,
            })
            .flatten();
        faded.into_iter().chain(raised).min()
    }

    fn judge(&mut self, now: Instant) -> Option<Sign> {
        let agreed = match self.judges {
            Judges::Local => self.voice.is_some(),
            Judges::Provider => self.words.is_some(),
            Judges::Both => match (self.voice, self.words) {
                (Some(_), Some(_)) => true,
                (Some(voice), None) => now >= voice + LONG_VOICE,
                (None, Some(words)) => now >= words + AGREES_WITHIN,
                (None, None) => false,
            },
        };
        (agreed && !std::mem::replace(&mut self.told, true)).then_some(Sign::Began)
    }
}

/// Our detector lags 50 ms; a provider that hears words where it hears nothing is believed after this.
const AGREES_WITHIN: Duration = Duration::from_millis(150);

/// A cough lasts 300 to 400 ms.
const LONG_VOICE: Duration = Duration::from_millis(600);

/// A provider that has heard words says so within a second.
const FADES_AFTER: Duration = Duration::from_millis(1_500);

#[cfg(test)]
mod tests {
    use super::*;

    fn start() -> Instant {
        #[expect(clippy::disallowed_methods, reason = "any instant will do as the start of a test's clock")]
        Instant::now()
    }

    const fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn a_cough_is_not_a_turn() {
        let (now, mut attention) = (start(), Attention::new(Judges::Both));
        assert_eq!(attention.voice_began(now), None);
        assert_eq!(attention.next(), Some(now + LONG_VOICE));
        attention.voice_stopped(now + ms(350));
        assert_eq!(attention.tick(now + ms(700)), None);
        assert_eq!(attention.next(), None);
    }

    #[test]
    fn two_judges_who_agree_need_no_time() {
        let (now, mut attention) = (start(), Attention::new(Judges::Both));
        assert_eq!(attention.voice_began(now), None);
        assert_eq!(attention.words_began(now + ms(120)), Some(Sign::Began));
        assert_eq!(attention.tick(now + ms(900)), None, "said once");
        attention.voice_stopped(now + ms(1_000));
        assert_eq!(attention.next(), None, "the provider has words: it says when they end");
        assert!(attention.turn_ended());
        assert!(!attention.turn_ended());
    }

    #[test]
    fn one_judge_alone_is_believed_after_a_while() {
        let (now, mut attention) = (start(), Attention::new(Judges::Both));
        assert_eq!(attention.words_began(now), None);
        assert_eq!(attention.tick(now + AGREES_WITHIN), Some(Sign::Began));
        let mut attention = Attention::new(Judges::Both);
        assert_eq!(attention.voice_began(now), None);
        assert_eq!(attention.tick(now + LONG_VOICE), Some(Sign::Began));
        attention.voice_stopped(now + ms(800));
        assert_eq!(attention.tick(now + ms(800) + FADES_AFTER), Some(Sign::Faded), "a lorry went by");
        assert_eq!(attention.voice_began(now + ms(9_000)), None);
        assert_eq!(attention.words_began(now + ms(9_100)), Some(Sign::Began));
    }

    #[test]
    fn a_voice_that_we_still_hear_when_its_turn_is_over_is_no_new_turn() {
        let (now, mut attention) = (start(), Attention::new(Judges::Both));
        assert_eq!(attention.voice_began(now), None);
        assert_eq!(attention.words_began(now + ms(100)), Some(Sign::Began));
        assert!(attention.turn_ended());
        assert_eq!(attention.tick(now + ms(900)), None);
        attention.voice_stopped(now + ms(950));
        assert_eq!(attention.next(), None);
    }

    #[test]
    fn a_single_judge_needs_nobody() {
        let (now, mut attention) = (start(), Attention::new(Judges::Local));
        assert_eq!(attention.words_began(now), None);
        assert_eq!(attention.voice_began(now), Some(Sign::Began));
        let mut attention = Attention::new(Judges::Provider);
        assert_eq!(attention.voice_began(now), None);
        assert_eq!(attention.tick(now + ms(9_000)), None);
        assert_eq!(attention.words_began(now), Some(Sign::Began));
    }
}
