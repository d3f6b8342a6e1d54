//! From composed parts to a process that serves, and to its orderly end: stop accepting, finish open calls, write what
//! is counted, close the audit log.

use std::sync::Arc;
use std::time::Duration;

use gateway::Serving;
use platform::audit::{AuditEntry, AuditLog, Outcome};
use platform::{Error, Result};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

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
    let how = Serving { drain, ..composed.serving.clone() };
    let stop = how.stop.clone();
    let counting = tokio::spawn({
        let (refusals, stop) = (Arc::clone(&composed.refusals), stop.clone());
        async move { refusals.run(stop).await }
    });
    let sweeping = tokio::spawn({
        let (artifacts, audit, stop) = (Arc::clone(&composed.artifacts), Arc::clone(&composed.audit), stop.clone());
        async move { artifacts.run(audit.as_ref(), stop).await }
    });
    let driving = composed.runs.drive().await?;
    let refreshing = tokio::spawn(Arc::clone(&composed.pipeline).refresh_targets(stop.clone()));
    let telling = composed.issuer.clone().map(|issuer| {
        let stop = stop.clone();
        tokio::spawn(async move { issuer.run(stop).await })
    });
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
    driving.stop(drain).await;
    let drained = tokio::time::timeout(drain, async {
        composed.endpoints.drain().await;
        composed.pipeline.drain().await;
    });
    if drained.await.is_err() {
        tracing::warn!("writes were still under way at the end; the next start settles them as unknown");
    }
    if let Some(telling) = telling {
        telling.await.map_err(Error::internal)?;
    }
    refreshing.await.map_err(Error::internal)?;
    sweeping.await.map_err(Error::internal)?;
    counting.await.map_err(Error::internal)??;
    composed.audit.append(AuditEntry::event(composed.clock.now(), "platform.stopped", Outcome::Success)).await?;
    composed.audit.close().await?;
    started
}
