//! What has happened since the caller last did something? The part of the diary that an expectation looks at.

use std::time::Duration;

use super::judge::Now;
use crate::cli::call::diary::{Diary, Line, Side, ToolCall};

/// The agent has answered since then, waits for no tool, and has been silent for a while.
pub(in crate::cli::call) fn has_finished(diary: &Diary, since: Duration, now: &Now) -> bool {
    let asked = asked(diary, since);
    let spoke =
        asked.is_some_and(|asked| diary.of(Side::Agent).any(|one| one.to.is_none_or(|to| to > asked)));
    let works = diary.tools.iter().any(|tool| tool.at >= since && tool.outcome.is_none());
    spoke && !works && !now.playing && now.quiet_for.is_some_and(|quiet| quiet >= QUIET)
}

/// When the caller had said what is to be answered; nothing while it is still being said.
pub(in crate::cli::call) fn asked(diary: &Diary, since: Duration) -> Option<Duration> {
    match diary.of(Side::Caller).find(|one| one.from >= since) {
        Some(spoke) => spoke.to,
        None => Some(since), // a key, or the call itself
    }
}

/// From the caller's last sound to the first of the answer, as this phone heard it.
pub(super) fn answered(diary: &Diary, since: Duration) -> Option<Duration> {
    let stop = asked(diary, since)?;
    let answer = diary.of(Side::Agent).find(|one| one.from >= since && one.to.is_none_or(|to| to > stop))?;
    Some(answer.from.saturating_sub(stop))
}

pub(super) fn of(diary: &Diary, side: Side, since: Duration) -> impl Iterator<Item = &Line> {
    diary.lines.iter().filter(move |line| line.who == side && line.from >= since)
}

pub(super) fn joined<'a>(lines: impl Iterator<Item = &'a Line>) -> String {
    lines.map(|line| line.said.as_str()).collect::<Vec<_>>().join(" ")
}

pub(super) fn said(diary: &Diary, since: Duration) -> String {
    joined(of(diary, Side::Agent, since))
}

/// What was cut counts as soon as it is known how much was heard; the rest when the agent has finished.
pub(super) fn heard(diary: &Diary, since: Duration, finished: bool) -> String {
    let heard = heard_lines(diary, since).filter(|line| line.heard.is_some() || finished);
    heard.map(Line::heard).collect::<Vec<_>>().join(" ")
}

/// What began since then, or was cut since then.
pub(super) fn heard_lines(diary: &Diary, since: Duration) -> impl Iterator<Item = &Line> {
    let cut = move |line: &Line| line.heard.as_ref().is_some_and(|(_, at)| *at >= since);
    diary.lines.iter().filter(move |line| line.who == Side::Agent && (line.from >= since || cut(line)))
}

pub(super) fn calls(diary: &Diary, since: Duration) -> impl Iterator<Item = &ToolCall> {
    diary.tools.iter().filter(move |tool| tool.at >= since)
}

/// After so much silence the agent has finished. Voices pause for less between sentences.
pub(in crate::cli::call) const QUIET: Duration = Duration::from_millis(700);
