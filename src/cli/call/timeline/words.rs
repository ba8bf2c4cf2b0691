//! Where do the words stand? Above the sound that said them, in as much room as there is until the next.

use std::fmt::Write;

use super::{
    HEAD, MOST_DRAWN,
    axis::{Axis, RIGHT, ROW},
};
use crate::cli::call::{
    diary::{Diary, Line, Side, Stretch},
    report::escape,
};

/// A word, and whether somebody heard it.
type Word<'a> = (&'a str, bool);

struct Block<'a> {
    row: usize,
    x: f64,
    words: Vec<Word<'a>>,
    title: String,
}

pub(super) fn draw(svg: &mut String, axis: &Axis, diary: &Diary) {
    for side in [Side::Caller, Side::Agent] {
        let blocks = blocks(axis, diary, side);
        for (at, block) in blocks.iter().enumerate() {
            let next = blocks.get(at + 1).filter(|next| next.row == block.row).map_or(RIGHT, |next| next.x);
            draw_block(svg, side, block, (next - block.x - 8.0).max(NARROWEST));
        }
    }
}

/// The words of each stretch, in their order.
fn blocks<'a>(axis: &Axis, diary: &'a Diary, side: Side) -> Vec<Block<'a>> {
    let mut blocks: Vec<(usize, Block<'a>)> = Vec::new();
    let stretches: Vec<&Stretch> = diary.of(side).take(MOST_DRAWN).collect();
    for line in diary.lines.iter().filter(|line| line.who == side && !line.said.is_empty()).take(MOST_DRAWN) {
        let Some(of) = (0..stretches.len()).min_by_key(|at| distance(line, stretches[*at])) else { continue };
        let stretch = stretches[of];
        let to = stretch.to.unwrap_or(axis.length);
        // Where most of it is.
        let wide = |piece: &super::axis::Piece| ((piece.to - piece.from) * 10.0) as u64;
        let pieces = axis.pieces(stretch.from, to).collect::<Vec<_>>();
        let Some(piece) = pieces.iter().rev().max_by_key(|piece| wide(piece)) else { continue };
        let heard = line.heard().split_whitespace().count();
        let words = line.said.split_whitespace().enumerate().map(|(nth, word)| (word, nth < heard));
        match blocks.iter_mut().find(|(other, _)| *other == of) {
            Some((_, block)) => {
                block.words.extend(words);
                block.title += &format!(" {}", line.said);
            }
            None => {
                let (row, x, title) = (piece.row, piece.from, line.said.clone());
                blocks.push((of, Block { row, x, words: words.collect(), title }));
            }
        }
    }
    blocks.sort_by_key(|(of, _)| *of);
    blocks.into_iter().map(|(_, block)| block).collect()
}

/// The caller's words are known when they were said, the agent's before they are heard.
fn distance(line: &Line, stretch: &Stretch) -> u128 {
    let at = match line.who {
        Side::Caller => stretch.to.unwrap_or(stretch.from),
        Side::Agent => stretch.from,
    };
    at.abs_diff(line.from).as_millis()
}

fn draw_block(svg: &mut String, side: Side, block: &Block<'_>, width: f64) {
    let (top, most) = match side {
        Side::Caller => (30.0, 3),
        Side::Agent => (146.0, 3),
    };
    let letters = ((width / LETTER) as usize).max(4);
    let rows = wrap(&block.words, letters, most);
    // Close to the sound, however few there are.
    let top = top + most.saturating_sub(rows.len()) as f64 * LINE;
    let title: String = block.title.chars().take(LONGEST).collect();
    // Writing to a string cannot fail.
    let _ = write!(svg, "<text class=\"words {}\"><title>{}</title>", side.name(), escape(&title));
    for (nth, row) in rows.iter().enumerate() {
        let y = HEAD + block.row as f64 * ROW + top + nth as f64 * LINE;
        let _ = write!(svg, "<tspan x=\"{:.1}\" y=\"{y:.0}\">", block.x);
        for run in row.chunk_by(|a, b| a.1 == b.1) {
            let text: Vec<_> = run.iter().map(|(word, _)| *word).collect();
            let text = escape(&text.join(" "));
            let _ = match run[0].1 {
                true => write!(svg, "{text} "),
                false => write!(svg, "<tspan class=\"unheard\">{text}</tspan>"),
            };
        }
        svg.push_str("</tspan>");
    }
    svg.push_str("</text>\n");
}

/// Rows of so many letters; what has no room ends in dots.
fn wrap<'a>(words: &[Word<'a>], letters: usize, most: usize) -> Vec<Vec<Word<'a>>> {
    let mut rows: Vec<Vec<Word<'a>>> = vec![Vec::new()];
    let mut used = 0;
    for (word, heard) in words {
        let length = word.chars().count();
        if used > 0 && used + length > letters {
            if rows.len() == most {
                rows[most - 1].push(("…", *heard));
                return rows;
            }
            rows.push(Vec::new());
            used = 0;
        }
        rows.last_mut().expect("there is always one").push((word, *heard));
        used += length + 1;
    }
    rows
}

/// The mean width of a letter at 11 units.
const LETTER: f64 = 5.9;

const LINE: f64 = 13.0;

/// A word or two.
const NARROWEST: f64 = 70.0;

const LONGEST: usize = 500;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_fill_their_rows_and_what_has_no_room_ends_in_dots() {
        let words: Vec<Word<'_>> =
            "one two three four five six".split(' ').map(|word| (word, true)).collect();
        let shown = |letters, most| {
            let rows = wrap(&words, letters, most);
            let texts =
                rows.iter().map(|row| row.iter().map(|(word, _)| *word).collect::<Vec<_>>().join(" "));
            texts.collect::<Vec<_>>()
        };
        assert_eq!(shown(9, 3), ["one two", "three", "four five …"]);
        assert_eq!(shown(100, 3), ["one two three four five six"]);
        assert_eq!(shown(1, 2), ["one", "two …"]);
    }
}
