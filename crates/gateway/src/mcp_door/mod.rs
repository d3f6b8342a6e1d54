//! The MCP door: the endpoints below `/mcp`, each a protected resource of its own (T1), each answering through the
//! pipeline.
//!
//! - `/mcp/<server>`: one server instance
//! - `/mcp/<server>/readonly` and `/mcp/<server>/x/<toolset>`: the same, narrowed; what is not shown there does not exist
//!   there
//! - `/mcp`: all servers behind at most 40 names
//!
//! Where to go next: `view` for which endpoints there are and what things are called there, `handler` for calls,
//! `aggregate` for `/mcp`, `text` for what a model reads, `resources`, `prompts`, `completion` and `tasks` for what goes
//! with tools.

mod aggregate;
mod completion;
mod describe;
mod handler;
mod prompts;
mod resources;
mod tasks;
mod text;
mod view;
mod waiting;

use std::sync::Arc;

use axum::Router;
use axum::middleware::from_fn_with_state;
use mcp::{CallHandler, Endpoint, EndpointOptions};
use platform::context::Protocol;
use platform::resource::Resource;

use self::handler::ViewHandler;
pub(crate) use self::view::{endpoints, title};
use crate::Gateway;
use crate::edge::{Door, authenticate};
use crate::step_up;

/// The endpoints, for the shutdown.
pub struct Endpoints(Vec<Endpoint>);

impl Endpoints {
    /// Ends the open streams of changes, so that a shutdown does not wait for those who only listen.
    pub fn end_streams(&self) {
        for endpoint in &self.0 {
            endpoint.end_streams();
        }
    }

    /// Waits until the calls under way have ended.
    pub async fn drain(&self) {
        for endpoint in &self.0 {
            endpoint.drain().await;
        }
    }
}

pub(crate) fn router(gateway: &Arc<Gateway>) -> (Router, Endpoints) {
    let catalogue = gateway.parts.pipeline.visibility().catalogue();
    let mut router = Router::new();
    let mut served = Vec::new();
    let mut serve = |resource: Resource, handler: Arc<dyn CallHandler>| {
        let options = EndpointOptions { max_body: gateway.parts.options.max_body, ..EndpointOptions::default() };
        let endpoint = mcp::endpoint(handler, options);
        router = std::mem::take(&mut router).merge(route(gateway, resource, &endpoint));
        served.push(endpoint);
    };
    for resource in endpoints(&catalogue) {
        let handler = ViewHandler::new(resource.clone(), gateway);
        serve(resource, Arc::new(handler));
    }
    for (name, handler) in &gateway.parts.fixtures {
        serve(Resource::McpServer(name.clone()), Arc::clone(handler));
    }
    (router, Endpoints(served))
}

/// An endpoint at its resource's path, behind that resource's own authentication.
fn route(gateway: &Arc<Gateway>, resource: Resource, endpoint: &Endpoint) -> Router {
    let path = resource.path();
    let door = Door { gateway: Arc::clone(gateway), resource, protocol: Protocol::Mcp };
    Router::new()
        .route_service(&path, endpoint.clone())
        .layer((from_fn_with_state(door, authenticate), from_fn_with_state(Arc::clone(gateway), step_up::answer)))
}
