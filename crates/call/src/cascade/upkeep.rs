//! Keeping three connections alive while nobody speaks, and one of them anew when it breaks.
//!
//! A broken connection is opened again once, and the caller should not notice: what is said meanwhile waits,
//! what was understood of an unfinished turn is kept, and what the voice had not said yet is said by the new one.
//! A second break soon after is the provider's trouble, and the leg has failed.

use std::time::{Duration, Instant};

use super::{Cascade, EarCommand, MouthCommand, Order};
use crate::{
    Audio, Failure, FailureKind,
    hold::Hold,
    pulse::{Beat, Pulse},
};

#[derive(Debug)]
pub(super) struct Upkeep {
    /// The last sound for the ear, and the last words or sound of the mouth.
    heard: Instant,
    said: Instant,
    /// Whether the ear is there at all.
    pub ear_pulse: Pulse,
    /// The ear's last sign in a turn that is not over.
    in_turn: Option<Instant>,
    ear: Link,
    mouth: Link,
    /// The caller's voice while the ear is being opened again.
    hold: Hold,
    /// What the ear has heard of a voice and said nothing about: a new one hears it again.
    unheard: Hold,
    /// What was understood of a turn before the ear broke, or before the caller went on, and when that has to do.
    carried: Option<(String, Option<Instant>)>,
    look_at_ear: Instant,
    /// The words of the turn so far.
    pub so_far: String,
    /// The mouth was told to stop, and must have by then.
    pub stopping: Option<Instant>,
}

#[derive(Debug, Default)]
struct Link {
    open: bool,
    /// It broke then.
    broke: Option<Instant>,
    /// It must be open again by then.
    due: Option<Instant>,
}

impl Link {
    /// It broke. Whether it is worth another try.
    fn breaks(&mut self, now: Instant, failure: &Failure) -> bool {
        let once = self.broke.is_none_or(|broke| now >= broke + SOON);
        let again = self.open && once && may_help(failure.kind);
        self.open = false;
        self.broke = Some(now);
        self.due = again.then(|| now + OPEN_WITHIN);
        again
    }

    fn opens(&mut self) {
        self.open = true;
        self.due = None;
    }
}

/// Whether a new connection may do better than the old one.
fn may_help(kind: FailureKind) -> bool {
    match kind {
        FailureKind::Closed
        | FailureKind::Stalled
        | FailureKind::Stuck
        | FailureKind::Provider
        | FailureKind::Nonsense => true,
        FailureKind::Unreachable
        | FailureKind::Refused
        | FailureKind::BadKey
        | FailureKind::Quota
        | FailureKind::RateLimited
        | FailureKind::NotReady => false,
    }
}

impl Upkeep {
    pub fn new(now: Instant) -> Self {
        Self {
            heard: now,
            said: now,
            ear_pulse: Pulse::of_leg(now),
            in_turn: None,
            ear: Link::default(),
            mouth: Link::default(),
            hold: Hold::default(),
            unheard: Hold::default(),
            carried: None,
            look_at_ear: now,
            so_far: String::new(),
            stopping: None,
        }
    }

    pub fn heard(&mut self, now: Instant) {
        self.heard = now;
    }

    pub fn ear_is_open(&self) -> bool {
        self.ear.open
    }

    /// Nobody listens from now on, and nobody will.
    pub fn ear_is_gone(&mut self) {
        self.ear = Link::default();
        (self.in_turn, self.carried) = (None, None);
    }

    /// What is said to the mouth now arrives there.
    pub fn mouth_takes(&self) -> bool {
        self.mouth.open
    }

    pub fn said(&mut self, now: Instant) {
        self.said = now;
    }

    pub fn ear_spoke(&mut self, now: Instant) {
        self.unheard = Hold::default();
        self.in_turn = Some(now);
        if let Some((_, due)) = &mut self.carried {
            *due = None; // it goes on
        }
    }

    pub fn turn_ended(&mut self) {
        self.unheard = Hold::default();
        self.in_turn = None;
        self.so_far.clear();
    }

    /// When there is something to do. `speaking`: sound of the mouth is due.
    pub fn next(&self, speaking: bool) -> Instant {
        let due = [
            self.ear.open.then(|| self.heard + FILL_AFTER),
            self.ear.open.then_some(self.in_turn).flatten().map(|spoke| spoke + SILENT_EAR),
            self.ear.due,
            self.mouth.due,
            (speaking && self.mouth.open).then(|| self.said + SILENT_MOUTH),
            self.ear.open.then_some(self.look_at_ear),
            self.stopping,
            self.carried.as_ref().and_then(|(_, due)| *due),
        ];
        due.into_iter().flatten().fold(self.said + KEEP_ALIVE, Instant::min)
    }
}

impl Cascade {
    /// The caller's voice to the ear, or to where it waits for it.
    pub(super) fn listen(&mut self, audio: Audio) {
        if self.upkeep.ear.open {
            if self.attention.is_busy() {
                self.upkeep.unheard.push(audio.clone());
            }
            self.order(Order::Ear(EarCommand::Hear(audio)));
        } else if self.upkeep.ear.due.is_some() {
            self.upkeep.hold.push(audio);
        }
    }

    pub(super) fn ear_is_open(&mut self) {
        self.upkeep.ear.opens();
        self.upkeep.ear_pulse = Pulse::of_leg(self.now);
        self.upkeep.look_at_ear = self.upkeep.ear_pulse.next_look();
        self.order(Order::Ear(EarCommand::Ping));
        while let Some(audio) = self.upkeep.hold.pop() {
            self.order(Order::Ear(EarCommand::Hear(audio)));
        }
        if let Some((_, due)) = &mut self.upkeep.carried {
            *due = Some(self.now + CARRY);
        }
        self.is_ready(0);
    }

    pub(super) fn ear_is_lost(&mut self, failure: Failure) {
        self.drop_guess();
        self.forget_ends();
        self.upkeep.in_turn = None;
        self.upkeep.hold = std::mem::take(&mut self.upkeep.unheard);
        if !self.upkeep.ear.breaks(self.now, &failure) {
            return self.falls_dumb(failure);
        }
        let so_far = std::mem::take(&mut self.upkeep.so_far);
        let words = self.with_carried(so_far);
        self.upkeep.carried = (!words.is_empty()).then_some((words, None));
        self.order(Order::Ear(EarCommand::Open));
    }

    /// The turn goes on after these words, or so it seems: when nothing more is understood, it did not.
    pub(super) fn carry(&mut self, words: String) {
        let words = self.with_carried(words);
        self.upkeep.carried = Some((words, Some(self.now + CARRY)));
    }

    /// What was understood before stands before what came after it.
    pub(super) fn with_carried(&mut self, words: String) -> String {
        match self.upkeep.carried.take() {
            Some((before, _)) if words.is_empty() => before,
            Some((before, _)) => format!("{before} {words}"),
            None => words,
        }
    }

    pub(super) fn mouth_is_open(&mut self) {
        let reopened = self.upkeep.mouth.broke.is_some();
        self.upkeep.mouth.opens();
        self.upkeep.said = self.now; // its patience begins anew
        self.is_ready(2);
        if !reopened {
            return;
        }
        let Some((reply, item, all)) = self.speaking() else { return };
        if let Some(words) = self.memory.rest(item) {
            self.memory.words(item, &words);
            self.order(Order::Mouth(MouthCommand::Say { reply, words }));
        }
        if all {
            self.order(Order::Mouth(MouthCommand::Finish(reply)));
        }
    }

    pub(super) fn mouth_is_lost(&mut self, failure: Failure) {
        self.upkeep.stopping = None;
        if self.upkeep.mouth.breaks(self.now, &failure) {
            self.order(Order::Mouth(MouthCommand::Open));
        } else {
            self.fail(failure);
        }
    }

    pub(super) fn look_after_the_parts(&mut self) {
        let now = self.now;
        if self.upkeep.ear.due.is_some_and(|due| due <= now) {
            return self.falls_dumb(late("speech to text"));
        }
        if self.upkeep.mouth.due.is_some_and(|due| due <= now) {
            return self.fail(late("text to speech"));
        }
        if self.upkeep.stopping.is_some_and(|due| due <= now) {
            let (provider, kind) = ("text to speech", FailureKind::Stalled);
            self.mouth_is_lost(Failure { provider, kind, detail: "it did not stop speaking".into() });
        }
        if let Some((_, Some(due))) = &self.upkeep.carried
            && *due <= now
        {
            let words = self.with_carried(String::new());
            self.turn_ended(words);
        }
        if self.upkeep.ear.open && self.upkeep.in_turn.is_some_and(|spoke| now >= spoke + SILENT_EAR) {
            let (provider, kind) = ("speech to text", FailureKind::Stalled);
            self.ear_is_lost(Failure { provider, kind, detail: "no word in the middle of a turn".into() });
        }
        if self.upkeep.ear.open && now >= self.upkeep.look_at_ear {
            self.feel_the_pulse();
        }
        if self.upkeep.mouth.open && self.waits_for_sound() && now >= self.upkeep.said + SILENT_MOUTH {
            let (provider, kind) = ("text to speech", FailureKind::Stalled);
            self.mouth_is_lost(Failure {
                provider,
                kind,
                detail: "no sound in the middle of a reply".into(),
            });
        }
        if self.upkeep.ear.open && now >= self.upkeep.heard + FILL_AFTER {
            // A carrier that leaves out silence. Ears judge by the sound's own time, and close without sound.
            let missing = (now - self.upkeep.heard).min(MOST_FILLED);
            self.hear(Audio::silence(missing));
        }
        if now >= self.upkeep.said + KEEP_ALIVE {
            self.upkeep.said = now;
            self.order(Order::Mouth(MouthCommand::KeepAlive));
        }
    }
}

impl Cascade {
    fn feel_the_pulse(&mut self) {
        match self.upkeep.ear_pulse.check(self.now) {
            Beat::Fine(again) => self.upkeep.look_at_ear = again,
            Beat::Ask(again) => {
                self.upkeep.look_at_ear = again;
                self.order(Order::Ear(EarCommand::Ping));
            }
            Beat::Dead => {
                let (provider, kind) = ("speech to text", FailureKind::Stalled);
                self.ear_is_lost(Failure { provider, kind, detail: "".into() });
            }
        }
    }
}

fn late(provider: &'static str) -> Failure {
    Failure { provider, kind: FailureKind::NotReady, detail: "it was not there again in time".into() }
}

/// A second break sooner than this is no accident.
const SOON: Duration = Duration::from_secs(30);

/// For the new connection. The caller's voice waits as long as that.
const OPEN_WITHIN: Duration = Duration::from_secs(3);

/// An ear says something several times a second while somebody speaks.
const SILENT_EAR: Duration = Duration::from_secs(5);

/// A voice begins within a second, and sends faster than it is spoken.
const SILENT_MOUTH: Duration = Duration::from_secs(4);

/// Nothing more is heard of the turn after this: then it was over.
const CARRY: Duration = Duration::from_millis(1_200);

const FILL_AFTER: Duration = Duration::from_millis(500);

/// After a machine stood still the past is not made up for.
const MOST_FILLED: Duration = Duration::from_secs(1);

/// The shortest patience of a mouth with a silent client is 20 s.
const KEEP_ALIVE: Duration = Duration::from_secs(15);
