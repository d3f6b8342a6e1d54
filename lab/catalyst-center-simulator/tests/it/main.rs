//! The simulator over its socket.
#![cfg(test)]

mod cables;
mod changes;
mod client;
mod faults;
mod reads;
mod routes;
mod systems;
mod writes;
mod writes_bent;
