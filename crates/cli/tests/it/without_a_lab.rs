//! What needs no lab: configurations, policy, and what is said when there is nothing to talk to.

use crate::a_lab::{json, out, run};

#[test]
fn every_failure_has_its_exit_code_and_the_next_step() {
    let folder = tempfile::tempdir().unwrap();
    let none = run(&["lab", "token", "--user", "alice"], Some(folder.path()));
    assert_eq!(none.status.code(), Some(5));
    assert!(String::from_utf8_lossy(&none.stderr).contains("interlock lab --state"));
    let dead = run(&["doctor", "--json", "--url", "http://127.0.0.1:1"], None);
    assert_eq!((dead.status.code(), &json(&dead)["ok"]), (Some(1), &false.into()));
    let audit = run(&["audit", "verify", "--json"], Some(folder.path()));
    assert_eq!(json(&audit)["error"]["code"], "audit_not_found");
}

#[test]
fn check_shows_where_values_come_from_and_what_serve_refuses() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("interlock.toml");
    std::fs::write(&file, "[policy]\nprofile = \"lab-open\"\n[[issuer]]\nurl = \"https://id.example\"\n").unwrap();
    let check = run(&["check", "--json", "--config", file.to_str().unwrap()], None);
    assert_eq!(check.status.code(), Some(2));
    let said = json(&check);
    assert_eq!(said["refused"][0]["code"], "open_policy_profile");
    assert_eq!(said["values"]["platform.drain_s"]["from"], "default");
    std::fs::write(&file, "[platform]\nlissen = 1\n").unwrap();
    let wrong = run(&["check", "--config", file.to_str().unwrap()], None);
    assert_eq!(wrong.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&wrong.stderr).contains("lissen"));
}

#[test]
fn t8_the_embedded_policy_passes_its_gate_and_a_broken_one_does_not() {
    let good = run(&["policy", "test", "--json"], None);
    assert_eq!((good.status.code(), &json(&good)["ok"]), (Some(0), &true.into()), "{}", out(&good));
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("x.rego"), "package interlock.authz\ndecision := ").unwrap();
    std::fs::write(folder.path().join("profiles.json"), "{\"production\":{}}").unwrap();
    let bad = run(&["policy", "test", "--json", "--bundle", folder.path().to_str().unwrap()], None);
    assert_eq!(bad.status.code(), Some(1), "{}", out(&bad));
}
