//! What stands in the rows that are drawn again and again? A picture of the call as it is now, for a terminal of any
//! width.

use std::time::Duration;

use sim::{phone::Recording, ulaw};

use super::lines;
use crate::cli::call::{
    diary::{Diary, Line, Side},
    script::judge::Now,
};

/// How it may look.
#[derive(Clone, Debug, Default)]
pub(super) struct Look {
    pub colours: bool,
    /// Lines of the diary before this one stand above already.
    pub from: usize,
}

impl Look {
    pub fn line(&self, at: Duration, who: &str, text: &str) -> String {
        if !self.colours {
            return lines::plain(at, who, text);
        }
        format!("{}{:>7.2} s{}  {} {text}", DIM, at.as_secs_f64(), PLAIN, self.name(who))
    }

    fn name(&self, who: &str) -> String {
        let colour = match who {
            "caller" => "\x1b[36m",
            "agent" => "\x1b[35m",
            _ => DIM,
        };
        if self.colours { format!("{colour}{who:<7}{PLAIN}") } else { format!("{who:<7}") }
    }
}

/// A sentence, with what nobody heard of it struck through.
pub(super) fn spoken(look: &Look, line: &Line) -> String {
    look.line(line.from, line.who.name(), &text(look, line))
}

fn text(look: &Look, line: &Line) -> String {
    let Some((heard, _)) = &line.heard else { return format!("“{}”", line.said.trim()) };
    let rest = line.said.strip_prefix(heard.as_str()).unwrap_or_default().trim();
    match (rest.is_empty(), look.colours) {
        (true, _) => format!("“{heard}”"),
        (false, true) => format!("“{heard} {STRUCK}{rest}{PLAIN}”"),
        (false, false) => format!("“{heard}” [not heard: {rest}]"),
    }
}

/// It will not change any more.
pub(super) fn is_settled(diary: &Diary, at: usize, now: &Now) -> bool {
    let line = &diary.lines[at];
    let later = diary.lines[at + 1..].iter().any(|other| other.who == line.who);
    let heard = line.who == Side::Caller || !now.playing;
    now.over || line.heard.is_some() || later || (line.whole && heard)
}

/// The rows, for so many columns and rows.
pub(super) fn picture(
    look: &Look,
    (width, height): (usize, usize),
    diary: &Diary,
    now: &Now,
    levels: [f64; 2],
) -> Vec<String> {
    let mut rows: Vec<String> = Vec::new();
    for line in diary.lines.iter().skip(look.from).filter(|line| !line.said.is_empty()) {
        // The end of a long sentence is what grows.
        let lead = format!("{:>7.2} s  {:<7} ", line.from.as_secs_f64(), line.who.name());
        let wide = width.saturating_sub(lead.chars().count()).max(8);
        let all = wrapped(&text(&Look { colours: false, ..look.clone() }, line), wide);
        let skipped = all.len().saturating_sub(LONGEST);
        for (nth, part) in all[skipped..].iter().enumerate() {
            rows.push(match nth {
                0 => look.line(line.from, line.who.name(), part),
                _ => " ".repeat(lead.chars().count()) + part,
            });
        }
    }
    let room = height.saturating_sub(2).max(1);
    rows.drain(..rows.len().saturating_sub(room));
    rows.push(meters(look, width, now, levels));
    if let Some(wait) = diary.turns.last().and_then(|(_, turn)| lines::wait(turn)) {
        let (dim, plain) = if look.colours { (DIM, PLAIN) } else { ("", "") };
        rows.push(format!("{dim}last answer after {wait}{plain}"));
    }
    rows
}

fn meters(look: &Look, width: usize, now: &Now, levels: [f64; 2]) -> String {
    let time = format!("{:>7.2} s", now.at.as_secs_f64());
    if width < NARROW {
        return time;
    }
    let bar = ((width - 32) / 2).clamp(3, 24);
    let meter = |side: Side, level: f64| {
        let full = (level * bar as f64).round() as usize;
        format!(
            "{} {}{}",
            look.name(side.name()),
            "█".repeat(full.min(bar)),
            "░".repeat(bar.saturating_sub(full))
        )
    };
    format!("{time}  {}  {}", meter(Side::Caller, levels[0]), meter(Side::Agent, levels[1]))
}

/// Both sides' loudness of the last moment, from 0 to 1.
pub(super) fn levels(sound: &Recording, now: Duration) -> [f64; 2] {
    let end = ulaw::bytes_of(now);
    [&sound.caller, &sound.agent].map(|side| {
        let from = end.saturating_sub(MOMENT).min(side.len());
        let piece = &side[from..end.min(side.len()).max(from)];
        level(ulaw::loudness(piece))
    })
}

/// From -50 dB, which is a quiet line, to -10 dB, which is somebody shouting.
fn level(loudness: f64) -> f64 {
    let decibels = 20.0 * (loudness.max(1.0) / 32_768.0).log10();
    ((decibels + 50.0) / 40.0).clamp(0.0, 1.0)
}

/// Cut at blanks into rows of so many letters.
pub(in crate::cli::call) fn wrapped(text: &str, wide: usize) -> Vec<String> {
    let mut rows = vec![String::new()];
    for word in text.split_whitespace() {
        let row = rows.last_mut().expect("there is always one");
        let fits = console::measure_text_width(row) + 1 + console::measure_text_width(word) <= wide;
        if row.is_empty() {
            row.push_str(word);
        } else if fits {
            *row += &format!(" {word}");
        } else {
            rows.push(word.to_owned());
        }
    }
    rows
}

const DIM: &str = "\x1b[2m";
const STRUCK: &str = "\x1b[2;9m";
const PLAIN: &str = "\x1b[0m";

/// Rows of one sentence.
const LONGEST: usize = 3;

/// Fewer columns have no room for two meters.
const NARROW: usize = 44;

/// 100 ms.
const MOMENT: usize = 800;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::call::{
        diary::{
            Fact,
            tests::{cut, diary, ms, words},
        },
        news::{Told, Turn},
    };

    const NOW: Now = Now { at: Duration::from_millis(12_340), playing: true, quiet_for: None, over: false };

    #[test]
    fn the_picture_fits_any_terminal() {
        let long =
            "We open at six on weekdays and at seven on Saturdays, and on Sundays we are closed. ".repeat(4);
        let turn =
            Turn { silence: Some(ms(812)), segments: vec![("decided".into(), ms(812))], ..Turn::default() };
        let diary = diary([(1, words(Side::Agent, 1, &long)), (2, Fact::Told(Told::Turn(turn)))]);
        for width in [8, 20, 43, 44, 60, 80, 200] {
            for height in [2, 4, 24] {
                let look = Look::default();
                let rows = picture(&look, (width, height), &diary, &NOW, [0.5, 1.0]);
                assert!(rows.len() <= height.max(3), "{width} x {height}: {rows:?}");
                let meters = rows.iter().find(|row| row.contains("12.34 s")).unwrap();
                assert!(console::measure_text_width(meters) <= width.max(10), "{width}: {meters}");
            }
        }
        let rows = picture(&Look::default(), (80, 24), &diary, &NOW, [0.0, 1.0]);
        assert!(rows.last().unwrap().contains("812 ms: decided 812"), "{rows:?}");
        assert_eq!(rows.iter().filter(|row| row.contains('█')).count(), 1);
        let blank = " ".repeat(19);
        assert!(rows[1].starts_with(&blank) && !rows[1].starts_with(&(blank + " ")), "{rows:?}");
    }

    #[test]
    fn what_nobody_heard_is_struck_through_or_named_where_there_are_no_colours() {
        let diary = diary([(1, words(Side::Agent, 1, "We open at six.")), (2, cut(1, "We open"))]);
        let line = &diary.lines[0];
        assert!(spoken(&Look { colours: true, from: 0 }, line).contains("“We open \x1b[2;9mat six.\x1b[0m”"));
        assert!(spoken(&Look::default(), line).ends_with("“We open” [not heard: at six.]"));
    }

    #[test]
    fn a_line_is_settled_when_it_was_heard_or_cut_and_not_before() {
        let mut diary = diary([(1, words(Side::Agent, 1, "Hello."))]);
        assert!(!is_settled(&diary, 0, &NOW) && is_settled(&diary, 0, &Now { playing: false, ..NOW }));
        diary.take(ms(2), cut(1, ""));
        assert!(is_settled(&diary, 0, &NOW));
    }

    #[test]
    fn silence_is_empty_and_a_shout_is_full() {
        assert_eq!((level(0.0), level(20_000.0)), (0.0, 1.0));
        assert!((0.3..0.8).contains(&level(1_000.0)));
    }
}
