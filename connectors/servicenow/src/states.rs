//! The vendor's numbers for states, in both directions. They are those of a new instance; a label that an instance shows for
//! a number is always taken from the instance.

use platform::{Error, ErrorKind};
use tool_runtime::ports::change_records::TicketState;

use crate::tools::incidents::{HoldReason, State};

/// A state of an incident.
pub(crate) fn incident(state: State) -> &'static str {
    match state {
        State::New => "1",
        State::InProgress => "2",
        State::OnHold => "3",
        State::Resolved => "6",
        State::Closed => "7",
        State::Canceled => "8",
    }
}

/// Why an incident waits.
pub(crate) fn hold_reason(reason: HoldReason) -> &'static str {
    match reason {
        HoldReason::Caller => "1",
        HoldReason::Problem => "3",
        HoldReason::Vendor => "4",
        HoldReason::Change => "5",
    }
}

const CHANGE: [(TicketState, &str); 8] = [
    (TicketState::New, "-5"),
    (TicketState::Assess, "-4"),
    (TicketState::Authorize, "-3"),
    (TicketState::Scheduled, "-2"),
    (TicketState::Implement, "-1"),
    (TicketState::Review, "0"),
    (TicketState::Closed, "3"),
    (TicketState::Canceled, "4"),
];

/// A state of a change request.
pub(crate) fn change(state: TicketState) -> &'static str {
    CHANGE.iter().find(|(known, _)| *known == state).map_or("-5", |(_, number)| number)
}

/// The state of a change request behind a number. Errors: `servicenow_state_unknown` for one of the instance's own making:
/// nothing is guessed about what it means.
pub(crate) fn change_of(number: &str) -> Result<TicketState, Error> {
    CHANGE.iter().find(|(_, known)| *known == number).map(|(state, _)| *state).ok_or_else(|| {
        Error::new(
            ErrorKind::Upstream,
            "servicenow_state_unknown",
            "The change request is in a state that this instance has added, and that means nothing here.",
        )
    })
}

#[cfg(test)]
mod tests {
    use super::{CHANGE, change, change_of};

    #[test]
    fn a_state_is_its_number_and_a_number_its_state() {
        for (state, number) in CHANGE {
            assert_eq!((change(state), change_of(number).unwrap()), (number, state));
        }
        assert_eq!(change_of("11").unwrap_err().code(), "servicenow_state_unknown");
        assert!(change_of("").is_err());
    }
}
