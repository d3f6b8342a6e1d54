//! The record of every line that reached a simulated device: what tests compare with what the platform says it did.
//!
//! With a state folder the record is appended to a file before the device acts, and read again on opening.
//! Where next: [`crate::admin`], which shows it as `GET /device-commands`.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, Write};
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Lines that reached a device in one go.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct DeviceCommand {
    /// Counts from 1.
    #[serde(default)]
    pub seq: u64,
    /// Instance that sent them.
    pub system: String,
    /// Id in the controller.
    pub device_id: Uuid,
    /// Host name at that moment.
    pub hostname: String,
    /// Serial numbers, joined as the controller joins them.
    pub serial: String,
    /// `config` or `exec`.
    pub mode: String,
    /// The lines as sent.
    pub lines: Vec<String>,
    /// RFC 3339, by the lab's clock.
    pub at: String,
    /// Deployment that carried them, where one did.
    pub deployment_id: Option<String>,
    /// `template_deploy`, `command_runner`, `interface_update`, `write_memory`.
    pub via: String,
    /// Headers of the causing request that name its caller (`x-caller-id`, `user-agent`, `x-request-id`, `traceparent`).
    pub headers: BTreeMap<String, String>,
}

/// The record.
#[derive(Debug, Default)]
pub struct CommandLog {
    inner: Mutex<Held>,
}

#[derive(Debug, Default)]
struct Held {
    rows: std::collections::VecDeque<DeviceCommand>,
    next: u64,
    file: Option<File>,
}

/// Rows kept in memory; the file keeps all.
const KEPT: usize = 5_000;

impl CommandLog {
    /// Opens the record in a file; lines that do not read are skipped.
    ///
    /// # Errors
    /// What the file system says.
    pub fn open(path: &Path) -> io::Result<Self> {
        let file = OpenOptions::new().read(true).append(true).create(true).open(path)?;
        let mut held = Held { rows: std::collections::VecDeque::new(), next: 0, file: None };
        for line in BufReader::new(&file).lines() {
            if let Ok(row) = serde_json::from_str::<DeviceCommand>(&line?) {
                held.next = held.next.max(row.seq);
                held.keep(row);
            }
        }
        held.file = Some(file);
        Ok(Self { inner: Mutex::new(held) })
    }

    /// Writes a row and returns its number.
    ///
    /// # Errors
    /// What the file system says.
    pub fn write(&self, mut row: DeviceCommand) -> io::Result<u64> {
        let mut held = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        held.next += 1;
        row.seq = held.next;
        if let Some(file) = &mut held.file {
            let mut line = serde_json::to_vec(&row)?;
            line.push(b'\n');
            file.write_all(&line)?;
        }
        let seq = row.seq;
        held.keep(row);
        Ok(seq)
    }

    /// Rows after number `after`, oldest first.
    pub fn rows(&self, after: u64) -> Vec<DeviceCommand> {
        let held = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        held.rows.iter().filter(|row| row.seq > after).cloned().collect()
    }
}

impl Held {
    fn keep(&mut self, row: DeviceCommand) {
        if self.rows.len() == KEPT {
            self.rows.pop_front();
        }
        self.rows.push_back(row);
    }
}
