//! Everything that has to stand before the first call: agents, providers, a relay, and room for all of it.

use std::{
    net::SocketAddr,
    sync::{Arc, atomic::AtomicUsize},
    time::Duration,
};

use anyhow::bail;
use secrecy::SecretString;
use sim::{app::App, phone::Carrier};
use tokio_util::sync::CancellationToken;

use super::{
    Load,
    book::Book,
    caller::Floor,
    health::Health,
    machine,
    mix::{self, Agent, Kind, Measure, Mix},
    plan::Plan,
    providers::Providers,
    relay::{Relay, SECRET},
    room::{Limits, Needs, shortage},
    signature::auth_token,
};
use crate::{
    cli::{agent, carrier, token, tools::WrongUse},
    gate::mint::Minter,
};

pub struct Stage {
    pub floor: Arc<Floor>,
    pub plan: Plan,
    pub providers: Providers,
    /// Where agents are kept that a token has no room for.
    _app: App,
    /// When it is our own.
    pub relay: Option<Relay>,
    pub pid: Option<u32>,
    pub health: Health,
    pub calls_before: Option<u64>,
    pub files_before: Option<usize>,
    pub memory_before: Option<f64>,
}

pub async fn set(words: &Load) -> anyhow::Result<Stage> {
    let plan = Plan {
        steps: words.steps.as_ref().map_or_else(|| vec![words.calls], |steps| steps.0.clone()),
        ramp: words.ramp,
        hold: Duration::from_secs(words.seconds),
        hang_ups: words.hang_ups,
    };
    let kinds = kinds(words)?;
    let mut agents: Vec<Agent> = kinds.0.iter().map(|(kind, weight)| kind.agent(*weight)).collect();
    for (path, weight) in &words.agent {
        agents.push(mix::agent_of_file(path, *weight, agent::read(path)?));
    }
    if let Some(short) = shortage(&needs(&plan, &agents, &kinds, words.url.is_none()), &Limits::read()) {
        bail!("{short}");
    }
    let app = App::start().await?;
    for (at, agent) in agents.iter_mut().enumerate() {
        if agent.measure == Measure::Frames && !words.carrier.keeps_bytes() {
            let text = format!(
                "{} changes the sound, so no frame can be known again on its way: take `--leg cascade` or `--leg echo`",
                words.carrier
            );
            return Err(WrongUse(text).into());
        }
        if words.url.is_none() {
            let claims = std::mem::take(&mut agent.claims);
            agent.claims = carrier::fitting(words.carrier, claims, &app, &format!("/config/{at}"));
        }
    }
    let book = Book::new(plan.most(), agents.len());
    let at = words.provider_port.map(|port| SocketAddr::new(words.provider_bind, port));
    let only_frames = agents.iter().all(|agent| agent.measure == Measure::Frames);
    let providers = Providers::start(book.probe.clone(), at, only_frames).await?;
    let (relay, url, minter) = match &words.url {
        Some(url) => (None, url.clone(), token::minter(None)?),
        None => {
            let relay = Relay::start(&providers.variables(), plan.most())?;
            let url = carrier::route(&relay.url(), words.carrier);
            (Some(relay), url, Minter::new(&SecretString::from(SECRET)))
        }
    };
    let health = Health::of(&url)?;
    let calls_before = health.calls().await?;
    let pid = words.pid.or(relay.as_ref().map(Relay::pid));
    // A relay of somebody else's has other callers, and connections that it keeps warm for them.
    let files_before = relay.as_ref().and_then(|relay| machine::open_files(relay.pid()));
    let floor = Floor {
        url,
        minter,
        auth_token: (relay.is_none() && words.carrier == Carrier::Twilio).then(auth_token).flatten(),
        carrier: words.carrier,
        agents,
        book,
        sentence: mix::sentence().into(),
        stop: CancellationToken::new(),
        leavers: AtomicUsize::new(0),
    };
    Ok(Stage {
        floor: Arc::new(floor),
        plan,
        providers,
        _app: app,
        relay,
        pid,
        health,
        calls_before,
        files_before,
        memory_before: pid.and_then(machine::memory),
    })
}

/// A relay elsewhere knows nothing of our providers unless somebody has told it.
fn kinds(words: &Load) -> anyhow::Result<Mix> {
    let asked = words.mix.clone().or(words.leg.map(|kind| Mix(vec![(kind, 1)])));
    let usual = match (words.agent.is_empty(), &words.url, words.provider_port) {
        (false, ..) => Vec::new(),
        (true, Some(_), None) => vec![(Kind::Echo, 1)],
        (true, ..) => vec![(Kind::Openai, 1)],
    };
    let kinds = asked.unwrap_or(Mix(usual));
    let pretended = kinds.0.iter().find(|(kind, _)| kind.needs_providers());
    match (pretended, &words.url, words.provider_port) {
        (Some((kind, _)), Some(_), None) => Err(WrongUse(format!(
            "`{}` needs pretend providers that the relay can reach: start it with OPENAI_BASE_URL=http://127.0.0.1:8090/v1 \
             (docs/load.md has them all) and add --provider-port 8090; or take --leg echo, or an agent of your own with \
             --agent",
            kind.name()
        ))
        .into()),
        _ => Ok(kinds),
    }
}

/// A phone each, and per call: OpenAI one socket, a cascade an ear, a voice and a question to the model. What an agent
/// of somebody's own opens is not known here, so it counts like a cascade, which opens the most.
fn needs(plan: &Plan, agents: &[Agent], kinds: &Mix, is_ours: bool) -> Needs {
    let legs = |kind: Option<&(Kind, u32)>| match kind {
        Some((Kind::Echo, _)) => 0,
        Some((Kind::Openai, _)) => 1,
        Some((Kind::Cascade, _)) | None => 3,
    };
    let most = (0..agents.len()).map(|at| legs(kinds.0.get(at))).max().unwrap_or(0);
    Needs {
        calls: plan.most().into(),
        restless: plan.restless().into(),
        driver_sockets: 1 + most,
        relay_sockets: is_ours.then_some(1 + most),
    }
}
