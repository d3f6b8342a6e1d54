//! A handler that offers everything: resources, prompts, completion, tasks, questions back, streams. Each test asks it
//! over HTTP in both eras.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use mcp::asking::{Answers, InputRequest, InputRequired};
use mcp::content::{Body, Content, ResourceContents};
use mcp::logging::{LogLevel, LogMessage};
use mcp::offers::{
    Completion, CompletionOf, CompletionQuestion, Page, Prompt, PromptArgument, PromptDescription, ResourceDescription,
    ResourceRead, ResourceTemplate, Role,
};
use mcp::progress::ProgressReport;
use mcp::task::{Task, TaskState};
use mcp::{
    CallHandler, CallReply, Change, Changes, Extras, Offers, PromptCall, PromptReply, ServerDescription, ToolCall,
    ToolDescription,
};
use platform::{CallContext, Error, ErrorKind, Json};
use serde_json::{Map, json};

use crate::fixture::object;

#[derive(Default)]
pub(crate) struct Everything {
    pub(crate) changes: Changes,
    /// Owner and answers of the one task.
    pub(crate) task: Mutex<Option<(String, Option<Answers>, bool)>>,
    pub(crate) extras: Extras,
}

fn unknown(code: &'static str) -> Error {
    Error::new(ErrorKind::NotFound, code, "There is no such thing.")
}

fn text_part(uri: &str, text: &str) -> ResourceContents {
    ResourceContents { uri: uri.into(), mime_type: Some("text/plain".into()), body: Body::Text(text.into()) }
}

pub(crate) fn form() -> InputRequest {
    let schema = json!({"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]});
    InputRequest::Form { message: "Your name?".into(), schema: schema.as_object().cloned().unwrap() }
}

fn asks(request: InputRequest, state: Option<&str>) -> InputRequired {
    InputRequired { requests: [("who".to_owned(), request)].into(), state: state.map(str::to_owned) }
}

fn task(state: TaskState) -> Task {
    Task {
        id: "task-1".into(),
        created_at: "2026-01-01T00:00:00Z".into(),
        updated_at: "2026-01-01T00:00:01Z".into(),
        ttl_ms: Some(60_000),
        poll_ms: Some(500),
        message: Some("half way".into()),
        state,
    }
}

#[async_trait]
impl CallHandler for Everything {
    fn server(&self) -> ServerDescription {
        ServerDescription { name: "everything".into(), title: None, version: "1.2.3".into(), instructions: None }
    }

    fn offers(&self) -> Offers {
        Offers { resources: true, prompts: true, completion: true, tasks: true }
    }

    fn extras(&self) -> Extras {
        self.extras
    }

    fn changes(&self) -> Option<Changes> {
        Some(self.changes.clone())
    }

    fn header_schema(&self, tool: &str) -> Option<Arc<Map<String, Json>>> {
        (tool == "mirrored").then(|| {
            object(json!({"type": "object", "properties": {
                "region": {"type": "string", "x-mcp-header": "Region"},
                "deep": {"type": "object", "properties": {"n": {"type": "integer", "x-mcp-header": "N"}}},
            }}))
        })
    }

    async fn list_tools(&self, _: &CallContext) -> Result<Arc<[ToolDescription]>, Error> {
        Ok(Arc::new([]))
    }

    async fn call_tool(&self, cx: &Arc<CallContext>, call: ToolCall) -> CallReply {
        let done = |value: Json| CallReply::Result { structured: value, text: None, queued_ms: 0 };
        match call.name.as_str() {
            "abilities" => done(json!({"form": call.abilities.elicit_form, "url": call.abilities.elicit_url,
                "sampling": call.abilities.sampling, "roots": call.abilities.roots, "tasks": call.abilities.tasks})),
            "blocks" => CallReply::Content {
                blocks: vec![
                    Content::Text("one".into()),
                    Content::Image { data: vec![1, 2, 3], mime_type: "image/png".into() },
                    Content::Resource(text_part("test://a", "two")),
                ],
                structured: call.arguments.get("structured").cloned(),
            },
            "ask" => match call.answers.responses.get("who") {
                Some(answer) => done(json!({"answer": answer, "state": call.answers.state})),
                None => CallReply::InputRequired(asks(form(), Some("s-1"))),
            },
            "visit" => CallReply::InputRequired(asks(
                InputRequest::Url {
                    message: "Sign in there.".into(),
                    url: "https://interlock.example/pages/elevate/1".into(),
                    id: "e1".into(),
                },
                None,
            )),
            "sample" => CallReply::InputRequired(asks(
                InputRequest::Sampling(
                    json!({"messages": [{"role": "user", "content": {"type": "text", "text": "?"}}], "maxTokens": 5})
                        .as_object()
                        .cloned()
                        .unwrap(),
                ),
                None,
            )),
            "roots" => CallReply::InputRequired(asks(InputRequest::Roots, None)),
            "nothing" => CallReply::InputRequired(InputRequired::default()),
            "steps" => {
                for progress in [1.0, 1.0, 0.5, 2.0, f64::NAN, 3.0] {
                    call.progress.report(ProgressReport { progress, total: Some(3.0), message: None });
                    tokio::task::yield_now().await;
                }
                done(json!({"wanted": call.progress.is_wanted()}))
            }
            "flood" => {
                for n in 0..5_000_u32 {
                    call.progress.report(ProgressReport { progress: f64::from(n), total: None, message: None });
                }
                done(json!({}))
            }
            "log" => {
                for level in [LogLevel::Debug, LogLevel::Info, LogLevel::Error] {
                    call.log.say(LogMessage { level, logger: Some("t".into()), data: json!("said") });
                }
                done(json!({}))
            }
            "long" => {
                if !call.abilities.tasks {
                    return CallReply::NeedsTasks;
                }
                *self.task.lock().unwrap() = Some((cx.principal.subject.clone(), None, false));
                CallReply::Task(Box::new(task(TaskState::Working)))
            }
            "mirrored" => done(Json::Object(call.arguments)),
            _ => CallReply::UnknownTool(call.name),
        }
    }

    async fn list_resources(
        &self,
        _: &Arc<CallContext>,
        cursor: Option<String>,
    ) -> Result<Page<ResourceDescription>, Error> {
        let described = |n: u32| ResourceDescription {
            uri: format!("test://r/{n}"),
            name: format!("r{n}"),
            title: Some("R".into()),
            description: None,
            mime_type: Some("text/plain".into()),
        };
        match cursor.as_deref() {
            None => Ok(Page { items: vec![described(1)], next_cursor: Some("two".into()) }),
            Some("two") => Ok(Page::whole(vec![described(2)])),
            Some(_) => Err(Error::new(ErrorKind::InvalidInput, "invalid_cursor", "Unknown cursor.")),
        }
    }

    async fn list_resource_templates(&self, _: &Arc<CallContext>) -> Result<Page<ResourceTemplate>, Error> {
        Ok(Page::whole(vec![ResourceTemplate {
            uri_template: "test://r/{n}".into(),
            name: "r".into(),
            title: None,
            description: Some("One of them.".into()),
            mime_type: None,
        }]))
    }

    async fn read_resource(&self, _: &Arc<CallContext>, uri: String) -> Result<ResourceRead, Error> {
        match uri.as_str() {
            "test://r/1" => Ok(ResourceRead { contents: vec![text_part(&uri, "text")], ttl_ms: 7 }),
            "test://r/2" => Ok(ResourceRead {
                contents: vec![ResourceContents { uri, mime_type: None, body: Body::Bytes(vec![0xff]) }],
                ttl_ms: 0,
            }),
            "test://empty" => Ok(ResourceRead { contents: vec![], ttl_ms: 0 }),
            "test://panic" => panic!("a resource with a defect"),
            _ => Err(unknown("mcp_resource_unknown")),
        }
    }

    async fn list_prompts(&self, _: &Arc<CallContext>) -> Result<Page<PromptDescription>, Error> {
        Ok(Page::whole(vec![PromptDescription {
            name: "greet".into(),
            title: None,
            description: Some("Greets.".into()),
            arguments: vec![PromptArgument { name: "name".into(), description: None, required: true }],
        }]))
    }

    async fn get_prompt(
        &self,
        _: &Arc<CallContext>,
        name: String,
        arguments: BTreeMap<String, String>,
    ) -> Result<Prompt, Error> {
        if name != "greet" {
            return Err(unknown("prompt_unknown"));
        }
        let who = arguments
            .get("name")
            .ok_or_else(|| Error::new(ErrorKind::InvalidInput, "invalid_arguments", "`name` is missing."))?;
        Ok(Prompt {
            description: None,
            messages: vec![
                (Role::User, Content::Text(format!("Hello, {who}!"))),
                (Role::Assistant, Content::Resource(text_part("test://a", "x"))),
            ],
        })
    }

    async fn fill_prompt(&self, cx: &Arc<CallContext>, call: PromptCall) -> Result<PromptReply, Error> {
        if call.name != "asking" {
            return self.get_prompt(cx, call.name, call.arguments).await.map(PromptReply::Prompt);
        }
        if call.answers.responses.is_empty() {
            return Ok(PromptReply::InputRequired(asks(form(), None)));
        }
        Ok(PromptReply::Prompt(Prompt { description: None, messages: vec![(Role::User, Content::Text("ok".into()))] }))
    }

    async fn complete(&self, _: &Arc<CallContext>, question: CompletionQuestion) -> Result<Completion, Error> {
        let many = question.typed == "many";
        let of = match question.of {
            CompletionOf::Prompt(name) => name,
            CompletionOf::Resource(uri) => uri,
        };
        let mut values = vec![format!("{of} {} {} {:?}", question.argument, question.typed, question.settled)];
        if many {
            values = (0..150).map(|n| n.to_string()).collect();
        }
        Ok(Completion { values, total: Some(150), has_more: false })
    }

    async fn task(&self, cx: &Arc<CallContext>, id: String) -> Result<Task, Error> {
        match &*self.task.lock().unwrap() {
            Some((owner, answers, cancelled)) if id == "task-1" && *owner == cx.principal.subject => {
                Ok(task(match (answers, cancelled) {
                    (_, true) => TaskState::Cancelled,
                    (None, _) => TaskState::InputRequired(asks(form(), Some("never shown"))),
                    (Some(answers), _) => TaskState::Completed(Box::new(match answers.responses.get("who") {
                        Some(Json::String(end)) if end == "refused" => CallReply::Refused(unknown("target_not_found")),
                        Some(Json::String(end)) if end == "wrong" => CallReply::UnknownTool("x".into()),
                        other => CallReply::Result { structured: json!({"answer": other}), text: None, queued_ms: 0 },
                    })),
                }))
            }
            _ => Err(unknown("task_unknown")),
        }
    }

    async fn update_task(&self, cx: &Arc<CallContext>, id: String, answers: Answers) -> Result<(), Error> {
        match &mut *self.task.lock().unwrap() {
            Some((owner, kept, _)) if id == "task-1" && *owner == cx.principal.subject => {
                *kept = Some(answers);
                Ok(())
            }
            _ => Err(unknown("task_unknown")),
        }
    }

    async fn cancel_task(&self, cx: &Arc<CallContext>, id: String) -> Result<(), Error> {
        match &mut *self.task.lock().unwrap() {
            Some((owner, _, cancelled)) if id == "task-1" && *owner == cx.principal.subject => {
                *cancelled = true;
                Ok(())
            }
            _ => Err(unknown("task_unknown")),
        }
    }
}

/// What tells every listener something.
pub(crate) fn all_changes() -> [Change; 4] {
    [Change::Tools, Change::Prompts, Change::Resources, Change::Resource("test://r/1".into())]
}
