//! The store against its contract, against many callers at once, and against sudden death.
#![cfg(test)]

mod contract;
