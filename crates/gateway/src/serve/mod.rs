//! The listener: HTTP/1.1 and HTTP/2 on one port, plain or under TLS of our own, TCP_NODELAY (else a streamed reply waits
//! 44 ms), limits on every connection, and a shutdown that lets open requests finish.
//!
//! Next: [`admission`] for who gets a connection, [`tls`] for certificates, [`guarded`] for what a connection may do with
//! its time and what it is told, [`unread`] for bodies that no handler read, [`frames`] for HTTP/2 floods, [`words`] for
//! refusals where no handler can answer.

mod admission;
pub(crate) mod frames;
mod guarded;
pub(crate) mod tls;
mod unread;
pub(crate) mod words;

use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{ConnectInfo, Request};
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use platform::audit_refusals::RefusalCounter;
use platform::config::{Config, LimitsConfig};
use platform::telemetry::Metrics;
use platform::tokens::ClientCertificate;
use platform::{Result, SharedClock};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::ServiceExt as _;

pub(crate) use self::admission::bucket;
use self::admission::{Admission, Admitted, Full};
use self::guarded::{Guarded, Watch};
use self::tls::{Hello, Tls, TlsFiles};

/// Most bytes of a request's head, and of what is read ahead of a body.
const MAX_HEAD: usize = 64 << 10;
/// How often a silent HTTP/2 peer is asked whether it is still there, and how long it may take to say so.
const PING: Duration = Duration::from_secs(20);
/// How many connections are told at the same time why they are not taken.
const FAREWELLS: usize = 256;

/// What a connection may do.
#[derive(Debug, Clone)]
pub struct ConnectionLimits {
    /// Open connections at once.
    pub connections: usize,
    /// Open connections of one source address; proxies that are trusted have no such bound.
    pub connections_per_source: usize,
    /// How long a client may take for a TLS handshake, and to send the head of a request.
    pub head: Duration,
    /// How long a connection may stay without a request.
    pub idle: Duration,
    /// How long a client may refuse to take a single byte of its reply.
    pub stalled: Duration,
    /// Networks whose connections carry many people's requests (T2).
    pub trusted_proxies: Vec<ipnet::IpNet>,
}

impl ConnectionLimits {
    /// As the configuration has them.
    fn configured(limits: &LimitsConfig, trusted_proxies: Vec<ipnet::IpNet>) -> Self {
        Self {
            connections: limits.max_connections,
            connections_per_source: limits.max_connections_per_source,
            head: Duration::from_secs(limits.headers_timeout_s.max(1)),
            idle: Duration::from_secs(limits.idle_timeout_s.max(1)),
            trusted_proxies,
            ..Self::default()
        }
    }
}

impl Default for ConnectionLimits {
    fn default() -> Self {
        Self {
            connections: 4_096,
            connections_per_source: 1_024,
            head: Duration::from_secs(10),
            idle: Duration::from_secs(75),
            stalled: Duration::from_secs(30),
            trusted_proxies: Vec::new(),
        }
    }
}

/// How to serve, and how to stop.
#[derive(Clone)]
pub struct Serving {
    /// Ends the accepting of connections and lets open requests finish.
    pub stop: CancellationToken,
    /// Longest time for that.
    pub drain: Duration,
    /// Bounds of every connection.
    pub limits: ConnectionLimits,
    /// Numbers.
    pub metrics: Arc<Metrics>,
    /// What is refused before a principal is known (T25).
    pub refusals: Arc<RefusalCounter>,
    /// TLS that ends here; nothing means plain HTTP.
    pub tls: Option<Arc<Tls>>,
}

impl Serving {
    /// As the configuration has it. Errors: `tls_files_missing`, `tls_files_unusable`.
    pub fn configured(
        config: &Config,
        trusted_proxies: Vec<ipnet::IpNet>,
        clock: &SharedClock,
        metrics: Arc<Metrics>,
        refusals: Arc<RefusalCounter>,
    ) -> Result<Self> {
        let load = |files| Tls::load(files, Arc::clone(clock), Arc::clone(&metrics)).map(Arc::new);
        let tls = TlsFiles::configured(&config.platform)?.map(load).transpose()?;
        let limits = ConnectionLimits::configured(&config.limits, trusted_proxies);
        let drain = Duration::from_secs(config.platform.drain_s);
        Ok(Self { stop: CancellationToken::new(), drain, limits, metrics, refusals, tls })
    }
}

/// What all connections of a listener share.
struct Shared {
    serving: Serving,
    router: Router,
    builder: Builder<TokioExecutor>,
    /// Ends what did not finish in time.
    cut: CancellationToken,
    /// Connections that are told why they are not taken.
    farewells: Arc<Semaphore>,
}

impl Shared {
    /// Counts a refusal where no request ever reached a handler.
    fn refused(&self, peer: SocketAddr, code: &'static str) {
        self.serving.metrics.edge_refused(code);
        self.serving.refusals.count(peer.ip(), code);
    }
}

/// Serves until told to stop, then drains.
pub async fn serve(listener: TcpListener, router: Router, serving: Serving) {
    let admission = Admission::new(&serving.limits, Arc::clone(&serving.metrics));
    let (stop, drain) = (serving.stop.clone(), serving.drain);
    let farewells = Arc::new(Semaphore::new(FAREWELLS));
    let shared = Arc::new(Shared { builder: builder(), router, serving, cut: CancellationToken::new(), farewells });
    let open = TaskTracker::new();
    if let Some(tls) = shared.serving.tls.clone() {
        let stop = stop.clone();
        open.spawn(async move { tls.watch(stop).await });
    }
    loop {
        let (stream, peer) = tokio::select! {
            () = stop.cancelled() => break,
            accepted = listener.accept() => match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    // Out of file descriptors and the like: wait a moment instead of spinning.
                    tracing::warn!(error.message = %error, "a connection could not be accepted");
                    tokio::time::sleep(Duration::from_millis(50)).await;
                    continue;
                }
            },
        };
        match admission.admit(peer.ip()) {
            Ok(admitted) => {
                let connection = connection(Arc::clone(&shared), stream, peer, admitted);
                let cut = shared.cut.clone();
                open.spawn(async move { cut.run_until_cancelled(connection).await });
            }
            Err(full) => turn_away(&shared, stream, peer, full),
        }
    }
    drop(listener);
    open.close();
    if tokio::time::timeout(drain, open.wait()).await.is_err() {
        tracing::warn!("open requests did not finish in time; they are cut off");
        shared.cut.cancel();
        open.wait().await;
    }
}

fn builder() -> Builder<TokioExecutor> {
    let mut builder = Builder::new(TokioExecutor::new());
    // The time of a head is `guarded`'s: hyper would count idle time as part of it and close without a word.
    builder.http1().timer(TokioTimer::new()).header_read_timeout(None).max_buf_size(MAX_HEAD);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_header_list_size(32 << 10)
        .max_concurrent_streams(128)
        // Streams that were reset before they were looked at (CVE-2023-44487), and resets that we owe to broken frames.
        .max_pending_accept_reset_streams(Some(20))
        .max_local_error_reset_streams(Some(64))
        .max_send_buf_size(256 << 10)
        .keep_alive_interval(Some(PING))
        .keep_alive_timeout(PING);
    builder
}

/// Says why, as far as one packet can, and closes. Under TLS, closing has to say enough.
fn turn_away(shared: &Arc<Shared>, mut stream: TcpStream, peer: SocketAddr, full: Full) {
    shared.refused(peer, full.code());
    if shared.serving.tls.is_some() {
        return;
    }
    // Those who are told are few: this must not become the place where connections are held.
    let Ok(permit) = Arc::clone(&shared.farewells).try_acquire_owned() else { return };
    tokio::spawn(async move {
        let words = words::answer(full.refusal());
        let told = async {
            let mut unread = [0; 4096];
            // Read on for a moment, or a reset would overtake the words.
            let told = stream.write_all(&words).await.is_ok() && stream.shutdown().await.is_ok();
            while told && stream.read(&mut unread).await.is_ok_and(|n| n > 0) {}
        };
        drop(tokio::time::timeout(Duration::from_secs(1), told).await);
        drop(permit);
    });
}

async fn connection(shared: Arc<Shared>, stream: TcpStream, peer: SocketAddr, admitted: Admitted) {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(error.message = %error, "TCP_NODELAY could not be set");
    }
    match &shared.serving.tls {
        None => drive(&shared, stream, peer, None).await,
        // In a place of its own, which an established connection gives back.
        Some(tls) => match Box::pin(tls.accept(stream, shared.serving.limits.head)).await {
            Hello::Secure { stream, client } => drive(&shared, *stream, peer, client).await,
            Hello::Refused(code) => shared.refused(peer, code),
        },
    }
    drop(admitted);
}

async fn drive<IO>(shared: &Arc<Shared>, io: IO, peer: SocketAddr, client: Option<ClientCertificate>)
where
    IO: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let teller = Arc::clone(shared);
    let watch = Arc::new(Watch::new(move |code| teller.refused(peer, code)));
    let io = Guarded::new(io, shared.serving.limits.clone(), Arc::clone(&watch));
    let service = requests(shared.router.clone(), peer, client, Arc::clone(&watch));
    let mut connection = pin!(shared.builder.serve_connection_with_upgrades(TokioIo::new(io), service));
    let mut going_on = true;
    let outcome = loop {
        tokio::select! {
            outcome = connection.as_mut() => break outcome,
            () = shared.serving.stop.cancelled(), if going_on => {}
            () = watch.idle.notified(), if going_on => {}
        }
        going_on = false;
        connection.as_mut().graceful_shutdown();
    };
    if let Err(error) = outcome {
        tracing::debug!(error.message = %error, "a connection ended early");
    }
}

fn requests(
    router: Router,
    peer: SocketAddr,
    client: Option<ClientCertificate>,
    watch: Arc<Watch>,
) -> impl hyper::service::Service<
    Request<Incoming>,
    Response = axum::response::Response,
    Error = std::convert::Infallible,
    Future: Send,
> + Clone {
    hyper::service::service_fn(move |request: Request<Incoming>| {
        let (router, open) = (router.clone(), watch.begin());
        async move {
            let (mut request, unread) = unread::lend(request);
            request.extensions_mut().insert(ConnectInfo(peer));
            if let Some(client) = client {
                request.extensions_mut().insert(client);
            }
            let mut response = router.oneshot(request).await?;
            if let Some(unread) = unread {
                unread.settle(&mut response, &open);
            }
            // The request is open until its reply is read.
            Ok(response.map(|body| Body::new(guarded::Held::new(body, open))))
        }
    })
}
