//! Verification over records that replicas share: the same findings, without the file.

use std::sync::Arc;

use async_trait::async_trait;
use audit_log::CheckpointFile;
use audit_log::offline::{FindingKind, Verification, VerifyOptions, verify_replica};
use platform::audit::{AuditFilter, AuditLog, AuditReplica, ReplicatedRecord};
use platform::error::Error;
use platform_suites::audit_replica::MemoryReplica;

use crate::fixture::{Fixture, tool_call};

// The database as somebody changed it who may write there.
struct Changed<F> {
    replica: MemoryReplica,
    change: F,
}

#[async_trait]
impl<F: Fn(Vec<ReplicatedRecord>) -> Vec<ReplicatedRecord> + Send + Sync + 'static> AuditReplica for Changed<F> {
    async fn append(&self, origin: &str, records: Vec<ReplicatedRecord>) -> Result<(), Error> {
        self.replica.append(origin, records).await
    }

    async fn last(&self, origin: &str) -> Result<Option<(u64, [u8; 32])>, Error> {
        self.replica.last(origin).await
    }

    async fn read(&self, origin: &str, after: u64, limit: usize) -> Result<Vec<ReplicatedRecord>, Error> {
        let all = (self.change)(self.replica.read(origin, 0, usize::MAX).await?);
        Ok(all.into_iter().filter(|record| record.position > after).take(limit).collect())
    }

    async fn origins(&self) -> Result<Vec<String>, Error> {
        self.replica.origins().await
    }
}

async fn changed(
    options: &VerifyOptions,
    records: &[ReplicatedRecord],
    origin: &str,
    change: impl Fn(Vec<ReplicatedRecord>) -> Vec<ReplicatedRecord> + Send + Sync + 'static,
) -> Verification {
    let replica = MemoryReplica::default();
    replica.append(origin, records.to_vec()).await.unwrap();
    verify_replica(&Changed { replica, change }, options).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn t25_records_that_replicas_share_verify_against_anchors_and_a_change_is_named() {
    let (fixture, elsewhere) = (Fixture::new(), tempfile::tempdir().unwrap());
    let anchor = elsewhere.path().join("anchor");
    let (log, _) = fixture.open_with(|options| {
        options.checkpoint_every = 20;
        options.sinks.push(Box::new(CheckpointFile::new(&anchor)));
    });
    for i in 0..1_100 {
        log.append_detached(tool_call("alice", &format!("shared-{i}")));
    }
    log.close().await.unwrap();
    let origin = log.public_key().origin.unwrap();
    drop(log);
    let mut lines = Vec::new();
    let all = AuditFilter::default();
    audit_log::offline::export(fixture.path(), audit_log::offline::Format::JsonLines, &all, &mut lines).unwrap();
    let mut chain = [0; 32];
    let records: Vec<ReplicatedRecord> = (1..)
        .zip(String::from_utf8(lines).unwrap().lines())
        .map(|(position, line)| {
            chain = audit_log::tree::chain_hash(&chain, &audit_log::tree::leaf_hash(line.as_bytes()));
            ReplicatedRecord { position, line: line.to_owned(), hash: chain, payload: None }
        })
        .collect();
    assert_eq!(records.len(), 1_102);
    let options = VerifyOptions { anchors: vec![anchor], ..VerifyOptions::default() };

    let good = changed(&options, &records, &origin, |records| records).await;
    assert!(good.ok, "{good:#?}");
    assert_eq!((good.records, good.logs[0].signed_records, good.logs[0].self_attested), (1_102, 1_102, false));

    let kinds = |verification: &Verification| -> Vec<(FindingKind, Option<u64>)> {
        verification.logs[0].findings.iter().map(|finding| (finding.kind, finding.position)).collect()
    };
    let edited = changed(&options, &records, &origin, |mut records| {
        records[29].line = records[29].line.replace("alice", "mallory");
        records
    });
    assert!(kinds(&edited.await).contains(&(FindingKind::RecordChanged, Some(30))));
    let cut = changed(&options, &records, &origin, |mut records| {
        records.truncate(1_090);
        records
    });
    assert!(kinds(&cut.await).contains(&(FindingKind::LogTruncated, Some(1_091))));
    let gone = changed(&options, &records, &origin, |mut records| {
        records.remove(1_050);
        records
    });
    assert!(kinds(&gone.await).contains(&(FindingKind::RecordMissing, Some(1_051))));

    let empty = verify_replica(&MemoryReplica::default(), &options).await.unwrap();
    assert_eq!((empty.ok, empty.findings[0].kind), (false, FindingKind::LogMissing));
    let unknown = VerifyOptions::default();
    let replica = Arc::new(MemoryReplica::default());
    replica.append(&origin, records).await.unwrap();
    let unvouched = verify_replica(replica.as_ref(), &unknown).await.unwrap();
    assert!(unvouched.findings.iter().any(|finding| finding.kind == FindingKind::LogUnvouched));
}
