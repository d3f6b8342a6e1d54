//! The one transaction that adds to a log. Next: [`crate::writer`], which decides what is in it.

use aws_lc_rs::signature::Ed25519KeyPair;
use rusqlite::{Connection, TransactionBehavior};

use crate::checkpoint::Checkpoint;
use crate::error::AuditFault;
use crate::record::PreparedRecord;
use crate::recovery::Edge;

/// Where the log stands after it.
pub(crate) struct Written {
    pub(crate) edge: Edge,
    pub(crate) note: Option<String>,
}

/// One synced transaction: the records in order and, where one is due, the checkpoint over all of them.
pub(crate) fn write(
    connection: &mut Option<Connection>,
    edge: &Edge,
    records: &[&PreparedRecord],
    checkpoint: Option<(&str, &Ed25519KeyPair)>,
) -> Result<Written, AuditFault> {
    let Some(connection) = connection else { return Err(AuditFault::Closed) };
    let mut edge = edge.clone();
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    {
        let mut insert = transaction.prepare_cached("INSERT INTO audit(seq, line, hash) VALUES(?, ?, ?)")?;
        let mut beside = transaction.prepare_cached("INSERT INTO payload(seq, key_id, sealed) VALUES(?, ?, ?)")?;
        for record in records {
            let position = edge.size() + 1;
            let line = record.line(position);
            let hash = edge.push(&line);
            insert.execute((position.cast_signed(), line, hash))?;
            if let Some(sealed) = record.sealed() {
                beside.execute((position.cast_signed(), &sealed.key, &sealed.bytes))?;
            }
        }
    }
    let mut note = None;
    if let Some((origin, pair)) = checkpoint {
        let text =
            Checkpoint { origin: origin.to_owned(), size: edge.size(), root: edge.frontier.root(), chain: edge.chain }
                .sign(pair);
        transaction.execute(
            "INSERT INTO checkpoint(size, note, frontier) VALUES(?, ?, ?)",
            (edge.size().cast_signed(), &text, edge.frontier.to_bytes()),
        )?;
        note = Some(text);
    }
    transaction.commit()?;
    Ok(Written { edge, note })
}
