//! What shall the pretend Deepgram hear and say, how fast, and what shall go wrong?

use std::time::Duration;

#[derive(Clone, Debug, Default)]
pub struct Behaviour {
    pub listen: Listen,
    pub speak: Speak,
    /// Status and body of a refused upgrade.
    pub refuse: Option<(u16, String)>,
    /// Before the upgrade is answered.
    pub upgrade_after: Duration,
    /// The way to the client, each direction.
    pub latency: Duration,
}

#[derive(Clone, Debug)]
pub struct Listen {
    /// The words of each turn, in order. A `|` is where the caller pauses: there it is probably over.
    pub hears: Vec<String>,
    /// For turns after those.
    pub fallback: String,
    /// The silence, by the sound's own clock, that ends a turn. Nova takes the client's `endpointing` instead.
    pub silence: Duration,
    /// The silence after which Flux guesses, when it was asked to.
    pub eager: Duration,
    pub troubles: Vec<(ListenWhen, Trouble)>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum ListenWhen {
    Connected,
    /// The n-th turn has begun, counted from 1.
    TurnStarted(usize),
    TurnEnded(usize),
}

#[derive(Clone, Debug)]
pub struct Speak {
    /// How much faster than it is spoken the sound is sent.
    pub pace: f64,
    /// The sound of one message.
    pub piece: Duration,
    /// From the text to its first sound.
    pub first: Duration,
    /// The sound of one letter.
    pub letter: Duration,
    /// Pieces that are on their way when a `Clear` arrives.
    pub in_flight: usize,
    pub troubles: Vec<(SpeakWhen, Trouble)>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum SpeakWhen {
    Connected,
    /// So much sound was sent.
    SoundSent(Duration),
}

/// What goes wrong. Each happens once a connection.
#[derive(Clone, Debug, PartialEq)]
pub enum Trouble {
    /// The connection breaks.
    Cut,
    /// It stays open, says nothing more, and answers no pings.
    Stall,
    Close(u16, String),
    SendText(String),
}

impl Default for Listen {
    fn default() -> Self {
        Self {
            hears: Vec::new(),
            fallback: "Hello?".to_owned(),
            silence: Duration::from_millis(300),
            eager: Duration::from_millis(100),
            troubles: Vec::new(),
        }
    }
}

impl Default for Speak {
    fn default() -> Self {
        Self {
            pace: 4.0,
            piece: Duration::from_millis(100),
            first: Duration::from_millis(5),
            letter: Duration::from_millis(65),
            in_flight: 2,
            troubles: Vec::new(),
        }
    }
}

impl Behaviour {
    /// The words of each turn of the caller.
    pub fn hears<const N: usize>(mut self, turns: [&str; N]) -> Self {
        self.listen.hears = turns.map(str::to_owned).to_vec();
        self
    }

    pub fn listening_trouble(mut self, when: ListenWhen, what: Trouble) -> Self {
        self.listen.troubles.push((when, what));
        self
    }

    pub fn speaking_trouble(mut self, when: SpeakWhen, what: Trouble) -> Self {
        self.speak.troubles.push((when, what));
        self
    }
}
