//! The order of a rotation, and of what becomes of one that was cut off.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use platform::audit::{AuditEntry, AuditLog, Outcome};
use platform::context::{CallReferences, LOCAL_SOURCE, Protocol, RequestId, TraceContext};
use platform::policy::TargetFacts;
use platform::principal::{PrincipalKind, TokenFacts, TokenProof};
use platform::resource::Resource;
use platform::secrets::{SecretStore, SecretVersion};
use platform::store::Store;
use platform::{CallContext, Error, ErrorKind, Principal, Secret, SharedClock};
use tool_runtime::connector::{CredentialKind, target_unknown};
use tool_runtime::{CallArtifacts, Connector, Lease, ToolCx, Visibility};

use super::KIND;
use super::journal::{Held, Journal, Step};

/// Longest time that a credential is tried.
const TRY: Duration = Duration::from_secs(20);

/// Versions that a credential must keep, so that the old one is there when the new one fails.
const LEAST_KEPT: u64 = 2;

/// Rotates credentials.
pub struct Rotations {
    visibility: Arc<Visibility>,
    secrets: Arc<dyn SecretStore>,
    journal: Journal,
    clock: SharedClock,
}

/// What a rotation did.
pub(super) struct Done {
    pub(super) version: u64,
    pub(super) replaced: u64,
    pub(super) destroyed: Vec<u64>,
}

/// What became of a rotation that was cut off.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settled {
    /// Server instance.
    pub server: String,
    /// The call that had begun it.
    pub call_id: String,
    /// Whether the new credential is in force; otherwise the old one is.
    pub finished: bool,
}

impl Rotations {
    /// Over the catalogue's connectors and the stores.
    pub fn new(
        visibility: Arc<Visibility>,
        secrets: Arc<dyn SecretStore>,
        store: Arc<dyn Store>,
        clock: SharedClock,
    ) -> Self {
        let journal = Journal::new(store, Arc::clone(&clock));
        Self { visibility, secrets, journal, clock }
    }

    /// A server instance as policy, page and audit know it. Error: `target_unknown`.
    pub(crate) fn facts(&self, server: &str) -> Result<TargetFacts, Error> {
        let catalogue = self.visibility.catalogue();
        let found = catalogue.server(server).ok_or_else(|| target_unknown(KIND, server))?;
        Ok(TargetFacts {
            kind: KIND.to_owned(),
            id: found.facts.name.clone(),
            name: found.facts.name.clone(),
            source: "live".to_owned(),
            ..TargetFacts::default()
        })
    }

    /// Replaces the credential of a server. `fields` stand over those of the version in force.
    ///
    /// Errors: `credential_not_rotatable`, `credential_missing`, `credential_rejected` and what else the target says: nothing
    /// was changed. `rotation_undone` when the new one failed in use and the old one is in force again.
    /// `rotation_in_progress`, and those of the stores.
    pub(super) async fn rotate(
        &self,
        cx: &ToolCx,
        server: &str,
        fields: BTreeMap<String, Secret>,
        keep: bool,
    ) -> Result<Done, Error> {
        let connector = self.connector(server)?;
        let kind = connector.credential();
        if kind != CredentialKind::Shared {
            return Err(Error::new(
                ErrorKind::InvalidInput,
                "credential_not_rotatable",
                "This server has no stored credential of the sort that is rotated by hand.",
            ));
        }
        // What an earlier rotation left half done comes first: it decides which version is the old one.
        if let Some(held) = self.journal.take_over(server, false).await? {
            self.settle_one(held, server).await?;
        }
        let path = path_of(server);
        let old = self.secrets.get(&path, None).await.map_err(|error| match error.kind() {
            ErrorKind::NotFound => Error::new(
                ErrorKind::NotFound,
                "credential_missing",
                "No credential is stored for this server; write the first one with `put_secret`.",
            ),
            _ => error,
        })?;
        if self.secrets.metadata(&path).await?.max_versions < LEAST_KEPT {
            return Err(Error::new(
                ErrorKind::Conflict,
                "credential_not_rotatable",
                "This credential keeps one version only, so that there would be none to go back to. Let it keep two or more \
                 with `set_secret_rules`.",
            ));
        }
        let mut data = old.data.clone();
        data.extend(fields);
        tried(connector.as_ref(), cx, Lease::new(kind, Lease::CANDIDATE, data.clone())).await.map_err(rejected)?;

        let mut held = self.journal.begin(server, old.version, cx.call.request_id.to_string().as_str()).await?;
        let version = match self.secrets.put(&path, data, Some(old.version)).await {
            Ok(version) => version,
            Err(error) if error.kind() == ErrorKind::Conflict => {
                // Somebody wrote in between: theirs is in force, and nothing of ours.
                self.journal.step(&mut held, Step::Done).await?;
                return Err(error);
            }
            // It cannot be told whether it was written: the record stays, and is settled by what stands in the store.
            Err(error) => return Err(error),
        };
        self.journal.step(&mut held, Step::Switched).await?;
        if let Err(failed) = self.try_in_force(connector.as_ref(), cx, &path).await {
            self.undo(&mut held, &path, old).await?;
            return Err(Error::new(
                ErrorKind::Unavailable,
                "rotation_undone",
                "The target accepted the new credential and then failed with it in use. The old one is in force again.",
            )
            .with_detail(failed.detail().map_or_else(|| failed.to_string(), str::to_owned)));
        }
        let destroyed = self.finish(&mut held, &path, keep).await?;
        Ok(Done { version, replaced: held.rotation.from, destroyed })
    }

    /// At start, before anything is served: finishes or undoes every rotation that was cut off, and says what it did. With
    /// `alone`, no other process can be at work on one; otherwise those whose owner may still live are left to it.
    pub async fn settle(&self, alone: bool) -> Result<Vec<Settled>, Error> {
        let mut settled = Vec::new();
        for server in self.journal.open().await? {
            match self.journal.take_over(&server, alone).await {
                Ok(Some(held)) => settled.push(self.settle_one(held, &server).await?),
                Ok(None) => {}
                Err(error) if error.kind() == ErrorKind::Conflict => {}
                Err(error) => return Err(error),
            }
        }
        Ok(settled)
    }

    /// [`settle`](Self::settle), and a record of each in the audit log.
    pub async fn settle_at_start(&self, audit: &dyn AuditLog, alone: bool) -> Result<(), Error> {
        for settled in self.settle(alone).await? {
            let mut entry = AuditEntry::event(self.clock.now(), "credential.rotation_settled", Outcome::Success);
            entry.facts.insert("server".into(), settled.server.into());
            entry.facts.insert("call_id".into(), settled.call_id.into());
            entry.facts.insert("finished".into(), settled.finished.into());
            audit.append(entry).await?;
        }
        Ok(())
    }

    async fn settle_one(&self, mut held: Held, server: &str) -> Result<Settled, Error> {
        let path = path_of(server);
        let current = match self.secrets.metadata(&path).await {
            Ok(metadata) => metadata.current_version,
            Err(error) if error.kind() == ErrorKind::NotFound => 0,
            Err(error) => return Err(error),
        };
        let from = held.rotation.from;
        let finished = match held.rotation.step {
            // Nothing was written, or the secret is gone.
            _ if current <= from => false,
            Step::Retiring => {
                self.finish(&mut held, &path, true).await?;
                true
            }
            Step::Undoing => {
                self.undo_to(&mut held, &path, from).await?;
                false
            }
            Step::Switching | Step::Switched | Step::Done => {
                self.journal.step(&mut held, Step::Switched).await?;
                let tried = match self.connector(server) {
                    Ok(connector) => self.try_in_force(connector.as_ref(), &own_call(&self.clock), &path).await,
                    Err(error) => Err(error),
                };
                match tried {
                    Ok(()) => drop(self.finish(&mut held, &path, true).await?),
                    Err(_) => self.undo_to(&mut held, &path, from).await?,
                }
                tried.is_ok()
            }
        };
        if held.rotation.step != Step::Done {
            self.journal.step(&mut held, Step::Done).await?;
        }
        Ok(Settled { server: server.to_owned(), call_id: held.rotation.call_id, finished })
    }

    /// Tries what a call would lease now, by the session that calls share.
    async fn try_in_force(&self, connector: &dyn Connector, cx: &ToolCx, path: &str) -> Result<(), Error> {
        let SecretVersion { version, data, .. } = self.secrets.get(path, None).await?;
        tried(connector, cx, Lease::new(connector.credential(), version, data)).await
    }

    async fn undo_to(&self, held: &mut Held, path: &str, from: u64) -> Result<(), Error> {
        match self.secrets.get(path, Some(from)).await {
            Ok(old) => self.undo(held, path, old).await,
            // Somebody deleted it by hand: there is nothing to go back to, and what is in force stays.
            Err(error) if error.kind() == ErrorKind::NotFound => self.journal.step(held, Step::Done).await,
            Err(error) => Err(error),
        }
    }

    /// Puts the old credential back in force, as a version of its own, and deletes the new one.
    async fn undo(&self, held: &mut Held, path: &str, old: SecretVersion) -> Result<(), Error> {
        self.journal.step(held, Step::Undoing).await?;
        let in_force = match self.secrets.get(path, None).await {
            Ok(now) if now.version > held.rotation.from && same(&now.data, &old.data) => now.version,
            _ => {
                let failed = self.secrets.metadata(path).await?.current_version;
                self.secrets.put(path, old.data, Some(failed)).await?
            }
        };
        for failed in held.rotation.from + 1..in_force {
            found(self.secrets.delete(path, failed).await)?;
        }
        self.journal.step(held, Step::Done).await
    }

    /// Deletes the old version, which can be taken back until it is destroyed, and destroys what the rotation before this
    /// one deleted: its overlap is over.
    async fn finish(&self, held: &mut Held, path: &str, keep: bool) -> Result<Vec<u64>, Error> {
        self.journal.step(held, Step::Retiring).await?;
        let from = held.rotation.from;
        found(self.secrets.delete(path, from).await)?;
        let mut over: Vec<u64> = held.rotation.retired.iter().copied().filter(|version| *version != from).collect();
        if !keep {
            over.push(from);
        }
        for version in &over {
            found(self.secrets.destroy(path, *version).await)?;
        }
        held.rotation.retired = if keep { vec![from] } else { Vec::new() };
        self.journal.step(held, Step::Done).await?;
        Ok(over)
    }

    fn connector(&self, server: &str) -> Result<Arc<dyn Connector>, Error> {
        let catalogue = self.visibility.catalogue();
        let found = catalogue.server(server).ok_or_else(|| target_unknown(KIND, server))?;
        Ok(Arc::clone(&found.connector))
    }
}

fn path_of(server: &str) -> String {
    format!("api/{server}")
}

async fn tried(connector: &dyn Connector, cx: &ToolCx, lease: Lease) -> Result<(), Error> {
    let deadline = cx.deadline.min(Instant::now() + TRY);
    let cx = ToolCx { lease: Arc::new(lease), deadline, journal: None, ..cx.clone() };
    connector.verify_credential(&cx).await
}

/// A version that the store has let go already is as good as deleted or destroyed.
fn found(result: Result<(), Error>) -> Result<(), Error> {
    match result {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

fn same(one: &BTreeMap<String, Secret>, other: &BTreeMap<String, Secret>) -> bool {
    one.len() == other.len()
        && one.iter().all(|(name, value)| other.get(name).is_some_and(|o| o.expose() == value.expose()))
}

/// The target refused the candidate; what else went wrong is told as it is.
fn rejected(error: Error) -> Error {
    if error.code() != "target_rejected_credential" {
        return error;
    }
    let refused = Error::new(
        ErrorKind::InvalidInput,
        "credential_rejected",
        "The target does not accept the new credential. Nothing was changed; the old one is in force.",
    );
    match error.detail() {
        Some(detail) => refused.with_detail(detail),
        None => refused,
    }
}

/// The platform's own call to a target, where no caller waits.
fn own_call(clock: &SharedClock) -> ToolCx {
    let now = clock.epoch_seconds();
    let principal = Principal {
        issuer: "interlock".to_owned(),
        subject: "platform".to_owned(),
        person: "platform".to_owned(),
        name: "platform".to_owned(),
        kind: PrincipalKind::Client,
        groups: Vec::new(),
        client_id: "interlock".to_owned(),
        scopes: Vec::new(),
        acr: None,
        amr: Vec::new(),
        auth_time: None,
        mfa: false,
        actors: Vec::new(),
        token: TokenFacts {
            id: None,
            session: None,
            key: None,
            proof: TokenProof::default(),
            issued_at: now,
            expires_at: now,
        },
    };
    let deadline = Instant::now() + TRY;
    let call = CallContext {
        request_id: RequestId::mint(),
        client_request_id: None,
        trace: TraceContext::root(),
        principal: Arc::new(principal),
        resource: Resource::McpServer("interlock".to_owned()),
        protocol: Protocol::Mcp,
        source: LOCAL_SOURCE,
        references: CallReferences::default(),
        run: None,
        deadline,
    };
    ToolCx {
        call: Arc::new(call),
        lease: Arc::new(Lease::none()),
        targets: Arc::from([]),
        deadline,
        clock: Arc::clone(clock),
        secrets: Arc::default(),
        artifacts: CallArtifacts::none(),
        journal: None,
    }
}
