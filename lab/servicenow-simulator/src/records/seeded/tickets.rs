//! Demo changes with their templates, incidents, articles and problems.

use world::people::Person;
use world::tickets::{self, ChangeStage, IncidentStage};

use super::{DAY, Seeding};
use crate::rules;

impl Seeding<'_> {
    pub(super) fn changes(&mut self, items: &[String]) {
        let group = self.id("sys_user_group", "Network");
        for (number, change) in (30_001..).zip(tickets::changes(self.number)) {
            let id = self.id("change_request", &number.to_string());
            let requester = self.id("sys_user", change.requester);
            let (state, approval) = match change.stage {
                ChangeStage::New => ("-5", "not requested"),
                ChangeStage::Scheduled => ("-2", "approved"),
                ChangeStage::Closed => ("3", "approved"),
            };
            let written_s = change.window_s.0.min(0) - 5 * DAY;
            let mut row = self
                .row("change_request", &id, written_s)
                .with("number", format!("CHG{number:07}"))
                .with("short_description", change.short_description)
                .with("state", state)
                .with("approval", approval)
                .with("risk", change.risk.to_string())
                .with("requested_by", requester.as_str())
                .with("opened_by", requester.as_str())
                .with("opened_at", self.at(written_s))
                .with("assignment_group", group.as_str())
                .with("start_date", self.at(change.window_s.0))
                .with("end_date", self.at(change.window_s.1))
                .with("chg_model", self.id("chg_model", "Normal"))
                .with("task_effective_number", format!("CHG{number:07}"));
            if change.stage == ChangeStage::Closed {
                row = row
                    .with("active", "false")
                    .with("close_code", "successful")
                    .with("close_notes", "Done as planned.")
                    .with("work_start", self.at(change.window_s.0))
                    .with("work_end", self.at(change.window_s.1))
                    .with("closed_at", self.at(change.window_s.1))
                    .with("closed_by", requester.as_str());
            }
            if let Some(item) = items.get(change.item % items.len().max(1)) {
                row.set("cmdb_ci", item.as_str());
                let affected = self
                    .row("task_ci", &self.id("task_ci", &number.to_string()), written_s)
                    .with("task", id.as_str())
                    .with("ci_item", item.as_str());
                self.plant(affected);
            }
            self.plant(row);
        }
        for (name, short, template) in STANDARD {
            let version = self.id("std_change_producer_version", name);
            let producer = self.named(
                "std_change_record_producer",
                name,
                &[
                    ("short_description", short),
                    ("category", "Network Standard Changes"),
                    ("current_version", &version),
                    ("template_value", template),
                    ("assignment_group", &group),
                ],
            );
            let title = format!("{name} - 1");
            let row = self
                .row("std_change_producer_version", &version, -200 * DAY)
                .with("name", title)
                .with("version", "1")
                .with("std_change_producer", producer);
            self.plant(row);
        }
    }

    pub(super) fn incidents(&mut self, people: &[Person], items: &[String]) {
        let count = items.len().clamp(40, 5_000);
        for (number, incident) in (10_001..).zip(tickets::incidents(self.number, people, count)) {
            let text = format!("INC{number:07}");
            let id = self.id("incident", &text);
            let state = match incident.stage {
                IncidentStage::New => "1",
                IncidentStage::InProgress => "2",
                IncidentStage::OnHold => "3",
                IncidentStage::Resolved => "6",
                IncidentStage::Closed => "7",
            };
            let caller = self.id("sys_user", &incident.caller);
            let group = if incident.is_confidential { "Security" } else { incident.group };
            let mut row = self
                .row("incident", &id, -incident.opened_s)
                .with("number", text.as_str())
                .with("task_effective_number", text.as_str())
                .with("short_description", incident.short_description.as_str())
                .with("category", incident.category)
                .with("subcategory", incident.subcategory)
                .with("impact", incident.impact.to_string())
                .with("urgency", incident.urgency.to_string())
                .with("priority", rules::priority(i64::from(incident.impact), i64::from(incident.urgency)).to_string())
                .with("state", state)
                .with("incident_state", state)
                .with("caller_id", caller.as_str())
                .with("opened_by", caller.as_str())
                .with("opened_at", self.at(-incident.opened_s))
                .with("assignment_group", self.id("sys_user_group", group))
                .with("contact_type", "phone")
                .with("u_confidential", if incident.is_confidential { "true" } else { "false" })
                .with("active", if state == "7" { "false" } else { "true" });
            if let Some(assignee) = incident.assignee {
                row.set("assigned_to", self.id("sys_user", assignee));
            }
            if state == "3" {
                row.set("hold_reason", "1");
            }
            if let Some(item) = incident.item.and_then(|at| items.get(at % items.len().max(1))) {
                row.set("cmdb_ci", item.as_str());
            }
            if let Some(resolved_s) = incident.resolved_s {
                row = row
                    .with("close_code", "Solution provided")
                    .with("close_notes", "Solved and confirmed by the caller.")
                    .with("resolved_at", self.at(-resolved_s))
                    .with("sys_updated_on", self.at(-resolved_s))
                    .with("sys_mod_count", "3");
                if state == "7" {
                    row.set("closed_at", self.at(-resolved_s));
                }
            }
            self.plant(row);
            for (at, (when, who, what)) in incident.notes.iter().enumerate() {
                let note = self
                    .row("sys_journal_field", &self.id("note", &format!("{text}/{at}")), -when)
                    .with("name", "incident")
                    .with("element", "work_notes")
                    .with("element_id", id.as_str())
                    .with("value", *what)
                    .with("sys_created_by", *who);
                self.plant(note);
            }
        }
    }

    pub(super) fn knowledge(&mut self) {
        let base = self.named("kb_knowledge_base", "IT", &[("description", "What IT knows")]);
        let author = self.id("sys_user", "alice");
        for (number, (title, text)) in (1_001..).zip(tickets::ARTICLES) {
            let row = self
                .row("kb_knowledge", &self.id("kb", title), -90 * DAY)
                .with("number", format!("KB{number:07}"))
                .with("short_description", title)
                .with("text", text)
                .with("workflow_state", "published")
                .with("kb_knowledge_base", base.as_str())
                .with("author", author.as_str());
            self.plant(row);
        }
        for (number, (title, workaround)) in (40_001..).zip(tickets::PROBLEMS) {
            let row = self
                .row("problem", &self.id("problem", title), -60 * DAY)
                .with("number", format!("PRB{number:07}"))
                .with("short_description", title)
                .with("workaround", workaround)
                .with("known_error", "true")
                .with("state", "103")
                .with("problem_state", "103")
                .with("opened_at", self.at(-60 * DAY))
                .with("assignment_group", self.id("sys_user_group", "Network"));
            self.plant(row);
        }
    }
}

/// Name, line and what a change from it begins with.
const STANDARD: [(&str, &str, &str); 3] = [
    (
        "Add network switch to datacenter cabinet",
        "Add a switch to a cabinet",
        "category=Network^risk=4^implementation_plan=Mount, cable, configure by template^backout_plan=Unplug^EQ",
    ),
    (
        "Change VLAN on a Cisco switchport",
        "Change the access VLAN of one port",
        "category=Network^risk=4^implementation_plan=Deploy the access template on the port^backout_plan=Deploy the former VLAN^EQ",
    ),
    (
        "Reload an access point",
        "Reload one access point",
        "category=Network^risk=4^implementation_plan=Reload from the controller^backout_plan=None^EQ",
    ),
];
