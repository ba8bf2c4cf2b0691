//! What must hold for every call, whatever happens to it. For fuzzing and for tests.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::{Duration, Instant},
};

use crate::{
    Audio, Call, CarrierCommand, CarrierEvent, Command, Config, Does, Failure, FailureKind, Gone, Input,
    ItemId, LegCommand, LegEvent, LegRules, MarkId, Note, Oddity, Outcome, Pieces, Record, RefusalCode,
    ReplyId, Started, Tool, ToolEnd, ToolId, Usage,
};

/// Watches the commands of one call for what must never happen, and panics when it does.
#[derive(Debug, Default)]
pub struct Watch {
    begun: BTreeSet<ReplyId>,
    silenced: BTreeSet<ReplyId>,
    sent: BTreeMap<ItemId, Duration>,
    /// The carrier has wishes, and speech waits until it can be sent; silence may make so much of a small piece.
    gathers: Option<Duration>,
    /// So much may be played of what was said since the last clear, and of the silence behind each piece.
    said: Duration,
    /// Calls of tools, of all legs: whether each was run, and answered.
    tools: BTreeMap<u32, (u32, u32)>,
    /// The numbers that the legs before this one have used for them, and with this one.
    tools_before: u32,
    tools_used: u32,
    /// A leg was dialled that has not said that it is ready.
    unready: bool,
    dials: usize,
    closes: u32,
    turns: u32,
    ends: u32,
    /// Tokens that the legs said they had used.
    told: u64,
}

impl Watch {
    /// These commands came of this input.
    pub fn see(&mut self, input: &Input, commands: &[Command]) {
        if let Input::Leg(LegEvent::Used(usage) | LegEvent::ReplyDone { usage, .. }) = input {
            self.told += usage.text_in;
        }
        match input {
            Input::Leg(LegEvent::Speech { item, audio, .. }) if self.gathers.is_some() => {
                self.said += audio.duration() + self.gathers.unwrap_or_default();
                *self.sent.entry(*item).or_default() += audio.duration();
            }
            Input::Tool { end: ToolEnd::Tones, .. } => self.said += Duration::from_secs(10),
            Input::Leg(LegEvent::Ready) => self.unready = false,
            Input::Leg(LegEvent::ReplyStarted { reply }) if !self.unready => {
                self.begun.insert(*reply);
            }
            Input::Leg(LegEvent::ReplyUnwanted { reply }) if !self.unready => {
                self.silenced.insert(*reply);
            }
            Input::Leg(LegEvent::ToolCalled { id, .. }) => {
                let id = id.0 + self.tools_before;
                self.tools_used = self.tools_used.max(id);
                self.tools.entry(id).or_default();
            }
            _ => {}
        }
        for command in commands {
            assert_eq!(self.ends, 0, "{command:?} came after the end");
            match command {
                Command::Carrier(CarrierCommand::Play(audio)) if self.gathers.is_some() => {
                    assert!(
                        !audio.is_empty() && audio.len().is_multiple_of(160),
                        "{audio:?} is no whole frames"
                    );
                    let rest = self.said.checked_sub(audio.duration());
                    self.said = rest.expect("no audio out of nothing, or of before a clear");
                }
                Command::Carrier(CarrierCommand::Play(audio)) => {
                    let (reply, item) = match input {
                        Input::Tool { end: ToolEnd::Tones, .. }
                        | Input::Leg(LegEvent::ReplyDone { .. } | LegEvent::Ready) => {
                            continue; // keys, not words
                        }
                        Input::Leg(LegEvent::Speech { reply, item, .. }) => (reply, item),
                        _ => panic!("audio out of nothing: {input:?}"),
                    };
                    assert!(!self.silenced.contains(reply), "{reply:?} was interrupted and is played");
                    *self.sent.entry(*item).or_default() += audio.duration();
                }
                Command::Carrier(CarrierCommand::Clear) => {
                    self.silenced.extend(&self.begun);
                    self.said = Duration::ZERO;
                }
                Command::Carrier(CarrierCommand::Close(_)) => self.closes += 1,
                Command::Leg(LegCommand::Truncate { item, heard }) => {
                    assert!(!heard.is_zero(), "cut at nothing instead of forgotten");
                    assert!(*heard <= self.sent[item], "more heard of {item:?} than was sent");
                }
                Command::Run { id, .. } => self.tools.get_mut(&id.0).expect("nobody called it").0 += 1,
                Command::Leg(LegCommand::ToolResult { id, .. }) => {
                    let id = id.0 + self.tools_before;
                    self.tools.get_mut(&id).expect("nobody called it").1 += 1;
                }
                Command::Dial { leg, .. } => {
                    assert!(*leg + 1 >= self.dials, "no leg is used after the one behind it");
                    // What another leg says counts from one again.
                    (self.dials, self.tools_before) = (leg + 1, self.tools_used);
                    self.unready = true;
                    (self.begun, self.silenced, self.sent) = Default::default();
                }
                Command::Note(Note::TurnEnded(told)) => {
                    self.turns += 1;
                    assert_eq!(told.turn.number, self.turns, "turns are told once, in their order");
                }
                Command::End(summary) => {
                    self.ends += 1;
                    assert_eq!(summary.turns.len(), self.turns as usize, "every turn was told");
                    let accounts = summary.usage.legs().len();
                    assert_eq!(accounts, summary.legs.len(), "a leg without an account, or with two");
                    assert!(summary.usage.total().text_in <= self.told, "something was counted twice");
                }
                Command::Admit(started) => {
                    let pieces = &started.pieces;
                    self.gathers = (*pieces != Pieces::default()).then_some(pieces.least + pieces.step);
                }
                Command::Carrier(_)
                | Command::Leg(_)
                | Command::StopTool(_)
                | Command::HandOver { .. }
                | Command::TellWhenSent
                | Command::Record(_)
                | Command::Note(_) => {}
            }
        }
        assert!(self.dials <= MOST_LEGS && self.closes <= 1);
        for (id, (run, answered)) in &self.tools {
            assert!(
                *run <= 1 && *answered <= 1,
                "tool call {id} was run {run} times and answered {answered} times"
            );
        }
    }

    /// The call is over and said so, once.
    pub fn has_ended(&self) -> bool {
        self.ends == 1 && self.closes == 1
    }
}

/// Lives through the call that these bytes tell: three for each step, what happens, a number and how long
/// after the step before.
pub fn run(bytes: &[u8], start: Instant) {
    let (mut call, mut watch, mut now) = (Call::new(start), Watch::default(), start);
    for step in bytes.chunks_exact(3).take(MOST_STEPS) {
        now += Duration::from_millis(u64::from(step[2]) * 4);
        let input = input(step[0], step[1]);
        call.handle(now, input.clone());
        let commands: Vec<_> = std::iter::from_fn(|| call.poll_command()).collect();
        // Deadlines that were met on the way give commands of their own, but never audio.
        watch.see(&input, &commands);
    }
    call.handle(now, Input::Stop);
    call.handle(now + Duration::from_secs(60), Input::Tick);
    let commands: Vec<_> = std::iter::from_fn(|| call.poll_command()).collect();
    watch.see(&Input::Stop, &commands);
    assert!(call.is_over() && watch.has_ended());
    assert_eq!(call.poll_timeout(), None, "a timer outlived the call");
}

fn input(what: u8, number: u8) -> Input {
    let reply = ReplyId(u32::from(number >> 3));
    let item = ItemId(u32::from(number));
    let ms = Duration::from_millis(u64::from(number) * 10);
    let failure = || Failure { provider: "openai", kind: FailureKind::Provider, detail: "".into() };
    let usage = Usage { text_in: 1, ..Usage::default() };
    let done = |outcome| LegEvent::ReplyDone { reply, outcome, usage };
    let text = || "Some words of the agent.".to_owned();
    let id = ToolId(u32::from(number >> 2));
    let longest = number.is_multiple_of(3).then(|| Duration::from_secs(u64::from(number)));
    let rules = LegRules { longest, ..LegRules::default() };
    match what % 37 {
        0 => Input::Carrier(CarrierEvent::Started(Box::new(Started {
            pieces: pieces(number),
            ..Started::default()
        }))),
        1 => Input::Token(Box::default()),
        2 => Input::Token(Box::new(Config {
            greeting: Some(text()),
            warning: Some(text()),
            error_message: Some(text()),
            interruptible: number.is_multiple_of(2),
            max: Duration::from_secs(u64::from(number)),
            tools: vec![lookup()],
            legs: vec![rules; 1 + usize::from(number) % MOST_LEGS],
            record: number.is_multiple_of(3).then(|| Record { say: number.is_multiple_of(2).then(text) }),
            ..Config::default()
        })),
        3 => Input::Admitted,
        4 => Input::Refused(RefusalCode("token_expired")),
        5 => Input::Leg(LegEvent::Ready),
        6 => Input::Leg(LegEvent::SpeechStarted),
        7 => Input::Leg(LegEvent::SpeechStopped),
        8 => Input::Leg(LegEvent::TurnCommitted { item }),
        9 | 10 => Input::Leg(LegEvent::ReplyStarted { reply }),
        11 => Input::Leg(LegEvent::ReplyUnwanted { reply }),
        12 => Input::Leg(LegEvent::ItemStarted { reply, item }),
        13..=16 => Input::Leg(LegEvent::Speech { reply, item, audio: Audio::silence(ms) }),
        17 => Input::Leg(LegEvent::SpeechDone { reply, item }),
        18 => Input::Leg(LegEvent::AgentWords { item, text: text(), whole: number.is_multiple_of(2) }),
        19 => Input::Leg(LegEvent::CallerWords { item, text: text(), whole: true }),
        20 => Input::Leg(done(Outcome::Completed)),
        21 => Input::Leg(done(Outcome::Cancelled)),
        22 => Input::Leg(done(Outcome::FailedForNow(failure()))),
        23 if number.is_multiple_of(2) => Input::Leg(LegEvent::Used(usage)),
        23 => Input::Leg(LegEvent::Alive),
        24 => Input::Leg(LegEvent::Odd(Oddity::UnknownEvent)),
        25 => Input::Leg(LegEvent::Failed(failure())),
        26 => Input::Carrier(CarrierEvent::Alive),
        27 => Input::Carrier(CarrierEvent::Audio { at: Some(ms), audio: Audio::silence(ms) }),
        28 | 29 => Input::Carrier(CarrierEvent::Mark(MarkId(number.into()))),
        30 => Input::Carrier(CarrierEvent::Malformed),
        31 | 32 => {
            let name = if number.is_multiple_of(7) { "nothing" } else { "lookup" }.into();
            Input::Leg(LegEvent::ToolCalled { reply, id, name, arguments: text() })
        }
        33 => Input::Tool { id, end: ToolEnd::Done, result: text() },
        34 if number.is_multiple_of(2) => Input::Tool { id, end: ToolEnd::HandsOver, result: text() },
        34 if number.is_multiple_of(3) => Input::Tool { id, end: ToolEnd::Tones, result: "12#".into() },
        34 => Input::HandedOver { id, done: number.is_multiple_of(3) },
        35 if number.is_multiple_of(4) => Input::Sent,
        35 if number.is_multiple_of(3) => Input::Leg(LegEvent::FirstWords { reply, ahead: true }),
        35 => Input::Leg(LegEvent::OnlySpeaks(failure())),
        _ if number > 250 => Input::Carrier(CarrierEvent::Gone(Gone::Broken)),
        _ => Input::Tick,
    }
}

/// For some, whole frames in pieces of some length, and for some of those not too many at once.
fn pieces(number: u8) -> Pieces {
    let frames = u32::from(number % 8) * 2;
    let ahead = number.is_multiple_of(3).then(|| Duration::from_millis(u64::from(number) * 20));
    let whole = Pieces { least: FRAME * frames, step: FRAME, ahead };
    if frames == 0 { Pieces::default() } else { whole }
}

fn lookup() -> Tool {
    let say = Some("One moment.".into());
    Tool { name: "lookup".into(), patience: Duration::from_secs(2), say, does: Does::Ask }
}

const FRAME: Duration = Duration::from_millis(20);

/// Of the longest list that an input here asks for.
const MOST_LEGS: usize = 3;

/// Longer stories find nothing new.
const MOST_STEPS: usize = 4_000;
