//! The instance over its socket.
#![cfg(test)]

mod changes;
mod client;
mod doors;
mod tables;
