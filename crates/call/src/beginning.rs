//! How a call begins: token, stream and leg come in any order, and then caller and agent talk.

use std::time::Duration;

use crate::{
    Call, CarrierCommand, Command, Config, LegCommand, Note, Started, Timer, Turns, call::Phase,
    floor::Opening, pulse::Pulse,
};

impl Call {
    pub(crate) fn on_token(&mut self, config: Config) {
        let Phase::Lobby { asked } = self.phase else { return };
        // A greeting is protected from the first moment, so the leg must not stop it by itself.
        let consent = config.record.as_ref().is_some_and(|record| record.say.is_some());
        let held = consent || config.greeting.is_some() || !config.interruptible;
        self.floor.turns = if held { Turns::Held } else { Turns::Live };
        self.floor.opening = match &config.greeting {
            _ if consent => Opening::Consent,
            Some(_) => Opening::Greeting,
            None => Opening::Over,
        };
        self.config = config;
        self.phase = Phase::Connecting { asked, admitted: false, ready: false };
        self.dial();
    }

    pub(crate) fn on_started(&mut self, started: Box<Started>) {
        match &mut self.phase {
            Phase::Lobby { asked } | Phase::Connecting { asked, .. } if !*asked => {
                *asked = true;
                self.feed.set(started.pieces);
                self.playout.tape.lags_by(started.lag.agent);
                self.caller_lag = started.lag.caller;
                self.push(Command::Admit(started));
            }
            Phase::Lobby { .. } | Phase::Connecting { .. } | Phase::Live => self.malformed(),
            Phase::Closing(_) | Phase::Over => {}
        }
    }

    pub(crate) fn on_admitted(&mut self) {
        let Phase::Connecting { asked: true, admitted, .. } = &mut self.phase else { return };
        if std::mem::replace(admitted, true) {
            return;
        }
        self.begin_recording_at_once();
        self.timers.clear(Timer::Start);
        self.timers.set(Timer::MaxDuration, self.now + self.config.max);
        if self.config.warning.is_some() && self.config.max > WARNING {
            self.timers.set(Timer::Warning, self.now + self.config.max - WARNING);
        }
        self.carrier_pulse = Pulse::of_carrier(self.now);
        self.timers.set(Timer::CarrierQuiet, self.carrier_pulse.next_look());
        self.carrier(CarrierCommand::Ping);
        let probe = self.playout.tape.probe(self.now);
        self.push(Command::Carrier(CarrierCommand::Mark(probe)));
        self.watch_tape();
        self.go_live();
    }

    pub(crate) fn go_live(&mut self) {
        let Phase::Connecting { admitted: true, ready: true, .. } = self.phase else { return };
        self.phase = Phase::Live;
        self.was_live = true;
        self.note(Note::Live);
        self.watch_presence();
        while let Some(audio) = self.hold.pop() {
            self.leg(LegCommand::Hear(audio));
        }
        self.open_the_conversation();
    }

    pub(crate) fn on_warning(&mut self) {
        if let (Phase::Live, Some(warning)) = (&self.phase, self.config.warning.clone()) {
            self.say(warning);
        }
    }
}

/// So long before the end the warning is spoken.
const WARNING: Duration = Duration::from_secs(30);
