//! Trouble with the file: tried again for as long as it takes, and told to whoever asks how the engine is.

use std::time::Duration;

use tokio::sync::watch;

use crate::error::JournalError;

const FIRST_WAIT: Duration = Duration::from_millis(100);
const LONGEST_WAIT: Duration = Duration::from_secs(5);

/// What the engine cannot do just now. Clones share it.
#[derive(Clone, Debug)]
pub(crate) struct Trouble(watch::Sender<Option<String>>);

impl Trouble {
    pub(crate) fn none() -> Self {
        Self(watch::Sender::new(None))
    }

    pub(crate) fn watch(&self) -> watch::Receiver<Option<String>> {
        self.0.subscribe()
    }

    pub(crate) fn report(&self, what: &str, error: &JournalError) {
        tracing::error!(%error, what, "the workflow journal cannot be used");
        self.0.send_replace(Some(format!("{what}: {error}")));
    }

    pub(crate) fn over(&self) {
        self.0.send_if_modified(|said| said.take().is_some());
    }

    /// Waits as long as the `failures`th failure in a row asks for.
    pub(crate) async fn wait(failures: u32) {
        let wait = FIRST_WAIT.saturating_mul(2_u32.saturating_pow(failures.saturating_sub(1))).min(LONGEST_WAIT);
        tokio::time::sleep(wait).await;
    }

    /// Does it until the file lets it. Error: what no further try would mend.
    pub(crate) async fn insist<T, F>(&self, what: &str, job: impl Fn() -> F) -> Result<T, JournalError>
    where
        F: Future<Output = Result<T, JournalError>>,
    {
        let mut failures = 0;
        loop {
            match job().await {
                Err(error @ JournalError::File(_)) => {
                    failures += 1;
                    self.report(what, &error);
                    Self::wait(failures).await;
                }
                Ok(done) => {
                    if failures > 0 {
                        self.over();
                    }
                    return Ok(done);
                }
                Err(error) => return Err(error),
            }
        }
    }
}
