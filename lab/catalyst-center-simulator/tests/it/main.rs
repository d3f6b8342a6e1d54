//! The simulator over its socket.
#![cfg(test)]

mod client;
mod faults;
mod reads;
mod writes;
