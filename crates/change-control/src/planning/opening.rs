//! Opening a plan again: the public part is held to its hash, the sealed part to the public one, and a single value to its
//! commitment, for an auditor.

use platform::{Error, ErrorKind, Json, Secret};
use serde_json::Map;
use tool_runtime::ArtifactReference;
use tool_runtime::ports::PortClient;
use tool_runtime::ports::config_changer::StepSpec;

use super::commitments::{Commitments, Part, Place, counted_lines};
use super::device::{platform_of, text};
use crate::changes::Changes;
use crate::model::change::Change;
use crate::model::plan::{
    Committed, DevicePlan, PlannedUndo, PublicPlan, SealedDevice, SealedPlan, altered, verify_public_plan,
};

/// A plan, both parts. It has no `Debug`.
pub struct OpenedPlan {
    /// What everybody may see.
    pub public: PublicPlan,
    /// What only the platform opens.
    pub sealed: SealedPlan,
}

/// A value that stands masked in a public plan.
#[derive(Debug)]
pub struct OpenedValue {
    /// Where it stands: [`Place`], as text.
    pub place: String,
    /// The commitment in the public plan, which the value was held to.
    pub commitment: String,
    /// The value; a parameter's as JSON.
    pub value: Secret,
}

impl OpenedPlan {
    /// Both parts of a device's plan.
    pub fn device(&self, device_id: &str) -> Option<(&DevicePlan, &SealedDevice)> {
        Some((self.public.device(device_id)?, self.sealed_device(device_id)?))
    }

    /// The sealed part of a device's plan.
    pub fn sealed_device(&self, device_id: &str) -> Option<&SealedDevice> {
        self.sealed.devices.iter().find(|device| device.device_id == device_id)
    }

    /// Whether the sealed part is that of the public one: the same devices, and steps that are the ones that were approved.
    /// What a step would enter is held to its commitments when it is compared ([`super::compare`]).
    fn agree(&self) -> Result<(), Error> {
        let commitments = Commitments::of_nonce(&self.sealed.nonce)?;
        let mut all = self.public.devices.len() == self.sealed.devices.len();
        for device in &self.public.devices {
            let sealed = self.sealed_device(&device.device_id).ok_or_else(altered)?;
            all &= steps_agree(&self.public.change, device, sealed);
            all &= self.before_agrees(device, sealed, &commitments)?;
        }
        if all { Ok(()) } else { Err(altered()) }
    }

    /// Whether what the checks saw before is what was approved: they are what later observations are compared with. A plan of
    /// before types had digests has no commitments to that; it is opened for its undo alone.
    fn before_agrees(
        &self,
        public: &DevicePlan,
        sealed: &SealedDevice,
        commitments: &Commitments,
    ) -> Result<bool, Error> {
        for (name, seen) in &sealed.before {
            let check = public.checks.iter().find(|check| check.name == *name);
            let place = Place { device_id: &public.device_id, part: Part::Before(name) };
            let agrees = match check.and_then(|check| check.before.as_ref()) {
                Some(committed) => commitments.value(&place, seen)? == *committed,
                None => self.public.change_type.digest.is_none(),
            };
            if !agrees {
                return Ok(false);
            }
        }
        Ok(public.checks.iter().filter(|c| c.before.is_some()).all(|c| sealed.before.contains_key(&c.name)))
    }
}

fn steps_agree(change: &str, public: &DevicePlan, sealed: &SealedDevice) -> bool {
    let of_this = |step: &StepSpec| step.device_id == public.device_id && step.change == change;
    let shown: Map<String, Json> =
        public.params.clone().into_iter().filter(|(_, value)| !is_committed(value)).collect();
    let forward =
        of_this(&sealed.forward) && sealed.forward.carrier == public.carrier && sealed.forward.params == shown;
    let undo = match (&public.undo, &sealed.undo) {
        (PlannedUndo::Generated { carrier, .. }, Some(step)) => {
            of_this(step) && step.carrier == *carrier && step.params.is_empty()
        }
        (PlannedUndo::None { .. }, None) => true,
        _ => false,
    };
    forward && undo
}

/// Whether a parameter of a public plan is a commitment to a value, and not the value.
pub fn is_committed(value: &Json) -> bool {
    value.as_object().is_some_and(|members| {
        members.len() == 2 && members.contains_key("masked") && members.get("commitment").is_some_and(Json::is_string)
    })
}

impl Changes {
    /// The plan of a change. `ports` are the change's own. Errors: `change_state` where there is none, `plan_altered`,
    /// `artifact_not_found`, `artifacts_unavailable`.
    pub async fn open_plan(&self, change: &Change, ports: &PortClient) -> Result<OpenedPlan, Error> {
        let reference = change.plan.as_ref().ok_or_else(|| {
            Error::new(ErrorKind::Conflict, "change_state", format!("A change that is {} has no plan.", change.state))
        })?;
        let public = self.book().plan(&change.id).await?.ok_or_else(altered)?;
        verify_public_plan(&public, &reference.hash)?;
        let bytes = ports.open(&reference.sealed).await?;
        // Serde's own message would repeat a value.
        let sealed = serde_json::from_slice(&bytes).map_err(|_| altered())?;
        let plan = OpenedPlan { public, sealed };
        plan.agree()?;
        Ok(plan)
    }

    /// A value that stands masked in the public plan, opened and held to its commitment there: for an auditor. Whoever
    /// calls this has established that the reader is one, and has put it on record before (T26). `place` is written as [`Place`] writes it. Errors: `place_unknown`, `plan_altered`,
    /// and those of [`Changes::open_plan`].
    pub async fn open_commitment(
        &self,
        change: &Change,
        ports: &PortClient,
        place: &str,
    ) -> Result<OpenedValue, Error> {
        let plan = self.open_plan(change, ports).await?;
        let commitments = Commitments::of_nonce(&plan.sealed.nonce)?;
        for (device, sealed) in plan.public.devices.iter().filter_map(|d| plan.device(&d.device_id)) {
            for (part, commitment) in committed(device) {
                let at = Place { device_id: &device.device_id, part };
                if at.to_string() == place {
                    let value = value_of(device, sealed, ports, part).await?;
                    let is_text = !matches!(part, Part::Parameter(_) | Part::Before(_));
                    let found = match &value {
                        Json::String(text) if is_text => commitments.text(&at, text),
                        value => commitments.value(&at, value)?,
                    };
                    if found != commitment {
                        return Err(altered());
                    }
                    let value = match value {
                        Json::String(text) if is_text => text,
                        value => value.to_string(),
                    };
                    return Ok(OpenedValue { place: place.to_owned(), commitment, value: Secret::new(value) });
                }
            }
        }
        let message = "The plan has no masked value at this place. Places look like /devices/<device>/lines/0.";
        Err(Error::new(ErrorKind::NotFound, "place_unknown", message))
    }
}

/// All commitments of a device's plan.
fn committed(device: &DevicePlan) -> Vec<(Part<'_>, String)> {
    let lines = |lines: &[Committed]| lines.iter().map(|line| line.commitment.clone()).collect::<Vec<_>>();
    let params = device.params.iter().filter(|(_, value)| is_committed(value)).map(|(name, value)| {
        let commitment = value.get("commitment").and_then(Json::as_str).unwrap_or_default();
        (Part::Parameter(name), commitment.to_owned())
    });
    let forward = lines(&device.lines).into_iter().enumerate().map(|(at, c)| (Part::Line(at), c));
    let undo = match &device.undo {
        PlannedUndo::Generated { lines: undo, .. } => lines(undo),
        PlannedUndo::None { .. } => Vec::new(),
    };
    let undo = undo.into_iter().enumerate().map(|(at, c)| (Part::Undo(at), c));
    let before = device.checks.iter().filter_map(|c| Some((Part::Before(&c.name), c.before.clone()?)));
    let whole = [(Part::Baseline, device.baseline.commitment.clone()), (Part::Predicted, device.predicted.clone())];
    whole.into_iter().chain(params).chain(forward).chain(undo).chain(before).collect()
}

async fn value_of(
    device: &DevicePlan,
    sealed: &SealedDevice,
    ports: &PortClient,
    part: Part<'_>,
) -> Result<Json, Error> {
    let line = |text: &str, at: usize| counted_lines(text).nth(at).map(Json::from).ok_or_else(altered);
    match part {
        Part::Baseline => {
            let printed = text(ports, &sealed.baseline).await?;
            Ok(device_config::parse(platform_of(&device.platform)?, &printed).text().into())
        }
        Part::Predicted => text(ports, &sealed.predicted).await.map(Json::from),
        Part::Line(at) => line(&text(ports, &sealed.lines).await?, at),
        Part::Undo(at) => {
            let artifact = sealed.undo_lines.as_ref().ok_or_else(altered)?;
            line(&text(ports, artifact).await?, at)
        }
        Part::Before(check) => sealed.before.get(check).cloned().ok_or_else(altered),
        Part::Parameter(name) => {
            let artifact = sealed.forward.secrets.as_ref().ok_or_else(altered)?;
            sealed_params(ports, artifact).await?.remove(name).ok_or_else(altered)
        }
    }
}

/// Sealed parameters of a step.
pub(super) async fn sealed_params(
    ports: &PortClient,
    artifact: &ArtifactReference,
) -> Result<Map<String, Json>, Error> {
    let bytes = ports.open(artifact).await?;
    // Serde's own message would repeat a value.
    serde_json::from_slice(&bytes).map_err(|_| altered())
}
