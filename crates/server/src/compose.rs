//! How the parts meet: one function from a configuration and a bound address to everything that answers.

use std::net::SocketAddr;
use std::sync::Arc;

use artifacts_files::ArtifactFiles;
use artifacts_postgres::PostgresArtifacts;
use audit_log::{AuditLogFile, Registry, Replica};
use audit_postgres::PostgresAudit;
use axum::Router;
use change_control::{ChangeBook, ChangeParts, Changes, GrantKeys};
use facade::{Facade, FacadeOptions};
use gateway::mcp_door::Endpoints;
use gateway::{BrowserSessions, Options, Revoking, Serving};
use issuer::{Issuer, IssuerOptions, KeyRing};
use own_tools::OwnTools;
use own_tools::rotation::Rotations;
use platform::artifacts::{ArtifactStore, Artifacts};
use platform::audit_refusals::RefusalCounter;
use platform::config::{Config, ServerConfig};
use platform::http::{ForeignClient, OutboundObserver};
use platform::keyed_hash::KeyedHash;
use platform::keys::{KeyRegistry, ManagedKey, Purpose, PurposeKeys, Reseal};
use platform::policy::PolicyEngine;
use platform::resource::BaseUrl;
use platform::revocation::Revocations;
use platform::secret::SecretKey;
use platform::secrets::SecretStore;
use platform::store::Store;
use platform::telemetry::Metrics;
use platform::telemetry::audit_log::AuditSource;
use platform::{Error, ErrorKind, Result, SharedClock};
use policy_rego::RegoEngine;
use postgres_database::Database;
use secrets_local::LocalSecrets;
use shared_local::LocalShared;
use store_postgres::{PostgresStore, Sharing};
use store_sqlite::SqliteStore;
use tokens_oidc::{BackChannelLogout, IssuerEntry, OidcProvider, OidcSignIn, RevocationFloors, Verifier};
use tool_runtime::pipeline::{Limits, Parts};
use tool_runtime::{Catalogue, Instance, Pipeline, TargetDirectory, Visibility};

use crate::connectors;
use crate::offline::local_file;
use crate::workflows::Runs;

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
    /// Changes, and the engine that does them.
    pub runs: Runs,
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

/// Opens the store of truth, the secret store and the artifacts.
pub async fn open_stores(config: &Config, master: &SecretKey, clock: &SharedClock) -> Result<Stores> {
    let state = &config.platform.state;
    backup::place::refuse_unfinished(state)?;
    let secrets = LocalSecrets::open(&local_file(&config.secrets.url, "local", state)?, master, Arc::clone(clock))?;
    // The secrets come first: the password of the store is one of them.
    let database = Database::configured(config, &secrets).await?;
    let store: Arc<dyn Store> = match &database {
        Some(database) => {
            let sharing = Sharing::among(config.cluster.replicas);
            Arc::new(PostgresStore::open(database.clone(), sharing, Arc::clone(clock)).await?)
        }
        None => {
            let file = local_file(&config.store.url, "sqlite", state)?;
            Arc::new(SqliteStore::open(&file, Arc::clone(clock))?)
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
    tool_runtime::pipeline::settle_after_crash(store.as_ref(), audit.as_ref(), clock.now()).await?;
    backup::restoration::tell(store.as_ref(), audit.as_ref(), clock.now()).await?;
    let refusals = Arc::new(RefusalCounter::new(audit.clone(), Arc::clone(&clock)));
    let managed = KeyRegistry::new(audit.clone(), Arc::clone(&clock));
    managed.add(store_keys);
    managed.add(audit_log::managed(&audit, &registry, &secrets));

    let policy = RegoEngine::configured(config)?;
    let risks = policy.risk_table().map_err(Error::from)?;
    let policy: Arc<dyn PolicyEngine> = Arc::new(policy);
    let visibility = Arc::new(Visibility::new(Arc::clone(&policy)));
    let rotations =
        Arc::new(Rotations::new(Arc::clone(&visibility), Arc::clone(&secrets), Arc::clone(&store), Arc::clone(&clock)));
    let directory = Arc::new(TargetDirectory::configured(&config.targets)?);
    // One for the verifier, for everything that ends tokens, which ends the sessions that rest on them too, and for runs.
    let floors = Arc::new(RevocationFloors::open(Arc::clone(&store), Arc::clone(&clock)).await?);
    let grants = GrantKeys::open(Arc::clone(&secrets)).await?;
    managed.add([change_control::evidence::public_keys::published(&config.platform.state, &grants)?]);
    let changes = Changes::new(ChangeParts {
        book: ChangeBook::new(Arc::clone(&store)),
        clock: Arc::clone(&clock),
        base: base.clone(),
        policy: Arc::clone(&policy),
        audit: audit.clone(),
        grants,
        floors: floors.clone(),
    });
    let own = OwnTools::new(Arc::clone(&visibility), audit.clone(), Arc::clone(&clock), with_echo)
        .with_changes(&changes)
        .with_targets(&directory, &visibility, &clock)
        .with_secrets(&secrets, Arc::clone(&rotations))
        .with_keys(&managed);
    let instances = instances(config, &clock, &observer, own)?;
    let catalogue = Catalogue::build(instances, &risks)?;
    for server in catalogue.servers() {
        metrics.declare(&server.facts.name, server.tools().map(|t| t.name()));
    }
    directory.expect(&catalogue)?;
    visibility.publish(catalogue);
    rotations.settle_at_start(audit.as_ref(), config.cluster.replicas <= 1).await?;

    let parts = Parts {
        visibility,
        policy,
        changes: changes.clone(),
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
    };
    let pipeline = Pipeline::with_directory(parts, directory);
    let runs = Runs::open(changes.clone(), &pipeline, &config.workflows, &config.platform.state, &clock)?;

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
                keys: KeyRing::open(Arc::clone(&secrets), "platform/keys/issuer", clock.epoch_seconds()).await?,
                sealing_key: purposes.key(Purpose::IssuerSealing),
                revocations: Arc::clone(&revocations),
                foreign: ForeignClient::for_documents(&documents_from, &observer)?,
                observer: Some(Arc::clone(&observer)),
                open_registration: builtin.open_registration,
            })?;
            issuer.register_configured_clients(config, secrets.as_ref()).await?;
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
        changes,
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
    let more = builtin.as_ref().map(Issuer::mounted).unwrap_or_default().merge(facades);
    let (router, endpoints) = gateway::router(parts, more);
    Ok(Composed {
        router,
        endpoints,
        pipeline,
        audit,
        artifacts,
        runs,
        secrets,
        refusals,
        serving,
        issuer: builtin,
        clock,
    })
}

/// The audit log, its records also in the PostgreSQL of `[store]` where there is one (T25).
pub(crate) async fn open_audit(
    config: &Config,
    store: &Arc<dyn Store>,
    database: Option<Database>,
    secrets: &Arc<dyn SecretStore>,
    clock: &SharedClock,
) -> Result<(Arc<AuditLogFile>, Registry)> {
    let folder = local_file(&config.audit.url, "local", &config.platform.state)?;
    let replica = match database {
        Some(database) => Some(Replica::new(Arc::new(PostgresAudit::open(database).await?))),
        None => None,
    };
    audit_log::open_configured(config, folder, store, replica, secrets, clock).await
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
