//! How long a world takes to open and how much memory it holds: `cargo run -p interlock-world --example open_world -- 10000`.
//!
//! Where next: `interlock_world::World::open`.

use std::io::Write as _;
use std::sync::Arc;
use std::time::Instant;

use interlock_world::{Os, Region, World, WorldOptions};
use platform::clock::AdjustableClock;

/// Resident memory of this process in MiB, where the operating system tells it.
fn resident_mib() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.split_whitespace().next()?.parse::<u64>().ok().map(|kib| kib / 1024)
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let devices = std::env::args().nth(1).map_or(Ok(10_000), |text| text.parse())?;
    let before = resident_mib();
    let clock = Arc::new(AdjustableClock::default());
    let started = Instant::now();
    let world = World::open(WorldOptions { seed: 1, devices, region: Region::AmerApj, state_dir: None, clock })?;
    let opened = started.elapsed();
    let after = resident_mib();
    let started = Instant::now();
    let mut lines = 0;
    let mut configurations = 0_u32;
    for device in world.devices().iter().filter(|device| device.has_configuration()) {
        lines += world.running(device).text().lines().count();
        configurations += 1;
    }
    let generated = started.elapsed();
    let mut out = std::io::stdout();
    writeln!(
        out,
        "devices {}  sites {}  links {}  opened in {:.0} ms  resident {:?} -> {:?} MiB",
        world.devices().len(),
        world.sites().len(),
        world.links().len(),
        opened.as_secs_f64() * 1e3,
        before,
        after
    )?;
    writeln!(
        out,
        "configurations {configurations}  lines {lines}  generated in {:.0} ms ({:.2} ms each)  resident {:?} MiB",
        generated.as_secs_f64() * 1e3,
        generated.as_secs_f64() * 1e3 / f64::from(configurations.max(1)),
        resident_mib()
    )?;
    for os in Os::ALL {
        let count = world.devices().iter().filter(|device| device.os() == os).count();
        writeln!(out, "{} {count}", os.name())?;
    }
    Ok(())
}
