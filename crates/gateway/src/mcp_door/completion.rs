//! Completion: values for an argument of a prompt or resource template while it is typed, found by the tool that lists
//! them, through the pipeline: who may not call that tool is proposed nothing, and every question counts as a call (T13).

use std::cmp::Reverse;
use std::collections::BTreeSet;
use std::sync::Arc;

use mcp::offers::{Completion, CompletionOf, CompletionQuestion};
use platform::context::CallReferences;
use platform::{CallContext, Error, Json};
use tool_runtime::{CallRequest, CompletionSpec};

use super::handler::ViewHandler;
use super::prompts;

/// Most proposals (MCP "Completion").
const MOST: usize = 100;
/// Pages of the list that are searched.
const PAGES: usize = 4;
/// Longest text that is completed, characters.
const MAX_TYPED: usize = 200;

impl ViewHandler {
    pub(super) async fn propose(
        &self,
        cx: &Arc<CallContext>,
        question: CompletionQuestion,
    ) -> Result<Completion, Error> {
        if question.typed.chars().count() > MAX_TYPED {
            return Err(prompts::invalid(&question.argument, "is too long to be completed"));
        }
        let Some((server, name)) = self.completed_by(cx, &question).await? else { return Ok(Completion::default()) };
        let catalogue = self.catalogue();
        let specs = catalogue.server(&server).map(|s| s.connector.completions()).unwrap_or_default();
        let Some(spec) = specs.iter().find(|c| c.name == name) else { return Ok(Completion::default()) };
        self.search(cx, server, spec, &question.typed).await
    }

    /// The server and its completion for the argument in question.
    async fn completed_by(
        &self,
        cx: &CallContext,
        question: &CompletionQuestion,
    ) -> Result<Option<(String, &'static str)>, Error> {
        let no_argument = || prompts::invalid("", "there is no argument of that name");
        match &question.of {
            CompletionOf::Prompt(name) => {
                let offered = self.offered_prompts(cx).await?;
                let offered = offered.into_iter().find(|o| o.name == *name).ok_or_else(prompts::unknown)?;
                let argument = offered.spec.arguments.iter().find(|a| a.name == question.argument);
                let argument = argument.ok_or_else(no_argument)?;
                Ok(argument.completion.map(|completion| (offered.server, completion)))
            }
            CompletionOf::Resource(template) => {
                let offered = self.offered_resources(cx).await?;
                let offered = offered.into_iter().find(|o| o.uri() == *template);
                let offered = offered.ok_or_else(super::resources::unknown)?;
                if !offered.spec.variables().any(|name| name == question.argument) {
                    return Err(no_argument());
                }
                let found = offered.spec.completions.iter().find(|(variable, _)| *variable == question.argument);
                Ok(found.map(|(_, completion)| (offered.server, *completion)))
            }
        }
    }

    async fn search(
        &self,
        cx: &Arc<CallContext>,
        server: String,
        spec: &CompletionSpec,
        typed: &str,
    ) -> Result<Completion, Error> {
        let mut found = BTreeSet::new();
        let mut arguments = (spec.arguments)(typed);
        let mut more = false;
        for _ in 0..PAGES {
            let request = CallRequest {
                server: server.clone(),
                tool: spec.tool.to_owned(),
                arguments: arguments.clone(),
                references: CallReferences::default(),
            };
            let page = match self.pipeline.call_port(Arc::clone(cx), request).await {
                Ok(answer) => answer.structured,
                Err(error) if matches!(error.code(), "tool_unknown" | "denied") => return Ok(Completion::default()),
                Err(error) => return Err(error),
            };
            let rows = page.pointer(spec.rows).and_then(Json::as_array);
            found.extend(rows.into_iter().flatten().filter_map(|row| ranked(spec, row, typed)));
            let next = page.get("next_cursor").and_then(Json::as_str);
            more = next.is_some();
            match (next, arguments.as_object_mut()) {
                (Some(next), Some(members)) if found.len() <= MOST => {
                    members.insert("cursor".to_owned(), next.into());
                }
                _ => break,
            }
        }
        let all = found.len();
        let total = (!more).then(|| u32::try_from(all).unwrap_or(u32::MAX));
        let values = found.into_iter().take(MOST).map(|(_, value)| value).collect();
        Ok(Completion { values, total, has_more: more || all > MOST })
    }
}

/// A row's value with its rank: those that begin with what was typed come first, each group in the order of letters.
fn ranked(spec: &CompletionSpec, row: &Json, typed: &str) -> Option<(Reverse<bool>, String)> {
    let typed = typed.to_lowercase();
    let member = |name: &str| row.get(name).and_then(Json::as_str).map(str::to_lowercase);
    let compared: Vec<String> = spec.compared.iter().filter_map(|name| member(name)).collect();
    let value = row.get(spec.value).and_then(Json::as_str).filter(|v| !v.is_empty())?;
    let begins = compared.iter().any(|text| text.starts_with(&typed));
    let holds = begins || compared.iter().any(|text| text.contains(&typed));
    holds.then(|| (Reverse(begins), value.to_owned()))
}

#[cfg(test)]
mod tests {
    use platform::Json;
    use serde_json::json;
    use tool_runtime::CompletionSpec;

    use super::ranked;

    const SPEC: CompletionSpec = CompletionSpec {
        name: "device_id",
        tool: "list",
        arguments: |_| Json::Null,
        rows: "/items",
        value: "id",
        compared: &["hostname", "id"],
    };

    #[test]
    fn what_begins_as_typed_comes_before_what_only_holds_it_and_case_does_not_count() {
        let rank = |row: Json, typed: &str| ranked(&SPEC, &row, typed);
        let begins = rank(json!({"id": "9", "hostname": "EDGE-1"}), "edge");
        let holds = rank(json!({"id": "1", "hostname": "core-edge"}), "edge");
        assert!(begins.is_some() && begins < holds, "{begins:?} {holds:?}");
        assert_eq!(rank(json!({"id": "1", "hostname": "core"}), "edge"), None);
        assert_eq!(rank(json!({"hostname": "edge"}), "edge"), None, "a row without the value proposes nothing");
        assert!(rank(json!({"id": "1", "hostname": null}), "").is_some());
    }
}
