//! This connector's rows of the matrix of faults.
#![cfg(test)]

use std::time::Duration;

use async_trait::async_trait;
use connector_suites::Rig;
use connector_suites::faults::{Bench, Call, compare, matrix};
use platform::{Clock as _, Json};
use serde_json::json;
use tool_runtime::ports::change_records::{ADVANCE, APPROVALS, OPEN, READ, Ticket};
use world::{Fault, Faults};

use crate::lab::{Lab, NAME, PASSWORD};

struct Desk {
    lab: Lab,
    incident: String,
    ticket: Ticket,
}

#[async_trait]
impl Bench for Desk {
    async fn start(attempt: Duration) -> Self {
        let lab = Lab::with(None, |options| options.attempt_timeout = attempt).await;
        let opened = lab.read("create_incident", json!({"short_description": "Uplink flaps"})).await;
        let incident = opened["incident"]["number"].as_str().unwrap().to_owned();
        let ticket = lab.rig.ports().open_ticket(&crate::records::draft(&lab).await, "chg-0").await.unwrap();
        Self { lab, incident, ticket }
    }

    fn rig(&self) -> &Rig {
        &self.lab.rig
    }

    fn faults(&self) -> &Faults {
        &self.lab.faults
    }

    fn system(&self) -> &str {
        NAME
    }

    async fn calls(&self) -> Vec<Call> {
        let read = |tool, path, arguments| Call { tool, arguments, method: "GET", path, writes: false };
        let write = |tool, method, path, arguments| Call { tool, arguments, method, path, writes: true };
        let now = self.lab.clock.now().as_millisecond();
        let draft = serde_json::to_value(crate::records::draft(&self.lab).await).unwrap();
        vec![
            read("list_incidents", "/table/incident", json!({"state": "new"})),
            read("get_change_request", "/sysapproval_approver", json!({"change_request": self.ticket.number})),
            read(READ, "/task_ci", json!({"ticket": self.ticket.id})),
            read(APPROVALS, "/sysapproval_approver", json!({"tickets": [self.ticket.id], "since_ms": now - 60_000})),
            write("create_incident", "POST", "/table/incident", json!({"short_description": MARK})),
            write("update_incident", "PATCH", "/table/incident", json!({"incident": self.incident, "work_note": NOTE})),
            write(OPEN, "POST", "/change/normal", json!({"draft": draft, "key": "chg-1"})),
            write(ADVANCE, "PATCH", "/change/normal", json!({"ticket": self.ticket.id, "to": "assess"})),
        ]
    }

    fn canaries(&self) -> Vec<String> {
        vec![PASSWORD.to_owned()]
    }

    async fn settled(&self, call: &Call) -> String {
        self.done(call).await
    }

    async fn followed(&self, call: &Call, _: &Json) -> String {
        self.done(call).await
    }

    async fn refused(&self, call: &Call) -> String {
        self.done(call).await
    }
}

impl Desk {
    /// How often the instance did what the call wanted, by its own records.
    async fn done(&self, call: &Call) -> String {
        // A refused credential is not tried again for a minute.
        self.lab.clock.advance(61);
        let done = match call.tool {
            "create_incident" => self.lab.read("list_incidents", json!({"text": MARK})).await["total"].clone(),
            OPEN => self.lab.read("list_change_requests", json!({"state": "new"})).await["items"]
                .as_array()
                .unwrap()
                .iter()
                .filter(|row| row["id"] != self.ticket.id.as_str())
                .filter(|row| row["short_description"] == "VLAN 120 on two switches")
                .count()
                .into(),
            ADVANCE => {
                let facts = self.lab.rig.ports().read_ticket(&self.ticket.id).await.unwrap();
                u8::from(facts.state != tool_runtime::ports::change_records::TicketState::New).into()
            }
            _ => {
                let whole = self.lab.read("get_incident", json!({"incident": self.incident})).await;
                let notes = whole["journal"].as_array().unwrap().iter();
                notes.filter(|note| note["text"].as_str().unwrap().ends_with(NOTE)).count().into()
            }
        };
        format!("done {done} times")
    }
}

/// The line of an incident that only the matrix opens.
const MARK: &str = "Opened by the matrix";
/// A work note that only the matrix writes.
const NOTE: &str = "Noted by the matrix.";

#[tokio::test(flavor = "multi_thread")]
async fn every_call_under_every_fault_is_as_the_page_says() {
    compare(NAME, &matrix::<Desk>().await);
}

#[tokio::test]
async fn the_breaker_opens_and_closes() {
    let lab = Lab::with(None, |options| {
        options.retry.max_attempts = 1;
        options.breaker.failures = 3;
        options.breaker.open_for = Duration::from_millis(200);
    })
    .await;
    let ask = || lab.call("list_users", json!({}));
    ask().await.unwrap();
    lab.fault("/sys_user", Fault::ServerError { status: 503 }, 1_000);
    let mut codes = Vec::new();
    for _ in 0..6 {
        codes.push(ask().await.unwrap_err().code().to_owned());
    }
    assert_eq!(codes[..3], ["target_failed"; 3].map(str::to_owned));
    assert_eq!(codes[5], "target_circuit_open", "{codes:?}");
    lab.faults.inject(NAME, world::Match { path: Some("/sys_user".into()), ..Default::default() }, None, 0);
    let closed = async {
        while ask().await.is_err() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), closed).await.unwrap();
}
