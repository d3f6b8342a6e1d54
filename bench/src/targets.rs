//! `--part targets`: a lab of 10,000 devices under 64 callers. Lists, searches and pages over the controller, and the target
//! directory, which answers from memory; the controller's simulator by itself, so that the two can be told apart; and what it
//! all holds in memory. Every caller asks for something of its own: equal reads would be one.

use std::collections::BTreeMap;
use std::fmt::{self, Display};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use platform::Json;
use serde::Deserialize;
use serde_json::json;

use crate::http::{self, Connection};
use crate::lab::CALLERS;
use crate::load::{self, Request, percentile};
use crate::machine::Machine;
use crate::process::{self, Memory, Process};
use crate::report::{self, progress};

/// Devices of each simulated controller.
const DEVICES: u32 = 10_000;
/// Callers at a time.
const AT_A_TIME: usize = 64;
/// How often each caller asks where they do not ask again at once.
const EVERY: Duration = Duration::from_millis(200);
/// Most calls of that.
const MOST_PACED: usize = 2_560;
/// What 99 of 100 calls of paced callers must stay below, milliseconds. Callers who ask again at once measure how many calls a
/// second the machine answers: they wait longer the fewer processors there are, and no limit of time says anything about them.
const MOST_P99_MS: f64 = 50.0;
/// Longest time for the first reading of all sources.
const LOADED_WITHIN: Duration = Duration::from_secs(120);
/// The text between these lines of a document is written anew.
const MARKS: [&str; 2] = ["<!-- targets: begin -->", "<!-- targets: end -->"];

const CONTROLLER: &str = "catalyst-center";

/// What was measured.
struct Report {
    machine: Machine,
    profile: &'static str,
    command: String,
    devices: u64,
    loaded_after: Duration,
    start: [Memory; 2],
    end: [Memory; 2],
    rows: Vec<Row>,
}

struct Row {
    what: &'static str,
    calls: usize,
    per_second: f64,
    p50_ms: f64,
    p99_ms: f64,
    paced_p99_ms: f64,
    platform_cpu_us: f64,
    simulator_cpu_us: f64,
    client_cpu_us: f64,
    /// Whether the limit holds for it.
    counts: bool,
}

#[derive(Deserialize)]
struct Ready {
    url: String,
    simulators: BTreeMap<String, Simulator>,
}

#[derive(Deserialize)]
struct Simulator {
    url: String,
    username: String,
    password: String,
}

/// The running lab.
struct Lab {
    platform: Process,
    world: u32,
    address: std::net::SocketAddr,
    simulator: Simulator,
    tokens: Vec<String>,
}

impl Lab {
    fn start(program: &Path, state: &Path) -> Result<Self> {
        let mut command = Command::new(program);
        command.args(["lab", "--json", "--listen", "127.0.0.1:0", "--devices", &DEVICES.to_string(), "--state"]);
        let (platform, line) = Process::start_and_read({
            command.arg(state);
            command
        })?;
        let mut ready: Ready = serde_json::from_str(&line).context("the lab's ready line")?;
        let world = *process::children(platform.pid())?.first().context("the lab's simulators have no process")?;
        let token = |user: &&str| {
            let mut command = Command::new(program);
            command.args(["lab", "token", "--user", user, "--state"]).arg(state);
            process::output(command, "")
        };
        let tokens = CALLERS.iter().map(token).collect::<Result<_>>()?;
        let simulator = ready.simulators.remove(CONTROLLER).context("the lab has no catalyst-center")?;
        Ok(Self { address: http::address(&ready.url)?, platform, world, simulator, tokens })
    }

    fn memory(&self) -> Result<[Memory; 2]> {
        Ok([process::memory(self.platform.pid())?, process::memory(self.world)?])
    }

    /// One call of the first caller's, by REST.
    async fn ask(&self, server: &str, tool: &str, arguments: &Json) -> Result<Json> {
        let bytes = self.post(server, tool, arguments, 0);
        let mut connection = Connection::open(self.address).await?;
        let reply = connection.call(&bytes).await?;
        ensure!(reply.status == 200, "{tool} answered {}: {}", reply.status, String::from_utf8_lossy(reply.body));
        let answer: Json = serde_json::from_slice(reply.body)?;
        answer.get("result").cloned().context("an answer without a result")
    }

    fn post(&self, server: &str, tool: &str, arguments: &Json, caller: usize) -> Vec<u8> {
        let bearer = format!("Bearer {}", self.tokens[caller % self.tokens.len()]);
        let path = format!("/api/v1/mcp/{server}/tools/{tool}");
        http::post(self.address, &path, &[("authorization", &bearer)], &json!({ "arguments": arguments }))
    }

    /// A case out of the arguments of each caller.
    fn case(&self, server: &str, tool: &str, arguments: impl Fn(usize) -> Json) -> Arc<Request> {
        let bytes = (0..AT_A_TIME).map(|nth| self.post(server, tool, &arguments(nth), nth)).collect();
        Arc::new(Request { address: self.address, bytes, marker: br#""status":"success""# })
    }

    /// The same list at the simulator itself.
    async fn simulator_alone(&self) -> Result<Arc<Request>> {
        let address = http::address(&self.simulator.url)?;
        let Simulator { username, password, .. } = &self.simulator;
        let basic = format!("Basic {}", base64(format!("{username}:{password}").as_bytes()));
        let login = http::post(address, "/dna/system/api/v1/auth/token", &[("authorization", &basic)], &json!({}));
        let mut connection = Connection::open(address).await?;
        let reply: Json = serde_json::from_slice(connection.call(&login).await?.body)?;
        let token = reply["Token"].as_str().context("the simulator gives no token")?.to_owned();
        let get = |nth: usize| {
            let path = format!("/dna/intent/api/v1/network-device?offset={}&limit=51", nth * 50 + 1);
            http::request("GET", address, &path, &[("x-auth-token", &token)], b"")
        };
        Ok(Arc::new(Request { address, bytes: (0..AT_A_TIME).map(get).collect(), marker: b"serialNumber" }))
    }

    async fn measure(&self, what: &'static str, request: Arc<Request>, calls: usize, counts: bool) -> Result<Row> {
        progress(what);
        load::run(&request, AT_A_TIME, AT_A_TIME * 2, None).await?;
        let processes = [self.platform.pid(), self.world, std::process::id()];
        let before = processes.map(process::cpu_seconds);
        let taken = load::run(&request, AT_A_TIME, calls, None).await?;
        let mut spent = [0.0; 3];
        for ((spent, before), after) in spent.iter_mut().zip(before).zip(processes.map(process::cpu_seconds)) {
            *spent = (after? - before?) * 1e6 / calls as f64;
        }
        let [platform_cpu_us, simulator_cpu_us, client_cpu_us] = spent;
        let mut latencies = taken.latencies;
        latencies.sort_unstable();
        let mut paced = load::run(&request, AT_A_TIME, calls.min(MOST_PACED), Some(EVERY)).await?.latencies;
        paced.sort_unstable();
        Ok(Row {
            what,
            calls,
            per_second: calls as f64 / taken.wall.as_secs_f64(),
            p50_ms: percentile(&latencies, 50) / 1e3,
            p99_ms: percentile(&latencies, 99) / 1e3,
            paced_p99_ms: percentile(&paced, 99) / 1e3,
            platform_cpu_us,
            simulator_cpu_us,
            client_cpu_us,
            counts,
        })
    }
}

/// Measures with `calls` calls a row, in a folder below `here`, and writes the table into the document `into`.
/// With `only`, the rows whose names contain it.
pub(crate) async fn measure(
    program: &Path,
    here: &Path,
    calls: usize,
    only: Option<&str>,
    into: Option<&PathBuf>,
) -> Result<()> {
    let machine = Machine::read();
    let folder = tempfile::Builder::new().prefix("bench-targets-").tempdir_in(here)?;
    progress(format_args!("a lab with {DEVICES} devices for each controller"));
    let lab = Lab::start(program, &folder.path().join("lab"))?;
    let began = Instant::now();
    let devices = loaded(&lab, began).await?;
    let loaded_after = began.elapsed();
    all_read(&lab, began).await?;
    tokio::time::sleep(crate::lab::SETTLE).await;
    let start = lab.memory()?;

    let known = inventory(&lab).await?;
    let device = |nth: usize| &known.devices[nth * known.devices.len() / AT_A_TIME];
    let own = |arguments: Json| move |nth: usize| with_limit(&arguments, nth);
    let cases = [
        ("list_devices, a page for each", lab.case(CONTROLLER, "list_devices", |n| paged(&known.cursors, n)), true),
        ("list_devices, the same page", lab.case(CONTROLLER, "list_devices", |_| json!({"limit": 50})), true),
        (
            "list_devices, by host name",
            lab.case(CONTROLLER, "list_devices", |n| json!({"hostname": format!(".*{}.*", device(n).1), "limit": 50})),
            true,
        ),
        ("list_devices, by role", lab.case(CONTROLLER, "list_devices", own(json!({"role": "ACCESS"}))), true),
        (
            "find_targets, by host name",
            lab.case("interlock", "find_targets", |n| json!({"hostname": device(n).1, "limit": 50})),
            true,
        ),
        (
            "find_targets, by serial number",
            lab.case("interlock", "find_targets", |n| json!({"serial": device(n).2})),
            true,
        ),
        ("find_targets, all, 50 rows", lab.case("interlock", "find_targets", own(json!({}))), true),
        ("find_targets, the last pages", lab.case("interlock", "find_targets", |n| paged(&known.found, n)), true),
        (
            "get_device, facts from the index",
            lab.case(CONTROLLER, "get_device", |n| json!({"device_id": device(n).0})),
            true,
        ),
        ("the simulator alone, a page for each", lab.simulator_alone().await?, false),
    ];
    let mut rows = Vec::new();
    for (what, request, counts) in cases {
        if only.is_some_and(|only| !what.contains(only)) {
            continue;
        }
        rows.push(lab.measure(what, request, calls, counts).await?);
    }
    ensure!(!rows.is_empty(), "no row has `{}` in its name", only.unwrap_or_default());
    let end = lab.memory()?;
    lab.platform.stop()?;
    let release = program.components().any(|part| part.as_os_str() == "release");
    let profile = if release { "release" } else { "dev (the platform and the simulator are not optimised)" };
    let command = format!("cargo xtask bench --part targets -- --calls {calls}");
    let report = Report { machine, profile, command, devices, loaded_after, start, end, rows };
    report::publish(&report, into, MARKS)?;
    let over: Vec<_> =
        report.rows.iter().filter(|r| r.counts && r.paced_p99_ms > MOST_P99_MS).map(|r| r.what).collect();
    ensure!(over.is_empty(), "paced callers wait longer than {MOST_P99_MS} ms: {}", over.join("; "));
    Ok(())
}

/// Waits until the sources that the callers may not use were read too: the first reading of a CMDB takes the longest, and would be
/// measured with the first rows.
async fn all_read(lab: &Lab, began: Instant) -> Result<()> {
    while lab.ask("interlock", "list_target_sources", &json!({})).await?["fit_for_changes"] != true {
        ensure!(began.elapsed() < LOADED_WITHIN, "the CMDB was not read in time");
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    Ok(())
}

/// Waits until every source that the callers may use was read, and tells how many devices there are.
async fn loaded(lab: &Lab, began: Instant) -> Result<u64> {
    loop {
        let sources = lab.ask("interlock", "list_target_sources", &json!({})).await?;
        let read = |source: &Json| source["age_s"].is_number();
        if sources["sources"].as_array().is_some_and(|all| !all.is_empty() && all.iter().all(read)) {
            return sources["devices"].as_u64().context("no number of devices");
        }
        ensure!(began.elapsed() < LOADED_WITHIN, "the sources were not read in time: {sources}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// What there is to ask for.
struct Inventory {
    /// Id, host name, serial number.
    devices: Vec<(String, String, String)>,
    /// Of `list_devices` and of `find_targets`.
    cursors: Vec<String>,
    found: Vec<String>,
}

async fn inventory(lab: &Lab) -> Result<Inventory> {
    let text = |value: &Json| value.as_str().unwrap_or_default().to_owned();
    let mut all = Inventory { devices: Vec::new(), cursors: Vec::new(), found: Vec::new() };
    for (server, tool) in [(CONTROLLER, "list_devices"), ("interlock", "find_targets")] {
        let mut cursor = None;
        loop {
            let page = lab.ask(server, tool, &asked(cursor.as_deref())).await?;
            if tool == "list_devices" {
                let rows = page["items"].as_array().context("no rows")?;
                all.devices.extend(
                    rows.iter().map(|row| (text(&row["id"]), text(&row["hostname"]), text(&row["serials"][0]))),
                );
            }
            let Some(next) = page["next_cursor"].as_str().map(str::to_owned) else { break };
            if tool == "list_devices" { &mut all.cursors } else { &mut all.found }.push(next.clone());
            cursor = Some(next);
        }
    }
    ensure!(all.devices.len() >= AT_A_TIME && !all.cursors.is_empty() && !all.found.is_empty(), "too few devices");
    Ok(all)
}

fn asked(cursor: Option<&str>) -> Json {
    cursor.map_or_else(|| json!({"limit": 500}), |cursor| json!({"limit": 500, "cursor": cursor}))
}

/// A page of its own for each caller: another place, or another length.
fn paged(cursors: &[String], nth: usize) -> Json {
    // The last ones lie deepest.
    let cursor = &cursors[cursors.len() - 1 - nth % cursors.len()];
    json!({"cursor": cursor, "limit": 50 + nth / cursors.len()})
}

fn with_limit(arguments: &Json, nth: usize) -> Json {
    let mut arguments = arguments.clone();
    arguments["limit"] = (20 + nth).into();
    arguments
}

/// RFC 4648, for one header.
fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let word = (0..3).fold(0_u32, |word, at| word << 8 | u32::from(chunk.get(at).copied().unwrap_or(0)));
        for at in 0..4 {
            let sextet = (word >> (18 - 6 * at) & 63) as usize;
            text.push(if at <= chunk.len() { char::from(ALPHABET[sextet]) } else { '=' });
        }
    }
    text
}

impl Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { machine, profile, command, devices, loaded_after, start, end, rows } = self;
        writeln!(f, "{command}\n{}\nprofile: {profile}", machine.line())?;
        writeln!(
            f,
            "{devices} devices in the target directory, read {:.1} s after the ready line; {AT_A_TIME} callers at a time\n",
            loaded_after.as_secs_f64()
        )?;
        writeln!(
            f,
            "{:<38} {:>6} {:>8} {:>7} {:>7} {:>10} {:>12} {:>13} {:>10}",
            "what", "calls", "calls/s", "p50 ms", "p99 ms", "paced p99", "platform µs", "simulator µs", "client µs"
        )?;
        for row in rows {
            writeln!(
                f,
                "{:<38} {:>6} {:>8.0} {:>7.1} {:>7.1} {:>10.1} {:>12.0} {:>13.0} {:>10.0}",
                row.what,
                row.calls,
                row.per_second,
                row.p50_ms,
                row.p99_ms,
                row.paced_p99_ms,
                row.platform_cpu_us,
                row.simulator_cpu_us,
                row.client_cpu_us
            )?;
        }
        writeln!(f, "\n{:<38} {:>14} {:>14}", "memory", "resident MiB", "own MiB")?;
        for (what, [platform, world]) in [("when loaded", start), ("after the calls", end)] {
            writeln!(f, "platform, {what:<28} {:>14.0} {:>14.0}", platform.rss_mib, platform.own_mib)?;
            writeln!(f, "simulated systems, {what:<19} {:>14.0} {:>14.0}", world.rss_mib, world.own_mib)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::base64;

    #[test]
    fn credentials_are_written_as_rfc_4648_says() {
        for (bytes, text) in [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foobar", "Zm9vYmFy")] {
            assert_eq!(base64(bytes.as_bytes()), text);
        }
    }
}
