//! Tests of the simulated network from outside its crate.
#![cfg(test)]

mod consistency;
mod devices;
mod ios_xe_merge;
mod state;
