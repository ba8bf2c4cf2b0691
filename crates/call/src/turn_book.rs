//! What becomes of each turn of the caller, and how long its answer took.
//!
//! A turn begins when it is known to be over and ends when its answer was heard, was talked over, or will never
//! come. The greeting, questions to a silent caller and warnings answer nobody and are no turns; but when one
//! of them, or a filler for a tool, is the first thing that is heard after a turn, it ends the silence.
//!
//! What was said is told when it is known: the caller's words may come after the answer, and how much of an
//! interrupted answer was heard is corrected by some voices a moment later. Nobody waits long for either.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use crate::{
    Call, Command, ItemId, Line, Note, ReplyId, Segments, Timer, ToolId, ToolLine, floor::Answer,
    latency::Stopwatch,
};

/// One turn of the caller, in figures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Turn {
    /// The first is 1.
    pub number: u32,
    /// When the caller fell silent, from the start of the call.
    pub at: Duration,
    /// What the silence until the answer was made of; nothing when no answer was heard.
    pub latency: Option<Segments>,
    /// The answer was begun before the turn was known to be over.
    pub ahead: bool,
    /// The caller's voice was not heard by us: when it ended was told by the leg and its usual pause.
    pub estimated: bool,
    /// The caller spoke, pressed a key or hung up before the answer was over.
    pub interrupted: bool,
}

/// One turn of the caller, in words.
#[derive(Clone, Debug, PartialEq)]
pub struct TurnTold {
    pub turn: Turn,
    pub caller: String,
    pub answer: Vec<Line>,
    pub tools: Vec<ToolLine>,
}

#[derive(Debug, Default)]
pub(crate) struct TurnBook {
    open: Option<Open>,
    /// These are over, and are told as soon as their words are known; the oldest first.
    untold: VecDeque<Untold>,
    over: Vec<Turn>,
}

/// The turn that is being answered.
#[derive(Debug)]
struct Open {
    words: Words,
    fell_silent: Instant,
    estimated: bool,
    /// This reply, and those before it, answer something else.
    not: Option<ReplyId>,
    ahead: bool,
    watch: Stopwatch,
}

/// Whose words belong to a turn.
#[derive(Debug)]
struct Words {
    caller: ItemId,
    /// The caller's are complete.
    known: bool,
    answer: Vec<ItemId>,
    tools: Vec<ToolId>,
}

#[derive(Debug)]
struct Untold {
    turn: Turn,
    words: Words,
    due: Instant,
}

impl Untold {
    fn is_known(&self, now: Instant) -> bool {
        now >= self.due || self.words.known && !self.turn.interrupted
    }
}

impl TurnBook {
    fn answering(&mut self, reply: ReplyId) -> Option<&mut Open> {
        self.open.as_mut().filter(|open| open.not.is_none_or(|not| reply > not))
    }

    /// All turns that are over, in their order.
    pub fn into_turns(self) -> Vec<Turn> {
        self.over
    }
}

impl Call {
    /// The caller's turn is over, and an answer may come.
    pub(crate) fn turn_begins(&mut self, item: ItemId) {
        let unanswered = self.book.open.as_ref().is_some_and(|open| !open.watch.has_sound());
        self.turn_ends(unanswered);
        let pause = self.rules().turn_silence;
        let measured = self.hush.fell_silent(self.now, (pause / 2).min(SURE_PAUSE));
        let told = self.floor.caller_stopped.unwrap_or(self.now);
        let fell_silent = measured.or(told.checked_sub(pause)).unwrap_or(told);
        let (answer, tools) = Default::default();
        self.book.open = Some(Open {
            words: Words { caller: item, known: false, answer, tools },
            fell_silent,
            estimated: measured.is_none(),
            not: self.floor.newest,
            ahead: false,
            watch: Stopwatch::begin(fell_silent, self.now),
        });
    }

    /// The turn will be heard again by another leg.
    pub(crate) fn turn_is_unheard(&mut self) {
        self.book.open = None;
        self.hush.forget();
    }

    pub(crate) fn turn_is_asked(&mut self) {
        if let Some(open) = &mut self.book.open {
            open.watch.asked(self.now);
        }
    }

    pub(crate) fn turn_has_filler(&mut self) {
        if let Some(open) = &mut self.book.open {
            open.watch.filler(self.now);
        }
    }

    pub(crate) fn turn_has_item(&mut self, reply: ReplyId, item: ItemId) {
        if let Some(open) = self.book.answering(reply)
            && open.words.answer.len() < MOST_ENTRIES
        {
            open.words.answer.push(item);
        }
    }

    pub(crate) fn turn_has_tool(&mut self, reply: ReplyId, id: ToolId) {
        let now = self.now;
        if let Some(open) = self.book.answering(reply) {
            open.watch.tool(now);
            if open.words.tools.len() < MOST_ENTRIES {
                open.words.tools.push(id);
            }
        }
    }

    /// The mind has begun to answer.
    pub(crate) fn turn_has_thought(&mut self, reply: ReplyId, ahead: bool) {
        let now = self.now;
        if let Some(open) = self.book.answering(reply) {
            open.watch.words(now);
            open.ahead |= ahead && !open.watch.has_sound();
        }
    }

    pub(crate) fn turn_has_words(&mut self, item: ItemId) {
        if let Some(open) = self.book.open.as_mut().filter(|open| open.words.answer.contains(&item)) {
            open.watch.words(self.now);
        }
    }

    /// All words of a turn of the caller's are known.
    pub(crate) fn turn_is_known(&mut self, item: ItemId) {
        let open = self.book.open.iter_mut().map(|open| &mut open.words);
        let untold = self.book.untold.iter_mut().map(|untold| &mut untold.words);
        if let Some(words) = open.chain(untold).find(|words| words.caller == item) {
            words.known = true;
            self.tell_turns();
        }
    }

    /// So many bytes of this reply were just put on the tape.
    pub(crate) fn turn_has_sound(&mut self, reply: ReplyId, bytes: u64) {
        let now = self.now;
        if self.book.answering(reply).is_some_and(|open| open.watch.sound(now)) {
            self.playout.tape.follow(bytes);
            self.push(Command::TellWhenSent);
        }
    }

    /// What was put on the tape is on the wire.
    pub(crate) fn on_sent(&mut self) {
        if let Some(open) = &mut self.book.open {
            open.watch.sent(self.now);
        }
    }

    /// Nothing is left to be heard, or only now there is nothing to wait for.
    pub(crate) fn turn_ends_when_all_is_heard(&mut self) {
        if self.floor.answer == Answer::None && !self.playout.is_busy() && !self.tools.is_at_work() {
            self.turn_ends(false);
        }
    }

    /// The caller talks over the answer, or does not wait for it.
    pub(crate) fn turn_is_interrupted(&mut self) {
        self.turn_ends(true);
    }

    fn turn_ends(&mut self, interrupted: bool) {
        self.turn_is_over(interrupted);
        self.tell_turns();
    }

    /// The call ends, and with it the turn.
    pub(crate) fn last_turn_ends(&mut self) {
        self.turn_is_over(false);
    }

    /// Of a piece of its answer only a part was heard.
    pub(crate) fn last_turn_was_cut(&mut self, item: ItemId) {
        let untold = self.book.untold.back_mut().filter(|untold| untold.words.answer.contains(&item));
        if let (Some(untold), Some(over)) = (untold, self.book.over.last_mut()) {
            (untold.turn.interrupted, over.interrupted) = (true, true);
        }
    }

    fn turn_is_over(&mut self, interrupted: bool) {
        let Some(Open { words, fell_silent, estimated, ahead, watch, .. }) = self.book.open.take() else {
            return;
        };
        let heard = self.playout.tape.heard_from(self.now).filter(|_| watch.has_sound());
        let number = u32::try_from(self.book.over.len()).unwrap_or(u32::MAX).saturating_add(1);
        let at = fell_silent.saturating_duration_since(self.born);
        let latency = heard.map(|heard| watch.heard(heard));
        let turn = Turn { number, at, latency, ahead, estimated, interrupted };
        if self.book.over.len() >= MOST_TURNS {
            return;
        }
        self.book.over.push(turn);
        let patience = if words.known { HEARD_WITHIN } else { KNOWN_WITHIN };
        self.book.untold.push_back(Untold { turn, words, due: self.now + patience });
    }

    /// The call is over: whatever is known is told now.
    pub(crate) fn tell_all_turns(&mut self) {
        while let Some(untold) = self.book.untold.pop_front() {
            self.tell_turn(untold);
        }
    }

    pub(crate) fn tell_turns(&mut self) {
        let (now, most) = (self.now, MOST_UNTOLD);
        while self.book.untold.len() > most || self.book.untold.front().is_some_and(|one| one.is_known(now)) {
            let Some(untold) = self.book.untold.pop_front() else { break };
            self.tell_turn(untold);
        }
        match self.book.untold.front() {
            Some(untold) => self.timers.set(Timer::TurnTold, untold.due),
            None => self.timers.clear(Timer::TurnTold),
        }
    }

    fn tell_turn(&mut self, Untold { turn, words, .. }: Untold) {
        let line = |item: &ItemId| self.transcript.find(*item).cloned();
        let caller = line(&words.caller).map(|line| line.said).unwrap_or_default();
        let answer = words.answer.iter().filter_map(line).filter(|line| !line.said.is_empty()).collect();
        let tools = words.tools.iter().filter_map(|id| self.transcript.tool(*id).cloned()).collect();
        self.note(Note::TurnEnded(Box::new(TurnTold { turn, caller, answer, tools })));
    }
}

/// The shortest pause that a leg must have seen before it takes a turn for finished, where it judges by more
/// than the pause. Sound that is newer belongs to what the caller says next.
const SURE_PAUSE: Duration = Duration::from_millis(200);

/// A voice that knows better what was heard says so within this.
const HEARD_WITHIN: Duration = Duration::from_millis(500);

/// The caller's words come within a second of the turn's end, if they come at all.
const KNOWN_WITHIN: Duration = Duration::from_secs(2);

/// Turns that wait for their words: each for two seconds at most.
const MOST_UNTOLD: usize = 8;

/// Pieces of an answer, and tools of one turn, that are told. No answer has so many.
const MOST_ENTRIES: usize = 64;

/// As many as there is room for in the transcript.
const MOST_TURNS: usize = 4_000;
