//! What holds for all parts together.
#![cfg(test)]

mod memory;
