//! How the audit log stands, read when somebody asks for `/metrics`. Next: [`super::metrics`].

use std::fmt;
use std::sync::{Arc, OnceLock, Weak};

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::gauge::ConstGauge;

/// What is shown of an audit log.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct AuditStanding {
    /// Whether the log takes nothing more, because it is not the one that was countersigned.
    pub forked: bool,
    /// Whether the last record could not be written.
    pub failing: bool,
    /// For how many seconds a checkpoint has waited for its countersignature; 0 when none waits.
    pub countersign_waiting_s: u64,
    /// Records that the database of all replicas lacks.
    pub unreplicated: u64,
    /// Checkpoints that an anchor has not taken.
    pub unpublished: u64,
}

/// A running audit log.
pub trait AuditSource: Send + Sync + 'static {
    /// How it stands now.
    fn standing(&self) -> AuditStanding;
}

/// Asks the log that was named, as long as it lives.
#[derive(Clone, Default)]
pub(super) struct AuditCollector(Arc<OnceLock<Weak<dyn AuditSource>>>);

impl AuditCollector {
    pub(super) fn watch(&self, source: Weak<dyn AuditSource>) {
        // The first one stays: a process has one log.
        drop(self.0.set(source));
    }
}

impl fmt::Debug for AuditCollector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AuditCollector").finish_non_exhaustive()
    }
}

impl Collector for AuditCollector {
    fn encode(&self, mut encoder: DescriptorEncoder) -> Result<(), fmt::Error> {
        let Some(source) = self.0.get().and_then(Weak::upgrade) else { return Ok(()) };
        let now = source.standing();
        let mut put = |name: &str, help: &str, value: u64| {
            let gauge = ConstGauge::new(value);
            gauge.encode(encoder.encode_descriptor(name, help, None, gauge.metric_type())?)
        };
        put("interlock_audit_forked", "1 when the audit log is forked and takes nothing more", u64::from(now.forked))?;
        put("interlock_audit_failing", "1 when the last audit record could not be written", u64::from(now.failing))?;
        put(
            "interlock_audit_countersign_waiting_seconds",
            "How long a checkpoint has waited for its countersignature",
            now.countersign_waiting_s,
        )?;
        put(
            "interlock_audit_unreplicated_records",
            "Audit records that the database of all replicas lacks",
            now.unreplicated,
        )?;
        put("interlock_audit_unpublished_checkpoints", "Checkpoints that an anchor has not taken", now.unpublished)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::{AuditSource, AuditStanding};
    use crate::telemetry::Metrics;

    struct Log;

    impl AuditSource for Log {
        fn standing(&self) -> AuditStanding {
            AuditStanding { forked: true, countersign_waiting_s: 61, unreplicated: 7, ..AuditStanding::default() }
        }
    }

    #[test]
    fn t25_a_forked_log_and_a_waiting_checkpoint_show_in_the_metrics_while_the_log_lives() {
        let metrics = Metrics::new();
        assert!(!metrics.render().contains("interlock_audit_forked"));
        let log: Arc<dyn AuditSource> = Arc::new(Log);
        metrics.watch_audit(&log);
        let text = metrics.render();
        for line in [
            "interlock_audit_forked 1",
            "interlock_audit_failing 0",
            "interlock_audit_countersign_waiting_seconds 61",
            "interlock_audit_unreplicated_records 7",
            "interlock_audit_unpublished_checkpoints 0",
        ] {
            assert!(text.lines().any(|found| found == line), "{line} is not in {text}");
        }
        drop(log);
        assert!(!metrics.render().contains("interlock_audit_forked"));
    }
}
