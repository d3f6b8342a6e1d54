//! T7, T12: arguments meet the published schema, references may come three ways and must agree, and no refusal repeats a
//! value.

use std::sync::Arc;

use platform::ErrorKind;
use platform::context::CallReferences;
use platform::policy::Risk;
use proptest::prelude::*;
use serde_json::json;

use crate::fixture::{Lab, SERVER, code, cx, request};

#[tokio::test]
async fn a_mistake_is_named_by_its_place_and_never_by_its_value() {
    let lab = Lab::new().await;
    for arguments in [
        json!({"text": "canary-canary-canary-canary"}),
        json!({"count": "canary"}),
        json!({"tree": 1, "_interlock": {"change": ["canary"]}}),
        json!({"_interlock": {"canary": 1}}),
        json!({"_interlock": "canary"}),
    ] {
        let refusal = lab.call("add_note", arguments.clone()).await.unwrap_err();
        assert_eq!((refusal.kind(), refusal.code()), (ErrorKind::InvalidInput, "invalid_arguments"), "{arguments}");
        let said = serde_json::to_string(refusal.refusal()).unwrap();
        assert!(!said.contains("canary-") && !said.contains("\\\"canary") && !said.contains("[\"canary"), "{said}");
        assert!(refusal.refusal().details.as_ref().unwrap()["errors"][0]["path"].is_string());
        assert_eq!(lab.last_record().arguments, None);
    }
    assert_eq!((lab.runs(), lab.recorded.count("policy:decide")), (0, 0));
}

#[tokio::test]
async fn unknown_arguments_wrong_shapes_and_deep_nesting_are_refused() {
    let lab = Lab::new().await;
    let mut deep = json!(1);
    for _ in 0..32 {
        deep = json!([deep]);
    }
    for arguments in [json!({"txet": "a"}), json!([]), json!("a"), json!({"count": 10}), json!({ "tree": deep })] {
        assert_eq!(lab.refused("read_thing", arguments.clone()).await, "invalid_arguments", "{arguments}");
    }
    lab.call("read_thing", json!(null)).await.unwrap();
    let mut just_so = json!(1);
    for _ in 0..31 {
        just_so = json!([just_so]);
    }
    lab.call("read_thing", json!({ "tree": just_so })).await.unwrap();
}

#[tokio::test]
async fn t12_references_by_argument_meta_and_header_are_one_and_leave_the_arguments() {
    let lab = Lab::new().await;
    let references = CallReferences { change: Some("chg-1".into()), idempotency_key: Some("k-1".into()) };
    let inline = json!({"text": "a", "_interlock": {"change": "chg-1", "idempotency_key": "k-1"}});
    let mut by_header = cx();
    by_header.references = references.clone();
    let mut by_meta = request("add_note", json!({"text": "a"}));
    by_meta.references = references.clone();
    // All three name one call: the second and third get its result.
    let first = lab.call("add_note", inline.clone()).await.unwrap();
    assert_eq!(first.structured, json!({"said": {"text": "a"}}));
    let second = lab.call_as(by_header.clone(), "add_note", json!({"text": "a"})).await.unwrap();
    let third = lab.road.call(Arc::new(cx()), by_meta).await.unwrap();
    assert!(!first.replayed && second.replayed && third.replayed);
    assert_eq!(lab.runs(), 1);
    assert_eq!(lab.last_record().facts["change"], "chg-1");
    assert_eq!(lab.policy.asked()[0].arguments, json!({"text": "a"}));
    // Equal values in two places are fine.
    let mut all = request("add_note", inline);
    all.references = references;
    by_header.request_id = cx().request_id;
    assert!(lab.road.call(Arc::new(by_header), all).await.unwrap().replayed);
}

#[tokio::test]
async fn t12_a_tool_sees_the_references_however_they_came_in() {
    let lab = Lab::new().await;
    lab.target.script("add_note", |cx, _| async move {
        let references = cx.call.references.clone();
        tool_runtime::ToolOutput::of(&json!({"said": {"change": references.change, "key": references.idempotency_key}}))
    });
    let inline = json!({"text": "a", "_interlock": {"change": "chg-1", "idempotency_key": "k-1"}});
    let said = lab.call("add_note", inline).await.unwrap().structured;
    assert_eq!(said, json!({"said": {"change": "chg-1", "key": "k-1"}}));
}

#[tokio::test]
async fn t12_references_that_disagree_or_cannot_be_one_are_refused() {
    let lab = Lab::new().await;
    for (header, meta, inline) in
        [(Some("a"), Some("b"), None), (Some("a"), None, Some("b")), (None, Some("a"), Some("b"))]
    {
        let given = |v: Option<&str>| CallReferences { change: v.map(str::to_owned), idempotency_key: None };
        let mut cx = cx();
        cx.references = given(header);
        let mut request = request("add_note", json!({}));
        request.references = given(meta);
        if let Some(inline) = inline {
            request.arguments = json!({"_interlock": {"change": inline}});
        }
        let refusal = lab.road.call(Arc::new(cx), request).await.unwrap_err();
        assert_eq!((refusal.kind(), refusal.code()), (ErrorKind::Malformed, "reference_conflict"));
    }
    for bad in ["", "with space", "tab\t", "ä", &"x".repeat(129)] {
        let mut cx = cx();
        cx.references.idempotency_key = Some(bad.to_owned());
        assert_eq!(code(lab.call_as(cx, "add_note", json!({})).await), "reference_invalid", "{bad:?}");
    }
    assert_eq!(lab.runs(), 0);
}

#[tokio::test]
async fn t12_tools_that_only_read_have_no_reserved_argument() {
    let lab = Lab::new().await;
    assert_eq!(lab.refused("read_thing", json!({"_interlock": {}})).await, "invalid_arguments");
    let catalogue = lab.road.visibility().catalogue();
    for tool in catalogue.server(SERVER).unwrap().tools() {
        let published = tool.published_input.pointer("/properties/_interlock").is_some();
        assert_eq!(published, tool.risk.is_write(), "{}", tool.name());
        assert_eq!(tool.published_input["additionalProperties"], false);
    }
}

#[tokio::test]
async fn t6_a_tool_that_the_operators_table_does_not_name_is_disruptive() {
    let lab = Lab::new().await;
    let catalogue = lab.road.visibility().catalogue();
    assert_eq!(catalogue.server(SERVER).unwrap().tool("reload_device").unwrap().risk, Risk::Disruptive);
}

/// Arguments near the schema: right and wrong in every member.
fn arguments() -> impl Strategy<Value = platform::Json> {
    let value = prop_oneof![
        Just(json!(null)),
        any::<bool>().prop_map(|b| json!(b)),
        (-2_i64..12).prop_map(|n| json!(n)),
        "[a-z -]{0,24}".prop_map(|s| json!(s)),
        Just(json!({"change": "c-1"})),
        Just(json!({"change": null})),
        Just(json!({"change": "two words"})),
        Just(json!({"idempotency_key": ""})),
        Just(json!({"idempotency_key": "ä"})),
        "[!-~]{100,140}".prop_map(|k| json!({ "idempotency_key": k })),
        Just(json!(["a", 1])),
    ];
    let name =
        prop_oneof![Just("text"), Just("count"), Just("devices"), Just("tree"), Just("other"), Just("_interlock")];
    proptest::collection::btree_map(name.prop_map(str::to_owned), value, 0..4)
        .prop_map(|members| members.into_iter().collect::<serde_json::Map<_, _>>().into())
}

#[test]
fn t7_the_published_schema_is_the_enforced_one() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let lab = runtime.block_on(Lab::new());
    let catalogue = lab.road.visibility().catalogue();
    let mut runner = proptest::test_runner::TestRunner::new_with_rng(
        ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(1_500) },
        proptest::test_runner::TestRng::deterministic_rng(proptest::test_runner::RngAlgorithm::ChaCha),
    );
    let mut seen = (0, 0);
    let tools = ["read_thing", "put_note"];
    let published = tools.map(|name| {
        let tool = catalogue.server(SERVER).unwrap().tool(name).unwrap();
        jsonschema::draft202012::new(&tool.published_input).unwrap()
    });
    let counts = std::cell::RefCell::new(&mut seen);
    runner
        .run(&(0_usize..2, arguments()), |(which, arguments)| {
            let conforms = published[which].is_valid(&arguments);
            let result = runtime.block_on(lab.call(tools[which], arguments.clone()));
            let refused = matches!(&result, Err(e) if ["invalid_arguments", "reference_invalid"].contains(&e.code()));
            let other = matches!(&result, Err(e) if e.code() == "idempotency_conflict");
            prop_assert!(result.is_ok() || refused || other, "{result:?}");
            prop_assert_eq!(conforms, !refused, "{}", arguments);
            let mut counts = counts.borrow_mut();
            if conforms {
                counts.0 += 1
            } else {
                counts.1 += 1
            }
            Ok(())
        })
        .unwrap();
    assert!(seen.0 > 100 && seen.1 > 100, "both sides were met: {seen:?}");
}
