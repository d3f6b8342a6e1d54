//! The controller about itself: release, packages, nodes.

use axum::Router;
use axum::routing::get;
use serde_json::json;

use crate::reply::{Answer, enveloped};
use crate::simulator::Shared;

pub(crate) fn routes() -> Router<Shared> {
    Router::new()
        .route("/dna/intent/api/v1/dnac-release", get(release))
        .route("/dna/intent/api/v1/dnac-packages", get(packages))
        .route("/dna/intent/api/v1/nodes-config", get(nodes))
}

async fn release() -> Answer {
    enveloped(json!({
        "name": "dnac", "displayName": "2.3.7.9-70301", "installedVersion": "2.3.7.9-70301", "displayVersion": "2.3.7.9-70301",
        "systemVersion": "2.1.719.70301", "supportedDirectUpdates": [], "packages": [],
    }))
}

async fn packages() -> Answer {
    enveloped(json!([
        { "name": "assurance", "displayName": "Assurance - Base", "version": "2.3.7.9.1" },
        { "name": "template-programmer", "displayName": "Template Programmer", "version": "2.3.7.9.1" },
    ]))
}

/// One node, as a lab's controller has one.
async fn nodes() -> Answer {
    enveloped(json!({ "nodes": [{
        "id": "7b1a9d52-8e0a-4e35-9a55-2f6f2b7f0a01", "name": "controller-1", "ntp": { "servers": ["10.0.0.123", "10.0.1.123"] },
        "platform": { "vendor": "Cisco Systems Inc", "product": "DN3-HW-APL", "serial": "FCH2444V0AB" },
        "proxy": { "https_proxy": "", "no_proxy": [], "https_proxy_username": "", "http_proxy": "", "https_proxy_password": "" },
        "network": [{
            "interface": "enterprise", "intra_cluster_link": false, "lacp_mode": false, "lacp_supported": true, "slave": ["enp94s0f0"],
            "inet": { "host_ip": "10.0.0.10", "netmask": "255.255.255.0", "gateway": "10.0.0.1", "dns_servers": ["10.0.0.53"], "routes": [] },
            "inet6": { "host_ip": "", "netmask": "" },
        }],
    }] }))
}
