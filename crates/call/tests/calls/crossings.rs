//! Events in any order: messages cross, vendors stumble, and some things must hold all the same.

use std::time::Duration;

use call::{fuzz::Watch, *};
use proptest::prelude::*;

use crate::scene::*;

/// What a test may do to a call. Numbers are small so that replies, items and marks meet.
fn input() -> impl Strategy<Value = Input> {
    let id = 1..6u32;
    let leg = prop_oneof![
        2 => Just(LegEvent::Ready),
        3 => Just(LegEvent::SpeechStarted),
        3 => Just(LegEvent::SpeechStopped),
        2 => id.clone().prop_map(|item| LegEvent::TurnCommitted { item: ItemId(100 + item) }),
        3 => id.clone().prop_map(|reply| LegEvent::ReplyStarted { reply: ReplyId(reply) }),
        2 => id.clone().prop_map(|reply| LegEvent::FirstWords { reply: ReplyId(reply), ahead: reply % 2 == 0 }),
        2 => id.clone().prop_map(|item| LegEvent::CallerWords { item: ItemId(100 + item), text: "Hm.".into(), whole: true }),
        1 => id.clone().prop_map(|reply| LegEvent::ReplyUnwanted { reply: ReplyId(reply) }),
        3 => (id.clone(), 1..3u32).prop_map(|(reply, n)| LegEvent::ItemStarted { reply: ReplyId(reply), item: ItemId(reply * 10 + n) }),
        9 => (id.clone(), 1..3u32, 0..800u64).prop_map(|(reply, n, ms)| LegEvent::Speech {
            reply: ReplyId(reply),
            item: ItemId(reply * 10 + n),
            audio: Audio::silence(Duration::from_millis(ms)),
        }),
        3 => (id.clone(), 1..3u32).prop_map(|(reply, n)| LegEvent::SpeechDone { reply: ReplyId(reply), item: ItemId(reply * 10 + n) }),
        3 => (id.clone(), 0..4u8).prop_map(|(reply, how)| done(reply, match how {
            0 => Outcome::Completed,
            1 => Outcome::Cancelled,
            2 => Outcome::Incomplete,
            _ => Outcome::FailedForNow(failure(FailureKind::Provider)),
        })),
        3 => (id.clone(), 1..9u32).prop_map(|(reply, id)| LegEvent::ToolCalled {
            reply: ReplyId(reply),
            id: ToolId(id),
            name: ["lookup", "nothing", "hang_up"][usize::try_from(id % 7).unwrap_or(0).saturating_sub(4)].into(),
            arguments: "{}".into(),
        }),
        1 => Just(LegEvent::Failed(failure(FailureKind::Closed))),
        1 => Just(LegEvent::OnlySpeaks(failure(FailureKind::Closed))),
        1 => Just(LegEvent::Alive),
        1 => Just(LegEvent::Odd(Oddity::UnknownEvent)),
    ];
    let carrier = prop_oneof![
        1 => Just(CarrierEvent::Started(Box::default())),
        1 => (0..12u64, any::<bool>()).prop_map(|(frames, ahead)| {
            let ms = Duration::from_millis;
            let pieces = Pieces { least: ms(20 * frames), step: ms(20), ahead: ahead.then_some(ms(900)) };
            CarrierEvent::Started(Box::new(Started { pieces, ..Started::default() }))
        }),
        9 => (0..5_000u64).prop_map(frame),
        9 => (1..20u32).prop_map(|mark| CarrierEvent::Mark(MarkId(mark))),
        2 => prop::sample::select(vec!['5', '#']).prop_map(CarrierEvent::Key),
        1 => Just(CarrierEvent::Malformed),
    ];
    prop_oneof![
        20 => leg.prop_map(Input::Leg),
        12 => carrier.prop_map(Input::Carrier),
        2 => any::<bool>().prop_map(|greets| Input::Token(Box::new(if greets { greeting() } else { with_everything() }))),
        1 => (1..9u32).prop_map(|id| Input::Tool { id: ToolId(id), end: ToolEnd::Tones, result: "12#".into() }),
        1 => (1..9u32).prop_map(|id| Input::Tool { id: ToolId(id), end: ToolEnd::HandsOver, result: "sales".into() }),
        1 => (1..9u32, any::<bool>()).prop_map(|(id, done)| Input::HandedOver { id: ToolId(id), done }),
        3 => (1..9u32).prop_map(|id| Input::Tool { id: ToolId(id), end: ToolEnd::Done, result: "{}".into() }),
        2 => Just(Input::Sent),
        2 => Just(Input::Admitted),
        9 => Just(Input::Tick),
    ]
}

/// What ends a call at once, or soon.
fn ending() -> impl Strategy<Value = Input> {
    prop_oneof![
        Just(Input::Carrier(CarrierEvent::Stopped)),
        Just(Input::Carrier(CarrierEvent::Gone(Gone::Broken))),
        Just(Input::Leg(LegEvent::Failed(failure(FailureKind::Quota)))),
        Just(Input::Refused(RefusalCode("token_expired"))),
        Just(Input::Stop),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, ..ProptestConfig::default() })]

    #[test]
    fn nothing_interrupted_is_played_and_a_call_ends_exactly_once(
        steps in prop::collection::vec((input(), 0..400u64), 0..120),
        live in any::<bool>(),
        end in ending(),
        after in prop::collection::vec(input(), 0..10),
    ) {
        let mut scene = if live { Scene::live(with_everything()) } else { Scene::open() };
        scene.commands();
        let mut watch = Watch::default();
        for (input, wait) in steps {
            scene.pass(wait);
            watch.see(&Input::Tick, &scene.all_commands());
            scene.input(input.clone());
            watch.see(&input, &scene.all_commands());
        }
        scene.input(end.clone());
        watch.see(&end, &scene.all_commands());
        // Last words, legs that are never ready, or a socket on which nothing ever started: none of it takes long.
        scene.pass(17_000);
        watch.see(&Input::Tick, &scene.all_commands());
        prop_assert!(scene.call.is_over());
        prop_assert!(watch.has_ended());
        prop_assert_eq!(scene.call.poll_timeout(), None, "a timer outlived the call");
        for input in after {
            scene.input(input);
            scene.pass(100_000);
            prop_assert_eq!(scene.commands(), []);
        }
    }

    #[test]
    fn a_fuzzer_s_story_keeps_the_rules(bytes in prop::collection::vec(any::<u8>(), 0..900)) {
        call::fuzz::run(&bytes, Scene::open().now);
    }

    #[test]
    fn the_cut_is_exact_whatever_the_line_and_the_leg_do(
        delay in 0..150u64,
        pieces in prop::collection::vec(20..400u64, 1..30),
        pause in 0..80u64,
        speak_at in 0..6_000u64,
    ) {
        let cut = Phone::new(delay).talk(&pieces, pause, speak_at);
        if let Some((heard, played)) = cut {
            prop_assert!(heard.abs_diff(played) <= 20, "said {} ms, played {} ms", heard, played);
        }
    }
}

/// A phone at the end of a line that takes `delay` each way, simulated in whole milliseconds: what it has
/// played when the clear arrives is the truth that the call has to guess.
struct Phone {
    scene: Scene,
    delay: u64,
    now: u64,
    /// On their way to the phone, and back.
    there: Vec<(u64, CarrierCommand)>,
    back: Vec<(u64, MarkId)>,
    /// Waiting to be played: bytes of audio, or a mark.
    buffer: std::collections::VecDeque<Result<u64, MarkId>>,
    played_bytes: u64,
}

impl Phone {
    fn new(delay: u64) -> Self {
        let mut scene = Scene::open();
        scene.input(Input::Token(Box::default()));
        scene.carrier(CarrierEvent::Started(Box::default()));
        scene.input(Input::Admitted);
        scene.leg(LegEvent::Ready);
        let buffer = Default::default();
        Self { scene, delay, now: 0, there: vec![], back: vec![], buffer, played_bytes: 0 }
    }

    /// Speaks these pieces, interrupts, and returns what the call said was heard and what was played; nothing
    /// when the interruption came before or after the speech.
    fn talk(mut self, pieces: &[u64], pause: u64, speak_at: u64) -> Option<(u64, u64)> {
        while self.now < 2 * self.delay + 1 {
            self.tick(); // the line is measured before the first word
        }
        self.scene.reply(1, 1);
        let start = self.now;
        let mut due: Vec<(u64, u64)> =
            pieces.iter().enumerate().map(|(i, ms)| (start + i as u64 * pause, *ms)).collect();
        due.reverse();
        while self.now < start + speak_at {
            while due.last().is_some_and(|(at, _)| *at <= self.now) {
                let (_, ms) = due.pop()?;
                self.scene.speech(1, 1, ms);
            }
            self.tick();
        }
        self.obey();
        self.scene.leg(LegEvent::SpeechStarted);
        let commands = self.scene.commands();
        let heard = commands.iter().find_map(|command| match command {
            Command::Leg(LegCommand::Truncate { heard, .. }) => Some(heard.as_millis() as u64),
            Command::Leg(LegCommand::Forget { .. }) => Some(0),
            _ => None,
        })?;
        let arrives = self.now + self.delay;
        while self.now < arrives {
            self.tick();
        }
        Some((heard, self.played_bytes / 8))
    }

    /// One millisecond passes on both ends and on the line.
    fn tick(&mut self) {
        self.obey();
        let now = self.now;
        for (_, command) in self.there.extract_if(.., |(at, _)| *at <= now) {
            match command {
                CarrierCommand::Play(audio) => self.buffer.push_back(Ok(audio.len() as u64)),
                CarrierCommand::Mark(mark) => self.buffer.push_back(Err(mark)),
                CarrierCommand::Clear | CarrierCommand::Ping | CarrierCommand::Close(_) => {}
            }
        }
        self.now += 1;
        self.play();
        self.scene.pass(1);
        let now = self.now;
        let arrived: Vec<_> = self.back.extract_if(.., |(at, _)| *at <= now).collect();
        for (_, mark) in arrived {
            self.scene.carrier(CarrierEvent::Mark(mark));
        }
    }

    /// A millisecond is eight bytes; a mark returns when what is before it was played.
    fn play(&mut self) {
        let mut left = 8;
        while let Some(next) = self.buffer.front_mut() {
            match next {
                Err(mark) => self.back.push((self.now + self.delay, *mark)),
                Ok(0) => {}
                Ok(_) if left == 0 => break,
                Ok(bytes) => {
                    let some = left.min(*bytes);
                    (*bytes, left) = (*bytes - some, left - some);
                    self.played_bytes += some;
                    continue;
                }
            }
            self.buffer.pop_front();
        }
    }

    fn obey(&mut self) {
        let arrives = self.now + self.delay;
        for command in self.scene.commands() {
            if let Command::Carrier(command) = command {
                self.there.push((arrives, command));
            }
        }
    }
}
