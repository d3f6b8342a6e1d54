//! The issuer over a real socket: flows, refusals, headers. `lab` holds the running issuer and a browser of sorts,
//! `memory_store` the store and the log behind it.
#![cfg(test)]

mod authorize;
mod lab;
mod memory_store;
mod sign_in;
mod throttling;
mod token;
mod users;
