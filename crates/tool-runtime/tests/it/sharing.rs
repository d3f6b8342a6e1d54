//! T31: equal reads under way are one, waiting for a turn is told, and each request is counted for its caller.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use http::Method;
use platform::http::{BudgetOptions, Claim, Class, Request, TargetClient, TargetOptions};
use platform::policy::Effect;
use platform::principal::{Actor, PrincipalKind};
use platform::{CallContext, Error, ErrorKind, Json, Principal};
use platform_suites::tokens::person;
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;
use tool_runtime::{Answer, ToolOutput};

use crate::fixture::{Lab, alice, cx_of, decision, request};

/// A tool of the target that ends when the test lets it.
struct Gate {
    lab: Arc<Lab>,
    begun: Arc<AtomicUsize>,
    turns: Arc<Semaphore>,
}

impl Gate {
    /// `read_thing` waits for a turn, then answers with how often it has run, or as `end` says.
    async fn over(end: impl Fn(usize) -> Result<Json, Error> + Send + Sync + 'static) -> Self {
        let (begun, turns) = (Arc::new(AtomicUsize::new(0)), Arc::new(Semaphore::new(0)));
        let lab = Arc::new(Lab::new().await);
        let (counted, waited, end) = (Arc::clone(&begun), Arc::clone(&turns), Arc::new(end));
        let script = move |_, _| {
            let (counted, waited, end) = (Arc::clone(&counted), Arc::clone(&waited), Arc::clone(&end));
            async move {
                let nth = counted.fetch_add(1, Ordering::SeqCst) + 1;
                waited.acquire().await.unwrap().forget();
                end(nth).map(|said| ToolOutput { structured: json!({ "said": said }), follow_up: None })
            }
        };
        lab.target.script("read_thing", script.clone());
        lab.target.script("show_device", script);
        Self { lab, begun, turns }
    }

    fn call(&self, cx: CallContext, tool: &'static str, arguments: Json) -> JoinHandle<Result<Answer, Error>> {
        let lab = Arc::clone(&self.lab);
        tokio::spawn(async move { lab.road.call(Arc::new(cx), request(tool, arguments)).await })
    }

    fn read(&self, who: Principal, text: &str) -> JoinHandle<Result<Answer, Error>> {
        self.call(cx_of(who), "read_thing", json!({ "text": text }))
    }

    /// Until so many runs have begun and so many calls were authorised.
    async fn until(&self, runs: usize, authorised: usize) {
        while self.begun.load(Ordering::SeqCst) < runs || self.lab.recorded.count("cache:find") < authorised {
            tokio::task::yield_now().await;
        }
        // The last step from there to the seat beside the other one has no await point of its own.
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
    }
}

fn agent_of(person: &Principal) -> Principal {
    Principal { actors: vec![Actor { subject: "bot".into(), issuer: None }], ..person.clone() }
}

/// How many calls policy was asked about.
async fn decided(gate: &Gate, calls: usize) {
    while gate.lab.policy.asked().len() < calls {
        tokio::task::yield_now().await;
    }
    gate.until(0, 0).await;
}

#[tokio::test]
async fn t31_equal_reads_under_way_are_one_and_each_has_its_record() {
    let gate = Gate::over(|nth| Ok(json!({ "n": nth }))).await;
    let first = gate.read(alice(), "a");
    gate.until(1, 0).await;
    let others: Vec<_> = ["bob", "carol"].map(|who| gate.read(person(who, &["netops"]), "a")).into();
    decided(&gate, 3).await;
    gate.turns.add_permits(10);
    let first = first.await.unwrap().unwrap();
    for other in others {
        assert_eq!(other.await.unwrap().unwrap(), first);
    }
    assert_eq!(gate.lab.runs(), 1, "the target was asked once");
    let records = gate.lab.audit.entries();
    let shared: Vec<_> = records.iter().filter_map(|r| r.facts.get("shared_with")).collect();
    let leader = records.iter().find(|r| !r.facts.contains_key("shared_with")).unwrap();
    assert_eq!(records.len(), 3);
    assert_eq!(shared, [&json!(leader.request_id.clone().unwrap()); 2]);
    assert!(gate.lab.metrics.render().contains("interlock_reads_shared_total{server=\"lab-1\"} 2"));
    // It is over: who asks now gets what is true now.
    let later = gate.read(alice(), "a").await.unwrap().unwrap();
    assert_eq!((later.structured["said"]["n"].as_u64(), gate.lab.runs()), (Some(2), 2));
}

#[tokio::test]
async fn t31_what_is_not_equal_is_not_shared() {
    let gate = Gate::over(|nth| Ok(json!({ "n": nth }))).await;
    gate.lab.policy.decide_by(|input| {
        let mut decision = decision(Effect::Allow, &[("extra", true)]);
        let whose = json!(input.principal.subject == "eve");
        decision.obligations.get_mut("extra").unwrap().parameters.insert("fields".into(), whose);
        decision
    });
    let device = json!({"device": "dev-1"});
    let calls = [
        gate.read(alice(), "a"),
        gate.read(alice(), "b"),
        // A person never waits in the line of an agent.
        gate.read(agent_of(&alice()), "a"),
        // Other obligations.
        gate.read(person("eve", &["netops"]), "a"),
        // Who asks for a probe wants what is there after the asking.
        gate.call(cx_of(alice()), "show_device", device.clone()),
        gate.call(cx_of(alice()), "show_device", device),
    ];
    gate.until(6, 0).await;
    gate.turns.add_permits(10);
    for call in calls {
        call.await.unwrap().unwrap();
    }
    assert_eq!(gate.lab.runs(), 6);
}

#[tokio::test]
async fn t31_when_the_first_caller_goes_away_another_one_makes_the_read() {
    let gate = Gate::over(|nth| Ok(json!({ "n": nth }))).await;
    let first = gate.read(alice(), "a");
    gate.until(1, 0).await;
    let other = gate.read(person("bob", &["netops"]), "a");
    decided(&gate, 2).await;
    first.abort();
    gate.until(2, 0).await;
    gate.turns.add_permits(10);
    let answer = other.await.unwrap().unwrap();
    assert_eq!((answer.structured["said"]["n"].as_u64(), gate.lab.runs()), (Some(2), 2));
}

#[tokio::test]
async fn t31_a_failure_of_the_target_is_shared_and_one_of_the_callers_own_is_not() {
    let fails =
        |kind, code: &'static str| move |nth| if nth == 1 { Err(Error::new(kind, code, "No.")) } else { Ok(json!({})) };
    for (kind, code, runs) in [(ErrorKind::Upstream, "target_failed", 1), (ErrorKind::RateLimited, "target_busy", 2)] {
        let gate = Gate::over(fails(kind, code)).await;
        let first = gate.read(alice(), "a");
        gate.until(1, 0).await;
        let other = gate.read(person("bob", &["netops"]), "a");
        decided(&gate, 2).await;
        gate.turns.add_permits(10);
        assert_eq!(first.await.unwrap().unwrap_err().code(), code);
        assert_eq!(other.await.unwrap().is_err(), runs == 1, "{code}");
        assert_eq!(gate.lab.runs(), runs, "{code}");
    }
}

/// A server that answers one request after the other, each when the test lets it.
async fn held_server() -> (url::Url, Arc<Semaphore>, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap()).parse().unwrap();
    let (turns, hits) = (Arc::new(Semaphore::new(0)), Arc::new(AtomicUsize::new(0)));
    let (waited, counted) = (Arc::clone(&turns), Arc::clone(&hits));
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let (waited, counted) = (Arc::clone(&waited), Arc::clone(&counted));
            tokio::spawn(async move {
                let mut head = [0; 4096];
                while stream.read(&mut head).await.is_ok_and(|bytes| bytes > 0) {
                    counted.fetch_add(1, Ordering::SeqCst);
                    waited.acquire().await.unwrap().forget();
                    stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}").await.unwrap();
                }
            });
        }
    });
    (url, turns, hits)
}

#[tokio::test]
async fn t31_a_call_tells_how_long_it_waited_for_its_turn_and_is_counted_as_what_it_is() {
    let (url, turns, hits) = held_server().await;
    let lab = Arc::new(Lab::new().await);
    lab.policy.decide_by(|_| decision(Effect::Allow, &[]));
    let mut options = TargetOptions::new("lab-1", url);
    options.budget = Some(BudgetOptions { calls_per_minute: 1000, concurrency: 1 });
    let client = TargetClient::observed(options, lab.metrics.clone()).unwrap();
    for tool in ["show_device", "configure_device"] {
        let client = client.clone();
        lab.target.script(tool, move |cx, _| {
            let client = client.clone();
            async move {
                client.send(Request::new(Method::GET, "/", cx.deadline)).await?;
                Ok(ToolOutput {
                    structured: json!({"said": {"class": Claim::current().class().as_str()}}),
                    follow_up: None,
                })
            }
        });
    }
    let call = |who: Principal, tool: &'static str| {
        let lab = Arc::clone(&lab);
        tokio::spawn(async move { lab.call_as(cx_of(who), tool, json!({"device": "dev-1"})).await.unwrap() })
    };
    let first = call(alice(), "show_device");
    while hits.load(Ordering::SeqCst) < 1 {
        tokio::task::yield_now().await;
    }
    let agent = call(agent_of(&person("bob", &["netops"])), "show_device");
    let program = call(Principal { kind: PrincipalKind::Client, ..person("robot", &["netops"]) }, "show_device");
    let change = call(person("carol", &["netops"]), "configure_device");
    let began = Instant::now();
    while lab.recorded.count("execute") < 4 {
        tokio::task::yield_now().await;
    }
    // From here on all of them wait, however long it took to get them so far.
    let all_wait = Instant::now();
    while all_wait.elapsed() < Duration::from_millis(10) {
        tokio::task::yield_now().await;
    }
    turns.add_permits(10);
    let first = first.await.unwrap();
    assert_eq!((first.queued_ms, first.structured["said"]["class"].as_str()), (0, Some("person")));
    for (call, class) in [(agent, "agent"), (program, "agent"), (change, "change")] {
        let answer = call.await.unwrap();
        assert_eq!(answer.structured["said"]["class"], class);
        assert!((1..=u64::try_from(began.elapsed().as_millis()).unwrap() + 1).contains(&answer.queued_ms));
    }
    let told: Vec<_> = lab.audit.entries().iter().filter_map(|r| r.facts.get("queued_ms").cloned()).collect();
    assert_eq!(told.len(), 3, "{told:?}");
    let metrics = lab.metrics.render();
    for line in [
        "interlock_target_queue_seconds_count{target=\"lab-1\",class=\"agent\"} 2",
        "interlock_target_queue_seconds_count{target=\"lab-1\",class=\"change\"} 1",
    ] {
        assert!(metrics.contains(line), "{line} in\n{metrics}");
    }
    assert_eq!(Claim::current().class(), Class::Background);
}
