//! How an answer is made: words from the mind, in pieces to the mouth, its sound to the call.

use std::time::{Duration, Instant};

use super::{
    AskId, Cascade, MindCommand, MindEvent, MouthCommand, MouthEvent, Next, Order, ToolUse, pieces::Pieces,
    speakable::speakable,
};
use crate::{Failure, FailureKind, ItemId, LegEvent, Outcome, ReplyId, ToolId, Usage};

/// The mind thinks about a turn that is only probably over.
#[derive(Debug)]
pub(super) struct Guess {
    ask: AskId,
    /// The turn's words, as they were when it began to think.
    pub words: String,
    answer: String,
    calls: Vec<ToolUse>,
    /// It is thought to its end, and whether that is all of it.
    end: Option<bool>,
}

/// The answer that is being made.
#[derive(Debug)]
pub(super) struct Answer {
    reply: ReplyId,
    item: ItemId,
    /// The mind is still at it.
    ask: Option<AskId>,
    /// Nobody was told yet that it has begun. Words of ours need no beginning.
    unbegun: Option<Begins>,
    /// When the next words are due.
    due: Option<Instant>,
    /// The mind was slow once and asked again.
    asked_again: bool,
    pieces: Pieces,
    /// Letters that went to the mouth.
    letters: usize,
    outcome: Outcome,
}

/// How an answer of the mind begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Begins {
    /// When the turn is over.
    InTime,
    /// Before that.
    Ahead,
}

impl Guess {
    pub fn new(ask: AskId, words: String) -> Self {
        Self { ask, words, answer: String::new(), calls: Vec::new(), end: None }
    }

    fn take_words(&mut self, text: &str) {
        if self.answer.len() + text.len() <= MOST_LETTERS * 4 {
            self.answer.push_str(text);
        }
    }

    /// What to cancel when nobody wants it.
    pub fn running(self) -> Option<AskId> {
        self.end.is_none().then_some(self.ask)
    }
}

impl Answer {
    pub fn ask(&self) -> Option<AskId> {
        self.ask
    }

    pub fn due(&self) -> Option<Instant> {
        self.ask.and(self.due)
    }
}

impl Cascade {
    /// Does it now, or when the answer that is being made is done.
    pub(super) fn wish(&mut self, next: Next) {
        if self.answer.is_none() {
            return self.begin(next);
        }
        // One answer to what was said is enough, and nobody has so many words of ours.
        if self.next.len() < MOST_WISHES && !(next == Next::Reply && self.next.contains(&Next::Reply)) {
            self.next.push_back(next);
        }
    }

    fn begin(&mut self, next: Next) {
        match next {
            Next::Reply => {
                self.drop_guess();
                let ask = self.next_ask();
                let thread = self.memory.thread(None);
                self.order(Order::Mind(MindCommand::Ask { ask, thread }));
                self.open_answer(Some(ask), Some(Begins::InTime));
            }
            Next::Say(text) => {
                self.open_answer(None, None);
                self.take_words(&text);
                self.no_more_words(true);
            }
        }
    }

    /// The guess was right: what was thought already is said now.
    pub(super) fn adopt(&mut self, guess: Guess) {
        let Guess { ask, answer, calls, end, .. } = guess;
        self.open_answer(end.is_none().then_some(ask), Some(Begins::Ahead));
        self.take_words(&answer);
        calls.into_iter().for_each(|call| self.called(call));
        if let Some(whole) = end {
            self.no_more_words(whole);
        }
    }

    fn open_answer(&mut self, ask: Option<AskId>, unbegun: Option<Begins>) {
        self.replies += 1;
        let (reply, item) = (ReplyId(self.replies), self.next_item());
        self.memory.agent(item);
        self.events.extend([LegEvent::ReplyStarted { reply }, LegEvent::ItemStarted { reply, item }]);
        self.answer = Some(Answer {
            reply,
            item,
            ask,
            unbegun,
            due: Some(self.now + FIRST_WORDS),
            asked_again: false,
            pieces: Pieces::default(),
            letters: 0,
            outcome: Outcome::Completed,
        });
    }

    /// Takes what the mind says.
    pub fn mind(&mut self, now: Instant, event: MindEvent) {
        self.pass(now);
        if self.over || self.only_speaks {
            return;
        }
        self.metering.hears_of(&event);
        match event {
            MindEvent::Ready => self.is_ready(1),
            MindEvent::Words { ask, text } => match (&mut self.guess, &mut self.answer) {
                (Some(guess), _) if guess.ask == ask => guess.take_words(&text),
                (_, Some(answer)) if answer.ask == Some(ask) => {
                    answer.due = Some(self.now + MORE_WORDS);
                    self.take_words(&text);
                }
                _ => {} // crossed with a cancel
            },
            // Of a guess no tool is run: whether the caller has finished is not known.
            MindEvent::Called { ask, call } => match (&mut self.guess, &mut self.answer) {
                (Some(guess), _) if guess.ask == ask => guess.calls.push(call),
                (_, Some(answer)) if answer.ask == Some(ask) => {
                    answer.due = Some(self.now + MORE_WORDS);
                    self.called(call);
                }
                _ => {} // crossed with a cancel
            },
            MindEvent::Done { ask, whole, .. } => match (&mut self.guess, &mut self.answer) {
                (Some(guess), _) if guess.ask == ask => guess.end = Some(whole),
                (_, Some(answer)) if answer.ask == Some(ask) => {
                    answer.ask = None;
                    self.no_more_words(whole);
                }
                _ => {} // crossed with a cancel
            },
            MindEvent::Failed { ask, failure, again } => self.mind_failed(ask, failure, again),
            MindEvent::Gone(failure) => self.falls_dumb(failure),
            MindEvent::Odd(oddity) => self.events.push_back(LegEvent::Odd(oddity)),
        }
    }

    /// The answer that is being made calls a tool.
    fn called(&mut self, call: ToolUse) {
        let Some(answer) = &self.answer else { return };
        let (reply, item) = (answer.reply, answer.item);
        self.tools += 1;
        let (id, name, arguments) = (ToolId(self.tools), call.name.clone(), call.arguments.clone());
        self.memory.called(item, id, call);
        self.events.push_back(LegEvent::ToolCalled { reply, id, name, arguments });
    }

    fn mind_failed(&mut self, ask: AskId, failure: Failure, again: bool) {
        if self.guess.as_ref().is_some_and(|guess| guess.ask == ask) {
            self.guess = None; // nobody has asked yet; when somebody does, the mind is asked anew
            return;
        }
        let Some(answer) = self.answer.as_mut().filter(|answer| answer.ask == Some(ask)) else { return };
        answer.ask = None;
        if answer.letters > 0 {
            self.no_more_words(false); // what was said cannot be said otherwise
        } else if again {
            self.give_up(Outcome::FailedForNow(failure));
        } else {
            self.falls_dumb(failure);
        }
    }

    /// No words in time. Once the question is asked again, for it may have been lost.
    pub(super) fn mind_is_slow(&mut self) {
        let Some(answer) = &mut self.answer else { return };
        let Some(ask) = answer.ask.take() else { return };
        let (letters, again) = (answer.letters, std::mem::replace(&mut answer.asked_again, true));
        self.order(Order::Mind(MindCommand::Cancel(ask)));
        if letters > 0 {
            return self.no_more_words(false);
        }
        if again {
            let (provider, kind, detail) =
                ("language model", FailureKind::Stalled, "no words in time".into());
            return self.give_up(Outcome::FailedForNow(Failure { provider, kind, detail }));
        }
        let ask = self.next_ask();
        if let Some(answer) = &mut self.answer {
            answer.ask = Some(ask);
            answer.due = Some(self.now + FIRST_WORDS);
        }
        let thread = self.memory.thread(None);
        self.order(Order::Mind(MindCommand::Ask { ask, thread }));
    }

    /// An answer of which nothing was said.
    fn give_up(&mut self, outcome: Outcome) {
        let Some(answer) = self.answer.take() else { return };
        self.memory.forget(answer.item);
        self.events.push_back(LegEvent::ReplyDone { reply: answer.reply, outcome, usage: Usage::default() });
        self.begin_next();
    }

    fn take_words(&mut self, text: &str) {
        let Some(answer) = &mut self.answer else { return };
        if let Some(begins) = answer.unbegun.take_if(|_| !text.is_empty()) {
            let (reply, ahead) = (answer.reply, begins == Begins::Ahead);
            self.events.push_back(LegEvent::FirstWords { reply, ahead });
        }
        answer.pieces.push(text);
        while let Some(piece) = self.answer.as_mut().and_then(|answer| answer.pieces.next()) {
            self.say(&piece);
        }
    }

    fn say(&mut self, piece: &str) {
        let Some(answer) = &mut self.answer else { return };
        let words = speakable(piece);
        if words.is_empty() {
            return;
        }
        if answer.letters + words.len() > MOST_LETTERS {
            // Nobody listens so long, and a model that does not stop would talk until the call ends.
            if let Some(ask) = answer.ask.take() {
                self.order(Order::Mind(MindCommand::Cancel(ask)));
                self.no_more_words(false);
            }
            return;
        }
        answer.letters += words.len();
        let (reply, item) = (answer.reply, answer.item);
        self.memory.words(item, &words);
        self.upkeep.said(self.now);
        self.events.push_back(LegEvent::AgentWords { item, text: format!("{words} "), whole: false });
        self.order(Order::Mouth(MouthCommand::Say { reply, words }));
    }

    fn no_more_words(&mut self, whole: bool) {
        if let Some(rest) = self.answer.as_mut().and_then(|answer| answer.pieces.rest()) {
            self.say(&rest);
        }
        let Some(answer) = &mut self.answer else { return };
        if !whole {
            answer.outcome = Outcome::Incomplete;
        }
        if answer.letters == 0 {
            return self.done(); // nothing in it could be said
        }
        let reply = answer.reply;
        self.order(Order::Mouth(MouthCommand::Finish(reply)));
    }

    /// Takes what the mouth says.
    pub fn mouth(&mut self, now: Instant, event: MouthEvent) {
        self.pass(now);
        if self.over {
            return;
        }
        match event {
            MouthEvent::Ready => self.mouth_is_open(),
            MouthEvent::Speech { reply, audio } => {
                self.upkeep.said(self.now);
                let Some(item) = self.making(reply) else { return }; // late, of a reply that was stopped
                self.memory.sound(item, audio.duration());
                self.events.push_back(LegEvent::Speech { reply, item, audio });
            }
            MouthEvent::Done(reply) => {
                // Before it has all its words a reply cannot be done, whatever the mouth says.
                if let Some(item) = self.making(reply).filter(|_| self.waits_for_sound()) {
                    self.memory.whole(item);
                    self.done();
                }
            }
            MouthEvent::Heard { reply, words } => {
                if let Some((_, item)) = self.stopped.filter(|(stopped, _)| *stopped == reply) {
                    self.memory.correct(item, words.clone());
                    self.events.push_back(LegEvent::Heard { item, words });
                }
            }
            MouthEvent::Stopped => self.upkeep.stopping = None,
            MouthEvent::Alive => {}
            MouthEvent::Odd(oddity) => self.events.push_back(LegEvent::Odd(oddity)),
            MouthEvent::Failed(failure) => self.mouth_is_lost(failure),
        }
    }

    /// The item of this reply, if it is the one that is being made.
    pub(super) fn making(&self, reply: ReplyId) -> Option<ItemId> {
        self.answer.as_ref().filter(|answer| answer.reply == reply).map(|answer| answer.item)
    }

    /// The reply and item that are being made, when some of it went to the mouth, and whether all of it did.
    pub(super) fn speaking(&self) -> Option<(ReplyId, ItemId, bool)> {
        let answer = self.answer.as_ref().filter(|answer| answer.letters > 0)?;
        Some((answer.reply, answer.item, answer.ask.is_none()))
    }

    /// Words are at the mouth that have not all come back as sound.
    pub(super) fn waits_for_sound(&self) -> bool {
        self.answer.as_ref().is_some_and(|answer| answer.letters > 0 && answer.ask.is_none())
    }

    fn done(&mut self) {
        let Some(Answer { reply, item, outcome, .. }) = self.answer.take() else { return };
        let text = self.memory.all(item);
        if !text.is_empty() {
            self.events.push_back(LegEvent::AgentWords { item, text, whole: true });
        }
        self.events.push_back(LegEvent::SpeechDone { reply, item });
        self.events.push_back(LegEvent::ReplyDone { reply, outcome, usage: Usage::default() });
        self.begin_next();
    }

    fn begin_next(&mut self) {
        if let Some(next) = self.next.pop_front() {
            self.begin(next);
        }
    }

    /// The caller does not want it any more, nor what was to come after it.
    pub(super) fn cancel(&mut self) {
        self.next.clear();
        self.drop_guess();
        let Some(answer) = self.answer.take() else { return };
        if let Some(ask) = answer.ask {
            self.order(Order::Mind(MindCommand::Cancel(ask)));
        }
        self.stopped = Some((answer.reply, answer.item));
        if answer.letters > 0 {
            self.to_stop = Some((answer.reply, answer.item));
        }
        let (reply, outcome, usage) = (answer.reply, Outcome::Cancelled, Usage::default());
        self.events.push_back(LegEvent::ReplyDone { reply, outcome, usage });
    }

    pub(super) fn truncate(&mut self, item: ItemId, heard: Duration) {
        if let Some(words) = self.memory.cut(item, heard) {
            self.events.push_back(LegEvent::Heard { item, words });
        }
        if self.to_stop.is_some_and(|(_, stopped)| stopped == item) {
            self.stop_the_mouth(Some(heard));
        }
    }

    pub(super) fn forget(&mut self, item: ItemId) {
        self.memory.forget(item);
        if self.to_stop.is_some_and(|(_, stopped)| stopped == item) {
            self.stop_the_mouth(Some(Duration::ZERO));
        }
    }

    /// A mouth that knows what was heard is told so together with the stop.
    pub(super) fn stop_the_mouth(&mut self, heard: Option<Duration>) {
        if let Some((reply, _)) = self.to_stop.take() {
            self.upkeep.stopping = Some(self.now + STOPS_WITHIN);
            self.order(Order::Mouth(MouthCommand::Stop { reply, heard }));
        }
    }
}

/// A model that has said nothing after this is asked again.
const FIRST_WORDS: Duration = Duration::from_secs(3);

/// A pause in the middle; what was said so far is then the answer.
const MORE_WORDS: Duration = Duration::from_secs(5);

/// A mouth that goes on after this is opened anew: the next reply waits for it.
const STOPS_WITHIN: Duration = Duration::from_secs(1);

/// Four minutes of speech.
const MOST_LETTERS: usize = 4_000;

/// Words of ours that may wait: a warning, an idle prompt.
const MOST_WISHES: usize = 4;
