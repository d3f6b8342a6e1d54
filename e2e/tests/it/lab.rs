//! A lab as a child process: port 0, a state folder of its own, killed by its process id.

use std::collections::HashMap;
use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Arc, Mutex, PoisonError, Weak, mpsc};
use std::time::{Duration, Instant};

use platform::Json;
use platform::clock::SharedFileClock;
use reqwest::Client;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;
use story::people::LAB_CLIENT;
use story::{Person, Ready, SignInOptions};
use tempfile::TempDir;
use url::Url;

/// A machine that also compiles is slow.
const READY_WITHIN: Duration = Duration::from_secs(60);
const STOPPED_WITHIN: Duration = Duration::from_secs(20);

/// A running lab.
pub(crate) struct Lab {
    child: Child,
    folder: TempDir,
    profile: &'static str,
    pub(crate) ready: Ready,
    /// By person and audience. A sign-in costs a password hash; tokens live an hour.
    tokens: tokio::sync::Mutex<HashMap<(String, String), String>>,
}

impl Lab {
    /// The lab that tests share which leave nothing behind that another one could trip over. It ends with its last user.
    pub(crate) fn shared() -> Arc<Self> {
        static SHARED: Mutex<Weak<Lab>> = Mutex::new(Weak::new());
        let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
        shared.upgrade().unwrap_or_else(|| {
            let lab = Arc::new(Self::start());
            *shared = Arc::downgrade(&lab);
            lab
        })
    }

    /// A lab of its own.
    pub(crate) fn start() -> Self {
        Self::start_under("lab-open")
    }

    /// A lab under this policy profile.
    pub(crate) fn start_under(profile: &'static str) -> Self {
        let folder = TempDir::new().unwrap();
        let (child, ready) = launch(folder.path(), profile);
        Self { child, folder, profile, ready, tokens: tokio::sync::Mutex::default() }
    }

    /// Kill -9, and nothing else: the simulated network goes on.
    pub(crate) fn kill(&self) {
        kill_process(self.pid(), Signal::KILL).unwrap();
    }

    /// Starts the killed program again over the same state folder.
    pub(crate) fn start_again(&mut self) {
        self.child.wait().unwrap();
        let (child, ready) = launch(self.folder.path(), self.profile);
        self.child = child;
        self.ready = ready;
        self.tokens = tokio::sync::Mutex::default();
    }

    fn pid(&self) -> Pid {
        i32::try_from(self.child.id()).ok().and_then(Pid::from_raw).unwrap()
    }

    /// Resident memory of the program, bytes.
    pub(crate) fn resident(&self) -> u64 {
        let text = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("the program has ended");
        line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() << 10
    }

    /// The state folder.
    pub(crate) fn state(&self) -> PathBuf {
        self.folder.path().join("state")
    }

    /// What the program wrote to standard error, over all starts.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("lab.log")).unwrap()
    }

    /// Base URL.
    pub(crate) fn url(&self) -> &str {
        &self.ready.url
    }

    /// Somebody of the lab.
    pub(crate) fn person(&self, name: &str) -> Person {
        Person::from(self.ready.user(name).unwrap())
    }

    /// The lab's clock.
    pub(crate) fn clock(&self) -> SharedFileClock {
        SharedFileClock::open(&self.state().join("clock")).unwrap()
    }

    /// A token for the platform, without a second factor.
    pub(crate) async fn token(&self, user: &str) -> String {
        self.token_for(user, self.url()).await
    }

    /// A token for one resource, without a second factor.
    pub(crate) async fn token_for(&self, user: &str, audience: &str) -> String {
        let mut tokens = self.tokens.lock().await;
        let key = (user.to_owned(), audience.to_owned());
        if let Some(token) = tokens.get(&key) {
            return token.clone();
        }
        let options = SignInOptions {
            issuer: self.ready.issuer.clone(),
            client_id: LAB_CLIENT.to_owned(),
            audience: audience.to_owned(),
            mfa: false,
        };
        let token = story::access_token(&options, &self.person(user), &self.clock(), &|_| ()).await.unwrap();
        let token = token.token.expose().to_owned();
        tokens.insert(key, token.clone());
        token
    }

    /// A token of the client `lab-automation` for the platform, by its own credentials.
    pub(crate) async fn automation_token(&self, http: &Client) -> String {
        self.automation_token_for(http, self.url()).await
    }

    /// The same for one resource.
    pub(crate) async fn automation_token_for(&self, http: &Client, audience: &str) -> String {
        let client = self.ready.clients.iter().find(|c| c.client_id == story::people::AUTOMATION_CLIENT).unwrap();
        let form = [("grant_type", "client_credentials"), ("scope", "mcp"), ("resource", audience)];
        let request = http.post(format!("{}/token", self.ready.issuer)).form(&form);
        let answer: Json = request
            .basic_auth(&client.client_id, client.client_secret.as_ref())
            .send()
            .await
            .unwrap()
            .json()
            .await
            .unwrap();
        answer["access_token"].as_str().unwrap_or_else(|| panic!("no token: {answer}")).to_owned()
    }

    /// Follows a refusal's link in a browser.
    pub(crate) async fn pass_second_factor(&self, link: &str, user: &str) -> Result<(), platform::Error> {
        let link = Url::parse(link).unwrap();
        story::pass_second_factor(&link, &self.person(user), &self.clock(), &|_| ()).await
    }

    /// The lab's admin door.
    pub(crate) async fn admin(&self, http: &Client, path: &str, body: Option<Json>) -> Json {
        let url = format!("{}{path}", self.ready.lab_admin.url);
        let request = match body {
            Some(body) => http.post(url).json(&body),
            None => http.get(url),
        };
        let answer = request.bearer_auth(&self.ready.lab_admin.token).send().await.unwrap();
        assert!(answer.status().is_success(), "{path}: {}", answer.text().await.unwrap());
        answer.json().await.unwrap()
    }

    /// Moves every clock of the lab.
    pub(crate) async fn advance(&self, http: &Client, seconds: i64) {
        self.admin(http, "/clock", Some(json!({ "advance_s": seconds }))).await;
    }

    /// Deployments that reached a device, oldest first.
    pub(crate) async fn device_commands(&self, http: &Client) -> Vec<Json> {
        let mut all = self.admin(http, "/device-commands", None).await;
        match all["commands"].take() {
            Json::Array(rows) => rows,
            other => panic!("no rows: {other}"),
        }
    }

    /// Runs the program on this lab's state folder.
    pub(crate) fn run(&self, arguments: &[&str]) -> Output {
        Command::new(binary()).args(arguments).arg("--state").arg(self.state()).stdin(Stdio::null()).output().unwrap()
    }

    /// Every audit record, oldest first, as `audit export` writes them.
    pub(crate) fn audit(&self) -> Vec<Json> {
        let out = self.run(&["audit", "export", "--json"]);
        assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
        let text = String::from_utf8(out.stdout).unwrap();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// The audit records of one request.
    pub(crate) fn records_of(&self, request_id: &str) -> Vec<Json> {
        self.audit().into_iter().filter(|r| r["http"]["request"]["id"] == request_id).collect()
    }

    /// `audit verify`: whether it passes, and what it says.
    pub(crate) fn verify(&self) -> (bool, String) {
        let out = self.run(&["audit", "verify", "--json"]);
        let said = [out.stdout, out.stderr].concat();
        (out.status.success(), String::from_utf8_lossy(&said).into_owned())
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) {
            // The lab stops the simulated systems on its way out.
            let _stopping = kill_process(self.pid(), Signal::TERM).is_ok();
        }
        let began = Instant::now();
        while began.elapsed() < STOPPED_WITHIN && matches!(self.child.try_wait(), Ok(None)) {
            std::thread::sleep(Duration::from_millis(20));
        }
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// The program that the workspace built, beside the folder of this test's own.
pub(crate) fn binary() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let built = test.parent().and_then(Path::parent).unwrap().join("interlock");
    assert!(built.is_file(), "{} is missing: build it first with `cargo build -p interlock-cli`", built.display());
    built
}

fn launch(folder: &Path, profile: &str) -> (Child, Ready) {
    let log = File::options().create(true).append(true).open(folder.join("lab.log")).unwrap();
    let mut command = Command::new(binary());
    command
        .args(["lab", "--json", "--listen", "127.0.0.1:0", "--profile", profile, "--state"])
        .arg(folder.join("state"));
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(log).spawn().unwrap();
    let out = child.stdout.take().unwrap();
    let (send, receive) = mpsc::channel();
    std::thread::spawn(move || {
        let mut lines = BufReader::new(out).lines();
        drop(send.send(lines.next()));
        // The contract: one line, and nothing else there.
        assert!(lines.next().is_none(), "a second line on standard output");
    });
    match receive.recv_timeout(READY_WITHIN) {
        Ok(Some(Ok(line))) => (child, serde_json::from_str(&line).unwrap()),
        other => {
            drop(child.kill());
            drop(child.wait());
            let log = std::fs::read_to_string(folder.join("lab.log")).unwrap_or_default();
            panic!("no ready line within {READY_WITHIN:?}: {other:?}\n{log}");
        }
    }
}
