//! The devices of the inventory as the target directory gets them.
#![cfg(test)]

use std::collections::BTreeMap;

use tool_runtime::ports::target_source::TargetRow;
use world::Fault;

use crate::lab::Lab;

const ASSIGNED: &str = "/dna/intent/api/v1/networkDevices/assignedToSite";

/// All pages, put together as the directory does it.
async fn all(lab: &Lab) -> BTreeMap<String, TargetRow> {
    let port = lab.connector.ports().target_source.unwrap();
    let mut rows: BTreeMap<String, TargetRow> = BTreeMap::new();
    let mut offset = 0;
    loop {
        let page = port.targets(&lab.cx(), offset).await.unwrap();
        for row in page.rows {
            match rows.get_mut(&row.id) {
                Some(known) => known.site = known.site.take().or(row.site),
                None => {
                    rows.insert(row.id.clone(), row);
                }
            }
        }
        match page.next {
            Some(next) => offset = next,
            None => return rows,
        }
    }
}

#[tokio::test]
async fn t17_every_device_comes_with_all_serials_of_its_stack_and_its_site() {
    let lab = Lab::start().await;
    let rows = all(&lab).await;
    assert_eq!(rows.len(), lab.world.managed().count());
    for device in lab.world.managed() {
        let row = &rows[&device.id.to_string()];
        let serials: Vec<_> = device.members.iter().map(|m| m.serial.clone()).collect();
        assert_eq!(row.serials, serials);
        assert_eq!(row.hostname.as_deref(), Some(lab.world.hostname(device).as_str()));
        assert_eq!(row.site.as_ref(), lab.world.site_of(device).map(|site| &site.name_hierarchy));
        assert_eq!((row.role.as_deref(), &row.ci), (Some(device.role.name()), &None));
    }
    assert!(rows.values().any(|row| row.serials.len() > 1), "there are stacks");
}

#[tokio::test]
async fn a_list_that_breaks_in_the_middle_is_no_list() {
    let lab = Lab::start().await;
    lab.fault(ASSIGNED, Fault::ServerError { status: 500 }, 10);
    let port = lab.connector.ports().target_source.unwrap();
    let first = port.targets(&lab.cx(), 0).await.unwrap();
    let error = port.targets(&lab.cx(), first.next.unwrap()).await.unwrap_err();
    assert_eq!(error.code(), "target_failed");
}
