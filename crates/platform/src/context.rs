//! What travels with a call from the edge to the connector: request id, trace, caller, protocol, references, deadline.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Instant;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::principal::Principal;
use crate::resource::Resource;

/// The id of one request, always minted by the platform (UUID version 7); a caller's own is kept beside it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RequestId(Uuid);

impl RequestId {
    /// Mints a new id.
    pub fn mint() -> Self {
        Self(Uuid::now_v7())
    }
}

impl std::fmt::Display for RequestId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

/// W3C trace context (<https://www.w3.org/TR/trace-context/>), as received and as handed on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TraceContext {
    /// 16 bytes, not all zero.
    pub trace_id: [u8; 16],
    /// Our span: 8 bytes, not all zero.
    pub span_id: [u8; 8],
    /// The caller's span, when it sent one.
    pub parent_id: Option<[u8; 8]>,
    /// The sampled flag.
    pub sampled: bool,
    /// `tracestate`, handed on unchanged when it is valid; at most 512 characters.
    pub state: Option<String>,
}

impl TraceContext {
    /// A new trace with a new span.
    pub fn root() -> Self {
        Self {
            trace_id: *Uuid::new_v4().as_bytes(),
            span_id: random_span(),
            parent_id: None,
            sampled: true,
            state: None,
        }
    }

    /// Joins the caller's trace when `traceparent` is valid; otherwise starts a new one, as the specification asks.
    pub fn from_headers(traceparent: Option<&str>, tracestate: Option<&str>) -> Self {
        let Some((trace_id, parent_id, sampled)) = traceparent.and_then(parse_traceparent) else {
            return Self::root();
        };
        let state = tracestate.filter(|s| s.len() <= 512 && s.bytes().all(|b| (0x20..0x7f).contains(&b)));
        Self { trace_id, span_id: random_span(), parent_id: Some(parent_id), sampled, state: state.map(str::to_owned) }
    }

    /// The `traceparent` header to send onward.
    pub fn traceparent(&self) -> String {
        format!("00-{}-{}-{:02x}", self.trace_id_hex(), hex::encode(self.span_id), u8::from(self.sampled))
    }

    /// The trace id in hexadecimal, as ECS's `trace.id`.
    pub fn trace_id_hex(&self) -> String {
        hex::encode(self.trace_id)
    }
}

fn random_span() -> [u8; 8] {
    let mut span = [0; 8];
    span.copy_from_slice(&Uuid::new_v4().as_bytes()[..8]);
    span
}

fn parse_traceparent(text: &str) -> Option<([u8; 16], [u8; 8], bool)> {
    let mut parts = text.split('-');
    let (version, trace, span, flags) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    let lower_hex = |s: &str| s.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
    if version.len() != 2 || !lower_hex(version) || version == "ff" || (version == "00" && parts.next().is_some()) {
        return None;
    }
    if trace.len() != 32 || span.len() != 16 || flags.len() != 2 || ![trace, span, flags].iter().all(|p| lower_hex(p)) {
        return None;
    }
    let (mut trace_id, mut span_id, mut flag) = ([0; 16], [0; 8], [0; 1]);
    hex::decode_to_slice(trace, &mut trace_id).ok()?;
    hex::decode_to_slice(span, &mut span_id).ok()?;
    hex::decode_to_slice(flags, &mut flag).ok()?;
    (trace_id != [0; 16] && span_id != [0; 8]).then_some((trace_id, span_id, flag[0] & 1 == 1))
}

/// By which door a call came in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Protocol {
    /// Model Context Protocol.
    Mcp,
    /// REST.
    Rest,
    /// The platform's pages and console.
    Page,
    /// The platform itself: start, stop, background work.
    Internal,
}

impl Protocol {
    /// The name used in policy input, metrics and audit.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Mcp => "mcp",
            Self::Rest => "rest",
            Self::Page => "page",
            Self::Internal => "internal",
        }
    }
}

/// What a caller refers to (rule T12): references only; the platform loads and verifies the facts behind them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CallReferences {
    /// The change this call belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub change: Option<String>,
    /// Makes a repeated write answer with the first result.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub idempotency_key: Option<String>,
}

/// The step of a change's run that makes a call (T19). Change control sets it on calls of its own; no door ever does, and
/// whoever verifies the call loads the facts behind it from the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunStep {
    /// The change.
    pub change: String,
    /// The step undoes what a forward step of the same run did.
    pub undo: bool,
    /// The attempt that is announced, for a call that writes.
    pub attempt: Option<String>,
}

/// Everything about one call that is not its tool and arguments.
#[derive(Debug, Clone)]
pub struct CallContext {
    /// Minted by us.
    pub request_id: RequestId,
    /// The caller's own `x-request-id`, when it sent a printable one of at most 128 characters.
    pub client_request_id: Option<String>,
    /// Trace.
    pub trace: TraceContext,
    /// The verified caller.
    pub principal: Arc<Principal>,
    /// The resource whose endpoint was called.
    pub resource: Resource,
    /// The door.
    pub protocol: Protocol,
    /// The caller's address, after trusted proxies (T2).
    pub source: IpAddr,
    /// Headers and `_meta` references; merged with the reserved argument `_interlock` by the pipeline.
    pub references: CallReferences,
    /// The run that makes the call; nothing for every call that came in by a door.
    pub run: Option<RunStep>,
    /// When the caller stops waiting.
    pub deadline: Instant,
}

/// The address used where no peer is known (in-process calls).
pub const LOCAL_SOURCE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

#[cfg(test)]
mod tests {
    use super::TraceContext;

    #[test]
    fn a_valid_traceparent_is_joined_and_an_invalid_one_starts_a_new_trace() {
        let given = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        let joined = TraceContext::from_headers(Some(given), Some("vendor=1"));
        assert_eq!(joined.trace_id_hex(), "4bf92f3577b34da6a3ce929d0e0e4736");
        assert!(joined.sampled && joined.parent_id.is_some());
        assert_ne!(hex::encode(joined.span_id), "00f067aa0ba902b7");
        for bad in [
            "",
            "00-0-0-0",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
        ] {
            assert!(TraceContext::from_headers(Some(bad), None).parent_id.is_none(), "{bad}");
        }
    }
}
