//! The one error of the platform: what a caller may read, what only an operator may read, and the one mapping to HTTP.
//!
//! Every refusal carries a stable code, a safe sentence and, where there is one, the next step (rule T11). Module errors
//! are `thiserror` enums that convert into this type at the module's border; `mcp` maps it to JSON-RPC and `gateway` to
//! RFC 9457 problem documents.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::Json;

/// The platform's result.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What sort of failure it is: closed, small, and the only thing that decides the HTTP status.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ErrorKind {
    /// The request cannot be read at all: broken syntax, contradicting references. HTTP 400.
    Malformed,
    /// The request is readable and its values are wrong. HTTP 422.
    InvalidInput,
    /// No valid token. HTTP 401.
    Unauthenticated,
    /// Policy says no, and nothing the caller can do now changes that. HTTP 403.
    Forbidden,
    /// Policy says not yet: an obligation is unmet (step-up, change, window). HTTP 403.
    Unmet,
    /// Unknown, or hidden from this caller. HTTP 404.
    NotFound,
    /// Another call, key or lock stands in the way. HTTP 409.
    Conflict,
    /// Too many bytes. HTTP 413.
    TooLarge,
    /// Too many calls. HTTP 429, with `Retry-After`.
    RateLimited,
    /// The target answered with a failure of its own. HTTP 502.
    Upstream,
    /// A part that is needed cannot be reached, or the platform sheds load. HTTP 503.
    Unavailable,
    /// The deadline passed. HTTP 504.
    Timeout,
    /// A defect or a failure of our own. HTTP 500.
    Internal,
}

impl ErrorKind {
    /// The HTTP status of this kind: the only such mapping in the product.
    pub const fn http_status(self) -> u16 {
        match self {
            Self::Malformed => 400,
            Self::Unauthenticated => 401,
            Self::Forbidden | Self::Unmet => 403,
            Self::NotFound => 404,
            Self::Conflict => 409,
            Self::TooLarge => 413,
            Self::InvalidInput => 422,
            Self::RateLimited => 429,
            Self::Internal => 500,
            Self::Upstream => 502,
            Self::Unavailable => 503,
            Self::Timeout => 504,
        }
    }
}

/// One obligation that policy asks for and the platform has not verified.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unmet {
    /// Stable name: `step_up`, `change`, `approvals`, `window`.
    pub obligation: String,
    /// What it takes, in one sentence for the caller.
    pub message: String,
}

/// The call that a refused caller should make next.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NextCall {
    /// Tool name on the same server or on `interlock`.
    pub tool: String,
    /// Its arguments, filled in as far as they are known.
    pub arguments: Json,
    /// The server that has it, where that is not the one that was called.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server: Option<String>,
}

/// The body of a refusal as callers see it: `structuredContent` on MCP, members of the problem document on REST (T11).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    /// Stable code, for example `step_up_required`; `docs/errors/<code>.md` explains it.
    pub code: String,
    /// Safe sentence.
    pub message: String,
    /// Unmet obligations; empty when there is nothing to meet.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unmet: Vec<Unmet>,
    /// The next call, where a tool exists that helps.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<NextCall>,
    /// Where a person goes next.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// The change this refusal belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub change_id: Option<String>,
    /// Seconds after which a repeat makes sense.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after_s: Option<u64>,
    /// Facts about the refusal that are safe to show: the offending fields, a handle to look up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub details: Option<Json>,
}

/// The platform's error. `Display` shows the safe part only; [`Error::detail`] is for the operator's log.
#[derive(Clone)]
pub struct Error(Box<Inner>);

#[derive(Clone)]
struct Inner {
    kind: ErrorKind,
    refusal: Refusal,
    detail: Option<String>,
    replayed: bool,
}

impl Error {
    /// An error of `kind` with a stable `code` (snake case) and a sentence that any caller may read.
    pub fn new(kind: ErrorKind, code: &'static str, message: impl Into<String>) -> Self {
        Self(Box::new(Inner {
            kind,
            refusal: Refusal {
                code: code.to_owned(),
                message: message.into(),
                unmet: Vec::new(),
                next: None,
                url: None,
                change_id: None,
                retry_after_s: None,
                details: None,
            },
            detail: None,
            replayed: false,
        }))
    }

    /// A failure of our own: the caller reads one fixed sentence, the operator reads `detail`.
    pub fn internal(detail: impl fmt::Display) -> Self {
        Self::new(
            ErrorKind::Internal,
            "internal_error",
            "Interlock failed while handling this call; the operator's log has the details under this request id.",
        )
        .with_detail(detail)
    }

    /// The error that an earlier call ended with, as it was stored: same kind, same refusal.
    pub fn replayed(kind: ErrorKind, refusal: Refusal) -> Self {
        Self(Box::new(Inner { kind, refusal, detail: None, replayed: true }))
    }

    /// Adds what only an operator may read. Never a secret: secrets have no `Display`.
    #[must_use]
    pub fn with_detail(mut self, detail: impl fmt::Display) -> Self {
        self.0.detail = Some(detail.to_string());
        self
    }

    /// Adds an unmet obligation.
    #[must_use]
    pub fn with_unmet(mut self, obligation: impl Into<String>, message: impl Into<String>) -> Self {
        self.0.refusal.unmet.push(Unmet { obligation: obligation.into(), message: message.into() });
        self
    }

    /// Adds the page where a person takes the next step.
    #[must_use]
    pub fn with_url(mut self, url: impl Into<String>) -> Self {
        self.0.refusal.url = Some(url.into());
        self
    }

    /// Adds the call that helps.
    #[must_use]
    pub fn with_next(mut self, tool: impl Into<String>, arguments: Json) -> Self {
        self.0.refusal.next = Some(NextCall { tool: tool.into(), arguments, server: None });
        self
    }

    /// Adds the call that helps, on another server than the one that was called.
    #[must_use]
    pub fn with_next_on(mut self, server: impl Into<String>, tool: impl Into<String>, arguments: Json) -> Self {
        self.0.refusal.next = Some(NextCall { tool: tool.into(), arguments, server: Some(server.into()) });
        self
    }

    /// Adds the change that this refusal belongs to.
    #[must_use]
    pub fn with_change(mut self, change: impl Into<String>) -> Self {
        self.0.refusal.change_id = Some(change.into());
        self
    }

    /// Adds how long to wait before a repeat makes sense (rounded up to whole seconds, at least one).
    #[must_use]
    pub fn with_retry_after(mut self, after: Duration) -> Self {
        let whole = after.as_secs() + u64::from(after.subsec_nanos() > 0);
        self.0.refusal.retry_after_s = Some(whole.max(1));
        self
    }

    /// Adds facts that are safe to show.
    #[must_use]
    pub fn with_details(mut self, details: Json) -> Self {
        self.0.refusal.details = Some(details);
        self
    }

    /// The kind.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// The stable code.
    pub fn code(&self) -> &str {
        &self.0.refusal.code
    }

    /// The safe sentence.
    pub fn message(&self) -> &str {
        &self.0.refusal.message
    }

    /// What only an operator may read.
    pub fn detail(&self) -> Option<&str> {
        self.0.detail.as_deref()
    }

    /// Whether an earlier call under the same idempotency key ended with it, and nothing was done again.
    pub fn is_replayed(&self) -> bool {
        self.0.replayed
    }

    /// The refusal as callers see it.
    pub fn refusal(&self) -> &Refusal {
        &self.0.refusal
    }

    /// The HTTP status.
    pub fn http_status(&self) -> u16 {
        self.0.kind.http_status()
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Error")
            .field("kind", &self.0.kind)
            .field("code", &self.0.refusal.code)
            .field("message", &self.0.refusal.message)
            .field("detail", &self.0.detail)
            .finish()
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} [{}]", self.0.refusal.message, self.0.refusal.code)
    }
}

impl std::error::Error for Error {}
