//! The lab: everything on one machine, in one process, with the simulated systems in a second one so that they outlive a
//! killed platform. The contract with scripts (the ready line, `lab.json`) stands in `story::ready`.
//!
//! `lab_systems::lab_world` starts and finds the world's process; this file seeds people, secrets and
//! configuration, composes the same parts as production, and serves.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use conformance_fixture::Fixture;
use issuer::{GrantType, Issuer, NewClient, NewUser};
pub use lab_systems::lab_world::run as world;
use lab_systems::lab_world::{LabSystem, LabWorld};
use platform::clock::SharedFileClock;
use platform::config::{Config, IssuerConfig, ServerConfig, load};
use platform::keys::master::{self, MasterKeySource};
use platform::policy::Profile;
use platform::resource::BaseUrl;
use platform::secrets::SecretStore;
use platform::{Error, ErrorKind, Result, Secret, SharedClock, private_file};
use story::{LabUser, People, Ready, ReadyAdmin, ReadyClient, ReadySimulator, ReadyUser};
use tokio::net::TcpListener;
use url::Url;

use crate::compose::{Composed, Given, compose, open_stores};
use crate::running;
use platform::lab_state::LabState;

/// How a lab is started.
#[derive(Debug, Clone)]
pub struct LabOptions {
    /// State folder; made where it is missing, used again where it is a lab's.
    pub state: PathBuf,
    /// Loopback address; port 0 = a free one.
    pub listen: SocketAddr,
    /// Devices per simulated controller.
    pub devices: u32,
    /// Policy profile.
    pub profile: Profile,
    /// Loopback addresses from which documents of clients (CIMD) may come.
    pub documents_from: Vec<SocketAddr>,
    /// `[store] url`; a file in the state folder when nothing is said.
    pub store: Option<String>,
    /// Offer what the official MCP conformance suite asks for, at `/mcp/conformance`.
    pub conformance: bool,
    /// Print the ready line on standard output and nothing else there; otherwise say it in words.
    pub json: bool,
}

/// Runs a lab until SIGTERM.
pub async fn run(options: LabOptions) -> Result<()> {
    if !options.listen.ip().is_loopback() {
        return Err(Error::new(
            ErrorKind::InvalidInput,
            "lab_not_on_loopback",
            "A lab listens on loopback only; its keys and people are worth nothing (T30).",
        ));
    }
    let state = LabState::prepare(&options.state)?;
    let listener = TcpListener::bind(options.listen).await.map_err(|e| {
        Error::new(
            ErrorKind::Unavailable,
            "listen_failed",
            format!(
                "The address {} cannot be used ({e}). Choose another with --listen; port 0 takes a free one.",
                options.listen
            ),
        )
    })?;
    let address = listener.local_addr().map_err(Error::internal)?;
    let clock: SharedClock = Arc::new(SharedFileClock::open(&state.clock()).map_err(Error::internal)?);
    let master = master::of_lab(&state.master_key())?;
    let people = People::open(&state.people())?;
    // The world starts while the platform is put together.
    let simulated = tokio::spawn(LabWorld::start(state.root().to_owned(), options.devices));

    let mut config = configuration(&state, address, options.profile)?;
    if let Some(store) = &options.store {
        config.store.url.clone_from(store);
    }
    let stores = open_stores(&config, &master, &clock).await?;
    let secret = BTreeMap::from([("client_secret".to_owned(), people.pages_secret().clone())]);
    put_if_changed(stores.secrets.as_ref(), &config.pages.secret, secret).await?;
    let simulated = simulated.await.map_err(Error::internal)??;
    for (name, system) in &simulated.systems {
        let credential = BTreeMap::from([
            ("username".to_owned(), Secret::new(system.username.clone())),
            ("password".to_owned(), Secret::new(system.password.clone())),
        ]);
        put_once(stores.secrets.as_ref(), &format!("api/{name}"), credential).await?;
        config.server.push(server(name, system)?);
    }
    let mut fixtures: Vec<(String, Arc<dyn mcp::CallHandler>)> = Vec::new();
    if options.conformance {
        let fixture = Fixture::new(crate::VERSION, Arc::clone(&clock))?;
        fixtures.push((conformance_fixture::NAME.to_owned(), Arc::new(fixture)));
    }
    let documents_from = options.documents_from.clone();
    let given = Given { config: &config, master: &master, clock, address, with_echo: true, fixtures, documents_from };
    let composed = compose(given, stores).await?;
    if let Some(issuer) = &composed.issuer {
        seed(issuer, &people, &config).await?;
    }
    let ready = ready(&config, &people, &simulated, options.conformance);
    let drain = Duration::from_secs(config.platform.drain_s);
    let result = running::run(composed, listener, drain, async |_: &Composed| announce(&options, &state, &ready)).await;
    simulated.stop().await;
    result
}

/// The lab's configuration: production's defaults, and the built-in issuer.
fn configuration(state: &LabState, address: SocketAddr, profile: Profile) -> Result<Config> {
    let mut config = load(None, [])?.config;
    let url = Url::parse(&format!("http://{address}")).map_err(Error::internal)?;
    let issuer = url.join("issuer").map_err(Error::internal)?;
    config.platform.url = url;
    config.platform.listen = address;
    config.platform.state = state.root().to_owned();
    config.audit.url = "local:audit".to_owned();
    config.telemetry.open_metrics = true;
    config.policy.profile = profile.to_string();
    config.secrets.master_key = MasterKeySource::File(state.master_key());
    config.limits.per_principal_per_minute = 60_000;
    config.limits.per_source_per_minute = 120_000;
    config.pages.issuer = issuer.to_string();
    config.issuer = vec![IssuerConfig {
        builtin: true,
        open_registration: true,
        platform_audience: true,
        required_scopes: vec!["mcp".to_owned()],
        groups: Some(GROUPS.iter().map(|g| (*g).to_owned()).collect()),
        mfa_acr: vec![issuer::ACR_MFA.to_owned()],
        ..IssuerConfig::new(issuer)
    }];
    Ok(config)
}

/// The article's groups, and those who read the audit.
const GROUPS: [&str; 5] = ["admin", "auditors", "developers", "network-engineers", "service-desk"];

fn server(name: &str, system: &LabSystem) -> Result<ServerConfig> {
    Ok(ServerConfig {
        name: name.to_owned(),
        connector: system.connector.to_owned(),
        environment: "lab".to_owned(),
        target: Some(Url::parse(&system.url).map_err(Error::internal)?),
        ca_file: None,
        pin_sha256: None,
        // A simulator on the same machine; tests and benches ask more of it than of a vendor's.
        calls_per_minute: 600_000,
        concurrency: 256,
        plan_hash_field: None,
    })
}

/// Writes a secret unless it stands there already: a state folder that is used again gets no new versions.
async fn put_if_changed(secrets: &dyn SecretStore, path: &str, data: BTreeMap<String, Secret>) -> Result<()> {
    let same = |known: &BTreeMap<String, Secret>| {
        known.len() == data.len()
            && data.iter().all(|(k, v)| known.get(k).is_some_and(|other| other.expose() == v.expose()))
    };
    match secrets.get(path, None).await {
        Ok(known) if same(&known.data) => Ok(()),
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        _ => secrets.put(path, data, None).await.map(drop),
    }
}

/// Writes a secret that never stood there: one that was rotated or deleted since is left as it is.
async fn put_once(secrets: &dyn SecretStore, path: &str, data: BTreeMap<String, Secret>) -> Result<()> {
    match secrets.metadata(path).await {
        Err(error) if error.kind() == ErrorKind::NotFound => secrets.put(path, data, Some(0)).await.map(drop),
        other => other.map(drop),
    }
}

/// The lab's people and clients, in the issuer; what is unchanged is not written again.
async fn seed(issuer: &Issuer, people: &People, config: &Config) -> Result<()> {
    let base = BaseUrl::new(&config.platform.url);
    for user in people.users() {
        let LabUser { name, display_name, password, totp_secret, groups } = user.clone();
        let totp_secret = Some(totp_secret);
        let new = NewUser { name, display_name, password, totp_secret, groups, mfa_always: false, seeded: true };
        issuer.create_user(new).await?;
    }
    // The platform registers its own itself.
    let own = [issuer::COMMAND_LINE_CLIENT, config.pages.client_id.as_str()];
    for client in people.clients(&base).into_iter().filter(|client| !own.contains(&client.client_id.as_str())) {
        let mut grants = Vec::new();
        if client.authorization_code {
            grants.extend([GrantType::AuthorizationCode, GrantType::RefreshToken, GrantType::DeviceCode]);
        }
        if client.client_credentials {
            grants.push(GrantType::ClientCredentials);
        }
        issuer
            .create_client(NewClient {
                client_id: client.client_id,
                secret: client.client_secret,
                redirect_uris: client.redirect_uris,
                grants,
                groups: client.groups,
                name: client.name,
                seeded: true,
                ..NewClient::default()
            })
            .await?;
    }
    Ok(())
}

fn ready(config: &Config, people: &People, simulated: &LabWorld, conformance: bool) -> Ready {
    let base = BaseUrl::new(&config.platform.url);
    let fixture = conformance.then_some(conformance_fixture::NAME);
    let names = config.server.iter().map(|s| s.name.as_str()).chain(["interlock"]).chain(fixture);
    let clients = people
        .clients(&base)
        .into_iter()
        .map(|c| ReadyClient { client_id: c.client_id, client_secret: c.client_secret.map(|s| s.expose().to_owned()) });
    Ready {
        ready: true,
        pid: std::process::id(),
        url: base.to_string(),
        issuer: config.pages.issuer.clone(),
        profile: config.policy.profile.clone(),
        mcp: names.map(|name| (name.to_owned(), format!("{base}/mcp/{name}"))).collect(),
        users: people.users().iter().map(ReadyUser::from).collect(),
        clients: clients.collect(),
        simulators: simulated
            .systems
            .iter()
            .map(|(name, s)| {
                let simulator =
                    ReadySimulator { url: s.url.clone(), username: s.username.clone(), password: s.password.clone() };
                (name.clone(), simulator)
            })
            .collect(),
        lab_admin: ReadyAdmin { url: simulated.admin_url.clone(), token: simulated.admin_token.clone() },
    }
}

/// Writes `lab.json`, then tells that the lab is ready.
fn announce(options: &LabOptions, state: &LabState, ready: &Ready) -> Result<()> {
    let line = serde_json::to_string(ready).map_err(Error::internal)?;
    private_file::write(&state.ready(), line.as_bytes()).map_err(Error::internal)?;
    let program = std::env::args().next().unwrap_or_else(|| "interlock".to_owned());
    let text = if options.json { format!("{line}\n") } else { ready.in_words(state.root(), &program) };
    let mut out = std::io::stdout().lock();
    out.write_all(text.as_bytes()).and_then(|()| out.flush()).map_err(Error::internal)
}
