//! Whom an outbound connection believes: rustls on aws-lc-rs, TLS 1.2 and 1.3, the system's certificate authorities or
//! only the configured ones, and where configured a pin on the peer's public key on top of the chain check.

use std::sync::Arc;

use aws_lc_rs::digest::{SHA256, digest};
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};

use crate::error::{Error, ErrorKind};

/// The TLS side of a client of another protocol than HTTP: the same authorities and the same checks.
///
/// - `ca_pem`: the only authorities to trust, instead of the system's.
///
/// Errors: `tls_no_authorities`, `tls_ca_invalid`.
pub fn verified_tls(ca_pem: Option<&[u8]>) -> Result<ClientConfig, Error> {
    client_config(true, ca_pem, None)
}

/// The TLS side of one client.
///
/// - `encrypted`: false for an http target; then no certificate authority is loaded, and https would always fail.
/// - `ca_pem`: the only authorities to trust, instead of the system's.
/// - `pin_sha256`: hexadecimal SHA-256 of the peer's SubjectPublicKeyInfo (as in RFC 7469), *and* the chain must hold.
pub(super) fn client_config(
    encrypted: bool,
    ca_pem: Option<&[u8]>,
    pin_sha256: Option<&str>,
) -> Result<ClientConfig, Error> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .map_err(Error::internal)?;
    if !encrypted {
        return Ok(builder.with_root_certificates(RootCertStore::empty()).with_no_client_auth());
    }
    let chain = chain_verifier(ca_pem, provider)?;
    let verifier = match pin_sha256 {
        None => chain,
        Some(pin) => Arc::new(Pinned { chain, pin: parse_pin(pin)? }),
    };
    Ok(builder.dangerous().with_custom_certificate_verifier(verifier).with_no_client_auth())
}

fn bad_setting(code: &'static str, message: &str, detail: impl std::fmt::Display) -> Error {
    Error::new(ErrorKind::InvalidInput, code, message).with_detail(detail)
}

fn chain_verifier(ca_pem: Option<&[u8]>, provider: Arc<CryptoProvider>) -> Result<Arc<dyn ServerCertVerifier>, Error> {
    let Some(pem) = ca_pem else {
        return Ok(Arc::new(rustls_platform_verifier::Verifier::new(provider).map_err(|e| {
            bad_setting("tls_no_authorities", "The system's certificate authorities cannot be read; set a CA file.", e)
        })?));
    };
    let bad_ca = |detail: String| {
        bad_setting("tls_ca_invalid", "The configured CA file holds no usable certificate in PEM form.", detail)
    };
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(pem) {
        roots.add(certificate.map_err(|e| bad_ca(e.to_string()))?).map_err(|e| bad_ca(e.to_string()))?;
    }
    let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider);
    Ok(verifier.build().map_err(|e| bad_ca(e.to_string()))?)
}

fn parse_pin(text: &str) -> Result<[u8; 32], Error> {
    let mut pin = [0; 32];
    hex::decode_to_slice(text.trim(), &mut pin).map_err(|e| {
        bad_setting("tls_pin_invalid", "A pin is the SHA-256 of a public key: 64 hexadecimal digits.", e)
    })?;
    Ok(pin)
}

/// The chain check and, after it, the peer's key.
#[derive(Debug)]
struct Pinned {
    chain: Arc<dyn ServerCertVerifier>,
    pin: [u8; 32],
}

impl ServerCertVerifier for Pinned {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let verified = self.chain.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)?;
        let key = ParsedCertificate::try_from(end_entity)?.subject_public_key_info();
        if digest(&SHA256, &key).as_ref() == self.pin {
            Ok(verified)
        } else {
            Err(CertificateError::ApplicationVerificationFailure.into())
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.chain.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.chain.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.chain.supported_verify_schemes()
    }
}
