//! T6, T13, T17: what the road does with the target directory: reads are served, changes rest only on what is read, young and
//! not contradicted; and a refresh is a call like any other.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use platform::audit::{Outcome, Phase};
use platform::policy::{Effect, TargetFacts};
use platform::principal::PrincipalKind;
use platform::resource::Resource;
use platform::{Error, ErrorKind, Json};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio_util::sync::CancellationToken;
use tool_runtime::connector::{CredentialKind, target_unknown};
use tool_runtime::pipeline::Limits;
use tool_runtime::ports::target_source::{LIST_TARGETS, TargetPage, TargetRow, TargetSource};
use tool_runtime::targets::{STALE_S, refresh};
use tool_runtime::tool::typed;
use tool_runtime::{
    Answer, CallRequest, Connector, Instance, Ports, TargetArgument, TargetDirectory, Tool, ToolCx, ToolSpec,
};

use crate::fixture::{Lab, cx, decision};

/// What an inventory does: a test changes it while it is used.
#[derive(Default)]
struct World {
    rows: Vec<TargetRow>,
    /// What it fails with.
    down: Option<fn() -> Error>,
    looked_up: usize,
    pages: usize,
}

/// A system that knows devices.
#[derive(Clone, Default)]
struct Inventory(Arc<Mutex<World>>);

impl Inventory {
    fn with(rows: Vec<TargetRow>) -> Self {
        Self(Arc::new(Mutex::new(World { rows, ..World::default() })))
    }

    fn change(&self, change: impl FnOnce(&mut World)) {
        change(&mut self.0.lock().unwrap());
    }

    fn looked_up(&self) -> usize {
        self.0.lock().unwrap().looked_up
    }

    fn instance(&self, name: &str) -> Instance {
        Instance { name: name.into(), environment: "test".into(), connector: Arc::new(self.clone()) }
    }
}

#[derive(Deserialize, Serialize, JsonSchema)]
struct OneBox {
    device: String,
}

#[async_trait]
impl Connector for Inventory {
    fn name(&self) -> &'static str {
        "inventory"
    }

    fn instructions(&self) -> &'static str {
        "Only for tests."
    }

    fn credential(&self) -> CredentialKind {
        CredentialKind::None
    }

    fn tools(&self) -> Vec<Arc<dyn Tool>> {
        let spec = |name| {
            let targets = &[TargetArgument { argument: "device", kind: "device" }];
            ToolSpec::new::<OneBox, OneBox>(name, "A box", "A tool of the tests.").targets(targets)
        };
        let tool = |spec| typed(spec, |_, args: OneBox| async move { Ok(args) });
        vec![tool(spec("show_box")), tool(spec("plan_box").proven_targets()), tool(spec("change_box"))]
    }

    fn ports(&self) -> Ports {
        Ports { target_source: Some(Arc::new(self.clone())), ..Ports::default() }
    }

    async fn look_up(&self, _: &ToolCx, kind: &str, id: &str) -> Result<TargetFacts, Error> {
        let mut world = self.0.lock().unwrap();
        world.looked_up += 1;
        if let Some(down) = world.down {
            return Err(down());
        }
        let row = world.rows.iter().find(|row| row.id == id).ok_or_else(|| target_unknown(kind, id))?;
        Ok(TargetFacts {
            kind: kind.into(),
            id: id.into(),
            name: row.hostname.clone().unwrap_or_default(),
            serials: row.serials.clone(),
            source: "live".into(),
            ..TargetFacts::default()
        })
    }
}

#[async_trait]
impl TargetSource for Inventory {
    async fn targets(&self, _: &ToolCx, offset: u64) -> Result<TargetPage, Error> {
        let mut world = self.0.lock().unwrap();
        world.pages += 1;
        if let Some(down) = world.down {
            return Err(down());
        }
        let rows: Vec<_> = world.rows.iter().skip(offset as usize).take(2).cloned().collect();
        let next = offset + rows.len() as u64;
        Ok(TargetPage { rows, next: (next < world.rows.len() as u64).then_some(next) })
    }
}

fn row(id: &str, serial: &str) -> TargetRow {
    TargetRow {
        id: id.into(),
        serials: vec![serial.into()],
        hostname: Some(format!("host-{id}")),
        site: Some("Global/Lab".into()),
        role: None,
        redundancy_group: None,
        ci: None,
    }
}

fn down() -> Error {
    Error::new(ErrorKind::Unavailable, "target_unreachable", "It cannot be reached.")
}

/// A lab with a controller and a CMDB, not read yet. Policy allows everything.
async fn lab(controller: &Inventory, records: &Inventory) -> Lab {
    let more = vec![controller.instance("controller"), records.instance("records")];
    let lab = Lab::with_more(Limits::default(), more, TargetDirectory::default()).await;
    lab.policy.decide_by(|_| decision(Effect::Allow, &[]));
    lab
}

async fn read_all(lab: &Lab) {
    for source in ["controller", "records"] {
        lab.road.refresh_target_source(source).await.unwrap();
    }
}

async fn call(lab: &Lab, tool: &str, device: &str) -> Result<Answer, Error> {
    let mut cx = cx();
    cx.resource = Resource::Mcp;
    let request = CallRequest {
        server: "controller".into(),
        tool: tool.into(),
        arguments: json!({ "device": device }),
        references: Default::default(),
    };
    lab.road.call(Arc::new(cx), request).await
}

async fn refused(lab: &Lab, device: &str) -> Error {
    call(lab, "change_box", device).await.unwrap_err()
}

/// The facts that policy was last asked about.
fn asked(lab: &Lab) -> TargetFacts {
    lab.policy.asked().pop().unwrap().targets.remove(0)
}

#[tokio::test]
async fn t6_before_every_source_was_read_a_change_is_told_to_wait_and_a_read_is_served() {
    let controller = Inventory::with(vec![row("d1", "A")]);
    let lab = lab(&controller, &Inventory::default()).await;
    lab.road.refresh_target_source("controller").await.unwrap();
    let refusal = refused(&lab, "d1").await;
    assert_eq!((refusal.kind(), refusal.code()), (ErrorKind::Unavailable, "targets_not_loaded"));
    assert_eq!(refusal.refusal().details, Some(json!({"sources": ["records"]})));
    assert!(refusal.refusal().retry_after_s.is_some());
    call(&lab, "show_box", "d1").await.unwrap();
    lab.road.refresh_target_source("records").await.unwrap();
    call(&lab, "change_box", "d1").await.unwrap();
}

#[tokio::test]
async fn t17_facts_of_all_sources_reach_policy_and_the_record() {
    let controller = Inventory::with(vec![row("d1", "a")]);
    let records = Inventory::with(vec![TargetRow {
        ci: Some("ci-1".into()),
        redundancy_group: Some("pair".into()),
        ..row("ci-1", "A")
    }]);
    let lab = lab(&controller, &records).await;
    read_all(&lab).await;
    for tool in ["show_box", "change_box"] {
        call(&lab, tool, "d1").await.unwrap();
        let facts = asked(&lab);
        assert_eq!((facts.ci.as_deref(), facts.redundancy_group.as_deref()), (Some("ci-1"), Some("pair")), "{tool}");
        assert_eq!((facts.serials, facts.source.as_str(), facts.id.as_str()), (vec!["A".to_owned()], "index", "d1"));
    }
    assert_eq!(controller.looked_up(), 0, "an index that was just read needs no look-up");
    let unknown = refused(&lab, "d9").await;
    assert_eq!((unknown.kind(), unknown.code()), (ErrorKind::NotFound, "target_unknown"));
}

#[tokio::test]
async fn t6_a_change_asks_the_system_itself_when_the_index_is_older_than_a_minute() {
    let controller = Inventory::with(vec![row("d1", "A"), row("d2", "B")]);
    let records = Inventory::with(vec![TargetRow { ci: Some("ci-1".into()), ..row("ci-1", "A") }]);
    let lab = lab(&controller, &records).await;
    read_all(&lab).await;
    lab.clock.advance(90);
    call(&lab, "show_box", "d1").await.unwrap();
    assert_eq!((controller.looked_up(), asked(&lab).source.as_str()), (0, "index"));
    call(&lab, "change_box", "d1").await.unwrap();
    let facts = asked(&lab);
    assert_eq!((controller.looked_up(), facts.source.as_str(), facts.ci.as_deref()), (1, "live", Some("ci-1")));
    assert!(facts.age_s >= 90, "as old as the oldest of what it rests on: {}", facts.age_s);
    assert_eq!(
        facts.site.as_deref(),
        Some("Global/Lab"),
        "what the look-up leaves out comes from the device's own row"
    );
    // The device was replaced: what stood beside the old serial number is nothing to the new one.
    controller.change(|world| world.rows[0].serials = vec!["NEW".into()]);
    lab.clock.advance(70);
    call(&lab, "change_box", "d1").await.unwrap();
    assert_eq!((asked(&lab).serials, asked(&lab).ci), (vec!["NEW".to_owned()], None));
    // And took the serial number of another one: that is a contradiction.
    controller.change(|world| world.rows[0].serials = vec!["B".into()]);
    lab.clock.advance(70);
    assert_eq!(refused(&lab, "d1").await.code(), "target_ambiguous");
}

#[tokio::test]
async fn t6_facts_older_than_fifteen_minutes_are_refused_for_a_change_and_never_for_a_read() {
    let controller = Inventory::with(vec![row("d1", "A")]);
    let lab = lab(&controller, &Inventory::default()).await;
    read_all(&lab).await;
    lab.clock.advance(STALE_S - 10);
    lab.road.refresh_target_source("controller").await.unwrap();
    call(&lab, "change_box", "d1").await.unwrap();
    lab.clock.advance(20);
    let refusal = refused(&lab, "d1").await;
    assert_eq!((refusal.kind(), refusal.code()), (ErrorKind::Unavailable, "target_facts_stale"));
    assert_eq!(refusal.refusal().details.as_ref().unwrap()["source"], "records");
    lab.clock.advance(24 * 3600);
    controller.change(|world| world.down = Some(down));
    call(&lab, "show_box", "d1").await.unwrap();
    assert_eq!((asked(&lab).source.as_str(), controller.looked_up()), ("index", 1), "the system was asked first");
    assert!(asked(&lab).age_s > 24 * 3600);
    assert_eq!(refused(&lab, "d1").await.code(), "target_facts_stale");
}

#[tokio::test]
async fn t17_a_contradicted_device_is_read_and_not_changed() {
    let controller = Inventory::with(vec![row("d1", "A"), row("d2", "B")]);
    let item = |ci: &str| TargetRow { ci: Some(ci.into()), ..row(ci, "A") };
    let records = Inventory::with(vec![item("ci-1"), item("ci-2")]);
    let lab = lab(&controller, &records).await;
    read_all(&lab).await;
    call(&lab, "show_box", "d1").await.unwrap();
    let refusal = refused(&lab, "d1").await;
    assert_eq!((refusal.kind(), refusal.code()), (ErrorKind::Conflict, "target_ambiguous"));
    let details = refusal.refusal().details.clone().unwrap();
    assert_eq!(details["reason"], "several_items");
    assert_eq!(details["claims"][1], json!({"source": "records", "id": "ci-2"}));
    let planned = call(&lab, "plan_box", "d1").await.unwrap_err();
    assert_eq!(planned.code(), "target_ambiguous", "a read that a change will rest on is held to the same");
    call(&lab, "plan_box", "d2").await.unwrap();
    call(&lab, "change_box", "d2").await.unwrap();
    lab.clock.advance(90);
    assert_eq!(refused(&lab, "d1").await.code(), "target_ambiguous", "also after a look-up");
}

#[tokio::test]
async fn t6_a_device_that_is_newer_than_the_index_is_looked_up() {
    let controller = Inventory::with(vec![row("d1", "A")]);
    let records = Inventory::with(vec![TargetRow { ci: Some("ci-2".into()), ..row("ci-2", "B") }]);
    let lab = lab(&controller, &records).await;
    read_all(&lab).await;
    controller.change(|world| world.rows.push(row("d2", "B")));
    for tool in ["show_box", "change_box"] {
        call(&lab, tool, "d2").await.unwrap();
        assert_eq!((asked(&lab).source.as_str(), asked(&lab).ci.as_deref()), ("live", Some("ci-2")), "{tool}");
    }
    controller.change(|world| world.down = Some(down));
    assert_eq!(refused(&lab, "d3").await.code(), "target_unreachable");
}

#[tokio::test]
async fn t13_a_refresh_is_one_call_by_the_road_as_the_platform_itself() {
    let controller = Inventory::with((0..5).map(|n| row(&format!("d{n}"), &format!("S{n}"))).collect());
    let lab = lab(&controller, &Inventory::default()).await;
    assert_eq!(lab.road.refresh_target_source("controller").await.unwrap(), 5);
    assert_eq!(controller.0.lock().unwrap().pages, 3);
    assert_eq!(lab.records(), [(Phase::Call, Outcome::Success, None)], "one record for all pages");
    let record = lab.last_record();
    assert_eq!((record.protocol.as_deref(), record.tool.unwrap().tool.as_str()), (Some("internal"), LIST_TARGETS));
    let input = lab.policy.asked().pop().unwrap();
    assert_eq!((input.groups, input.principal.kind), (vec![refresh::GROUP.to_owned()], PrincipalKind::Client));
    lab.policy.decide_by(|_| decision(Effect::Deny, &[]));
    lab.clock.advance(10);
    assert_eq!(lab.road.refresh_target_source("controller").await.unwrap_err().code(), "denied");
    let status = lab.road.directory().status(0).remove(0);
    assert_eq!((status.devices, status.failed.as_deref()), (5, Some("denied")), "what was known stays");
}

#[tokio::test]
async fn a_result_of_the_port_is_never_too_large_for_the_platform_itself() {
    let controller = Inventory::with((0..50).map(|n| row(&format!("d{n}"), &format!("S{n}"))).collect());
    let limits = Limits { max_result: 500, ..Limits::default() };
    let lab = Lab::with_more(limits, vec![controller.instance("controller")], TargetDirectory::default()).await;
    assert_eq!(lab.road.refresh_target_source("controller").await.unwrap(), 50);
    assert_eq!(lab.road.directory().size(), (50, 0));
}

#[tokio::test]
async fn a_change_waits_for_an_index_that_is_being_read() {
    let controller = Inventory::with(vec![row("d1", "A")]);
    let lab = lab(&controller, &Inventory::default()).await;
    let stop = CancellationToken::new();
    let refreshing = tokio::spawn(Arc::clone(&lab.road).refresh_targets(stop.clone()));
    // Without a wait these were refused with `targets_not_loaded`, or, after the clock has moved, with `target_facts_stale`.
    let first = async {
        loop {
            match call(&lab, "change_box", "d1").await {
                // The refresher has not begun.
                Err(error) if error.code() == "targets_not_loaded" => tokio::task::yield_now().await,
                other => break other,
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(20), first).await.unwrap().unwrap();
    lab.clock.advance(2 * STALE_S);
    call(&lab, "change_box", "d1").await.unwrap();
    controller.change(|world| world.down = Some(down));
    lab.clock.advance(2 * STALE_S);
    assert_eq!(
        refused(&lab, "d1").await.code(),
        "target_facts_stale",
        "a source that fails is not waited for again and again"
    );
    controller.change(|world| world.down = None);
    stop.cancel();
    refreshing.await.unwrap();
    lab.clock.advance(2 * STALE_S);
    assert_eq!(refused(&lab, "d1").await.code(), "target_facts_stale", "nobody refreshes any more, so nobody waits");
}

#[tokio::test]
async fn a_list_that_does_not_end_is_refused() {
    struct Endless;
    #[async_trait]
    impl TargetSource for Endless {
        async fn targets(&self, _: &ToolCx, offset: u64) -> Result<TargetPage, Error> {
            Ok(TargetPage { rows: vec![row("d", "A")], next: Some(offset) })
        }
    }
    struct Broken;
    #[async_trait]
    impl Connector for Broken {
        fn name(&self) -> &'static str {
            "inventory"
        }
        fn instructions(&self) -> &'static str {
            ""
        }
        fn credential(&self) -> CredentialKind {
            CredentialKind::None
        }
        fn tools(&self) -> Vec<Arc<dyn Tool>> {
            Vec::new()
        }
        fn ports(&self) -> Ports {
            Ports { target_source: Some(Arc::new(Endless)), ..Ports::default() }
        }
        async fn look_up(&self, _: &ToolCx, kind: &str, id: &str) -> Result<TargetFacts, Error> {
            Err(target_unknown(kind, id))
        }
    }
    let instance = Instance { name: "broken".into(), environment: "test".into(), connector: Arc::new(Broken) };
    let lab = Lab::with_more(Limits::default(), vec![instance], TargetDirectory::default()).await;
    assert_eq!(lab.road.refresh_target_source("broken").await.unwrap_err().code(), "result_invalid");
}

#[tokio::test]
async fn a_port_is_reached_by_no_door() {
    let controller = Inventory::with(vec![row("d1", "A")]);
    let lab = lab(&controller, &Inventory::default()).await;
    let mut cx = cx();
    cx.resource = Resource::Mcp;
    let request = CallRequest {
        server: "controller".into(),
        tool: LIST_TARGETS.into(),
        arguments: Json::Null,
        references: Default::default(),
    };
    assert_eq!(lab.road.call(Arc::new(cx), request).await.unwrap_err().code(), "tool_unknown");
}
