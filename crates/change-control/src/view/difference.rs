//! A plan as people and models read it: devices with the same difference stand together, what asks for attention stands
//! with them, and the whole is a text too, for those who read nothing else.

use schemars::JsonSchema;
use serde::Serialize;

use super::shown::{name_of, time};
use crate::model::change::Change;
use crate::model::plan::{
    Danger, DevicePlan, DiffLine, Estimates, OnStale, OnStop, PlannedUndo, PublicPlan, SaveStartup, TemplateReference,
    Unmodelled,
};

/// A plan in short.
#[derive(Debug, Serialize, JsonSchema)]
pub struct PlanView {
    /// Change.
    pub change_id: String,
    /// SHA-256 of the public plan: what an approval binds.
    pub plan_hash: String,
    /// When it was made, RFC 3339.
    pub made_at: String,
    /// Server instance.
    pub server: String,
    /// What is deployed.
    pub template: TemplateReference,
    /// What will differ, as a text; secrets are masked. Lines begin with `+`, `-` or a blank; `!` asks for attention.
    pub diff: String,
    /// The same in parts: devices with the same difference together.
    pub groups: Vec<DiffGroup>,
    /// Batches of host names; the devices of a batch are written to one after another.
    pub order: Vec<Vec<String>>,
    /// What a stop means for devices that were written to.
    pub on_stop: OnStop,
    /// What a device means that is not what the plan was made for.
    pub on_stale: OnStale,
    /// The run stops when more than this share of the devices failed, percent.
    pub max_fail_percentage: u32,
    /// How long the checks go on after the last device, seconds.
    pub soak_s: u64,
    /// When the startup configuration is saved.
    pub save_startup: SaveStartup,
    /// How long it may take.
    pub estimates: Estimates,
}

/// Devices with the same difference, the same warnings and the same undo.
#[derive(Debug, Serialize, JsonSchema)]
pub struct DiffGroup {
    /// Host names.
    pub hostnames: Vec<String>,
    /// Their ids on the server.
    pub device_ids: Vec<String>,
    /// `change` or `disruptive`.
    pub risk: String,
    /// What will differ, masked.
    pub lines: Vec<DiffLine>,
    /// Lines of which the model does not know what they do.
    pub unmodelled: Vec<Unmodelled>,
    /// Lines that may cost the way of management and the like.
    pub dangers: Vec<Danger>,
    /// Lines that undo it, masked; empty where there is no undo.
    pub undo: Vec<String>,
    /// Why there is no undo.
    pub undo_missing: Option<String>,
    /// Names of the checks that must hold afterwards.
    pub checks: Vec<String>,
}

impl PlanView {
    pub(crate) fn of(change: &Change, plan: &PublicPlan) -> Self {
        let groups = groups(plan);
        let name = |id: &String| {
            let device = plan.devices.iter().find(|d| d.device_id == *id);
            device.map_or_else(|| id.clone(), |d| d.hostname.clone())
        };
        Self {
            change_id: change.id.to_string(),
            plan_hash: change.plan.as_ref().map(|p| p.hash.clone()).unwrap_or_default(),
            made_at: change.plan.as_ref().map(|p| time(p.made_at_ms)).unwrap_or_default(),
            server: plan.instance.name.clone(),
            template: plan.template.clone(),
            diff: text(&groups),
            order: plan.order.iter().map(|batch| batch.iter().map(name).collect()).collect(),
            groups,
            on_stop: plan.on_stop,
            on_stale: plan.on_stale,
            max_fail_percentage: plan.max_fail_percentage,
            soak_s: plan.soak_s,
            save_startup: plan.save_startup,
            estimates: plan.estimates,
        }
    }
}

/// Devices go together only where everything that is shown of them is the same.
fn groups(plan: &PublicPlan) -> Vec<DiffGroup> {
    let mut groups: Vec<(&DevicePlan, DiffGroup)> = Vec::new();
    for device in &plan.devices {
        let known = groups.iter_mut().find(|(first, _)| is_alike(first, device));
        match known {
            Some((_, group)) => {
                group.hostnames.push(device.hostname.clone());
                group.device_ids.push(device.device_id.clone());
            }
            None => groups.push((device, group(device))),
        }
    }
    groups.into_iter().map(|(_, group)| group).collect()
}

fn is_alike(a: &DevicePlan, b: &DevicePlan) -> bool {
    (a.diff_group == b.diff_group && a.diff == b.diff)
        && (a.risk == b.risk && a.unmodelled == b.unmodelled && a.dangers == b.dangers)
        && undo(a) == undo(b)
        && a.checks == b.checks
}

fn undo(device: &DevicePlan) -> (Vec<String>, Option<String>) {
    match &device.undo {
        PlannedUndo::Generated { lines, .. } => (lines.iter().map(|line| line.masked.clone()).collect(), None),
        PlannedUndo::None { reason } => (Vec::new(), Some(reason.clone())),
    }
}

fn group(device: &DevicePlan) -> DiffGroup {
    let (undo, undo_missing) = undo(device);
    DiffGroup {
        hostnames: vec![device.hostname.clone()],
        device_ids: vec![device.device_id.clone()],
        risk: name_of(device.risk),
        lines: device.diff.clone(),
        unmodelled: device.unmodelled.clone(),
        dangers: device.dangers.clone(),
        undo,
        undo_missing,
        checks: device.checks.iter().map(|check| check.name.clone()).collect(),
    }
}

fn text(groups: &[DiffGroup]) -> String {
    let mut text = Vec::new();
    for group in groups {
        let count = group.hostnames.len();
        let devices = if count == 1 { "1 device".to_owned() } else { format!("{count} devices") };
        text.push(format!("@@ {} ({devices}, risk {}) @@", group.hostnames.join(", "), group.risk));
        if group.lines.is_empty() {
            text.push("  nothing differs".to_owned());
        }
        text.extend(group.lines.iter().map(|line| format!("{}{}", sign(line), line.line)));
        text.extend(group.dangers.iter().map(|danger| {
            let there = if danger.already_there { ", already there" } else { "" };
            format!("! danger ({}{there}): {}", danger.kind, danger.line.trim())
        }));
        text.extend(group.unmodelled.iter().map(|u| format!("! not understood ({}): {}", u.why, u.line.trim())));
        match &group.undo_missing {
            Some(reason) => text.push(format!("! no undo: {reason}")),
            None => {
                text.push("undo:".to_owned());
                text.extend(group.undo.iter().map(|line| format!("    {line}")));
            }
        }
        text.push(String::new());
    }
    text.join("\n").trim_end().to_owned()
}

fn sign(line: &DiffLine) -> &str {
    if line.sign.trim().is_empty() { " " } else { &line.sign }
}
