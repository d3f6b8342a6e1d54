//! Where a change is, and what may follow.

use serde::{Deserialize, Serialize};

/// The state of a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Devices are read, and what would happen is computed.
    Planning,
    /// There is a plan with a hash.
    Planned,
    /// No plan came of it.
    PlanFailed,
    /// It waits for approvals.
    Submitted,
    /// It was approved.
    Approved,
    /// It was not.
    Rejected,
    /// What was approved is not what stands any more: ticket, submission or approval changed.
    Voided,
    /// It waits for its window, or for devices that somebody else holds.
    Scheduled,
    /// Devices are locked, and everything is compared with the plan once more (T18).
    Checking,
    /// A device is written to.
    Applying,
    /// A device is compared with what was predicted.
    Verifying,
    /// All is applied; checks go on for the soak time.
    Soaking,
    /// It stopped between two steps with its locks, and waits for a person, or for something to become readable.
    Held,
    /// The outcome of a step cannot be told; it keeps its locks until a person settles it (T20).
    Parked,
    /// What was done is undone.
    Undoing,
    /// It is done.
    Done,
    /// It is undone.
    Undone,
    /// It could not be undone; what to do by hand stands with it.
    UndoFailed,
    /// The devices are not what the plan was made for.
    Stale,
    /// Somebody stopped it before it began.
    Cancelled,
    /// Its window or its approval ended before it began.
    Expired,
}

impl State {
    /// All of them.
    pub const ALL: [Self; 21] = [
        Self::Planning,
        Self::Planned,
        Self::PlanFailed,
        Self::Submitted,
        Self::Approved,
        Self::Rejected,
        Self::Voided,
        Self::Scheduled,
        Self::Checking,
        Self::Applying,
        Self::Verifying,
        Self::Soaking,
        Self::Held,
        Self::Parked,
        Self::Undoing,
        Self::Done,
        Self::Undone,
        Self::UndoFailed,
        Self::Stale,
        Self::Cancelled,
        Self::Expired,
    ];

    /// The name in JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Planning => "planning",
            Self::Planned => "planned",
            Self::PlanFailed => "plan_failed",
            Self::Submitted => "submitted",
            Self::Approved => "approved",
            Self::Rejected => "rejected",
            Self::Voided => "voided",
            Self::Scheduled => "scheduled",
            Self::Checking => "checking",
            Self::Applying => "applying",
            Self::Verifying => "verifying",
            Self::Soaking => "soaking",
            Self::Held => "held",
            Self::Parked => "parked",
            Self::Undoing => "undoing",
            Self::Done => "done",
            Self::Undone => "undone",
            Self::UndoFailed => "undo_failed",
            Self::Stale => "stale",
            Self::Cancelled => "cancelled",
            Self::Expired => "expired",
        }
    }

    /// Nothing follows.
    pub const fn is_terminal(self) -> bool {
        matches!(
            self,
            Self::PlanFailed
                | Self::Rejected
                | Self::Voided
                | Self::Done
                | Self::Undone
                | Self::UndoFailed
                | Self::Stale
                | Self::Cancelled
                | Self::Expired
        )
    }

    /// Devices may be locked by it.
    pub const fn holds_locks(self) -> bool {
        matches!(
            self,
            Self::Checking
                | Self::Applying
                | Self::Verifying
                | Self::Soaking
                | Self::Held
                | Self::Parked
                | Self::Undoing
        )
    }

    /// Whether `next` may follow.
    pub const fn may_become(self, next: Self) -> bool {
        use State::{
            Applying, Approved, Cancelled, Checking, Done, Expired, Held, Parked, PlanFailed, Planned, Planning,
            Rejected, Scheduled, Soaking, Stale, Submitted, UndoFailed, Undoing, Undone, Verifying, Voided,
        };
        match self {
            Planning => matches!(next, Planned | PlanFailed | Cancelled),
            Planned => matches!(next, Submitted | Cancelled | Expired),
            Submitted => matches!(next, Approved | Rejected | Voided | Cancelled | Expired),
            Approved => matches!(next, Scheduled | Voided | Cancelled | Expired),
            Scheduled => matches!(next, Checking | Voided | Cancelled | Expired),
            // Before the first batch nothing was written, and whatever ends it here ends it without an undo; before a later one
            // there is something to undo, and the rest may all be left out.
            Checking => matches!(
                next,
                Applying | Soaking | Held | Undoing | Stale | Scheduled | Voided | Cancelled | Expired | Done
            ),
            // To `checking` where a step certainly did not happen: before another try the device is compared again.
            Applying => matches!(next, Verifying | Checking | Held | Parked | Undoing),
            Verifying => matches!(next, Applying | Soaking | Checking | Held | Parked | Undoing | Done),
            Soaking => matches!(next, Applying | Checking | Verifying | Held | Parked | Undoing | Done),
            // To itself where what it waited for became a person's to decide.
            Held => matches!(
                next,
                Held | Checking
                    | Applying
                    | Verifying
                    | Soaking
                    | Parked
                    | Undoing
                    | Stale
                    | Voided
                    | Cancelled
                    | Expired
                    | Done
            ),
            Parked => matches!(next, Applying | Verifying | Checking | Held | Undoing),
            Undoing => matches!(next, Undone | UndoFailed | Parked | Held),
            PlanFailed | Rejected | Voided | Done | Undone | UndoFailed | Stale | Cancelled | Expired => false,
        }
    }
}

impl std::fmt::Display for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::State;

    #[test]
    fn t14_every_state_has_its_name_and_a_way_to_it_and_only_terminal_ones_end() {
        for state in State::ALL {
            let json = serde_json::to_value(state).expect("a state is JSON");
            assert_eq!(json, state.as_str());
            let reached = State::ALL.into_iter().any(|before| before.may_become(state));
            assert_eq!(reached, state != State::Planning, "{state}");
            let goes_on = State::ALL.into_iter().any(|next| state.may_become(next));
            assert_eq!(goes_on, !state.is_terminal(), "{state}");
        }
    }
}
