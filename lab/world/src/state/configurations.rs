//! The three configurations of a device: the one that runs, the one that it starts with, and the controller's copy, which may
//! be older. Next: [`super`] for what else may change.

use super::World;
use crate::device::{Device, Reachability};
use crate::journal::Entry;
use crate::lines::Config;
use crate::os::Os;

/// How often the controller reads every device.
const RESYNC_MS: i64 = 25 * 60 * 1000;

impl World {
    fn base(&self, device: &Device) -> Config {
        if !device.has_configuration() {
            return Config::empty(device.os());
        }
        match device.os() {
            Os::IosXe => crate::ios_xe::generate::configuration(self.seed, &self.fleet, device),
            Os::NxOs => crate::nx_os::generate::configuration(self.seed, &self.fleet, device),
            Os::IosXr => crate::ios_xr::generate::configuration(self.seed, &self.fleet, device),
            Os::Asa => crate::asa::generate::configuration(self.seed, &self.fleet, device),
        }
    }

    /// The running configuration as the device holds it.
    pub fn running(&self, device: &Device) -> Config {
        match self.edit(device).and_then(|edit| edit.running) {
            Some(text) => Config::parse(device.os(), &text),
            None => self.base(device),
        }
    }

    /// The startup configuration.
    pub fn startup(&self, device: &Device) -> Config {
        match self.edit(device).and_then(|edit| edit.startup) {
            Some(text) => Config::parse(device.os(), &text),
            None => self.base(device),
        }
    }

    /// The controller's copy of the running configuration, which may be older than the device's.
    pub fn collected(&self, device: &Device) -> Config {
        match self.edit(device).and_then(|edit| edit.stale) {
            Some(text) => Config::parse(device.os(), &text),
            None => self.running(device),
        }
    }

    /// Whether the running configuration differs from the startup one.
    pub fn is_unsaved(&self, device: &Device) -> bool {
        self.edit(device).is_some_and(|edit| edit.running.is_some()) && self.running(device) != self.startup(device)
    }

    /// Whether somebody has changed the running configuration since birth.
    pub fn is_edited(&self, device: &Device) -> bool {
        self.lock().edits.get(&device.index).is_some_and(|edit| edit.running.is_some())
    }

    /// When the running configuration last changed, ms since the epoch.
    pub fn changed_at_ms(&self, device: &Device) -> i64 {
        let edited = self.edit(device).and_then(|edit| edit.running_at);
        edited.unwrap_or(self.born_ms - 1000 * device.up_before_birth_s / 2)
    }

    /// When the controller last read the device, ms since the epoch: at an event, or at the last periodic resync.
    pub fn collected_at_ms(&self, device: &Device) -> i64 {
        let edit = self.edit(device).unwrap_or_default();
        let phase = i64::from(self.seed.draw("resync", device.index as u64).below(25 * 60)) * 1000;
        let now = self.now().as_millisecond();
        let age = (now - self.born_ms + phase).rem_euclid(RESYNC_MS);
        let reached = self.reachability(device) == Reachability::Reachable;
        let periodic = if reached { now - age } else { self.born_ms - phase };
        match (edit.stale, edit.collected_at) {
            (Some(_), at) => at.unwrap_or(self.born_ms - phase),
            (None, at) => at.unwrap_or(i64::MIN).max(periodic),
        }
    }

    /// Replaces the running configuration. `collect` = the controller reads it too; otherwise its copy stays as it was.
    ///
    /// # Errors
    /// `world_state` when the journal cannot be written.
    pub fn set_running(&self, device: &Device, config: &Config, collect: bool) -> platform::Result<()> {
        let at_ms = self.now().as_millisecond();
        if !collect && self.edit(device).is_none_or(|edit| edit.stale.is_none()) {
            let collected_at = self.collected_at_ms(device);
            let text = Some(self.running(device).text());
            self.record(Entry::Collected { device: device.id, at_ms: collected_at, text })?;
        }
        self.record(Entry::Running { device: device.id, at_ms, text: config.text() })?;
        if collect {
            self.record(Entry::Collected { device: device.id, at_ms, text: None })?;
        }
        Ok(())
    }

    /// Copies the running configuration to the startup one.
    ///
    /// # Errors
    /// `world_state` when the journal cannot be written.
    pub fn save(&self, device: &Device) -> platform::Result<()> {
        self.record(Entry::Saved { device: device.id, at_ms: self.now().as_millisecond() })
    }

    /// Makes the controller read the device again.
    ///
    /// # Errors
    /// `world_state` when the journal cannot be written.
    pub fn collect(&self, device: &Device) -> platform::Result<()> {
        self.record(Entry::Collected { device: device.id, at_ms: self.now().as_millisecond(), text: None })
    }

    /// Makes the controller's copy, where it is not the running configuration, `ms` milliseconds old.
    ///
    /// # Errors
    /// `world_state` when the journal cannot be written.
    pub fn age_copy(&self, device: &Device, ms: i64) -> platform::Result<()> {
        let Some(text) = self.edit(device).and_then(|edit| edit.stale) else { return Ok(()) };
        let at_ms = self.now().as_millisecond() - ms;
        self.record(Entry::Collected { device: device.id, at_ms, text: Some(text.as_ref().into()) })
    }
}
