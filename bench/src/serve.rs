//! How `interlock serve` starts and how much it keeps while nothing happens: one instance, production's profile, the
//! built-in issuer. The start that counts is the second one, when keys and databases exist.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use serde::Serialize;

use crate::http;
use crate::lab::SETTLE;
use crate::process::{self, Memory, Process};

/// How many further starts are measured; the middle one is told.
const STARTS: usize = 5;
/// Longest time that a start may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// How `serve` starts.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct ServeStart {
    pub(crate) command: String,
    /// From the first start to the first answer of `/healthz`, in milliseconds: makes keys and databases.
    pub(crate) first_start_ms: f64,
    /// The same, of the starts after it; sorted.
    pub(crate) later_starts_ms: Vec<f64>,
    /// The middle one.
    pub(crate) second_start_ms: f64,
    /// CPU time of the last start, in milliseconds.
    pub(crate) start_cpu_ms: f64,
    /// Two seconds after the last start.
    pub(crate) idle: Memory,
}

/// Prepares a folder as an operator would, and starts the platform several times.
pub(crate) async fn measure(program: &Path, folder: &Path) -> Result<ServeStart> {
    let (config, address) = prepare(program, folder)?;
    let mut first_start_ms = 0.0;
    let mut later_starts_ms = Vec::new();
    for nth in 0..=STARTS {
        let (process, took) = start(program, &config, address).await?;
        match nth {
            0 => first_start_ms = took,
            _ => later_starts_ms.push(took),
        }
        if nth < STARTS {
            process.stop()?;
            continue;
        }
        let start_cpu_ms = process::cpu_seconds(process.pid())? * 1e3;
        std::thread::sleep(SETTLE);
        let idle = process::memory(process.pid())?;
        let command = process.command.clone();
        process.stop()?;
        later_starts_ms.sort_by(f64::total_cmp);
        let second_start_ms = later_starts_ms.get(STARTS / 2).copied().unwrap_or_default();
        return Ok(ServeStart { command, first_start_ms, later_starts_ms, second_start_ms, start_cpu_ms, idle });
    }
    bail!("nothing was started")
}

/// Configuration, master key, and the client secret of the platform's own pages.
fn prepare(program: &Path, folder: &Path) -> Result<(PathBuf, SocketAddr)> {
    let state = folder.join("state");
    std::fs::create_dir_all(&state)?;
    let key = folder.join("master.key");
    let mut random = [0; 32];
    std::fs::File::open("/dev/urandom")?.read_exact(&mut random)?;
    let hex: String = random.iter().map(|b| format!("{b:02x}")).collect();
    let mut file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o400).open(&key)?;
    file.write_all(hex.as_bytes())?;
    // The port is free now; nobody else takes it on a machine that is left alone while it is measured.
    let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
    let config = folder.join("interlock.toml");
    std::fs::write(&config, configuration(address, &state, &key))?;
    let mut put = Command::new(program);
    put.args(["secret", "put", "platform/pages", "client_secret", "--config"]).arg(&config);
    process::output(put, &format!("{hex}\n"))?;
    Ok((config, address))
}

fn configuration(address: SocketAddr, state: &Path, key: &Path) -> String {
    let (state, key) = (state.display(), key.display());
    format!(
        "[platform]\nurl = \"http://{address}\"\nlisten = \"{address}\"\nstate = \"{state}\"\n\
         [secrets]\nmaster_key = \"file:{key}\"\n\
         [pages]\nissuer = \"http://{address}/issuer\"\n\
         [[issuer]]\nurl = \"http://{address}/issuer\"\nbuiltin = true\nplatform_audience = true\n\
         [[server]]\nname = \"catalyst-center\"\nconnector = \"catalyst-center\"\nenvironment = \"bench\"\n\
         target = \"https://192.0.2.1\"\n"
    )
}

/// Milliseconds until the platform answers.
async fn start(program: &Path, config: &Path, address: SocketAddr) -> Result<(Process, f64)> {
    let mut command = Command::new(program);
    command.args(["serve", "--config"]).arg(config);
    let started = Instant::now();
    let process = Process::start(command)?;
    while started.elapsed() < PATIENCE {
        if http::get(address, "/healthz", &[]).await.is_ok() {
            return Ok((process, started.elapsed().as_secs_f64() * 1e3));
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    bail!("`{}` did not answer in time; start it by hand to see why", process.command)
}
