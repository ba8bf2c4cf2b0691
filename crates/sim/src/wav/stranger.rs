//! What is a file that is no WAV? Whoever brings one wants to hear its name, and the way round.

/// `None`: it says that it is a WAV.
pub(super) fn name(file: &[u8]) -> Option<&'static str> {
    let has = |at: usize, text: &[u8]| file.get(at..at + text.len()) == Some(text);
    let is_wav =
        (has(0, b"RIFF") || has(0, b"RF64") || has(0, b"BW64") || has(0, b"RIFX")) && has(8, b"WAVE");
    Some(match file {
        _ if is_wav => return None,
        [] => "an empty file",
        [0xFF, second, ..] if second & 0xF6 == 0xF0 => "AAC",
        [0xFF, second, ..] if second & 0xE0 == 0xE0 => "an MP3",
        _ if has(0, b"ID3") => "an MP3",
        _ if has(0, b"OggS") => "an Ogg file (Vorbis or Opus)",
        _ if has(0, b"fLaC") => "a FLAC file",
        _ if has(4, b"ftyp") => "an MP4 or M4A",
        _ if has(0, b"FORM") => "an AIFF",
        _ if has(0, b".snd") => "an AU file",
        _ if has(0, b"caff") => "a CAF file",
        _ if has(0, b"#!AMR") => "an AMR file",
        _ if has(0, &[0x1A, 0x45, 0xDF, 0xA3]) => "a WebM or Matroska file",
        _ if has(0, b"RIFF") => "a RIFF file of something else",
        _ => "no sound file that we know",
    })
}
