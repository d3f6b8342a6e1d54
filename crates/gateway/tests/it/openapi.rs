//! The OpenAPI document: complete, for its caller only, valid, and true to what the doors do.

use std::collections::BTreeSet;

use platform::Json;
use serde_json::json;

use crate::fixture::{Server, tool_path};

async fn document(server: &Server) -> Json {
    let reply = server.alice("/api/v1/openapi.json").await;
    assert_eq!((reply.status, reply.header("content-type")), (200, Some("application/json")));
    reply.json()
}

/// Every value under a key, anywhere.
fn under<'a>(document: &'a Json, key: &str, found: &mut Vec<&'a Json>) {
    match document {
        Json::Object(members) => {
            found.extend(members.get(key));
            members.values().for_each(|member| under(member, key, found));
        }
        Json::Array(items) => items.iter().for_each(|item| under(item, key, found)),
        _ => {}
    }
}

#[tokio::test]
async fn a_path_per_tool_beside_the_articles_routes_and_none_for_a_hidden_tool() {
    let server = Server::start().await;
    let document = document(&server).await;
    let paths = document["paths"].as_object().unwrap();
    let tools =
        ["add_note", "configure_device", "fail_thing", "read_thing", "reload_device", "slow_thing", "start_thing"];
    let mut expected: BTreeSet<String> = tools.iter().map(|tool| tool_path(tool)).collect();
    let shared = ["/api/v1/openapi.json", "/api/v1/mcp/{server}/tools"];
    expected.extend(shared.map(str::to_owned));
    assert_eq!(paths.keys().cloned().collect::<BTreeSet<_>>(), expected);
    assert!(!document.to_string().contains("hidden_write"), "T10");
    assert_eq!(document["openapi"], "3.1.1");
    assert_eq!(document["servers"][0]["url"], format!("http://{}", server.address));
    let methods = |tool: &str| paths[&tool_path(tool)].as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    assert_eq!(
        (methods("read_thing"), methods("add_note")),
        (vec!["get".into(), "post".into()], vec!["post".to_owned()])
    );
    let mut ids = Vec::new();
    under(&document, "operationId", &mut ids);
    assert_eq!(ids.iter().map(|id| id.as_str().unwrap()).collect::<BTreeSet<_>>().len(), ids.len(), "unique");
    assert!(ids.contains(&&json!("lab_1__read_thing")) && ids.contains(&&json!("get_lab_1__read_thing")));
    let reply = server.get("/api/v1/openapi.json", &[]).await;
    assert_eq!(reply.problem(), (401, "token_missing".into()));
}

#[tokio::test]
async fn every_reference_in_the_document_leads_somewhere() {
    let server = Server::start().await;
    let document = document(&server).await;
    let mut references = Vec::new();
    under(&document, "$ref", &mut references);
    assert!(references.len() > 100);
    let routes = &document["paths"][tool_path("add_note")]["post"]["x-interlock-route"];
    assert_eq!(routes, "/api/v1/mcp/{server}/tools/{tool}");
    for reference in references {
        let pointer = reference.as_str().unwrap().strip_prefix('#').unwrap();
        assert!(document.pointer(pointer).is_some(), "{reference}");
    }
}

#[tokio::test]
async fn t12_writes_name_their_references_as_headers_and_reads_have_none() {
    let server = Server::start().await;
    let document = document(&server).await;
    let write = &document["paths"][tool_path("add_note")]["post"];
    assert_eq!(write["parameters"][0]["$ref"], "#/components/parameters/IdempotencyKey");
    assert_eq!(document["paths"][tool_path("read_thing")]["post"].get("parameters"), None);
    let arguments = &document["components"]["schemas"]["lab-1.add_note.arguments"];
    assert!(arguments["properties"]["text"].is_object() && arguments["properties"].get("_interlock").is_none());
    let pattern = &document["components"]["parameters"]["IdempotencyKey"]["schema"];
    let schema = jsonschema::draft202012::new(pattern).unwrap();
    for key in ["k", "\"k-1\"", "a\"b", &"k".repeat(128)] {
        assert!(schema.is_valid(&json!(key)), "{key}");
    }
    for key in ["", "k 1", "\"k", "\"\"", "\"k\"x", &"k".repeat(129)] {
        assert!(!schema.is_valid(&json!(key)), "{key}");
    }
}

#[tokio::test]
async fn a_query_shows_what_a_query_can_carry() {
    let server = Server::start().await;
    let document = document(&server).await;
    let parameters = document["paths"][tool_path("read_thing")]["get"]["parameters"].as_array().unwrap().clone();
    let schema = |name: &str| parameters.iter().find(|p| p["name"] == name).map(|p| p["schema"].clone());
    assert_eq!(schema("maybe"), Some(json!({"type": "boolean"})), "a query has no null");
    assert_eq!(schema("tags"), Some(json!({"type": "array", "items": {"type": "string"}})));
    assert_eq!(schema("shape"), None, "a query carries no object");
    let responses = |tool: &str| document["paths"][tool_path(tool)]["get"]["responses"].clone();
    assert!(responses("read_thing")["202"]["headers"]["Location"].is_object());
    assert!(responses("read_thing")["200"]["headers"]["Link"].is_object());
    assert_eq!(
        (responses("slow_thing").get("202"), responses("slow_thing")["200"]["headers"].get("Link")),
        (None, None)
    );
    for status in
        ["400", "401", "403", "404", "405", "406", "409", "413", "415", "422", "429", "500", "502", "503", "504"]
    {
        assert!(responses("read_thing")[status].is_object(), "{status}");
    }
}

#[tokio::test]
async fn every_tool_has_an_example_for_a_shell() {
    let server = Server::start().await;
    let document = document(&server).await;
    let sample = |tool: &str, method: &str| {
        let source = &document["paths"][tool_path(tool)][method]["x-codeSamples"][0]["source"];
        source
            .as_str()
            .unwrap_or_else(|| panic!("{tool} has no sample by {method}"))
            .replace(&server.address.to_string(), "HOST")
    };
    let url = "http://HOST/api/v1/mcp/lab-1/tools";
    let bearer = "-H \"Authorization: Bearer $INTERLOCK_TOKEN\"";
    assert_eq!(
        sample("add_note", "post"),
        format!(
            "curl -sS --fail-with-body '{url}/add_note' \\\n  {bearer} \\\n  -H 'Content-Type: application/json' \\\n  \
             -H 'Idempotency-Key: one-of-your-own-per-call' \\\n  -d '{{\"arguments\":{{\"text\":\"it'\\''s me\"}}}}'"
        )
    );
    assert_eq!(
        sample("read_thing", "get"),
        format!(
            "curl -sS --fail-with-body -G '{url}/read_thing' \\\n  {bearer} \\\n  --data-urlencode 'text=it'\\''s me'"
        )
    );
    let listed = server.alice("/api/v1/mcp/lab-1/tools").await.json();
    for tool in listed["tools"].as_array().unwrap() {
        let (name, curl) = (tool["name"].as_str().unwrap(), tool["curl"].as_str().unwrap());
        assert_eq!(curl.replace(&server.address.to_string(), "HOST"), sample(name, "post"));
    }
}
