//! How simulators answer on a socket: HTTP/1.1 over loopback, with the faults of the wire in front of the routes. Own
//! accept loop, because a fault must be able to close a connection without an answer.
//!
//! Where next: [`crate::faults`].

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::http::{HeaderValue, Request, Response, StatusCode, header};
use futures_util::StreamExt as _;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tower::ServiceExt;

use crate::faults::{Fault, Faults, Occasion};

/// How a system words the refusals that a fault forces; vendors differ.
pub trait Wording: Send + Sync + 'static {
    /// The answer to a refused request; `token` is what the caller sent, to be treated as dead when the fault says so.
    fn refuse(&self, fault: Fault, request: &Request<Body>) -> Response<Body>;
}

/// A server that runs until it is told to stop.
#[derive(Debug)]
pub struct Running {
    /// `http://127.0.0.1:PORT`.
    pub url: String,
    /// The bound address.
    pub address: SocketAddr,
    stop: watch::Sender<bool>,
    task: tokio::task::JoinHandle<()>,
}

impl Running {
    /// Stops accepting, closes what is open, and waits for the loop to end.
    pub async fn shutdown(self) {
        self.stop.send_replace(true);
        if let Err(error) = self.task.await {
            tracing::warn!(%error, "the accept loop ended badly");
        }
    }
}

/// Serves `router` as `system`, on loopback only.
///
/// # Errors
/// When the address cannot be bound, or is not loopback.
pub async fn serve(
    system: String,
    listen: SocketAddr,
    router: Router,
    faults: Arc<Faults>,
    wording: Arc<dyn Wording>,
) -> io::Result<Running> {
    if !listen.ip().is_loopback() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "the lab listens on loopback only"));
    }
    let listener = TcpListener::bind(listen).await?;
    let address = listener.local_addr()?;
    let (stop, stopped) = watch::channel(false);
    let front = Arc::new(Front { system, router, faults, wording });
    let task = tokio::spawn(accept(listener, front, stopped));
    Ok(Running { url: format!("http://{address}"), address, stop, task })
}

struct Front {
    system: String,
    router: Router,
    faults: Arc<Faults>,
    wording: Arc<dyn Wording>,
}

async fn accept(listener: TcpListener, front: Arc<Front>, mut stopped: watch::Receiver<bool>) {
    loop {
        let stream = tokio::select! {
            _ = stopped.changed() => return,
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => stream,
                Err(error) => {
                    tracing::warn!(%error, "a connection could not be accepted");
                    tokio::time::sleep(Duration::from_millis(20)).await;
                    continue;
                }
            },
        };
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "no TCP_NODELAY");
        }
        let front = Arc::clone(&front);
        let mut stopped = stopped.clone();
        tokio::spawn(async move {
            let service = service_fn(move |request: Request<Incoming>| {
                let front = Arc::clone(&front);
                async move { front.answer(request.map(Body::new)).await }
            });
            let mut server = hyper::server::conn::http1::Builder::new();
            server.timer(TokioTimer::new()).header_read_timeout(Duration::from_secs(30));
            let connection = server.serve_connection(TokioIo::new(stream), service);
            tokio::pin!(connection);
            // A connection that a fault closes ends with an error; that is its purpose.
            tokio::select! {
                ended = connection.as_mut() => if let Err(error) = ended { tracing::debug!(%error, "a connection ended"); },
                _ = stopped.changed() => {}
            }
        });
    }
}

/// Closes the connection without an answer.
#[derive(Debug, thiserror::Error)]
#[error("the connection is closed on purpose")]
struct Closed;

impl Front {
    async fn answer(&self, request: Request<Body>) -> Result<Response<Body>, Closed> {
        let (method, path) = (request.method().as_str().to_owned(), request.uri().path().to_owned());
        let occasion = Occasion { system: &self.system, method: &method, path: &path, device: &[] };
        let Some(fault) = self.faults.take_wire(occasion) else { return Ok(self.route(request).await) };
        tracing::info!(system = self.system, method, path, ?fault, "a fault is used");
        match fault {
            Fault::Latency { ms, done: true } => {
                let answer = self.route(request).await;
                tokio::time::sleep(Duration::from_millis(ms)).await;
                Ok(answer)
            }
            Fault::Latency { ms, done: false } => {
                tokio::time::sleep(Duration::from_millis(ms)).await;
                Ok(self.route(request).await)
            }
            Fault::Hang { ms } => {
                tokio::time::sleep(Duration::from_millis(ms)).await;
                Err(Closed)
            }
            Fault::ReplyLost => {
                let answer = self.route(request).await;
                tracing::debug!(status = answer.status().as_u16(), "an answer is dropped");
                Err(Closed)
            }
            Fault::Garbage => {
                let mut answer = self.route(request).await;
                *answer.status_mut() = StatusCode::OK;
                answer.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("text/html"));
                answer.headers_mut().remove(header::CONTENT_LENGTH);
                *answer.body_mut() = Body::from(
                    &b"<html><head><title>Maintenance</title></head><body>\xFF\xFE{\"response\": </body></html>"[..],
                );
                Ok(answer)
            }
            Fault::Truncation => self.truncated(request).await,
            _ => Ok(self.wording.refuse(fault, &request)),
        }
    }

    async fn route(&self, request: Request<Body>) -> Response<Body> {
        match self.router.clone().oneshot(request).await {
            Ok(answer) => answer,
            Err(never) => {
                let _: Infallible = never;
                Response::new(Body::empty())
            }
        }
    }

    async fn truncated(&self, request: Request<Body>) -> Result<Response<Body>, Closed> {
        let (mut parts, body) = self.route(request).await.into_parts();
        let bytes = axum::body::to_bytes(body, 64 << 20).await.map_err(|_| Closed)?;
        let half = bytes.slice(..bytes.len() / 2);
        parts.headers.insert(header::CONTENT_LENGTH, HeaderValue::from(bytes.len()));
        // The pause lets the head and the first half leave before the connection breaks.
        let broken = futures_util::stream::once(async {
            tokio::time::sleep(Duration::from_millis(50)).await;
            Err(io::Error::other("cut off on purpose"))
        });
        let pieces = futures_util::stream::iter([Ok::<Bytes, io::Error>(half)]).chain(broken);
        Ok(Response::from_parts(parts, Body::from_stream(pieces)))
    }
}
