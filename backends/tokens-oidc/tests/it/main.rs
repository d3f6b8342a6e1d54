//! The verifier and the sign-in against a small issuer of our own that signs anything: `issuer` is that issuer, `attacks`
//! the tokens that must not pass, `resources` rule T1, `keys` key fetching, `principals` what comes out, `sign_in` the
//! code flow.
#![cfg(test)]

mod attacks;
mod issuer;
mod keys;
mod principals;
mod resources;
mod sign_in;
