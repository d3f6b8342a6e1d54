//! What the lab's faults do to a write, the same for every kind of write, and the record of lines that reached a device.
//!
//! | fault | deployment, interface update | save | command runner | template create, update, commit |
//! | --- | --- | --- | --- | --- |
//! | accepted, not applied | nothing reaches the device | not saved | answers are missing | nothing is kept |
//! | half applied | first half of the lines | first half of the devices | first half of the commands | first half of the content |
//! | line rejected | the device refuses that line | that device refuses | that command fails | that line is missing |
//! | management lost | afterwards | afterwards | afterwards | |
//! | stale copy | the controller does not read the device | the controller still believes the old startup | | |
//! | task hidden | its task is not to be found | same | same | same |
//!
//! All but the last report success. Where next: `world::faults` for how faults are injected, [`crate::deploy`].

use std::collections::BTreeMap;

use axum::http::HeaderMap;
use uuid::Uuid;
use world::{Bend, Device, DeviceCommand, Fault, Occasion};

use crate::devices::names;
use crate::reply::Fail;
use crate::simulator::Simulator;

/// How old a copy is that a fault keeps from being renewed.
const STALE_MS: i64 = 4 * 3600 * 1000;

/// The request behind a piece of work, for faults and the record.
#[derive(Debug, Clone)]
pub(crate) struct Origin {
    method: &'static str,
    path: String,
    /// How the record names this kind of work: `template_deploy`, `command_runner`, ….
    via: &'static str,
    headers: BTreeMap<String, String>,
}

impl Origin {
    pub(crate) fn new(method: &'static str, path: impl Into<String>, via: &'static str, headers: &HeaderMap) -> Self {
        let headers = ["x-caller-id", "user-agent", "x-request-id", "traceparent"]
            .iter()
            .filter_map(|name| Some(((*name).to_owned(), headers.get(*name)?.to_str().ok()?.to_owned())))
            .collect();
        Self { method, path: path.into(), via, headers }
    }
}

/// How one piece of work is bent.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Effects {
    pub(crate) bend: Bend,
    pub(crate) management_lost: bool,
}

impl Effects {
    fn of(faults: &[Fault]) -> Self {
        let mut effects = Self::default();
        for fault in faults {
            match fault {
                Fault::AcceptedNotApplied => effects.bend.drop_all = true,
                Fault::HalfApplied => effects.bend.drop_half = true,
                Fault::LineRejected { line } => effects.bend.reject_line = Some(*line),
                Fault::StaleCopy => effects.bend.keep_copy = true,
                Fault::ManagementLost => effects.management_lost = true,
                _ => {}
            }
        }
        effects
    }

    /// The device's complaint as the controller tells of it: a refused line, and what follows from it, is hidden.
    pub(crate) fn told(self, complaint: Option<String>) -> Option<String> {
        complaint.filter(|_| self.bend.reject_line.is_none())
    }

    /// Which of `count` equal parts of a piece of work take place.
    pub(crate) fn keeps(self, part: usize, count: usize) -> bool {
        !(self.bend.drop_all || self.bend.drop_half && part >= count / 2 || self.bend.reject_line == Some(part))
    }
}

impl Simulator {
    /// Starts the task of a write on `devices`; a fault may hide it.
    pub(crate) fn start_work(
        &self,
        origin: &Origin,
        devices: &[&Device],
        service: &str,
        progress: &str,
    ) -> Result<Uuid, Fail> {
        let keys: Vec<String> = devices.iter().flat_map(|device| names(&self.world, device)).collect();
        let hidden =
            !self.faults.take_effects(self.occasion(origin, &keys), |fault| fault == Fault::TaskHidden).is_empty();
        self.start_task(service, progress, hidden)
    }

    fn occasion<'a>(&'a self, origin: &'a Origin, keys: &'a [String]) -> Occasion<'a> {
        Occasion { system: &self.name, method: origin.method, path: &origin.path, device: keys }
    }

    /// Uses up the faults that meet a change of a device.
    pub(crate) fn effects(&self, origin: &Origin, device: &Device) -> Effects {
        let keys = names(&self.world, device);
        Effects::of(&self.faults.take_effects(self.occasion(origin, &keys), |fault| fault != Fault::TaskHidden))
    }

    /// Uses up the faults that meet a reading of a device.
    pub(crate) fn effects_on_reading(&self, origin: &Origin, device: &Device) -> Effects {
        let keys = names(&self.world, device);
        let wanted = |fault| !matches!(fault, Fault::TaskHidden | Fault::StaleCopy);
        Effects::of(&self.faults.take_effects(self.occasion(origin, &keys), wanted))
    }

    /// Uses up the faults that meet a change of the controller's own objects.
    pub(crate) fn effects_on_objects(&self, origin: &Origin) -> Effects {
        let wanted =
            |fault| matches!(fault, Fault::AcceptedNotApplied | Fault::HalfApplied | Fault::LineRejected { .. });
        Effects::of(&self.faults.take_effects(self.occasion(origin, &[]), wanted))
    }

    /// What comes after a change of a device's configuration: the controller reads it again, or its copy stays as it
    /// was hours ago.
    pub(crate) fn settle(&self, device: &Device, effects: Effects) -> platform::Result<()> {
        if effects.bend.keep_copy {
            self.world.age_copy(device, STALE_MS)?;
        } else {
            self.forget_startup(device)?;
        }
        self.aftermath(device, effects)
    }

    /// What comes after any other work on a device.
    pub(crate) fn aftermath(&self, device: &Device, effects: Effects) -> platform::Result<()> {
        if effects.management_lost {
            self.world.set_reachable(device, false)?;
        }
        Ok(())
    }

    /// Writes lines that reached a device into the lab's record. `mode` is `config` or `exec`.
    pub(crate) fn record(
        &self,
        origin: &Origin,
        device: &Device,
        mode: &str,
        lines: Vec<String>,
        deployment: Option<Uuid>,
    ) -> std::io::Result<()> {
        if lines.is_empty() {
            return Ok(());
        }
        let row = DeviceCommand {
            seq: 0,
            system: self.name.clone(),
            device_id: device.id,
            hostname: self.world.hostname(device),
            serial: device.serial_text(),
            mode: mode.to_owned(),
            lines,
            at: self.clock.now().to_string(),
            deployment_id: deployment.map(|id| id.to_string()),
            via: origin.via.to_owned(),
            headers: origin.headers.clone(),
        };
        self.commands.write(row).map(drop)
    }
}
