//! What all operations share: refusals by status, headers, the reference parameters, security, and how a tool's schema
//! becomes a component. Next: [`super::operation`].

use platform::Json;
use serde_json::{Map, json};
use tool_runtime::artifacts::large_result_schema;
use tool_runtime::tool::schema_of;

/// Name of the schema of a refusal.
const PROBLEM: &str = "Problem";
/// What stands in place of a result that is larger than a reply may be.
pub(super) const LARGE_RESULT: &str = "LargeResult";
/// Name of the schema of a server's tools.
pub(super) const TOOL_LIST: &str = "ToolList";
/// Statuses of refusals that any operation may answer, with what they mean here.
const REFUSALS: [(u16, &str); 18] = [
    (400, "The request cannot be read: broken JSON, a reference sent twice or malformed."),
    (401, "No valid access token for this resource. `WWW-Authenticate` names the document that says where to get one."),
    (403, "Policy says no, or not yet: `unmet` names what is missing and `url` leads a person to it."),
    (404, "No such path, server, tool or target; or one that is hidden from you."),
    (405, "No such method here; `Allow` names those that there are."),
    (406, "The `Accept` header rules JSON out."),
    (408, "The request came too slowly."),
    (
        409,
        "Another call stands in the way: the idempotency key is in use or was used for other arguments, or the outcome \
           of an earlier attempt cannot be told.",
    ),
    (413, "The body, or the result, is too large."),
    (414, "The URL is too long; send arguments by POST."),
    (415, "The body is not sent as `application/json`."),
    (422, "The arguments do not fit the schema, or the target refuses their values."),
    (429, "Too many calls; `Retry-After` says when to come back."),
    (431, "The header fields are too large."),
    (500, "A failure of the platform's own; its operator finds it under the request id."),
    (502, "The target failed."),
    (503, "A part that is needed cannot be reached, or the platform sheds load."),
    (504, "It took too long."),
];

/// A reference to a component.
pub(super) fn component(kind: &str, name: &str) -> Json {
    json!({ "$ref": format!("#/components/{kind}/{name}") })
}

pub(super) fn shared_schemas() -> Map<String, Json> {
    let mut schemas = Map::new();
    schemas.insert(PROBLEM.to_owned(), embedded(&schema_of::<api::Problem>(), PROBLEM));
    schemas.insert(LARGE_RESULT.to_owned(), embedded(&large_result_schema(), LARGE_RESULT));
    schemas.insert(TOOL_LIST.to_owned(), embedded(&schema_of::<api::ToolList>(), TOOL_LIST));
    schemas
}

/// A schema as a component: references inside it follow it to its new place.
pub(super) fn embedded(schema: &Json, name: &str) -> Json {
    let mut schema = schema.clone();
    if let Some(members) = schema.as_object_mut() {
        members.remove("$schema");
    }
    moved(&mut schema, &format!("#/components/schemas/{name}"));
    schema
}

fn moved(schema: &mut Json, place: &str) {
    match schema {
        Json::Object(members) => {
            if let Some(Json::String(reference)) = members.get_mut("$ref")
                && let Some(inside) = reference.strip_prefix('#')
            {
                *reference = format!("{place}{inside}");
            }
            members.values_mut().for_each(|member| moved(member, place));
        }
        Json::Array(items) => items.iter_mut().for_each(|item| moved(item, place)),
        _ => {}
    }
}

/// The refusals as an operation names them.
pub(super) fn refusals() -> Map<String, Json> {
    REFUSALS
        .iter()
        .map(|(status, _)| (status.to_string(), component("responses", &format!("Refused{status}"))))
        .collect()
}

pub(super) fn responses() -> Map<String, Json> {
    let response = |(status, meaning): &(u16, &str)| {
        let mut headers = Map::from_iter([header("X-Request-Id"), header("Idempotency-Replayed")]);
        headers.extend(match status {
            401 => vec![header("WWW-Authenticate")],
            405 => vec![header("Allow")],
            409 | 429 | 503 => vec![header("Retry-After")],
            _ => vec![],
        });
        let content = json!({"application/problem+json": {"schema": component("schemas", PROBLEM)}});
        let response = json!({"description": meaning, "headers": headers, "content": content});
        (format!("Refused{status}"), response)
    };
    REFUSALS.iter().map(response).collect()
}

/// A header as a response names it.
pub(super) fn header(name: &str) -> (String, Json) {
    (name.to_owned(), component("headers", name))
}

pub(super) fn headers() -> Json {
    let text = |description: &str, required: bool| json!({"description": description, "required": required, "schema": {"type": "string"}});
    let number = |description: &str| json!({"description": description, "schema": {"type": "integer", "minimum": 0}});
    json!({
        "X-Request-Id": {"description": "The platform's own id of this request, in audit and log.", "required": true,
            "schema": {"type": "string", "format": "uuid"}},
        "Location": {"description": "GET it to see how the work stands: 202 while it goes on, 200 when it has ended.",
            "required": true, "schema": {"type": "string", "format": "uri-reference"}},
        "Link": text("`first` and `next` page of a list (RFC 8288).", false),
        "X-Total-Count": number("Rows of the whole list, where the target says it."),
        "Retry-After": number("Seconds after which a repeat makes sense."),
        "Idempotency-Replayed": {"description": "Present when this is the stored answer of an earlier call with the same key.",
            "schema": {"const": "true"}},
        "WWW-Authenticate": text("RFC 6750 challenge with `resource_metadata` (RFC 9728).", true),
        "Allow": text("The methods that there are.", true),
    })
}

/// Names of the parameters that a write takes (T12).
pub(super) const REFERENCES: [&str; 2] = ["IdempotencyKey", "InterlockChange"];

pub(super) fn parameters() -> Json {
    // A value that begins with a quote is a quoted string, and whole.
    let reference = |name: &str, most: u8, description: &str, example: &str| {
        let rest = most - 1;
        json!({
            "name": name, "in": "header", "description": description, "example": example,
            "schema": {"type": "string",
                "pattern": format!(r#"^([!#-~][!-~]{{0,{rest}}}|"[!#-\[\]-~]{{1,{most}}}")$"#)},
        })
    };
    json!({
        "IdempotencyKey": reference("Idempotency-Key", 128,
            "A repeat with the same key and arguments answers with the first result, for 24 hours, and does not act again. \
             It belongs to you and this tool.", "8e03978e-40d5-43dd-bc93-6894a57f9324"),
        "InterlockChange": reference("Interlock-Change", 64, "Id of the approved change that covers this call.", "CHG0030001"),
    })
}

/// The schemes, and what every operation asks for: a bearer token, however it was got.
pub(super) fn security(issuers: &[String], scopes: &[String]) -> (Json, Json) {
    let mut schemes = Map::new();
    schemes.insert(
        "bearer".to_owned(),
        json!({"type": "http", "scheme": "bearer",
            "description": "An access token for this resource or, where its issuer may do so, for the platform."}),
    );
    let mut security = vec![json!({"bearer": []})];
    for (at, issuer) in issuers.iter().enumerate() {
        let name = if at == 0 { "oidc".to_owned() } else { format!("oidc-{}", at + 1) };
        let url = format!("{}/.well-known/openid-configuration", issuer.trim_end_matches('/'));
        schemes.insert(
            name.clone(),
            json!({"type": "openIdConnect", "openIdConnectUrl": url,
                "description": "OAuth 2.1: authorization code with PKCE, with `resource` (RFC 8707) naming this resource."}),
        );
        security.push(json!({ name: scopes }));
    }
    (schemes.into(), security.into())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::embedded;

    #[test]
    fn references_follow_a_schema_to_its_place() {
        let schema = json!({"$schema": "x", "properties": {"a": {"$ref": "#/$defs/a"}, "b": [{"$ref": "#"}]}});
        assert_eq!(
            embedded(&schema, "s.t"),
            json!({"properties": {
                "a": {"$ref": "#/components/schemas/s.t/$defs/a"}, "b": [{"$ref": "#/components/schemas/s.t"}]}})
        );
    }
}
