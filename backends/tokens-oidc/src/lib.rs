//! Bearer tokens and sign-in over one or several OpenID Connect issuers: implements `platform::tokens` (rules T1 to T4).
//!
//! A token is checked in this order: shape and header (`compact`), issuer entry (`entry`), key and signature
//! (`issuer`, `keys`) or the issuer's own answer (`opaque`), typed claims (`claims`), audience, time and scope
//! (`verifier`), revocation (`revocation`). What comes out is built in `principal`. The browser's side is `sign_in`, the
//! façade's `provider`, the issuer's word that a session ended is `logout`. How all of it comes out of the configuration is
//! in `configured`.
//!
//! Signatures are `jsonwebtoken`'s on aws-lc-rs; everything about claims is decided here.

mod claim_path;
mod claims;
mod compact;
mod configured;
mod entry;
#[doc(hidden)]
pub mod fuzzing;
mod issuer;
mod keys;
mod logout;
mod opaque;
mod principal;
mod provider;
mod revocation;
mod sign_in;
mod strict;
mod verifier;

pub use claim_path::ClaimPath;
pub use configured::own_clients;
pub use entry::{ClaimMarker, ClientCredentials, IssuerEntry, MfaRule, TokenKind};
pub use jsonwebtoken::Algorithm;
pub use logout::BackChannelLogout;
pub use provider::OidcProvider;
pub use revocation::{RevocationFloors, revoke_everything};
pub use sign_in::OidcSignIn;
pub use verifier::Verifier;
