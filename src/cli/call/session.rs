//! Who holds the phone? This: it waits, and meanwhile keeps the diary and shows what happens.
//!
//! Everything that waits in a call waits in [`Session::until`], so there is one place that sees all news, and one limit.

use std::{future::pending, time::Duration};

use serde_json::{Value, json};
use sim::phone::{News, Phone, PhoneEnd, PhoneEvent, PhoneState};
use tokio::{
    sync::{broadcast, mpsc},
    time::{Instant, Interval, MissedTickBehavior, interval},
};

use super::{
    diary::{Cleared, Diary, Fact, Side},
    news,
    news::printable,
    script::judge::Now,
    view::View,
};
use crate::{
    bridge::{self, What},
    drain::Signals,
    phone::news as told,
};

pub(super) struct Session {
    pub phone: Phone,
    pub diary: Diary,
    news: Option<mpsc::Receiver<News>>,
    view: View,
    began: Instant,
    /// The longest the call may last.
    over_at: Instant,
    signals: Signals,
    /// Somebody pressed Ctrl-C: from then on nothing is waited for but the goodbye.
    pub stopped: bool,
    leaving: bool,
    /// The phone's events that were taken, and the clears among them.
    seen: u64,
    clears: usize,
    clock: Interval,
}

impl Session {
    pub fn new(
        phone: Phone,
        news: Option<mpsc::Receiver<News>>,
        view: View,
        most: Duration,
        signals: Signals,
    ) -> Self {
        let began = phone.look(|state| state.began);
        let mut clock = interval(TICK);
        clock.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let (diary, seen, clears, stopped, leaving) = Default::default();
        Self {
            signals,
            stopped,
            leaving,
            phone,
            diary,
            news,
            view,
            began,
            over_at: began + most,
            seen,
            clears,
            clock,
        }
    }

    /// Since the call began.
    pub fn age(&self) -> Duration {
        self.began.elapsed()
    }

    /// The caller does something besides speaking.
    pub fn acts(&mut self, what: impl Into<String>) {
        let (at, what) = (self.age(), what.into());
        self.take(at, Fact::Acts(what));
    }

    /// A line for whoever watches.
    pub fn remark(&mut self, text: &str) {
        let at = self.age();
        self.view.remark(at, text);
    }

    /// Waits until there is an answer; nothing when the time or the call is over before.
    pub async fn until<T>(
        &mut self,
        limit: Duration,
        mut ask: impl FnMut(&Diary, &Now) -> Option<T>,
    ) -> Option<T> {
        let due = (Instant::now() + limit).min(self.over_at);
        loop {
            self.look();
            let now = self.now();
            if let Some(answer) = ask(&self.diary, &now) {
                return Some(answer);
            }
            if now.over || Instant::now() >= due || self.stopped && !self.leaving {
                return None;
            }
            self.view.redraw(&self.diary, &now, &self.phone);
            tokio::select! {
                _ = self.clock.tick() => {}
                () = self.signals.next() => self.stopped = true,
                news = next(&mut self.news) => match news {
                    Some((at, news)) => self.told(at, &news),
                    None => self.news = None,
                },
            }
        }
    }

    /// Hangs up if nobody has, and waits for all that is still to be told.
    pub async fn finish(&mut self) {
        if !self.diary.is_over() {
            self.acts("hangs up");
            self.phone.hang_up();
        }
        (self.over_at, self.leaving) = (Instant::now() + GOODBYE, true);
        self.until(GOODBYE, |_, _| None::<()>).await;
        self.view.finish(&self.diary);
    }

    /// How the relay closed the line, if it did so as a refusal.
    pub fn refusal(&self) -> Option<String> {
        self.phone.look(|state| match &state.end {
            Some(PhoneEnd::Closed { code: Some(1008), reason }) => Some(news::printable(reason)),
            _ => None,
        })
    }

    pub fn now(&self) -> Now {
        self.phone.look(|state| {
            let ended = state.events.iter().rev().find(|(_, event)| *event == PhoneEvent::Ended);
            let waited = ended.is_some_and(|(at, _)| at.elapsed() >= LAST_WORDS);
            Now {
                at: self.began.elapsed(),
                playing: state.playing,
                quiet_for: state.quiet_for(),
                over: state.end.is_some() && (self.news.is_none() || waited),
            }
        })
    }

    /// Takes what is new.
    fn look(&mut self) {
        let (seen, clears) = (self.seen, self.clears);
        let (facts, total) = self.phone.look(|state| {
            let skip = usize::try_from(seen.saturating_sub(state.events_before)).unwrap_or(usize::MAX);
            let mut clears = clears;
            let fresh = state.events.iter().skip(skip);
            let facts: Vec<_> =
                fresh.filter_map(|(at, event)| Some((*at, fact(state, event, &mut clears)?))).collect();
            (facts, state.events_before + state.events.len() as u64)
        });
        self.seen = total;
        for (at, fact) in facts {
            self.clears += usize::from(matches!(fact, Fact::Cleared(_)));
            self.take(at.saturating_duration_since(self.began), fact);
        }
        while let Some(Ok((at, news))) = self.news.as_mut().map(mpsc::Receiver::try_recv) {
            self.told(at, &news);
        }
    }

    fn told(&mut self, at: Instant, news: &Value) {
        if let Some(told) = news::read(news) {
            self.take(at.saturating_duration_since(self.began), Fact::Told(told));
        }
    }

    fn take(&mut self, at: Duration, fact: Fact) {
        self.diary.take(at, fact.clone());
        self.view.show(at, &fact, &self.diary);
    }

    /// What the carrier would complain about.
    pub fn complaint(&self) -> Option<String> {
        self.phone.look(|state| {
            let first = printable(state.violations.first()?);
            let count = state.violation_count;
            Some(format!("the relay broke the carrier's protocol, {count} times in all, first: {first}"))
        })
    }

    /// What the phone counted, for machines.
    pub fn json(&self) -> Value {
        self.phone.look(|state| {
            let ms = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
            let first = state.first_media_at.map(|at| ms(at.saturating_duration_since(state.began)));
            json!({
                "first_audio_ms": first,
                "played_ms": ms(state.played),
                "clears": state.clears.len(),
                "violations": state.violations,
                "end": self.diary.line_over,
            })
        })
    }
}

async fn next(news: &mut Option<mpsc::Receiver<News>>) -> Option<News> {
    match news {
        Some(news) => news.recv().await,
        None => pending().await,
    }
}

/// `clears`: how many there were so far.
fn fact(state: &PhoneState, event: &PhoneEvent, clears: &mut usize) -> Option<Fact> {
    Some(match event {
        PhoneEvent::SpeechBegan => Fact::Begins(Side::Caller),
        PhoneEvent::SpeechEnded => Fact::Stops(Side::Caller),
        PhoneEvent::PlaybackBegan => Fact::Begins(Side::Agent),
        PhoneEvent::PlaybackRanDry { .. } => Fact::Stops(Side::Agent),
        PhoneEvent::Clear => {
            let cleared = state.clears.get(*clears);
            *clears += 1;
            let (played, thrown_away) = cleared.map(|it| (it.played, it.thrown_away)).unwrap_or_default();
            Fact::Cleared(Cleared { played, thrown_away })
        }
        PhoneEvent::Violation => Fact::Violation,
        PhoneEvent::Ended => Fact::LineOver(state.end.as_ref().map_or_else(String::new, how)),
        PhoneEvent::Media { .. } | PhoneEvent::Mark { .. } | PhoneEvent::MarkReturned { .. } => return None,
    })
}

fn how(end: &PhoneEnd) -> String {
    match end {
        PhoneEnd::HungUp { answered: true } => "the caller hung up".to_owned(),
        PhoneEnd::HungUp { answered: false } => {
            "the caller hung up, and the relay said nothing to that".to_owned()
        }
        PhoneEnd::EndedByCarrier { .. } => "the carrier ended it".to_owned(),
        PhoneEnd::Vanished => "the caller is gone".to_owned(),
        PhoneEnd::Closed { code: Some(code), reason } => {
            format!("the relay closed it: {code} {}", news::printable(reason))
        }
        PhoneEnd::Closed { code: None, .. } => "the relay closed it".to_owned(),
        PhoneEnd::Broken(why) => format!("the connection broke: {}", news::printable(why)),
    }
}

/// News of the next call at a relay in this process, as a phone of its own would be told them.
pub(super) fn overhear(mut all: broadcast::Receiver<bridge::News>) -> mpsc::Receiver<News> {
    let (tell, news) = mpsc::channel(MOST_NEWS);
    tokio::spawn(async move {
        let mut ours = None;
        loop {
            let one = match all.recv().await {
                Ok(one) => one,
                Err(broadcast::error::RecvError::Lagged(_)) => continue,
                Err(broadcast::error::RecvError::Closed) => return,
            };
            if *ours.get_or_insert_with(|| one.call.clone()) != one.call {
                continue;
            }
            let (value, last) = match one.what {
                What::Started => (None, false),
                What::Note(note) => (told::of(&note), false),
                What::Ended(summary) => (Some(told::ended(&summary)), true),
            };
            // Who reads too slowly misses some; a call waits for nobody.
            let gone = value.is_some_and(|value| {
                matches!(tell.try_send((Instant::now(), value)), Err(mpsc::error::TrySendError::Closed(_)))
            });
            if last || gone {
                return;
            }
        }
    });
    news
}

/// As often as the phone itself looks up.
const TICK: Duration = Duration::from_millis(20);

/// Between the end of the line and the end of the news there is a moment, and not more.
const LAST_WORDS: Duration = Duration::from_secs(3);

/// For the line to end and the last news to come.
const GOODBYE: Duration = Duration::from_secs(10);

/// As many as the phone itself keeps.
const MOST_NEWS: usize = 1_024;
