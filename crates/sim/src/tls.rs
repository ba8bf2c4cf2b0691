//! How does the pretend phone trust a relay? By the public certificate authorities, as Twilio does.
//!
//! One configuration for the whole process, so that sessions are resumed. The crypto provider is always named:
//! rustls panics at run time when two are compiled in and none is chosen.

use rustls::{ClientConfig, RootCertStore};
use std::sync::{Arc, OnceLock};

/// Trusts what public CAs sign.
pub fn public_client() -> Arc<ClientConfig> {
    static CONFIG: OnceLock<Arc<ClientConfig>> = OnceLock::new();
    CONFIG
        .get_or_init(|| {
            let mut roots = RootCertStore::empty();
            roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
            client_trusting(roots)
        })
        .clone()
}

/// Trusts exactly `roots`: for relays with a certificate of their own.
pub fn client_trusting(roots: RootCertStore) -> Arc<ClientConfig> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("the provider has TLS 1.2 and 1.3")
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Arc::new(config)
}
