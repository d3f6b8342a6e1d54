//! The policy that ships and the engine that answers with it, against the rules T6, T8, T9 and T10.
#![cfg(test)]

mod activation;
mod calls;
mod faults;
mod matrix;
mod rails;
mod replay;
mod visibility;
