//! The platform from outside: every test talks to a lab that the shipped program started, over sockets, with tokens from
//! the issuer's own pages.
//!
//! `lab` starts and kills labs, `caller` speaks MCP and REST; every other module is one subject. Tests that change nothing
//! for others share a lab; those that move the clock or kill the platform have their own.
#![cfg(test)]

mod attacks;
mod audience;
mod audit;
mod auditors;
mod burst;
mod caller;
mod canaries;
mod changes;
mod clock;
mod crash;
mod deny_by_default;
mod doors;
mod ended;
mod every_tool;
mod flood;
mod hostile;
mod http2;
mod idempotency;
mod lab;
mod mcp_endpoints;
mod mutations;
mod pairs;
mod postgres;
mod protocol;
mod references;
mod revoked;
mod roles;
mod rotation;
mod samples;
mod served;
mod step_up;
