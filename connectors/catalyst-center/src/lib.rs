//! The connector for Cisco Catalyst Center.
//!
#![doc = include_str!("../README.md")]
//!
//! Where to go next: [`tools`] for what is offered, `offers` for what goes with them, `client` for login, renewal and paging, `error` for what the
//! vendor's failures mean, `vendor` for what is asked of it, `ports` for what change control asks of us.

mod client;
mod error;
mod model;
mod offers;
mod ports;
pub mod tools;
mod vendor;

use std::sync::Arc;

use async_trait::async_trait;
use platform::http::TargetClient;
use platform::policy::TargetFacts;
use platform::{Error, SharedClock};
use tool_runtime::connector::{CredentialKind, target_unknown};
use tool_runtime::{CompletionSpec, Connector, Ports, PromptSpec, ResourceSpec, Tool, ToolCx, Toolset};

use crate::client::Api;

/// One Catalyst Center.
pub struct CatalystCenter {
    api: Arc<Api>,
}

impl CatalystCenter {
    /// Over a client for the instance's target.
    pub fn new(http: TargetClient, clock: SharedClock) -> Self {
        Self { api: Arc::new(Api::new(http, clock)) }
    }
}

#[async_trait]
impl Connector for CatalystCenter {
    fn name(&self) -> &'static str {
        "catalyst-center"
    }

    fn instructions(&self) -> &'static str {
        "Cisco Catalyst Center. Find devices with `list_devices` and templates with `get_all_templates`; ids from there \
         are arguments elsewhere. Look at `preview_template` before `deploy_template`. A deployment that is still running \
         after a few seconds is followed with `get_deployment`. Lists come in pages: pass `next_cursor` as `cursor`."
    }

    fn credential(&self) -> CredentialKind {
        CredentialKind::Shared
    }

    fn tools(&self) -> Vec<Arc<dyn Tool>> {
        tools::all(&self.api)
    }

    fn ports(&self) -> Ports {
        ports::all(&self.api)
    }

    fn toolsets(&self) -> &'static [Toolset] {
        offers::TOOLSETS
    }

    fn resources(&self) -> &'static [ResourceSpec] {
        offers::RESOURCES
    }

    fn prompts(&self) -> &'static [PromptSpec] {
        offers::PROMPTS
    }

    fn completions(&self) -> &'static [CompletionSpec] {
        offers::COMPLETIONS
    }

    async fn look_up(&self, cx: &ToolCx, kind: &str, id: &str) -> Result<TargetFacts, Error> {
        match kind {
            "device" => tools::devices::facts(&self.api, cx, id).await,
            _ => Err(target_unknown(kind, id)),
        }
    }

    async fn verify_credential(&self, cx: &ToolCx) -> Result<(), Error> {
        self.api.verify(cx).await
    }
}
