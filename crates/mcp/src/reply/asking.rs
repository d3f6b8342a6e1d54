//! A call that asks its caller first, on the wire: the guard that only what was declared is asked, `input_required` for
//! revision 2026-07-28, and a refusal that says what is needed for the older ones, which have no way to answer here.

use platform::{Error, ErrorKind, Json};
use rmcp::model::{ErrorCode, ErrorData, InputRequests, InputRequiredResult};
use serde_json::{Map, json};

use crate::asking::{ClientAbilities, InputRequest, InputRequired};
use crate::error::internal;

/// What tasks are called among a client's capabilities.
const TASKS: &str = "io.modelcontextprotocol/tasks";

/// -32021: the call can only be answered as a task.
pub(crate) fn needs_tasks() -> ErrorData {
    missing_capability(&json!({"extensions": {TASKS: {}}}))
}

/// Refuses with -32021 unless all that `asked` needs was declared on this request.
pub(crate) fn allowed(asked: &InputRequired, abilities: ClientAbilities) -> Result<(), ErrorData> {
    let mut missing = Map::new();
    let mut elicitation = Map::new();
    for request in asked.requests.values() {
        match request {
            InputRequest::Form { .. } if !abilities.elicit_form => drop(elicitation.insert("form".into(), json!({}))),
            InputRequest::Url { .. } if !abilities.elicit_url => drop(elicitation.insert("url".into(), json!({}))),
            InputRequest::Sampling(_) if !abilities.sampling => drop(missing.insert("sampling".into(), json!({}))),
            InputRequest::Roots if !abilities.roots => drop(missing.insert("roots".into(), json!({}))),
            _ => {}
        }
    }
    if !elicitation.is_empty() {
        missing.insert("elicitation".into(), Json::Object(elicitation));
    }
    if missing.is_empty() { Ok(()) } else { Err(missing_capability(&Json::Object(missing))) }
}

fn missing_capability(required: &Json) -> ErrorData {
    ErrorData::new(
        ErrorCode::MISSING_REQUIRED_CLIENT_CAPABILITY,
        "This request needs a capability that its client did not declare on it.",
        Some(json!({"code": "client_capability_missing", "requiredCapabilities": required})),
    )
}

/// `input_required`, to be checked with [`allowed`] first.
pub(crate) fn input_required(asked: InputRequired) -> Result<InputRequiredResult, ErrorData> {
    if asked.requests.is_empty() && asked.state.is_none() {
        return Err(internal("a handler asked for nothing"));
    }
    let requests = input_requests(asked.requests)?;
    Ok(InputRequiredResult::new((!requests.is_empty()).then_some(requests), asked.state))
}

/// The requests alone, as tasks carry them.
pub(crate) fn input_requests(
    requests: std::collections::BTreeMap<String, InputRequest>,
) -> Result<InputRequests, ErrorData> {
    let wire = |request| match request {
        InputRequest::Form { message, schema } => json!({
            "method": "elicitation/create",
            "params": {"mode": "form", "message": message, "requestedSchema": schema},
        }),
        InputRequest::Url { message, url, id } => json!({
            "method": "elicitation/create",
            "params": {"mode": "url", "message": message, "url": url, "elicitationId": id},
        }),
        InputRequest::Sampling(params) => json!({"method": "sampling/createMessage", "params": params}),
        InputRequest::Roots => json!({"method": "roots/list"}),
    };
    let read = |(key, request)| serde_json::from_value(wire(request)).map(|request| (key, request));
    requests
        .into_iter()
        .map(read)
        .collect::<Result<_, _>>()
        .map_err(|error| internal(format!("a handler asks in a form that the protocol does not have: {error}")))
}

/// What a caller of an older revision reads where only a task could answer.
pub(crate) fn no_tasks() -> Error {
    Error::new(
        ErrorKind::Unmet,
        "client_cannot_answer",
        "This call takes so long that it is answered by a task, which a client of this protocol revision does not know.",
    )
    .with_unmet("tasks", "a client of revision 2026-07-28 that declares `io.modelcontextprotocol/tasks`")
}

/// What a caller of an older revision reads instead. Without a session a server cannot ask it anything, so it learns what
/// would be needed, and where a person can go by hand.
pub(crate) fn cannot_answer(asked: &InputRequired) -> Error {
    let mut error = Error::new(
        ErrorKind::Unmet,
        "client_cannot_answer",
        "This call asks its caller something before it goes on, and a client of this protocol revision cannot answer.",
    );
    for request in asked.requests.values() {
        error = match request {
            InputRequest::Form { message, .. } => error.with_unmet("elicitation", message.clone()),
            InputRequest::Url { message, url, .. } => {
                error.with_unmet("elicitation", message.clone()).with_url(url.clone())
            }
            InputRequest::Sampling(_) => error.with_unmet("sampling", "the client's model completes a text"),
            InputRequest::Roots => error.with_unmet("roots", "the client names its roots"),
        };
    }
    if asked.requests.is_empty() {
        error = error.with_unmet("retry", "the client repeats the call with a state that it was handed");
    }
    error
}

#[cfg(test)]
mod tests {
    use serde_json::{Map, json};

    use super::{allowed, cannot_answer, input_required, needs_tasks};
    use crate::asking::{ClientAbilities, InputRequest, InputRequired};

    fn asks(request: InputRequest) -> InputRequired {
        InputRequired { requests: [("k".to_owned(), request)].into(), state: None }
    }

    fn url() -> InputRequest {
        InputRequest::Url { message: "Go there.".into(), url: "https://i.example/e/1".into(), id: "1".into() }
    }

    #[test]
    fn only_what_was_declared_may_be_asked_and_each_gap_is_named() {
        let form = InputRequest::Form { message: "m".into(), schema: Map::new() };
        let sampling = InputRequest::Sampling(Map::new());
        let all = ClientAbilities { elicit_form: true, elicit_url: true, sampling: true, roots: true, tasks: true };
        for (request, gap) in [
            (form, json!({"elicitation": {"form": {}}})),
            (url(), json!({"elicitation": {"url": {}}})),
            (sampling, json!({"sampling": {}})),
            (InputRequest::Roots, json!({"roots": {}})),
        ] {
            let asked = asks(request);
            assert!(allowed(&asked, all).is_ok());
            let error = allowed(&asked, ClientAbilities::default()).map_err(|e| (e.code.0, e.data));
            let data = json!({"code": "client_capability_missing", "requiredCapabilities": gap});
            assert_eq!(error, Err((-32021, Some(data))));
        }
        let form_only = ClientAbilities { elicit_form: true, ..ClientAbilities::default() };
        assert!(allowed(&asks(url()), form_only).is_err(), "a form is not an address");
        assert_eq!(needs_tasks().code.0, -32021);
    }

    #[test]
    fn an_answer_that_asks_nothing_is_our_own_fault() {
        assert_eq!(input_required(InputRequired::default()).map_err(|e| e.code.0).err(), Some(-32603));
        let asked = InputRequired { state: Some("s".into()), ..InputRequired::default() };
        let wire = input_required(asked).ok().and_then(|r| serde_json::to_value(r).ok());
        assert_eq!(wire, Some(json!({"resultType": "input_required", "requestState": "s"})));
    }

    #[test]
    fn t4_an_address_is_sent_whole_and_older_callers_read_it_in_the_refusal() {
        let wire = input_required(asks(url())).ok().and_then(|r| serde_json::to_value(r).ok()).unwrap_or_default();
        assert_eq!(
            wire["inputRequests"]["k"],
            json!({"method": "elicitation/create", "params": {"mode": "url", "message": "Go there.",
                "url": "https://i.example/e/1", "elicitationId": "1"}})
        );
        let refusal = cannot_answer(&asks(url()));
        assert_eq!(refusal.code(), "client_cannot_answer");
        assert_eq!(refusal.refusal().url.as_deref(), Some("https://i.example/e/1"));
    }
}
