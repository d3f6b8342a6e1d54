//! The verifier and the sign-in against an issuer that signs anything: `issuer` sets both up, `attacks` the tokens that must
//! not pass, `resources` rule T1, `floors` and `logout` rule T3, `keys` key fetching, `opaque` tokens that the issuer is
//! asked about, `certificates` those bound to one, `principals` what comes out, `sign_in` the code flow, `configured` what
//! the operator may write.
#![cfg(test)]

mod attacks;
mod certificates;
mod configured;
mod floors;
mod issuer;
mod keys;
mod logout;
mod opaque;
mod principals;
mod resources;
mod sign_in;
