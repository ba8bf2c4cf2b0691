//! How a WebSocket to a provider is opened.
//!
//! Not with the library's own client: that one loses the body of a refusal unless it arrives together with
//! the head, and the body is where a provider says what is wrong with the key. Here hyper speaks HTTP until
//! the upgrade, and the frames begin with the byte after it.

use std::{io, sync::Arc, time::Duration};

use bytes::Bytes;
use http_body_util::{BodyExt, Empty, Limited};
use hyper::{
    HeaderMap, Request, Response, StatusCode, Uri,
    body::Incoming,
    client::conn::http1,
    header::{self, HeaderValue},
};
use hyper_util::{client::legacy::connect::HttpConnector, rt::TokioIo};
use rustls::{ClientConfig, pki_types::ServerName};
use socket2::{SockRef, TcpKeepalive};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{
        handshake::{client::generate_key, derive_accept_key},
        protocol::{Role, WebSocketConfig},
    },
};
use tokio_util::task::AbortOnDropHandle;
use tower_service::Service;

use super::dns::Resolver;
pub use super::stream::LegStream;

/// Opens sockets to providers. Clones share names, sessions and tickets.
#[derive(Clone)]
pub struct Dialer {
    connector: HttpConnector<Resolver>,
    tls: Arc<ClientConfig>,
}

impl std::fmt::Debug for Dialer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Dialer").finish_non_exhaustive()
    }
}

#[derive(Debug, thiserror::Error)]
pub enum DialError {
    #[error("the address is no WebSocket address: {0}")]
    Address(String),
    #[error("no connection: {0}")]
    Connect(String),
    #[error("no secure connection: {0}")]
    Tls(#[source] io::Error),
    #[error("the connection broke during the handshake: {0}")]
    Http(#[from] hyper::Error),
    #[error("refused with HTTP {status}")]
    Refused { status: StatusCode, body: Bytes },
    #[error("{0}")]
    Handshake(&'static str),
    #[error("no answer in time")]
    Slow,
}

impl Dialer {
    pub fn new(tls: Arc<ClientConfig>) -> Self {
        let mut connector = HttpConnector::new_with_resolver(Resolver::default());
        connector.enforce_http(false);
        connector.set_nodelay(true);
        connector.set_connect_timeout(Some(Duration::from_secs(3)));
        connector.set_happy_eyeballs_timeout(Some(Duration::from_millis(200)));
        Self { connector, tls }
    }

    /// Opens a WebSocket within `limit`. `url` may be written with `https` or `wss`, `http` or `ws`.
    pub async fn dial(
        &self,
        url: &str,
        headers: HeaderMap,
        limit: Duration,
    ) -> Result<WebSocketStream<LegStream>, DialError> {
        tokio::time::timeout(limit, self.open(url, headers)).await.map_err(|_| DialError::Slow)?
    }

    async fn open(&self, url: &str, headers: HeaderMap) -> Result<WebSocketStream<LegStream>, DialError> {
        let target = Target::parse(url)?;
        let stream = self.connect(&target).await?;
        let key = generate_key();
        let request = target.request(headers, &key)?;
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        let _driver = AbortOnDropHandle::new(tokio::spawn(connection.with_upgrades()));
        let response = sender.send_request(request).await?;
        if response.status() != StatusCode::SWITCHING_PROTOCOLS {
            return Err(refusal(response).await);
        }
        let accepted = response.headers().get(header::SEC_WEBSOCKET_ACCEPT).map(HeaderValue::as_bytes);
        if accepted != Some(derive_accept_key(key.as_bytes()).as_bytes()) {
            return Err(DialError::Handshake("its answer to the WebSocket handshake is wrong"));
        }
        let upgraded = hyper::upgrade::on(response).await?;
        let parts = upgraded.downcast::<TokioIo<LegStream>>();
        let parts = parts.map_err(|_| DialError::Handshake("the connection is not the one we opened"))?;
        let config = WebSocketConfig::default()
            .read_buffer_size(READ)
            .write_buffer_size(4 << 10)
            .max_write_buffer_size(1 << 20)
            .max_message_size(Some(LARGEST_MESSAGE))
            .max_frame_size(Some(LARGEST_MESSAGE));
        // A copy: hyper's buffer of 8 kB would stay with the leg, whatever it holds.
        let (stream, early) = (parts.io.into_inner(), parts.read_buf.to_vec());
        Ok(WebSocketStream::from_partially_read(stream, early, Role::Client, Some(config)).await)
    }

    async fn connect(&self, target: &Target) -> Result<LegStream, DialError> {
        let tcp = self.connector.clone().call(target.tcp.clone()).await;
        let tcp = tcp.map_err(|error| DialError::Connect(with_causes(&error)))?.into_inner();
        watch(&tcp).map_err(|error| DialError::Connect(error.to_string()))?;
        let Some(name) = &target.secure else { return Ok(LegStream::Plain(tcp)) };
        let tls = TlsConnector::from(self.tls.clone()).connect(name.clone(), tcp).await;
        tls.map(|tls| LegStream::Tls(Box::new(tls))).map_err(DialError::Tls)
    }
}

/// Lets the kernel notice a peer that has vanished: we send fifty frames a second, so unanswered bytes tell.
fn watch(tcp: &TcpStream) -> io::Result<()> {
    let socket = SockRef::from(tcp);
    let keepalive =
        TcpKeepalive::new().with_time(Duration::from_secs(15)).with_interval(Duration::from_secs(5));
    socket.set_tcp_keepalive(&keepalive.with_retries(3))?;
    socket.set_tcp_user_timeout(Some(Duration::from_secs(5)))
}

/// Where to, and how.
struct Target {
    tcp: Uri,
    secure: Option<ServerName<'static>>,
    host: String,
    path: Uri,
}

impl Target {
    fn parse(url: &str) -> Result<Self, DialError> {
        let bad = |why: &dyn std::fmt::Display| DialError::Address(why.to_string());
        let url: Uri = url.parse().map_err(|error| bad(&error))?;
        let host = url.host().ok_or_else(|| bad(&"it has no host"))?;
        let (secure, usual) = match url.scheme_str() {
            Some("https" | "wss") => (true, 443),
            Some("http" | "ws") => (false, 80),
            Some(_) | None => return Err(bad(&"it must begin with wss:// or https://")),
        };
        let port = url.port_u16().unwrap_or(usual);
        let name = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        let secure = secure.then(|| ServerName::try_from(name)).transpose().map_err(|error| bad(&error))?;
        let path = url.path_and_query().map_or("/", |path| path.as_str());
        Ok(Self {
            tcp: format!("http://{host}:{port}/").parse().map_err(|error| bad(&error))?,
            secure,
            host: if port == usual { host.to_owned() } else { format!("{host}:{port}") },
            path: path.parse().map_err(|error| bad(&error))?,
        })
    }

    fn request(&self, headers: HeaderMap, key: &str) -> Result<Request<Empty<Bytes>>, DialError> {
        let value =
            |text: &str| HeaderValue::from_str(text).map_err(|error| DialError::Address(error.to_string()));
        let mut request = Request::new(Empty::new());
        *request.uri_mut() = self.path.clone();
        *request.headers_mut() = headers;
        let all = request.headers_mut();
        all.insert(header::HOST, value(&self.host)?);
        all.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
        all.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
        all.insert(header::SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"));
        all.insert(header::SEC_WEBSOCKET_KEY, value(key)?);
        all.insert(
            header::USER_AGENT,
            HeaderValue::from_static(concat!("patchcord/", env!("CARGO_PKG_VERSION"))),
        );
        Ok(request)
    }
}

/// The whole of what the provider says, up to what a person would read.
async fn refusal(response: Response<Incoming>) -> DialError {
    let status = response.status();
    let body = Limited::new(response.into_body(), 64 << 10).collect().await;
    DialError::Refused { status, body: body.map(|body| body.to_bytes()).unwrap_or_default() }
}

/// An error whose own text is only "error trying to connect" is no help without its cause.
fn with_causes(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

/// One piece of speech of 300 ms. Allocated for each leg at once; longer messages make it grow.
const READ: usize = 4 << 10;
/// A provider's message with seconds of audio; official clients allow as much.
const LARGEST_MESSAGE: usize = 8 << 20;

#[cfg(test)]
mod tests {
    use futures_util::StreamExt;
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::TcpListener,
    };

    use super::*;
    use crate::outward::tls;

    /// A server that reads one request and writes these pieces, a moment apart.
    async fn server(pieces: impl FnOnce(&str) -> Vec<String> + Send + 'static) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            let (mut tcp, _) = listener.accept().await.unwrap();
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                head.push(tcp.read_u8().await.unwrap());
            }
            for piece in pieces(&String::from_utf8(head).unwrap()) {
                tcp.write_all(piece.as_bytes()).await.unwrap();
                tcp.flush().await.unwrap();
                // Not to wait for anything: the pieces must travel apart.
                tokio::time::sleep(Duration::from_millis(30)).await;
            }
        });
        format!("ws://{address}/v1/realtime?model=x")
    }

    async fn dial(url: &str) -> Result<WebSocketStream<LegStream>, DialError> {
        let mut headers = HeaderMap::new();
        headers.insert(header::AUTHORIZATION, HeaderValue::from_static("Bearer secret"));
        Dialer::new(tls::for_sockets(&[])).dial(url, headers, Duration::from_secs(2)).await
    }

    fn accept(head: &str) -> String {
        let key = head.lines().find_map(|line| line.strip_prefix("sec-websocket-key: ")).unwrap();
        format!(
            "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\nsec-websocket-accept: {}\r\n\r\n",
            derive_accept_key(key.as_bytes())
        )
    }

    #[tokio::test]
    async fn a_refusal_is_returned_whole_even_when_its_body_comes_late() {
        let url = server(|_| {
            vec![
                "HTTP/1.1 401 Unauthorized\r\ncontent-length: 24\r\n\r\n".into(),
                r#"{"error":"#.into(),
                r#""invalid key 1"}"#.into(),
            ]
        });
        match dial(&url.await).await {
            Err(DialError::Refused { status, body }) => {
                assert_eq!((status.as_u16(), &body[..]), (401, &br#"{"error":"invalid key 1"}"#[..24]));
            }
            other => panic!("{other:?}"),
        }
    }

    #[tokio::test]
    async fn a_first_frame_in_the_packet_of_the_handshake_is_not_lost() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("ws://{}/", listener.local_addr().unwrap());
        tokio::spawn(async move {
            let (mut tcp, _) = listener.accept().await.unwrap();
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                head.push(tcp.read_u8().await.unwrap());
            }
            let mut answer = accept(&String::from_utf8(head).unwrap()).into_bytes();
            answer.extend([0x81, 2, b'h', b'i']);
            tcp.write_all(&answer).await.unwrap();
            tcp.read_u8().await.ok();
        });
        let mut socket = dial(&url).await.unwrap();
        assert_eq!(socket.next().await.unwrap().unwrap().into_text().unwrap().as_str(), "hi");
    }

    #[tokio::test]
    async fn the_request_names_host_path_and_key() {
        let (sender, head) = tokio::sync::oneshot::channel();
        let url = server(|head| {
            sender.send(head.to_owned()).ok();
            vec![accept(head)]
        });
        dial(&url.await).await.unwrap();
        let head = head.await.unwrap();
        assert!(head.starts_with("GET /v1/realtime?model=x HTTP/1.1\r\n"), "{head}");
        assert!(
            head.contains("authorization: Bearer secret\r\n") && head.contains("host: 127.0.0.1:"),
            "{head}"
        );
    }

    #[tokio::test]
    async fn a_wrong_answer_to_the_handshake_is_refused() {
        let url = server(|head| vec![accept(head).replace("accept: ", "accept: x")]);
        assert!(matches!(dial(&url.await).await, Err(DialError::Handshake(_))));
    }

    #[tokio::test]
    async fn what_cannot_be_an_address_says_so() {
        for url in ["", "host", "ftp://host/", "ws://", "ws:///path", "wss://ho st/"] {
            assert!(matches!(dial(url).await, Err(DialError::Address(_))), "{url}");
        }
        let nobody = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
        let error = dial(&format!("ws://{nobody}/")).await.unwrap_err();
        assert!(error.to_string().contains("refused"), "{error}");
    }
}
