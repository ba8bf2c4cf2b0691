//! The relay as a whole: what `serve` runs, what `demo` shows, and what tests start on free ports.

use std::{
    future::Future,
    io,
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::{net::TcpListener, task::JoinHandle};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::{
    bridge::{Exchange, Here, Shared},
    drain::Lifecycle,
    gate::{self, Gate, fetch::Fetcher},
    http::{self, Entrance, Limits, Reception, Slots},
    metrics::Metrics,
    outward::{address, dial::Dialer, requests::Clients, tls, twilio::Twilio, webhooks::Webhooks},
    phone::Phone,
    recording::Recordings,
    report::{Lock, Reports},
    settings::{Settings, open_files},
    standalone::Standalone,
};

#[derive(Debug)]
pub struct Relay {
    /// Where carriers connect.
    pub address: SocketAddr,
    /// Where the numbers are.
    pub ops_address: SocketAddr,
    pub exchange: Exchange,
    grace: Duration,
    /// Ends the listeners; after the calls.
    closed: CancellationToken,
    servers: Vec<JoinHandle<()>>,
}

#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error(
        "cannot listen on port {port} (variable {variable}): {error}. Is another program using it? Stop that one, or set {variable} to another port"
    )]
    Listen { variable: &'static str, port: u16, error: io::Error },
    #[error("the settings do not fit:\n{}", .0.iter().map(|p| format!("  {p}")).collect::<Vec<_>>().join("\n"))]
    Gate(Vec<gate::Problem>),
}

impl Relay {
    /// Listens, and serves from now on. `since` is when the process began.
    pub async fn start(settings: &Settings, since: Instant) -> Result<Self, StartError> {
        Self::start_with(settings, since, settings.phone_page.then(Phone::default)).await
    }

    /// The same, and it answers Twilio's webhooks itself.
    pub async fn start_standalone(
        settings: &Settings,
        since: Instant,
        standalone: Standalone,
    ) -> Result<Self, StartError> {
        let phone = settings.phone_page.then(Phone::default);
        Self::start_all(settings, since, phone, Some(standalone)).await
    }

    /// The same with a browser phone that knows whom to call.
    pub async fn start_with(
        settings: &Settings,
        since: Instant,
        phone: Option<Phone>,
    ) -> Result<Self, StartError> {
        Self::start_all(settings, since, phone, None).await
    }

    async fn start_all(
        settings: &Settings,
        since: Instant,
        phone: Option<Phone>,
        standalone: Option<Standalone>,
    ) -> Result<Self, StartError> {
        for warning in &settings.warnings {
            warn!("{warning}");
        }
        say_open_files(settings.max_calls);
        let listener = listen(settings, "PORT", settings.port)?;
        let ops_listener = listen(settings, "OPS_PORT", settings.ops_port)?;
        let at = |listener: &TcpListener, variable| {
            let error = |error| StartError::Listen { variable, port: 0, error };
            listener.local_addr().map_err(error)
        };
        let (address, ops_address) = (at(&listener, "PORT")?, at(&ops_listener, "OPS_PORT")?);
        let exchange = exchange(settings).map_err(StartError::Gate)?;
        let closed = CancellationToken::new();
        let entrance = Entrance {
            settings: Arc::new(settings.clone()),
            lifecycle: exchange.lifecycle.clone(),
            metrics: exchange.metrics.clone(),
            slots: Slots::new(settings.max_calls, settings.max_pending),
            switchboard: exchange.clone(),
            phone,
            reception: standalone.map(|standalone| Reception { standalone, twilio: exchange.twilio.clone() }),
            since,
        };
        let serve = |listener, routes, connections| {
            let limits = Limits { head: settings.head_limit, connections };
            tokio::spawn(http::serve(listener, routes, limits, exchange.metrics.clone(), closed.clone()))
        };
        // Monitors and routers ask beside the calls, and must be answered when all of those come at once.
        let connections = settings.max_calls + settings.max_pending + MONITORS;
        let servers = vec![
            serve(listener, http::public(entrance.clone()), connections),
            serve(ops_listener, http::ops(entrance), MONITORS),
        ];
        exchange.reports.resume();
        exchange.metrics.ready_after(since.elapsed());
        info!(%address, %ops_address, version = env!("CARGO_PKG_VERSION"), ready_ms = since.elapsed().as_millis() as u64, "listening");
        Ok(Self { address, ops_address, exchange, grace: settings.drain, closed, servers })
    }

    /// Takes no new calls, lets the living ones end, and closes. `hurry` ends the grace early. True when every
    /// call is over.
    pub async fn drain(self, hurry: impl Future<Output = ()>) -> bool {
        self.exchange.metrics.draining();
        let over = self.exchange.lifecycle.drain(self.grace, hurry).await;
        self.exchange.recordings.finish(LAST_RECORDINGS).await; // whose reports wait for them
        self.exchange.reports.finish(LAST_REPORTS).await;
        self.closed.cancel();
        for server in self.servers {
            server.await.ok();
        }
        over
    }
}

fn say_open_files(max_calls: usize) {
    let Some(limit) = open_files::limit() else { return };
    info!(limit, "open files that the system allows");
    if let Some(warning) = open_files::warning(limit, max_calls) {
        warn!("{warning}");
    }
}

fn listen(settings: &Settings, variable: &'static str, port: u16) -> Result<TcpListener, StartError> {
    http::listen(settings.bind, port).map_err(|error| StartError::Listen { variable, port, error })
}

/// After the last call, for recordings that are being uploaded. The platform's patience behind the grace is ten
/// seconds in all, and calls take up to four of them.
const LAST_RECORDINGS: Duration = Duration::from_millis(1_500);

/// After the last call, for reports that main apps have not taken yet. Then each has one more attempt.
const LAST_REPORTS: Duration = Duration::from_secs(1);

/// Requests at once that are no calls.
const MONITORS: usize = 64;

/// What calls share, without listening to anybody.
pub fn exchange(settings: &Settings) -> Result<Exchange, Vec<gate::Problem>> {
    let roots: Vec<_> = settings.extra_root.iter().cloned().collect();
    let requests = Arc::unwrap_or_clone(tls::for_requests(&roots));
    let no_client = |error: reqwest::Error| {
        vec![gate::Problem::new("TLS", format!("no HTTP client could be made: {error}"))]
    };
    let clients = Clients::new(&requests).map_err(no_client)?;
    let allow_private = settings.webhook_allow_private;
    let gate_settings = settings.for_gate();
    let secrets = gate_settings.secrets.iter().map(|(_, secret)| secret);
    let lock = Lock::new(secrets.clone());
    let webhooks = Webhooks::new(allow_private, requests.clone(), secrets).map_err(no_client)?;
    let fetcher = Fetcher::new(allow_private, requests.clone()).map_err(|problem| vec![problem])?;
    let twilio = Twilio::new(clients.clone(), settings.twilio_base_url.http(""));
    let (webhooks, metrics) = (Arc::new(webhooks), Arc::new(Metrics::default()));
    let reports = Reports::new(webhooks.clone(), metrics.clone(), settings.report_spool_dir.as_deref(), lock);
    let storages = address::client(allow_private, requests.clone()).map_err(no_client)?;
    let (directory, most) = (settings.recording_dir.clone(), settings.recording_max);
    let recordings = Recordings::new(storages, metrics.clone(), directory, most);
    let here = Here { region: settings.fly.region.clone(), machine: settings.fly.machine.clone() };
    Ok(Exchange::new(Shared {
        gate: Gate::new(gate_settings)?,
        fetcher,
        dialer: Dialer::new(tls::for_sockets(&roots)),
        clients,
        webhooks,
        twilio,
        reports,
        prices: settings.prices.clone(),
        recordings,
        here,
        metrics,
        lifecycle: Lifecycle::default(),
        watchers: Default::default(),
    }))
}
