//! Log messages of a running call to its caller (MCP "Logging", deprecated in 2026-07-28): a handle that goes nowhere
//! unless the server offers it ([`crate::Extras`]) and the caller asked. Nothing of the product logs to its callers; it
//! is here because conformance asks for it. Next: `handler`, `progress`.

use std::sync::Arc;

use platform::Json;

/// How grave a message is (RFC 5424, least first).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum LogLevel {
    /// For developers.
    Debug,
    /// Normal.
    Info,
    /// Normal and worth a look.
    Notice,
    /// A hint of trouble.
    Warning,
    /// Something failed.
    Error,
    /// Something important failed.
    Critical,
    /// To be acted on at once.
    Alert,
    /// Nothing works.
    Emergency,
}

/// One message. Holds no secret: the caller reads it.
#[derive(Debug, Clone, PartialEq)]
pub struct LogMessage {
    /// How grave.
    pub level: LogLevel,
    /// Who says it.
    pub logger: Option<String>,
    /// What.
    pub data: Json,
}

/// Takes messages. Cheap to clone.
#[derive(Clone, Default)]
pub struct Log(Option<Arc<dyn Fn(LogMessage) + Send + Sync>>);

impl Log {
    /// Messages go to `sink`, which must not block.
    pub fn to(sink: impl Fn(LogMessage) + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(sink)))
    }

    /// Says something.
    pub fn say(&self, message: LogMessage) {
        if let Some(sink) = &self.0 {
            sink(message);
        }
    }
}
