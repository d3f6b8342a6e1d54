//! From a wish to a plan with a hash (T15, T21). `Changes::plan` writes the change down and starts the work; `Changes::make_plan`
//! is that work, done again from its beginning after every failure, and ends in `planned` or `plan_failed`.
//!
//! Where to go next: [`change_type`] for types of changes, `device` for the plan of one device, `analysis` for what lines would
//! do, [`commitments`] for what stands in place of secrets, [`opening`] to open a plan again, [`compare`] for whether devices
//! still are what a plan says.

mod analysis;
pub mod change_type;
mod checks;
pub mod commitments;
pub mod compare;
mod device;
mod masking;
pub mod opening;
mod order;
pub mod request;
pub mod template_deployment;
pub mod undo_change;

pub use checks::LIVE_EQUALS_PREDICTED;
pub use compare::{Comparison, Difference};
pub use opening::OpenedPlan;
pub use request::{PlanOptions, PlanRequest};

use platform::artifacts::ArtifactKind;
use platform::{CallContext, Error, ErrorKind, Json};
use tool_runtime::ports::PortClient;
use tool_runtime::ports::config_reader::READ_LIVE;

use self::change_type::change_type;
use self::commitments::{Commitments, new_nonce};
use self::device::{PlannedDevice, Work};
use self::request::SealedInputs;
use crate::book::ChangeBook;
use crate::changes::Changes;
use crate::model::change::{Change, ChangeId, DeviceState, Requester, RunProgress, Transition, Trouble};
use crate::model::plan::{
    Estimates, InstanceReference, PLAN_VERSION, PlanReference, PlannedUndo, PublicPlan, SealedPlan, plan_hash,
};
use crate::model::state::State;

/// Most devices of a change.
pub const MOST_DEVICES: usize = 3;
/// How long a plan is tried again while its target cannot be reached, milliseconds.
const PATIENCE_MS: i64 = 3_600_000;
/// What a step takes on one device, its verification included, seconds: a deployment is a task of the vendor's, and the
/// running configuration is read after it.
const STEP_S: u64 = 90;

/// A finished plan, both parts.
struct Made {
    public: PublicPlan,
    reference: PlanReference,
}

impl Changes {
    /// Writes a change down and starts making its plan; it answers at once (T22).
    ///
    /// Errors: `server_unknown`, `server_not_changeable`, `denied`, `change_type_unknown`, `change_inputs_invalid`, `plan_request_invalid`,
    /// `too_many_devices`, `changes_unavailable`.
    pub async fn plan(&self, cx: &CallContext, request: PlanRequest) -> Result<Change, Error> {
        let request = self.completed(request).await?;
        request.check()?;
        let kind = change_type(request.type_name())?;
        kind.check_inputs(&request.inputs, &request.device_ids)?;
        let instance = self.changeable(cx, &request.server).await?;
        let starter = self.starter()?;
        let now = self.parts.clock.now().as_millisecond();
        let ports = PortClient::new(self.road()?, cx, &instance.name);
        let sealed = SealedInputs { inputs: request.inputs, options: request.options };
        let bytes = serde_json::to_vec(&sealed).map_err(Error::internal)?;
        let requester = Requester::from(cx.principal.as_ref());
        let change = Change {
            id: ChangeId::mint(),
            state: State::Planning,
            change_type: kind.reference()?,
            instance,
            title: request.title,
            reason: request.reason,
            requester_key: requester.key(),
            requester,
            device_ids: request.device_ids,
            inputs: ports.seal(ArtifactKind::Plan, "application/json", &bytes).await?,
            undoes: request.undoes,
            risk: None,
            plan: None,
            submission: None,
            approvers: None,
            approvals: Vec::new(),
            grant: None,
            cancel: None,
            run: RunProgress::default(),
            trouble: None,
            evidence: None,
            evidence_awaits_proofs: false,
            history: vec![Transition { at_ms: now, to: State::Planning, why: "asked for".to_owned() }],
            created_at_ms: now,
            updated_at_ms: now,
        };
        self.book().add(&change).await?;
        match starter.plan(&change.id).await {
            Ok(()) => Ok(change),
            Err(error) => {
                self.fail_plan(&change.id, &error).await?;
                Err(error)
            }
        }
    }

    /// Starts making the plans that were not finished when the platform stopped: a change that was written down is planned,
    /// also when its start was lost.
    pub async fn restart_planning(&self) -> Result<(), Error> {
        let mut after: Option<ChangeId> = None;
        loop {
            let kept = self.book().in_state(State::Planning, after.as_ref(), 1000).await?;
            for change in &kept {
                self.starter()?.plan(&change.change.id).await?;
            }
            match kept.last() {
                Some(last) => after = Some(last.change.id.clone()),
                None => return Ok(()),
            }
        }
    }

    /// Makes the plan of a change, and may be called again at any time: what is done already is found, and a change that is
    /// not being planned is left alone. An error is worth a repeat; what is not ends in `plan_failed`, and so does what could not
    /// be reached for an hour.
    pub async fn make_plan(&self, id: &ChangeId) -> Result<(), Error> {
        let change = self.book().get(id).await?.change;
        if change.state != State::Planning {
            return Ok(());
        }
        match Box::pin(self.planned(&change)).await {
            Ok(made) => self.keep_plan(id, made).await,
            Err(error) if !is_worth_repeating(&error) => self.fail_plan(id, &error).await,
            Err(error) => {
                let now = self.parts.clock.now().as_millisecond();
                if now.saturating_sub(change.created_at_ms) >= PATIENCE_MS {
                    return self.fail_plan(id, &error).await;
                }
                self.note_trouble(id, &error).await?;
                Err(error)
            }
        }
    }

    /// Gives a plan up: `plan_failed`, with the reason.
    async fn fail_plan(&self, id: &ChangeId, error: &Error) -> Result<(), Error> {
        let now = self.parts.clock.now().as_millisecond();
        let edit = |change: &mut Change| {
            if change.state == State::Planning {
                change.become_state(State::PlanFailed, now, error.code())?;
                change.trouble = Some(trouble(error));
            }
            Ok(((), Vec::new()))
        };
        self.book().update(id, edit).await.map(drop)
    }

    /// Says why a plan takes long.
    async fn note_trouble(&self, id: &ChangeId, error: &Error) -> Result<(), Error> {
        let edit = |change: &mut Change| {
            if change.state == State::Planning {
                change.trouble = Some(trouble(error));
            }
            Ok(((), Vec::new()))
        };
        self.book().update(id, edit).await.map(drop)
    }

    async fn keep_plan(&self, id: &ChangeId, made: Made) -> Result<(), Error> {
        let Made { public, reference } = made;
        let edit = |change: &mut Change| {
            if change.state != State::Planning {
                return Ok(((), Vec::new()));
            }
            let nothing = if public.changes_nothing() { "planned; it changes nothing" } else { "planned" };
            change.become_state(State::Planned, reference.made_at_ms, nothing)?;
            change.plan = Some(reference.clone());
            change.risk = Some(public.risk());
            change.trouble = None;
            Ok(((), vec![ChangeBook::put_plan(id, &public)?]))
        };
        self.book().update(id, edit).await.map(drop)
    }

    /// Everything that is read, computed and staged for a plan.
    async fn planned(&self, change: &Change) -> Result<Made, Error> {
        let ports = self.ports(change, None)?;
        let kind = change_type(&change.change_type.name)?;
        let SealedInputs { inputs, options } = self.inputs_of(change, &ports).await?;
        let mut targets = Vec::new();
        for device_id in &change.device_ids {
            targets.push(ports.prove_target(device_id).await?);
        }
        let order = order::batches(&targets, &options.batches);
        let draft = kind.draft(self, change, &inputs, &ports).await?;
        let nonce = new_nonce()?;
        let commitments = Commitments::of_nonce(&nonce)?;
        let work = Work { change, kind, ports: &ports, commitments: &commitments };
        let mut devices = Vec::new();
        for device in draft.devices {
            let target = targets.iter().find(|target| target.device_id == device.device_id);
            let target = target.ok_or_else(|| Error::internal("a draft for a device that nobody named"))?.clone();
            devices.push(Box::pin(work.device(device, target)).await?);
        }
        devices.sort_by_key(|device| order.iter().flatten().position(|id| *id == device.public.device_id));
        let (public, sealed): (Vec<_>, Vec<_>) =
            devices.into_iter().map(|PlannedDevice { public, sealed }| (public, sealed)).unzip();
        let steps = |count: usize| STEP_S * u64::try_from(count).unwrap_or(u64::MAX);
        let undoable = public.iter().filter(|d| matches!(d.undo, PlannedUndo::Generated { .. })).count();
        let public = PublicPlan {
            v: PLAN_VERSION,
            change: change.id.to_string(),
            change_type: kind.reference()?,
            instance: change.instance.clone(),
            template: draft.template,
            order,
            max_fail_percentage: options.max_fail_percentage,
            on_stop: options.on_stop,
            on_stale: options.on_stale,
            save_startup: options.save_startup,
            soak_s: options.soak_s,
            estimates: Estimates { apply_s: steps(public.len()), undo_s: steps(undoable) },
            devices: public,
        };
        let sealed = serde_json::to_vec(&SealedPlan { nonce, devices: sealed }).map_err(Error::internal)?;
        let reference = PlanReference {
            hash: plan_hash(&public)?,
            sealed: ports.seal(ArtifactKind::Plan, "application/json", &sealed).await?,
            made_at_ms: self.parts.clock.now().as_millisecond(),
        };
        Ok(Made { public, reference })
    }

    async fn inputs_of(&self, change: &Change, ports: &PortClient) -> Result<SealedInputs, Error> {
        let bytes = ports.open(&change.inputs).await?;
        // Serde's own message would repeat a value.
        serde_json::from_slice(&bytes).map_err(|_| Error::internal("sealed inputs of another form"))
    }

    /// A request to undo a change names its devices, server and type by itself: the devices that were written to, without those
    /// on which that changed nothing. Error: `change_not_undoable` where there is none.
    async fn completed(&self, mut request: PlanRequest) -> Result<PlanRequest, Error> {
        let Some(undone) = &request.undoes else { return Ok(request) };
        let undone = self.book().get(undone).await?.change;
        if request.device_ids.is_empty() {
            let plan = self.book().plan(&undone.id).await?;
            let touched = |id: &String| {
                let state = undone.run.devices.get(id).map(|device| device.state);
                let written =
                    !matches!(state, Some(DeviceState::Waiting | DeviceState::Skipped | DeviceState::Restored));
                let effect = plan.as_ref().and_then(|plan| plan.device(id)).is_some_and(|d| !d.changes_nothing());
                written && effect
            };
            request.device_ids = undone.device_ids.iter().filter(|id| touched(id)).cloned().collect();
            if request.device_ids.is_empty() {
                return Err(undo_change::nothing_to_undo());
            }
        }
        request.server = undone.instance.name;
        request.change_type.get_or_insert_with(|| undo_change::NAME.to_owned());
        request.shorten_title();
        Ok(request)
    }

    /// The server, if its devices can be changed by plans, and by this caller.
    async fn changeable(&self, cx: &CallContext, name: &str) -> Result<InstanceReference, Error> {
        let road = self.road()?;
        let visible = road.visibility().visible(&cx.principal).await?;
        if !visible.iter().any(|(server, _)| server == name) {
            return Err(Error::new(ErrorKind::NotFound, "server_unknown", "There is no server of that name."));
        }
        let catalogue = road.visibility().catalogue();
        let server = catalogue.server(name).ok_or_else(|| Error::internal("a visible server that is not there"))?;
        let ports = server.connector.ports();
        let whole = ports.config_reader.is_some() && ports.config_changer.is_some() && ports.state_probe.is_some();
        if !whole {
            return Err(Error::new(
                ErrorKind::Conflict,
                "server_not_changeable",
                "Changes cannot be planned on this server: it neither reads nor changes configurations of devices.",
            ));
        }
        if !visible.contains(&(name.to_owned(), READ_LIVE.to_owned())) {
            return Err(Error::new(
                ErrorKind::Forbidden,
                "denied",
                "Policy does not let you plan changes on this server.",
            ));
        }
        let facts = &server.facts;
        Ok(InstanceReference {
            name: facts.name.clone(),
            connector: facts.connector.clone(),
            environment: facts.environment.clone(),
        })
    }
}

/// Whether the same question may be answered otherwise in a while.
pub(crate) fn is_worth_repeating(error: &Error) -> bool {
    match error.kind() {
        ErrorKind::Unavailable | ErrorKind::Timeout | ErrorKind::RateLimited => true,
        // A vendor's failure, but not one that is its answer.
        ErrorKind::Upstream => !matches!(error.code(), "render_other_version" | "staged_text_differs"),
        ErrorKind::Conflict => error.code() == "change_busy",
        _ => false,
    }
}

/// What is told of an error in a change's record: what its caller would have been told.
pub(crate) fn trouble(error: &Error) -> Trouble {
    let refusal = error.refusal();
    Trouble {
        code: refusal.code.clone(),
        message: refusal.message.clone(),
        detail: refusal.details.clone().unwrap_or(Json::Null),
    }
}
