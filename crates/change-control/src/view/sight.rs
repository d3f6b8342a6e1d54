//! Who sees which changes. No group is named here: policy says who may use what, and that decides (T10).

use std::collections::BTreeSet;

use platform::policy::Risk;
use platform::{Error, Principal};
use tool_runtime::Visibility;
use tool_runtime::catalogue::{OWN_SERVER, Server};

use crate::book::Listed;
use crate::model::approval::PersonRef;
use crate::model::change::{ApproversNeeded, Change};

/// The tool by which auditors are known: who reads everybody's records sees everybody's changes.
const OF_AUDITORS: &str = "search_audit";

/// What one caller sees.
pub(crate) struct Sight {
    who: PersonRef,
    groups: BTreeSet<String>,
    /// Servers on which the caller may use a tool that changes something.
    servers: BTreeSet<String>,
    everything: bool,
}

impl Sight {
    pub(crate) async fn of(visibility: &Visibility, caller: &Principal) -> Result<Self, Error> {
        let visible = visibility.visible(caller).await?;
        let catalogue = visibility.catalogue();
        let changes = |server: &&Server| {
            server.tools_and_ports().any(|tool| {
                matches!(tool.risk, Risk::Change | Risk::Disruptive)
                    && visible.contains(&(server.facts.name.clone(), tool.name().to_owned()))
            })
        };
        Ok(Self {
            who: PersonRef::from(caller),
            groups: caller.groups.iter().cloned().collect(),
            servers: catalogue.servers().filter(changes).map(|server| server.facts.name.clone()).collect(),
            everything: visible.contains(&(OWN_SERVER.to_owned(), OF_AUDITORS.to_owned())),
        })
    }

    pub(crate) fn reaches(&self, change: &Change) -> bool {
        self.sees(&change.instance.name, &change.requester.who, change.approvers.as_ref())
    }

    /// The same, of a change in a list.
    pub(crate) fn reaches_listed(&self, change: &Listed) -> bool {
        self.sees(&change.instance.name, &change.requester.who, change.approvers.as_ref())
    }

    fn sees(&self, server: &str, requester: &PersonRef, approvers: Option<&ApproversNeeded>) -> bool {
        let approves = || approvers.iter().flat_map(|a| &a.groups).any(|group| self.groups.contains(group));
        self.everything || self.servers.contains(server) || requester.is_same_person(&self.who) || approves()
    }
}
