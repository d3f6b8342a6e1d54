//! What comes before the answer: progress and log messages of a call, and the stream of changes.

use std::time::Duration;

use mcp::{Change, EndpointOptions, Extras};
use serde_json::{Value, json};

use crate::fixture::{JSON, Server, modern, request};
use crate::offering::all_changes;

fn with_token(mut body: Value, token: Value) -> Value {
    body["params"]["_meta"]["progressToken"] = token;
    body
}

fn progress_of(messages: &[Value]) -> Vec<f64> {
    let reports = messages.iter().filter(|m| m["method"] == "notifications/progress");
    reports.map(|m| m["params"]["progress"].as_f64().unwrap()).collect()
}

#[tokio::test]
async fn progress_comes_before_the_answer_rises_and_carries_the_callers_token() {
    let server = Server::everything(EndpointOptions::default()).await;
    let newer = with_token(modern("tools/call", json!({"name": "steps"})), json!("t-1"));
    let older = with_token(request("tools/call", json!({"name": "steps"})), json!("t-1"));
    for reply in [server.modern(&newer).await, server.legacy(&older).await] {
        assert!(reply.content_type.starts_with("text/event-stream"), "{reply:?}");
        assert_eq!(reply.buffering.as_deref(), Some("no"));
        let messages = reply.messages();
        assert_eq!(progress_of(&messages), [1.0, 2.0, 3.0]);
        assert!(messages[..3].iter().all(|m| m["params"]["progressToken"] == "t-1" && m["params"]["total"] == 3.0));
        assert_eq!(messages.len(), 4);
        assert_eq!(messages[3]["result"]["structuredContent"], json!({"wanted": true}));
        assert_eq!(messages[3]["id"], 7);
    }
}

#[tokio::test]
async fn a_flood_of_reports_is_thinned_and_ends_with_the_newest() {
    let server = Server::everything(EndpointOptions::default()).await;
    let body = with_token(modern("tools/call", json!({"name": "flood"})), json!(1));
    let reports = progress_of(&server.modern(&body).await.messages());
    assert!(reports.len() < 200, "{}", reports.len());
    assert_eq!(reports.last(), Some(&4_999.0));
}

#[tokio::test]
async fn nobody_who_did_not_ask_for_progress_or_takes_no_stream_gets_one() {
    let server = Server::everything(EndpointOptions::default()).await;
    let plain = server.modern(&modern("tools/call", json!({"name": "steps"}))).await;
    assert_eq!(plain.result()["structuredContent"], json!({"wanted": false}));
    let body = with_token(modern("tools/call", json!({"name": "steps"})), json!("t"));
    let headers = [
        JSON,
        ("accept", "application/json"),
        ("mcp-protocol-version", "2026-07-28"),
        ("mcp-method", "tools/call"),
        ("mcp-name", "steps"),
    ];
    let reply = server.send("POST", "/mcp", &headers, body.to_string().into_bytes()).await;
    assert_eq!(reply.result()["structuredContent"], json!({"wanted": false}));
}

#[tokio::test]
async fn log_messages_come_where_they_are_offered_and_asked_for_and_of_the_level_asked_for() {
    let said = |messages: &[Value]| -> Vec<String> {
        let logs = messages.iter().filter(|m| m["method"] == "notifications/message");
        logs.map(|m| m["params"]["level"].as_str().unwrap().to_owned()).collect()
    };
    let leveled = |level: &str| {
        let mut body = modern("tools/call", json!({"name": "log"}));
        body["params"]["_meta"]["io.modelcontextprotocol/logLevel"] = level.into();
        body
    };
    let extras = Extras { logging: true, resource_updates: true };
    let server = Server::everything_with(extras, EndpointOptions::default()).await;
    assert_eq!(said(&server.modern(&leveled("debug")).await.messages()), ["debug", "info", "error"]);
    assert_eq!(said(&server.modern(&leveled("warning")).await.messages()), ["error"]);
    assert_eq!(server.modern(&modern("tools/call", json!({"name": "log"}))).await.result()["isError"], false);
    let older = server.legacy(&request("tools/call", json!({"name": "log"}))).await;
    assert_eq!(said(&older.messages()), ["info", "error"]);
    for (method, params) in [
        ("logging/setLevel", json!({"level": "info"})),
        ("resources/subscribe", json!({"uri": "test://r/1"})),
        ("resources/unsubscribe", json!({"uri": "test://r/1"})),
    ] {
        assert_eq!(server.legacy(&request(method, params.clone())).await.result(), json!({}), "{method}");
        assert_eq!(server.modern(&modern(method, params)).await.error().1, -32601, "{method}");
    }
    let unknown = server.legacy(&request("resources/subscribe", json!({"uri": "test://none"}))).await;
    assert_eq!(unknown.error().1, -32002);

    let silent = Server::everything(EndpointOptions::default()).await;
    assert_eq!(silent.modern(&leveled("debug")).await.result()["isError"], false);
}

#[tokio::test]
async fn a_listener_hears_first_that_it_listens_then_only_what_it_asked_for() {
    let extras = Extras { logging: false, resource_updates: true };
    let server = Server::everything_with(extras, EndpointOptions::default()).await;
    let wanted = json!({"promptsListChanged": true, "resourceSubscriptions": ["test://r/1", "test://r/2"]});
    let mut stream = server.listen(&wanted).await;
    let first = stream.next().await.unwrap();
    assert_eq!(first["method"], "notifications/subscriptions/acknowledged");
    assert_eq!(first["params"]["notifications"], wanted);
    for change in all_changes() {
        server.everything.changes.tell(change);
    }
    server.everything.changes.tell(Change::Resource("test://r/9".into()));
    server.everything.changes.tell(Change::Prompts);
    let mut heard = vec![first];
    for _ in 0..3 {
        heard.push(stream.next().await.unwrap());
    }
    for message in &heard {
        assert_eq!(message["params"]["_meta"]["io.modelcontextprotocol/subscriptionId"], 7, "{message}");
    }
    let methods: Vec<_> = heard[1..].iter().map(|m| m["method"].as_str().unwrap()).collect();
    assert_eq!(
        methods,
        ["notifications/prompts/list_changed", "notifications/resources/updated", "notifications/prompts/list_changed"]
    );
    assert_eq!(heard[2]["params"]["uri"], "test://r/1");

    // The shutdown ends it with its result.
    server.endpoint.end_streams();
    let last = stream.next().await.unwrap();
    assert_eq!((&last["id"], &last["result"]["resultType"]), (&json!(7), &json!("complete")));
    assert_eq!(stream.next().await, None);
}

#[tokio::test]
async fn a_stream_ends_so_that_the_token_is_checked_again() {
    let options = EndpointOptions { longest_stream: Duration::from_millis(50), ..EndpointOptions::default() };
    let server = Server::everything(options).await;
    let mut stream = server.listen(&json!({"toolsListChanged": true})).await;
    assert_eq!(stream.next().await.unwrap()["method"], "notifications/subscriptions/acknowledged");
    assert_eq!(stream.next().await.unwrap()["result"]["resultType"], "complete");
    assert_eq!(stream.next().await, None);
}

#[tokio::test]
async fn one_person_holds_a_few_streams_and_no_more() {
    let server = Server::everything(EndpointOptions::default()).await;
    let mut held = Vec::new();
    for _ in 0..8 {
        let mut stream = server.listen(&json!({"toolsListChanged": true})).await;
        stream.next().await.unwrap();
        held.push(stream);
    }
    let mut ninth = server.listen(&json!({"toolsListChanged": true})).await;
    assert_eq!(ninth.next().await.unwrap()["method"], "notifications/subscriptions/acknowledged");
    let refused = ninth.next().await.unwrap();
    assert_eq!(refused["error"]["data"]["code"], "too_many_streams");
    server.everything.changes.tell(Change::Tools);
    for stream in &mut held {
        assert_eq!(stream.next().await.unwrap()["method"], "notifications/tools/list_changed");
    }
}

#[tokio::test]
async fn a_listener_that_takes_no_stream_is_told() {
    let server = Server::everything(EndpointOptions::default()).await;
    let body = modern("subscriptions/listen", json!({"notifications": {}}));
    let headers = [
        JSON,
        ("accept", "application/json"),
        ("mcp-protocol-version", "2026-07-28"),
        ("mcp-method", "subscriptions/listen"),
    ];
    let reply = server.send("POST", "/mcp", &headers, body.to_string().into_bytes()).await;
    assert_eq!(reply.error(), (406, -32600, "not_acceptable".into()));
}
