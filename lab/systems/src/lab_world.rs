//! The world of one lab's state folder: started by the lab, found again when it outlived a killed platform, stopped with
//! the lab. Its settings and secrets stand in the state folder, so that a lab that is started again meets the same world.
//! Where next: [`crate::process`], which runs in the process that is started here.

use std::collections::BTreeMap;
use std::fs::File;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use axum::http::{HeaderValue, Method, header};
use catalyst_center_simulator::Pace;
use platform::http::{Request, TargetClient, TargetOptions};
use platform::{Error, ErrorKind, Result, Secret, private_file, seal};
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::Command;
use url::Url;
use world::Region;

use crate::process::{InstanceOptions, System, WorldProcessOptions, run_world};

/// The lab's systems by instance name.
const SYSTEMS: [(&str, System); 3] = [
    ("catalyst-center", System::CatalystCenter(Region::AmerApj)),
    ("catalyst-center-emea", System::CatalystCenter(Region::Emea)),
    ("servicenow", System::ServiceNow),
];
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
    /// Password by system.
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

/// One simulated system, with the platform's account on it. No `Debug`: it holds the password.
pub struct LabSystem {
    /// Name of the connector that reaches it, as a `[[server]]` block spells it.
    pub connector: &'static str,
    /// `http://127.0.0.1:PORT`.
    pub url: String,
    /// The account.
    pub username: String,
    /// Its password.
    pub password: String,
}

/// The running world of a lab. No `Debug`: it holds the token of the admin door.
pub struct LabWorld {
    /// Systems by instance name.
    pub systems: BTreeMap<String, LabSystem>,
    /// URL of the admin door.
    pub admin_url: String,
    /// Bearer token of the admin door.
    pub admin_token: String,
}

/// Where a lab's world keeps its files: below the lab's state folder.
struct Places(PathBuf);

impl Places {
    fn clock(&self) -> PathBuf {
        self.0.join("clock")
    }

    fn world(&self) -> PathBuf {
        self.0.join("world")
    }

    /// What the process needs to know to start, with its secrets; mode 0600.
    fn settings(&self) -> PathBuf {
        self.world().join("settings.json")
    }

    /// What the process says about itself.
    fn ready(&self) -> PathBuf {
        self.world().join("ready.json")
    }

    /// Where the process writes what it has to say.
    fn log(&self) -> PathBuf {
        self.world().join("world.log")
    }
}

impl LabWorld {
    /// Finds the world that is still running for a lab's state folder, or starts it as `<this program> lab world --state
    /// <folder>`. The number of devices is the first start's.
    ///
    /// # Errors
    /// `lab_world_failed`.
    pub async fn start(state: PathBuf, devices: u32) -> Result<Self> {
        let places = Places(state);
        let settings = settings(&places, devices)?;
        if let Some(listening) = read::<Listening>(&places.ready())
            && answers(&listening.admin, &settings.admin_token).await
        {
            return Ok(simulated(listening, settings));
        }
        let listening = launch(&places).await?;
        let bytes = serde_json::to_vec(&listening).map_err(Error::internal)?;
        private_file::write(&places.ready(), &bytes).map_err(Error::internal)?;
        Ok(simulated(listening, settings))
    }

    /// Asks the process to stop; a lab that ends leaves nothing running.
    pub async fn stop(&self) {
        if let Err(error) = ask(&self.admin_url, &self.admin_token, Method::POST, "/shutdown").await {
            tracing::warn!(error.message = %error, "the simulated systems did not stop");
        }
    }
}

/// `interlock lab world`: the process itself.
///
/// # Errors
/// `lab_state_unusable` for a folder that no lab has made, and those of [`run_world`].
pub async fn run(state: PathBuf) -> Result<()> {
    let places = Places(state.canonicalize().map_err(Error::internal)?);
    let settings: Settings = read(&places.settings()).ok_or_else(|| {
        Error::new(
            ErrorKind::InvalidInput,
            "lab_state_unusable",
            "This state folder has no world. `interlock lab` makes it and starts this process by itself.",
        )
    })?;
    let loopback = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let instances = SYSTEMS.iter().map(|(name, system)| InstanceOptions {
        name: (*name).to_owned(),
        system: *system,
        listen: loopback,
        username: ACCOUNT.to_owned(),
        password: Secret::new(settings.passwords.get(*name).cloned().unwrap_or_default()),
    });
    run_world(WorldProcessOptions {
        state_dir: places.world(),
        clock_file: places.clock(),
        instances: instances.collect(),
        admin_listen: loopback,
        admin_token: Secret::new(settings.admin_token.clone()),
        devices: settings.devices,
        seed: settings.seed,
        pace: Pace::default(),
    })
    .await
}

/// Reads the settings of a state folder, or makes them. The number of devices is the first start's; a system that came
/// later gets its password now.
fn settings(places: &Places, devices: u32) -> Result<Settings> {
    let text = || seal::random_text::<24>();
    let kept: Option<Settings> = read(&places.settings());
    let before = kept.as_ref().map(|settings| settings.passwords.len());
    let mut settings = match kept {
        Some(settings) => settings,
        None => Settings { seed: 20_260_701, devices, admin_token: text()?, passwords: BTreeMap::new() },
    };
    for (name, _) in SYSTEMS {
        if !settings.passwords.contains_key(name) {
            settings.passwords.insert(name.to_owned(), text()?);
        }
    }
    if before != Some(settings.passwords.len()) {
        let bytes = serde_json::to_vec(&settings).map_err(Error::internal)?;
        private_file::write(&places.settings(), &bytes).map_err(Error::internal)?;
    }
    Ok(settings)
}

fn read<T: for<'de> Deserialize<'de>>(path: &Path) -> Option<T> {
    serde_json::from_slice(&std::fs::read(path).ok()?).ok()
}

/// Starts the process in a group of its own, so that what kills the platform's terminal session leaves it alone, and
/// waits for its ready line.
async fn launch(places: &Places) -> Result<Listening> {
    let failed = |why: String| {
        Error::new(
            ErrorKind::Unavailable,
            "lab_world_failed",
            format!("The simulated systems could not be started; {} says why.", places.log().display()),
        )
        .with_detail(why)
    };
    let program = std::env::current_exe().map_err(|e| failed(e.to_string()))?;
    let log = File::create(places.log()).map_err(|e| failed(e.to_string()))?;
    let mut child = Command::new(program)
        .args(["lab", "world", "--state"])
        .arg(&places.0)
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

fn simulated(mut listening: Listening, settings: Settings) -> LabWorld {
    let Settings { admin_token, mut passwords, .. } = settings;
    let admin_url = listening.admin;
    let systems = SYSTEMS.iter().filter_map(|(name, system)| {
        let ListeningSystem { url, username } = listening.simulators.remove(*name)?;
        let password = passwords.remove(*name).unwrap_or_default();
        Some(((*name).to_owned(), LabSystem { connector: system.connector(), url, username, password }))
    });
    LabWorld { systems: systems.collect(), admin_url, admin_token }
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
