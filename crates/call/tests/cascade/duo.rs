//! Call and cascade together, as the relay has them, without a socket.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use call::{
    cascade::{
        AskId, Cascade, EarCommand, EarEvent, Judges, Message, MindCommand, MindEvent, MouthCommand,
        MouthEvent, Order, Setup, ToolUse,
    },
    *,
};

pub struct Duo {
    pub call: Call,
    pub cascade: Cascade,
    pub now: Instant,
    /// What the parts were told, without the caller's voice and keep-alives.
    pub orders: Vec<Order>,
    pub carrier: Vec<CarrierCommand>,
    pub notes: Vec<Note>,
    pub summary: Option<Summary>,
    /// Tools that were run, with their arguments.
    pub ran: Vec<(ToolId, String)>,
    /// Sound that the carrier got, and would have played.
    pub sent: Duration,
    /// Until when the phone has something to play, and the marks on its tape with their moments.
    plays_until: Instant,
    marks: VecDeque<(Instant, MarkId)>,
}

impl Duo {
    /// Connected; everything up to here was taken.
    pub fn live(config: Config) -> Self {
        Self::judged(config, Judges::Provider)
    }

    pub fn judged(config: Config, judges: Judges) -> Self {
        Self::with(config, judges, None)
    }

    /// With an ear that leaves the ends of turns to us.
    pub fn ending_turns(config: Config, pause: Duration) -> Self {
        Self::with(config, Judges::Both, Some(pause))
    }

    fn with(config: Config, judges: Judges, ends_turns: Option<Duration>) -> Self {
        #[expect(clippy::disallowed_methods, reason = "any instant will do as the start of a test's clock")]
        let now = Instant::now();
        let turns =
            if config.greeting.is_some() || !config.interruptible { Turns::Held } else { Turns::Live };
        let setup = Setup { prompt: Some("You are kind.".into()), turns, judges, ends_turns };
        let mut duo = Self {
            call: Call::new(now),
            cascade: Cascade::new(&setup, now),
            now,
            orders: Vec::new(),
            carrier: Vec::new(),
            notes: Vec::new(),
            summary: None,
            ran: Vec::new(),
            sent: Duration::ZERO,
            plays_until: now,
            marks: VecDeque::new(),
        };
        duo.input(Input::Token(Box::new(Config {
            legs: vec![LegRules { patience: Duration::from_secs(8), ..LegRules::default() }],
            ..config
        })));
        duo.input(Input::Carrier(CarrierEvent::Started(Box::default())));
        duo.input(Input::Admitted);
        duo.ear(EarEvent::Ready);
        duo.mind(MindEvent::Ready);
        duo.mouth(MouthEvent::Ready);
        duo.pass(0);
        let opened: Vec<Order> = duo.orders.drain(..3).collect();
        assert_eq!(
            opened,
            [Order::Ear(EarCommand::Open), Order::Mind(MindCommand::Open), Order::Mouth(MouthCommand::Open)]
        );
        duo.carrier.clear();
        duo
    }

    pub fn input(&mut self, input: Input) {
        self.call.handle(self.now, input);
        self.settle();
    }

    pub fn ear(&mut self, event: EarEvent) {
        self.cascade.ear(self.now, event);
        self.settle();
    }

    pub fn mind(&mut self, event: MindEvent) {
        self.cascade.mind(self.now, event);
        self.settle();
    }

    pub fn mouth(&mut self, event: MouthEvent) {
        self.cascade.mouth(self.now, event);
        self.settle();
    }

    fn settle(&mut self) {
        loop {
            while let Some(command) = self.call.poll_command() {
                match command {
                    Command::Leg(command) => self.cascade.obey(self.now, command),
                    Command::Carrier(command) => {
                        self.play(&command);
                        self.carrier.push(command);
                    }
                    Command::Note(note) => self.notes.push(note),
                    Command::End(summary) => self.summary = Some(*summary),
                    Command::Run { id, arguments, .. } => self.ran.push((id, arguments)),
                    Command::Admit(_)
                    | Command::Dial { .. }
                    | Command::TellWhenSent
                    | Command::StopTool(_)
                    | Command::HandOver { .. }
                    | Command::Record(_) => {}
                }
            }
            match self.cascade.poll_event() {
                Some(event) => self.call.handle(self.now, Input::Leg(event)),
                None => break,
            }
        }
        while let Some(order) = self.cascade.poll_order() {
            if !matches!(
                order,
                Order::Ear(EarCommand::Hear(_) | EarCommand::Ping) | Order::Mouth(MouthCommand::KeepAlive)
            ) {
                self.orders.push(order);
            }
        }
    }

    /// The phone plays what it gets, on a line without delay.
    fn play(&mut self, command: &CarrierCommand) {
        match command {
            CarrierCommand::Play(audio) => {
                self.sent += audio.duration();
                self.plays_until = self.plays_until.max(self.now) + audio.duration();
            }
            CarrierCommand::Mark(mark) => self.marks.push_back((self.plays_until.max(self.now), *mark)),
            CarrierCommand::Clear => {
                self.plays_until = self.now;
                self.marks.iter_mut().for_each(|(at, _)| *at = self.now);
            }
            CarrierCommand::Ping | CarrierCommand::Close(_) => {}
        }
    }

    /// So much time passes; deadlines are met on the way. The ear's socket lives.
    pub fn pass(&mut self, ms: u64) {
        let end = self.now + Duration::from_millis(ms);
        loop {
            let mark = self.marks.front().map(|(at, _)| *at);
            let times = [self.call.poll_timeout().map(|(at, _)| at), self.cascade.poll_timeout(), mark];
            let Some(at) = times.into_iter().flatten().min().filter(|at| *at <= end) else { break };
            self.now = self.now.max(at);
            while let Some((_, mark)) = self.marks.pop_front_if(|(at, _)| *at <= self.now) {
                self.input(Input::Carrier(CarrierEvent::Mark(mark)));
            }
            self.cascade.tick(self.now);
            self.input(Input::Tick);
            self.ear(EarEvent::Alive);
            self.input(Input::Carrier(CarrierEvent::Alive));
        }
        self.now = end;
    }

    /// The caller is silent for so long, in frames of 20 ms.
    pub fn silence(&mut self, ms: u64) {
        for _ in 0..ms / 20 {
            let audio = Audio::silence(Duration::from_millis(20));
            self.input(Input::Carrier(CarrierEvent::Audio { audio, at: None }));
            self.pass(20);
        }
    }

    /// The caller says a whole turn, with the usual signs.
    pub fn turn(&mut self, words: &str) {
        self.ear(EarEvent::Started);
        self.ear(EarEvent::Words(words.into()));
        self.ear(EarEvent::Ended(words.into()));
    }

    /// What was asked of the mind since the last look: the number and the newest entry of the thread.
    pub fn asked(&mut self) -> (AskId, Vec<Message>) {
        let at = self.orders.iter().rposition(|order| matches!(order, Order::Mind(MindCommand::Ask { .. })));
        match self.orders.remove(at.expect("nobody asked")) {
            Order::Mind(MindCommand::Ask { ask, thread }) => (ask, thread),
            _ => unreachable!(),
        }
    }

    pub fn words(&mut self, ask: AskId, text: &str) {
        self.mind(MindEvent::Words { ask, text: text.into() });
    }

    pub fn thought(&mut self, ask: AskId) {
        self.mind(MindEvent::Done { ask, whole: true, usage: Usage::default() });
    }

    /// The model calls the tool `lookup` with these arguments.
    pub fn calls(&mut self, ask: AskId, id: &str, arguments: &str) {
        let call = ToolUse { id: id.into(), name: "lookup".into(), arguments: arguments.into(), extra: None };
        self.mind(MindEvent::Called { ask, call });
    }

    pub fn speech(&mut self, reply: u32, ms: u64) {
        let audio = Audio::silence(Duration::from_millis(ms));
        self.mouth(MouthEvent::Speech { reply: ReplyId(reply), audio });
    }

    /// What the mouth was told to say of this reply since the last look.
    pub fn said(&mut self, reply: u32) -> String {
        let mut said = Vec::new();
        self.orders.retain(|order| match order {
            Order::Mouth(MouthCommand::Say { reply: id, words }) if *id == ReplyId(reply) => {
                said.push(words.clone());
                false
            }
            _ => true,
        });
        said.join(" ")
    }

    pub fn has(&self, order: &Order) -> bool {
        self.orders.contains(order)
    }

    pub fn cleared(&mut self) -> bool {
        let before = self.carrier.len();
        self.carrier.retain(|command| *command != CarrierCommand::Clear);
        self.carrier.len() < before
    }

    /// Who said what, and what was heard of it.
    pub fn transcript(&mut self) -> Vec<(Speaker, String, Option<String>)> {
        self.input(Input::Carrier(CarrierEvent::Stopped));
        let lines = self.summary.take().expect("the call has ended").transcript;
        lines.into_iter().map(|line| (line.speaker, line.said.trim().to_owned(), line.heard)).collect()
    }
}
