//! Where a recording lies until it is uploaded: a WAV file that has no name.

use std::{
    fs::{self, File},
    io::{self, Write},
    os::unix::fs::{FileExt, OpenOptionsExt},
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use call::ulaw;

use super::Trouble;

/// How much all recordings may take together.
#[derive(Debug)]
pub(super) struct Room {
    most: u64,
    taken: AtomicU64,
}

impl Room {
    pub fn new(most: u64) -> Self {
        Self { most, taken: AtomicU64::new(0) }
    }

    fn take(&self, bytes: u64) -> bool {
        let more = |taken: u64| Some(taken + bytes).filter(|taken| *taken <= self.most);
        self.taken.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more).is_ok()
    }
}

/// Being written. What is on disk is dropped with it, or with its [`Wav`].
#[derive(Debug)]
pub(super) struct Tape {
    file: File,
    /// Of sound, without the header.
    bytes: u64,
    room: Arc<Room>,
}

/// Written, and only read from now on.
#[derive(Clone, Debug)]
pub(super) struct Wav(Arc<Tape>);

impl Tape {
    /// The header has its place from the beginning: at the end a full disk would have none for it.
    pub fn create(directory: &Path, room: Arc<Room>) -> Result<Self, Trouble> {
        let file = nameless(directory).map_err(Trouble::disk)?;
        let tape = Self { file, bytes: 0, room };
        (&tape.file).write_all(&header(0)).map_err(Trouble::disk)?;
        Ok(tape)
    }

    /// Whole or not at all, as far as anybody can see. After an error nothing more is taken.
    pub fn append(&mut self, sound: &[u8]) -> Result<(), Trouble> {
        let bytes = sound.len() as u64;
        if self.bytes + bytes > LONGEST || !self.room.take(bytes) {
            return Err(Trouble::Room);
        }
        let written = self.file.write_all(sound);
        self.bytes += bytes;
        written.map_err(|error| {
            self.bytes -= bytes;
            self.room.taken.fetch_sub(bytes, Ordering::Relaxed);
            Trouble::disk(error)
        })
    }

    pub fn finish(self) -> Result<Wav, Trouble> {
        self.file.write_all_at(&header(self.bytes as u32), 0).map_err(Trouble::disk)?;
        Ok(Wav(Arc::new(self)))
    }
}

impl Drop for Tape {
    fn drop(&mut self) {
        self.room.taken.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

impl Wav {
    /// With the header.
    pub fn len(&self) -> u64 {
        HEADER as u64 + self.0.bytes
    }

    pub fn lasts(&self) -> Duration {
        ulaw::duration(self.0.bytes / 2)
    }

    /// So many bytes from there, fewer at the end.
    pub fn read(&self, at: u64, most: usize) -> io::Result<Bytes> {
        let wanted = usize::try_from(self.len().saturating_sub(at)).map_or(most, |left| left.min(most));
        let mut bytes = vec![0; wanted];
        self.0.file.read_exact_at(&mut bytes, at)?;
        Ok(bytes.into())
    }
}

/// Somebody's conversation: nobody else could open it, and nobody can find it.
fn nameless(directory: &Path) -> io::Result<File> {
    let mut bits = [0_u8; 16];
    aws_lc_rs::rand::fill(&mut bits).map_err(io::Error::other)?;
    let name: String = bits.iter().map(|byte| format!("{byte:02x}")).collect();
    let path = directory.join(format!("patchcord-{name}.wav"));
    let mut options = fs::OpenOptions::new();
    let file = options.read(true).write(true).create_new(true).mode(0o600).open(&path)?;
    fs::remove_file(path)?;
    Ok(file)
}

/// Two channels of µ-law at 8 kHz, with the `fact` that every format but PCM needs.
fn header(bytes: u32) -> [u8; HEADER] {
    let mut header = [0; HEADER];
    let rate = ulaw::RATE;
    let parts: [&[u8]; 15] = [
        b"RIFF",
        &(bytes + HEADER as u32 - 8).to_le_bytes(),
        b"WAVEfmt ",
        &18_u32.to_le_bytes(),
        &7_u16.to_le_bytes(), // µ-law
        &2_u16.to_le_bytes(),
        &rate.to_le_bytes(),
        &(2 * rate).to_le_bytes(),
        &2_u16.to_le_bytes(), // bytes of both samples of a moment
        &8_u16.to_le_bytes(),
        &0_u16.to_le_bytes(), // nothing more about the format
        b"fact\x04\0\0\0",
        &(bytes / 2).to_le_bytes(),
        b"data",
        &bytes.to_le_bytes(),
    ];
    let all = parts.concat();
    header.copy_from_slice(&all);
    header
}

const HEADER: usize = 58;

/// What the lengths in a WAV file can say. At 16 kB a second that is three days.
const LONGEST: u64 = u32::MAX as u64 - HEADER as u64;

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub fn room(most: u64) -> Arc<Room> {
        Arc::new(Room::new(most))
    }

    /// A tape of which every byte goes into this file.
    pub fn on(file: File) -> Tape {
        Tape { file, bytes: 0, room: room(1 << 20) }
    }

    #[test]
    fn a_file_is_a_wav_that_others_can_read_and_has_no_name() {
        let directory = std::env::temp_dir().join(format!("patchcord-tape-{}", std::process::id()));
        fs::create_dir_all(&directory).unwrap();
        let mut tape = Tape::create(&directory, room(100)).unwrap();
        tape.append(b"abcd").unwrap();
        tape.append(b"efgh").unwrap();
        assert_eq!(fs::read_dir(&directory).unwrap().count(), 0);
        let wav = tape.finish().unwrap();
        let mut expected = b"RIFF\x3a\0\0\0WAVEfmt \x12\0\0\0\x07\0\x02\0\x40\x1f\0\0\x80\x3e\0\0\x02\0\x08\0\0\0fact\x04\0\0\0\x04\0\0\0data\x08\0\0\0".to_vec();
        expected.extend(b"abcdefgh");
        assert_eq!(wav.read(0, 1_000).unwrap(), expected);
        assert_eq!((wav.len(), wav.read(60, 4).unwrap()), (66, Bytes::from("cdef")));
        assert_eq!(wav.lasts(), Duration::from_micros(500));
        fs::remove_dir(&directory).unwrap();
    }

    #[test]
    fn a_full_disk_ends_a_recording_and_what_was_written_stays() {
        let full = File::options().write(true).open("/dev/full").unwrap();
        let mut tape = on(full);
        assert!(matches!(tape.append(b"abcd"), Err(Trouble::Disk(_))));
        assert_eq!((tape.bytes, tape.room.taken.load(Ordering::Relaxed)), (0, 0));
    }

    #[test]
    fn all_together_take_no_more_than_they_may_and_give_it_back() {
        let room = room(10);
        let directory = std::env::temp_dir();
        let mut first = Tape::create(&directory, room.clone()).unwrap();
        let mut second = Tape::create(&directory, room.clone()).unwrap();
        first.append(&[1; 6]).unwrap();
        assert_eq!(second.append(&[2; 6]), Err(Trouble::Room));
        second.append(&[2; 4]).unwrap();
        let wav = first.finish().unwrap();
        assert_eq!(second.append(&[2; 2]), Err(Trouble::Room), "it still lies there");
        drop(wav);
        second.append(&[2; 6]).unwrap();
        drop(second);
        assert_eq!(room.taken.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn a_directory_that_is_not_there_is_told() {
        let trouble = Tape::create(Path::new("/nowhere/at/all"), room(10)).unwrap_err();
        assert!(trouble.to_string().contains("RECORDING_DIR"), "{trouble}");
    }
}
