//! T27, T10, T1: a result that is too large is kept sealed and named; it is read, in parts, by whoever policy would allow the
//! call that made it, and for everybody else it does not exist.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use own_tools::OwnTools;
use platform::artifacts::Artifacts;
use platform::clock::AdjustableClock;
use platform::context::{CallReferences, LOCAL_SOURCE, Protocol, RequestId, TraceContext};
use platform::keyed_hash::KeyedHash;
use platform::policy::{Decision, DecisionInput, Effect, Obligation, Risk, RiskTable, TargetFacts};
use platform::resource::{BaseUrl, Resource};
use platform::seal::Sealer;
use platform::secret::SecretKey;
use platform::telemetry::Metrics;
use platform::{CallContext, Error, ErrorKind, Json, Principal, SharedClock};
use platform_suites::tokens::person;
use platform_suites::{
    MemoryArtifacts, MemoryAudit, MemorySecrets, MemoryShared, MemoryStore, StaticPolicy, sealed_artifacts,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;
use tool_runtime::artifacts::{GET_ARTIFACT, READ_ARTIFACT, or_large_result};
use tool_runtime::connector::CredentialKind;
use tool_runtime::pipeline::{Limits, Parts};
use tool_runtime::tool::typed;
use tool_runtime::{
    CallRequest, Catalogue, Connector, Instance, Pipeline, TargetArgument, Tool, ToolCx, ToolSpec, Visibility,
};

/// Largest result of a reply here, bytes.
const MOST: usize = 2_000;

/// A system whose boxes hold as many letters as their name says.
struct Boxes(Arc<AtomicUsize>);

#[derive(Deserialize, JsonSchema)]
struct OneBox {
    name: String,
    letters: usize,
}

#[derive(Serialize, JsonSchema)]
struct Content {
    name: String,
    rows: Vec<String>,
}

#[async_trait]
impl Connector for Boxes {
    fn name(&self) -> &'static str {
        "boxes"
    }

    fn instructions(&self) -> &'static str {
        "Only for tests."
    }

    fn credential(&self) -> CredentialKind {
        CredentialKind::None
    }

    fn tools(&self) -> Vec<Arc<dyn Tool>> {
        const TARGETS: &[TargetArgument] = &[TargetArgument { argument: "name", kind: "box" }];
        let tool = |name| {
            let runs = Arc::clone(&self.0);
            let spec = ToolSpec::new::<OneBox, Content>(name, "A box", "Opens a box.").targets(TARGETS);
            typed(spec.cache_for(Duration::from_secs(60)), move |_, args: OneBox| {
                runs.fetch_add(1, Ordering::SeqCst);
                async move { Ok(Content { rows: vec!["ü".repeat(args.letters / 2); 2], name: args.name }) }
            })
        };
        vec![tool("open_box"), tool("fill_box")]
    }

    async fn look_up(&self, _: &ToolCx, kind: &str, id: &str) -> Result<TargetFacts, Error> {
        let site = Some(if id.starts_with("far") { "Global/Far" } else { "Global/Near" }.to_owned());
        Ok(TargetFacts { kind: kind.into(), id: id.into(), name: id.into(), site, ..TargetFacts::default() })
    }
}

struct Lab {
    road: Arc<Pipeline>,
    clock: Arc<AdjustableClock>,
    audit: Arc<MemoryAudit>,
    kept: Arc<MemoryArtifacts>,
    sealed: Arc<Artifacts>,
    asked: Arc<Mutex<Vec<DecisionInput>>>,
    runs: Arc<AtomicUsize>,
}

/// Everybody may use the platform's own tools; boxes are for `netops`, far ones for `travellers`; a box that is called
/// `guarded` needs a second factor.
fn decide(input: &DecisionInput) -> Decision {
    let member = |group: &str| input.groups.iter().any(|g| g == group);
    let far = input.targets.iter().any(|t| t.site.as_deref() == Some("Global/Far"));
    let granted = input.server.name == "interlock" || (member("netops") && (!far || member("travellers")));
    let guarded = input.arguments["name"] == "guarded" && input.elevation.is_none();
    let effect = match (granted, guarded) {
        (false, _) => Effect::Deny,
        (true, true) => Effect::Challenge,
        (true, false) => Effect::Allow,
    };
    let mut decision = StaticPolicy::decision(effect, &["reason:test"]);
    if guarded {
        decision.obligations.insert("step_up".to_owned(), Obligation { met: false, parameters: Default::default() });
    }
    decision
}

impl Lab {
    fn new() -> Self {
        let clock = Arc::new(AdjustableClock::default());
        let shared_clock: SharedClock = Arc::clone(&clock) as _;
        let (audit, kept) = (Arc::new(MemoryAudit::default()), Arc::new(MemoryArtifacts::default()));
        let sealed = sealed_artifacts(Arc::clone(&kept) as _, Arc::clone(&shared_clock));
        let asked: Arc<Mutex<Vec<DecisionInput>>> = Arc::default();
        let policy = Arc::new(StaticPolicy::new({
            let asked = Arc::clone(&asked);
            move |input| {
                asked.lock().unwrap().push(input.clone());
                Ok(decide(input))
            }
        }));
        let visibility = Arc::new(Visibility::new(Arc::clone(&policy) as _));
        let own = OwnTools::new(Arc::clone(&visibility), Arc::clone(&audit) as _, Arc::clone(&shared_clock), false);
        let runs = Arc::new(AtomicUsize::new(0));
        let instance = |name: &str, connector: Arc<dyn Connector>| Instance {
            name: name.into(),
            environment: "test".into(),
            connector,
        };
        let own_rows = ["whoami", "search_tools", "describe_tool", "explain_refusal", GET_ARTIFACT, READ_ARTIFACT];
        let rows = own_rows.map(|tool| ("interlock", tool, Risk::Read)).into_iter();
        let risks =
            RiskTable::from_rows(rows.chain([("boxes", "open_box", Risk::Read), ("boxes", "fill_box", Risk::Record)]));
        let servers = vec![instance("interlock", Arc::new(own)), instance("boxes", Arc::new(Boxes(Arc::clone(&runs))))];
        visibility.publish(Catalogue::build(servers, &risks).unwrap());
        let road = Pipeline::new(Parts {
            visibility,
            policy,
            store: Arc::new(MemoryStore::new(Arc::clone(&shared_clock))),
            shared: Arc::new(MemoryShared::default()),
            audit: Arc::clone(&audit) as _,
            artifacts: Arc::clone(&sealed),
            secrets: Arc::new(MemorySecrets::new(Arc::clone(&shared_clock))),
            metrics: Metrics::new(),
            clock: shared_clock,
            changes: Arc::new(tool_runtime::change_gate::NoChanges),
            results: Arc::new(Sealer::derive(&SecretKey::new([7; 32]), "results").unwrap()),
            secret_arguments: KeyedHash::derive(&SecretKey::new([8; 32]), "secret arguments").unwrap(),
            base: BaseUrl::new(&url::Url::parse("https://interlock.test").unwrap()),
            limits: Limits { max_result: MOST, ..Limits::default() },
        });
        Self { road, clock, audit, kept, sealed, asked, runs }
    }

    async fn at(
        &self,
        resource: Resource,
        who: Principal,
        (server, tool): (&str, &str),
        arguments: Json,
    ) -> Result<Json, Error> {
        let cx = CallContext {
            request_id: RequestId::mint(),
            client_request_id: None,
            trace: TraceContext::root(),
            principal: Arc::new(who),
            resource,
            protocol: Protocol::Mcp,
            source: LOCAL_SOURCE,
            references: CallReferences::default(),
            run: None,
            deadline: Instant::now() + Duration::from_secs(60),
        };
        let references = CallReferences::default();
        let request = CallRequest { server: server.into(), tool: tool.into(), arguments, references };
        let answer = match tool {
            READ_ARTIFACT => self.road.call_port(Arc::new(cx), request).await,
            _ => self.road.call(Arc::new(cx), request).await,
        };
        answer.map(|answer| answer.structured)
    }

    /// Opens a box, and tells its artifact's id.
    async fn opened(&self, name: &str, letters: usize) -> String {
        let who = person("ada", &["netops", "travellers"]);
        let arguments = json!({"name": name, "letters": letters});
        let result = self.at(Resource::Mcp, who, ("boxes", "open_box"), arguments).await.unwrap();
        result["artifact"]["id"].as_str().unwrap().to_owned()
    }

    async fn read(&self, who: Principal, id: &str) -> Result<Json, Error> {
        self.at(Resource::Mcp, who, ("interlock", GET_ARTIFACT), json!({ "artifact_id": id })).await
    }
}

fn alice() -> Principal {
    person("alice", &["netops"])
}

fn said(refusal: &Error) -> (ErrorKind, String) {
    (refusal.kind(), serde_json::to_string(refusal.refusal()).unwrap())
}

#[tokio::test]
async fn t27_a_result_that_is_too_large_becomes_a_reference_that_fits_the_published_schema() {
    let lab = Lab::new();
    let catalogue = lab.road.visibility().catalogue();
    let result = &catalogue.server("boxes").unwrap().tool("open_box").unwrap().published_output;
    let published = jsonschema::draft202012::new(&or_large_result(result)).unwrap();
    let call =
        |letters| lab.at(Resource::Mcp, alice(), ("boxes", "open_box"), json!({"name": "a", "letters": letters}));
    let small = call(10).await.unwrap();
    assert!(published.is_valid(&small) && small["rows"].is_array());
    let large = call(MOST).await.unwrap();
    assert!(published.is_valid(&large), "{large}");
    assert!(!jsonschema::draft202012::new(result).unwrap().is_valid(&large));
    assert!(!published.is_valid(&json!({"else": 1})));
    let artifact = &large["artifact"];
    assert_eq!((&artifact["kind"], &artifact["media_type"]), (&json!("result"), &json!("application/json")));
    assert!(large["summary"].as_str().unwrap().contains("`rows` has 2 rows"), "{large}");
    assert!(large.to_string().len() < MOST);
    let whole = json!({"name": "a", "rows": ["ü".repeat(MOST / 2), "ü".repeat(MOST / 2)]}).to_string();
    assert_eq!(artifact["bytes"], whole.len());
    for bytes in lab.kept.everything() {
        assert!(!String::from_utf8_lossy(&bytes).contains("üü"), "sealed");
    }
    // In parts.
    let (mut text, mut offset) = (String::new(), json!(0));
    while !offset.is_null() {
        let arguments = json!({"artifact_id": artifact["id"], "offset": offset, "limit": 333});
        let part = lab.at(Resource::Mcp, alice(), ("interlock", GET_ARTIFACT), arguments).await.unwrap();
        assert_eq!((&part["artifact"], &part["encoding"]), (artifact, &json!("text")));
        text.push_str(part["content"].as_str().unwrap());
        offset = part["next_offset"].clone();
    }
    assert_eq!(text, whole);
    // By its record too: the call that made it and those that read it name it.
    let ids: Vec<_> = lab.audit.entries().into_iter().filter_map(|e| e.facts.get("artifacts").cloned()).collect();
    assert!(ids.len() > 5 && ids.iter().all(|ids| *ids == json!([artifact["id"]])), "{ids:?}");
}

#[tokio::test]
async fn t10_an_artifact_that_the_caller_may_not_read_answers_like_one_that_does_not_exist() {
    let lab = Lab::new();
    let id = lab.opened("near", MOST).await;
    let unknown = said(&lab.read(alice(), &"0".repeat(64)).await.unwrap_err());
    assert!(unknown.1.contains("artifact_not_found"), "{unknown:?}");
    for (who, may) in [
        (alice(), true),
        (person("alice", &[]), false),
        (person("bob", &["helpdesk"]), false),
        (person("carol", &["netops"]), true),
    ] {
        let name = format!("{} {:?}", who.subject, who.groups);
        match lab.read(who, &id).await {
            Ok(part) => assert!(may && part["content"].as_str().unwrap().starts_with("{\"name\":\"near\""), "{name}"),
            Err(refusal) => assert!(!may && said(&refusal) == unknown, "{name}: {refusal}"),
        }
    }
    for malformed in ["x", "../../etc/passwd", &id[1..], &id.to_uppercase()] {
        assert_eq!(said(&lab.read(alice(), malformed).await.unwrap_err()), unknown, "{malformed}");
    }
}

#[tokio::test]
async fn t27_a_reader_is_authorised_by_the_arguments_and_targets_of_the_call_that_made_it() {
    let lab = Lab::new();
    let far = lab.opened("far-1", MOST).await;
    assert_eq!(lab.read(alice(), &far).await.unwrap_err().code(), "artifact_not_found", "another site");
    lab.read(person("ada", &["netops", "travellers"]), &far).await.unwrap();
    let asked = lab.asked.lock().unwrap().pop().unwrap();
    assert_eq!((asked.tool.name.as_str(), &asked.arguments["name"]), ("open_box", &json!("far-1")));
    assert_eq!(asked.targets[0].site.as_deref(), Some("Global/Far"));
    assert_eq!(asked.principal.subject, "ada");
}

#[tokio::test]
async fn t4_what_policy_asks_of_the_call_it_asks_of_the_reader() {
    let lab = Lab::new();
    let near = lab.opened("near", MOST).await;
    lab.read(alice(), &near).await.unwrap();
    let call = json!({"name": "guarded", "letters": MOST});
    let refused = lab.at(Resource::Mcp, alice(), ("boxes", "open_box"), call.clone()).await.unwrap_err();
    assert_eq!(refused.code(), "step_up_required");
    let url = refused.refusal().url.clone().unwrap();
    let elevations = lab.road.elevations();
    let request = elevations.find(url.rsplit('/').next().unwrap()).await.unwrap();
    let now = platform::Clock::epoch_seconds(lab.clock.as_ref());
    let fresh = Principal { mfa: true, auth_time: Some(now), ..alice() };
    let granted = elevations.grant(&request, (&fresh).into()).await.unwrap();
    let large = lab.at(Resource::Mcp, alice(), ("boxes", "open_box"), call).await.unwrap();
    let id = large["artifact"]["id"].as_str().unwrap();
    lab.read(alice(), id).await.unwrap();
    elevations.end(&fresh.issuer, &fresh.subject, &granted.id).await.unwrap();
    assert_eq!(lab.read(alice(), id).await.unwrap_err().code(), "step_up_required");
    assert_eq!(lab.read(person("bob", &[]), id).await.unwrap_err().code(), "artifact_not_found");
}

#[tokio::test]
async fn t1_an_endpoint_shows_artifacts_of_its_own_tools_and_of_no_others() {
    let lab = Lab::new();
    let id = lab.opened("near", MOST).await;
    let whole = |resource| lab.at(resource, alice(), ("interlock", READ_ARTIFACT), json!({ "artifact_id": id }));
    for resource in
        [Resource::Mcp, Resource::Rest, Resource::McpServer("boxes".into()), Resource::McpReadonly("boxes".into())]
    {
        let read = whole(resource.clone()).await.unwrap();
        assert!(read.to_string().len() > MOST && read["next_offset"].is_null(), "{resource:?}: whole, however large");
    }
    for resource in [Resource::McpServer("interlock".into()), Resource::McpServer("other".into())] {
        assert_eq!(whole(resource.clone()).await.unwrap_err().code(), "artifact_not_found", "{resource:?}");
    }
    let tool = ("interlock", GET_ARTIFACT);
    let elsewhere = lab.at(Resource::McpServer("boxes".into()), alice(), tool, json!({ "artifact_id": id })).await;
    assert_eq!(elsewhere.unwrap_err().code(), "tool_unknown", "the tool itself belongs to its server");
    let server = Resource::Mcp;
    let port = lab.at(server, alice(), ("interlock", "read_artifact "), json!({ "artifact_id": id })).await;
    assert_eq!(port.unwrap_err().code(), "tool_unknown");
}

#[tokio::test]
async fn t27_a_cached_or_repeated_result_keeps_the_reference_and_an_old_one_is_gone() {
    let lab = Lab::new();
    let (one, two) = (lab.opened("near", MOST).await, lab.opened("near", MOST).await);
    assert_eq!((one == two, lab.runs.load(Ordering::SeqCst), lab.kept.contents()), (true, 1, 1));
    let keyed = json!({"name": "near", "letters": MOST, "_interlock": {"idempotency_key": "k"}});
    let first = lab.at(Resource::Mcp, alice(), ("boxes", "fill_box"), keyed.clone()).await.unwrap();
    let again = lab.at(Resource::Mcp, alice(), ("boxes", "fill_box"), keyed).await.unwrap();
    assert_eq!(
        (&first, first["artifact"]["id"].as_str().unwrap()),
        (&again, one.as_str()),
        "equal bytes, one artifact"
    );
    assert_eq!((lab.runs.load(Ordering::SeqCst), lab.kept.contents()), (2, 1));
    lab.clock.advance(30 * 24 * 3600 + 1);
    assert_eq!(lab.read(alice(), &one).await.unwrap_err().code(), "artifact_not_found");
    lab.sealed.sweep(lab.audit.as_ref()).await.unwrap();
    assert_eq!(lab.kept.contents(), 0);
}

#[tokio::test]
async fn t27_a_part_fits_into_a_reply_and_a_result_that_cannot_be_kept_is_refused() {
    let lab = Lab::new();
    let id = lab.opened("near", 2 * MOST).await;
    let arguments = json!({"artifact_id": id, "limit": 2 * MOST});
    let part = lab.at(Resource::Mcp, alice(), ("interlock", GET_ARTIFACT), arguments).await.unwrap();
    assert_eq!(
        (part["content"].as_str().unwrap().len(), lab.kept.contents()),
        (MOST / 4, 1),
        "what a reply has room for"
    );
    lab.kept.fail(true);
    let call = json!({"name": "other", "letters": MOST});
    let refused = lab.at(Resource::Mcp, alice(), ("boxes", "open_box"), call).await.unwrap_err();
    assert_eq!((refused.kind(), refused.code()), (ErrorKind::Unavailable, "artifacts_unavailable"));
    let huge = json!({"name": "huge", "letters": 9 << 20});
    let refused = lab.at(Resource::Mcp, alice(), ("boxes", "open_box"), huge).await.unwrap_err();
    assert_eq!(refused.code(), "result_too_large");
}
