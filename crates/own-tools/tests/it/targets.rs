//! T10, T17: who finds which devices, and how the sources stand.

use std::sync::Arc;

use async_trait::async_trait;
use platform::policy::TargetFacts;
use platform::{Clock as _, Error};
use platform_suites::tokens::person;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;
use tool_runtime::connector::{CredentialKind, target_unknown};
use tool_runtime::ports::target_source::{TargetPage, TargetRow, TargetSource};
use tool_runtime::tool::typed;
use tool_runtime::{Connector, Instance, Ports, Tool, ToolCx, ToolSpec};

use super::{call, road_with};

/// A system with one tool that knows these devices.
#[derive(Clone)]
struct System(Vec<TargetRow>);

#[derive(Deserialize, Serialize, JsonSchema)]
struct Nothing {}

#[async_trait]
impl Connector for System {
    fn name(&self) -> &'static str {
        "system"
    }

    fn instructions(&self) -> &'static str {
        "Only for tests."
    }

    fn credential(&self) -> CredentialKind {
        CredentialKind::None
    }

    fn tools(&self) -> Vec<Arc<dyn Tool>> {
        let spec = ToolSpec::new::<Nothing, Nothing>("look", "Look", "A tool of the tests.");
        vec![typed(spec, |_, args: Nothing| async move { Ok(args) })]
    }

    fn ports(&self) -> Ports {
        Ports { target_source: Some(Arc::new(self.clone())), ..Ports::default() }
    }

    async fn look_up(&self, _: &ToolCx, kind: &str, id: &str) -> Result<TargetFacts, Error> {
        Err(target_unknown(kind, id))
    }
}

#[async_trait]
impl TargetSource for System {
    async fn targets(&self, _: &ToolCx, _: u64) -> Result<TargetPage, Error> {
        Ok(TargetPage { rows: self.0.clone(), next: None })
    }
}

fn row(id: &str, serial: &str, ci: Option<&str>) -> TargetRow {
    TargetRow {
        id: id.into(),
        serials: vec![serial.into()],
        hostname: Some(format!("host-{id}")),
        site: None,
        role: None,
        redundancy_group: None,
        ci: ci.map(str::to_owned),
    }
}

#[tokio::test]
async fn t10_devices_are_found_by_what_the_callers_servers_know() {
    let controller = System(vec![row("d1", "A", None), row("d2", "B", None), row("d3", "C", None)]);
    let records = System(vec![row("c1", "A", Some("c1")), row("c9", "Z", Some("c9"))]);
    let more = [("controller", controller), ("records", records)].map(|(name, system)| Instance {
        name: name.into(),
        environment: "test".into(),
        connector: Arc::new(system),
    });
    // Policy shows the server `records` to the group `cmdb` only.
    let (road, clock) = road_with(false, more.into()).await;
    let sources = call(&road, person("alice", &["netops"]), "list_target_sources", json!({})).await.1.unwrap();
    assert_eq!(sources["sources"], json!([{"name": "controller", "age_s": null, "devices": 0, "failed": null}]));
    assert_eq!(sources["fit_for_changes"], false);
    for source in ["controller", "records"] {
        road.refresh_target_source(source).await.unwrap();
    }
    clock.advance(20);
    let engineer = person("alice", &["netops"]);
    let page = call(&road, engineer.clone(), "find_targets", json!({"hostname": "HOST", "limit": 2})).await.1.unwrap();
    assert_eq!((page["total"].as_u64(), page["items"].as_array().unwrap().len()), (Some(3), 2));
    assert_eq!(page["items"][0]["known_as"], json!([{"source": "controller", "id": "d1"}]));
    assert!(page["items"][0]["ci"].is_null() && page["items"][0]["age_s"].as_i64().unwrap() >= 20);
    let next = json!({"hostname": "HOST", "limit": 2, "cursor": page["next_cursor"]});
    let last = call(&road, engineer.clone(), "find_targets", next).await.1.unwrap();
    assert_eq!((last["items"][0]["serials"][0].as_str(), last["next_cursor"].is_null()), (Some("C"), true));
    let by_ci = json!({"ci": "c1"});
    assert_eq!(call(&road, engineer, "find_targets", by_ci.clone()).await.1.unwrap()["total"], 0);
    let keeper = person("kim", &["cmdb"]);
    let found = call(&road, keeper.clone(), "find_targets", by_ci).await.1.unwrap();
    assert_eq!((found["total"].as_u64(), found["items"][0]["ci"].as_str()), (Some(1), Some("c1")));
    let sources = call(&road, keeper, "list_target_sources", json!({})).await.1.unwrap();
    assert_eq!((sources["devices"].as_u64(), sources["fit_for_changes"].as_bool()), (Some(4), Some(true)));
    assert!(clock.epoch_seconds() > 0);
}
