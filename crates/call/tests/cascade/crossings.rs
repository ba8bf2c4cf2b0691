//! Whatever crosses whatever: nothing of a stopped reply is played, no question stays open, every part is closed.

use std::{collections::BTreeSet, time::Duration};

use call::{
    cascade::{AskId, EarCommand, EarEvent, MindCommand, MindEvent, MouthCommand, MouthEvent, Order},
    *,
};
use proptest::prelude::*;

use crate::duo::Duo;

/// Something that happens, with a number that says to which question or reply it belongs.
#[derive(Clone, Copy, Debug)]
enum Step {
    Started,
    Perhaps(u8),
    Resumed,
    Understood(u8),
    Ended(u8),
    Words(u8),
    Called(u8),
    ToolEnds(u8),
    Thought(u8),
    MindFailed(u8, bool),
    Speech(u8),
    Said(u8),
    Stopped,
    EarBreaks,
    EarOpens,
    MouthBreaks,
    MouthOpens,
    Pass(u16),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        2 => Just(Step::Started),
        1 => (0..3_u8).prop_map(Step::Perhaps),
        1 => Just(Step::Resumed),
        2 => (0..3_u8).prop_map(Step::Understood),
        3 => (0..3_u8).prop_map(Step::Ended),
        4 => (0..8_u8).prop_map(Step::Words),
        3 => (0..8_u8).prop_map(Step::Called),
        2 => (1..8_u8).prop_map(Step::ToolEnds),
        2 => (0..8_u8).prop_map(Step::Thought),
        1 => (0..8_u8, any::<bool>()).prop_map(|(ask, again)| Step::MindFailed(ask, again)),
        5 => (0..8_u8).prop_map(Step::Speech),
        2 => (0..8_u8).prop_map(Step::Said),
        1 => Just(Step::Stopped),
        1 => Just(Step::EarBreaks),
        1 => Just(Step::EarOpens),
        1 => Just(Step::MouthBreaks),
        1 => Just(Step::MouthOpens),
        4 => (0..2_500_u16).prop_map(Step::Pass),
    ]
}

/// What must hold of all orders so far.
#[derive(Default)]
struct Books {
    asked: BTreeSet<AskId>,
    open: BTreeSet<AskId>,
    /// Questions that were taken back.
    cancelled: BTreeSet<AskId>,
    stopped: BTreeSet<ReplyId>,
    ear_open: bool,
    mouth_open: bool,
}

impl Books {
    fn read(&mut self, orders: impl Iterator<Item = Order>) {
        for order in orders {
            match order {
                Order::Mind(MindCommand::Ask { ask, thread }) => {
                    assert!(self.asked.insert(ask), "{ask:?} was asked twice");
                    self.open.insert(ask);
                    assert!(!thread.is_empty());
                    assert!(self.open.len() <= 2, "one guess and one question at most: {:?}", self.open);
                }
                Order::Mind(MindCommand::Cancel(ask)) => {
                    assert!(self.open.remove(&ask), "{ask:?} was not open");
                    self.cancelled.insert(ask);
                }
                Order::Mouth(MouthCommand::Say { reply, words }) => {
                    assert!(!self.stopped.contains(&reply), "{reply:?} goes on after its end");
                    assert!(!words.trim().is_empty());
                }
                Order::Mouth(MouthCommand::Stop { reply, .. }) => assert!(self.stopped.insert(reply)),
                Order::Ear(EarCommand::Open) => self.ear_open = true,
                Order::Mouth(MouthCommand::Open) => self.mouth_open = true,
                Order::Ear(EarCommand::Close) => self.ear_open = false,
                Order::Mouth(MouthCommand::Close) => self.mouth_open = false,
                Order::Mind(MindCommand::Open)
                | Order::Ear(EarCommand::Hear(_) | EarCommand::EndTurn | EarCommand::Ping)
                | Order::Mouth(MouthCommand::Finish(_) | MouthCommand::KeepAlive) => {}
            }
        }
    }
}

fn failure() -> Failure {
    Failure { provider: "deepgram", kind: FailureKind::Closed, detail: "test".into() }
}

fn lookup() -> Tool {
    Tool {
        name: "lookup".into(),
        patience: Duration::from_secs(2),
        say: Some("One moment.".into()),
        does: Does::Ask,
    }
}

/// Every reply sounds like its own number, so that what is played says whose it is.
fn sound(reply: u8) -> Audio {
    Audio::ulaw(&[reply; 800])
}

fn happen(duo: &mut Duo, books: &mut Books, step: Step) {
    let words = |number: u8| ["When do you open?", "Thanks.", " "][usize::from(number)].to_owned();
    let ask = |number: u8| AskId(u32::from(number));
    match step {
        Step::Started => duo.ear(EarEvent::Started),
        Step::Perhaps(number) => duo.ear(EarEvent::Perhaps(words(number))),
        Step::Resumed => duo.ear(EarEvent::Resumed),
        Step::Understood(number) => duo.ear(EarEvent::Words(words(number))),
        Step::Ended(number) => duo.ear(EarEvent::Ended(words(number))),
        Step::Words(number) => duo.words(ask(number), "One moment, please, I am looking. "),
        // The arguments say whose call it is.
        Step::Called(number) => duo.calls(ask(number), "a", &number.to_string()),
        Step::ToolEnds(number) => {
            let (id, result) = (ToolId(number.into()), "42".into());
            duo.input(Input::Tool { id, end: ToolEnd::Done, result });
        }
        Step::Thought(number) => {
            books.open.remove(&ask(number));
            duo.thought(ask(number));
        }
        Step::MindFailed(number, again) => {
            books.open.remove(&ask(number));
            duo.mind(MindEvent::Failed { ask: ask(number), failure: failure(), again });
        }
        Step::Speech(reply) => {
            duo.mouth(MouthEvent::Speech { reply: ReplyId(reply.into()), audio: sound(reply) });
        }
        Step::Said(reply) => duo.mouth(MouthEvent::Done(ReplyId(reply.into()))),
        Step::Stopped => duo.mouth(MouthEvent::Stopped),
        Step::EarBreaks => duo.ear(EarEvent::Failed(failure())),
        Step::EarOpens => duo.ear(EarEvent::Ready),
        Step::MouthBreaks => duo.mouth(MouthEvent::Failed(failure())),
        Step::MouthOpens => duo.mouth(MouthEvent::Ready),
        Step::Pass(ms) => duo.pass(ms.into()),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn nothing_stale_is_played_and_nothing_stays_open(steps in prop::collection::vec(step(), 1..80), greets: bool, ours: bool) {
        let config = Config { greeting: greets.then(|| "Hello, this is the bakery.".into()), tools: vec![lookup()], ..Config::default() };
        let pause = Duration::from_millis(500);
        let mut duo = if ours { Duo::ending_turns(config, pause) } else { Duo::live(config) };
        let mut books = Books { ear_open: true, mouth_open: true, ..Books::default() };
        for step in steps {
            let (stopped, cancelled) = (books.stopped.clone(), books.cancelled.clone());
            happen(&mut duo, &mut books, step);
            books.read(duo.orders.drain(..));
            for (id, whose) in duo.ran.drain(..) {
                let whose = AskId(whose.parse().unwrap());
                prop_assert!(!cancelled.contains(&whose), "{id:?} of {whose:?}, which was taken back, ran");
            }
            for command in duo.carrier.drain(..) {
                if let (CarrierCommand::Play(audio), Step::Speech(reply)) = (command, step) {
                    prop_assert!(!stopped.contains(&ReplyId(reply.into())), "stale sound of {reply}");
                    prop_assert_eq!(audio.decode()[0], reply);
                }
            }
        }
        duo.input(Input::Carrier(CarrierEvent::Stopped));
        books.read(duo.orders.drain(..));
        prop_assert!(books.open.is_empty(), "open questions: {:?}", books.open);
        prop_assert!(!books.ear_open && !books.mouth_open);
        prop_assert_eq!(duo.cascade.poll_timeout(), None);
        prop_assert!(duo.summary.is_some());
    }
}
