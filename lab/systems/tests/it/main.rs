//! The world process over its sockets.
#![cfg(test)]

mod process;
