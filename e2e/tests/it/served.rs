//! The platform as `interlock serve` runs it, with a configuration of the test's own and an issuer that signs anything.

use std::fs::File;
use std::io::Write as _;
use std::net::TcpListener;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use platform::Clock as _;
use platform::Json;
use platform::clock::SystemClock;
use platform_suites::signing_issuer::{Signer, TestIssuer};
use reqwest::{Client, RequestBuilder};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;
use tempfile::TempDir;

use crate::caller::{Answer, http};
use crate::lab::binary;

/// A machine that also compiles is slow.
const READY_WITHIN: Duration = Duration::from_secs(60);
const STOPPED_WITHIN: Duration = Duration::from_secs(20);
/// The master key of every platform that a test serves.
pub(crate) const MASTER_KEY: &str = "8c1f0a97d2e4b56370fe19a8c3d5427b6e90f1a2b3c4d5e60718293a4b5c6d7f";

/// A running platform.
pub(crate) struct Served {
    child: Child,
    folder: TempDir,
    pub(crate) url: String,
    pub(crate) http: Client,
    pub(crate) issuer: TestIssuer,
    /// The key that the issuer publishes.
    pub(crate) key: Signer,
}

impl Served {
    /// One whose only issuer publishes an ES256 key `k1`; `entry` is added to its table in the configuration.
    pub(crate) async fn start(entry: &str, secrets: &[(&str, &[(&str, &str)])]) -> Self {
        let key = Signer::ec("k1");
        let issuer = TestIssuer::start(&[&key]).await;
        let table = format!("[[issuer]]\nurl = \"{}\"\n{entry}\n", issuer.url);
        let (folder, url) = prepare(&issuer.url, &table, secrets);
        let http = http();
        let child = launch(folder.path(), &url, &http).await;
        Self { child, folder, url, http, issuer, key }
    }

    /// Kill -9, and the same platform again over the same state.
    pub(crate) async fn kill_and_start_again(&mut self) {
        self.kill();
        self.start_again().await;
    }

    /// Kill -9.
    pub(crate) fn kill(&mut self) {
        kill_process(pid(&self.child), Signal::KILL).unwrap();
        self.child.wait().unwrap();
    }

    /// The killed platform again, over the same state.
    pub(crate) async fn start_again(&mut self) {
        self.child = launch(self.folder.path(), &self.url, &self.http).await;
    }

    /// Runs a command of the program on its configuration: whether it succeeded, and what it said.
    pub(crate) fn command(&self, arguments: &[&str]) -> (bool, String) {
        let mut program = Command::new(binary());
        program.args(arguments).arg("--config").arg(self.folder.path().join("interlock.toml")).stdin(Stdio::null());
        let done = program.output().unwrap();
        let said = [done.stdout, done.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
        (done.status.success(), said)
    }

    /// The folder of configuration, key, log and `state`.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Id of the process.
    pub(crate) fn process(&self) -> u32 {
        self.child.id()
    }

    /// Good claims of a person for `audience`, with some replaced; `null` removes one.
    pub(crate) fn claims(&self, audience: &str, changes: &Json) -> Json {
        let now = SystemClock.epoch_seconds();
        let mut claims = json!({
            "iss": self.issuer.url, "sub": "alice", "aud": audience, "iat": now - 5, "exp": now + 600, "client_id": "cli",
            "jti": "t1", "sid": "s1", "scope": "mcp", "groups": ["network-engineers"], "auth_time": now - 5,
        });
        for (name, value) in changes.as_object().unwrap() {
            match value {
                Json::Null => drop(claims.as_object_mut().unwrap().remove(name)),
                value => claims[name] = value.clone(),
            }
        }
        claims
    }

    /// The REST door's resource.
    pub(crate) fn rest_resource(&self) -> String {
        format!("{}/api/v1", self.url)
    }

    /// The MCP door's resource.
    pub(crate) fn mcp_resource(&self) -> String {
        format!("{}/mcp/interlock", self.url)
    }

    /// `whoami` by REST, without a token yet.
    pub(crate) fn rest(&self) -> RequestBuilder {
        let url = format!("{}/api/v1/mcp/interlock/tools/whoami", self.url);
        self.http.post(url).json(&json!({"arguments": {}}))
    }

    /// `whoami` by MCP, without a token yet.
    pub(crate) fn mcp(&self) -> RequestBuilder {
        self.http
            .post(self.mcp_resource())
            .header("accept", "application/json, text/event-stream")
            .header("mcp-protocol-version", "2025-11-25")
            .json(&json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "whoami", "arguments": {}}}))
    }

    /// `whoami` by REST with this token.
    pub(crate) async fn whoami(&self, token: &str) -> Answer {
        Answer::of(self.rest().bearer_auth(token)).await
    }

    /// Sends a logout token to the back-channel door.
    pub(crate) async fn log_out(&self, logout_token: &str) -> Answer {
        Answer::of(self.http.post(format!("{}/backchannel-logout", self.url)).form(&[("logout_token", logout_token)]))
            .await
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) {
            let _stopping = kill_process(pid(&self.child), Signal::TERM).is_ok();
        }
        let began = Instant::now();
        while began.elapsed() < STOPPED_WITHIN && matches!(self.child.try_wait(), Ok(None)) {
            std::thread::sleep(Duration::from_millis(20));
        }
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn pid(child: &Child) -> Pid {
    i32::try_from(child.id()).ok().and_then(Pid::from_raw).unwrap()
}

/// Writes key, configuration and secrets, and chooses a port that is free now.
pub(crate) fn prepare(pages_issuer: &str, issuers: &str, secrets: &[(&str, &[(&str, &str)])]) -> (TempDir, String) {
    let folder = TempDir::new().unwrap();
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let url = format!("http://{address}");
    let key = folder.path().join("master.key");
    let mut file = File::options().write(true).create_new(true).mode(0o400).open(&key).unwrap();
    file.write_all(MASTER_KEY.as_bytes()).unwrap();
    let text = format!(
        "[platform]\nurl = \"{url}\"\nlisten = \"{address}\"\nstate = \"{state}\"\n\n[secrets]\nurl = \"local:secrets.db\"\n\
         master_key = \"file:{key}\"\n\n[pages]\nissuer = \"{pages_issuer}\"\n\n{issuers}",
        state = folder.path().join("state").display(),
        key = key.display(),
    );
    std::fs::create_dir(folder.path().join("state")).unwrap();
    let config = config(folder.path());
    std::fs::write(&config, text).unwrap();
    let pages: (&str, &[(&str, &str)]) = ("platform/pages", &[("client_secret", "pages-secret")]);
    for (path, fields) in secrets.iter().chain([&pages]) {
        put(&config, path, fields);
    }
    (folder, url)
}

fn config(folder: &Path) -> PathBuf {
    folder.join("interlock.toml")
}

fn put(config: &Path, path: &str, fields: &[(&str, &str)]) {
    let mut command = Command::new(binary());
    command.args(["secret", "put", path]).args(fields.iter().map(|(name, _)| name)).arg("--config").arg(config);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
    let mut input = child.stdin.take().unwrap();
    for (_, value) in fields {
        writeln!(input, "{value}").unwrap();
    }
    drop(input);
    assert!(child.wait().unwrap().success(), "secret put {path}");
}

/// Starts the program and waits until it answers.
pub(crate) async fn launch(folder: &Path, url: &str, http: &Client) -> Child {
    let log = File::options().create(true).append(true).open(folder.join("serve.log")).unwrap();
    let mut command = Command::new(binary());
    command.arg("serve").arg("--config").arg(config(folder));
    let output = log.try_clone().unwrap();
    let mut child = command.stdin(Stdio::null()).stdout(output).stderr(log).spawn().unwrap();
    let began = Instant::now();
    loop {
        if http.get(format!("{url}/healthz")).send().await.is_ok_and(|answer| answer.status().is_success()) {
            return child;
        }
        if began.elapsed() > READY_WITHIN || !matches!(child.try_wait(), Ok(None)) {
            drop(child.kill());
            drop(child.wait());
            panic!("the platform does not serve:\n{}", std::fs::read_to_string(folder.join("serve.log")).unwrap());
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
