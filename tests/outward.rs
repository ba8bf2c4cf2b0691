//! TLS to a provider: the second call resumes where the first one left off, and strangers are not trusted.

use std::{sync::Arc, time::Duration};

use futures_util::StreamExt;
use hyper::HeaderMap;
use patchcord::outward::{
    dial::{DialError, Dialer},
    tls,
};
use rustls::{
    HandshakeKind, ServerConfig,
    pki_types::{CertificateDer, PrivateKeyDer},
};
use tokio::{net::TcpListener, sync::mpsc};
use tokio_rustls::TlsAcceptor;

const LIMIT: Duration = Duration::from_secs(10);

/// A provider on `localhost` that tells how each connection began, and says one word on it.
async fn provider() -> (String, CertificateDer<'static>, mpsc::UnboundedReceiver<HandshakeKind>) {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let key = PrivateKeyDer::Pkcs8(made.signing_key.serialize_der().into());
    let certificate = made.cert.der().clone();
    let crypto = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ServerConfig::builder_with_provider(crypto).with_safe_default_protocol_versions().unwrap();
    let config = config.with_no_client_auth().with_single_cert(vec![certificate.clone()], key).unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("wss://localhost:{}/v1/realtime", listener.local_addr().unwrap().port());
    let (kinds, seen) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        while let Ok((tcp, _)) = listener.accept().await {
            let Ok(tls) = acceptor.accept(tcp).await else { continue };
            kinds.send(tls.get_ref().1.handshake_kind().unwrap()).ok();
            let mut socket = tokio_tungstenite::accept_async(tls).await.unwrap();
            futures_util::SinkExt::send(&mut socket, "hello".into()).await.unwrap();
            tokio::spawn(async move { socket.next().await });
        }
    });
    (url, certificate, seen)
}

#[tokio::test]
async fn the_second_call_resumes_the_first_ones_session() {
    let (url, root, mut seen) = provider().await;
    let dialer = Dialer::new(tls::for_sockets(&[root]));
    for expected in [HandshakeKind::Full, HandshakeKind::Resumed, HandshakeKind::Resumed] {
        let mut socket = dialer.dial(&url, HeaderMap::new(), LIMIT).await.unwrap();
        // Tickets come with the first bytes after the handshake.
        assert_eq!(socket.next().await.unwrap().unwrap().into_text().unwrap().as_str(), "hello");
        assert_eq!(seen.recv().await.unwrap(), expected);
    }
}

#[tokio::test]
async fn a_provider_that_nobody_vouches_for_is_not_spoken_to() {
    let (url, _, _) = provider().await;
    let error = Dialer::new(tls::for_sockets(&[])).dial(&url, HeaderMap::new(), LIMIT).await.unwrap_err();
    assert!(matches!(error, DialError::Tls(_)), "{error}");
}
