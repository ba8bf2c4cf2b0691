//! Colours, light and dark, and what they mean.

use std::fmt::Write;

use super::axis::{LEFT, RIGHT};

pub(super) const STYLE: &str = r##"<style>
svg{--bg:#ffffff;--ink:#1f2328;--dim:#656d76;--line:#d8dee4;--caller:#0969da;--agent:#8250df;--stop:#cf222e;
--decided:#bf8700;--thought:#e16f24;--tools:#2da44e;--voiced:#bf3989;--sent:#54aeff;--heard:#8c959f}
@media (prefers-color-scheme: dark){svg{--bg:#0d1117;--ink:#e6edf3;--dim:#8d96a0;--line:#30363d;--caller:#58a6ff;
--agent:#bc8cff;--stop:#ff7b72;--decided:#d29922;--thought:#f0883e;--tools:#3fb950;--voiced:#f778ba;--sent:#79c0ff;--heard:#6e7681}}
text{font:11px system-ui,-apple-system,"Segoe UI",sans-serif;fill:var(--ink)}
.bg{fill:var(--bg)}.head{font-size:15px;font-weight:600}.who{font-weight:600}.time,.ms,.note{font-size:10px;fill:var(--dim)}
.who.caller,.act text{fill:var(--caller)}.who.agent{fill:var(--agent)}.tool text{fill:var(--tools)}
.base,.tick{stroke:var(--line);fill:none}.tick{stroke-dasharray:2 3}
.stretch rect{opacity:.14}.stretch.caller rect,.act circle{fill:var(--caller)}.stretch.agent rect{fill:var(--agent)}
.wave{stroke-width:2;fill:none}.wave.caller{stroke:var(--caller)}.wave.agent{stroke:var(--agent)}
.cut rect{fill:url(#hatch);stroke:var(--agent);stroke-opacity:.5;stroke-dasharray:3 2}.hatch{stroke:var(--agent);stroke-opacity:.55}
.interrupted path{stroke:var(--stop);stroke-width:1.5;fill:none}.unheard{text-decoration:line-through;fill:var(--dim)}
.decided rect{fill:var(--decided)}.thought rect{fill:var(--thought)}.tools rect{fill:var(--tools)}.voiced rect{fill:var(--voiced)}
.sent rect{fill:var(--sent)}.heard rect{fill:var(--heard)}.unknown rect{fill:var(--heard)}.tool circle{fill:var(--tools)}
</style>
<defs><pattern id="hatch" width="6" height="6" patternUnits="userSpaceOnUse" patternTransform="rotate(45)"><path class="hatch" d="M0 0V6"/></pattern></defs>
"##;

/// What the colours mean, below the last row.
pub(super) fn legend(svg: &mut String, top: f64) {
    let entries = [
        ("cut", "cut off: never heard"),
        ("interrupted", "the playback was cleared"),
        ("decided", "decided: is the turn over?"),
        ("thought", "thought: until the first word"),
        ("tools", "tools"),
        ("voiced", "voiced: until its first sound"),
        ("sent", "sent"),
        ("heard", "heard: on its way"),
    ];
    let (mut x, y) = (LEFT, top + 18.0);
    // Writing to a string cannot fail.
    let _ = writeln!(svg, "<g class=\"legend\">");
    for (class, text) in entries {
        let sign = match class {
            "interrupted" => format!("<path d=\"M{:.0} {:.0}v10m-4 -6l4 6l4 -6\"/>", x + 6.0, y - 9.0),
            _ => format!("<rect x=\"{x:.0}\" y=\"{:.0}\" width=\"12\" height=\"10\"/>", y - 9.0),
        };
        let _ = writeln!(
            svg,
            "<g class=\"{class}\">{sign}</g><text class=\"note\" x=\"{:.0}\" y=\"{y:.0}\">{text}</text>",
            x + 17.0
        );
        x += 36.0 + text.chars().count() as f64 * 5.1;
    }
    debug_assert!(x < RIGHT + 36.0, "the legend has room in one row");
    svg.push_str("</g>\n");
}

/// The height of the legend.
pub(super) const LEGEND: f64 = 34.0;
