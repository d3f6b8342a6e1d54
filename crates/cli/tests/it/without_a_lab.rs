//! What needs no lab: configurations, policy, and what is said when there is nothing to talk to.

use crate::a_lab::{json, out, run, stop};

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

/// Production with the built-in issuer, from nothing: the pages' client and its secret are made, and the terminal shows
/// the code for the first administrator, which never enters the log.
#[test]
fn t5_serve_shows_the_setup_code_only_where_it_was_asked_to() {
    let folder = tempfile::tempdir().unwrap();
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let key = folder.path().join("master.key");
    std::fs::write(&key, "8c1f0a97d2e4b56370fe19a8c3d5427b6e90f1a2b3c4d5e60718293a4b5c6d7f").unwrap();
    std::fs::set_permissions(&key, std::os::unix::fs::PermissionsExt::from_mode(0o400)).unwrap();
    let (state, file) = (folder.path().join("state"), folder.path().join("interlock.toml"));
    std::fs::create_dir(&state).unwrap();
    let url = format!("http://127.0.0.1:{port}");
    let text = format!(
        "[platform]\nurl = \"{url}\"\nlisten = \"127.0.0.1:{port}\"\nstate = \"{}\"\n[secrets]\nmaster_key = \"file:{}\"\n[pages]\nissuer = \"{url}/issuer\"\n[[issuer]]\nurl = \"{url}/issuer\"\nbuiltin = true\nplatform_audience = true\n",
        state.display(),
        key.display()
    );
    std::fs::write(&file, text).unwrap();
    let (mut child, said) = serve(&file, &["--print-setup-code"]);
    let code = said.lines().skip_while(|l| !l.contains("/issuer/setup")).nth(2).unwrap().trim().to_owned();
    assert_eq!(code.len(), 43, "{said}");
    stop(&mut child);
    let (mut child, said) = serve(&file, &[]);
    assert!(said.contains("--print-setup-code") && !said.contains("/issuer/setup"), "{said}");
    stop(&mut child);
}

/// Starts `serve` and returns what it said on standard error until it spoke of the first administrator.
fn serve(config: &std::path::Path, more: &[&str]) -> (std::process::Child, String) {
    use std::io::{BufRead as _, BufReader};
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_interlock"));
    command.args(["serve", "--config", config.to_str().unwrap()]).args(more);
    let mut child = command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped()).spawn().unwrap();
    // The log is on one of the two, the code on standard error; both end when the process does.
    let (send, lines) = std::sync::mpsc::channel();
    let (out, err) = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
    for stream in [Box::new(out) as Box<dyn std::io::Read + Send>, Box::new(err)] {
        let send = send.clone();
        std::thread::spawn(move || {
            for line in BufReader::new(stream).lines().map_while(Result::ok) {
                drop(send.send(line));
            }
        });
    }
    drop(send);
    let mut said = String::new();
    let mut left = None;
    for line in lines {
        said.push_str(&line);
        said.push('\n');
        if line.contains("/issuer/setup") {
            left = Some(3);
        }
        left = left.map(|n: i32| n - 1);
        if left == Some(0) || line.contains("--print-setup-code") {
            break;
        }
    }
    (child, said)
}
