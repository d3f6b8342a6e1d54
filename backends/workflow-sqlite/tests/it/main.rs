//! The engine against the suite of all engines, against sudden death, and against its own promises.
#![cfg(test)]

mod bench;
mod contract;
mod death;
mod lease;
mod random;
mod upkeep;
