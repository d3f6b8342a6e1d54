//! Whether devices are what a plan says (T18): before a step, that nothing it was made for has changed; after one, that they
//! are what was predicted, or after an undo what they were. Everything is held to the commitments of the public plan, which
//! is what was approved.
//!
//! A report says what was compared, and never more.

use device_config::{Config, Lines, Platform, diff, parse, template_lines};
use platform::context::RunStep;
use platform::{Error, Json};
use serde_json::json;
use tool_runtime::ports::PortClient;
use tool_runtime::ports::config_changer::ProvenTarget;
use tool_runtime::ports::config_reader::SealedConfig;

use super::analysis::shown_diff;
use super::checks::LIVE_EQUALS_PREDICTED;
use super::commitments::{Commitments, Part, Place};
use super::device::{platform_of, text};
use super::masking::{Masker, texts_of};
use super::opening::sealed_params;
use super::{OpenedPlan, is_worth_repeating};
use crate::changes::Changes;
use crate::model::attempt::Direction;
use crate::model::change::{Change, CheckResult};
use crate::model::plan::{DevicePlan, DiffLine, SealedDevice, altered};

/// The check after an undo: the running configuration equals the one before, volatile lines left out.
pub const LIVE_EQUALS_BASELINE: &str = "live_equals_baseline";
/// Most lines of a difference that a report shows.
const MOST_SHOWN: usize = 200;

/// What a device is, against its plan.
#[derive(Debug)]
pub enum Comparison {
    /// What the plan was made for.
    Same,
    /// Something else: the plan is stale for it.
    Differs(Difference),
    /// It could not be told now; it may be in a while.
    Unreadable(Error),
}

/// In what a device differs from its plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// What was compared.
    pub part: Compared,
    /// What the plan has: a commitment, a version, or facts.
    pub planned: String,
    /// The same of what was found.
    pub found: String,
    /// The difference, masked; nothing where it has no lines.
    pub diff: Vec<DiffLine>,
}

/// What of a plan is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compared {
    /// Serial numbers and configuration item of the device.
    Target,
    /// The newest committed version of the template.
    TemplateVersion,
    /// The running configuration.
    Configuration,
    /// The lines that the step would enter.
    Lines,
    /// What would come of them.
    Prediction,
}

impl Compared {
    /// The name in JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Target => "target",
            Self::TemplateVersion => "template_version",
            Self::Configuration => "configuration",
            Self::Lines => "lines",
            Self::Prediction => "prediction",
        }
    }
}

impl Difference {
    /// For a trouble's detail: both digests, and the difference as far as it is shown.
    pub fn detail(&self, device_id: &str) -> Json {
        let (shown, more) = bounded(&self.diff);
        json!({
            "device_id": device_id, "compared": self.part.as_str(), "planned": self.planned, "found": self.found,
            "diff": shown, "more_lines": more,
        })
    }
}

/// One device of an opened plan, with what it is compared by.
struct Side<'p> {
    public: &'p DevicePlan,
    sealed: &'p SealedDevice,
    platform: Platform,
    commitments: Commitments,
    /// Values of secret parameters.
    secrets: Vec<String>,
}

impl<'p> Side<'p> {
    async fn of(plan: &'p OpenedPlan, device_id: &str, ports: &PortClient) -> Result<Self, Error> {
        let (public, sealed) = plan.device(device_id).ok_or_else(altered)?;
        let platform = platform_of(&public.platform)?;
        let secrets = match &sealed.forward.secrets {
            Some(artifact) => sealed_params(ports, artifact).await?.values().flat_map(texts_of).collect(),
            None => Vec::new(),
        };
        Ok(Self { public, sealed, platform, commitments: Commitments::of_nonce(&plan.sealed.nonce)?, secrets })
    }

    fn masker(&self, texts: &[&str]) -> Masker {
        Masker::of(self.platform, texts, self.secrets.iter().cloned())
    }

    fn committed(&self, part: Part<'_>, text: &str) -> String {
        self.commitments.text(&Place { device_id: &self.public.device_id, part }, text)
    }

    /// A difference with both configurations' secrets hidden.
    fn shown(&self, before: &Config, after: &Config) -> Vec<DiffLine> {
        shown_diff(&diff(before, after), &self.masker(&[&before.text(), &after.text()]))
    }
}

impl Changes {
    /// Compares a device with its plan, before anything is written to it. `step` says for which step of the run; it has no part
    /// in what is compared. An error is a refusal: it was asked, and the answer is no (`plan_altered`, `target_ambiguous`, `denied`).
    pub async fn compare_device(
        &self,
        change: &Change,
        device_id: &str,
        step: Option<RunStep>,
    ) -> Result<Comparison, Error> {
        let ports = self.ports(change, step)?;
        match Box::pin(self.compared(change, device_id, &ports)).await {
            Ok(None) => Ok(Comparison::Same),
            Ok(Some(difference)) => Ok(Comparison::Differs(difference)),
            Err(error) if is_worth_repeating(&error) => Ok(Comparison::Unreadable(error)),
            Err(error) => Err(error),
        }
    }

    async fn compared(
        &self,
        change: &Change,
        device_id: &str,
        ports: &PortClient,
    ) -> Result<Option<Difference>, Error> {
        let plan = self.open_plan(change, ports).await?;
        let side = Side::of(&plan, device_id, ports).await?;
        if let Some(other) = other_target(side.public, &ports.prove_target(device_id).await?) {
            return Ok(Some(other));
        }
        let template = &plan.public.template;
        if template.newest {
            let newest = ports.template(&template.template_id, None).await?.newest_version_id;
            if newest != template.version_id {
                let (part, planned) = (Compared::TemplateVersion, template.version_id.clone());
                return Ok(Some(Difference { part, planned, found: newest, diff: Vec::new() }));
            }
        }
        let (_, live) = self.read(&side, ports).await?;
        let found = side.committed(Part::Baseline, &live.text());
        if found != side.public.baseline.commitment {
            let before = parse(side.platform, &text(ports, &side.sealed.baseline).await?);
            let planned = side.public.baseline.commitment.clone();
            let diff = side.shown(&before, &live);
            return Ok(Some(Difference { part: Compared::Configuration, planned, found, diff }));
        }
        let lines = ports.render(&side.sealed.forward).await?;
        let rendered = text(ports, &lines.artifact).await?;
        if let Some(other) = other_lines(&side, &rendered) {
            return Ok(Some(other));
        }
        // The same texts, and a model that reads them otherwise than when they were approved.
        let entered = template_lines(side.platform, &rendered).map_err(|_| altered())?;
        let after = live.merge(&Lines::new(entered.config_text())).after;
        let found = side.committed(Part::Predicted, &after.text());
        if found != side.public.predicted {
            let before = parse(side.platform, &text(ports, &side.sealed.predicted).await?);
            let (planned, diff) = (side.public.predicted.clone(), side.shown(&before, &after));
            return Ok(Some(Difference { part: Compared::Prediction, planned, found, diff }));
        }
        Ok(None)
    }

    /// Compares a device with what was predicted, after it was written to; after an undo, with what it was before. What could
    /// not be read is `not_compared`, with the code of why. An error is a refusal, as in [`Changes::compare_device`].
    pub async fn compare_after(
        &self,
        change: &Change,
        device_id: &str,
        direction: Direction,
        step: Option<RunStep>,
    ) -> Result<CheckResult, Error> {
        let ports = self.ports(change, step)?;
        let name = match direction {
            Direction::Forward => LIVE_EQUALS_PREDICTED,
            Direction::Undo => LIVE_EQUALS_BASELINE,
        };
        let found = Box::pin(self.after(change, device_id, direction, &ports)).await;
        let (result, detail, source_at_ms) = match found {
            Ok((result, detail, at)) => (result, detail, Some(at)),
            Err(error) if is_worth_repeating(&error) => {
                ("not_compared", json!({ "code": error.code(), "message": error.message() }), None)
            }
            Err(error) => return Err(error),
        };
        let at_ms = self.parts.clock.now().as_millisecond();
        let (name, result) = (name.to_owned(), result.to_owned());
        Ok(CheckResult { name, direction, result, detail, source_at_ms, at_ms })
    }

    async fn after(
        &self,
        change: &Change,
        device_id: &str,
        direction: Direction,
        ports: &PortClient,
    ) -> Result<(&'static str, Json, i64), Error> {
        let plan = self.open_plan(change, ports).await?;
        let side = Side::of(&plan, device_id, ports).await?;
        let (part, artifact, planned) = match direction {
            Direction::Forward => (Part::Predicted, &side.sealed.predicted, &side.public.predicted),
            Direction::Undo => (Part::Baseline, &side.sealed.baseline, &side.public.baseline.commitment),
        };
        let expected = parse(side.platform, &text(ports, artifact).await?);
        if side.committed(part, &expected.text()) != *planned {
            return Err(altered());
        }
        let (read, live) = self.read(&side, ports).await?;
        let difference = side.shown(&expected, &live);
        let (shown, more) = bounded(&difference);
        let detail = json!({
            "compared_lines": expected.lines(), "differences": shown, "more_lines": more,
            "planned": planned, "found": side.committed(part, &live.text()),
            // Where the source hides secrets, equal texts say nothing about them.
            "secrets_compared": !(read.secrets_unseen || side.public.baseline.secrets_unseen),
        });
        let result = if difference.is_empty() { "passed" } else { "failed" };
        Ok((result, detail, read.source_at_ms.unwrap_or(read.read_at_ms)))
    }

    /// A device's running configuration now.
    async fn read(&self, side: &Side<'_>, ports: &PortClient) -> Result<(SealedConfig, Config), Error> {
        let live = ports.read_live(&side.public.device_id).await?;
        let config = parse(side.platform, &text(ports, &live.artifact).await?);
        Ok((live, config))
    }
}

/// Whether another device stands behind the id: its serial numbers or its configuration item are not those of the plan.
fn other_target(planned: &DevicePlan, found: &ProvenTarget) -> Option<Difference> {
    let told = |serials: &[String], ci: Option<&str>| {
        let mut serials = serials.to_vec();
        serials.sort();
        format!("{} ({})", serials.join(", "), ci.unwrap_or("no configuration item"))
    };
    let planned = told(&planned.serials, planned.ci.as_deref());
    let found = told(&found.serials, found.ci.as_deref());
    (planned != found).then_some(Difference { part: Compared::Target, planned, found, diff: Vec::new() })
}

/// In what rendered lines differ from those that were approved.
fn other_lines(side: &Side<'_>, rendered: &str) -> Option<Difference> {
    let masked = side.masker(&[rendered]).text(rendered);
    let pairs = rendered.lines().zip(masked.lines()).filter(|(line, _)| !line.trim().is_empty());
    let found: Vec<(String, &str)> =
        pairs.enumerate().map(|(at, (line, masked))| (side.committed(Part::Line(at), line), masked)).collect();
    let planned = &side.public.lines;
    let same = planned.len() == found.len()
        && planned.iter().zip(&found).all(|(planned, (found, _))| planned.commitment == *found);
    if same {
        return None;
    }
    let line = |sign: &str, line: &str| DiffLine { sign: sign.to_owned(), line: line.to_owned() };
    let mut diff = Vec::new();
    for at in 0..planned.len().max(found.len()) {
        let (was, is) = (planned.get(at), found.get(at));
        if was.map(|was| was.commitment.as_str()) != is.map(|(commitment, _)| commitment.as_str()) {
            diff.extend(was.map(|was| line("-", &was.masked)));
            diff.extend(is.map(|(_, masked)| line("+", masked)));
        }
    }
    let digest = |all: Vec<&str>| all.join("\n");
    let planned = digest(planned.iter().map(|line| line.commitment.as_str()).collect());
    let found = digest(found.iter().map(|(commitment, _)| commitment.as_str()).collect());
    let of = |text: &str| hex::encode(platform::canonical::sha256(text.as_bytes()));
    Some(Difference { part: Compared::Lines, planned: of(&planned), found: of(&found), diff })
}

fn bounded(diff: &[DiffLine]) -> (&[DiffLine], usize) {
    let shown = diff.get(..MOST_SHOWN).unwrap_or(diff);
    (shown, diff.len() - shown.len())
}
