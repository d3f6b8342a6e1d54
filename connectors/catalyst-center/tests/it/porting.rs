//! The ports, through the pipeline, as change control calls them: live configurations, staged texts, steps and what becomes
//! of them, observations.
#![cfg(test)]

use std::sync::Arc;
use std::time::Duration;

use platform::artifacts::{ArtifactId, ArtifactKind, Readers};
use platform::context::RequestId;
use platform::{Clock as _, Json};
use serde_json::json;
use tool_runtime::ports::PortClient;
use tool_runtime::ports::config_changer::{
    Carrier, Handle, OpenIntent, Polled, Progress, SealedLines, Settled, StepSpec,
};
use tool_runtime::ports::state_probe::CheckQuery;
use world::{Device, Fault, Reachability};

use crate::lab::{Lab, NAME};
use crate::road::Road;

pub(crate) const DEPLOY: &str = "/template/deploy";
const CHANGE: &str = "chg-7";

/// A step that puts VLAN 3917 on a reachable device.
pub(crate) struct Step(pub(crate) StepSpec);

pub(crate) async fn step(lab: &Lab, road: &Road) -> Step {
    let template_id = lab.template("access-vlan").await;
    let version_id = versions(lab, &template_id).pop().unwrap();
    let _ = road;
    let Json::Object(params) = json!({"vlan_id": 3917, "vlan_name": "INTERLOCK_PROOF"}) else { unreachable!() };
    let device_id = lab.device(Reachability::Reachable).id.to_string();
    let carrier = Carrier { template_id, version_id };
    Step(StepSpec { device_id, change: CHANGE.into(), carrier, params, secrets: None })
}

/// Ids of a template's versions, oldest first, as the simulator keeps them.
fn versions(lab: &Lab, template_id: &str) -> Vec<String> {
    let template = lab.world.document("template", template_id).unwrap();
    let mut versions: Vec<(i64, String)> = template["versions"]
        .as_array()
        .unwrap()
        .iter()
        .map(|v| (v["number"].as_i64().unwrap(), v["id"].as_str().unwrap().to_owned()))
        .collect();
    versions.sort();
    versions.into_iter().map(|(_, id)| id).collect()
}

/// An intent as change control keeps it.
pub(crate) fn intent(open: &platform::store::OpenIntent, step: &StepSpec) -> OpenIntent {
    OpenIntent {
        call_id: open.call_id.clone(),
        step: step.clone(),
        announced_at_ms: open.opened_at * 1_000,
        handle: open.handle.clone().map(|handle| serde_json::from_value(handle).unwrap()),
    }
}

async fn opened(road: &Road, id: &str) -> String {
    String::from_utf8(road.artifacts.open(&ArtifactId::parse(id).unwrap()).await.unwrap()).unwrap()
}

/// Seals a text as change control does: for ports of this server only.
pub(crate) async fn sealed(road: &Road, text: &str) -> SealedLines {
    let artifact = road.ports().seal(ArtifactKind::Plan, "text/plain", text.as_bytes()).await.unwrap();
    SealedLines { artifact, sha256: hex::encode(platform::canonical::sha256(text.as_bytes())) }
}

pub(crate) async fn ended(road: &Road, device_id: &str, handle: Handle) -> Polled {
    let mut handle = handle;
    let polling = async {
        loop {
            let polled = road.ports().poll(device_id, &handle).await.unwrap();
            if polled.progress != Progress::Running {
                return polled;
            }
            handle = polled.handle;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), polling).await.unwrap()
}

fn device(lab: &Lab) -> &Device {
    lab.device(Reachability::Reachable)
}

#[tokio::test]
async fn t18_a_live_configuration_is_the_devices_own_and_not_the_stored_copy() {
    let lab = Lab::start().await;
    let road = Road::over(&lab).await;
    let device = device(&lab);
    let before = road.ports().read_live(&device.id.to_string()).await.unwrap();
    // Somebody changes the device behind the controller's back.
    let text = format!("{}vlan 3111\n name BEHIND\n", lab.world.running(device).text());
    lab.world.set_running(device, &world::Config::parse(world::Os::IosXe, &text), false).unwrap();
    lab.clock.advance(30);
    let asked = lab.clock.now().as_millisecond();
    let after = road.ports().read_live(&device.id.to_string()).await.unwrap();
    assert_ne!(before.sha256, after.sha256);
    assert!(asked <= after.read_at_ms && after.read_at_ms <= after.source_at_ms.unwrap());
    let text = opened(&road, &after.artifact.id).await;
    assert!(text.contains("vlan 3111\n name BEHIND\n"), "{text}");
    assert!(!lab.world.collected_text(device).contains("3111"), "the stored copy is old");
    assert!(text.ends_with("\nend\n") && text.starts_with("\nBuilding"), "neither echo nor prompt: {text:.80}");
    assert!(!after.secrets_unseen);
    assert_eq!((after.platform.as_str(), after.device_id), ("ios-xe", device.id.to_string()));
}

#[tokio::test]
async fn t27_an_unmasked_configuration_is_read_by_nobody_and_by_no_other_server() {
    let lab = Lab::start().await;
    let road = Road::over(&lab).await;
    let read = road.ports().read_live(&device(&lab).id.to_string()).await.unwrap();
    let id = ArtifactId::parse(&read.artifact.id).unwrap();
    let held = road.artifacts.find::<Json>(&id).await.unwrap();
    assert!(held.iter().all(|h| h.facts.readers == Readers::Platform && h.facts.origin.server == NAME));
    let text = opened(&road, &read.artifact.id).await;
    let secrets: Vec<&str> = text.lines().filter_map(crate::masking::planted).collect();
    assert!(secrets.len() > 5, "nothing is masked in what was sealed");
    let kept = road.kept();
    assert!(secrets.iter().all(|secret| !kept.contains(secret)), "records and store hold no secret");
}

#[tokio::test]
async fn t15_a_plan_names_the_newest_committed_version_or_the_one_that_was_asked_for() {
    let lab = Lab::start().await;
    let road = Road::over(&lab).await;
    let template_id = lab.template("access-vlan").await;
    let all = versions(&lab, &template_id);
    let newest = road.ports().template(&template_id, None).await.unwrap();
    assert_eq!((newest.name.as_str(), Some(&newest.version_id)), ("access-vlan", all.last()));
    let names: Vec<&str> = newest.parameters.iter().map(|p| p.name.as_str()).collect();
    assert!(names.contains(&"vlan_id") && newest.parameters.iter().all(|p| !p.sensitive), "{names:?}");
    let first = road.ports().template(&template_id, all.first().map(String::as_str)).await.unwrap();
    assert_eq!((Some(&first.version_id), Some(&first.newest_version_id)), (all.first(), all.last()));
    let absent = road.ports().template(&template_id, Some("no-such-version")).await.unwrap_err();
    assert_eq!(absent.code(), "template_version_unknown");
}

#[tokio::test]
async fn t21_what_is_staged_is_no_template_for_another_plan() {
    let lab = Lab::start().await;
    let road = Road::over(&lab).await;
    let id = device(&lab).id.to_string();
    let lines = sealed(&road, "snmp-server community s3cret-x RO\n").await;
    let staged = road.ports().stage(CHANGE, &id, &lines).await.unwrap();
    let refused = road.ports().template(&staged.carrier.template_id, None).await.unwrap_err();
    assert_eq!(refused.code(), "template_reserved");
}

#[tokio::test]
async fn t6_what_a_change_rests_on_is_told_by_the_road() {
    let lab = Lab::start().await;
    let road = Road::over(&lab).await;
    let device = device(&lab);
    let proven = road.ports().prove_target(&device.id.to_string()).await.unwrap();
    assert_eq!((proven.device_id, proven.serials.join(", ")), (device.id.to_string(), device.serial_text()));
    assert_eq!(road.ports().prove_target("nobody").await.unwrap_err().code(), "target_unknown");
    let management = [CheckQuery { name: "management".into(), of: json!({}) }];
    let seen = road.ports().observe(&device.id.to_string(), &management, None).await.unwrap();
    assert_eq!(seen[0].value["address"], device.management_ip.to_string());
}

#[tokio::test]
async fn t13_no_caller_can_name_a_port_and_no_list_shows_one() {
    let lab = Lab::start().await;
    let road = Road::over(&lab).await;
    let catalogue = road.pipeline.visibility().catalogue();
    let server = catalogue.server(NAME).unwrap();
    let ports: Vec<&str> =
        server.tools_and_ports().map(|t| t.name()).filter(|name| name.starts_with("port_")).collect();
    assert_eq!(ports.len(), 11, "{ports:?}");
    assert!(!server.tools().any(|tool| ports.contains(&tool.name())));
    for port in ports {
        let refused = road.call(port, json!({"device_id": device(&lab).id.to_string()}), None).await.unwrap_err();
        assert_eq!(refused.code(), "tool_unknown", "{port}");
    }
}

#[tokio::test]
async fn t27_what_is_sealed_for_one_server_does_not_exist_for_another() {
    let lab = Lab::start().await;
    let road = Road::over(&lab).await;
    let read = road.ports().read_live(&device(&lab).id.to_string()).await.unwrap();
    assert!(road.ports().open(&read.artifact).await.unwrap().ends_with(b"\nend\n"));
    let own = road.ports().seal(ArtifactKind::Plan, "text/plain", b"no vlan 5\n").await.unwrap();
    assert_eq!(road.ports().open(&own).await.unwrap(), b"no vlan 5\n");
    let other = PortClient::new(Arc::clone(&road.pipeline), &connector_suites::rig::context(), "catalyst-center-emea");
    for artifact in [&read.artifact, &own] {
        assert_eq!(other.open(artifact).await.unwrap_err().code(), "artifact_not_found");
    }
}

#[tokio::test]
async fn a_reading_of_the_same_configuration_has_the_same_digest() {
    let lab = Lab::start().await;
    let road = Road::over(&lab).await;
    let id = device(&lab).id.to_string();
    let first = road.ports().read_live(&id).await.unwrap();
    lab.clock.advance(3_600);
    let second = road.ports().read_live(&id).await.unwrap();
    assert_eq!(first.sha256, second.sha256);
    assert!(second.read_at_ms > first.read_at_ms);
}

#[tokio::test]
async fn a_device_that_does_not_answer_has_no_live_configuration() {
    let lab = Lab::start().await;
    let road = Road::over(&lab).await;
    let id = lab.device(Reachability::Unreachable).id.to_string();
    assert_eq!(road.ports().read_live(&id).await.unwrap_err().code(), "device_command_failed");
    let point = lab.world.devices().iter().find(|d| !d.has_configuration()).unwrap().id.to_string();
    assert_eq!(road.ports().read_live(&point).await.unwrap_err().code(), "platform_unsupported");
}

#[tokio::test]
async fn t20_a_step_is_on_the_device_and_its_handle_in_the_intent_before_the_first_poll() {
    let lab = Lab::start().await;
    let road = Road::over(&lab).await;
    let Step(step) = step(&lab, &road).await;
    let handle = road.ports().apply(RequestId::mint(), "k-1", &step).await.unwrap();
    assert_eq!(lab.used("/api/v1/task/"), 0, "applying polls nothing");
    // The same again under the same key starts nothing.
    assert_eq!(road.ports().apply(RequestId::mint(), "k-1", &step).await.unwrap(), handle);
    let polled = ended(&road, &step.device_id, handle).await;
    assert!(matches!(polled.progress, Progress::Succeeded { .. }), "{polled:?}");
    assert!(polled.handle.deployment_id.is_some());
    assert!(lab.world.running(device(&lab)).text().contains("vlan 3917\n name INTERLOCK_PROOF"));
    assert!(road.open_intents().await.is_empty());
}

#[tokio::test]
async fn a_step_is_forced_on_a_device_that_the_controller_believes_to_have_it() {
    let lab = Lab::start().await;
    let road = Road::over(&lab).await;
    let Step(step) = step(&lab, &road).await;
    let before = lab.world.running(device(&lab));
    let first = road.ports().apply(RequestId::mint(), "k-1", &step).await.unwrap();
    ended(&road, &step.device_id, first).await;
    lab.world.set_running(device(&lab), &before, true).unwrap();
    let second = road.ports().apply(RequestId::mint(), "k-2", &step).await.unwrap();
    ended(&road, &step.device_id, second).await;
    assert!(lab.world.running(device(&lab)).text().contains("vlan 3917"));
}

#[tokio::test]
async fn t15_what_is_rendered_and_applied_is_the_version_of_the_plan_and_not_the_latest() {
    let lab = Lab::start().await;
    let road = Road::over(&lab).await;
    let Step(mut step) = step(&lab, &road).await;
    let all = versions(&lab, &step.carrier.template_id);
    // A later version says something else.
    let id = step.carrier.template_id.clone();
    let mut template = lab.world.document("template", &id).unwrap();
    template["versions"][1]["body"]["templateContent"] = "vlan {{ vlan_id }}\n name LATER\n".into();
    lab.world.put_document("template", &id, template).unwrap();
    step.carrier.version_id = all[0].clone();
    let lines = road.ports().render(&step).await.unwrap();
    assert_eq!(opened(&road, &lines.artifact.id).await, "vlan 3917\n name INTERLOCK_PROOF\n");
    let handle = road.ports().apply(RequestId::mint(), "k-1", &step).await.unwrap();
    ended(&road, &step.device_id, handle).await;
    assert!(lab.world.running(device(&lab)).text().contains("name INTERLOCK_PROOF"));
    step.carrier.version_id = "00000000-0000-4000-8000-000000000000".into();
    assert_eq!(road.ports().render(&step).await.unwrap_err().code(), "template_version_unknown");
    let refused = road.ports().apply(RequestId::mint(), "k-3", &step).await.unwrap_err();
    assert_eq!(refused.code(), "template_version_unknown");
    assert!(road.open_intents().await.is_empty(), "nothing was sent");
}

#[tokio::test]
async fn a_step_with_wrong_parameters_is_refused_by_name_and_not_by_value() {
    let lab = Lab::start().await;
    let road = Road::over(&lab).await;
    let Step(mut step) = step(&lab, &road).await;
    step.params.remove("vlan_name");
    let refused = road.ports().render(&step).await.unwrap_err();
    assert_eq!(refused.code(), "render_refused");
    assert_eq!(refused.refusal().details.as_ref().unwrap()["parameters"], json!(["vlan_name"]));
}

const UNDO: &str = "no vlan 3917\nusername rollback privilege 15 secret 9 $9$C4N4RY-1\n snmp-server community C4N4RY-2 RO 10\n\
                    interface Vlan1\n description {{ not a parameter }} $x #if\nbanner motd ^C\nkeep {% out\n^C\n";

#[tokio::test]
async fn t21_a_staged_text_is_committed_literally_with_its_secrets_as_parameters_and_once() {
    let lab = Lab::start().await;
    let road = Road::over(&lab).await;
    let id = device(&lab).id.to_string();
    let lines = sealed(&road, UNDO).await;
    let staged = road.ports().stage(CHANGE, &id, &lines).await.unwrap();
    let template = lab.world.document("template", &staged.carrier.template_id).unwrap();
    assert!(!template.to_string().contains("C4N4RY"), "{template}");
    assert_eq!(template["versions"].as_array().unwrap().len(), 1);
    let project = lab.world.document("project", template["project"].as_str().unwrap()).unwrap();
    assert_eq!(project["name"], "interlock-chg-7");
    let secrets = opened(&road, &staged.secrets.as_ref().unwrap().id).await;
    assert_eq!(secrets, r#"{"secret_1":"$9$C4N4RY-1","secret_2":"C4N4RY-2"}"#);
    // A repeat finds what is there; another text and another change make their own.
    let again = road.ports().stage(CHANGE, &id, &lines).await.unwrap();
    assert_eq!(again.carrier, staged.carrier);
    let other = road.ports().stage(CHANGE, &id, &sealed(&road, "no vlan 5\n").await).await.unwrap();
    assert!(other.carrier != staged.carrier && other.secrets.is_none());
    let elsewhere = road.ports().stage("chg-8", &id, &lines).await.unwrap();
    assert_ne!(elsewhere.carrier, staged.carrier);
    // It enters exactly its lines.
    let step = StepSpec {
        device_id: id.clone(),
        change: CHANGE.into(),
        carrier: staged.carrier,
        params: serde_json::Map::new(),
        secrets: staged.secrets,
    };
    let rendered = road.ports().render(&step).await.unwrap();
    let rendered = opened(&road, &rendered.artifact.id).await;
    assert!(rendered.contains("secret 9 $9$C4N4RY-1\n") && rendered.contains("{{ not a parameter }} $x #if\n"));
    let kept = road.kept();
    assert!(!kept.contains("C4N4RY"), "a secret is in the records");
}

#[tokio::test]
async fn t21_what_is_staged_for_a_change_is_hidden_from_the_template_tools_and_from_other_changes() {
    let lab = Lab::start().await;
    let road = Road::over(&lab).await;
    let id = device(&lab).id.to_string();
    let staged = road.ports().stage(CHANGE, &id, &sealed(&road, "no vlan 3917\n").await).await.unwrap();
    let all = road.call("get_all_templates", json!({}), None).await.unwrap().structured;
    assert!(!all.to_string().contains(&staged.carrier.template_id), "{all}");
    let by_project = json!({"project": "interlock-chg-7"});
    assert_eq!(road.call("get_all_templates", by_project, None).await.unwrap().structured["count"], 0);
    let template = &staged.carrier.template_id;
    for (tool, arguments) in [
        ("get_template", json!({"template_id": template})),
        ("get_template", json!({"template_id": staged.carrier.version_id})),
        ("preview_template", json!({"template_id": template, "device_id": id})),
        ("deploy_template", json!({"template_id": template, "device_id": id})),
    ] {
        let refused = road.call(tool, arguments, None).await.unwrap_err();
        assert_eq!(refused.code(), "template_reserved", "{tool}");
    }
    let mut step = StepSpec {
        device_id: id,
        change: "chg-8".into(),
        carrier: staged.carrier,
        params: serde_json::Map::new(),
        secrets: None,
    };
    assert_eq!(road.ports().render(&step).await.unwrap_err().code(), "template_reserved");
    let refused = road.ports().apply(RequestId::mint(), "k-1", &step).await.unwrap_err();
    assert_eq!(refused.code(), "template_reserved");
    assert!(road.open_intents().await.is_empty());
    step.change = CHANGE.into();
    let handle = road.ports().apply(RequestId::mint(), "k-2", &step).await.unwrap();
    ended(&road, &step.device_id, handle).await;
}

#[tokio::test]
async fn t21_a_staged_text_that_somebody_altered_is_not_used() {
    let lab = Lab::start().await;
    let road = Road::over(&lab).await;
    let id = device(&lab).id.to_string();
    let lines = sealed(&road, "no vlan 3917\n").await;
    let staged = road.ports().stage(CHANGE, &id, &lines).await.unwrap();
    let mut template = lab.world.document("template", &staged.carrier.template_id).unwrap();
    template["versions"][0]["body"]["templateContent"] = "no vlan 1\n".into();
    lab.world.put_document("template", &staged.carrier.template_id, template).unwrap();
    assert_eq!(road.ports().stage(CHANGE, &id, &lines).await.unwrap_err().code(), "staged_text_altered");
}

#[tokio::test]
async fn t20_two_deployments_that_fit_are_unknown_and_show_both() {
    let lab = Lab::start().await;
    let road = Road::over(&lab).await;
    let Step(step) = step(&lab, &road).await;
    lab.clock.advance(60);
    let announced_at_ms = lab.clock.now().as_millisecond();
    for key in ["k-1", "k-2"] {
        let handle = road.ports().apply(RequestId::mint(), key, &step).await.unwrap();
        ended(&road, &step.device_id, handle).await;
    }
    let open = OpenIntent { call_id: "c".into(), step, announced_at_ms, handle: None };
    let Settled::Unknown { evidence } = road.ports().reconcile(&open).await.unwrap() else { panic!("not unknown") };
    assert_eq!(evidence["tasks"].as_array().unwrap().len(), 2, "{evidence}");
}

#[tokio::test]
async fn t20_a_deployment_of_another_version_or_device_is_not_taken_for_ours() {
    let lab = Lab::start().await;
    let road = Road::over(&lab).await;
    let Step(step) = step(&lab, &road).await;
    let announced_at_ms = lab.clock.now().as_millisecond();
    let mut other = step.clone();
    other.carrier.version_id = versions(&lab, &step.carrier.template_id)[0].clone();
    let handle = road.ports().apply(RequestId::mint(), "k-1", &other).await.unwrap();
    ended(&road, &other.device_id, handle).await;
    let fits = |d: &&Device| d.has_configuration() && lab.world.reachability(d) == Reachability::Reachable;
    let mut other = step.clone();
    other.device_id = lab.world.devices().iter().filter(fits).nth(1).unwrap().id.to_string();
    let handle = road.ports().apply(RequestId::mint(), "k-2", &other).await.unwrap();
    ended(&road, &other.device_id, handle).await;
    let open = OpenIntent { call_id: "c".into(), step, announced_at_ms, handle: None };
    assert!(matches!(road.ports().reconcile(&open).await.unwrap(), Settled::Pending { .. }));
}

#[tokio::test]
async fn t20_not_done_is_said_after_the_settle_time_and_not_a_second_before() {
    let lab = Lab::start().await;
    let road = Road::over(&lab).await;
    let Step(step) = step(&lab, &road).await;
    let announced_at_ms = lab.clock.now().as_millisecond();
    let settle = i64::try_from(road.ports().settle_time().unwrap().as_secs()).unwrap();
    let open = OpenIntent { call_id: "c".into(), step, announced_at_ms, handle: None };
    lab.clock.advance(settle);
    assert!(matches!(road.ports().reconcile(&open).await.unwrap(), Settled::Pending { .. }));
    lab.clock.advance(5);
    assert_eq!(road.ports().reconcile(&open).await.unwrap(), Settled::NotDone);
}

#[tokio::test]
async fn t18_an_observation_says_when_its_source_saw_it_and_is_stale_when_that_was_before_the_write() {
    let lab = Lab::start().await;
    let road = Road::over(&lab).await;
    let device = device(&lab);
    let all = ["reachability", "interfaces", "neighbors", "issues", "compliance"];
    let queries: Vec<CheckQuery> = all.map(|name| CheckQuery { name: name.into(), of: Json::Null }).into();
    let id = device.id.to_string();
    let seen = road.ports().observe(&id, &queries, None).await.unwrap();
    assert_eq!(seen.iter().map(|o| o.name.as_str()).collect::<Vec<_>>(), all);
    assert!(seen.iter().all(|o| !o.stale), "{seen:?}");
    assert_eq!(seen[0].value["answers"], true);
    assert_eq!(seen[1].value.as_object().unwrap().len(), lab.world.interfaces(device).len());
    let known = |at: usize| lab.world.devices()[at].managed_by_controller();
    let links = lab.world.links_of(device).filter(|link| link.ends.iter().all(|(at, _)| known(*at))).count();
    assert_eq!(seen[2].value.as_object().unwrap().len(), links);
    assert_eq!(seen[4].value["status"], "COMPLIANT");
    // The device is written to, and the controller does not look: only what is asked of the device itself is fresh.
    lab.clock.advance(600);
    lab.fault(DEPLOY, Fault::StaleCopy, 1);
    let Step(step) = step(&lab, &road).await;
    let handle = road.ports().apply(RequestId::mint(), "k-1", &step).await.unwrap();
    ended(&road, &id, handle).await;
    let written = lab.clock.now().as_millisecond();
    lab.clock.advance(2);
    let seen = road.ports().observe(&id, &queries, Some(written)).await.unwrap();
    let stale: Vec<bool> = seen.iter().map(|o| o.stale).collect();
    assert_eq!(stale, [false, true, true, true, true], "{seen:?}");
    let live: Vec<CheckQuery> =
        ["interfaces", "neighbors"].map(|name| CheckQuery { name: name.into(), of: json!({"live": true}) }).into();
    let seen = road.ports().observe(&id, &live, Some(written)).await.unwrap();
    assert!(seen.iter().all(|o| !o.stale), "{seen:?}");
    let ports = lab.world.interfaces(device);
    let held = seen[0].value.as_object().unwrap();
    assert_eq!(held.len(), ports.len());
    for port in &ports {
        let (admin, status) = (if port.admin_up { "UP" } else { "DOWN" }, if port.oper_up { "up" } else { "down" });
        assert_eq!(held[&port.name], json!({"admin": admin, "status": status}), "{}", port.name);
    }
    assert!(!seen[1].value.as_object().unwrap().is_empty());
    let unknown = [CheckQuery { name: "weather".into(), of: Json::Null }];
    assert_eq!(road.ports().observe(&id, &unknown, None).await.unwrap_err().code(), "check_unsupported");
}
