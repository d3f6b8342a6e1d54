//! Tests of the simulated network from outside its crate.
#![cfg(test)]

mod asa_merge;
mod consistency;
mod devices;
mod ios_xe_merge;
mod ios_xr_merge;
mod merging;
mod nx_os_merge;
mod shows;
mod state;
