//! Work that goes on after a request: a worker waits, is in progress when it is first looked at, and complete when it is
//! looked at again, so that a client must ask and nobody waits for a clock. Workers die with the process, as the vendor's
//! progress records do after a while.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use serde_json::{Value, json};

use crate::records::new_id;

/// Workers by id.
#[derive(Debug, Default)]
pub(crate) struct Workers(Mutex<HashMap<String, Worker>>);

#[derive(Debug, Clone)]
struct Worker {
    kind: &'static str,
    looks: u32,
    errors: Vec<String>,
    data: Value,
}

impl Workers {
    /// Starts one; what it is after its work is known already.
    pub(super) fn start(&self, kind: &'static str, errors: Vec<String>, data: Value) -> String {
        let id = new_id();
        let worker = Worker { kind, looks: 0, errors, data };
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(id.clone(), worker);
        id
    }

    /// How it is at this look.
    pub(super) fn look(&self, base: &str, id: &str) -> Option<Value> {
        let mut workers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let worker = workers.get_mut(id)?;
        worker.looks += 1;
        let (state, label) = match (worker.looks, worker.errors.is_empty()) {
            (1, _) => (1, "Waiting"),
            (2, _) => (2, "In-Progress"),
            (_, true) => (3, "Complete"),
            (_, false) => (4, "Error"),
        };
        let over = state > 2;
        let messages: &[String] = if over { &worker.errors } else { &[] };
        Some(json!({
            "worker": {
                "sysId": id,
                "link": format!("{base}/api/sn_chg_rest/v1/change/worker/{id}"),
                "type": worker.kind,
                "state": { "value": state, "display_value": label },
                "messages": { "errorMessages": messages, "infoMessages": [], "warningMessages": [] },
                "data": if over { worker.data.clone() } else { Value::Null },
            },
        }))
    }
}
