//! How a request becomes a call: the exchange behind the relay's doors.

use std::{future::Future, time::SystemTime};

use hyper::StatusCode;
use secrecy::ExposeSecret;
use tokio::net::TcpStream;
use tokio_tungstenite::WebSocketStream;
use tracing::{Instrument, info_span};
use wire::carrier::Carrier;

use super::{Exchange, task};
use crate::{
    gate::{Pass, Refusal},
    http::{Ask, Refused, Slot, Switchboard},
};

/// What is known of a call before its socket is open.
#[derive(Debug)]
pub struct Ticket {
    pub(super) carrier: &'static Carrier,
    /// `None`: the token is to come in `start`.
    pub(super) pass: Option<Pass>,
    /// A browser phone wants to be told what happens in its call.
    pub(super) news: bool,
}

impl Switchboard for Exchange {
    type Ticket = Ticket;

    async fn admit(&self, ask: Ask) -> Result<Ticket, Refused> {
        let ticket = |pass| Ticket { carrier: ask.carrier, pass, news: ask.news };
        let Some(presented) = &ask.token else { return Ok(ticket(None)) };
        let opened = self.gate.open(presented.token.expose_secret(), SystemTime::now());
        let pass = opened.map_err(|refusal| refused(&refusal))?;
        if let Some(region) = pass.elsewhere() {
            ask.in_region(region)?;
        }
        Ok(ticket(Some(pass)))
    }

    fn connect(
        &self,
        ticket: Ticket,
        slot: Slot,
        socket: WebSocketStream<TcpStream>,
    ) -> impl Future<Output = ()> + Send {
        let id = self.name();
        let span = info_span!(
            "call",
            id = &*id,
            carrier = ticket.carrier.name,
            carrier_call = tracing::field::Empty
        );
        task::run(self.clone(), id, ticket, slot, socket).instrument(span)
    }
}

/// The refusal's own words: they name the claim and the cure, and never the token.
fn refused(refusal: &Refusal) -> Refused {
    let status = StatusCode::from_u16(refusal.code.status()).unwrap_or(StatusCode::UNAUTHORIZED);
    let whose = refusal
        .iss
        .as_deref()
        .map(|iss| format!(" (iss {iss}, jti {})", refusal.jti.as_deref().unwrap_or("none")));
    let at = refusal.path.as_deref().map(|path| format!("`{path}`: ")).unwrap_or_default();
    Refused::new(status, refusal.code.name(), format!("{at}{}{}", refusal.message, whose.unwrap_or_default()))
}
