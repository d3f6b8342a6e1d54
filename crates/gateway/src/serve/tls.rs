//! TLS that ends here: rustls on aws-lc-rs, versions 1.2 and 1.3, HTTP/2 and HTTP/1.1 by ALPN, certificates that can be
//! replaced while connections live, and client certificates where an operator asks for them.
//!
//! A new connection uses the files as they were last read. Files that cannot be used never replace ones that can.

use std::fs::Metadata;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use aws_lc_rs::digest::{SHA256, digest};
use platform::config::{ClientCertificateMode, PlatformConfig, TlsMode};
use platform::telemetry::Metrics;
use platform::tokens::ClientCertificate;
use platform::{Error, ErrorKind, Result, SharedClock};
use rustls::RootCertStore;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{NoServerSessionStorage, ServerConfig, WebPkiClientVerifier};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::signal::unix::{SignalKind, signal};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tokio_util::sync::CancellationToken;

use super::words;

/// How often the files are looked at.
const LOOK: Duration = Duration::from_secs(5);
/// A certificate that ends within this time, in seconds, is spoken of.
const SOON: i64 = 14 * 86_400;
/// Largest file that is read: a chain and its keys are a few kilobytes, a bundle of authorities some hundred.
const LARGEST: u64 = 4 << 20;
/// First byte of a TLS record that holds a ClientHello (RFC 8446 section 5.1).
const HANDSHAKE: u8 = 0x16;

/// Whether clients show a certificate.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum ClientCertificates {
    /// They are not asked.
    #[default]
    Off,
    /// They are asked; one that is shown must be valid.
    Optional,
    /// Without a valid one there is no connection.
    Required,
}

/// Where certificates and keys stand, all in PEM.
#[derive(Debug, Clone)]
pub struct TlsFiles {
    /// The chain, our own certificate first.
    pub certificate: PathBuf,
    /// Its private key, readable by its owner only.
    pub key: PathBuf,
    /// Authorities of client certificates.
    pub client_ca: Option<PathBuf>,
    /// Whether clients show one.
    pub clients: ClientCertificates,
}

impl TlsFiles {
    /// As the configuration has them; nothing where TLS does not end at our listener. Errors: `tls_files_missing`.
    pub fn configured(platform: &PlatformConfig) -> Result<Option<Self>> {
        if platform.tls != TlsMode::Own {
            return Ok(None);
        }
        let clients = match platform.client_certificates {
            ClientCertificateMode::Off => ClientCertificates::Off,
            ClientCertificateMode::Optional => ClientCertificates::Optional,
            ClientCertificateMode::Required => ClientCertificates::Required,
        };
        let (Some(certificate), Some(key)) = (platform.tls_certificate.clone(), platform.tls_key.clone()) else {
            return Err(missing(
                "With `platform.tls = \"own\"`, set `platform.tls_certificate` and `platform.tls_key`.",
            ));
        };
        if clients != ClientCertificates::Off && platform.client_ca.is_none() {
            return Err(missing(
                "With `platform.client_certificates`, set `platform.client_ca` to the authorities that they come from.",
            ));
        }
        Ok(Some(Self { certificate, key, client_ca: platform.client_ca.clone(), clients }))
    }

    /// When the certificate ends, seconds since the epoch. Reads the files as the listener would.
    pub fn not_after(&self) -> Result<i64> {
        read(self).map(|read| read.not_after)
    }
}

fn missing(message: &str) -> Error {
    Error::new(ErrorKind::InvalidInput, "tls_files_missing", message)
}

/// What was read.
struct Read {
    config: Arc<ServerConfig>,
    /// End of our own certificate, seconds since the epoch.
    not_after: i64,
}

/// What tells one state of the files from the next: length, time of change, inode.
type Stamp = Vec<Option<(u64, i64, i64, u64)>>;

/// The server's side of TLS.
pub struct Tls {
    files: TlsFiles,
    current: ArcSwap<Read>,
    stamp: Mutex<Stamp>,
    clock: SharedClock,
    metrics: Arc<Metrics>,
}

impl std::fmt::Debug for Tls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tls").field("files", &self.files).finish_non_exhaustive()
    }
}

/// How a connection begins.
pub(super) enum Hello {
    /// With a handshake.
    Secure { stream: Box<TlsStream<TcpStream>>, client: Option<ClientCertificate> },
    /// Not at all, and why.
    Refused(&'static str),
}

impl Tls {
    /// Reads the files. Errors: `tls_files_unusable`, with the file and the reason.
    pub fn load(files: TlsFiles, clock: SharedClock, metrics: Arc<Metrics>) -> Result<Self> {
        let stamp = stamp(&files);
        let read = read(&files)?;
        metrics.tls_not_after(read.not_after);
        let tls = Self { files, current: ArcSwap::from_pointee(read), stamp: Mutex::new(stamp), clock, metrics };
        tls.speak_of_the_end();
        Ok(tls)
    }

    /// End of the certificate in use, seconds since the epoch.
    pub fn not_after(&self) -> i64 {
        self.current.load().not_after
    }

    /// Reads the files again. What cannot be used leaves everything as it is.
    pub fn reload(&self) -> Result<()> {
        let stamp = stamp(&self.files);
        let outcome = read(&self.files).and_then(|read| {
            let now = self.clock.epoch_seconds();
            if read.not_after <= now && self.not_after() > now {
                return Err(unusable(
                    &self.files.certificate,
                    "the new certificate has expired, the one in use has not",
                ));
            }
            Ok(read)
        });
        // Remembered in both cases: a bad file is spoken of once, and not every few seconds.
        *self.stamp.lock().unwrap_or_else(PoisonError::into_inner) = stamp;
        self.metrics.tls_reload(outcome.is_ok());
        match outcome {
            Ok(read) => {
                self.metrics.tls_not_after(read.not_after);
                self.current.store(Arc::new(read));
                tracing::info!("certificates were read again; new connections use them");
                self.speak_of_the_end();
                Ok(())
            }
            Err(error) => {
                tracing::error!(
                    error.code = error.code(),
                    error.message = error.message(),
                    "new certificate files cannot be used; the ones in use stay"
                );
                Err(error)
            }
        }
    }

    /// Looks at the files every few seconds, and reads them again when one has changed or on SIGHUP, until `stop`.
    pub(super) async fn watch(&self, stop: CancellationToken) {
        let mut ticks = tokio::time::interval(LOOK);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut hang_up = match signal(SignalKind::hangup()) {
            Ok(hang_up) => hang_up,
            Err(error) => {
                tracing::warn!(error.message = %error, "SIGHUP cannot be heard; the files are looked at all the same");
                while stop.run_until_cancelled(ticks.tick()).await.is_some() {
                    self.look();
                }
                return;
            }
        };
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                _ = ticks.tick() => self.look(),
                // Told where it is read; the certificates in use stay if the new ones cannot be used.
                _ = hang_up.recv() => drop(self.reload()),
            }
        }
    }

    /// Reads the files again when one has changed since they were last read.
    pub fn look(&self) {
        let changed = *self.stamp.lock().unwrap_or_else(PoisonError::into_inner) != stamp(&self.files);
        if changed {
            // Told where it is read.
            drop(self.reload());
        }
    }

    fn speak_of_the_end(&self) {
        let left = self.not_after().saturating_sub(self.clock.epoch_seconds());
        if left <= 0 {
            tracing::error!("the certificate has expired: clients will refuse it");
        } else if left < SOON {
            tracing::warn!(interlock.days = left / 86_400, "the certificate expires soon");
        }
    }

    /// The handshake, within `limit`.
    pub(super) async fn accept(&self, stream: TcpStream, limit: Duration) -> Hello {
        tokio::time::timeout(limit, self.shake_hands(stream)).await.unwrap_or(Hello::Refused("tls_handshake_slow"))
    }

    async fn shake_hands(&self, mut stream: TcpStream) -> Hello {
        let mut first = [0];
        match stream.peek(&mut first).await {
            Ok(1) if first[0] == HANDSHAKE => {}
            Ok(1) if first[0].is_ascii_uppercase() => {
                // A plain request: whoever sent it can read why it goes no further.
                let _said = stream.write_all(&words::answer(words::tls_required())).await.is_ok()
                    && stream.shutdown().await.is_ok();
                let mut unread = [0; 4096];
                while let Ok(1..) = stream.read(&mut unread).await {}
                return Hello::Refused("tls_required");
            }
            Ok(1) => return Hello::Refused("tls_garbage"),
            _ => return Hello::Refused("tls_silence"),
        }
        let config = Arc::clone(&self.current.load().config);
        match TlsAcceptor::from(config).accept(stream).await {
            Ok(stream) => {
                let chain = stream.get_ref().1.peer_certificates().unwrap_or_default();
                let client = chain.first().map(|leaf| ClientCertificate(fingerprint(leaf)));
                Hello::Secure { stream: Box::new(stream), client }
            }
            Err(error) => {
                tracing::debug!(error.message = %error, "a TLS handshake failed");
                Hello::Refused("tls_handshake_failed")
            }
        }
    }
}

fn fingerprint(certificate: &CertificateDer<'_>) -> [u8; 32] {
    let mut fingerprint = [0; 32];
    fingerprint.copy_from_slice(digest(&SHA256, certificate).as_ref());
    fingerprint
}

fn unusable(file: &Path, why: impl std::fmt::Display) -> Error {
    Error::new(
        ErrorKind::InvalidInput,
        "tls_files_unusable",
        format!("{} cannot be used for TLS: {why}.", file.display()),
    )
}

fn stamp(files: &TlsFiles) -> Stamp {
    let of = |m: Metadata| (m.len(), m.mtime(), m.mtime_nsec(), m.ino());
    let all = [Some(&files.certificate), Some(&files.key), files.client_ca.as_ref()];
    all.into_iter().flatten().map(|file| std::fs::metadata(file).ok().map(of)).collect()
}

fn bytes(file: &Path) -> Result<Vec<u8>> {
    let metadata = std::fs::metadata(file).map_err(|e| unusable(file, e))?;
    if metadata.len() > LARGEST {
        return Err(unusable(file, "it is too large"));
    }
    std::fs::read(file).map_err(|e| unusable(file, e))
}

/// The certificates of a PEM file.
pub(crate) fn certificates(pem: &[u8]) -> std::result::Result<Vec<CertificateDer<'static>>, String> {
    let chain: Vec<_> =
        CertificateDer::pem_slice_iter(pem).collect::<std::result::Result<_, _>>().map_err(|e| e.to_string())?;
    if chain.is_empty() { Err("it holds no certificate in PEM form".to_owned()) } else { Ok(chain) }
}

/// End of a certificate, seconds since the epoch.
pub(crate) fn not_after(certificate: &[u8]) -> std::result::Result<i64, String> {
    let (_, read) = x509_parser::parse_x509_certificate(certificate).map_err(|e| e.to_string())?;
    Ok(read.validity().not_after.timestamp())
}

fn read(files: &TlsFiles) -> Result<Read> {
    let of_certificate = |why: String| unusable(&files.certificate, why);
    let chain = certificates(&bytes(&files.certificate)?).map_err(of_certificate)?;
    let not_after = not_after(chain.first().map(|c| &**c).unwrap_or_default()).map_err(of_certificate)?;
    let key = private_key(&files.key)?;
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(Error::internal)?;
    let builder = match (files.clients, &files.client_ca) {
        (ClientCertificates::Off, _) => builder.with_no_client_auth(),
        (_, None) => {
            return Err(unusable(&files.certificate, "client certificates are asked for without their authorities"));
        }
        (clients, Some(ca)) => {
            let mut roots = RootCertStore::empty();
            for certificate in certificates(&bytes(ca)?).map_err(|why| unusable(ca, why))? {
                roots.add(certificate).map_err(|e| unusable(ca, e))?;
            }
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
            let verifier =
                if clients == ClientCertificates::Optional { verifier.allow_unauthenticated() } else { verifier };
            builder.with_client_cert_verifier(verifier.build().map_err(|e| unusable(ca, e))?)
        }
    };
    let mut config = builder
        .with_single_cert(chain, key)
        .map_err(|e| unusable(&files.certificate, format!("certificate and key do not fit ({e})")))?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    if files.clients != ClientCertificates::Off {
        // A resumed session would carry a client certificate past its end.
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.send_tls13_tickets = 0;
    }
    Ok(Read { config: Arc::new(config), not_after })
}

fn private_key(file: &Path) -> Result<PrivateKeyDer<'static>> {
    let mode = std::fs::metadata(file).map_err(|e| unusable(file, e))?.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        return Err(unusable(file, format!("others can read it (mode {mode:04o}); `chmod 0400` it")));
    }
    let pem = zeroize::Zeroizing::new(bytes(file)?);
    PrivateKeyDer::from_pem_slice(&pem).map_err(|_| unusable(file, "it holds no private key in PEM form"))
}
