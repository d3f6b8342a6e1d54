//! A PostgreSQL server: the one that the environment names, or one of our own.

use std::fs;
use std::io;
use std::net::TcpListener;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::thread;
use std::time::Duration;

use rustix::process::Signal;
use tempfile::TempDir;

use crate::database::Database;
use crate::error::EngineError;
use crate::installation::Installation;
use crate::process::Running;

/// Names a server that tests may use, for example `postgres://postgres@127.0.0.1:5432`; `cargo xtask test` sets it.
pub const TEST_POSTGRES: &str = "INTERLOCK_TEST_POSTGRES";
/// PostgreSQL refuses to run as root; then it runs as nobody.
const NOBODY: u32 = 65_534;
/// Between two looks at a server that starts.
const POLL: Duration = Duration::from_millis(50);
/// Looks before a start has failed: 60 seconds, for recovery after a kill takes its time on a busy disk.
const POLLS: u32 = 1200;

/// What a server of our own is started with.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// Whether a commit is on disk when it returns. Off is faster and loses nothing as long as the machine lives; a crash
    /// test needs it on.
    pub fsync: bool,
    /// The password of the user `postgres`, asked for by SCRAM-SHA-256. Without it everybody is trusted.
    pub password: Option<String>,
    /// Speaks TLS with this certificate.
    pub certificate: Option<Certificate>,
}

/// A certificate of a server, in PEM.
#[derive(Debug, Clone)]
pub struct Certificate {
    /// The certificate, and those above it.
    pub chain_pem: String,
    /// Its private key.
    pub key_pem: String,
}

/// A running PostgreSQL. Clones share it; the last one to go stops a server of our own.
#[derive(Debug, Clone)]
pub struct Postgres {
    server: Arc<Server>,
}

#[derive(Debug)]
enum Server {
    /// Somebody else's, by URL.
    Given {
        installation: Installation,
        url: String,
    },
    Own(Own),
}

#[derive(Debug)]
struct Own {
    installation: Installation,
    settings: Settings,
    port: u16,
    running: Mutex<Option<Running>>,
    folder: TempDir,
}

impl Postgres {
    /// The server for a test: the one that `INTERLOCK_TEST_POSTGRES` names, else one that all tests of this process share
    /// and that is stopped after the last of them. Without fsync.
    ///
    /// `None`, and a line that says how to get it, when PostgreSQL is not installed: the test returns. Where the variable
    /// `CI` is set, this panics instead, so that a suite which proves nothing is never green.
    #[expect(clippy::panic, clippy::print_stderr, reason = "the voice of a test that cannot run")]
    pub fn for_tests() -> Option<Self> {
        match Self::shared() {
            Ok(server) => Some(server),
            Err(error @ EngineError::Missing { .. }) if !in_ci() => {
                eprintln!("skipped: {error}");
                None
            }
            Err(error) => panic!("{error}"),
        }
    }

    /// Starts a server of its own, with everybody trusted. Errors: [`EngineError`], `Missing` when PostgreSQL is not
    /// installed.
    pub fn start(fsync: bool) -> Result<Self, EngineError> {
        Self::start_with(Settings { fsync, ..Settings::default() })
    }

    /// Like [`for_tests`](Self::for_tests), for a server of its own with these settings.
    #[expect(clippy::panic, clippy::print_stderr, reason = "the voice of a test that cannot run")]
    pub fn own_for_tests(settings: Settings) -> Option<Self> {
        match Self::start_with(settings) {
            Ok(server) => Some(server),
            Err(error @ EngineError::Missing { .. }) if !in_ci() => {
                eprintln!("skipped: {error}");
                None
            }
            Err(error) => panic!("{error}"),
        }
    }

    /// Starts a server of its own with these settings. Blocks until it answers, 2 seconds or so.
    pub fn start_with(settings: Settings) -> Result<Self, EngineError> {
        let installation = Installation::find()?;
        let folder = tempfile::Builder::new()
            .prefix("interlock-postgres-")
            .tempdir()
            .map_err(|error| EngineError::Folder { path: std::env::temp_dir(), error })?;
        give_away(folder.path())?;
        let own = Own { installation, settings, port: free_port()?, running: Mutex::new(None), folder };
        own.initialise()?;
        own.start()?;
        Ok(Self { server: Arc::new(Server::Own(own)) })
    }

    /// Its URL without a database: `postgres://postgres@127.0.0.1:<port>`. A password is never in it.
    pub fn url(&self) -> String {
        match self.server.as_ref() {
            Server::Given { url, .. } => url.clone(),
            Server::Own(own) => format!("postgres://postgres@127.0.0.1:{}", own.port),
        }
    }

    /// The password of the user `postgres`, if it has one.
    pub fn password(&self) -> Option<&str> {
        match self.server.as_ref() {
            Server::Given { .. } => None,
            Server::Own(own) => own.settings.password.as_deref(),
        }
    }

    /// Which PostgreSQL was found on this machine.
    pub fn installation(&self) -> &Installation {
        match self.server.as_ref() {
            Server::Given { installation, .. } => installation,
            Server::Own(own) => &own.installation,
        }
    }

    /// A fresh, empty database, dropped with the value. Blocks for a moment.
    pub fn database(&self) -> Result<Database, EngineError> {
        Database::create(self.clone())
    }

    /// Kills the server and all its children at once (SIGKILL), as a crash would. Errors: [`EngineError::Shared`].
    pub fn kill(&self) -> Result<(), EngineError> {
        if let Some(running) = self.own()?.running.lock().unwrap_or_else(PoisonError::into_inner).take() {
            running.kill();
        }
        Ok(())
    }

    /// Stops the server in order, so that every connection ends. Errors: [`EngineError::Shared`].
    pub fn stop(&self) -> Result<(), EngineError> {
        self.own()?.stop();
        Ok(())
    }

    /// Starts it again on the same folder and port after [`kill`](Self::kill) or [`stop`](Self::stop), and waits until it
    /// has recovered. Errors: [`EngineError`].
    pub fn restart(&self) -> Result<(), EngineError> {
        let own = self.own()?;
        own.stop();
        own.start()
    }

    fn own(&self) -> Result<&Own, EngineError> {
        match self.server.as_ref() {
            Server::Given { .. } => Err(EngineError::Shared(TEST_POSTGRES)),
            Server::Own(own) => Ok(own),
        }
    }

    fn shared() -> Result<Self, EngineError> {
        static OF_THIS_PROCESS: Mutex<Weak<Server>> = Mutex::new(Weak::new());
        if let Some(url) = given() {
            let installation = Installation::find()?;
            let url = url.trim_end_matches('/').to_owned();
            return Ok(Self { server: Arc::new(Server::Given { installation, url }) });
        }
        let mut known = OF_THIS_PROCESS.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(server) = known.upgrade() {
            return Ok(Self { server });
        }
        let started = Self::start(false)?;
        *known = Arc::downgrade(&started.server);
        Ok(started)
    }
}

impl Own {
    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    fn log(&self) -> PathBuf {
        self.folder.path().join("log")
    }

    fn initialise(&self) -> Result<(), EngineError> {
        let mut initdb = self.command("initdb");
        initdb.arg("-D").arg(self.data()).args(["-U", "postgres", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync"]);
        match &self.settings.password {
            None => {
                initdb.args(["-A", "trust"]);
            }
            Some(password) => {
                let file = self.folder.path().join("password");
                self.write_private(&file, password)?;
                initdb.args(["-A", "scram-sha-256"]).arg("--pwfile").arg(file);
            }
        }
        run(initdb)?;
        if let Some(certificate) = &self.settings.certificate {
            self.write_private(&self.folder.path().join("server.crt"), &certificate.chain_pem)?;
            self.write_private(&self.folder.path().join("server.key"), &certificate.key_pem)?;
        }
        Ok(())
    }

    fn start(&self) -> Result<(), EngineError> {
        // What a killed server leaves in shared memory goes with its last child, which the kernel may still be ending.
        let mut last = None;
        for _ in 0..5 {
            match self.start_once() {
                Ok(running) => {
                    *self.running.lock().unwrap_or_else(PoisonError::into_inner) = Some(running);
                    return Ok(());
                }
                Err(error) => last = Some(error),
            }
            thread::sleep(POLL * 10);
        }
        Err(last.unwrap_or_else(|| EngineError::NotReady { log: String::new() }))
    }

    fn start_once(&self) -> Result<Running, EngineError> {
        let at_log = |error| EngineError::Folder { path: self.log(), error };
        let log = fs::OpenOptions::new().create(true).append(true).open(self.log()).map_err(at_log)?;
        let mut server = self.command("postgres");
        server.arg("-D").arg(self.data()).args(["-p", &self.port.to_string(), "-c", "listen_addresses=127.0.0.1"]);
        server.arg("-c").arg(format!("unix_socket_directories={}", self.folder.path().display()));
        // Small, since many of them may run at a time; many connections, since many tests share one.
        server.args(["-c", "max_connections=300", "-c", "shared_buffers=32MB"]);
        if !self.settings.fsync {
            server.args(["-c", "fsync=off", "-c", "synchronous_commit=off", "-c", "full_page_writes=off"]);
        }
        if self.settings.certificate.is_some() {
            server.args(["-c", "ssl=on"]);
            for (name, file) in [("ssl_cert_file", "server.crt"), ("ssl_key_file", "server.key")] {
                server.arg("-c").arg(format!("{name}={}", self.folder.path().join(file).display()));
            }
        }
        server.stdin(Stdio::null()).stdout(log.try_clone().map_err(at_log)?).stderr(log);
        let running = Running::start(server)
            .map_err(|error| EngineError::Program { program: "postgres".to_owned(), why: error.to_string() })?;
        for _ in 0..POLLS {
            if running.ended().is_some() {
                return Err(EngineError::NotReady { log: self.end_of_log() });
            }
            let mut ready = Command::new(self.installation.program("pg_isready"));
            ready.args(["-q", "-h", "127.0.0.1", "-p", &self.port.to_string()]);
            if ready.stdin(Stdio::null()).status().is_ok_and(|status| status.success()) {
                return Ok(running);
            }
            thread::sleep(POLL);
        }
        running.kill();
        Err(EngineError::NotReady { log: self.end_of_log() })
    }

    fn stop(&self) {
        let running = self.running.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(running) = running {
            // SIGINT is PostgreSQL's fast shutdown: connections end, what is open is rolled back, the log is folded in.
            running.stop(Signal::INT);
        }
    }

    /// A program of PostgreSQL that ends with us, as nobody when we are root, in our folder and the C locale.
    fn command(&self, program: &str) -> Command {
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "INT"]);
        if is_root() {
            let (uid, gid) = (format!("--reuid={NOBODY}"), format!("--regid={NOBODY}"));
            command.args([uid.as_str(), gid.as_str(), "--clear-groups"]);
        }
        command.arg(self.installation.program(program));
        command.current_dir(self.folder.path()).env("HOME", self.folder.path()).env("LC_ALL", "C.UTF-8");
        command
    }

    fn write_private(&self, path: &Path, text: &str) -> Result<(), EngineError> {
        let at = |error| EngineError::Folder { path: path.to_owned(), error };
        fs::write(path, text).map_err(at)?;
        fs::set_permissions(path, fs::Permissions::from_mode(0o600)).map_err(at)?;
        give_away(path)
    }

    fn end_of_log(&self) -> String {
        let text = fs::read_to_string(self.log()).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(12)..].join("\n")
    }
}

impl Drop for Own {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Runs a program to its end.
pub(crate) fn run(mut command: Command) -> Result<String, EngineError> {
    let program = format!("{:?}", command.get_program());
    let failed = |why: String| EngineError::Program { program: program.clone(), why };
    let done = command.stdin(Stdio::null()).output().map_err(|error| failed(error.to_string()))?;
    if done.status.success() {
        return Ok(String::from_utf8_lossy(&done.stdout).into_owned());
    }
    let said = String::from_utf8_lossy(&done.stderr).trim().to_owned();
    Err(failed(format!("{}: {said}", done.status)))
}

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// Makes nobody the owner when the server will run as nobody.
fn give_away(path: &Path) -> Result<(), EngineError> {
    if !is_root() {
        return Ok(());
    }
    chown(path, Some(NOBODY), Some(NOBODY)).map_err(|error| EngineError::Folder { path: path.to_owned(), error })
}

/// A port that was free a moment ago.
fn free_port() -> Result<u16, EngineError> {
    let port = || -> io::Result<u16> { Ok(TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port()) };
    port().map_err(|error| EngineError::Program { program: "bind".to_owned(), why: error.to_string() })
}

#[expect(clippy::disallowed_methods, reason = "the task that starts one server for all tests names it to them")]
fn given() -> Option<String> {
    std::env::var(TEST_POSTGRES).ok().filter(|url| !url.is_empty())
}

#[expect(clippy::disallowed_methods, reason = "every CI sets this variable; a test has no configuration to read")]
fn in_ci() -> bool {
    std::env::var_os("CI").is_some_and(|value| !matches!(value.to_str(), Some("" | "0" | "false")))
}
