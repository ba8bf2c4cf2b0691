//! Where do random choices come from? From a seed, so that a failing run can be repeated.
//!
//! SplitMix64: not for secrets, only for sizes, ids and noise.

#[derive(Clone, Debug)]
pub struct Dice(u64);

impl Dice {
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// A number from `low` to `high`, both included.
    pub fn between(&mut self, low: u64, high: u64) -> u64 {
        let span = high.saturating_sub(low).saturating_add(1);
        low + self.roll() % span.max(1)
    }

    /// From 0 (included) to 1 (excluded).
    pub fn part(&mut self) -> f64 {
        (self.roll() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// `count` lower-case hexadecimal digits, for ids.
    pub fn hex(&mut self, count: usize) -> String {
        let mut text = String::with_capacity(count + 16);
        while text.len() < count {
            text.push_str(&format!("{:016x}", self.roll()));
        }
        text.truncate(count);
        text
    }
}

#[cfg(test)]
mod tests {
    use super::Dice;

    #[test]
    fn the_same_seed_gives_the_same_rolls() {
        let (mut one, mut two) = (Dice::new(7), Dice::new(7));
        assert_eq!([one.roll(), one.roll()], [two.roll(), two.roll()]);
        assert_ne!(Dice::new(7).roll(), Dice::new(8).roll());
    }

    #[test]
    fn between_includes_both_ends() {
        let mut dice = Dice::new(1);
        let rolls: std::collections::BTreeSet<u64> = (0..200).map(|_| dice.between(3, 5)).collect();
        assert_eq!(rolls, [3, 4, 5].into());
    }
}
