//! The instance over its socket.
#![cfg(test)]

mod apis;
mod changes;
mod client;
mod doors;
mod tables;
