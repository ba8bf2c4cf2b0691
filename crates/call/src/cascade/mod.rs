//! A leg made of three: an ear, a mind and a mouth, each a provider of its own.
//!
//! To the call it is a leg like any other: it listens, takes turns, answers, and stops when told to. Inside, it
//! passes text from part to part as early as it can be used: the mind is asked when the turn is probably
//! over, and the first clause is spoken while the rest is being thought.
//!
//! ```text
//! Hear ──► ear ──words──► mind ──words──► pieces ──► mouth ──► Speech
//! ```
//!
//! It has no socket and no clock. Whoever owns the sockets brings what the parts say ([`Cascade::ear`],
//! [`Cascade::mind`], [`Cascade::mouth`]), takes events for the call and [`Order`]s for the parts until there
//! are none, and comes back at [`Cascade::poll_timeout`].

mod answer;
mod attention;
mod ends;
mod listening;
mod memory;
mod metering;
mod parts;
mod pieces;
mod speakable;
mod upkeep;

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use self::{
    answer::{Answer, Guess},
    attention::{Attention, Sign},
    ends::Ends,
    memory::Memory,
    metering::Metering,
    upkeep::Upkeep,
};
pub use self::{
    attention::Judges,
    parts::{
        AskId, EarCommand, EarEvent, Message, MindCommand, MindEvent, MouthCommand, MouthEvent, ToolUse,
    },
};
use crate::{Failure, ItemId, LegCommand, LegEvent, ReplyId, Turns, voice::Voice};

/// What a cascade is told before it begins.
#[derive(Clone, Debug)]
pub struct Setup {
    pub prompt: Option<String>,
    pub turns: Turns,
    pub judges: Judges,
    /// The ear leaves the ends of turns to us: after so much silence the turn is over.
    pub ends_turns: Option<Duration>,
}

/// Something for one of the parts to do.
#[derive(Clone, Debug, PartialEq)]
pub enum Order {
    Ear(EarCommand),
    Mind(MindCommand),
    Mouth(MouthCommand),
}

#[derive(Debug)]
pub struct Cascade {
    now: Instant,
    turns: Turns,
    /// Which of ear, mind and mouth have been ready.
    ready: [bool; 3],
    attention: Attention,
    voice: Option<Box<Voice>>,
    /// Only for ears that leave ends of turns to us.
    ends: Option<Ends>,
    memory: Memory,
    guess: Option<Guess>,
    answer: Option<Answer>,
    /// Said as soon as the answer that is being made is done.
    next: VecDeque<Next>,
    /// An answer that was cancelled a moment ago and has to be stopped at the mouth.
    to_stop: Option<(ReplyId, ItemId)>,
    /// The last answer that was cancelled.
    stopped: Option<(ReplyId, ItemId)>,
    /// A turn that nobody had noticed. The call hears of the speech first, and may stop the answer.
    ended: Option<String>,
    upkeep: Upkeep,
    metering: Metering,
    asks: u32,
    replies: u32,
    items: u32,
    tools: u32,
    /// Only what it is told to say is still said.
    only_speaks: bool,
    over: bool,
    events: VecDeque<LegEvent>,
    orders: VecDeque<Order>,
}

/// What waits for the answer that is being made.
#[derive(Debug, PartialEq, Eq)]
enum Next {
    Say(String),
    Reply,
}

impl Cascade {
    /// All three parts are opened at once.
    pub fn new(setup: &Setup, now: Instant) -> Self {
        let hears = setup.judges != Judges::Provider || setup.ends_turns.is_some();
        let pause = setup.ends_turns.unwrap_or(VOICE_PAUSE);
        Self {
            now,
            turns: setup.turns,
            ready: [false; 3],
            attention: Attention::new(setup.judges),
            voice: hears.then(|| Box::new(Voice::new(pause))),
            ends: setup.ends_turns.map(|_| Ends::default()),
            memory: Memory::new(setup.prompt.as_deref()),
            guess: None,
            answer: None,
            next: VecDeque::new(),
            to_stop: None,
            stopped: None,
            ended: None,
            upkeep: Upkeep::new(now),
            metering: Metering::default(),
            asks: 0,
            replies: 0,
            items: 0,
            tools: 0,
            only_speaks: false,
            over: false,
            events: VecDeque::new(),
            orders: VecDeque::from([
                Order::Ear(EarCommand::Open),
                Order::Mind(MindCommand::Open),
                Order::Mouth(MouthCommand::Open),
            ]),
        }
    }

    /// Takes one command of the call.
    pub fn obey(&mut self, now: Instant, command: LegCommand) {
        self.pass(now);
        if self.over || (self.only_speaks && !of_the_voice(&command)) {
            return;
        }
        match command {
            LegCommand::Hear(audio) => self.hear(audio),
            LegCommand::Say(say) => self.wish(Next::Say(say.text)),
            LegCommand::Tell(text) => self.memory.caller(text),
            LegCommand::Remember(past) => past.into_iter().for_each(|past| self.memory.remember(past)),
            LegCommand::Rewrite { item, words } => self.memory.rewrite(item, words),
            LegCommand::Reply => self.wish(Next::Reply),
            LegCommand::ToolResult { id, result } => self.memory.result(id, result),
            LegCommand::Cancel => self.cancel(),
            LegCommand::Truncate { item, heard } => self.truncate(item, heard),
            LegCommand::Forget { item } => self.forget(item),
            LegCommand::TakeTurns(turns) => self.turns = turns,
            // It looks after its parts by itself, see `upkeep`.
            LegCommand::Ping => self.events.push_back(LegEvent::Alive),
            LegCommand::Close => self.close(),
        }
    }

    /// The time has passed.
    pub fn tick(&mut self, now: Instant) {
        self.pass(now);
    }

    /// One at a time: what the call makes of it must be obeyed before the next is taken.
    pub fn poll_event(&mut self) -> Option<LegEvent> {
        if self.events.is_empty()
            && let Some(words) = self.ended.take()
        {
            self.commit(words);
        }
        self.events.pop_front().or_else(|| self.usage())
    }

    /// After all commands that came together were obeyed, for some belong together.
    pub fn poll_order(&mut self) -> Option<Order> {
        self.stop_the_mouth(None);
        self.orders.pop_front()
    }

    /// When to come back even if nothing happens.
    pub fn poll_timeout(&self) -> Option<Instant> {
        if self.over {
            return None;
        }
        let slow = self.answer.as_ref().and_then(Answer::due);
        let end = self.ends.as_ref().and_then(Ends::due);
        [self.attention.next(), slow, end, Some(self.upkeep.next(self.waits_for_sound()))]
            .into_iter()
            .flatten()
            .min()
    }

    fn pass(&mut self, now: Instant) {
        self.now = self.now.max(now);
        if self.over {
            return;
        }
        let sign = self.attention.tick(self.now);
        self.tell(sign);
        if self.answer.as_ref().and_then(Answer::due).is_some_and(|due| due <= self.now) {
            self.mind_is_slow();
        }
        self.look_for_an_end();
        self.look_after_the_parts();
    }

    fn tell(&mut self, sign: Option<Sign>) {
        match sign {
            Some(Sign::Began) => self.events.push_back(LegEvent::SpeechStarted),
            Some(Sign::Faded) => self.events.push_back(LegEvent::SpeechStopped),
            None => {}
        }
    }

    /// One of the parts is ready. The leg is when all of them are.
    fn is_ready(&mut self, part: usize) {
        let were = self.ready;
        self.ready[part] = true;
        if self.ready == [true; 3] && were != [true; 3] {
            self.events.push_back(LegEvent::Ready);
        }
    }

    /// Nobody hears or thinks any more. As long as there is a voice, words of ours can be said.
    fn falls_dumb(&mut self, failure: Failure) {
        if self.only_speaks {
            return;
        }
        if self.ready != [true; 3] || !self.upkeep.mouth_takes() {
            return self.fail(failure);
        }
        self.keep_what_was_said();
        self.cancel();
        self.order(Order::Ear(EarCommand::Close));
        self.upkeep.ear_is_gone();
        (self.ends, self.ended) = (None, None);
        self.only_speaks = true;
        let used = self.unsaid();
        self.events.extend([LegEvent::Used(used), LegEvent::OnlySpeaks(failure)]);
    }

    /// Words that have become no sound were not said, and never will be.
    fn keep_what_was_said(&mut self) {
        if let Some((_, item, _)) = self.speaking() {
            self.memory.rest(item);
            let text = self.memory.all(item);
            self.events.push_back(LegEvent::AgentWords { item, text, whole: true });
        }
    }

    fn fail(&mut self, failure: Failure) {
        self.keep_what_was_said();
        self.close();
        let used = self.unsaid();
        self.events.extend([LegEvent::Used(used), LegEvent::Failed(failure)]);
    }

    fn close(&mut self) {
        if let Some(ask) = self.answer.take().and_then(|answer| answer.ask()) {
            self.order(Order::Mind(MindCommand::Cancel(ask)));
        }
        self.drop_guess();
        if !self.only_speaks {
            self.order(Order::Ear(EarCommand::Close));
        }
        self.order(Order::Mouth(MouthCommand::Close));
        self.over = true;
    }

    fn next_ask(&mut self) -> AskId {
        self.asks += 1;
        AskId(self.asks)
    }

    fn next_item(&mut self) -> ItemId {
        self.items += 1;
        ItemId(self.items)
    }
}

/// What a leg that only speaks still does.
fn of_the_voice(command: &LegCommand) -> bool {
    matches!(
        command,
        LegCommand::Say(_)
            | LegCommand::Cancel
            | LegCommand::Truncate { .. }
            | LegCommand::Forget { .. }
            | LegCommand::Ping
            | LegCommand::Close
    )
}

/// Where the provider ends turns, our own detector is only asked whether there is a voice now.
const VOICE_PAUSE: Duration = Duration::from_millis(200);
