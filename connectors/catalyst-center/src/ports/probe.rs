//! Observations of a device, each with the time at which its source saw it: the inventory's own time for what the inventory
//! says, now for what the device was asked now, and for issues the last moment that assurance has certainly looked at.

use std::collections::BTreeMap;

use async_trait::async_trait;
use device_config::show;
use http::Method;
use platform::http::Request;
use platform::{Error, ErrorKind, Json};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::json;
use tool_runtime::ToolCx;
use tool_runtime::ports::StateProbe;
use tool_runtime::ports::state_probe::{CheckQuery, Observation};

use super::CenterPorts;
use crate::client::{Enveloped, Query, segment};
use crate::model::{Device, Interface, Issue, VendorDevice, VendorInterface, VendorIssue};
use crate::tools::devices::{self, DEVICES};
use crate::vendor::command_runner::{self, Outcome};
use crate::vendor::tasks::date_ms;

/// What can be asked for.
const QUERIES: [&str; 6] = ["reachability", "interfaces", "neighbors", "issues", "compliance", "management"];
/// How far behind assurance is at most: it computes every five minutes. Milliseconds.
const ASSURANCE_MS: i64 = 300_000;

/// An answer, and when its source saw it, by our clock, as early as that may be.
struct Sight {
    value: Json,
    source_at_ms: i64,
}

#[async_trait]
impl StateProbe for CenterPorts {
    async fn observe(
        &self,
        cx: &ToolCx,
        device_id: &str,
        queries: &[CheckQuery],
        last_write_ms: Option<i64>,
    ) -> Result<Vec<Observation>, Error> {
        if let Some(unknown) = queries.iter().find(|query| !QUERIES.contains(&query.name.as_str())) {
            let known = QUERIES.join(", ");
            let message = format!("`{}` cannot be observed on this server; these can: {known}.", unknown.name);
            return Err(Error::new(ErrorKind::InvalidInput, "check_unsupported", message));
        }
        let path = format!("{DEVICES}/{}", segment(device_id)?);
        let (device, ahead_ms): (VendorDevice, _) = self.dated(cx, &path).await?;
        let device = Device::from(device);
        // The inventory's time, by our clock. Without one it was never read.
        let inventory_ms = device.updated_ms.map_or(0, |at| at - ahead_ms);
        let mut seen = Vec::new();
        for query in queries {
            let sight = match query.name.as_str() {
                "reachability" => self.reachability(cx, &device).await?,
                "interfaces" if is_live(query) => self.live_interfaces(cx, &device).await?,
                "interfaces" => self.interfaces(cx, &device, &query.of, inventory_ms).await?,
                "neighbors" if is_live(query) => self.live_neighbors(cx, &device).await?,
                "neighbors" => self.neighbors(cx, &device, inventory_ms).await?,
                "issues" => self.issues(cx, &device).await?,
                // By which address the controller manages it: lines that touch that are dangerous.
                "management" => Sight { value: json!({"address": device.management_ip}), source_at_ms: inventory_ms },
                _ => self.compliance(cx, &device).await?,
            };
            seen.push(Observation {
                name: query.name.clone(),
                value: sight.value,
                source_at_ms: sight.source_at_ms,
                stale: last_write_ms.is_some_and(|written| sight.source_at_ms <= written),
            });
        }
        Ok(seen)
    }
}

impl CenterPorts {
    /// An enveloped answer, and how far the vendor's clock is ahead of ours, as far as that may be.
    async fn dated<T: DeserializeOwned>(&self, cx: &ToolCx, path: &str) -> Result<(T, i64), Error> {
        let asked_ms = cx.clock.now().as_millisecond();
        let response = self.api.request(cx, Request::new(Method::GET, path, cx.deadline)).await?;
        // The vendor tells whole seconds.
        let ahead_ms = date_ms(&response).map_or(0, |at| (at + 999 - asked_ms).max(0));
        Ok((response.json::<Enveloped<T>>()?.response, ahead_ms))
    }

    /// Whether the device answers a command now; and what the inventory last thought of it.
    async fn reachability(&self, cx: &ToolCx, device: &Device) -> Result<Sight, Error> {
        const CLOCK: &str = "show clock";
        let source_at_ms = cx.clock.now().as_millisecond();
        let run = command_runner::run(&self.api, cx, std::slice::from_ref(&device.id), &[CLOCK.to_owned()]).await?;
        let answers = matches!(run.outcome(&device.id, CLOCK, device.hostname.as_deref()), Outcome::Printed(_));
        Ok(Sight { value: json!({"answers": answers, "inventory": device.reachability}), source_at_ms })
    }

    /// What a device prints now; the read is at least as new as the returned time.
    async fn printed(&self, cx: &ToolCx, device: &Device, command: &str) -> Result<(String, i64), Error> {
        let source_at_ms = cx.clock.now().as_millisecond();
        let run = command_runner::run(&self.api, cx, std::slice::from_ref(&device.id), &[command.to_owned()]).await?;
        match run.outcome(&device.id, command, device.hostname.as_deref()) {
            Outcome::Printed(text) => Ok((text, source_at_ms)),
            Outcome::Failed(_) | Outcome::Blocked => Err(command_runner::failed()),
        }
    }

    /// By name, from the device itself: as configured, and as it is.
    async fn live_interfaces(&self, cx: &ToolCx, device: &Device) -> Result<Sight, Error> {
        let (text, source_at_ms) = self.printed(cx, device, "show ip interface brief").await?;
        let rows = show::ports::ip_interface_brief(devices::platform_of(device)?, &text).map_err(unread)?;
        let all = rows.into_iter().map(|row| {
            let admin = if row.enabled { "UP" } else { "DOWN" };
            (row.interface, json!({"admin": admin, "status": if row.up { "up" } else { "down" }}))
        });
        Ok(Sight { value: json!(all.collect::<BTreeMap<String, Json>>()), source_at_ms })
    }

    /// By local port, from the device itself: who is there, by CDP.
    async fn live_neighbors(&self, cx: &ToolCx, device: &Device) -> Result<Sight, Error> {
        let (text, source_at_ms) = self.printed(cx, device, "show cdp neighbors").await?;
        let rows = show::neighbors::cdp_neighbors(devices::platform_of(device)?, &text).map_err(unread)?;
        let all = rows.into_iter().map(|row| (row.local_port, json!({"device": row.device, "port": row.remote_port})));
        Ok(Sight { value: json!(all.collect::<BTreeMap<String, Json>>()), source_at_ms })
    }

    /// By name: as configured, as it is, and its VLANs. `of.names` narrows it.
    async fn interfaces(&self, cx: &ToolCx, device: &Device, of: &Json, source_at_ms: i64) -> Result<Sight, Error> {
        let path = format!("{}/{}", devices::INTERFACES, segment(&device.id)?);
        let rows: Vec<VendorInterface> = self.api.read(cx, &path).await?;
        let wanted: Option<Vec<&str>> =
            of.get("names").and_then(Json::as_array).map(|names| names.iter().filter_map(Json::as_str).collect());
        let all = rows.into_iter().map(Interface::from).filter_map(|row| {
            let name = row.name.clone()?;
            let value = json!({
                "admin": row.admin_status, "status": row.status, "mode": row.mode, "vlan": row.vlan,
                "voice_vlan": row.voice_vlan,
            });
            wanted.as_ref().is_none_or(|wanted| wanted.contains(&name.as_str())).then_some((name, value))
        });
        Ok(Sight { value: json!(all.collect::<BTreeMap<String, Json>>()), source_at_ms })
    }

    /// The links of the device in the physical topology, by local port.
    async fn neighbors(&self, cx: &ToolCx, device: &Device, source_at_ms: i64) -> Result<Sight, Error> {
        let topology: Topology = self.api.read(cx, "/dna/intent/api/v1/topology/physical-topology").await?;
        let links = topology.links.into_iter().filter_map(|link| {
            let (local, far, remote) = if link.source.as_ref() == Some(&device.id) {
                (link.start_port_name, link.target, link.end_port_name)
            } else if link.target.as_ref() == Some(&device.id) {
                (link.end_port_name, link.source, link.start_port_name)
            } else {
                return None;
            };
            Some((local?, json!({"device_id": far, "port": remote, "status": link.link_status})))
        });
        Ok(Sight { value: json!(links.collect::<BTreeMap<String, Json>>()), source_at_ms })
    }

    /// Open issues: name and priority, in order.
    async fn issues(&self, cx: &ToolCx, device: &Device) -> Result<Sight, Error> {
        let source_at_ms = cx.clock.now().as_millisecond() - ASSURANCE_MS;
        let query = Query::default().with("deviceId", Some(&device.id)).with("issueStatus", Some("ACTIVE"));
        let rows: Vec<VendorIssue> = self.api.read(cx, &query.on("/dna/intent/api/v1/issues")).await?;
        let mut issues: Vec<(Option<String>, Option<String>)> =
            rows.into_iter().map(Issue::from).map(|issue| (issue.priority, issue.name)).collect();
        issues.sort();
        let shown: Vec<Json> =
            issues.into_iter().map(|(priority, name)| json!({"priority": priority, "name": name})).collect();
        Ok(Sight { value: json!(shown), source_at_ms })
    }

    /// The status of the device as a whole.
    async fn compliance(&self, cx: &ToolCx, device: &Device) -> Result<Sight, Error> {
        let path = format!("/dna/intent/api/v1/compliance/{}", segment(&device.id)?);
        let (row, ahead_ms): (Compliance, _) = self.dated(cx, &path).await?;
        let source_at_ms = row.last_update_time.map_or(0, |at| at - ahead_ms);
        Ok(Sight { value: json!({"status": row.compliance_status}), source_at_ms })
    }
}

/// Whether the device itself is to be asked, and not the controller: `of.live`.
fn is_live(query: &CheckQuery) -> bool {
    query.of.get("live").and_then(Json::as_bool).unwrap_or(false)
}

/// What a device prints that is not read on its platform, or is no such output.
fn unread(fault: show::ShowFault) -> Error {
    let message = format!("The device cannot be observed live: {fault}. Observe it by the inventory instead.");
    Error::new(ErrorKind::InvalidInput, "check_unsupported", message)
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Compliance {
    compliance_status: Option<String>,
    last_update_time: Option<i64>,
}

#[derive(Deserialize)]
struct Topology {
    #[serde(default)]
    links: Vec<Link>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Link {
    source: Option<String>,
    target: Option<String>,
    start_port_name: Option<String>,
    end_port_name: Option<String>,
    link_status: Option<String>,
}
