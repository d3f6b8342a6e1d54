//! Evidence: what was asked for, planned, approved, called and checked, in one signed archive for whoever was not there. It holds
//! no secret: of every text the masked form, of arguments their digests.
//!
//! An archive is put together when a change has ended, again when somebody asks for it whose records were not under a signed
//! tree of the audit log then, and again when its time as an artifact was over (T27). The same change has the same account
//! whenever that happens; the audit log holds the digest of the account and the public keys, so that a kept checkpoint
//! vouches for both.
//!
//! - [`account`]: the files that say how the change went
//! - `records`: what the audit log has about it
//! - [`archive`]: files in a tar, the same files always the same bytes
//! - [`manifest`]: what is signed
//! - [`public_keys`]: what a verifier relies on, as it is kept in a file
//! - [`verify`]: checks an archive with nothing but itself and what was kept elsewhere

pub mod account;
pub mod archive;
pub mod manifest;
pub mod public_keys;
mod records;
pub mod verify;

use platform::{CallContext, Error, ErrorKind, canonical};
use serde_json::json;
use tool_runtime::ArtifactReference;

use self::archive::Files;
use self::manifest::{EVIDENCE, FORMAT, Manifest, SignatureFile};
use crate::changes::Changes;
use crate::model::change::{Change, ChangeId};

impl Changes {
    /// The archive of a change that this caller may see. Errors: `change_unknown`, `evidence_missing` while it has not ended,
    /// and those of [`Changes::assemble_evidence`].
    pub async fn evidence(&self, cx: &CallContext, id: &ChangeId) -> Result<ArtifactReference, Error> {
        let change = self.seen(&cx.principal, id).await?.change;
        match change.evidence {
            Some(kept) if !change.evidence_awaits_proofs && self.is_kept(&kept) => Ok(kept),
            _ => self.assemble_evidence(id).await,
        }
    }

    /// Puts the archive of a change together that has ended, keeps it, and writes its reference to the change. May be called
    /// any number of times. Errors: `change_unknown`, `evidence_missing`, `artifact_too_large`, those of the store, of the
    /// artifacts, of the audit log.
    pub async fn assemble_evidence(&self, id: &ChangeId) -> Result<ArtifactReference, Error> {
        let change = self.book().get(id).await?.change;
        if !change.state.is_terminal() {
            return Err(missing(&change));
        }
        let mut files = self.account_of(&change).await?;
        let content = manifest::content_of(&files)?;
        self.put_on_record(&change, &content).await?;
        let records = self.records_of(id).await?;
        let (count, proven, awaits) = (records.records.len(), records.proven, records.awaits);
        files.extend(records.files()?);
        let archive = self.sealed(&change, content, files, (count, proven))?;
        let kept = self.road()?.keep_evidence(id.as_str(), &archive).await?;
        let edit = |change: &mut Change| {
            change.evidence = Some(kept.clone());
            change.evidence_awaits_proofs = awaits;
            Ok(((), Vec::new()))
        };
        self.book().update(id, edit).await?;
        Ok(kept)
    }

    /// The archive's bytes: manifest and signature are made here.
    fn sealed(
        &self,
        change: &Change,
        content: String,
        mut files: Files,
        (records, proven): (usize, usize),
    ) -> Result<Vec<u8>, Error> {
        let manifest = Manifest {
            format: FORMAT.to_owned(),
            change: change.id.clone(),
            state: change.state,
            content,
            records,
            proven,
            files: manifest::entries(&files),
        };
        let manifest = canonical::to_bytes(&manifest)?;
        let made = self.parts.grants.sign_for(EVIDENCE, &manifest);
        let signature = SignatureFile { signed_for: EVIDENCE.to_owned(), key: made.key, signature: made.signature };
        files.insert(manifest::MANIFEST.to_owned(), manifest);
        files.insert(manifest::SIGNATURE.to_owned(), canonical::to_bytes(&signature)?);
        archive::pack(&files)
    }

    fn is_kept(&self, artifact: &ArtifactReference) -> bool {
        let until: Option<jiff::Timestamp> = artifact.keep_until.parse().ok();
        until.is_some_and(|until| until > self.parts.clock.now())
    }
}

fn missing(change: &Change) -> Error {
    let message = format!("This change is {} and has no evidence: it is put together at its end.", change.state);
    Error::new(ErrorKind::Conflict, "evidence_missing", message)
        .with_next("get_change", json!({ "change_id": change.id }))
}
