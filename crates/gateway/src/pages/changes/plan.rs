//! A plan for people: what happens to which devices, what is dangerous about it, how it is undone, what is checked. Devices
//! with the same difference are shown together, once.

use change_control::model::plan::{
    Check, Committed, DevicePlan, DiffLine, OnStale, OnStop, PlannedUndo, PublicPlan, SaveStartup,
};
use maud::{Markup, html};
use platform::policy::Risk;

use super::text;

/// The whole plan.
pub(super) fn whole(plan: &PublicPlan) -> Markup {
    html! {
        (alarms(plan))
        h2 { "What changes" }
        @for group in groups(plan) { (devices(&group)) }
        h2 { "Order and stop rules" }
        (rules(plan))
    }
}

/// Devices by their difference, in the order of the plan.
fn groups(plan: &PublicPlan) -> Vec<Vec<&DevicePlan>> {
    let mut groups: Vec<Vec<&DevicePlan>> = Vec::new();
    for device in &plan.devices {
        // The group is the planner's word; that the lines are the same is looked at here.
        let same = |group: &&mut Vec<&DevicePlan>| {
            group.first().is_some_and(|first| {
                first.diff_group == device.diff_group
                    && first.diff == device.diff
                    && first.undo_lines() == device.undo_lines()
            })
        };
        match groups.iter_mut().find(same) {
            Some(group) => group.push(device),
            None => groups.push(vec![device]),
        }
    }
    groups
}

/// What must not be overlooked, before anything else.
pub(super) fn alarms(plan: &PublicPlan) -> Markup {
    let of = |find: fn(&DevicePlan) -> bool| plan.devices.iter().filter(|d| find(d)).collect::<Vec<_>>();
    let dangerous = of(|d| d.dangers.iter().any(|danger| !danger.already_there));
    let idle = of(|d| d.dangers.iter().any(|danger| danger.already_there));
    let unmodelled = of(|d| !d.unmodelled.is_empty());
    let without_undo = of(|d| matches!(d.undo, PlannedUndo::None { .. }));
    let unseen = of(|d| d.baseline.secrets_unseen);
    html! {
        @if !dangerous.is_empty() {
            div.alarm role="note" {
                strong { "Danger: " (names(&dangerous)) }
                (marks(&dangerous, false))
            }
        }
        @if !unmodelled.is_empty() {
            div.alarm role="note" {
                strong { "Not understood: " (names(&unmodelled)) }
                p { "The platform does not know what these lines do. They are not in the prediction." }
                ul { @for (line, why) in distinct(unmodelled.iter().flat_map(|d| d.unmodelled.iter().map(|x| (&x.line, &x.why)))) {
                    li { code { (text::plain(line)) } " " span.hint { (text::plain(why)) } }
                } }
            }
        }
        @if !without_undo.is_empty() {
            div.alarm role="note" {
                strong { "No undo: " (names(&without_undo)) }
                ul { @for (reason, _) in distinct(without_undo.iter().filter_map(|d| match &d.undo {
                    PlannedUndo::None { reason } => Some((reason, &d.diff_group)),
                    PlannedUndo::Generated { .. } => None,
                })) { li { (text::plain(reason)) } } }
            }
        }
        @if !idle.is_empty() {
            div.caution role="note" {
                strong { "Already there: " (names(&idle)) }
                p { "These lines would be dangerous if they changed anything. The devices have them, and entering them once more does nothing." }
                (marks(&idle, true))
            }
        }
        @if !unseen.is_empty() {
            div.caution role="note" {
                strong { "Secrets not seen: " (names(&unseen)) }
                p { "The source masks secrets before the platform reads them, so that a changed one would not be noticed." }
            }
        }
    }
}

fn names(devices: &[&DevicePlan]) -> String {
    devices.iter().map(|d| d.hostname.as_str()).collect::<Vec<_>>().join(", ")
}

/// The lines that ask for attention, those that are there already or the others.
fn marks(devices: &[&DevicePlan], already_there: bool) -> Markup {
    let of_it = devices.iter().flat_map(|d| d.dangers.iter().filter(|x| x.already_there == already_there));
    html! {
        ul { @for (kind, line) in distinct(of_it.map(|x| (&x.kind, &x.line))) {
            li { (danger(kind)) ": " code { (text::plain(line)) } }
        } }
    }
}

fn distinct<'a>(all: impl Iterator<Item = (&'a String, &'a String)>) -> Vec<(&'a String, &'a String)> {
    let mut seen = Vec::new();
    for pair in all {
        if !seen.contains(&pair) {
            seen.push(pair);
        }
    }
    seen
}

fn danger(kind: &str) -> String {
    match kind {
        "management_path" => "the way by which the device is managed".to_owned(),
        "aaa" => "who may sign in to the device".to_owned(),
        "vty" => "its terminal lines".to_owned(),
        "default_route" => "its default route".to_owned(),
        other => other.replace('_', " "),
    }
}

/// A group of devices that change in the same way.
fn devices(group: &[&DevicePlan]) -> Markup {
    let Some(first) = group.first() else { return html! {} };
    html! {
        section.group {
            h3 { @if group.len() > 1 { (group.len()) " devices in the same way" } @else { span.host { (text::plain(&first.hostname)) } } }
            @for device in group { (device_line(device, group.len() > 1)) }
            (difference(&first.diff))
            @if group.iter().all(|d| d.lines == first.lines) {
                (entered("Lines that are entered", &first.lines))
            } @else {
                @for device in group { (entered(&format!("Lines that are entered on {}", device.hostname), &device.lines)) }
            }
            (undo(&first.undo))
            (checks(group))
        }
    }
}

fn device_line(device: &DevicePlan, named: bool) -> Markup {
    html! {
        p.device {
            @if named { strong.host { (text::plain(&device.hostname)) } " " }
            @if matches!(device.risk, Risk::Disruptive) { span.risk { "disruptive" } " " }
            span.hint {
                (device.platform) ", " (device.serials.join(" + "))
                @for fact in [&device.site, &device.role, &device.redundancy_group, &device.ci].into_iter().flatten() { ", " (text::plain(fact)) }
                ". Read from the device " (text::moment(device.baseline.read_at_ms)) "."
            }
            @if !device.params.is_empty() {
                br;
                span.hint { "With "
                    @for (index, (name, value)) in device.params.iter().enumerate() {
                        @if index > 0 { ", " }
                        code { (text::plain(name)) "=" (text::plain(&shown(value))) }
                    }
                }
            }
        }
    }
}

/// A parameter as the public plan holds it: a secret stands there masked, beside its commitment.
fn shown(value: &platform::Json) -> String {
    match (value.get("masked").and_then(platform::Json::as_str), value.as_str()) {
        (Some(masked), _) => masked.to_owned(),
        (None, Some(text)) => text.to_owned(),
        (None, None) => value.to_string(),
    }
}

/// Lines with their signs, in a box of its own that scrolls.
fn difference(diff: &[DiffLine]) -> Markup {
    if diff.is_empty() {
        return html! { p { "Nothing in the configuration will differ." } };
    }
    html! {
        pre.diff tabindex="0" aria-label="Difference" {
            @for line in diff {
                span class=(match line.sign.as_str() { "+" => "add", "-" => "del", _ => "same" }) {
                    (line.sign) " " (text::plain(&line.line)) "\n"
                }
            }
        }
    }
}

fn entered(title: &str, lines: &[Committed]) -> Markup {
    html! {
        details {
            summary { (text::plain(title)) " (" (lines.len()) ")" }
            (verbatim(title, lines))
        }
    }
}

fn verbatim(label: &str, lines: &[Committed]) -> Markup {
    html! { pre.lines tabindex="0" aria-label=(label) { @for line in lines { (text::plain(&line.masked)) "\n" } } }
}

fn undo(undo: &PlannedUndo) -> Markup {
    html! {
        @match undo {
            PlannedUndo::Generated { lines, .. } => {
                details open[lines.len() <= 12] {
                    summary { "Undo (" (lines.len()) " lines), proven on the model to lead back" }
                    (verbatim("Undo", lines))
                }
            }
            PlannedUndo::None { reason } => { p.bad { "No undo: " (text::plain(reason)) } }
        }
    }
}

fn checks(group: &[&DevicePlan]) -> Markup {
    let mut checks: Vec<&Check> = Vec::new();
    for check in group.iter().flat_map(|d| &d.checks) {
        if !checks.contains(&check) {
            checks.push(check);
        }
    }
    html! {
        p.device { strong { "Checked afterwards" } }
        @if checks.is_empty() { p.bad { "Nothing is checked." } }
        ul { @for check in checks {
            li {
                (check_name(&check.name))
                @if check.of.as_object().is_some_and(|of| !of.is_empty()) { " " code { (text::plain(&check.of.to_string())) } }
                @if check.tolerance > 0 { ", up to " (check.tolerance) " worse than before" }
            }
        } }
    }
}

fn check_name(name: &str) -> String {
    match name {
        "live_equals_predicted" => "The running configuration is exactly what was predicted".to_owned(),
        "reachability" => "The device is reachable".to_owned(),
        "interfaces" => "Interfaces that were up are up".to_owned(),
        "neighbors" => "Neighbours are still there".to_owned(),
        other => other.replace('_', " "),
    }
}

fn rules(plan: &PublicPlan) -> Markup {
    let name = |id: &String| {
        plan.devices.iter().find(|d| d.device_id == *id).map_or_else(|| id.clone(), |device| device.hostname.clone())
    };
    html! {
        ol { @for batch in &plan.order { li { (text::plain(&batch.iter().map(name).collect::<Vec<_>>().join(", then "))) } } }
        ul {
            li { "Stops when more than " (plan.max_fail_percentage) " % of the devices failed; then "
                @match plan.on_stop { OnStop::Undo => "everything is undone, the last device first.", OnStop::Hold => "it waits for a person." } }
            li { "A device that is not any more what the plan was made for "
                @match plan.on_stale { OnStale::Stop => "stops the run.", OnStale::SkipDevice => "is left out." } }
            li { "Checks go on for " (text::span(plan.soak_s)) " after the last device. "
                @match plan.save_startup { SaveStartup::Never => "The startup configuration is not saved.", SaveStartup::AfterSoak => "Then the startup configuration is saved." } }
            li { "It takes about " (text::span(plan.estimates.apply_s)) "; its undo about " (text::span(plan.estimates.undo_s)) "." }
            li { "Template " (text::plain(&plan.template.name)) ", version " code { (plan.template.version_id) } @if !plan.template.newest { ", which is not its newest one" } ", on "
                (plan.instance.name) " (" (plan.instance.environment) ")." }
        }
    }
}

/// What two devices are compared by, beside the difference.
trait UndoLines {
    fn undo_lines(&self) -> Option<Vec<&str>>;
}

impl UndoLines for DevicePlan {
    fn undo_lines(&self) -> Option<Vec<&str>> {
        match &self.undo {
            PlannedUndo::Generated { lines, .. } => Some(lines.iter().map(|line| line.masked.as_str()).collect()),
            PlannedUndo::None { .. } => None,
        }
    }
}
