//! What does a text sound like here? Always the same, so that a test knows which words it hears.

use crate::{ulaw, voice};
use std::{
    collections::HashMap,
    hash::{DefaultHasher, Hash, Hasher},
    sync::{LazyLock, Mutex},
    time::Duration,
};

/// The sound of `text` as µ-law: so long a letter, and different for each text.
pub fn audio_of(text: &str, letter: Duration) -> Vec<u8> {
    let length = letter * u32::try_from(text.chars().count()).unwrap_or(u32::MAX).min(10_000);
    let name = (text.to_owned(), length);
    let mut made = MADE.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    if let Some(sound) = made.get(&name) {
        return sound.clone();
    }
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    // Making a voice takes long: a long text repeats a short one, turned by the text's own number.
    let short = voice::speech(length.min(LONGEST_VOICE), hasher.finish());
    let sound: Vec<u8> = short.iter().copied().cycle().take(ulaw::bytes_of(length)).collect();
    if made.len() < MOST_MADE {
        made.insert(name, sound.clone());
    }
    sound
}

type Made = HashMap<(String, Duration), Vec<u8>>;
static MADE: LazyLock<Mutex<Made>> = LazyLock::new(Mutex::default);
const MOST_MADE: usize = 500;
const LONGEST_VOICE: Duration = Duration::from_secs(2);
