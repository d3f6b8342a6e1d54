//! What a device does when a controller or a person gives it lines: merges configuration, runs exec commands, prints.
//!
//! Where next: [`crate::ios_xe`] for the semantics, [`crate::faults`] for how a test bends them.

use serde::Serialize;

use crate::device::{Device, Reachability};
use crate::ios_xe::directives::{Step, steps};
use crate::ios_xe::show::{self, Asked};
use crate::ios_xe::{LineOutcome, merge};
use crate::state::World;

/// How an application is bent by a fault; the default is an honest device.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Bend {
    /// Nothing reaches the device, and success is reported.
    pub drop_all: bool,
    /// Only the first half of the lines reaches the device.
    pub drop_half: bool,
    /// The device refuses this line (from 0), and success is reported.
    pub reject_line: Option<usize>,
    /// The controller does not read the device afterwards.
    pub keep_copy: bool,
}

/// What happened to a rendered template on one device.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Applied {
    /// Configuration lines that reached the device, with the message of each rejected one.
    pub lines: Vec<LineOutcome>,
    /// Exec commands that reached the device, with their output.
    pub exec: Vec<(String, String)>,
    /// Whether the running configuration changed.
    pub changed: bool,
    /// First complaint of the device, unless a fault hides it.
    pub error: Option<String>,
}

/// Why a device could not be used at all.
#[derive(Debug, thiserror::Error)]
pub enum Unusable {
    /// Management does not reach it.
    #[error("device is not reachable")]
    Unreachable,
    /// It takes no configuration of its own (an access point).
    #[error("device takes no configuration")]
    NotConfigurable,
    /// The journal failed.
    #[error("{0}")]
    State(#[from] platform::Error),
}

impl World {
    /// Gives a rendered template to a device. As a controller does, it stops at the first rejected line; what was
    /// entered before stays.
    ///
    /// # Errors
    /// [`Unusable`]; nothing has reached the device then.
    pub fn apply(&self, device: &Device, rendered: &str, bend: Bend) -> Result<Applied, Unusable> {
        if !device.has_configuration() {
            return Err(Unusable::NotConfigurable);
        }
        if self.reachability(device) != Reachability::Reachable {
            return Err(Unusable::Unreachable);
        }
        let mut applied = Applied::default();
        if bend.drop_all {
            return Ok(applied);
        }
        let mut plan = steps(rendered);
        if bend.drop_half {
            let total: usize = plan.iter().map(Step::len).sum();
            plan = first_lines(plan, total / 2);
        }
        let mut seen = 0;
        for step in plan {
            match step {
                Step::Configure(lines) => {
                    let (sent, refused) = split_refused(lines, bend.reject_line, &mut seen);
                    let before = self.running(device);
                    let stop = merge(&before, sent.iter().map(String::as_str)).first_error().cloned();
                    // A controller stops at the first complaint: lines after it are never sent.
                    let upto = match &stop {
                        Some(failed) => {
                            sent.iter().position(|line| line.trim() == failed.line).map_or(sent.len(), |at| at + 1)
                        }
                        None => sent.len(),
                    };
                    let merged = merge(&before, sent.iter().take(upto).map(String::as_str));
                    applied.lines.extend(merged.outcomes);
                    if let Some(line) = refused {
                        let error = Some("% Invalid input detected at '^' marker.".to_owned());
                        applied.lines.push(LineOutcome { line, error });
                    }
                    if merged.changed {
                        applied.changed = true;
                        self.set_running(device, &merged.config, !bend.keep_copy)?;
                    }
                    if let Some(failed) = stop {
                        applied.error = Some(format!("{}\n{}", failed.line, failed.error.unwrap_or_default()));
                        return Ok(applied);
                    }
                }
                Step::Exec { command, .. } => {
                    let output = self.exec(device, &command)?;
                    let failed = output.starts_with('%');
                    applied.exec.push((command.clone(), output.clone()));
                    if failed {
                        applied.error = Some(format!("{command}\n{output}"));
                        return Ok(applied);
                    }
                }
            }
        }
        Ok(applied)
    }

    /// Runs an exec command and returns what the device prints. Complaints begin with `%`.
    ///
    /// # Errors
    /// [`Unusable`] when nothing can be sent.
    pub fn exec(&self, device: &Device, command: &str) -> Result<String, Unusable> {
        if self.reachability(device) != Reachability::Reachable {
            return Err(Unusable::Unreachable);
        }
        let (command, pipe) = match command.split_once('|') {
            Some((command, pipe)) => (command.trim(), Some(pipe)),
            None => (command.trim(), None),
        };
        let output = match show::asked(command) {
            Asked::RunningConfig { interface: None } => self.running_text(device),
            Asked::RunningConfig { interface: Some(name) } => match self.running(device).block(&["interface", &name]) {
                Some(block) => {
                    let lines: Vec<String> = block.children.iter().map(|child| format!(" {}", child.line)).collect();
                    format!("Building configuration...\n\n!\ninterface {name}\n{}\nend\n", lines.join("\n"))
                }
                None => "% Invalid input detected at '^' marker.".to_owned(),
            },
            Asked::StartupConfig => format!("Using 16384 out of 2097152 bytes\n{}end\n", self.startup(device).text()),
            Asked::Version => show::version(device, &self.hostname(device), &uptime_words(self.uptime_s(device))),
            Asked::InterfacesStatus => show::interfaces_status(&self.interfaces(device)),
            Asked::IpInterfaceBrief => show::ip_interface_brief(&self.interfaces(device)),
            Asked::VlanBrief => show::vlan_brief(&self.running(device), &self.interfaces(device)),
            Asked::Inventory => show::inventory(device),
            Asked::Clock => self.now().strftime("*%H:%M:%S.000 UTC %a %b %e %Y").to_string(),
            Asked::Neighbors => self.neighbours(device),
            Asked::Save => {
                self.save(device)?;
                "Building configuration...\n[OK]".to_owned()
            }
            Asked::Reload => {
                let startup = self.startup(device);
                self.set_running(device, &startup, true)?;
                "Proceed with reload? [confirm]".to_owned()
            }
            Asked::WriteErase => "[OK]\nErase of nvram: complete".to_owned(),
            Asked::Harmless => String::new(),
            Asked::Unknown => "% Invalid input detected at '^' marker.".to_owned(),
        };
        Ok(show::filtered(&output, pipe))
    }

    /// The device's running configuration as `show running-config` prints it.
    pub fn running_text(&self, device: &Device) -> String {
        self.printed(device, &self.running(device).text())
    }

    /// The controller's copy in the same form.
    pub fn collected_text(&self, device: &Device) -> String {
        self.printed(device, &self.collected(device).text())
    }

    fn printed(&self, device: &Device, body: &str) -> String {
        let changed = jiff::Timestamp::from_millisecond(self.changed_at_ms(device)).unwrap_or_default();
        let when = changed.strftime("%H:%M:%S UTC %a %b %e %Y");
        format!(
            "\nBuilding configuration...\n\nCurrent configuration : {} bytes\n!\n! Last configuration change at {when} by dnac\n{body}end\n",
            body.len()
        )
    }

    fn neighbours(&self, device: &Device) -> String {
        let mut out = String::from("Device ID        Local Intrfce     Holdtme    Capability  Platform  Port ID\n");
        for link in self.links_of(device) {
            let mine = usize::from(link.ends[1].0 == device.index);
            let (far, port) = &link.ends[1 - mine];
            let Some(far) = self.devices().get(*far) else { continue };
            let row = format!(
                "{:<16} {:<17} 150        S I         {:<9} {}\n",
                self.hostname(far),
                show::short(&link.ends[mine].1),
                far.platform.id,
                show::short(port)
            );
            out.push_str(&row);
        }
        out
    }
}

impl Step {
    fn len(&self) -> usize {
        match self {
            Self::Configure(lines) => lines.len(),
            Self::Exec { .. } => 1,
        }
    }
}

fn first_lines(plan: Vec<Step>, mut left: usize) -> Vec<Step> {
    let mut kept = Vec::new();
    for step in plan {
        if left == 0 {
            break;
        }
        let size = step.len().min(left);
        left -= size;
        kept.push(match step {
            Step::Configure(mut lines) => {
                lines.truncate(size);
                Step::Configure(lines)
            }
            exec => exec,
        });
    }
    kept
}

/// Takes the line that a fault refuses out of the list; it and the lines after it in its place are told apart.
fn split_refused(lines: Vec<String>, refuse: Option<usize>, seen: &mut usize) -> (Vec<String>, Option<String>) {
    let start = *seen;
    *seen += lines.len();
    let mut refused = None;
    let kept = lines
        .into_iter()
        .enumerate()
        .filter_map(|(at, line)| {
            if refuse == Some(start + at) {
                refused = Some(line.trim().to_owned());
                None
            } else {
                Some(line)
            }
        })
        .collect();
    (kept, refused)
}

/// `2 weeks, 3 days, 4 hours, 5 minutes`.
fn uptime_words(seconds: i64) -> String {
    let (weeks, days) = (seconds / 604_800, seconds / 86_400 % 7);
    let (hours, minutes) = (seconds / 3600 % 24, seconds / 60 % 60);
    format!("{weeks} weeks, {days} days, {hours} hours, {minutes} minutes")
}
