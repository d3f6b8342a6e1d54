//! What a verification relies on, and which of it speaks of one log: keys that the caller gives, anchors, the registry.
//! Never what lies beside the log, unless there is nothing else; then the report says so (T25). Next: [`super::verify()`].

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::anchor::AnchorNotes;
use crate::checkpoint::{SignatureState, SignedCheckpoint};
use crate::cosign::{CosignatureState, CosignerKey};
use crate::error::AuditFault;
use crate::keys::PublicKey;
use crate::registry::LogRecord;

/// What a verification may rely on.
#[derive(Debug, Clone, Default)]
pub struct VerifyOptions {
    /// Public keys of logs, kept elsewhere: verifier keys, or bare keys that may be any log's.
    pub public_keys: Vec<PublicKey>,
    /// Public keys of countersigners, kept elsewhere.
    pub countersigners: Vec<CosignerKey>,
    /// Places that kept checkpoints: files of notes, folders of objects, files of a syslog receiver.
    pub anchors: Vec<PathBuf>,
    /// The logs that the store of truth knows, where it can be read.
    pub registry: Option<Vec<LogRecord>>,
}

impl VerifyOptions {
    /// Adds a key as it is typed: a log's, or a countersigner's.
    pub fn key(&mut self, text: &str) -> Result<(), AuditFault> {
        match CosignerKey::parse(text) {
            Some(key) => self.countersigners.push(key),
            None => self.public_keys.push(PublicKey::parse(text)?),
        }
        Ok(())
    }

    /// Whether anything is relied on that does not lie beside the log.
    pub fn relies(&self) -> bool {
        !(self.public_keys.is_empty() && self.countersigners.is_empty() && self.anchors.is_empty())
    }

    pub(super) fn read_anchors(&self) -> Result<AnchorNotes, AuditFault> {
        let mut found = AnchorNotes::default();
        for place in &self.anchors {
            found.join(AnchorNotes::read(place).map_err(|e| AuditFault::io(place, e))?);
        }
        Ok(found)
    }

    pub(super) fn registered(&self, origin: &str) -> Option<&LogRecord> {
        self.registry.iter().flatten().find(|log| log.origin == origin)
    }
}

/// What speaks of one log.
#[derive(Debug, Clone)]
pub(super) struct Evidence {
    /// The key under which its signatures are checked.
    pub(super) key: PublicKey,
    /// Whether that key, and every claim, lay beside the log.
    pub(super) self_attested: bool,
    pub(super) anchor: Vec<SignedCheckpoint>,
    pub(super) anchor_keys: Vec<PublicKey>,
    pub(super) registered: Option<LogRecord>,
    countersigners: Vec<CosignerKey>,
}

impl Evidence {
    /// Of the log `origin`, which says that it was made with the key `made_with`. `alone`: there is one log, so that a key of
    /// another one must be meant for it.
    pub(super) fn of(
        origin: &str,
        made_with: &PublicKey,
        options: &VerifyOptions,
        anchors: &AnchorNotes,
        alone: bool,
    ) -> Self {
        let anchor = anchors.notes.get(origin).cloned().unwrap_or_default();
        let anchor_keys = anchors.keys.get(origin).cloned().unwrap_or_default();
        let given = &options.public_keys;
        let named = given.iter().find(|key| key.origin.as_deref() == Some(origin));
        let bare = given.iter().filter(|key| key.origin.is_none());
        let mut fitting = bare.clone().filter(|key| {
            key.bytes == made_with.bytes || anchor.iter().any(|note| note.judge(key) == SignatureState::Good)
        });
        let other = given.first().filter(|_| alone);
        let foreign = anchors.keys.values().flatten().next().filter(|_| alone && given.is_empty());
        let key = named
            .or_else(|| fitting.next())
            .or_else(|| bare.clone().next().filter(|_| alone))
            .or_else(|| other.filter(|_| named.is_none()))
            .or_else(|| anchor_keys.first())
            .or(foreign);
        let mut evidence = Self {
            key: key.unwrap_or(made_with).clone(),
            self_attested: key.is_none(),
            anchor,
            anchor_keys,
            registered: options.registered(origin).cloned(),
            countersigners: options.countersigners.clone(),
        };
        // A countersigner signs for a log's registered key: its word is as good as the key's.
        if evidence.self_attested {
            let good = |note: &SignedCheckpoint| {
                matches!(evidence.countersignature(note), Some(CosignatureState::Good(_)))
                    && note.judge(made_with) == SignatureState::Good
            };
            let vouched = evidence.anchor.iter().any(good) || evidence.registered_note().as_ref().is_some_and(good);
            evidence.self_attested = !vouched;
        }
        evidence
    }

    /// The countersignature of a note under the given keys; `None` where none was given.
    pub(super) fn countersignature(&self, note: &SignedCheckpoint) -> Option<CosignatureState> {
        let states = self.countersigners.iter().map(|key| note.countersigned_by(key));
        states.reduce(|one, other| if one == CosignatureState::Missing { other } else { one })
    }

    /// The last countersigned checkpoint that the registry has.
    pub(super) fn registered_note(&self) -> Option<SignedCheckpoint> {
        self.registered.as_ref().and_then(|log| SignedCheckpoint::parse(&log.note))
    }
}

/// Logs by origin, with the places where they stand.
pub(super) type Standing = BTreeMap<String, Vec<PathBuf>>;

/// A folder as the registry writes it down.
pub(super) fn whole(folder: &Path) -> PathBuf {
    folder.canonicalize().unwrap_or_else(|_| folder.to_owned())
}
