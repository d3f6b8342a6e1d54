//! Hashing, sealing and opening, over any store. Next: `sweep` for the end of an artifact.

use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;
use zeroize::Zeroizing;

use super::{
    ArtifactFacts, ArtifactId, ArtifactKind, ArtifactOrigin, ArtifactStore, MAX_BYTES, Readers, SealedArtifact,
    StoredReference, damaged, not_found,
};
use crate::canonical;
use crate::clock::SharedClock;
use crate::error::{Error, ErrorKind, Result};
use crate::keyed_hash::KeyedHash;
use crate::keys::PurposeKey;
use crate::seal::Sealer;
use crate::secret::SecretKey;

/// Seconds of a day.
const DAY_S: i64 = 24 * 3600;
/// A reference is written again only when it is kept longer by more than this: a caller that polls writes nothing.
const WORTH_WRITING_S: i64 = DAY_S;

/// Something to keep.
#[derive(Clone)]
pub struct NewArtifact<'a, C> {
    /// What it is.
    pub kind: ArtifactKind,
    /// Media type (RFC 6838).
    pub media_type: &'a str,
    /// At most [`MAX_BYTES`].
    pub bytes: &'a [u8],
    /// The call that makes it.
    pub origin: ArtifactOrigin,
    /// Who may read it.
    pub readers: Readers,
    /// What tells this call from others of the same tool: a digest of its arguments. Equal calls share a reference.
    pub call: &'a str,
    /// What a reader is authorised by; sealed.
    pub context: &'a C,
    /// Until when it is kept, seconds since the epoch; `None` for the configured time.
    pub keep_until: Option<i64>,
}

/// A live reference, opened.
#[derive(Debug, Clone, PartialEq)]
pub struct Held<C> {
    /// Facts.
    pub facts: ArtifactFacts,
    /// What a reader is authorised by.
    pub context: C,
}

/// The artifacts of the platform.
pub struct Artifacts {
    pub(super) store: Arc<dyn ArtifactStore>,
    pub(super) clock: SharedClock,
    ids: KeyedHash,
    contents: Sealer,
    contexts: Sealer,
    keep_s: i64,
}

impl Artifacts {
    /// Over a store, under one key that never changes: for what lives no longer than its process.
    pub fn new(store: Arc<dyn ArtifactStore>, master: &SecretKey, clock: SharedClock, keep_days: u32) -> Result<Self> {
        Ok(Self::keyed(store, &PurposeKey::fixed(master.clone()), clock, keep_days))
    }

    /// Over a store, under the key of [`Purpose::Artifacts`](crate::keys::Purpose::Artifacts). After a rotation, equal bytes
    /// are kept once more under another id; what was kept before opens. `keep_days` holds where nobody names another time.
    pub fn keyed(store: Arc<dyn ArtifactStore>, key: &PurposeKey, clock: SharedClock, keep_days: u32) -> Self {
        Self {
            store,
            clock,
            ids: KeyedHash::labelled(key.clone(), "ids of artifacts"),
            contents: Sealer::labelled(key.clone(), "contents of artifacts"),
            contexts: Sealer::labelled(key.clone(), "references of artifacts"),
            keep_s: i64::from(keep_days.max(1)) * DAY_S,
        }
    }

    /// Keeps something; it is durable when this returns. Equal bytes of equal calls are kept once, and the time of the
    /// reference only grows. Errors: `artifact_too_large`, `artifacts_unavailable`.
    pub async fn put<C: Serialize>(&self, new: NewArtifact<'_, C>) -> Result<(ArtifactId, ArtifactFacts)> {
        if new.bytes.len() > MAX_BYTES {
            return Err(Error::new(
                ErrorKind::TooLarge,
                "artifact_too_large",
                "This is larger than what is kept in one piece (16 MiB). Ask for less at once.",
            )
            .with_detail(format!("{} bytes", new.bytes.len())));
        }
        let id = self.id_of(new.bytes)?;
        let name = self.name(&id, &new);
        let there = self.store.references(&id).await?;
        let opens = match there.is_empty() {
            true => false,
            false => self.store.content(&id).await?.is_some_and(|sealed| self.open_content(&id, &sealed).is_some()),
        };
        let now = self.clock.epoch_seconds();
        let mut facts = ArtifactFacts {
            kind: new.kind,
            media_type: new.media_type.to_owned(),
            bytes: u64::try_from(new.bytes.len()).unwrap_or(u64::MAX),
            created_at: now,
            keep_until: new.keep_until.unwrap_or_else(|| now.saturating_add(self.keep_s)),
            origin: new.origin,
            readers: new.readers,
        };
        let namesake = there.iter().find(|reference| reference.name == name);
        let known = namesake.filter(|reference| self.context(&id, reference).is_some());
        if let Some(known) = known.filter(|known| known.facts.keep_until > now) {
            if opens && facts.keep_until <= known.facts.keep_until.saturating_add(WORTH_WRITING_S) {
                return Ok((id, known.facts.clone()));
            }
            facts.created_at = known.facts.created_at;
            facts.origin = known.facts.origin.clone();
            facts.keep_until = facts.keep_until.max(known.facts.keep_until);
        }
        let context = canonical::to_bytes(new.context)?;
        let sealed = self.contexts.seal(&place(&id, &facts)?, &context)?;
        let content = self.contents.seal(id.as_str(), new.bytes)?;
        let reference = StoredReference { name, facts: facts.clone(), sealed };
        let artifact = SealedArtifact {
            id: id.clone(),
            content,
            replace_content: !opens,
            reference,
            replace_reference: namesake.is_some() && known.is_none(),
        };
        self.store.put(artifact).await?;
        Ok((id, facts))
    }

    /// The live references of an artifact, the one that was made last in front. Errors: `artifact_not_found` when there is
    /// none, `artifact_damaged` when none of them opens.
    pub async fn find<C: DeserializeOwned>(&self, id: &ArtifactId) -> Result<Vec<Held<C>>> {
        let now = self.clock.epoch_seconds();
        let mut live = self.store.references(id).await?;
        live.retain(|reference| reference.facts.keep_until > now);
        if live.is_empty() {
            return Err(not_found());
        }
        live.sort_by(|a, b| (b.facts.created_at, &b.name).cmp(&(a.facts.created_at, &a.name)));
        let opened = live.into_iter().filter_map(|reference| {
            let context = serde_json::from_slice(&self.context(id, &reference)?).ok()?;
            Some(Held { facts: reference.facts, context })
        });
        let opened: Vec<_> = opened.collect();
        if opened.is_empty() { Err(damaged(format!("no reference of {id} opens"))) } else { Ok(opened) }
    }

    /// The bytes. Whether the caller may have them is decided before. Errors: `artifact_not_found`, `artifact_damaged`.
    pub async fn open(&self, id: &ArtifactId) -> Result<Vec<u8>> {
        let sealed = self.store.content(id).await?.ok_or_else(not_found)?;
        let opened = self.open_content(id, &sealed).map(|mut bytes| std::mem::take(&mut *bytes));
        opened.ok_or_else(|| damaged(format!("the content of {id} does not open")))
    }

    fn open_content(&self, id: &ArtifactId, sealed: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        self.contents.open(id.as_str(), sealed)
    }

    fn id_of(&self, bytes: &[u8]) -> Result<ArtifactId> {
        ArtifactId::parse(&self.ids.hex_of(&[b"content", bytes]))
            .ok_or_else(|| Error::internal("an id of another form"))
    }

    fn name<C>(&self, id: &ArtifactId, new: &NewArtifact<'_, C>) -> String {
        let readers = match new.readers {
            Readers::Origin => "origin",
            Readers::Platform => "platform",
        };
        let parts = [
            "reference",
            id.as_str(),
            &new.origin.server,
            &new.origin.tool,
            new.call,
            new.kind.as_str(),
            new.media_type,
            readers,
        ];
        let mut name = self.ids.hex_of(&parts.map(str::as_bytes));
        name.truncate(32);
        name
    }

    fn context(&self, id: &ArtifactId, reference: &StoredReference) -> Option<Zeroizing<Vec<u8>>> {
        self.contexts.open(&place(id, &reference.facts).ok()?, &reference.sealed)
    }
}

/// What a reference's context is bound to: no fact of it can be changed, and none can be moved to another content.
fn place(id: &ArtifactId, facts: &ArtifactFacts) -> Result<String> {
    Ok(format!("{id}|{}", canonical::digest_hex(facts)?))
}
