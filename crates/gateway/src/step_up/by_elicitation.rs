//! Step-up by URL elicitation (MCP 2026-07-28, "Multi Round-Trip Requests" and "Elicitation"): the refused call answers
//! `input_required` with the link, and the client repeats the call when its person has gone there.
//!
//! The answer itself grants nothing. *Accept* only says that the person went to the link, so the repeat waits a while for
//! the elevation and then asks the pipeline like any other call; whether the one who opened the link is the one who made
//! the call, the page finds out. *Decline* and *cancel* end in the plain refusal, and the call does not run even if it
//! could. The state that travels with the client is sealed and bound to caller, address, tool and arguments.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use mcp::asking::{Answers, ClientAbilities, InputRequest, InputRequired};
use platform::error::Refusal;
use platform::{CallContext, Error, ErrorKind, Json, Result, canonical};
use serde::{Deserialize, Serialize};
use tool_runtime::{Answer, CallRequest};

use super::{STEP_UP_REQUIRED, StepUp};
use crate::Gateway;

/// The one thing that is asked.
const KEY: &str = "step_up";
/// How long a repeat waits for the person: less than clients and proxies wait for an answer.
const PATIENCE: Duration = Duration::from_secs(20);
/// How often it is asked again before the plain refusal ends it; a link lives no longer.
const ROUNDS: u32 = 60;
/// How long a state can be brought back, seconds.
const STATE_S: i64 = 30 * 60;
/// Longest state that is looked at, bytes.
const MAX_STATE: usize = 8 << 10;

/// Why a call did not run.
pub(crate) enum Stopped {
    /// Refused.
    Refused(Error),
    /// The person is asked first.
    Asks(InputRequired),
    /// What was brought back is not what was given.
    BadRequest(Error),
}

/// What travels with the client, sealed.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Carried {
    /// The elevation request.
    request: String,
    refusal: Refusal,
    round: u32,
    until: i64,
}

/// What the person did about the link.
#[derive(Debug, PartialEq, Eq)]
enum Act {
    /// They went there.
    Accepted,
    /// They will not.
    Declined,
    /// Nothing was said, or nothing that is known.
    Unsaid,
}

fn act(answers: &Answers) -> Act {
    match answers.responses.get(KEY).and_then(|r| r.get("action")).and_then(Json::as_str) {
        Some("accept") => Act::Accepted,
        Some("decline" | "cancel") => Act::Declined,
        _ => Act::Unsaid,
    }
}

/// What a state is bound to: who calls through what, at which address, and for what exactly.
fn place(cx: &CallContext, request: &CallRequest) -> Result<String> {
    let principal = &cx.principal;
    canonical::digest_hex(&(
        (KEY, &principal.issuer, &principal.subject, &principal.client_id, cx.resource.path()),
        (&request.server, &request.tool, &request.arguments),
    ))
}

impl StepUp {
    /// Calls a tool for an MCP caller: through the pipeline and nowhere else, with what it declared and brought back.
    pub(crate) async fn call(
        &self,
        gateway: &Gateway,
        cx: &Arc<CallContext>,
        request: CallRequest,
        abilities: ClientAbilities,
        answers: &Answers,
    ) -> Result<Answer, Stopped> {
        let place = place(cx, &request).map_err(Stopped::Refused)?;
        let brought = match &answers.state {
            Some(state) => self.opened(gateway, &place, state).map_err(Stopped::BadRequest)?,
            None => None,
        };
        let mut round = 0;
        if let Some(brought) = brought {
            round = brought.round;
            match act(answers) {
                Act::Accepted => self.wait(gateway, &brought.request).await.map_err(Stopped::Refused)?,
                Act::Declined => {
                    let refusal = Error::replayed(ErrorKind::Unmet, brought.refusal);
                    return Err(Stopped::Refused(gateway.parts.pipeline.refuse(cx, &request, refusal).await));
                }
                Act::Unsaid => {}
            }
        }
        let refused = match gateway.parts.pipeline.call(Arc::clone(cx), request).await {
            Ok(answer) => return Ok(answer),
            Err(refused) => refused,
        };
        if self.keep(gateway, cx, &refused) || !abilities.elicit_url || round >= ROUNDS {
            return Err(Stopped::Refused(refused));
        }
        match self.asking(gateway, &place, &refused, round + 1) {
            Some(asking) => Err(Stopped::Asks(asking)),
            None => Err(Stopped::Refused(refused)),
        }
    }

    async fn wait(&self, gateway: &Gateway, request: &str) -> Result<()> {
        // Answered or not, the pipeline has the last word.
        gateway.parts.pipeline.elevations().answered(request, PATIENCE).await.map(drop)
    }

    /// The state as it was sealed; nothing once its time is over. Error: `request_state_invalid`.
    fn opened(&self, gateway: &Gateway, place: &str, state: &str) -> Result<Option<Carried>> {
        let bytes = (state.len() <= MAX_STATE).then(|| URL_SAFE_NO_PAD.decode(state).ok()).flatten();
        let carried = bytes.and_then(|sealed| self.state.open(place, &sealed));
        let carried: Option<Carried> = carried.and_then(|plain| serde_json::from_slice(&plain).ok());
        let carried = carried.ok_or_else(|| {
            Error::new(
                ErrorKind::Malformed,
                "request_state_invalid",
                "The `requestState` of this call was not given for this call and this caller. Make the call again without it.",
            )
        })?;
        Ok((carried.until > gateway.parts.clock.epoch_seconds()).then_some(carried))
    }

    /// The question, for a refusal that a link would lift.
    fn asking(&self, gateway: &Gateway, place: &str, refused: &Error, round: u32) -> Option<InputRequired> {
        let url = refused.refusal().url.clone().filter(|_| refused.code() == STEP_UP_REQUIRED)?;
        let request = url.rsplit('/').next()?.to_owned();
        let until = gateway.parts.clock.epoch_seconds() + STATE_S;
        let carried = Carried { request: request.clone(), refusal: refused.refusal().clone(), round, until };
        let sealed = self.state.seal(place, &serde_json::to_vec(&carried).ok()?).ok()?;
        let asked = InputRequest::Url { message: refused.message().to_owned(), url, id: request };
        Some(InputRequired {
            requests: BTreeMap::from([(KEY.to_owned(), asked)]),
            state: Some(URL_SAFE_NO_PAD.encode(sealed)),
        })
    }
}

#[cfg(test)]
mod tests {
    use mcp::asking::Answers;
    use serde_json::json;

    use super::{Act, act};

    #[test]
    fn t4_only_what_says_so_is_an_acceptance() {
        let said = |response: serde_json::Value| {
            act(&Answers { responses: [("step_up".to_owned(), response)].into(), state: None })
        };
        assert_eq!(said(json!({"action": "accept"})), Act::Accepted);
        for no in ["decline", "cancel"] {
            assert_eq!(said(json!({"action": no, "content": {"accept": true}})), Act::Declined);
        }
        for other in [json!({}), json!(null), json!({"action": "ACCEPT"}), json!({"action": true}), json!([])] {
            assert_eq!(said(other), Act::Unsaid);
        }
        assert_eq!(act(&Answers::default()), Act::Unsaid);
    }
}
