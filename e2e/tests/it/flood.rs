//! Bad input of every kind at every door from 64 connections, with good traffic in between: no good call fails, memory stays
//! flat, nothing panics, and every refusal is coded. Ten seconds of it in every run of the suite; `cargo xtask flood` runs
//! it for a minute and writes `docs/hostile-input.md` from the answers.
//!
//! All sockets are this machine's own, and the run ends by itself.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::json;

use crate::caller::{Answer, CENTER, Caller, OWN};
use crate::hostile::cases::{self, Case, Target, Wanted};
use crate::hostile::wire::{Raw, send};
use crate::http2;
use crate::lab::Lab;

const CONNECTIONS: usize = 64;
/// Of them, those that only ever wait for a limit of time.
const SLOW: usize = 6;
/// Addresses that the bad input comes from; good traffic comes from 127.0.0.1.
const SOURCES: usize = 8;
const GOOD: usize = 4;
/// What may be added between the middle and the end of a run.
const GROWTH: u64 = 16 << 20;
const ENHANCE_YOUR_CALM: u32 = 0x0b;
/// What a limit of rate or number answers instead; each of them is right at any moment of a flood.
const BUSY: [&str; 5] =
    ["rate_limited", "too_many_failures", "too_many_at_once", "overloaded", "connections_exhausted"];

/// Answers by door and input, each with its number.
type Seen = BTreeMap<(&'static str, &'static str), BTreeMap<String, u64>>;

fn root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
}

fn page() -> PathBuf {
    root().join("docs/hostile-input.md")
}

fn has_page(code: &str) -> bool {
    root().join(format!("docs/errors/{code}.md")).is_file()
}

/// What came back, in the words of the page; or what is wrong with it.
fn judge(case: &Case, answer: &[u8]) -> Result<String, String> {
    if case.wanted == Wanted::CalmDown {
        return match http2::goaway(answer) {
            Some(ENHANCE_YOUR_CALM) => Ok("GOAWAY, `ENHANCE_YOUR_CALM`".to_owned()),
            other => Err(format!("GOAWAY with {other:?}")),
        };
    }
    let Some(raw) = Raw::parse(answer) else {
        let silent = answer.is_empty() && case.wanted == Wanted::Closed;
        return if silent { Ok("closed".to_owned()) } else { Err(format!("{:?}", String::from_utf8_lossy(answer))) };
    };
    if !raw.headers.contains_key("x-request-id") {
        return Err(format!("no x-request-id: {}", raw.text));
    }
    let form = match raw.content_type() {
        "application/problem+json" => "problem document",
        "application/json" if case.door.starts_with("MCP") => "JSON-RPC",
        "application/json" => "OAuth error",
        _ if raw.is_page() => "page",
        other => return Err(format!("{other:?}: {}", raw.text)),
    };
    match (raw.code(), case.wanted) {
        (Some(code), _) if BUSY.contains(&code) && [429, 503].contains(&raw.status) => Ok(format!("busy: {code}")),
        (Some(code), Wanted::Coded(status, wanted) | Wanted::Page(status, wanted))
            if code == wanted && raw.status == status && raw.is_page() == matches!(case.wanted, Wanted::Page(..)) =>
        {
            if form != "OAuth error" && !has_page(code) {
                return Err(format!("`{code}` has no page in docs/errors"));
            }
            Ok(format!("{status} `{code}` ({form})"))
        }
        _ => Err(format!("wanted {:?}, got {}", case.wanted, &raw.text[..raw.text.len().min(600)])),
    }
}

/// One call that must succeed, by its number.
async fn good(caller: &Caller, token: &str, n: usize) -> Result<(), String> {
    let echo = json!({"message": "x"});
    let get = |path: &str| Answer::of(caller.http.get(format!("{}{path}", caller.lab.url())));
    let answer = match n % 6 {
        0 => caller.rest(token, OWN, "echo", &echo).await,
        1 => caller.mcp(token, OWN, "echo", &echo).await,
        2 => get("/healthz").await,
        3 => caller.rest(token, CENTER, "list_devices", &json!({"limit": 5})).await,
        4 => Answer::of(caller.mcp_request(token, CENTER, "tools/list", &json!({}))).await,
        _ => get("/issuer/jwks").await,
    };
    if answer.status == 200 && answer.code().is_none() { Ok(()) } else { Err(format!("call {n}: {answer:?}")) }
}

fn middle(mut samples: Vec<u64>) -> u64 {
    samples.sort_unstable();
    samples[samples.len() / 2]
}

/// Floods a lab of its own and gives back what it answered.
async fn flood(time: Duration) -> Seen {
    let caller = Arc::new(Caller::new(Arc::new(Lab::start())));
    let alice = caller.lab.token("alice").await;
    // Somebody else's token, so that what the bad input uses up is not alice's.
    let bob = caller.lab.token("bob").await;
    let host = caller.lab.url().trim_start_matches("http://").to_owned();
    let to: SocketAddr = host.parse().unwrap();
    let target = Target { host: &host, token: &bob };
    let quick = [
        cases::mcp(&target, "MCP, own tools", "/mcp/interlock", "whoami"),
        cases::mcp(&target, "MCP, a connector", "/mcp/catalyst-center", "list_devices"),
        cases::mcp(&target, "MCP, reads only", "/mcp/interlock/readonly", "whoami"),
        cases::mcp(&target, "MCP, all servers", "/mcp", "whoami"),
        cases::rest(&target),
        cases::issuer(&target),
        cases::pages(&target),
        cases::documents(&target),
        cases::raw(&target),
        cases::http_2(),
    ];
    let quick: Arc<Vec<Case>> = Arc::new(quick.into_iter().flatten().collect());
    let slow: Arc<Vec<Case>> = Arc::new(cases::slow(&target));
    let seen: Arc<Mutex<Seen>> = Arc::default();
    let wrong: Arc<Mutex<Vec<String>>> = Arc::default();
    let end = Instant::now() + time;

    let mut tasks = tokio::task::JoinSet::new();
    for worker in 0..CONNECTIONS {
        let cases = Arc::clone(if worker < SLOW { &slow } else { &quick });
        let (seen, wrong) = (Arc::clone(&seen), Arc::clone(&wrong));
        let source = Ipv4Addr::new(127, 0, 0, u8::try_from(2 + worker % SOURCES).unwrap());
        tasks.spawn(async move {
            // Each begins elsewhere in the table, so that all kinds are under way at any moment.
            for case in cases.iter().cycle().skip(worker * 7 % cases.len()) {
                let answer = send(Some(SocketAddr::from((source, 0))), to, &case.bytes, case.half_close).await;
                match judge(case, &answer) {
                    Ok(told) => {
                        let mut seen = seen.lock().unwrap();
                        *seen.entry((case.door, case.input)).or_default().entry(told).or_default() += 1;
                    }
                    Err(what) => wrong.lock().unwrap().push(format!("{}: {}: {what}", case.door, case.input)),
                }
                if Instant::now() >= end {
                    break;
                }
            }
        });
    }
    let calls: Arc<Mutex<usize>> = Arc::default();
    for _ in 0..GOOD {
        let (caller, token, wrong, calls) =
            (Arc::clone(&caller), alice.clone(), Arc::clone(&wrong), Arc::clone(&calls));
        tasks.spawn(async move {
            while Instant::now() < end {
                let n = {
                    let mut calls = calls.lock().unwrap();
                    *calls += 1;
                    *calls
                };
                if let Err(what) = good(&caller, &token, n).await {
                    wrong.lock().unwrap().push(format!("GOOD {what}"));
                }
                // A steady caller, below its own rate limit.
                tokio::time::sleep(Duration::from_millis(60)).await;
            }
        });
    }
    let mut resident = Vec::new();
    while Instant::now() < end {
        resident.push(caller.lab.resident());
        tokio::time::sleep(time / 100).await;
    }
    while let Some(done) = tasks.join_next().await {
        done.unwrap();
    }

    let wrong = std::mem::take(&mut *wrong.lock().unwrap());
    let seen = std::mem::take(&mut *seen.lock().unwrap());
    let calls = *calls.lock().unwrap();
    assert!(wrong.is_empty(), "{} answers are wrong:\n{}", wrong.len(), wrong[..wrong.len().min(20)].join("\n"));
    good(&caller, &alice, 0).await.unwrap();
    let log = caller.lab.log();
    assert!(!log.contains("panic"), "{}", log.lines().filter(|l| l.contains("panic")).collect::<Vec<_>>().join("\n"));
    // The first part warms caches and pools up.
    let (from, between) = (resident.len() * 4 / 10, resident.len() * 7 / 10);
    let (before, after) = (middle(resident[from..between].to_vec()), middle(resident[between..].to_vec()));
    let bad: u64 = seen.values().flat_map(BTreeMap::values).sum();
    println!(
        "{bad} bad inputs and {calls} good calls in {time:?}; resident {} MiB at first, {} in the middle, {} at the end, \
         {} at most",
        resident[0] >> 20,
        before >> 20,
        after >> 20,
        resident.iter().max().unwrap() >> 20
    );
    for ((door, input), answers) in &seen {
        println!("{door:<18} {input:<36} {answers:?}");
    }
    assert!(after <= before + GROWTH, "memory grows: {before} bytes in the middle, {after} at the end");
    assert!(calls > GOOD * 10, "good traffic came to a stand: {calls}");
    let all: BTreeSet<_> = quick.iter().chain(slow.iter()).map(|case| (case.door, case.input)).collect();
    assert_eq!(seen.keys().copied().collect::<BTreeSet<_>>(), all, "every input was sent");
    let only_busy = |answers: &BTreeMap<String, u64>| answers.keys().all(|answer| answer.starts_with("busy"));
    let unanswered: Vec<_> = seen.iter().filter(|(_, answers)| only_busy(answers)).map(|(input, _)| input).collect();
    assert!(unanswered.is_empty(), "never got an answer of their own: {unanswered:?}");
    seen
}

/// The page: what does not depend on the run.
fn written(seen: &Seen) -> String {
    let mut text = "# Hostile input\n\nWhat the platform answers to bad input of every kind. Written by `cargo xtask flood`, \
                    which sends all of it for a minute from\n64 connections, with good traffic in between, and fails when a \
                    good call fails, memory grows, anything panics, or a refusal\nhas no code. A shorter run of the same \
                    stands in the test suite and compares this page.\n\nBeside the answers here, any of them may be \
                    `rate_limited`, `too_many_failures`, `too_many_at_once`, `overloaded` or\n`connections_exhausted`: a \
                    source that floods is told so.\n\n| door | input | answer |\n| --- | --- | --- |\n"
        .to_owned();
    for ((door, input), answers) in seen {
        let told: Vec<&str> = answers.keys().filter(|a| !a.starts_with("busy")).map(String::as_str).collect();
        writeln!(text, "| {door} | {input} | {} |", told.join(" or ")).unwrap();
    }
    text.push_str(REST_OF_THE_PAGE);
    text
}

const REST_OF_THE_PAGE: &str = "
## What the HTTP library answers by itself

hyper refuses a head that it cannot read, before any handler of ours sees a request. The listener puts our words in the place
of its bare status lines: `http_malformed` (400), `url_too_long` (414), `headers_too_large` (431), each with a request id
and a line in the metrics. What stays the library's:

- Over HTTP/1.1, a broken head that follows a request whose reply is still waiting to be taken gets hyper's bare 400, 414 or 431.
- Over HTTP/2, headers above 32 KiB are answered with a bare 431, and what breaks the protocol with RST_STREAM or GOAWAY.
- `Expect: 100-continue` is answered with 100 when the body is first read.

A connection that never becomes a request is closed without a word: there is nobody who could read one.
";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_seconds_of_bad_input_harm_nobody() {
    let seen = flood(Duration::from_secs(10)).await;
    let kept = std::fs::read_to_string(page()).unwrap_or_default();
    assert!(
        written(&seen) == kept,
        "docs/hostile-input.md is old; `cargo xtask flood` writes it again:\n{}",
        written(&seen)
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes a minute and writes a page: `cargo xtask flood`"]
#[expect(clippy::disallowed_methods, reason = "a test's own length, given by the task that starts it")]
async fn a_minute_of_bad_input_harms_nobody() {
    let seconds = std::env::var("INTERLOCK_FLOOD_SECONDS").ok().and_then(|s| s.parse().ok()).unwrap_or(60);
    let seen = flood(Duration::from_secs(seconds)).await;
    std::fs::write(page(), written(&seen)).unwrap();
}
