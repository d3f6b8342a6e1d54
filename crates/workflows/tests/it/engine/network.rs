//! A network of texts with a controller in front of it: templates, devices that merge what they are told, tasks that tell what
//! became of it, and a list of everything that reached a device.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use async_trait::async_trait;
use device_config::{Lines, Platform, parse};
use platform::artifacts::ArtifactKind;
use platform::canonical::sha256;
use platform::policy::TargetFacts;
use platform::{Error, ErrorKind};
use serde_json::json;
use tool_runtime::connector::{CredentialKind, target_unknown};
use tool_runtime::ports::config_changer::{
    Carrier, Handle, OpenIntent, Polled, Progress, SavedStartup, SealedLines, Settled, Staged, StepSpec,
};
use tool_runtime::ports::config_reader::SealedConfig;
use tool_runtime::ports::state_probe::{CheckQuery, Observation};
use tool_runtime::ports::template_source::{TemplateFacts, TemplateParameter};
use tool_runtime::ports::{ConfigChanger, ConfigReader, StateProbe, TemplateSource};
use tool_runtime::{Connector, Ports, Tool, ToolCx};

/// What every device runs first.
pub(crate) const RUNNING: &str = "hostname sw\nusername ops secret 9 $9$canary.running\nvlan 10\n name USERS\ninterface \
                                  GigabitEthernet1/0/1\n description desk\nend\n";
/// How long the controller may take until a request that it has is a task.
const SETTLE_MS: i64 = 345_000;

/// What goes wrong with the next step on a device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// It is done, and the reply is lost.
    ReplyLost,
    /// The request is lost.
    RequestLost,
    /// It is done, the reply is lost, and the controller shows no task.
    Hidden,
    /// The controller says success, and the device has rejected a line.
    LineRejected,
    /// The controller says failure, and half of it is there.
    HalfApplied,
    /// It is done, and the device cannot be reached any more.
    ManagementLost,
}

/// A device.
#[derive(Clone, Default)]
pub(crate) struct Device {
    pub(crate) running: String,
    pub(crate) startup: String,
    pub(crate) unreachable: bool,
    pub(crate) faults: VecDeque<Fault>,
}

/// A task of the controller's.
struct Task {
    step: StepSpec,
    at_ms: i64,
    hidden: bool,
    progress: Progress,
}

/// All of it.
#[derive(Default)]
pub(crate) struct State {
    pub(crate) devices: BTreeMap<String, Device>,
    /// Versions by template, each with its id and text.
    pub(crate) templates: BTreeMap<String, Vec<(String, String)>>,
    tasks: Vec<Task>,
    /// What reached a device, in order: device and version.
    pub(crate) log: Vec<(String, String)>,
    /// The controller answers nothing.
    pub(crate) down: bool,
}

/// The network, and the connector to it.
#[derive(Clone, Default)]
pub(crate) struct Network(Arc<Mutex<State>>);

impl Network {
    pub(crate) fn of(devices: &[&str]) -> Self {
        let network = Self::default();
        for id in devices {
            let device = Device { running: RUNNING.to_owned(), startup: RUNNING.to_owned(), ..Device::default() };
            network.state().devices.insert((*id).to_owned(), device);
        }
        let text = "vlan 20\n name GUESTS\n".to_owned();
        network.state().templates.insert("t".to_owned(), vec![("t-v1".to_owned(), text)]);
        network
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }

    pub(crate) fn fail(&self, id: &str, faults: &[Fault]) {
        self.state().devices.get_mut(id).unwrap().faults.extend(faults);
    }

    pub(crate) fn running(&self, id: &str) -> String {
        self.state().devices[id].running.clone()
    }

    /// What reached the devices: `d1 forward` or `d1 undo`.
    pub(crate) fn reached(&self) -> Vec<String> {
        let name = |version: &str| if version.starts_with("staged") { "undo" } else { "forward" };
        self.state().log.iter().map(|(device, version)| format!("{device} {}", name(version))).collect()
    }

    fn device(&self, id: &str) -> Result<Device, Error> {
        let state = self.state();
        let device = state.devices.get(id).cloned().ok_or_else(|| target_unknown("device", id))?;
        if state.down { Err(unreachable()) } else { Ok(device) }
    }

    fn reachable(&self, id: &str) -> Result<Device, Error> {
        let device = self.device(id)?;
        if device.unreachable { Err(unreachable()) } else { Ok(device) }
    }

    fn text(&self, carrier: &Carrier) -> Result<String, Error> {
        let state = self.state();
        let versions = state.templates.get(&carrier.template_id).into_iter().flatten();
        let found = versions.into_iter().find(|(id, _)| *id == carrier.version_id).map(|(_, text)| text.clone());
        found.ok_or_else(|| Error::new(ErrorKind::NotFound, "template_version_unknown", "There is no such version."))
    }
}

fn unreachable() -> Error {
    Error::new(ErrorKind::Unavailable, "target_unreachable", "The target cannot be reached.")
}

fn timed_out() -> Error {
    Error::new(ErrorKind::Timeout, "target_timeout", "The target did not answer in time.")
}

fn entered(running: &str, lines: &str) -> String {
    parse(Platform::IosXe, running).merge(&Lines::new(lines.to_owned())).after.text()
}

#[async_trait]
impl Connector for Network {
    fn name(&self) -> &'static str {
        "catalyst-center"
    }

    fn instructions(&self) -> &'static str {
        "Only for tests."
    }

    fn credential(&self) -> CredentialKind {
        CredentialKind::None
    }

    fn tools(&self) -> Vec<Arc<dyn Tool>> {
        Vec::new()
    }

    fn ports(&self) -> Ports {
        let own = Arc::new(self.clone());
        Ports {
            config_reader: Some(own.clone()),
            config_changer: Some(own.clone()),
            template_source: Some(own.clone()),
            state_probe: Some(own),
            ..Ports::default()
        }
    }

    async fn look_up(&self, _: &ToolCx, kind: &str, id: &str) -> Result<TargetFacts, Error> {
        self.state().devices.get(id).ok_or_else(|| target_unknown("device", id))?;
        Ok(TargetFacts {
            kind: kind.into(),
            id: id.into(),
            name: format!("host-{id}"),
            serials: vec![format!("S-{id}")],
            site: Some(format!("Global/{id}")),
            role: Some("ACCESS".into()),
            source: "live".into(),
            ..TargetFacts::default()
        })
    }
}

#[async_trait]
impl ConfigReader for Network {
    async fn read_live(&self, cx: &ToolCx, device_id: &str) -> Result<SealedConfig, Error> {
        let text = self.reachable(device_id)?.running;
        let kind = ArtifactKind::Configuration;
        let artifact = cx.artifacts.put_sealed_unmasked(kind, "text/plain", text.as_bytes()).await?;
        let now = cx.clock.now().as_millisecond();
        Ok(SealedConfig {
            device_id: device_id.to_owned(),
            platform: "ios-xe".to_owned(),
            artifact,
            read_at_ms: now,
            source_at_ms: Some(now),
            sha256: hex(&parse(Platform::IosXe, &text).text()),
            secrets_unseen: false,
        })
    }
}

fn hex(text: &str) -> String {
    sha256(text.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
}

#[async_trait]
impl ConfigChanger for Network {
    fn settle_time(&self) -> Duration {
        Duration::from_millis(u64::try_from(SETTLE_MS).unwrap())
    }

    async fn render(&self, cx: &ToolCx, step: &StepSpec) -> Result<SealedLines, Error> {
        self.device(&step.device_id)?;
        let text = self.text(&step.carrier)?;
        let artifact = cx.artifacts.put_sealed_unmasked(ArtifactKind::Plan, "text/plain", text.as_bytes()).await?;
        Ok(SealedLines { artifact, sha256: hex(&text) })
    }

    async fn stage(&self, cx: &ToolCx, change: &str, device_id: &str, lines: &SealedLines) -> Result<Staged, Error> {
        let text = String::from_utf8(cx.artifacts.open_unmasked(&lines.artifact.id).await?).unwrap();
        let name = format!("staged-{change}-{device_id}");
        self.state().templates.insert(name.clone(), vec![(format!("{name}-v1"), text)]);
        let carrier = Carrier { version_id: format!("{name}-v1"), template_id: name };
        Ok(Staged { carrier, secrets: None })
    }

    async fn apply(&self, cx: &ToolCx, step: &StepSpec) -> Result<Handle, Error> {
        let lines = self.text(&step.carrier)?;
        self.reachable(&step.device_id)?;
        if let Some(journal) = &cx.journal {
            journal.sending();
        }
        let mut state = self.state();
        let number = state.tasks.len();
        let device = state.devices.get_mut(&step.device_id).unwrap();
        let fault = device.faults.pop_front();
        if fault == Some(Fault::RequestLost) {
            return Err(timed_out());
        }
        let mut said = None;
        let lines = match fault {
            Some(Fault::LineRejected) => {
                said = Some("Provisioned\n% Invalid input detected at '^' marker.".to_owned());
                lines.lines().take(1).map(|line| format!("{line}\n")).collect()
            }
            Some(Fault::HalfApplied) => lines.lines().take(1).map(|line| format!("{line}\n")).collect(),
            _ => lines,
        };
        device.running = entered(&device.running, &lines);
        device.unreachable |= fault == Some(Fault::ManagementLost);
        let progress = match fault {
            Some(Fault::HalfApplied) => Progress::Failed { message: Some("% Failed at line 2".to_owned()) },
            _ => Progress::Succeeded { message: said },
        };
        let at_ms = cx.clock.now().as_millisecond();
        let hidden = fault == Some(Fault::Hidden);
        state.tasks.push(Task { step: step.clone(), at_ms, hidden, progress });
        state.log.push((step.device_id.clone(), step.carrier.version_id.clone()));
        drop(state);
        match fault {
            Some(Fault::ReplyLost | Fault::Hidden) => Err(timed_out()),
            _ => Ok(Handle { task_id: format!("task-{number}"), deployment_id: None }),
        }
    }

    async fn poll(&self, _: &ToolCx, device_id: &str, handle: &Handle) -> Result<Polled, Error> {
        self.device(device_id)?;
        let number: usize = handle.task_id.strip_prefix("task-").unwrap().parse().unwrap();
        Ok(Polled { handle: handle.clone(), progress: self.state().tasks[number].progress.clone() })
    }

    async fn reconcile(&self, cx: &ToolCx, intent: &OpenIntent) -> Result<Settled, Error> {
        self.device(&intent.step.device_id)?;
        if let Some(handle) = &intent.handle {
            return Ok(Settled::Done { handle: handle.clone() });
        }
        let state = self.state();
        let found =
            state.tasks.iter().position(|task| task.step == intent.step && task.at_ms >= intent.announced_at_ms);
        let left = intent.announced_at_ms + SETTLE_MS - cx.clock.now().as_millisecond();
        Ok(match found {
            Some(number) if state.tasks[number].hidden => {
                Settled::Unknown { evidence: json!({"why": "no task is shown"}) }
            }
            Some(number) => Settled::Done { handle: Handle { task_id: format!("task-{number}"), deployment_id: None } },
            None if left > 0 => Settled::Pending { again_in_ms: 5_000 },
            None => Settled::NotDone,
        })
    }

    async fn save_startup(&self, _: &ToolCx, device_id: &str) -> Result<SavedStartup, Error> {
        let mut state = self.state();
        let device = state.devices.get_mut(device_id).unwrap();
        device.startup = device.running.clone();
        Ok(SavedStartup { device_id: device_id.to_owned() })
    }
}

#[async_trait]
impl TemplateSource for Network {
    async fn template(&self, _: &ToolCx, template_id: &str, version_id: Option<&str>) -> Result<TemplateFacts, Error> {
        let state = self.state();
        let newest = state.templates[template_id].last().unwrap().0.clone();
        let parameters: Vec<TemplateParameter> = Vec::new();
        Ok(TemplateFacts {
            template_id: template_id.to_owned(),
            name: template_id.to_owned(),
            version_id: version_id.unwrap_or(&newest).to_owned(),
            newest_version_id: newest,
            parameters,
        })
    }
}

#[async_trait]
impl StateProbe for Network {
    async fn observe(
        &self,
        cx: &ToolCx,
        device_id: &str,
        queries: &[CheckQuery],
        _: Option<i64>,
    ) -> Result<Vec<Observation>, Error> {
        self.device(device_id)?;
        let now = cx.clock.now().as_millisecond();
        let seen = queries.iter().map(|query| match query.name.as_str() {
            "management" => Ok(json!({"address": "10.0.0.2"})),
            "reachability" => Ok(json!({"answers": true})),
            _ => Err(Error::new(ErrorKind::InvalidInput, "check_unsupported", "Not in these texts.")),
        });
        let values = seen.collect::<Result<Vec<_>, Error>>()?;
        let named = queries.iter().zip(values);
        Ok(named
            .map(|(query, value)| Observation { name: query.name.clone(), value, source_at_ms: now, stale: false })
            .collect())
    }
}
