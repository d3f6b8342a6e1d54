//! The shipped binary against a lab of its own, over sockets, as scripts use it: `a_lab` starts and stops it. `bridge`
//! meets a platform of a few lines instead (`a_platform`), which can misbehave.

#![cfg(test)]

mod a_lab;
mod a_platform;
mod backups;
mod bridge;
mod connect;
mod contract;
mod device_config;
mod keys;
mod production;
mod secrets;
mod without_a_lab;
