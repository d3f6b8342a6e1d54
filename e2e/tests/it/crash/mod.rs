//! Kill -9, power loss and a full disk, from outside (T7, T20, T24, T25): what was acknowledged is there afterwards, what
//! reached a device has its intent, and the platform comes back by itself.
//!
//! `shim` and `undo` are the storage shim (`e2e/crash`) and the disk it imitates; `load` is what the clients do meanwhile;
//! `verdict` judges; `runs` puts them together, a few times in every run of the suite and as often as `cargo xtask crash` says;
//! `changes` is about changes under way; `full_disk` is the disk that has no room for a while, `postgres` the database that is
//! killed.

mod changes;
mod full_disk;
mod load;
mod postgres;
mod runs;
pub(crate) mod shim;
mod undo;
mod verdict;
