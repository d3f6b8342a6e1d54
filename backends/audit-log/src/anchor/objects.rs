//! A store of objects: one object per checkpoint, `<origin>/<size in 20 digits>.note`, and `<origin>/verifier.key`. An
//! object is made and never overwritten; one that stands there already must be the same, else somebody anchored another
//! history under this name. Next: [`super::reading`], which reads them back.

use std::collections::HashSet;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::Instant;

use http::header::{HeaderValue, IF_NONE_MATCH};
use http::{Method, StatusCode};
use platform::http::Request;
use platform::private_file::keep_name;
use url::Url;

use super::webhook::{Channel, described, refused};
use super::{AnchorSecrets, read_back};
use crate::checkpoint::CheckpointSink;

/// The object of a log's verifier key.
pub(super) const KEY_OBJECT: &str = "verifier.key";

fn another(name: &str) -> io::Error {
    io::Error::new(io::ErrorKind::AlreadyExists, format!("another object stands at {name}: the log was forked"))
}

// The name of a log becomes a path: nothing in it may leave its place.
fn prefix(origin: &str) -> io::Result<&str> {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    let sound = origin.split('/').all(|part| !part.is_empty() && !part.starts_with('.') && part.chars().all(plain));
    if sound { Ok(origin) } else { Err(io::Error::new(io::ErrorKind::InvalidInput, "the log's name is no path")) }
}

fn names(note: &str) -> io::Result<(String, String)> {
    let checkpoint = read_back(note)?.checkpoint;
    let prefix = prefix(&checkpoint.origin)?;
    Ok((format!("{prefix}/{KEY_OBJECT}"), format!("{prefix}/{:020}.note", checkpoint.size)))
}

/// `objects:<folder>`
pub(super) struct Folder {
    root: PathBuf,
}

impl Folder {
    pub(super) fn new(root: PathBuf) -> Self {
        Self { root }
    }

    fn put(&self, name: &str, text: &str) -> io::Result<()> {
        let path = self.root.join(name);
        let folder = path.parent().unwrap_or(&self.root).to_owned();
        if same(&path, name, text)? {
            return Ok(());
        }
        std::fs::create_dir_all(&folder)?;
        // Whole or not at all: written under another name first, which then becomes this one unless it is taken.
        let part = path.with_extension("part");
        let mut file = File::create(&part)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        match std::fs::hard_link(&part, &path) {
            Ok(()) => {}
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {
                same(&path, name, text)?;
            }
            // A file system without links: made anew, and never over another.
            Err(_) => {
                let mut file = OpenOptions::new().write(true).create_new(true).open(&path)?;
                file.write_all(text.as_bytes())?;
                file.sync_all()?;
            }
        }
        std::fs::remove_file(&part)?;
        keep_name(&path)?;
        keep_name(&folder)
    }
}

fn same(path: &Path, name: &str, text: &str) -> io::Result<bool> {
    match std::fs::read(path) {
        Ok(there) if there == text.as_bytes() => Ok(true),
        Ok(_) => Err(another(name)),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(e) => Err(e),
    }
}

impl CheckpointSink for Folder {
    fn publish(&mut self, note: &str, verifier_key: &str) -> io::Result<()> {
        let (key, object) = names(note)?;
        self.put(&key, &format!("{verifier_key}\n"))?;
        self.put(&object, note)
    }
}

/// `objects:https://…`
pub(super) struct Remote {
    channel: Channel,
    // Keys that stand there already.
    keys: HashSet<String>,
}

impl Remote {
    pub(super) fn new(url: Url, secrets: &AnchorSecrets) -> Self {
        Self { channel: Channel::new(&url, secrets), keys: HashSet::new() }
    }

    fn put(&mut self, name: &str, note: &str, verifier_key: &str, body: &str) -> io::Result<()> {
        let path = format!("/{name}");
        let mut request = described(Request::new(Method::PUT, path.clone(), Instant::now()), note, verifier_key)?
            .header(IF_NONE_MATCH, HeaderValue::from_static("*"));
        request.body = body.to_owned().into();
        let response = self.channel.send(request)?;
        match response.status {
            status if status.is_success() => Ok(()),
            // Taken before, or taken by another: what stands there tells.
            StatusCode::PRECONDITION_FAILED | StatusCode::CONFLICT => {
                let there = self.channel.send(Request::new(Method::GET, path, Instant::now()))?;
                match there.status {
                    StatusCode::OK if there.body == body.as_bytes() => Ok(()),
                    StatusCode::OK => Err(another(name)),
                    _ => Err(refused(&there)),
                }
            }
            _ => Err(refused(&response)),
        }
    }
}

impl CheckpointSink for Remote {
    fn publish(&mut self, note: &str, verifier_key: &str) -> io::Result<()> {
        let (key, object) = names(note)?;
        if !self.keys.contains(&key) {
            self.put(&key, note, verifier_key, &format!("{verifier_key}\n"))?;
            self.keys.insert(key);
        }
        self.put(&object, note, verifier_key, note)
    }
}
