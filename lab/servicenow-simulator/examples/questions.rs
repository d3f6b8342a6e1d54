//! How fast the simulator itself answers: `questions [DEVICES] [CALLERS] [CALLS]` opens the worlds of two regions, starts an
//! instance on loopback, and asks each of a few questions with so many callers at once. Prints median and 99th percentile
//! per question, and memory.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use interlock_servicenow_simulator::{Simulator, SimulatorOptions};
use platform::Secret;
use platform::clock::AdjustableClock;
use world::cmdb::Cmdb;
use world::{Region, World, WorldOptions};

/// What a reading of all devices asks for of a relation.
const RELATION: &str = "sysparm_display_value=all&sysparm_exclude_reference_link=true&sysparm_limit=200&sysparm_fields=\
                        parent,child,type.name,parent.name,parent.sys_class_name";
/// What it asks for of an item.
const ITEM: &str = "sysparm_display_value=all&sysparm_exclude_reference_link=true&sysparm_limit=200&sysparm_fields=\
                    sys_id,name,serial_number,location,location.full_name,install_status";

fn argument(at: usize, default: usize) -> usize {
    std::env::args().nth(at).and_then(|text| text.parse().ok()).unwrap_or(default)
}

/// Resident memory in MiB, where the system tells it.
fn resident() -> u64 {
    let text = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|rest| rest.split_whitespace().next()?.parse::<u64>().ok()).unwrap_or(0) / 1024
}

#[expect(clippy::disallowed_methods, reason = "a measurement speaks to its own socket without the platform's client")]
fn http() -> reqwest::Result<reqwest::Client> {
    reqwest::Client::builder().build()
}

/// Questions by name, with the paths that are asked in turn.
fn questions(worlds: &[Arc<World>]) -> Vec<(&'static str, Vec<String>)> {
    let all: Vec<Cmdb> = worlds.iter().map(|world| Cmdb::of(world)).collect();
    let chassis: Vec<_> = all.iter().flat_map(|cmdb| &cmdb.items).filter(|item| item.serial_number.is_some()).collect();
    let table = |name: &str, query: &str, more: &str| format!("/api/now/table/{name}?sysparm_query={query}&{more}");
    let ids = |part: &[&world::cmdb::ConfigurationItem]| -> String {
        part.iter().map(|item| item.id.simple().to_string()).collect::<Vec<_>>().join(",")
    };
    let pages: Vec<String> = (0..chassis.len() / 200)
        .map(|at| {
            let query = "serial_numberISNOTEMPTY^install_statusNOT%20IN7,8,100^ORDERBYsys_id";
            table("cmdb_ci_netgear", query, &format!("{ITEM}&sysparm_offset={}", at * 200))
        })
        .collect();
    let of_parts = |name: &str, field: &str, more: &str| -> Vec<String> {
        chassis.chunks(200).map(|part| table(name, &format!("{field}IN{}^ORDERBYsys_id", ids(part)), more)).collect()
    };
    let some = || chassis.iter().step_by(97);
    let of_each = |query: &dyn Fn(&str, &str) -> String| -> Vec<String> {
        some()
            .map(|item| table("cmdb_ci", &query(&item.name, item.serial_number.as_deref().unwrap_or_default()), ITEM))
            .collect()
    };
    vec![
        ("page of 200 items", pages),
        ("200 items by id", of_parts("cmdb_ci_netgear", "sys_id", ITEM)),
        ("above 200 items", of_parts("cmdb_rel_ci", "child", RELATION)),
        ("below 200 items", of_parts("cmdb_rel_ci", "parent", RELATION)),
        ("by serial number", of_each(&|_, serial| format!("serial_number={serial}"))),
        ("part of a name", of_each(&|name, _| format!("nameLIKE{name}"))),
        ("item by id", some().map(|item| format!("/api/now/table/cmdb_ci/{}", item.id.simple())).collect()),
        ("open incidents", vec![table("incident", "active=true^ORDERBYDESCopened_at", "sysparm_limit=50")]),
        (
            "count by class",
            vec!["/api/now/stats/cmdb_ci?sysparm_count=true&sysparm_group_by=sys_class_name".to_owned()],
        ),
    ]
}

#[expect(clippy::print_stdout, reason = "a measurement prints what it measured")]
#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let (devices, callers, calls) = (argument(1, 10_000), argument(2, 64), argument(3, 600));
    let began = Instant::now();
    let clock = Arc::new(AdjustableClock::default());
    let devices = u32::try_from(devices)?;
    let open = |region| {
        World::open(WorldOptions { seed: 1, devices, region, state_dir: None, clock: clock.clone() }).map(Arc::new)
    };
    let worlds = vec![open(Region::AmerApj)?, open(Region::Emea)?];
    println!(
        "two worlds of {devices} devices opened in {} ms, {} MiB resident",
        began.elapsed().as_millis(),
        resident()
    );
    let began = Instant::now();
    let options = SimulatorOptions::new("servicenow", worlds.clone(), "interlock", Secret::new("pw"), clock.clone());
    let running = Simulator::start(options).await?;
    println!("instance started in {} ms, {} MiB resident", began.elapsed().as_millis(), resident());
    let client = http()?;
    for (name, paths) in questions(&worlds) {
        let (paths, next) = (Arc::new(paths), Arc::new(AtomicUsize::new(0)));
        let began = Instant::now();
        let workers: Vec<_> = (0..callers)
            .map(|_| {
                let (client, paths, next) = (client.clone(), Arc::clone(&paths), Arc::clone(&next));
                let url = running.url.clone();
                tokio::spawn(async move {
                    let mut times = Vec::new();
                    loop {
                        let at = next.fetch_add(1, Ordering::Relaxed);
                        if at >= calls {
                            return Ok::<Vec<Duration>, reqwest::Error>(times);
                        }
                        let began = Instant::now();
                        let request = client.get(format!("{url}{}", paths[at % paths.len()]));
                        let request = request.basic_auth("interlock", Some("pw")).header("accept", "application/json");
                        request.send().await?.error_for_status()?.bytes().await?;
                        times.push(began.elapsed());
                    }
                })
            })
            .collect();
        let mut times = Vec::new();
        for worker in workers {
            times.extend(worker.await??);
        }
        times.sort();
        let at = |part: usize| {
            times
                .get((times.len() * part / 100).min(times.len().saturating_sub(1)))
                .map_or(0.0, |time| time.as_secs_f64() * 1000.0)
        };
        let rate = calls as f64 / began.elapsed().as_secs_f64();
        println!("{name:<18} p50 {:>8.1} ms   p99 {:>8.1} ms   {rate:>8.0} calls/s", at(50), at(99));
    }
    println!("{} MiB resident", resident());
    running.shutdown().await;
    Ok(())
}
