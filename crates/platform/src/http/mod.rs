//! The only outbound HTTP: one client type for *configured targets*, one for *foreign URLs* (rule T13), with deadlines,
//! budgeted retry and a circuit breaker. Nothing else in the workspace builds an HTTP client.
//!
//! [`TargetClient`] talks to exactly one scheme, host and port from the configuration: private addresses are fine,
//! redirects are not followed. [`ForeignClient`] reads URLs that somebody else wrote: public addresses only, the name
//! resolved by us and pinned. Retries happen here and in the workflow engine, nowhere else.
//!
//! Where to go next: `target` for the client, `stream` for answers that are read as they come, `retry` and `breaker` for when it sends again or not at all, `budget` for how much and on whose behalf, `tls` for
//! whom it believes, `foreign` and `address` for URLs from outside, `observe` for metrics.

mod address;
mod attempt;
mod breaker;
mod budget;
mod foreign;
mod observe;
mod request;
mod retry;
mod stream;
mod target;
mod tls;

#[cfg(test)]
mod tests;

pub use address::{AddressRule, is_public};
pub use breaker::BreakerOptions;
pub use budget::{BudgetOptions, Claim, Class};
pub use foreign::{ForeignClient, ForeignOptions, Resolver, SystemResolver};
pub use observe::{Outbound, OutboundObserver, Outcome, Queued};
pub use request::{Request, Response};
pub use retry::RetryOptions;
pub use stream::Streamed;
pub use target::{TargetClient, TargetOptions};
pub use tls::verified_tls;
