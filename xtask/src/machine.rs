//! The machine a task runs on: its programs, its disk, its cache folder. Next: [`crate::clients`], which installs there.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

/// The folder for what may be downloaded again: `$XDG_CACHE_HOME/interlock`, else `~/.cache/interlock`
/// (<https://specifications.freedesktop.org/basedir-spec/latest/>).
#[expect(clippy::disallowed_methods, reason = "a developer's task is not the product; it has no config file to read")]
pub(crate) fn cache_folder() -> Result<PathBuf> {
    let base = match std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from).filter(|p| p.is_absolute()) {
        Some(folder) => folder,
        None => {
            PathBuf::from(std::env::var_os("HOME").context("neither XDG_CACHE_HOME nor HOME is set")?).join(".cache")
        }
    };
    Ok(base.join("interlock"))
}

/// The search path of this process, to be extended for a child.
#[expect(
    clippy::disallowed_methods,
    reason = "a child inherits the search path, with a pinned program's folder before it"
)]
pub(crate) fn search_path() -> std::ffi::OsString {
    std::env::var_os("PATH").unwrap_or_default()
}

/// The cargo that started this task, so that a pinned toolchain stays pinned.
#[expect(clippy::disallowed_methods, reason = "cargo names itself to the programs it runs through this variable")]
pub(crate) fn cargo() -> Command {
    Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
}

/// Whether `program` starts at all.
pub(crate) fn has(program: &str) -> bool {
    let mut probe = Command::new(program);
    probe.arg("--version").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    probe.status().is_ok_and(|s| s.success())
}

/// Standard output of a program that must succeed.
pub(crate) fn output(command: &mut Command) -> Result<String> {
    let shown = format!("{command:?}");
    let done = command.stdin(Stdio::null()).output().with_context(|| format!("{shown} does not start"))?;
    if !done.status.success() {
        bail!("{shown} failed ({}):\n{}", done.status, String::from_utf8_lossy(&done.stderr).trim());
    }
    String::from_utf8(done.stdout).with_context(|| format!("{shown} did not print text"))
}

/// Runs a program that shares this terminal and must succeed.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    let shown = format!("{command:?}");
    let status = command.status().with_context(|| format!("{shown} does not start"))?;
    if !status.success() {
        bail!("{shown} failed ({status})");
    }
    Ok(())
}

/// Free bytes for an ordinary user on the disk that holds `path` or its nearest existing parent.
pub(crate) fn free_bytes(path: &Path) -> Result<u64> {
    let there = path.ancestors().find(|p| p.exists()).unwrap_or(Path::new("/"));
    let disk =
        rustix::fs::statvfs(there).with_context(|| format!("cannot ask for free space at {}", there.display()))?;
    Ok(disk.f_bavail.saturating_mul(disk.f_frsize))
}

/// Whether `cc` turns a small program into an executable, which takes the compiler, its headers and a linker.
pub(crate) fn compiler_works() -> Result<bool> {
    let folder = tempfile::tempdir().context("cannot make a temporary folder")?;
    let source = folder.path().join("probe.c");
    std::fs::write(&source, "#include <stdlib.h>\n#include <pthread.h>\nint main(void) { return EXIT_SUCCESS; }\n")?;
    let mut cc = Command::new("cc");
    cc.arg(&source).arg("-o").arg(folder.path().join("probe"));
    Ok(cc.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok_and(|s| s.success()))
}

/// The line that installs `packages` with the package tool this machine has.
pub(crate) fn install_line(apt: &str, dnf: &str, brew: &str) -> String {
    if has("apt-get") {
        format!("sudo apt-get install -y {apt}")
    } else if has("dnf") {
        format!("sudo dnf install -y {dnf}")
    } else if has("brew") {
        brew.to_owned()
    } else {
        format!("install these with your system's package tool: {apt}")
    }
}

#[cfg(test)]
mod tests {
    use super::{compiler_works, free_bytes, has};

    #[test]
    fn a_program_that_is_not_there_is_told_apart_from_one_that_is() {
        assert!(has("cc") && !has("interlock-no-such-program"));
        assert!(compiler_works().unwrap());
    }

    #[test]
    fn free_space_is_asked_at_the_nearest_folder_that_exists() {
        assert!(free_bytes(std::path::Path::new("/no/such/folder/yet")).unwrap() > 0);
    }
}
