//! What a device does when a controller or a person gives it lines: merges configuration, runs exec commands, prints.
//!
//! Where next: [`crate::lines`] for the semantics, [`crate::show`] for what is printed, [`crate::faults`] for how a test
//! bends them.

use serde::Serialize;

use crate::device::{Device, Reachability};
use crate::directives::{Step, steps};
use crate::lines::dialect::Dialect;
use crate::lines::{Config, LineOutcome, Node, merge_until_refused};
use crate::os::Os;
use crate::show::{self, Asked, View};
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
    /// entered before stays, unless the device stages lines: then the controller commits at the end of the lines, and a
    /// rejected line or a refused commit leaves everything as it was.
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
                    let mut sent: Vec<&str> = sent.iter().map(String::as_str).collect();
                    let commits = Dialect::of(device.os()).staged
                        && !sent.last().is_some_and(|line| line.trim().starts_with("commit"));
                    if commits {
                        sent.push("commit");
                    }
                    let merged = merge_until_refused(&self.running(device), sent);
                    let stop = merged.first_error().cloned();
                    applied.lines.extend(merged.outcomes);
                    if let Some(line) = refused {
                        let error = Some(show::unknown(device.os()).to_owned());
                        applied.lines.push(LineOutcome { line, error });
                    }
                    if merged.changed {
                        applied.changed = true;
                        self.set_running(device, &merged.config, !bend.keep_copy)?;
                        self.replicate(device, &merged.config)?;
                    }
                    if let Some(failed) = stop {
                        applied.error = Some(format!("{}\n{}", failed.line, failed.error.unwrap_or_default()));
                        return Ok(applied);
                    }
                }
                Step::Exec { command, .. } => {
                    let output = self.exec(device, &command)?;
                    let failed = show::is_complaint(&output);
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
        let Some((asked, rest)) = show::asked(device.os(), command) else {
            return Ok(show::unknown(device.os()).to_owned());
        };
        let output = match asked {
            Asked::Save => {
                self.save(device)?;
                match device.os() {
                    Os::NxOs => "[########################################] 100%\nCopy complete.",
                    Os::Asa => "Building configuration...\nCryptochecksum: 4f0a2c11 9d3be870 5c6e12aa 7704f3d9\n[OK]",
                    Os::IosXe | Os::IosXr => "Building configuration...\n[OK]",
                }
                .to_owned()
            }
            Asked::Reload => {
                let startup = self.startup(device);
                self.set_running(device, &startup, true)?;
                "Proceed with reload? [confirm]".to_owned()
            }
            Asked::Erase => "[OK]\nErase of nvram: complete".to_owned(),
            Asked::Harmless => String::new(),
            Asked::RunningConfig => self.running_text(device),
            Asked::RunningInterface => self.running_block(device, &rest.join("")),
            Asked::StartupConfig => self.startup_text(device),
            _ => {
                let view = View::new(self, device);
                match device.os() {
                    Os::IosXe => crate::ios_xe::show::answer(&view, asked),
                    Os::NxOs => crate::nx_os::show::answer(&view, asked),
                    Os::IosXr => crate::ios_xr::show::answer(&view, asked),
                    Os::Asa => crate::asa::show::answer(&view, asked),
                }
            }
        };
        Ok(show::filtered(&output, pipe))
    }

    /// The active firewall gives its configuration to the standby one, which keeps its own name and place.
    fn replicate(&self, device: &Device, config: &Config) -> platform::Result<()> {
        let Some(group) = self.redundancy(device).filter(|group| group.kind.replicates()) else { return Ok(()) };
        let [first, second] = group.members.as_slice() else { return Ok(()) };
        let Some(peer) = self.devices().get(*second).filter(|_| *first == device.index) else { return Ok(()) };
        let beside =
            self.links_of(device).any(|link| link.ends.iter().any(|(at, _)| at == second) && self.link_up(link));
        if !beside || self.own_reachability(peer) == Reachability::Unreachable {
            return Ok(());
        }
        let own = self.running(peer);
        let kept = |lead: &str| own.roots().iter().find(|node| node.line.starts_with(lead)).cloned();
        let mut copy = config.clone();
        for lead in ["hostname ", "failover lan unit "] {
            if let (Some(kept), Some(lines)) = (kept(lead), copy.lines_at(&[]))
                && let Some(node) = lines.iter_mut().find(|node| node.line.starts_with(lead))
            {
                *node = kept;
            }
        }
        self.set_running(peer, &copy, true)
    }

    fn running_block(&self, device: &Device, typed: &str) -> String {
        let config = self.running(device);
        let block = Dialect::of(device.os()).interface_name(typed).and_then(|name| {
            config.roots().iter().find(|node| node.line.strip_prefix("interface ") == Some(name.as_str()))
        });
        let Some(block) = block else { return show::unknown(device.os()).to_owned() };
        let unit = if device.os() == Os::NxOs { "  " } else { " " };
        let lines: String = block.children.iter().map(|child| nested(child, unit, 1)).collect();
        match device.os() {
            Os::IosXe => format!("Building configuration...\n\n!\n{}\n{lines}end\n", block.line),
            Os::NxOs => format!("\n!Command: show running-config {}\n\n{}\n{lines}\n", block.line, block.line),
            Os::IosXr | Os::Asa => format!("{}\n{lines}!\n", block.line),
        }
    }

    /// The device's running configuration as `show running-config` prints it.
    pub fn running_text(&self, device: &Device) -> String {
        self.printed(device, &self.running(device).text())
    }

    /// The controller's copy in the same form.
    pub fn collected_text(&self, device: &Device) -> String {
        self.printed(device, &self.collected(device).text())
    }

    fn startup_text(&self, device: &Device) -> String {
        let body = self.startup(device).text();
        match device.os() {
            Os::IosXe => format!("Using 16384 out of 2097152 bytes\n{body}end\n"),
            _ => self.printed(device, &body),
        }
    }

    fn printed(&self, device: &Device, body: &str) -> String {
        let changed = jiff::Timestamp::from_millisecond(self.changed_at_ms(device)).unwrap_or_default();
        let when = changed.strftime("%H:%M:%S UTC %a %b %e %Y");
        let version = device.software_version;
        match device.os() {
            Os::IosXe => format!(
                "\nBuilding configuration...\n\nCurrent configuration : {} bytes\n!\n! Last configuration change at {when} by dnac\n{body}end\n",
                body.len()
            ),
            Os::NxOs => {
                let (changed, now) =
                    (changed.strftime("%a %b %e %H:%M:%S %Y"), self.now().strftime("%a %b %e %H:%M:%S %Y"));
                format!(
                    "\n!Command: show running-config\n!Running configuration last done at: {changed}\n!Time: {now}\n\n{body}\n"
                )
            }
            Os::IosXr => {
                let when = changed.strftime("%a %b %e %H:%M:%S %Y");
                format!(
                    "Building configuration...\n!! IOS XR Configuration {version}\n!! Last configuration change at {when} by dnac\n!\n{body}end\n\n"
                )
            }
            Os::Asa => {
                let serial = device.serial_text();
                let model = device.platform.id;
                format!(
                    ": Saved\n\n: \n: Serial Number: {serial}\n: Hardware:   {model}\n:\nASA Version {version} \n!\n{body}Cryptochecksum:{:016x}{:016x}\n: end\n",
                    crate::seed::fnv(body.as_bytes()),
                    crate::seed::fnv(serial.as_bytes())
                )
            }
        }
    }
}

fn nested(node: &Node, unit: &str, depth: usize) -> String {
    let mut text = format!("{}{}\n", unit.repeat(depth), node.line);
    text.extend(node.children.iter().map(|child| nested(child, unit, depth + 1)));
    text
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
