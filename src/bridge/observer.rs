//! What a call leaves behind for people: log lines, numbers, and news for those who watch.
//!
//! One line when a call starts and one when it ends, which reads on its own. What was said, and to whom, is
//! never above debug level; keys, tokens and audio are in none.

use std::{
    sync::Arc,
    time::{Instant, SystemTime},
};

use bytes::Bytes;
use call::{EndReason, Mended, Note, RefusalCode, Started, Summary, ToolId, TurnTold};
use serde_json::Value;
use tokio::sync::broadcast;
use tracing::{debug, info, warn};

use super::{
    Exchange,
    moving::{HandOver, Line},
    tools::CallNames,
};
use crate::{
    costs::{self, Bill},
    gate::{
        Config, Refusal,
        config::{Does, Recording, Reporting},
    },
    outward::{twilio::Update, twiml},
    recording::{Outcome, Recorder, Trouble},
    report::{self, Names, Report},
};

/// Something a call has to tell. `call` is our own id of it.
#[derive(Clone, Debug)]
pub struct News {
    pub call: Arc<str>,
    pub what: What,
}

#[derive(Clone, Debug)]
pub enum What {
    Started,
    Note(Arc<Note>),
    Ended(Arc<Summary>),
}

/// Who watches. Nobody in production, and then nothing is made for them.
#[derive(Debug)]
pub struct Watchers(broadcast::Sender<News>);

impl Default for Watchers {
    /// A watcher that lags so far behind loses the oldest news; calls never wait for one.
    fn default() -> Self {
        Self(broadcast::Sender::new(1_024))
    }
}

impl Watchers {
    pub fn subscribe(&self) -> broadcast::Receiver<News> {
        self.0.subscribe()
    }

    fn tell(&self, call: &Arc<str>, what: impl FnOnce() -> What) {
        if self.0.receiver_count() > 0 {
            self.0.send(News { call: call.clone(), what: what() }).ok();
        }
    }
}

pub(super) struct Observer {
    exchange: Exchange,
    /// Our own id of this call.
    id: Arc<str>,
    carrier_call: String,
    issuer: String,
    agent: String,
    leg: &'static str,
    account: Option<String>,
    /// What the token asked for, when it is known.
    config: Option<Arc<Config>>,
}

impl Observer {
    pub fn new(exchange: Exchange, id: Arc<str>) -> Self {
        let (carrier_call, issuer, agent, account) = Default::default();
        Self { exchange, id, carrier_call, issuer, agent, leg: "none", account, config: None }
    }
}

impl Observer {
    /// What this call goes by.
    pub fn names(&self) -> CallNames<'_> {
        CallNames { id: &self.id, carrier_call: &self.carrier_call }
    }

    /// The carrier named its call.
    pub fn started(&mut self, started: &Started) {
        self.account.clone_from(&started.account_id);
        self.is_called(&started.call_id);
        self.exchange.watchers.tell(&self.id, || What::Started);
    }

    /// The carrier's name of its call. Its own word: bounded and printable before it goes into a log.
    pub fn is_called(&mut self, call: &str) {
        let name: String = call.chars().filter(char::is_ascii_graphic).take(128).collect();
        if name != self.carrier_call {
            tracing::Span::current().record("carrier_call", &name);
            self.carrier_call = name;
        }
    }

    /// The gate refused. Returns what the call has to say to the carrier.
    pub fn refused(&mut self, refusal: &Refusal) -> RefusalCode {
        self.exchange.metrics.refused(refusal.code.name());
        warn!(
            code = refusal.code.name(),
            iss = refusal.iss,
            jti = refusal.jti,
            kid = refusal.kid,
            "token refused: {refusal}"
        );
        RefusalCode(refusal.code.name())
    }

    /// The gate knows whose call this is, and a leg is being opened.
    pub fn dialled(&mut self, config: &Arc<Config>, issuer: &str, leg: usize) {
        self.leg = config.legs.get(leg).map_or("unknown", |leg| leg.kind());
        if self.config.is_some() {
            return info!(leg = self.leg, "another leg is opened");
        }
        self.config = Some(config.clone());
        self.agent = config.agent.id.clone().unwrap_or_default();
        self.issuer = issuer.to_owned();
        info!(iss = self.issuer, agent = self.agent, leg = self.leg, "call started");
    }

    pub fn note(&mut self, note: Note) {
        let metrics = &self.exchange.metrics;
        match &note {
            Note::Live => self.report_start(),
            Note::LegReady { after } => metrics.leg_ready(self.leg, *after),
            Note::FirstAudio { after } => metrics.first_audio(*after),
            Note::Answered { after } => metrics.answered(*after),
            Note::TurnEnded(told) => {
                metrics.turn_ended(&told.turn);
                self.report_turn(told);
                return self.tell(note); // its words were in the log already
            }
            Note::Odd(oddity) => metrics.odd(*oddity),
            Note::Tool { end, .. } => metrics.tool(*end),
            Note::LegLost { failure, .. } => {
                metrics.leg_failed(failure.provider, failure.kind);
                metrics.leg_replaced(self.leg, "failed");
                warn!(leg = self.leg, "the leg is lost, the next one takes over: {failure}");
            }
            Note::LegRenewed => {
                metrics.leg_replaced(self.leg, "renewed");
                info!(leg = self.leg, "the leg's session is nearly over, a new one is opened");
            }
            Note::Mended(what) => warn!("{}", put_right(*what)),
            Note::Complaint(text) => warn!("the carrier complains: {text}"),
            Note::Unfit(code) => warn!(code = code.0, "{}", wire::carrier::explain(*code)),
            Note::NotRecorded => warn!("the caller could not be told of the recording: nothing is recorded"),
            Note::Retry(kind) => warn!(kind = kind.name(), "the answer failed, asking again"),
            Note::BargeIn | Note::Key(_) | Note::Idle { .. } | Note::CutShort { .. } => {}
            Note::ToolCalled { name, .. } => {
                debug!(tool = name, "a tool is called"); // with what is for nobody's log
                return self.tell(note);
            }
            Note::Words { whole: false, .. } => return self.tell(note), // too many for a log
            Note::Words { .. } => {}
        }
        debug!(?note);
        self.tell(note);
    }

    fn tell(&self, note: Note) {
        self.exchange.watchers.tell(&self.id, || What::Note(Arc::new(note)));
    }

    /// From the leg's word that the caller speaks to the clear on the wire.
    pub fn barged_in(&self, since: Instant) {
        self.exchange.metrics.barged_in(since.elapsed());
    }

    fn report_start(&self) {
        let Some(config) = &self.config else { return };
        if let Some(wanted) = config.report.as_ref().filter(|wanted| wanted.started) {
            let body = report::started(&self.all_names(), config, SystemTime::now());
            self.report("started", wanted, &body);
        }
    }

    fn report_turn(&self, told: &TurnTold) {
        let Some(config) = &self.config else { return };
        if let Some(wanted) = config.report.as_ref().filter(|wanted| wanted.turns) {
            let body = report::turn(&self.all_names(), config, told, SystemTime::now());
            let (id, url) = (format!("call_{}_turn_{}", self.id, told.turn.number), wanted.url.clone());
            let (secret, body) = (wanted.secret.clone(), Bytes::from(body.to_string()));
            self.exchange.reports.send_if_room(Report { id, url, secret, body });
        }
    }

    fn report_end(&self, summary: &Summary, bill: &Bill, recorder: Option<Recorder>) {
        let Some(config) = &self.config else { return };
        if matches!(summary.reason, EndReason::Refused(_)) {
            return; // it is not the call of this token
        }
        let mut body = report::ended(&self.all_names(), config, summary, bill, SystemTime::now());
        let wanted = config.report.as_ref().filter(|wanted| wanted.ended);
        let (reports, recordings) = (&self.exchange.reports, &self.exchange.recordings);
        let from = summary.recorded_from;
        match (&config.call.record, recorder) {
            (None, _) => {}
            (Some(Recording { say, .. }), None) => {
                let told = say.is_none() || from.is_some();
                let why = if told { Trouble::NoSound } else { Trouble::NotTold };
                report::tell_recording(&mut body, from, &recordings.none(why));
            }
            (Some(Recording { url, .. }), Some(recorder)) => {
                report::tell_recording(&mut body, from, &Outcome::unfinished());
                let report = wanted.map(|wanted| self.as_report("ended", wanted, &body));
                let (held, keeps, sends) = (report.clone(), reports.clone(), reports.clone());
                let first = async move {
                    if let Some(report) = held {
                        keeps.hold(&report).await;
                    }
                };
                let then = move |outcome: &Outcome| {
                    let Some(mut report) = report else { return };
                    report::tell_recording(&mut body, from, outcome);
                    report.body = Bytes::from(body.to_string());
                    sends.send(report);
                };
                return recordings.deliver(recorder, url.clone(), first, then);
            }
        }
        if let Some(wanted) = wanted {
            self.report("ended", wanted, &body);
        }
    }

    /// A call whose token is not known has used nothing.
    fn bill(&self, summary: &Summary) -> Bill {
        let used = self.config.as_ref().map(|config| costs::by_model(config, &summary.legs, &summary.usage));
        costs::bill(&self.exchange.prices, used.unwrap_or_default())
    }

    fn report(&self, what: &str, wanted: &Reporting, body: &Value) {
        self.exchange.reports.send(self.as_report(what, wanted, body));
    }

    fn as_report(&self, what: &str, wanted: &Reporting, body: &Value) -> Report {
        let Reporting { url, secret, .. } = wanted.clone();
        let (id, body) = (format!("call_{}_{what}", self.id), Bytes::from(body.to_string()));
        Report { id, url, body, secret }
    }

    /// Who is asked to take the caller, and how.
    pub fn hands_over(&self, id: ToolId, tool: usize, target: &str) -> Option<HandOver> {
        let config = self.config.as_ref()?;
        let Does::Transfer { targets } = &config.tools.get(tool)?.does else { return None };
        let number = targets.get(target)?;
        if let Some(line) = self.line() {
            return Some(HandOver::ByTwilio(line, Update::Document(twiml::dial(number)?)));
        }
        let Reporting { url, secret, .. } = config.report.clone()?;
        let body = report::transfer(&self.all_names(), config, target, number, SystemTime::now());
        let id = format!("call_{}_action_{}", self.id, id.0);
        Some(HandOver::ByApp(Report { id, url, body: Bytes::from(body.to_string()), secret }))
    }

    /// The carrier's call, when the token lends a key to change it.
    pub fn line(&self) -> Option<Line> {
        let account = self.config.as_ref()?.twilio.clone()?;
        Some(Line { twilio: self.exchange.twilio.clone(), account, call: self.carrier_call.clone() })
    }

    fn all_names(&self) -> Names {
        let here = self.exchange.here.clone();
        Names {
            call: self.id.to_string(),
            carrier_call: self.carrier_call.clone(),
            account: self.account.clone(),
            region: here.region,
            machine: here.machine,
        }
    }

    pub fn ended(&self, summary: &Summary, recorder: Option<Recorder>, late_for_leg: u64, high_water: usize) {
        let Summary { reason, lasted, was_live, tally, usage, .. } = summary;
        let used = usage.total();
        let bill = self.bill(summary);
        self.report_end(summary, &bill, recorder);
        self.exchange.metrics.call_ended(self.leg, summary, &bill, late_for_leg, high_water);
        let seconds = (lasted.as_secs_f64() * 10.0).round() / 10.0;
        macro_rules! line {
            ($level:ident $(, $more:ident = $value:expr)*) => {
                tracing::$level!(
                    reason = reason.name(),
                    $($more = $value,)*
                    iss = self.issuer,
                    agent = self.agent,
                    leg = self.leg,
                    seconds,
                    was_live,
                    turns = tally.turns,
                    replies = tally.replies,
                    barge_ins = tally.barge_ins,
                    frames_in = tally.frames_in,
                    frames_out = tally.frames_out,
                    frames_dropped = tally.frames_dropped + late_for_leg,
                    gaps_ms = tally.gaps.as_millis() as u64,
                    tokens_in = used.text_in + used.audio_in + used.image_in,
                    tokens_out = used.text_out + used.audio_out,
                    usd = bill.total().rounded(),
                    "call ended: {reason}"
                )
            };
        }
        match reason {
            EndReason::LegFailed(failure) => {
                self.exchange.metrics.leg_failed(failure.provider, failure.kind);
                line!(warn, provider = failure.provider, kind = failure.kind.name());
            }
            EndReason::CarrierLost | EndReason::NeverStarted | EndReason::Internal => line!(warn),
            EndReason::CallerHungUp
            | EndReason::AgentHungUp
            | EndReason::Transferred
            | EndReason::Idle
            | EndReason::MaxDuration
            | EndReason::Drained
            | EndReason::Refused(_) => {
                line!(info)
            }
        }
        self.exchange.watchers.tell(&self.id, || What::Ended(Arc::new(summary.clone())));
    }
}

/// Said once in a call; how often it happened stands in its report.
fn put_right(what: Mended) -> &'static str {
    match what {
        Mended::OutOfOrder => "the carrier's frames come out of order: they are put right",
        Mended::Twice => "the carrier sends frames twice: the second is left out",
        Mended::Missing => "the carrier leaves out frames, or counts anew: the others go on without them",
    }
}
