//! The simulated systems' process: started by the lab, found again when it outlived a killed platform, stopped with the
//! lab. Its settings and secrets stand in the state folder, so that a lab that is started again meets the same world.

use std::collections::BTreeMap;
use std::fs::File;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::process::Stdio;
use std::time::{Duration, Instant};

use catalyst_center_simulator::process::{InstanceOptions, WorldProcessOptions, run_world};
use catalyst_center_simulator::simulator::Pace;
use http::{HeaderValue, Method, header};
use platform::http::{Request, TargetClient, TargetOptions};
use platform::{Error, ErrorKind, Result, Secret, private_file, seal};
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::Command;
use url::Url;
use world::Region;

use crate::lab_state::LabState;

/// The lab's controllers, and the part of the network each manages.
const CONTROLLERS: [(&str, Region); 2] = [("catalyst-center", Region::AmerApj), ("catalyst-center-emea", Region::Emea)];
/// The account of the platform on each.
const ACCOUNT: &str = "interlock";
/// Longest time that the world may take to listen.
const START: Duration = Duration::from_secs(20);

/// What the process needs to know; kept in the state folder.
#[derive(Clone, Serialize, Deserialize)]
struct Settings {
    seed: u64,
    devices: u32,
    admin_token: String,
    /// Password by controller.
    passwords: BTreeMap<String, String>,
}

/// What the process says when it listens; kept beside the settings.
#[derive(Serialize, Deserialize)]
struct Listening {
    simulators: BTreeMap<String, ListeningSystem>,
    admin: String,
}

#[derive(Serialize, Deserialize)]
struct ListeningSystem {
    url: String,
    username: String,
}

/// One simulated system.
pub(super) struct System {
    pub(super) url: String,
    pub(super) username: String,
    pub(super) password: String,
}

/// The running world.
pub(super) struct Simulated {
    pub(super) systems: BTreeMap<String, System>,
    pub(super) admin_url: String,
    pub(super) admin_token: String,
}

/// Finds the world that is still running for this state folder, or starts it.
pub(super) async fn start(state: LabState, devices: u32) -> Result<Simulated> {
    let settings = settings(&state, devices)?;
    if let Some(listening) = read::<Listening>(&state.world_ready())
        && answers(&listening.admin, &settings.admin_token).await
    {
        return Ok(simulated(listening, settings));
    }
    let listening = launch(&state).await?;
    let bytes = serde_json::to_vec(&listening).map_err(Error::internal)?;
    private_file::write(&state.world_ready(), &bytes).map_err(Error::internal)?;
    Ok(simulated(listening, settings))
}

impl Simulated {
    /// Asks the process to stop; a lab that ends leaves nothing running.
    pub(super) async fn stop(&self) {
        if let Err(error) = ask(&self.admin_url, &self.admin_token, Method::POST, "/shutdown").await {
            tracing::warn!(error.message = %error, "the simulated systems did not stop");
        }
    }
}

/// `interlock lab world`: the process itself.
pub async fn world(state: PathBuf) -> Result<()> {
    let state = LabState::at(state.canonicalize().map_err(Error::internal)?);
    let settings: Settings = read(&state.world_settings()).ok_or_else(|| {
        Error::new(
            ErrorKind::InvalidInput,
            "lab_state_unusable",
            "This state folder has no world. `interlock lab` makes it and starts this process by itself.",
        )
    })?;
    let loopback = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let instances = CONTROLLERS.iter().map(|(name, region)| InstanceOptions {
        name: (*name).to_owned(),
        region: *region,
        listen: loopback,
        username: ACCOUNT.to_owned(),
        password: Secret::new(settings.passwords.get(*name).cloned().unwrap_or_default()),
    });
    run_world(WorldProcessOptions {
        state_dir: state.world(),
        clock_file: state.clock(),
        instances: instances.collect(),
        admin_listen: loopback,
        admin_token: Secret::new(settings.admin_token.clone()),
        devices: settings.devices,
        seed: settings.seed,
        pace: Pace::default(),
    })
    .await
}

/// Reads the settings of a state folder, or makes them. The number of devices is the first start's.
fn settings(state: &LabState, devices: u32) -> Result<Settings> {
    if let Some(settings) = read(&state.world_settings()) {
        return Ok(settings);
    }
    let text = || seal::random_text::<24>();
    let mut passwords = BTreeMap::new();
    for (name, _) in CONTROLLERS {
        passwords.insert(name.to_owned(), text()?);
    }
    let settings = Settings { seed: 20_260_701, devices, admin_token: text()?, passwords };
    let bytes = serde_json::to_vec(&settings).map_err(Error::internal)?;
    private_file::write(&state.world_settings(), &bytes).map_err(Error::internal)?;
    Ok(settings)
}

fn read<T: for<'de> Deserialize<'de>>(path: &std::path::Path) -> Option<T> {
    serde_json::from_slice(&std::fs::read(path).ok()?).ok()
}

/// Starts the process in a group of its own, so that what kills the platform's terminal session leaves it alone, and
/// waits for its ready line.
async fn launch(state: &LabState) -> Result<Listening> {
    let failed = |why: String| {
        Error::new(
            ErrorKind::Unavailable,
            "lab_world_failed",
            format!("The simulated systems could not be started; {} says why.", state.world_log().display()),
        )
        .with_detail(why)
    };
    let program = std::env::current_exe().map_err(|e| failed(e.to_string()))?;
    let log = File::create(state.world_log()).map_err(|e| failed(e.to_string()))?;
    let mut child = Command::new(program)
        .args(["lab", "world", "--state"])
        .arg(state.root())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(log)
        .process_group(0)
        .kill_on_drop(false)
        .spawn()
        .map_err(|e| failed(e.to_string()))?;
    let output = child.stdout.take().ok_or_else(|| failed("no output".to_owned()))?;
    let mut line = String::new();
    let read = tokio::time::timeout(START, BufReader::new(output).read_line(&mut line)).await;
    match read {
        Ok(Ok(_)) => serde_json::from_str(&line).map_err(|e| failed(e.to_string())),
        Ok(Err(e)) => Err(failed(e.to_string())),
        Err(_) => Err(failed("it did not listen in time".to_owned())),
    }
}

fn simulated(listening: Listening, settings: Settings) -> Simulated {
    let Settings { admin_token, mut passwords, .. } = settings;
    let systems = listening.simulators.into_iter().map(|(name, system)| {
        let password = passwords.remove(&name).unwrap_or_default();
        (name, System { url: system.url, username: system.username, password })
    });
    Simulated { systems: systems.collect(), admin_url: listening.admin, admin_token }
}

/// Whether the admin door of an earlier world answers, with the token of this state folder.
async fn answers(admin: &str, token: &str) -> bool {
    ask(admin, token, Method::GET, "/faults").await.is_ok()
}

async fn ask(admin: &str, token: &str, method: Method, path: &str) -> Result<()> {
    let base = Url::parse(admin).map_err(Error::internal)?;
    let client = TargetClient::new(TargetOptions::new("lab admin", base))?;
    let bearer = HeaderValue::from_str(&format!("Bearer {token}")).map_err(Error::internal)?;
    let request =
        Request::new(method, path, Instant::now() + Duration::from_secs(3)).header(header::AUTHORIZATION, bearer);
    let response = client.send(request).await?;
    if response.status.is_success() { Ok(()) } else { Err(Error::internal(format!("HTTP {}", response.status))) }
}
