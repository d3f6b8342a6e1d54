//! Backups beside a running platform, and restores of a stopped one (T24). Thin: which files belong together, and what each
//! room gives up when it finds itself restored.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use audit_log::offline::{VerifyOptions, verify};
use audit_log::record_fork;
use gateway::BrowserSessions;
use platform::clock::{SharedFileClock, SystemClock};
use platform::config::{Config, load};
use platform::keys::master::MasterKeySource;
use platform::secret::SecretKey;
use platform::store::Store;
use platform::{Error, ErrorKind, Json, Result, SharedClock};
use secrets_local::LocalSecrets;
use serde_json::{Map, json};
use store_sqlite::SqliteStore;

pub use backup::{LogEnd, Manifest, Member};

use super::{audit, local_file};
use crate::compose::{Stores, open_stores};
use platform::lab_state::LabState;

const STORE: &str = "store.db";
const SECRETS: &str = "secrets.db";
const WORKFLOWS: &str = "workflows.db";
const AUDIT: &str = "audit";
const ARTIFACTS: &str = "artifacts";

/// Where a platform's files stand, and the key they are sealed under.
pub struct Installation {
    state: PathBuf,
    url: String,
    /// Name in the archive and path, in the order of copying: every fact of the store has its record in the audit.
    parts: Vec<(String, PathBuf)>,
    master: SecretKey,
    clock: SharedClock,
}

/// What a restore did.
pub struct Restored {
    /// What was restored.
    pub manifest: Manifest,
    /// Where the files are that stood there before.
    pub aside: Option<PathBuf>,
    /// What was given up, by name.
    pub voided: Map<String, Json>,
}

impl Installation {
    /// The one that a configuration names. Errors: those of the master key; `backup_store_elsewhere` for PostgreSQL.
    pub fn of(config: &Config) -> Result<Self> {
        Self::with(config, config.secrets.master_key.read()?.key, Arc::new(SystemClock))
    }

    /// A lab's.
    pub fn of_lab(state: &Path) -> Result<Self> {
        let lab = LabState::at(state);
        let mut config = load(None, [])?.config;
        config.platform.state = state.to_owned();
        let clock = SharedFileClock::open(&lab.clock()).map_err(Error::internal)?;
        Self::with(&config, MasterKeySource::File(lab.master_key()).read()?.key, Arc::new(clock))
    }

    fn with(config: &Config, master: SecretKey, clock: SharedClock) -> Result<Self> {
        let state = config.platform.state.clone();
        if !config.store.url.starts_with("sqlite:") {
            return Err(Error::new(
                ErrorKind::InvalidInput,
                "backup_store_elsewhere",
                "The store is in PostgreSQL, which has backups of its own; these archives are of platforms on one machine.",
            ));
        }
        let mut parts = vec![
            (STORE.to_owned(), local_file(&config.store.url, "sqlite", &state)?),
            (SECRETS.to_owned(), local_file(&config.secrets.url, "local", &state)?),
            (WORKFLOWS.to_owned(), local_file(&config.workflows.url, "sqlite", &state)?),
        ];
        if config.artifacts.url.starts_with("files:") {
            parts.push((ARTIFACTS.to_owned(), local_file(&config.artifacts.url, "files", &state)?));
        }
        parts.push((AUDIT.to_owned(), audit::folder_of(config)?));
        Ok(Self { state, url: config.platform.url.to_string(), parts, master, clock })
    }

    /// Writes an archive of what stands there now, beside the platform that runs on it or does not. Errors:
    /// `backup_nothing`, `backup_unusable`, those of the databases; `audit_log_damaged` and its siblings when the copy of the
    /// log does not verify.
    pub fn backup(&self, out: &Path) -> Result<Manifest> {
        if !self.parts.iter().any(|(_, path)| path.is_file()) {
            let message = format!("There is nothing to back up in {}.", self.state.display());
            return Err(Error::new(ErrorKind::NotFound, "backup_nothing", message));
        }
        let created_at = self.clock.now().to_string();
        let part = |(name, path): &(String, PathBuf)| {
            let (name, path) = (name.clone(), path.clone());
            match name.ends_with(".db") {
                true => backup::Part::Database { name, path },
                false => backup::Part::Folder { name, path },
            }
        };
        let parts: Vec<backup::Part> = self.parts.iter().map(part).collect();
        let staged = backup::stage(&parts, out)?;
        let logs = log_end(&staged.at(AUDIT))?.into_iter().collect();
        let facts = (crate::VERSION.to_owned(), self.url.clone(), created_at);
        backup::write(out, &self.master, facts, logs, &staged)
    }

    /// Puts the archive's files in place of what stands there, and gives up whatever may have gone on since the backup.
    /// Nothing is deleted. Errors: `restore_state_in_use`, `restore_not_empty`, `backup_damaged`, `backup_other_key`,
    /// `backup_too_new`, `backup_unusable`.
    pub async fn restore(&self, file: &Path, replace: bool) -> Result<Restored> {
        let place = backup::place::Place::new(&self.state, self.parts.clone());
        let held = place.claim(replace)?;
        let now = self.clock.now();
        let staging = place.staging(now);
        let result = self.prepared(file, &staging).await;
        let (manifest, voided) = match result {
            Ok(prepared) => prepared,
            Err(error) => {
                drop(std::fs::remove_dir_all(&staging));
                return Err(backup::newer(error));
            }
        };
        let aside = place.exchange(&held, &staging, now)?;
        Ok(Restored { manifest, aside, voided })
    }

    /// Unpacks, opens everything once, and voids; all of it beside the state that still stands.
    async fn prepared(&self, file: &Path, staging: &Path) -> Result<(Manifest, Map<String, Json>)> {
        let manifest = backup::Archive::at(file, &self.master)?.unpack(staging)?;
        drop(LocalSecrets::open(&staging.join(SECRETS), &self.master, Arc::clone(&self.clock))?);
        let log = log_end(&staging.join(AUDIT))?;
        let store: Arc<dyn Store> = Arc::new(SqliteStore::open(&staging.join(STORE), Arc::clone(&self.clock))?);
        let why = format!("restored from the backup of {}", manifest.created_at);
        let voided = give_up(&store, &self.clock, &staging.join(WORKFLOWS), log, &why, manifest.told()?).await?;
        Ok((manifest, voided))
    }
}

/// After the database's own tools have put PostgreSQL back: gives up whatever may have gone on since. The platform must not
/// run. Errors: `restore_not_of_a_database`, those of opening the stores, `store_in_use` among them.
pub async fn restored_in_place(config: &Config) -> Result<Map<String, Json>> {
    let (master, clock): (_, SharedClock) = (config.secrets.master_key.read()?.key, Arc::new(SystemClock));
    let Stores { store, database, .. } = open_stores(config, &master, &clock).await?;
    if database.is_none() {
        let message = "Only a PostgreSQL store is put back by its own tools; name the archive to restore.";
        return Err(Error::new(ErrorKind::InvalidInput, "restore_not_of_a_database", message));
    }
    let log = log_end(&audit::folder_of(config)?)?;
    let told = Map::from_iter([("logs".to_owned(), json!(log.iter().collect::<Vec<_>>()))]);
    let workflows = local_file(&config.workflows.url, "sqlite", &config.platform.state)?;
    give_up(&store, &clock, &workflows, log, "the store was put back by the database's own tools", told).await
}

/// Voids what may have gone on since the backup that `store` was restored from, and notes it for the audit. What was voided,
/// by name.
async fn give_up(
    store: &Arc<dyn Store>,
    clock: &SharedClock,
    workflows: &Path,
    log: Option<LogEnd>,
    why: &str,
    told: Map<String, Json>,
) -> Result<Map<String, Json>> {
    let now = clock.now();
    let counts = store.void_after_restore().await?;
    tokens_oidc::revoke_everything(store.as_ref(), now.as_second()).await?;
    let tokens = issuer::void_after_restore(store.as_ref(), now.as_second()).await?;
    let elevations = tool_runtime::elevation::void_after_restore(store.as_ref()).await?;
    let sessions = BrowserSessions::new(Arc::clone(store), Arc::clone(clock)).end_all().await?;
    let runs = workflow_sqlite::void_after_restore(workflows, clock)?;
    if let Some(LogEnd { origin, records, .. }) = &log {
        record_fork(store.as_ref(), now, origin, *records, why).await.map_err(Error::from)?;
    }
    let voided = Map::from_iter([
        ("keys".to_owned(), json!(counts.keys)),
        ("intents".to_owned(), json!(counts.intents)),
        ("locks".to_owned(), json!(counts.locks)),
        ("refresh_tokens_and_links".to_owned(), json!(tokens)),
        ("elevations".to_owned(), json!(elevations)),
        ("sessions".to_owned(), json!(sessions)),
        ("workflow_runs".to_owned(), json!(runs)),
    ]);
    backup::restoration::note(store.as_ref(), told, &now.to_string(), voided.clone()).await?;
    // What is issued in the very second of the floors would be as dead as what was issued before.
    while clock.epoch_seconds() <= now.as_second() {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    Ok(voided)
}

/// The end of the log in a folder, which is held against its own chain and checkpoints.
fn log_end(folder: &Path) -> Result<Option<LogEnd>> {
    if !folder.join("audit.db").is_file() {
        return Ok(None);
    }
    let report = verify(folder, &VerifyOptions::default()).map_err(Error::from)?;
    if !report.ok {
        let first = report.findings.first().map(|finding| finding.message.clone()).unwrap_or_default();
        return Err(Error::new(
            ErrorKind::Conflict,
            "backup_log_damaged",
            "The audit log does not verify. `interlock audit verify` names what is wrong; nothing was written or restored.",
        )
        .with_detail(first));
    }
    Ok(Some(LogEnd { origin: report.origin, records: report.records, root: report.root }))
}
