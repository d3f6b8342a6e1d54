//! `interlock connect` on a home of its own: what is shown, what is written, and what is left alone.

use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::{Value, json};

use crate::a_lab::{json, out};

fn connect(home: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_interlock"));
    command.arg("connect").args(arguments).env_clear().env("HOME", home).current_dir(home).stdin(Stdio::null());
    command.output().unwrap()
}

const TO: [&str; 4] = ["--url", "https://interlock.example", "--server", "catalyst-center"];

#[test]
fn a_dry_run_shows_the_change_and_nothing_is_written_without_a_yes() {
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join(".claude.json");
    std::fs::write(&file, "{\n  \"numStartups\": 3\n}\n").unwrap();
    let dry = connect(home.path(), &[&["claude-code", "--dry-run"][..], &TO[..]].concat());
    assert!(
        dry.status.success() && out(&dry).contains("+      \"url\": \"https://interlock.example/mcp/catalyst-center\"")
    );
    let asked = connect(home.path(), &[&["claude-code"][..], &TO[..]].concat());
    assert_eq!(asked.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&asked.stderr).contains("--yes"));
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "{\n  \"numStartups\": 3\n}\n");
    assert_eq!(std::fs::read_dir(home.path()).unwrap().count(), 1);
}

#[test]
fn a_yes_writes_keeps_a_copy_follows_links_and_can_be_taken_back() {
    let home = tempfile::tempdir().unwrap();
    let (file, real) = (home.path().join(".claude.json"), home.path().join("dotfiles.json"));
    let before = "{\n  \"numStartups\": 3,\n  \"mcpServers\": {}\n}\n";
    std::fs::write(&real, before).unwrap();
    std::os::unix::fs::symlink(&real, &file).unwrap();
    let yes = |more: &[&str]| connect(home.path(), &[&["claude-code", "--yes", "--json"][..], &TO[..], more].concat());
    let written = json(&yes(&["--bridge"]));
    assert_eq!((&written["changed"], &written["written"]), (&json!(true), &json!(true)));
    let entry = |file: &Path| -> Value {
        let whole: Value = serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap();
        whole["mcpServers"]["catalyst-center"].clone()
    };
    assert_eq!(entry(&file)["args"], json!(["mcp", "bridge", "catalyst-center", "--url", "https://interlock.example"]));
    assert!(file.is_symlink() && Path::new(entry(&file)["command"].as_str().unwrap()).is_absolute());
    assert_eq!(std::fs::read_to_string(written["copy"].as_str().unwrap()).unwrap(), before);
    assert_eq!(json(&yes(&["--bridge"]))["changed"], false);
    assert_eq!(json(&yes(&["--remove"]))["written"], true);
    assert_eq!(entry(&file), Value::Null);
}

#[test]
fn a_file_that_cannot_be_read_and_a_platform_in_clear_are_refused() {
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("broken.json");
    std::fs::write(&file, "{\"mcpServers\": ").unwrap();
    let broken =
        connect(home.path(), &["claude-desktop", "--yes", "--json", "--url", "https://h", "--file", "broken.json"]);
    assert_eq!((broken.status.code(), &json(&broken)["error"]["code"]), (Some(2), &json!("client_file_malformed")));
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "{\"mcpServers\": ");
    let clear = connect(home.path(), &["cursor", "--yes", "--json", "--url", "http://10.0.0.1"]);
    assert_eq!(json(&clear)["error"]["code"], "in_clear_refused");
    let nowhere = connect(home.path(), &["cursor", "--yes", "--json"]);
    assert_eq!(json(&nowhere)["error"]["code"], "platform_not_named");
    assert!(!home.path().join(".cursor").exists());
}
