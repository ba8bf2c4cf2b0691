//! How a recording gets from its call to the main app's storage: beside the call, never in its way.
//!
//! ```text
//! call ── pieces of a second ──► queue ──► file without a name ── after the call ──► PUT ──► report
//! ```
//!
//! Whatever goes wrong here, the call does not notice, and the report says it. A recording has no hole: it ends
//! where the disk did not follow. Its file loses its name as soon as it is open, so the system throws it away with
//! the last one who holds it. Nothing is left behind, not even by a crash.

mod outcome;
mod recorder;
mod tape;
mod upload;

use std::{
    fmt,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use reqwest::{Client, Url};
use tokio::{sync::Semaphore, time::timeout};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::{Instrument, Span, info, warn};

pub use self::{
    outcome::{Outcome, Trouble},
    recorder::Recorder,
};
use self::{recorder::Written, tape::Room};
use crate::metrics::Metrics;

/// All recordings of the process. Clones are the same.
#[derive(Clone)]
pub struct Recordings(Arc<Shared>);

struct Shared {
    client: Client,
    metrics: Arc<Metrics>,
    directory: PathBuf,
    room: Arc<Room>,
    disk: Arc<Semaphore>,
    tasks: TaskTracker,
    waiting: AtomicUsize,
    /// There is no time any more.
    hurry: CancellationToken,
}

impl Recordings {
    /// Give it a client that reaches only what it may. All files together take up to `most` bytes.
    pub fn new(client: Client, metrics: Arc<Metrics>, directory: PathBuf, most: u64) -> Self {
        let (tasks, waiting, hurry) = Default::default();
        let (room, disk) = (Arc::new(Room::new(most)), Arc::new(Semaphore::new(WRITERS)));
        Self(Arc::new(Shared { client, metrics, directory, room, disk, tasks, waiting, hurry }))
    }

    /// For a call whose first second is there.
    pub fn open(&self) -> Recorder {
        let Shared { directory, room, disk, .. } = &*self.0;
        Recorder::open(directory.clone(), room.clone(), disk.clone())
    }

    /// The call is over: uploads what was recorded. Comes back at once; `first` is done before, and `then` hears
    /// what became of it.
    pub fn deliver(
        &self,
        recorder: Recorder,
        url: Url,
        first: impl Future<Output = ()> + Send + 'static,
        then: impl FnOnce(&Outcome) + Send + 'static,
    ) {
        let shared = self.0.clone();
        let task = async move {
            first.await;
            let outcome = shared.bring(recorder, url).await;
            shared.waiting.fetch_sub(1, Ordering::Relaxed);
            shared.tell(&outcome);
            then(&outcome);
        };
        self.0.waiting.fetch_add(1, Ordering::Relaxed);
        self.0.tasks.spawn(task.instrument(Span::current()));
    }

    /// The call is over, and nothing was recorded.
    pub fn none(&self, why: Trouble) -> Outcome {
        let outcome = Outcome::none(why);
        self.0.tell(&outcome);
        outcome
    }

    /// After the last call: everything is uploaded, or has had its chance within this time.
    pub async fn finish(&self, within: Duration) {
        self.0.tasks.close();
        if timeout(within, self.0.tasks.wait()).await.is_err() {
            self.0.hurry.cancel();
            timeout(LAST_WORDS, self.0.tasks.wait()).await.ok();
        }
    }
}

impl fmt::Debug for Recordings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Recordings").field("waiting", &self.0.waiting).finish_non_exhaustive()
    }
}

impl Shared {
    async fn bring(&self, recorder: Recorder, url: Url) -> Outcome {
        let written = tokio::select! {
            written = timeout(LAST_WRITES, recorder.finish()) => {
                written.unwrap_or(Written::nothing(Trouble::DiskSlow))
            }
            () = self.hurry.cancelled() => Written::nothing(Trouble::Stopped),
        };
        let Written { wav, trouble } = written;
        let (wav, outcome) = match (wav, trouble) {
            (Some(wav), trouble) => {
                let outcome = Outcome::of(&wav, trouble);
                (wav, outcome)
            }
            (None, Some(trouble)) => return Outcome::lost(trouble),
            (None, None) => return Outcome::none(Trouble::NoSound),
        };
        if self.waiting.load(Ordering::Relaxed) > MOST_WAITING {
            return outcome.failed(0, Trouble::TooMany);
        }
        let (attempts, end) = upload::upload(&self.client, &url, &wav, &self.disk, &self.hurry).await;
        match end {
            Ok(()) => outcome.uploaded(attempts),
            Err(trouble) => outcome.failed(attempts, trouble),
        }
    }

    fn tell(&self, outcome: &Outcome) {
        self.metrics.recording(outcome.name());
        let (attempts, bytes) = (outcome.attempts, outcome.bytes);
        match &outcome.trouble {
            Some(trouble) => {
                warn!(
                    outcome = outcome.name(),
                    kind = trouble.kind(),
                    attempts,
                    bytes,
                    "recording: {trouble}"
                );
            }
            None => info!(attempts, bytes, "the recording is uploaded"),
        }
    }
}

/// Threads that a disk which does not answer can hold, of the 512 that the runtime has for such things. Names are
/// looked up on them as well, and calls need that.
const WRITERS: usize = 16;

/// After the call for what the disk still has to take.
const LAST_WRITES: Duration = Duration::from_secs(20);

/// Uploads at the same time. More wait only when a storage takes none, and a file and a socket belong to each.
const MOST_WAITING: usize = 1_000;

/// When the machine stops: to say that there was no time. Nothing that could take longer is done then.
const LAST_WORDS: Duration = Duration::from_millis(500);

#[cfg(test)]
mod tests {
    use std::{fs::File, io::pipe, os::fd::OwnedFd};

    use tokio::sync::oneshot;

    use super::*;
    use crate::outward::{address, tls};

    fn recordings() -> Recordings {
        let client = address::client(true, Arc::unwrap_or_clone(tls::for_requests(&[]))).unwrap();
        Recordings::new(client, Arc::default(), std::env::temp_dir(), 1 << 20)
    }

    fn deliver(recordings: &Recordings, recorder: Recorder) -> oneshot::Receiver<Outcome> {
        let (tell, told) = oneshot::channel();
        let then = |outcome: &Outcome| tell.send(outcome.clone()).unwrap();
        let url = Url::parse("http://127.0.0.1:1/kept").unwrap();
        recordings.deliver(recorder, url, async {}, then);
        told
    }

    #[tokio::test]
    async fn when_storages_take_nothing_no_more_than_so_many_wait_for_them() {
        let recordings = recordings();
        recordings.0.waiting.store(MOST_WAITING, Ordering::Relaxed);
        let mut recorder = recordings.open();
        recorder.write(vec![1; 16_000].into());
        let outcome = deliver(&recordings, recorder).await.unwrap();
        assert_eq!(
            (outcome.name(), outcome.trouble, outcome.attempts),
            ("failed", Some(Trouble::TooMany), 0)
        );
        assert_eq!(outcome.lasts, Duration::from_secs(1));
        assert_eq!(recordings.0.waiting.load(Ordering::Relaxed), MOST_WAITING);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_machine_that_stops_waits_for_no_dead_disk() {
        let recordings = recordings();
        let (reader, writer) = pipe().unwrap(); // that nobody reads
        let tape = move || Ok(tape::tests::on(File::from(OwnedFd::from(writer))));
        let mut recorder = Recorder::with(tape, recordings.0.disk.clone());
        (0..10).for_each(|_| recorder.write(vec![1; 16_000].into()));
        let told = deliver(&recordings, recorder);
        recordings.finish(Duration::from_millis(10)).await;
        let outcome = told.await.unwrap();
        assert_eq!((outcome.name(), outcome.trouble), ("failed", Some(Trouble::Stopped)));
        drop(reader);
    }
}
