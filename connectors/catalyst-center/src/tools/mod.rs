//! The tools, by area. Each is its arguments, its row and one function; paging, cursors and field selection are the
//! runtime's combinators.

pub(crate) mod changes;
pub(crate) mod commands;
pub(crate) mod compliance;
pub(crate) mod deployments;
pub(crate) mod devices;
pub(crate) mod health;
pub(crate) mod sites;
pub(crate) mod target_source;
pub(crate) mod templates;
pub(crate) mod work;

use std::sync::Arc;

use tool_runtime::Tool;

use crate::client::Api;

/// All tools over one API.
pub(crate) fn all(api: &Arc<Api>) -> Vec<Arc<dyn Tool>> {
    vec![
        templates::get_all_templates(api),
        templates::get_template(api),
        templates::preview_template(api),
        deployments::deploy_template(api),
        deployments::get_deployment(api),
        devices::list_devices(api),
        devices::get_device(api),
        devices::get_device_config(api),
        devices::list_interfaces(api),
        changes::update_interface(api),
        changes::save_config(api),
        commands::run_show_commands(api),
        compliance::list_compliance(api),
        compliance::get_compliance(api),
        compliance::run_compliance(api),
        work::get_task(api),
        sites::list_sites(api),
        health::list_issues(api),
        health::get_network_health(api),
    ]
}
