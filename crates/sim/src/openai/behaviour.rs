//! What shall the pretend service say, how fast, and what shall go wrong?
//!
//! Each connection gets a copy of one behaviour, so what happens "once" happens once per connection. What is random
//! comes from the seed, so a failing run can be repeated.

use crate::{Headers, clips, voice};
use bytes::Bytes;
use std::{sync::LazyLock, time::Duration};

#[derive(Clone, Debug)]
pub struct Behaviour {
    /// Used up in order; then [`Behaviour::fallback`] is said again and again.
    pub replies: Vec<Reply>,
    pub fallback: Reply,
    /// What the caller is understood to say, turn by turn; afterwards something made up.
    pub caller_says: Vec<String>,
    /// Audio per second of real time: 5 sends 5 s of speech in 1 s; `f64::INFINITY` all at once.
    pub pace: f64,
    pub pieces: Pieces,
    /// From the start of a response to its first audio.
    pub first_audio_after: Duration,
    /// From the end of the caller's turn to its transcript.
    pub transcript_after: Duration,
    /// `obfuscation` on deltas, unknown events and fields now and then: a client must tolerate them.
    pub extras: bool,
    /// Added to each direction: the network between relay and service.
    pub latency: Duration,
    pub ping_every: Duration,
    /// Answers each append at once with the same audio; no turns, no replies. For load runs.
    pub echo: bool,
    pub seed: u64,
    pub faults: Faults,
}

/// How a reply is cut into deltas.
#[derive(Clone, Copy, Debug)]
pub enum Pieces {
    /// Anything between the two, to the sample: boundaries are no multiples of 20 ms.
    Between(Duration, Duration),
    Fixed(Duration),
}

/// One response.
#[derive(Clone, Debug, Default)]
pub struct Reply {
    pub parts: Vec<Part>,
    pub ending: Ending,
}

#[derive(Clone, Debug)]
pub enum Part {
    Speech {
        transcript: String,
        audio: Bytes,
        phase: Option<&'static str>,
    },
    Call {
        name: String,
        arguments: String,
        call_id: String,
    },
    /// A tool of a server that this service calls by itself. Its result is known so long after the call.
    Elsewhere {
        server: String,
        name: String,
        arguments: String,
        result: Result<String, String>,
        takes: Duration,
    },
}

#[derive(Clone, Debug, Default, PartialEq)]
pub enum Ending {
    #[default]
    Completed,
    /// Cut short: `max_output_tokens` or `content_filter`.
    Incomplete(&'static str),
    /// Fails after its parts: type and code.
    Failed(&'static str, &'static str),
}

/// What goes wrong. The default: nothing.
#[derive(Clone, Debug, Default)]
pub struct Faults {
    /// Answers the upgrade with this status and JSON body.
    pub refuse_upgrade: Option<(u16, Headers, String)>,
    /// Waits before answering the upgrade.
    pub upgrade_after: Duration,
    /// Sends this error instead of `session.created`, then closes.
    pub error_at_connect: Option<ConnectError>,
    pub no_session_created: bool,
    pub session_created_after: Duration,
    /// Never answers `session.update`.
    pub no_session_updated: bool,
    pub session_updated_after: Duration,
    /// Confirms 24 kHz PCM whatever was asked for.
    pub wrong_formats: bool,
    /// Refuses every update with this code.
    pub refuse_update: Option<&'static str>,
    /// The first responses fail: how many, type and code.
    pub failing_responses: u32,
    pub failure: Option<(&'static str, &'static str)>,
    /// Every response fails with `insufficient_quota`, then the socket closes.
    pub out_of_quota: bool,
    /// So much audio of a cancelled response still comes after `speech_started` (or the cancel).
    pub late_audio: Duration,
    /// And so much even after its `response.done`.
    pub very_late_audio: Duration,
    /// Things to do at certain moments, each once.
    pub troubles: Vec<(When, What)>,
}

#[derive(Clone, Debug)]
pub struct ConnectError {
    pub kind: &'static str,
    pub code: &'static str,
    pub message: String,
    pub close: u16,
}

#[derive(Clone, Debug, PartialEq)]
pub enum When {
    /// Right after `session.created`.
    Connected,
    /// Right after `session.updated`.
    Updated,
    /// When so much audio has been sent in all.
    AudioSent(Duration),
    /// When so much audio has been appended in all.
    Appended(Duration),
    /// Right after `speech_started` number n, from 1.
    SpeechStarted(u32),
    /// Right after `response.created` number n, from 1.
    ResponseCreated(u32),
    /// In place of `response.done` number n, from 1: it is sent afterwards, if something can be.
    BeforeDone(u32),
    /// Right after `response.done` number n, from 1.
    Done(u32),
}

#[derive(Clone, Debug, PartialEq)]
pub enum What {
    /// Drops the TCP connection.
    Cut,
    Close(u16, String),
    /// Sends nothing more, not even pongs, but keeps reading.
    Stall,
    StopReading,
    SendText(String),
    SendBinary(Vec<u8>),
    /// Pauses everything that was planned.
    Wait(Duration),
    /// An `error` event: type, code, message.
    Error(&'static str, &'static str, &'static str),
}

/// Made once: making a voice takes long.
static FALLBACK: LazyLock<Reply> =
    LazyLock::new(|| Reply::say("Thank you. I am only a pretend voice, but I heard you."));

impl Default for Behaviour {
    fn default() -> Self {
        Self {
            replies: Vec::new(),
            fallback: FALLBACK.clone(),
            caller_says: Vec::new(),
            pace: 5.0,
            pieces: Pieces::Between(Duration::from_millis(100), Duration::from_millis(400)),
            first_audio_after: Duration::from_millis(60),
            transcript_after: Duration::from_millis(80),
            extras: true,
            latency: Duration::ZERO,
            ping_every: Duration::from_secs(20),
            echo: false,
            seed: 1,
            faults: Faults::default(),
        }
    }
}

impl Behaviour {
    pub fn replies(mut self, replies: impl IntoIterator<Item = Reply>) -> Self {
        self.replies.extend(replies);
        self
    }

    pub fn faults(mut self, faults: Faults) -> Self {
        self.faults = faults;
        self
    }

    /// For load runs: says back every frame at once.
    pub fn echo() -> Self {
        Self { echo: true, extras: false, ..Self::default() }
    }
}

impl Reply {
    /// The clip of `text`, or else speech-like sound as long as a person takes for it; the same text sounds the same.
    pub fn say(text: &str) -> Self {
        match clips::spoken(text) {
            Some(clip) => Self::audio(text, clip),
            None => Self::say_for(text, voice::spoken_length(text)),
        }
    }

    pub fn say_for(text: &str, length: Duration) -> Self {
        let seed = text.bytes().fold(17u64, |sum, byte| sum.wrapping_mul(31).wrapping_add(u64::from(byte)));
        Self::default().and(Part::speech(text, voice::speech(length, seed)))
    }

    pub fn audio(text: &str, ulaw: impl Into<Bytes>) -> Self {
        Self::default().and(Part::speech(text, ulaw))
    }

    pub fn call(name: &str, arguments: &str, call_id: &str) -> Self {
        Self::default().and_call(name, arguments, call_id)
    }

    pub fn and(mut self, part: Part) -> Self {
        self.parts.push(part);
        self
    }

    pub fn and_call(self, name: &str, arguments: &str, call_id: &str) -> Self {
        self.and(Part::Call {
            name: name.to_owned(),
            arguments: arguments.to_owned(),
            call_id: call_id.to_owned(),
        })
    }

    /// This service has a tool run by itself.
    pub fn elsewhere(server: &str, name: &str, result: Result<&str, &str>, takes: Duration) -> Self {
        Self::default().and(Part::Elsewhere {
            server: server.to_owned(),
            name: name.to_owned(),
            arguments: "{}".to_owned(),
            result: result.map(str::to_owned).map_err(str::to_owned),
            takes,
        })
    }

    /// A further spoken item in the same response.
    pub fn and_say(mut self, text: &str) -> Self {
        self.parts.extend(Self::say(text).parts);
        self
    }

    /// Marks the first part as said before the answer, and the last as the answer.
    pub fn with_phases(mut self) -> Self {
        let last = self.parts.len().saturating_sub(1);
        for (at, part) in self.parts.iter_mut().enumerate() {
            if let Part::Speech { phase, .. } = part {
                *phase = Some(if at == last { "final_answer" } else { "commentary" });
            }
        }
        self
    }

    pub fn ending(mut self, ending: Ending) -> Self {
        self.ending = ending;
        self
    }
}

impl Part {
    pub fn speech(text: &str, ulaw: impl Into<Bytes>) -> Self {
        Part::Speech { transcript: text.to_owned(), audio: ulaw.into(), phase: None }
    }
}

impl ConnectError {
    /// What a wrong key gets from the service: a successful upgrade, and then this.
    pub fn invalid_api_key(masked: &str) -> Self {
        Self {
            kind: "invalid_request_error",
            code: "invalid_api_key",
            message: format!("Incorrect API key provided: {masked}."),
            close: 3000,
        }
    }

    pub fn of(code: &'static str, message: &str, close: u16) -> Self {
        Self { kind: "invalid_request_error", code, message: message.to_owned(), close }
    }
}

impl Faults {
    pub fn at(mut self, when: When, what: What) -> Self {
        self.troubles.push((when, what));
        self
    }

    /// The first `count` responses fail as under load.
    pub fn overloaded(count: u32) -> Self {
        let failure = Some(("invalid_request_error", "inference_rate_limit_exceeded"));
        Self { failing_responses: count, failure, ..Self::default() }
    }

    pub fn out_of_quota() -> Self {
        Self { out_of_quota: true, ..Self::default() }
    }
}

impl What {
    /// The end of a session after an hour.
    pub fn sixty_minutes() -> Self {
        What::Close(1001, "Your session hit the maximum duration of 60 minutes.".to_owned())
    }
}
