//! Charts as SVG text: lines over time, and bars.
//!
//! Colours are classes, so that the page decides what they look like by day and by night.

use std::fmt::Write;

use crate::markup::escaped;

/// A line; a missing value is a gap in it.
pub struct Series<'a> {
    pub name: &'a str,
    pub points: Vec<(f64, Option<f64>)>,
}

/// A part of the time with a name: a step that was held.
pub struct Band {
    pub from: f64,
    pub to: f64,
    pub name: String,
}

const WIDTH: f64 = 760.0;
const HEIGHT: f64 = 220.0;
const LEFT: f64 = 56.0;
const RIGHT: f64 = 12.0;
const TOP: f64 = 22.0;
const BOTTOM: f64 = 26.0;
/// A screen has no more columns than this, so more points would only make the page larger.
const MOST_POINTS: usize = 600;
/// As many as there are colours.
const COLOURS: usize = 6;

/// What stands in text or between quotes of HTML. A control character is not allowed in a page and says nothing.
pub fn escape(text: &str) -> String {
    escaped(&text.chars().filter(|c| !c.is_control() || *c == '\n').collect::<String>())
}

/// Lines over time. Empty when there is nothing to show.
pub fn lines(title: &str, unit: &str, series: &[Series<'_>], bands: &[Band]) -> String {
    let shown: Vec<&Series<'_>> =
        series.iter().filter(|one| one.points.iter().any(|(_, value)| value.is_some())).collect();
    let values = shown.iter().flat_map(|one| &one.points).filter_map(|(_, value)| *value);
    let top = ceiling(values.fold(0.0, f64::max));
    let ats = shown.iter().flat_map(|one| &one.points).map(|(at, _)| *at);
    let end = ats.fold(1.0, f64::max);
    if shown.is_empty() {
        return String::new();
    }
    let x = |at: f64| LEFT + at.clamp(0.0, end) / end * (WIDTH - LEFT - RIGHT);
    let mut svg = frame(title, unit, top);
    for band in bands {
        let (from, width) = (x(band.from), (x(band.to) - x(band.from)).max(0.0));
        let (height, name) = (HEIGHT - TOP - BOTTOM, escape(&band.name));
        write!(svg, r#"<rect class="band" x="{from:.1}" y="{TOP}" width="{width:.1}" height="{height}"/>"#)
            .ok();
        write!(svg, r#"<text class="small" x="{:.1}" y="{}">{name}</text>"#, from + 3.0, TOP - 6.0).ok();
    }
    for second in nice_times(end) {
        write!(
            svg,
            r#"<text class="small middle" x="{:.1}" y="{}">{second} s</text>"#,
            x(second as f64),
            HEIGHT - 8.0
        )
        .ok();
    }
    for (number, one) in shown.iter().enumerate() {
        let class = number % COLOURS;
        for run in runs(&thinned(&one.points)) {
            let points: Vec<String> =
                run.iter().map(|(at, value)| format!("{:.1},{:.1}", x(*at), y(*value, top))).collect();
            if let [only] = points[..].as_ref() as &[String] {
                let (cx, cy) = only.split_once(',').unwrap_or(("0", "0"));
                write!(svg, r#"<circle class="dot c{class}" cx="{cx}" cy="{cy}" r="2"/>"#).ok();
            } else {
                write!(svg, r#"<polyline class="line c{class}" points="{}"/>"#, points.join(" ")).ok();
            }
        }
    }
    svg.push_str("</svg>");
    svg + &legend(shown.iter().map(|one| one.name))
}

/// One bar each, with what it is under it. Empty when all are zero.
pub fn bars(title: &str, unit: &str, bars: &[(String, f64)]) -> String {
    let top = ceiling(bars.iter().map(|(_, value)| *value).fold(0.0, f64::max));
    if bars.iter().all(|(_, value)| *value <= 0.0) {
        return String::new();
    }
    let mut svg = frame(title, unit, top);
    let each = (WIDTH - LEFT - RIGHT) / bars.len() as f64;
    // As many names as fit beside each other.
    let every = (bars.len() / 12).max(1);
    for (number, (name, value)) in bars.iter().enumerate() {
        let (left, up) = (LEFT + each * number as f64, y(*value, top));
        let (width, height) = ((each - 1.0).max(0.5), HEIGHT - BOTTOM - up);
        let name = escape(name);
        write!(
            svg,
            r#"<rect class="bar c0" x="{left:.1}" y="{up:.1}" width="{width:.1}" height="{height:.1}"><title>{name}: {value}</title></rect>"#
        )
        .ok();
        if number % every == 0 {
            write!(svg, r#"<text class="small" x="{left:.1}" y="{}">{name}</text>"#, HEIGHT - 8.0).ok();
        }
    }
    svg + "</svg>"
}

fn frame(title: &str, unit: &str, top: f64) -> String {
    let (title, unit) = (escape(title), escape(unit));
    let mut svg = format!(
        r#"<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{title}"><title>{title}</title><text class="small" x="4" y="{}">{unit}</text>"#,
        TOP - 6.0
    );
    for quarter in 0..=4 {
        let value = top * f64::from(quarter) / 4.0;
        let at = y(value, top);
        write!(
            svg,
            r#"<line class="grid" x1="{LEFT}" y1="{at:.1}" x2="{:.1}" y2="{at:.1}"/>"#,
            WIDTH - RIGHT
        )
        .ok();
        write!(
            svg,
            r#"<text class="small end" x="{:.1}" y="{:.1}">{}</text>"#,
            LEFT - 6.0,
            at + 4.0,
            short(value)
        )
        .ok();
    }
    svg
}

fn y(value: f64, top: f64) -> f64 {
    HEIGHT - BOTTOM - (value / top).clamp(0.0, 1.0) * (HEIGHT - TOP - BOTTOM)
}

fn legend<'a>(names: impl Iterator<Item = &'a str>) -> String {
    let entries: Vec<String> = names
        .enumerate()
        .map(|(number, name)| format!(r#"<span class="key c{}">{}</span>"#, number % COLOURS, escape(name)))
        .collect();
    format!(r#"<p class="legend">{}</p>"#, entries.join(" "))
}

/// The next number above that reads well: 1, 2, 4, 5 or 8 and zeros, so that a quarter of it does too.
fn ceiling(value: f64) -> f64 {
    if !value.is_finite() || value <= 0.0 {
        return 1.0;
    }
    let ten = 10_f64.powf(value.log10().floor());
    let step = [1.0, 2.0, 4.0, 5.0, 8.0].into_iter().find(|step| step * ten >= value);
    step.unwrap_or(10.0) * ten
}

fn short(value: f64) -> String {
    let digits = if value == 0.0 || value >= 100.0 {
        0
    } else if value >= 1.0 {
        1
    } else {
        2
    };
    format!("{value:.digits$}")
}

/// Where the time is written: about ten places, on round seconds.
fn nice_times(end: f64) -> impl Iterator<Item = u64> {
    let step = [1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1_800, 3_600]
        .into_iter()
        .find(|step| end / *step as f64 <= 12.0);
    let step = step.unwrap_or(7_200);
    (0..=(end as u64 / step)).map(move |number| number * step)
}

/// As many points as there are columns: of neighbours the largest stays, for a peak must not vanish.
fn thinned(points: &[(f64, Option<f64>)]) -> Vec<(f64, Option<f64>)> {
    let together = points.len().div_ceil(MOST_POINTS).max(1);
    let larger = |a: &(f64, Option<f64>), b: &(f64, Option<f64>)| {
        a.1.partial_cmp(&b.1).unwrap_or(std::cmp::Ordering::Equal)
    };
    points.chunks(together).filter_map(|some| some.iter().copied().max_by(larger)).collect()
}

/// The parts without a gap.
fn runs(points: &[(f64, Option<f64>)]) -> Vec<Vec<(f64, f64)>> {
    let parts = points.split(|(_, value)| value.is_none());
    parts
        .map(|part| part.iter().filter_map(|(at, value)| Some((*at, (*value)?))).collect())
        .filter(|part: &Vec<_>| !part.is_empty())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn series(points: &[(f64, Option<f64>)]) -> String {
        lines("Latency", "ms", &[Series { name: "p50", points: points.to_vec() }], &[])
    }

    #[test]
    fn nothing_that_somebody_else_wrote_becomes_markup() {
        let evil = "<script>alert('1')</script>&\"\u{7}";
        assert_eq!(escape(evil), "&lt;script&gt;alert(&apos;1&apos;)&lt;/script&gt;&amp;&quot;");
        let band = Band { from: 0.0, to: 1.0, name: evil.to_owned() };
        let points = vec![(0.0, Some(1.0)), (1.0, Some(2.0))];
        let drawn = lines(evil, evil, &[Series { name: evil, points }], &[band]);
        let barred = bars(evil, evil, &[(evil.to_owned(), 1.0)]);
        assert!(!drawn.contains("<script") && !barred.contains("<script"), "{drawn}{barred}");
    }

    #[test]
    fn a_gap_parts_a_line_and_a_lonely_point_is_a_dot() {
        let drawn = series(&[(0.0, Some(1.0)), (1.0, Some(2.0)), (2.0, None), (3.0, Some(1.0))]);
        assert_eq!((drawn.matches("<polyline").count(), drawn.matches("<circle").count()), (1, 1), "{drawn}");
    }

    #[test]
    fn what_has_no_values_is_not_drawn() {
        assert_eq!(series(&[(0.0, None), (1.0, None)]), "");
        assert_eq!(series(&[]), "");
        assert_eq!(bars("t", "u", &[("a".to_owned(), 0.0)]), "");
        assert_eq!(bars("t", "u", &[]), "");
    }

    #[test]
    fn a_long_run_keeps_its_peak_and_not_its_points() {
        let points: Vec<_> =
            (0..10_000).map(|at| (f64::from(at), Some(if at == 5_003 { 90.0 } else { 1.0 }))).collect();
        let thin = thinned(&points);
        assert!(thin.len() <= MOST_POINTS && thin.iter().any(|(_, value)| *value == Some(90.0)));
    }

    #[test]
    fn scales_end_on_numbers_that_read_well() {
        for (value, top) in
            [(0.0, 1.0), (0.3, 0.4), (1.0, 1.0), (4.1, 5.0), (9.0, 10.0), (f64::NAN, 1.0), (830.0, 1_000.0)]
        {
            assert!((ceiling(value) - top).abs() < 1e-9, "{value}: {}", ceiling(value));
        }
        assert!(nice_times(7.5).eq(0..=7) && nice_times(100.0).last() == Some(100));
    }
}
