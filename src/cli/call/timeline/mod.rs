//! What did the call look like? One picture: both sides on one time axis, the words above them, what was cut off, and
//! what each silence was made of.
//!
//! The axis is the phone's own clock, as in its recording. Data attributes say begin and end of each stretch in
//! milliseconds, so that a program can read the picture too. No script, nothing from elsewhere, light and dark.

#[cfg(test)]
mod agrees;
mod axis;
mod silences;
mod sound;
mod style;
mod words;

use std::{fmt::Write, time::Duration};

use sim::ulaw;

use self::axis::{Axis, LEFT, RIGHT, ROW};
use super::{
    diary::{Diary, Side, Stretch},
    report::escape,
    script::clock,
};

/// The whole picture. `caller` and `agent` are the recording, as µ-law.
pub(super) fn svg(title: &str, diary: &Diary, caller: &[u8], agent: &[u8]) -> String {
    let sound = ulaw::length_of(caller.len().max(agent.len()) as u64);
    let last = diary.stretches.iter().filter_map(|one| one.to).max().unwrap_or_default();
    let axis = Axis::new(sound.max(last));
    let height = HEAD + axis.rows as f64 * ROW + style::LEGEND;
    let mut svg = String::new();
    // Writing to a string cannot fail.
    let _ = write!(
        svg,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {} {height}\" role=\"img\" data-length-ms=\"{}\">\n\
         <title>{}</title>\n<desc>{}</desc>\n{}",
        axis::WIDTH,
        axis.length.as_millis(),
        escape(&short(title)),
        escape(&in_words(diary, axis.length)),
        style::STYLE
    );
    let _ = writeln!(svg, "<rect class=\"bg\" width=\"{}\" height=\"{height}\"/>", axis::WIDTH);
    let _ = writeln!(svg, "<text class=\"head\" x=\"{LEFT}\" y=\"24\">{}</text>", escape(&short(title)));
    for row in 0..axis.rows {
        frame(&mut svg, &axis, row);
    }
    for stretch in drawn(diary) {
        stretch_of(&mut svg, &axis, stretch, diary);
    }
    sound::draw(&mut svg, &axis, Side::Caller, caller);
    sound::draw(&mut svg, &axis, Side::Agent, agent);
    silences::draw(&mut svg, &axis, diary);
    words::draw(&mut svg, &axis, diary);
    marks(&mut svg, &axis, diary);
    style::legend(&mut svg, HEAD + axis.rows as f64 * ROW);
    svg.push_str("</svg>\n");
    svg
}

fn drawn(diary: &Diary) -> impl Iterator<Item = &Stretch> {
    diary.stretches.iter().take(MOST_DRAWN)
}

fn in_words(diary: &Diary, length: Duration) -> String {
    let count = |side| diary.of(side).count();
    format!(
        "A call of {}. The caller speaks {} times, the agent {} times; {} times the agent is cut off.",
        clock(length),
        count(Side::Caller),
        count(Side::Agent),
        diary.clears.len()
    )
}

/// Lines, names and seconds of a row.
fn frame(svg: &mut String, axis: &Axis, row: usize) {
    let top = HEAD + row as f64 * ROW;
    for side in [Side::Caller, Side::Agent] {
        let y = top + lane(side);
        let _ = writeln!(
            svg,
            "<text class=\"who {}\" x=\"8\" y=\"{:.0}\">{}</text><path class=\"base\" d=\"M{LEFT} {y:.0}H{RIGHT}\"/>",
            side.name(),
            y + 4.0,
            side.name()
        );
    }
    for (at, x) in axis.seconds(row) {
        let _ = writeln!(
            svg,
            "<path class=\"tick\" d=\"M{x:.1} {:.0}V{:.0}\"/><text class=\"time\" x=\"{:.1}\" y=\"{:.0}\">{at} s</text>",
            top + 14.0,
            top + ROW - 22.0,
            x + 3.0,
            top + 12.0
        );
    }
}

/// The middle of a side's waves, from the top of its row.
fn lane(side: Side) -> f64 {
    match side {
        Side::Caller => 84.0,
        Side::Agent => 198.0,
    }
}

/// A stretch, in as many pieces as it crosses rows, and what was cut off its end.
fn stretch_of(svg: &mut String, axis: &Axis, stretch: &Stretch, diary: &Diary) {
    let to = stretch.to.unwrap_or(axis.length);
    let side = stretch.side.name();
    let _ = write!(
        svg,
        "<g class=\"stretch {side}\" data-side=\"{side}\" data-from-ms=\"{}\" data-to-ms=\"{}\">",
        stretch.from.as_millis(),
        to.as_millis()
    );
    pieces(svg, axis, stretch.side, stretch.from, to);
    svg.push_str("</g>\n");
    let Some(cut) = stretch.cut else { return };
    let next = diary.of(Side::Agent).find(|one| one.from >= to).map_or(axis.length, |one| one.from);
    let _ = write!(
        svg,
        "<g class=\"cut\" data-at-ms=\"{}\" data-never-heard-ms=\"{}\">",
        to.as_millis(),
        cut.as_millis()
    );
    let _ = write!(svg, "<title>cut off at {}: {} ms were never heard</title>", clock(to), cut.as_millis());
    pieces(svg, axis, stretch.side, to, (to + cut).min(next));
    svg.push_str("</g>\n");
}

fn pieces(svg: &mut String, axis: &Axis, side: Side, from: Duration, to: Duration) {
    for piece in axis.pieces(from, to) {
        let y = HEAD + piece.row as f64 * ROW + lane(side) - 20.0;
        let width = (piece.to - piece.from).max(1.0);
        let _ = write!(
            svg,
            "<rect x=\"{:.1}\" y=\"{y:.0}\" width=\"{width:.1}\" height=\"40\" rx=\"3\"/>",
            piece.from
        );
    }
}

/// Moments: where the agent was interrupted, tools, what the caller did besides speaking.
fn marks(svg: &mut String, axis: &Axis, diary: &Diary) {
    for (at, cleared) in diary.clears.iter().take(MOST_DRAWN) {
        let (row, x) = axis.place(*at);
        let top = HEAD + row as f64 * ROW;
        let _ = writeln!(
            svg,
            "<g class=\"interrupted\" data-at-ms=\"{}\" data-played-ms=\"{}\"><title>interrupted at {}</title>\
             <path d=\"M{x:.1} {:.0}V{:.0}m-4 -6l4 6l4 -6\"/></g>",
            at.as_millis(),
            cleared.played.as_millis(),
            clock(*at),
            top + lane(Side::Caller) - 20.0,
            top + lane(Side::Agent) - 20.0
        );
    }
    for tool in diary.tools.iter().take(MOST_DRAWN) {
        let outcome = tool.outcome.as_deref().unwrap_or("not answered");
        let about = format!("{}: {outcome}", tool.name);
        mark(svg, axis, "tool", tool.at, &tool.name, &about);
    }
    for (at, _, what) in diary.remarks.iter().filter(|(_, who, _)| *who == "caller").take(MOST_DRAWN) {
        // Keys come close together.
        let name = what.strip_prefix("presses ").unwrap_or(what);
        mark(svg, axis, "act", *at, name, what);
    }
}

fn mark(svg: &mut String, axis: &Axis, class: &str, at: Duration, name: &str, about: &str) {
    let (row, x) = axis.place(at);
    let y = HEAD + row as f64 * ROW + MARKS;
    // A name that would run over the edge is written to the left.
    let (anchor, x_name) = if x > RIGHT - 120.0 { ("end", x - 5.0) } else { ("start", x + 5.0) };
    let _ = writeln!(
        svg,
        "<g class=\"{class}\" data-at-ms=\"{}\"><title>{}</title><circle cx=\"{x:.1}\" cy=\"{:.0}\" r=\"3\"/>\
         <text x=\"{x_name:.1}\" y=\"{y:.0}\" text-anchor=\"{anchor}\">{}</text></g>",
        at.as_millis(),
        escape(&short(about)),
        y - 3.0,
        escape(&short(name))
    );
}

/// A line of it.
fn short(text: &str) -> String {
    let mut short: String = text.chars().take(LONGEST).collect();
    if text.chars().nth(LONGEST).is_some() {
        short.push('…');
    }
    short
}

/// Above the rows: the title.
const HEAD: f64 = 36.0;

/// Between the two sides: tools and keys.
const MARKS: f64 = 118.0;

/// Of each kind of thing: more cannot be told apart, and the picture stays a picture.
const MOST_DRAWN: usize = 2_000;

const LONGEST: usize = 120;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::call::{
        diary::{
            Fact,
            tests::{cleared, cut, diary, ms, words},
        },
        news::{Told, Turn},
    };

    fn talk() -> Diary {
        let segments = vec![("decided".to_owned(), ms(300)), ("thought".to_owned(), ms(100))];
        let turn =
            Turn { number: 1, at: Some(ms(2_010)), silence: Some(ms(400)), segments, interrupted: true };
        diary([
            (1_000, Fact::Begins(Side::Caller)),
            (2_000, Fact::Stops(Side::Caller)),
            (2_050, words(Side::Caller, 1, "<Are> you \"open\" & warm?")),
            (2_400, words(Side::Agent, 2, "We open at six on weekdays and at seven on Saturdays.")),
            (2_400, Fact::Begins(Side::Agent)),
            (3_900, Fact::Begins(Side::Caller)),
            (4_000, cleared(1_500)),
            (4_010, cut(2, "We open at six")),
            (4_100, Fact::Told(Told::Turn(turn))),
            (4_500, Fact::Stops(Side::Caller)),
            (6_000, Fact::LineOver("hung up".into())),
        ])
    }

    fn picture(diary: &Diary, seconds: usize) -> String {
        let voice = sim::voice::speech(Duration::from_secs(1), 1);
        let mut caller = vec![ulaw::SILENCE; seconds * 8_000];
        caller[8_000..16_000].copy_from_slice(&voice);
        svg("A <call> & more", diary, &caller, &vec![ulaw::SILENCE; seconds * 8_000])
    }

    #[test]
    fn stretches_cuts_and_silences_stand_in_it_with_their_milliseconds() {
        let svg = picture(&talk(), 6);
        for wanted in [
            "data-length-ms=\"6000\"",
            "data-side=\"caller\" data-from-ms=\"1000\" data-to-ms=\"2000\"",
            "data-side=\"agent\" data-from-ms=\"2400\" data-to-ms=\"4000\"",
            "class=\"cut\" data-at-ms=\"4000\" data-never-heard-ms=\"1500\"",
            "class=\"interrupted\" data-at-ms=\"4000\"",
            "class=\"silence\" data-from-ms=\"2000\" data-to-ms=\"2400\"",
            "data-segment=\"decided\" data-ms=\"300\"",
            "data-segment=\"thought\" data-ms=\"100\"",
            "<tspan class=\"unheard\">",
        ] {
            assert!(svg.contains(wanted), "{wanted} is missing:\n{svg}");
        }
    }

    #[test]
    fn text_is_escaped_and_nothing_comes_from_elsewhere() {
        let svg = picture(&talk(), 6);
        assert!(svg.contains("A &lt;call&gt; &amp; more") && svg.contains("&lt;Are&gt;"), "{svg}");
        let links = svg.matches("http").count();
        assert_eq!(links, 1, "the namespace alone");
        assert!(!svg.contains("<script") && !svg.contains("href") && !svg.contains("@import"));
    }

    #[test]
    fn an_hour_of_lively_talk_is_a_bounded_picture() {
        let mut talk = Diary::default();
        let fact = |talk: &mut Diary, at: u64, fact: Fact| talk.take(ms(at), fact);
        for second in 0..3_600_u64 {
            let at = second * 1_000;
            fact(&mut talk, at, Fact::Begins(Side::Caller));
            fact(&mut talk, at + 300, Fact::Stops(Side::Caller));
            fact(&mut talk, at + 310, words(Side::Caller, second, &"word ".repeat(30)));
            fact(&mut talk, at + 500, Fact::Begins(Side::Agent));
            fact(&mut talk, at + 900, cleared(500));
        }
        let noise: Vec<u8> =
            (0..3_600 * 8_000_u32).map(|at| (at.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
        let svg = svg("long", &talk, &noise, &noise);
        assert!(svg.len() < 6_000_000, "{} bytes", svg.len());
        assert!(svg.contains("data-length-ms=\"3600000\""));
    }

    #[test]
    fn a_call_in_which_nothing_happened_is_drawn_too() {
        assert!(svg("nothing", &Diary::default(), &[], &[]).ends_with("</svg>\n"));
    }
}
