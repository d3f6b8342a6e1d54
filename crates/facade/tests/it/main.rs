//! The façade over a provider that gives tokens for any code: the whole way of a client, and what must not get through.
#![cfg(test)]

mod attacks;
mod flow;
mod front;
