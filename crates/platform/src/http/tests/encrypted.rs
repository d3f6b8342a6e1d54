//! TLS: the configured authority, the pin on top of it, and what neither accepts.

use std::sync::Arc;

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, PublicKeyData};
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::{Server, get};
use crate::http::{TargetClient, TargetOptions};

/// An https server on loopback with a certificate of its own authority.
pub(super) struct Encrypted {
    pub(super) server: Server,
    pub(super) ca_pem: Vec<u8>,
    pin: String,
}

struct Listener(TcpListener, TlsAcceptor);

impl axum::serve::Listener for Listener {
    type Io = TlsStream<TcpStream>;
    type Addr = std::net::SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        loop {
            let (stream, peer) = self.0.accept().await.unwrap();
            if let Ok(stream) = self.1.accept(stream).await {
                return (stream, peer);
            }
        }
    }

    fn local_addr(&self) -> std::io::Result<Self::Addr> {
        self.0.local_addr()
    }
}

impl Encrypted {
    pub(super) async fn start(names: &[&str]) -> Self {
        let ca_key = KeyPair::generate().unwrap();
        let mut ca = CertificateParams::new(Vec::<String>::new()).unwrap();
        ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let ca_der = ca.self_signed(&ca_key).unwrap();
        let key = KeyPair::generate().unwrap();
        let names: Vec<_> = names.iter().map(|name| (*name).to_owned()).collect();
        let certificate = CertificateParams::new(names).unwrap().signed_by(&key, &Issuer::new(ca, ca_key)).unwrap();
        let pin = hex::encode(digest(&SHA256, &key.subject_public_key_info()));
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], PrivateKeyDer::Pkcs8(key.serialize_der().into()))
            .unwrap();
        let mut server = Server::start([]).await;
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        server.address = listener.local_addr().unwrap();
        let app = server.router();
        tokio::spawn(async move { axum::serve(Listener(listener, TlsAcceptor::from(Arc::new(config))), app).await });
        let body = STANDARD.encode(ca_der.der());
        let ca_pem = format!("-----BEGIN CERTIFICATE-----\n{body}\n-----END CERTIFICATE-----\n").into_bytes();
        Self { server, ca_pem, pin }
    }

    fn options(&self, host: &str) -> TargetOptions {
        let base = format!("https://{host}:{}", self.server.address.port()).parse().unwrap();
        let mut options = TargetOptions::new("encrypted", base);
        options.ca_pem = Some(self.ca_pem.clone());
        options.retry.max_attempts = 1;
        options
    }
}

async fn code(options: TargetOptions) -> String {
    match TargetClient::new(options).unwrap().send(get("/")).await {
        Ok(response) => response.status.as_u16().to_string(),
        Err(error) => error.code().to_owned(),
    }
}

#[tokio::test]
async fn t13_the_configured_authority_is_believed_and_no_other() {
    let (mine, other) = (Encrypted::start(&["127.0.0.1"]).await, Encrypted::start(&["127.0.0.1"]).await);
    assert_eq!(code(mine.options("127.0.0.1")).await, "200");
    let mut wrong = mine.options("127.0.0.1");
    wrong.ca_pem = Some(other.ca_pem.clone());
    assert_eq!(code(wrong).await, "target_unreachable");
    assert_eq!(mine.server.hits(), 1);
}

#[tokio::test]
async fn t13_a_certificate_for_another_name_is_refused() {
    let server = Encrypted::start(&["other.example"]).await;
    assert_eq!(code(server.options("127.0.0.1")).await, "target_unreachable");
    assert_eq!(server.server.hits(), 0);
}

#[tokio::test]
async fn t13_a_pin_holds_the_key_and_does_not_replace_the_chain() {
    let (mine, other) = (Encrypted::start(&["127.0.0.1"]).await, Encrypted::start(&["127.0.0.1"]).await);
    let pinned = |pin: &str| {
        let mut options = mine.options("127.0.0.1");
        options.pin_sha256 = Some(pin.to_owned());
        options
    };
    assert_eq!(code(pinned(&mine.pin)).await, "200");
    assert_eq!(code(pinned(&mine.pin.to_uppercase())).await, "200");
    assert_eq!(code(pinned(&other.pin)).await, "target_unreachable");
    let mut wrong_chain = pinned(&mine.pin);
    wrong_chain.ca_pem = Some(other.ca_pem.clone());
    assert_eq!(code(wrong_chain).await, "target_unreachable");
    assert_eq!(mine.server.hits(), 2);
}

#[test]
fn settings_that_cannot_work_are_refused_at_the_start() {
    let mut options = TargetOptions::new("t", "https://c.example".parse().unwrap());
    options.ca_pem = Some(b"nothing".to_vec());
    assert_eq!(TargetClient::new(options).unwrap_err().code(), "tls_ca_invalid");
    let mut options = TargetOptions::new("t", "https://c.example".parse().unwrap());
    options.pin_sha256 = Some("abcd".to_owned());
    assert_eq!(TargetClient::new(options).unwrap_err().code(), "tls_pin_invalid");
}
