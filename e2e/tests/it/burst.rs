//! Kill -9 in a burst (acceptance of the road): what was acknowledged is in the audit, what reached a device has its
//! intent, and the log verifies, on the stopped platform and after the next start.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use platform::Json;
use serde_json::json;
use tokio::sync::Mutex;

use crate::caller::{CENTER, Caller, OWN};
use crate::lab::Lab;

/// The burst goes on until the kill; this many calls would be one that never comes.
const MOST_CALLS: usize = 30_000;
const WORKERS: usize = 32;
/// Acknowledged calls, and acknowledged writes among them, after which the platform is killed. However fast the machine
/// reads, a write takes its time at the controller.
const KILL_AFTER: (usize, usize) = (1_000, 3);
/// One call of so many is a write.
const WRITE_EVERY: usize = 40;

/// What a worker sends as its `n`th call.
fn call(n: usize, devices: &[String], deployment: &Json) -> (&'static str, &'static str, Json) {
    if n.is_multiple_of(WRITE_EVERY) {
        let mut arguments = deployment.clone();
        let vlan = 3_100 + n / WRITE_EVERY;
        arguments["device_id"] = json!(devices[n / WRITE_EVERY % devices.len()]);
        arguments["params"] = json!({"vlan_id": vlan, "vlan_name": format!("BURST{vlan}")});
        return (CENTER, "deploy_template", arguments);
    }
    match n % 4 {
        0 => (OWN, "echo", json!({"message": n.to_string()})),
        1 => (OWN, "whoami", json!({})),
        2 => (CENTER, "get_device", json!({"device_id": devices[n % devices.len()]})),
        // Refusals are records too.
        _ => (CENTER, "get_device", json!({"device_id": n})),
    }
}

/// How many of the acknowledged calls were writes.
fn writes(acknowledged: &[(usize, String)]) -> usize {
    acknowledged.iter().filter(|(n, _)| n.is_multiple_of(WRITE_EVERY)).count()
}

/// Request ids of all records, with the phases seen under each.
fn recorded(lab: &Lab) -> HashMap<String, BTreeSet<String>> {
    let mut found: HashMap<String, BTreeSet<String>> = HashMap::new();
    for record in lab.audit() {
        if let Some(id) = record["http"]["request"]["id"].as_str() {
            let phase = record["interlock"]["phase"].as_str().unwrap().to_owned();
            found.entry(id.to_owned()).or_default().insert(phase);
        }
    }
    found
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn t25_kill_9_in_a_burst_of_a_thousand_calls_loses_no_acknowledged_one() {
    let caller = Arc::new(Caller::new(Arc::new(Lab::start())));
    let alice = caller.lab.token("alice").await;
    let devices = Arc::new(caller.switches(&alice, CENTER).await);
    let deployment = Arc::new(caller.deployment(&alice, CENTER, &devices[0], 3_099).await);
    caller.elevate("alice", CENTER, &deployment).await;

    let (next, killed) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicBool::new(false)));
    let acknowledged: Arc<Mutex<Vec<(usize, String)>>> = Arc::default();
    let mut workers = Vec::new();
    for _ in 0..WORKERS {
        let (caller, alice, devices, deployment) =
            (Arc::clone(&caller), alice.clone(), Arc::clone(&devices), Arc::clone(&deployment));
        let (next, killed, acknowledged) = (Arc::clone(&next), Arc::clone(&killed), Arc::clone(&acknowledged));
        workers.push(tokio::spawn(async move {
            loop {
                let n = next.fetch_add(1, Ordering::Relaxed);
                if n >= MOST_CALLS {
                    return;
                }
                let (server, tool, arguments) = call(n, &devices, &deployment);
                let request = match n % 2 {
                    0 => caller.rest_request(&alice, server, tool, &arguments),
                    _ => {
                        let params = json!({"name": tool, "arguments": arguments});
                        caller.mcp_request(&alice, server, "tools/call", &params)
                    }
                };
                // After the kill nothing is acknowledged any more.
                let Ok(response) = request.send().await else { return };
                let id = response.headers()["x-request-id"].to_str().unwrap().to_owned();
                if response.bytes().await.is_err() {
                    return;
                }
                let mut acknowledged = acknowledged.lock().await;
                acknowledged.push((n, id));
                let enough = acknowledged.len() >= KILL_AFTER.0 && writes(&acknowledged) >= KILL_AFTER.1;
                if enough && !killed.swap(true, Ordering::SeqCst) {
                    caller.lab.kill();
                }
            }
        }));
    }
    for worker in workers {
        worker.await.unwrap();
    }
    let acknowledged = std::mem::take(&mut *acknowledged.lock().await);
    assert!(killed.load(Ordering::SeqCst), "{} answers, and never enough writes", acknowledged.len());

    // The simulated network goes on: what it saw is what really happened.
    let commands = caller.lab.device_commands(&caller.http).await;
    let check = |found: &HashMap<String, BTreeSet<String>>, when: &str| {
        let missing: Vec<_> = acknowledged.iter().filter(|(_, id)| !found.contains_key(id)).collect();
        assert!(missing.is_empty(), "{when}: acknowledged and not in the audit: {missing:?}");
        for row in &commands {
            let id = row["headers"]["x-caller-id"].as_str().unwrap_or_else(|| panic!("a write of nobody: {row}"));
            let phases = found.get(id).unwrap_or_else(|| panic!("{when}: a device saw {id}, the audit did not"));
            assert!(phases.contains("intent"), "{when}: {id} has {phases:?}");
        }
    };
    check(&recorded(&caller.lab), "stopped");
    let (passes, said) = caller.lab.verify();
    assert!(passes, "stopped: {said}");

    let caller = Arc::into_inner(caller).unwrap();
    let mut lab = Arc::into_inner(caller.lab).unwrap();
    lab.start_again();
    let caller = Caller::new(Arc::new(lab));
    let found = recorded(&caller.lab);
    check(&found, "started again");
    for (id, phases) in &found {
        let open = phases.contains("intent") && !phases.contains("outcome");
        assert!(!open, "T7: the start closes {id}, which has {phases:?}");
    }
    let (passes, said) = caller.lab.verify();
    assert!(passes, "started again: {said}");
    let alice = caller.lab.token("alice").await;
    assert_eq!(caller.rest(&alice, OWN, "whoami", &json!({})).await.status, 200);
}
