//! What was each silence before an answer made of? Its place is where the phone heard it; its parts are the relay's word.

use std::{fmt::Write, time::Duration};

use super::{
    HEAD, MOST_DRAWN,
    axis::{Axis, ROW},
};
use crate::cli::call::{
    diary::{Diary, Side},
    news::Turn,
    report::escape,
    script::clock,
};

pub(super) fn draw(svg: &mut String, axis: &Axis, diary: &Diary) {
    for answer in diary.of(Side::Agent).take(MOST_DRAWN) {
        let Some(gap) = diary.silence_before(answer) else { continue };
        let turn = turn_at(diary, answer.from - gap);
        let silence = turn.and_then(|turn| turn.silence).unwrap_or(gap);
        let from = answer.from.saturating_sub(silence);
        let title = match turn {
            Some(turn) => format!("the answer took {} ms: {}", silence.as_millis(), parts(turn)),
            None => format!("the answer took {} ms, as the phone heard it", silence.as_millis()),
        };
        // Writing to a string cannot fail.
        let _ = write!(
            svg,
            "<g class=\"silence\" data-from-ms=\"{}\" data-to-ms=\"{}\"><title>{}</title>",
            from.as_millis(),
            answer.from.as_millis(),
            escape(&title)
        );
        match turn {
            Some(turn) => {
                let mut at = from;
                for (name, time) in &turn.segments {
                    let to = (at + *time).min(answer.from);
                    let class = if NAMES.contains(&name.as_str()) { name.as_str() } else { "unknown" };
                    let _ = write!(
                        svg,
                        "<g class=\"{class}\" data-segment=\"{}\" data-ms=\"{}\">",
                        escape(name),
                        time.as_millis()
                    );
                    bars(svg, axis, at, to);
                    svg.push_str("</g>");
                    at = to;
                }
            }
            None => {
                svg.push_str("<g class=\"unknown\">");
                bars(svg, axis, from, answer.from);
                svg.push_str("</g>");
            }
        }
        let (row, x) = axis.place(answer.from);
        let y = HEAD + row as f64 * ROW + LANE + 9.0;
        let _ = writeln!(
            svg,
            "<text class=\"ms\" x=\"{:.1}\" y=\"{y:.0}\">{} ms</text></g>",
            x + 4.0,
            silence.as_millis()
        );
    }
}

fn bars(svg: &mut String, axis: &Axis, from: Duration, to: Duration) {
    for piece in axis.pieces(from, to) {
        let y = HEAD + piece.row as f64 * ROW + LANE;
        let width = piece.to - piece.from;
        let _ =
            write!(svg, "<rect x=\"{:.1}\" y=\"{y:.0}\" width=\"{width:.1}\" height=\"10\"/>", piece.from);
    }
}

/// The turn whose silence began then. The relay's clock began a moment earlier or later than the phone's.
fn turn_at(diary: &Diary, stop: Duration) -> Option<&Turn> {
    let away = |turn: &Turn| turn.at.map(|at| at.abs_diff(stop)).filter(|away| *away <= NEAR);
    let near = diary.turns.iter().filter_map(|(_, turn)| Some((away(turn)?, turn)));
    near.filter(|(_, turn)| turn.silence.is_some()).min_by_key(|(away, _)| *away).map(|(_, turn)| turn)
}

fn parts(turn: &Turn) -> String {
    let parts: Vec<_> =
        turn.segments.iter().map(|(name, time)| format!("{name} {}", time.as_millis())).collect();
    let at = turn.at.map(|at| format!("; it began at {}", clock(at))).unwrap_or_default();
    parts.join(", ") + &at
}

/// As the relay calls them.
pub(super) const NAMES: [&str; 6] = ["decided", "thought", "tools", "voiced", "sent", "heard"];

/// From the top of a row.
const LANE: f64 = 122.0;

/// Two turns are further apart.
const NEAR: Duration = Duration::from_millis(1_500);
