//! Canaries (T26, T27): secrets and arguments are planted in everything that takes or keeps them, calls of every kind are
//! made, the platform is killed and started again, and then every place that somebody else may read is searched: log
//! lines at their most talkative, metrics, answers to others, the audit and its exports, and every file of the state
//! folder as raw bytes, copied while the platform runs, as a dump or a snapshot would be.
//!
//! `search` finds a value in every form; its own test plants leaks and finds each.

mod change;
mod search;
mod target;

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use platform::Json;
use platform::seal::random_text;
use reqwest::Method;
use serde_json::json;

use self::search::{Canary, Found, Search, leaks};
use self::target::EchoingTarget;
use crate::caller::{Answer, CENTER, Caller, DESK, OWN, http};
use crate::lab::{Lab, binary};
use crate::served::Served;

/// Random letters and digits: the same in a URL, in JSON and in a header.
fn fresh() -> String {
    random_text::<24>().unwrap().replace(['-', '_'], "0")
}

/// The canaries of one run.
#[derive(Default)]
struct Planted(Vec<Canary>);

impl Planted {
    /// A new value, which belongs nowhere.
    fn new_in(&mut self, place: &str) -> String {
        let value = fresh();
        self.known(place, &value, &[]);
        value
    }

    /// A value that exists.
    fn known(&mut self, place: &str, value: &str, home: &'static [&'static str]) {
        self.bytes(place, value.as_bytes(), home);
    }

    fn bytes(&mut self, place: &str, value: &[u8], home: &'static [&'static str]) {
        self.0.push(Canary { planted: place.to_owned(), value: value.to_vec(), home });
    }

    /// A token: its signed parts too, since a part is as good a trace as the whole.
    fn token(&mut self, place: &str, token: &str) {
        self.known(place, token, &[]);
        for (number, part) in token.split('.').enumerate().skip(1) {
            self.known(&format!("{place}, part {number}"), part, &[]);
        }
    }
}

/// Fails with every leak, one a line.
fn nothing_leaked(what: &str, found: Vec<Found>) {
    let lines: Vec<String> =
        leaks(found).iter().map(|l| format!("{} as {} in {}", l.planted, l.form, l.place)).collect();
    assert!(lines.is_empty(), "{what}:\n{}", lines.join("\n"));
}

/// What the process shows of itself.
fn process(search: &Search, pid: u32) -> Vec<Found> {
    ["environ", "cmdline", "comm"]
        .iter()
        .flat_map(|name| search.bytes(name, &std::fs::read(format!("/proc/{pid}/{name}")).unwrap_or_default()))
        .collect()
}

/// The state folder as a snapshot of the disk takes it, while somebody writes.
fn copied(from: &Path, to: &Path) {
    let done = Command::new("cp").arg("-r").arg(from).arg(to).status().unwrap();
    // A file may go away while it is copied; what was copied is looked at.
    assert!(to.is_dir(), "{done}");
}

const SEED: &[&str] = &["people.json", "lab.json"];
/// The simulated controllers' own records: what was sent to a target is there.
const WORLD: &[&str] = &["world/", "lab.json"];

/// Secrets that the lab made at its start.
fn made_by_the_lab(lab: &Lab, planted: &mut Planted) {
    for user in &lab.ready.users {
        planted.known(&format!("password of {}", user.name), &user.password, SEED);
        planted.known(&format!("second factor of {}", user.name), &user.totp_secret, SEED);
    }
    for client in lab.ready.clients.iter().filter(|c| c.client_secret.is_some()) {
        planted.known(&format!("secret of {}", client.client_id), client.client_secret.as_ref().unwrap(), SEED);
    }
    for (name, simulator) in &lab.ready.simulators {
        planted.known(&format!("credential of {name}"), &simulator.password, WORLD);
    }
    planted.known("token of the lab's admin door", &lab.ready.lab_admin.token, WORLD);
    let file = std::fs::read_to_string(lab.state().join("keys/lab-master.key")).unwrap();
    // A mark that it is a lab's stands before the digits.
    let master = &file.trim()[file.trim().len() - 64..];
    planted.known("master key", master, &["keys/lab-master.key"]);
    let raw: Vec<u8> = (0..32).map(|i| u8::from_str_radix(&master[2 * i..2 * i + 2], 16).unwrap()).collect();
    planted.bytes("bytes of the master key", &raw, &["keys/lab-master.key"]);
}

/// Secrets that a device's configuration holds, as the simulated controller itself tells them, without masks.
async fn in_the_configuration(lab: &Lab, device: &str, planted: &mut Planted) -> Vec<String> {
    let simulator = &lab.ready.simulators[CENTER];
    let http = http();
    let login = http.post(format!("{}/dna/system/api/v1/auth/token", simulator.url));
    let token: Json =
        login.basic_auth(&simulator.username, Some(&simulator.password)).send().await.unwrap().json().await.unwrap();
    let url = format!("{}/dna/intent/api/v1/network-device/{device}/config", simulator.url);
    let text = http.get(url).header("x-auth-token", token["Token"].as_str().unwrap());
    let text: Json = text.send().await.unwrap().json().await.unwrap();
    let text = text["response"].as_str().unwrap().to_owned();
    let mut secrets = BTreeSet::new();
    for line in text.lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        for pair in words.windows(3) {
            if ["secret", "password", "key", "community"].contains(&pair[0]) && pair[2].len() >= 16 {
                secrets.insert(pair[2].to_owned());
            }
        }
    }
    assert!(secrets.len() >= 2, "the configuration of {device} holds too few secrets:\n{text}");
    for secret in &secrets {
        planted.known("device configuration", secret, WORLD);
    }
    secrets.into_iter().collect()
}

/// The audit as the command line writes it out, in every form.
fn exports(lab: &Lab, search: &Search) -> Vec<Found> {
    let csv = ["audit", "export", "--format", "csv"];
    let tail = ["audit", "tail", "--limit", "10000"];
    let mut found = Vec::new();
    for arguments in [&["audit", "export"][..], &csv, &tail, &["audit", "verify"], &["audit", "verify", "--json"]] {
        let out = lab.run(arguments);
        assert!(!out.stdout.is_empty(), "{arguments:?}: {}", String::from_utf8_lossy(&out.stderr));
        found.extend(search.bytes(&arguments.join(" "), &[out.stdout, out.stderr].concat()));
    }
    found
}

/// Sends a canary in every member of a request that a door refuses.
async fn refused_at_the_doors(caller: &Caller, token: &str, planted: &mut Planted) {
    let url = format!("{}/api/v1/mcp/{OWN}/tools/whoami", caller.lab.url());
    let good = || caller.rest_request(token, OWN, "whoami", &json!({}));
    let body = json!({"arguments": {}});
    let wrong = |place: &str, planted: &mut Planted| planted.new_in(place);
    let bearer = wrong("bearer token that is none", planted);
    let query = wrong("query", planted);
    let (cookie, header) = (wrong("cookie", planted), wrong("header that nobody knows", planted));
    let basic = wrong("basic credentials at a door", planted);
    let (member, broken) = (wrong("unknown member of a body", planted), wrong("body that is no JSON", planted));
    let (form, twice) = (wrong("form", planted), wrong("member that stands twice", planted));
    for request in [
        caller.http.post(&url).bearer_auth(&bearer).json(&body),
        good().query(&[("access_token", &query)]),
        good().header("cookie", format!("interlock={cookie}; other={cookie}")),
        good().header("x-api-key", &header),
        caller.http.post(&url).basic_auth("alice", Some(&basic)).json(&body),
        caller.http.post(&url).bearer_auth(token).json(&json!({"arguments": {}, "password": member})),
        caller.http.post(&url).bearer_auth(token).body(format!("{{\"arguments\": \"{broken}")),
        caller.http.post(&url).bearer_auth(token).form(&[("arguments", &form)]),
        caller
            .http
            .post(&url)
            .bearer_auth(token)
            .header("content-type", "application/json")
            .body(format!("{{\"arguments\": {{\"a\": \"{twice}\", \"a\": \"{twice}\"}}}}")),
        caller.mcp_request(token, OWN, "tools/call", &json!({"name": "whoami", "arguments": {"text": member}})),
        caller.mcp_request(token, OWN, "no/such/method", &json!({"secret": member})),
    ] {
        Answer::of(request).await;
    }
    // The issuer: a wrong secret, a wrong code, a wrong refresh token, a wrong assertion.
    let token_url = format!("{}/token", caller.lab.ready.issuer);
    let client = story::people::AUTOMATION_CLIENT;
    let secret = planted.new_in("wrong client secret");
    let grant = json!({"grant_type": "client_credentials"});
    let by_basic = caller.http.post(&token_url).basic_auth(client, Some(&secret)).form(&grant);
    assert!(by_basic.send().await.unwrap().status().is_client_error());
    for (grant, name) in [
        ("refresh_token", "refresh_token"),
        ("authorization_code", "code"),
        ("urn:ietf:params:oauth:grant-type:device_code", "device_code"),
        ("password", "password"),
    ] {
        let value = planted.new_in(&format!("wrong {name} at the issuer"));
        let lab_client = story::people::LAB_CLIENT;
        let form = [("grant_type", grant), ("client_id", lab_client), (name, &value), ("code_verifier", &value)];
        assert!(caller.http.post(&token_url).form(&form).send().await.unwrap().status().is_client_error(), "{grant}");
    }
    for path in ["revoke", "introspect"] {
        let value = planted.new_in(&format!("token to {path}"));
        let form = [("token", value.as_str()), ("client_id", story::people::LAB_CLIENT)];
        caller.http.post(format!("{}/{path}", caller.lab.ready.issuer)).form(&form).send().await.unwrap();
    }
}

/// Calls of every kind, each with a canary among its arguments. The answer to whoever sent it may hold it; this is not
/// looked at.
async fn in_arguments(caller: &Caller, planted: &mut Planted) {
    let (alice, sam) = (caller.lab.token("alice").await, caller.lab.token("sam").await);
    for door in ["REST", "MCP"] {
        let call = async |token: &str, server: &str, tool: &str, arguments: &Json| match door {
            "REST" => caller.rest(token, server, tool, arguments).await,
            _ => caller.mcp(token, server, tool, arguments).await,
        };
        let said = planted.new_in(&format!("argument of a call that works, by {door}"));
        assert_eq!(call(&alice, OWN, "echo", &json!({"message": said})).await.result()["message"], json!(said));
        for (place, server, tool, arguments) in [
            ("argument of an unknown member", OWN, "echo", json!({"message": "x", "more": "?"})),
            ("name of an unknown member", OWN, "echo", json!({"message": "x", "?": 1})),
            ("argument of the wrong type", CENTER, "get_device", json!({"device_id": ["?"]})),
            ("argument that names no device", CENTER, "get_device", json!({"device_id": "?"})),
            ("argument of a hidden tool", OWN, "open_audit_payload", json!({"record": 1, "reason": "?"})),
            ("argument of a tool that is none", OWN, "no_such_tool", json!({"text": "?"})),
            ("filter of a list", CENTER, "list_devices", json!({"hostname": "?"})),
            ("words to search for", OWN, "search_tools", json!({"query": "?"})),
            ("request id that is asked about", OWN, "explain_refusal", json!({"request_id": "?"})),
        ] {
            let value = planted.new_in(&format!("{place}, by {door}"));
            let text = arguments.to_string().replace('?', &value);
            call(&sam, server, tool, &serde_json::from_str(&text).unwrap()).await;
        }
    }
}

/// A write whose arguments go the whole way: refused, stepped up, done under a key, repeated.
async fn in_a_write(caller: &Caller, planted: &mut Planted) {
    let alice = caller.lab.token("alice").await;
    let device = caller.switches(&alice, CENTER).await.remove(1);
    let mut deployment = caller.deployment(&alice, CENTER, &device, 3055).await;
    let name = fresh();
    planted.known("argument of a write", &name, WORLD);
    deployment["params"]["vlan_name"] = json!(name);
    caller.elevate("alice", CENTER, &deployment).await;
    for _ in 0..2 {
        let keyed = caller.rest_request(&alice, CENTER, "deploy_template", &deployment);
        let done = Answer::of(keyed.header("idempotency-key", "canary-write")).await;
        done.result();
    }
    let preview = caller.rest(&alice, CENTER, "preview_template", &deployment).await;
    assert!(preview.result().to_string().contains(&name), "whoever sent it sees it");
}

/// A ticket whose words go the whole way: opened under a key, repeated, worked on, and asked for with a value that is refused.
async fn in_a_ticket(caller: &Caller, planted: &mut Planted) {
    let sam = caller.lab.token("sam").await;
    let (words, note, comment) = (fresh(), fresh(), fresh());
    for (place, value) in [("words of a ticket", &words), ("work note", &note), ("comment", &comment)] {
        planted.known(place, value, WORLD);
    }
    let open = json!({"short_description": "Uplink flaps", "description": words, "work_note": note});
    let mut number = Json::Null;
    for _ in 0..2 {
        let keyed =
            caller.rest_request(&sam, DESK, "create_incident", &open).header("idempotency-key", "canary-ticket");
        number = Answer::of(keyed).await.result()["incident"]["number"].clone();
    }
    let update = json!({"incident": number, "comment": comment});
    caller.mcp(&sam, DESK, "update_incident", &update).await.result();
    let whole = caller.rest(&sam, DESK, "get_incident", &json!({"incident": number})).await;
    assert!(whole.result().to_string().contains(&note), "whoever may read the ticket sees it");
    let value = planted.new_in("value of a filter that is refused");
    let refused = caller.rest(&sam, DESK, "list_incidents", &json!({"text": format!("{value}^")})).await;
    assert_eq!(refused.code(), Some("query_value_invalid"));
}

/// An administrator stores a secret: refused, stepped up, stored under a key, repeated, and sent in a wrong place. Even what
/// an auditor opens beside the call does not show it: a secret argument is a keyed hash there (T27).
async fn in_a_stored_secret(caller: &Caller, planted: &mut Planted) {
    let (ada, audrey) = (caller.lab.token("ada").await, caller.lab.token("audrey").await);
    let value = planted.new_in("secret that is stored by a call");
    let store = json!({"path": "canaries/one", "fields": {"password": value}});
    let misplaced = planted.new_in("secret in a wrong place");
    let wrong = json!({"path": "canaries/one", "fields": {"password": {"value": misplaced}}});
    assert_eq!(caller.mcp(&ada, OWN, "put_secret", &wrong).await.code(), Some("invalid_arguments"));
    let refused = caller.rest(&ada, OWN, "put_secret", &store).await;
    assert_eq!(refused.code(), Some("step_up_required"), "{refused:?}");
    caller.lab.pass_second_factor(refused.link(), "ada").await.unwrap();
    let mut positions = Vec::new();
    for _ in 0..2 {
        let keyed = caller.rest_request(&ada, OWN, "put_secret", &store).header("idempotency-key", "canary-secret");
        let done = Answer::of(keyed).await;
        done.result();
        assert!(!done.body.to_string().contains(&value));
        let told = caller.lab.records_of(&done.request_id());
        positions.extend(
            told.iter().filter(|r| r["interlock"]["payload"].is_object()).map(|r| r["event"]["sequence"].clone()),
        );
    }
    assert_eq!(positions.len(), 2, "the write and its repeat each have one payload");
    for position in positions {
        let open = json!({"record": position, "reason": "Case 1: which secret was stored"});
        let refused = caller.rest(&audrey, OWN, "open_audit_payload", &open).await;
        caller.lab.pass_second_factor(refused.link(), "audrey").await.unwrap();
        let opened = caller.rest(&audrey, OWN, "open_audit_payload", &open).await;
        let payload = &opened.result()["payload"];
        assert_eq!(payload["input"]["arguments"]["path"], "canaries/one", "{payload}");
        assert!(!payload.to_string().contains(&value), "a secret argument stands in a payload");
    }
}

#[tokio::test]
async fn t26_t27_what_a_lab_was_told_in_confidence_stands_nowhere_else() {
    let mut caller = Caller::new(Arc::new(Lab::start()));
    let mut planted = Planted::default();
    made_by_the_lab(&caller.lab, &mut planted);
    let people = ["alice", "sam", "audrey", "ada", "vic"];
    for name in people {
        planted.token(&format!("access token of {name}"), &caller.lab.token(name).await);
    }
    planted.token("access token of a program", &caller.lab.automation_token(&caller.http).await);
    let alice = caller.lab.token("alice").await;
    let device = caller.switches(&alice, CENTER).await.remove(0);
    let secrets = in_the_configuration(&caller.lab, &device, &mut planted).await;
    let shown = caller.rest(&alice, CENTER, "get_device_config", &json!({"device_id": device})).await;
    let shown = shown.result().to_string();
    assert!(!secrets.iter().any(|secret| shown.contains(secret)), "a configuration is masked for everybody");
    in_arguments(&caller, &mut planted).await;
    in_a_write(&caller, &mut planted).await;
    in_a_ticket(&caller, &mut planted).await;
    in_a_stored_secret(&caller, &mut planted).await;
    refused_at_the_doors(&caller, &alice, &mut planted).await;

    let search = Search::for_all(planted.0);
    let running = tempfile::TempDir::new().unwrap();
    let look = async |caller: &Caller, when: &str| {
        let lab = &caller.lab;
        nothing_leaked(&format!("the process, {when}"), process(&search, lab.ready.pid));
        nothing_leaked(&format!("the log, {when}"), search.bytes("lab.log", lab.log().as_bytes()));
        let metrics = caller.http.get(format!("{}/metrics", lab.url())).bearer_auth(lab.token("ada").await);
        let metrics = metrics.send().await.unwrap().text().await.unwrap();
        nothing_leaked(&format!("metrics, {when}"), search.bytes("metrics", metrics.as_bytes()));
        nothing_leaked(&format!("exports, {when}"), exports(lab, &search));
        let copy = running.path().join(when.replace(' ', "-"));
        copied(&lab.state(), &copy);
        let (found, files) = search.folder(&copy);
        assert!(files > 8, "{files} files are too few: the search looked past the state folder");
        let homes: BTreeSet<&str> = found.iter().filter(|f| f.at_home).map(|f| f.place.as_str()).collect();
        for home in ["people.json", "lab.json", "keys/lab-master.key"] {
            assert!(homes.contains(home), "{home} holds its secrets and the search must find them there: {homes:?}");
        }
        nothing_leaked(&format!("the state folder, {when}"), found);
    };
    look(&caller, "while it runs").await;

    // To others: what they see of these calls, at both doors, and what an auditor sees without opening a payload.
    let mut answers = Vec::new();
    for name in ["vic", "sam", "ada", "audrey"] {
        let token = caller.lab.token(name).await;
        for tool in ["list_my_calls", "search_audit", "explain_refusal"] {
            let arguments = if tool == "search_audit" { json!({"limit": 200}) } else { json!({}) };
            answers.push(caller.rest(&token, OWN, tool, &arguments).await.body.to_string());
            answers.push(caller.mcp(&token, OWN, tool, &arguments).await.body.to_string());
        }
        let openapi = caller.http.request(Method::GET, format!("{}/api/v1/openapi.json", caller.lab.url()));
        answers.push(openapi.bearer_auth(&token).send().await.unwrap().text().await.unwrap());
    }
    assert!(answers.iter().any(|a| a.contains("arguments_hmac")), "an auditor has seen records");
    nothing_leaked("answers to others", answers.iter().flat_map(|a| search.bytes("an answer", a.as_bytes())).collect());

    caller.lab.kill();
    let (found, _) = search.folder(&caller.lab.state());
    nothing_leaked("the state folder after kill -9", found);
    Arc::get_mut(&mut caller.lab).unwrap().start_again();
    caller.lab.token("alice").await;
    look(&caller, "after a restart").await;
}

#[tokio::test]
async fn t26_t27_a_target_that_echoes_everything_and_the_most_talkative_log_leak_nothing() {
    let mut planted = Planted::default();
    let (user, password) = (planted.new_in("user name of a credential"), planted.new_in("password of a credential"));
    let stored = planted.new_in("secret of a store");
    let (reply, session) = (planted.new_in("reply of a target"), planted.new_in("session at a target"));
    let target = EchoingTarget::start(&reply, &session).await;
    let entry = format!(
        "groups = [\"network-engineers\", \"auditors\"]\n\n[telemetry]\nfilter = \"trace\"\nopen_metrics = true\n\n\
         [[server]]\nname = \"center\"\nconnector = \"catalyst-center\"\nenvironment = \"test\"\ntarget = \"{}\"\n",
        target.url
    );
    let credential: &[(&str, &str)] = &[("username", &user), ("password", &password)];
    let mut platform =
        Served::start(&entry, &[("api/center", credential), ("other/secret", &[("token", &stored)])]).await;
    let claims = platform.claims(&platform.rest_resource(), &json!({}));
    let token = platform.key.access_token(&claims);
    planted.token("access token", &token);
    let (header, payload) = (platform.key.header().to_string(), claims.to_string());
    let forged = format!(
        "{}.{}.{}",
        URL_SAFE_NO_PAD.encode(header),
        URL_SAFE_NO_PAD.encode(payload.replace("alice", &planted.new_in("subject of a forged token"))),
        URL_SAFE_NO_PAD.encode(planted.new_in("signature of a forged token")),
    );
    planted.token("forged token", &forged);
    assert_eq!(platform.whoami(&forged).await.status, 401);

    let mut answers = Vec::new();
    let mut calls = async |platform: &Served, planted: &mut Planted| {
        for (tool, arguments) in [
            ("list_devices", json!({"hostname": "?"})),
            ("list_sites", json!({})),
            ("list_issues", json!({})),
            ("get_network_health", json!({})),
            ("get_all_templates", json!({})),
            ("get_device", json!({"device_id": "?"})),
        ] {
            let value = planted.new_in(&format!("argument of {tool} on its way to a target"));
            let arguments: Json = serde_json::from_str(&arguments.to_string().replace('?', &value)).unwrap();
            let url = format!("{}/api/v1/mcp/center/tools/{tool}", platform.url);
            let request = platform.http.post(url).bearer_auth(&token).json(&json!({"arguments": arguments}));
            let answer = Answer::of(request.header("tracestate", format!("vendor={value}"))).await;
            assert!(answer.status >= 400, "{tool}: {answer:?}");
            // Whoever sent an argument may see it again; the credential, the session and the target's words nobody.
            answers.push(answer.body.to_string());
        }
    };
    calls(&platform, &mut planted).await;
    platform.kill_and_start_again().await;
    calls(&platform, &mut planted).await;
    assert!(target.calls() > 6, "the target was reached");

    let told = ["credential", "session", "reply of a target", "secret of a store", "token"];
    let search = Search::for_all(planted.0);
    let answers = answers.iter().flat_map(|a| search.bytes("an answer", a.as_bytes()));
    nothing_leaked("answers", answers.filter(|f| told.iter().any(|t| f.planted.contains(t))).collect());
    nothing_leaked("the process", process(&search, platform.process()));
    let log = std::fs::read(platform.folder().join("serve.log")).unwrap();
    assert!(String::from_utf8_lossy(&log).contains("\"TRACE\"") || log.len() > 4_096, "the log is talkative");
    nothing_leaked("the log at its most talkative", search.bytes("serve.log", &log));
    let metrics = platform.http.get(format!("{}/metrics", platform.url)).send().await.unwrap().text().await.unwrap();
    nothing_leaked("metrics", search.bytes("metrics", metrics.as_bytes()));
    let (found, files) = search.folder(&platform.folder().join("state"));
    assert!(files > 3);
    nothing_leaked("the state folder", found);
    let mut export = Command::new(binary());
    let export =
        export.args(["audit", "export", "--config"]).arg(platform.folder().join("interlock.toml")).output().unwrap();
    assert!(export.stdout.len() > 1_000, "{}", String::from_utf8_lossy(&export.stderr));
    nothing_leaked("the audit", search.bytes("audit export", &export.stdout));
}
