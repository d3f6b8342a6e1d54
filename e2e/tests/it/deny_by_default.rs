//! Deny by default: without a group nobody sees or calls anything but the platform's own tools, whatever the door.

use platform::Json;
use serde_json::json;

use crate::caller::{CENTER, Caller, EMEA, OWN};

#[tokio::test]
async fn every_tool_of_every_server_is_unknown_to_a_person_without_groups() {
    let caller = Caller::shared();
    let (ada, vic) = (caller.lab.token("ada").await, caller.lab.token("vic").await);
    for server in [CENTER, EMEA] {
        let all = caller.tools(&ada, server).await;
        assert!(all.len() >= 12, "{server}: {all:?}");
        assert_eq!(caller.tools(&vic, server).await.len(), 0, "{server}");
        for tool in &all {
            let rest = caller.rest(&vic, server, tool, &json!({})).await;
            assert_eq!((rest.status, rest.code()), (404, Some("tool_unknown")), "{server} {tool}: {rest:?}");
            let mcp = caller.mcp(&vic, server, tool, &json!({})).await;
            assert_eq!(mcp.code(), Some("unknown_tool"), "{server} {tool}: {mcp:?}");
        }
        // What is hidden and what does not exist cannot be told apart.
        let hidden = caller.mcp(&vic, server, "deploy_template", &json!({})).await;
        let absent = caller.mcp(&vic, server, "no_such", &json!({})).await;
        let text = |answer: &Json| answer["error"].to_string();
        assert_eq!(text(&hidden.body).replace("deploy_template", "no_such"), text(&absent.body));
    }
}

#[tokio::test]
async fn the_platforms_own_tools_are_everybodys() {
    let caller = Caller::shared();
    let vic = caller.lab.token("vic").await;
    let own = caller.tools(&vic, OWN).await;
    assert_eq!(
        own.into_iter().collect::<Vec<_>>(),
        [
            "describe_tool",
            "echo",
            "explain_refusal",
            "find_targets",
            "get_artifact",
            "get_change",
            "get_change_plan",
            "get_evidence",
            "list_changes",
            "list_my_calls",
            "list_target_sources",
            "search_tools",
            "whoami"
        ]
    );
    let who = caller.rest(&vic, OWN, "whoami", &json!({})).await;
    assert_eq!(who.result()["groups"], json!([]));
    let found = caller.rest(&vic, OWN, "search_tools", &json!({"query": "deploy template device"})).await;
    assert!(!found.result().to_string().contains(CENTER), "the search shows what is hidden: {found:?}");
}
