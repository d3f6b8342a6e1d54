//! How fast the simulator itself answers: `load [DEVICES] [CALLERS] [CALLS]` opens a world, starts a controller on loopback,
//! and asks each of a few routes with so many callers at once. Prints median and 99th percentile per route, and memory.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use interlock_catalyst_center_simulator::{Simulator, SimulatorOptions};
use platform::Secret;
use platform::clock::AdjustableClock;
use world::{Region, World, WorldOptions};

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

#[expect(clippy::print_stdout, reason = "a measurement prints what it measured")]
#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let (devices, callers, calls) = (argument(1, 10_000), argument(2, 64), argument(3, 2_000));
    let began = Instant::now();
    let clock = Arc::new(AdjustableClock::default());
    let world = Arc::new(World::open(WorldOptions {
        seed: 1,
        devices: u32::try_from(devices)?,
        region: Region::AmerApj,
        state_dir: None,
        clock: clock.clone(),
    })?);
    let opened = began.elapsed();
    let some: Vec<_> = world.managed().step_by(97).collect();
    let options = SimulatorOptions {
        calls_per_minute: u32::MAX,
        ..SimulatorOptions::new("catalyst-center", Arc::clone(&world), "admin", Secret::new("pw"), clock)
    };
    let running = Simulator::start(options).await?;
    println!("{devices} devices opened in {} ms, {} MiB resident", opened.as_millis(), resident());
    let client = http()?;
    let signed = client.post(format!("{}/dna/system/api/v1/auth/token", running.url)).basic_auth("admin", Some("pw"));
    let token: serde_json::Value = signed.send().await?.json().await?;
    let token = token["Token"].as_str().unwrap_or_default().to_owned();
    let intent = |path: &str| vec![format!("/dna/intent/api/v1{path}")];
    let of_each = |path: &dyn Fn(&world::Device) -> String| {
        some.iter().map(|device| format!("/dna/intent/api/v1{}", path(device))).collect()
    };
    let pages = (0..devices / 100)
        .map(|at| format!("/dna/intent/api/v1/network-device?limit=100&offset={}", at * 100 + 1))
        .collect();
    let routes: Vec<(&str, Vec<String>)> = vec![
        ("count", intent("/network-device/count")),
        ("page of 100", pages),
        ("page of 500", intent("/network-device?limit=500&offset=5001")),
        ("by id", of_each(&|device| format!("/network-device/{}", device.id))),
        ("by serial", of_each(&|device| format!("/network-device/serial-number/{}", device.members[0].serial))),
        ("exact hostname", of_each(&|device| format!("/network-device?hostname={}", device.hostname))),
        ("wildcard hostname", intent("/network-device?hostname=.*b2-f1.*&limit=50")),
        ("role and family", intent("/network-device?role=CORE&family=Switches%20and%20Hubs&limit=50")),
        ("newer inventory", intent("/networkDevices?limit=100&offset=9001")),
        ("interfaces of one", of_each(&|device| format!("/interface/network-device/{}", device.id))),
        ("issues", vec!["/dna/data/api/v1/assuranceIssues?limit=50".to_owned()]),
        ("device health", intent("/device-health?limit=50")),
        ("network health", intent("/network-health")),
    ];
    for (name, paths) in routes {
        let (paths, next) = (Arc::new(paths), Arc::new(AtomicUsize::new(0)));
        let began = Instant::now();
        let workers: Vec<_> = (0..callers)
            .map(|_| {
                let (client, paths, next) = (client.clone(), Arc::clone(&paths), Arc::clone(&next));
                let (url, token) = (running.url.clone(), token.clone());
                tokio::spawn(async move {
                    let mut times = Vec::new();
                    loop {
                        let at = next.fetch_add(1, Ordering::Relaxed);
                        if at >= calls {
                            return Ok::<Vec<Duration>, reqwest::Error>(times);
                        }
                        let began = Instant::now();
                        let request =
                            client.get(format!("{url}{}", paths[at % paths.len()])).header("x-auth-token", &token);
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
