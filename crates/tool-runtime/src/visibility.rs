//! Which tools a caller may see (rule T10): one policy query per (policy revision, groups, catalogue revision).

use std::collections::BTreeSet;
use std::sync::Arc;

use arc_swap::ArcSwap;
use platform::policy::{PolicyEngine, VisibilityInput};
use platform::principal::{PrincipalKind, TokenProof};
use platform::resource::Resource;
use platform::{Error, Principal};

use crate::catalogue::{Catalogue, RegisteredTool, Server};
use crate::reach::reaches;

#[derive(PartialEq, Eq, Hash)]
struct Key {
    policy: String,
    catalogue: String,
    groups: Vec<String>,
    kind: PrincipalKind,
    acting: bool,
    proof: TokenProof,
}

/// (server, tool) pairs.
type Visible = Arc<BTreeSet<(String, String)>>;

/// Answers from the catalogue that is current now.
pub struct Visibility {
    catalogue: ArcSwap<Catalogue>,
    policy: Arc<dyn PolicyEngine>,
    answers: moka::sync::Cache<Key, Visible>,
}

impl Visibility {
    /// Over a catalogue that is still empty: connectors that show the catalogue are built before it.
    pub fn new(policy: Arc<dyn PolicyEngine>) -> Self {
        Self {
            catalogue: ArcSwap::from_pointee(Catalogue::default()),
            policy,
            answers: moka::sync::Cache::builder().max_capacity(1_000).build(),
        }
    }

    /// Puts the catalogue in place.
    pub fn publish(&self, catalogue: Catalogue) {
        self.catalogue.store(Arc::new(catalogue));
    }

    /// The catalogue.
    pub fn catalogue(&self) -> Arc<Catalogue> {
        self.catalogue.load_full()
    }

    /// The (server, tool) pairs this caller may see.
    pub async fn visible(&self, principal: &Principal) -> Result<Visible, Error> {
        let catalogue = self.catalogue();
        let key = Key {
            policy: self.policy.revision(),
            catalogue: catalogue.revision().to_owned(),
            groups: principal.groups.clone(),
            kind: principal.kind,
            acting: !principal.actors.is_empty(),
            proof: principal.token.proof,
        };
        if let Some(known) = self.answers.get(&key) {
            return Ok(known);
        }
        let input = VisibilityInput {
            groups: key.groups.clone(),
            kind: key.kind,
            acting: key.acting,
            proof: key.proof,
            tools: catalogue.entries(),
        };
        let visible = Arc::new(self.policy.visible(&input).await?);
        self.answers.insert(key, Arc::clone(&visible));
        Ok(visible)
    }

    /// The tools of one server this caller may see, by name; empty for an unknown server.
    pub async fn tools(&self, principal: &Principal, server: &str) -> Result<Vec<Arc<RegisteredTool>>, Error> {
        let mut tools = self.reachable(principal, &Resource::McpServer(server.to_owned())).await?;
        tools.retain(|tool| tool.server.name == server);
        Ok(tools)
    }

    /// The listed tools that this caller may see at the endpoint of `resource`, by server and name.
    pub async fn reachable(
        &self,
        principal: &Principal,
        resource: &Resource,
    ) -> Result<Vec<Arc<RegisteredTool>>, Error> {
        let mut tools = self.reachable_with_ports(principal, resource).await?;
        tools.retain(|t| t.tool.spec().listed);
        Ok(tools)
    }

    /// The same, and the ports behind resources and completions.
    pub async fn reachable_with_ports(
        &self,
        principal: &Principal,
        resource: &Resource,
    ) -> Result<Vec<Arc<RegisteredTool>>, Error> {
        let visible = self.visible(principal).await?;
        let catalogue = self.catalogue();
        let usable = |t: &RegisteredTool| visible.contains(&(t.server.name.clone(), t.name().to_owned()));
        let shown = |t: &&Arc<RegisteredTool>| usable(t) && reaches(&catalogue, resource, t, usable);
        Ok(catalogue.servers().flat_map(Server::tools_and_ports).filter(shown).cloned().collect())
    }
}
