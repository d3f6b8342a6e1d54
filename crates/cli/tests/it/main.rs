//! The shipped binary against a lab of its own, over sockets, as scripts use it: `a_lab` starts and stops it.

#![cfg(test)]

mod a_lab;
mod contract;
mod without_a_lab;
