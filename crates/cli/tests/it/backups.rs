//! A lab is backed up while it works, goes on, and is put back: what was under way is not taken for undone, and nothing that
//! was given out before opens anything (T24).

use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::Value;

use crate::a_lab::{ALab, json, out, run};

fn done(output: &Output) -> Value {
    assert!(output.status.success(), "{}{}", out(output), String::from_utf8_lossy(&output.stderr));
    json(output)
}

fn refused(output: &Output) -> String {
    json(output)["error"]["code"].as_str().unwrap_or_else(|| panic!("{}", out(output))).to_owned()
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// A call by a token that is at hand.
fn call_with(lab: &ALab, url: &str, token: &str) -> Output {
    Command::new(env!("CARGO_BIN_EXE_interlock"))
        .args(["tools", "call", "interlock", "whoami", "--json", "--url", url])
        .env("INTERLOCK_TOKEN", token)
        .current_dir(lab.state())
        .stdin(Stdio::null())
        .output()
        .unwrap()
}

#[test]
fn t24_a_restored_lab_opens_its_secrets_and_nothing_that_was_given_out_before() {
    let lab = ALab::start();
    let elsewhere = tempfile::tempdir().unwrap();
    let archive = elsewhere.path().join("sunday.tar.gz");
    let token = out(&lab.run(&["lab", "token", "--user", "alice"]));
    let url = lab.ready["url"].as_str().unwrap().to_owned();
    done(&call_with(&lab, &url, &token));

    // Under load: somebody calls while the copy is made.
    let mut load = Command::new(env!("CARGO_BIN_EXE_interlock"))
        .args(["lab", "story", "--json", "--state"])
        .arg(lab.state())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let made = done(&lab.run(&["backup", "--out", text(&archive), "--json"]));
    assert!(made["files"].as_u64().unwrap() >= 3 && made["logs"][0]["records"].as_u64().unwrap() > 0, "{made}");
    assert_eq!(refused(&lab.run(&["backup", "--out", text(&archive), "--json"])), "backup_unusable");
    assert!(load.wait().unwrap().success());

    let backup = text(&archive);
    assert_eq!(refused(&lab.run(&["restore", backup, "--replace", "--json"])), "restore_state_in_use");
    assert_eq!(lab.stop(), Some(0));
    assert_eq!(refused(&lab.run(&["restore", backup, "--json"])), "restore_not_empty");
    let restored = done(&lab.run(&["restore", backup, "--replace", "--json"]));
    assert_eq!(restored["digest"], made["digest"]);
    let aside = restored["aside"].as_str().unwrap();
    assert!(Path::new(aside).join("store.db").is_file() && Path::new(aside).join("audit/audit.db").is_file());

    let again = lab.again();
    let url = again["url"].as_str().unwrap();
    let dead = call_with(&lab, url, &token);
    assert_eq!(dead.status.code(), Some(3), "{}", out(&dead));
    // The lab's own tokens are as dead as any; a new sign-in works.
    std::fs::remove_dir_all(lab.state().join("tokens")).unwrap();
    let who = done(&lab.run(&["tools", "call", "interlock", "whoami", "--user", "alice", "--json"]));
    assert_eq!(who["result"]["subject"].as_str().map(str::is_empty), Some(false));
    let devices = ["tools", "call", "catalyst-center", "list_devices", "--arg", "limit=1", "--user", "alice", "--json"];
    done(&lab.run(&devices));

    let verified = done(&lab.run(&["audit", "verify", "--json"]));
    assert_eq!(verified["ok"], true, "{verified}");
    let records = out(&lab.run(&["audit", "export"]));
    let records: Vec<Value> = records.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let told: Vec<&Value> = records.iter().filter(|r| r["event"]["action"] == "platform.restored").collect();
    assert_eq!(told.len(), 1, "{records:#?}");
    let restore = &told[0]["interlock"]["restore"];
    assert_eq!((&restore["backup"], &restore["logs"]), (&made["digest"], &made["logs"]));
    let opened = records.iter().find(|r| r.to_string().contains("fork: restored from the backup of"));
    assert!(opened.is_some(), "the new log names the one it does not continue: {records:#?}");
    // The next start tells nothing twice.
    assert_eq!(lab.stop(), Some(0));
    lab.again();
    let lines = out(&lab.run(&["audit", "export"]));
    assert_eq!(lines.matches("platform.restored").count(), 1);
}

#[test]
fn what_is_no_platform_is_not_backed_up_and_what_is_no_archive_is_not_restored() {
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().join("none");
    std::fs::create_dir_all(&state).unwrap();
    let archive = folder.path().join("a.tar.gz");
    let none = run(&["backup", "--out", text(&archive), "--json"], Some(&state));
    assert_eq!((none.status.success(), archive.exists()), (false, false), "{}", out(&none));
}
