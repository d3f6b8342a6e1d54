//! Configuration items and people.

use std::sync::Arc;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;
use tool_runtime::combinators::{Page, listed};
use tool_runtime::{Tool, ToolSpec};

use crate::client::Api;
use crate::model::{self, Item, User};
use crate::query::Query;
use crate::resolve::{GONE, ITEMS, USERS};

#[derive(Deserialize, JsonSchema)]
struct ListConfigurationItems {
    /// Serial number, whole.
    #[schemars(length(max = 255))]
    serial: Option<String>,
    /// How the name begins.
    #[schemars(length(max = 255))]
    name: Option<String>,
    /// Class, for example `cmdb_ci_ip_switch`.
    #[schemars(length(max = 80))]
    class: Option<String>,
    /// Name of the location.
    #[schemars(length(max = 255))]
    location: Option<String>,
    /// Address.
    #[schemars(length(max = 64))]
    ip_address: Option<String>,
    /// With those that are retired, stolen or absent.
    #[serde(default)]
    with_retired: bool,
}

pub(super) fn list_configuration_items(api: &Arc<Api>) -> Arc<dyn Tool> {
    let spec = ToolSpec::new::<ListConfigurationItems, Page>(
        "list_configuration_items",
        "List configuration items",
        "Lists configuration items of the CMDB; find a device's by its serial number. Retired ones are left out.",
    )
    .example(json!({"serial": "FCW2225C020"}));
    listed(api, spec, |api, cx, args: ListConfigurationItems, page| async move {
        let query = Query::of(&ITEMS)
            .is("serial_number", args.serial)
            .starts_with("name", args.name)
            .is("sys_class_name", args.class)
            .is("location.name", args.location)
            .is("ip_address", args.ip_address);
        let query = if args.with_retired { query } else { query.none_of("install_status", GONE) };
        api.page::<Item>(&cx, &ITEMS, &query.build()?, model::ITEM, page).await
    })
}

#[derive(Deserialize, JsonSchema)]
struct ListUsers {
    /// User name, whole.
    #[schemars(length(max = 255))]
    user_name: Option<String>,
    /// Words in the name.
    #[schemars(length(max = 255))]
    name: Option<String>,
    /// Mail address, whole.
    #[schemars(length(max = 255))]
    email: Option<String>,
    /// User name of the manager.
    #[schemars(length(max = 255))]
    manager: Option<String>,
    /// Whether the account is in use; both where it is left out.
    active: Option<bool>,
}

pub(super) fn list_users(api: &Arc<Api>) -> Arc<dyn Tool> {
    let spec = ToolSpec::new::<ListUsers, Page>(
        "list_users",
        "List users",
        "Lists people of ServiceNow: their `user_name` is what callers and assignments are named by.",
    )
    .example(json!({"name": "Ada"}));
    listed(api, spec, |api, cx, args: ListUsers, page| async move {
        let query = Query::of(&USERS)
            .is("user_name", args.user_name)
            .contains("name", args.name)
            .is("email", args.email)
            .is("manager.user_name", args.manager)
            .is("active", args.active.map(|a| a.to_string()));
        api.page::<User>(&cx, &USERS, &query.build()?, model::USER, page).await
    })
}
