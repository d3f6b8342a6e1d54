//! From a thread that may block to what runs on the async runtime: the threads of the log ask the store and the replica
//! through it, and never wait longer than they must. Next: [`crate::registry`].

use std::sync::mpsc::sync_channel;
use std::time::Duration;

use platform::error::{Error, ErrorKind};
use tokio::runtime::Handle;

use crate::error::AuditFault;

/// How long a thread of the log waits for one answer.
pub(crate) const PATIENCE: Duration = Duration::from_secs(15);

/// A way to one runtime.
#[derive(Debug, Clone)]
pub(crate) struct Bridge(Handle);

impl Bridge {
    /// To the runtime that this is called on.
    pub(crate) fn here() -> Self {
        Self(Handle::current())
    }

    /// Runs `work` there and waits for it. The calling thread must not be one of the runtime's own. Work that was not done
    /// in time goes on by itself; whoever asks again must find out what came of it.
    pub(crate) fn wait<T: Send + 'static>(
        &self,
        work: impl Future<Output = Result<T, AuditFault>> + Send + 'static,
    ) -> Result<T, AuditFault> {
        let (said, answer) = sync_channel(1);
        self.0.spawn(async move {
            // Nobody listens any more when the waiting thread gave up.
            drop(said.send(work.await));
        });
        answer.recv_timeout(PATIENCE).unwrap_or_else(|_| {
            Err(AuditFault::Store(Error::new(
                ErrorKind::Unavailable,
                "audit_unavailable",
                "What keeps the audit beside its file did not answer in time; try again.",
            )))
        })
    }
}
