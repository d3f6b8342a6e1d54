//! TLS at our own listener: both HTTP versions, certificates that are replaced, client certificates, and what is no TLS.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use gateway::{ClientCertificates, Tls, TlsFiles};
use platform::clock::AdjustableClock;
use platform::telemetry::Metrics;
use rcgen::{BasicConstraints, CertificateParams, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::fixture::{Reply, Server, soon, tool_path};
use crate::http2;

/// An authority, and what it signs.
struct Authority {
    issuer: Issuer<'static, KeyPair>,
    certificate: CertificateDer<'static>,
}

type Identity = (CertificateDer<'static>, Vec<u8>);

impl Authority {
    fn new() -> Self {
        let key = KeyPair::generate().unwrap();
        let mut ca = CertificateParams::new(Vec::<String>::new()).unwrap();
        ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let certificate = ca.self_signed(&key).unwrap().der().clone();
        Self { issuer: Issuer::new(ca, key), certificate }
    }

    fn sign(&self, until: i32, usage: ExtendedKeyUsagePurpose) -> Identity {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
        params.not_before = rcgen::date_time_ymd(2019, 1, 1);
        params.not_after = rcgen::date_time_ymd(until, 1, 1);
        params.extended_key_usages = vec![usage];
        (params.signed_by(&key, &self.issuer).unwrap().der().clone(), key.serialize_der())
    }

    fn server(&self) -> Identity {
        self.sign(2099, ExtendedKeyUsagePurpose::ServerAuth)
    }

    fn client(&self, until: i32) -> Identity {
        self.sign(until, ExtendedKeyUsagePurpose::ClientAuth)
    }
}

fn pem(label: &str, der: &[u8]) -> String {
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", STANDARD.encode(der))
}

/// Writes as an operator's tool does: beside, and then in place.
fn put(path: &Path, text: &str, mode: u32) {
    let beside = path.with_extension("new");
    std::fs::write(&beside, text).unwrap();
    std::fs::set_permissions(&beside, std::fs::Permissions::from_mode(mode)).unwrap();
    std::fs::rename(&beside, path).unwrap();
}

fn write(folder: &Path, identity: &Identity) -> TlsFiles {
    let (certificate, key) = (folder.join("server.pem"), folder.join("server.key"));
    put(&certificate, &pem("CERTIFICATE", &identity.0), 0o444);
    put(&key, &pem("PRIVATE KEY", &identity.1), 0o400);
    TlsFiles { certificate, key, client_ca: None, clients: ClientCertificates::Off }
}

fn load(files: TlsFiles) -> Result<Tls, platform::Error> {
    Tls::load(files, Arc::new(AdjustableClock::default()), Metrics::new())
}

struct Encrypted {
    server: Server,
    tls: Arc<Tls>,
    folder: TempDir,
    authority: Authority,
}

impl Encrypted {
    async fn start(clients: ClientCertificates) -> Self {
        let (folder, authority) = (TempDir::new().unwrap(), Authority::new());
        let mut files = write(folder.path(), &authority.server());
        let ca = folder.path().join("clients.pem");
        put(&ca, &pem("CERTIFICATE", &authority.certificate), 0o444);
        (files.client_ca, files.clients) = (Some(ca), clients);
        let tls = Arc::new(load(files).unwrap());
        let (given, short) = (Arc::clone(&tls), std::time::Duration::from_millis(300));
        let server = Server::serving(
            1,
            |_| {},
            Default::default(),
            |serving| {
                serving.tls = Some(given);
                serving.limits.head = short;
            },
        )
        .await;
        Self { server, tls, folder, authority }
    }

    async fn connect(&self, alpn: &[u8], client: Option<&Identity>) -> std::io::Result<TlsStream<TcpStream>> {
        let mut roots = RootCertStore::empty();
        roots.add(self.authority.certificate.clone()).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
        let builder = builder.with_root_certificates(roots);
        let mut config = match client {
            None => builder.with_no_client_auth(),
            Some((certificate, key)) => {
                let key = PrivateKeyDer::Pkcs8(key.clone().into());
                builder.with_client_auth_cert(vec![certificate.clone()], key).unwrap()
            }
        };
        config.alpn_protocols = vec![alpn.to_vec()];
        let socket = TcpStream::connect(self.server.address).await?;
        let name = ServerName::from(self.server.address.ip());
        soon(TlsConnector::from(Arc::new(config)).connect(name, socket)).await
    }

    /// `GET /healthz` on a stream that goes on living.
    async fn healthy(&self, stream: &mut TlsStream<TcpStream>) -> bool {
        let request = format!("GET /healthz HTTP/1.1\r\n{}\r\n\r\n", self.server.host());
        let mut first = [0; 12];
        stream.write_all(request.as_bytes()).await.is_ok()
            && soon(stream.read_exact(&mut first)).await.is_ok()
            && first == *b"HTTP/1.1 200"
            // The rest of the reply, up to the end of its body.
            && soon(async {
                let mut last = [0; 1];
                while stream.read_exact(&mut last).await.is_ok() && last != *b"}" {}
                last == *b"}"
            })
            .await
    }

    fn served(stream: &TlsStream<TcpStream>) -> CertificateDer<'static> {
        stream.get_ref().1.peer_certificates().unwrap()[0].clone().into_owned()
    }
}

#[tokio::test]
async fn both_versions_of_http_are_spoken_under_tls() {
    let encrypted = Encrypted::start(ClientCertificates::Off).await;
    let mut one = encrypted.connect(b"http/1.1", None).await.unwrap();
    assert_eq!(one.get_ref().1.alpn_protocol(), Some(&b"http/1.1"[..]));
    assert!(encrypted.healthy(&mut one).await);
    let two = encrypted.connect(b"h2", None).await.unwrap();
    assert_eq!(two.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
    let (status, body) = soon(http2::healthz(two, encrypted.server.address)).await;
    assert_eq!(status, Some(0x88), "{body}");
}

#[tokio::test]
async fn a_new_certificate_is_served_to_new_connections_and_old_ones_live() {
    let encrypted = Encrypted::start(ClientCertificates::Off).await;
    let mut old = encrypted.connect(b"http/1.1", None).await.unwrap();
    assert!(encrypted.healthy(&mut old).await);
    let next = encrypted.authority.server();
    write(encrypted.folder.path(), &next);
    encrypted.tls.look();
    assert_eq!(Encrypted::served(&encrypted.connect(b"http/1.1", None).await.unwrap()), next.0);
    assert!(encrypted.healthy(&mut old).await, "a connection outlives its certificate's replacement");
    // What cannot be used changes nothing: a certificate without its key, text, an end in the past, a key for everybody.
    let other = encrypted.authority.server();
    let expired = encrypted.authority.sign(2020, ExtendedKeyUsagePurpose::ServerAuth);
    let (certificate, key) = (encrypted.folder.path().join("server.pem"), encrypted.folder.path().join("server.key"));
    for (what, text, of_key, mode) in [
        ("another key's", pem("CERTIFICATE", &other.0), &next.1, 0o400),
        ("no certificate", "hello".to_owned(), &next.1, 0o400),
        ("no DER", pem("CERTIFICATE", b"hello"), &next.1, 0o400),
        ("expired", pem("CERTIFICATE", &expired.0), &expired.1, 0o400),
        ("readable by all", pem("CERTIFICATE", &other.0), &other.1, 0o444),
    ] {
        put(&certificate, &text, 0o444);
        put(&key, &pem("PRIVATE KEY", of_key), mode);
        assert_eq!(encrypted.tls.reload().unwrap_err().code(), "tls_files_unusable", "{what}");
        assert_eq!(Encrypted::served(&encrypted.connect(b"http/1.1", None).await.unwrap()), next.0, "{what}");
    }
}

#[tokio::test]
async fn a_client_certificate_is_asked_for_and_only_a_valid_one_will_do() {
    let (required, stranger) = (Encrypted::start(ClientCertificates::Required).await, Authority::new());
    let good = required.authority.client(2099);
    // In TLS 1.3 the client hears of a refusal only when it reads.
    let works =
        async |encrypted: &Encrypted, client: Option<&Identity>| match encrypted.connect(b"http/1.1", client).await {
            Ok(mut stream) => encrypted.healthy(&mut stream).await,
            Err(_) => false,
        };
    assert!(works(&required, Some(&good)).await);
    assert!(!works(&required, None).await, "none");
    assert!(!works(&required, Some(&required.authority.client(2020))).await, "expired");
    assert!(!works(&required, Some(&stranger.client(2099))).await, "of an unknown authority");
    assert!(!works(&required, Some(&required.authority.server())).await, "made for another use");
    let optional = Encrypted::start(ClientCertificates::Optional).await;
    assert!(works(&optional, None).await);
    assert!(works(&optional, Some(&optional.authority.client(2099))).await);
    assert!(!works(&optional, Some(&stranger.client(2099))).await);
}

#[tokio::test]
async fn a_token_bound_to_a_certificate_is_worth_nothing_without_it() {
    let encrypted = Encrypted::start(ClientCertificates::Optional).await;
    let (own, another) = (encrypted.authority.client(2099), encrypted.authority.client(2099));
    let thumbprint: String = platform::canonical::sha256(&own.0).iter().map(|byte| format!("{byte:02x}")).collect();
    let call = async |client: Option<&Identity>| {
        let mut stream = encrypted.connect(b"http/1.1", client).await.unwrap();
        let (path, host) = (tool_path("read_thing"), encrypted.server.host());
        let request = format!(
            "GET {path} HTTP/1.1\r\n{host}\r\nauthorization: Bearer bound.{thumbprint}\r\nconnection: close\r\n\r\n"
        );
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut reply = Vec::new();
        // The other side may close without a word of TLS.
        let _end = soon(stream.read_to_end(&mut reply)).await.is_ok();
        Reply::parse(&reply)
    };
    assert_eq!(call(Some(&own)).await.status, 200);
    for client in [None, Some(&another)] {
        let reply = call(client).await;
        assert_eq!(reply.problem(), (401, "token_invalid".into()));
        assert!(reply.header("www-authenticate").unwrap().contains("error=\"invalid_token\""));
    }
}

#[tokio::test]
async fn what_is_no_handshake_goes_no_further() {
    let encrypted = Encrypted::start(ClientCertificates::Off).await;
    let at = encrypted.server.address;
    let answer = async |bytes: &[u8]| {
        let mut socket = TcpStream::connect(at).await.unwrap();
        socket.write_all(bytes).await.unwrap();
        let mut answer = Vec::new();
        let _end = soon(socket.read_to_end(&mut answer)).await.is_ok();
        answer
    };
    let plain = format!("GET /healthz HTTP/1.1\r\nhost: {at}\r\n\r\n");
    assert_eq!(Reply::parse(&answer(plain.as_bytes()).await).problem(), (400, "tls_required".into()));
    assert_eq!(answer(b"\x00\x01\x02").await, b"", "garbage");
    assert_eq!(answer(b"\x16\x03\x01\x00\x05\x01").await, b"", "a handshake that never comes to its end is cut");
    assert_eq!(answer(b"").await, b"", "silence is cut");
    assert!(!answer(b"\x16\x03\x01\x00\x05hello").await.starts_with(b"HTTP"), "a broken handshake");
    let seen = encrypted.server.metrics.render();
    for code in ["tls_required", "tls_garbage", "tls_handshake_slow", "tls_handshake_failed"] {
        assert!(seen.contains(&format!("interlock_edge_refused_total{{code=\"{code}\"}}")), "{code} in\n{seen}");
    }
    let mut good = encrypted.connect(b"http/1.1", None).await.unwrap();
    assert!(encrypted.healthy(&mut good).await);
}

#[test]
fn files_that_cannot_be_used_are_named_at_the_start() {
    let folder = TempDir::new().unwrap();
    let files = write(folder.path(), &Authority::new().server());
    let refused = |files: &TlsFiles| {
        let error = load(files.clone()).unwrap_err();
        assert_eq!(error.code(), "tls_files_unusable");
        error.message().to_owned()
    };
    let mut missing = files.clone();
    missing.key = folder.path().join("none");
    assert!(refused(&missing).contains("none"));
    let mut asked = files.clone();
    asked.clients = ClientCertificates::Required;
    assert!(refused(&asked).contains("authorities"));
    std::fs::set_permissions(&files.key, std::fs::Permissions::from_mode(0o640)).unwrap();
    assert!(refused(&files).contains("0640"));
    std::fs::set_permissions(&files.key, std::fs::Permissions::from_mode(0o400)).unwrap();
    assert_eq!(load(files).unwrap().not_after(), 4_070_908_800);
}
