//! What a run tells: one JSON document for programs and the next comparison, and a table for people.

use std::fmt::{self, Display};
use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};

use serde::Serialize;

use crate::case::{Door, Numbers};
use crate::lab::LabStart;
use crate::machine::{Machine, Versions};
use crate::serve::ServeStart;

/// The budgets of the first release.
const SERVE_READY_MS: f64 = 500.0;
const SERVE_IDLE_MIB: f64 = 30.0;
const LAB_READY_MS: f64 = 2_000.0;
const LAB_IDLE_MIB: f64 = 80.0;

/// Everything that was measured.
#[derive(Serialize)]
pub(crate) struct Report {
    /// RFC 3339, UTC.
    pub(crate) at: String,
    /// How to repeat it.
    pub(crate) command: String,
    pub(crate) machine: Machine,
    pub(crate) versions: Versions,
    /// Command lines of all processes that were measured.
    pub(crate) servers: Vec<String>,
    pub(crate) serve: ServeStart,
    pub(crate) lab: LabStart,
    pub(crate) cases: Vec<Numbers>,
}

impl Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}\n", self.machine.line())?;
        writeln!(f, "{:<44} {:>10}  {:>10}", "start and idle", "measured", "budget")?;
        let budget = |f: &mut fmt::Formatter<'_>, what: &str, measured: f64, most: f64, unit: &str| {
            let mark = if measured > most { "  over" } else { "" };
            writeln!(f, "{what:<44} {measured:>6.0} {unit:<3}  {most:>6.0} {unit:<3}{mark}")
        };
        budget(f, "serve: ready, second start", self.serve.second_start_ms, SERVE_READY_MS, "ms")?;
        budget(f, "serve: idle, resident", self.serve.idle.rss_mib, SERVE_IDLE_MIB, "MiB")?;
        budget(f, "lab: ready, first start", self.lab.first_start_ms, LAB_READY_MS, "ms")?;
        budget(f, "lab with simulators: idle, resident", self.lab.total_rss_mib, LAB_IDLE_MIB, "MiB")?;
        writeln!(
            f,
            "\n{:<11} {:<10} {:>5} {:>9} {:>7} {:>6} {:>9} {:>9} {:>8} {:>8}",
            "tool", "way", "conns", "CPU µs", "best", "×bare", "p50 µs", "p99 µs", "calls/s", "RSS MiB"
        )?;
        for case in &self.cases {
            writeln!(
                f,
                "{:<11} {:<10} {:>5} {:>9.0} {:>7.0} {:>6.1} {:>9.0} {:>9.0} {:>8.0} {:>8.0}",
                case.tool,
                case.door.to_string(),
                case.connections,
                case.cpu_us,
                case.cpu_us_best,
                case.times_bare,
                case.p50_us,
                case.p99_us,
                case.calls_per_second,
                case.rss_mib,
            )?;
        }
        writeln!(f, "\nwall µs per call and stage")?;
        for case in self.cases.iter().filter(|c| !c.stages_us.is_empty()) {
            let mut stages: Vec<_> = case.stages_us.iter().filter(|(_, micros)| **micros >= 0.5).collect();
            stages.sort_by(|one, other| other.1.total_cmp(one.1));
            let text: Vec<String> = stages.iter().map(|(stage, micros)| format!("{stage} {micros:.0}")).collect();
            writeln!(f, "{:<11} {:<5} {:>3}  {}", case.tool, case.door.to_string(), case.connections, text.join(", "))?;
        }
        Ok(())
    }
}

impl Display for Door {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Mcp => "MCP",
            Self::Rest => "REST",
            Self::BareAxum => "bare axum",
            Self::BareRmcp => "bare rmcp",
        })
    }
}

/// One line on standard output.
pub(crate) fn say(line: impl Display) -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{line}").and_then(|()| out.flush())
}

/// One line for people who wait.
pub(crate) fn progress(line: impl Display) {
    drop(writeln!(std::io::stderr().lock(), "{line}"));
}

/// Prints a table, and writes it into a document where one is named.
pub(crate) fn publish(table: &impl Display, into: Option<&PathBuf>, marks: [&str; 2]) -> Result<()> {
    let table = table.to_string();
    say(&table)?;
    match into {
        Some(into) => write_between(into, marks, &table),
        None => Ok(()),
    }
}

/// Puts a table into a document, in the place of what stands between these two lines.
fn write_between(path: &Path, marks: [&str; 2], table: &str) -> Result<()> {
    let text = std::fs::read_to_string(path).with_context(|| path.display().to_string())?;
    let text =
        between(&text, marks, table).with_context(|| format!("{} has no place for the table", path.display()))?;
    std::fs::write(path, text)?;
    Ok(())
}

fn between(text: &str, [begin, end]: [&str; 2], table: &str) -> Result<String> {
    let (Some((head, rest)), true) = (text.split_once(begin), text.contains(end)) else {
        bail!("`{begin}` and `{end}` are missing");
    };
    let Some((_, tail)) = rest.split_once(end) else { bail!("`{end}` stands before `{begin}`") };
    Ok(format!("{head}{begin}\n```\n{}\n```\n{end}{tail}", table.trim_end()))
}

#[cfg(test)]
mod tests {
    use super::between;

    const MARKS: [&str; 2] = ["<!-- records: begin -->", "<!-- records: end -->"];

    #[test]
    fn the_table_takes_the_place_of_the_one_before() {
        let text = "a\n<!-- records: begin -->\nold\n<!-- records: end -->\nb\n";
        let new = between(text, MARKS, "new\n").unwrap();
        assert_eq!(new, "a\n<!-- records: begin -->\n```\nnew\n```\n<!-- records: end -->\nb\n");
        assert_eq!(between(&new, MARKS, "newer").unwrap(), new.replace("new\n", "newer\n"));
        assert!(between("no place", MARKS, "new").is_err());
    }
}
