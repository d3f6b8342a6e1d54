//! The tools of the built-in server `interlock`: who am I, what can I use and how, which devices are there, why was I refused,
//! what did I do, what did a call leave behind, which changes are there and how do I make one; for auditors, what did anybody do;
//! and for administrators the platform's keys, the secret store and the credentials in it. They are registered like a connector's, and reached by the same road.
//!
//! `echo` exists for the lab and the bench only: the cheapest call that goes through everything.

mod artifacts;
mod audit;
mod changes;
mod describe_tool;
mod echo;
mod explain_refusal;
mod keys;
pub mod rotation;
mod search_tools;
mod secrets;
mod targets;
mod whoami;

use std::sync::Arc;

use async_trait::async_trait;
use change_control::Changes;
use platform::audit::AuditLog;
use platform::keys::KeyRegistry;
use platform::policy::TargetFacts;
use platform::secrets::SecretStore;
use platform::{Error, SharedClock};
use tool_runtime::connector::{CredentialKind, target_unknown};
use tool_runtime::{Connector, ResourceSpec, TargetDirectory, Tool, ToolCx, Visibility};

use self::rotation::Rotations;

/// The resources, without changes and with them.
const RESOURCES: &[ResourceSpec] = &[artifacts::ARTIFACT];
const WITH_CHANGES: &[ResourceSpec] =
    &[artifacts::ARTIFACT, changes::CHANGE, changes::PLAN, changes::DIFF, changes::EVIDENCE];

/// The connector behind the server `interlock`.
pub struct OwnTools {
    tools: Vec<Arc<dyn Tool>>,
    rotations: Option<Arc<Rotations>>,
    resources: &'static [ResourceSpec],
}

impl OwnTools {
    /// `with_echo`: in the lab and the bench only.
    pub fn new(visibility: Arc<Visibility>, audit: Arc<dyn AuditLog>, clock: SharedClock, with_echo: bool) -> Self {
        let mut tools = vec![
            whoami::tool(clock),
            search_tools::tool(Arc::clone(&visibility)),
            describe_tool::tool(visibility),
            explain_refusal::tool(Arc::clone(&audit)),
            artifacts::get_artifact(),
            artifacts::read_artifact(),
        ];
        tools.extend(audit::tools(&audit));
        if with_echo {
            tools.push(echo::tool());
        }
        Self { tools, rotations: None, resources: RESOURCES }
    }

    /// With the tools over changes.
    #[must_use]
    pub fn with_changes(mut self, changes: &Arc<Changes>) -> Self {
        self.tools.extend(changes::tools(changes));
        self.resources = WITH_CHANGES;
        self
    }

    /// With the tools by which administrators govern the secret store.
    #[must_use]
    pub fn with_secrets(mut self, secrets: &Arc<dyn SecretStore>, rotations: Arc<Rotations>) -> Self {
        self.tools.extend(secrets::tools(secrets));
        self.tools.push(rotation::tool(Arc::clone(&rotations)));
        self.rotations = Some(rotations);
        self
    }

    /// With the tools over the target directory.
    #[must_use]
    pub fn with_targets(
        mut self,
        directory: &Arc<TargetDirectory>,
        visibility: &Arc<Visibility>,
        clock: &SharedClock,
    ) -> Self {
        self.tools.extend(targets::tools(directory, visibility, clock));
        self
    }

    /// With the tools over the platform's keys.
    #[must_use]
    pub fn with_keys(mut self, keys: &KeyRegistry) -> Self {
        self.tools.extend(keys::tools(keys));
        self
    }
}

#[async_trait]
impl Connector for OwnTools {
    fn name(&self) -> &'static str {
        "interlock"
    }

    fn instructions(&self) -> &'static str {
        "The platform itself. To change devices, call `plan_change`, show `get_change_plan`, then `submit_change`; a person \
         approves on a page, and `get_change` follows it. Call `search_tools` to find tools on all servers, `describe_tool` for the arguments of one, `find_targets` to find devices, `whoami` to see your groups and how you \
         signed in, `list_my_calls` for what you did, and `explain_refusal` with the x-request-id or code of a refusal to learn why and what to do next."
    }

    fn credential(&self) -> CredentialKind {
        CredentialKind::None
    }

    fn tools(&self) -> Vec<Arc<dyn Tool>> {
        self.tools.clone()
    }

    fn resources(&self) -> &'static [ResourceSpec] {
        self.resources
    }

    async fn look_up(&self, _: &ToolCx, kind: &str, id: &str) -> Result<TargetFacts, Error> {
        match (kind, &self.rotations) {
            (secrets::KIND, Some(_)) => secrets::facts(id),
            (rotation::KIND, Some(rotations)) => rotations.facts(id),
            _ => Err(target_unknown(kind, id)),
        }
    }
}
