//! What stands in the tables at birth: the lab's people, the items of every region, demo tickets, and the tables that
//! describe the tables.
//!
//! Where next: [`world::people`], [`world::cmdb`], [`world::tickets`], where the facts come from.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use uuid::Uuid;
use world::World;
use world::cmdb::{CiClass, CiRelationKind, Cmdb};
use world::people::{GROUPS, Person, people};
use world::tickets::{self, ChangeStage, IncidentStage};

use super::{Records, Row, time_text};
use crate::rules;
use crate::schema::SCHEMA;

/// Fills empty tables. `account` is the lab's account for integrations.
pub(super) fn fill(records: &mut Records, worlds: &[Arc<World>], number: u64, account: &str) {
    let mut seeding =
        Seeding { records, number, born_ms: worlds.iter().map(|world| world.born_ms()).min().unwrap_or(0) };
    let people = people(number);
    seeding.foundation();
    seeding.people(&people, account);
    let items: Vec<String> = worlds.iter().flat_map(|world| seeding.region(world)).collect();
    seeding.schedules(&items);
    seeding.changes(&items);
    seeding.incidents(&people, &items);
    seeding.knowledge();
    seeding.dictionary();
}

struct Seeding<'a> {
    records: &'a mut Records,
    number: u64,
    born_ms: i64,
}

impl Seeding<'_> {
    /// A fixed id for a name of a kind.
    fn id(&self, kind: &str, name: &str) -> String {
        let text = format!("{}/{kind}/{name}", self.number);
        Uuid::new_v5(&Uuid::NAMESPACE_OID, text.as_bytes()).simple().to_string()
    }

    /// The time so many seconds after birth.
    fn at(&self, seconds: i64) -> String {
        time_text(Timestamp::from_millisecond(self.born_ms + seconds * 1_000).unwrap_or_default())
    }

    /// A row with the dictionary's defaults and audit fields of that time.
    fn row(&self, table: &'static str, id: &str, created_s: i64) -> Row {
        let at = self.at(created_s);
        let mut row =
            rules::blank(table).with("sys_id", id).with("sys_created_by", "system").with("sys_updated_by", "system");
        row.set("sys_created_on", at.as_str());
        row.set("sys_updated_on", at.as_str());
        row.set("sys_mod_count", "0");
        row
    }

    fn plant(&mut self, row: Row) {
        self.records.plant(row);
    }

    fn named(&mut self, table: &'static str, name: &str, more: &[(&str, &str)]) -> String {
        let id = self.id(table, name);
        let display = SCHEMA.table(table).map_or("name", |table| table.display);
        let mut row = self.row(table, &id, -400 * DAY).with(display, name);
        for (field, value) in more {
            row.set(field, *value);
        }
        self.plant(row);
        id
    }

    fn foundation(&mut self) {
        self.named("core_company", "Cisco Systems", &[("manufacturer", "true"), ("vendor", "true")]);
        for (parent, child) in [
            ("Members", "Member of"),
            ("Cluster of", "Cluster"),
            ("Depends on", "Used by"),
            ("Contains", "Contained by"),
        ] {
            let name = format!("{parent}::{child}");
            self.named("cmdb_rel_type", &name, &[("parent_descriptor", parent), ("child_descriptor", child)]);
        }
        for (name, kind, default) in
            [("Normal", "normal", "true"), ("Emergency", "emergency", "false"), ("Standard", "standard", "false")]
        {
            let description = format!("{name} change with its states and approvals");
            let more = [("type", kind), ("default_change_model", default), ("description", description.as_str())];
            self.named("chg_model", name, &more);
        }
        for (name, value, kind) in [
            ("com.glide.attachment.max_size", "24", "integer"),
            ("glide.invalid_query.returns_no_rows", "false", "boolean"),
            ("instance_name", "lab", "string"),
        ] {
            self.named("sys_properties", name, &[("value", value), ("type", kind)]);
        }
        for kind in [
            "string",
            "integer",
            "boolean",
            "reference",
            "glide_date_time",
            "glide_date",
            "journal_input",
            "glide_list",
        ] {
            self.named("sys_glide_object", kind, &[("label", kind)]);
        }
    }

    fn people(&mut self, people: &[Person], account: &str) {
        for (name, manager, description) in GROUPS {
            let manager = self.id("sys_user", manager);
            self.named("sys_user_group", name, &[("manager", &manager), ("description", description)]);
        }
        for role in ["admin", "itil", "approver_user", "change_manager", "snc_read_only", "rest_service"] {
            self.named("sys_user_role", role, &[]);
        }
        for (number, person) in (1..).zip(people) {
            let department = self.named("cmn_department", person.department, &[]);
            let manager = person.manager.map(|name| self.id("sys_user", name)).unwrap_or_default();
            let row = self
                .row("sys_user", &self.id("sys_user", &person.user_name), -300 * DAY)
                .with("user_name", person.user_name.as_str())
                .with("first_name", person.first_name.as_str())
                .with("last_name", person.last_name.as_str())
                .with("name", format!("{} {}", person.first_name, person.last_name))
                .with("email", format!("{}@example.com", person.user_name))
                .with("title", person.title)
                .with("department", department)
                .with("manager", manager)
                .with("employee_number", format!("E{number:05}"))
                .with("active", if person.active { "true" } else { "false" });
            self.plant(row);
            for group in person.groups {
                self.member(&person.user_name, group);
            }
            for role in person.roles {
                self.role(&person.user_name, role);
            }
        }
        self.account("admin", "System", "Administrator", &["admin", "itil"]);
        if account != "admin" {
            self.account(account, "Integration", account, &["itil", "rest_service"]);
        }
    }

    /// A user that is no person.
    fn account(&mut self, user_name: &str, first: &str, last: &str, roles: &[&str]) {
        let integration = if user_name == "admin" { "false" } else { "true" };
        let row = self
            .row("sys_user", &self.id("sys_user", user_name), -300 * DAY)
            .with("user_name", user_name)
            .with("first_name", first)
            .with("last_name", last)
            .with("name", format!("{first} {last}"))
            .with("email", format!("{user_name}@example.com"))
            .with("web_service_access_only", integration)
            .with("internal_integration_user", integration);
        self.plant(row);
        for role in roles {
            self.role(user_name, role);
        }
    }

    fn member(&mut self, user: &str, group: &str) {
        let row = self
            .row("sys_user_grmember", &self.id("member", &format!("{user}/{group}")), -300 * DAY)
            .with("user", self.id("sys_user", user))
            .with("group", self.id("sys_user_group", group));
        self.plant(row);
    }

    fn role(&mut self, user: &str, role: &str) {
        let row = self
            .row("sys_user_has_role", &self.id("role", &format!("{user}/{role}")), -300 * DAY)
            .with("user", self.id("sys_user", user))
            .with("role", self.id("sys_user_role", role));
        self.plant(row);
    }

    /// The items and places of a region; ids of items that stand for a running chassis, in order.
    fn region(&mut self, world: &World) -> Vec<String> {
        for site in world.sites() {
            let parent = site.parent.and_then(|at| world.sites().get(at)).map(|site| site.id.simple().to_string());
            let row = self
                .row("cmn_location", &site.id.simple().to_string(), -400 * DAY)
                .with("name", site.name.as_str())
                .with("full_name", site.name_hierarchy.as_str())
                .with("parent", parent.unwrap_or_default())
                .with("street", site.address.as_str())
                .with("country", site.country);
            self.plant(row);
        }
        let cmdb = Cmdb::of(world);
        let mut models: BTreeMap<&str, String> = BTreeMap::new();
        let maker = self.id("core_company", "Cisco Systems");
        let (group, manager) = (self.id("sys_user_group", "Network"), self.id("sys_user", "nora"));
        let board = self.id("sys_user_group", "CAB Approval");
        let mut chassis = Vec::new();
        for item in &cmdb.items {
            let id = item.id.simple().to_string();
            let seen = self.at(-item.discovered_before_birth_s);
            let mut row = self
                .row(class(item.class), &id, -item.discovered_before_birth_s)
                .with("name", item.name.as_str())
                .with("serial_number", item.serial_number.as_deref().unwrap_or_default())
                .with("discovery_source", "ServiceNow")
                .with("first_discovered", self.at(-200 * DAY))
                .with("last_discovered", seen)
                .with("support_group", group.as_str())
                .with("assignment_group", group.as_str())
                .with("change_control", board.as_str())
                .with("managed_by", manager.as_str())
                .with("environment", "Production")
                .with("install_status", if item.is_retired { "7" } else { "1" })
                .with("operational_status", if item.is_retired { "6" } else { "1" });
            match item.device.and_then(|at| world.devices().get(at)) {
                Some(device) => {
                    let model = models.entry(device.platform.id).or_insert_with(|| {
                        let more = [
                            ("name", device.platform.id),
                            ("model_number", device.platform.id),
                            ("manufacturer", maker.as_str()),
                            ("short_description", device.platform.series),
                        ];
                        self.named("cmdb_model", device.platform.type_name, &more)
                    });
                    let place = world.site_of(device).map(|site| site.id.simple().to_string());
                    row = row
                        .with("manufacturer", maker.as_str())
                        .with("model_id", model.as_str())
                        .with("model_number", device.platform.id)
                        .with("location", place.unwrap_or_default())
                        .with("firmware_version", device.software_version)
                        .with("stack", if item.is_stack { "true" } else { "false" });
                    if item.is_stack || device.members.len() == 1 {
                        row.set("ip_address", device.management_ip.to_string());
                        row.set("mac_address", device.mac_text().to_uppercase());
                    }
                    if item.serial_number.is_some() && !item.is_retired {
                        chassis.push(id);
                    }
                }
                None => row = row.with("cluster_type", "High Availability").with("cluster_status", "Up"),
            }
            self.plant(row);
        }
        for relation in &cmdb.relations {
            let kind = match relation.kind {
                CiRelationKind::Members => "Members::Member of",
                CiRelationKind::Cluster => "Cluster of::Cluster",
                CiRelationKind::Uplink => "Depends on::Used by",
            };
            let row = self
                .row("cmdb_rel_ci", &relation.id.simple().to_string(), -200 * DAY)
                .with("parent", relation.parent.simple().to_string())
                .with("child", relation.child.simple().to_string())
                .with("type", self.id("cmdb_rel_type", kind));
            self.plant(row);
        }
        chassis
    }

    fn schedules(&mut self, items: &[String]) {
        let core = tickets::CORE_MAINTENANCE;
        for (window, kind) in
            tickets::BLACKOUTS.iter().map(|window| (window, "blackout")).chain([(&core, "maintenance")])
        {
            let schedule =
                self.named("cmn_schedule", window.name, &[("type", kind), ("description", window.description)]);
            let row = self
                .row("cmn_schedule_span", &self.id("span", window.name), -100 * DAY)
                .with("schedule", schedule)
                .with("name", window.name)
                .with("start_date_time", self.at(window.span_s.0))
                .with("end_date_time", self.at(window.span_s.1))
                .with("repeat_type", if kind == "maintenance" { "weekly" } else { "" });
            self.plant(row);
        }
        // The first two items are a campus's core pair.
        let schedule = self.id("cmn_schedule", core.name);
        for id in items.iter().take(2) {
            if let Some(row) = self.records.find("cmdb_ci", id).cloned() {
                self.plant(row.with("maintenance_schedule", schedule.as_str()));
            }
        }
    }

    fn changes(&mut self, items: &[String]) {
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

    fn incidents(&mut self, people: &[Person], items: &[String]) {
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

    fn knowledge(&mut self) {
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

    /// Rows of the tables that describe the tables.
    fn dictionary(&mut self) {
        for table in SCHEMA.tables() {
            let above = table.parent.map(|parent| self.id("sys_db_object", parent)).unwrap_or_default();
            let row = self
                .row("sys_db_object", &self.id("sys_db_object", table.name), -900 * DAY)
                .with("name", table.name)
                .with("label", table.label)
                .with("super_class", above)
                .with("number_ref", table.prefix.unwrap_or_default());
            self.plant(row);
            for field in &table.own {
                let flag = |on: bool| if on { "true" } else { "false" };
                let row = self
                    .row(
                        "sys_dictionary",
                        &self.id("dictionary", &format!("{}.{}", table.name, field.element)),
                        -900 * DAY,
                    )
                    .with("name", table.name)
                    .with("element", field.element)
                    .with("column_label", field.label)
                    .with("internal_type", field.kind)
                    .with("reference", field.reference)
                    .with("max_length", field.max_length.to_string())
                    .with("mandatory", flag(field.mandatory))
                    .with("read_only", flag(field.read_only))
                    .with("default_value", field.default)
                    .with("display", flag(table.display == field.element));
                self.plant(row);
            }
        }
        for (table, element, list) in SCHEMA.all_choices() {
            for (at, (value, label)) in list.iter().enumerate() {
                let row = self
                    .row("sys_choice", &self.id("choice", &format!("{table}.{element}.{value}")), -900 * DAY)
                    .with("name", table)
                    .with("element", element)
                    .with("value", *value)
                    .with("label", *label)
                    .with("sequence", at.to_string());
                self.plant(row);
            }
        }
    }
}

const DAY: i64 = 86_400;

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

fn class(class: CiClass) -> &'static str {
    match class {
        CiClass::Switch => "cmdb_ci_ip_switch",
        CiClass::Router => "cmdb_ci_ip_router",
        CiClass::Firewall => "cmdb_ci_ip_firewall",
        CiClass::NetworkGear => "cmdb_ci_netgear",
        CiClass::AccessPoint => "cmdb_ci_wap_network",
        CiClass::Cluster => "cmdb_ci_cluster",
    }
}
