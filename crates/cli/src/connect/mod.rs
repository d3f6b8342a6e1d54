//! `interlock connect`: writes the platform into the configuration of an MCP client of this machine. It shows exactly what
//! changes, asks, keeps a copy of what was there, and leaves everything else as it stands. No token is ever written: the
//! client signs in by itself, or starts the bridge, which does.
//!
//! Where next: [`client`] for where each client keeps its configuration, [`entry`] for what is written, and one module per
//! form of file: [`json`], [`codex`], [`langgraph`].

mod client;
mod codex;
mod entry;
mod json;
mod langgraph;

use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};

use clap::Args;
use platform::config::environment;
use serde_json::json;
use similar::TextDiff;
use url::Url;

use self::client::Client;
use self::entry::Entry;
use crate::exit::Exit;
use crate::failure::{Failure, Outcome};
use crate::terminal::Terminal;
use crate::{bridge, rest, sign_in, web};

#[derive(Args)]
pub(crate) struct Connect {
    /// The client.
    #[arg(value_enum)]
    client: Client,
    /// Server instance, for example `catalyst-center`; `/mcp` for all at once. May be given again.
    #[arg(long, value_name = "SERVER", default_value = "/mcp")]
    server: Vec<String>,
    /// Public base URL of the platform; the last one signed in to when left out.
    #[arg(long, env = "INTERLOCK_URL", value_name = "URL")]
    url: Option<Url>,
    /// Let the client start the bridge instead of reaching the platform itself; always so where a client can do no other.
    #[arg(long)]
    bridge: bool,
    /// Registered public client that the bridge signs in as.
    #[arg(long, value_name = "ID", default_value = sign_in::CLIENT_ID)]
    client_id: String,
    /// Name in the client's configuration; the server's when left out.
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// Write the configuration of the project in this folder instead of the person's own.
    #[arg(long, conflicts_with = "file")]
    project: bool,
    /// Write this file instead of the one where the client looks.
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
    /// Take the server out again.
    #[arg(long)]
    remove: bool,
    /// Show the change and write nothing.
    #[arg(long, conflicts_with = "yes")]
    dry_run: bool,
    /// Write without asking.
    #[arg(long)]
    yes: bool,
}

impl Connect {
    pub(crate) fn run(self, terminal: &Terminal) -> Outcome {
        let path = match &self.file {
            Some(file) => file.clone(),
            None => self.client.file(&environment(), self.project)?,
        };
        // A link of somebody who keeps configurations elsewhere stays a link.
        let path = path.canonicalize().unwrap_or(path);
        let before = read(&path)?;
        let mut after = before.clone().unwrap_or_default();
        for server in &self.server {
            let name = self.name_of(server)?;
            let entry = if self.remove { None } else { Some(self.entry(server)?) };
            after = self.client.edit(&after, &name, entry.as_ref()).map_err(|why| malformed(&path, &why))?;
        }
        if before.as_deref().unwrap_or_default() == after {
            let words = format!("{} is as it should be; nothing is written.", path.display());
            return terminal.result(&words, &json!({"file": path, "changed": false}));
        }
        let diff = diff(&path, before.as_deref(), &after);
        if !terminal.json {
            terminal.line(&diff)?;
        }
        if self.dry_run {
            let words = "Nothing is written: this was a dry run.";
            return terminal.result(words, &json!({"file": path, "changed": true, "written": false, "diff": diff}));
        }
        if !self.yes && !terminal.confirm(&format!("Write {}?", path.display()))? {
            return Err(Failure::new(Exit::Failed, "not_confirmed", "Nothing was written."));
        }
        let copy = write(&path, before.as_deref(), &after)?;
        let kept = copy.as_ref().map(|copy| format!(" What was there is kept in {}.", copy.display()));
        let words = format!("Written.{}\n{}", kept.unwrap_or_default(), self.client.next_step(self.remove));
        terminal.result(&words, &json!({"file": path, "changed": true, "written": true, "diff": diff, "copy": copy}))
    }

    fn name_of(&self, server: &str) -> Outcome<String> {
        match &self.name {
            Some(name) if self.server.len() == 1 => Ok(name.clone()),
            Some(_) => {
                Err(Failure::new(Exit::Usage, "name_invalid", "--name names one server, and several are given."))
            }
            None => Ok(match server.trim_matches('/') {
                "mcp" => "interlock".to_owned(),
                server => server.trim_start_matches("mcp/").replace('/', "-"),
            }),
        }
    }

    fn entry(&self, server: &str) -> Outcome<Entry> {
        let base = rest::platform(self.url.clone())?;
        let url = bridge::endpoint(&base, server)?;
        web::refuse_in_clear(&Url::parse(&url).map_err(|e| Failure::internal(&e))?)?;
        if !self.bridge && self.client.reaches_by_itself() {
            return Ok(Entry::Direct { url });
        }
        // A client started from a desktop has no search path that could be relied on.
        let program = std::env::current_exe().map_err(|e| Failure::internal(&e))?;
        let words = ["mcp", "bridge", server, "--url", &base];
        let mut arguments: Vec<String> = words.into_iter().map(str::to_owned).collect();
        if self.client_id != sign_in::CLIENT_ID {
            arguments.extend(["--client-id".to_owned(), self.client_id.clone()]);
        }
        Ok(Entry::Bridge { program: program.display().to_string(), arguments })
    }
}

/// The file as it stands; `None` when there is none.
fn read(path: &Path) -> Outcome<Option<String>> {
    match std::fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) if error.kind() == ErrorKind::InvalidData => Err(malformed(path, "it is not UTF-8 text")),
        Err(error) => {
            let message = format!("{} cannot be read.", path.display());
            Err(Failure::new(Exit::Failed, "client_file_unusable", message).with_detail(&error))
        }
    }
}

fn malformed(path: &Path, why: &str) -> Failure {
    let message = format!(
        "{} is not as the client writes it ({why}); it was left as it is. Mend it, or name another with --file.",
        path.display()
    );
    Failure::new(Exit::Usage, "client_file_malformed", message)
}

/// What will change, as a unified diff.
fn diff(path: &Path, before: Option<&str>, after: &str) -> String {
    let name = path.display().to_string();
    let old = if before.is_some() { name.as_str() } else { "/dev/null" };
    let changes = TextDiff::from_lines(before.unwrap_or_default(), after);
    changes.unified_diff().context_radius(3).header(old, &name).to_string().trim_end().to_owned()
}

/// Replaces the file whole, after a copy of it; returns the copy.
fn write(path: &Path, before: Option<&str>, after: &str) -> Outcome<Option<PathBuf>> {
    let unusable = |e: std::io::Error| {
        let message = format!("{} cannot be written; it is as it was.", path.display());
        Failure::new(Exit::Failed, "client_file_unusable", message).with_detail(&e)
    };
    // Somebody may have written while the person was reading.
    if read(path)?.as_deref() != before {
        let message = format!("{} was changed meanwhile; nothing was written. Run the command again.", path.display());
        return Err(Failure::new(Exit::Failed, "client_file_changed", message));
    }
    let beside = |end: &str| {
        let mut name = path.as_os_str().to_owned();
        name.push(end);
        PathBuf::from(name)
    };
    let copy = before.map(|_| beside(".before-interlock"));
    match &copy {
        Some(copy) => drop(std::fs::copy(path, copy).map_err(unusable)?),
        None => {
            let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
            folder.map_or(Ok(()), std::fs::create_dir_all).map_err(unusable)?;
        }
    }
    let new = beside(&format!(".new-{}", std::process::id()));
    let written = fill(&new, path, before.is_some(), after).and_then(|()| std::fs::rename(&new, path));
    if written.is_err() {
        drop(std::fs::remove_file(&new));
    }
    written.map(|()| copy).map_err(unusable)
}

fn fill(new: &Path, like: &Path, exists: bool, text: &str) -> std::io::Result<()> {
    let mut file = std::fs::OpenOptions::new().write(true).create(true).truncate(true).open(new)?;
    if exists {
        // These files may hold secrets of others: never more open than before.
        file.set_permissions(std::fs::metadata(like)?.permissions())?;
    }
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

#[cfg(test)]
mod tests;
