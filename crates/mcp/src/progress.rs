//! How a running call tells its caller how far it is (MCP "Progress"): a handle that goes nowhere unless the caller sent a
//! progress token. Next: `handler`.

use std::sync::Arc;

/// One report.
#[derive(Debug, Clone, PartialEq)]
pub struct ProgressReport {
    /// Rises with every report.
    pub progress: f64,
    /// What it rises to, where that is known.
    pub total: Option<f64>,
    /// For people.
    pub message: Option<String>,
}

/// Takes reports. Cheap to clone.
#[derive(Clone, Default)]
pub struct Progress(Option<Arc<dyn Fn(ProgressReport) + Send + Sync>>);

impl Progress {
    /// Reports go to `sink`, which must not block.
    pub fn to(sink: impl Fn(ProgressReport) + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(sink)))
    }

    /// Whether anybody listens.
    pub fn is_wanted(&self) -> bool {
        self.0.is_some()
    }

    /// Reports.
    pub fn report(&self, report: ProgressReport) {
        if let Some(sink) = &self.0 {
            sink(report);
        }
    }
}
