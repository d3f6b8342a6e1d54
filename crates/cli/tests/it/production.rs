//! What `serve` refuses (T30), by its exit code and its message; and how a served process keeps its secrets to itself (T28).

use std::io::{Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::a_lab::{ALab, json, out, run};

const KEY: &str = "8c1f0a97d2e4b56370fe19a8c3d5427b6e90f1a2b3c4d5e60718293a4b5c6d7f";
const WITHIN: Duration = Duration::from_secs(60);

/// A platform that would be served: good key, folder of its own, the built-in issuer.
struct Prepared {
    folder: tempfile::TempDir,
    url: String,
    listen: String,
}

impl Prepared {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let listen = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
        std::fs::create_dir(folder.path().join("state")).unwrap();
        let prepared = Self { folder, url: format!("http://{listen}"), listen };
        prepared.key(KEY, 0o400);
        prepared
    }

    fn at(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn key(&self, text: &str, mode: u32) {
        let path = self.at("master.key");
        drop(std::fs::remove_file(&path));
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
    }

    /// Writes the configuration; `platform` and `rest` are added to it.
    fn configuration(&self, master_key: &str, platform: &str, issuer: &str, rest: &str) -> PathBuf {
        let Self { url, listen, .. } = self;
        let (state, file) = (self.at("state"), self.at("interlock.toml"));
        let listen = if platform.contains("listen =") { String::new() } else { format!("listen = \"{listen}\"\n") };
        let text = format!(
            "[platform]\nurl = \"{url}\"\n{listen}state = \"{}\"\n{platform}\n[secrets]\nmaster_key = \"{master_key}\"\n\
             [pages]\nissuer = \"{url}/issuer\"\n[[issuer]]\nurl = \"{url}/issuer\"\nbuiltin = true\n\
             platform_audience = true\n{issuer}\n{rest}\n",
            state.display()
        );
        std::fs::write(&file, text).unwrap();
        file
    }

    fn file_key(&self) -> String {
        format!("file:{}", self.at("master.key").display())
    }

    /// Asks `serve`, which must refuse, and returns the code.
    fn refused(&self, config: &Path, more: &[&str]) -> String {
        let arguments = [&["serve", "--json", "--config", config.to_str().unwrap()], more].concat();
        let mut child = Command::new(env!("CARGO_BIN_EXE_interlock"))
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let began = Instant::now();
        while matches!(child.try_wait(), Ok(None)) {
            if began.elapsed() > WITHIN {
                drop(child.kill());
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        let output = child.wait_with_output().unwrap();
        assert!(matches!(output.status.code(), Some(1..=5)), "{:?} {}", output.status, out(&output));
        let said = json(&output);
        assert!(said["error"]["message"].as_str().is_some_and(|m| m.len() > 20), "{said}");
        said["error"]["code"].as_str().unwrap().to_owned()
    }
}

#[test]
fn t30_serve_refuses_everything_that_belongs_to_a_lab_each_by_its_own_code() {
    let p = Prepared::new();
    let (key, none) = (p.file_key(), "");
    for (platform, issuer, rest, more, code) in [
        (none, none, "[policy]\nprofile = \"lab-open\"", &[][..], "open_policy_profile"),
        (none, "open_registration = true", none, &[], "open_registration"),
        ("listen = \"0.0.0.0:0\"", none, none, &[], "plain_http"),
        ("tls = \"at-proxy\"", none, none, &[], "trusted_proxies_missing"),
        (none, none, none, &["--conformance"], "conformance_in_production"),
    ] {
        assert_eq!(p.refused(&p.configuration(&key, platform, issuer, rest), more), code, "{platform}{issuer}{rest}");
    }
    let good = p.configuration(&key, "", "", "");
    p.key(&format!("lab:{KEY}"), 0o400);
    assert_eq!(p.refused(&good, &[]), "lab_master_key");
    p.key(KEY, 0o400);
    std::fs::write(p.at("state/THIS_IS_A_LAB"), "").unwrap();
    assert_eq!(p.refused(&good, &[]), "lab_state_folder");
}

#[test]
fn t28_serve_refuses_a_master_key_that_is_missing_exposed_malformed_or_guessable_and_never_makes_one() {
    let p = Prepared::new();
    let good = p.configuration(&p.file_key(), "", "", "");
    for (text, mode, code) in [
        (KEY, 0o644, "master_key_exposed"),
        ("no key", 0o400, "master_key_malformed"),
        (&"00".repeat(32), 0o400, "master_key_weak"),
        (&"ab".repeat(32), 0o400, "master_key_weak"),
    ] {
        p.key(text, mode);
        assert_eq!(p.refused(&good, &[]), code, "{text}");
    }
    std::fs::remove_file(p.at("master.key")).unwrap();
    assert_eq!(p.refused(&good, &[]), "master_key_missing");
    assert!(!p.at("master.key").exists());
    assert_eq!(p.refused(&p.configuration("credential:master", "", "", ""), &[]), "master_key_missing");
    assert_eq!(p.refused(&p.configuration("environment", "", "", ""), &[]), "master_key_missing");
    assert_eq!(p.refused(&p.configuration("vault:transit", "", "", ""), &[]), "config_invalid");
}

#[test]
fn t30_serve_refuses_the_store_and_the_key_of_a_lab_wherever_they_are_copied_to() {
    let lab = ALab::start();
    assert_eq!(lab.stop(), Some(0));
    let p = Prepared::new();
    let good = p.configuration(&p.file_key(), "", "", "");
    for name in ["store.db", "store.db-wal"] {
        let file = lab.state().join(name);
        if file.exists() {
            std::fs::copy(file, p.at("state").join(name)).unwrap();
        }
    }
    assert_eq!(p.refused(&good, &[]), "lab_clients");
    let carried = std::fs::read_to_string(lab.state().join("keys/lab-master.key")).unwrap();
    p.key(&carried, 0o400);
    assert_eq!(p.refused(&good, &[]), "lab_master_key");
    let in_place = format!("file:{}", lab.state().join("keys/lab-master.key").display());
    assert_eq!(p.refused(&p.configuration(&in_place, "", "", ""), &[]), "lab_master_key");
}

/// A served process, by a shell that first allows core dumps of any size.
struct Running(Child);

impl Running {
    fn start(p: &Prepared, config: &Path, variables: &[(&str, &str)]) -> Self {
        let log = std::fs::File::create(p.at("serve.log")).unwrap();
        let mut command = Command::new("/bin/sh");
        command.args(["-c", "ulimit -c unlimited; exec \"$0\" serve --config \"$1\"", env!("CARGO_BIN_EXE_interlock")]);
        command.arg(config).current_dir(p.folder.path()).envs(variables.iter().copied());
        command.stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log);
        let mut running = Self(command.spawn().unwrap());
        let began = Instant::now();
        while !answers(&p.listen) {
            let alive = matches!(running.0.try_wait(), Ok(None)) && began.elapsed() < WITHIN;
            assert!(alive, "{}", std::fs::read_to_string(p.at("serve.log")).unwrap());
            std::thread::sleep(Duration::from_millis(20));
        }
        running
    }

    fn proc(&self, name: &str) -> std::io::Result<Vec<u8>> {
        std::fs::read(format!("/proc/{}/{name}", self.0.id()))
    }
}

/// Whether the platform answers, and does not only listen.
fn answers(address: &str) -> bool {
    let asked = std::net::TcpStream::connect(address).and_then(|mut stream| {
        stream.set_read_timeout(Some(Duration::from_secs(1)))?;
        write!(stream, "GET /healthz HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n")?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).map(|_| answer)
    });
    asked.is_ok_and(|answer| answer.starts_with("HTTP/1.1 200"))
}

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

#[test]
fn t28_a_killed_platform_leaves_no_core_dump() {
    // Both dump by default; a handler of the standard library stands before the first SIGSEGV.
    for signal in [Signal::QUIT, Signal::ABORT] {
        let p = Prepared::new();
        let mut running = Running::start(&p, &p.configuration(&p.file_key(), "", "", ""), &[]);
        let limits = String::from_utf8(running.proc("limits").unwrap()).unwrap();
        let core = limits.lines().find(|line| line.starts_with("Max core file size")).unwrap();
        assert_eq!(core.split_whitespace().collect::<Vec<_>>()[4..6], ["0", "0"], "{core}");
        kill_process(Pid::from_child(&running.0), signal).unwrap();
        let status = running.0.wait().unwrap();
        assert_eq!(status.signal(), Some(signal.as_raw()));
        assert!(!status.core_dumped());
        let dumps = std::fs::read_dir(p.folder.path()).unwrap().map(|e| e.unwrap().file_name());
        assert_eq!(dumps.filter(|name| name.to_string_lossy().starts_with("core")).count(), 0);
    }
}

#[test]
fn t28_a_master_key_by_the_environment_is_in_no_environment_of_the_served_process() {
    let p = Prepared::new();
    let config = p.configuration("environment", "", "", "");
    let variables =
        [("INTERLOCK_MASTER_KEY", KEY), ("SOME_OTHER_SECRET", "hunter2"), ("INTERLOCK__PLATFORM__DRAIN_S", "3")];
    let running = Running::start(&p, &config, &variables);
    // A process that is not dumpable shows this to root only; to everybody else it shows nothing.
    let environment = match running.proc("environ") {
        Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
        Err(error) => return assert_eq!(error.kind(), std::io::ErrorKind::PermissionDenied),
    };
    assert!(!environment.contains(KEY) && !environment.contains("hunter2"), "{environment}");
    assert!(environment.contains("INTERLOCK__PLATFORM__DRAIN_S=3") && environment.contains("PATH="), "{environment}");
    let arguments = String::from_utf8_lossy(&running.proc("cmdline").unwrap()).into_owned();
    assert!(!arguments.contains(KEY) && arguments.contains("serve"), "{arguments}");
    drop(running);
    // The same key from a file opens what it sealed.
    let running = Running::start(&p, &p.configuration(&p.file_key(), "", "", ""), &[]);
    drop(running);
    p.key(&KEY.replace('8', "9"), 0o400);
    assert_eq!(p.refused(&p.configuration(&p.file_key(), "", "", ""), &[]), "master_key_wrong");
}

#[test]
fn t28_a_credential_of_the_service_manager_is_the_master_key() {
    let p = Prepared::new();
    let config = p.configuration("credential:interlock", "", "", "");
    let folder = p.at("credentials");
    std::fs::create_dir(&folder).unwrap();
    std::fs::write(folder.join("interlock"), KEY).unwrap();
    std::fs::set_permissions(folder.join("interlock"), std::fs::Permissions::from_mode(0o440)).unwrap();
    drop(Running::start(&p, &config, &[("CREDENTIALS_DIRECTORY", folder.to_str().unwrap())]));
}

#[test]
fn t28_the_keys_of_a_stopped_platform_are_rotated_and_the_rotation_is_on_record() {
    let p = Prepared::new();
    let config = p.configuration(&p.file_key(), "", "", "");
    let config = config.to_str().unwrap();
    let next = p.at("next.key");
    std::fs::write(&next, KEY.replace('8', "9")).unwrap();
    std::fs::set_permissions(&next, std::fs::Permissions::from_mode(0o400)).unwrap();
    drop(Running::start(&p, Path::new(config), &[]));
    let rotated = run(
        &["keys", "rotate", "master", "--json", "--new-key-file", next.to_str().unwrap(), "--config", config],
        None,
    );
    assert_eq!((rotated.status.code(), &json(&rotated)["current"]), (Some(0), &"2".into()), "{}", out(&rotated));
    assert_eq!(std::fs::read_to_string(p.at("master.key")).unwrap(), KEY.replace('8', "9"));
    let listed = json(&run(&["keys", "list", "--json", "--config", config], None));
    assert_eq!(listed["keys"][0]["versions"][0]["version"], "2", "{listed}");
    let data = run(&["keys", "rotate", "data", "--config", config], None);
    assert_eq!(data.status.code(), Some(0), "{}", out(&data));
    let unknown = run(&["keys", "rotate", "results", "--json", "--config", config], None);
    assert_eq!(json(&unknown)["error"]["code"], "key_unknown");
    let tail = run(&["audit", "export", "--config", config], None);
    let rotations = out(&tail).lines().filter(|line| line.contains("key.rotated")).count();
    assert_eq!(rotations, 4, "each has a record before and after: {}", out(&tail));
    drop(Running::start(&p, Path::new(config), &[]));
    p.key(KEY, 0o400);
    assert_eq!(p.refused(Path::new(config), &[]), "master_key_wrong");
}
