//! The MCP clients people use, as parts of the suite: pinned in one file, installed into the cache folder, each run
//! against a lab of its own.
//!
//! The pinned file, `e2e/clients/versions.toml`, is the only place where a client's version stands:
//!
//! ```toml
//! [runtime]
//! node = "22.12.0"              # fetched with npm, because machines have older ones
//!
//! [[client]]
//! name = "python-mcp-1"
//! kind = "python"               # python | node | go | program
//! packages = ["mcp==1.12.0"]    # for pip, npm or go; empty for `program`
//! driver = "python_mcp.py"      # beside the file; `.sh` runs in bash, `.py` in python3, `.mjs` in node, `.go` is built
//! arguments = ["{/simulators/catalyst-center/url}"] # as they are, or `{JSON pointer}` into the lab's ready line
//! needs = ["curl"]              # programs that must be on the machine
//! lab = ["--conformance"]       # handed to `interlock lab` when its lab is started
//! minutes = 20                  # longest run; 5 when left out
//! ```
//!
//! A driver runs with `INTERLOCK_READY` (file with the lab's ready line), `INTERLOCK_STATE` (its state folder, for
//! `interlock lab token`), `INTERLOCK_BIN` (the program), `INTERLOCK_SCRIPTS` (the folder of the pinned file), its client's
//! programs first on the search path, and `INTERLOCK_CLIENT` (the client's name). Node drivers run from a copy beside
//! `node_modules`, so that plain `import` finds the pinned packages; Go drivers are built beside a `go.mod` that is made of
//! the pinned modules. It exits with 0 when all is well; when it prints `test result: ok. N passed; N failed` that
//! is counted, else the script counts as one test.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde::Deserialize;

use crate::machine;
use crate::test::tally::{self, Tally};
use crate::{terminal, workspace};

/// Where clients and their versions are pinned.
pub(crate) const PINNED_FILE: &str = "e2e/clients/versions.toml";

/// Longest run of one client's script where it says nothing.
const MINUTES: u64 = 5;

/// The pinned file.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Pinned {
    #[serde(default)]
    runtime: Runtime,
    /// In the order of the file.
    #[serde(default, rename = "client")]
    pub(crate) clients: Vec<Client>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Runtime {
    node: Option<String>,
}

/// One client.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Client {
    pub(crate) name: String,
    kind: Kind,
    #[serde(default)]
    packages: Vec<String>,
    driver: String,
    #[serde(default)]
    arguments: Vec<String>,
    #[serde(default)]
    needs: Vec<String>,
    /// For `interlock lab`.
    #[serde(default)]
    pub(crate) lab: Vec<String>,
    #[serde(default)]
    minutes: Option<u64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Kind {
    Python,
    Node,
    Go,
    Program,
}

/// The lab that a client meets.
pub(crate) struct LabFacts {
    pub(crate) binary: PathBuf,
    pub(crate) state: PathBuf,
    pub(crate) ready_file: PathBuf,
}

/// A client whose packages are there.
pub(crate) struct Ready<'a> {
    client: &'a Client,
    /// What runs the driver; nothing for a program that was built from it.
    interpreter: Option<PathBuf>,
    driver: PathBuf,
    /// Folder of the pinned file, for a driver that runs from elsewhere.
    scripts: PathBuf,
    path: OsString,
}

impl Pinned {
    /// Reads the file; a workspace without it has no clients.
    pub(crate) fn read(file: &Path) -> Result<Self> {
        match std::fs::read_to_string(file) {
            Ok(text) => Self::parse(&text).with_context(|| format!("{} is not as it should be", file.display())),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Self::default()),
            Err(error) => Err(error).with_context(|| format!("{} cannot be read", file.display())),
        }
    }

    fn parse(text: &str) -> Result<Self> {
        let pinned: Self = toml::from_str(text)?;
        for (at, client) in pinned.clients.iter().enumerate() {
            if pinned.clients[..at].iter().any(|c| c.name == client.name) {
                bail!("two clients are called {}", client.name);
            }
            for package in &client.packages {
                client.check_pin(package)?;
            }
        }
        let node = pinned.clients.iter().any(|c| c.kind == Kind::Node);
        if node && pinned.runtime.node.is_none() {
            bail!("a node client needs `[runtime] node = \"…\"`");
        }
        Ok(pinned)
    }
}

impl Client {
    /// A version that floats would make yesterday's green say nothing about today.
    fn check_pin(&self, package: &str) -> Result<()> {
        let version = match self.kind {
            Kind::Python => package.split_once("==").map(|(_, v)| v),
            Kind::Node => package.get(1..).and_then(|p| p.split_once('@')).map(|(_, v)| v),
            Kind::Go => package.split_once("@v").map(|(_, v)| v),
            Kind::Program => bail!("{}: a program has no packages", self.name),
        };
        let exact =
            version.is_some_and(|v| v.starts_with(|c: char| c.is_ascii_digit()) && !v.contains(['*', ' ', 'x', ',']));
        if !exact {
            bail!("{}: {package} names no exact version", self.name);
        }
        Ok(())
    }
}

/// Where packages live in the cache: named after them, so that another version is another folder, a change elsewhere in
/// the pinned file installs nothing again, and clients with the same packages share one.
fn folder_of(kind: &str, packages: &[String]) -> String {
    format!("{kind}-{}", packages.join("+").replace('/', "-"))
}

/// Gets a client's packages into the cache folder, once per version.
pub(crate) fn prepare<'a>(pinned: &Pinned, client: &'a Client) -> Result<Ready<'a>> {
    for program in &client.needs {
        if !machine::has(program) {
            bail!(
                "{program} is missing: {}",
                machine::install_line(program, program, &format!("brew install {program}"))
            );
        }
    }
    let drivers = workspace::root().join(PINNED_FILE).parent().map(Path::to_owned).unwrap_or_default();
    let source = drivers.join(&client.driver);
    if !source.is_file() {
        bail!("the script {} does not exist", source.display());
    }
    let cache = machine::cache_folder()?.join("clients");
    match client.kind {
        Kind::Python => {
            let place = cache.join(folder_of("python", &client.packages));
            once(&place, || install_python(&place, &client.packages))?;
            let bin = place.join("venv/bin");
            let interpreter = Some(interpreter(&source, Some(&bin), None));
            Ok(Ready { client, interpreter, driver: source, scripts: drivers, path: path_with(&[bin]) })
        }
        Kind::Node => {
            let version = pinned.runtime.node.as_deref().unwrap_or_default();
            let package = [format!("node@{version}")];
            let runtime = cache.join(folder_of("node", &package));
            once(&runtime, || install_node(&runtime, &package))?;
            let place = cache.join(folder_of("node", &client.packages));
            once(&place, || install_node(&place, &client.packages))?;
            // ECMAScript imports are looked up from where the script stands.
            let driver = copy_scripts(&drivers, &place.join("scripts"))?.join(&client.driver);
            let node = runtime.join("node_modules/node/bin");
            let path = path_with(&[node.clone(), place.join("node_modules/.bin")]);
            let interpreter = Some(interpreter(&source, None, Some(&node)));
            Ok(Ready { client, interpreter, driver, scripts: drivers, path })
        }
        Kind::Go => {
            let place = cache.join(folder_of("go", &client.packages));
            once(&place, || install_go(&place, &client.packages))?;
            let driver = build_go(&place, &source)?;
            Ok(Ready { client, interpreter: None, driver, scripts: drivers, path: machine::search_path() })
        }
        Kind::Program => {
            let interpreter = Some(interpreter(&source, None, None));
            Ok(Ready { client, interpreter, driver: source, scripts: drivers, path: machine::search_path() })
        }
    }
}

/// Runs an installation unless it was finished before; what is left of a broken one goes first.
fn once(place: &Path, install: impl FnOnce() -> Result<()>) -> Result<()> {
    let mark = place.join(".complete");
    if mark.exists() {
        return Ok(());
    }
    if place.exists() {
        std::fs::remove_dir_all(place).with_context(|| format!("cannot clear {}", place.display()))?;
    }
    std::fs::create_dir_all(place).with_context(|| format!("cannot make {}", place.display()))?;
    let began = Instant::now();
    terminal::say(format_args!("installing into {}", place.display()));
    install()?;
    terminal::say(format_args!("installed in {}", terminal::took(began.elapsed())));
    std::fs::write(&mark, b"").with_context(|| format!("cannot write {}", mark.display()))
}

fn install_python(place: &Path, packages: &[String]) -> Result<()> {
    if !machine::has("python3") {
        bail!(
            "python3 is missing: {}",
            machine::install_line("python3 python3-venv", "python3", "brew install python")
        );
    }
    let venv = place.join("venv");
    machine::output(Command::new("python3").args(["-m", "venv"]).arg(&venv)).with_context(|| {
        format!(
            "python3 cannot make a virtual environment: {}",
            machine::install_line("python3-venv", "python3", "brew install python")
        )
    })?;
    let mut pip = Command::new(venv.join("bin/python"));
    pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input"]).args(packages);
    machine::output(&mut pip).map(drop)
}

fn install_node(place: &Path, packages: &[String]) -> Result<()> {
    if !machine::has("npm") {
        bail!("npm is missing: {}", machine::install_line("npm", "npm", "brew install node"));
    }
    std::fs::write(place.join("package.json"), "{\"private\":true,\"type\":\"module\"}\n")?;
    let mut npm = Command::new("npm");
    npm.current_dir(place).args(["install", "--no-audit", "--no-fund", "--no-package-lock", "--loglevel=error"]);
    machine::output(npm.args(packages)).map(drop)
}

/// A module of nothing but the pinned ones. A toolchain that is too old for them fetches the one they ask for.
fn install_go(place: &Path, packages: &[String]) -> Result<()> {
    if !machine::output(Command::new("go").arg("version")).is_ok_and(|said| said.starts_with("go version")) {
        bail!("go is missing: {}", machine::install_line("golang-go", "golang", "brew install go"));
    }
    machine::output(go_in(place).args(["mod", "init", "interlock-suite"]))?;
    machine::output(go_in(place).arg("get").args(packages)).map(drop)
}

/// Builds the driver. What it imports beyond the pinned modules are their own requirements, at their versions.
fn build_go(place: &Path, source: &Path) -> Result<PathBuf> {
    std::fs::copy(source, place.join("main.go")).with_context(|| format!("cannot copy {}", source.display()))?;
    let program = place.join("driver");
    machine::output(go_in(place).args(["build", "-mod=mod", "-o"]).arg(&program).arg("."))?;
    Ok(program)
}

fn go_in(place: &Path) -> Command {
    let mut go = Command::new("go");
    go.current_dir(place);
    go
}

fn copy_scripts(from: &Path, to: &Path) -> Result<PathBuf> {
    std::fs::create_dir_all(to)?;
    for entry in std::fs::read_dir(from).with_context(|| format!("cannot list {}", from.display()))? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy_scripts(&entry.path(), &target)?;
        } else {
            std::fs::copy(entry.path(), &target)?;
        }
    }
    Ok(to.to_owned())
}

fn interpreter(driver: &Path, python: Option<&Path>, node: Option<&Path>) -> PathBuf {
    match driver.extension().and_then(|e| e.to_str()) {
        Some("py") => python.map_or_else(|| "python3".into(), |bin| bin.join("python")),
        Some("mjs" | "js") => node.map_or_else(|| "node".into(), |bin| bin.join("node")),
        _ => "bash".into(),
    }
}

fn path_with(first: &[PathBuf]) -> OsString {
    let rest = machine::search_path();
    let all = first.iter().cloned().chain(std::env::split_paths(&rest));
    std::env::join_paths(all).unwrap_or(rest)
}

impl Ready<'_> {
    /// The arguments, with `{/pointer}` replaced by what the lab's ready line says there (RFC 6901).
    fn arguments(&self, lab: &LabFacts) -> Result<Vec<String>> {
        let pointer = |argument: &str| argument.strip_prefix('{')?.strip_suffix('}').map(str::to_owned);
        let mut all = Vec::new();
        for argument in &self.client.arguments {
            let Some(pointer) = pointer(argument) else {
                all.push(argument.clone());
                continue;
            };
            let text = std::fs::read_to_string(&lab.ready_file).context("the lab's ready line is gone")?;
            let facts: serde_json::Value = serde_json::from_str(&text).context("the lab's ready line is not JSON")?;
            let value = facts.pointer(&pointer).and_then(serde_json::Value::as_str);
            all.push(value.with_context(|| format!("the lab's ready line has no text at {pointer}"))?.to_owned());
        }
        Ok(all)
    }

    /// Runs the script against a lab and counts what it says.
    pub(crate) fn run(&self, lab: &LabFacts) -> Result<Tally> {
        let mut command = match &self.interpreter {
            Some(interpreter) => {
                let mut command = Command::new(interpreter);
                command.arg(&self.driver);
                command
            }
            None => Command::new(&self.driver),
        };
        command.args(self.arguments(lab)?).env("PATH", &self.path);
        command.env("INTERLOCK_READY", &lab.ready_file).env("INTERLOCK_STATE", &lab.state);
        command.env("INTERLOCK_BIN", &lab.binary).env("INTERLOCK_CLIENT", &self.client.name);
        command.env("INTERLOCK_SCRIPTS", &self.scripts);
        command.stdin(Stdio::null()).stdout(Stdio::piped());
        let shown = self.interpreter.as_ref().unwrap_or(&self.driver).display();
        let mut child = command.spawn().with_context(|| format!("{shown} does not start"))?;
        let reader = child.stdout.take().map(|out| std::thread::spawn(move || tally::count_lines(out)));
        let began = Instant::now();
        let longest = Duration::from_secs(60 * self.client.minutes.unwrap_or(MINUTES));
        let success = loop {
            match child.try_wait()? {
                Some(status) => break status.success(),
                None if began.elapsed() > longest => {
                    terminal::say(format_args!("stopped after {}", terminal::took(longest)));
                    drop(child.kill());
                    drop(child.wait());
                    break false;
                }
                None => std::thread::sleep(Duration::from_millis(20)),
            }
        };
        let reported = reader.and_then(|r| r.join().ok()).flatten();
        let tally = tally::verdict(reported, success, Tally { passed: 1, failed: 0, skipped: 0 });
        if reported.is_none() {
            terminal::say(tally.cargo_line());
        }
        Ok(tally)
    }
}

#[cfg(test)]
mod tests {
    use super::{Client, Kind, LabFacts, Pinned, Ready, folder_of, once};
    use crate::test::tally::Tally;

    const GOOD: &str = r#"
        [runtime]
        node = "22.12.0"
        [[client]]
        name = "python-mcp-1"
        kind = "python"
        packages = ["mcp==1.12.0"]
        driver = "mcp.py"
        [[client]]
        name = "inspector"
        kind = "node"
        packages = ["@modelcontextprotocol/inspector@0.17.0"]
        driver = "inspector.mjs"
        [[client]]
        name = "go-sdk"
        kind = "go"
        packages = ["example.com/go-sdk@v1.8.0"]
        driver = "go/main.go"
    "#;

    #[test]
    fn every_client_of_the_pinned_file_is_read_and_the_cache_follows_its_packages() {
        let folders = |text: &str| -> Vec<String> {
            Pinned::parse(text).unwrap().clients.iter().map(|c| folder_of("x", &c.packages)).collect()
        };
        let before = folders(GOOD);
        let inspector = "x-@modelcontextprotocol-inspector@0.17.0";
        assert_eq!(before, ["x-mcp==1.12.0", inspector, "x-example.com-go-sdk@v1.8.0"]);
        let after = folders(&GOOD.replace("1.12.0", "1.12.1"));
        assert_ne!(before[0], after[0]);
        assert_eq!(before[1], after[1]);
    }

    #[test]
    fn a_floating_version_a_second_name_and_an_unknown_key_are_refused() {
        for (good, bad) in [
            ("mcp==1.12.0", "mcp>=1.12.0"),
            ("mcp==1.12.0", "mcp==1.*"),
            ("mcp==1.12.0", "mcp"),
            ("inspector@0.17.0", "inspector@latest"),
            ("inspector@0.17.0", "inspector"),
            ("go-sdk@v1.8.0", "go-sdk@latest"),
            ("go-sdk@v1.8.0", "go-sdk"),
            ("name = \"inspector\"", "name = \"python-mcp-1\""),
            ("driver = \"mcp.py\"", "driver = \"mcp.py\"\nversion = 3"),
            ("node = \"22.12.0\"", ""),
        ] {
            assert!(Pinned::parse(&GOOD.replace(good, bad)).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_broken_installation_is_done_again_and_a_finished_one_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().join("client");
        assert!(once(&place, || anyhow::bail!("network")).is_err());
        std::fs::write(place.join("left-over"), b"").unwrap();
        let mut runs = 0;
        for _ in 0..2 {
            once(&place, || {
                runs += 1;
                Ok(())
            })
            .unwrap();
        }
        assert_eq!(runs, 1);
        assert!(!place.join("left-over").exists());
    }

    fn run_script(text: &str) -> Tally {
        run_with(text, "one").unwrap()
    }

    fn run_with(text: &str, argument: &str) -> anyhow::Result<Tally> {
        let folder = tempfile::tempdir().unwrap();
        let driver = folder.path().join("driver.sh");
        std::fs::write(&driver, text).unwrap();
        let client = Client {
            name: "shell".to_owned(),
            kind: Kind::Program,
            packages: Vec::new(),
            driver: "driver.sh".to_owned(),
            arguments: vec![argument.to_owned()],
            needs: Vec::new(),
            lab: Vec::new(),
            minutes: None,
        };
        let (interpreter, scripts) = (Some("bash".into()), folder.path().to_owned());
        let ready = Ready { client: &client, interpreter, driver, scripts, path: crate::machine::search_path() };
        let ready_file = folder.path().join("ready");
        std::fs::write(&ready_file, r#"{"simulators":{"one":{"url":"http://127.0.0.1:1"}}}"#).unwrap();
        let lab = LabFacts { binary: "/bin/true".into(), state: "state".into(), ready_file };
        ready.run(&lab)
    }

    #[test]
    fn an_argument_may_point_into_the_ready_line_and_a_pointer_to_nothing_is_refused() {
        let script = r#"[ "$1" = "http://127.0.0.1:1" ]"#;
        assert_eq!(run_with(script, "{/simulators/one/url}").unwrap(), Tally { passed: 1, failed: 0, skipped: 0 });
        assert!(run_with(script, "{/simulators/two/url}").is_err());
    }

    #[test]
    fn a_script_gets_its_lab_and_its_own_counts_are_taken() {
        let script = r#"
            [ "$1 $INTERLOCK_STATE $INTERLOCK_BIN $INTERLOCK_CLIENT" = "one state /bin/true shell" ] || exit 3
            grep -q simulators "$INTERLOCK_READY" || exit 4
            echo "test result: ok. 5 passed; 0 failed; 0 ignored"
        "#;
        assert_eq!(run_script(script), Tally { passed: 5, failed: 0, skipped: 0 });
        assert_eq!(run_script("exit 0"), Tally { passed: 1, failed: 0, skipped: 0 });
        assert_eq!(run_script("exit 1"), Tally::one_failed());
    }
}
