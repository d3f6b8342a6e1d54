//! The plan of one device: read, rendered, predicted, its undo staged, its checks observed, and every value that may hold a
//! secret replaced by a commitment.

use std::collections::BTreeSet;

use device_config::Platform;
use platform::artifacts::ArtifactKind;
use platform::canonical::sha256;
use platform::policy::Risk;
use platform::{Error, ErrorKind, Json};
use serde_json::{Map, json};
use tool_runtime::ArtifactReference;
use tool_runtime::ports::PortClient;
use tool_runtime::ports::config_changer::{ProvenTarget, SealedLines, Staged, StepSpec};

use super::analysis::{Analysis, Reading, analyse};
use super::change_type::{ChangeType, DeviceDraft};
use super::commitments::{Commitments, Part, Place, counted_lines};
use super::{checks, masking};
use crate::model::change::Change;
use crate::model::plan::{Baseline, Committed, DevicePlan, PlannedUndo, SealedDevice};

/// Most lines that are entered into one device.
const MOST_LINES: usize = 2000;

/// What the devices of one plan have in common.
pub(super) struct Work<'w> {
    pub(super) change: &'w Change,
    pub(super) kind: &'w dyn ChangeType,
    pub(super) ports: &'w PortClient,
    pub(super) commitments: &'w Commitments,
}

/// One device's plan, both parts.
pub(super) struct PlannedDevice {
    pub(super) public: DevicePlan,
    pub(super) sealed: SealedDevice,
}

impl Work<'_> {
    /// Makes the plan of one device.
    pub(super) async fn device(&self, draft: DeviceDraft, target: ProvenTarget) -> Result<PlannedDevice, Error> {
        let (ports, id) = (self.ports, draft.device_id.as_str());
        let live = ports.read_live(id).await?;
        let platform = platform_of(&live.platform)?;
        let running = text(ports, &live.artifact).await?;
        let management = checks::management(ports, id).await?;
        let step = self.sealed_step(&draft).await?;
        let lines = ports.render(&step).await?;
        let rendered = text(ports, &lines.artifact).await?;
        require_readable(&rendered)?;
        let mut secret = secrets_of(platform, &draft, &rendered);
        let values = draft.params.iter().filter(|(name, _)| secret.contains(*name));
        let known: Vec<String> = values.flat_map(|(_, value)| masking::texts_of(value)).collect();
        let analysis = analyse(Reading {
            platform,
            running: &running,
            rendered: &rendered,
            management: management.as_deref(),
            secrets: &known,
        })?;
        // One that holds a secret among other words is one too.
        let holds = |value: &Json| masking::texts_of(value).iter().any(|text| analysis.masker.words(text) != *text);
        secret.extend(draft.params.iter().filter(|(_, value)| holds(value)).map(|(name, _)| name.clone()));
        let forward = self.forward(&draft, &secret, step).await?;
        let (will, was) = (analysis.after.text(), analysis.before.text());
        let predicted = ports.seal(ArtifactKind::Configuration, "text/plain", will.as_bytes()).await?;
        let undo = self.undo(id, &analysis).await?;
        let place = |part| Place { device_id: id, part };
        let (mut checks, before) = checks::observed(ports, id, self.kind.checks(platform)).await?;
        for check in &mut checks {
            let seen = before.get(&check.name);
            check.before =
                seen.map(|seen| self.commitments.value(&place(Part::Before(&check.name)), seen)).transpose()?;
        }
        let diff_group = group_of(&analysis)?;
        let no_undo = matches!(&undo.public, PlannedUndo::None { .. }) && analysis.undo.is_ok();
        let public = DevicePlan {
            device_id: id.to_owned(),
            hostname: target.hostname,
            serials: target.serials,
            platform: platform.name().to_owned(),
            site: target.site,
            role: target.role,
            redundancy_group: target.redundancy_group,
            ci: target.ci,
            baseline: Baseline {
                commitment: self.commitments.text(&place(Part::Baseline), &was),
                read_at_ms: live.read_at_ms,
                source_at_ms: live.source_at_ms,
                secrets_unseen: live.secrets_unseen,
            },
            params: self.shown_params(id, &draft.params, &secret)?,
            carrier: draft.carrier,
            lines: self.committed(id, &rendered, &analysis, Part::Line),
            diff: analysis.diff,
            diff_group,
            unmodelled: analysis.unmodelled,
            dangers: analysis.dangers,
            risk: if no_undo { Risk::Disruptive } else { analysis.risk },
            predicted: self.commitments.text(&place(Part::Predicted), &will),
            undo: undo.public,
            checks,
        };
        let sealed = SealedDevice {
            device_id: id.to_owned(),
            baseline: live.artifact,
            baseline_sha256: live.sha256,
            lines: lines.artifact,
            lines_sha256: lines.sha256,
            predicted,
            predicted_sha256: hex::encode(sha256(will.as_bytes())),
            forward,
            undo: undo.step,
            undo_lines: undo.lines,
            before,
        };
        Ok(PlannedDevice { public, sealed })
    }

    /// The step with all of its parameters sealed: until the lines are rendered, nobody knows which of them are secrets, and
    /// policy and records see what a step holds in clear.
    async fn sealed_step(&self, draft: &DeviceDraft) -> Result<StepSpec, Error> {
        let secrets = match (&draft.sealed, draft.params.is_empty()) {
            (Some(sealed), _) => Some(sealed.clone()),
            (None, true) => None,
            (None, false) => Some(self.seal_params(&draft.params).await?),
        };
        Ok(self.step(draft, Map::new(), secrets))
    }

    /// The step that will be applied: what is no secret stands in it, for policy and people to see.
    async fn forward(
        &self,
        draft: &DeviceDraft,
        secret: &BTreeSet<String>,
        sealed: StepSpec,
    ) -> Result<StepSpec, Error> {
        if draft.sealed.is_some() {
            return Ok(sealed);
        }
        let (hidden, shown): (Map<_, _>, Map<_, _>) =
            draft.params.clone().into_iter().partition(|(name, _)| secret.contains(name));
        let secrets = if hidden.is_empty() { None } else { Some(self.seal_params(&hidden).await?) };
        Ok(self.step(draft, shown, secrets))
    }

    fn step(&self, draft: &DeviceDraft, params: Map<String, Json>, secrets: Option<ArtifactReference>) -> StepSpec {
        StepSpec {
            device_id: draft.device_id.clone(),
            change: self.change.id.to_string(),
            carrier: draft.carrier.clone(),
            params,
            secrets,
        }
    }

    async fn seal_params(&self, params: &Map<String, Json>) -> Result<ArtifactReference, Error> {
        let bytes = serde_json::to_vec(params).map_err(Error::internal)?;
        self.ports.seal(ArtifactKind::Plan, "application/json", &bytes).await
    }

    /// Parameters as a plan shows them: the value, or in a secret's place its mask and a commitment.
    fn shown_params(
        &self,
        device_id: &str,
        params: &Map<String, Json>,
        secret: &BTreeSet<String>,
    ) -> Result<Map<String, Json>, Error> {
        let shown = |(name, value): (&String, &Json)| {
            if !secret.contains(name) {
                return Ok((name.clone(), value.clone()));
            }
            let place = Place { device_id, part: Part::Parameter(name) };
            let committed = Committed {
                masked: device_config::MASK.to_owned(),
                commitment: self.commitments.value(&place, value)?,
            };
            Ok((name.clone(), serde_json::to_value(committed).map_err(Error::internal)?))
        };
        params.iter().map(shown).collect()
    }

    /// The lines of a text, masked, each with its commitment. A line is masked as part of its text, which knows its sections.
    fn committed<'p>(
        &self,
        device_id: &'p str,
        text: &str,
        analysis: &Analysis,
        part: impl Fn(usize) -> Part<'p>,
    ) -> Vec<Committed> {
        let masked = analysis.masker.text(text);
        let pairs = text.lines().zip(masked.lines()).filter(|(line, _)| !line.trim().is_empty());
        let committed = pairs.enumerate().map(|(at, (line, masked))| Committed {
            masked: masked.to_owned(),
            commitment: self.commitments.text(&Place { device_id, part: part(at) }, line),
        });
        committed.collect()
    }

    /// Stages the undo (T21). A text that the controller would obey instead of entering cannot be staged, and then there is none.
    async fn undo(&self, device_id: &str, analysis: &Analysis) -> Result<Undo, Error> {
        let none = |reason: String| Undo { public: PlannedUndo::None { reason }, step: None, lines: None };
        let text = match &analysis.undo {
            Ok(text) => text,
            Err(reason) => return Ok(none(reason.clone())),
        };
        let artifact = self.ports.seal(ArtifactKind::Plan, "text/plain", text.as_bytes()).await?;
        let lines = SealedLines { artifact: artifact.clone(), sha256: hex::encode(sha256(text.as_bytes())) };
        let staged = self.ports.stage(self.change.id.as_str(), device_id, &lines).await;
        let Staged { carrier, secrets } = match staged {
            Ok(staged) => staged,
            Err(error) if error.code() == "staged_text_unsafe" => {
                return Ok(none(
                    "The lines that lead back cannot be carried by a template of the controller.".to_owned(),
                ));
            }
            Err(error) => return Err(error),
        };
        let step = StepSpec {
            device_id: device_id.to_owned(),
            change: self.change.id.to_string(),
            carrier: carrier.clone(),
            params: Map::new(),
            secrets,
        };
        let lines = self.committed(device_id, text, analysis, Part::Undo);
        Ok(Undo { public: PlannedUndo::Generated { carrier, lines }, step: Some(step), lines: Some(artifact) })
    }
}

/// An undo, both parts.
struct Undo {
    public: PlannedUndo,
    step: Option<StepSpec>,
    lines: Option<ArtifactReference>,
}

/// The parameters that are secrets: those that somebody called so, and those that end up where a configuration hides something.
fn secrets_of(platform: Platform, draft: &DeviceDraft, rendered: &str) -> BTreeSet<String> {
    let hidden = masking::hidden_values(platform, rendered);
    let found = draft.params.iter().filter(|(_, value)| masking::is_hidden(&hidden, value));
    found.map(|(name, _)| name.clone()).chain(draft.secret.iter().cloned()).collect()
}

/// Refuses what no approver reads.
fn require_readable(rendered: &str) -> Result<(), Error> {
    let lines = counted_lines(rendered).count();
    if lines <= MOST_LINES {
        return Ok(());
    }
    Err(Error::new(
        ErrorKind::InvalidInput,
        "plan_too_large",
        format!("The template renders to {lines} lines for one device. A change has at most {MOST_LINES}, so that people can read it."),
    )
    .with_details(json!({ "lines": lines, "most": MOST_LINES })))
}

/// A name for what a device's change looks like: devices with the same one are shown together.
fn group_of(analysis: &Analysis) -> Result<String, Error> {
    let mut digest = platform::canonical::digest_hex(&analysis.diff)?;
    digest.truncate(16);
    Ok(digest)
}

pub(super) fn platform_of(name: &str) -> Result<Platform, Error> {
    name.parse().map_err(|_| {
        let message =
            "The configurations of this device's platform are not understood, so that nothing can be predicted.";
        Error::new(ErrorKind::InvalidInput, "platform_unsupported", message)
    })
}

/// A sealed text.
pub(super) async fn text(ports: &PortClient, artifact: &ArtifactReference) -> Result<String, Error> {
    String::from_utf8(ports.open(artifact).await?).map_err(|_| Error::internal("a sealed text is no text"))
}
