//! The issuer over a real socket: flows, refusals, headers. `lab` holds the running issuer and a browser of sorts,
//! the store and the log behind it are the fakes of `platform-suites`.
#![cfg(test)]

mod authorize;
mod lab;
mod sign_in;
mod throttling;
mod token;
mod users;
