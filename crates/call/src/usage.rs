//! What was used, in the units it is paid in, and by which leg.
//!
//! Which provider and model that was is not known here: who knows the leg knows it. Whatever comes from a provider
//! may be nonsense, so nothing here overflows.

use std::{ops::AddAssign, time::Duration};

/// Cached tokens are part of the input tokens.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    pub text_in: u64,
    pub text_cached: u64,
    pub audio_in: u64,
    pub audio_cached: u64,
    pub image_in: u64,
    pub image_cached: u64,
    pub text_out: u64,
    pub audio_out: u64,
    /// Of the model that writes down what the caller says, where it counts tokens.
    pub transcription_audio_in: u64,
    pub transcription_text_in: u64,
    pub transcription_text_out: u64,
    /// Sound that was made words of: by that model where it counts time, and by the ear of a cascade.
    pub transcribed: Duration,
    /// What went to the mouth of a cascade, spaces included.
    pub characters: u64,
    /// Answers of which nobody said what they took: most were stopped in the middle.
    pub untold_answers: u64,
}

impl AddAssign for Usage {
    fn add_assign(&mut self, more: Self) {
        for (sum, more) in [
            (&mut self.text_in, more.text_in),
            (&mut self.text_cached, more.text_cached),
            (&mut self.audio_in, more.audio_in),
            (&mut self.audio_cached, more.audio_cached),
            (&mut self.image_in, more.image_in),
            (&mut self.image_cached, more.image_cached),
            (&mut self.text_out, more.text_out),
            (&mut self.audio_out, more.audio_out),
            (&mut self.transcription_audio_in, more.transcription_audio_in),
            (&mut self.transcription_text_in, more.transcription_text_in),
            (&mut self.transcription_text_out, more.transcription_text_out),
            (&mut self.characters, more.characters),
            (&mut self.untold_answers, more.untold_answers),
        ] {
            *sum = sum.saturating_add(more);
        }
        self.transcribed = self.transcribed.saturating_add(more.transcribed);
    }
}

/// What each leg of a call used: one entry for each that was opened, in their order, as [`Summary::legs`] has them.
///
/// [`Summary::legs`]: crate::Summary::legs
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Meter(Vec<Usage>);

impl Meter {
    /// What is added from now on belongs to the next leg.
    pub(crate) fn next_leg(&mut self) {
        self.0.push(Usage::default());
    }

    /// The first leg's, the second's, and so on.
    pub fn legs(&self) -> &[Usage] {
        &self.0
    }

    pub fn total(&self) -> Usage {
        let mut total = Usage::default();
        self.0.iter().for_each(|leg| total += *leg);
        total
    }

    /// What the leg that was opened as the `leg`th could not say before it was let go.
    pub fn add_late(&mut self, leg: usize, more: Usage) {
        if let Some(leg) = self.0.get_mut(leg) {
            *leg += more;
        }
    }
}

impl AddAssign<Usage> for Meter {
    fn add_assign(&mut self, more: Usage) {
        if let Some(leg) = self.0.last_mut() {
            *leg += more;
        }
    }
}

impl FromIterator<Usage> for Meter {
    fn from_iter<T: IntoIterator<Item = Usage>>(legs: T) -> Self {
        Self(legs.into_iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_added_belongs_to_the_leg_of_the_moment() {
        let mut meter = Meter::default();
        meter.next_leg();
        meter += Usage { text_in: 3, ..Usage::default() };
        meter.next_leg();
        meter += Usage { text_in: 4, characters: 9, ..Usage::default() };
        meter += Usage { text_in: 1, ..Usage::default() };
        let legs: Vec<_> = meter.legs().iter().map(|leg| (leg.text_in, leg.characters)).collect();
        assert_eq!(legs, [(3, 0), (5, 9)]);
        meter.add_late(0, Usage { text_in: 2, ..Usage::default() });
        assert_eq!(meter.legs()[0].text_in, 5);
        assert_eq!((meter.total().text_in, meter.total().characters), (10, 9));
    }

    #[test]
    fn a_provider_that_counts_nonsense_breaks_nothing() {
        let most = Usage { text_in: u64::MAX, transcribed: Duration::MAX, ..Usage::default() };
        let mut sum = most;
        sum += most;
        assert_eq!((sum.text_in, sum.transcribed), (u64::MAX, Duration::MAX));
    }
}
