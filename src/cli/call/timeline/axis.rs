//! Where in the picture is a moment? Time runs to the right, and a long call goes on in the next row.

use std::time::Duration;

pub(super) const WIDTH: f64 = 1_200.0;
/// Between them time runs.
pub(super) const LEFT: f64 = 64.0;
pub(super) const RIGHT: f64 = 1_184.0;
/// The height of a row.
pub(super) const ROW: f64 = 246.0;

#[derive(Debug)]
pub(super) struct Axis {
    pub length: Duration,
    pub rows: usize,
    /// The seconds of a row.
    per_row: f64,
}

/// A part of a row, in the picture's units.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Piece {
    pub row: usize,
    pub from: f64,
    pub to: f64,
}

impl Axis {
    pub fn new(length: Duration) -> Self {
        let seconds = length.as_secs_f64().max(SHORTEST);
        let rows = ((seconds / PER_ROW).ceil() as usize).clamp(1, MOST_ROWS);
        Self { length, rows, per_row: seconds / rows as f64 }
    }

    pub fn place(&self, at: Duration) -> (usize, f64) {
        let rows = at.as_secs_f64() / self.per_row;
        let row = (rows.floor() as usize).min(self.rows - 1);
        (row, self.x(rows - row as f64))
    }

    fn x(&self, share: f64) -> f64 {
        LEFT + share.clamp(0.0, 1.0) * (RIGHT - LEFT)
    }

    /// One for each row that it crosses.
    pub fn pieces(&self, from: Duration, to: Duration) -> impl Iterator<Item = Piece> {
        let (from, to) = (from.as_secs_f64() / self.per_row, to.as_secs_f64() / self.per_row);
        let last = (to.ceil() as usize).min(self.rows);
        let all = (from.floor() as usize..last).map(move |row| {
            let share = |at: f64| self.x(at - row as f64);
            Piece { row, from: share(from), to: share(to) }
        });
        all.filter(|piece| piece.to > piece.from)
    }

    /// The moment at this place.
    pub fn time(&self, row: usize, x: f64) -> Duration {
        Duration::from_secs_f64((row as f64 + (x - LEFT) / (RIGHT - LEFT)) * self.per_row)
    }

    /// The seconds that are written at a row, some 80 units apart.
    pub fn seconds(&self, row: usize) -> Vec<(u64, f64)> {
        let step = STEPS.into_iter().find(|step| *step as f64 / self.per_row * (RIGHT - LEFT) >= 80.0);
        let step = step.unwrap_or(600);
        let from = (row as f64 * self.per_row).ceil() as u64;
        let to = ((row + 1) as f64 * self.per_row) as u64;
        let marks = (from.next_multiple_of(step)..=to).step_by(step as usize);
        let place = |at: u64| (at, self.x(at as f64 / self.per_row - row as f64));
        marks.map(place).filter(|(_, x)| *x < RIGHT - 20.0).collect()
    }
}

/// Seconds: with more of them in a row the words have no room.
const PER_ROW: f64 = 13.0;

/// A call that was over at once is not drawn as wide as a sentence.
const SHORTEST: f64 = 4.0;

/// Nine minutes at full width. Longer calls are drawn narrower, up to the hour that is recorded.
const MOST_ROWS: usize = 40;

const STEPS: [u64; 9] = [1, 2, 5, 10, 15, 30, 60, 120, 300];

#[cfg(test)]
mod tests {
    use super::*;

    fn s(seconds: f64) -> Duration {
        Duration::from_secs_f64(seconds)
    }

    #[test]
    fn a_moment_has_one_place_and_the_place_gives_the_moment_back() {
        let axis = Axis::new(s(30.0));
        assert_eq!(axis.rows, 3);
        for at in [0.0, 0.5, 9.99, 10.01, 20.0, 29.9] {
            let (row, x) = axis.place(s(at));
            assert!((axis.time(row, x).as_secs_f64() - at).abs() < 0.001, "{at}");
            assert!((LEFT..=RIGHT).contains(&x));
        }
    }

    #[test]
    fn what_crosses_rows_is_drawn_in_pieces() {
        let axis = Axis::new(s(30.0));
        let pieces: Vec<_> = axis.pieces(s(8.0), s(25.0)).collect();
        assert_eq!(pieces.iter().map(|piece| piece.row).collect::<Vec<_>>(), [0, 1, 2]);
        assert_eq!((pieces[0].to, pieces[1].from, pieces[1].to), (RIGHT, LEFT, RIGHT));
        assert_eq!(axis.pieces(s(5.0), s(5.0)).count(), 0);
    }

    #[test]
    fn an_hour_has_as_many_rows_as_nine_minutes() {
        assert_eq!(Axis::new(s(3_600.0)).rows, MOST_ROWS);
        assert!(Axis::new(s(3_600.0)).seconds(3).len() <= 15);
        assert_eq!(Axis::new(s(0.0)).rows, 1);
    }
}
