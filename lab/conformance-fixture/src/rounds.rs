//! Tools and the one prompt that ask their caller first. What they hand out to be handed back is sealed and bound to the
//! caller and the tool, so that nobody brings a state that was not theirs.

use mcp::asking::{Answers, ClientAbilities, InputRequest, InputRequired};
use mcp::content::Content;
use mcp::offers::{Prompt, Role};
use mcp::{CallReply, PromptCall, PromptReply, ToolCall};
use platform::seal::Sealer;
use platform::{CallContext, Error, ErrorKind, Json};
use serde_json::{Map, json};

use crate::said;

/// Seals what a caller hands back.
pub(crate) struct States(pub(crate) Sealer);

impl States {
    fn place(cx: &CallContext, tool: &str) -> String {
        format!("{}\n{}\n{tool}", cx.principal.issuer, cx.principal.subject)
    }

    fn seal(&self, cx: &CallContext, tool: &str, state: &str) -> Option<String> {
        self.0.seal(&Self::place(cx, tool), state.as_bytes()).ok().map(hex::encode)
    }

    /// The state that was sealed; an error of the protocol when it is none of ours.
    fn open(&self, cx: &CallContext, tool: &str, sealed: &str) -> Result<String, CallReply> {
        let open = || {
            let plain = self.0.open(&Self::place(cx, tool), &hex::decode(sealed).ok()?)?;
            String::from_utf8(plain.to_vec()).ok()
        };
        open().ok_or_else(|| {
            CallReply::BadRequest(Error::new(
                ErrorKind::Malformed,
                "request_state_invalid",
                "`requestState` is not what this server handed out.",
            ))
        })
    }
}

/// A form with these members, all required.
pub(crate) fn form(message: &str, members: Json) -> InputRequest {
    let required: Vec<String> = members.as_object().into_iter().flat_map(Map::keys).cloned().collect();
    let schema = json!({"type": "object", "properties": members, "required": required});
    InputRequest::Form { message: message.to_owned(), schema: schema.as_object().cloned().unwrap_or_default() }
}

fn name_form(message: &str) -> InputRequest {
    form(message, json!({"name": {"type": "string"}}))
}

fn sampling(prompt: &str, max_tokens: u32) -> InputRequest {
    let params = json!({
        "messages": [{"role": "user", "content": {"type": "text", "text": prompt}}],
        "maxTokens": max_tokens,
    });
    InputRequest::Sampling(params.as_object().cloned().unwrap_or_default())
}

fn asks<const N: usize>(requests: [(&str, InputRequest); N], state: Option<String>) -> CallReply {
    let requests = requests.into_iter().map(|(key, request)| (key.to_owned(), request)).collect();
    CallReply::InputRequired(InputRequired { requests, state })
}

/// The text member `name` of an accepted form.
pub(crate) fn accepted<'a>(answers: &'a Answers, key: &str, name: &str) -> Option<&'a Json> {
    let answer = answers.responses.get(key)?;
    (answer.get("action")?.as_str()? == "accept").then(|| answer.get("content")?.get(name)).flatten()
}

/// The text that the caller's model completed.
fn completed<'a>(answers: &'a Answers, key: &str) -> Option<&'a str> {
    answers.responses.get(key)?.get("content")?.get("text")?.as_str()
}

fn roots<'a>(answers: &'a Answers, key: &str) -> Option<&'a Vec<Json>> {
    answers.responses.get(key)?.get("roots")?.as_array()
}

/// Answers the tools of this module.
pub(crate) fn call(states: &States, cx: &CallContext, call: &ToolCall) -> Option<CallReply> {
    let ToolCall { name, arguments, abilities, answers, .. } = call;
    let argument = |name: &str| arguments.get(name).and_then(Json::as_str).unwrap_or_default();
    let answer = |key: &str| answers.responses.get(key);
    Some(match name.as_str() {
        "test_input_required_result_elicitation" | "test_streaming_elicitation" => {
            match accepted(answers, "user_name", "name").and_then(Json::as_str) {
                Some(name) => said(format!("Hello, {name}!")),
                None => asks([("user_name", name_form("What is your name?"))], None),
            }
        }
        "test_input_required_result_sampling" => match completed(answers, "capital_question") {
            Some(text) => said(text),
            None => asks([("capital_question", sampling("What is the capital of France?", 100))], None),
        },
        "test_input_required_result_list_roots" => match roots(answers, "client_roots") {
            Some(roots) => said(format!("Roots: {}", Json::Array(roots.clone()))),
            None => asks([("client_roots", InputRequest::Roots)], None),
        },
        "test_input_required_result_request_state" | "test_input_required_result_tampered_state" => {
            confirmed(states, cx, call)
        }
        "test_input_required_result_multiple_inputs" => multiple(states, cx, call),
        "test_input_required_result_multi_round" => rounds(states, cx, call),
        "test_input_required_result_capabilities" => by_ability(*abilities, answers),
        "test_missing_capability" if abilities.sampling => said("Sampling was declared."),
        "test_missing_capability" => asks([("needed", sampling("Are you there?", 10))], None),
        "test_sampling" => match completed(answers, "completion") {
            Some(text) => said(format!("LLM response: {text}")),
            None => asks([("completion", sampling(argument("prompt"), 100))], None),
        },
        "test_elicitation" => match answer("response") {
            Some(response) => said(format!("User response: {response}")),
            None => {
                let members = json!({
                    "username": {"type": "string", "description": "User's response"},
                    "email": {"type": "string", "description": "User's email address"},
                });
                asks([("response", form(argument("message"), members))], None)
            }
        },
        "test_elicitation_sep1034_defaults" => elicited(answers, "Values with defaults", defaults()),
        "test_elicitation_sep1330_enums" => elicited(answers, "One or several of each", choices()),
        _ => return None,
    })
}

fn elicited(answers: &Answers, message: &str, members: Json) -> CallReply {
    match answers.responses.get("response") {
        Some(response) => said(format!(
            "Elicitation completed: action={}, content={}",
            response.get("action").and_then(Json::as_str).unwrap_or("none"),
            response.get("content").unwrap_or(&Json::Null)
        )),
        None => asks([("response", form(message, members))], None),
    }
}

fn defaults() -> Json {
    json!({
        "name": {"type": "string", "default": "John Doe"},
        "age": {"type": "integer", "default": 30},
        "score": {"type": "number", "default": 95.5},
        "status": {"type": "string", "enum": ["active", "inactive", "pending"], "default": "active"},
        "verified": {"type": "boolean", "default": true},
    })
}

fn choices() -> Json {
    let titled = |word: &str| json!([{"const": "value1", "title": format!("First {word}")}, {"const": "value2", "title": format!("Second {word}")}]);
    json!({
        "untitledSingle": {"type": "string", "enum": ["option1", "option2", "option3"]},
        "titledSingle": {"type": "string", "oneOf": titled("Option")},
        "legacyEnum": {"type": "string", "enum": ["opt1", "opt2", "opt3"],
            "enumNames": ["Option One", "Option Two", "Option Three"]},
        "untitledMulti": {"type": "array", "items": {"type": "string", "enum": ["option1", "option2", "option3"]}},
        "titledMulti": {"type": "array", "items": {"anyOf": titled("Choice")}},
    })
}

/// One question whose answer counts only with the state that went with it.
fn confirmed(states: &States, cx: &CallContext, call: &ToolCall) -> CallReply {
    if let Some(sealed) = &call.answers.state
        && let Err(reply) = states.open(cx, &call.name, sealed)
    {
        return reply;
    }
    let ok = accepted(&call.answers, "confirm", "ok").and_then(Json::as_bool);
    match (ok, &call.answers.state) {
        (Some(ok), Some(_)) => said(format!("state-ok, confirmed: {ok}")),
        _ => {
            let question = form("Please confirm", json!({"ok": {"type": "boolean"}}));
            asks([("confirm", question)], states.seal(cx, &call.name, "asked"))
        }
    }
}

fn multiple(states: &States, cx: &CallContext, call: &ToolCall) -> CallReply {
    let answers = &call.answers;
    if let Some(sealed) = &answers.state
        && let Err(reply) = states.open(cx, &call.name, sealed)
    {
        return reply;
    }
    let name = accepted(answers, "user_name", "name").and_then(Json::as_str);
    let (greeting, roots) = (completed(answers, "greeting"), roots(answers, "client_roots"));
    if let (Some(name), Some(greeting), Some(roots), Some(_)) = (name, greeting, roots, &answers.state) {
        return said(format!("{greeting} {name}, {} roots", roots.len()));
    }
    asks(
        [
            ("user_name", name_form("What is your name?")),
            ("greeting", sampling("Generate a greeting", 50)),
            ("client_roots", InputRequest::Roots),
        ],
        states.seal(cx, &call.name, "asked"),
    )
}

/// Two questions, one after the other; the state says which is open, and brings the first answer along.
fn rounds(states: &States, cx: &CallContext, call: &ToolCall) -> CallReply {
    let state = match &call.answers.state {
        Some(sealed) => match states.open(cx, &call.name, sealed) {
            Ok(state) => state,
            Err(reply) => return reply,
        },
        None => String::new(),
    };
    let text = |key, name| accepted(&call.answers, key, name).and_then(Json::as_str);
    let seal = |state: &str| states.seal(cx, &call.name, state);
    match (state.split_once(' '), text("step1", "name"), text("step2", "color")) {
        (Some(("two", name)), _, Some(color)) => said(format!("{name} likes {color}.")),
        (Some(("one", _)), Some(name), _) => {
            let question = form("Step 2: What is your favorite color?", json!({"color": {"type": "string"}}));
            asks([("step2", question)], seal(&format!("two {name}")))
        }
        _ => asks([("step1", name_form("Step 1: What is your name?"))], seal("one ")),
    }
}

fn by_ability(abilities: ClientAbilities, answers: &Answers) -> CallReply {
    let mut requests = std::collections::BTreeMap::new();
    if abilities.elicit_form {
        requests.insert("user_name".to_owned(), name_form("What is your name?"));
    }
    if abilities.sampling {
        requests.insert("greeting".to_owned(), sampling("Generate a greeting", 50));
    }
    if abilities.roots {
        requests.insert("client_roots".to_owned(), InputRequest::Roots);
    }
    requests.retain(|key, _| !answers.responses.contains_key(key));
    match requests.is_empty() {
        true => said("Nothing is left to ask."),
        false => CallReply::InputRequired(InputRequired { requests, state: None }),
    }
}

/// The prompt that asks.
pub(crate) fn prompt(call: &PromptCall) -> Option<PromptReply> {
    if call.name != "test_input_required_result_prompt" {
        return None;
    }
    Some(match accepted(&call.answers, "user_context", "context").and_then(Json::as_str) {
        Some(context) => PromptReply::Prompt(Prompt {
            description: None,
            messages: vec![(Role::User, Content::Text(format!("Prompt in the context of: {context}")))],
        }),
        None => {
            let question = form("What context should the prompt use?", json!({"context": {"type": "string"}}));
            PromptReply::InputRequired(InputRequired {
                requests: [("user_context".to_owned(), question)].into(),
                state: None,
            })
        }
    })
}
