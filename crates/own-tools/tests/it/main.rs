//! The platform's own tools by the one road: a caller sees itself, the tools it may use, and why its own calls were
//! refused; nobody else's.
#![cfg(test)]

extern crate interlock_own_tools as own_tools;

mod artifacts;
mod audit;
mod changes;
mod governed;
mod rotation;
mod secrets;
mod targets;

use std::sync::Arc;
use std::time::{Duration, Instant};

use change_control::{ChangeBook, ChangeParts, Changes, GrantKeys};
use own_tools::OwnTools;
use platform::clock::AdjustableClock;
use platform::context::{CallReferences, LOCAL_SOURCE, Protocol, RequestId, TraceContext};
use platform::keyed_hash::KeyedHash;
use platform::policy::{Effect, Risk, RiskTable};
use platform::resource::{BaseUrl, Resource};
use platform::seal::Sealer;
use platform::secret::SecretKey;
use platform::store::Store;
use platform::telemetry::Metrics;
use platform::{CallContext, Clock as _, Error, Json, Principal, SharedClock};
use platform_suites::tokens::person;
use platform_suites::{
    MemoryArtifacts, MemoryAudit, MemorySecrets, MemoryShared, MemoryStore, StaticPolicy, sealed_artifacts,
};
use serde_json::json;
use tool_runtime::pipeline::{Limits, Parts};
use tool_runtime::{CallRequest, Catalogue, Instance, Pipeline, TargetDirectory, Visibility};

/// A pipeline with the one server `interlock`; policy denies `echo`, and shows `search_tools` to netops only.
async fn road(with_echo: bool) -> (Arc<Pipeline>, Arc<AdjustableClock>) {
    road_with(with_echo, Vec::new()).await
}

/// With further servers; policy shows the one called `records` to the group `cmdb` only.
async fn road_with(with_echo: bool, more: Vec<Instance>) -> (Arc<Pipeline>, Arc<AdjustableClock>) {
    let (road, clock, _) = road_and_changes(with_echo, more, false).await;
    (road, clock)
}

/// The same, with the tools for changes where they are wanted: then policy shows `search_audit` to the group `auditors` only,
/// and what changes something to the groups `netops` and `admin`.
async fn road_and_changes(
    with_echo: bool,
    more: Vec<Instance>,
    with_changes: bool,
) -> (Arc<Pipeline>, Arc<AdjustableClock>, Arc<Changes>) {
    let clock = Arc::new(AdjustableClock::default());
    let shared_clock: SharedClock = Arc::clone(&clock) as _;
    let audit = Arc::new(MemoryAudit::default());
    let policy = Arc::new(
        StaticPolicy::new(|input| {
            let effect = if input.tool.name == "echo" { Effect::Deny } else { Effect::Allow };
            Ok(StaticPolicy::decision(effect, &["reason:test"]))
        })
        .with_visible(move |input| {
            let holds = |group: &str| input.groups.iter().any(|g| g == group || g.starts_with("platform:"));
            let shown = |t: &&platform::policy::CatalogueEntry| {
                (t.tool.name != "search_tools" || holds("netops"))
                    && (t.server.name != "records" || holds("cmdb"))
                    && (t.tool.name != "search_audit" || !with_changes || holds("auditors"))
                    && (t.tool.risk != Risk::Change || holds("netops") || holds("admin"))
            };
            let pair = |t: &platform::policy::CatalogueEntry| (t.server.name.clone(), t.tool.name.clone());
            Ok(input.tools.iter().filter(shown).map(pair).collect())
        }),
    );
    let visibility = Arc::new(Visibility::new(Arc::clone(&policy) as _));
    let directory = Arc::new(TargetDirectory::default());
    let store: Arc<dyn Store> = Arc::new(MemoryStore::new(Arc::clone(&shared_clock)));
    let secrets = Arc::new(MemorySecrets::new(Arc::clone(&shared_clock)));
    let base = BaseUrl::new(&url::Url::parse("https://interlock.test").unwrap());
    let changes = Changes::new(ChangeParts {
        book: ChangeBook::new(Arc::clone(&store)),
        clock: Arc::clone(&shared_clock),
        base: base.clone(),
        policy: Arc::clone(&policy) as _,
        audit: Arc::clone(&audit) as _,
        grants: GrantKeys::open(Arc::clone(&secrets) as _).await.unwrap(),
        floors: Arc::new(changes::Nobody),
    });
    let mut tools =
        OwnTools::new(Arc::clone(&visibility), Arc::clone(&audit) as _, Arc::clone(&shared_clock), with_echo)
            .with_targets(&directory, &visibility, &shared_clock);
    if with_changes {
        tools = tools.with_changes(&changes);
    }
    let risks = RiskTable::from_rows(
        [
            "whoami",
            "search_tools",
            "describe_tool",
            "explain_refusal",
            "get_artifact",
            "read_artifact",
            "echo",
            "list_my_calls",
            "search_audit",
            "get_audit_record",
            "find_targets",
            "list_target_sources",
            "get_change",
            "list_changes",
            "get_change_plan",
            "get_evidence",
            "read_change_plan",
            "read_change_diff",
        ]
        .map(|tool| ("interlock", tool, Risk::Read))
        .into_iter()
        // Here only the tool itself is tried: a class that needs no second factor.
        .chain([("interlock", "open_audit_payload", Risk::Record), ("changer", "set_thing", Risk::Change)])
        .chain([("interlock", "plan_change", Risk::Probe)])
        .chain(
            ["submit_change", "cancel_change", "resume_change", "undo_change", "settle_change"]
                .map(|tool| ("interlock", tool, Risk::Record)),
        )
        .chain(["look", "port_list_targets"].map(|tool| ("system", tool, Risk::Read))),
    );
    let instance = Instance { name: "interlock".into(), environment: "test".into(), connector: Arc::new(tools) };
    let catalogue = Catalogue::build(more.into_iter().chain([instance]).collect(), &risks).unwrap();
    directory.expect(&catalogue).unwrap();
    visibility.publish(catalogue);
    let artifacts = sealed_artifacts(Arc::new(MemoryArtifacts::default()), Arc::clone(&shared_clock));
    let parts = Parts {
        visibility,
        policy,
        store,
        shared: Arc::new(MemoryShared::default()),
        audit,
        secrets,
        metrics: Metrics::new(),
        clock: shared_clock,
        changes: changes.clone(),
        results: Arc::new(Sealer::derive(&SecretKey::new([7; 32]), "results").unwrap()),
        artifacts,
        secret_arguments: KeyedHash::derive(&SecretKey::new([8; 32]), "secret arguments").unwrap(),
        base,
        limits: Limits::default(),
    };
    let road = Pipeline::with_directory(parts, directory);
    changes.attach(&road, Arc::new(changes::Nobody)).unwrap();
    (road, clock, changes)
}

/// Calls, and tells the request id too.
async fn call(road: &Arc<Pipeline>, who: Principal, tool: &str, arguments: Json) -> (String, Result<Json, Error>) {
    let cx = context(who);
    let id = cx.request_id.to_string();
    let references = CallReferences::default();
    let request = CallRequest { server: "interlock".into(), tool: tool.into(), arguments, references };
    (id, road.call(Arc::new(cx), request).await.map(|answer| answer.structured))
}

fn context(who: Principal) -> CallContext {
    CallContext {
        request_id: RequestId::mint(),
        client_request_id: None,
        trace: TraceContext::root(),
        principal: Arc::new(who),
        resource: Resource::McpServer("interlock".into()),
        protocol: Protocol::Mcp,
        source: LOCAL_SOURCE,
        references: CallReferences::default(),
        run: None,
        deadline: Instant::now() + Duration::from_secs(60),
    }
}

fn alice() -> Principal {
    person("alice", &["netops"])
}

#[tokio::test]
async fn whoami_shows_the_caller_as_the_platform_sees_it() {
    let (road, clock) = road(false).await;
    let now = clock.epoch_seconds();
    let mut who = Principal { mfa: true, acr: Some("mfa".into()), auth_time: Some(now - 100), ..alice() };
    who.token.expires_at = now + 600;
    let seen = call(&road, who, "whoami", json!({})).await.1.unwrap();
    for (member, value) in [
        ("name", json!("alice")),
        ("subject", json!("alice")),
        ("issuer", json!("https://issuer.test")),
        ("kind", json!("person")),
        ("groups", json!(["netops"])),
        ("client_id", json!("test-client")),
        ("acr", json!("mfa")),
        ("mfa", json!(true)),
    ] {
        assert_eq!(seen[member], value, "{member}");
    }
    assert!((100..110).contains(&seen["signed_in_s_ago"].as_i64().unwrap()));
    assert!((590..=600).contains(&seen["token_expires_in_s"].as_i64().unwrap()));
}

#[tokio::test]
async fn t10_search_finds_the_best_match_first_and_only_what_the_caller_may_see() {
    let (road, _) = road(true).await;
    let found = call(&road, alice(), "search_tools", json!({"query": "why was it refused"})).await.1.unwrap();
    assert_eq!(found["tools"][0]["tool"], "explain_refusal");
    assert_eq!(found["tools"][0]["risk"], "read");
    let all = call(&road, alice(), "search_tools", json!({"limit": 2})).await.1.unwrap();
    assert_eq!((all["tools"].as_array().unwrap().len(), &all["total"]), (2, &json!(12)));
    let nothing = call(&road, alice(), "search_tools", json!({"server": "nonesuch"})).await.1.unwrap();
    assert_eq!(nothing["total"], 0);
    let hidden = call(&road, person("bob", &["helpdesk"]), "search_tools", json!({})).await.1;
    assert_eq!(hidden.unwrap_err().code(), "tool_unknown");
}

#[tokio::test]
async fn t10_a_tool_is_described_as_it_is_published_and_only_to_those_who_may_see_it() {
    let (road, _) = road(true).await;
    let seen = call(&road, alice(), "describe_tool", json!({"tool": "search_tools"})).await.1.unwrap();
    let catalogue = road.visibility().catalogue();
    let tool = catalogue.by_aggregate_name("search_tools").unwrap();
    assert_eq!(seen["input_schema"], *tool.published_input);
    assert_eq!(seen["output_schema"], *tool.published_output);
    assert_eq!((&seen["server"], &seen["risk"]), (&json!("interlock"), &json!("read")));
    assert_eq!(seen["call_with"], "call_read_tool");
    for (who, tool) in [(person("bob", &["helpdesk"]), "search_tools"), (alice(), "interlock__whoami"), (alice(), "x")]
    {
        let refused = call(&road, who, "describe_tool", json!({ "tool": tool })).await.1.unwrap_err();
        assert_eq!(refused.code(), "tool_not_found", "{tool}");
        assert_eq!(refused.refusal().next.as_ref().unwrap().tool, "search_tools");
    }
}

#[tokio::test]
async fn a_refusal_is_explained_to_its_caller_only() {
    let (road, _) = road(true).await;
    let none = call(&road, alice(), "explain_refusal", json!({})).await.1;
    assert_eq!(none.unwrap_err().code(), "refusal_unknown");
    let (id, denied) = call(&road, alice(), "echo", json!({"message": "hi"})).await;
    assert_eq!(denied.unwrap_err().code(), "denied");
    call(&road, alice(), "whoami", json!({})).await.1.unwrap();
    // By its id, and as the latest: a question that found nothing and a call that worked are not in the way.
    let other = call(&road, alice(), "explain_refusal", json!({"request_id": "nonesuch"})).await.1;
    assert_eq!(other.unwrap_err().code(), "refusal_unknown");
    for arguments in [json!({}), json!({ "request_id": id })] {
        let why = call(&road, alice(), "explain_refusal", arguments).await.1.unwrap();
        assert_eq!(why["request_id"], id);
        assert_eq!((&why["server"], &why["tool"]), (&json!("interlock"), &json!("echo")));
        assert_eq!((&why["outcome"], &why["code"]), (&json!("refused"), &json!("denied")));
        assert_eq!((&why["effect"], &why["reasons"]), (&json!("deny"), &json!(["reason:test"])));
        assert!(why["advice"].as_str().unwrap().contains("grant"));
    }
    let bob = call(&road, person("bob", &["netops"]), "explain_refusal", json!({ "request_id": id })).await.1;
    assert_eq!(bob.unwrap_err().code(), "refusal_unknown");
}

#[tokio::test]
async fn echo_is_for_the_lab_only() {
    let (road, _) = road(false).await;
    let refused = call(&road, alice(), "echo", json!({"message": "hi"})).await.1;
    assert_eq!(refused.unwrap_err().code(), "tool_unknown");
}
