//! The lab as the thing that is measured: `interlock lab` with its simulated systems, real tokens by the ordinary
//! sign-in, embedded policy, durable audit log, no TLS.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use crate::http;
use crate::process::{self, Memory, Process};

/// Two people with the same rights: limits hold per person, and one alone may not ask as fast as a benchmark does.
pub(crate) const CALLERS: [&str; 2] = ["alice", "bob"];
/// How long a process is left alone before its memory is read.
pub(crate) const SETTLE: Duration = Duration::from_secs(2);

/// A running lab.
pub(crate) struct Lab {
    pub(crate) platform: Process,
    /// The simulated systems' process.
    pub(crate) world: u32,
    pub(crate) address: SocketAddr,
    pub(crate) start: LabStart,
    program: PathBuf,
    state: PathBuf,
}

/// How the lab started.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct LabStart {
    pub(crate) command: String,
    /// From the first start of an empty folder to the ready line, in milliseconds.
    pub(crate) first_start_ms: f64,
    pub(crate) platform: Memory,
    pub(crate) simulators: Memory,
    /// Resident memory of both processes.
    pub(crate) total_rss_mib: f64,
}

#[derive(Deserialize)]
struct Ready {
    url: String,
    mcp: BTreeMap<String, String>,
}

impl Lab {
    /// Starts a lab in a folder that does not exist yet.
    pub(crate) fn start(program: &Path, state: PathBuf) -> Result<Self> {
        let mut command = Command::new(program);
        command.args(["lab", "--json", "--profile", "lab-open", "--listen", "127.0.0.1:0", "--state"]).arg(&state);
        let started = Instant::now();
        let (platform, line) = Process::start_and_read(command)?;
        let first_start_ms = started.elapsed().as_secs_f64() * 1e3;
        let ready: Ready = serde_json::from_str(&line).context("the lab's ready line")?;
        ready.mcp.get("catalyst-center").context("the lab has no catalyst-center")?;
        let world = *process::children(platform.pid())?.first().context("the lab's simulators have no process")?;
        std::thread::sleep(SETTLE);
        let (own, simulators) = (process::memory(platform.pid())?, process::memory(world)?);
        let total_rss_mib = own.rss_mib + simulators.rss_mib;
        let command = platform.command.clone();
        let start = LabStart { command, first_start_ms, platform: own, simulators, total_rss_mib };
        Ok(Self { address: http::address(&ready.url)?, platform, world, start, program: program.to_owned(), state })
    }

    /// An access token of each caller, for the whole platform.
    pub(crate) fn tokens(&self) -> Result<Vec<String>> {
        let token = |user: &&str| {
            let mut command = Command::new(&self.program);
            command.args(["lab", "token", "--user", user, "--state"]).arg(&self.state);
            process::output(command, "")
        };
        CALLERS.iter().map(token).collect()
    }

    /// The id of some device that the caller may see.
    pub(crate) async fn device(&self, token: &str) -> Result<String> {
        let bearer = format!("Bearer {token}");
        let path = "/api/v1/mcp/catalyst-center/tools/list_devices";
        let text = http::get(self.address, path, &[("authorization", &bearer)]).await?;
        let reply: Json = serde_json::from_str(&text)?;
        let id = reply.pointer("/result/items/0/id").and_then(Json::as_str);
        id.map(str::to_owned).context("the lab lists no device")
    }

    /// Ends it in order.
    pub(crate) fn stop(self) -> Result<()> {
        self.platform.stop()
    }
}
