//! Calls that ask their caller, go on as tasks, or answer in blocks: by what the caller declared on this very request.

use mcp::EndpointOptions;
use serde_json::{Value, json};

use crate::fixture::{Server, declaring, modern, request};

const TASKS: &str = "io.modelcontextprotocol/tasks";

fn call(name: &str, abilities: &Value) -> Value {
    declaring("tools/call", json!({"name": name, "arguments": {}}), abilities)
}

/// Both ways around the endpoint.
async fn both() -> [Server; 2] {
    let long = EndpointOptions { fast_calls: false, ..EndpointOptions::default() };
    [Server::everything(EndpointOptions::default()).await, Server::everything(long).await]
}

#[tokio::test]
async fn abilities_are_what_this_request_declares_and_nothing_for_older_requests() {
    for server in both().await {
        for (declared, seen) in [
            (json!({}), [false; 5]),
            (json!({"elicitation": {}}), [true, false, false, false, false]),
            (json!({"elicitation": {"form": {}}}), [true, false, false, false, false]),
            (json!({"elicitation": {"url": {}}}), [false, true, false, false, false]),
            (json!({"elicitation": {"url": {}, "form": {}}}), [true, true, false, false, false]),
            (json!({"sampling": {}, "roots": {}}), [false, false, true, true, false]),
            (json!({"extensions": {TASKS: {}}}), [false, false, false, false, true]),
        ] {
            let result = server.modern(&call("abilities", &declared)).await.result();
            let [form, url, sampling, roots, tasks] = seen;
            let want = json!({"form": form, "url": url, "sampling": sampling, "roots": roots, "tasks": tasks});
            assert_eq!(result["structuredContent"], want, "{declared}");
        }
        // A declaration in an older request counts for nothing, wherever it stands.
        let older = request("tools/call", json!({"name": "abilities"}));
        let result = server.legacy(&older).await.result();
        assert_eq!(result["structuredContent"]["tasks"], false);
    }
}

#[tokio::test]
async fn blocks_are_sent_as_they_are_and_older_revisions_get_objects_only() {
    for server in both().await {
        let ask = |structured: Value| json!({"name": "blocks", "arguments": {"structured": structured}});
        let newer = server.modern(&modern("tools/call", ask(json!([1])))).await.result();
        assert_eq!(newer["content"][1], json!({"type": "image", "data": "AQID", "mimeType": "image/png"}));
        assert_eq!(newer["content"][2]["resource"]["uri"], "test://a");
        assert_eq!((&newer["structuredContent"], &newer["isError"]), (&json!([1]), &json!(false)));
        let older = server.legacy(&request("tools/call", ask(json!([1])))).await.result();
        assert!(older.get("structuredContent").is_none());
        let older = server.legacy(&request("tools/call", ask(json!({"a": 1})))).await.result();
        assert_eq!(older["structuredContent"], json!({"a": 1}));
    }
}

#[tokio::test]
async fn a_call_that_asks_is_repeated_with_the_answers() {
    for server in both().await {
        let able = json!({"elicitation": {}});
        let asked = server.modern(&call("ask", &able)).await.result();
        assert_eq!(asked["resultType"], "input_required");
        assert_eq!(
            asked["inputRequests"],
            json!({"who": {"method": "elicitation/create", "params": {"mode": "form", "message": "Your name?",
                "requestedSchema": {"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]}}}})
        );
        assert_eq!(asked["requestState"], "s-1");
        assert_eq!(asked["_meta"]["io.modelcontextprotocol/serverInfo"]["name"], "everything");
        let answer = json!({"action": "accept", "content": {"name": "Ann"}});
        let again = json!({"name": "ask", "inputResponses": {"who": answer, "other": 1}, "requestState": "s-1"});
        let done = server.modern(&declaring("tools/call", again, &able)).await.result();
        assert_eq!(done["structuredContent"], json!({"answer": answer, "state": "s-1"}));
    }
}

#[tokio::test]
async fn what_was_not_declared_is_not_asked() {
    for server in both().await {
        for (tool, required, able) in [
            ("ask", json!({"elicitation": {"form": {}}}), json!({"elicitation": {"form": {}}})),
            ("visit", json!({"elicitation": {"url": {}}}), json!({"elicitation": {"url": {}}})),
            ("sample", json!({"sampling": {}}), json!({"sampling": {}})),
            ("roots", json!({"roots": {}}), json!({"roots": {}})),
            ("long", json!({"extensions": {TASKS: {}}}), json!({"extensions": {TASKS: {}}})),
        ] {
            let unable = server.modern(&call(tool, &json!({}))).await;
            assert_eq!(unable.error(), (400, -32021, "client_capability_missing".into()), "{tool}");
            assert_eq!(unable.json()["error"]["data"]["requiredCapabilities"], required, "{tool}");
            assert_eq!(unable.json()["id"], 7);
            let asked = server.modern(&call(tool, &able)).await.result();
            assert_ne!(asked["resultType"], "complete", "{tool}");

            // An older caller cannot answer; it reads what would be needed instead of an error that hangs it.
            let older = server.legacy(&request("tools/call", json!({"name": tool}))).await.result();
            assert_eq!(older["isError"], true, "{tool}");
            assert_eq!(older["structuredContent"]["code"], "client_cannot_answer", "{tool}");
        }
        let older = server.legacy(&request("tools/call", json!({"name": "visit"}))).await.result();
        let text = older["content"][0]["text"].as_str().unwrap();
        assert!(text.contains("https://interlock.example/pages/elevate/1"), "{text}");
        // A form is not an address.
        let form_only = json!({"elicitation": {"form": {}}});
        assert_eq!(server.modern(&call("visit", &form_only)).await.error().1, -32021);
        assert_eq!(server.modern(&call("nothing", &form_only)).await.error().1, -32603);
    }
}

#[tokio::test]
async fn t22_a_long_call_becomes_a_task_that_is_polled_answered_and_cancelled() {
    for server in both().await {
        let able = json!({"elicitation": {}, "extensions": {TASKS: {}}});
        let ask = async |method: &str, params: Value| server.modern(&declaring(method, params, &able)).await;
        let id = json!({"taskId": "task-1"});
        assert_eq!(ask("tasks/get", id.clone()).await.error(), (200, -32602, "task_unknown".into()));

        let created = server.modern(&call("long", &able)).await.result();
        for (key, value) in [
            ("resultType", json!("task")),
            ("taskId", json!("task-1")),
            ("status", json!("working")),
            ("createdAt", json!("2026-01-01T00:00:00Z")),
            ("lastUpdatedAt", json!("2026-01-01T00:00:01Z")),
            ("ttlMs", json!(60_000)),
            ("pollIntervalMs", json!(500)),
            ("statusMessage", json!("half way")),
        ] {
            assert_eq!(created[key], value, "{key}");
        }
        let waiting = ask("tasks/get", id.clone()).await.result();
        assert_eq!((&waiting["resultType"], &waiting["status"]), (&json!("complete"), &json!("input_required")));
        assert_eq!(waiting["inputRequests"]["who"]["method"], "elicitation/create");
        assert!(waiting.get("requestState").is_none());

        for (answer, status) in [("x", "completed"), ("refused", "completed"), ("wrong", "failed")] {
            let answers = json!({"taskId": "task-1", "inputResponses": {"who": answer}});
            let acknowledged = ask("tasks/update", answers).await.result();
            assert_eq!(acknowledged["resultType"], "complete");
            assert!(acknowledged.get("taskId").is_none());
            let ended = ask("tasks/get", id.clone()).await.result();
            assert_eq!(ended["status"], status, "{answer}");
            match answer {
                "x" => assert_eq!(ended["result"]["structuredContent"], json!({"answer": "x"})),
                "refused" => {
                    assert_eq!(ended["result"]["isError"], true);
                    assert_eq!(ended["result"]["structuredContent"]["code"], "target_not_found");
                }
                _ => assert_eq!(ended["error"]["code"], -32602),
            }
        }
        assert_eq!(ask("tasks/cancel", id.clone()).await.result()["resultType"], "complete");
        assert_eq!(ask("tasks/get", id.clone()).await.result()["status"], "cancelled");

        for method in ["tasks/get", "tasks/update", "tasks/cancel"] {
            let unknown = json!({"taskId": "another", "inputResponses": {}});
            assert_eq!(ask(method, unknown.clone()).await.error(), (200, -32602, "task_unknown".into()), "{method}");
            let undeclared = server.modern(&modern(method, unknown)).await;
            assert_eq!((undeclared.error().0, undeclared.error().1), (400, -32021), "{method}");
        }
        for gone in ["tasks/list", "tasks/result"] {
            assert_eq!(ask(gone, id.clone()).await.error().1, -32601, "{gone}");
        }
    }
}

#[tokio::test]
async fn headers_that_repeat_arguments_are_checked_where_a_tool_asks_for_them() {
    for server in both().await {
        let body = |arguments: Value| modern("tools/call", json!({"name": "mirrored", "arguments": arguments}));
        let base = [("mcp-protocol-version", "2026-07-28"), ("mcp-method", "tools/call"), ("mcp-name", "mirrored")];
        let send = async |extra: &[(&str, &str)], arguments: Value| {
            let headers: Vec<_> = base.iter().chain(extra).copied().collect();
            server.post(&headers, &body(arguments)).await
        };
        let both = [("mcp-param-region", "eu"), ("Mcp-Param-N", "3")];
        let arguments = json!({"region": "eu", "deep": {"n": 3}});
        assert_eq!(send(&both, arguments.clone()).await.result()["structuredContent"], arguments);
        assert_eq!(send(&[], json!({})).await.result()["isError"], false);
        let encoded = [("mcp-param-region", "=?base64?w6k=?=")];
        assert_eq!(send(&encoded, json!({"region": "é"})).await.result()["isError"], false);
        for (extra, arguments) in [
            (vec![], json!({"region": "eu"})),
            (vec![("mcp-param-region", "us")], json!({"region": "eu"})),
            (vec![("mcp-param-region", "EU")], json!({"region": "eu"})),
            (vec![("mcp-param-region", "eu")], json!({})),
            (vec![("mcp-param-region", "eu"), ("mcp-param-region", "eu")], json!({"region": "eu"})),
            (vec![("mcp-param-region", "=?base64?SGVsbG8?=")], json!({"region": "Hello"})),
            (vec![("mcp-param-region", "eu")], arguments.clone()),
        ] {
            let reply = send(&extra, arguments).await;
            assert_eq!((reply.error().0, reply.error().1), (400, -32020), "{extra:?}");
        }
        // Older requests have no such headers.
        let older = request("tools/call", json!({"name": "mirrored", "arguments": {"region": "eu"}}));
        assert_eq!(server.legacy(&older).await.result()["isError"], false);
    }
}
