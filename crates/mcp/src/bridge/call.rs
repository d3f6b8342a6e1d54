//! `tools/call` the long way: what the caller declared, the answers it brings, its progress, and the reply.

use std::sync::Arc;

use rmcp::RoleServer;
use rmcp::model::{CallToolRequestParams, CallToolResponse, ErrorData};
use rmcp::service::RequestContext;

use super::notes::Notes;
use super::{Bridge, REFERENCES_KEY, references};
use crate::asking::{Answers, ClientAbilities};
use crate::handler::ToolCall;
use crate::logging::LogLevel;
use crate::reply::{bad_request, outcome};
use crate::revision::Era;
use crate::screen::AcceptsStream;

impl Bridge {
    pub(super) async fn call(
        &self,
        request: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let cx = Self::call_context(&context)?;
        let era = Self::era(&context);
        let references = references(context.meta.get(REFERENCES_KEY)).map_err(|e| bad_request(&e))?;
        let abilities = abilities(&context, era);
        let notes = self.notes(&context, era);
        let call = ToolCall {
            name: request.name.into_owned(),
            arguments: request.arguments.unwrap_or_default(),
            references,
            abilities,
            answers: Answers { responses: request.input_responses.unwrap_or_default(), state: request.request_state },
            progress: notes.progress(),
            log: notes.log(),
        };
        let run = notes.forward(&context.peer, self.0.run(era, Arc::clone(&cx), call));
        let reply = match era {
            Era::Legacy => run.await,
            Era::Modern => tokio::select! {
                reply = run => reply,
                () = context.ct.cancelled() => return Err(hung_up()),
            },
        };
        outcome(reply, &cx, era, abilities)?.into_rmcp(era, &self.0.meta)
    }

    /// Notes make a stream of the reply, so they need a caller who takes one.
    fn notes(&self, context: &RequestContext<RoleServer>, era: Era) -> Notes {
        let streams = context
            .extensions
            .get::<http::request::Parts>()
            .is_some_and(|p| p.extensions.get::<AcceptsStream>().is_some());
        if !streams {
            return Notes::new(None, None);
        }
        let level = match era {
            _ if !self.0.extras.logging => None,
            // `logging/setLevel` cannot be remembered without a session: an ordinary level for all.
            Era::Legacy => Some(LogLevel::Info),
            Era::Modern => log_level(context),
        };
        Notes::new(context.meta.get_progress_token(), level)
    }
}

pub(super) fn hung_up() -> ErrorData {
    ErrorData::internal_error("The caller hung up.", None)
}

/// What was declared on this request. An older revision declares in `initialize`, which nothing here remembers.
pub(super) fn abilities(context: &RequestContext<RoleServer>, era: Era) -> ClientAbilities {
    match era {
        Era::Legacy => ClientAbilities::default(),
        Era::Modern => context.meta.client_capabilities().as_ref().map(ClientAbilities::of).unwrap_or_default(),
    }
}

#[expect(deprecated, reason = "revision 2026-07-28 deprecates logging and still has it")]
fn log_level(context: &RequestContext<RoleServer>) -> Option<LogLevel> {
    use rmcp::model::LoggingLevel;
    context.meta.log_level().map(|level| match level {
        LoggingLevel::Debug => LogLevel::Debug,
        LoggingLevel::Info => LogLevel::Info,
        LoggingLevel::Notice => LogLevel::Notice,
        LoggingLevel::Warning => LogLevel::Warning,
        LoggingLevel::Error => LogLevel::Error,
        LoggingLevel::Critical => LogLevel::Critical,
        LoggingLevel::Alert => LogLevel::Alert,
        LoggingLevel::Emergency => LogLevel::Emergency,
    })
}
