//! How does a call come about? A relay that is there or one of our own, a phone, and somebody who holds it.

use std::time::{Duration, Instant};

use anyhow::bail;
use serde_json::Value;
use sim::{app::App, phone::Phone};

use super::{
    Call,
    script::{Script, stand_in, teach},
    session::{Session, overhear},
    target::{self, Made},
    view::View,
};
use crate::{
    cli::{
        carrier,
        stage::{Keys, Stage},
    },
    drain::Signals,
};

pub(super) struct Placed {
    pub session: Session,
    /// From dialling to the answer.
    pub answered: Duration,
    /// The relay of our own, and a pretend main app for the agent's tools. They live as long as the call.
    stage: Option<Stage>,
    _app: Option<App>,
}

/// `script`: what pretend providers are taught.
pub(super) async fn place(
    words: &Call,
    agent: &Value,
    script: Option<&Script>,
    most: Duration,
) -> anyhow::Result<Placed> {
    let view = View::new(words.json);
    let (stage, app, options, news) = match &words.url {
        Some(url) => {
            let made = words.token.as_deref().map(|token| Made { token, call: words.call_id.as_deref() });
            let there = target::elsewhere(url, words.carrier, agent, made)?;
            (None, None, there.options, there.news)
        }
        None => {
            let stage = Stage::set(0, Keys::default()).await?;
            let app = App::start().await?;
            let carrier = words.carrier.unwrap_or_default();
            let agent = carrier::fitting(carrier, stand_in(agent, script, &app)?, &app, "/config");
            if let Some(script) = script {
                teach(&stage, script);
            }
            let news = overhear(stage.news());
            let options = stage.phone(carrier, &agent);
            (Some(stage), Some(app), options, Some(news))
        }
    };
    let mut signals = Signals::catch()?;
    let start = Instant::now();
    let phone = tokio::select! {
        dialled = Phone::dial(options) => dialled.map_err(|error| target::not_taken(&error))?,
        () = signals.next() => bail!("stopped before the call was taken"),
    };
    let answered = start.elapsed();
    let session = Session::new(phone, news, view, most, signals);
    Ok(Placed { session, answered, stage, _app: app })
}

impl Placed {
    /// Ends the call, if it has not ended.
    pub async fn finish(&mut self) -> anyhow::Result<()> {
        self.session.finish().await;
        match self.session.refusal() {
            Some(word) => Err(target::refused(&word)),
            None => Ok(()),
        }
    }

    /// Lets the relay of our own go.
    pub async fn leave(self) -> Session {
        if let Some(stage) = self.stage {
            stage.relay.drain(std::future::pending()).await;
        }
        self.session
    }
}

/// An agent that speaks first is listened to first. Nobody knows of one that came as a token or by reference.
pub(super) fn greets(words: &Call, agent: &Value) -> bool {
    words.token.is_some() || agent.get("config").is_some() || agent.pointer("/agent/greeting").is_some()
}
