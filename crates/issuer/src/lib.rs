//! The built-in OpenID Connect issuer: discovery, keys that rotate, sign-in pages with a second factor; authorization code
//! with PKCE, device flow, refresh tokens, client credentials; introspection, revocation, sign-out with back-channel;
//! clients by registration and by document; enrolment and administration (rules T1, T3, T4, T5, T28). Everyone reaches it
//! over HTTP only; the server nests [`Issuer::router`] at `<public url>/issuer` and runs [`Issuer::run`] beside it.
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
//! The browser's side: `authorize`, `errand` for how it goes on, `sign_in`, `decision`, `device_pages`, `logout`, `pages`.
//! Programs: `oauth` for who asks, `token`, `refresh`, `device`, `introspection`, `registration`, `client_documents`. What
//! the store keeps: `users`, `clients`, `refresh`, `floors`. T5: `throttle`, `passwords`, `password_rules`, `second_factor`,
//! `enrolment`, `setup`, `admin`. T28: `key_ring`, `managed`.

mod admin;
mod authorize;
mod back_channel;
mod browser;
mod claims;
mod client_documents;
mod clients;
mod codes;
mod consents;
mod decision;
mod device;
mod device_pages;
mod enrolment;
mod errand;
mod floors;
#[doc(hidden)]
pub mod fuzzing;
mod grants;
mod introspection;
mod issuer;
mod key_ring;
mod keys;
mod logout;
mod managed;
mod metadata;
mod oauth;
mod own_clients;
mod pages;
mod parameters;
mod password_rules;
mod passwords;
mod redirects;
mod refresh;
mod registration;
mod resources;
mod router;
mod sealing;
mod second_factor;
mod sessions;
mod setup;
mod sign_in;
mod throttle;
mod token;
mod userinfo;
mod users;

pub use claims::{ACR_MFA, ACR_PASSWORD};
pub use clients::{GrantType, NewClient};
pub use floors::void_after_restore;
pub use issuer::{Issuer, IssuerOptions};
pub use key_ring::{KeyInfo, KeyRing, KeyState};
pub use own_clients::COMMAND_LINE_CLIENT;
pub use users::NewUser;
