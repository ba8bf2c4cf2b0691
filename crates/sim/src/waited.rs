//! What does a test see when something did not happen? What had happened instead.

use std::{future::Future, time::Duration};
use tokio::sync::watch;

/// Something did not happen in time, or can no longer happen.
#[derive(Debug, thiserror::Error)]
#[error("waited {after:?} for something that {fate}; {state}")]
pub struct Waited {
    pub after: Duration,
    fate: &'static str,
    /// What was so instead.
    pub state: String,
}

impl Waited {
    pub(crate) fn new(after: Duration, fate: &'static str, state: String) -> Self {
        Self { after, fate, state }
    }
}

/// Waits until `ask` answers, looking after each change, for at most `limit`.
pub(crate) fn wait_until<S, T>(
    state: &watch::Receiver<S>,
    limit: Duration,
    mut ask: impl FnMut(&S) -> Option<T>,
) -> impl Future<Output = Result<T, Waited>>
where
    S: std::fmt::Debug,
{
    let mut state = state.clone();
    async move {
        let mut answer = None;
        let wait = state.wait_for(|now| {
            answer = ask(now);
            answer.is_some()
        });
        let fate = match tokio::time::timeout(limit, wait).await {
            Ok(Ok(_)) => "did happen",
            Ok(Err(_)) => "can no longer happen",
            Err(_) => "did not happen",
        };
        match answer {
            Some(answer) => Ok(answer),
            None => Err(Waited::new(limit, fate, format!("{:?}", *state.borrow()))),
        }
    }
}
