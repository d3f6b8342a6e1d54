//! The connector against the simulated Catalyst Center, over real sockets. Where to go next: `lab` starts one; `reading`,
//! `showing`, `changing` and `deploying` are the tools, `porting` the ports, `predicting` what comes of a step,
//! `target_source` the target directory's part; `session`, `faults` and `fault_matrix` what goes wrong, `masking` the secrets,
//! `golden` the snapshots.

mod changing;
mod deploying;
mod fault_matrix;
mod faults;
mod golden;
mod lab;
mod list_tools;
mod masking;
mod porting;
mod predicting;
mod reading;
mod road;
mod session;
mod showing;
mod target_source;
