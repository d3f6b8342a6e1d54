//! The devices that the CMDB knows, against the devices that there are.
#![cfg(test)]

use std::collections::{BTreeMap, BTreeSet};

use tool_runtime::ports::target_source::{LIST_TARGETS, TargetRow};
use world::cmdb::Cmdb;

use crate::lab::Lab;

async fn rows(lab: &Lab) -> Vec<TargetRow> {
    let answer = lab.rig.call_port(LIST_TARGETS, serde_json::json!({})).await.unwrap().structured;
    serde_json::from_value(answer["rows"].clone()).unwrap()
}

#[tokio::test]
async fn t17_a_device_is_one_row_with_all_serial_numbers_of_its_stack() {
    let lab = Lab::start().await;
    let rows = rows(&lab).await;
    let mut by_serial: BTreeMap<&str, Vec<&TargetRow>> = BTreeMap::new();
    for row in &rows {
        assert_eq!(row.ci.as_ref(), Some(&row.id));
        for serial in &row.serials {
            by_serial.entry(serial).or_default().push(row);
        }
    }
    let mut stacks = 0;
    for world in &lab.worlds {
        let flaws = Cmdb::of(world).flaws.unwrap();
        for device in world.devices() {
            let serials: BTreeSet<&str> = device.members.iter().map(|m| m.serial.as_str()).collect();
            let found = by_serial.get(device.members[0].serial.as_str()).map(Vec::as_slice).unwrap_or_default();
            if [flaws.missing, flaws.retired].contains(&device.index) {
                assert!(found.is_empty(), "{}", device.hostname);
                continue;
            }
            if flaws.duplicate == device.index {
                assert_eq!(found.len(), 2, "the directory refuses it: {}", device.hostname);
                continue;
            }
            let [row] = found else { panic!("{}: {found:?}", device.hostname) };
            assert_eq!(row.serials.iter().map(String::as_str).collect::<BTreeSet<_>>(), serials);
            assert_eq!(row.hostname.as_deref(), Some(device.hostname.as_str()));
            assert!(row.site.as_deref().is_some_and(|site| site.starts_with("Global/")), "{row:?}");
            stacks += usize::from(serials.len() > 1);
        }
    }
    assert!(stacks > 3, "{stacks}");
    assert_eq!(rows.iter().map(|row| &row.id).collect::<BTreeSet<_>>().len(), rows.len(), "no id twice");
}

#[tokio::test]
async fn t17_devices_that_stand_in_for_each_other_share_a_group() {
    let lab = Lab::start().await;
    let rows = rows(&lab).await;
    let mut groups: BTreeMap<&str, usize> = BTreeMap::new();
    for row in &rows {
        if let Some(group) = &row.redundancy_group {
            *groups.entry(group).or_default() += 1;
        }
    }
    let clusters: BTreeSet<String> = lab
        .worlds
        .iter()
        .flat_map(|world| Cmdb::of(world).items)
        .filter(|item| item.class == world::cmdb::CiClass::Cluster)
        .map(|item| item.name)
        .collect();
    assert_eq!(groups.keys().map(|g| (*g).to_owned()).collect::<BTreeSet<_>>(), clusters);
    assert!(groups.values().all(|count| *count >= 2), "{groups:?}");
}
