//! T10, T13, T14, T22: who sees which change, how one is followed, and what its plan shows.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use change_control::model::change::{ApproversNeeded, CancelMode, Change, Requester, RunProgress};
use change_control::model::plan::{PlanReference, PublicPlan, plan_hash};
use change_control::model::state::State;
use change_control::model::submission::{Submission, Window};
use change_control::run::contract::SettledBy;
use change_control::run::steer::SettleRequest;
use change_control::{ChangeBook, ChangeId, Changes, RunStarter};
use platform::context::CallReferences;
use platform::policy::{Risk, TargetFacts};
use platform::principal::{Actor, PrincipalKind};
use platform::resource::Resource;
use platform::revocation::RunFloors;
use platform::{Error, ErrorKind, Json, Principal};
use platform_suites::tokens::person;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;
use tool_runtime::connector::{CredentialKind, target_unknown};
use tool_runtime::tool::typed;
use tool_runtime::{ArtifactReference, CallRequest, Connector, Instance, Pipeline, Tool, ToolCx, ToolSpec};

use super::{call, context, road_and_changes};

/// Starts nothing, and ends nobody's runs.
pub(super) struct Nobody;

#[async_trait]
impl RunStarter for Nobody {
    async fn plan(&self, _: &ChangeId) -> Result<(), Error> {
        Ok(())
    }

    async fn start(&self, _: &ChangeId) -> Result<(), Error> {
        Ok(())
    }

    async fn nudge(&self, _: &ChangeId) -> Result<(), Error> {
        Ok(())
    }
}

impl RunFloors for Nobody {
    fn is_ended(&self, _: &str, _: &str, _: &[String], _: i64) -> bool {
        false
    }
}

/// A system with one tool that changes something.
struct Changer;

#[derive(Deserialize, Serialize, JsonSchema)]
struct Nothing {}

#[async_trait]
impl Connector for Changer {
    fn name(&self) -> &'static str {
        "changer"
    }

    fn instructions(&self) -> &'static str {
        "Only for tests."
    }

    fn credential(&self) -> CredentialKind {
        CredentialKind::None
    }

    fn tools(&self) -> Vec<Arc<dyn Tool>> {
        let spec = ToolSpec::new::<Nothing, Nothing>("set_thing", "Set", "A tool of the tests.");
        vec![typed(spec, |_, args: Nothing| async move { Ok(args) })]
    }

    async fn look_up(&self, _: &ToolCx, kind: &str, id: &str) -> Result<TargetFacts, Error> {
        Err(target_unknown(kind, id))
    }
}

/// A road with the servers `east` and `west`, on which netops may change something.
async fn road() -> (Arc<Pipeline>, Arc<Changes>) {
    let instance =
        |name: &str| Instance { name: name.into(), environment: "test".into(), connector: Arc::new(Changer) };
    let (road, _, changes) = road_and_changes(false, ["east", "west"].map(instance).into(), true).await;
    (road, changes)
}

fn artifact(kind: &str) -> ArtifactReference {
    ArtifactReference {
        id: "a-1".into(),
        kind: kind.into(),
        media_type: "application/json".into(),
        bytes: 2,
        keep_until: "2030-01-01T00:00:00Z".into(),
        uri: "interlock://interlock/artifacts/a-1".into(),
    }
}

fn change(by: &Principal, state: State) -> Change {
    let requester = Requester::from(by);
    Change {
        id: ChangeId::mint(),
        state,
        change_type: serde_json::from_value(json!({"name": "template_deployment", "version": 1})).unwrap(),
        instance: serde_json::from_value(json!({"name": "east", "connector": "changer", "environment": "test"}))
            .unwrap(),
        title: "Guests".into(),
        reason: "A reason.".into(),
        requester_key: requester.key(),
        requester,
        device_ids: vec!["d1".into(), "d2".into()],
        inputs: artifact("inputs"),
        undoes: None,
        risk: Some(Risk::Change),
        plan: None,
        submission: None,
        approvers: None,
        approvals: Vec::new(),
        grant: None,
        cancel: None,
        run: RunProgress::default(),
        trouble: None,
        evidence: None,
        evidence_awaits_proofs: false,
        history: Vec::new(),
        created_at_ms: 1_000,
        updated_at_ms: 2_000,
    }
}

/// A change that has a plan: two devices alike, and a third that is not.
async fn planned(book: &ChangeBook, by: &Principal) -> Change {
    let mut change = change(by, State::Planned);
    let device = |id: &str, line: &str, undo: Json| {
        json!({"device_id": id, "hostname": format!("sw-{id}"), "serials": [id], "platform": "ios-xe", "site": "Global/A",
            "role": "ACCESS", "redundancy_group": null, "ci": null,
            "baseline": {"commitment": "c", "read_at_ms": 1, "source_at_ms": null, "secrets_unseen": false},
            "params": {}, "carrier": {"template_id": "t", "version_id": "v"},
            "lines": [{"masked": line, "commitment": "c"}],
            "diff": [{"sign": "", "line": "interface Vlan20"}, {"sign": "+", "line": line}],
            "diff_group": line, "unmodelled": [], "dangers": [{"kind": "vty", "line": "  transport input ssh"}],
            "risk": "change", "predicted": "p", "undo": undo,
            "checks": [{"name": "live_equals_predicted", "of": {}, "tolerance": 0}]})
    };
    let generated = || {
        json!({"kind": "generated", "carrier": {"template_id": "u", "version_id": "v"},
            "lines": [{"masked": "no description", "commitment": "c"}]})
    };
    let plan: PublicPlan = serde_json::from_value(json!({
        "v": 1, "change": change.id, "type": {"name": "template_deployment", "version": 1},
        "instance": {"name": "east", "connector": "changer", "environment": "test"},
        "template": {"template_id": "t", "version_id": "v", "name": "Guests", "newest": true},
        "order": [["d1"], ["d2", "d3"]], "max_fail_percentage": 0, "on_stop": "undo", "on_stale": "stop",
        "save_startup": "never", "soak_s": 30,
        "devices": [device("d1", " description a", generated()), device("d2", " description a", generated()),
            device("d3", " description b", json!({"kind": "none", "reason": "It touches VTY."}))],
        "estimates": {"apply_s": 60, "undo_s": 50}}))
    .unwrap();
    change.plan = Some(PlanReference { hash: plan_hash(&plan).unwrap(), sealed: artifact("plan"), made_at_ms: 1_500 });
    book.add(&change).await.unwrap();
    book.transact(vec![ChangeBook::put_plan(&change.id, &plan).unwrap()]).await.unwrap();
    change
}

fn carol() -> Principal {
    person("carol", &["desk"])
}

#[tokio::test]
async fn t10_a_change_is_shown_to_its_requester_its_approvers_its_servers_people_and_auditors_and_unknown_to_others() {
    let (road, changes) = road().await;
    let mut kept = change(&carol(), State::Submitted);
    kept.approvers = Some(ApproversNeeded { groups: vec!["board".into()], count: 1 });
    kept.submission = Some(Submission {
        plan: "h".into(),
        ticket: None,
        gated: None,
        window: Window { not_before_ms: 0, not_after_ms: 10_000 },
    });
    changes.book().add(&kept).await.unwrap();
    let asked = json!({ "change_id": kept.id });
    for (who, sees) in [
        (carol(), true),
        (person("ann", &["board"]), true),
        (person("nel", &["netops"]), true),
        (person("audrey", &["auditors"]), true),
        (person("dave", &["desk"]), false),
    ] {
        let seen = call(&road, who.clone(), "get_change", asked.clone()).await.1;
        let listed = call(&road, who.clone(), "list_changes", json!({})).await.1.unwrap();
        assert_eq!(listed["items"].as_array().unwrap().len(), usize::from(sees), "{}", who.name);
        match seen {
            Ok(view) => {
                assert!(sees, "{}", who.name);
                assert_eq!((&view["state"], &view["status"]), (&json!("submitted"), &json!("waiting")));
                assert_eq!(view["url"], format!("https://interlock.test/changes/{}", kept.id));
                assert!(view["message"].as_str().unwrap().contains("0 of 1"), "{view}");
            }
            Err(error) => assert!(!sees && error.code() == "change_unknown", "{}: {error}", who.name),
        }
    }
    let never = call(&road, person("dave", &["desk"]), "get_change", json!({"change_id": "chg-nonesuch"})).await.1;
    assert_eq!(never.unwrap_err().code(), "change_unknown", "what is hidden is as what is not there");
}

#[tokio::test]
async fn changes_are_listed_from_the_newest_on_in_pages_that_miss_none_and_repeat_none() {
    let (road, changes) = road().await;
    let mut ids = Vec::new();
    for n in 0..9 {
        let by = if n % 3 == 0 { carol() } else { person("nel", &["netops"]) };
        let kept = change(&by, if n % 2 == 0 { State::Done } else { State::Planned });
        changes.book().add(&kept).await.unwrap();
        ids.insert(0, kept.id.to_string());
    }
    let pages = async |who: Principal, mut arguments: Json| {
        let mut found = Vec::new();
        loop {
            let page = call(&road, who.clone(), "list_changes", arguments.clone()).await.1.unwrap();
            let items = page["items"].as_array().unwrap();
            assert!(items.len() <= 2);
            found.extend(items.iter().map(|c| c["change_id"].as_str().unwrap().to_owned()));
            match &page["next_cursor"] {
                Json::Null => return found,
                next => arguments["cursor"] = next.clone(),
            }
        }
    };
    let nel = || person("nel", &["netops"]);
    assert_eq!(pages(nel(), json!({"limit": 2})).await, ids);
    let every = |step: usize, first: usize| ids.iter().skip(first).step_by(step).cloned().collect::<Vec<_>>();
    assert_eq!(pages(nel(), json!({"limit": 2, "state": "done"})).await, every(2, 0));
    assert_eq!(pages(carol(), json!({"limit": 2, "requester": "me"})).await, every(3, 2));
    assert_eq!(pages(carol(), json!({"limit": 2, "requester": "me", "state": "planned"})).await, every(6, 5));
    assert_eq!(pages(carol(), json!({"limit": 2})).await, every(3, 2), "others' changes are passed over");
    assert!(pages(nel(), json!({"limit": 2, "server": "west"})).await.is_empty());
    let wrong = call(&road, nel(), "list_changes", json!({"cursor": "7"})).await.1;
    assert_eq!(wrong.unwrap_err().code(), "invalid_cursor");
}

#[tokio::test]
async fn t22_a_wait_ends_when_something_changes_and_names_the_call_that_goes_on() {
    let (road, changes) = road().await;
    let kept = change(&carol(), State::Planning);
    changes.book().add(&kept).await.unwrap();
    let first = call(&road, carol(), "get_change", json!({ "change_id": kept.id })).await.1.unwrap();
    assert_eq!((&first["status"], &first["revision"]), (&json!("in_progress"), &json!(1)));
    assert_eq!(first["next"]["arguments"], json!({"change_id": kept.id, "wait_s": 20, "since": 1}));
    let waiting = {
        let (road, asked) = (Arc::clone(&road), json!({"change_id": kept.id, "wait_s": 25, "since": 1}));
        tokio::spawn(async move { call(&road, carol(), "get_change", asked).await.1.unwrap() })
    };
    tokio::task::yield_now().await;
    let fail = |c: &mut Change| Ok((c.become_state(State::PlanFailed, 3_000, "It failed.")?, Vec::new()));
    changes.book().update(&kept.id, fail).await.unwrap();
    let seen = tokio::time::timeout(Duration::from_secs(20), waiting).await.expect("the wait ends").unwrap();
    assert_eq!((&seen["state"], &seen["revision"]), (&json!("plan_failed"), &json!(2)));
    assert_eq!(seen["next"]["tool"], "plan_change");
    // What has ended is shown at once, and nothing follows it.
    let cx = context(carol());
    let arguments = json!({"change_id": kept.id, "wait_s": 25});
    let references = CallReferences::default();
    let request = CallRequest { server: "interlock".into(), tool: "get_change".into(), arguments, references };
    let answer = tokio::time::timeout(Duration::from_secs(5), road.call(Arc::new(cx), request)).await.unwrap().unwrap();
    assert_eq!(answer.follow_up, None);
}

#[tokio::test]
async fn t15_a_plan_shows_devices_that_are_alike_together_and_its_hash_is_of_what_is_shown() {
    let (road, changes) = road().await;
    let kept = planned(changes.book(), &carol()).await;
    let asked = json!({"change_id": kept.id, "view": "plan"});
    let shown = call(&road, carol(), "get_change_plan", asked).await.1.unwrap();
    let groups = shown["groups"].as_array().unwrap();
    assert_eq!(groups.len(), 2);
    assert_eq!(groups[0]["hostnames"], json!(["sw-d1", "sw-d2"]));
    assert_eq!(groups[1]["undo_missing"], "It touches VTY.");
    assert_eq!(shown["order"], json!([["sw-d1"], ["sw-d2", "sw-d3"]]));
    let diff = shown["diff"].as_str().unwrap();
    for line in [
        "@@ sw-d1, sw-d2 (2 devices, risk change) @@",
        " interface Vlan20",
        "+ description a",
        "! danger (vty): transport input ssh",
        "    no description",
        "! no undo: It touches VTY.",
    ] {
        assert!(diff.lines().any(|l| l == line), "{line} in\n{diff}");
    }
    let plan: PublicPlan = serde_json::from_value(shown["plan"].clone()).unwrap();
    assert_eq!(shown["plan_hash"], plan_hash(&plan).unwrap());
    let view = call(&road, carol(), "get_change", json!({ "change_id": kept.id })).await.1.unwrap();
    assert_eq!(view["next"], json!({"tool": "submit_change", "arguments": {"change_id": kept.id}}));
    assert_eq!((&view["devices"][1]["batch"], &view["devices"][1]["changed_lines"]), (&json!(2), &json!(1)));
    let unfinished = call(&road, carol(), "get_evidence", json!({ "change_id": kept.id })).await.1.unwrap_err();
    assert_eq!(unfinished.code(), "evidence_missing");
    let bare = change(&carol(), State::Planning);
    changes.book().add(&bare).await.unwrap();
    let refused = call(&road, carol(), "get_change_plan", json!({ "change_id": bare.id })).await.1.unwrap_err();
    assert_eq!(
        (refused.code(), refused.refusal().next.as_ref().unwrap().tool.as_str()),
        ("change_not_planned", "get_change")
    );
}

#[tokio::test]
async fn t22_a_wish_is_refused_at_once_where_it_cannot_be_planned_and_its_secrets_stand_in_no_refusal() {
    let (road, _) = road().await;
    let nel = person("nel", &["netops"]);
    let wish = |server: &str| {
        json!({"server": server, "template_id": "t", "device_ids": ["d1"], "title": "T", "reason": "R",
            "secret_params": {"key": "canary-of-all-devices"},
            "device_params": {"d1": {"secret_params": {"other": "canary-of-one-device"}}}})
    };
    for (server, code) in [("nowhere", "server_unknown"), ("east", "server_not_changeable")] {
        let refused = call(&road, nel.clone(), "plan_change", wish(server)).await.1.unwrap_err();
        assert_eq!(refused.code(), code, "{server}");
        assert!(!serde_json::to_string(refused.refusal()).unwrap().contains("canary"));
    }
    let mut wrong = wish("east");
    wrong["device_ids"] = json!(["d1", "d2", "d3", "d4"]);
    let refused = call(&road, nel, "plan_change", wrong).await.1.unwrap_err();
    assert_eq!(refused.code(), "invalid_arguments", "the schema says how many");
    let catalogue = road.visibility().catalogue();
    let published = &catalogue.by_aggregate_name("plan_change").unwrap().published_input;
    for place in [
        "/properties/secret_params/additionalProperties",
        "/properties/device_params/additionalProperties/properties/secret_params/additionalProperties",
    ] {
        assert_eq!(published.pointer(place).unwrap()["writeOnly"], true, "T27: {place}");
    }
}

#[tokio::test]
async fn t14_steps_answer_with_the_change_as_it_is_then_and_only_to_those_who_may_take_them() {
    let (road, changes) = road().await;
    let kept = planned(changes.book(), &carol()).await;
    let asked = json!({"change_id": kept.id, "mode": "undo", "reason": "Not today."});
    let other = call(&road, person("dave", &["desk"]), "cancel_change", asked.clone()).await.1.unwrap_err();
    assert_eq!(other.code(), "change_unknown");
    for (tool, more) in
        [("resume_change", json!({})), ("undo_change", json!({})), ("settle_change", json!({"outcome": "done"}))]
    {
        let mut asked = json!({"change_id": kept.id, "reason": "Too early."});
        asked.as_object_mut().unwrap().extend(more.as_object().cloned().unwrap_or_default());
        assert_eq!(call(&road, carol(), tool, asked).await.1.unwrap_err().code(), "change_state", "{tool}");
    }
    let seen = call(&road, carol(), "cancel_change", asked.clone()).await.1.unwrap();
    assert_eq!((&seen["state"], &seen["status"]), (&json!("cancelled"), &json!("ended")));
    assert_eq!((&seen["cancel"]["by"], &seen["cancel"]["reason"]), (&json!("carol"), &json!("Not today.")));
    assert_eq!(call(&road, carol(), "cancel_change", asked).await.1.unwrap_err().code(), "change_state");
    let late = json!({ "change_id": kept.id });
    assert_eq!(call(&road, carol(), "submit_change", late).await.1.unwrap_err().code(), "change_state");
}

/// What comes of looking at a held change, and of moving it in each way: `done`, or the code of the refusal.
async fn tried(changes: &Arc<Changes>, who: &Principal) -> [String; 5] {
    let mut came_of = Vec::new();
    for step in ["see", "cancel", "undo", "resume", "settle"] {
        let mut held = change(&carol(), State::Held);
        held.approvers = Some(ApproversNeeded { groups: vec!["board".into()], count: 1 });
        changes.book().add(&held).await.unwrap();
        let (cx, id) = (context(who.clone()), &held.id);
        let settled = SettleRequest { outcome: SettledBy::Done, reason: "I looked.".into() };
        let done = match step {
            "see" => changes.view(&cx, id).await.map(drop),
            "cancel" => changes.cancel(&cx, id, CancelMode::Hold, "Wait.").await.map(drop),
            "undo" => Box::pin(changes.undo(&cx, id, "Back.")).await.map(drop),
            "resume" => changes.resume(&cx, id, "Go on.").await.map(drop),
            _ => changes.settle(&cx, id, settled).await.map(drop),
        };
        if step != "see" {
            let kept = changes.book().get(id).await.unwrap().change;
            assert_eq!(kept != held, done.is_ok(), "{} {step}", who.name);
        }
        came_of.push(done.map_or_else(|error| error.code().to_owned(), |()| "done".to_owned()));
    }
    came_of.try_into().unwrap()
}

#[tokio::test]
async fn t10_one_answer_says_who_sees_a_change_and_who_cancels_undoes_resumes_and_settles_it() {
    let (_road, changes) = road().await;
    let (done, unknown, not_yours) = ("done", "change_unknown", "change_not_yours");
    // A held change has nothing to settle: whoever is told so was let through.
    let all = [done, done, done, done, "change_state"];
    let but_settle = [done, done, done, done, "settled_by_person"];
    let program = |name: &str, groups: &[&str]| Principal { kind: PrincipalKind::Client, ..person(name, groups) };
    let agent = Actor { subject: "agent".into(), issuer: None };
    for (who, expected) in [
        (carol(), all),
        (person("ann", &["board"]), all),
        (person("nel", &["netops"]), all),
        (person("ada", &["admin"]), all),
        (person("dave", &["desk"]), [unknown; 5]),
        (person("audrey", &["auditors"]), [done, not_yours, not_yours, not_yours, not_yours]),
        (program("robot", &["netops"]), but_settle),
        (program("other", &["desk"]), [unknown; 5]),
        (Principal { actors: vec![agent], ..carol() }, but_settle),
    ] {
        assert_eq!(tried(&changes, &who).await, expected, "{} of {:?}", who.name, who.groups);
    }
    let held = change(&carol(), State::Held);
    changes.book().add(&held).await.unwrap();
    let refused = changes.resume(&context(person("audrey", &["auditors"])), &held.id, "Go on.").await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Forbidden);
    assert_eq!(refused.refusal().next.as_ref().map(|next| next.tool.as_str()), Some("get_change"));
}

#[tokio::test]
async fn evidence_is_named_once_it_is_there_to_those_who_see_the_change() {
    let (road, changes) = road().await;
    let mut kept = change(&carol(), State::Done);
    kept.evidence = Some(artifact("evidence"));
    changes.book().add(&kept).await.unwrap();
    let asked = json!({ "change_id": kept.id });
    let evidence = call(&road, carol(), "get_evidence", asked.clone()).await.1.unwrap();
    assert_eq!((&evidence["artifact"]["id"], &evidence["artifact"]["kind"]), (&json!("a-1"), &json!("evidence")));
    let other = call(&road, person("dave", &["desk"]), "get_evidence", asked).await.1.unwrap_err();
    assert_eq!(other.code(), "change_unknown");
}

#[tokio::test]
async fn t27_evidence_is_put_together_when_it_is_asked_for_and_read_by_those_who_see_the_change() {
    let (road, changes) = road().await;
    let kept = change(&carol(), State::Cancelled);
    changes.book().add(&kept).await.unwrap();
    let evidence = call(&road, carol(), "get_evidence", json!({ "change_id": kept.id })).await.1.unwrap();
    assert_eq!(evidence["artifact"]["media_type"], "application/x-tar");
    let asked = json!({"artifact_id": evidence["artifact"]["id"]});
    let read = call(&road, carol(), "get_artifact", asked.clone()).await.1.unwrap();
    let archive = STANDARD.decode(read["content"].as_str().unwrap()).unwrap();
    assert!(String::from_utf8_lossy(&archive).contains(&format!("\"change\":\"{}\"", kept.id)));
    let other = call(&road, person("dave", &["desk"]), "get_artifact", asked).await.1.unwrap_err();
    assert_eq!(other.code(), "artifact_not_found", "who may not see the change reads nothing about it");
}

#[tokio::test]
async fn the_tools_for_changes_are_reached_where_a_change_may_be_needed_and_by_whom() {
    let (road, changes) = road().await;
    let kept = change(&carol(), State::Planning);
    changes.book().add(&kept).await.unwrap();
    let nel = person("nel", &["netops"]);
    let listed = async |who: &Principal, resource: Resource| {
        let tools = road.visibility().reachable(who, &resource).await.unwrap();
        tools.iter().map(|t| t.name()).collect::<Vec<_>>()
    };
    let server = |name: &str| Resource::McpServer(name.into());
    assert_eq!(
        listed(&nel, server("east")).await,
        [
            "set_thing",
            "cancel_change",
            "get_change",
            "get_change_plan",
            "get_evidence",
            "list_changes",
            "plan_change",
            "resume_change",
            "settle_change",
            "submit_change",
            "undo_change",
        ]
    );
    assert!(listed(&carol(), server("east")).await.is_empty(), "who may change nothing there needs no change there");
    assert!(listed(&nel, Resource::McpReadonly("east".into())).await.is_empty());
    assert!(listed(&carol(), server("interlock")).await.contains(&"list_changes"));
    assert_eq!(road.visibility().tools(&nel, "east").await.unwrap().len(), 1, "the server's own tools are its own");
    for (who, code) in [(nel.clone(), None), (carol(), Some("tool_unknown"))] {
        let mut cx = context(who);
        cx.resource = server("east");
        let (arguments, references) = (json!({ "change_id": kept.id }), CallReferences::default());
        let request = CallRequest { server: "interlock".into(), tool: "get_change".into(), arguments, references };
        let answer = road.call(Arc::new(cx), request).await;
        assert_eq!(answer.err().map(|e| e.code().to_owned()).as_deref(), code);
    }
}
