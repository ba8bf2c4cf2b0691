//! One line and the callers on it, one after the other.
//!
//! Whoever is refused, lost or leaves early is followed by another caller, so that the number of calls holds.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

use bytes::Bytes;
use secrecy::SecretString;
use sim::{
    dice::Dice,
    phone::{Carrier, Phone, PhoneEnd, PhoneOptions},
};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::{
    book::Book,
    leaving::Way,
    mix::{Agent, Measure},
    signature::signature,
};
use crate::{
    cli::{carrier, stage::claims},
    gate::mint::Minter,
};

/// What all lines share.
pub struct Floor {
    pub url: String,
    pub carrier: Carrier,
    pub minter: Minter,
    /// For a relay that takes only what Twilio has signed.
    pub auth_token: Option<SecretString>,
    pub agents: Vec<Agent>,
    pub book: Book,
    /// What callers say.
    pub sentence: Bytes,
    /// Everybody hangs up.
    pub stop: CancellationToken,
    /// Counts those who leave early, so that each way has its turn.
    pub leavers: AtomicUsize,
}

/// Calls on this line until the floor stops.
pub async fn line(floor: Arc<Floor>, number: u32, agent: usize, is_restless: bool) {
    let mut dice = Dice::new(u64::from(number));
    while !floor.stop.is_cancelled() {
        let way = is_restless.then(|| Way::nth(floor.leavers.fetch_add(1, Relaxed)));
        let stood = call(&floor, number, agent, way, &mut dice).await;
        // A person who was cut off or turned away does not redial at once, and neither would a thousand of them.
        let pause = if stood { Duration::ZERO } else { REDIAL };
        tokio::select! {
            () = sleep(pause) => {}
            () = floor.stop.cancelled() => {}
        }
    }
}

/// One call. False when it was refused or lost.
async fn call(floor: &Floor, number: u32, agent: usize, way: Option<Way>, dice: &mut Dice) -> bool {
    let options = options(floor, number, agent);
    let dialling = async {
        match way {
            Some(Way::Dialling) => timeout(Way::Dialling.stays(dice), Phone::dial(options)).await.ok(),
            _ => Some(Phone::dial(options).await),
        }
    };
    let dialled = tokio::select! {
        dialled = dialling => dialled,
        () = floor.stop.cancelled() => return true,
    };
    let phone = match dialled {
        Some(Ok(phone)) => phone,
        Some(Err(error)) => {
            floor.book.refused(&error);
            return false;
        }
        None => {
            floor.book.left(Way::Dialling);
            return true;
        }
    };
    let up = floor.book.begins();
    let end = tokio::select! {
        biased;
        () = floor.stop.cancelled() => Ending::Told,
        () = stay(floor, &phone, agent, way, dice) => Ending::Wanted,
        end = over(&phone) => Ending::Lost(end),
    };
    let stood = match end {
        Ending::Lost(end) => {
            floor.book.lost(&end);
            false
        }
        Ending::Wanted | Ending::Told => {
            // Only who was going to leave early does it in their own way.
            let way = if matches!(end, Ending::Wanted) { way } else { None };
            leave(floor, &phone, way).await;
            way.into_iter().for_each(|way| floor.book.left(way));
            true
        }
    };
    drop(up);
    phone.look(|phone| {
        for words in &phone.violations {
            floor.book.wrong("carrier_protocol", words);
        }
    });
    stood
}

enum Ending {
    /// This caller has had enough.
    Wanted,
    /// The run is over.
    Told,
    Lost(PhoneEnd),
}

/// Returns when this caller wants to leave; those who do not leave early never do.
async fn stay(floor: &Floor, phone: &Phone, agent: usize, way: Option<Way>, dice: &mut Dice) {
    let measure = floor.agents[agent].measure;
    match way {
        None if measure == Measure::Frames => std::future::pending().await,
        None => {
            talk(floor, phone, agent).await;
        }
        Some(Way::MidAnswer) => {
            let staying = Way::MidAnswer.stays(dice);
            if measure == Measure::Silence {
                phone.say(floor.sentence.clone());
            }
            // If nothing comes, they leave all the same.
            phone.until(|phone| phone.playing, PATIENCE).await.ok();
            sleep(staying).await;
        }
        Some(way) => {
            let staying = way.stays(dice);
            if measure == Measure::Silence {
                phone.say(floor.sentence.clone());
            }
            sleep(staying).await;
        }
    }
}

/// Speaks and listens in turns, and ends when no answer came: such a call is as good as lost.
async fn talk(floor: &Floor, phone: &Phone, agent: usize) {
    let greets = floor.agents[agent].claims.pointer("/agent/greeting").is_some();
    if greets {
        phone.agent_finished(PAUSE, GREETING).await.ok();
    }
    loop {
        phone.say(floor.sentence.clone());
        let answered = async {
            phone.said(PATIENCE).await.ok()?;
            phone.agent_finished(PAUSE, PATIENCE).await.ok()
        };
        if answered.await.is_none() {
            if phone.look(|phone| phone.end.is_some()) {
                return std::future::pending().await; // the end of the call is told by who watches for it
            }
            floor.book.unanswered();
            return;
        }
        let silence = phone.look(|phone| phone.playback_began?.checked_duration_since(phone.speech_ended?));
        silence.into_iter().for_each(|silence| floor.book.silences[agent].add(silence));
    }
}

/// Returns when the call is over. Looks now and then: to be woken by each frame would cost more than the call itself.
async fn over(phone: &Phone) -> PhoneEnd {
    loop {
        if let Some(end) = phone.look(|phone| phone.end.clone()) {
            return end;
        }
        sleep(LOOK).await;
    }
}

async fn leave(floor: &Floor, phone: &Phone, way: Option<Way>) {
    match way {
        Some(Way::Dialling | Way::Vanish) => phone.vanish(),
        Some(Way::Close) => phone.close(),
        None | Some(Way::AtOnce | Way::Stop | Way::MidAnswer) => phone.hang_up(),
    }
    match phone.ended(PATIENCE).await {
        Ok(PhoneEnd::HungUp { answered: false }) => {
            let how = way.map_or("at the end", Way::name);
            floor
                .book
                .wrong(&format!("no_goodbye {how}"), "the caller hung up, and the relay did not say goodbye");
        }
        // Whoever was sent away in the same moment has left as well.
        Ok(_) => {}
        Err(waited) => floor.book.wrong("no_end", &waited.to_string()),
    }
}

fn options(floor: &Floor, number: u32, agent: usize) -> PhoneOptions {
    let agent = &floor.agents[agent];
    let mut options = carrier::phone(&floor.url, floor.carrier, None);
    let claims = claims(&agent.claims, Some(&options.ids.call_sid), TOKEN_SECONDS);
    let token = carrier::token(&floor.minter, floor.carrier, &claims);
    if floor.carrier == Carrier::Twilio && token.len() <= PATH_ROOM {
        // In the path a refusal has a status and a code; in `start` it is a closed stream.
        options.url = format!("{}/{token}", floor.url.trim_end_matches('/'));
    } else {
        options = options.token(&token);
    }
    if let Some(auth_token) = &floor.auth_token {
        let signature = signature(auth_token, &options.url);
        options = options.signature(&signature);
    }
    options.record = false;
    options.probe = (agent.measure == Measure::Frames).then(|| (floor.book.probe.clone(), number));
    options
}

/// From its making to its use is a moment.
const TOKEN_SECONDS: u64 = 60;
/// What every proxy lets through in a request line.
const PATH_ROOM: usize = 4_000;
const REDIAL: Duration = Duration::from_secs(1);
const LOOK: Duration = Duration::from_millis(250);
/// As long as nobody speaks, an answer is over after so much quiet.
const PAUSE: Duration = Duration::from_millis(300);
/// An agent that greets does so by then.
const GREETING: Duration = Duration::from_secs(6);
const PATIENCE: Duration = Duration::from_secs(20);
