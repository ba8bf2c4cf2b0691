//! How loud was it when? The outline of a recording, a bar for each few units of the picture.

use std::fmt::Write;

use sim::ulaw;

use super::{
    HEAD,
    axis::{Axis, LEFT, RIGHT, ROW},
    lane,
};
use crate::cli::call::diary::Side;

pub(super) fn draw(svg: &mut String, axis: &Axis, side: Side, sound: &[u8]) {
    for row in 0..axis.rows {
        let middle = HEAD + row as f64 * ROW + lane(side);
        let mut path = String::new();
        let mut x = LEFT;
        while x < RIGHT {
            let half = height(piece(axis, row, x, sound));
            if half >= SMALLEST {
                // Writing to a string cannot fail.
                let _ = write!(path, "M{x:.0} {:.1}v{:.1}", middle - half, half * 2.0);
            }
            x += BAR;
        }
        if !path.is_empty() {
            let _ = writeln!(svg, "<path class=\"wave {}\" d=\"{path}\"/>", side.name());
        }
    }
}

fn piece<'a>(axis: &Axis, row: usize, x: f64, sound: &'a [u8]) -> &'a [u8] {
    let byte = |x| ulaw::bytes_of(axis.time(row, x)).min(sound.len());
    &sound[byte(x)..byte(x + BAR)]
}

/// Half of a bar. The root lets quiet speech be seen beside loud speech.
fn height(piece: &[u8]) -> f64 {
    let peak = piece.iter().map(|byte| ulaw::decode(*byte).unsigned_abs()).max().unwrap_or(0);
    (f64::from(peak) / 32_768.0).sqrt() * HALF
}

/// Wide enough for an hour to stay small, narrow enough to look like sound.
const BAR: f64 = 3.0;

const HALF: f64 = 19.0;

/// A line's own noise is silence.
const SMALLEST: f64 = 1.5;
