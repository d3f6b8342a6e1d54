//! The lab's people and programs, how one of them signs in without a browser, and the guided tale.
//!
//! Nothing here is a way around the platform: people sign in over HTTP at the built-in issuer like anybody else, and the
//! tale uses the same doors as every client.
//!
//! Where to go next: [`people`] for who there is, [`ready`] for what a running lab says about itself, [`sign_in`] for the
//! one scripted sign-in ([`beside`], [`kept_token`], the tale and the end-to-end tests use it), [`decide`] for the approver's page over a [`browser`], [`tale`] for the story.

pub mod beside;
pub mod browser;
pub mod decide;
pub mod kept_token;
pub mod one_time_code;
pub mod people;
mod platform_client;
pub mod ready;
pub mod sign_in;
pub mod tale;

pub use self::one_time_code::OneTimeCode;
pub use self::people::{LabClient, LabUser, People};
pub use self::ready::{Ready, ReadyAdmin, ReadyClient, ReadySimulator, ReadyUser};
pub use self::sign_in::{AccessToken, Person, SignInOptions, access_token, pass_second_factor};
pub use self::tale::{Ledger, Listener, Tale, play};
