//! The call's end of its recording: it hands over pieces, and never waits for the disk.
//!
//! A task of its own writes them. When the disk is so slow that the queue is full, the recording ends there: a
//! hole would make all that follows lie at the wrong place.

use std::{path::PathBuf, sync::Arc};

use bytes::Bytes;
use tokio::{
    sync::{Semaphore, mpsc},
    task::{JoinHandle, spawn_blocking},
};
use tracing::warn;

use super::{
    Trouble,
    tape::{Room, Tape, Wav},
};

#[derive(Debug)]
pub struct Recorder {
    /// Nothing when no more is taken.
    queue: Option<mpsc::Sender<Bytes>>,
    writer: JoinHandle<Written>,
    late: bool,
}

/// What is on disk. Both: it ends before the call did.
#[derive(Debug)]
pub(super) struct Written {
    pub wav: Option<Wav>,
    pub trouble: Option<Trouble>,
}

impl Written {
    pub fn nothing(trouble: Trouble) -> Self {
        Self { wav: None, trouble: Some(trouble) }
    }
}

impl Recorder {
    pub(super) fn open(directory: PathBuf, room: Arc<Room>, disk: Arc<Semaphore>) -> Self {
        Self::with(move || Tape::create(&directory, room), disk)
    }

    pub(super) fn with(
        tape: impl FnOnce() -> Result<Tape, Trouble> + Send + 'static,
        disk: Arc<Semaphore>,
    ) -> Self {
        let (queue, pieces) = mpsc::channel(QUEUE);
        Self { queue: Some(queue), writer: tokio::spawn(write(tape, pieces, disk)), late: false }
    }

    /// Behind what came before. Never waits.
    pub fn write(&mut self, piece: Bytes) {
        let Some(queue) = &self.queue else { return };
        match queue.try_send(piece) {
            Ok(()) => {}
            Err(mpsc::error::TrySendError::Full(_)) => {
                warn!(
                    "the disk is too slow for the recording, which ends here: is RECORDING_DIR on a good one?"
                );
                self.late = true;
                self.queue = None;
            }
            // The writer has given up, and tells why at the end.
            Err(mpsc::error::TrySendError::Closed(_)) => self.queue = None,
        }
    }

    /// Nothing more comes: what there is on disk, when all of it is.
    pub(super) async fn finish(self) -> Written {
        drop(self.queue);
        let mut written = match self.writer.await {
            Ok(written) => written,
            Err(_) => Written::nothing(Trouble::Stopped), // the runtime is going down
        };
        written.trouble = written.trouble.or(self.late.then_some(Trouble::DiskSlow));
        written
    }
}

async fn write(
    tape: impl FnOnce() -> Result<Tape, Trouble> + Send + 'static,
    mut queue: mpsc::Receiver<Bytes>,
    disk: Arc<Semaphore>,
) -> Written {
    let mut tape = match blocking(&disk, tape).await {
        Ok(tape) => tape,
        Err(trouble) => return Written::nothing(trouble),
    };
    let mut trouble = None;
    let mut pieces = Vec::new();
    while trouble.is_none() && queue.recv_many(&mut pieces, QUEUE).await > 0 {
        let now = std::mem::take(&mut pieces);
        let work = move || {
            let ended = now.iter().try_for_each(|piece| tape.append(piece));
            Ok((tape, ended.err()))
        };
        (tape, trouble) = match blocking(&disk, work).await {
            Ok(done) => done,
            Err(trouble) => return Written::nothing(trouble),
        };
    }
    drop(queue);
    match blocking(&disk, || tape.finish()).await {
        Ok(wav) if trouble.is_none() || wav.lasts() > std::time::Duration::ZERO => {
            Written { wav: Some(wav), trouble }
        }
        Ok(_) => Written { wav: None, trouble },
        Err(last) => Written::nothing(trouble.unwrap_or(last)),
    }
}

/// On a thread that may wait for the disk, when one is free for that.
pub(super) async fn blocking<T: Send + 'static>(
    disk: &Arc<Semaphore>,
    work: impl FnOnce() -> Result<T, Trouble> + Send + 'static,
) -> Result<T, Trouble> {
    // Held by the work itself: who stops waiting for it does not make its thread free.
    let permit = disk.clone().acquire_owned().await.map_err(|_| Trouble::Stopped)?;
    let work = move || {
        let done = work();
        drop(permit);
        done
    };
    spawn_blocking(work).await.unwrap_or(Err(Trouble::Stopped))
}

/// Pieces of a second. A disk that stands still for so long does not come back in time. 320 kB a call.
const QUEUE: usize = 20;

#[cfg(test)]
mod tests {
    use std::{fs::File, io::pipe, os::fd::OwnedFd, time::Duration};

    use super::*;
    use crate::recording::tape::tests::{on, room};

    fn disk() -> Arc<Semaphore> {
        Arc::new(Semaphore::new(2))
    }

    fn piece(byte: u8) -> Bytes {
        vec![byte; 16_000].into()
    }

    #[tokio::test]
    async fn what_is_handed_over_is_on_disk_in_its_order() {
        let mut recorder = Recorder::open(std::env::temp_dir(), room(1 << 20), disk());
        for byte in 0..5 {
            recorder.write(piece(byte));
        }
        let Written { wav, trouble } = recorder.finish().await;
        let wav = wav.unwrap();
        assert_eq!((wav.lasts(), trouble), (Duration::from_secs(5), None));
        let all = wav.read(58, 1 << 20).unwrap();
        assert!((0..5).all(|byte| all[usize::from(byte) * 16_000..][..16_000] == piece(byte)));
    }

    #[tokio::test]
    async fn a_full_disk_ends_the_recording_and_the_call_goes_on() {
        let full = || Ok(on(File::options().write(true).open("/dev/full").unwrap()));
        let mut recorder = Recorder::with(full, disk());
        while recorder.queue.is_some() {
            recorder.write(piece(1));
            tokio::task::yield_now().await;
        }
        recorder.write(piece(1)); // and nobody minds
        let written = recorder.finish().await;
        assert!(written.wav.is_none() && matches!(written.trouble, Some(Trouble::Disk(_))), "{written:?}");
    }

    #[tokio::test]
    async fn what_came_before_the_room_was_used_up_is_kept() {
        let mut recorder = Recorder::open(std::env::temp_dir(), room(40_000), disk());
        (0..4).for_each(|byte| recorder.write(piece(byte)));
        let Written { wav, trouble } = recorder.finish().await;
        assert_eq!((wav.unwrap().lasts(), trouble), (Duration::from_secs(2), Some(Trouble::Room)));
    }

    /// A pipe that nobody reads is a disk that stands still.
    #[tokio::test(flavor = "multi_thread")]
    async fn a_disk_that_stands_still_holds_up_nobody_but_its_own_recording() {
        let disk = disk();
        let mut readers = Vec::new();
        let mut stuck: Vec<Recorder> = (0..2)
            .map(|_| {
                let (reader, writer) = pipe().unwrap();
                readers.push(reader);
                Recorder::with(move || Ok(on(File::from(OwnedFd::from(writer)))), disk.clone())
            })
            .collect();
        for recorder in &mut stuck {
            let mut taken = 0;
            while recorder.queue.is_some() && taken < 1_000 {
                recorder.write(piece(1));
                tokio::time::sleep(Duration::from_millis(1)).await; // a disk that works has time to
                taken += 1;
            }
            assert!((QUEUE..=2 * QUEUE + 1).contains(&taken), "{taken} pieces");
            assert!(recorder.late);
        }
        drop(readers); // the disk breaks for good
        for recorder in stuck {
            let written = recorder.finish().await;
            assert!(written.wav.is_none() && written.trouble.is_some(), "{written:?}");
        }
    }
}
