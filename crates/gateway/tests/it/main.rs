//! The doors on a real socket, over the fakes of `platform-suites`: what the edge lets in, REST and MCP shapes, pages,
//! life and death of the listener. `fixture.rs` is the server and the client under test.
#![cfg(test)]

extern crate interlock_gateway as gateway;

mod authentication;
mod change_paths;
mod changes;
mod edge;
mod fixture;
mod http2;
mod life;
mod limits;
mod logout;
mod mcp_aggregate;
mod mcp_door;
mod mcp_offers;
mod mcp_views;
mod openapi;
mod pages;
mod rest;
mod step_up;
mod tls;
