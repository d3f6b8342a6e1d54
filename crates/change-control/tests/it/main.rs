//! Changes over fakes of everything beside them. Where to go next: `planning` for plans, over a network of texts; `gate` for
//! what the road asks, `listing` for lists of many.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that does not hold ends")]

mod approving;
mod evidence;
mod gate;
mod listing;
mod planning;
