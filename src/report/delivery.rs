//! How a report reaches the main app: tried at once, then with longer and longer pauses, for ten minutes.
//!
//! Each report is a task of its own. When the machine stops, each tries one last time, and what is left stays
//! in the spool or goes into the log.

use std::{
    fmt,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, SystemTime},
};

use tokio::time::{Instant, sleep, timeout};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::{error, warn};

use super::{Lock, Report, spool::Spool};
use crate::{metrics::Metrics, outward::webhooks::Webhooks};

/// All deliveries of the process. Clones are the same.
#[derive(Clone)]
pub struct Reports(Arc<Shared>);

struct Shared {
    webhooks: Arc<Webhooks>,
    metrics: Arc<Metrics>,
    spool: Option<Spool>,
    tasks: TaskTracker,
    waiting: AtomicUsize,
    /// There is no time any more.
    hurry: CancellationToken,
}

/// What became of one attempt.
enum Tried {
    Delivered,
    /// The main app does not want it, now or ever.
    Unwanted,
    NotNow(String),
}

impl Reports {
    pub fn new(webhooks: Arc<Webhooks>, metrics: Arc<Metrics>, spool: Option<&Path>, lock: Lock) -> Self {
        let spool = spool.map(|directory| Spool::new(directory, lock));
        let (tasks, waiting, hurry) = Default::default();
        Self(Arc::new(Shared { webhooks, metrics, spool, tasks, waiting, hurry }))
    }

    /// Sends what an earlier process left behind.
    pub fn resume(&self) {
        let Some(spool) = &self.0.spool else { return };
        match spool.left() {
            Ok(left) => {
                if !left.is_empty() {
                    warn!(reports = left.len(), "reports of an earlier process are sent now");
                }
                left.into_iter().for_each(|report| self.deliver(report, true));
            }
            Err(error) => {
                error!(%error, "REPORT_SPOOL_DIR cannot be read: reports in it wait for the next start")
            }
        }
    }

    /// What is to be sent if the process does not live to send something better under the same id.
    pub async fn hold(&self, report: &Report) {
        self.0.keep(report).await;
    }

    /// Comes back at once. What becomes of it is seen in metrics and log.
    pub fn send(&self, report: Report) {
        self.deliver(report, false);
    }

    /// The same for what is also in a later report: it takes no room that the others may need.
    pub fn send_if_room(&self, report: Report) {
        if self.0.waiting.load(Ordering::Relaxed) < MOST_WAITING / 2 {
            return self.deliver(report, false);
        }
        self.0.metrics.report("dropped");
    }

    fn deliver(&self, report: Report, kept: bool) {
        if self.0.waiting.fetch_add(1, Ordering::Relaxed) >= MOST_WAITING {
            self.0.waiting.fetch_sub(1, Ordering::Relaxed);
            return self.0.give_up(&report, "too many reports wait for main apps that do not take them");
        }
        let shared = self.0.clone();
        self.0.tasks.spawn(async move {
            shared.run(report, kept).await;
            shared.waiting.fetch_sub(1, Ordering::Relaxed);
        });
    }

    /// After the last call: everything is delivered, or has had its last chance within this time.
    pub async fn finish(&self, within: Duration) {
        self.0.tasks.close();
        if timeout(within, self.0.tasks.wait()).await.is_err() {
            self.0.hurry.cancel();
            timeout(2 * LAST_ATTEMPT, self.0.tasks.wait()).await.ok();
        }
    }
}

impl fmt::Debug for Reports {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reports").field("waiting", &self.0.waiting).finish_non_exhaustive()
    }
}

impl Shared {
    async fn run(&self, report: Report, kept: bool) {
        let kept = kept || self.keep(&report).await;
        let start = Instant::now();
        let mut pauses = PAUSES.into_iter().chain(std::iter::repeat(LONGEST_PAUSE));
        loop {
            let why = match self.attempt(&report).await {
                Tried::Delivered => {
                    self.metrics.report("delivered");
                    return self.forget(report.id, kept).await;
                }
                Tried::Unwanted => {
                    self.forget(report.id.clone(), kept).await;
                    return self.give_up(&report, "the main app says that it is gone (410)");
                }
                Tried::NotNow(why) => why,
            };
            let over = self.hurry.is_cancelled() || start.elapsed() >= PATIENCE;
            if over && kept {
                self.metrics.report("spooled");
                return warn!(
                    report = report.id,
                    why, "a report waits in REPORT_SPOOL_DIR for the next start"
                );
            }
            if over {
                return self.give_up(&report, &why);
            }
            let pause = pauses.next().unwrap_or(LONGEST_PAUSE);
            tokio::select! {
                () = sleep(pause) => {}
                () = self.hurry.cancelled() => {} // the last attempt, at once
            }
        }
    }

    async fn attempt(&self, report: &Report) -> Tried {
        let Report { id, url, body, secret } = report;
        let request = self.webhooks.post(url.clone(), id, body.clone(), secret.as_ref(), SystemTime::now());
        let response = tokio::select! {
            response = request.send() => response,
            () = sleep(ATTEMPT) => return Tried::NotNow("it did not answer in time".into()),
            () = self.last_chance() => return Tried::NotNow("it did not answer before the relay stopped".into()),
        };
        match response {
            Ok(response) if response.status().is_success() => Tried::Delivered,
            Ok(response) if response.status() == 410 => Tried::Unwanted,
            Ok(response) => Tried::NotNow(format!("it answered {}", response.status().as_u16())),
            Err(_) => Tried::NotNow("it could not be reached".into()),
        }
    }

    async fn last_chance(&self) {
        self.hurry.cancelled().await;
        sleep(LAST_ATTEMPT).await;
    }

    /// Lost for the main app, and for nobody else.
    fn give_up(&self, report: &Report, why: &str) {
        self.metrics.report("lost");
        let body = String::from_utf8_lossy(&report.body);
        error!(report = report.id, why, body = &*body, "a report was not delivered: here it is");
    }

    async fn keep(&self, report: &Report) -> bool {
        let Some(spool) = self.spool.clone() else { return false };
        let report = report.clone();
        let kept = tokio::task::spawn_blocking(move || spool.keep(&report)).await;
        match kept {
            Ok(Ok(())) => true,
            Ok(Err(error)) => {
                error!(%error, "REPORT_SPOOL_DIR cannot be written: a crash now would lose a report");
                false
            }
            Err(_) => false,
        }
    }

    async fn forget(&self, id: String, kept: bool) {
        if let Some(spool) = self.spool.clone().filter(|_| kept)
            && let Ok(Err(error)) = tokio::task::spawn_blocking(move || spool.forget(&id)).await
        {
            warn!(%error, "a delivered report stays in REPORT_SPOOL_DIR and will be sent again");
        }
    }
}

/// Between attempts, and then the longest again and again.
const PAUSES: [Duration; 6] = [
    Duration::from_secs(1),
    Duration::from_secs(2),
    Duration::from_secs(5),
    Duration::from_secs(10),
    Duration::from_secs(20),
    Duration::from_secs(30),
];
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// After that a person has to look.
const PATIENCE: Duration = Duration::from_secs(600);

/// One attempt, from the name to the answer.
const ATTEMPT: Duration = Duration::from_secs(10);

/// When the machine stops. With the calls' own last seconds it has to fit behind the grace.
const LAST_ATTEMPT: Duration = Duration::from_millis(1_500);

/// Of a few kilobytes each. Half of them is for reports that nothing else repeats.
const MOST_WAITING: usize = 10_000;

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use bytes::Bytes;
    use reqwest::Url;

    use super::*;
    use crate::outward::tls;

    /// To a port that nobody listens on.
    fn to_nobody() -> (Reports, Arc<Metrics>) {
        let metrics = Arc::new(Metrics::default());
        let secrets = [secrecy::SecretString::from("0123456789abcdef0123456789abcdef")];
        let tls = Arc::unwrap_or_clone(tls::for_requests(&[]));
        let webhooks = Arc::new(Webhooks::new(true, tls, &secrets).unwrap());
        let reports = Reports::new(webhooks, metrics.clone(), None, Lock::new([]));
        let url = Url::parse("http://127.0.0.1:1/report").unwrap();
        reports.send(Report { id: "call_1_ended".into(), url, body: Bytes::from("{}"), secret: None });
        (reports, metrics)
    }

    fn lost(metrics: &Metrics) -> bool {
        metrics.page().contains(r#"patchcord_reports_total{outcome="lost"} 1"#)
    }

    #[tokio::test(start_paused = true)]
    async fn ten_minutes_are_enough() {
        let (reports, metrics) = to_nobody();
        let start = Instant::now();
        reports.finish(2 * PATIENCE).await;
        assert!(lost(&metrics));
        assert!(
            (PATIENCE..PATIENCE + LONGEST_PAUSE + ATTEMPT).contains(&start.elapsed()),
            "{:?}",
            start.elapsed()
        );
    }

    #[tokio::test(start_paused = true)]
    async fn what_a_later_report_repeats_takes_no_room_from_it() {
        let (reports, metrics) = to_nobody();
        let report = |id: &str| {
            let url = Url::parse("http://127.0.0.1:1/report").unwrap();
            Report { id: id.into(), url, secret: None, body: Bytes::from("{}") }
        };
        let waiting = || reports.0.waiting.load(Ordering::Relaxed);
        reports.send_if_room(report("call_1_turn_1"));
        assert_eq!(waiting(), 2);
        reports.0.waiting.store(MOST_WAITING / 2, Ordering::Relaxed);
        reports.send_if_room(report("call_1_turn_2"));
        assert_eq!(waiting(), MOST_WAITING / 2);
        reports.send(report("call_2_ended"));
        assert_eq!(waiting(), MOST_WAITING / 2 + 1);
        assert!(metrics.page().contains(r#"patchcord_reports_total{outcome="dropped"} 1"#));
    }

    #[tokio::test(start_paused = true)]
    async fn a_machine_that_stops_waits_for_nobody() {
        let (reports, metrics) = to_nobody();
        let start = Instant::now();
        reports.finish(Duration::from_secs(1)).await;
        assert!(lost(&metrics));
        assert!(start.elapsed() < Duration::from_secs(4), "{:?}", start.elapsed());
    }
}
