//! Whom the callers call: which kinds of agents, and how many of each.
//!
//! Each kind has its own measure. With `openai` every frame is timed, with the others the silence before an
//! answer: what is a good figure for one says nothing about the other.

use std::path::Path;

use clap::ValueEnum;
use serde_json::{Value, json};
use sim::voice;

use std::time::Duration;

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Kind {
    /// A pretend OpenAI in this process sends each frame back at once: every frame is timed, both ways.
    Openai,
    /// A pretend Deepgram and a pretend Groq in this process: the silence before each answer is timed.
    Cascade,
    /// The relay's own line test, without any provider: the delay of what comes back.
    Echo,
}

/// `openai=3,cascade=1`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mix(pub Vec<(Kind, u32)>);

/// One kind of agent in this run.
#[derive(Clone, Debug)]
pub struct Agent {
    pub name: String,
    pub weight: u32,
    /// A token's claims.
    pub claims: Value,
    pub measure: Measure,
    /// What of each silence is not the relay's: the time that our pretend providers take, or the pause of an echo.
    pub given: Option<Duration>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Measure {
    /// How long the relay keeps each frame.
    Frames,
    /// How long callers wait for an answer.
    Silence,
}

/// What the pretend providers take: until the turn is over, until the first word, until the first sound.
pub const TURN_ENDS: Duration = Duration::from_millis(400);
pub const FIRST_WORD: Duration = Duration::from_millis(150);
pub const FIRST_SOUND: Duration = Duration::from_millis(5);
/// After which an echo takes a turn for over.
const ECHO_PAUSE: Duration = Duration::from_millis(400);
/// The pretend OpenAI sends everything back for those who come with it.
pub const FRAMES_KEY: &str = "sk-pretend-frames";

impl Kind {
    const ALL: [Self; 3] = [Self::Openai, Self::Cascade, Self::Echo];

    pub fn name(self) -> &'static str {
        match self {
            Self::Openai => "openai",
            Self::Cascade => "cascade",
            Self::Echo => "echo",
        }
    }

    /// Whether the relay has to reach providers in this process.
    pub fn needs_providers(self) -> bool {
        self != Self::Echo
    }

    pub fn agent(self, weight: u32) -> Agent {
        let (leg, measure, given) = match self {
            Self::Openai => {
                (json!({ "kind": "openai", "model": "gpt-realtime-2.1-mini" }), Measure::Frames, None)
            }
            Self::Cascade => (
                json!({ "kind": "cascade", "stt": { "provider": "deepgram" },
                    "llm": { "provider": "groq", "model": "openai/gpt-oss-20b" },
                    "tts": { "provider": "deepgram", "voice": "aura-2-thalia-en" } }),
                Measure::Silence,
                Some(TURN_ENDS + FIRST_WORD + FIRST_SOUND),
            ),
            Self::Echo => {
                let pause = u64::try_from(ECHO_PAUSE.as_millis()).unwrap_or(u64::MAX);
                (json!({ "kind": "echo", "pause_ms": pause }), Measure::Silence, Some(ECHO_PAUSE))
            }
        };
        let mut claims = json!({ "agent": { "id": format!("load-{}", self.name()) }, "legs": [leg] });
        if self.needs_providers() {
            claims["agent"]["prompt"] = "You are fast.".into();
        }
        if self == Self::Openai {
            claims["keys"] = json!({ "openai": FRAMES_KEY });
        }
        Agent { name: self.name().to_owned(), weight, claims, measure, given }
    }
}

/// An agent of somebody's own.
pub fn agent_of_file(path: &str, weight: u32, claims: Value) -> Agent {
    let name = Path::new(path).file_stem().map_or(path.into(), |stem| stem.to_string_lossy());
    Agent { name: name.into_owned(), weight, claims, measure: Measure::Silence, given: None }
}

/// `openai=3,cascade=1,echo`: a kind without a number counts once.
pub fn mix(text: &str) -> Result<Mix, String> {
    let mut parts: Vec<(Kind, u32)> = Vec::new();
    for part in text.split(',') {
        let (name, share) = weighted(part.trim())?;
        let kind = Kind::ALL.into_iter().find(|kind| kind.name() == name);
        let known = Kind::ALL.map(Kind::name).join(", ");
        let kind = kind.ok_or_else(|| format!("`{name}` is no kind of agent: there are {known}"))?;
        if parts.iter().any(|(other, _)| *other == kind) {
            return Err(format!("`{name}` stands twice: keep one"));
        }
        parts.push((kind, share));
    }
    Ok(Mix(parts))
}

/// `bakery.json=3`: a file and how many of the calls are its.
pub fn file(text: &str) -> Result<(String, u32), String> {
    let has_number = text.rsplit_once('=').is_some_and(|(_, number)| number.parse::<u32>().is_ok());
    let (path, share) = if has_number { weighted(text)? } else { (text, 1) };
    if path.is_empty() {
        Err("there is no file before the `=`".to_owned())
    } else {
        Ok((path.to_owned(), share))
    }
}

fn weighted(text: &str) -> Result<(&str, u32), String> {
    let Some((name, share)) = text.rsplit_once('=') else { return Ok((text, 1)) };
    let number = share.parse().ok().filter(|share| (1..=MOST).contains(share));
    let number = number.ok_or_else(|| {
        format!("`{share}` behind `{name}=` is no share: write a whole number from 1 to {MOST}")
    })?;
    Ok((name, number))
}

/// Shares are small numbers; sums of them stay far from any limit.
const MOST: u32 = 1_000;

/// Which agent each of so many lines calls: after any number of lines the shares are as right as they can be.
pub fn deal(weights: &[u32], lines: u32) -> Vec<usize> {
    let all: u64 = weights.iter().map(|weight| u64::from(*weight)).sum();
    let mut dealt = vec![0_u64; weights.len()];
    let due = |at: usize, line: u32, dealt: &[u64]| {
        // How far this one is behind its share, in units that need no fractions.
        (u64::from(weights[at]) * u64::from(line + 1)).cast_signed() - (dealt[at] * all).cast_signed()
    };
    (0..lines)
        .map(|line| {
            // The first of those that are furthest behind.
            let next = (0..weights.len()).rev().max_by_key(|at| due(*at, line, &dealt)).unwrap_or(0);
            dealt[next] += 1;
            next
        })
        .collect()
}

/// What a caller says in each turn.
pub fn sentence() -> Vec<u8> {
    voice::speech(Duration::from_millis(900), 5)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mix_is_kinds_with_their_shares() {
        let wanted = vec![(Kind::Openai, 3), (Kind::Cascade, 1), (Kind::Echo, 1)];
        assert_eq!(mix("openai=3,cascade=1, echo"), Ok(Mix(wanted)));
    }

    #[test]
    fn a_slip_in_a_mix_is_named() {
        for (text, named) in [
            ("opnai=3", "`opnai` is no kind of agent: there are openai, cascade, echo"),
            ("openai=0", "`0` behind `openai=`"),
            ("openai=many", "`many` behind `openai=`"),
            ("echo,echo=2", "`echo` stands twice"),
            ("openai=1,", "`` is no kind"),
            ("openai=99999", "from 1 to 1000"),
        ] {
            let said = mix(text).unwrap_err();
            assert!(said.contains(named), "{text}: {said}");
        }
    }

    #[test]
    fn a_file_may_have_a_share_and_an_equals_sign_of_its_own() {
        assert_eq!(file("a.json"), Ok(("a.json".to_owned(), 1)));
        assert_eq!(file("a.json=4"), Ok(("a.json".to_owned(), 4)));
        assert_eq!(file("odd=name.json"), Ok(("odd=name.json".to_owned(), 1)));
        assert!(file("=4").is_err() && file("a.json=0").is_err());
    }

    #[test]
    fn lines_are_dealt_so_that_the_shares_hold_at_every_moment() {
        assert_eq!(deal(&[3, 1], 8), [0, 0, 1, 0, 0, 0, 1, 0]);
        assert_eq!(deal(&[1], 3), [0, 0, 0]);
        for lines in 1..200 {
            let dealt = deal(&[5, 2, 1], lines);
            for (kind, share) in [5.0, 2.0, 1.0].into_iter().enumerate() {
                let have = dealt.iter().filter(|one| **one == kind).count() as f64;
                let due = f64::from(lines) * share / 8.0;
                assert!((have - due).abs() <= 1.0, "{lines} lines: {have} of {kind}, {due} due");
            }
        }
    }
}
