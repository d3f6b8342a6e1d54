//! What goes into the road and what comes out of it. Next: the stages, in the order of [`super::STAGES`].

use bytes::Bytes;
use platform::Json;
use platform::context::CallReferences;

use crate::tool::FollowUp;

/// A call of a tool. It has no `Debug`: arguments may be secrets.
#[derive(Clone)]
pub struct CallRequest {
    /// Server instance.
    pub server: String,
    /// Tool name.
    pub tool: String,
    /// Arguments; an object.
    pub arguments: Json,
    /// References that came inside the message (`_meta["dev.interlock/call"]`); headers are in the context.
    pub references: CallReferences,
}

/// A successful answer.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    /// Structured result.
    pub structured: Json,
    /// The same as JSON text, where it is at hand: a door that writes it need not make it again.
    pub text: Option<Bytes>,
    /// Work that goes on.
    pub follow_up: Option<FollowUp>,
    /// The result of an earlier call with the same idempotency key.
    pub replayed: bool,
    /// How long the call's requests waited for their turn in the budget of their target (T31), milliseconds in all.
    pub queued_ms: u64,
}
