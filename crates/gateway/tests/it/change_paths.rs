//! Changes under paths of their own and as resources: each is a call of its tool, on record as it (T13); and where the tools for
//! changes are listed.

use std::collections::BTreeSet;
use std::sync::Arc;

use async_trait::async_trait;
use platform::policy::{Risk, TargetFacts};
use platform::{Error, ErrorKind, Json};
use serde_json::json;
use tool_runtime::connector::{CredentialKind, target_unknown};
use tool_runtime::pipeline::Limits;
use tool_runtime::{
    CHANGE_TOOLS, Connector, FollowUp, Instance, ResourceSpec, SideEffect, Tool, ToolCx, ToolOutput, ToolSpec,
};

use crate::fixture::{ALICE, Reply, Server};
use crate::mcp_door::{call_at, names_at, rpc_at};

/// The tools for changes, with their risk.
pub(crate) const TOOLS: [(&str, Risk); 12] = [
    ("cancel_change", Risk::Record),
    ("get_change", Risk::Read),
    ("get_change_plan", Risk::Read),
    ("get_evidence", Risk::Read),
    ("list_changes", Risk::Read),
    ("plan_change", Risk::Probe),
    ("read_change_diff", Risk::Read),
    ("read_change_plan", Risk::Read),
    ("resume_change", Risk::Record),
    ("settle_change", Risk::Control),
    ("submit_change", Risk::Record),
    ("undo_change", Risk::Record),
];

/// The platform's own server, as far as changes go: its tools say what they were asked.
struct Own;

struct Said(ToolSpec);

fn spec(name: &'static str) -> ToolSpec {
    let needs: &[&str] = if matches!(name, "list_changes" | "plan_change") { &[] } else { &["change_id"] };
    ToolSpec {
        name,
        title: "A tool",
        description: "A tool of the tests.",
        input: json!({"type": "object", "required": needs, "properties": {
            "change_id": {"type": "string"}, "wait_s": {"type": "integer"}, "since": {"type": "integer"},
            "cursor": {"type": "string"}, "view": {"type": "string"}, "title": {"type": "string"}, "params": {"type": "object"}}}),
        output: json!({"type": "object", "properties": {"status": {"enum": ["success", "in_progress"]}}}),
        effect: SideEffect::Idempotent,
        targets: &[],
        cache_for: None,
        timeout: std::time::Duration::from_secs(30),
        listed: !name.starts_with("read_"),
        confidential: false,
        per_caller: true,
        example: None,
    }
    .example(json!({"change_id": "…", "wait_s": 20}))
}

#[async_trait]
impl Tool for Said {
    fn spec(&self) -> &ToolSpec {
        &self.0
    }

    async fn call(&self, _: ToolCx, arguments: Json) -> Result<ToolOutput, Error> {
        if arguments["change_id"] == "chg-none" {
            return Err(Error::new(ErrorKind::NotFound, "change_unknown", "There is no such change."));
        }
        let goes_on = matches!(self.0.name, "plan_change" | "submit_change");
        let follow = || FollowUp { tool: "get_change".into(), arguments: json!({"change_id": "chg-1", "since": 1}) };
        let mut structured = json!({"tool": self.0.name, "said": arguments, "diff": "+ a"});
        if self.0.name == "list_changes" {
            structured["items"] = json!([]);
            structured["next_cursor"] = "chg-7".into();
        }
        Ok(ToolOutput { structured, follow_up: goes_on.then(follow) })
    }
}

#[async_trait]
impl Connector for Own {
    fn name(&self) -> &'static str {
        "own"
    }

    fn instructions(&self) -> &'static str {
        "Only for tests."
    }

    fn credential(&self) -> CredentialKind {
        CredentialKind::None
    }

    fn tools(&self) -> Vec<Arc<dyn Tool>> {
        TOOLS.map(|(name, _)| Arc::new(Said(spec(name))) as Arc<dyn Tool>).into()
    }

    fn resources(&self) -> &'static [ResourceSpec] {
        &[ResourceSpec {
            path: "changes/{change_id}/diff",
            name: "change_diff",
            title: "Differences",
            description: "What will differ.",
            mime_type: "text/plain",
            tool: "read_change_diff",
            text: Some("/diff"),
            completions: &[],
        }]
    }

    async fn look_up(&self, _: &ToolCx, kind: &str, id: &str) -> Result<TargetFacts, Error> {
        Err(target_unknown(kind, id))
    }
}

async fn server() -> Server {
    let own = Instance { name: "interlock".into(), environment: "platform".into(), connector: Arc::new(Own) };
    Server::with_servers(1, vec![own], |_| {}, Limits::default(), |_| {}).await
}

async fn post(server: &Server, path: &str, body: &Json) -> Reply {
    server.post(path, &[ALICE], body).await
}

#[tokio::test]
async fn t13_each_path_of_a_change_is_its_tool_with_the_id_of_the_path_and_on_record_as_it() {
    let server = server().await;
    for (path, tool, said) in [
        ("/api/v1/changes?cursor=chg-9", "list_changes", json!({"cursor": "chg-9"})),
        ("/api/v1/changes/chg-1?wait_s=3", "get_change", json!({"change_id": "chg-1", "wait_s": 3})),
        ("/api/v1/changes/chg-1/plan?view=plan", "get_change_plan", json!({"change_id": "chg-1", "view": "plan"})),
        ("/api/v1/changes/chg-1/evidence", "get_evidence", json!({"change_id": "chg-1"})),
    ] {
        let reply = server.alice(path).await;
        assert_eq!((reply.status, &reply.json()["tool"], &reply.json()["said"]), (200, &json!(tool), &said), "{path}");
        let record = server.audit.entries().pop().and_then(|entry| entry.tool);
        assert_eq!(record.map(|t| (t.server, t.tool)), Some(("interlock".to_owned(), tool.to_owned())));
    }
    for (path, tool, status) in [
        ("/api/v1/changes", "plan_change", 202),
        ("/api/v1/changes/chg-1/submit", "submit_change", 202),
        ("/api/v1/changes/chg-1/cancel", "cancel_change", 200),
        ("/api/v1/changes/chg-1/resume", "resume_change", 200),
        ("/api/v1/changes/chg-1/undo", "undo_change", 200),
    ] {
        let reply = post(&server, path, &json!({"title": "T"})).await;
        assert_eq!((reply.status, &reply.json()["tool"]), (status, &json!(tool)), "{path}");
        assert_eq!(reply.json()["said"]["title"], "T");
        let location = (status == 202).then_some("/api/v1/changes/chg-1?since=1");
        assert_eq!(reply.header("location"), location, "{path}");
    }
    // What only a person's own session does asks for that person here too.
    let settled = post(&server, "/api/v1/changes/chg-1/settle", &json!({"title": "T"})).await;
    assert_eq!(settled.problem(), (403, "step_up_required".into()));
    let record = server.audit.entries().pop().and_then(|entry| entry.tool);
    assert_eq!(record.map(|t| t.tool).as_deref(), Some("settle_change"));
    let listed = server.alice("/api/v1/changes").await;
    assert_eq!(listed.header("link"), Some("</api/v1/changes?cursor=chg-7>; rel=\"next\""));
}

#[tokio::test]
async fn t11_what_is_wrong_with_a_path_of_a_change_is_a_problem_document() {
    let server = server().await;
    let get = async |path: &str| server.alice(path).await.problem();
    assert_eq!(get("/api/v1/changes/chg-none").await, (404, "change_unknown".into()));
    assert_eq!(get("/api/v1/changes/chg-1/nonesuch").await.0, 404);
    assert_eq!(get("/api/v1/changes/chg-1?wait_s=soon").await, (422, "invalid_arguments".into()));
    assert_eq!(get("/api/v1/changes/chg-1?change_id=chg-2").await, (422, "invalid_arguments".into()));
    assert_eq!(get("/api/v1/changes/chg-1/submit").await, (405, "method_not_allowed".into()));
    let twice = post(&server, "/api/v1/changes/chg-1/submit", &json!({"change_id": "chg-2"})).await;
    assert_eq!(twice.problem(), (422, "invalid_arguments".into()));
    let list = post(&server, "/api/v1/changes/chg-1/submit", &json!([1])).await;
    assert_eq!(list.problem(), (422, "invalid_arguments".into()));
    let query = post(&server, "/api/v1/changes/chg-1/submit?title=T", &json!({})).await;
    assert_eq!(query.problem(), (422, "query_unexpected".into()));
    // Without changes there is nothing to find, and nobody learns why.
    let bare = Server::start().await;
    assert_eq!(bare.alice("/api/v1/changes").await.problem(), (404, "tool_unknown".into()));
}

#[tokio::test]
async fn the_document_describes_the_paths_of_changes_once_each_with_the_id_in_the_path() {
    let server = server().await;
    let document = server.alice("/api/v1/openapi.json").await.json();
    let paths = document["paths"].as_object().unwrap();
    let of_changes: BTreeSet<&str> =
        paths.keys().map(String::as_str).filter(|path| path.starts_with("/api/v1/changes")).collect();
    let expected = [
        "",
        "/{change_id}",
        "/{change_id}/cancel",
        "/{change_id}/evidence",
        "/{change_id}/plan",
        "/{change_id}/resume",
        "/{change_id}/settle",
        "/{change_id}/submit",
        "/{change_id}/undo",
    ]
    .map(|rest| format!("/api/v1/changes{rest}"));
    assert_eq!(of_changes, expected.iter().map(String::as_str).collect());
    let all = &paths["/api/v1/changes"];
    assert_eq!(
        (&all["get"]["operationId"], &all["post"]["operationId"]),
        (&json!("list_changes"), &json!("plan_change"))
    );
    let one = &paths["/api/v1/changes/{change_id}"]["get"];
    assert_eq!((&one["parameters"][0]["name"], &one["parameters"][0]["in"]), (&json!("change_id"), &json!("path")));
    let names: Vec<_> = one["parameters"].as_array().unwrap().iter().map(|p| p["name"].as_str().unwrap()).collect();
    assert_eq!(names.iter().filter(|name| **name == "change_id").count(), 1);
    let submit = &paths["/api/v1/changes/{change_id}/submit"]["post"];
    let body = &submit["requestBody"]["content"]["application/json"]["schema"];
    assert!(body["properties"]["title"].is_object() && body["properties"]["change_id"].is_null(), "{body}");
    assert!(submit["responses"]["202"].is_object());
    let bare = Server::start().await.alice("/api/v1/openapi.json").await.json();
    assert!(!bare["paths"].as_object().unwrap().keys().any(|path| path.contains("changes")));
}

#[tokio::test]
async fn t14_the_tools_for_changes_stand_where_a_change_may_be_needed_and_are_called_there_by_their_names() {
    let server = server().await;
    let names = async |path: &str| BTreeSet::from_iter(names_at(&server, path).await);
    let own: BTreeSet<String> = CHANGE_TOOLS.map(str::to_owned).into();
    assert!(names("/mcp/lab-1").await.is_superset(&own));
    assert!(names("/mcp/lab-1/readonly").await.is_disjoint(&own));
    assert!(names("/mcp/lab-1/x/notes").await.is_disjoint(&own), "no tool of that set needs a change");
    let called = call_at(&server, "/mcp/lab-1", "get_change", json!({"change_id": "chg-1"})).await;
    assert_eq!(called["result"]["structuredContent"]["said"], json!({"change_id": "chg-1"}), "{called}");
    let record = server.audit.entries().pop().and_then(|entry| entry.tool);
    assert_eq!(record.map(|t| (t.server, t.tool)), Some(("interlock".to_owned(), "get_change".to_owned())));
    let planned = call_at(&server, "/mcp/lab-1", "plan_change", json!({"title": "T"})).await;
    assert_eq!(planned["result"]["structuredContent"]["next"]["tool"], "get_change", "{planned}");
    for path in ["/mcp/lab-1", "/mcp/interlock", "/mcp"] {
        let templates = rpc_at(&server, path, ALICE, "resources/templates/list", json!({})).await;
        let templates = templates["result"]["resourceTemplates"].to_string();
        assert!(templates.contains("interlock://changes/{change_id}/diff"), "{path}: {templates}");
        let read =
            rpc_at(&server, path, ALICE, "resources/read", json!({"uri": "interlock://changes/chg-1/diff"})).await;
        assert_eq!(read["result"]["contents"][0]["text"], "+ a", "{path}: {read}");
    }
}
