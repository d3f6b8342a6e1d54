//! The configuration items and places of a region, and the schedules that bind them.

use std::collections::BTreeMap;

use world::World;
use world::cmdb::{CiClass, CiRelationKind, Cmdb};
use world::tickets;

use super::{DAY, Seeding};

impl Seeding<'_> {
    /// The items and places of a region; ids of items that stand for a running chassis, in order.
    pub(super) fn region(&mut self, world: &World) -> Vec<String> {
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

    pub(super) fn schedules(&mut self, items: &[String]) {
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
}

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
