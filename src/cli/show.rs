//! A call as it happens, line by line: what was said, what was heard of it, and how long it took.

use std::{
    collections::BTreeSet,
    io::{self, IsTerminal, Write},
    time::{Duration, Instant},
};

use call::{ItemId, Note, Speaker, Summary};
use serde_json::{Value, json};
use tokio::sync::broadcast::{Receiver, error::RecvError};

use crate::bridge::{News, What};

/// What a call told, for the summary.
#[derive(Debug, Default)]
pub(super) struct Story {
    pub summary: Option<Summary>,
    pub leg_ready: Option<Duration>,
    pub first_audio: Option<Duration>,
    pub answers: Vec<Duration>,
}

/// Shows the next call that comes in until it is over, and no other. `quiet`: only takes note.
pub(super) async fn follow(mut news: Receiver<News>, quiet: bool) -> Story {
    let mut story = Story::default();
    let (start, mut cut, mut ours) = (Instant::now(), BTreeSet::new(), None);
    let line = |who: &str, text: &str| {
        if !quiet {
            print(start.elapsed(), who, text);
        }
    };
    loop {
        let what = match news.recv().await {
            Ok(News { call, what }) => {
                if matches!(what, What::Started) && ours.is_none() {
                    ours = Some(call.clone());
                }
                if ours.as_ref() != Some(&call) {
                    continue; // somebody calls from the browser meanwhile
                }
                what
            }
            Err(RecvError::Lagged(_)) => continue,
            Err(RecvError::Closed) => return story,
        };
        match what {
            What::Started => line("line", "the stream is open"),
            What::Note(note) => tell(&note, &mut story, &mut cut, line),
            What::Ended(summary) => {
                line("line", &format!("over: {}", summary.reason));
                story.summary = Some((*summary).clone());
                return story;
            }
        }
    }
}

fn tell(note: &Note, story: &mut Story, cut: &mut BTreeSet<ItemId>, line: impl Fn(&str, &str)) {
    match note {
        Note::LegReady { after } => {
            story.leg_ready = Some(*after);
            line("leg", &format!("ready after {}", ms(*after)));
        }
        Note::FirstAudio { after } => {
            story.first_audio = Some(*after);
            line("agent", &format!("is heard, {} after the call came in", ms(*after)));
        }
        Note::Answered { after } => {
            story.answers.push(*after);
            line("agent", &format!("answers, {} after the turn was over", ms(*after)));
        }
        Note::TurnEnded(told) => {
            if let Some(latency) = told.turn.latency {
                let parts = latency.named().map(|(name, time)| format!("{name} {}", time.as_millis()));
                line("line", &format!("the silence was {}: {}", ms(latency.silence()), parts.join(", ")));
            }
        }
        Note::Words { speaker, item, text, whole: true } => {
            let who = match speaker {
                Speaker::Caller => "caller",
                Speaker::Agent => "agent",
            };
            // Of an interrupted sentence the heard part was shown, and the rest was for nobody.
            if !cut.contains(item) {
                line(who, &format!("“{text}”"));
            }
        }
        Note::CutShort { item, heard, sent, words } => {
            cut.insert(*item);
            line("agent", &format!("is interrupted: heard {} of {}: “{words}…”", ms(*heard), ms(*sent)));
        }
        Note::BargeIn => line("caller", "talks over the agent: playback cleared"),
        Note::Key(key) => line("caller", &format!("presses {key}")),
        Note::Idle { .. } => line("line", "nobody speaks"),
        Note::LegRenewed => line("leg", "its session is nearly over, a new one is opened"),
        Note::NotRecorded => line("line", "the caller was not told of the recording: there is none"),
        Note::LegLost { failure, .. } => line("leg", &format!("{failure}; the next one takes over")),
        Note::Retry(kind) => line("leg", &format!("an answer failed ({}), asking again", kind.name())),
        Note::ToolCalled { name, arguments, .. } => line("tool", &format!("{name} {arguments}")),
        Note::Tool { end, after, .. } => line("tool", &format!("{}, after {}", end.name(), ms(*after))),
        Note::Mended(_) => line("line", "the carrier's frames are not in order: they are put right"),
        Note::Complaint(text) => line("line", &format!("the carrier complains: {text}")),
        Note::Unfit(code) => line("line", wire::carrier::explain(*code)),
        Note::Words { whole: false, .. } | Note::Odd(_) | Note::Live => {}
    }
}

impl Story {
    pub fn json(&self) -> Value {
        let summary = self.summary.as_ref();
        let lines = summary.map(|s| s.transcript.as_slice()).unwrap_or_default();
        let transcript: Vec<_> = lines.iter().filter(|line| !line.said.is_empty()).collect();
        json!({
            "reason": summary.map(|s| s.reason.name()),
            "seconds": summary.map(|s| s.lasted.as_secs_f64()),
            "leg_ready_ms": self.leg_ready.map(millis),
            "first_audio_ms": self.first_audio.map(millis),
            "answer_ms": self.answers.iter().copied().map(millis).collect::<Vec<_>>(),
            "frames_in": summary.map(|s| s.tally.frames_in),
            "frames_out": summary.map(|s| s.tally.frames_out),
            "barge_ins": summary.map(|s| s.tally.barge_ins),
            "transcript": transcript.iter().map(|line| json!({
                "who": match line.speaker { Speaker::Caller => "caller", Speaker::Agent => "agent" },
                "at_ms": millis(line.at), "said": line.said, "heard": line.heard,
            })).collect::<Vec<_>>(),
        })
    }

    /// What was said, with the part of it that was heard.
    pub fn print_transcript(&self) {
        let Some(summary) = &self.summary else { return };
        for line in summary.transcript.iter().filter(|line| !line.said.is_empty()) {
            let who = match line.speaker {
                Speaker::Caller => "caller",
                Speaker::Agent => "agent",
            };
            match &line.heard {
                Some(heard) => print(line.at, who, &format!("{}   [heard: “{heard}…”]", line.said)),
                None => print(line.at, who, &line.said),
            }
        }
    }
}

/// One line with its time. Nobody minds when nobody reads.
pub(super) fn print(at: Duration, who: &str, text: &str) {
    let (dim, plain) = if io::stdout().is_terminal() { ("\x1b[2m", "\x1b[0m") } else { ("", "") };
    writeln!(io::stdout(), "{dim}{:>7.2} s{plain}  {who:<7} {text}", at.as_secs_f64()).ok();
}

pub(super) fn ms(time: Duration) -> String {
    format!("{} ms", time.as_millis())
}

pub(super) fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
