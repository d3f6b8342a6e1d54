//! `interlock mcp bridge` as a client starts it: a child with pipes, against a platform of a few lines.

use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::fs::PermissionsExt;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::a_platform::APlatform;

/// A bridge under way.
struct ABridge {
    child: Child,
    stdin: Option<ChildStdin>,
    lines: Receiver<String>,
    said: Receiver<String>,
}

impl ABridge {
    /// Starts it; `home` keeps its tokens, `token` stands for a sign-in.
    fn start(platform: &APlatform, home: &std::path::Path, token: Option<&str>, more: &[&str]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_interlock"));
        command.args(["mcp", "bridge", "net", "--store", "file", "--url", &platform.base]).args(more);
        command.env("XDG_STATE_HOME", home);
        for variable in ["INTERLOCK_TOKEN", "INTERLOCK_URL", "BROWSER", "DISPLAY", "WAYLAND_DISPLAY"] {
            command.env_remove(variable);
        }
        if let Some(token) = token {
            command.env("INTERLOCK_TOKEN", token);
        }
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let stdin = child.stdin.take();
        let lines = lines_of(child.stdout.take().unwrap());
        let said = lines_of(child.stderr.take().unwrap());
        Self { child, stdin, lines, said }
    }

    fn send(&mut self, line: &str) {
        writeln!(self.stdin.as_mut().unwrap(), "{line}").unwrap();
    }

    /// The next line of the protocol.
    fn line(&self) -> Value {
        let line = self.lines.recv().expect("a line of the protocol");
        serde_json::from_str(&line).unwrap_or_else(|e| panic!("standard output is for JSON only: {e}: {line}"))
    }

    /// The next line for the person that holds an address.
    fn address(&self) -> String {
        loop {
            let line = self.said.recv().expect("an address on standard error");
            if let Some(at) = line.find("http://") {
                return line[at..].trim().to_owned();
            }
        }
    }

    /// Closes its input and waits for its end; the exit code and the lines that still came.
    fn close(mut self) -> (Option<i32>, Vec<String>) {
        drop(self.stdin.take());
        let code = self.child.wait().unwrap().code();
        (code, self.lines.iter().collect())
    }
}

impl Drop for ABridge {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn lines_of(from: impl std::io::Read + Send + 'static) -> Receiver<String> {
    let (sender, lines) = channel();
    std::thread::spawn(move || {
        for line in BufReader::new(from).lines().map_while(Result::ok) {
            if sender.send(line).is_err() {
                return;
            }
        }
    });
    lines
}

fn legacy(id: u32, tool: &str) -> String {
    json!({"jsonrpc": "2.0", "id": id, "method": "tools/call", "params": {"name": tool, "arguments": {}}}).to_string()
}

fn modern(id: u32, tool: &str, arguments: Value) -> String {
    let meta = json!({"io.modelcontextprotocol/protocolVersion": "2026-07-28", "progressToken": "p",
        "io.modelcontextprotocol/clientCapabilities": {}});
    let params = json!({"name": tool, "arguments": arguments, "_meta": meta});
    json!({"jsonrpc": "2.0", "id": id, "method": "tools/call", "params": params}).to_string()
}

/// A bridge with a token, which needs no sign-in.
fn with_token(more: &[&str]) -> (Arc<APlatform>, tempfile::TempDir, ABridge) {
    let (platform, home) = (APlatform::start(), tempfile::tempdir().unwrap());
    let token = platform.a_token();
    let bridge = ABridge::start(&platform, home.path(), Some(&token), more);
    (platform, home, bridge)
}

fn text(answer: &Value) -> &str {
    answer["result"]["content"][0]["text"].as_str().unwrap_or_else(|| panic!("a result with text: {answer}"))
}

#[test]
fn a_person_signs_in_once_and_the_next_bridge_uses_what_is_kept() {
    let (platform, home) = (APlatform::start(), tempfile::tempdir().unwrap());
    let mut first = ABridge::start(&platform, home.path(), None, &["--no-browser"]);
    first.send(&legacy(1, "echo"));
    let page = platform.browse(&first.address());
    assert!(page.contains("You are signed in"), "{page}");
    assert_eq!(text(&first.line()), "echo");
    assert_eq!(first.close(), (Some(0), vec![]));
    let asked = platform.asked().remove(0);
    assert_eq!((asked["resource"].as_str(), asked["scope"].as_str()), (&*format!("{}/mcp/net", platform.base), "mcp"));

    let folder = home.path().join("interlock");
    let mode = |path: &std::path::Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&folder), 0o700);
    let files: Vec<_> = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert!(files.iter().all(|file| mode(file) == 0o600), "{files:?}");

    let mut second = ABridge::start(&platform, home.path(), None, &["--no-browser"]);
    second.send(&legacy(1, "echo"));
    assert_eq!(text(&second.line()), "echo");
    assert_eq!(platform.grants(), ["authorization_code"]);

    let token = files.iter().find(|file| file.extension().is_some_and(|e| e == "json")).unwrap();
    std::fs::set_permissions(token, PermissionsExt::from_mode(0o640)).unwrap();
    let mut third = ABridge::start(&platform, home.path(), None, &["--no-browser"]);
    third.send(&legacy(1, "echo"));
    let refused = third.line();
    assert_eq!(
        (&refused["error"]["code"], &refused["error"]["data"]["code"]),
        (&json!(401), &json!("token_file_exposed"))
    );
}

#[test]
fn t3_signing_out_takes_the_tokens_back_and_forgets_them() {
    let (platform, home) = (APlatform::start(), tempfile::tempdir().unwrap());
    let mut bridge = ABridge::start(&platform, home.path(), None, &["--no-browser"]);
    bridge.send(&legacy(1, "echo"));
    platform.browse(&bridge.address());
    assert_eq!(text(&bridge.line()), "echo");
    let logout = || {
        let mut command = Command::new(env!("CARGO_BIN_EXE_interlock"));
        command.args(["logout", "--json", "--store", "file", "--url", &format!("{}/mcp/net", platform.base)]);
        let output = command.env("XDG_STATE_HOME", home.path()).output().unwrap();
        serde_json::from_slice::<Value>(&output.stdout).unwrap()
    };
    assert_eq!(logout()["revoked"], true);
    assert!(!platform.has_tokens());
    assert_eq!(logout()["signed_out"], false);
    let files = std::fs::read_dir(home.path().join("interlock")).unwrap().map(|entry| entry.unwrap().path());
    assert!(files.into_iter().all(|file| file.extension().is_some_and(|e| e == "lock")));
}

#[test]
fn without_a_browser_a_code_for_another_device_is_shown() {
    let (platform, home) = (APlatform::start(), tempfile::tempdir().unwrap());
    platform.set_pending(Some(1));
    let mut bridge = ABridge::start(&platform, home.path(), None, &[]);
    bridge.send(&legacy(1, "echo"));
    assert_eq!(bridge.address(), format!("{}/d", platform.base));
    assert!(
        bridge.said.recv().is_ok_and(|l| l.is_empty()) && bridge.said.recv().is_ok_and(|l| l.contains("WDJB-MJHT"))
    );
    assert_eq!(text(&bridge.line()), "echo");
    assert_eq!(platform.grants().len(), 2);

    let (platform, home) = (APlatform::start(), tempfile::tempdir().unwrap());
    platform.set_pending(None);
    let mut refused = ABridge::start(&platform, home.path(), None, &["--device"]);
    refused.send(&legacy(1, "echo"));
    assert_eq!(refused.line()["error"]["data"]["code"], "sign_in_refused");
}

#[test]
fn t3_a_refused_token_is_renewed_once_and_then_signed_in_for() {
    let (platform, home) = (APlatform::start(), tempfile::tempdir().unwrap());
    let mut bridge = ABridge::start(&platform, home.path(), None, &["--no-browser"]);
    bridge.send(&legacy(1, "echo"));
    platform.browse(&bridge.address());
    assert_eq!(text(&bridge.line()), "echo");
    platform.revoke();
    bridge.send(&legacy(2, "echo"));
    assert_eq!(text(&bridge.line()), "echo");
    assert_eq!(platform.grants(), ["authorization_code", "refresh_token"]);
}

#[test]
fn t3_many_bridges_on_one_sign_in_never_use_a_rotated_refresh_token() {
    let (platform, home) = (APlatform::start(), tempfile::tempdir().unwrap());
    // Each token ends at once, so that every bridge renews for every start.
    platform.set_life(1);
    let mut first = ABridge::start(&platform, home.path(), None, &["--no-browser"]);
    first.send(&legacy(1, "echo"));
    platform.browse(&first.address());
    assert_eq!(text(&first.line()), "echo");
    let mut bridges: Vec<ABridge> =
        (0..4).map(|_| ABridge::start(&platform, home.path(), None, &["--no-browser"])).collect();
    for bridge in &mut bridges {
        for id in 0..3 {
            bridge.send(&legacy(id, "echo"));
        }
    }
    for bridge in &bridges {
        for _ in 0..3 {
            assert_eq!(text(&bridge.line()), "echo");
        }
    }
    assert!(!platform.saw_reuse());
    assert_eq!(platform.grants().iter().filter(|grant| *grant == "authorization_code").count(), 1);
    assert!(platform.grants().len() > 4, "they did renew");
}

#[test]
fn a_missing_scope_is_signed_in_for_with_what_was_asked() {
    let (platform, home) = (APlatform::start(), tempfile::tempdir().unwrap());
    let mut bridge = ABridge::start(&platform, home.path(), None, &["--no-browser"]);
    bridge.send(&legacy(1, "echo"));
    platform.browse(&bridge.address());
    assert_eq!(text(&bridge.line()), "echo");
    platform.set_scope("more");
    bridge.send(&legacy(2, "echo"));
    platform.browse(&bridge.address());
    assert_eq!(text(&bridge.line()), "echo");
    assert_eq!(platform.asked()[1]["scope"], "mcp more");
}

#[test]
fn t1_a_resource_that_calls_itself_otherwise_gets_nothing() {
    let (platform, home) = (APlatform::start(), tempfile::tempdir().unwrap());
    platform.set_resource("http://127.0.0.1:1/mcp/net");
    let mut bridge = ABridge::start(&platform, home.path(), None, &["--no-browser"]);
    bridge.send(&legacy(1, "echo"));
    assert_eq!(bridge.line()["error"]["data"]["code"], "resource_mismatch");
    assert!(platform.asked().is_empty());
}

#[test]
fn an_older_message_travels_as_it_is_and_a_modern_one_with_its_headers() {
    let (platform, _home, mut bridge) = with_token(&[]);
    let initialize = r#"{"jsonrpc":"2.0","id":"i", "method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{}}}"#;
    bridge.send(initialize);
    assert_eq!(bridge.line()["result"]["protocolVersion"], "2025-11-25");
    let call = r#"{ "id":1,"jsonrpc":"2.0","method":"tools/call","params":{"name":"echo","arguments":{"n":1.50}}}"#;
    bridge.send(call);
    assert_eq!(bridge.line()["id"], 1);
    bridge.send(&modern(2, "echo", json!({})));
    assert_eq!(bridge.line()["id"], 2);
    let sent = platform.sent();
    assert_eq!((sent[0].text.as_str(), sent[1].text.as_str()), (initialize, call));
    let header = |n: usize, name: &str| sent[n].headers.get(name).map(|v| v.to_str().unwrap().to_owned());
    assert_eq!(header(0, "mcp-protocol-version"), None);
    assert_eq!(header(1, "mcp-protocol-version").as_deref(), Some("2025-11-25"));
    assert_eq!(header(1, "mcp-method"), None);
    assert_eq!(header(2, "mcp-protocol-version").as_deref(), Some("2026-07-28"));
    assert_eq!(header(2, "mcp-name").as_deref(), Some("echo"));
    assert!(sent.iter().all(|s| !s.headers.contains_key("mcp-session-id")));
}

#[test]
fn an_argument_that_belongs_into_a_header_is_put_there_also_before_any_list() {
    let (platform, _home, mut bridge) = with_token(&[]);
    bridge.send(&modern(1, "mirrored", json!({"site": "emea"})));
    assert_eq!(text(&bridge.line()), "mirrored");
    let methods: Vec<Value> = platform.sent().iter().map(|sent| sent.body["method"].clone()).collect();
    assert_eq!(methods, ["tools/call", "tools/list", "tools/call"]);
}

#[test]
fn an_event_stream_becomes_lines_and_requests_run_side_by_side() {
    let (platform, _home, mut bridge) = with_token(&[]);
    bridge.send(&modern(1, "never", json!({})));
    bridge.send(&modern(2, "slow", json!({})));
    let progress = |line: Value| line["params"]["progress"].as_u64();
    assert_eq!((progress(bridge.line()), progress(bridge.line())), (Some(1), Some(2)));
    let answer = bridge.line();
    assert_eq!((answer["id"].as_u64(), text(&answer)), (Some(2), "slow"));

    // A request that is cancelled before it arrived leaves nobody to hang up on.
    let arrived = || platform.sent().iter().any(|sent| sent.body["id"] == 1);
    let until = Instant::now() + Duration::from_secs(30);
    while !arrived() {
        assert!(Instant::now() < until, "the first request never arrived");
        std::thread::sleep(Duration::from_millis(5));
    }
    bridge.send(r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}}"#);
    let hung_up = platform.hung_up.lock().unwrap_or_else(PoisonError::into_inner);
    assert_eq!(hung_up.recv_timeout(Duration::from_secs(30)).unwrap(), "never");
    let (code, rest) = bridge.close();
    assert_eq!((code, rest.len()), (Some(0), 0), "a cancelled request has no answer: {rest:?}");
    let told = platform.sent().iter().any(|sent| sent.body["method"] == "notifications/cancelled");
    assert!(!told, "closing the connection is what 2026-07-28 knows");
}

#[test]
fn t20_a_lost_answer_says_to_look_before_repeating_and_what_is_not_there_says_so() {
    let (_platform, home, mut bridge) = with_token(&[]);
    bridge.send(&legacy(1, "cut"));
    let lost = bridge.line();
    assert_eq!((&lost["id"], &lost["error"]["code"]), (&json!(1), &json!(503)));
    assert!(lost["error"]["message"].as_str().unwrap().contains("look"), "{lost}");
    let nobody = APlatform::start();
    let mut gone = Command::new(env!("CARGO_BIN_EXE_interlock"));
    gone.args(["mcp", "bridge", "net", "--url", "http://127.0.0.1:1"]).env("INTERLOCK_TOKEN", nobody.a_token());
    gone.env("XDG_STATE_HOME", home.path()).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = gone.spawn().unwrap();
    writeln!(child.stdin.take().unwrap(), "{}", legacy(7, "echo")).unwrap();
    let output = child.wait_with_output().unwrap();
    let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&answer["id"], &answer["error"]["data"]["code"]), (&json!(7), &json!("target_unreachable")));
    assert_eq!(output.status.code(), Some(0));
}

#[test]
fn what_is_no_message_is_answered_and_ends_nothing() {
    let (platform, _home, mut bridge) = with_token(&[]);
    for (line, code) in [("{", -32700), ("[]", -32600), ("{\"id\":null,\"method\":\"x\"}", -32600)] {
        bridge.send(line);
        assert_eq!(bridge.line()["error"]["code"], code, "{line}");
    }
    bridge.send("");
    bridge.send(r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#);
    bridge.send(&legacy(1, "echo"));
    assert_eq!(text(&bridge.line()), "echo");
    assert_eq!(bridge.close().0, Some(0));
    assert!(platform.sent().iter().any(|sent| sent.body["method"] == "notifications/initialized"));
}

#[test]
fn t4_a_refused_call_is_repeated_after_the_person_was_at_the_page() {
    let (platform, _home, mut bridge) = with_token(&["--step-up", "print"]);
    bridge.send(&modern(1, "guarded", json!({})));
    assert_eq!(platform.browse(&bridge.address()).lines().last(), Some("elevated"));
    let mut line = bridge.line();
    while line["method"] == "notifications/progress" {
        line = bridge.line();
    }
    assert_eq!((line["id"].as_u64(), text(&line)), (Some(1), "guarded"));
}

#[test]
fn t4_a_client_that_shows_links_is_asked_to_and_one_that_declines_gets_the_refusal() {
    for (action, want) in [("accept", "guarded"), ("decline", "Refused")] {
        let (platform, _home, mut bridge) = with_token(&[]);
        bridge.send(r#"{"id":0,"method":"initialize","params":{"capabilities":{"elicitation":{"url":{}}}}}"#);
        bridge.line();
        bridge.send(&legacy(1, "guarded"));
        let ask = bridge.line();
        assert_eq!((&ask["method"], &ask["params"]["mode"]), (&json!("elicitation/create"), &json!("url")));
        if action == "accept" {
            platform.browse(ask["params"]["url"].as_str().unwrap());
        }
        bridge.send(&json!({"jsonrpc": "2.0", "id": ask["id"], "result": {"action": action}}).to_string());
        let mut line = bridge.line();
        if line["method"] == "notifications/elicitation/complete" {
            line = bridge.line();
        }
        assert_eq!(text(&line), want);
        let answered = platform.sent().iter().any(|sent| sent.body["result"]["action"] == action);
        assert!(!answered, "the answer was the bridge's business");
    }
}

#[test]
fn t4_without_a_way_to_show_a_page_or_with_a_page_of_others_the_refusal_is_passed_on() {
    let (_platform, _home, mut bridge) = with_token(&[]);
    bridge.send(&legacy(1, "guarded"));
    let refused = bridge.line();
    assert_eq!(
        (text(&refused), &refused["result"]["structuredContent"]["code"]),
        ("Refused", &json!("step_up_required"))
    );
    let (platform, _home, mut bridge) = with_token(&["--step-up", "print"]);
    platform.set_step_up_page("http://127.0.0.1:1/elevate/1");
    bridge.send(&legacy(1, "guarded"));
    assert_eq!(text(&bridge.line()), "Refused");
}

#[test]
fn t4_a_challenge_is_answered_by_a_new_sign_in_or_becomes_the_refusal_that_every_client_knows() {
    let (platform, home) = (APlatform::start(), tempfile::tempdir().unwrap());
    let mut bridge = ABridge::start(&platform, home.path(), None, &["--no-browser", "--step-up", "print"]);
    bridge.send(&legacy(1, "echo"));
    platform.browse(&bridge.address());
    assert_eq!(text(&bridge.line()), "echo");
    bridge.send(&legacy(2, "fresh"));
    platform.browse(&bridge.address());
    assert_eq!(text(&bridge.line()), "fresh");
    let asked = &platform.asked()[1];
    assert_eq!((asked["acr_values"].as_str(), asked["max_age"].as_str()), ("mfa", "900"));

    let (_platform, _home, mut bridge) = with_token(&["--step-up", "pass"]);
    bridge.send(&legacy(1, "fresh"));
    let refused = bridge.line();
    assert_eq!(
        (&refused["result"]["isError"], &refused["result"]["structuredContent"]["code"]),
        (&json!(true), &json!("step_up_required"))
    );
    assert!(text(&refused).starts_with("Refused (step_up_required)") && text(&refused).contains("/elevate/1"));
}

#[test]
fn t22_a_task_becomes_progress_and_its_end_the_answer() {
    let (platform, _home, mut bridge) = with_token(&[]);
    bridge.send(&modern(1, "long", json!({})));
    let mut said = Vec::new();
    let answer = loop {
        let line = bridge.line();
        match line["params"]["message"].as_str() {
            Some(message) => said.push((line["params"]["progress"].as_f64().unwrap() as u32, message.to_owned())),
            None => break line,
        }
    };
    assert_eq!((text(&answer), &answer["result"]["resultType"]), ("done", &json!("complete")));
    assert_eq!(said.iter().map(|(n, _)| *n).collect::<Vec<_>>(), [1, 2, 3]);
    assert_eq!(said[2].1, "step 2");
    let sent = platform.sent();
    assert!(sent[1..].iter().all(|sent| sent.headers.get("mcp-name").is_some_and(|name| name == "t-1")));
}

#[test]
fn t22_an_older_client_has_no_task_made_for_it_and_a_cancelled_task_is_told() {
    let (platform, _home, mut bridge) = with_token(&[]);
    bridge.send(&legacy(1, "long"));
    assert_eq!(text(&bridge.line()), "long");
    bridge.send(&modern(2, "endless", json!({})));
    assert_eq!(bridge.line()["method"], "notifications/progress");
    bridge.send(r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":2}}"#);
    let (code, rest) = bridge.close();
    assert_eq!((code, rest.len()), (Some(0), 0));
    let cancel = platform.sent().into_iter().find(|sent| sent.body["method"] == "tasks/cancel").unwrap();
    assert_eq!(cancel.body["params"]["taskId"], "t-2");
}
