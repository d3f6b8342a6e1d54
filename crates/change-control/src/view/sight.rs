//! Who sees which changes, and who has a part in them. No group is named here: policy says who may use what, and that decides
//! (T10). Whoever has a part in a change may cancel, undo, resume and settle it, as far as policy gives them the tool; auditors
//! see it and have none.

use std::collections::BTreeSet;

use platform::policy::Risk;
use platform::{Error, ErrorKind, Principal};
use serde_json::json;
use tool_runtime::Visibility;
use tool_runtime::catalogue::{OWN_SERVER, Server};

use crate::book::Listed;
use crate::changes::Changes;
use crate::model::approval::PersonRef;
use crate::model::change::{ApproversNeeded, Change, unknown};

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
    async fn of(visibility: &Visibility, caller: &Principal) -> Result<Self, Error> {
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

    /// Whether the change is there for the caller.
    pub(crate) fn reaches(&self, change: &Change) -> bool {
        self.everything || self.has_part_in(change)
    }

    /// The same, of a change in a list.
    pub(crate) fn reaches_listed(&self, change: &Listed) -> bool {
        self.everything || self.has_part(&change.instance.name, &change.requester.who, change.approvers.as_ref())
    }

    /// The caller may move the change on. Errors: `change_unknown` where they do not even see it, `change_not_yours`.
    pub(crate) fn require_part_in(&self, change: &Change) -> Result<(), Error> {
        match (self.has_part_in(change), self.everything) {
            (true, _) => Ok(()),
            (false, true) => Err(not_yours(change)),
            (false, false) => Err(unknown()),
        }
    }

    /// Whoever asked for it, may approve it, or may change something on its server.
    fn has_part_in(&self, change: &Change) -> bool {
        self.has_part(&change.instance.name, &change.requester.who, change.approvers.as_ref())
    }

    fn has_part(&self, server: &str, requester: &PersonRef, approvers: Option<&ApproversNeeded>) -> bool {
        let approves = || approvers.iter().flat_map(|a| &a.groups).any(|group| self.groups.contains(group));
        self.servers.contains(server) || requester.is_same_person(&self.who) || approves()
    }
}

impl Changes {
    /// What this caller sees, and has a part in.
    pub(crate) async fn sight(&self, caller: &Principal) -> Result<Sight, Error> {
        Sight::of(self.road()?.visibility(), caller).await
    }
}

fn not_yours(change: &Change) -> Error {
    Error::new(
        ErrorKind::Forbidden,
        "change_not_yours",
        "You see this change and have no part in it: whoever asked for it, may approve it, or may change something on its \
         server decides what becomes of it.",
    )
    .with_change(change.id.as_str())
    .with_next("get_change", json!({ "change_id": change.id }))
}
