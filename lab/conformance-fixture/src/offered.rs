//! The prompts and resources.

use std::collections::BTreeMap;

use mcp::content::{Body, Content, ResourceContents};
use mcp::offers::{
    Completion, CompletionQuestion, Page, Prompt, PromptArgument, PromptDescription, ResourceDescription, ResourceRead,
    ResourceTemplate, Role,
};
use platform::{Error, ErrorKind, Result};
use serde_json::json;

use crate::tools::{PIXEL, image, text_part};

/// How long a client may keep what it read.
const TTL_MS: u64 = 1_000;

pub(crate) fn resources(cursor: Option<String>) -> Result<Page<ResourceDescription>> {
    if cursor.is_some() {
        return Err(Error::new(ErrorKind::InvalidInput, "invalid_cursor", "The list is one page."));
    }
    let one = |uri: &str, name: &str, mime_type: &str| ResourceDescription {
        uri: uri.to_owned(),
        name: name.to_owned(),
        title: None,
        description: Some(format!("{name}, for testing.")),
        mime_type: Some(mime_type.to_owned()),
    };
    Ok(Page::whole(vec![
        one("test://static-text", "Static text", "text/plain"),
        one("test://static-binary", "Static bytes", "image/png"),
        one("test://watched-resource", "Watched resource", "text/plain"),
    ]))
}

pub(crate) fn templates() -> Page<ResourceTemplate> {
    Page::whole(vec![ResourceTemplate {
        uri_template: "test://template/{id}/data".to_owned(),
        name: "Template".to_owned(),
        title: None,
        description: Some("Data by id, for testing.".to_owned()),
        mime_type: Some("application/json".to_owned()),
    }])
}

pub(crate) fn read(uri: String) -> Result<ResourceRead> {
    let part = match uri.as_str() {
        "test://static-text" => text_part(&uri, "text/plain", "This is the content of the static text resource."),
        "test://watched-resource" => text_part(&uri, "text/plain", "Nothing happened."),
        "test://static-binary" => {
            ResourceContents { uri, mime_type: Some("image/png".to_owned()), body: Body::Bytes(PIXEL.to_vec()) }
        }
        other => {
            let id = other.strip_prefix("test://template/").and_then(|rest| rest.strip_suffix("/data"));
            let id = id
                .filter(|id| !id.is_empty() && !id.contains('/'))
                .ok_or_else(|| Error::new(ErrorKind::NotFound, "mcp_resource_unknown", "There is no such resource."))?;
            let data = json!({"id": id, "templateTest": true, "data": format!("Data for ID: {id}")});
            text_part(&uri, "application/json", &data.to_string())
        }
    };
    Ok(ResourceRead { contents: vec![part], ttl_ms: TTL_MS })
}

/// Name, description and arguments.
const PROMPTS: [(&str, &str, &[&str]); 5] = [
    ("test_simple_prompt", "A text.", &[]),
    ("test_prompt_with_arguments", "A text with two arguments.", &["arg1", "arg2"]),
    ("test_prompt_with_embedded_resource", "A resource and a text.", &["resourceUri"]),
    ("test_prompt_with_image", "An image and a text.", &[]),
    ("test_input_required_result_prompt", "Asks for a context first.", &[]),
];

/// All prompts, in a fixed order; the last one comes and goes.
pub(crate) fn prompts(with_extra: bool) -> Page<PromptDescription> {
    let one = |(name, what, arguments): (&str, &str, &[&str])| PromptDescription {
        name: name.to_owned(),
        title: None,
        description: Some(what.to_owned()),
        arguments: arguments
            .iter()
            .map(|a| PromptArgument { name: (*a).to_owned(), description: None, required: true })
            .collect(),
    };
    let mut all: Vec<_> = PROMPTS.into_iter().map(one).collect();
    if with_extra {
        all.push(one(("test_extra_prompt", "Comes and goes.", &[])));
    }
    Page::whole(all)
}

pub(crate) fn prompt(name: &str, arguments: &BTreeMap<String, String>) -> Result<Prompt> {
    let known = PROMPTS.into_iter().find(|(known, ..)| *known == name);
    let (.., wanted) =
        known.ok_or_else(|| Error::new(ErrorKind::NotFound, "prompt_unknown", "There is no such prompt."))?;
    if wanted.iter().any(|a| !arguments.contains_key(*a)) {
        return Err(Error::new(ErrorKind::InvalidInput, "invalid_arguments", "An argument is missing."));
    }
    let argument = |name: &str| arguments.get(name).map(String::as_str).unwrap_or_default();
    let user = |said| (Role::User, said);
    let messages = match name {
        "test_prompt_with_arguments" => vec![user(Content::Text(format!(
            "Prompt with arguments: arg1='{}', arg2='{}'",
            argument("arg1"),
            argument("arg2")
        )))],
        "test_prompt_with_embedded_resource" => vec![
            user(Content::Resource(text_part(
                argument("resourceUri"),
                "text/plain",
                "Embedded resource content for testing.",
            ))),
            user(Content::Text("Please process the embedded resource above.".to_owned())),
        ],
        "test_prompt_with_image" => {
            vec![user(image()), user(Content::Text("Please analyze the image above.".to_owned()))]
        }
        _ => vec![user(Content::Text("This is a simple prompt for testing.".to_owned()))],
    };
    Ok(Prompt { description: None, messages })
}

pub(crate) fn complete(question: &CompletionQuestion) -> Completion {
    let all = ["paris", "park", "party", "test", "testing"];
    let values: Vec<String> = all.into_iter().filter(|v| v.starts_with(&question.typed)).map(str::to_owned).collect();
    Completion { total: u32::try_from(values.len()).ok(), values, has_more: false }
}
