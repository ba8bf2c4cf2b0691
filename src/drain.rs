//! How the machine stops without cutting a call.
//!
//! Two words: *drain* says that no new calls are taken and that the living ones may go on, *stop* that the
//! grace is over. Upgraded sockets are on nobody's list but ours, so every call runs on our own tracker.

use std::{future::Future, time::Duration};

use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    time::timeout,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::{info, warn};

/// Clones are the same life.
#[derive(Clone, Debug, Default)]
pub struct Lifecycle {
    /// No new calls.
    pub drain: CancellationToken,
    /// No calls.
    pub stop: CancellationToken,
    /// Everything that must be over before the process ends.
    pub calls: TaskTracker,
}

impl Lifecycle {
    pub fn is_draining(&self) -> bool {
        self.drain.is_cancelled()
    }

    /// Takes no new calls, waits for the living ones, and ends those that outlast the grace. `hurry` ends the
    /// grace early. False when calls did not even end when they were told to.
    pub async fn drain(&self, grace: Duration, hurry: impl Future<Output = ()>) -> bool {
        self.drain.cancel();
        self.calls.close();
        info!(calls = self.calls.len(), grace_seconds = grace.as_secs(), "draining: no new calls are taken");
        let in_peace = tokio::select! {
            waited = timeout(grace, self.calls.wait()) => waited.is_ok(),
            () = hurry => false,
        };
        if in_peace {
            info!("drained: every call ended by itself");
            return true;
        }
        warn!(calls = self.calls.len(), "the grace is over: ending the calls that are left");
        self.stop.cancel();
        timeout(FAREWELL, self.calls.wait()).await.is_ok()
    }
}

/// A call that is told to stop finishes its sentence, within three seconds, and says goodbye, within one.
const FAREWELL: Duration = Duration::from_secs(8);

/// The signals that ask a process to stop. Platforms differ in which one they send, so both mean the same.
#[derive(Debug)]
pub struct Signals {
    term: Signal,
    int: Signal,
}

impl Signals {
    /// From here on the signals no longer end the process by themselves: call this before anything slow.
    pub fn catch() -> std::io::Result<Self> {
        Ok(Self { term: signal(SignalKind::terminate())?, int: signal(SignalKind::interrupt())? })
    }

    /// The next one.
    pub async fn next(&mut self) {
        tokio::select! {
            _ = self.term.recv() => {}
            _ = self.int.recv() => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use super::*;

    /// A call that ends by itself after so long, or when it is told to.
    fn call(life: &Lifecycle, lasts: Duration) {
        let stop = life.stop.clone();
        life.calls.spawn(async move { timeout(lasts, stop.cancelled()).await.ok() });
    }

    #[tokio::test(start_paused = true)]
    async fn calls_shorter_than_the_grace_end_by_themselves() {
        let life = Lifecycle::default();
        call(&life, Duration::from_secs(5));
        assert!(life.drain(Duration::from_secs(60), pending()).await);
        assert!(life.is_draining() && !life.stop.is_cancelled());
    }

    #[tokio::test(start_paused = true)]
    async fn calls_longer_than_the_grace_are_told_to_stop() {
        let life = Lifecycle::default();
        call(&life, Duration::from_secs(600));
        assert!(life.drain(Duration::from_secs(60), pending()).await);
        assert!(life.stop.is_cancelled());
    }

    #[tokio::test(start_paused = true)]
    async fn a_second_signal_shortens_the_grace() {
        let life = Lifecycle::default();
        call(&life, Duration::from_secs(600));
        let start = tokio::time::Instant::now();
        assert!(life.drain(Duration::from_secs(60), tokio::time::sleep(Duration::from_secs(1))).await);
        assert_eq!(start.elapsed(), Duration::from_secs(1));
    }

    #[tokio::test(start_paused = true)]
    async fn a_call_that_does_not_listen_does_not_keep_the_process() {
        let life = Lifecycle::default();
        life.calls.spawn(pending::<()>());
        assert!(!life.drain(Duration::from_secs(1), pending()).await);
    }
}
