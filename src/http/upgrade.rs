//! From an HTTP request to a WebSocket straight on its TCP socket.
//!
//! By hand, for the buffers: a ready-made upgrade allocates 128 kB for each socket and hides the socket.

use std::time::Duration;

use bytes::Bytes;
use hyper::{
    HeaderMap, StatusCode,
    header::{CONNECTION, HeaderValue, SEC_WEBSOCKET_ACCEPT, UPGRADE},
    upgrade::OnUpgrade,
};
use tokio::{net::TcpStream, time::timeout};
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{
        handshake::derive_accept_key,
        protocol::{Role, WebSocketConfig},
    },
};
use warp::reply::Response;

use super::early::Early;

/// A request that asks for a WebSocket, complete and of the right version.
#[derive(Debug)]
pub(super) struct Upgrade {
    on: OnUpgrade,
    accept: HeaderValue,
}

impl Upgrade {
    pub fn read(headers: &HeaderMap, on: Option<OnUpgrade>) -> Option<Self> {
        let key = headers.get("sec-websocket-key")?.as_bytes();
        let fits = has(headers, "connection", "upgrade")
            && has(headers, "upgrade", "websocket")
            && has(headers, "sec-websocket-version", "13")
            && key.len() == 24;
        if !fits {
            return None;
        }
        Some(Self { on: on?, accept: HeaderValue::try_from(derive_accept_key(key)).ok()? })
    }

    /// The answer 101, which must be sent before [`Self::socket`] gives anything.
    pub fn response(&self) -> Response {
        let mut response = Response::new(Bytes::new().into());
        *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
        let headers = response.headers_mut();
        headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
        headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
        headers.insert(SEC_WEBSOCKET_ACCEPT, self.accept.clone());
        response
    }

    /// `None` when the peer was gone before it had its answer.
    pub async fn socket(self) -> Option<WebSocketStream<TcpStream>> {
        let upgraded = timeout(PATIENCE, self.on).await.ok()?.ok()?;
        let parts = upgraded.downcast::<Early>().ok()?;
        let (unread, tcp) = parts.io.into_parts();
        // A copy: hyper's buffer of 8 kB would stay with the call, whatever it holds.
        let first = [&parts.read_buf[..], &unread].concat();
        Some(WebSocketStream::from_partially_read(tcp, first, Role::Server, Some(config())).await)
    }
}

fn config() -> WebSocketConfig {
    WebSocketConfig::default()
        .read_buffer_size(READ)
        .write_buffer_size(WRITE)
        .max_write_buffer_size(WRITE + MESSAGE)
        .max_message_size(Some(MESSAGE))
        .max_frame_size(Some(MESSAGE))
}

fn has(headers: &HeaderMap, name: &str, wanted: &str) -> bool {
    let values = headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).any(|part| part.trim().eq_ignore_ascii_case(wanted))
}

/// The 101 is 130 bytes: a peer whose socket does not take it within this is not there.
const PATIENCE: Duration = Duration::from_secs(5);
/// Five frames of a carrier. Allocated for each call at once; a `start` with a long token makes it grow.
const READ: usize = 2 * 1024;
/// What is due is written in one go; more than this at once is written in several.
const WRITE: usize = 8 * 1024;
/// DESIGN's limit for a carrier's frame. A `start` with a whole token fits.
const MESSAGE: usize = 64 * 1024;
