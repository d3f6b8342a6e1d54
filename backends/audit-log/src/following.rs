//! How the writer goes from one log to the next: it closes its own, puts it aside, and begins the other. Next:
//! [`crate::rotation`] for the files, [`crate::opening`] for the new log.

use std::sync::{Mutex, PoisonError};

use rusqlite::Connection;

use crate::error::AuditFault;
use crate::file::open_for_reading;
use crate::keys::{AuditKeys, PublicKey};
use crate::opening;
use crate::rotation::{self, Beginning, Change};
use crate::writer::Writer;

impl Writer {
    // Follows this log by a new one while others append. The connection of the readers moves along.
    pub(crate) fn rotate(
        self,
        keys: &AuditKeys,
        to: String,
        reader: &Mutex<Connection>,
    ) -> (Self, Result<PublicKey, AuditFault>) {
        let mut reading = reader.lock().unwrap_or_else(PoisonError::into_inner);
        // No connection of ours may keep the old file when it moves.
        match Connection::open_in_memory() {
            Ok(none) => *reading = none,
            Err(error) => return (self, Err(error.into())),
        }
        let (mut writer, rotated) = match self.follow(keys, to) {
            Ok(writer) => {
                let key = writer.public_key();
                (writer, Ok(key))
            }
            Err((writer, fault)) => (*writer, Err(fault)),
        };
        match open_for_reading(&writer.path) {
            Ok(connection) => *reading = connection,
            Err(error) => writer.fail(&error),
        }
        (writer, rotated)
    }

    /// Closes this log, puts it aside and begins the next. With an error comes the writer as it stands then: of the old log
    /// while that is not closed, afterwards one that refuses.
    pub(crate) fn follow(mut self, keys: &AuditKeys, to: String) -> Result<Self, (Box<Self>, AuditFault)> {
        let reason = rotation::KEYS_ROTATED.to_owned();
        let change = Change { from: self.origin.clone(), to, reason, forked: None };
        let beginning = match self.conclude(keys, &change) {
            Ok(beginning) => beginning,
            Err(fault) => return Err((Box::new(self), fault)),
        };
        let anchors = self.publisher.close(Some(change.to.clone()));
        self.connection = None;
        let next = self.lock.try_clone().map_err(|e| AuditFault::io(&self.setting.folder, e)).and_then(|lock| {
            rotation::archive(&self.setting.folder, &change.from)?;
            opening::begin(self.setting.clone(), lock, keys, Some(beginning), anchors)
        });
        match next {
            Ok(begun) => Ok(begun.writer),
            Err(fault) => {
                self.stopped = Some(format!("the change to the log {} is not finished: {fault}", change.to));
                self.fail(&fault);
                Err((Box::new(self), fault))
            }
        }
    }

    // Everything that can fail while the old log still goes on, and its last record.
    fn conclude(&mut self, keys: &AuditKeys, change: &Change) -> Result<Beginning, AuditFault> {
        keys.pair()?;
        if !self.held.is_empty() || self.spool.is_used() {
            return Err(AuditFault::Write("records wait for the disk".to_owned()));
        }
        self.recover()?;
        self.ship()?;
        // The next log begins in the registry: asked before this one ends.
        if let Some(registry) = &self.setting.registry {
            registry.bridge().wait(registry.clone().find(self.origin.clone()))?;
        }
        let Some(connection) = &self.connection else { return Err(AuditFault::Closed) };
        let mut beginning = rotation::carried(connection, change, self.clock.now())?;
        rotation::announce(&self.setting.folder, change)?;
        if let Err(fault) = self.close(Some(&change.to)) {
            rotation::conclude(&self.setting.folder)?;
            return Err(fault);
        }
        let Some(connection) = &self.connection else { return Err(AuditFault::Closed) };
        beginning.predecessor = Some(rotation::last_tree(connection, &change.from, &change.reason)?);
        Ok(beginning)
    }
}
