//! The ticket of a change (T17): it counts only as read, by the platform itself. What an approval rests on is the digest of
//! the facts that only people may change; when that digest is another one later, the approval is void.

use platform::{Error, ErrorKind};
use serde::Serialize;
use tool_runtime::ports::PortClient;
use tool_runtime::ports::change_records::TicketFacts;

use crate::changes::Changes;
use crate::model::change::Change;

/// The gated facts of a ticket, in the form whose digest is bound. The count of modifications and the time of reading are
/// left out: our own notes change them. So are state and approval: the platform moves them itself, as far as they allow.
#[derive(Debug, PartialEq, Eq, Serialize)]
struct Gated<'a> {
    id: &'a str,
    number: &'a str,
    kind: &'a str,
    window_ms: Option<(i64, i64)>,
    cis: &'a [String],
    plan_hash: Option<&'a str>,
}

/// SHA-256 of the RFC 8785 JSON of a ticket's gated facts, hexadecimal.
pub fn gated_digest(facts: &TicketFacts) -> Result<String, Error> {
    platform::canonical::digest_hex(&Gated {
        id: &facts.ticket.id,
        number: &facts.ticket.number,
        kind: &facts.kind,
        window_ms: facts.window_ms,
        cis: &facts.cis,
        plan_hash: facts.plan_hash.as_deref(),
    })
}

impl Changes {
    /// Reads the ticket of a change in the system that keeps tickets. Errors: `ticket_system_unclear`, `changes_unavailable`,
    /// and those of the port.
    pub(crate) async fn read_ticket(&self, change: &Change, ticket: &str) -> Result<TicketFacts, Error> {
        let records = self.ticket_records(change)?;
        Box::pin(records.read_ticket(ticket)).await
    }

    /// The port of the one system that keeps tickets.
    fn ticket_records(&self, change: &Change) -> Result<PortClient, Error> {
        let catalogue = self.road()?.visibility().catalogue();
        let mut keepers = catalogue.servers().filter(|server| server.connector.ports().change_records.is_some());
        match (keepers.next(), keepers.next()) {
            (Some(keeper), None) => Ok(self.ports(change, None)?.at(&keeper.facts.name)),
            _ => Err(Error::new(
                ErrorKind::InvalidInput,
                "ticket_system_unclear",
                "A ticket can be named only where exactly one connected system keeps the records of changes.",
            )),
        }
    }
}
