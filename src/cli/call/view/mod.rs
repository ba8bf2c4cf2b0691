//! What does a person see of a call while it goes on?
//!
//! On a terminal the last lines are drawn anew in place: words that grow, what nobody heard struck through, both
//! levels, the last wait. Elsewhere it is one line for each thing that happened, and for machines nothing at all.

mod lines;
mod picture;

use std::{
    env,
    io::{IsTerminal, Write, stdout},
    time::{Duration, Instant},
};

use console::Term;
use sim::phone::Phone;

use self::picture::{Look, picture, spoken};
use super::{
    diary::{Diary, Fact},
    news::Told,
    script::judge::Now,
};

pub(super) enum View {
    /// Somebody reads JSON.
    Silent,
    Lines,
    Live(Screen),
}

#[derive(Default)]
pub(super) struct Screen {
    look: Look,
    /// Lines of the diary that stand above for good.
    settled: usize,
    /// Rows below them that are drawn anew.
    rows: usize,
    drawn: Option<Instant>,
    /// These are to be printed above.
    waiting: Vec<String>,
}

impl View {
    pub fn new(json: bool) -> Self {
        let set = |name| env::var_os(name).is_some_and(|value| !value.is_empty());
        let dumb = env::var_os("TERM").is_none_or(|term| term == "dumb");
        if json {
            return Self::Silent;
        }
        if !stdout().is_terminal() || dumb {
            return Self::Lines;
        }
        Self::Live(Screen {
            look: Look { colours: !set("NO_COLOR"), ..Look::default() },
            ..Screen::default()
        })
    }

    /// Something happened.
    pub fn show(&mut self, at: Duration, fact: &Fact, diary: &Diary) {
        let words = matches!(fact, Fact::Told(Told::Words { .. }));
        match self {
            Self::Silent => {}
            Self::Lines => lines::of(fact, diary).iter().for_each(|(who, text)| {
                // Nobody minds when nobody reads.
                writeln!(stdout(), "{}", lines::plain(at, who, text)).ok();
            }),
            Self::Live(_) if words || matches!(fact, Fact::Told(Told::Cut { .. })) => {} // drawn while they grow
            Self::Live(screen) => {
                let lines = lines::of(fact, diary);
                screen.waiting.extend(lines.iter().map(|(who, text)| screen.look.line(at, who, text)));
            }
        }
    }

    /// A line about the call that nobody in it said.
    pub fn remark(&mut self, at: Duration, text: &str) {
        match self {
            Self::Silent => {}
            Self::Lines => {
                writeln!(stdout(), "{}", lines::plain(at, "script", text)).ok();
            }
            Self::Live(screen) => screen.waiting.push(screen.look.line(at, "script", text)),
        }
    }

    /// Ten times a second, or when there is something to print.
    pub fn redraw(&mut self, diary: &Diary, now: &Now, phone: &Phone) {
        let Self::Live(screen) = self else { return };
        let due = screen.drawn.is_none_or(|drawn| drawn.elapsed() >= RATE);
        if due || !screen.waiting.is_empty() {
            screen.settle(diary, |line| picture::is_settled(diary, line, now));
            let levels = phone.hear(|sound| picture::levels(sound, now.at));
            screen.draw(|look, size| picture(look, size, diary, now, levels));
        }
    }

    /// The call is over: what is unsettled stays as it is.
    pub fn finish(&mut self, diary: &Diary) {
        if let Self::Live(screen) = self {
            screen.settle(diary, |_| true);
            screen.draw(|_, _| Vec::new());
        }
    }
}

impl Screen {
    /// Lines that will not change any more go up, in their order.
    fn settle(&mut self, diary: &Diary, is_settled: impl Fn(usize) -> bool) {
        while self.settled < diary.lines.len() && is_settled(self.settled) {
            let line = &diary.lines[self.settled];
            if !line.said.is_empty() {
                self.waiting.push(spoken(&self.look, line));
            }
            self.settled += 1;
        }
        self.look.from = self.settled;
    }

    fn draw(&mut self, picture: impl Fn(&Look, (usize, usize)) -> Vec<String>) {
        let (height, width) = Term::stdout().size_checked().unwrap_or((24, 80));
        // The last column is left free: a full row makes some terminals begin another.
        let size =
            (usize::from(width).saturating_sub(1).max(8), usize::from(height).saturating_sub(2).max(2));
        let out = self.over(&picture(&self.look, size), size.0);
        self.drawn = Some(Instant::now());
        let mut terminal = stdout().lock();
        terminal.write_all(out.as_bytes()).and_then(|()| terminal.flush()).ok();
    }

    /// What to write so that these rows stand where the last ones stood, below what has to be printed for good.
    fn over(&mut self, rows: &[String], width: usize) -> String {
        let mut out = String::new();
        if self.rows > 0 {
            out += &format!("\x1b[{}A\r\x1b[J", self.rows);
        }
        for line in self.waiting.drain(..) {
            out += &(line + "\n");
        }
        for row in rows {
            out += &(console::truncate_str(row, width, "…").into_owned() + "\n");
        }
        self.rows = rows.len();
        out
    }
}

const RATE: Duration = Duration::from_millis(100);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::call::diary::{
        Side,
        tests::{diary, words},
    };

    #[test]
    fn rows_are_drawn_over_the_last_ones_and_what_is_settled_is_printed_once() {
        let mut screen = Screen::default();
        let diary = diary([(1, words(Side::Caller, 1, "Hello?")), (2, words(Side::Agent, 2, "Hello."))]);
        let row = |text: &str| vec![text.to_owned(); 2];
        assert_eq!(screen.over(&row("first"), 80), "first\nfirst\n");
        screen.settle(&diary, |line| line == 0);
        let out = screen.over(&row(&"x".repeat(90)), 10);
        let up = "\x1b[2A\r\x1b[J";
        assert!(
            out.starts_with(up) && out.contains("caller  “Hello?”\n") && out.ends_with("\nxxxxxxxxx…\n"),
            "{out:?}"
        );
        screen.settle(&diary, |_| true);
        let out = screen.over(&[], 80);
        assert!(out.starts_with(up) && out.contains("“Hello.”") && !out.contains("“Hello?”"), "{out:?}");
        assert_eq!(screen.over(&[], 80), "", "nothing is below any more");
    }
}
