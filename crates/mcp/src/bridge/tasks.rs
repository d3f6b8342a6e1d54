//! `tasks/get`, `tasks/update`, `tasks/cancel` (extension `io.modelcontextprotocol/tasks`). rmcp refuses them with
//! -32021 to a caller that did not declare the extension on the request; whose a task is, the handler checks every time.

use rmcp::RoleServer;
use rmcp::model::{CancelTaskParams, ErrorData, GetTaskParams, GetTaskResult, UpdateTaskParams};
use rmcp::service::RequestContext;

use super::Bridge;
use super::call::abilities;
use crate::asking::Answers;
use crate::reply::task::detailed;

impl Bridge {
    pub(super) async fn task(
        &self,
        request: GetTaskParams,
        context: &RequestContext<RoleServer>,
    ) -> Result<GetTaskResult, ErrorData> {
        let cx = Self::call_context(context)?;
        let task = self.ask(context, self.0.handler.task(&cx, request.task_id)).await?;
        let detailed = detailed(task, &cx, abilities(context, Self::era(context)))?;
        let mut result = GetTaskResult::new(detailed);
        result.meta = Some(self.0.meta.clone());
        Ok(result)
    }

    pub(super) async fn task_update(
        &self,
        request: UpdateTaskParams,
        context: &RequestContext<RoleServer>,
    ) -> Result<(), ErrorData> {
        let cx = Self::call_context(context)?;
        let answers = Answers { responses: request.input_responses, state: None };
        self.ask(context, self.0.handler.update_task(&cx, request.task_id, answers)).await
    }

    pub(super) async fn task_cancel(
        &self,
        request: CancelTaskParams,
        context: &RequestContext<RoleServer>,
    ) -> Result<(), ErrorData> {
        let cx = Self::call_context(context)?;
        self.ask(context, self.0.handler.cancel_task(&cx, request.task_id)).await
    }
}
