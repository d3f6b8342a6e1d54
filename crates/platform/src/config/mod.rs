//! The typed configuration: one TOML file, unknown keys refused, every backend chosen by URL (rule T31).
//!
//! Values come from three places, the later ones winning: built-in defaults, the file, the environment
//! (`INTERLOCK__SECTION__KEY`). [`load`] remembers which one it was, so that `interlock check` can say it. This module
//! is the only reader of the environment.
//!
//! Where next: `issuer.rs` for what is said of an issuer, `load.rs` for how the three places become one.

mod issuer;
mod load;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;
use url::Url;

use crate::keys::master::MasterKeySource;

pub use self::issuer::{IssuerConfig, IssuerTokens};
pub use self::load::{ConfigError, Loaded, Origin, environment, load};

/// The whole configuration.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The process.
    pub platform: PlatformConfig,
    /// Logs.
    pub telemetry: TelemetryConfig,
    /// Policy engine.
    pub policy: PolicyConfig,
    /// Secret store.
    pub secrets: SecretsConfig,
    /// Store of truth.
    pub store: StoreConfig,
    /// Audit log.
    pub audit: AuditConfig,
    /// Sealed artifacts: configurations, plans, large results.
    pub artifacts: ArtifactsConfig,
    /// Runs of workflows.
    pub workflows: WorkflowsConfig,
    /// Rates and cache.
    pub shared: BackendConfig,
    /// The platform's own sign-in for its pages.
    pub pages: PagesConfig,
    /// Limits.
    pub limits: LimitsConfig,
    /// Replicas.
    pub cluster: ClusterConfig,
    /// Target directory.
    pub targets: TargetsConfig,
    /// Issuers whose tokens are accepted.
    #[serde(default)]
    pub issuer: Vec<IssuerConfig>,
    /// Server instances.
    #[serde(default)]
    pub server: Vec<ServerConfig>,
}

/// `[platform]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlatformConfig {
    /// Public base URL; resource identifiers and links begin with it.
    pub url: Url,
    /// Address to listen on.
    pub listen: SocketAddr,
    /// State folder; relative paths in backend URLs are below it.
    pub state: PathBuf,
    /// `none` (plain HTTP, loopback only), `at-proxy` (a trusted proxy terminates TLS) or `own` (it ends here).
    pub tls: TlsMode,
    /// With `tls = "own"`: PEM file with the certificate chain, our own first. Read again when it changes.
    pub tls_certificate: Option<PathBuf>,
    /// With `tls = "own"`: PEM file with its private key, mode 0400.
    pub tls_key: Option<PathBuf>,
    /// PEM file with the authorities of client certificates.
    pub client_ca: Option<PathBuf>,
    /// Whether clients show a certificate.
    pub client_certificates: ClientCertificateMode,
    /// Addresses or networks whose `X-Forwarded-*` headers count (T2).
    #[serde(default)]
    pub trusted_proxies: Vec<String>,
    /// Further `Host` names under which the platform answers, beside the public URL's.
    #[serde(default)]
    pub allowed_hosts: Vec<String>,
    /// Further browser origins that may call, beside the public URL's.
    #[serde(default)]
    pub allowed_origins: Vec<String>,
    /// OAuth clients that answer a step-up challenge by HTTP (RFC 9470) by signing in again; all others get a link (T4).
    pub step_up_challenge_clients: Vec<String>,
    /// Seconds that open calls get at shutdown.
    pub drain_s: u64,
}

/// Where TLS ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TlsMode {
    /// Nowhere: loopback only.
    None,
    /// At a proxy in front of us.
    AtProxy,
    /// At our own listener.
    Own,
}

/// Whether clients show a certificate in the TLS handshake.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ClientCertificateMode {
    /// They are not asked.
    Off,
    /// They are asked; one that is shown must be valid.
    Optional,
    /// Without a valid one there is no connection.
    Required,
}

/// `[telemetry]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TelemetryConfig {
    /// `ecs` (JSON lines) or `human`.
    pub format: LogFormat,
    /// Filter directives, as `tracing-subscriber` reads them.
    pub filter: String,
    /// Whether `/metrics` is served without a token.
    pub open_metrics: bool,
}

/// Form of log lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LogFormat {
    /// JSON lines with Elastic Common Schema names.
    Ecs,
    /// For people.
    Human,
}

/// `[policy]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PolicyConfig {
    /// `rego:embedded`, or `rego:<folder>` with policies and data of your own.
    pub url: String,
    /// `production`, or `lab-open` in the lab only.
    pub profile: String,
}

/// `[secrets]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SecretsConfig {
    /// `local:<file>`.
    pub url: String,
    /// The 32-byte master key in hexadecimal: `file:<path>` (mode 0400), `credential:<name>` of the service manager, or
    /// `environment` (`INTERLOCK_MASTER_KEY`). `serve` never invents one (T28).
    pub master_key: MasterKeySource,
}

/// `[store]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StoreConfig {
    /// `sqlite:<file>`, or `postgres://<user>@<host>[:<port>]/<database>`; a password never stands in it.
    pub url: String,
    /// With PostgreSQL: path in the secret store of its `password`.
    pub secret: String,
    /// With PostgreSQL: PEM file with the certificate authorities to trust for it, instead of the system's.
    pub ca_file: Option<PathBuf>,
}

/// `[audit]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AuditConfig {
    /// `local:<folder>`. Where the store is PostgreSQL, every record stands there too before the reply (T25).
    pub url: String,
    /// Further places of signed checkpoints: `file:<path>`, `https://…` (a webhook), `syslog:<host>:<port>`,
    /// `objects:<folder>` (one object per checkpoint, never overwritten).
    #[serde(default)]
    pub anchors: Vec<String>,
    /// Days that records are kept, 0 for ever; their proofs are kept for ever.
    pub keep_days: u32,
    /// Days that sealed payloads are kept; then the month's key is destroyed (T26).
    pub payload_keep_days: u32,
}

/// `[artifacts]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ArtifactsConfig {
    /// `files:<folder>`, or `store:` for the PostgreSQL of `[store]`.
    pub url: String,
    /// Days that an artifact is kept where its owner named no other time.
    pub keep_days: u32,
}

/// `[workflows]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WorkflowsConfig {
    /// `sqlite:<file>`: the journal of runs.
    pub url: String,
    /// Days that a run is kept after its end, 0 for ever.
    pub keep_days: u32,
}

impl WorkflowsConfig {
    /// How long a run is kept after its end.
    pub fn keep(&self) -> Duration {
        match self.keep_days {
            0 => Duration::MAX,
            days => Duration::from_secs(u64::from(days) * 86_400),
        }
    }
}

/// A backend that needs nothing but its URL.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BackendConfig {
    /// `local:`.
    pub url: String,
}

/// `[pages]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PagesConfig {
    /// Issuer (one of `[[issuer]]`) where people sign in to the pages.
    pub issuer: String,
    /// OAuth client of the pages.
    pub client_id: String,
    /// Path in the secret store that holds `client_secret`.
    pub secret: String,
}

/// `[limits]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LimitsConfig {
    /// Calls per minute and principal.
    pub per_principal_per_minute: u32,
    /// Calls per minute and source address.
    pub per_source_per_minute: u32,
    /// Most bytes of a request body.
    pub max_body: usize,
    /// Most bytes of a result.
    pub max_result: usize,
    /// Calls under way at once; more are shed with 503.
    pub max_concurrent: usize,
    /// Requests of one source address under way at once; more are refused with 429.
    pub max_concurrent_per_source: usize,
    /// Requests of one principal under way at once; more are refused with 429.
    pub max_concurrent_per_principal: usize,
    /// Open connections at once.
    pub max_connections: usize,
    /// Open connections of one source address at once; trusted proxies have no such limit.
    pub max_connections_per_source: usize,
    /// Requests without a valid token per minute and source address; beyond it the answer is 429 instead of 401.
    pub failures_per_source_per_minute: u32,
    /// Seconds for a TLS handshake, and for the head of a request.
    pub headers_timeout_s: u64,
    /// Seconds that a connection may stay open without a request.
    pub idle_timeout_s: u64,
    /// Bytes per second that a request's body must come with, after its first ten seconds.
    pub body_bytes_per_s: u64,
    /// Seconds after which a request is given up.
    pub request_timeout_s: u64,
}

/// `[cluster]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClusterConfig {
    /// Number of replicas; more than one needs shared backends (T24).
    pub replicas: u32,
}

/// `[targets]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TargetsConfig {
    /// The operator's own list of devices, `.toml` or `.csv` (`docs/targets.md`); it adds to what servers know.
    pub file: Option<PathBuf>,
    /// Seconds between two readings of each source.
    pub refresh_s: u64,
}

/// `[[server]]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ServerConfig {
    /// Instance name: `/mcp/<name>`.
    pub name: String,
    /// Connector.
    pub connector: String,
    /// `production`, `test`, `lab`, …: policy sees it.
    pub environment: String,
    /// Base URL of the target system.
    pub target: Option<Url>,
    /// PEM file with the certificate authorities to trust for it.
    pub ca_file: Option<PathBuf>,
    /// SHA-256 pin of its certificate's SubjectPublicKeyInfo, hexadecimal.
    pub pin_sha256: Option<String>,
    /// Most requests to it within any minute (T31).
    #[serde(default = "default_calls_per_minute")]
    pub calls_per_minute: u32,
    /// Most requests to it at once.
    #[serde(default = "default_concurrency")]
    pub concurrency: u32,
    /// For `servicenow`: the field of change requests that holds a plan's hash. Nothing = first line of `implementation_plan`.
    pub plan_hash_field: Option<String>,
}

fn default_calls_per_minute() -> u32 {
    600
}

fn default_concurrency() -> u32 {
    16
}

/// The built-in defaults, as a configuration file.
pub const DEFAULTS: &str = include_str!("defaults.toml");
