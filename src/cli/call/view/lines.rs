//! How is something that happened told in one line? For pipes and logs, and above the live picture.

use std::time::Duration;

use crate::cli::call::{
    diary::{Diary, Fact, Side},
    news::{Told, Turn},
};

/// Who, and what. Nothing for what is told elsewhere.
pub(super) fn of(fact: &Fact, diary: &Diary) -> Vec<(&'static str, String)> {
    let one = |who: &'static str, text: String| vec![(who, text)];
    match fact {
        Fact::Told(told) => of_told(told, diary),
        Fact::Acts(what) => one("caller", what.clone()),
        Fact::Violation => one("line", "the relay broke the carrier's protocol".to_owned()),
        Fact::LineOver(how) => one("line", format!("over: {how}")),
        // A relay that tells words tells more than this.
        Fact::Begins(_) | Fact::Stops(_) | Fact::Cleared(_) if diary.is_told => Vec::new(),
        Fact::Begins(Side::Caller) => one("caller", "begins to speak".to_owned()),
        Fact::Stops(Side::Caller) => one("caller", "has spoken".to_owned()),
        Fact::Begins(Side::Agent) => {
            let waited = diary.of(Side::Agent).next_back().and_then(|answer| diary.silence_before(answer));
            let waited = waited.map(|time| format!(", {} after the caller stopped", ms(time)));
            one("agent", "begins to be heard".to_owned() + &waited.unwrap_or_default())
        }
        Fact::Stops(Side::Agent) => {
            let heard = diary.of(Side::Agent).next_back().and_then(|one| Some(one.to? - one.from));
            one("agent", format!("was heard for {:.2} s", heard.unwrap_or_default().as_secs_f64()))
        }
        Fact::Cleared(cut) => one("agent", format!("is cut off: {} were never heard", ms(cut.thrown_away))),
    }
}

fn of_told(told: &Told, diary: &Diary) -> Vec<(&'static str, String)> {
    let (who, text) = match told {
        Told::Words { who, item, text, whole: true } => {
            // Of an interrupted sentence the heard part was shown, and the rest was for nobody.
            let cut = diary.lines.iter().any(|line| line.item == *item && line.heard.is_some());
            if cut || text.is_empty() {
                return Vec::new();
            }
            (who.name(), format!("“{text}”"))
        }
        Told::Words { .. } | Told::Live => return Vec::new(),
        Told::LegReady { after } => ("leg", format!("ready after {}", ms(*after))),
        Told::FirstAudio { after } => ("agent", format!("is heard, {} after the call came in", ms(*after))),
        Told::Cut { heard, heard_for, sent_for, .. } => {
            ("agent", format!("is interrupted: heard {} of {}: “{heard}…”", ms(*heard_for), ms(*sent_for)))
        }
        Told::Interrupted => ("caller", "talks over the agent: playback cleared".to_owned()),
        Told::Turn(turn) => match wait(turn) {
            Some(wait) => ("line", format!("the silence was {wait}")),
            None => return Vec::new(),
        },
        Told::Key(key) => ("leg", format!("is told of key {key}")),
        Told::ToolCalled { name, arguments, .. } => {
            let arguments = arguments.as_ref().map(|it| format!(" {it}")).unwrap_or_default();
            ("tool", format!("{name}{arguments}").chars().take(LONGEST).collect())
        }
        Told::ToolEnded { outcome, after, .. } => ("tool", format!("{outcome}, after {}", ms(*after))),
        Told::Remark(who, text) => (*who, text.clone()),
        Told::Ended { text, .. } => ("line", format!("the relay says why: {text}")),
    };
    vec![(who, text)]
}

/// A silence and its parts; those that took no time are left out.
pub(super) fn wait(turn: &Turn) -> Option<String> {
    let silence = turn.silence?;
    let parts = turn.segments.iter().filter(|(_, time)| time.as_millis() > 0);
    let parts: Vec<_> = parts.map(|(name, time)| format!("{name} {}", time.as_millis())).collect();
    Some(if parts.is_empty() { ms(silence) } else { format!("{}: {}", ms(silence), parts.join(", ")) })
}

pub(super) fn plain(at: Duration, who: &str, text: &str) -> String {
    format!("{:>7.2} s  {who:<7} {text}", at.as_secs_f64())
}

fn ms(time: Duration) -> String {
    format!("{} ms", time.as_millis())
}

const LONGEST: usize = 300;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::call::diary::tests::{cleared, cut, diary, ms as millis, words};

    fn told(facts: Vec<(u64, Fact)>) -> Vec<String> {
        let mut shown = Vec::new();
        let mut diary = diary([]);
        for (at, fact) in facts {
            diary.take(millis(at), fact.clone());
            shown.extend(of(&fact, &diary).into_iter().map(|(who, text)| format!("{who} {text}")));
        }
        shown
    }

    #[test]
    fn a_relay_without_words_is_told_by_what_the_phone_hears() {
        let shown = told(vec![
            (1_000, Fact::Begins(Side::Caller)),
            (2_000, Fact::Stops(Side::Caller)),
            (2_450, Fact::Begins(Side::Agent)),
            (3_450, cleared(900)),
        ]);
        let agent = "agent begins to be heard, 450 ms after the caller stopped";
        assert_eq!(shown[2..], [agent, "agent is cut off: 900 ms were never heard"]);
    }

    #[test]
    fn with_words_a_sentence_is_one_line_and_what_was_cut_is_not_told_whole() {
        let shown = told(vec![
            (1, words(Side::Caller, 1, "Hello?")),
            (2, Fact::Begins(Side::Agent)),
            (3, cut(2, "We open")),
            (4, words(Side::Agent, 2, "We open at six.")),
            (5, cut(2, "We")),
            (6, words(Side::Agent, 2, "We open at six.")),
        ]);
        assert_eq!(shown[0], "caller “Hello?”");
        assert_eq!(shown.iter().filter(|line| line.contains("“We open at six.”")).count(), 1, "{shown:?}");
        assert!(shown.iter().any(|line| line.contains("is interrupted")), "{shown:?}");
    }
}
