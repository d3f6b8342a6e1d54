//! Secrets by the command line: of a running lab over REST, with the second factor at hand, and of a stopped one by its files.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Command, Output, Stdio};

use serde_json::{Value, json};

use crate::a_lab::{ALab, json, out};

const CANARY: &str = "canary-5c2e-hush";

fn typed(lab: &ALab, arguments: &[&str], input: &str) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_interlock"))
        .args(arguments)
        .arg("--state")
        .arg(lab.state())
        .env_remove("INTERLOCK_TOKEN")
        .env_remove("INTERLOCK_URL")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    child.wait_with_output().unwrap()
}

/// Moves the lab's clock on by one step of its authenticators: a code is good once, and nobody waits for the next.
pub(crate) fn next_code(lab: &ALab) {
    let (url, token) =
        (lab.ready["lab_admin"]["url"].as_str().unwrap(), lab.ready["lab_admin"]["token"].as_str().unwrap());
    let mut door = TcpStream::connect(url.trim_start_matches("http://")).unwrap();
    let body = r#"{"advance_s":30}"#;
    write!(
        door,
        "POST /clock HTTP/1.1\r\nHost: lab\r\nAuthorization: Bearer {token}\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    )
    .unwrap();
    let mut answer = String::new();
    door.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
}

fn done(output: &Output) -> Value {
    assert!(output.status.success(), "{}{}", out(output), String::from_utf8_lossy(&output.stderr));
    json(output)
}

#[test]
fn secrets_are_governed_while_the_lab_runs_and_by_its_files_when_it_is_stopped() {
    let lab = ALab::start();
    let as_ada = |arguments: &[&str]| {
        next_code(&lab);
        lab.run(&[&["secret"], arguments, &["--user", "ada", "--json"]].concat())
    };
    let busy = lab.run(&["secret", "show", "api/catalyst-center", "--json"]);
    assert_eq!((busy.status.code(), &json(&busy)["error"]["code"]), (Some(5), &json!("store_in_use")));
    assert!(String::from_utf8_lossy(&busy.stdout).contains("--url"));

    let put = ["secret", "put", "lab/thing", "password", "--cas", "0", "--user", "ada", "--json"];
    assert_eq!(done(&typed(&lab, &put, &format!("{CANARY}\n"))), json!({"path": "lab/thing", "version": 1}));
    let paths = done(&as_ada(&["list"]));
    assert!(paths["paths"].as_array().unwrap().contains(&json!("lab/thing")), "{paths}");
    let shown = done(&as_ada(&["show", "lab/thing"]));
    assert_eq!(shown["versions"][0]["destroyed"], false);
    let ruled = done(&as_ada(&["rules", "lab/thing", "--max-versions", "3", "--custom", "owner=netops"]));
    assert_eq!((&ruled["max_versions"], &ruled["custom"]["owner"]), (&json!(3), &json!("netops")));
    done(&as_ada(&["delete", "lab/thing", "1"]));
    assert!(done(&as_ada(&["show", "lab/thing"]))["versions"][0]["deleted_at"].is_string());
    done(&as_ada(&["undelete", "lab/thing", "1"]));
    next_code(&lab);
    let reserved = typed(&lab, &["secret", "put", "platform/keys/x", "f", "--user", "ada", "--json"], "v\n");
    assert_eq!(json(&reserved)["error"]["code"], "secret_path_reserved");
    // Who is no administrator sees no such tool.
    let alice = lab.run(&["secret", "list", "--user", "alice", "--json"]);
    assert_eq!(json(&alice)["error"]["code"], "tool_unknown");
    let unasked = lab.run(&["secret", "destroy", "lab/thing", "1", "--user", "ada", "--json"]);
    assert_eq!(json(&unasked)["error"]["code"], "not_confirmed");
    done(&as_ada(&["destroy", "lab/thing", "1", "--yes"]));

    assert_eq!(lab.stop(), Some(0));
    let by_files = |arguments: &[&str]| lab.run(&[&["secret"], arguments, &["--json"]].concat());
    let kept = done(&by_files(&["show", "lab/thing"]));
    assert_eq!((&kept["versions"][0]["destroyed"], &kept["custom"]["owner"]), (&json!(true), &json!("netops")));
    let next = typed(&lab, &["secret", "put", "lab/thing", "password", "--cas", "1", "--json"], &format!("{CANARY}\n"));
    assert_eq!(done(&next)["version"], 2);
    let reserved = typed(&lab, &["secret", "put", "platform/keys/x", "f", "--json"], "v\n");
    assert_eq!(json(&reserved)["error"]["code"], "secret_path_reserved");
    let rotate = by_files(&["rotate", "catalyst-center", "password"]);
    assert_eq!(json(&rotate)["error"]["code"], "platform_not_running");
    assert_eq!(done(&by_files(&["destroy", "lab/thing", "--everything", "--yes"]))["versions"], json!([1, 2]));
    let lines = out(&lab.run(&["audit", "export"]));
    assert!(lines.contains("put_secret") && lines.contains("lab/thing") && !lines.contains(CANARY));
}
