//! Where the programs of a server are looked for on this machine.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::error::EngineError;

/// The line that gets PostgreSQL on Debian. Installing it starts no server that we would use.
pub const POSTGRES_INSTALL: &str =
    "it is Debian's package `postgresql`: sudo apt-get install -y --no-install-recommends postgresql";

/// Programs that every usable installation has. `psql` may come in a package of its own.
const PROGRAMS: [&str; 4] = ["postgres", "initdb", "pg_isready", "psql"];

/// PostgreSQL as it is installed on this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Installation {
    /// The folder of its programs.
    pub folder: PathBuf,
    /// What `postgres --version` says, for example `15.18`.
    pub version: String,
}

impl Installation {
    /// The newest one. Debian keeps each major version in a folder of its own; elsewhere the programs are on the search
    /// path. Errors: [`EngineError::Missing`].
    pub fn find() -> Result<Self, EngineError> {
        let missing = EngineError::Missing { engine: "PostgreSQL", install: POSTGRES_INSTALL };
        let mut found = Self::all();
        found.sort_by_key(|one| std::cmp::Reverse(one.major()));
        found.into_iter().next().ok_or(missing)
    }

    /// Every one that can be found, in no order.
    pub fn all() -> Vec<Self> {
        let mut folders = Vec::new();
        if let Ok(versions) = std::fs::read_dir("/usr/lib/postgresql") {
            folders.extend(versions.flatten().map(|version| version.path().join("bin")));
        }
        folders.extend(on_search_path());
        let mut found: Vec<Self> = Vec::new();
        for folder in folders.into_iter().filter(|f| PROGRAMS.iter().all(|p| f.join(p).is_file())) {
            let Some(version) = version(&folder) else { continue };
            if !found.iter().any(|known| known.version == version) {
                found.push(Self { folder, version });
            }
        }
        found
    }

    /// One of its programs, to be run in the C locale so that its messages are in English.
    pub(crate) fn program(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    fn major(&self) -> u32 {
        self.version.split(['.', ' ']).next().and_then(|major| major.parse().ok()).unwrap_or(0)
    }
}

#[expect(clippy::disallowed_methods, reason = "programs are found on the search path; this is never in the product")]
fn on_search_path() -> Vec<PathBuf> {
    std::env::var_os("PATH").map(|path| std::env::split_paths(&path).collect()).unwrap_or_default()
}

fn version(folder: &Path) -> Option<String> {
    let mut command = Command::new(folder.join("postgres"));
    let said = command.arg("--version").stdin(Stdio::null()).stderr(Stdio::null()).output().ok()?;
    // `postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)`
    let text = String::from_utf8(said.stdout).ok()?;
    text.split_once("(PostgreSQL) ")?.1.split_whitespace().next().map(str::to_owned)
}
