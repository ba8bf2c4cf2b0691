//! How we speak TLS to the outside.
//!
//! One configuration for all calls: tickets and sessions live in it, so the second call to a provider resumes
//! where the first one left off. The trusted roots are compiled in; the image needs no certificate files.

use std::sync::Arc;

use rustls::{ClientConfig, RootCertStore, client::Resumption, crypto::aws_lc_rs, pki_types::CertificateDer};

/// For WebSockets, which need HTTP/1.1. `extra` are roots to trust beside the public ones.
pub fn for_sockets(extra: &[CertificateDer<'static>]) -> Arc<ClientConfig> {
    config(&["http/1.1"], extra)
}

/// For requests.
pub fn for_requests(extra: &[CertificateDer<'static>]) -> Arc<ClientConfig> {
    config(&["h2", "http/1.1"], extra)
}

fn config(alpn: &[&str], extra: &[CertificateDer<'static>]) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    roots.add_parsable_certificates(extra.iter().cloned());
    // The provider is named, never taken from the process: two of them compiled in would panic otherwise.
    let mut config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("the provider has TLS 1.2 and 1.3")
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.resumption = Resumption::in_memory_sessions(256);
    config.alpn_protocols = alpn.iter().map(|name| name.as_bytes().to_vec()).collect();
    Arc::new(config)
}
