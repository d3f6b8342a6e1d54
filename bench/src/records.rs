//! `--part records`: how many durable records the audit log writes a second, and what they add to a call, in its file alone
//! and with PostgreSQL, beside what the disk can do in the same minute. A read leaves one record before its reply, a write an
//! intent and an outcome. The log is used as the platform uses it, without the platform around it.

use std::fmt::{self, Display};
use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use anyhow::Result;
use audit_log::{AuditKeys, AuditLogFile, AuditOptions, Replica};
use audit_postgres::PostgresAudit;
use engines::Postgres;
use platform::audit::{AuditActor, AuditEntry, AuditLog as _, AuditedTool, Outcome, Phase};
use platform::clock::SystemClock;
use platform::{Clock as _, Json};
use postgres_database::{Database, Options};
use serde::Serialize;

use crate::load::percentile;
use crate::machine::{Machine, PROFILE};
use crate::report::{self, progress};

/// How many callers wait at a time.
const CALLERS: [usize; 3] = [1, 64, 512];
/// Single syncs that tell the disk's rate.
const SYNCS: usize = 300;
/// The text between these lines of a document is written anew.
const MARKS: [&str; 2] = ["<!-- records: begin -->", "<!-- records: end -->"];

#[derive(Debug, Clone, Copy, Serialize)]
#[serde(rename_all = "kebab-case")]
enum Kind {
    Read,
    Write,
}

/// What was measured.
#[derive(Serialize)]
struct Report {
    machine: Machine,
    postgres: String,
    disk: Disk,
    rows: Vec<Row>,
}

/// Appending 512 bytes and syncing them, one after the other.
#[derive(Serialize)]
struct Disk {
    per_second: f64,
    p50_us: f64,
    p99_us: f64,
}

#[derive(Serialize)]
struct Row {
    place: &'static str,
    kind: Kind,
    callers: usize,
    records_per_second: f64,
    calls_per_second: f64,
    records_per_sync: f64,
    p50_us: f64,
    p99_us: f64,
}

/// Measures with `calls` calls a row (a tenth of that with one caller), in a folder below `here`, and writes the table into
/// the document `into`.
pub(crate) fn measure(here: &Path, calls: usize, into: Option<&PathBuf>) -> Result<()> {
    let machine = Machine::read();
    let folder = tempfile::Builder::new().prefix("bench-records-").tempdir_in(here)?;
    progress("the disk alone");
    let disk = disk(&folder.path().join("probe"))?;
    progress("PostgreSQL with fsync");
    let server = Postgres::start(true)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let mut rows = Vec::new();
    for place in ["file", "file and PostgreSQL"] {
        for kind in [Kind::Read, Kind::Write] {
            for callers in CALLERS {
                progress(format_args!("{place}, {kind:?}, {callers} callers"));
                let calls = if callers == 1 { calls / 10 } else { calls };
                let database = if place == "file" { None } else { Some(server.database()?) };
                let own = folder.path().join(format!("{}-{kind:?}-{callers}", place.len()));
                std::fs::create_dir(&own)?;
                let url = database.as_ref().map(engines::Database::url);
                rows.push(runtime.block_on(row(&own, url, place, kind, callers, calls))?);
            }
        }
    }
    let report = Report { machine, postgres: server.installation().version.clone(), disk, rows };
    report::publish(&report, into, MARKS)
}

fn disk(path: &Path) -> Result<Disk> {
    let mut file = OpenOptions::new().create(true).append(true).open(path)?;
    let record = [b'r'; 512];
    let mut latencies = Vec::with_capacity(SYNCS);
    let begun = Instant::now();
    for _ in 0..SYNCS {
        let one = Instant::now();
        file.write_all(&record)?;
        file.sync_data()?;
        latencies.push(u64::try_from(one.elapsed().as_nanos())?);
    }
    let per_second = SYNCS as f64 / begun.elapsed().as_secs_f64();
    latencies.sort_unstable();
    Ok(Disk { per_second, p50_us: percentile(&latencies, 50), p99_us: percentile(&latencies, 99) })
}

async fn row(
    folder: &Path,
    url: Option<String>,
    place: &'static str,
    kind: Kind,
    callers: usize,
    calls: usize,
) -> Result<Row> {
    let mut options = AuditOptions::new(folder);
    if let Some(url) = url {
        let database = Database::open(&Options::new(&url, None, None)?).await?;
        options.replica = Some(Replica::new(Arc::new(PostgresAudit::open(database).await?)));
    }
    let keys = AuditKeys::generate()?;
    let opened =
        tokio::task::spawn_blocking(move || AuditLogFile::open(options, &keys, Arc::new(SystemClock))).await??;
    let log = Arc::new(opened.0);
    // The first records pay for files that grow.
    let warm = run(&log, kind, callers, callers.max(50)).await?;
    drop(warm);
    let before = log.stats();
    let begun = Instant::now();
    let mut latencies = run(&log, kind, callers, calls).await?;
    let (took, after) = (begun.elapsed().as_secs_f64(), log.stats());
    log.close().await?;
    latencies.sort_unstable();
    let records = (after.records - before.records) as f64;
    Ok(Row {
        place,
        kind,
        callers,
        records_per_second: records / took,
        calls_per_second: latencies.len() as f64 / took,
        records_per_sync: records / (after.commits - before.commits).max(1) as f64,
        p50_us: percentile(&latencies, 50),
        p99_us: percentile(&latencies, 99),
    })
}

// Nanoseconds of each call.
async fn run(log: &Arc<AuditLogFile>, kind: Kind, callers: usize, calls: usize) -> Result<Vec<u64>> {
    let left = Arc::new(AtomicUsize::new(calls));
    let tasks: Vec<_> = (0..callers)
        .map(|_| {
            let (log, left) = (Arc::clone(log), Arc::clone(&left));
            tokio::spawn(async move {
                let mut latencies = Vec::new();
                while left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_ok() {
                    let begun = Instant::now();
                    if matches!(kind, Kind::Write) {
                        log.append(entry(Phase::Intent, Outcome::Pending)).await?;
                        log.append(entry(Phase::Outcome, Outcome::Success)).await?;
                    } else {
                        log.append(entry(Phase::Call, Outcome::Success)).await?;
                    }
                    latencies.push(u64::try_from(begun.elapsed().as_nanos()).unwrap_or(u64::MAX));
                }
                Ok::<_, platform::Error>(latencies)
            })
        })
        .collect();
    let mut latencies = Vec::with_capacity(calls);
    for task in tasks {
        latencies.extend(task.await??);
    }
    Ok(latencies)
}

// A record as a tool call leaves it.
fn entry(phase: Phase, outcome: Outcome) -> AuditEntry {
    let mut entry = AuditEntry::event(SystemClock.now(), "tool.call", outcome);
    entry.phase = phase;
    entry.request_id = Some("0193f0c2-7a3e-7c11-9d55-0af7651916cd".to_owned());
    entry.trace_id = Some("0af7651916cd43dd8448eb211c80319c".to_owned());
    entry.protocol = Some("mcp".to_owned());
    entry.actor = Some(AuditActor {
        issuer: "https://issuer.example".to_owned(),
        subject: "alice".to_owned(),
        name: "alice".to_owned(),
        groups: vec!["network-engineers".to_owned()],
        client_id: "bench".to_owned(),
        act: Vec::new(),
    });
    entry.tool = Some(AuditedTool {
        server: "catalyst-center".to_owned(),
        tool: "get_device".to_owned(),
        risk: None,
        targets: vec!["device-1".to_owned()],
    });
    entry.arguments = Some(Json::from(vec!["a", "device", "of", "the", "bench"]));
    entry
}

impl Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { machine, postgres, disk, rows } = self;
        writeln!(f, "{}", machine.line())?;
        writeln!(f, "profile: {PROFILE}; PostgreSQL {postgres}, fsync on, same disk")?;
        writeln!(
            f,
            "the disk alone: {:.0} fdatasync of 512 B a second, p50 {:.0} µs, p99 {:.0} µs\n",
            disk.per_second, disk.p50_us, disk.p99_us
        )?;
        writeln!(
            f,
            "{:<20} {:<6} {:>7} {:>10} {:>8} {:>12} {:>9} {:>9}",
            "records in", "call", "callers", "records/s", "calls/s", "records/sync", "p50 µs", "p99 µs"
        )?;
        for row in rows {
            let kind = match row.kind {
                Kind::Read => "read",
                Kind::Write => "write",
            };
            writeln!(
                f,
                "{:<20} {:<6} {:>7} {:>10.0} {:>8.0} {:>12.1} {:>9.0} {:>9.0}",
                row.place,
                kind,
                row.callers,
                row.records_per_second,
                row.calls_per_second,
                row.records_per_sync,
                row.p50_us,
                row.p99_us
            )?;
        }
        Ok(())
    }
}
