//! Other ways than a link to a second factor, for callers that can do better (T4). Everybody else gets the refusal of T11
//! with its link, and no way ends in more than that link does: whether a call may run, the pipeline says.
//!
//! - [`by_challenge`]: HTTP 401 with what the token lacks (RFC 9470), for clients that an operator knows to answer it
//! - [`by_elicitation`]: MCP 2026-07-28's URL elicitation, for callers that declared it on this very request

mod by_challenge;
mod by_elicitation;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex};

use platform::Error;
use platform::context::RequestId;
use platform::seal::Sealer;

pub(crate) use self::by_challenge::{answer, of_refusal};
pub(crate) use self::by_elicitation::Stopped;
use crate::Options;

/// The code of a refusal that a second factor would lift.
const STEP_UP_REQUIRED: &str = "step_up_required";

/// Both ways, for all doors.
pub(crate) struct StepUp {
    /// Clients that get challenges.
    clients: BTreeSet<String>,
    /// `acr` values that mean more than one factor, by issuer.
    acr: BTreeMap<String, Vec<String>>,
    /// MCP requests that may still be answered with a challenge, and the refusal to answer with.
    open: Mutex<HashMap<RequestId, Option<Error>>>,
    /// Seals `requestState`.
    state: Arc<Sealer>,
}

impl StepUp {
    pub(crate) fn new(options: &Options, state: Arc<Sealer>) -> Self {
        Self {
            clients: options.step_up_challenge_clients.iter().cloned().collect(),
            acr: options.step_up_acr.clone(),
            open: Mutex::default(),
            state,
        }
    }
}
