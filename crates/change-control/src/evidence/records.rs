//! What the audit log has about a change: every record that names it, and proofs that those records are in a tree that the log
//! has signed. Where replicas keep logs of their own, these are the records of the one that puts the archive together.

use platform::audit::{AuditEntry, AuditFilter, AuditPosition, AuditProofs, Outcome};
use platform::keys::PublicKey;
use platform::{Error, Json};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::account::put;
use super::archive::Files;
use crate::changes::Changes;
use crate::model::change::{Change, ChangeId};

/// Records, as the log shows them, oldest first.
pub(super) const RECORDS: &str = "audit/records.json";
/// The log's document of proofs.
pub(super) const PROOFS: &str = "audit/proofs.json";
/// [`Call`]s, one a record of a tool call.
pub(super) const CALLS: &str = "audit/calls.json";
/// The action of the record that holds the digest of an account and the keys that sign for it.
pub(super) const RECORDED: &str = "change.evidence";
/// Records of a page.
const PAGE: usize = 1000;

/// A call for the change, as the audit log has it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Call {
    /// Position of the record.
    pub record: u64,
    /// When, RFC 3339.
    pub at: String,
    /// `x-request-id`.
    pub request_id: Option<String>,
    /// `intent`, `outcome`, `call`.
    pub phase: String,
    /// Server instance.
    pub server: Option<String>,
    /// Tool.
    pub tool: Option<String>,
    /// What came of it.
    pub outcome: String,
    /// Code of a refusal or failure.
    pub code: Option<String>,
    /// HMAC of the canonical arguments under the log's key, hexadecimal.
    pub arguments_hmac: Option<String>,
    /// What policy said, by which revision.
    pub decision: Option<Json>,
    /// The attempt that it belongs to.
    pub attempt: Option<String>,
}

/// Records of a change.
pub(super) struct Records {
    pub(super) records: Vec<Json>,
    pub(super) proofs: Option<AuditProofs>,
    pub(super) proven: usize,
    /// Some of them will be provable later.
    pub(super) awaits: bool,
}

impl Records {
    pub(super) fn files(self) -> Result<Files, Error> {
        let mut files = Files::new();
        put(&mut files, CALLS, &calls(&self.records))?;
        put(&mut files, RECORDS, &self.records)?;
        if let Some(proofs) = &self.proofs {
            put(&mut files, PROOFS, &proofs.document)?;
        }
        Ok(files)
    }
}

/// The calls among records.
pub(super) fn calls(records: &[Json]) -> Vec<Call> {
    let call = |record: &Json| {
        let text = |pointer: &str| record.pointer(pointer).and_then(Json::as_str).map(str::to_owned);
        let value = |pointer: &str| record.pointer(pointer).filter(|value| !value.is_null()).cloned();
        Some(Call {
            record: position(record)?,
            at: text("/@timestamp")?,
            request_id: text("/interlock/request_id"),
            phase: text("/interlock/phase")?,
            server: text("/interlock/server"),
            tool: text("/interlock/tool"),
            outcome: text("/interlock/outcome")?,
            code: text("/interlock/code"),
            arguments_hmac: text("/interlock/arguments_hmac"),
            decision: value("/interlock/decision"),
            attempt: text("/interlock/run/attempt"),
        })
    };
    let of_tool = |record: &&Json| record.pointer("/event/action").and_then(Json::as_str) == Some("tool.call");
    records.iter().filter(of_tool).filter_map(call).collect()
}

/// Where a record stands in its log.
pub(super) fn position(record: &Json) -> Option<u64> {
    record.pointer("/event/sequence").and_then(Json::as_u64)
}

/// Whether a record holds the digest of this account of the change.
pub(super) fn tells(record: &Json, change: &ChangeId, content: &str) -> bool {
    let is = |pointer: &str, value: &str| record.pointer(pointer).and_then(Json::as_str) == Some(value);
    is("/event/action", RECORDED) && is("/interlock/change", change.as_str()) && is("/interlock/content", content)
}

/// The keys that such a record names.
pub(super) fn keys_in(record: &Json) -> Vec<PublicKey> {
    let keys = record.pointer("/interlock/keys").cloned().unwrap_or_default();
    serde_json::from_value(keys).unwrap_or_default()
}

impl Changes {
    /// Puts the digest of an account on record with the public keys that sign for it, unless it stands there.
    pub(super) async fn put_on_record(&self, change: &Change, content: &str) -> Result<(), Error> {
        let keys = self.parts.grants.public_keys();
        let records = self.all_records(&change.id).await?;
        if records.iter().any(|record| tells(record, &change.id, content) && keys_in(record) == keys) {
            return Ok(());
        }
        let mut entry = AuditEntry::event(self.parts.clock.now(), RECORDED, Outcome::Success);
        entry.facts.insert("change".to_owned(), json!(change.id));
        entry.facts.insert("content".to_owned(), json!(content));
        entry.facts.insert("keys".to_owned(), json!(keys));
        self.parts.audit.append(entry).await.map(drop)
    }

    pub(super) async fn records_of(&self, id: &ChangeId) -> Result<Records, Error> {
        let records = self.all_records(id).await?;
        let positions: Vec<AuditPosition> = records.iter().filter_map(position).map(AuditPosition).collect();
        let proofs = self.parts.audit.prove(&positions).await?;
        let proven = proofs.as_ref().map_or(0, |proofs| proofs.covered.len());
        // A log that proves nothing leaves nothing to wait for; the verifier says what it could not check.
        let awaits = proofs.is_some() && proven < records.len();
        Ok(Records { records, proofs, proven, awaits })
    }

    async fn all_records(&self, id: &ChangeId) -> Result<Vec<Json>, Error> {
        let mut all: Vec<Json> = Vec::new();
        let mut before = None;
        loop {
            let filter = AuditFilter { change: Some(id.to_string()), before, ..AuditFilter::default() };
            let mut page = self.parts.audit.recent(filter, PAGE).await?;
            let whole = page.len() < PAGE;
            before = page.first().and_then(position).map(AuditPosition);
            page.append(&mut all);
            all = page;
            if whole || before.is_none() {
                return Ok(all);
            }
        }
    }
}
