//! What was used of whom, and what that costs, over all calls.
//!
//! A token may name any model, so the labels are the names in the price table; what is not in it is `other`.

use std::sync::atomic::AtomicU64;

use prometheus_client::{
    metrics::{counter::Counter, family::Family},
    registry::{Registry, Unit},
};

use super::register;
use crate::costs::{Bill, Entry, Used};

/// Provider, model and what else; see above for why there are few.
type Labels<const N: usize> = [(&'static str, String); N];

#[derive(Debug)]
pub(super) struct Costs {
    tokens: Family<Labels<3>, Counter>,
    heard: Family<Labels<2>, Counter<f64, AtomicU64>>,
    spoken: Family<Labels<2>, Counter>,
    untold: Family<Labels<2>, Counter>,
    dollars: Family<Labels<2>, Counter<f64, AtomicU64>>,
    unpriced: Family<Labels<2>, Counter>,
}

impl Costs {
    pub fn new(registry: &mut Registry) -> Self {
        let heard = Family::<Labels<2>, Counter<f64, AtomicU64>>::default();
        let help = "Sound that speech to text was paid for by time";
        registry.register_with_unit("heard", help, Unit::Seconds, heard.clone());
        Self {
            tokens: register(
                registry,
                "tokens",
                "Tokens, by model and kind; those in the cache are part of those in",
            ),
            heard,
            spoken: register(registry, "spoken_characters", "Characters that voices were given"),
            untold: register(registry, "untold_answers", "Answers of which nobody said what they took"),
            dollars: register(registry, "cost_usd", "What providers take, by the price table"),
            unpriced: register(registry, "unpriced", "Calls in which something of a model had no price"),
        }
    }

    pub fn add(&self, bill: &Bill) {
        bill.entries.iter().for_each(|entry| self.add_entry(entry));
    }

    fn add_entry(&self, entry: &Entry) {
        let Used { usage, .. } = &entry.used;
        let (provider, model) = entry.row.as_ref().map_or_else(
            || ("other".to_owned(), "other".to_owned()),
            |row| {
                let model = match &row.option {
                    Some(option) => format!("{} ({option})", row.model),
                    None => row.model.clone(),
                };
                (row.provider.clone(), model)
            },
        );
        let names = [("provider", provider.clone()), ("model", model.clone())];
        for (kind, count) in [
            ("text_in", usage.text_in),
            ("text_cached", usage.text_cached),
            ("audio_in", usage.audio_in),
            ("audio_cached", usage.audio_cached),
            ("image_in", usage.image_in),
            ("image_cached", usage.image_cached),
            ("text_out", usage.text_out),
            ("audio_out", usage.audio_out),
        ] {
            if count > 0 {
                let [provider, model] = names.clone();
                self.tokens.get_or_create(&[provider, model, ("kind", kind.to_owned())]).inc_by(count);
            }
        }
        // An option on top is a second line about the same sound.
        let on_top = entry.used.of.option.as_deref() == Some("keyterms");
        if !usage.transcribed.is_zero() && !on_top {
            self.heard.get_or_create(&names).inc_by(usage.transcribed.as_secs_f64());
        }
        for (family, count) in [
            (&self.spoken, usage.characters),
            (&self.untold, usage.untold_answers),
            (&self.unpriced, u64::from(!entry.unpriced.is_empty())),
        ] {
            if count > 0 {
                family.get_or_create(&names).inc_by(count);
            }
        }
        if !entry.lines.is_empty() {
            self.dollars.get_or_create(&names).inc_by(entry.total().rounded());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use call::Usage;
    use prometheus_client::encoding::text::encode;

    use super::*;
    use crate::costs::{Of, Prices, bill};

    #[test]
    fn what_was_used_is_on_the_page_under_the_names_of_the_price_table() {
        let mut registry = Registry::with_prefix("patchcord");
        let costs = Costs::new(&mut registry);
        let of = |provider, model, option, usage| Used { of: Of::new(provider, model, option), usage };
        let none = Usage::default();
        let minute = Usage { transcribed: Duration::from_secs(60), ..none };
        let used = vec![
            of(
                "groq",
                "openai/gpt-oss-20b",
                None,
                Usage { text_in: 1_000_000, text_cached: 400_000, ..none },
            ),
            of("groq", "a-model-of-tomorrow", None, Usage { text_out: 5, untold_answers: 1, ..none }),
            of("deepgram", "nova-3", None, minute),
            of("deepgram", "nova-3", Some("keyterms"), minute),
            of("deepgram", "aura-2-thalia-en", None, Usage { characters: 1_000, ..none }),
            of("deepgram", "aura-2-luna-en", None, Usage { characters: 500, ..none }),
        ];
        costs.add(&bill(&Prices::default(), used));
        let mut page = String::new();
        encode(&mut page, &registry).unwrap();
        for line in [
            // 600,000 at 0.075 a million, and 400,000 at 0.0375.
            r#"patchcord_cost_usd_total{provider="groq",model="openai/gpt-oss-20b"} 0.06"#,
            r#"patchcord_tokens_total{provider="groq",model="openai/gpt-oss-20b",kind="text_in"} 1000000"#,
            r#"patchcord_tokens_total{provider="groq",model="openai/gpt-oss-20b",kind="text_cached"} 400000"#,
            r#"patchcord_tokens_total{provider="other",model="other",kind="text_out"} 5"#,
            r#"patchcord_unpriced_total{provider="other",model="other"} 1"#,
            r#"patchcord_untold_answers_total{provider="other",model="other"} 1"#,
            r#"patchcord_heard_seconds_total{provider="deepgram",model="nova-3"} 60.0"#,
            r#"patchcord_cost_usd_total{provider="deepgram",model="nova-3 (keyterms)"} 0.0013"#,
            r#"patchcord_spoken_characters_total{provider="deepgram",model="aura-2-*"} 1500"#,
            r#"patchcord_cost_usd_total{provider="deepgram",model="aura-2-*"} 0.045"#,
        ] {
            assert!(page.lines().any(|l| l == line), "{line} is not in\n{page}");
        }
        assert!(!page.contains("tomorrow"), "a token could make any number of labels:\n{page}");
        assert!(!page.contains("nova-3 (keyterms)\"} 60"), "the same sound twice:\n{page}");
    }
}
