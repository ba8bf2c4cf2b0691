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
        let Some(wav) = wav else { return Outcome::none(trouble.unwrap_or(Trouble::NoSound)) };
        let outcome = Outcome::of(&wav, trouble);
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
