//! A connector: one kind of target system, its tools, and how it answers what the pipeline must know about a target.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use platform::policy::TargetFacts;
use platform::{Error, ErrorKind, Secret};

use crate::offers::{CompletionSpec, PromptSpec, ResourceSpec, Toolset};
use crate::ports::Ports;
use crate::tool::{Tool, ToolCx};

/// What sort of credential a connector uses, and so what a lease promises (T29).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CredentialKind {
    /// None.
    None,
    /// Minted per call by the secret engine and revoked after it.
    Dynamic,
    /// Minted by the target and revoked after use.
    Minted,
    /// Runs out by itself within minutes.
    Expiring,
    /// One long-lived credential, pooled; it never leaves the process.
    Shared,
}

/// A credential in a connector's hands for the length of one call.
pub struct Lease {
    kind: CredentialKind,
    version: u64,
    fields: BTreeMap<String, Secret>,
}

impl Lease {
    /// The version of a credential that is not in force: nothing that is made with it is kept.
    pub const CANDIDATE: u64 = 0;

    /// A lease on a version of the secret at `api/<instance>`.
    pub fn new(kind: CredentialKind, version: u64, fields: BTreeMap<String, Secret>) -> Self {
        Self { kind, version, fields }
    }

    /// For connectors without a credential.
    pub fn none() -> Self {
        Self { kind: CredentialKind::None, version: 0, fields: BTreeMap::new() }
    }

    /// What the lease promises.
    pub fn kind(&self) -> CredentialKind {
        self.kind
    }

    /// Version of the secret; a connector that keeps a session drops it when this changes.
    pub fn version(&self) -> u64 {
        self.version
    }

    /// All values, for redaction.
    pub(crate) fn values(&self) -> impl Iterator<Item = &Secret> {
        self.fields.values()
    }

    /// A field of the credential.
    pub fn field(&self, name: &str) -> Result<&Secret, Error> {
        self.fields.get(name).ok_or_else(|| {
            Error::new(
                ErrorKind::Unavailable,
                "credential_incomplete",
                format!("The stored credential of this server has no field `{name}`; an operator must add it."),
            )
        })
    }
}

/// One server instance's connector.
#[async_trait]
pub trait Connector: Send + Sync + 'static {
    /// The connector's name, `[a-z0-9-]{1,40}`; the policy's `input.resource`.
    fn name(&self) -> &'static str;

    /// A few sentences for `server/discover` and `initialize`; at most 1,000 bytes.
    fn instructions(&self) -> &'static str;

    /// What its credential is.
    fn credential(&self) -> CredentialKind;

    /// Its tools, in a fixed order.
    fn tools(&self) -> Vec<Arc<dyn Tool>>;

    /// What change control may ask of it.
    fn ports(&self) -> Ports {
        Ports::default()
    }

    /// Named sets of its tools.
    fn toolsets(&self) -> &'static [Toolset] {
        &[]
    }

    /// What its tools can read, as resources.
    fn resources(&self) -> &'static [ResourceSpec] {
        &[]
    }

    /// Prompts for people.
    fn prompts(&self) -> &'static [PromptSpec] {
        &[]
    }

    /// How arguments of its prompts and resources are completed.
    fn completions(&self) -> &'static [CompletionSpec] {
        &[]
    }

    /// Facts about a target, from the target system itself (`source: live`), or `target_unknown`
    /// ([`ErrorKind::NotFound`]). The pipeline keeps the answer for 60 seconds.
    async fn look_up(&self, cx: &ToolCx, kind: &str, id: &str) -> Result<TargetFacts, Error>;

    /// Tries the credential in `cx.lease`: really signs in, and reads something cheap. A lease of the version
    /// [`Lease::CANDIDATE`] is tried by itself; any other one by the session that calls share.
    ///
    /// Errors: `target_rejected_credential`, and what else the target says; `credential_not_rotatable` for connectors without
    /// a credential that could be tried.
    async fn verify_credential(&self, cx: &ToolCx) -> Result<(), Error> {
        let _ = cx;
        Err(Error::new(
            ErrorKind::InvalidInput,
            "credential_not_rotatable",
            "This server has no stored credential of the sort that is rotated by hand.",
        ))
    }
}

/// The refusal for a target that the target system does not know.
pub fn target_unknown(kind: &str, id: &str) -> Error {
    // Without a detail: details are logged, and the id is what the caller sent (T26).
    Error::new(ErrorKind::NotFound, "target_unknown", format!("There is no {kind} `{id}` on this server."))
}
