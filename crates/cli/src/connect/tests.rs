//! What each client's file looks like before and after, and what is refused.

use std::os::unix::fs::PermissionsExt;

use serde_json::{Value as Json, json};

use super::client::Client;
use super::entry::Entry;
use super::{diff, read, write};
use crate::failure::Failure;

const ALL: [Client; 6] =
    [Client::ClaudeDesktop, Client::ClaudeCode, Client::Vscode, Client::Cursor, Client::Codex, Client::Langgraph];

fn bridge() -> Entry {
    let arguments = ["mcp", "bridge", "catalyst-center", "--url", "https://interlock.example"];
    Entry::Bridge { program: "/opt/interlock".to_owned(), arguments: arguments.map(str::to_owned).to_vec() }
}

fn direct() -> Entry {
    Entry::Direct { url: "https://interlock.example/mcp/catalyst-center".to_owned() }
}

fn edit(client: Client, before: &str, entry: Option<&Entry>) -> String {
    client.edit(before, "catalyst-center", entry).unwrap()
}

#[test]
fn a_new_file_of_each_client_is_what_that_client_reads() {
    let mut text = String::new();
    for client in ALL {
        for (how, entry) in [("by itself", direct()), ("by the bridge", bridge())] {
            text.push_str(&format!("=== {client:?}, {how}\n{}\n", edit(client, "", Some(&entry))));
        }
    }
    insta::assert_snapshot!("new_files", text);
}

#[test]
fn comments_order_and_indentation_of_everything_else_stay() {
    let vscode = "// mine\n{\n\t\"inputs\": [],\n\t\"servers\": {\n\t\t/* tidy */\n\t\t\"other\": { \"url\": \"https://x\" }, // keep\n\t},\n\t\"z\": 1.50,\n}\n";
    let codex = "# mine\nmodel = \"x\" # keep\n\n[mcp_servers.other]\ncommand = \"y\"\n\n[tui]\ntheme = 'dark'\n";
    let mut text = String::new();
    for (client, before) in [(Client::Vscode, vscode), (Client::Codex, codex)] {
        text.push_str(&diff("f".as_ref(), Some(before), &edit(client, before, Some(&direct()))));
        text.push('\n');
    }
    insta::assert_snapshot!("diffs_beside_others", text);
}

#[test]
fn an_entry_changes_its_way_and_keeps_what_the_person_added_to_it() {
    let cursor = r#"{"mcpServers": {"catalyst-center": {"url": "https://old", "autoApprove": ["list_devices"]}}}"#;
    let after = edit(Client::Cursor, cursor, Some(&bridge()));
    let entry = &serde_json::from_str::<Json>(&after).unwrap()["mcpServers"]["catalyst-center"];
    assert_eq!((&entry["command"], &entry["autoApprove"]), (&json!("/opt/interlock"), &json!(["list_devices"])));
    assert!(entry.get("url").is_none(), "{after}");
    let codex = "[mcp_servers.catalyst-center]\nurl = \"https://old\" # where\nstartup_timeout_sec = 20\n";
    let want = codex.replace("https://old", "https://interlock.example/mcp/catalyst-center");
    assert_eq!(edit(Client::Codex, codex, Some(&direct())), want);
}

#[test]
fn writing_twice_is_writing_once_and_removing_brings_the_old_file_back() {
    let json = "{\n  \"mcpServers\": {\n    \"a\": {\n      \"command\": \"b\"\n    }\n  },\n  \"x\": [1, 2]\n}\n";
    let comments = "{\n  \"servers\": {\n    // c\n    \"a\": {}\n  }\n}\n";
    let toml = "[mcp_servers.a]\ncommand = \"b\"\n";
    for (client, before) in [
        (Client::ClaudeCode, json),
        (Client::ClaudeDesktop, json),
        (Client::Cursor, json),
        (Client::Vscode, comments),
        (Client::Codex, toml),
    ] {
        for entry in [bridge(), direct()] {
            let once = edit(client, before, Some(&entry));
            assert_ne!(once, before);
            assert_eq!(edit(client, &once, Some(&entry)), once, "{client:?}");
            assert_eq!(edit(client, &once, None), before, "{client:?}");
            assert_eq!(edit(client, before, None), before, "{client:?}");
        }
    }
    let once = edit(Client::Langgraph, "", Some(&bridge()));
    assert_eq!(edit(Client::Langgraph, &once, Some(&bridge())), once);
    let both = Client::Langgraph.edit(&once, "other", Some(&direct())).unwrap();
    assert_eq!(Client::Langgraph.edit(&both, "other", None).unwrap(), once);
}

#[test]
fn a_file_that_is_not_the_clients_is_refused_with_a_reason() {
    for (client, text) in [
        (Client::ClaudeDesktop, "{"),
        (Client::ClaudeDesktop, "{\"a\": 1, // no comments there\n\"b\": 2}"),
        (Client::ClaudeDesktop, "{\"mcpServers\": []}"),
        (Client::ClaudeCode, "[]"),
        (Client::ClaudeCode, "{\"mcpServers\": {\"catalyst-center\": 7}}"),
        (Client::Vscode, "{\"servers\": {\"a\": {} \"b\": {}}}"),
        (Client::Vscode, "{servers: {}}"),
        (Client::Codex, "a = "),
        (Client::Codex, "mcp_servers = 7"),
        (Client::Langgraph, "print('mine')\n"),
    ] {
        let why = client.edit(text, "catalyst-center", Some(&direct())).unwrap_err();
        assert!(!why.is_empty(), "{client:?} {text}");
    }
}

#[test]
fn the_files_are_where_the_clients_look() {
    let at = |client: Client, environment: &[(&str, &str)], project: bool| {
        let set: Vec<(String, String)> = environment.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
        client.file(&set, project).map(|p| p.display().to_string()).map_err(|f: Failure| f.exit())
    };
    let home = [("HOME", "/h")];
    assert_eq!(at(Client::ClaudeCode, &home, false).unwrap(), "/h/.claude.json");
    assert_eq!(at(Client::ClaudeCode, &home, true).unwrap(), ".mcp.json");
    assert_eq!(at(Client::Codex, &[("HOME", "/h"), ("CODEX_HOME", "/c")], false).unwrap(), "/c/config.toml");
    assert_eq!(at(Client::Cursor, &home, false).unwrap(), "/h/.cursor/mcp.json");
    assert_eq!(at(Client::Vscode, &home, true).unwrap(), ".vscode/mcp.json");
    assert_eq!(at(Client::ClaudeDesktop, &home, true), Err(2));
    assert_eq!(at(Client::Cursor, &[], false), Err(2));
    if cfg!(target_os = "linux") {
        assert_eq!(at(Client::Vscode, &home, false).unwrap(), "/h/.config/Code/User/mcp.json");
        let xdg = [("HOME", "/h"), ("XDG_CONFIG_HOME", "/x")];
        assert_eq!(at(Client::ClaudeDesktop, &xdg, false).unwrap(), "/x/Claude/claude_desktop_config.json");
    }
}

#[test]
fn a_file_is_replaced_whole_with_its_mode_after_a_copy_and_not_over_somebody_elses_change() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("deep/config.json");
    assert_eq!(write(&path, None, "{}").unwrap(), None);
    std::fs::set_permissions(&path, PermissionsExt::from_mode(0o640)).unwrap();
    let copy = write(&path, Some("{}"), "{\"a\":1}").unwrap().unwrap();
    assert_eq!((read(&path).unwrap().unwrap().as_str(), read(&copy).unwrap().unwrap().as_str()), ("{\"a\":1}", "{}"));
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o640);
    assert_eq!(write(&path, Some("{}"), "x").unwrap_err().exit(), 1, "it changed meanwhile");
    assert_eq!(read(&path).unwrap().unwrap(), "{\"a\":1}");
    assert_eq!(std::fs::read_dir(path.parent().unwrap()).unwrap().count(), 2);
    std::fs::write(&path, b"\xff").unwrap();
    assert_eq!(read(&path).unwrap_err().exit(), 2);
}
