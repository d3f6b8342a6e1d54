//! Who is let in, over what, and what a server must be.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use engines::{Certificate, Postgres, Settings};
use interlock_postgres_database::{Database, Options};
use platform::{Error, Secret};

fn pem(label: &str, der: &[u8]) -> String {
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", STANDARD.encode(der))
}

struct Authority {
    certificate: rcgen::Certificate,
    issuer: rcgen::Issuer<'static, rcgen::KeyPair>,
}

impl Authority {
    fn new() -> Self {
        let key = rcgen::KeyPair::generate().unwrap();
        let mut params = rcgen::CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let certificate = params.self_signed(&key).unwrap();
        Self { certificate, issuer: rcgen::Issuer::new(params, key) }
    }

    fn server(&self, name: &str) -> Certificate {
        let key = rcgen::KeyPair::generate().unwrap();
        let params = rcgen::CertificateParams::new(vec![name.to_owned()]).unwrap();
        let leaf = params.signed_by(&key, &self.issuer).unwrap();
        Certificate { chain_pem: pem("CERTIFICATE", leaf.der()), key_pem: pem("PRIVATE KEY", &key.serialize_der()) }
    }
}

async fn opened(url: &str, ca: Option<&Authority>, password: Option<&str>) -> Result<Database, Error> {
    let mut options = Options::new(url, None, password.map(Secret::from)).unwrap();
    options.ca_pem = ca.map(|ca| pem("CERTIFICATE", ca.certificate.der()).into_bytes());
    Database::open(&options).await
}

async fn code(url: &str, ca: Option<&Authority>, password: Option<&str>) -> String {
    opened(url, ca, password).await.unwrap_err().code().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_password_is_proven_by_scram_over_verified_tls() {
    let ours = Authority::new();
    let settings = Settings {
        password: Some("of this test".to_owned()),
        certificate: Some(ours.server("localhost")),
        ..Settings::default()
    };
    let Some(server) = Postgres::own_for_tests(settings) else { return };
    let fresh = server.database().unwrap();
    let by_address = format!("{}?sslmode=require", fresh.url());
    let by_name = by_address.replace("127.0.0.1", "localhost");
    let database = opened(&by_name, Some(&ours), Some("of this test")).await.unwrap();
    let row = database.read("SELECT ssl, version FROM pg_stat_ssl WHERE pid = pg_backend_pid()", &[]).await.unwrap();
    assert_eq!((row[0].get::<_, bool>(0), row[0].get::<_, &str>(1)), (true, "TLSv1.3"));
    // Another authority, another name, none of the system's authorities.
    assert_eq!(code(&by_name, Some(&Authority::new()), Some("of this test")).await, "store_unavailable");
    assert_eq!(code(&by_address, Some(&ours), Some("of this test")).await, "store_unavailable");
    assert_eq!(code(&by_name, None, Some("of this test")).await, "store_unavailable");
    for wrong in [Some("guessed"), None] {
        let refused = opened(&by_name, Some(&ours), wrong).await.unwrap_err();
        assert_eq!(refused.code(), "store_denied", "{:?}", refused.detail());
        assert!(!format!("{:?}", refused.detail()).contains("guessed"));
    }
    opened(&fresh.url(), None, Some("of this test")).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_there_or_does_not_fit_is_told_at_start() {
    let Some(server) = Postgres::for_tests() else { return };
    let fresh = server.database().unwrap();
    // A server without TLS is never spoken to in clear when TLS was asked for.
    assert_eq!(
        code(&format!("{}?sslmode=require", fresh.url()), Some(&Authority::new()), None).await,
        "store_unavailable"
    );
    assert_eq!(code(&format!("{}/nothing_here", server.url()), None, None).await, "store_denied");
    assert_eq!(code(&fresh.url().replace("postgres@", "nobody_here@"), None, None).await, "store_denied");
    let free = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap();
    assert_eq!(code(&format!("postgres://postgres@{free}/x"), None, None).await, "store_unavailable");
    let name = format!("latin_{}", fresh.name());
    let create = format!("CREATE DATABASE {name} ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0");
    fresh.psql(&create).unwrap();
    let latin = code(&format!("{}/{name}", server.url()), None, None).await;
    fresh.psql(&format!("DROP DATABASE {name} WITH (FORCE)")).unwrap();
    assert_eq!(latin, "store_unsuitable");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_is_on_disk_when_it_returns_whatever_the_role_says() {
    let Some(server) = Postgres::for_tests() else { return };
    let fresh = server.database().unwrap();
    fresh.psql(&format!("ALTER DATABASE {} SET synchronous_commit = 'off'", fresh.name())).unwrap();
    let database = opened(&fresh.url(), None, None).await.unwrap();
    let setting = database.read("SELECT current_setting('synchronous_commit')", &[]).await.unwrap();
    assert_eq!(setting[0].get::<_, &str>(0), "on");
    fresh.psql(&format!("ALTER DATABASE {} SET synchronous_commit = 'remote_apply'", fresh.name())).unwrap();
    let stricter = opened(&fresh.url(), None, None).await.unwrap();
    let setting = stricter.read("SELECT current_setting('synchronous_commit')", &[]).await.unwrap();
    assert_eq!(setting[0].get::<_, &str>(0), "remote_apply");
}
