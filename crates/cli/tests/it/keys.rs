//! Keys by the command line, while a lab runs (T28): as an administrator, with the second factor at hand.

use std::process::Output;

use serde_json::Value;

use crate::a_lab::{ALab, json, out};
use crate::secrets::next_code;

fn rotate(lab: &ALab, arguments: &[&str]) -> Value {
    next_code(lab);
    let rotated = lab.run(&[&["keys", "rotate", "--json"], arguments].concat());
    assert_eq!(rotated.status.code(), Some(0), "{}{}", out(&rotated), String::from_utf8_lossy(&rotated.stderr));
    json(&rotated)
}

fn code(output: &Output) -> String {
    json(output)["error"]["code"].as_str().unwrap_or_default().to_owned()
}

#[test]
fn t28_every_key_is_listed_and_rotated_while_the_lab_runs() {
    let lab = ALab::start();
    let listed = json(&lab.run(&["keys", "list", "--json"]));
    let names: Vec<&str> = listed["keys"].as_array().unwrap().iter().map(|k| k["name"].as_str().unwrap()).collect();
    let expected = [
        "master",
        "data",
        "audit",
        "countersign",
        "payloads",
        "changes",
        "issuer",
        "results",
        "request-state",
        "facade",
        "issuer-sealing",
        "artifacts",
        "secret-arguments",
    ];
    assert_eq!(names, expected);
    let table = include_str!("../../../../docs/keys.md");
    for name in &names {
        assert!(table.contains(&format!("| `{name}` | ")), "docs/keys.md has no row for {name}");
    }
    assert_eq!(code(&lab.run(&["keys", "list", "--as", "sam", "--json"])), "tool_unknown", "nobody else knows of it");
    assert_eq!(code(&lab.run(&["keys", "rotate", "results", "--as", "sam", "--json"])), "tool_unknown");

    let call = ["tools", "list", "interlock", "--user", "bob"];
    assert_eq!(lab.run(&call).status.code(), Some(0));
    for key in
        ["data", "audit", "countersign", "changes", "results", "request-state", "facade", "issuer-sealing", "artifacts"]
    {
        let rotated = rotate(&lab, &[key]);
        assert_eq!(rotated["current"], "2", "{key}: {rotated}");
        assert_eq!(lab.run(&call).status.code(), Some(0), "after {key}");
    }
    next_code(&lab);
    assert_eq!(code(&lab.run(&["keys", "rotate", "payloads", "--json"])), "key_rotates_by_itself");
    next_code(&lab);
    assert_eq!(code(&lab.run(&["keys", "rotate", "nonesuch", "--json"])), "key_unknown");
    next_code(&lab);
    assert_eq!(code(&lab.run(&["keys", "rotate", "master", "--json"])), "new_key_file_missing");

    let issuer = listed["keys"].as_array().unwrap().iter().find(|k| k["name"] == "issuer").unwrap();
    assert_eq!(rotate(&lab, &["issuer"])["current"], issuer["versions"][1]["version"], "the one that was published");
    assert_eq!(lab.run(&call).status.code(), Some(0), "what the old key signed still holds");
    rotate(&lab, &["issuer", "--now"]);
    assert_eq!(lab.run(&call).status.code(), Some(3), "what an old key signed is worth nothing at once");

    assert_eq!(lab.stop(), Some(0));
    lab.again();
    assert_eq!(lab.run(&["audit", "verify"]).status.code(), Some(0), "{}", out(&lab.run(&["audit", "verify"])));
    let listed = json(&lab.run(&["keys", "list", "--json"]));
    let data = listed["keys"].as_array().unwrap().iter().find(|k| k["name"] == "data").unwrap();
    assert_eq!(data["versions"].as_array().unwrap().len(), 1, "the old data key is gone: {data}");
}

#[test]
fn t28_a_new_master_key_under_a_running_lab_opens_its_store_at_the_next_start() {
    let lab = ALab::start();
    let key = lab.state().join("keys/lab-master.key");
    let (before, next) = (std::fs::read_to_string(&key).unwrap(), lab.state().join("next.key"));
    let new = "8c1f0a97d2e4b56370fe19a8c3d5427b6e90f1a2b3c4d5e60718293a4b5c6d7f";
    std::fs::write(&next, new).unwrap();
    std::fs::set_permissions(&next, std::os::unix::fs::PermissionsExt::from_mode(0o400)).unwrap();
    let rotated = rotate(&lab, &["master", "--new-key-file", next.to_str().unwrap()]);
    assert_eq!((&rotated["current"], &rotated["retired"]), (&"2".into(), &serde_json::json!(["1"])));
    assert_eq!(std::fs::read_to_string(&key).unwrap(), new);
    assert_eq!(lab.run(&["tools", "list", "interlock", "--user", "bob"]).status.code(), Some(0));
    assert_eq!(lab.stop(), Some(0));
    lab.again();
    assert_eq!(lab.stop(), Some(0));
    std::fs::remove_file(&key).unwrap();
    std::fs::write(&key, before).unwrap();
    std::fs::set_permissions(&key, std::os::unix::fs::PermissionsExt::from_mode(0o400)).unwrap();
    let refused = lab.run(&["secret", "show", "api/catalyst-center", "--json"]);
    assert_eq!(code(&refused), "master_key_wrong");
}
