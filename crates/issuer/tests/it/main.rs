//! The issuer over a real socket: flows, refusals, headers. `lab` holds the running issuer and a browser of sorts,
//! the store and the log behind it are the fakes of `platform-suites`.
#![cfg(test)]

mod administration;
mod authorize;
mod device;
mod enrolment;
mod hostile;
mod introspection;
mod keys;
mod lab;
mod logout;
mod refresh;
mod sign_in;
mod third_parties;
mod throttling;
mod token;
mod users;
