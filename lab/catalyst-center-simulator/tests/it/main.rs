//! The simulator over its socket.
#![cfg(test)]

mod client;
mod faults;
mod process;
mod reads;
mod writes;
