//! Whether a carrier's upgrade becomes a call.
//!
//! The order matters. Room comes first, before anything is allocated or computed for the request; then what
//! costs little and proves much; the token, which costs most, last.

use std::{net::IpAddr, sync::Arc, time::Instant};

use hyper::{HeaderMap, Method, StatusCode, Uri, header::HeaderValue, upgrade::OnUpgrade};
use secrecy::ExposeSecret;
use tokio_util::task::task_tracker::TaskTrackerToken;
use tracing::{debug, error, info};
use warp::reply::Response;
use wire::carrier::{BROWSER, Carrier, Signs, carrier};

use super::{
    listen::plain,
    origin, plivo_signature,
    refusal::Refused,
    replay::was_replayed,
    slots::{Slot, Slots},
    standalone::Reception,
    switchboard::{Ask, Presented, Switchboard},
    twilio_signature::{self, Algorithm},
    upgrade::Upgrade,
};
use crate::{
    drain::Lifecycle,
    gate::travel::{AtUpgrade, at_upgrade},
    metrics::Metrics,
    phone::Phone,
    settings::{BaseUrl, Secret, Settings},
};

/// What every request at the doors can see.
#[derive(Clone, Debug)]
pub struct Entrance<S> {
    pub settings: Arc<Settings>,
    pub lifecycle: Lifecycle,
    pub metrics: Arc<Metrics>,
    pub slots: Slots,
    pub switchboard: S,
    /// The browser phone, where it is switched on.
    pub phone: Option<Phone>,
    /// Where there is no main app.
    pub reception: Option<Reception>,
    /// When the process began.
    pub since: Instant,
}

/// A request to a stream's address, as the routes hand it over.
pub(super) struct Request {
    pub carrier: String,
    pub segment: Option<String>,
    pub method: Method,
    pub uri: Uri,
    pub headers: HeaderMap,
    pub on_upgrade: Option<OnUpgrade>,
    pub peer: IpAddr,
}

impl<S: Switchboard> Entrance<S> {
    pub(super) async fn knock(self, request: Request) -> Response {
        let may_replay = self.settings.fly.machine.is_some() && !was_replayed(&request.headers);
        let edge = header(&request.headers, "fly-region").map(str::to_owned);
        match self.let_in(request).await {
            Ok(response) => response,
            Err(refused) => {
                self.metrics.refused(refused.code);
                info!(
                    code = refused.code,
                    status = refused.status.as_u16(),
                    edge,
                    "refused: {}",
                    refused.message
                );
                refused.response(may_replay)
            }
        }
    }

    async fn let_in(&self, request: Request) -> Result<Response, Refused> {
        let carrier = self.carrier(&request.carrier)?;
        if request.method != Method::GET {
            return Err(Refused::method("GET"));
        }
        let (mut slot, alive) = self.room()?;
        let upgrade = Upgrade::read(&request.headers, request.on_upgrade.clone());
        let upgrade = upgrade.ok_or_else(Refused::not_an_upgrade)?;
        self.check_origin(carrier, &request.headers)?;
        match carrier.signs {
            Signs::Nothing => {}
            Signs::LikeTwilio => self.check_twilio(&request)?,
            Signs::LikePlivo => self.check_plivo(&request)?,
        }
        let token = token(&request);
        if token.is_none() {
            let text = "too many calls wait for their token";
            self.slots.wait_for_token(&mut slot).map_err(|_| Refused::busy("too_many_pending", text))?;
            debug!(carrier = carrier.name, "no token in the request: it has to come in `start`");
        }
        let ticket = self.switchboard.admit(self.ask(carrier, token, &request)).await?;
        let response = upgrade.response();
        self.put_through(ticket, slot, upgrade, alive);
        Ok(response)
    }

    /// The tracker knows of the call from here on, so a drain cannot finish in between.
    fn room(&self) -> Result<(Slot, TaskTrackerToken), Refused> {
        let alive = self.lifecycle.calls.token();
        if self.lifecycle.is_draining() {
            return Err(Refused::busy("draining", "this machine is about to stop and takes no new calls"));
        }
        let slot = self.slots.enter().map_err(|_| Refused::busy("full", "this machine is full"))?;
        Ok((slot, alive))
    }

    /// Browsers have a door of their own only where somebody wants them.
    fn carrier(&self, name: &str) -> Result<&'static Carrier, Refused> {
        let browsers = self.phone.is_some() || !self.settings.allowed_origins.is_empty();
        match name {
            name if name == BROWSER.name && browsers => Ok(&BROWSER),
            name if name == BROWSER.name => {
                let text = "browsers may not call here: set PHONE_PAGE=true, or name your own page in ALLOWED_ORIGINS";
                Err(Refused::new(StatusCode::NOT_FOUND, "carrier_not_supported", text))
            }
            name => {
                let known = carrier(name);
                let taken = known.filter(|_| self.settings.carriers.iter().any(|taken| taken == name));
                taken.ok_or_else(|| {
                    let list = self.settings.carriers.join(", ");
                    let text = match known {
                        Some(_) => format!("calls from {name} are not taken here: CARRIERS allows {list}"),
                        None => format!("no such carrier: calls may come from {list}"),
                    };
                    Refused::new(StatusCode::NOT_FOUND, "carrier_not_supported", text)
                })
            }
        }
    }

    /// Carriers send no `Origin`; browsers always do. Our own phone comes from where it calls.
    fn check_origin(&self, carrier: &Carrier, headers: &HeaderMap) -> Result<(), Refused> {
        let own = || carrier.name == BROWSER.name && self.phone.is_some() && origin::is_own(headers);
        let fits = origin::is_absent(headers) || origin::is_listed(headers, &self.settings) || own();
        if fits { Ok(()) } else { Err(Refused::origin()) }
    }

    fn check_twilio(&self, request: &Request) -> Result<(), Refused> {
        let Some((key, public)) = self.key(&self.settings.twilio_auth_token) else { return Ok(()) };
        let signature = request.headers.get("x-twilio-signature");
        let is_valid = signature.is_some_and(|signature| {
            let path = request.uri.path();
            twilio_signature::is_valid(Algorithm::Sha1, key, public, path, signature.as_bytes())
        });
        is_valid.then_some(()).ok_or_else(Refused::twilio_signature)
    }

    fn check_plivo(&self, request: &Request) -> Result<(), Refused> {
        let Some((key, public)) = self.key(&self.settings.plivo_auth_token) else { return Ok(()) };
        let header = |name| request.headers.get(name).map(HeaderValue::as_bytes);
        let given = header("x-plivo-signature-v3-nonce").zip(header("x-plivo-signature-v3"));
        let is_valid = given.is_some_and(|(nonce, signatures)| {
            let target = (request.uri.path(), request.uri.query());
            plivo_signature::is_valid(key, public, target, nonce, signatures)
        });
        is_valid.then_some(()).ok_or_else(Refused::plivo_signature)
    }

    /// What a carrier signs with, and the address that it signs; nothing where it need not.
    fn key<'a>(&'a self, token: &'a Option<Secret>) -> Option<(&'a str, &'a BaseUrl)> {
        Some((token.as_ref()?.expose_secret(), self.settings.public_url.as_ref()?))
    }

    fn ask(&self, carrier: &'static Carrier, token: Option<Presented>, request: &Request) -> Ask {
        let fly = &self.settings.fly;
        let named = || header(&request.headers, "fly-client-ip")?.parse().ok();
        let behind_proxy = fly.machine.is_some().then(named).flatten();
        let short = |name| header(&request.headers, name).map(|text| text.chars().take(LONGEST).collect());
        Ask {
            carrier,
            token,
            news: carrier.name == BROWSER.name
                && self.phone.is_some()
                && request.uri.query() == Some("news=1"),
            peer: plain(behind_proxy.unwrap_or(request.peer)),
            edge_region: short("fly-region"),
            request_id: short("fly-request-id"),
            region: fly.machine.as_ref().and(fly.region.clone()),
            was_replayed: was_replayed(&request.headers),
        }
    }

    fn put_through(&self, ticket: S::Ticket, slot: Slot, upgrade: Upgrade, alive: TaskTrackerToken) {
        let (switchboard, metrics) = (self.switchboard.clone(), self.metrics.clone());
        self.lifecycle.calls.spawn(async move {
            let _alive = alive;
            let Some(socket) = upgrade.socket().await else {
                debug!("the peer was gone before the upgrade");
                return;
            };
            metrics.call_started();
            let _watch = PanicWatch(metrics);
            switchboard.connect(ticket, slot, socket).await;
        });
    }
}

/// A call that panics is dropped by its task, alone. This counts it; the panic hook has said where.
struct PanicWatch(Arc<Metrics>);

impl Drop for PanicWatch {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.call_panicked();
            error!("a call ended by a mistake of ours; the others go on");
        }
    }
}

fn token(request: &Request) -> Option<Presented> {
    let places = AtUpgrade {
        authorization: header(&request.headers, "authorization"),
        telnyx: header(&request.headers, "x-telnyx-streaming-auth-token"),
        segment: request.segment.as_deref(),
        query: request.uri.query(),
    };
    let carried = at_upgrade(&places)?;
    Some(Presented { place: carried.place, token: carried.token.into_owned().into() })
}

fn header<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

/// Of a header that is only shown.
const LONGEST: usize = 64;
