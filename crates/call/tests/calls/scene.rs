//! A call with a clock of its own: say what happens, read what comes out.

use std::time::{Duration, Instant};

use call::*;

pub struct Scene {
    pub call: Call,
    pub now: Instant,
}

pub const REPLY: ReplyId = ReplyId(1);
pub const ITEM: ItemId = ItemId(1);

impl Scene {
    /// A socket that has just opened.
    pub fn open() -> Self {
        #[expect(clippy::disallowed_methods, reason = "any instant will do as the start of a test's clock")]
        let now = Instant::now();
        Self { call: Call::new(now), now }
    }

    /// Caller and leg are connected; everything up to here was taken.
    pub fn live(config: Config) -> Self {
        Self::live_over(Started::default(), config)
    }

    /// The same over a carrier that has wishes.
    pub fn live_over(started: Started, config: Config) -> Self {
        let mut scene = Self::open();
        scene.input(Input::Token(Box::new(config)));
        scene.carrier(CarrierEvent::Started(Box::new(started)));
        scene.input(Input::Admitted);
        scene.leg(LegEvent::Ready);
        scene.carrier(CarrierEvent::Mark(MarkId(1))); // the probe, on a line without delay
        scene
    }

    pub fn input(&mut self, input: Input) {
        self.call.handle(self.now, input);
    }

    pub fn carrier(&mut self, event: CarrierEvent) {
        self.input(Input::Carrier(event));
    }

    pub fn leg(&mut self, event: LegEvent) {
        self.input(Input::Leg(event));
    }

    /// So much time passes; deadlines are met on the way.
    pub fn pass(&mut self, ms: u64) {
        let end = self.now + Duration::from_millis(ms);
        while let Some((at, _)) = self.call.poll_timeout().filter(|(at, _)| *at <= end) {
            self.now = self.now.max(at);
            self.input(Input::Tick);
        }
        self.now = end;
    }

    /// The leg begins a reply with one item.
    pub fn reply(&mut self, reply: u32, item: u32) {
        self.leg(LegEvent::ReplyStarted { reply: ReplyId(reply) });
        self.leg(LegEvent::ItemStarted { reply: ReplyId(reply), item: ItemId(item) });
    }

    pub fn speech(&mut self, reply: u32, item: u32, ms: u64) {
        let audio = Audio::silence(Duration::from_millis(ms));
        self.leg(LegEvent::Speech { reply: ReplyId(reply), item: ItemId(item), audio });
    }

    pub fn reply_done(&mut self, reply: u32, item: u32) {
        self.leg(LegEvent::SpeechDone { reply: ReplyId(reply), item: ItemId(item) });
        self.leg(done(reply, Outcome::Completed));
    }

    pub fn all_commands(&mut self) -> Vec<Command> {
        std::iter::from_fn(|| self.call.poll_command()).collect()
    }

    /// All commands but notes, questions about the wire and the carrier's pings.
    pub fn commands(&mut self) -> Vec<Command> {
        self.all_commands()
            .into_iter()
            .filter(|c| {
                !matches!(
                    c,
                    Command::Note(_) | Command::TellWhenSent | Command::Carrier(CarrierCommand::Ping)
                )
            })
            .collect()
    }

    /// How often the carrier was asked whether it is there.
    pub fn questions(&mut self) -> usize {
        let all = std::iter::from_fn(|| self.call.poll_command());
        all.filter(|c| *c == Command::Carrier(CarrierCommand::Ping)).count()
    }

    /// What was sent to the leg, without the caller's voice and pings.
    pub fn leg_commands(&mut self) -> Vec<LegCommand> {
        let all = self.commands().into_iter();
        all.filter_map(|command| match command {
            Command::Leg(LegCommand::Hear(_) | LegCommand::Ping) => None,
            Command::Leg(command) => Some(command),
            _ => None,
        })
        .collect()
    }

    /// The turns that were told since the last look.
    pub fn turns(&mut self) -> Vec<TurnTold> {
        let all = self.all_commands().into_iter();
        all.filter_map(|command| match command {
            Command::Note(Note::TurnEnded(told)) => Some(*told),
            _ => None,
        })
        .collect()
    }

    pub fn ended(&mut self) -> Option<Summary> {
        self.commands().into_iter().find_map(|command| match command {
            Command::End(summary) => Some(*summary),
            _ => None,
        })
    }
}

/// The caller says a sentence, and it is understood.
pub fn caller_says(scene: &mut Scene, item: u32, words: &str) {
    scene.leg(LegEvent::SpeechStarted);
    scene.pass(800);
    scene.leg(LegEvent::SpeechStopped);
    scene.leg(LegEvent::TurnCommitted { item: ItemId(item) });
    scene.leg(LegEvent::CallerWords { item: ItemId(item), text: words.into(), whole: true });
}

/// The last mark that was sent to the carrier.
pub fn last_mark(commands: &[Command]) -> MarkId {
    let mark = |command: &Command| match command {
        Command::Carrier(CarrierCommand::Mark(mark)) => Some(*mark),
        _ => None,
    };
    commands.iter().rev().find_map(mark).expect("a mark behind the goodbye")
}

pub fn done(reply: u32, outcome: Outcome) -> LegEvent {
    LegEvent::ReplyDone { reply: ReplyId(reply), outcome, usage: Usage::default() }
}

pub fn failure(kind: FailureKind) -> Failure {
    Failure { provider: "openai", kind, detail: "test".into() }
}

pub fn greeting() -> Config {
    Config { greeting: Some("Hello, this is Acme.".into()), ..Config::default() }
}

/// An agent that can look things up, and says so.
pub fn with_tools() -> Config {
    let tool = |name: &str, say: Option<&str>| Tool {
        name: name.into(),
        patience: Duration::from_secs(8),
        say: say.map(str::to_owned),
        does: Does::Ask,
    };
    let tools = vec![tool("lookup", Some("One moment, please.")), tool("remember", None)];
    Config { tools, ..Config::default() }
}

/// And one that hangs up, and asks who is silent.
pub fn with_everything() -> Config {
    let mut config = with_tools();
    config.tools.push(Tool { name: "hang_up".into(), does: Does::HangUp, ..config.tools[1].clone() });
    let say = vec!["Are you still there?".into()];
    config.idle = Some(Idle { after: Duration::from_secs(3), say, then_hang_up: true });
    config.legs = vec![LegRules::default(); 3];
    config.error_message = Some("Something is wrong. Please call again.".into());
    config
}

pub fn frame(at_ms: u64) -> CarrierEvent {
    CarrierEvent::Audio {
        at: Some(Duration::from_millis(at_ms)),
        audio: Audio::silence(Duration::from_millis(20)),
    }
}
