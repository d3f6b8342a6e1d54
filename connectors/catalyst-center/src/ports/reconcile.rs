//! What became of an attempt whose end nobody heard (T20), from the vendor's own records. With the vendor's handle its task
//! is followed. Without it every task since the intent is followed to its deployment, which must be of this template, this
//! version and this device; the vendor has no field of ours in these records.
//!
//! "It did not happen" needs three things: the settle time is over by the vendor's clock, no record fits or may still come to
//! fit, and the device itself, where it tells, was not changed since. A task that the vendor hides is therefore never taken
//! for one that does not exist.

use device_config::Platform;
use platform::{Error, Json};
use serde_json::json;
use tool_runtime::ToolCx;
use tool_runtime::ports::config_changer::{Handle, OpenIntent, Settled};

use super::CenterPorts;
use super::changer::SETTLE;
use crate::vendor::command_runner::{self, Outcome};
use crate::vendor::deployments::{self, TaskState, VendorDeployment, deployment_of, task_state, told};
use crate::vendor::tasks::{self, Task};
use crate::vendor::templates::{self, VendorTemplate};

/// How long before the intent a fitting task is still looked at, milliseconds: one there may be ours if the vendor's clock was
/// set in between, and nobody can tell.
const BEFORE_MS: i64 = 60_000;
/// The vendor says its time in whole seconds, and the store keeps an intent's in whole seconds too.
const COARSE_MS: i64 = 1_000;
/// How far the vendor's clock may be from ours where it does not tell its time, milliseconds.
const UNTOLD_MS: i64 = 300_000;
/// How soon it is worth the while to ask again, milliseconds.
const AGAIN_MS: i64 = 5_000;
/// Most pages of tasks that are read.
const MOST_PAGES: usize = 20;
/// Most tasks that stand in the evidence.
const MOST_SHOWN: usize = 20;

/// What a task since the intent turned out to be.
enum Finding {
    /// A deployment of this template, this version, on this device.
    Fits(Handle),
    /// It may be one.
    Undecided(&'static str),
    /// Something else.
    Other,
}

/// A task with what it turned out to be.
struct Seen {
    task: Task,
    finding: Finding,
}

pub(super) async fn reconcile(ports: &CenterPorts, cx: &ToolCx, intent: &OpenIntent) -> Result<Settled, Error> {
    match &intent.handle {
        Some(handle) => followed(ports, cx, intent, handle).await,
        None => searched(ports, cx, intent).await,
    }
}

/// With a handle: the vendor named the task, so that it was accepted; whether that is still so, its task tells.
async fn followed(ports: &CenterPorts, cx: &ToolCx, intent: &OpenIntent, handle: &Handle) -> Result<Settled, Error> {
    let unknown = |why: &str| Settled::Unknown { evidence: json!({"why": why, "task_id": handle.task_id}) };
    let mut handle = handle.clone();
    match tasks::read(&ports.api, cx, &handle.task_id).await {
        Ok(task) => match task_state(&task) {
            TaskState::Deploying(id) => handle.deployment_id = Some(id),
            TaskState::Running | TaskState::Needless(_) | TaskState::Failed(_) => return Ok(Settled::Done { handle }),
        },
        // Tasks are purged; a deployment that was named before tells as much.
        Err(error) if is_missing(&error) && handle.deployment_id.is_some() => {}
        Err(error) if is_missing(&error) => {
            return Ok(unknown("Catalyst Center denies the task that it named when it accepted the deployment."));
        }
        Err(error) => return Err(error),
    }
    let expected = Expected::of(ports, cx, intent).await?;
    match deployments::read(&ports.api, cx, handle.deployment_id.as_deref().unwrap_or_default()).await {
        Ok(found) if expected.fits(&found) => Ok(Settled::Done { handle }),
        Ok(_) => Ok(unknown("The deployment that the task names is of another template, version or device.")),
        Err(error) if is_missing(&error) => {
            Ok(unknown("Catalyst Center does not show the deployment that its task names."))
        }
        Err(error) => Err(error),
    }
}

fn is_missing(error: &Error) -> bool {
    matches!(error.code(), "target_not_found" | "target_refused_arguments")
}

/// Without a handle.
async fn searched(ports: &CenterPorts, cx: &ToolCx, intent: &OpenIntent) -> Result<Settled, Error> {
    let Listed { tasks, clock, complete } = listed(ports, cx, intent.announced_at_ms).await?;
    let expected = Expected::of(ports, cx, intent).await?;
    let ours = cx.lease.field("username")?.expose().to_owned();
    let mut all = Vec::new();
    for task in tasks {
        let finding = expected.finding(ports, cx, &task, &ours).await?;
        if !matches!(finding, Finding::Other) {
            all.push(Seen { task, finding });
        }
    }
    let since = clock.vendors(intent.announced_at_ms);
    let (after, before): (Vec<_>, Vec<_>) =
        all.into_iter().partition(|seen| seen.task.started_ms().is_none_or(|at| at >= since));
    let mut fitting = after.iter().filter_map(|seen| match &seen.finding {
        Finding::Fits(handle) => Some(handle),
        _ => None,
    });
    let (first, second) = (fitting.next(), fitting.next());
    let why = match (first, second) {
        (Some(handle), None) => return Ok(Settled::Done { handle: handle.clone() }),
        (Some(_), Some(_)) => "Several deployments since the intent are of this template, version and device.",
        (None, _) => {
            let left_ms = clock.settled_at(intent.announced_at_ms) - clock.now_ms;
            if left_ms > 0 {
                let again_in_ms = u64::try_from(left_ms.min(AGAIN_MS)).unwrap_or_default();
                return Ok(Settled::Pending { again_in_ms });
            }
            if !complete {
                "There are more tasks since the intent than can be looked at."
            } else if !after.is_empty() {
                "Tasks since the intent do not tell what they deploy, and to which device."
            } else if before.iter().any(|seen| matches!(seen.finding, Finding::Fits(_))) {
                "A deployment of this template, version and device began just before the intent."
            } else {
                match last_change(ports, cx, &intent.step.device_id).await? {
                    Told::Not => return Ok(Settled::NotDone),
                    Told::At(at) if at < intent.announced_at_ms - 2 * COARSE_MS => return Ok(Settled::NotDone),
                    Told::At(_) => "There is no record of the deployment, and the device was changed since the intent.",
                    Told::Unanswered => {
                        "There is no record of the deployment, and the device cannot be asked whether it was changed."
                    }
                }
            }
        }
    };
    let shown: Vec<Json> = after.iter().chain(&before).take(MOST_SHOWN).map(Seen::shown).collect();
    let evidence = json!({
        "why": why, "tasks": shown, "announced_at_ms": intent.announced_at_ms, "vendor_now_ms": clock.now_ms,
        "vendor_clock_ahead_ms": clock.ahead_ms,
    });
    Ok(Settled::Unknown { evidence })
}

/// The vendor's time beside ours.
struct VendorClock {
    /// Its now, milliseconds since the epoch.
    now_ms: i64,
    /// How far it is ahead of ours, at least.
    ahead_ms: i64,
    /// How much further it may be.
    within_ms: i64,
}

impl VendorClock {
    /// A time of ours by its clock, as early as it may be.
    fn vendors(&self, our_ms: i64) -> i64 {
        our_ms + self.ahead_ms
    }

    /// When the settle time of an intent is over by its clock, as late as that may be.
    fn settled_at(&self, announced_at_ms: i64) -> i64 {
        let settle = i64::try_from(SETTLE.as_millis()).unwrap_or(i64::MAX);
        announced_at_ms + self.ahead_ms + self.within_ms + settle + COARSE_MS
    }
}

struct Listed {
    tasks: Vec<Task>,
    clock: VendorClock,
    /// Whether these are all.
    complete: bool,
}

/// The vendor's tasks since shortly before a time of ours.
async fn listed(ports: &CenterPorts, cx: &ToolCx, announced_at_ms: i64) -> Result<Listed, Error> {
    // The first answer tells the vendor's time; only then it is known from when on its tasks are wanted.
    let asked_ms = cx.clock.now().as_millisecond();
    let told = tasks::since(&ports.api, cx, asked_ms + UNTOLD_MS, 0).await?.vendor_now_ms;
    let clock = match told {
        Some(now_ms) => {
            let answered_ms = cx.clock.now().as_millisecond();
            let ahead_ms = now_ms - answered_ms;
            VendorClock { now_ms, ahead_ms, within_ms: answered_ms - asked_ms + COARSE_MS }
        }
        None => VendorClock { now_ms: asked_ms, ahead_ms: -UNTOLD_MS, within_ms: 2 * UNTOLD_MS },
    };
    let from = clock.vendors(announced_at_ms) - BEFORE_MS;
    let (mut tasks, mut complete) = (Vec::new(), false);
    for _ in 0..MOST_PAGES {
        let page = tasks::since(&ports.api, cx, from, tasks.len()).await?;
        complete = !page.full;
        tasks.extend(page.tasks);
        if complete {
            break;
        }
    }
    Ok(Listed { tasks, clock, complete })
}

/// What a fitting deployment is of.
struct Expected<'a> {
    intent: &'a OpenIntent,
    template: VendorTemplate,
    version: Option<u64>,
}

impl<'a> Expected<'a> {
    async fn of(ports: &CenterPorts, cx: &ToolCx, intent: &'a OpenIntent) -> Result<Self, Error> {
        let template = templates::versions(&ports.api, cx, &intent.step.carrier.template_id).await?;
        let own = template.versions_info.iter().find(|version| version.id == intent.step.carrier.version_id);
        let version = own.and_then(|version| version.number());
        Ok(Self { intent, template, version })
    }

    /// The vendor names a deployment's template by name and number; ids stand in the task's text.
    fn fits(&self, found: &VendorDeployment) -> bool {
        let device = &self.intent.step.device_id;
        found.template_name.as_deref() == Some(&self.template.name)
            && (found.project_name.is_none() || found.project_name == self.template.project_name)
            && self.version.is_some()
            && templates::number(found.template_version.as_ref()) == self.version
            && found.devices.iter().any(|d| d.device_id.as_ref() == Some(device))
    }

    async fn finding(&self, ports: &CenterPorts, cx: &ToolCx, task: &Task, ours: &str) -> Result<Finding, Error> {
        // Another person's, by the vendor's own word.
        if task.username.as_deref().is_some_and(|name| !name.is_empty() && !name.eq_ignore_ascii_case(ours)) {
            return Ok(Finding::Other);
        }
        if let Some(id) = deployment_of(task) {
            return match deployments::read(&ports.api, cx, id).await {
                Ok(found) if self.fits(&found) => {
                    Ok(Finding::Fits(Handle { task_id: task.id.clone(), deployment_id: Some(id.to_owned()) }))
                }
                Ok(_) => Ok(Finding::Other),
                Err(error) if is_missing(&error) => Ok(Finding::Undecided("its deployment is not to be found")),
                Err(error) => Err(error),
            };
        }
        if !may_deploy(task) {
            return Ok(Finding::Other);
        }
        Ok(match task_state(task) {
            // Ours are forced, and never skipped.
            TaskState::Needless(_) => Finding::Other,
            TaskState::Failed(_) => Finding::Undecided("it failed before it named a deployment"),
            TaskState::Running | TaskState::Deploying(_) => Finding::Undecided("it names no deployment yet"),
        })
    }
}

/// Whether a task that names no deployment may be one: the template service's, and none of the other works of that service.
fn may_deploy(task: &Task) -> bool {
    let service = task.service_type.as_deref().unwrap_or_default();
    let text = task.progress.as_deref().unwrap_or_default();
    let other = ["Successfully c", "Successfully u", "Successfully d"].iter().any(|begin| text.starts_with(begin));
    (service.is_empty() || service.eq_ignore_ascii_case("NCTP") || text.contains("eploy")) && !other
}

impl Seen {
    fn shown(&self) -> Json {
        let (deployment, why) = match &self.finding {
            Finding::Fits(handle) => (handle.deployment_id.as_deref(), "it fits"),
            Finding::Undecided(why) => (deployment_of(&self.task), *why),
            Finding::Other => (None, ""),
        };
        json!({
            "task_id": self.task.id, "deployment_id": deployment, "started_ms": self.task.started_ms(), "why": why,
            "says": told(Some(self.task.words())),
        })
    }
}

/// What a device tells of its last change.
enum Told {
    /// This platform does not tell.
    Not,
    /// It does not answer.
    Unanswered,
    /// When, by our clock, milliseconds since the epoch.
    At(i64),
}

/// When the device itself was changed last: a header of its running configuration, beside its own clock.
async fn last_change(ports: &CenterPorts, cx: &ToolCx, device_id: &str) -> Result<Told, Error> {
    const CHANGED: &str = "show running-config | include Last configuration change";
    const CLOCK: &str = "show clock";
    let (device, platform) = ports.configured(cx, device_id).await?;
    if !matches!(platform, Platform::IosXe | Platform::IosXr) {
        return Ok(Told::Not);
    }
    let commands = [CHANGED.to_owned(), CLOCK.to_owned()];
    let run = command_runner::run(&ports.api, cx, std::slice::from_ref(&device.id), &commands).await?;
    let our_ms = cx.clock.now().as_millisecond();
    let printed = |command| match run.outcome(&device.id, command, device.hostname.as_deref()) {
        Outcome::Printed(text) => Some(text),
        Outcome::Failed(_) | Outcome::Blocked => None,
    };
    let (Some(changed), Some(clock)) = (printed(CHANGED), printed(CLOCK)) else { return Ok(Told::Unanswered) };
    let changed = changed.lines().find_map(|line| device_time(line.split_once("change at")?.1));
    let (Some(changed), Some(now)) = (changed, clock.lines().find_map(device_time)) else {
        return Ok(Told::Unanswered);
    };
    Ok(Told::At(changed + (our_ms - now)))
}

/// `12:30:05 UTC Mon Nov 30 2026`, `*12:30:05.123 UTC Mon Nov 30 2026`, `Mon Nov 30 12:30:05 2026 UTC`…: milliseconds since
/// the epoch by the clock that printed it. The zone has no number, and is the same in both of the texts that are compared.
fn device_time(text: &str) -> Option<i64> {
    let words: Vec<&str> = text.split_whitespace().take(6).collect();
    let month = words.iter().position(|word| MONTHS.contains(word))?;
    let day: i8 = words.get(month + 1)?.parse().ok()?;
    let time = words.iter().find_map(|word| {
        let word = word.trim_start_matches(['*', '.']);
        let mut parts = word.split([':', '.']);
        let (hour, minute, second) = (parts.next()?, parts.next()?, parts.next()?);
        Some((hour.parse::<i8>().ok()?, minute.parse::<i8>().ok()?, second.parse::<i8>().ok()?))
    })?;
    let year: i16 = words.iter().find_map(|word| word.parse().ok().filter(|year| (1990..2200).contains(year)))?;
    let name = words.get(month)?;
    let number = MONTHS.iter().position(|known| known == name)? + 1;
    let (hour, minute, second) = time;
    let at = jiff::civil::DateTime::new(year, i8::try_from(number).ok()?, day, hour, minute, second, 0).ok()?;
    Some(at.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp().as_millisecond())
}

const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

#[cfg(test)]
mod tests {
    use super::device_time;

    #[test]
    fn the_times_that_devices_print_are_read() {
        let at = Some(1_796_041_805_000);
        for text in [
            " 12:30:05 UTC Mon Nov 30 2026 by dnac",
            "*12:30:05.123 UTC Mon Nov 30 2026",
            ".12:30:05.000 CET Mon Nov 30 2026",
            " Mon Nov 30 12:30:05 2026 by ops",
        ] {
            assert_eq!(device_time(text), at, "{text}");
        }
        for text in
            ["", "no time", "12:30 UTC Mon Nov 30 2026", "12:30:05 UTC Mon Abc 30 2026", "25:30:05 UTC Mon Nov 30 2026"]
        {
            assert_eq!(device_time(text), None, "{text}");
        }
    }
}
