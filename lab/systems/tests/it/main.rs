//! The world process over its sockets.
#![cfg(test)]

mod network;
mod process;
