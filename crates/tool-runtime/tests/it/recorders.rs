//! Recorders around the fakes: one list of what happened, in the order in which it happened.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use platform::audit::{AuditEntry, AuditFilter, AuditLog, AuditPosition, Phase};
use platform::policy::{Decision, DecisionInput, Effect, PolicyEngine, VisibilityInput};
use platform::secrets::{SecretMetadata, SecretRules, SecretStore, SecretVersion};
use platform::shared::{RateLimit, SharedState, Taken};
use platform::store::{Collection, Conflict, Op, OpResult, Record, Store, TransactError};
use platform::{Error, ErrorKind, Json, Secret};
use platform_suites::store::{InterceptedStore, Interceptor};
use platform_suites::{MemoryAudit, MemorySecrets, MemoryShared, MemoryStore, StaticPolicy};
use tokio::sync::Notify;

use crate::fixture::decision;

/// What happened, in order.
#[derive(Clone, Default)]
pub(crate) struct Recorded(Arc<Mutex<Vec<String>>>);

impl Recorded {
    pub(crate) fn note(&self, what: impl Into<String>) {
        self.0.lock().unwrap().push(what.into());
    }

    pub(crate) fn all(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }

    pub(crate) fn take(&self) -> Vec<String> {
        std::mem::take(&mut *self.0.lock().unwrap())
    }

    pub(crate) fn count(&self, what: &str) -> usize {
        self.all().iter().filter(|w| *w == what).count()
    }
}

/// The store, and every byte that was ever put into it.
pub(crate) type RecordingStore = InterceptedStore<StoreRecorder>;

pub(crate) struct StoreRecorder {
    recorded: Recorded,
    written: Mutex<Vec<Op>>,
    /// A transaction that the recorder notes under one of these names fails, as on a full disk.
    failing: Mutex<&'static [&'static str]>,
    /// A transaction that reserves a key waits here once, when set.
    pub(crate) before_settling: Mutex<Option<Arc<Notify>>>,
}

impl StoreRecorder {
    pub(crate) fn new(recorded: &Recorded) -> Self {
        Self {
            recorded: recorded.clone(),
            written: Mutex::default(),
            failing: Mutex::default(),
            before_settling: Mutex::default(),
        }
    }

    /// From now on transactions with an operation of these names fail.
    pub(crate) fn fail(&self, names: &'static [&'static str]) {
        *self.failing.lock().unwrap() = names;
    }

    pub(crate) fn written(&self) -> Vec<Op> {
        self.written.lock().unwrap().clone()
    }
}

#[async_trait]
impl Interceptor for StoreRecorder {
    async fn transact(&self, inner: &MemoryStore, ops: Vec<Op>) -> Result<Vec<OpResult>, TransactError> {
        let failing = *self.failing.lock().unwrap();
        let mut fails = false;
        for op in &ops {
            let name = match op {
                Op::ReserveKey { .. } => "store:reserve_key".to_owned(),
                Op::ConsumeOnce { .. } => "store:consume".to_owned(),
                Op::ReleaseKey { .. } => "store:release_key".to_owned(),
                Op::CompleteKey { .. } => "store:complete_key".to_owned(),
                Op::OpenIntent { .. } => "store:open_intent".to_owned(),
                Op::SetHandle { .. } => "store:set_handle".to_owned(),
                Op::CloseIntent { outcome, .. } => format!("store:close_intent:{outcome}"),
                Op::Put { collection, .. } => format!("store:put:{}", collection.name),
                Op::Delete { collection, .. } => format!("store:delete:{}", collection.name),
                _ => "store:other".to_owned(),
            };
            fails |= failing.contains(&name.as_str());
            self.recorded.note(name);
        }
        if fails {
            return Err(TransactError::Store(Error::new(ErrorKind::Unavailable, "store_unavailable", "No room.")));
        }
        self.written.lock().unwrap().extend(ops.iter().cloned());
        inner.transact(ops).await
    }

    async fn get(&self, inner: &MemoryStore, collection: Collection, id: &str) -> Result<Option<Record>, Error> {
        self.recorded.note(format!("store:get:{}", collection.name));
        inner.get(collection, id).await
    }

    async fn key_state(
        &self,
        inner: &MemoryStore,
        scope: &str,
        key: &str,
        digest: &str,
    ) -> Result<Option<Conflict>, Error> {
        self.recorded.note("store:key_state");
        let state = inner.key_state(scope, key, digest).await;
        let wait = self.before_settling.lock().unwrap().take();
        if let Some(wait) = wait {
            wait.notified().await;
        }
        state
    }
}

/// The log; appends of one phase can be made to fail.
pub(crate) struct RecordingAudit {
    inner: MemoryAudit,
    recorded: Recorded,
    failing: Mutex<Option<Phase>>,
    recorded_here: Mutex<Option<Phase>>,
}

impl RecordingAudit {
    pub(crate) fn new(inner: MemoryAudit, recorded: &Recorded) -> Self {
        Self { inner, recorded: recorded.clone(), failing: Mutex::default(), recorded_here: Mutex::default() }
    }

    pub(crate) fn entries(&self) -> Vec<AuditEntry> {
        self.inner.entries()
    }

    /// From now on appends of this phase fail.
    pub(crate) fn fail(&self, phase: Option<Phase>) {
        *self.failing.lock().unwrap() = phase;
    }

    /// From now on appends of this phase are refused, and stand on this machine all the same.
    pub(crate) fn stand_here_only(&self, phase: Option<Phase>) {
        *self.recorded_here.lock().unwrap() = phase;
    }
}

fn phase_name(phase: Phase) -> String {
    format!("audit:{}", serde_json::to_value(phase).unwrap().as_str().unwrap())
}

#[async_trait]
impl AuditLog for RecordingAudit {
    async fn append(&self, entry: AuditEntry) -> Result<AuditPosition, Error> {
        let fails = *self.failing.lock().unwrap() == Some(entry.phase);
        self.inner.fail_appends(fails);
        if !fails {
            self.recorded.note(phase_name(entry.phase));
        }
        if *self.recorded_here.lock().unwrap() == Some(entry.phase) {
            self.inner.append(entry).await?;
            let refused = Error::new(ErrorKind::Unavailable, "audit_unavailable", "The replica does not answer.");
            return Err(platform::audit::recorded(refused));
        }
        self.inner.append(entry).await
    }

    fn append_detached(&self, entry: AuditEntry) {
        self.recorded.note(format!("{}:detached", phase_name(entry.phase)));
        self.inner.append_detached(entry);
    }

    async fn recent(&self, filter: AuditFilter, limit: usize) -> Result<Vec<Json>, Error> {
        self.inner.recent(filter, limit).await
    }
}

pub(crate) struct RecordingShared {
    inner: MemoryShared,
    recorded: Recorded,
    kept: Mutex<Vec<Arc<[u8]>>>,
}

impl RecordingShared {
    pub(crate) fn new(inner: MemoryShared, recorded: &Recorded) -> Self {
        Self { inner, recorded: recorded.clone(), kept: Mutex::default() }
    }

    /// Every value that was kept.
    pub(crate) fn kept(&self) -> Vec<Arc<[u8]>> {
        self.kept.lock().unwrap().clone()
    }
}

#[async_trait]
impl SharedState for RecordingShared {
    async fn take(&self, key: &str, limit: RateLimit) -> Result<Taken, Error> {
        self.recorded.note(format!("take:{}", key.split('|').next().unwrap()));
        self.inner.take(key, limit).await
    }

    async fn cached(&self, key: &[u8; 32]) -> Result<Option<Arc<[u8]>>, Error> {
        self.recorded.note("cache:find");
        self.inner.cached(key).await
    }

    async fn keep(&self, key: [u8; 32], value: Arc<[u8]>, ttl: Duration) -> Result<(), Error> {
        self.recorded.note("cache:keep");
        self.kept.lock().unwrap().push(Arc::clone(&value));
        self.inner.keep(key, value, ttl).await
    }
}

pub(crate) struct RecordingSecrets {
    inner: MemorySecrets,
    recorded: Recorded,
    failing: AtomicBool,
}

impl RecordingSecrets {
    pub(crate) fn new(inner: MemorySecrets, recorded: &Recorded) -> Self {
        Self { inner, recorded: recorded.clone(), failing: AtomicBool::new(false) }
    }

    pub(crate) fn fail(&self, failing: bool) {
        self.failing.store(failing, Ordering::SeqCst);
    }
}

#[async_trait]
impl SecretStore for RecordingSecrets {
    async fn get(&self, path: &str, version: Option<u64>) -> Result<SecretVersion, Error> {
        self.recorded.note("lease");
        if self.failing.load(Ordering::SeqCst) {
            return Err(Error::new(ErrorKind::Unavailable, "secrets_unavailable", "The secret store is sealed."));
        }
        self.inner.get(path, version).await
    }

    async fn put(&self, path: &str, data: BTreeMap<String, Secret>, cas: Option<u64>) -> Result<u64, Error> {
        self.inner.put(path, data, cas).await
    }

    async fn metadata(&self, path: &str) -> Result<SecretMetadata, Error> {
        self.inner.metadata(path).await
    }

    async fn list(&self, prefix: &str) -> Result<Vec<String>, Error> {
        self.inner.list(prefix).await
    }

    async fn set_rules(&self, path: &str, rules: SecretRules) -> Result<(), Error> {
        self.inner.set_rules(path, rules).await
    }

    async fn delete_versions(&self, path: &str, versions: &[u64]) -> Result<(), Error> {
        self.inner.delete_versions(path, versions).await
    }

    async fn undelete_versions(&self, path: &str, versions: &[u64]) -> Result<(), Error> {
        self.inner.undelete_versions(path, versions).await
    }

    async fn destroy_versions(&self, path: &str, versions: &[u64]) -> Result<(), Error> {
        self.inner.destroy_versions(path, versions).await
    }

    async fn delete_all(&self, path: &str) -> Result<(), Error> {
        self.inner.delete_all(path).await
    }
}

/// A policy that a test swaps while calls go on, each time under a new revision.
pub(crate) struct SwitchPolicy {
    current: Mutex<(Arc<StaticPolicy>, u64)>,
    asked: Mutex<Vec<DecisionInput>>,
    recorded: Recorded,
}

impl SwitchPolicy {
    /// Allows what is not above `record`; above it, asks for a second factor.
    pub(crate) fn new(recorded: &Recorded) -> Self {
        let usual = StaticPolicy::new(|input| Ok(usual(input)));
        Self { current: Mutex::new((Arc::new(usual), 1)), asked: Mutex::default(), recorded: recorded.clone() }
    }

    /// Puts another policy in place.
    pub(crate) fn swap(&self, policy: StaticPolicy) {
        let mut current = self.current.lock().unwrap();
        *current = (Arc::new(policy), current.1 + 1);
    }

    /// Decides by a closure from now on; everything stays visible.
    pub(crate) fn decide_by(&self, decide: impl Fn(&DecisionInput) -> Decision + Send + Sync + 'static) {
        self.swap(StaticPolicy::new(move |input| Ok(decide(input))));
    }

    /// All inputs so far.
    pub(crate) fn asked(&self) -> Vec<DecisionInput> {
        self.asked.lock().unwrap().clone()
    }

    fn current(&self) -> Arc<StaticPolicy> {
        Arc::clone(&self.current.lock().unwrap().0)
    }
}

/// The policy most tests use.
pub(crate) fn usual(input: &DecisionInput) -> Decision {
    use platform::policy::Risk;
    match (input.tool.risk, &input.elevation) {
        (Risk::Read | Risk::Probe | Risk::Record, _) => decision(Effect::Allow, &[]),
        (_, Some(_)) => decision(Effect::Allow, &[("step_up", true)]),
        (_, None) => decision(Effect::Challenge, &[("step_up", false)]),
    }
}

#[async_trait]
impl PolicyEngine for SwitchPolicy {
    async fn decide(&self, input: &DecisionInput) -> Result<Decision, Error> {
        self.recorded.note("policy:decide");
        self.asked.lock().unwrap().push(input.clone());
        self.current().decide(input).await
    }

    async fn visible(&self, input: &VisibilityInput) -> Result<BTreeSet<(String, String)>, Error> {
        self.recorded.note("policy:visible");
        self.current().visible(input).await
    }

    fn revision(&self) -> String {
        self.current.lock().unwrap().1.to_string()
    }
}
