//! The HTTP face of a server: a tower service to mount at one path, behind the edge.
//!
//! The edge has authenticated, checked `Host` and `Origin` and set a deadline; it puts an `Arc<CallContext>` (or a
//! `CallContext`) into the extensions. Without one nothing is served. Set TCP_NODELAY on the listener.
//! Next: `screen` for what happens to a request first.

use std::convert::Infallible;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use futures_util::future::BoxFuture;
use http::{Request, Response, header};
use http_body_util::BodyExt as _;
use platform::{CallContext, Json};
use rmcp::transport::streamable_http_server::session::never::NeverSessionManager;
use rmcp::transport::streamable_http_server::{StreamableHttpServerConfig, StreamableHttpService};
use serde_json::json;

use crate::bridge::{Bridge, Shared};
use crate::error::Fault;
use crate::fast_call;
use crate::handler::CallHandler;
use crate::revision::Revision;
use crate::screen;

/// The filter directive that an installation's log must carry: rmcp writes arguments and results at `debug` and the data
/// of errors at `warn`.
pub const LOG_DIRECTIVE: &str = "rmcp=error";

/// What can be set per endpoint.
#[derive(Debug, Clone)]
pub struct EndpointOptions {
    /// The revisions to serve. One that is switched off looks as if this server had never known it.
    pub revisions: Vec<Revision>,
    /// Largest request body in bytes.
    pub max_body: usize,
    /// How long a client may keep a list of tools (`ttlMs`, revision 2026-07-28).
    pub list_ttl: Duration,
    /// How long one `subscriptions/listen` lasts; then the caller comes back with a token that is checked again.
    pub longest_stream: Duration,
    /// Whether plain calls go around rmcp. Off only to compare the two ways.
    pub fast_calls: bool,
}

impl Default for EndpointOptions {
    /// All revisions, 1 MiB, lists for 60 s, streams for 5 minutes.
    fn default() -> Self {
        Self {
            revisions: Revision::ALL.to_vec(),
            max_body: 1024 * 1024,
            list_ttl: Duration::from_secs(60),
            longest_stream: Duration::from_secs(300),
            fast_calls: true,
        }
    }
}

/// An MCP server at one path; cheap to clone. Mount with `Router::route_service`.
#[derive(Clone)]
pub struct Endpoint {
    shared: Arc<Shared>,
    rmcp: StreamableHttpService<Bridge, NeverSessionManager>,
}

/// Builds the endpoint for one server.
pub fn endpoint(handler: Arc<dyn CallHandler>, options: EndpointOptions) -> Endpoint {
    let legacy = options.revisions.iter().any(|r| r.is_legacy());
    let config = StreamableHttpServerConfig::default()
        // The edge checks both, with the public host name that only it knows.
        .disable_allowed_hosts()
        .disable_allowed_origins()
        .with_legacy_session_mode(false)
        .with_json_response(true)
        .with_max_request_body_bytes(options.max_body)
        .with_stateless_protocol_metadata_required(!legacy);
    let shared = Arc::new(Shared::new(handler, options));
    let bridge = Bridge(Arc::clone(&shared));
    let rmcp = StreamableHttpService::new(move || Ok(bridge.clone()), Arc::new(NeverSessionManager::default()), config);
    Endpoint { shared, rmcp }
}

impl Endpoint {
    /// Answers one HTTP request.
    pub async fn serve(&self, request: Request<Body>) -> Response<Body> {
        match self.try_serve(request).await {
            Ok(response) => response,
            Err(fault) => fault.into_response(),
        }
    }

    /// Ends the open streams, each with its result. Call it when the shutdown begins: a listener that waits for its
    /// connections would wait for them.
    pub fn end_streams(&self) {
        self.shared.stopping.cancel();
    }

    /// Waits until the calls under way have ended, also those whose callers hung up. Call it after the listener stopped.
    pub async fn drain(&self) {
        self.end_streams();
        self.shared.tracker.close();
        self.shared.tracker.wait().await;
    }

    async fn try_serve(&self, mut request: Request<Body>) -> Result<Response<Body>, Fault> {
        let streams = screen::head(&mut request)?;
        let (mut parts, body) = request.into_parts();
        let cx = match parts.extensions.get::<Arc<CallContext>>() {
            Some(cx) => Arc::clone(cx),
            None => {
                let cx = Arc::new(parts.extensions.remove::<CallContext>().ok_or_else(Fault::no_context)?);
                parts.extensions.insert(Arc::clone(&cx));
                cx
            }
        };
        let body = screen::read(body, self.shared.options.max_body).await?;
        let message = screen::message(&body)?;
        let served = &self.shared.options.revisions;
        screen::version(&parts.headers, &message, served).map_err(|f| f.with_id(message.id.clone()))?;
        screen::stream(&parts.headers, &message, streams.is_some()).map_err(|f| f.with_id(message.id.clone()))?;
        if let Some(accepted) = streams {
            parts.extensions.insert(accepted);
        }
        let id = message.id.clone();
        if self.shared.options.fast_calls
            && let Some(fast) = fast_call::plain(&self.shared, &parts.headers, message)
        {
            return fast_call::answer(&self.shared, cx, fast).await;
        }
        let response = self.rmcp.handle(Request::from_parts(parts, http_body_util::Full::<Bytes>::new(body))).await;
        in_our_words(response.map(Body::new)).await.map_err(|fault| fault.with_id(id))
    }
}

/// Every refusal is JSON-RPC and has a code of ours; rmcp answers some with plain text and most without a code.
async fn in_our_words(response: Response<Body>) -> Result<Response<Body>, Fault> {
    let status = response.status();
    let json =
        response.headers().get(header::CONTENT_TYPE).is_some_and(|t| t.as_bytes().starts_with(b"application/json"));
    if !json && (status.is_client_error() || status.is_server_error()) {
        return Err(Fault::http(status, "bad_request", "The request does not follow the protocol's rules for HTTP."));
    }
    if !json {
        return Ok(response);
    }
    let (mut parts, body) = response.into_parts();
    // Written already: rmcp hands over a JSON answer whole.
    let bytes = body.collect().await.map_err(|_| Fault::unwritable())?.to_bytes();
    let bytes = match with_code(&bytes) {
        Some(coded) => {
            parts.headers.remove(header::CONTENT_LENGTH);
            Bytes::from(coded)
        }
        None => bytes,
    };
    Ok(Response::from_parts(parts, Body::from(bytes)))
}

/// A JSON-RPC error with our code for its code; nothing where it has one, or is no error.
fn with_code(body: &[u8]) -> Option<Vec<u8>> {
    const ERROR: &[u8] = br#""error":{"#;
    // The library's own errors are short; a result that quotes the word is read and left alone.
    if body.len() > 8 * 1024 || !body.windows(ERROR.len()).any(|w| w == ERROR) {
        return None;
    }
    let mut message: Json = serde_json::from_slice(body).ok()?;
    let error = message.get_mut("error")?.as_object_mut()?;
    let code = match error.get("code")?.as_i64()? {
        -32_020 => "header_mismatch",
        -32_021 => "client_capability_missing",
        -32_022 => "unsupported_protocol_version",
        -32_601 => "unknown_method",
        -32_602 => "invalid_params",
        -32_603 => "internal_error",
        _ => "bad_request",
    };
    let data = error.entry("data").or_insert_with(|| json!({})).as_object_mut()?;
    if data.contains_key("code") {
        return None;
    }
    data.insert("code".to_owned(), Json::from(code));
    serde_json::to_vec(&message).ok()
}

impl tower::Service<Request<Body>> for Endpoint {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let endpoint = self.clone();
        Box::pin(async move { Ok(endpoint.serve(request).await) })
    }
}
