//! The connector over real sockets. Where to go next: `recorded` plays answers back in order and keeps what was asked; over
//! it, `session` is signing in, `asking` how queries and pages go out and come back, `telling` how writes do. `lab` starts
//! the simulated instance; over it, `tickets` are the tools, `records` what change control uses, `targets` the devices,
//! `fault_matrix` what goes wrong, `golden` the snapshots.

mod asking;
mod fault_matrix;
mod golden;
mod lab;
mod list_tools;
mod recorded;
mod records;
mod session;
mod targets;
mod telling;
mod tickets;
