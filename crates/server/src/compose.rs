//! How the parts meet: one function from a configuration and a bound address to everything that answers.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::UNIX_EPOCH;

use artifacts_files::ArtifactFiles;
use artifacts_postgres::PostgresArtifacts;
use audit_log::anchor::{self, AnchorSecrets};
use audit_log::{AuditLogFile, AuditOptions, KeptKeys, Payloads, Registry, Replica};
use audit_postgres::PostgresAudit;
use axum::Router;
use facade::{Facade, FacadeOptions};
use gateway::mcp_door::Endpoints;
use gateway::{BrowserSessions, Options, Revoking, Serving};
use issuer::{Issuer, IssuerOptions};
use own_tools::OwnTools;
use own_tools::rotation::Rotations;
use platform::artifacts::{ArtifactStore, Artifacts};
use platform::audit::{AuditEntry, AuditLog, Outcome};
use platform::audit_payload::StoredPayloadKeys;
use platform::audit_refusals::RefusalCounter;
use platform::config::{Config, ServerConfig};
use platform::http::{AddressRule, ForeignClient, ForeignOptions, OutboundObserver};
use platform::keyed_hash::KeyedHash;
use platform::keys::{KeyRegistry, ManagedKey, Purpose, PurposeKeys, Reseal};
use platform::policy::{PolicyEngine, Profile};
use platform::resource::BaseUrl;
use platform::revocation::Revocations;
use platform::secret::SecretKey;
use platform::secrets::SecretStore;
use platform::store::{Op, Store};
use platform::telemetry::Metrics;
use platform::telemetry::audit_log::AuditSource;
use platform::{Error, ErrorKind, Json, Result, SharedClock, private_file};
use policy_rego::{PassedGate, RegoEngine};
use postgres_database::Database;
use secrets_local::LocalSecrets;
use shared_local::LocalShared;
use store_postgres::{PostgresStore, Sharing};
use store_sqlite::SqliteStore;
use tokens_oidc::{BackChannelLogout, IssuerEntry, OidcProvider, OidcSignIn, RevocationFloors, Verifier};
use tool_runtime::pipeline::{Limits, Parts};
use tool_runtime::{Catalogue, Instance, Pipeline, Visibility};

use crate::offline::local_file;
use crate::{connectors, keys};

/// What is given from outside.
pub struct Given<'a> {
    /// Configuration.
    pub config: &'a Config,
    /// Master key.
    pub master: &'a SecretKey,
    /// Time of day.
    pub clock: SharedClock,
    /// Where the platform really listens.
    pub address: SocketAddr,
    /// Whether `echo` is offered.
    pub with_echo: bool,
    /// Servers outside the road; production has none (T13, T30).
    pub fixtures: Vec<(String, Arc<dyn mcp::CallHandler>)>,
    /// Loopback addresses from which documents of clients may come too: a lab's own; nothing in production (T13).
    pub documents_from: Vec<SocketAddr>,
}

/// Everything that answers.
pub struct Composed {
    /// All doors.
    pub router: Router,
    /// MCP endpoints, for the shutdown.
    pub endpoints: Endpoints,
    /// The road.
    pub pipeline: Arc<Pipeline>,
    /// Audit log.
    pub audit: Arc<AuditLogFile>,
    /// Artifacts; their sweeper has to run.
    pub artifacts: Arc<Artifacts>,
    /// Secrets.
    pub secrets: Arc<dyn SecretStore>,
    /// Counts refusals; its task has to run.
    pub refusals: Arc<RefusalCounter>,
    /// How connections are served.
    pub serving: Serving,
    /// The built-in issuer, where the configuration has one.
    pub issuer: Option<Issuer>,
    /// Time of day.
    pub clock: SharedClock,
}

/// Stores that are open before anything else, so that the lab can put its people and credentials into them.
pub struct Stores {
    /// Truth.
    pub store: Arc<dyn Store>,
    /// The PostgreSQL of `[store]`, where it is one: others keep theirs there too.
    pub database: Option<Database>,
    /// Artifacts.
    pub artifacts: Arc<dyn ArtifactStore>,
    /// Secrets.
    pub secrets: Arc<dyn SecretStore>,
    /// The keys of the secret store itself.
    pub keys: Vec<Arc<dyn ManagedKey>>,
}

/// Opens the store of truth and the secret store.
pub async fn open_stores(given: &Given<'_>) -> Result<Stores> {
    let (config, state) = (given.config, &given.config.platform.state);
    backup::place::refuse_unfinished(state)?;
    let secrets =
        LocalSecrets::open(&local_file(&config.secrets.url, "local", state)?, given.master, Arc::clone(&given.clock))?;
    // The secrets come first: the password of the store is one of them.
    let database = Database::configured(config, &secrets).await?;
    let store: Arc<dyn Store> = match &database {
        Some(database) => {
            let sharing = Sharing::among(config.cluster.replicas);
            Arc::new(PostgresStore::open(database.clone(), sharing, Arc::clone(&given.clock)).await?)
        }
        None => {
            let file = local_file(&config.store.url, "sqlite", state)?;
            Arc::new(SqliteStore::open(&file, Arc::clone(&given.clock))?)
        }
    };
    let artifacts = open_artifacts(config, database.as_ref()).await?;
    let keys = secrets.managed(&config.secrets.master_key);
    Ok(Stores { store, database, artifacts, secrets: Arc::new(secrets), keys })
}

async fn open_artifacts(config: &Config, database: Option<&Database>) -> Result<Arc<dyn ArtifactStore>> {
    match (config.artifacts.url.as_str(), database) {
        ("store:", Some(database)) => Ok(Arc::new(PostgresArtifacts::open(database.clone()).await?)),
        ("store:", None) => Err(Error::new(
            ErrorKind::InvalidInput,
            "artifacts_need_database",
            "`artifacts.url = \"store:\"` needs PostgreSQL in `store.url`; with SQLite, give artifacts a folder: `files:<folder>`.",
        )),
        (url, _) => Ok(Arc::new(ArtifactFiles::open(&local_file(url, "files", &config.platform.state)?)?)),
    }
}

/// Puts everything together over open stores.
pub async fn compose(given: Given<'_>, stores: Stores) -> Result<Composed> {
    let Given { config, master, clock, address, with_echo, fixtures, documents_from } = given;
    let Stores { store, database, secrets, artifacts, keys: store_keys, .. } = stores;
    // Before anything else is kept there: what stands below `platform/keys` tells whether this is a first start.
    let purposes = PurposeKeys::open(Arc::clone(&secrets), master).await?;
    let key = purposes.key(Purpose::Artifacts);
    let artifacts = Arc::new(Artifacts::keyed(artifacts, &key, Arc::clone(&clock), config.artifacts.keep_days));
    let base = BaseUrl::new(&config.platform.url);
    let metrics = Metrics::new();
    let observer: Arc<dyn OutboundObserver> = metrics.clone();

    let (audit, registry) = open_audit(config, &store, database, &secrets, &clock).await?;
    let source: Arc<dyn AuditSource> = audit.clone();
    metrics.watch_audit(&source);
    settle_after_start(store.as_ref(), audit.as_ref(), &clock).await?;
    backup::restoration::tell(store.as_ref(), audit.as_ref(), clock.now()).await?;
    let refusals = Arc::new(RefusalCounter::new(audit.clone(), Arc::clone(&clock)));
    let managed = KeyRegistry::new(audit.clone(), Arc::clone(&clock));
    managed.add(store_keys);
    managed.add(audit_log::managed(&audit, &registry, &secrets));

    let policy = open_policy(config)?;
    let risks = policy.risk_table().map_err(Error::from)?;
    let policy: Arc<dyn PolicyEngine> = Arc::new(policy);
    let visibility = Arc::new(Visibility::new(Arc::clone(&policy)));
    let rotations =
        Arc::new(Rotations::new(Arc::clone(&visibility), Arc::clone(&secrets), Arc::clone(&store), Arc::clone(&clock)));
    let own = OwnTools::new(Arc::clone(&visibility), audit.clone(), Arc::clone(&clock), with_echo)
        .with_secrets(&secrets, Arc::clone(&rotations))
        .with_keys(&managed);
    let instances = instances(config, &clock, &observer, own)?;
    let catalogue = Catalogue::build(instances, &risks)?;
    for server in catalogue.servers() {
        metrics.declare(&server.facts.name, server.tools().map(|t| t.name()));
    }
    visibility.publish(catalogue);
    rotations.settle_at_start(audit.as_ref(), config.cluster.replicas <= 1).await?;

    let pipeline = Pipeline::new(Parts {
        visibility,
        policy,
        store: Arc::clone(&store),
        shared: Arc::new(LocalShared::default()),
        audit: audit.clone(),
        artifacts: Arc::clone(&artifacts),
        secrets: Arc::clone(&secrets),
        metrics: Arc::clone(&metrics),
        clock: Arc::clone(&clock),
        results: Arc::new(purposes.sealer(Purpose::Results)),
        secret_arguments: KeyedHash::new(purposes.key(Purpose::SecretArguments)),
        base: base.clone(),
        limits: Limits::configured(&config.limits),
    });

    // One for the verifier and for everything that ends tokens, which ends the sessions that rest on them too.
    let floors = Arc::new(RevocationFloors::open(Arc::clone(&store), Arc::clone(&clock)).await?);
    let sessions = BrowserSessions::new(Arc::clone(&store), Arc::clone(&clock));
    let revocations: Arc<dyn Revocations> =
        Arc::new(Revoking::new(floors.clone(), sessions.clone(), Arc::clone(&pipeline)));
    let builtin = match config.issuer.iter().find(|i| i.builtin) {
        Some(builtin) => {
            let issuer = Issuer::open(IssuerOptions {
                url: builtin.url.clone(),
                platform: base.clone(),
                clock: Arc::clone(&clock),
                store: Arc::clone(&store),
                audit: audit.clone(),
                refusals: Arc::clone(&refusals),
                keys: keys::issuer(&secrets, clock.epoch_seconds()).await?,
                sealing_key: purposes.key(Purpose::IssuerSealing),
                revocations: Arc::clone(&revocations),
                foreign: foreign(&documents_from, &observer)?,
                observer: Some(Arc::clone(&observer)),
                open_registration: builtin.open_registration,
            })?;
            let named = config.pages.issuer.trim_end_matches('/');
            let pages = match Some(&config.pages).filter(|_| named == builtin.url.as_str().trim_end_matches('/')) {
                Some(p) => Some((p.client_id.as_str(), keys::pages_client(secrets.as_ref(), &p.secret).await?)),
                None => None,
            };
            issuer.register_own_clients(pages).await?;
            managed.add([Arc::new(issuer.clone()) as Arc<dyn ManagedKey>]);
            Some(issuer)
        }
        None => None,
    };
    let second_factors = builtin.clone().map(|issuer| Arc::new(issuer) as Arc<dyn Reseal>);
    managed.add_purposes(&purposes, |p| second_factors.clone().filter(|_| p == Purpose::IssuerSealing)).await?;
    let mut entries = Vec::new();
    for issuer in &config.issuer {
        entries.push(IssuerEntry::configured(issuer, secrets.as_ref(), &observer).await?);
    }
    let own_clients = tokens_oidc::own_clients(config, &entries);
    let tokens = Arc::new(Verifier::new(entries, base.clone(), Arc::clone(&clock), floors)?);
    let logout =
        BackChannelLogout::new(&tokens, own_clients, Arc::clone(&revocations), Arc::clone(&store), Arc::clone(&clock));
    let sign_in = OidcSignIn::configured(config, secrets.as_ref(), &observer, Arc::clone(&clock)).await?;

    let mut facades = Router::new();
    for issuer in &config.issuer {
        let Some(name) = issuer.facade.clone() else { continue };
        let provider = OidcProvider::configured(issuer, secrets.as_ref(), &observer, Arc::clone(&clock)).await?;
        let facade = Facade::new(FacadeOptions {
            name,
            platform: base.clone(),
            provider: Arc::new(provider),
            scopes: issuer.facade_scopes.clone(),
            origins: config.platform.allowed_origins.clone(),
            sealer: purposes.sealer(Purpose::Facade),
            audit: audit.clone(),
            clock: Arc::clone(&clock),
        })?;
        facades = facades.merge(facade.router());
    }

    let options = Options::configured(config, address, crate::VERSION)?;
    let serving = Serving::configured(
        config,
        options.trusted_proxies.clone(),
        &clock,
        Arc::clone(&metrics),
        Arc::clone(&refusals),
    )?;
    let parts = gateway::Parts {
        pipeline: Arc::clone(&pipeline),
        tokens,
        logout: Arc::new(logout),
        sign_in: Arc::new(sign_in),
        sessions,
        revocations,
        request_state: Arc::new(purposes.sealer(Purpose::RequestState)),
        audit: audit.clone(),
        refusals: Arc::clone(&refusals),
        metrics: Arc::clone(&metrics),
        clock: Arc::clone(&clock),
        fixtures,
        options,
    };
    let more = builtin.as_ref().map(issuer_routes).unwrap_or_default().merge(facades);
    let (router, endpoints) = gateway::router(parts, more);
    Ok(Composed { router, endpoints, pipeline, audit, artifacts, secrets, refusals, serving, issuer: builtin, clock })
}

/// The client for URLs that somebody else wrote (T13).
fn foreign(loopback: &[SocketAddr], observer: &Arc<dyn OutboundObserver>) -> Result<ForeignClient> {
    let rule = loopback.iter().fold(AddressRule::public_only(), |rule, address| rule.with_loopback(*address));
    let mut options = ForeignOptions::new(rule);
    options.max_body = 16 << 10;
    options.observer = Some(Arc::clone(observer));
    ForeignClient::new(options)
}

pub(crate) async fn open_audit(
    config: &Config,
    store: &Arc<dyn Store>,
    database: Option<Database>,
    secrets: &Arc<dyn SecretStore>,
    clock: &SharedClock,
) -> Result<(Arc<AuditLogFile>, Registry)> {
    let folder = local_file(&config.audit.url, "local", &config.platform.state)?;
    private_file::make(&folder).map_err(Error::internal)?;
    let KeptKeys { current: keys, retired } = KeptKeys::open(secrets.as_ref()).await?;
    let registry = Registry::kept(Arc::clone(store), secrets.as_ref(), Arc::clone(clock)).await?;
    let payloads = Payloads::ready(Arc::new(StoredPayloadKeys::new(Arc::clone(secrets))), clock).await?;
    let kept = AnchorSecrets::read(secrets.as_ref()).await?;
    let anchors = anchor::configured(&config.audit.anchors, &folder, &config.platform.state, &kept, clock)?;
    let replica = match database {
        Some(database) => Some(Replica::new(Arc::new(PostgresAudit::open(database).await?))),
        None => None,
    };
    let options = AuditOptions {
        payloads: Some(payloads),
        registry: Some(registry.clone()),
        replica,
        retired,
        ..AuditOptions::new(folder)
    }
    .anchored(anchors);
    let (clock, keep_clock) = (Arc::clone(clock), Arc::clone(clock));
    let opened = tokio::task::spawn_blocking(move || AuditLogFile::open(options, &keys, clock)).await;
    let (audit, opened) = opened.map_err(Error::internal)??;
    for intent in opened.unknown_outcomes() {
        tracing::warn!(interlock.position = intent.position.0, "a write of the last run has no known outcome");
    }
    let audit = Arc::new(audit);
    audit.keep_payloads_for(config.audit.payload_keep_days, Arc::clone(&keep_clock));
    audit.keep_records_for(config.audit.keep_days, keep_clock);
    Ok((audit, registry))
}

/// After a crash (T7, T25): intents without an outcome are settled as unknown, keys that were only reserved are released.
async fn settle_after_start(store: &dyn Store, audit: &AuditLogFile, clock: &SharedClock) -> Result<()> {
    let released = store.release_abandoned().await?;
    let open = store.open_intents().await?;
    for intent in &open {
        let close = Op::CloseIntent { call_id: intent.call_id.clone(), outcome: "unknown".to_owned() };
        store.transact(vec![close]).await.map_err(Error::internal)?;
    }
    if released > 0 || !open.is_empty() {
        let mut entry = AuditEntry::event(clock.now(), "platform.settled_after_crash", Outcome::Success);
        entry.facts.insert("released_keys".into(), released.into());
        entry.facts.insert("unknown_outcomes".into(), open.iter().map(|i| i.call_id.clone()).collect());
        audit.append(entry).await?;
    }
    Ok(())
}

/// The policy engine that the configuration names.
pub(crate) fn open_policy(config: &Config) -> Result<RegoEngine> {
    let profile: Profile = config
        .policy
        .profile
        .parse()
        .map_err(|e| Error::new(ErrorKind::InvalidInput, "policy_profile_unknown", format!("{e}.")))?;
    let engine = match config.policy.url.split_once(':') {
        Some(("rego", "embedded")) => match this_program() {
            Some(program) => {
                let record = config.platform.state.join(format!("policy-gate-{}", profile.as_str()));
                RegoEngine::embedded_unless_passed(profile, &PassedGate::new(record, program))
            }
            None => RegoEngine::embedded(profile),
        },
        Some(("rego", folder)) if !folder.is_empty() => RegoEngine::from_dir(Path::new(folder), profile),
        _ => {
            return Err(Error::new(
                ErrorKind::InvalidInput,
                "backend_unknown",
                format!(
                    "`{}` names no policy engine of this build; there is `rego:embedded` and `rego:<folder>`.",
                    config.policy.url
                ),
            ));
        }
    };
    Ok(engine?)
}

/// Names the exact program that runs: a rebuilt or replaced one has another size or time.
fn this_program() -> Option<String> {
    let path = std::env::current_exe().ok()?;
    let metadata = path.metadata().ok()?;
    let modified = metadata.modified().ok()?.duration_since(UNIX_EPOCH).ok()?;
    Some(format!("{} {} {}", path.display(), metadata.len(), modified.as_nanos()))
}

fn instances(
    config: &Config,
    clock: &SharedClock,
    observer: &Arc<dyn OutboundObserver>,
    own: OwnTools,
) -> Result<Vec<Instance>> {
    let mut instances =
        vec![Instance { name: "interlock".to_owned(), environment: "platform".to_owned(), connector: Arc::new(own) }];
    for server in &config.server {
        let ServerConfig { name, environment, .. } = server;
        let connector = connectors::connect(server, clock, observer)?;
        instances.push(Instance { name: name.clone(), environment: environment.clone(), connector });
    }
    Ok(instances)
}

/// Below `/issuer`, and its metadata where RFC 8414 inserts the well-known part.
fn issuer_routes(issuer: &Issuer) -> Router {
    let document = |json: Json| {
        axum::routing::get(move || {
            let json = json.clone();
            async move { axum::Json(json) }
        })
    };
    let metadata = document(issuer.metadata_json());
    Router::new()
        .nest("/issuer", issuer.router())
        .route("/.well-known/oauth-authorization-server/issuer", metadata.clone())
        .route("/.well-known/openid-configuration/issuer", metadata)
        .route("/.well-known/oauth-protected-resource/issuer/admin", document(issuer.administration_json()))
}
