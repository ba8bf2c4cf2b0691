//! Scribe, the ear that leaves turns to us (`/speech-to-text/realtime`).
//!
//! Whoever knows that the caller has stopped says so with a commit, and gets the turn's words in return. The
//! provider commits by itself after 90 s, and is slow with long segments, so one that grows too long is
//! committed here at a quiet moment: its words stand before those of the rest of the turn. A commit of too
//! little sound closes the session, so it is filled up with silence.

use std::collections::VecDeque;

use bytes::{Bytes, BytesMut};
use call::{
    Audio, FailureKind, Oddity,
    cascade::{EarCommand, EarEvent},
    ulaw,
};
use serde::Deserialize;

use super::{PROVIDER, closed, failure, kind_by_name};
use crate::{
    chunks::Chunks,
    loose::Text,
    protocol::{Frame, Protocol},
    query::Query,
    talk::{Talk, talk},
};

#[derive(Clone, Debug, Default, PartialEq)]
pub struct ScribeSetup {
    pub model: String,
    /// Without a region. Found out when left out.
    pub language: Option<String>,
    pub keyterms: Vec<String>,
}

impl ScribeSetup {
    /// Path and query, to be appended to a base path such as `/v1`.
    pub fn path_and_query(&self) -> String {
        let mut query = Query::of("/speech-to-text/realtime")
            .with("model_id", &self.model)
            .with("audio_format", "ulaw_8000")
            .with("commit_strategy", "manual")
            .with_some("language_code", self.language.as_deref());
        for term in &self.keyterms {
            query = query.with("keyterms", term);
        }
        query.end()
    }
}

#[derive(Debug)]
pub struct Scribe {
    chunks: Chunks,
    talk: Talk<EarEvent>,
    /// Bytes of sound since the last commit.
    segment: usize,
    /// Commits that were not answered, and whether each of them ends a turn.
    commits: VecDeque<bool>,
    /// Words of this turn whose segments are complete.
    words: String,
}

impl Default for Scribe {
    fn default() -> Self {
        Self {
            chunks: Chunks::default(),
            talk: Talk::with(PROVIDER, None),
            segment: 0,
            commits: VecDeque::new(),
            words: String::new(),
        }
    }
}

impl Protocol for Scribe {
    type Event = EarEvent;
    type Command = EarCommand;

    talk!(EarEvent);

    fn read(&mut self, text: &Bytes) {
        if self.talk.over {
            return;
        }
        let Ok(message) = serde_json::from_slice::<Message<'_>>(text) else { return self.talk.nonsense() };
        let kind = &*message.kind.0;
        if let Some(error) = message.error.some() {
            let words = format!("{kind}: {error}");
            return self.talk.fail(failure(kind_by_name(kind).unwrap_or(FailureKind::Provider), &words));
        }
        match kind {
            "session_started" => self.talk.tell(EarEvent::Ready),
            "partial_transcript" => self.partial(message.text.0.trim()),
            "committed_transcript" => self.committed(message.text.0.trim()),
            // The same once more, should it ever be switched on.
            "committed_transcript_with_timestamps" => {}
            "warning" => self.talk.odd(Oddity::OwnError),
            "" => self.talk.nonsense(),
            _ => self.talk.odd(Oddity::UnknownEvent),
        }
    }

    fn read_binary(&mut self, _: &Bytes) {
        self.talk.nonsense();
    }

    fn obey(&mut self, command: EarCommand) {
        if self.talk.over {
            return;
        }
        match command {
            EarCommand::Hear(audio) => {
                let mut pieces = Vec::new();
                self.chunks.push(&audio, PIECE, |bytes| pieces.push(bytes));
                pieces.into_iter().for_each(|piece| self.hear(&piece));
            }
            EarCommand::EndTurn => {
                let rest = self.chunks.rest();
                self.commit(&rest, true);
            }
            EarCommand::Ping => self.talk.frames.push_back(Frame::Ping),
            EarCommand::Close => {
                self.talk.over = true;
                self.talk.frames.push_back(Frame::Close);
            }
            EarCommand::Open => {}
        }
    }
}

impl Scribe {
    fn hear(&mut self, piece: &Bytes) {
        let long = self.segment >= LONG_SEGMENT && is_quiet(piece) || self.segment >= LONGEST_SEGMENT;
        if long {
            return self.commit(piece, false);
        }
        self.segment += piece.len();
        let text = chunk(piece, false);
        let time = ulaw::duration(piece.len() as u64);
        self.talk.frames.push_back(Frame::Audio { text, time });
    }

    /// The segment ends with this sound.
    fn commit(&mut self, last: &[u8], turn: bool) {
        let mut last = BytesMut::from(last);
        let missing = SHORTEST_SEGMENT.saturating_sub(self.segment + last.len());
        last.resize(last.len() + missing, ulaw::SILENCE);
        self.talk.frames.push_back(Frame::InOrder(chunk(&last, true)));
        self.segment = 0;
        self.commits.push_back(turn);
        if self.commits.len() > MOST_COMMITS {
            let detail = "it does not answer what we commit";
            self.talk.fail(failure(FailureKind::Stalled, detail));
        }
    }

    fn partial(&mut self, words: &str) {
        if !words.is_empty() {
            let words = joined(&self.words, words);
            self.talk.tell(EarEvent::Words(words));
        }
    }

    fn committed(&mut self, words: &str) {
        self.words = joined(&self.words, words);
        // One that nobody asked for is the provider's own, in the middle of a turn.
        if self.commits.pop_front() == Some(true) {
            self.talk.tell(EarEvent::Ended(std::mem::take(&mut self.words)));
        } else if !words.is_empty() {
            self.talk.tell(EarEvent::Words(self.words.clone()));
        }
    }
}

fn chunk(bytes: &[u8], commit: bool) -> Bytes {
    let audio = Audio::ulaw(bytes);
    let text = audio.text();
    Bytes::from(format!(
        r#"{{"message_type":"input_audio_chunk","audio_base_64":"{text}","commit":{commit},"sample_rate":8000}}"#
    ))
}

fn joined(before: &str, words: &str) -> String {
    match (before, words) {
        ("", words) => words.to_owned(),
        (before, "") => before.to_owned(),
        (before, words) => format!("{before} {words}"),
    }
}

/// Nobody speaks in it, or only far away: below some 1 % of full scale.
fn is_quiet(piece: &[u8]) -> bool {
    piece.iter().all(|code| ulaw::LINEAR[usize::from(*code)].unsigned_abs() < 400)
}

/// 100 ms.
const PIECE: usize = 800;

/// 0.3 s is what it asks for.
const SHORTEST_SEGMENT: usize = 2_400 + PIECE;

/// After 20 s at the next quiet moment, after 30 s in any case.
const LONG_SEGMENT: usize = 20 * ulaw::RATE as usize;
const LONGEST_SEGMENT: usize = 30 * ulaw::RATE as usize;

/// Each is answered within a second.
const MOST_COMMITS: usize = 16;

#[derive(Deserialize)]
struct Message<'a> {
    #[serde(borrow, default, rename = "message_type")]
    kind: Text<'a>,
    #[serde(borrow, default)]
    text: Text<'a>,
    #[serde(borrow, default)]
    error: Text<'a>,
}
