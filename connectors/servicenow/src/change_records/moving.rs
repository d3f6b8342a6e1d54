//! Moving a change request: one transition after the other, each looked up before it is asked for. A transition that the
//! instance makes by itself, because approvals do, is waited for and never forced.

use http::Method;
use platform::http::Request;
use platform::{Error, ErrorKind, Json};
use serde::Deserialize;
use tool_runtime::ToolCx;
use tool_runtime::ports::change_records::{Advance, TicketClosing, TicketOutcome, TicketState};

use crate::changes::{KIND, PATH};
use crate::client::Api;
use crate::error::is_ambiguous;
use crate::record::Record;
use crate::write::{self, Fields, set};
use crate::{resolve, states};

/// The way of every change request; which of its stations one has, the instance says.
const WAY: [TicketState; 7] = [
    TicketState::New,
    TicketState::Assess,
    TicketState::Authorize,
    TicketState::Scheduled,
    TicketState::Implement,
    TicketState::Review,
    TicketState::Closed,
];

const FIELDS: [&str; 4] = ["sys_id", "number", "type", "state"];

pub(super) async fn advance(
    api: &Api,
    cx: &ToolCx,
    id: &str,
    to: TicketState,
    closing: Option<&TicketClosing>,
) -> Result<Advance, Error> {
    write::preparing(cx);
    let mut row = resolve::ticket(api, cx, &KIND, id, &FIELDS).await?;
    // Each step leads further along the way, so that there are never more than its stations.
    for _ in WAY {
        let from = states::change_of(row.text("state").unwrap_or_default())?;
        if from == to {
            return Ok(Advance::Moved);
        }
        let next: NextStates = api.get(cx, &format!("{PATH}/{}/nextstates", row.id())).await?;
        let Some((step, transition)) = next.towards(from, to) else { return Err(refused(from, to)) };
        if transition.is_waited_for() {
            return Ok(Advance::WaitsFor { what: transition.what(step) });
        }
        let moved = request(api, cx, &row, step, closing).await?;
        if states::change_of(moved.text("state").unwrap_or_default())? == from {
            // The instance took the request in and did not follow it: a condition that it does not list.
            return Ok(Advance::WaitsFor { what: format!("the instance's own rules for {}", name(step)) });
        }
        row = moved;
    }
    Err(refused(states::change_of(row.text("state").unwrap_or_default())?, to))
}

/// Asks for one transition, and reads where the change request stands after it.
async fn request(
    api: &Api,
    cx: &ToolCx,
    row: &Record,
    step: TicketState,
    closing: Option<&TicketClosing>,
) -> Result<Record, Error> {
    let id = row.id();
    let mut body = Fields::new();
    set(&mut body, "state", Some(states::change(step).to_owned()));
    if step == TicketState::Closed {
        let closing = closing.ok_or_else(|| {
            let message = "A change request is closed with how it ended and what was done. Nothing was moved.";
            Error::new(ErrorKind::InvalidInput, "ticket_state_refused", message)
        })?;
        let outcome = match closing.outcome {
            TicketOutcome::Successful => "successful",
            TicketOutcome::SuccessfulWithIssues => "successful_issues",
            TicketOutcome::Unsuccessful => "unsuccessful",
        };
        set(&mut body, "close_code", Some(outcome.to_owned()));
        set(&mut body, "close_notes", Some(write::plain(&closing.notes)));
    }
    set(&mut body, "work_notes", Some(write::noted(cx, None)));
    let route = match row.text("type") {
        Some(kind @ ("normal" | "standard" | "emergency")) => format!("{PATH}/{kind}/{id}"),
        // A model of the instance's own making.
        _ => format!("{PATH}/{id}"),
    };
    let request = Request::new(Method::PATCH, route, cx.deadline).json(&body)?;
    write::sending(cx);
    let sent = api.send::<Json>(cx, request).await;
    let now = api.one(cx, &KIND.table, &id, &FIELDS).await;
    match (sent, now) {
        (Ok(_), now) => now,
        // Where it stands tells whether the request whose reply was lost has done its work.
        (Err(error), Ok(now)) if is_ambiguous(&error) && now.text("state") == Some(states::change(step)) => Ok(now),
        (Err(error), _) => Err(error),
    }
}

fn refused(from: TicketState, to: TicketState) -> Error {
    Error::new(
        ErrorKind::InvalidInput,
        "ticket_state_refused",
        format!("The change request is in {} and no way leads from there to {}.", name(from), name(to)),
    )
}

fn name(state: TicketState) -> &'static str {
    match state {
        TicketState::New => "New",
        TicketState::Assess => "Assess",
        TicketState::Authorize => "Authorize",
        TicketState::Scheduled => "Scheduled",
        TicketState::Implement => "Implement",
        TicketState::Review => "Review",
        TicketState::Closed => "Closed",
        TicketState::Canceled => "Canceled",
    }
}

/// What `nextstates` answers. Flags come as booleans or as texts.
#[derive(Deserialize)]
struct NextStates {
    #[serde(default)]
    state_transitions: Vec<Vec<Transition>>,
}

#[derive(Deserialize)]
struct Transition {
    from_state: Json,
    to_state: Json,
    #[serde(default)]
    transition_available: Json,
    #[serde(default)]
    automatic_transition: Json,
    #[serde(default)]
    conditions: Vec<Json>,
}

impl NextStates {
    /// The transition that leads to `to`, or one station further towards it.
    fn towards(&self, from: TicketState, to: TicketState) -> Option<(TicketState, &Transition)> {
        let leads = |state: TicketState| {
            let both = (states::change(from), states::change(state));
            let fits = |t: &&Transition| (number(&t.from_state).as_str(), number(&t.to_state).as_str()) == both;
            let all: Vec<&Transition> = self.state_transitions.iter().flatten().filter(fits).collect();
            let open = all.iter().find(|t| !t.is_waited_for()).or(all.first()).copied();
            open.map(|transition| (state, transition))
        };
        let place = |state| WAY.iter().position(|known| *known == state);
        let (Some(here), Some(there)) = (place(from), place(to)) else { return leads(to) };
        // The farthest station that can be asked for comes first: what a kind of change leaves out is not on its way.
        let ahead = WAY.get(here + 1..=there)?;
        let reached: Vec<_> = ahead.iter().rev().filter_map(|state| leads(*state)).collect();
        reached.iter().find(|(_, t)| !t.is_waited_for()).or(reached.first()).copied()
    }
}

impl Transition {
    fn is_waited_for(&self) -> bool {
        flag(&self.automatic_transition) || !flag(&self.transition_available)
    }

    /// In words of ours: the instance's conditions are scripts and names of its own.
    fn what(&self, step: TicketState) -> String {
        let said = Json::from(self.conditions.clone()).to_string().to_lowercase();
        match said.contains("approv") || matches!(step, TicketState::Authorize | TicketState::Scheduled) {
            true => format!("approvals, after which the instance moves it to {}", name(step)),
            false => format!("conditions of the instance for {}", name(step)),
        }
    }
}

fn flag(value: &Json) -> bool {
    value.as_bool().unwrap_or_else(|| matches!(value.as_str(), Some("true" | "1")))
}

fn number(value: &Json) -> String {
    match value {
        Json::String(text) => text.clone(),
        Json::Number(number) => number.as_f64().map(|n| format!("{n:.0}")).unwrap_or_default(),
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use tool_runtime::ports::change_records::TicketState;

    use super::NextStates;

    fn next(transitions: &[(&str, &str, bool, bool)]) -> NextStates {
        let transition = |(from, to, available, automatic): &(&str, &str, bool, bool)| {
            json!([{"from_state": from, "to_state": to, "transition_available": available,
                "automatic_transition": automatic, "conditions": []}])
        };
        let all: Vec<_> = transitions.iter().map(transition).collect();
        serde_json::from_value(json!({"available_states": [], "state_transitions": all, "state_label": {}})).unwrap()
    }

    fn step(next: &NextStates, from: TicketState, to: TicketState) -> Option<(TicketState, bool)> {
        next.towards(from, to).map(|(state, t)| (state, t.is_waited_for()))
    }

    #[test]
    fn a_change_moves_one_station_towards_its_end_and_waits_where_approvals_move_it() {
        use TicketState::{Assess, Authorize, Canceled, Closed, Implement, New, Review, Scheduled};
        let from_new = next(&[("-5", "-4", true, false), ("-5", "4", true, false)]);
        assert_eq!(step(&from_new, New, Implement), Some((Assess, false)));
        assert_eq!(step(&from_new, New, Canceled), Some((Canceled, false)));
        let emergency = next(&[("-5", "-3", true, false), ("-5", "4", true, false)]);
        assert_eq!(step(&emergency, New, Scheduled), Some((Authorize, false)));
        let waits = next(&[("-3", "-2", false, true), ("-3", "-5", true, false), ("-3", "4", true, false)]);
        assert_eq!(step(&waits, Authorize, Implement), Some((Scheduled, true)), "never forced");
        assert_eq!(step(&waits, Authorize, Review), Some((Scheduled, true)));
        let over = next(&[]);
        assert_eq!(step(&over, Closed, Implement), None, "there is no way back");
        assert_eq!(step(&over, Closed, Canceled), None);
        assert_eq!(step(&waits, Authorize, New), None, "a rejection is somebody's decision");
    }
}
