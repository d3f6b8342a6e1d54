//! The devices of the inventory, for the target directory. The vendor's rows of devices rarely say a site: the assignments to
//! sites are a second list, gone through after the first one.

use std::sync::Arc;

use async_trait::async_trait;
use platform::Error;
use serde::Deserialize;
use tool_runtime::ToolCx;
use tool_runtime::ports::target_source::{TargetPage, TargetRow, TargetSource};

use super::devices::DEVICES;
use crate::client::{Api, Query};
use crate::model::{Device, VendorDevice};

/// Rows of a page: as many as the vendor gives at once.
const PAGE: u64 = 500;
/// Where the second list begins; no inventory is that long.
const ASSIGNMENTS: u64 = 1 << 32;

const SITES: &str = "/dna/intent/api/v1/sites";
const ASSIGNED: &str = "/dna/intent/api/v1/networkDevices/assignedToSite";

/// Knows the devices of one Catalyst Center.
pub(crate) struct Inventory(pub(crate) Arc<Api>);

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct VendorSite {
    id: String,
    name_hierarchy: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct VendorAssignment {
    device_id: String,
    site_name_hierarchy: Option<String>,
}

#[async_trait]
impl TargetSource for Inventory {
    async fn targets(&self, cx: &ToolCx, offset: u64) -> Result<TargetPage, Error> {
        match offset.checked_sub(ASSIGNMENTS) {
            None => self.devices(cx, offset).await,
            Some(offset) => self.assignments(cx, offset).await,
        }
    }
}

impl Inventory {
    async fn devices(&self, cx: &ToolCx, offset: u64) -> Result<TargetPage, Error> {
        let rows: Vec<VendorDevice> = self.0.read(cx, &page(DEVICES, Query::default(), offset)).await?;
        let next = if rows.len() as u64 == PAGE { offset + PAGE } else { ASSIGNMENTS };
        Ok(TargetPage { rows: rows.into_iter().map(|row| Device::from(row).into()).collect(), next: Some(next) })
    }

    /// Of all sites: what is assigned to the uppermost one or to any below it.
    async fn assignments(&self, cx: &ToolCx, offset: u64) -> Result<TargetPage, Error> {
        let Some(uppermost) = self.uppermost(cx).await? else { return Ok(TargetPage { rows: Vec::new(), next: None }) };
        let query = Query::default().with("siteId", Some(uppermost));
        let rows: Vec<VendorAssignment> = self.0.read(cx, &page(ASSIGNED, query, offset)).await?;
        let next = (rows.len() as u64 == PAGE).then_some(ASSIGNMENTS + offset + PAGE);
        let row = |assigned: VendorAssignment| TargetRow {
            id: assigned.device_id,
            serials: Vec::new(),
            hostname: None,
            site: assigned.site_name_hierarchy,
            role: None,
            redundancy_group: None,
            ci: None,
        };
        Ok(TargetPage { rows: rows.into_iter().map(row).collect(), next })
    }

    /// The id of the site `Global`; nothing where no sites are set up.
    async fn uppermost(&self, cx: &ToolCx) -> Result<Option<String>, Error> {
        let query = Query::default().with("nameHierarchy", Some("Global"));
        let sites: Vec<VendorSite> = self.0.read(cx, &query.on(SITES)).await?;
        Ok(sites.into_iter().find(|s| s.name_hierarchy.as_deref() == Some("Global")).map(|s| s.id))
    }
}

impl From<Device> for TargetRow {
    fn from(device: Device) -> Self {
        Self {
            id: device.id,
            serials: device.serials,
            hostname: device.hostname,
            site: device.site,
            role: device.role,
            redundancy_group: None,
            ci: None,
        }
    }
}

/// The vendor counts from 1.
fn page(path: &str, query: Query, offset: u64) -> String {
    query.with("offset", Some(offset + 1)).with("limit", Some(PAGE)).on(path)
}
