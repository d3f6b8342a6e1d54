//! Change control, over the fakes of `platform-suites`.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that does not hold ends")]

mod approving;
mod gate;
