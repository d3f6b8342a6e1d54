//! The simulator over its socket.
#![cfg(test)]

mod changes;
mod client;
mod faults;
mod reads;
mod writes;
mod writes_bent;
