//! The store against its contract, against a model, against many callers at once, and against sudden death.
#![cfg(test)]

mod contract;
mod death;
mod history;
mod many_callers;
mod start;
