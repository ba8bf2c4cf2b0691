//! Whether an agent works: every leg of it is opened as for a call, says a word, and answers once.
//!
//! The same code as in a call, without a phone: so a key, a model and a voice that pass here pass there.

use std::{
    future::poll_fn,
    sync::Arc,
    task::Poll,
    time::{Duration, Instant},
};

use call::{Failure, LegCommand, LegEvent, Outcome, Say, Turns};
use tokio::time::{sleep, timeout};

use super::{Exchange, leg::Leg};
use crate::gate::{Config, config};

/// How long a leg took, from the first connection.
#[derive(Clone, Copy, Debug)]
pub struct Times {
    pub ready: Duration,
    /// From the order to speak to the first sound.
    pub voice: Duration,
    /// From the question to the first sound of the model's answer.
    pub answer: Option<Duration>,
}

#[derive(Clone, Debug, thiserror::Error)]
pub enum Trouble {
    #[error("{0}")]
    Failed(Failure),
    #[error("nothing came for {0:?} while it should {1}")]
    Silent(Duration, &'static str),
}

/// Tries one leg of this agent.
pub async fn rehearse(exchange: &Exchange, config: &Config, leg: &config::Leg) -> Result<Times, Trouble> {
    let config = Arc::new(Config { legs: vec![leg.clone()], ..config.clone() });
    let start = Instant::now();
    let mut rehearsal = Rehearsal { leg: exchange.open_leg(&config, 0, Turns::Held, start) };
    let outcome = rehearsal.play(start, matches!(leg, config::Leg::Cascade(_))).await;
    rehearsal.leg.obey(Instant::now(), LegCommand::Close);
    timeout(GOODBYE, poll_fn(|cx| rehearsal.leg.poll_closed(cx))).await.ok();
    outcome
}

struct Rehearsal {
    leg: Leg,
}

impl Rehearsal {
    async fn play(&mut self, start: Instant, has_mind: bool) -> Result<Times, Trouble> {
        self.until("get ready", |event| matches!(event, LegEvent::Ready)).await?;
        let ready = start.elapsed();
        let voice = self.sound(LegCommand::Say(Say { text: "Hello.".into() }), "say a word").await?;
        self.until("finish its word", |event| matches!(event, LegEvent::ReplyDone { .. })).await?;
        // The voice of the others is the model itself.
        let answer = if has_mind { Some(self.sound(LegCommand::Reply, "answer").await?) } else { None };
        Ok(Times { ready, voice, answer })
    }

    /// From the command to the first sound.
    async fn sound(&mut self, command: LegCommand, what: &'static str) -> Result<Duration, Trouble> {
        let asked = Instant::now();
        self.leg.obey(asked, command);
        self.until(what, |event| matches!(event, LegEvent::Speech { .. })).await?;
        Ok(asked.elapsed())
    }

    async fn until(&mut self, what: &'static str, is_it: impl Fn(&LegEvent) -> bool) -> Result<(), Trouble> {
        let waited = async {
            loop {
                match self.next().await {
                    LegEvent::OnlySpeaks(failure) | LegEvent::Failed(failure) => {
                        return Err(Trouble::Failed(failure));
                    }
                    LegEvent::ReplyDone { outcome: Outcome::FailedForNow(failure), .. } => {
                        return Err(Trouble::Failed(failure));
                    }
                    event if is_it(&event) => return Ok(()),
                    _ => {}
                }
            }
        };
        timeout(PATIENCE, waited).await.unwrap_or(Err(Trouble::Silent(PATIENCE, what)))
    }

    async fn next(&mut self) -> LegEvent {
        loop {
            let event = poll_fn(|cx| {
                let event = self.leg.poll_event(cx, Instant::now());
                // What broke says so with the next event.
                let _ = self.leg.poll_flush(cx);
                match event {
                    Poll::Ready(event) => Poll::Ready(event),
                    Poll::Pending => Poll::Pending,
                }
            });
            tokio::select! {
                event = event => return event,
                () = sleep(TICK) => {}
            }
        }
    }
}

/// Longer than a call waits for any of it.
const PATIENCE: Duration = Duration::from_secs(10);

const GOODBYE: Duration = Duration::from_secs(1);

/// A leg's own deadlines are looked at so often.
const TICK: Duration = Duration::from_millis(20);
