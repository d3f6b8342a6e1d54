//! The arguments of a POST: `{"arguments": {…}}`, read in one way only. Next: `query` for those of a GET.

use api::ToolCall;
use axum::body::{Bytes, to_bytes};
use axum::extract::Request;
use http::{StatusCode, header};
use platform::strict_json::StrictJson;
use platform::{Error, ErrorKind, Json};
use serde_json::Map;

use crate::problem::Problem;

/// The arguments of a POST: what stands under `arguments`. No body at all means no arguments.
pub(super) async fn arguments(request: Request) -> Result<Json, Problem> {
    match bytes(request).await? {
        Some(bytes) => read(&bytes),
        None => Ok(Json::Object(Map::new())),
    }
}

/// The arguments of a POST whose body is the arguments themselves.
pub(super) async fn object(request: Request) -> Result<Json, Problem> {
    let Some(bytes) = bytes(request).await? else { return Ok(Json::Object(Map::new())) };
    let value = strict(&bytes)?;
    if value.is_object() {
        return Ok(value);
    }
    Err(Error::new(ErrorKind::InvalidInput, "invalid_arguments", "The body must be an object of arguments.").into())
}

/// The bytes of a JSON body; nothing for an empty one.
async fn bytes(request: Request) -> Result<Option<Bytes>, Problem> {
    let json_type = request.headers().get(header::CONTENT_TYPE).is_some_and(|t| {
        let essence = t.to_str().unwrap_or_default().split(';').next().unwrap_or_default().trim();
        essence.eq_ignore_ascii_case("application/json")
    });
    // The edge's limit stands around the body; nothing longer than it gets here.
    let bytes = to_bytes(request.into_body(), usize::MAX).await.map_err(|_| {
        Problem::from(Error::new(ErrorKind::TooLarge, "body_too_large", "The request body is too large or broke off."))
    })?;
    if bytes.is_empty() {
        return Ok(None);
    }
    if !json_type {
        let error = Error::new(ErrorKind::Malformed, "content_type_unsupported", "Send the body as application/json.");
        return Err(Problem::from(error).with_status(StatusCode::UNSUPPORTED_MEDIA_TYPE));
    }
    Ok(Some(bytes))
}

fn strict(bytes: &[u8]) -> Result<Json, Problem> {
    let read = serde_json::from_slice::<StrictJson>(bytes);
    let read = read.map_err(|e| malformed(format!("The body is not JSON that can be read in one way ({e}).")));
    read.map(|StrictJson(value)| value)
}

/// The arguments in the bytes of a body.
pub(crate) fn read(bytes: &[u8]) -> Result<Json, Problem> {
    let value = strict(bytes)?;
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
