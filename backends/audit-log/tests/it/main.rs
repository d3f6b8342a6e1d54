//! Integration tests of the audit log, in one binary. Next: the module named after the rule.
#![cfg(test)]

mod anchors;
mod appending;
mod bench;
mod crash;
mod failing;
mod fixture;
mod manipulations;
mod payloads;
mod proving;
mod registry;
mod replica;
mod retention;
mod searching;
mod shared;
mod spool;
mod tampering;
mod trees;
