//! The records of changes, as change control uses them (T16, T17): opened once, read as facts, moved where the instance lets
//! itself be asked and waited for where approvals move it. Approvals are read, person by person, and never written.
//!
//! Next: `moving` for states, `conflicts` for what stands against a change, `attaching` for files, [`crate::plan_hash`] for where the hash stands.

mod attaching;
mod conflicts;
mod moving;

use std::sync::Arc;

use async_trait::async_trait;
use jiff::Timestamp;
use platform::{Error, ErrorKind};
use tool_runtime::ports::change_records::{
    Advance, ApprovalRow, ChangeRecords, Conflict, Ticket, TicketClosing, TicketDraft, TicketFacts, TicketState,
};
use tool_runtime::{ArtifactReference, ToolCx};

use crate::changes::{self, KIND, New};
use crate::client::Api;
use crate::record::{Record, vendor_time};
use crate::resolve::{self, is_sys_id};
use crate::states;
use crate::write::{self, Fields, set};

/// Fields of a change request that are facts. `sys_mod_count` asks for another read and proves nothing.
const FACTS: [&str; 9] =
    ["sys_id", "number", "type", "state", "approval", "start_date", "end_date", "correlation_id", "sys_mod_count"];

/// Over one instance.
pub(crate) struct Records {
    pub(crate) api: Arc<Api>,
}

#[async_trait]
impl ChangeRecords for Records {
    async fn open(&self, cx: &ToolCx, draft: &TicketDraft, key: &str) -> Result<Ticket, Error> {
        write::preparing(cx);
        let new = self.new_change(cx, draft).await?;
        let opened = changes::open(&self.api, cx, new, key, &["sys_id", "number"]).await?;
        let ticket = ticket_of(&opened.row);
        // What stands there now is what people will approve: it has to be what was drafted, whoever opened it.
        let facts = self.read(cx, &ticket.id).await?;
        match unlike(&facts, draft) {
            None => Ok(ticket),
            Some(fact) => Err(Error::new(
                ErrorKind::Conflict,
                "ticket_not_as_drafted",
                format!(
                    "The change request {} stands in ServiceNow and its {fact} is not what the change says. Somebody changed it, \
                     or the platform's account may not write it.",
                    ticket.number
                ),
            )),
        }
    }

    async fn read(&self, cx: &ToolCx, id: &str) -> Result<TicketFacts, Error> {
        let place = &self.api.plan_hash;
        let fields: Vec<&str> = FACTS.iter().copied().chain([place.field(), "cmdb_ci"]).collect();
        let row = resolve::ticket(&self.api, cx, &KIND, id, &fields).await?;
        let mut cis = changes::affected(&self.api, cx, &row.id()).await?;
        cis.extend(row.owned("cmdb_ci").filter(|first| !cis.contains(first)));
        cis.sort();
        Ok(TicketFacts {
            ticket: ticket_of(&row),
            kind: row.owned("type").unwrap_or_default(),
            state: states::change_of(row.text("state").unwrap_or_default())?,
            approval: row.owned("approval").unwrap_or_default(),
            window_ms: row.time_ms("start_date").zip(row.time_ms("end_date")),
            cis,
            plan_hash: place.read(&row),
            correlation_id: row.owned("correlation_id"),
            modifications: row.number("sys_mod_count").unwrap_or_default(),
            read_at_ms: cx.clock.now().as_millisecond(),
        })
    }

    async fn approvals(&self, cx: &ToolCx, ids: &[String], since_ms: i64) -> Result<Vec<ApprovalRow>, Error> {
        let since = vendor_time(Timestamp::from_millisecond(since_ms).map_err(Error::internal)?);
        let fields = ["sys_id", "sysapproval", "state", "approver.user_name", "sys_updated_by", "sys_updated_on"];
        let mut tickets = Vec::with_capacity(ids.len());
        for id in ids {
            // By number or by id; rows name tickets by id.
            tickets.push(match is_sys_id(id) {
                true => id.clone(),
                false => resolve::ticket(&self.api, cx, &KIND, id, &["sys_id"]).await?.id(),
            });
        }
        let rows = changes::approvals(&self.api, cx, &tickets, Some(since), &fields).await?;
        rows.iter().map(approval).collect()
    }

    async fn advance(
        &self,
        cx: &ToolCx,
        id: &str,
        to: TicketState,
        closing: Option<&TicketClosing>,
    ) -> Result<Advance, Error> {
        moving::advance(&self.api, cx, id, to, closing).await
    }

    async fn conflicts(&self, cx: &ToolCx, id: &str) -> Result<Vec<Conflict>, Error> {
        let id = self.id(cx, id).await?;
        conflicts::detect(&self.api, cx, &id).await
    }

    async fn attach(&self, cx: &ToolCx, id: &str, artifact: &ArtifactReference) -> Result<(), Error> {
        let id = self.id(cx, id).await?;
        attaching::attach(&self.api, cx, &id, artifact).await
    }
}

impl Records {
    async fn id(&self, cx: &ToolCx, text: &str) -> Result<String, Error> {
        write::preparing(cx);
        Ok(resolve::ticket(&self.api, cx, &KIND, text, &["sys_id"]).await?.id())
    }

    async fn new_change(&self, cx: &ToolCx, draft: &TicketDraft) -> Result<New, Error> {
        let route = changes::route(&draft.kind, draft.standard_template.as_deref())?;
        if let Some(strange) = draft.cis.iter().find(|ci| !is_sys_id(ci)) {
            return Err(tool_runtime::connector::target_unknown("configuration item", strange));
        }
        let place = &self.api.plan_hash;
        let mut fields = Fields::new();
        set(&mut fields, "short_description", Some(write::plain(&draft.short_description)));
        set(&mut fields, "description", Some(write::plain(&draft.description)));
        set(&mut fields, "backout_plan", Some(write::plain(&draft.backout_plan)));
        set(&mut fields, "implementation_plan", Some(write::plain(&draft.implementation_plan)));
        // In the plan's own field the hash is its first line.
        let hash = place.written(&draft.plan_hash);
        let stored = match (place.field(), draft.implementation_plan.is_empty()) {
            ("implementation_plan", false) => format!("{hash}\n\n{}", write::plain(&draft.implementation_plan)),
            _ => hash,
        };
        set(&mut fields, place.field(), Some(stored));
        if let Some((start, end)) = draft.window_ms {
            let time = |ms| Timestamp::from_millisecond(ms).map(vendor_time).map_err(Error::internal);
            set(&mut fields, "start_date", Some(time(start)?));
            set(&mut fields, "end_date", Some(time(end)?));
        }
        if let Some(group) = &draft.assignment_group {
            set(&mut fields, "assignment_group", Some(resolve::group(&self.api, cx, group).await?));
        }
        set(&mut fields, "cmdb_ci", draft.cis.first().cloned());
        let note = format!("Opened for {}.", draft.on_behalf_of);
        set(&mut fields, "work_notes", Some(write::noted(cx, Some(&note))));
        Ok(New { route, fields, cis: draft.cis.clone() })
    }
}

fn ticket_of(row: &Record) -> Ticket {
    Ticket { id: row.id(), number: row.owned("number").unwrap_or_else(|| row.id()) }
}

/// The gated fact of a ticket that is not as drafted. The vendor keeps whole seconds.
fn unlike(facts: &TicketFacts, draft: &TicketDraft) -> Option<&'static str> {
    let seconds = |window: Option<(i64, i64)>| window.map(|(start, end)| (start / 1_000, end / 1_000));
    let mut drafted = draft.cis.clone();
    drafted.sort();
    drafted.dedup();
    if facts.kind != draft.kind {
        Some("type")
    } else if seconds(facts.window_ms) != seconds(draft.window_ms) {
        Some("planned time")
    } else if facts.cis != drafted {
        Some("set of configuration items")
    } else if facts.plan_hash.as_deref() != Some(draft.plan_hash.as_str()) {
        Some("plan hash")
    } else {
        None
    }
}

/// A row without its ticket, its approver or its time proves nothing, and is an error rather than half a fact.
fn approval(row: &Record) -> Result<ApprovalRow, Error> {
    let missing = || {
        Error::new(
            ErrorKind::Upstream,
            "target_garbled",
            "ServiceNow answered with an approval that does not say whose it is or when it was changed. The platform's \
             account may not read these fields.",
        )
    };
    Ok(ApprovalRow {
        id: row.id(),
        ticket_id: row.owned("sysapproval").ok_or_else(missing)?,
        state: row.owned("state").unwrap_or_default(),
        approver: row.owned("approver.user_name").ok_or_else(missing)?,
        updated_by: row.owned("sys_updated_by").ok_or_else(missing)?,
        updated_at_ms: row.time_ms("sys_updated_on").ok_or_else(missing)?,
    })
}

#[cfg(test)]
mod tests {
    use tool_runtime::ports::change_records::{Ticket, TicketDraft, TicketFacts, TicketState};

    use super::unlike;

    fn draft() -> TicketDraft {
        TicketDraft {
            kind: "normal".into(),
            standard_template: None,
            short_description: "x".into(),
            description: String::new(),
            implementation_plan: String::new(),
            backout_plan: String::new(),
            window_ms: Some((1_000_500, 2_000_000)),
            cis: vec!["b".repeat(32), "a".repeat(32)],
            plan_hash: "00".into(),
            assignment_group: None,
            on_behalf_of: "alice".into(),
        }
    }

    fn facts() -> TicketFacts {
        TicketFacts {
            ticket: Ticket { id: "c".repeat(32), number: "CHG1".into() },
            kind: "normal".into(),
            state: TicketState::New,
            approval: "not requested".into(),
            window_ms: Some((1_000_000, 2_000_000)),
            cis: vec!["a".repeat(32), "b".repeat(32)],
            plan_hash: Some("00".into()),
            correlation_id: Some("k".into()),
            modifications: 0,
            read_at_ms: 0,
        }
    }

    #[test]
    fn t17_every_gated_fact_that_differs_from_the_draft_is_named() {
        assert_eq!(unlike(&facts(), &draft()), None, "the vendor keeps whole seconds");
        assert_eq!(unlike(&TicketFacts { kind: "emergency".into(), ..facts() }, &draft()), Some("type"));
        assert_eq!(unlike(&TicketFacts { window_ms: None, ..facts() }, &draft()), Some("planned time"));
        let more = TicketFacts { cis: vec!["a".repeat(32), "b".repeat(32), "d".repeat(32)], ..facts() };
        assert_eq!(unlike(&more, &draft()), Some("set of configuration items"));
        assert_eq!(unlike(&TicketFacts { plan_hash: Some("01".into()), ..facts() }, &draft()), Some("plan hash"));
        assert_eq!(unlike(&TicketFacts { plan_hash: None, ..facts() }, &draft()), Some("plan hash"));
    }
}
