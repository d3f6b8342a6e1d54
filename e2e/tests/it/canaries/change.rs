//! A change with secrets in the device's configuration and in its parameters, from the wish to the evidence: neither the journal
//! of the engine nor the store, artifacts, logs, audit, what policy was asked, the approver's pages as they come over the wire,
//! the answers or the archive of evidence show one.
//! The archive verifies with nothing but itself and what was copied elsewhere: the plan's hash without unsealing anything.

use std::path::Path;
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use platform::Json;
use serde_json::json;
use tempfile::TempDir;

use super::{Planted, SEED, Search, WORLD, copied, exports, fresh, in_the_configuration, nothing_leaked};
use crate::caller::Answer;
use crate::changes::desk::{Desk, told};
use crate::changes::visitor::Visitor;
use crate::lab::binary;

/// The log signs its tree within ten seconds; a machine that also compiles is slow.
const SIGNED_WITHIN: Duration = Duration::from_secs(120);

/// `interlock evidence verify`, beside no lab.
fn verify(file: &Path, trust: &[&str]) -> (bool, Json) {
    let out = Command::new(binary()).args(["evidence", "verify", "--json"]).arg(file).args(trust).output().unwrap();
    let said = serde_json::from_slice(&out.stdout).unwrap_or_else(|_| panic!("{}", shown(&out)));
    (out.status.success(), said)
}

fn shown(out: &Output) -> String {
    format!("{}\n{}", String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr))
}

/// The names of the checks that came to this.
fn checks(said: &Json, result: &str) -> Vec<String> {
    let all = said["checks"].as_array().into_iter().flatten();
    all.filter(|check| check["result"] == result).map(|check| check["check"].as_str().unwrap().to_owned()).collect()
}

/// The pages of a change as bytes, before anybody has looked at them with eyes. The form of a decision is there for whoever has given a
/// factor.
async fn pages(visitor: &mut Visitor<'_>, id: &str, which: &[&'static str]) -> Vec<(&'static str, String)> {
    if which.contains(&"/decision") {
        visitor.form(id).await;
    }
    let mut pages = Vec::new();
    for page in which {
        let address = visitor.address(&format!("/changes/{id}{page}"));
        let shown = visitor.browser.get(&address).await.unwrap();
        assert!(
            shown.status == 200 && shown.text.contains("&lt;masked&gt;"),
            "a secret is masked: {} {}",
            shown.status,
            shown.text
        );
        pages.push((if page.is_empty() { "page of the change" } else { page }, shown.text));
    }
    pages
}

/// What policy was asked about the wish and about the calls that carry its secrets to the controller, as an auditor opens it.
async fn asked_of_policy(desk: &Desk, id: &str, wish: &Answer) -> Vec<(&'static str, String)> {
    const CALLS: [&str; 4] = ["plan_change", "port_render_lines", "port_stage_lines", "port_apply_step"];
    let sealed = |record: &&Json| record["interlock"]["payload"].is_object();
    let records = [desk.caller.lab.records_of(&wish.request_id()), desk.audited(id)].concat();
    let mut opened = Vec::new();
    for call in CALLS {
        let record = records.iter().filter(sealed).find(|record| record["interlock"]["tool"] == call);
        let position = &record.unwrap_or_else(|| panic!("no payload of {call}"))["event"]["sequence"];
        let open = json!({"record": position, "reason": "Case 1: what was policy asked"});
        let refused = desk.own("audrey", "open_audit_payload", &open).await;
        desk.caller.lab.advance(&desk.caller.http, 31).await;
        desk.caller.lab.pass_second_factor(refused.link(), "audrey").await.unwrap();
        let payload = desk.own("audrey", "open_audit_payload", &open).await;
        assert!(payload.result()["payload"]["input"]["arguments"].is_object(), "{call}: {payload:?}");
        opened.push((call, payload.body.to_string()));
    }
    opened
}

#[tokio::test]
async fn t15_t27_a_change_leaves_evidence_that_verifies_elsewhere_and_no_secret_anywhere() {
    let desk = Desk::open().await;
    let lab = &desk.caller.lab;
    let (device, mut planted) = (desk.switches[0].clone(), Planted::default());
    let (community, name) = (fresh(), fresh());
    planted.known("community in a running configuration", &community, WORLD);
    planted.known("parameter that is called a secret", &name, WORLD);
    for user in lab.ready.users.iter().filter(|user| ["alice", "bob"].contains(&user.name.as_str())) {
        planted.known(&format!("password of {}", user.name), &user.password, SEED);
    }
    desk.by_hand(&device, &[&format!("snmp-server community {community} RO")]).await;
    in_the_configuration(lab, &device, &mut planted).await;

    let mut wish = desk.wish(std::slice::from_ref(&device), 741);
    wish.arguments["params"].as_object_mut().unwrap().remove("vlan_name");
    wish.arguments["secret_params"] = json!({ "vlan_name": name });
    let asked = desk.own("alice", "plan_change", &wish.arguments).await;
    let id = asked.result()["change_id"].as_str().unwrap().to_owned();
    desk.reaches(&id, &["planned"]).await;
    desk.submit(&id, 0).await;
    let plan = json!({"change_id": id, "view": "plan"});
    let mut answers = vec![
        ("answer to the wish", asked.body.to_string()),
        ("plan", desk.own("bob", "get_change_plan", &plan).await.body.to_string()),
    ];
    let mut bob = Visitor::new(&desk, "bob");
    answers.extend(pages(&mut bob, &id, &["", "/plan", "/decision"]).await);
    lab.advance(&desk.caller.http, 31).await;
    let page = lab.run(&["lab", "approve", "--user", "bob", &id, "--reason", "Read, and approved"]);
    assert!(page.status.success(), "{}", shown(&page));
    answers.push(("page", shown(&page)));
    let view = desk.ends(&id).await;
    assert_eq!(view["state"], "done", "{}", told(&view));
    assert!(desk.running(&device).await.contains(&name), "the device has what was asked for");
    answers.push(("change", view.to_string()));
    answers.extend(pages(&mut bob, &id, &["", "/plan"]).await);
    answers.extend(asked_of_policy(&desk, &id, &asked).await);

    // What an operator copies elsewhere: the public key, and the log's checkpoints.
    let elsewhere = TempDir::new().unwrap();
    let (key, archive) = (elsewhere.path().join("changes.pub"), elsewhere.path().join("change.tar"));
    std::fs::copy(lab.state().join("changes.pub"), &key).unwrap();
    let get =
        |file: &Path| lab.run(&["change", "evidence", "get", &id, "--user", "bob", "--output", file.to_str().unwrap()]);
    let anchor = lab.state().join("audit/audit.checkpoints");
    let (key, anchor) = (key.to_str().unwrap(), anchor.to_str().unwrap());
    let began = Instant::now();
    let said = loop {
        let _gone = std::fs::remove_file(&archive);
        let got = get(&archive);
        assert!(got.status.success(), "{}", shown(&got));
        let (ok, said) = verify(&archive, &["--key", key]);
        assert!(ok, "by the key it verifies at once: {said}");
        let (ok, said) = verify(&archive, &["--anchor", anchor]);
        if ok {
            break said;
        }
        assert!(checks(&said, "failed").is_empty(), "{said}");
        assert!(began.elapsed() < SIGNED_WITHIN, "no checkpoint ever covers it: {said}");
        tokio::time::sleep(Duration::from_millis(500)).await;
    };
    let passed = checks(&said, "passed");
    for check in
        ["signature", "states", "plan", "submission", "approvals", "grant", "attempts", "calls", "audit", "content"]
    {
        assert!(passed.iter().any(|name| name == check), "{check}: {said}");
    }
    assert_eq!((&said["change"], &said["state"], &said["self_attested"]), (&json!(id), &json!("done"), &json!(false)));
    let beside = lab.run(&["evidence", "verify", archive.to_str().unwrap(), "--json"]);
    let beside: Json = serde_json::from_slice(&beside.stdout).unwrap();
    assert_eq!((&beside["ok"], &beside["self_attested"]), (&json!(true), &json!(true)), "{beside}");
    let whole = std::fs::read(&archive).unwrap();
    let mut touched = whole.clone();
    let at = whole.windows(5).position(|window| window == b"vlan ").unwrap();
    touched[at] = b'V';
    std::fs::write(&archive, &touched).unwrap();
    let (ok, said) = verify(&archive, &["--key", key, "--anchor", anchor]);
    assert!(!ok && checks(&said, "failed").contains(&"files".to_owned()), "{said}");
    let refused = desk.own("vic", "get_evidence", &json!({ "change_id": id })).await;
    assert_eq!(refused.status, 404, "who may not see the change gets nothing: {refused:?}");

    let search = Search::for_all(planted.0);
    nothing_leaked("the archive of evidence", search.bytes("change.tar", &whole));
    for (place, text) in &answers {
        nothing_leaked(place, search.bytes(place, text.as_bytes()));
    }
    nothing_leaked("the log", search.bytes("lab.log", lab.log().as_bytes()));
    nothing_leaked("exports", exports(lab, &search));
    let copy = elsewhere.path().join("state");
    copied(&lab.state(), &copy);
    let (found, files) = search.folder(&copy);
    assert!(files > 8, "{files} files: the search looked past the state folder");
    // The journal and the store hold this change, and are read as bytes.
    for kept in ["workflows.db", "store.db"] {
        let of_it =
            [kept.to_owned(), format!("{kept}-wal")].map(|file| std::fs::read(copy.join(file)).unwrap_or_default());
        let names_it = of_it.concat().windows(id.len()).any(|bytes| bytes == id.as_bytes());
        assert!(names_it, "{kept} does not hold the change");
    }
    for planted in ["community in a running configuration", "parameter that is called a secret"] {
        let home = found.iter().any(|f| f.planted == planted && f.at_home);
        assert!(home, "{planted}: the search must find it at the simulated controller");
    }
    nothing_leaked("the state folder", found);
}
