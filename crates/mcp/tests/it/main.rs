//! The endpoint on a real socket: both eras' life, refusals, hostile input, and the two ways held equal.
//!
//! `fixture` is the server and the edge under test; every other module is one subject.
#![cfg(test)]

extern crate interlock_mcp as mcp;

mod both_ways;
mod fixture;
mod hang_up;
mod hostile;
mod life;
mod offering;
mod offers;
mod refusals;
mod revisions;
mod rounds;
mod streams;
