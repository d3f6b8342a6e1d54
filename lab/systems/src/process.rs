//! The lab's world process: every simulated system on its socket, one admin door, one clock, one state folder. It is a
//! process of its own so that the simulated network outlives a killed platform, as a real one does.
//!
//! Where next: [`crate::lab_world`], which starts it.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use axum::Router;
use catalyst_center_simulator::{Pace, Simulator, SimulatorOptions};
use platform::clock::SharedFileClock;
use platform::{Error, ErrorKind, Secret, SharedClock};
use serde::Serialize;
use servicenow_simulator::{Simulator as ServiceNow, SimulatorOptions as ServiceNowOptions};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::Notify;
use world::accounts::Accounts;
use world::admin::Admin;
use world::knobs::Knobs;
use world::wire::Running;
use world::{CommandLog, Faults, Region, World, WorldOptions};

use crate::approvals;

/// Calls per minute and path family that a controller of the lab takes, until somebody turns the knob.
const CALLS_PER_MINUTE: u32 = 60_000;

/// What a simulated system is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum System {
    /// A Catalyst Center over one part of the network.
    CatalystCenter(Region),
    /// A ServiceNow instance that knows the devices of every part before it in the list.
    ServiceNow,
}

impl System {
    /// Name of the connector that reaches it, as a `[[server]]` block spells it.
    pub fn connector(self) -> &'static str {
        match self {
            Self::CatalystCenter(_) => "catalyst-center",
            Self::ServiceNow => "servicenow",
        }
    }
}

/// One simulated system of the lab.
pub struct InstanceOptions {
    /// `catalyst-center`: as faults, accounts and the ready line know it.
    pub name: String,
    /// What it is.
    pub system: System,
    /// Loopback address; port 0 takes the port of the last run where it is free, else any.
    pub listen: SocketAddr,
    /// The first account.
    pub username: String,
    /// Its password.
    pub password: Secret,
}

/// The whole process.
pub struct WorldProcessOptions {
    /// Folder of journals, clock, ports and the record of device commands; made where it is missing.
    pub state_dir: PathBuf,
    /// File of the lab's clock, shared with the other processes of the lab.
    pub clock_file: PathBuf,
    /// The systems.
    pub instances: Vec<InstanceOptions>,
    /// Loopback address of the admin door; port 0 as above.
    pub admin_listen: SocketAddr,
    /// Bearer token of the admin door.
    pub admin_token: Secret,
    /// Devices per controller.
    pub devices: u32,
    /// Number of the lab.
    pub seed: u64,
    /// Speed of asynchronous work.
    pub pace: Pace,
}

/// One system as the parent process learns of it. It holds no password: the parent gave it.
#[derive(Debug, Clone, Serialize)]
pub struct SystemReady {
    /// `http://127.0.0.1:PORT`.
    pub url: String,
    /// The account.
    pub username: String,
}

/// What the process prints as one JSON line when everything listens.
#[derive(Debug, Clone, Serialize)]
pub struct WorldReady {
    /// Always true.
    pub ready: bool,
    /// Process id.
    pub pid: u32,
    /// Systems by instance name.
    pub simulators: BTreeMap<String, SystemReady>,
    /// URL of the admin door.
    pub admin: String,
}

/// A started process.
pub struct RunningWorld {
    /// Where everything listens.
    pub ready: WorldReady,
    systems: Vec<Running>,
    admin: tokio::task::JoinHandle<std::io::Result<()>>,
    close_admin: Arc<Notify>,
    /// Told by `POST /shutdown`.
    stop: Arc<Notify>,
}

impl RunningWorld {
    /// Waits for `POST /shutdown`.
    pub async fn asked_to_stop(&self) {
        self.stop.notified().await;
    }

    /// Closes every socket.
    pub async fn shutdown(self) {
        self.close_admin.notify_one();
        for system in self.systems {
            system.shutdown().await;
        }
        if let Err(error) = self.admin.await {
            tracing::warn!(%error, "the admin door ended badly");
        }
    }
}

fn failed(code: &'static str, message: &str, error: impl std::fmt::Display) -> Error {
    Error::new(ErrorKind::Unavailable, code, message).with_detail(error)
}

/// Opens the worlds and listens.
///
/// # Errors
/// `world_state` for the folder, `lab_listen` for the sockets.
pub async fn start_world(options: WorldProcessOptions) -> platform::Result<RunningWorld> {
    let state = |error| failed("world_state", "the lab's state folder cannot be read or written", error);
    std::fs::create_dir_all(&options.state_dir).map_err(state)?;
    let clock = Arc::new(SharedFileClock::open(&options.clock_file).map_err(state)?);
    let shared: SharedClock = clock.clone();
    let faults = Arc::new(Faults::default());
    let commands = Arc::new(CommandLog::open(&options.state_dir.join("device-commands.jsonl")).map_err(state)?);
    let ports_file = options.state_dir.join("ports.json");
    let mut ports: BTreeMap<String, u16> =
        std::fs::read(&ports_file).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default();
    let mut systems = Vec::new();
    let mut worlds: Vec<Arc<World>> = Vec::new();
    let mut ticketing: BTreeMap<String, Arc<ServiceNow>> = BTreeMap::new();
    let mut accounts = BTreeMap::new();
    let (mut networks, mut knobs) = (BTreeMap::new(), BTreeMap::new());
    let mut simulators = BTreeMap::new();
    for instance in &options.instances {
        let known = Accounts::open(
            options.state_dir.join(format!("{}-accounts.json", instance.name)),
            &instance.username,
            instance.password.clone(),
        );
        let known = Arc::new(known.map_err(state)?);
        accounts.insert(instance.name.clone(), Arc::clone(&known));
        let listen = reused(instance.listen, ports.get(&instance.name).copied()).await;
        let running = match instance.system {
            System::CatalystCenter(region) => {
                let world = Arc::new(World::open(WorldOptions {
                    seed: options.seed,
                    devices: options.devices,
                    region,
                    state_dir: Some(options.state_dir.join(&instance.name)),
                    clock: Arc::clone(&shared),
                })?);
                worlds.push(Arc::clone(&world));
                let own = Arc::new(Knobs::new(CALLS_PER_MINUTE, options.pace));
                networks.insert(instance.name.clone(), Arc::clone(&world));
                knobs.insert(instance.name.clone(), Arc::clone(&own));
                Simulator::start(SimulatorOptions {
                    knobs: Some(own),
                    listen,
                    faults: Arc::clone(&faults),
                    commands: Arc::clone(&commands),
                    accounts: known,
                    ..SimulatorOptions::new(
                        &instance.name,
                        world,
                        &instance.username,
                        instance.password.clone(),
                        Arc::clone(&shared),
                    )
                })
                .await?
            }
            System::ServiceNow => {
                let ready = ServiceNow::new(ServiceNowOptions {
                    seed: options.seed,
                    accounts: known,
                    ..ServiceNowOptions::new(
                        &instance.name,
                        worlds.clone(),
                        &instance.username,
                        instance.password.clone(),
                        Arc::clone(&shared),
                    )
                })?;
                ticketing.insert(instance.name.clone(), Arc::clone(&ready));
                ready.serve(listen, Arc::clone(&faults)).await?
            }
        };
        ports.insert(instance.name.clone(), running.address.port());
        simulators.insert(
            instance.name.clone(),
            SystemReady { url: running.url.clone(), username: instance.username.clone() },
        );
        systems.push(running);
    }
    let stop = Arc::new(Notify::new());
    let close_admin = Arc::new(Notify::new());
    let door = Admin {
        token: options.admin_token,
        systems: Arc::new(accounts),
        networks: Arc::new(networks),
        knobs: Arc::new(knobs),
        faults,
        commands,
        clock,
        stop: Arc::clone(&stop),
    };
    let listen_error = |error| failed("lab_listen", "the lab's admin door cannot listen", error);
    let address = reused(options.admin_listen, ports.get("admin").copied()).await;
    if !address.ip().is_loopback() {
        return Err(failed("lab_listen", "the lab's admin door listens on loopback only", address));
    }
    let listener = TcpListener::bind(address).await.map_err(listen_error)?;
    let address = listener.local_addr().map_err(listen_error)?;
    ports.insert("admin".to_owned(), address.port());
    keep(&ports_file, &ports).map_err(state)?;
    let closed = Arc::clone(&close_admin);
    let admin = tokio::spawn(async move {
        let app = world::admin::router(door, Router::new().merge(approvals::routes(ticketing)));
        axum::serve(listener, app).with_graceful_shutdown(async move { closed.notified().await }).await
    });
    let ready = WorldReady { ready: true, pid: std::process::id(), simulators, admin: format!("http://{address}") };
    Ok(RunningWorld { ready, systems, admin, close_admin, stop })
}

/// The address of the last run where the caller left the port open and it is free.
async fn reused(wanted: SocketAddr, last: Option<u16>) -> SocketAddr {
    let Some(port) = last.filter(|_| wanted.port() == 0) else { return wanted };
    let same = SocketAddr::new(wanted.ip(), port);
    match TcpListener::bind(same).await {
        Ok(_) => same,
        Err(_) => wanted,
    }
}

/// Writes beside and renames, so that a killed process leaves the old file or the new one.
fn keep(path: &Path, ports: &BTreeMap<String, u16>) -> std::io::Result<()> {
    let beside = path.with_extension("new");
    std::fs::write(&beside, serde_json::to_vec(ports)?)?;
    std::fs::rename(beside, path)
}

/// Runs until SIGTERM, SIGINT or `POST /shutdown`: prints [`WorldReady`] as one JSON line on standard output when ready,
/// and nothing else there.
///
/// # Errors
/// As [`start_world`], and `lab_output` when standard output is closed.
pub async fn run_world(options: WorldProcessOptions) -> platform::Result<()> {
    let signals = |error| failed("lab_signals", "signals cannot be received", error);
    let mut terminate = signal(SignalKind::terminate()).map_err(signals)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(signals)?;
    let running = start_world(options).await?;
    let mut line = serde_json::to_vec(&running.ready).map_err(Error::internal)?;
    line.push(b'\n');
    let mut out = std::io::stdout();
    out.write_all(&line)
        .and_then(|()| out.flush())
        .map_err(|error| failed("lab_output", "standard output is closed", error))?;
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
        () = running.asked_to_stop() => {}
    }
    running.shutdown().await;
    Ok(())
}
