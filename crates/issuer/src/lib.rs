//! The built-in OpenID Connect issuer: discovery, keys, sign-in pages with a second factor, authorization code with
//! PKCE, client credentials, userinfo (rules T1, T4, T5). Everyone reaches it over HTTP only; the server nests
//! [`Issuer::router`] at `<public url>/issuer`.
//!
//! # Signing in without a browser
//! The pages need no JavaScript, so a command line drives them with a cookie jar and two posts:
//!
//! 1. `GET <issuer>/authorize?response_type=code&client_id=…&redirect_uri=…&code_challenge=…&code_challenge_method=S256`
//!    with, as wanted, `scope`, `state`, `nonce`, `resource`, `acr_values`, `max_age`, `prompt`, `login_hint`. It answers
//!    303 to the client (a session that suffices, or an error) or 200 with a form and a cookie to send back.
//! 2. `POST <issuer>/sign-in` (form) with the form's hidden `request` and `csrf`, and `username`, `password`. It answers
//!    303 to the client, or 200 with the second form (new `request`, `csrf` and cookie) when a code is needed.
//! 3. `POST <issuer>/sign-in/otp` with that form's `request` and `csrf`, and `otp` (six digits). It answers 303 to the client.
//!
//! The hidden values are plain attributes: `<input type="hidden" name="csrf" value="…">`, without characters that HTML
//! escapes. Refusals are pages too: 401 wrong name, password or code; 403 `csrf`; 400 a sign-in that is too old; 429 with
//! `Retry-After`. In both forms `action=cancel` sends the client `access_denied`; in the second, `action=other` goes
//! back to the first.
//!
//! # Where to go next
//! `authorize` and `sign_in` for the browser's side, `token` and `claims` for what is issued, `users` and
//! `clients` for what the store keeps, `throttle`, `passwords`, `second_factor` for T5.

mod authorize;
mod browser;
mod claims;
mod clients;
mod codes;
#[doc(hidden)]
pub mod fuzzing;
mod issuer;
mod keys;
mod metadata;
mod pages;
mod parameters;
mod passwords;
mod redirects;
mod resources;
mod router;
mod sealing;
mod second_factor;
mod sessions;
mod sign_in;
mod throttle;
mod token;
mod userinfo;
mod users;

pub use claims::{ACR_MFA, ACR_PASSWORD};
pub use clients::{GrantType, NewClient};
pub use issuer::{Issuer, IssuerOptions};
pub use keys::SigningKey;
pub use users::NewUser;
