//! Who holds the phone by a script's word? A thin hand: it does what each step says and asks [`judge`] about the rest.
//!
//! After the first step that fails nothing more is done: what follows would fail for the same reason.

use std::time::Duration;

use serde_json::{Value, json};
use sim::{clips, ulaw, voice, wav};

use super::{
    Action, Expect, Expected, Script, Speech,
    judge::{Failed, Now, Verdict, judge, too_late},
    scope::{QUIET, asked, has_finished},
    wording::{clock, expected},
};
use crate::cli::call::{
    diary::{Diary, Side},
    session::Session,
};

/// What became of an action or an expectation.
#[derive(Clone, Debug)]
pub(in crate::cli::call) struct Check {
    /// Counted from 1.
    pub step: usize,
    pub line: usize,
    pub title: String,
    pub took: Duration,
    pub outcome: Outcome,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::cli::call) enum Outcome {
    /// With what came.
    Passed(String),
    /// With what was said around it.
    Failed(Failed, Vec<String>),
    /// Something before it failed.
    Skipped,
}

impl Check {
    pub fn failed(&self) -> bool {
        matches!(self.outcome, Outcome::Failed(..))
    }

    pub fn json(&self) -> Value {
        let ms = u64::try_from(self.took.as_millis()).unwrap_or(u64::MAX);
        let mut json = json!({ "step": self.step, "line": self.line, "title": self.title, "took_ms": ms });
        let (outcome, more) = match &self.outcome {
            Outcome::Passed(got) => ("passed", json!({ "got": got })),
            Outcome::Failed(Failed { expected, got }, around) => {
                ("failed", json!({ "expected": expected, "got": got, "around": around }))
            }
            Outcome::Skipped => ("skipped", json!({})),
        };
        json["outcome"] = outcome.into();
        if let (Some(json), Value::Object(more)) = (json.as_object_mut(), more) {
            json.extend(more);
        }
        json
    }
}

/// The sound of each step's words. Read before anybody is called.
pub(in crate::cli::call) fn voices(script: &Script) -> Result<Vec<Vec<u8>>, wav::WavError> {
    let sound = |action: &Option<Action>| match action {
        Some(Action::Say(speech) | Action::Interrupt { with: speech, .. }) => voice_of(speech),
        Some(Action::Press(_) | Action::Wait(_) | Action::HangUp) | None => Ok(Vec::new()),
    };
    script.steps.iter().map(|step| sound(&step.action)).collect()
}

fn voice_of(speech: &Speech) -> Result<Vec<u8>, wav::WavError> {
    match &speech.audio {
        Some(path) => Ok(without_tail(wav::read_ulaw(path)?)),
        None => Ok(made_up(&speech.text)),
    }
}

/// The demo's own sentences have a real voice; of others the same words sound the same.
fn made_up(text: &str) -> Vec<u8> {
    if let Some(clip) = clips::spoken(text) {
        return without_tail(clip.to_vec());
    }
    let seed = text.bytes().fold(29_u64, |sum, byte| sum.wrapping_mul(31).wrapping_add(u64::from(byte)));
    voice::speech(voice::spoken_length(text), seed)
}

/// Without the silence at its end: how soon an answer comes is measured from the last sound.
pub(in crate::cli::call) fn without_tail(mut sound: Vec<u8>) -> Vec<u8> {
    let loud = |frame: &[u8]| ulaw::loudness(frame) > QUIET_LINE;
    let last = sound.chunks(ulaw::FRAME).rposition(loud).unwrap_or(0);
    sound.truncate((last + 1) * ulaw::FRAME);
    sound
}

/// Plays it to its end, or to the first step that fails.
pub(in crate::cli::call) async fn play(
    session: &mut Session,
    script: &Script,
    voices: &[Vec<u8>],
    greets: bool,
) -> Vec<Check> {
    let mut checks = Vec::new();
    let mut hand = Hand { session, since: Duration::ZERO, owed: greets };
    let mut failed = false;
    for (at, (step, voice)) in script.steps.iter().zip(voices).enumerate() {
        let before = checks.len();
        let check = |line, title, took, outcome| Check { step: at + 1, line, title, took, outcome };
        if let Some(action) = &step.action {
            let began = hand.session.age();
            let outcome = match failed {
                true => Outcome::Skipped,
                false => hand.act(action, voice, step.within).await,
            };
            checks.push(check(step.line, action.title(), hand.session.age() - began, outcome));
            hand.tell(checks.last());
            failed |= checks.last().is_some_and(Check::failed);
        }
        let outcomes = match failed {
            true => step.expects.iter().map(|_| (Duration::ZERO, Outcome::Skipped)).collect(),
            false => hand.expect(&step.expects, step.within).await,
        };
        for (one, (took, outcome)) in step.expects.iter().zip(outcomes) {
            checks.push(check(one.line, expected(&one.what), took, outcome));
            hand.tell(checks.last());
        }
        failed |= checks[before..].iter().any(Check::failed);
    }
    checks
}

struct Hand<'a> {
    session: &'a mut Session,
    /// When the caller last began to do something.
    since: Duration,
    /// The agent has not answered that yet, and a polite caller waits.
    owed: bool,
}

impl Hand<'_> {
    async fn act(&mut self, action: &Action, voice: &[u8], within: Duration) -> Outcome {
        if self.session.diary.is_over() && *action != Action::HangUp {
            let end = self.session.diary.end().unwrap_or_default().to_owned();
            return self.fails(&action.title(), format!("the call was over already: {end}"));
        }
        match action {
            Action::Say(_) => {
                self.wait_politely(within).await;
                self.say(action, voice).await
            }
            Action::Interrupt { after, .. } => match self.has_heard(*after, within).await {
                Ok(()) => self.say(action, voice).await,
                Err(got) => self.fails(&action.title(), got),
            },
            Action::Press(keys) => {
                self.since = self.session.age();
                for key in keys.chars() {
                    self.session.acts(format!("presses {key}"));
                    self.session.phone.press(key);
                    self.session.until(BETWEEN_KEYS, |_, _| None::<()>).await;
                }
                self.owed = true;
                Outcome::Passed("pressed".to_owned())
            }
            Action::Wait(time) => {
                self.session.until(*time, |_, _| None::<()>).await;
                self.owed = false;
                Outcome::Passed("waited".to_owned())
            }
            Action::HangUp => {
                self.since = self.session.age();
                if !self.session.diary.is_over() {
                    self.session.acts("hangs up");
                    self.session.phone.hang_up();
                }
                Outcome::Passed("hung up".to_owned())
            }
        }
    }

    /// Until the agent has answered and finished; and if it does not answer, not for ever.
    async fn wait_politely(&mut self, within: Duration) {
        let (since, owed) = (self.since, self.owed);
        let quiet = move |diary: &Diary, now: &Now| {
            let silent = !now.playing && now.quiet_for.is_none_or(|quiet| quiet >= QUIET);
            (if owed { has_finished(diary, since, now) } else { silent }).then_some(())
        };
        self.session.until(within, quiet).await;
    }

    async fn say(&mut self, action: &Action, voice: &[u8]) -> Outcome {
        let since = self.session.age();
        (self.since, self.owed) = (since, true);
        self.session.phone.say(voice.to_vec());
        let limit = ulaw::length_of(voice.len() as u64) + SPEAKING;
        let said = |diary: &Diary, _: &Now| {
            let mine = diary.of(Side::Caller).rfind(|one| one.from >= since)?;
            mine.to
        };
        match self.session.until(limit, said).await {
            Some(_) if !self.session.diary.is_over() => Outcome::Passed("said".to_owned()),
            _ => {
                let end = self.session.diary.end().unwrap_or("the longest time of the call").to_owned();
                self.fails(&action.title(), format!("the call ended meanwhile: {end}"))
            }
        }
    }

    /// Waits until so much of what the agent says now was heard.
    async fn has_heard(&mut self, after: Duration, within: Duration) -> Result<(), String> {
        let since = self.since;
        let heard = move |diary: &Diary, now: Duration| -> Duration {
            let Some(asked) = asked(diary, since) else { return Duration::ZERO };
            let mine = diary.of(Side::Agent).filter(|one| one.to.is_none_or(|to| to > asked));
            mine.map(|one| one.to.unwrap_or(now).saturating_sub(one.from.max(asked))).sum()
        };
        let reached = move |diary: &Diary, now: &Now| {
            if now.playing && heard(diary, now.at) >= after {
                return Some(Ok(()));
            }
            has_finished(diary, since, now).then(|| Err(heard(diary, now.at)))
        };
        let limit = within + after;
        match self.session.until(limit, reached).await {
            Some(Ok(())) => Ok(()),
            Some(Err(length)) => Err(format!(
                "the agent had finished after {} ms: there was nothing left to interrupt",
                length.as_millis()
            )),
            None => Err(format!("the agent did not speak for so long within {} ms", limit.as_millis())),
        }
    }

    async fn expect(&mut self, all: &[Expected], within: Duration) -> Vec<(Duration, Outcome)> {
        let (since, began) = (self.since, self.session.age());
        let due = |expect: &Expect| match expect {
            Expect::AnswersWithin(limit) => began + within.max(*limit + BEYOND),
            _ => began + within,
        };
        let mut verdicts: Vec<Option<(Duration, Verdict)>> = vec![None; all.len()];
        let last = all.iter().map(|one| due(&one.what)).max().unwrap_or(began);
        self.session
            .until(last.saturating_sub(began) + BEYOND, |diary, now| {
                for (one, place) in all.iter().zip(&mut verdicts).filter(|(_, place)| place.is_none()) {
                    let verdict = match judge(&one.what, diary, since, now) {
                        Verdict::Open if now.over || now.at >= due(&one.what) => {
                            too_late(&one.what, diary, since, now)
                        }
                        verdict => verdict,
                    };
                    if verdict != Verdict::Open {
                        *place = Some((now.at.saturating_sub(began), verdict));
                    }
                }
                verdicts.iter().all(Option::is_some).then_some(())
            })
            .await;
        let now = self.session.now();
        let mut outcomes = Vec::new();
        for (one, verdict) in all.iter().zip(verdicts) {
            let late =
                || (now.at.saturating_sub(began), too_late(&one.what, &self.session.diary, since, &now));
            let (took, verdict) = verdict.unwrap_or_else(late);
            outcomes.push((
                took,
                match verdict {
                    Verdict::Met(got) => Outcome::Passed(got),
                    Verdict::Failed(failed) => Outcome::Failed(failed, around(&self.session.diary, since)),
                    Verdict::Open => Outcome::Skipped,
                },
            ));
        }
        outcomes
    }

    fn fails(&self, expected: &str, got: String) -> Outcome {
        let failed = Failed { expected: format!("the caller can {expected}"), got };
        Outcome::Failed(failed, around(&self.session.diary, self.since))
    }

    fn tell(&mut self, check: Option<&Check>) {
        let Some(check) = check else { return };
        match &check.outcome {
            Outcome::Passed(_) => self.session.remark(&format!("✓ {}", check.title)),
            Outcome::Failed(failed, _) => {
                self.session.remark(&format!("✗ {}: {}", failed.expected, failed.got))
            }
            Outcome::Skipped => {}
        }
    }
}

/// What was said and done around that moment, a line each.
fn around(diary: &Diary, since: Duration) -> Vec<String> {
    let mut all: Vec<(Duration, &str, String)> = Vec::new();
    for line in diary.lines.iter().filter(|line| !line.said.is_empty()) {
        let text = match &line.heard {
            Some((heard, _)) => format!("“{}” [heard: “{heard}”]", line.said),
            None => format!("“{}”", line.said),
        };
        all.push((line.from, line.who.name(), text));
    }
    if !diary.is_told {
        for one in &diary.stretches {
            let text =
                one.to.map_or("speaks".to_owned(), |to| format!("speaks for {}", clock(to - one.from)));
            all.push((one.from, one.side.name(), text));
        }
    }
    let arguments = |tool: &Option<Value>| tool.as_ref().map(Value::to_string).unwrap_or_default();
    all.extend(
        diary
            .tools
            .iter()
            .map(|tool| (tool.at, "tool", format!("{} {}", tool.name, arguments(&tool.arguments)))),
    );
    all.extend(diary.clears.iter().map(|(at, _)| (*at, "line", "playback cleared".to_owned())));
    all.extend(diary.remarks.iter().map(|(at, who, text)| (*at, *who, text.clone())));
    all.sort_by_key(|(at, ..)| *at);
    let before = all.partition_point(|(at, ..)| *at < since);
    let from = before.saturating_sub(LINES_BEFORE);
    let shown = all[from..].iter().take(LINES_BEFORE + LINES_AFTER);
    shown.map(|(at, who, text)| format!("{:>7.2} s  {who:<7} {text}", at.as_secs_f64())).collect()
}

/// About -60 dB: the hiss of a recording.
const QUIET_LINE: f64 = 40.0;

/// As fast as a person presses them.
const BETWEEN_KEYS: Duration = Duration::from_millis(200);

/// Beyond the length of what is said: the phone begins at its next tick.
const SPEAKING: Duration = Duration::from_secs(5);

/// So that an answer which comes a little too late is told with its time.
const BEYOND: Duration = Duration::from_secs(2);

const LINES_BEFORE: usize = 4;
const LINES_AFTER: usize = 12;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_recordings_silent_end_is_left_out_and_nothing_else() {
        let sound = voice::speech(Duration::from_millis(500), 1);
        let with_tail = [sound.clone(), ulaw::silence(Duration::from_secs(2))].concat();
        let cut = without_tail(with_tail);
        assert!((3_800..=4_160).contains(&cut.len()), "{}", cut.len());
        assert_eq!(cut[..3_800], sound[..3_800]);
        assert_eq!(without_tail(Vec::new()), Vec::<u8>::new());
    }
}
