//! How far a change is: decisions, devices, troubles, and what happened when.

use change_control::model::approval::{Approval, Verdict};
use change_control::model::change::{Change, DeviceProgress, DeviceState};
use change_control::model::plan::PublicPlan;
use change_control::model::state::State;
use maud::{Markup, html};

use super::text;

/// Why it ended badly, or waits.
pub(super) fn trouble(change: &Change) -> Markup {
    html! {
        @if let Some(trouble) = &change.trouble {
            div.alarm role="note" {
                p { strong { (text::plain(&trouble.message)) } }
                p.hint { "Code: " a href=(format!("/errors/{}", trouble.code)) { code { (trouble.code) } } }
                @if let Some(detail) = trouble.detail.as_object().filter(|detail| !detail.is_empty()) {
                    dl { @for (name, value) in detail {
                        dt { (text::plain(&name.replace('_', " "))) }
                        dd { code { (text::plain(&value.as_str().map_or_else(|| value.to_string(), str::to_owned))) } }
                    } }
                }
            }
        }
    }
}

/// Of a change that stands still: whether it goes on by itself, and when, or needs somebody.
pub(super) fn standstill(change: &Change) -> Markup {
    html! {
        @match (change.state, change.goes_on_at_ms()) {
            (State::Held, Some(at)) => p { "It goes on by itself. Next try: " (text::moment(at)) "." },
            (State::Held, None) => p { "It waits for a person who resumes it or has it undone. Its devices stay locked." },
            (State::Parked, _) => p { "It waits for a person who looks at the device and settles it. Its devices stay locked." },
            _ => {}
        }
    }
}

/// Decisions so far.
pub(super) fn decisions(change: &Change) -> Markup {
    html! {
        @if change.approvers.is_some() || !change.approvals.is_empty() {
            h2 { "Decisions" }
            @if let Some(needed) = &change.approvers {
                p { "Needs " (needed.count) @if needed.count == 1 { " approval" } @else { " approvals by different people" }
                    " from " (needed.groups.join(" or ")) ", not from whoever asked." }
            }
            @if change.approvals.is_empty() { p { "None so far." } }
            ul.plainly { @for approval in &change.approvals { li { (decision(approval)) } } }
        }
    }
}

fn decision(approval: &Approval) -> Markup {
    html! {
        @match approval.verdict {
            Verdict::Approve => span.good { "Approved" },
            Verdict::Reject => span.bad { "Rejected" },
        }
        " by " strong { (text::plain(&approval.approver.name)) } ", " (text::moment(approval.at_ms)) ": "
        (text::plain(&approval.reason))
        br;
        span.hint { "Second factor " (super::layout::moment(approval.auth_time)) ", after the plan was shown "
            (text::moment(approval.shown_at_ms)) ". As " (approval.groups.join(", ")) ", policy " code { (text::short(&approval.policy_revision)) } "." }
    }
}

/// Devices of a run, once there is one.
pub(super) fn devices(change: &Change, plan: Option<&PublicPlan>) -> Markup {
    let name = |id: &str| {
        let found = plan.and_then(|plan| plan.devices.iter().find(|d| d.device_id == id));
        found.map_or_else(|| id.to_owned(), |device| device.hostname.clone())
    };
    html! {
        @if !change.run.devices.is_empty() {
            h2 { "Devices" }
            @for (id, device) in &change.run.devices {
                section.group {
                    h3 { (text::plain(&name(id))) " " span class=(mood(device.state)) { (state(device.state)) } }
                    (report(device))
                }
            }
        }
    }
}

fn report(device: &DeviceProgress) -> Markup {
    html! {
        @if !device.report.is_empty() {
            ul { @for check in &device.report {
                li { (check.name.replace('_', " ")) ": "
                    strong class=[(check.result == "failed").then_some("bad")] { (check.result.replace('_', " ")) }
                    ", " (text::moment(check.at_ms)) }
            } }
        }
        @if !device.device_errors.is_empty() {
            p.device { strong { "The device's own words" } }
            pre.lines tabindex="0" { @for line in &device.device_errors { (text::plain(line)) "\n" } }
        }
        @if !device.by_hand.is_empty() {
            p.bad { "To be done by hand:" }
            pre.lines tabindex="0" { @for line in &device.by_hand { (text::plain(line)) "\n" } }
        }
    }
}

const fn state(state: DeviceState) -> &'static str {
    match state {
        DeviceState::Waiting => "waits",
        DeviceState::Skipped => "left out",
        DeviceState::Applying => "is written to",
        DeviceState::Applied => "written, not compared",
        DeviceState::Verified => "as predicted",
        DeviceState::AppliedWithDifferences => "written, with differences",
        DeviceState::Failed => "failed",
        DeviceState::Undoing => "is undone",
        DeviceState::Restored => "restored",
        DeviceState::RestoredWithDifferences => "restored, with differences",
        DeviceState::NotRestored => "not restored",
    }
}

const fn mood(state: DeviceState) -> &'static str {
    match state {
        DeviceState::Verified | DeviceState::Restored => "good",
        DeviceState::AppliedWithDifferences
        | DeviceState::Failed
        | DeviceState::RestoredWithDifferences
        | DeviceState::NotRestored => "bad",
        _ => "hint",
    }
}

/// What happened, oldest first.
pub(super) fn history(change: &Change) -> Markup {
    html! {
        h2 { "History" }
        ol.plainly { @for step in &change.history {
            li { span.hint { (text::moment(step.at_ms)) } " " strong { (words(step.to.as_str())) } " " (text::plain(&step.why)) }
        } }
    }
}

/// The name of a state, for people.
pub(super) fn words(state: &str) -> String {
    state.replace('_', " ")
}
