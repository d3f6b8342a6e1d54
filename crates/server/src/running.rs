//! From composed parts to a process that serves, and to its orderly end: stop accepting, finish open calls, write what
//! is counted, close the audit log.

use std::sync::Arc;
use std::time::Duration;

use platform::audit::{AuditEntry, AuditLog, Outcome};
use platform::{Error, Result};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::compose::Composed;

/// Serves until SIGTERM or SIGINT. `ready` is called once requests are answered.
pub(crate) async fn run(
    composed: Composed,
    listener: TcpListener,
    drain: Duration,
    ready: impl AsyncFnOnce(&Composed) -> Result<()>,
) -> Result<()> {
    let mut terminate = signal(SignalKind::terminate()).map_err(Error::internal)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(Error::internal)?;
    let stop = CancellationToken::new();
    let counting = tokio::spawn({
        let (refusals, stop) = (Arc::clone(&composed.refusals), stop.clone());
        async move { refusals.run(stop).await }
    });
    let mut hang_up = signal(SignalKind::hangup()).map_err(Error::internal)?;
    let watching = composed.tls.clone().map(|tls| {
        let stop = stop.clone();
        tokio::spawn(async move {
            let by_signal = async {
                while hang_up.recv().await.is_some() {
                    // Told where it is read; the certificates in use stay if the new ones cannot be used.
                    drop(tls.reload());
                }
            };
            tokio::select! {
                () = tls.watch(stop) => {}
                () = by_signal => {}
            }
        })
    });
    let how = gateway::Serving {
        stop: stop.clone(),
        drain,
        limits: composed.limits.clone(),
        metrics: Arc::clone(&composed.metrics),
        refusals: Arc::clone(&composed.refusals),
        tls: composed.tls.clone(),
    };
    let serving = tokio::spawn(gateway::serve(listener, composed.router.clone(), how));
    composed.audit.append(AuditEntry::event(composed.clock.now(), "platform.started", Outcome::Success)).await?;
    let started = ready(&composed).await;
    if started.is_ok() {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        tracing::info!("stopping: open calls are finished first");
    }
    stop.cancel();
    composed.endpoints.end_streams();
    serving.await.map_err(Error::internal)?;
    if let Some(watching) = watching {
        watching.await.map_err(Error::internal)?;
    }
    let drained = tokio::time::timeout(drain, async {
        composed.endpoints.drain().await;
        composed.pipeline.drain().await;
    });
    if drained.await.is_err() {
        tracing::warn!("writes were still under way at the end; the next start settles them as unknown");
    }
    counting.await.map_err(Error::internal)??;
    composed.audit.append(AuditEntry::event(composed.clock.now(), "platform.stopped", Outcome::Success)).await?;
    composed.audit.close().await?;
    started
}
