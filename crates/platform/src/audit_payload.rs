//! What is sealed beside an audit record so that its decision can be replayed (rule T26): the record of a decision, the
//! monthly keys under which it is sealed, and the replay itself.
//!
//! Where next: [`crate::audit`] for the log, `backends/audit-log` for the sealing, [`StoredPayloadKeys`] for where the
//! keys are kept.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::Json;
use crate::error::{Error, ErrorKind, Result};
use crate::policy::{Decision, DecisionInput, PolicyEngine};
use crate::seal;
use crate::secret::{Secret, SecretKey};
use crate::secrets::SecretStore;

/// The version of [`DecisionRecord`] that is written.
pub const DECISION_RECORD: u32 = 1;

/// The one reason of a decision that the approved plan of a change made, in place of policy (T19).
pub const APPROVED_PLAN: &str = "grant:approved_plan";

/// Everything that a decision was made from, and the decision: enough to make it again with the facts of that time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DecisionRecord {
    /// [`DECISION_RECORD`] of the program that wrote it.
    pub version: u32,
    /// The whole question: principal, tool, arguments, target facts, verified change and elevation, source, clock.
    pub input: DecisionInput,
    /// When the decision was made, seconds since the epoch: earlier than `input.now` where a kept one was used (T9).
    pub decided_at: i64,
    /// The revision that names exactly the policy, its data and its profile.
    pub revision: String,
    /// The answer; nothing when policy could not answer.
    pub decision: Option<Decision>,
}

impl DecisionRecord {
    /// A record of this version.
    pub fn new(input: DecisionInput, decided_at: i64, revision: String, decision: Option<Decision>) -> Self {
        Self { version: DECISION_RECORD, input, decided_at, revision, decision }
    }

    /// Reads an unsealed payload. The error says why it cannot be replayed.
    pub fn read(payload: &Json) -> std::result::Result<Self, NotEvaluated> {
        match payload.get("version").and_then(Json::as_u64) {
            Some(version) if version == u64::from(DECISION_RECORD) => {
                Self::deserialize(payload).map_err(|_| NotEvaluated::Unreadable)
            }
            Some(_) => Err(NotEvaluated::OtherVersion),
            None => Err(NotEvaluated::Unreadable),
        }
    }
}

/// Why a payload was not replayed. It is counted, and nothing is guessed in its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NotEvaluated {
    /// It is no decision record.
    Unreadable,
    /// Another version of the record, which this program cannot read.
    OtherVersion,
    /// Policy gave no answer at that time: there is nothing to compare with.
    Undecided,
    /// The approved plan of a change decided, and policy was not asked (T19).
    ApprovedPlan,
    /// Policy gives no answer now.
    PolicyFailed,
}

/// One decision that comes out differently.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Difference {
    /// The call's request id.
    pub request_id: String,
    /// What was decided.
    pub then: Decision,
    /// What the given policy decides from the same facts.
    pub now: Decision,
}

/// What a replay found.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Replayed {
    /// Decisions that came out the same.
    pub same: u64,
    /// Decisions that came out differently.
    pub different: Vec<Difference>,
    /// How many of the compared decisions another policy revision had made.
    pub other_revision: u64,
    /// Payloads that were not evaluated, by reason.
    pub not_evaluated: BTreeMap<NotEvaluated, u64>,
}

/// Makes recorded decisions again, each with the facts and the clock of its own time.
pub async fn replay(policy: &dyn PolicyEngine, payloads: impl IntoIterator<Item = &Json>) -> Replayed {
    let mut found = Replayed::default();
    for payload in payloads {
        match replay_one(policy, payload).await {
            Err(why) => *found.not_evaluated.entry(why).or_default() += 1,
            Ok((record, now, then)) => {
                found.other_revision += u64::from(record.revision != now.revision);
                let (revision, mut then) = (now.revision.clone(), then);
                let recorded = std::mem::replace(&mut then.revision, revision);
                if then == now {
                    found.same += 1;
                } else {
                    then.revision = recorded;
                    found.different.push(Difference { request_id: record.input.request_id, then, now });
                }
            }
        }
    }
    found
}

async fn replay_one(
    policy: &dyn PolicyEngine,
    payload: &Json,
) -> std::result::Result<(DecisionRecord, Decision, Decision), NotEvaluated> {
    let mut record = DecisionRecord::read(payload)?;
    let then = record.decision.take().ok_or(NotEvaluated::Undecided)?;
    if then.reasons == [APPROVED_PLAN] {
        return Err(NotEvaluated::ApprovedPlan);
    }
    record.input.now = record.decided_at;
    let now = policy.decide(&record.input).await.map_err(|_| NotEvaluated::PolicyFailed)?;
    Ok((record, now, then))
}

/// The month whose key seals what happens at `at`, in UTC: `2026-11`.
pub fn month_of(at: Timestamp) -> String {
    at.strftime("%Y-%m").to_string()
}

/// One key of a month.
#[derive(Debug, Clone)]
pub struct PayloadKey {
    /// What a record calls it: the month, and from its second key on also which one: `2026-11`, `2026-11.2`.
    pub id: String,
    /// The key.
    pub key: SecretKey,
}

/// The monthly keys. Who destroys a month's keys has destroyed every payload of that month, wherever copies of it lie.
#[async_trait]
pub trait PayloadKeys: Send + Sync + 'static {
    /// The key that seals in a month; made at the month's first use.
    async fn of_month(&self, month: &str) -> Result<PayloadKey>;

    /// The key that a record names; nothing when it is destroyed.
    async fn find(&self, id: &str) -> Result<Option<SecretKey>>;

    /// Months that have a key which is not destroyed, oldest first.
    async fn months(&self) -> Result<Vec<String>>;

    /// Destroys all keys of a month for good. Nothing happens where there are none.
    async fn destroy(&self, month: &str) -> Result<()>;
}

/// The keys in the secret store, one secret per month below `platform/keys/audit-payload`, each version one key.
pub struct StoredPayloadKeys(Arc<dyn SecretStore>);

const PLACE: &str = "platform/keys/audit-payload";
const FIELD: &str = "key";

impl StoredPayloadKeys {
    /// Over a secret store.
    pub fn new(secrets: Arc<dyn SecretStore>) -> Self {
        Self(secrets)
    }

    async fn version(&self, month: &str, version: Option<u64>) -> Result<Option<(u64, SecretKey)>> {
        match self.0.get(&format!("{PLACE}/{month}"), version).await {
            Ok(found) => {
                let text = found.data.get(FIELD).ok_or_else(|| Error::internal("a payload key has no key field"))?;
                let mut key = zeroize::Zeroizing::new([0; 32]);
                hex::decode_to_slice(text.expose(), key.as_mut_slice()).map_err(Error::internal)?;
                Ok(Some((found.version, SecretKey::new(*key))))
            }
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The newest version's number, destroyed or not; 0 where there is none.
    async fn newest(&self, month: &str) -> Result<u64> {
        match self.0.metadata(&format!("{PLACE}/{month}")).await {
            Ok(metadata) => Ok(metadata.current_version),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(0),
            Err(error) => Err(error),
        }
    }
}

fn id_of(month: &str, version: u64) -> String {
    if version == 1 { month.to_owned() } else { format!("{month}.{version}") }
}

#[async_trait]
impl PayloadKeys for StoredPayloadKeys {
    async fn of_month(&self, month: &str) -> Result<PayloadKey> {
        if let Some((version, key)) = self.version(month, None).await? {
            return Ok(PayloadKey { id: id_of(month, version), key });
        }
        let made = Secret::new(hex::encode(seal::random::<32>()?));
        let newest = self.newest(month).await?;
        let data = BTreeMap::from([(FIELD.to_owned(), made)]);
        match self.0.put(&format!("{PLACE}/{month}"), data, Some(newest)).await {
            Ok(_) => {}
            // Another process made it first; its key is as good.
            Err(error) if error.kind() == ErrorKind::Conflict => {}
            Err(error) => return Err(error),
        }
        let kept = self.version(month, None).await?;
        let (version, key) = kept.ok_or_else(|| Error::internal("a payload key was not kept"))?;
        Ok(PayloadKey { id: id_of(month, version), key })
    }

    async fn find(&self, id: &str) -> Result<Option<SecretKey>> {
        let (month, version) = id.split_once('.').unwrap_or((id, "1"));
        let version = version.parse().map_err(Error::internal)?;
        Ok(self.version(month, Some(version)).await?.map(|(_, key)| key))
    }

    async fn months(&self) -> Result<Vec<String>> {
        let mut months = Vec::new();
        for path in self.0.list(PLACE).await? {
            let Some(month) = path.rsplit('/').next().map(str::to_owned) else { continue };
            let versions = self.0.metadata(&format!("{PLACE}/{month}")).await?.versions;
            if versions.iter().any(|version| !version.destroyed) {
                months.push(month);
            }
        }
        Ok(months)
    }

    async fn destroy(&self, month: &str) -> Result<()> {
        let path = format!("{PLACE}/{month}");
        let versions = match self.0.metadata(&path).await {
            Ok(metadata) => metadata.versions,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(error),
        };
        for version in versions.iter().filter(|version| !version.destroyed) {
            self.0.destroy(&path, version.version).await?;
        }
        Ok(())
    }
}
