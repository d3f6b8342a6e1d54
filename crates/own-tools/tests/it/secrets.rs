//! The secret store administered by the one road: values go in and never come out, and every change needs a second factor
//! for itself (T6, T27).

use platform::audit::Outcome;
use platform::secrets::SecretStore as _;
use serde_json::json;

use crate::governed::Governed;

const CANARY: &str = "canary-3d9f-hush";

#[tokio::test]
async fn t6_every_change_needs_a_second_factor_for_itself_and_metadata_needs_none() {
    let platform = Governed::new().await;
    let put = json!({"path": "api/a", "fields": {"password": CANARY}, "cas": 0});
    assert_eq!(platform.once("interlock", "put_secret", put.clone()).await.unwrap_err().code(), "step_up_required");
    assert_eq!(platform.call("put_secret", put.clone()).await.unwrap(), json!({"path": "api/a", "version": 1}));
    // It was for this one call.
    assert_eq!(platform.once("interlock", "put_secret", put).await.unwrap_err().code(), "step_up_required");
    for (tool, arguments) in [
        ("delete_secret_version", json!({"path": "api/a", "versions": [1]})),
        ("undelete_secret_version", json!({"path": "api/a", "versions": [1]})),
        ("destroy_secret_version", json!({"path": "api/a", "versions": [1]})),
        ("set_secret_rules", json!({"path": "api/a", "cas_required": true})),
        ("rotate_credential", json!({"server": "target", "fields": {"password": "x"}})),
    ] {
        let refused = platform.once("interlock", tool, arguments).await.unwrap_err();
        assert_eq!(refused.code(), "step_up_required", "{tool}");
    }
    platform.once("interlock", "list_secrets", json!({})).await.unwrap();
    platform.once("interlock", "get_secret_metadata", json!({"path": "api/a"})).await.unwrap();
}

#[tokio::test]
async fn versions_are_written_deleted_taken_back_and_destroyed() {
    let platform = Governed::new().await;
    for (value, cas) in [("one", 0), ("two", 1), ("three", 2)] {
        let put = json!({"path": "api/a", "fields": {"password": value}, "cas": cas});
        assert_eq!(platform.call("put_secret", put).await.unwrap()["version"], cas + 1);
    }
    let stale = json!({"path": "api/a", "fields": {"password": "x"}, "cas": 1});
    assert_eq!(platform.call("put_secret", stale).await.unwrap_err().code(), "secret_version_mismatch");
    let versions = json!({"path": "api/a", "versions": [1, 2]});
    platform.call("delete_secret_version", versions.clone()).await.unwrap();
    let shown = || platform.call("get_secret_metadata", json!({"path": "api/a"}));
    let deleted: Vec<bool> =
        shown().await.unwrap()["versions"].as_array().unwrap().iter().map(|v| v["deleted_at"].is_string()).collect();
    assert_eq!(deleted, [true, true, false]);
    platform.call("undelete_secret_version", versions).await.unwrap();
    assert_eq!(platform.kept.secrets.get("api/a", Some(2)).await.unwrap().data["password"].expose(), "two");
    platform.call("destroy_secret_version", json!({"path": "api/a", "versions": [2]})).await.unwrap();
    assert_eq!(shown().await.unwrap()["versions"][1]["destroyed"], true);
    let rules = json!({"path": "api/a", "cas_required": true, "max_versions": 5, "custom": {"owner": "netops"}});
    platform.call("set_secret_rules", rules).await.unwrap();
    let blind = json!({"path": "api/a", "fields": {"password": "x"}});
    assert_eq!(platform.call("put_secret", blind).await.unwrap_err().code(), "secret_version_required");
    let now = shown().await.unwrap();
    assert_eq!(
        (&now["max_versions"], &now["custom"]["owner"], &now["current_version"]),
        (&json!(5), &json!("netops"), &json!(3))
    );
    for unclear in [json!({"path": "api/a"}), json!({"path": "api/a", "versions": [1], "everything": true})] {
        assert_eq!(
            platform.call("destroy_secret_version", unclear).await.unwrap_err().code(),
            "secret_versions_unclear"
        );
    }
    let gone = platform.call("destroy_secret_version", json!({"path": "api/a", "everything": true})).await.unwrap();
    assert_eq!(gone["versions"], json!([1, 2, 3]));
    assert_eq!(shown().await.unwrap_err().code(), "secret_not_found");
}

#[tokio::test]
async fn paths_are_listed_page_by_page() {
    let platform = Governed::new().await;
    for path in ["api/a", "api/b", "api/c", "other/d"] {
        platform.kept.secrets.put(path, [("f".to_owned(), "v".into())].into(), None).await.unwrap();
    }
    let list = |arguments| platform.call("list_secrets", arguments);
    let first = list(json!({"prefix": "api", "limit": 2})).await.unwrap();
    assert_eq!(first, json!({"paths": ["api/a", "api/b"], "total": 4, "next": "api/b"}));
    let second = list(json!({"prefix": "api", "limit": 2, "after": "api/b"})).await.unwrap();
    assert_eq!(second, json!({"paths": ["api/c", "api/target"], "total": 4, "next": null}));
}

#[tokio::test]
async fn t28_the_platforms_keys_and_broken_paths_are_refused() {
    let platform = Governed::new().await;
    for (path, code) in [("platform/keys/audit", "secret_path_reserved"), ("a//b", "secret_path_invalid")] {
        for (tool, more) in [
            ("put_secret", json!({"fields": {"f": "v"}})),
            ("delete_secret_version", json!({"versions": [1]})),
            ("undelete_secret_version", json!({"versions": [1]})),
            ("destroy_secret_version", json!({"versions": [1]})),
            ("set_secret_rules", json!({"max_versions": 1})),
        ] {
            let mut arguments = more;
            arguments["path"] = path.into();
            assert_eq!(platform.call(tool, arguments).await.unwrap_err().code(), code, "{tool} {path}");
        }
    }
    let fields: serde_json::Map<_, _> = (0..65).map(|n| (n.to_string(), json!("v"))).collect();
    let many = platform.call("put_secret", json!({"path": "api/a", "fields": fields})).await.unwrap_err();
    assert_eq!(many.code(), "invalid_arguments");
    let none = platform.call("put_secret", json!({"path": "api/a", "fields": {}})).await.unwrap_err();
    assert_eq!(none.code(), "invalid_arguments");
    let large = json!({"path": "api/a", "fields": {"f": "v".repeat(1 << 20)}});
    assert_eq!(platform.call("put_secret", large).await.unwrap_err().code(), "secret_too_large");
}

#[tokio::test]
async fn t27_a_value_is_in_no_record_no_reply_no_failure_and_the_path_is_the_records_target() {
    let platform = Governed::new().await;
    let put = |path: &str| json!({"path": path, "fields": {"password": CANARY}, "cas": 0});
    let answer = platform.call("put_secret", put("api/a")).await.unwrap();
    let failed = platform.call("put_secret", put("api/a")).await.unwrap_err();
    let refused = platform.call("put_secret", put("platform/keys/x")).await.unwrap_err();
    let misplaced = json!({"path": CANARY.to_owned() + "//", "fields": {"password": CANARY}, "more": CANARY});
    let invalid = platform.call("put_secret", misplaced).await.unwrap_err();
    let metadata = platform.call("get_secret_metadata", json!({"path": "api/a"})).await.unwrap();
    let records = platform.audit.entries();
    let said = format!("{answer}{failed:?}{refused:?}{invalid:?}{metadata}{records:?}");
    assert!(!said.contains(CANARY), "{said}");
    assert!(!metadata.to_string().contains("password"), "the names of fields are sealed too");
    let written = records
        .iter()
        .find(|r| r.outcome == Outcome::Success && r.tool.as_ref().is_some_and(|t| t.tool == "put_secret"));
    assert_eq!(written.unwrap().tool.as_ref().unwrap().targets, ["api/a"]);
}

#[tokio::test]
async fn t24_an_elevation_from_before_a_restore_opens_nothing() {
    let platform = Governed::new().await;
    let put = json!({"path": "api/a", "fields": {"password": CANARY}, "cas": 0});
    let granted = platform.elevated("put_secret", put.clone()).await;
    let unanswered = json!({"path": "api/b", "fields": {"password": CANARY}});
    let refused = platform.once("interlock", "put_secret", unanswered).await.unwrap_err();
    let voided = tool_runtime::elevation::void_after_restore(platform.kept.store.as_ref()).await.unwrap();
    assert_eq!((voided, granted), (2, true));
    let link = refused.refusal().url.as_deref().and_then(|url| url.rsplit_once('/')).unwrap().1.to_owned();
    assert_eq!(platform.road.elevations().find(&link).await.unwrap_err().code(), "elevation_request_unknown");
    assert_eq!(platform.once("interlock", "put_secret", put).await.unwrap_err().code(), "step_up_required");
}
