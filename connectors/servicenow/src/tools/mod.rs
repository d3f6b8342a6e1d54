//! The tools, by area. Each is its arguments, its row and one function; paging, cursors and field selection are the
//! runtime's combinators.
//!
//! Which tool may write what (T17): `create_…` sets everything once, before anybody can have approved it; `update_…` writes
//! nothing that an approval rests on; what moves the time of a change request is a tool of its own, of the class `control`.
//! None writes an approval, and none moves the state of a change request.

pub(crate) mod changes;
pub(crate) mod incidents;
pub(crate) mod inventory;

use std::sync::Arc;

use platform::{Error, ErrorKind};
use tool_runtime::{TargetArgument, Tool};

use crate::client::Api;

/// All tools over one API.
pub(crate) fn all(api: &Arc<Api>) -> Vec<Arc<dyn Tool>> {
    vec![
        incidents::list_incidents(api),
        incidents::get_incident(api),
        incidents::create_incident(api),
        incidents::update_incident(api),
        changes::list_change_requests(api),
        changes::get_change_request(api),
        changes::list_change_templates(api),
        changes::create_change_request(api),
        changes::update_change_request(api),
        changes::set_change_schedule(api),
        inventory::list_configuration_items(api),
        inventory::list_users(api),
    ]
}

/// The argument that names an incident.
pub(crate) const INCIDENT: TargetArgument = TargetArgument { argument: "incident", kind: "incident" };
/// The argument that names a change request.
pub(crate) const CHANGE: TargetArgument = TargetArgument { argument: "change_request", kind: "change_request" };
/// The argument that names a configuration item.
pub(crate) const ITEM: TargetArgument = TargetArgument { argument: "ci", kind: "configuration_item" };
/// The argument that names several.
pub(crate) const ITEMS: TargetArgument = TargetArgument { argument: "cis", kind: "configuration_item" };

/// An update without anything to store.
fn nothing_to_store() -> Error {
    Error::new(
        ErrorKind::InvalidInput,
        "nothing_to_store",
        "The call names a record and nothing to store in it. Give at least one field, or a note.",
    )
}
