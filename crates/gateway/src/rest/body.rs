//! Reading REST arguments: `{"arguments": {…}}` from a body, or a query whose values get their types from the tool's
//! schema.

use api::ToolCall;
use axum::body::to_bytes;
use axum::extract::Request;
use http::{StatusCode, header};
use platform::strict_json::StrictJson;
use platform::{Error, ErrorKind, Json};
use serde_json::Map;

use crate::problem::Problem;

/// The arguments of a POST. No body at all means no arguments.
pub(super) async fn arguments(request: Request) -> Result<Json, Problem> {
    let json_type = request.headers().get(header::CONTENT_TYPE).is_none_or(|t| {
        let essence = t.to_str().unwrap_or_default().split(';').next().unwrap_or_default().trim();
        essence.eq_ignore_ascii_case("application/json")
    });
    // The edge's limit stands around the body; nothing longer than it gets here.
    let bytes = to_bytes(request.into_body(), usize::MAX).await.map_err(|_| {
        Problem::from(Error::new(ErrorKind::TooLarge, "body_too_large", "The request body is too large or broke off."))
    })?;
    if bytes.is_empty() {
        return Ok(Json::Object(Map::new()));
    }
    if !json_type {
        let error = Error::new(ErrorKind::Malformed, "content_type_unsupported", "Send the body as application/json.");
        return Err(Problem::from(error).with_status(StatusCode::UNSUPPORTED_MEDIA_TYPE));
    }
    read(&bytes)
}

/// The arguments in the bytes of a body.
pub(crate) fn read(bytes: &[u8]) -> Result<Json, Problem> {
    let read = serde_json::from_slice::<StrictJson>(bytes);
    let StrictJson(value) =
        read.map_err(|e| malformed(format!("The body is not JSON that can be read in one way ({e}).")))?;
    // Serde reads a struct out of a list too: `[]` would pass as a call without arguments.
    let call = if value.is_object() { serde_json::from_value::<ToolCall>(value).ok() } else { None };
    let call = call.ok_or_else(|| {
        Error::new(
            ErrorKind::InvalidInput,
            "invalid_arguments",
            "The body must be an object with the one member `arguments`, itself an object.",
        )
    })?;
    Ok(Json::Object(call.arguments))
}

fn malformed(message: String) -> Problem {
    Problem::from(Error::new(ErrorKind::Malformed, "malformed_body", message))
}

/// Query values as arguments: whole numbers, numbers and booleans where the schema asks for them, lists where a name is
/// repeated or the schema asks for one. What does not fit stays text, and the schema says so.
pub(crate) fn from_query(query: &str, schema: Option<&Json>) -> Json {
    let mut arguments = Map::new();
    for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
        let wanted =
            schema.and_then(|s| s.pointer(&format!("/properties/{}/type", name.replace('~', "~0").replace('/', "~1"))));
        let wants = |t: &str| wanted.is_some_and(|w| w == t || w.as_array().is_some_and(|a| a.iter().any(|x| x == t)));
        let typed = if wants("integer") || wants("number") || wants("boolean") {
            serde_json::from_str(&value).unwrap_or_else(|_| Json::from(value.as_ref()))
        } else {
            Json::from(value.as_ref())
        };
        match arguments.get_mut(name.as_ref()) {
            Some(Json::Array(items)) => items.push(typed),
            Some(first) => *first = Json::Array(vec![first.take(), typed]),
            None if wants("array") => {
                arguments.insert(name.into_owned(), Json::Array(vec![typed]));
            }
            None => {
                arguments.insert(name.into_owned(), typed);
            }
        }
    }
    Json::Object(arguments)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::from_query;

    #[test]
    fn a_query_gets_its_types_from_the_schema() {
        let schema = json!({"properties": {"n": {"type": "integer"}, "b": {"type": ["boolean", "null"]},
            "s": {"type": "string"}, "l": {"type": "array"}}});
        let read = from_query("n=5&b=true&s=5&l=x", Some(&schema));
        assert_eq!(read, json!({"n": 5, "b": true, "s": "5", "l": ["x"]}));
        assert_eq!(from_query("n=five", Some(&schema)), json!({"n": "five"}));
    }
}
