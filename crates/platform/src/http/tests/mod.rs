//! Both clients against real servers on loopback: `target` for faults, retries and the breaker, `encrypted` for TLS,
//! `foreign` for URLs from outside. The server here plays back a list of faults and counts what reached it.

mod encrypted;
mod foreign;
mod target;

use std::collections::VecDeque;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Body;
use axum::extract::{Request as Incoming, State};
use axum::response::Response as Reply;
use bytes::Bytes;
use futures_util::{StreamExt, stream};
use http::Method;
use tokio::net::TcpListener;
use url::Url;

use super::Request;

/// What the server does with one request.
#[derive(Debug, Clone)]
pub(super) enum Play {
    /// Status and headers, with a short body.
    Answer(u16, Vec<(&'static str, String)>),
    /// This many bytes with a length announced.
    Sized(usize),
    /// Bytes without end, no length announced.
    Endless,
    /// Never answers.
    Silence,
    /// Announces more than it sends, then hangs up.
    Cut,
}

impl Play {
    pub(super) fn status(status: u16) -> Self {
        Self::Answer(status, Vec::new())
    }
}

/// A server that plays its list, and then answers 200.
#[derive(Clone)]
pub(super) struct Server {
    pub(super) address: SocketAddr,
    plays: Arc<Mutex<VecDeque<Play>>>,
    hits: Arc<AtomicUsize>,
    paths: Arc<Mutex<Vec<String>>>,
}

impl Server {
    pub(super) async fn start(plays: impl IntoIterator<Item = Play>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let server = Self {
            address: listener.local_addr().unwrap(),
            plays: Arc::new(Mutex::new(plays.into_iter().collect())),
            hits: Arc::default(),
            paths: Arc::default(),
        };
        let app = server.router();
        tokio::spawn(async move { axum::serve(listener, app).await });
        server
    }

    /// The same list behind any listener.
    pub(super) fn router(&self) -> Router {
        Router::new().fallback(play).with_state(self.clone())
    }

    pub(super) fn url(&self) -> Url {
        Url::parse(&format!("http://{}", self.address)).unwrap()
    }

    pub(super) fn hits(&self) -> usize {
        self.hits.load(Ordering::SeqCst)
    }

    pub(super) fn paths(&self) -> Vec<String> {
        self.paths.lock().unwrap().clone()
    }
}

async fn play(State(server): State<Server>, incoming: Incoming) -> Reply {
    server.hits.fetch_add(1, Ordering::SeqCst);
    server.paths.lock().unwrap().push(incoming.uri().to_string());
    let next = server.plays.lock().unwrap().pop_front().unwrap_or(Play::status(200));
    match next {
        Play::Answer(status, headers) => {
            let mut reply = Reply::builder().status(status);
            for (name, value) in headers {
                reply = reply.header(name, value);
            }
            reply.body(Body::from("hello")).unwrap()
        }
        Play::Sized(bytes) => Reply::new(Body::from(vec![b'x'; bytes])),
        Play::Endless => Reply::new(chunks(usize::MAX)),
        Play::Silence => std::future::pending().await,
        Play::Cut => Reply::builder().header("content-length", "1000").body(chunks(3)).unwrap(),
    }
}

/// Chunks of 100 bytes, without an announced length.
fn chunks(count: usize) -> Body {
    Body::from_stream(stream::repeat_with(|| Ok::<_, Infallible>(Bytes::from_static(&[b'x'; 100]))).take(count))
}

/// A deadline that no test waits for.
pub(super) fn far() -> Instant {
    Instant::now() + Duration::from_secs(60)
}

pub(super) fn get(path: &str) -> Request {
    Request::new(Method::GET, path, far())
}
