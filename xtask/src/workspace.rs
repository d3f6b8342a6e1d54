//! The workspace as data: its folder, its packages, its files. Next: [`crate::tidy`], which judges them.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};
use cargo_metadata::{Metadata, MetadataCommand};

use crate::machine;

/// The workspace's root folder.
pub(crate) fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here).to_owned()
}

/// What cargo says about the workspace's own packages, without its dependencies' trees.
pub(crate) fn metadata() -> Result<Metadata> {
    MetadataCommand::new().current_dir(root()).no_deps().exec().context("cargo metadata failed")
}

/// Where the debug build leaves the shipped program.
pub(crate) fn debug_binary(metadata: &Metadata) -> PathBuf {
    metadata.target_directory.join("debug/interlock").into()
}

/// Paths, relative to the root, of all files that are or would be committed.
pub(crate) fn files() -> Result<Vec<String>> {
    let mut git = Command::new("git");
    git.current_dir(root()).args(["ls-files", "--cached", "--others", "--exclude-standard", "-z"]);
    let listed = machine::output(&mut git)?;
    let mut files: Vec<String> = listed.split('\0').filter(|f| !f.is_empty()).map(str::to_owned).collect();
    files.retain(|f| root().join(f).is_file());
    files.sort();
    files.dedup();
    Ok(files)
}

/// Builds the shipped program. Features are resolved over the whole workspace, as the tests and the lints do, so that
/// no library is compiled twice.
pub(crate) fn build_debug_binary() -> Result<()> {
    machine::run(machine::cargo().current_dir(root()).args(["build", "--workspace", "--bin", "interlock"]))
}
