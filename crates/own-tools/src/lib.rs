//! The tools of the built-in server `interlock`: who am I, what can I use and how, why was I refused; and for
//! administrators, its keys. They are registered like a
//! connector's, and reached by the same road.
//!
//! `echo` exists for the lab and the bench only: the cheapest call that goes through everything.

mod describe_tool;
mod echo;
mod explain_refusal;
mod keys;
mod search_tools;
mod whoami;

use std::sync::Arc;

use async_trait::async_trait;
use platform::audit::AuditLog;
use platform::keys::KeyRegistry;
use platform::policy::TargetFacts;
use platform::{Error, SharedClock};
use tool_runtime::connector::{CredentialKind, target_unknown};
use tool_runtime::{Connector, Tool, ToolCx, Visibility};

/// The connector behind the server `interlock`.
pub struct OwnTools {
    tools: Vec<Arc<dyn Tool>>,
}

impl OwnTools {
    /// `with_echo`: in the lab and the bench only.
    pub fn new(visibility: Arc<Visibility>, audit: Arc<dyn AuditLog>, clock: SharedClock, with_echo: bool) -> Self {
        let mut tools = vec![
            whoami::tool(clock),
            search_tools::tool(Arc::clone(&visibility)),
            describe_tool::tool(visibility),
            explain_refusal::tool(audit),
        ];
        if with_echo {
            tools.push(echo::tool());
        }
        Self { tools }
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
        "The platform itself. Call `search_tools` to find tools on all servers, `describe_tool` for the arguments of one, `whoami` to see your groups and how you \
         signed in, and `explain_refusal` with the x-request-id or code of a refusal to learn why and what to do next."
    }

    fn credential(&self) -> CredentialKind {
        CredentialKind::None
    }

    fn tools(&self) -> Vec<Arc<dyn Tool>> {
        self.tools.clone()
    }

    async fn look_up(&self, _: &ToolCx, kind: &str, id: &str) -> Result<TargetFacts, Error> {
        Err(target_unknown(kind, id))
    }
}
