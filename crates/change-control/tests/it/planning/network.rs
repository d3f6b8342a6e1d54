//! A network that consists of texts: devices, templates, and what was staged. Its templates know one thing, `{{ name }}`, and
//! whatever a device is told, the tests write themselves.
#![cfg(test)]

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use async_trait::async_trait;
use device_config::Platform;
use platform::artifacts::ArtifactKind;
use platform::canonical::sha256;
use platform::policy::TargetFacts;
use platform::{Error, ErrorKind, Json};
use serde_json::{Map, json};
use tool_runtime::connector::{CredentialKind, target_unknown};
use tool_runtime::ports::config_changer::{
    Carrier, Handle, OpenIntent, Polled, SealedLines, Settled, Staged, StepSpec,
};
use tool_runtime::ports::config_reader::SealedConfig;
use tool_runtime::ports::state_probe::{CheckQuery, Observation};
use tool_runtime::ports::template_source::{TemplateFacts, TemplateParameter};
use tool_runtime::ports::{ConfigChanger, ConfigReader, StateProbe, TemplateSource};
use tool_runtime::{Connector, Ports, Tool, ToolCx};

/// A device.
#[derive(Clone, Default)]
pub(crate) struct Device {
    pub(crate) running: String,
    pub(crate) serials: Vec<String>,
    pub(crate) site: Option<String>,
    pub(crate) role: Option<String>,
    pub(crate) group: Option<String>,
    pub(crate) management: Option<String>,
}

/// A template: its versions in the order of their commits, by id.
#[derive(Clone, Default)]
pub(crate) struct Template {
    pub(crate) versions: Vec<(String, String)>,
    pub(crate) parameters: Vec<TemplateParameter>,
    /// The change that it was staged for.
    pub(crate) change: Option<String>,
}

/// All of it.
#[derive(Default)]
pub(crate) struct State {
    pub(crate) boxes: BTreeMap<String, Device>,
    pub(crate) templates: BTreeMap<String, Template>,
    /// What everything fails with.
    pub(crate) down: Option<fn() -> Error>,
}

/// The network, and the connector to it.
#[derive(Clone, Default)]
pub(crate) struct Network(Arc<Mutex<State>>);

impl Network {
    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }

    pub(crate) fn running(&self, id: &str) -> String {
        self.state().boxes[id].running.clone()
    }

    pub(crate) fn set_running(&self, id: &str, text: &str) {
        self.state().boxes.get_mut(id).unwrap().running = text.to_owned();
    }

    /// Everything that was staged: device and text, by the change's id.
    pub(crate) fn staged(&self, change: &str) -> Vec<Template> {
        self.state().templates.values().filter(|t| t.change.as_deref() == Some(change)).cloned().collect()
    }

    fn box_of(&self, id: &str) -> Result<Device, Error> {
        let state = self.state();
        if let Some(down) = state.down {
            return Err(down());
        }
        state.boxes.get(id).cloned().ok_or_else(|| target_unknown("device", id))
    }

    fn version(&self, carrier: &Carrier) -> Result<String, Error> {
        let state = self.state();
        let template = state.templates.get(&carrier.template_id);
        let version = template.and_then(|t| t.versions.iter().find(|(id, _)| *id == carrier.version_id));
        version.map(|(_, text)| text.clone()).ok_or_else(|| absent("template_version_unknown"))
    }
}

fn absent(code: &'static str) -> Error {
    Error::new(ErrorKind::NotFound, code, "There is no such thing in the texts.")
}

/// What everything fails with while the controller is away.
pub(crate) fn unreachable() -> Error {
    Error::new(ErrorKind::Unavailable, "target_unreachable", "The target cannot be reached.")
}

fn rendered(text: &str, params: &Map<String, Json>) -> String {
    params.iter().fold(text.to_owned(), |text, (name, value)| {
        let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        text.replace(&format!("{{{{ {name} }}}}"), &value)
    })
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
        let device = self.box_of(id)?;
        Ok(TargetFacts {
            kind: kind.into(),
            id: id.into(),
            name: format!("host-{id}"),
            serials: device.serials,
            site: device.site,
            role: device.role,
            redundancy_group: device.group,
            source: "live".into(),
            ..TargetFacts::default()
        })
    }
}

#[async_trait]
impl ConfigReader for Network {
    async fn read_live(&self, cx: &ToolCx, device_id: &str) -> Result<SealedConfig, Error> {
        let text = self.box_of(device_id)?.running;
        let artifact =
            cx.artifacts.put_sealed_unmasked(ArtifactKind::Configuration, "text/plain", text.as_bytes()).await?;
        let now = cx.clock.now().as_millisecond();
        Ok(SealedConfig {
            device_id: device_id.to_owned(),
            platform: "ios-xe".to_owned(),
            artifact,
            read_at_ms: now,
            source_at_ms: Some(now),
            sha256: hex::encode(sha256(device_config::parse(Platform::IosXe, &text).text().as_bytes())),
            secrets_unseen: device_config::mask(Platform::IosXe, &text).unseen,
        })
    }
}

#[async_trait]
impl ConfigChanger for Network {
    fn settle_time(&self) -> Duration {
        Duration::from_secs(345)
    }

    async fn render(&self, cx: &ToolCx, step: &StepSpec) -> Result<SealedLines, Error> {
        self.box_of(&step.device_id)?;
        let mut params = step.params.clone();
        if let Some(sealed) = &step.secrets {
            let bytes = cx.artifacts.open_unmasked(&sealed.id).await?;
            params.extend(serde_json::from_slice::<Map<String, Json>>(&bytes).unwrap());
        }
        let text = rendered(&self.version(&step.carrier)?, &params);
        let artifact = cx.artifacts.put_sealed_unmasked(ArtifactKind::Plan, "text/plain", text.as_bytes()).await?;
        Ok(SealedLines { artifact, sha256: hex::encode(sha256(text.as_bytes())) })
    }

    async fn stage(&self, cx: &ToolCx, change: &str, device_id: &str, lines: &SealedLines) -> Result<Staged, Error> {
        let text = String::from_utf8(cx.artifacts.open_unmasked(&lines.artifact.id).await?).unwrap();
        let name = format!("staged-{change}-{device_id}-{}", &lines.sha256[..8]);
        let versions = vec![(format!("{name}-v1"), text)];
        let staged = Template { versions, change: Some(change.to_owned()), ..Template::default() };
        self.state().templates.insert(name.clone(), staged);
        let carrier = Carrier { version_id: format!("{name}-v1"), template_id: name };
        Ok(Staged { carrier, secrets: None })
    }

    async fn apply(&self, _: &ToolCx, _: &StepSpec) -> Result<Handle, Error> {
        Err(Error::internal("a plan applies nothing"))
    }

    async fn poll(&self, _: &ToolCx, _: &str, _: &Handle) -> Result<Polled, Error> {
        Err(Error::internal("a plan follows nothing"))
    }

    async fn reconcile(&self, _: &ToolCx, _: &OpenIntent) -> Result<Settled, Error> {
        Err(Error::internal("a plan settles nothing"))
    }
}

#[async_trait]
impl TemplateSource for Network {
    async fn template(&self, _: &ToolCx, template_id: &str, version_id: Option<&str>) -> Result<TemplateFacts, Error> {
        let state = self.state();
        let template = state.templates.get(template_id).ok_or_else(|| absent("target_not_found"))?;
        let newest =
            template.versions.last().map(|(id, _)| id.clone()).ok_or_else(|| absent("template_not_committed"))?;
        let version_id = version_id.unwrap_or(&newest).to_owned();
        if !template.versions.iter().any(|(id, _)| *id == version_id) {
            return Err(absent("template_version_unknown"));
        }
        Ok(TemplateFacts {
            template_id: template_id.to_owned(),
            name: format!("name of {template_id}"),
            version_id,
            newest_version_id: newest,
            parameters: template.parameters.clone(),
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
        let device = self.box_of(device_id)?;
        let seen = queries.iter().map(|query| {
            let value = match query.name.as_str() {
                "management" => json!({"address": device.management}),
                "reachability" => json!({"answers": true}),
                "interfaces" => json!({"GigabitEthernet1/0/1": {"admin": "UP", "status": "up"}}),
                _ => return Err(Error::new(ErrorKind::InvalidInput, "check_unsupported", "Not in these texts.")),
            };
            Ok(Observation {
                name: query.name.clone(),
                value,
                source_at_ms: cx.clock.now().as_millisecond(),
                stale: false,
            })
        });
        seen.collect()
    }
}
