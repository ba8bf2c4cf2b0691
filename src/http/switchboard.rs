//! What stands behind the doors: whoever answers calls.

use std::{fmt, future::Future, net::IpAddr};

use hyper::StatusCode;
use secrecy::SecretString;
use tokio::net::TcpStream;
use tokio_tungstenite::WebSocketStream;
use wire::carrier::Carrier;

use super::{
    refusal::Refused,
    replay::{Replay, is_region},
    slots::Slot,
};
use crate::gate::travel::Place;

pub trait Switchboard: Clone + Send + Sync + 'static {
    /// What [`Self::admit`] found out and [`Self::connect`] needs.
    type Ticket: Send + 'static;

    /// Before the 101: looks at the token, if it is there already, and says no or yes. Bound it in time.
    fn admit(&self, ask: Ask) -> impl Future<Output = Result<Self::Ticket, Refused>> + Send;

    /// After the 101: the call, to its end, on a task of its own. Hold the slot as long as the call lives.
    fn connect(
        &self,
        ticket: Self::Ticket,
        slot: Slot,
        socket: WebSocketStream<TcpStream>,
    ) -> impl Future<Output = ()> + Send;
}

/// A carrier wants to bring a call.
#[derive(Clone, Debug)]
pub struct Ask {
    pub carrier: &'static Carrier,
    /// `None`: it is to come in `start`, and the call's slot is provisional until [`Slot::confirm`].
    pub token: Option<Presented>,
    /// The browser phone, which shows what happens in its call.
    pub news: bool,
    /// Who connected; behind Fly's proxy, whom the proxy named. Personal data of a kind: log it at debug only.
    pub peer: IpAddr,
    /// Where the call entered Fly's network.
    pub edge_region: Option<String>,
    /// Fly's name for this request, for support cases.
    pub request_id: Option<String>,
    pub(super) region: Option<String>,
    pub(super) was_replayed: bool,
}

/// A token, and where in the request it was.
#[derive(Clone)]
pub struct Presented {
    pub place: Place,
    pub token: SecretString,
}

impl Ask {
    /// Sends a call on to the region that its token asks for. Only on Fly, and only once: a call that was
    /// sent here for its region (or for a group of them, such as `eu`) is taken.
    pub fn in_region(&self, wanted: &str) -> Result<(), Refused> {
        let Some(here) = &self.region else { return Ok(()) };
        if here == wanted || self.was_replayed || !is_region(wanted) {
            return Ok(());
        }
        let text = "the token asks for another region";
        let refused = Refused::new(StatusCode::SERVICE_UNAVAILABLE, "wrong_region", text);
        Err(Refused { replay: Some(Replay::Region(wanted.to_owned())), ..refused })
    }
}

impl fmt::Debug for Presented {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Presented({:?}, ***)", self.place)
    }
}
