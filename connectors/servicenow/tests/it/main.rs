//! The connector over real sockets. Where to go next: `recorded` plays answers back in order and keeps what was asked,
//! `session` is signing in, `asking` how queries and pages go out and come back, `telling` how writes do.

mod asking;
mod recorded;
mod session;
mod telling;
