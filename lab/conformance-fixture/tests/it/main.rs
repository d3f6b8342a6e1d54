//! The fixture asked directly: what it hands out belongs to whom it was handed.
#![cfg(test)]

use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use interlock_conformance_fixture::Fixture;
use mcp::asking::{Answers, ClientAbilities};
use mcp::task::TaskState;
use mcp::{CallHandler, CallReply, ToolCall};
use platform::clock::SystemClock;
use platform::context::{CallReferences, Protocol, RequestId, TraceContext};
use platform::principal::{PrincipalKind, TokenFacts};
use platform::resource::Resource;
use platform::{CallContext, Json, Principal};
use serde_json::{Map, json};

fn fixture() -> Fixture {
    Fixture::new("1", Arc::new(SystemClock)).unwrap()
}

fn caller(subject: &str) -> Arc<CallContext> {
    Arc::new(CallContext {
        request_id: RequestId::mint(),
        client_request_id: None,
        trace: TraceContext::root(),
        principal: Arc::new(Principal {
            issuer: "https://issuer.example".into(),
            subject: subject.into(),
            person: subject.into(),
            name: subject.into(),
            kind: PrincipalKind::Person,
            groups: vec![],
            client_id: "test".into(),
            scopes: vec![],
            acr: None,
            amr: vec![],
            auth_time: None,
            mfa: false,
            actors: vec![],
            token: TokenFacts {
                id: None,
                session: None,
                key: None,
                proof: Default::default(),
                issued_at: 0,
                expires_at: 0,
            },
        }),
        resource: Resource::McpServer("conformance".into()),
        protocol: Protocol::Mcp,
        source: IpAddr::from([127, 0, 0, 1]),
        references: CallReferences::default(),
        run: None,
        deadline: Instant::now() + Duration::from_secs(60),
    })
}

fn call(name: &str, state: Option<&str>, responses: Json) -> ToolCall {
    let mut call = ToolCall::plain(name.to_owned(), Map::new(), CallReferences::default());
    call.abilities = ClientAbilities { elicit_form: true, elicit_url: true, sampling: true, roots: true, tasks: true };
    let responses = responses.as_object().cloned().unwrap_or_default().into_iter().collect();
    call.answers = Answers { responses, state: state.map(str::to_owned) };
    call
}

const CONFIRM: &str = "test_input_required_result_request_state";

#[tokio::test]
async fn a_state_is_good_for_the_caller_and_the_tool_it_was_handed_to() {
    let (fixture, alice) = (fixture(), caller("alice"));
    let CallReply::InputRequired(asked) = fixture.call_tool(&alice, call(CONFIRM, None, json!({}))).await else {
        panic!("it does not ask");
    };
    let state = asked.state.unwrap();
    let answer = json!({"confirm": {"action": "accept", "content": {"ok": true}}});
    let done = fixture.call_tool(&alice, call(CONFIRM, Some(&state), answer.clone())).await;
    assert!(matches!(done, CallReply::Content { .. }), "{done:?}");
    let other_tool = "test_input_required_result_tampered_state";
    for (who, tool, state) in [
        (caller("bob"), CONFIRM, state.clone()),
        (caller("alice"), other_tool, state.clone()),
        (caller("alice"), CONFIRM, format!("{state}00")),
        (caller("alice"), CONFIRM, "zz".to_owned()),
        (caller("alice"), CONFIRM, String::new()),
    ] {
        let refused = fixture.call_tool(&who, call(tool, Some(&state), answer.clone())).await;
        assert!(matches!(refused, CallReply::BadRequest(_)), "{tool} {state} {refused:?}");
    }
    let restarted = self::fixture().call_tool(&alice, call(CONFIRM, Some(&state), answer)).await;
    assert!(matches!(restarted, CallReply::BadRequest(_)), "{restarted:?}");
}

#[tokio::test]
async fn t22_a_task_belongs_to_who_made_it_and_is_answered_question_by_question() {
    let (fixture, alice, bob) = (fixture(), caller("alice"), caller("bob"));
    let CallReply::Task(task) = fixture.call_tool(&alice, call("multi_input", None, json!({}))).await else {
        panic!("it is no task");
    };
    let id = task.id;
    let answers = |key: &str| Answers { responses: [(key.to_owned(), json!("x"))].into(), state: None };
    assert_eq!(fixture.task(&bob, id.clone()).await.unwrap_err().code(), "task_unknown");
    assert_eq!(fixture.update_task(&bob, id.clone(), answers("name")).await.unwrap_err().code(), "task_unknown");
    assert_eq!(fixture.cancel_task(&bob, id.clone()).await.unwrap_err().code(), "task_unknown");

    let open = async || match fixture.task(&alice, id.clone()).await.unwrap().state {
        TaskState::InputRequired(asked) => asked.requests.into_keys().collect::<Vec<_>>(),
        _ => Vec::new(),
    };
    assert_eq!(open().await, ["confirm", "name"]);
    fixture.update_task(&alice, id.clone(), answers("unknown")).await.unwrap();
    fixture.update_task(&alice, id.clone(), answers("name")).await.unwrap();
    assert_eq!(open().await, ["confirm"]);
    fixture.update_task(&alice, id.clone(), answers("confirm")).await.unwrap();
    // What has ended stays as it is.
    fixture.cancel_task(&alice, id.clone()).await.unwrap();
    assert!(matches!(fixture.task(&alice, id.clone()).await.unwrap().state, TaskState::Completed(_)));
}

#[tokio::test]
async fn the_list_of_tools_changes_when_it_says_so_and_the_order_stays() {
    let (fixture, alice) = (fixture(), caller("alice"));
    let names = async || {
        let tools = fixture.list_tools(&alice).await.unwrap();
        tools.iter().map(|t| t.name.clone()).collect::<Vec<_>>()
    };
    let before = names().await;
    assert_eq!(before, names().await);
    fixture.call_tool(&alice, call("test_trigger_tool_change", None, json!({}))).await;
    let after = names().await;
    assert_eq!(after[..before.len()], before[..]);
    assert_eq!(after.len(), before.len() + 1);
}
