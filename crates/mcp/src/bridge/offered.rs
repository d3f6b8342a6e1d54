//! Resources, prompts and completion: the handler's answers in rmcp's types. What is not offered is an unknown method.
//!
//! Source: MCP "Resources", "Prompts", "Completion", "Pagination"; caching hints are `private`, since every list is
//! filtered per caller.

use std::collections::BTreeMap;

use platform::Json;
use rmcp::RoleServer;
use rmcp::model::{
    CacheScope, CompleteRequestParams, CompleteResult, CompletionInfo, ErrorCode, ErrorData, GetPromptRequestParams,
    GetPromptResponse, GetPromptResult, ListPromptsResult, ListResourceTemplatesResult, ListResourcesResult,
    PaginatedRequestParams, Prompt as WirePrompt, PromptArgument, ReadResourceRequestParams, ReadResourceResponse,
    ReadResourceResult, Reference, Resource, ResourceTemplate as WireTemplate,
};
use rmcp::service::RequestContext;
use serde_json::Map;

use super::call::abilities;
use super::{Bridge, invalid_params, one_page, ttl_ms, unknown_method};
use crate::asking::Answers;
use crate::handler::{PromptCall, PromptReply};
use crate::offers::{CompletionOf, CompletionQuestion, PromptDescription, ResourceDescription, ResourceTemplate};
use crate::reply::asking::{allowed, cannot_answer, input_required};
use crate::reply::content::{contents, prompt_message};
use crate::revision::Era;

/// Longest address of a resource, in bytes.
const MAX_URI: usize = 2048;
/// Most values of one completion (MCP "Completion").
const MAX_VALUES: usize = 100;

/// What 2026-07-28 adds to a list.
macro_rules! hinted {
    ($bridge:expr, $context:expr, $result:expr, $ttl:expr) => {{
        let mut result = $result;
        if Bridge::era($context) == Era::Modern {
            result.cache_scope = Some(CacheScope::Private);
            result.ttl_ms = Some($ttl);
            result.meta = Some($bridge.0.meta.clone());
        }
        result
    }};
}
pub(super) use hinted;

impl Bridge {
    pub(super) async fn resources(
        &self,
        request: Option<PaginatedRequestParams>,
        context: &RequestContext<RoleServer>,
    ) -> Result<ListResourcesResult, ErrorData> {
        self.offered(self.0.offers.resources)?;
        let cx = Self::call_context(context)?;
        let cursor = request.and_then(|r| r.cursor);
        let page = self.ask(context, self.0.handler.list_resources(&cx, cursor)).await?;
        let mut result = ListResourcesResult::with_all_items(page.items.into_iter().map(resource).collect());
        result.next_cursor = page.next_cursor;
        Ok(hinted!(self, context, result, ttl_ms(&self.0.options)))
    }

    pub(super) async fn templates(
        &self,
        request: Option<PaginatedRequestParams>,
        context: &RequestContext<RoleServer>,
    ) -> Result<ListResourceTemplatesResult, ErrorData> {
        self.offered(self.0.offers.resources)?;
        one_page(request)?;
        let cx = Self::call_context(context)?;
        let page = self.ask(context, self.0.handler.list_resource_templates(&cx)).await?;
        let result = ListResourceTemplatesResult::with_all_items(page.items.into_iter().map(template).collect());
        Ok(hinted!(self, context, result, ttl_ms(&self.0.options)))
    }

    pub(super) async fn read(
        &self,
        request: ReadResourceRequestParams,
        context: &RequestContext<RoleServer>,
    ) -> Result<ReadResourceResponse, ErrorData> {
        self.offered(self.0.offers.resources)?;
        let uri = request.uri;
        if !is_address(&uri) {
            return Err(invalid_params("`params.uri` is an absolute URI of at most 2048 bytes."));
        }
        let cx = Self::call_context(context)?;
        let read = self.ask(context, self.0.handler.read_resource(&cx, uri.clone())).await;
        let read = read.map_err(|error| about(error, &uri))?;
        if read.contents.is_empty() {
            return Err(crate::error::internal("a resource was read and holds no part"));
        }
        let result = ReadResourceResult::new(read.contents.into_iter().map(contents).collect());
        Ok(ReadResourceResponse::Complete(hinted!(self, context, result, read.ttl_ms)))
    }

    pub(super) async fn prompts(
        &self,
        request: Option<PaginatedRequestParams>,
        context: &RequestContext<RoleServer>,
    ) -> Result<ListPromptsResult, ErrorData> {
        self.offered(self.0.offers.prompts)?;
        one_page(request)?;
        let cx = Self::call_context(context)?;
        let page = self.ask(context, self.0.handler.list_prompts(&cx)).await?;
        let result = ListPromptsResult::with_all_items(page.items.into_iter().map(prompt).collect());
        Ok(hinted!(self, context, result, ttl_ms(&self.0.options)))
    }

    pub(super) async fn prompt(
        &self,
        request: GetPromptRequestParams,
        context: &RequestContext<RoleServer>,
    ) -> Result<GetPromptResponse, ErrorData> {
        self.offered(self.0.offers.prompts)?;
        let cx = Self::call_context(context)?;
        let era = Self::era(context);
        let abilities = abilities(context, era);
        let call = PromptCall {
            name: request.name,
            arguments: texts(request.arguments)?,
            abilities,
            answers: Answers { responses: request.input_responses.unwrap_or_default(), state: request.request_state },
        };
        let asked = match self.ask(context, self.0.handler.fill_prompt(&cx, call)).await? {
            PromptReply::Prompt(prompt) => {
                let messages = prompt.messages.into_iter().map(|(role, said)| prompt_message(role, said)).collect();
                let mut result = GetPromptResult::new(messages);
                result.description = prompt.description;
                result.meta = (era == Era::Modern).then(|| self.0.meta.clone());
                return Ok(GetPromptResponse::Complete(result));
            }
            PromptReply::InputRequired(asked) => asked,
        };
        if era == Era::Legacy {
            return Err(crate::error::error_data(&cannot_answer(&asked)));
        }
        allowed(&asked, abilities)?;
        input_required(asked).map(|asked| GetPromptResponse::InputRequired(asked.with_meta(self.0.meta.clone())))
    }

    pub(super) async fn completion(
        &self,
        request: CompleteRequestParams,
        context: &RequestContext<RoleServer>,
    ) -> Result<CompleteResult, ErrorData> {
        self.offered(self.0.offers.completion)?;
        let cx = Self::call_context(context)?;
        let of = match request.r#ref {
            Reference::Prompt(prompt) => CompletionOf::Prompt(prompt.name),
            Reference::Resource(template) => CompletionOf::Resource(template.uri),
            _ => return Err(invalid_params("`params.ref` names a prompt or a resource template.")),
        };
        let settled = request.context.and_then(|c| c.arguments).unwrap_or_default().into_iter().collect();
        let question =
            CompletionQuestion { of, argument: request.argument.name, typed: request.argument.value, settled };
        let mut proposed = self.ask(context, self.0.handler.complete(&cx, question)).await?;
        let more = proposed.values.len() > MAX_VALUES;
        proposed.values.truncate(MAX_VALUES);
        let info = CompletionInfo::with_pagination(proposed.values, proposed.total, proposed.has_more || more)
            .map_err(crate::error::internal)?;
        let mut result = CompleteResult::new(info);
        result.meta = (Self::era(context) == Era::Modern).then(|| self.0.meta.clone());
        Ok(result)
    }

    pub(super) fn offered(&self, offered: bool) -> Result<(), ErrorData> {
        if offered { Ok(()) } else { Err(unknown_method()) }
    }
}

/// An absolute URI in form; what it names is for the handler.
fn is_address(uri: &str) -> bool {
    let scheme = uri.split_once(':').map_or("", |(scheme, _)| scheme);
    uri.len() <= MAX_URI
        && scheme.starts_with(|c: char| c.is_ascii_alphabetic())
        && scheme.chars().all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c))
        && !uri.chars().any(|c| c.is_control() || c.is_whitespace())
}

/// What is not found is -32002 until 2025-11-25 (rmcp makes it -32602 for 2026-07-28), and names the address again.
fn about(mut error: ErrorData, uri: &str) -> ErrorData {
    if error.code == ErrorCode::INVALID_PARAMS
        && let Some(Json::Object(data)) = &mut error.data
    {
        data.insert("uri".to_owned(), Json::from(uri));
        error.code = ErrorCode::RESOURCE_NOT_FOUND;
    }
    error
}

/// The arguments of a prompt are text, all of them.
fn texts(arguments: Option<Map<String, Json>>) -> Result<BTreeMap<String, String>, ErrorData> {
    let text = |(name, value)| match value {
        Json::String(value) => Ok((name, value)),
        _ => Err(invalid_params("Every member of `params.arguments` of a prompt is a string.")),
    };
    arguments.unwrap_or_default().into_iter().map(text).collect()
}

fn resource(described: ResourceDescription) -> Resource {
    let mut wire = Resource::new(described.uri, described.name);
    wire.title = described.title;
    wire.description = described.description;
    wire.mime_type = described.mime_type;
    wire
}

fn template(described: ResourceTemplate) -> WireTemplate {
    let mut wire = WireTemplate::new(described.uri_template, described.name);
    wire.title = described.title;
    wire.description = described.description;
    wire.mime_type = described.mime_type;
    wire
}

fn prompt(described: PromptDescription) -> WirePrompt {
    let argument = |a: crate::offers::PromptArgument| {
        let mut wire = PromptArgument::new(a.name).with_required(a.required);
        wire.description = a.description;
        wire
    };
    let arguments: Vec<_> = described.arguments.into_iter().map(argument).collect();
    let arguments = (!arguments.is_empty()).then_some(arguments);
    let mut wire = WirePrompt::from_raw(described.name, described.description, arguments);
    wire.title = described.title;
    wire
}
