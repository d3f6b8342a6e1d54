//! A lab as a child process: port 0, a state folder of its own, killed by its process id.

use std::collections::HashMap;
use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::net::{Ipv4Addr, SocketAddr};
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

use crate::crash::shim::Shim;

/// A machine that also compiles is slow.
const READY_WITHIN: Duration = Duration::from_secs(60);
const STOPPED_WITHIN: Duration = Duration::from_secs(20);

/// How a lab is started.
pub(crate) struct Launch {
    /// Policy profile.
    pub(crate) profile: &'static str,
    /// Loopback address; port 0 takes a free one at every start.
    pub(crate) listen: SocketAddr,
    /// Further arguments.
    pub(crate) more: Vec<String>,
    /// What stands between the program and its disk.
    pub(crate) shim: Option<Arc<Shim>>,
}

impl Launch {
    /// The lab that most tests want.
    pub(crate) fn under(profile: &'static str) -> Self {
        Self { profile, listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)), more: Vec::new(), shim: None }
    }
}

/// A start that came to nothing, with what it was given.
pub(crate) struct Unstarted {
    pub(crate) folder: TempDir,
    pub(crate) launch: Launch,
    pub(crate) why: String,
}

/// A running lab.
pub(crate) struct Lab {
    child: Child,
    folder: TempDir,
    launch: Launch,
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
        Self::start_as(TempDir::new().unwrap(), Launch::under(profile))
    }

    /// A lab over the folder `state` of this folder.
    pub(crate) fn start_as(folder: TempDir, launch: Launch) -> Self {
        Self::try_start_as(folder, launch).unwrap_or_else(|unstarted| panic!("{}", unstarted.why))
    }

    /// The same, for a start that may fail.
    pub(crate) fn try_start_as(folder: TempDir, launch: Launch) -> Result<Self, Box<Unstarted>> {
        match launched(folder.path(), &launch) {
            Ok((child, ready)) => Ok(Self { child, folder, launch, ready, tokens: tokio::sync::Mutex::default() }),
            Err(why) => Err(Box::new(Unstarted { folder, launch, why })),
        }
    }

    /// Kill -9, and nothing else: the simulated network goes on.
    pub(crate) fn kill(&self) {
        kill_process(self.pid(), Signal::KILL).unwrap();
    }

    /// Stops the program where it stands, or lets it go on.
    pub(crate) fn pause(&self, paused: bool) {
        kill_process(self.pid(), if paused { Signal::STOP } else { Signal::CONT }).unwrap();
    }

    /// Stops it in order, and the simulated network with it.
    pub(crate) fn stop(&mut self) {
        kill_process(self.pid(), Signal::TERM).unwrap();
        assert!(self.child.wait().unwrap().success());
    }

    /// The program dies at this moment of its next start, or goes on where nothing is said.
    pub(crate) fn dies_at(&mut self, moment: Option<&str>) {
        if let Some(at) = self.launch.more.iter().position(|argument| argument == "--kill-at") {
            self.launch.more.drain(at..=at + 1);
        }
        self.launch.more.extend(moment.into_iter().flat_map(|moment| ["--kill-at".to_owned(), moment.to_owned()]));
    }

    /// Starts the killed program again over the same state folder.
    pub(crate) fn start_again(&mut self) {
        self.try_start_again().unwrap_or_else(|why| panic!("{why}"));
    }

    /// The same, for a start that may fail; says why it did.
    pub(crate) fn try_start_again(&mut self) -> Result<(), String> {
        self.child.wait().unwrap();
        let (child, ready) = launched(self.folder.path(), &self.launch)?;
        self.child = child;
        self.ready = ready;
        self.tokens = tokio::sync::Mutex::default();
        Ok(())
    }

    /// Whether the program has ended and waits for somebody to ask.
    pub(crate) fn is_zombie(&self) -> bool {
        let status = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id())).unwrap_or_default();
        status.rsplit_once(") ").is_none_or(|(_, rest)| rest.starts_with('Z'))
    }

    /// Waits for the end of a program that was killed.
    pub(crate) fn wait(&mut self) {
        self.child.wait().unwrap();
    }

    /// Leaves everything on the disk, for a person to look at, and says where.
    pub(crate) fn keep(&mut self) -> &Path {
        self.folder.disable_cleanup(true);
        self.folder.path()
    }

    /// The program's process id.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
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

    /// Ends simulated networks that a killed program left behind; one that stops in order stops its own.
    fn end_worlds(&self) {
        let (state, world) = (self.state(), ["lab", "world", "--state"].map(str::as_bytes));
        for entry in std::fs::read_dir("/proc").unwrap().flatten() {
            let Some(pid) = entry.file_name().to_str().and_then(|n| n.parse().ok()).and_then(Pid::from_raw) else {
                continue;
            };
            let said = std::fs::read(entry.path().join("cmdline")).unwrap_or_default();
            let said: Vec<&[u8]> = said.split(|byte| *byte == 0).collect();
            if said.get(1..4) == Some(&world) && said.get(4) == Some(&state.as_os_str().as_encoded_bytes()) {
                // It may have ended in between.
                let _asked = kill_process(pid, Signal::TERM).is_ok();
            }
        }
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

    /// Tokens are asked for anew: the clock has ended them.
    pub(crate) async fn forget_tokens(&self) {
        self.tokens.lock().await.clear();
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
        self.end_worlds();
    }
}

/// The program that the workspace built, beside the folder of this test's own.
pub(crate) fn binary() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let built = test.parent().and_then(Path::parent).unwrap().join("interlock");
    assert!(built.is_file(), "{} is missing: build it first with `cargo build -p interlock-cli`", built.display());
    built
}

/// Starts the program and waits for its ready line; or says why there is none.
fn launched(folder: &Path, launch: &Launch) -> Result<(Child, Ready), String> {
    let log = File::options().create(true).append(true).open(folder.join("lab.log")).unwrap();
    let mut command = Command::new(binary());
    command.args(["lab", "--json", "--profile", launch.profile, "--listen", &launch.listen.to_string(), "--state"]);
    command.arg(folder.join("state")).args(&launch.more);
    if let Some(shim) = &launch.shim {
        shim.load(&mut command);
    }
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
        Ok(Some(Ok(line))) => Ok((child, serde_json::from_str(&line).unwrap())),
        other => {
            drop(child.kill());
            drop(child.wait());
            let log = std::fs::read_to_string(folder.join("lab.log")).unwrap_or_default();
            Err(format!("no ready line within {READY_WITHIN:?}: {other:?}\n{log}"))
        }
    }
}
