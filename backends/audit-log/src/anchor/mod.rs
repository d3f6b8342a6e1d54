//! Anchors (T25): places away from this machine that keep signed checkpoints, so that whoever can change the log cannot
//! change what it was. `file:<path>`, a webhook `https://…`, `syslog:<host>:<port>`, `objects:<folder or https URL>`.
//! Where to go next: [`configured`] for what an entry may say, [`lane`] for how notes reach a place, [`reading`] for how a
//! verification reads it back.

mod delivered;
mod lane;
mod objects;
pub mod reading;
mod syslog;
mod webhook;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use platform::clock::SharedClock;
use platform::secrets::SecretStore;
use platform::{Error, ErrorKind, Secret};
use url::Url;

pub use delivered::Delivered;
pub use reading::AnchorNotes;

use crate::checkpoint::{CheckpointFile, CheckpointSink, SignedCheckpoint};
use crate::error::AuditFault;

/// Longest time for one attempt at a place over the network.
const ATTEMPT: Duration = Duration::from_secs(5);

/// What places over HTTP may ask for: the fields of the secret `platform/anchors`.
#[derive(Debug, Clone, Default)]
pub struct AnchorSecrets {
    /// Field `hmac`: key of the webhook's signature.
    pub hmac: Option<Secret>,
    /// Field `bearer`: token of the `Authorization` header.
    pub bearer: Option<Secret>,
}

impl AnchorSecrets {
    /// Reads `platform/anchors`; without that secret nothing is signed and no token sent.
    pub async fn read(secrets: &dyn SecretStore) -> Result<Self, Error> {
        match secrets.get("platform/anchors", None).await {
            Ok(mut found) => Ok(Self { hmac: found.data.remove("hmac"), bearer: found.data.remove("bearer") }),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(Self::default()),
            Err(error) => Err(error),
        }
    }
}

/// The places of `audit.anchors`, ready to be handed to [`crate::AuditOptions`].
pub struct Anchors {
    /// One sink per place; each has a thread of its own.
    pub sinks: Vec<Box<dyn CheckpointSink>>,
    /// What every place has taken, kept in the log's folder.
    pub delivered: Arc<Delivered>,
}

/// Reads the entries of `audit.anchors`. `folder` is the log's folder, `state` what relative paths are below. Nothing is
/// sent yet. Error: [`AuditFault::Anchor`], which says what is wrong with which entry.
pub fn configured(
    entries: &[String],
    folder: &Path,
    state: &Path,
    secrets: &AnchorSecrets,
    clock: &SharedClock,
) -> Result<Anchors, AuditFault> {
    let delivered = Arc::new(Delivered::open(folder, entries)?);
    let mut sinks: Vec<Box<dyn CheckpointSink>> = Vec::new();
    for (place, entry) in entries.iter().enumerate() {
        let wrong = |reason: String| AuditFault::Anchor { entry: shown(entry), reason };
        if entries.iter().take(place).any(|other| other == entry) {
            return Err(wrong("it stands there twice".to_owned()));
        }
        let sink = sink(entry, folder, state, secrets, clock).map_err(wrong)?;
        sinks.push(Box::new(lane::Lane::start(place, sink, Arc::clone(&delivered))?));
    }
    Ok(Anchors { sinks, delivered })
}

// An address may hold what only its receiver should know: who is asked in it, and its query.
fn shown(entry: &str) -> String {
    let entry = entry.split_once('?').map_or(entry, |(before, _)| before);
    match (entry.split_once("//"), entry.rsplit_once('@')) {
        (Some((scheme, _)), Some((_, host))) => format!("{scheme}//…@{host}"),
        _ => entry.to_owned(),
    }
}

fn sink(
    entry: &str,
    folder: &Path,
    state: &Path,
    secrets: &AnchorSecrets,
    clock: &SharedClock,
) -> Result<Box<dyn CheckpointSink>, String> {
    let (scheme, rest) = entry.split_once(':').ok_or(KINDS)?;
    match scheme {
        "file" => {
            let path = state.join(nonempty(rest)?);
            let parent = path.parent().filter(|parent| parent.is_dir()).ok_or("its folder does not exist")?;
            if path.is_dir() {
                return Err("it is a folder".to_owned());
            }
            outside(parent, folder)?;
            Ok(Box::new(CheckpointFile::new(path)))
        }
        "https" | "http" => Ok(Box::new(webhook::Webhook::new(address(entry)?, secrets))),
        "syslog" => Ok(Box::new(syslog::Syslog::new(syslog::Transport::Tcp, rest, clock)?)),
        "syslog+udp" => Ok(Box::new(syslog::Syslog::new(syslog::Transport::Udp, rest, clock)?)),
        "objects" if rest.starts_with("https:") || rest.starts_with("http:") => {
            let url = address(rest)?;
            if url.query().is_some() {
                return Err("a store of objects has no query".to_owned());
            }
            Ok(Box::new(objects::Remote::new(url, secrets)))
        }
        "objects" => {
            let path = state.join(nonempty(rest)?);
            if !path.is_dir() {
                return Err("the folder does not exist".to_owned());
            }
            outside(&path, folder)?;
            Ok(Box::new(objects::Folder::new(path)))
        }
        _ => Err(KINDS.to_owned()),
    }
}

const KINDS: &str = "it is none of `file:<path>`, `https://…`, `syslog:<host>:<port>`, `syslog+udp:<host>:<port>`, \
                     `objects:<folder or https URL>`";

fn nonempty(path: &str) -> Result<&str, String> {
    if path.is_empty() { Err("it names no path".to_owned()) } else { Ok(path) }
}

// Whoever can change the log can change what lies beside it.
fn outside(place: &Path, folder: &Path) -> Result<(), String> {
    match (place.canonicalize(), folder.canonicalize()) {
        (Ok(place), Ok(folder)) if place.starts_with(&folder) => {
            Err("it lies in the log's own folder; name a place that falls only with another machine".to_owned())
        }
        _ => Ok(()),
    }
}

fn address(text: &str) -> Result<Url, String> {
    let url = Url::parse(text).map_err(|e| format!("it is no URL: {e}"))?;
    let loopback = match url.host() {
        None => return Err("it names no host".to_owned()),
        Some(url::Host::Domain(name)) => name == "localhost",
        Some(url::Host::Ipv4(ip)) => ip.is_loopback(),
        Some(url::Host::Ipv6(ip)) => ip.is_loopback(),
    };
    if url.scheme() != "https" && !loopback {
        return Err("plain http goes to loopback only; use https".to_owned());
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("credentials stand in the secret `platform/anchors`, never in a URL".to_owned());
    }
    if url.fragment().is_some() {
        return Err("it has a fragment".to_owned());
    }
    Ok(url)
}

// A note that this program made can be read by it; anything else is a defect of the program, and said as such.
fn read_back(note: &str) -> std::io::Result<SignedCheckpoint> {
    SignedCheckpoint::parse(note)
        .ok_or_else(|| std::io::Error::new(std::io::ErrorKind::InvalidData, "the note cannot be read back"))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use platform::clock::{SharedClock, SystemClock};

    use super::{AnchorSecrets, configured};

    #[test]
    fn t25_an_anchor_that_cannot_hold_is_refused_at_start() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("audit");
        std::fs::create_dir(&log).unwrap();
        std::fs::create_dir(folder.path().join("objects")).unwrap();
        let clock: SharedClock = Arc::new(SystemClock);
        let open = |entries: &[&str]| {
            let entries: Vec<String> = entries.iter().map(|entry| (*entry).to_owned()).collect();
            configured(&entries, &log, folder.path(), &AnchorSecrets::default(), &clock)
                .map(|anchors| anchors.sinks.len())
        };
        for (entry, reason) in [
            ("", "none of"),
            ("elsewhere", "none of"),
            ("ftp://host/x", "none of"),
            ("file:", "names no path"),
            ("file:missing/anchor", "folder does not exist"),
            ("file:objects", "is a folder"),
            ("file:audit/anchor", "own folder"),
            ("objects:missing", "folder does not exist"),
            ("objects:audit", "own folder"),
            ("objects:https://store.example/b?x=1", "no query"),
            ("http://hooks.example/a", "plain http"),
            ("https://user:hunter2@hooks.example/a", "never in a URL"),
            ("https://hooks.example/a#b", "fragment"),
            ("https://", "no URL"),
            ("syslog:", "host and port"),
            ("syslog:log.example", "host and port"),
            ("syslog:log.example:0", "host and port"),
            ("syslog:log.example:99999", "host and port"),
            ("syslog+udp::514", "host and port"),
        ] {
            let refused = platform::Error::from(open(&[entry]).unwrap_err());
            assert_eq!(refused.code(), "audit_anchor_invalid", "{entry}");
            let said = refused.refusal().message.clone();
            assert!(said.contains(reason), "{entry}: {said}");
            assert!(!said.contains("hunter2") && !said.contains("x=1"), "{said}");
        }
        let twice = platform::Error::from(open(&["file:a", "file:a"]).unwrap_err());
        assert!(twice.refusal().message.contains("twice"));
        let good = [
            "file:anchor",
            "objects:objects",
            "https://hooks.example/a?b=c",
            "http://127.0.0.1:1/a",
            "syslog:log.example:601",
            "syslog+udp:[::1]:514",
            "objects:https://store.example/bucket",
        ];
        assert_eq!(open(&good).unwrap(), good.len());
    }
}
