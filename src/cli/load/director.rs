//! The course of a run: calls are added, held and measured, step by step; then everybody hangs up, and the relay must
//! have nothing left.

use std::time::Duration;

use anyhow::bail;
use sim::probe::{Counted, Histogram};
use std::sync::Arc;
use tokio::{
    task::JoinSet,
    time::{Instant, sleep_until, timeout},
};

use super::{
    book::{Reading, total},
    caller,
    figures::{After, Run, Second, Step},
    machine::{self, Spent},
    mix::deal,
    plan::{Plan, SETTLE},
    progress::Progress,
    stage::Stage,
    verdict::{Strain, doubts},
};
use crate::drain::Signals;

pub async fn direct(stage: Stage, is_quiet: bool, signals: &mut Signals) -> anyhow::Result<Run> {
    let mut director = Director::new(stage, is_quiet);
    let mut steps = Vec::new();
    let mut is_cut_short = false;
    for number in 0..director.plan.steps.len() {
        match director.step(number, signals).await {
            Course::Held(step) => steps.push(*step),
            Course::Hopeless => break,
            Course::Stopped(step) => {
                steps.extend(step.map(|step| *step));
                is_cut_short = true;
                break;
            }
        }
    }
    director.end(signals, steps, is_cut_short).await
}

struct Director {
    stage: Stage,
    plan: Plan,
    /// Which agent each line calls.
    dealt: Vec<usize>,
    lines: JoinSet<()>,
    late: Arc<Histogram>,
    punctual: tokio::task::JoinHandle<()>,
    bar: Progress,
    began: Instant,
    next_look: Instant,
    looks: u64,
    /// Calls that stood at each look since this was last emptied: how many looks, their sum, the fewest.
    stood: (u64, u64, u64),
    /// What was so a second ago.
    before: Moment,
    seconds: Vec<Second>,
    holding: Option<usize>,
}

enum Course {
    Held(Box<Step>),
    /// Not one call was taken, and none will be.
    Hopeless,
    /// Somebody has asked for the end; with what there was until then.
    Stopped(Option<Box<Step>>),
}

/// Everything that is read at one moment.
#[derive(Clone, Default)]
struct Moment {
    at: Option<Instant>,
    book: Reading,
    spent: Spent,
    late: Counted,
}

impl Director {
    fn new(stage: Stage, is_quiet: bool) -> Self {
        let plan = stage.plan.clone();
        let weights: Vec<u32> = stage.floor.agents.iter().map(|agent| agent.weight).collect();
        let late = Arc::new(Histogram::default());
        let clock = late.clone();
        let mut director = Self {
            dealt: deal(&weights, plan.most()),
            lines: JoinSet::new(),
            late,
            // Where the phones are as well, and not where this waits for it.
            punctual: tokio::spawn(async move { machine::be_punctual(&clock).await }),
            bar: Progress::new(&plan, is_quiet),
            began: Instant::now(),
            next_look: Instant::now() + LOOK,
            looks: 0,
            stood: (0, 0, u64::MAX),
            before: Moment::default(),
            seconds: Vec::new(),
            holding: None,
            plan,
            stage,
        };
        director.before = director.now();
        director
    }

    async fn step(&mut self, number: usize, signals: &mut Signals) -> Course {
        let calls = self.plan.steps[number];
        let start = self.now();
        let first = u32::try_from(self.lines.len()).unwrap_or(u32::MAX);
        self.bar.step("adding", number);
        let adding = Instant::now();
        for line in first..calls {
            if !self.until(adding + self.plan.due(line - first), signals).await {
                return Course::Stopped(None);
            }
            let agent = self.dealt[line as usize];
            let floor = self.stage.floor.clone();
            self.lines.spawn(caller::line(floor, line, agent, self.plan.is_restless(line)));
        }
        self.bar.step("settling", number);
        if !self.until(Instant::now() + SETTLE, signals).await {
            return Course::Stopped(None);
        }
        let so_far = self.stage.floor.book.read();
        if so_far.begun == 0 && total(&so_far.refused) > 0 {
            return Course::Hopeless;
        }
        self.bar.step("holding", number);
        (self.holding, self.stood) = (Some(number), (0, 0, u64::MAX));
        let held = self.now();
        let is_complete = self.until(Instant::now() + self.plan.hold, signals).await;
        self.holding = None;
        let step = Box::new(self.figures(calls, &start, &held, is_complete));
        if is_complete {
            Course::Held(step)
        } else {
            // Less than a second is no figure.
            Course::Stopped((step.held_for >= Duration::from_secs(1)).then_some(step))
        }
    }

    fn figures(&self, calls: u32, start: &Moment, held: &Moment, is_complete: bool) -> Step {
        let now = self.now();
        let held_for = now.elapsed_since(held);
        let (looks, sum, fewest) = self.stood;
        let stood = if looks == 0 { 0.0 } else { sum as f64 / looks as f64 };
        let call_seconds = stood * held_for.as_secs_f64();
        let spent = now.spent.since(&held.spent);
        let strain = strain(&spent, held_for, &now.late.since(&held.late));
        let memory = self.stage.pid.and_then(machine::memory).zip(self.stage.memory_before);
        let each = |all: f64, by: f64| (by > 0.0).then_some(all / by);
        Step {
            calls,
            held_for,
            stood,
            fewest: if looks == 0 { 0 } else { fewest },
            held: now.book.since(&held.book),
            whole: now.book.since(&start.book),
            doubts: doubts(&strain),
            strain,
            cpu_ms_per_call_second: spent.relay.and_then(|cpu| each(cpu * 1_000.0, call_seconds)),
            memory_kb_per_call: memory.and_then(|(now, before)| each(now - before, stood)),
            is_complete,
        }
    }

    /// Lets the time pass, and looks around meanwhile. False when somebody wants the end.
    async fn until(&mut self, until: Instant, signals: &mut Signals) -> bool {
        loop {
            tokio::select! {
                () = sleep_until(until.min(self.next_look)) => {}
                () = signals.next() => return false,
            }
            if Instant::now() >= self.next_look {
                self.look();
            }
            if Instant::now() >= until {
                return true;
            }
        }
    }

    fn look(&mut self) {
        self.next_look += LOOK;
        self.looks += 1;
        let up = self.stage.floor.book.up();
        let (looks, sum, fewest) = self.stood;
        self.stood = (looks + 1, sum + up, fewest.min(up));
        self.bar.at(self.began.elapsed());
        if self.looks.is_multiple_of(LOOKS_A_SECOND) {
            self.note_second(up);
        }
    }

    fn note_second(&mut self, up: u64) {
        let now = self.now();
        let took = now.elapsed_since(&self.before);
        let (book, spent) = (now.book.since(&self.before.book), now.spent.since(&self.before.spent));
        let cores = |cpu: Option<f64>| cpu.map(|cpu| cpu / took.as_secs_f64());
        let frames = spread(&book.to_provider).zip(spread(&book.to_carrier));
        let second = Second {
            at: self.began.elapsed().as_secs_f64(),
            step: self.holding,
            calls: up,
            frames: frames.map(|(there, back)| (there.0.max(back.0), there.1.max(back.1))),
            silences: book.silences.iter().map(spread).collect(),
            relay: cores(spent.relay),
            driver: cores(spent.driver),
            busy: cores(spent.busy),
            memory_mb: self.stage.pid.and_then(machine::memory).map(|kb| kb / 1_024.0),
            late_ms: now.late.since(&self.before.late).largest().as_secs_f64() * 1_000.0,
            refused: total(&book.refused),
            lost: total(&book.lost),
        };
        self.bar.tell(&second, &self.stage.floor.book.read());
        self.seconds.push(second);
        self.before = now;
    }

    fn now(&self) -> Moment {
        Moment {
            at: Some(Instant::now()),
            book: self.stage.floor.book.read(),
            spent: Spent::read(self.stage.pid),
            late: self.late.so_far(),
        }
    }

    /// Everybody hangs up. What the relay still has then it has for ever.
    async fn end(
        mut self,
        signals: &mut Signals,
        steps: Vec<Step>,
        is_cut_short: bool,
    ) -> anyhow::Result<Run> {
        self.bar.now("hanging up");
        self.stage.floor.stop.cancel();
        let everybody = async { while self.lines.join_next().await.is_some() {} };
        tokio::select! {
            over = timeout(FAREWELL, everybody) => if over.is_err() {
                bail!("{} lines did not end within {FAREWELL:?} after everybody was told to hang up", self.lines.len());
            },
            () = signals.next() => bail!("stopped while the last calls ended"),
        }
        let Stage { floor, providers, relay, pid, health, calls_before, files_before, .. } = self.stage;
        self.bar.now("looking for calls that are left");
        let calls = tokio::select! {
            calls = health.has_at_most(calls_before.unwrap_or(0), PATIENCE) => calls,
            () = signals.next() => bail!("stopped while the relay was asked for its calls"),
        };
        for words in providers.violations() {
            floor.book.wrong("provider_protocol", &words);
        }
        // With them go the connections that the relay keeps warm; whatever is still open then is a leak.
        drop(providers);
        let files = match (pid, files_before) {
            (Some(pid), Some(before)) => settled_files(pid, before).await,
            (Some(_) | None, _) => None,
        };
        self.punctual.abort();
        self.bar.over();
        Ok(Run {
            url: relay.is_none().then(|| floor.url.clone()),
            agents: floor.agents.clone(),
            plan: self.plan,
            steps,
            seconds: self.seconds,
            all: floor.book.read(),
            after: After { calls_before, calls, files_before, files },
            warnings: relay.as_ref().map(super::relay::Relay::warnings).unwrap_or_default(),
            is_cut_short,
        })
    }
}

impl Moment {
    fn elapsed_since(&self, earlier: &Self) -> Duration {
        self.at.zip(earlier.at).map_or(Duration::ZERO, |(now, before)| now.saturating_duration_since(before))
    }
}

fn strain(spent: &Spent, took: Duration, late: &Counted) -> Strain {
    let took = took.as_secs_f64().max(0.001);
    let cores = |cpu: Option<f64>| cpu.map(|cpu| cpu / took);
    // The kernel's clocks of all cores together say how many there are; a share of them is the better figure.
    let part = |cpu: Option<f64>| Some(cpu? / spent.all.filter(|all| *all > 0.0)? * machine::cores());
    Strain {
        cores: machine::cores(),
        late_p99: late.percentile(0.99),
        late_max: late.largest(),
        driver: cores(spent.driver),
        relay: cores(spent.relay),
        // Some systems show a process of its own machine's clocks only a part of them.
        busy: part(spent.busy).filter(|busy| *busy >= cores(spent.driver).unwrap_or(0.0)),
        stolen: part(spent.stolen),
    }
}

/// p50 and p99 in milliseconds; `None` when nothing was counted.
fn spread(counted: &Counted) -> Option<(f64, f64)> {
    let ms = |share| counted.percentile(share).as_secs_f64() * 1_000.0;
    (counted.count() > 0).then(|| (ms(0.5), ms(0.99)))
}

/// Sockets close a moment after their calls.
async fn settled_files(pid: u32, before: usize) -> Option<usize> {
    let until = Instant::now() + PATIENCE;
    loop {
        let now = machine::open_files(pid)?;
        if now <= before || Instant::now() >= until {
            return Some(now);
        }
        tokio::time::sleep(LOOK).await;
    }
}

const LOOKS_A_SECOND: u64 = 10;
const LOOK: Duration = Duration::from_millis(100);
/// A call that is told to end says goodbye within five seconds, and its answer is waited for as long as any.
const FAREWELL: Duration = Duration::from_secs(40);
const PATIENCE: Duration = Duration::from_secs(5);
