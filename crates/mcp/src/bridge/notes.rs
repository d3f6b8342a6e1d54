//! What a running call says before its answer: progress and log messages, carried from the handler to the caller.
//!
//! MCP "Progress": only for the token that the caller gave, rising, none after the answer, not too many. The handler
//! never waits: it leaves a note, and [`Notes::forward`] sends notes while the call runs. Next: `call`.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rmcp::RoleServer;
use rmcp::model::{ProgressNotificationParam, ProgressToken};
use rmcp::service::Peer;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};

use crate::logging::{Log, LogLevel, LogMessage};
use crate::progress::{Progress, ProgressReport};

/// Reports of one call a caller gets at once, and how long until it gets one more.
const AT_ONCE: u32 = 20;
const APART: Duration = Duration::from_millis(100);
/// Notes that wait to be sent. Beyond, only the newest report is kept.
const WAITING: usize = 128;

enum Note {
    Progress(ProgressReport),
    Log(LogMessage),
}

#[derive(Default)]
struct Queue {
    notes: Mutex<VecDeque<Note>>,
    wake: Notify,
}

impl Queue {
    fn notes(&self) -> MutexGuard<'_, VecDeque<Note>> {
        // Nothing can panic while it is held.
        self.notes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn leave(&self, note: Note) {
        let mut notes = self.notes();
        if notes.len() < WAITING {
            notes.push_back(note);
        } else if matches!(note, Note::Progress(_))
            && let Some(last) = notes.back_mut()
        {
            *last = note;
        }
        drop(notes);
        self.wake.notify_one();
    }
}

/// The notes of one call.
pub(super) struct Notes {
    queue: Arc<Queue>,
    token: Option<ProgressToken>,
    level: Option<LogLevel>,
}

impl Notes {
    /// `token` as the caller gave it, `level` the least that it wants to read; `None` where it asked for nothing.
    pub(super) fn new(token: Option<ProgressToken>, level: Option<LogLevel>) -> Self {
        Self { queue: Arc::default(), token, level }
    }

    /// The handle for the handler.
    pub(super) fn progress(&self) -> Progress {
        if self.token.is_none() {
            return Progress::default();
        }
        let queue = Arc::clone(&self.queue);
        Progress::to(move |report| queue.leave(Note::Progress(report)))
    }

    /// The other handle for the handler.
    pub(super) fn log(&self) -> Log {
        let Some(least) = self.level else { return Log::default() };
        let queue = Arc::clone(&self.queue);
        Log::to(move |message| {
            if message.level >= least {
                queue.leave(Note::Log(message));
            }
        })
    }

    /// Runs `work` and sends what it notes meanwhile, all of it before the answer.
    pub(super) async fn forward<T>(self, peer: &Peer<RoleServer>, work: impl Future<Output = T>) -> T {
        if self.token.is_none() && self.level.is_none() {
            return work.await;
        }
        tokio::pin!(work);
        let mut pace = Pace::new();
        let mut again: Option<Instant> = None;
        loop {
            let pause = async {
                match again {
                    Some(at) => sleep_until(at).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                biased;
                done = &mut work => {
                    self.send(peer, &mut pace, true).await;
                    return done;
                }
                () = self.queue.wake.notified() => {}
                () = pause => {}
            }
            again = self.send(peer, &mut pace, false).await;
        }
    }

    /// Sends what may be sent; of reports that come too fast only the newest stays. Says when to go on.
    async fn send(&self, peer: &Peer<RoleServer>, pace: &mut Pace, last: bool) -> Option<Instant> {
        let notes = std::mem::take(&mut *self.queue.notes());
        let mut held: Option<ProgressReport> = None;
        for note in notes {
            match note {
                Note::Log(message) => tell_log(peer, message).await,
                Note::Progress(report) => {
                    if held.is_none() && pace.may_send() {
                        self.tell_progress(peer, pace, report).await;
                    } else {
                        held = Some(report);
                    }
                }
            }
        }
        let report = held?;
        if last {
            self.tell_progress(peer, pace, report).await;
            return None;
        }
        // What was noted meanwhile is newer.
        let mut notes = self.queue.notes();
        if !notes.iter().any(|n| matches!(n, Note::Progress(_))) {
            notes.push_front(Note::Progress(report));
        }
        Some(pace.next())
    }

    async fn tell_progress(&self, peer: &Peer<RoleServer>, pace: &mut Pace, report: ProgressReport) {
        let Some(token) = self.token.clone() else { return };
        if !pace.rises(report.progress) {
            return;
        }
        let mut note = ProgressNotificationParam::new(token, report.progress);
        note.total = report.total.filter(|t| t.is_finite());
        note.message = report.message;
        if let Err(error) = peer.notify_progress(note).await {
            tracing::debug!(%error, "a caller is gone before its progress");
        }
    }
}

#[expect(deprecated, reason = "revision 2026-07-28 deprecates logging and still has it")]
async fn tell_log(peer: &Peer<RoleServer>, message: LogMessage) {
    use rmcp::model::{LoggingLevel, LoggingMessageNotificationParam};
    let level = match message.level {
        LogLevel::Debug => LoggingLevel::Debug,
        LogLevel::Info => LoggingLevel::Info,
        LogLevel::Notice => LoggingLevel::Notice,
        LogLevel::Warning => LoggingLevel::Warning,
        LogLevel::Error => LoggingLevel::Error,
        LogLevel::Critical => LoggingLevel::Critical,
        LogLevel::Alert => LoggingLevel::Alert,
        LogLevel::Emergency => LoggingLevel::Emergency,
    };
    let mut note = LoggingMessageNotificationParam::new(level, message.data);
    note.logger = message.logger;
    if let Err(error) = peer.notify_logging_message(note).await {
        tracing::debug!(%error, "a caller is gone before its log message");
    }
}

/// How fast reports may follow each other (a bucket of [`AT_ONCE`], one more every [`APART`]), and that they rise.
struct Pace {
    /// When the bucket will be full again.
    full_at: Instant,
    reached: Option<f64>,
}

impl Pace {
    fn new() -> Self {
        Self { full_at: Instant::now(), reached: None }
    }

    fn may_send(&self) -> bool {
        self.next() <= Instant::now()
    }

    /// When one more report fits into the bucket.
    fn next(&self) -> Instant {
        // Counted from the newest moment that still fits, since an instant cannot be before the start of time.
        let now = Instant::now();
        let over = self.full_at.saturating_duration_since(now).saturating_sub(APART * (AT_ONCE - 1));
        now + over
    }

    /// Whether `progress` goes beyond all that was sent; takes it out of the bucket if so.
    fn rises(&mut self, progress: f64) -> bool {
        if !progress.is_finite() || self.reached.is_some_and(|reached| progress <= reached) {
            return false;
        }
        self.reached = Some(progress);
        self.full_at = self.full_at.max(Instant::now()) + APART;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::{APART, AT_ONCE, Note, Notes, Pace, WAITING};
    use crate::logging::{LogLevel, LogMessage};
    use crate::progress::ProgressReport;

    fn report(progress: f64) -> ProgressReport {
        ProgressReport { progress, total: None, message: None }
    }

    #[test]
    fn reports_rise_and_are_numbers() {
        let mut pace = Pace::new();
        let rising: Vec<bool> =
            [0.0, 0.0, -1.0, f64::NAN, f64::INFINITY, 0.5, 0.4, 1.0].into_iter().map(|p| pace.rises(p)).collect();
        assert_eq!(rising, [true, false, false, false, false, true, false, true]);
    }

    #[test]
    fn a_burst_passes_and_what_follows_is_paced() {
        let mut pace = Pace::new();
        for n in 0..AT_ONCE {
            assert!(pace.may_send(), "{n}");
            assert!(pace.rises(f64::from(n)));
        }
        // A slow machine may have refilled a little since; far from all of it.
        pace.full_at += APART;
        assert!(!pace.may_send());
        pace.full_at -= APART * AT_ONCE;
        assert!(pace.may_send());
    }

    #[test]
    fn a_handler_that_never_stops_noting_costs_a_bounded_queue_and_keeps_its_newest_report() {
        let notes = Notes::new(Some(rmcp::model::ProgressToken(rmcp::model::NumberOrString::Number(1))), None);
        let progress = notes.progress();
        for n in 0..10_000_u32 {
            progress.report(report(f64::from(n)));
        }
        let queue = notes.queue.notes();
        assert_eq!(queue.len(), WAITING);
        assert!(matches!(queue.back(), Some(Note::Progress(r)) if r.progress == 9_999.0));
    }

    #[test]
    fn nobody_asked_so_nothing_is_noted() {
        let notes = Notes::new(None, Some(LogLevel::Warning));
        assert!(!notes.progress().is_wanted());
        let log = notes.log();
        for level in [LogLevel::Info, LogLevel::Error] {
            log.say(LogMessage { level, logger: None, data: "x".into() });
        }
        assert_eq!(notes.queue.notes().len(), 1);
    }
}
