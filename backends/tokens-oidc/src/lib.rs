//! Bearer tokens and sign-in over one or several OpenID Connect issuers: implements `platform::tokens` (rules T1 to T4).
//!
//! A token is checked in this order: shape and header (`compact`), issuer entry (`entry`), key and signature
//! (`issuer`, `keys`), typed claims (`claims`), audience, time and scope (`verifier`), revocation
//! (`revocation`). What comes out is built in `principal`. The browser's side is `sign_in`.
//!
//! Signatures are `jsonwebtoken`'s on aws-lc-rs; everything about claims is decided here.

mod claims;
mod compact;
mod entry;
#[doc(hidden)]
pub mod fuzzing;
mod issuer;
mod keys;
mod principal;
mod revocation;
mod sign_in;
mod strict;
mod verifier;

pub use entry::{ClaimMarker, IssuerEntry, MfaRule};
pub use jsonwebtoken::Algorithm;
pub use platform::revocation::Revoked;
pub use revocation::RevocationFloors;
pub use sign_in::OidcSignIn;
pub use verifier::Verifier;
