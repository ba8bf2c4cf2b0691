//! What each turn's silence was made of, and which turns there were.
//!
//! The scene's phone is on a line that takes 30 ms each way. It speaks in frames of 20 ms, and plays what it
//! gets; the moment of each sample is known.

use std::time::{Duration, Instant};

use crate::scene::*;
use call::*;
use proptest::prelude::*;

const WAY: u64 = 30;

struct Line {
    scene: Scene,
    opened: Instant,
    items: u32,
}

impl Line {
    fn open(config: Config) -> Self {
        let mut scene = Scene::open();
        scene.now += Duration::from_secs(100); // so that there is a past
        scene.call = Call::new(scene.now);
        scene.input(Input::Token(Box::new(config)));
        scene.carrier(CarrierEvent::Started(Box::default()));
        scene.input(Input::Admitted);
        scene.leg(LegEvent::Ready);
        scene.pass(2 * WAY);
        scene.carrier(CarrierEvent::Mark(MarkId(1)));
        scene.all_commands();
        let opened = scene.now;
        Self { scene, opened, items: 100 }
    }

    /// For so long the caller makes this sound.
    fn sound(&mut self, ms: u64, byte: u8) {
        for _ in 0..ms / 20 {
            self.scene.pass(20);
            self.frame(self.scene.now - self.opened, byte);
        }
    }

    /// A frame that was sent when the stream was so old, as soon as its last sample was spoken.
    fn frame(&mut self, sent: Duration, byte: u8) {
        let at = Some(sent - Duration::from_millis(20));
        self.scene.carrier(CarrierEvent::Audio { at, audio: Audio::ulaw(&[byte; 160]) });
    }

    /// The caller speaks, and then is quiet for so long.
    fn speaks(&mut self, quiet: u64) {
        self.sound(200, VOICE);
        self.scene.leg(LegEvent::SpeechStarted);
        self.sound(400, VOICE);
        self.sound(quiet, ulaw::SILENCE);
    }

    /// The leg says that the turn is over.
    fn turn(&mut self) -> ItemId {
        self.items += 1;
        let item = ItemId(self.items);
        self.scene.leg(LegEvent::SpeechStopped);
        self.scene.leg(LegEvent::TurnCommitted { item });
        item
    }

    fn says(&mut self, item: ItemId, words: &str) {
        self.scene.leg(LegEvent::CallerWords { item, text: words.into(), whole: true });
    }

    fn words(&mut self, item: u32, words: &str) {
        self.scene.leg(LegEvent::AgentWords { item: ItemId(item), text: words.into(), whole: true });
    }

    /// The tape so far is played to its end; the news of it travels.
    fn played(&mut self, ms: u64, mark: u32) {
        self.scene.pass(2 * WAY + ms);
        self.scene.carrier(CarrierEvent::Mark(MarkId(mark)));
    }

    /// What the next turn's silence was made of, in milliseconds.
    fn segments(&mut self) -> [u64; 6] {
        let told = self.scene.turns().into_iter().next().expect("a turn is told");
        of(&told.turn)
    }
}

fn of(turn: &Turn) -> [u64; 6] {
    let latency = turn.latency.expect("an answer was heard");
    latency.named().map(|(_, time)| time.as_millis() as u64)
}

const VOICE: u8 = 0x30;

#[test]
fn the_segments_are_those_of_the_silence_and_add_up_to_it() {
    let mut line = Line::open(Config::default());
    line.speaks(500);
    let item = line.turn();
    line.scene.pass(120);
    line.scene.reply(1, 1);
    line.scene.pass(80);
    line.words(1, "We open at eight.");
    line.scene.pass(90);
    line.scene.speech(1, 1, 400);
    assert!(line.scene.all_commands().contains(&Command::TellWhenSent));
    line.scene.pass(7);
    line.scene.input(Input::Sent);
    line.scene.reply_done(1, 1);
    line.says(item, "When do you open?");
    assert_eq!(line.scene.turns(), [], "the answer is being heard");
    line.played(393, 2);
    let turns = line.scene.turns();
    let [told] = &turns[..] else { panic!("{turns:?}") };
    // The first sound plays 30 ms after it was pushed, and the mark is here 30 ms after it was reached.
    assert_eq!(of(&told.turn), [500, 200, 0, 90, 7, 2 * WAY - 7]);
    let Turn { number, at, ahead, estimated, interrupted, .. } = told.turn;
    assert_eq!((number, at.as_millis()), (1, 60 + 600));
    assert_eq!((ahead, estimated, interrupted), (false, false, false));
    assert_eq!(
        (told.caller.as_str(), told.answer[0].said.as_str()),
        ("When do you open?", "We open at eight.")
    );
    line.scene.carrier(CarrierEvent::Stopped);
    assert_eq!(line.scene.ended().unwrap().turns, [told.turn]);
}

#[test]
fn what_the_network_held_up_is_no_silence() {
    let mut line = Line::open(Config::default());
    line.speaks(0);
    // The last sound of the voice comes 40 ms late, together with the silence behind it.
    line.scene.pass(60);
    let now = line.scene.now - line.opened;
    line.frame(now - Duration::from_millis(40), VOICE);
    line.frame(now - Duration::from_millis(20), ulaw::SILENCE);
    line.frame(now, ulaw::SILENCE);
    line.sound(460, ulaw::SILENCE);
    line.turn();
    line.scene.reply(1, 1);
    line.scene.speech(1, 1, 400);
    line.scene.speech(1, 1, 400);
    line.scene.input(Input::Sent);
    line.scene.reply_done(1, 1);
    // A carrier that waits 100 ms before it plays, and a mark that was held up before one that was not.
    line.scene.pass(400 + 100 + 2 * WAY + 35);
    line.scene.carrier(CarrierEvent::Mark(MarkId(2)));
    line.scene.pass(400 - 35);
    line.scene.carrier(CarrierEvent::Mark(MarkId(3)));
    line.scene.carrier(CarrierEvent::Stopped);
    let summary = line.scene.ended().unwrap();
    assert_eq!(of(&summary.turns[0]), [500, 0, 0, 0, 0, 100 + 2 * WAY]);
}

#[test]
fn a_tool_has_its_own_segment_and_a_filler_ends_the_silence() {
    for filler in [false, true] {
        let mut line = Line::open(with_tools());
        line.speaks(500);
        line.turn();
        line.scene.reply(1, 1);
        line.scene.pass(100);
        let name = if filler { "lookup" } else { "remember" };
        let called =
            LegEvent::ToolCalled { reply: REPLY, id: ToolId(1), name: name.into(), arguments: "{}".into() };
        line.scene.leg(called);
        line.scene.leg(done(1, Outcome::Completed));
        line.scene.pass(700);
        if filler {
            // Asked for after half a second.
            line.scene.reply(2, 2);
            line.scene.speech(2, 2, 200);
            line.scene.reply_done(2, 2);
            line.played(200, 2);
            assert_eq!(line.scene.turns(), [], "the turn goes on");
        }
        line.scene.input(Input::Tool { id: ToolId(1), end: ToolEnd::Done, result: "{}".into() });
        line.scene.pass(50);
        line.scene.reply(3, 3);
        line.words(3, "It is on its way.");
        line.scene.pass(40);
        line.scene.speech(3, 3, 200);
        line.scene.reply_done(3, 3);
        line.played(200, if filler { 3 } else { 2 });
        line.scene.pass(2_000);
        let turns = line.scene.turns();
        let expected = if filler { [500, 100, 500, 200, 0, 60] } else { [500, 150, 700, 40, 0, 60] };
        assert_eq!(of(&turns[0].turn), expected, "filler: {filler}");
        assert_eq!((turns.len(), turns[0].tools.len()), (1, 1));
        assert_eq!(turns[0].tools[0].result.as_deref(), Some("{}"));
        assert_eq!(turns[0].answer.last().unwrap().said, "It is on its way.");
    }
}

#[test]
fn an_interrupted_answer_has_its_silence_and_what_was_heard_of_it() {
    let mut line = Line::open(Config::default());
    line.speaks(500);
    let item = line.turn();
    line.says(item, "When do you open?");
    line.scene.reply(1, 1);
    line.words(1, "We open at eight on weekdays.");
    line.scene.speech(1, 1, 3_000);
    line.scene.input(Input::Sent);
    // No mark is back yet: the line's own way counts.
    line.scene.pass(150);
    line.scene.leg(LegEvent::SpeechStarted);
    assert_eq!(line.scene.turns(), [], "a voice may know better what was heard");
    line.scene.leg(LegEvent::Heard { item: ITEM, words: "We".into() });
    line.scene.pass(500);
    let turns = line.scene.turns();
    assert_eq!(of(&turns[0].turn), [500, 0, 0, 0, 0, 60]);
    assert!(turns[0].turn.interrupted);
    assert_eq!(turns[0].answer[0].heard.as_deref(), Some("We"));
}

#[test]
fn of_an_answer_during_which_the_caller_hangs_up_only_a_part_was_heard() {
    let mut line = Line::open(Config::default());
    line.speaks(500);
    let item = line.turn();
    line.says(item, "When do you open?");
    line.scene.reply(1, 1);
    line.words(1, "We open at eight on weekdays.");
    line.scene.speech(1, 1, 1_900);
    line.scene.reply_done(1, 1);
    line.scene.pass(500 + 2 * WAY); // half a second of it was played when the caller hung up
    line.scene.carrier(CarrierEvent::Stopped);
    let commands = line.scene.all_commands();
    let told = commands.iter().find_map(|command| match command {
        Command::Note(Note::TurnEnded(told)) => Some(told),
        _ => None,
    });
    let told = told.expect("the turn is told");
    assert_eq!((of(&told.turn), told.turn.interrupted), ([500, 0, 0, 0, 0, 60], true));
    assert_eq!(told.answer[0].heard.as_deref(), Some("We open"));
    let Some(Command::End(summary)) = commands.last() else { panic!("{commands:?}") };
    assert_eq!(summary.transcript[1].heard.as_deref(), Some("We open"));
    assert_eq!(summary.turns, [told.turn]);
}

#[test]
fn an_answer_of_which_nothing_was_heard_ends_no_silence() {
    let mut line = Line::open(Config::default());
    line.speaks(500);
    line.turn();
    line.scene.reply(1, 1);
    line.speaks(500); // before any sound
    line.turn();
    line.scene.reply(2, 2);
    line.scene.speech(2, 2, 400);
    line.scene.leg(LegEvent::SpeechStarted); // and before any of it was played
    line.scene.carrier(CarrierEvent::Stopped);
    let summary = line.scene.ended().unwrap();
    let turns: Vec<_> = summary.turns.iter().map(|turn| (turn.latency, turn.interrupted)).collect();
    assert_eq!(turns, [(None, true), (None, true)]);
}

#[test]
fn a_turn_without_an_answer_has_no_silence_even_after_one_that_had() {
    let mut line = Line::open(Config::default());
    line.speaks(500);
    line.turn();
    line.scene.reply(1, 1);
    line.scene.speech(1, 1, 200);
    line.scene.reply_done(1, 1);
    line.played(200, 2);
    for _ in 0..2 {
        line.sound(600, VOICE); // the leg never says that this began
        line.sound(500, ulaw::SILENCE);
        line.turn();
    }
    line.scene.carrier(CarrierEvent::Stopped);
    let turns = line.scene.ended().unwrap().turns;
    let turns: Vec<_> = turns.iter().map(|turn| (turn.latency.is_some(), turn.interrupted)).collect();
    assert_eq!(turns, [(true, false), (false, true), (false, false)]);
}

#[test]
fn late_sound_and_words_of_an_old_answer_are_not_those_of_the_new_one() {
    let mut line = Line::open(Config::default());
    line.speaks(500);
    line.turn();
    line.scene.reply(1, 1);
    line.scene.speech(1, 1, 400);
    line.scene.pass(100);
    line.speaks(500);
    line.turn();
    line.scene.pass(100);
    // Crossed with the interruption.
    line.words(1, "We open at eight.");
    line.scene.speech(1, 1, 400);
    line.scene.leg(LegEvent::FirstWords { reply: REPLY, ahead: true });
    line.scene.leg(done(1, Outcome::Cancelled));
    line.scene.pass(100);
    line.scene.reply(2, 2);
    line.words(2, "Gladly.");
    line.scene.pass(30);
    line.scene.speech(2, 2, 400);
    line.scene.pass(50);
    line.scene.carrier(CarrierEvent::Stopped);
    let summary = line.scene.ended().unwrap();
    assert_eq!(of(&summary.turns[1]), [500, 200, 0, 30, 0, 60]);
    assert!(!summary.turns[1].ahead);
}

#[test]
fn the_greeting_is_no_answer_and_a_word_into_it_gets_none() {
    let mut line = Line::open(greeting());
    line.scene.reply(1, 1);
    line.scene.speech(1, 1, 1_000);
    line.speaks(500);
    line.turn(); // "Hello?"
    line.scene.speech(1, 1, 400);
    line.scene.reply_done(1, 1);
    line.played(500, 3);
    line.scene.pass(2_000);
    let turns = line.scene.turns();
    assert_eq!((turns.len(), turns[0].turn.latency, turns[0].turn.interrupted), (1, None, false));
}

#[test]
fn questions_to_a_silent_caller_are_no_turns() {
    let mut line = Line::open(with_everything());
    line.scene.pass(3_000);
    line.scene.reply(1, 1);
    line.scene.speech(1, 1, 200);
    line.scene.reply_done(1, 1);
    line.played(200, 2);
    line.scene.carrier(CarrierEvent::Stopped);
    assert_eq!(line.scene.ended().unwrap().turns, []);
}

#[test]
fn an_answer_behind_one_that_still_plays_is_heard_in_its_turn() {
    let mut line = Line::open(Config { interruptible: false, ..Config::default() });
    line.speaks(500);
    line.turn();
    line.scene.reply(1, 1);
    line.scene.speech(1, 1, 3_000);
    line.scene.reply_done(1, 1);
    line.speaks(500); // into the answer, which goes on for 1.9 s
    line.turn();
    line.scene.reply(2, 2);
    line.scene.speech(2, 2, 400);
    line.scene.reply_done(2, 2);
    line.played(2_300, 6);
    line.scene.carrier(CarrierEvent::Stopped);
    let turns = line.scene.ended().unwrap().turns;
    assert_eq!((of(&turns[0]), turns[0].interrupted), ([500, 0, 0, 0, 0, 60], false));
    assert_eq!((of(&turns[1]), turns[1].interrupted), ([500, 0, 0, 0, 0, 1_960], false));
}

#[test]
fn a_caller_too_quiet_for_us_fell_silent_when_the_leg_says() {
    let mut line = Line::open(Config::default());
    line.scene.leg(LegEvent::SpeechStarted);
    line.sound(900, ulaw::SILENCE);
    line.turn();
    line.scene.reply(1, 1);
    line.scene.speech(1, 1, 400);
    line.scene.pass(100);
    line.scene.carrier(CarrierEvent::Stopped);
    let turn = line.scene.ended().unwrap().turns[0];
    assert_eq!((of(&turn)[0], turn.estimated), (500, true), "the leg's usual pause");
}

#[test]
fn words_that_never_come_are_not_waited_for() {
    let mut line = Line::open(Config::default());
    line.speaks(500);
    let item = line.turn();
    line.scene.reply(1, 1);
    line.scene.speech(1, 1, 200);
    line.scene.reply_done(1, 1);
    line.played(200, 2);
    line.scene.pass(1_999);
    assert_eq!(line.scene.turns(), []);
    line.scene.pass(1);
    assert_eq!(line.segments(), [500, 0, 0, 0, 0, 60]);
    line.says(item, "Too late.");
    assert_eq!(line.scene.turns(), []);
}

#[test]
fn another_leg_that_hears_the_turn_again_answers_the_same_silence() {
    let mut line = Line::open(Config { legs: vec![LegRules::default(); 2], ..Config::default() });
    line.speaks(500);
    line.turn();
    line.scene.leg(LegEvent::Failed(failure(FailureKind::Closed)));
    line.scene.pass(300);
    line.scene.leg(LegEvent::Ready);
    line.scene.pass(600);
    line.scene.leg(LegEvent::SpeechStarted);
    line.turn();
    line.scene.reply(1, 1);
    line.scene.speech(1, 1, 200);
    line.scene.pass(100);
    line.scene.carrier(CarrierEvent::Stopped);
    let turns = line.scene.ended().unwrap().turns;
    assert_eq!((turns.len(), of(&turns[0])), (1, [1_400, 0, 0, 0, 0, 60]));
}

/// In milliseconds, from the moment the stream began at the phone.
#[derive(Clone, Debug)]
enum At {
    Frame { spoken: u64, byte: u8 },
    Turn,
    Reply,
    Sound,
    Sent,
    Mark(u32),
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, ..ProptestConfig::default() })]

    /// One frame in eight, and one mark, is not held up; nobody knows which.
    #[test]
    fn the_silence_is_that_of_the_phone_whatever_line_and_carrier_do(
        way in 0..150u64,
        before in 1..60u64,
        voice in 10..120u64,
        pause in 260..1_500u64,
        thought in 0..1_500u64,
        voiced in 0..800u64,
        sent in 0..40u64,
        waits in 0..200u64,
        late in prop::collection::vec(0..90u64, 300),
        in_time in 0..8u64,
    ) {
        let late = |n: u64| late[n as usize % late.len()].min((in_time + 8 - n % 8) % 8 * 20);
        let fell_silent = (before + voice) * 20;
        let turn = fell_silent + way + pause;
        let (reply, sound) = (turn + thought, turn + thought + voiced);
        let heard = sound + sent + waits + way;
        let mut events = vec![(turn, At::Turn), (reply, At::Reply), (sound, At::Sound), (sound + sent, At::Sent)];
        let mut came = 0;
        for n in 0..turn / 20 + 40 {
            let byte = if (before..before + voice).contains(&n) { VOICE } else { ulaw::SILENCE };
            came = (n * 20 + 20 + way + late(n)).max(came); // nothing overtakes
            events.push((came, At::Frame { spoken: n * 20, byte }));
        }
        let mut came = 0;
        for n in 0..8 {
            came = (heard + 200 * (n + 1) + way + late(n)).max(came);
            events.push((came, At::Mark(n as u32 + 2)));
        }
        events.sort_by_key(|(at, _)| *at);

        let mut scene = Scene::live(Config::default());
        let opened = scene.now;
        for (at, event) in events {
            scene.pass((opened + Duration::from_millis(at) - scene.now).as_millis() as u64);
            match event {
                At::Frame { spoken, byte } => {
                    let at = Some(Duration::from_millis(spoken));
                    scene.carrier(CarrierEvent::Audio { at, audio: Audio::ulaw(&[byte; 160]) });
                }
                At::Turn => scene.leg(LegEvent::TurnCommitted { item: ItemId(100) }),
                At::Reply => {
                    scene.reply(1, 1);
                    scene.leg(LegEvent::AgentWords { item: ITEM, text: "Yes.".into(), whole: true });
                }
                At::Sound => (0..8).for_each(|_| scene.speech(1, 1, 200)),
                At::Sent => scene.input(Input::Sent),
                At::Mark(mark) => scene.carrier(CarrierEvent::Mark(MarkId(mark))),
            }
        }
        scene.carrier(CarrierEvent::Stopped);
        let turns = scene.ended().unwrap().turns;
        let Segments { decided, thought: t, tools, voiced: v, sent: s, heard: h } = turns[0].latency.unwrap();
        let ms = |time: Duration| time.as_millis() as u64;
        prop_assert_eq!((ms(t), ms(tools), ms(v), ms(s)), (thought, 0, voiced, sent));
        prop_assert!(ms(decided).abs_diff(pause) <= 1, "{:?} for {}", decided, pause);
        prop_assert_eq!(ms(h), waits + 2 * way);
        prop_assert!(ms(turns[0].latency.unwrap().silence()).abs_diff(heard - fell_silent) <= 1);
    }
}
