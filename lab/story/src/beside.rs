//! What a lab's people do at the command line beside a running lab: all that it takes stands in its state folder.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use platform::clock::SharedFileClock;
use platform::lab_state::LabState;
use platform::{Error, ErrorKind, Result, Secret, SharedClock};

use crate::decide::{self, Decided};
use crate::kept_token::{self, TokenRequest};
use crate::{OneTimeCode, Person, Ready};

/// What the lab said about itself when it was ready. Errors: `lab_not_started`, `lab_state_unusable`.
pub fn ready(state: &Path) -> Result<Ready> {
    Ready::read(&LabState::at(state).ready())
}

/// The lab's clock.
pub fn clock(state: &Path) -> Result<SharedClock> {
    let file = LabState::at(state).clock();
    let clock = SharedFileClock::open(&file).map_err(|e| {
        let message = format!("The lab's clock {} cannot be read; start the lab again.", file.display());
        Error::new(ErrorKind::Unavailable, "lab_state_unusable", message).with_detail(e)
    })?;
    Ok(Arc::new(clock))
}

/// The code that a user's authenticator shows now. Errors: those of [`ready`], `lab_user_unknown`.
pub fn one_time_code(state: &Path, user: &str) -> Result<OneTimeCode> {
    let ready = ready(state)?;
    let secret = Secret::new(ready.user(user)?.totp_secret.clone());
    OneTimeCode::now(&secret, &*clock(state)?)
}

/// An access token by the ordinary sign-in, or the last one while it is fresh. `progress` hears why it takes longer.
pub async fn token(request: &TokenRequest, progress: &(dyn Fn(&str) + Send + Sync)) -> Result<Secret> {
    let ready = ready(&request.state)?;
    let folder = LabState::at(&request.state).tokens();
    kept_token::token(&ready, &folder, &*clock(&request.state)?, request, progress).await
}

/// Passes the second factor of a lab's person at the link of a refusal. `progress` hears why it takes longer.
pub async fn pass_second_factor(
    state: &Path,
    user: &str,
    link: &url::Url,
    progress: &(dyn Fn(&str) + Send + Sync),
) -> Result<()> {
    let ready = ready(state)?;
    crate::pass_second_factor(link, &Person::from(ready.user(user)?), &*clock(state)?, progress).await
}

/// What a lab's person decides about a change.
pub struct Deciding {
    /// State folder of the lab.
    pub state: PathBuf,
    /// Name of the person.
    pub user: String,
    /// Id of the change.
    pub change: String,
    /// Approve, or reject.
    pub approve: bool,
    /// Why.
    pub reason: String,
}

/// Decides about a change on its page, as a lab's person. `progress` hears why it takes longer. Errors: those of [`ready`],
/// `lab_user_unknown`, and the page's own.
pub async fn decide(deciding: &Deciding, progress: &(dyn Fn(&str) + Send + Sync)) -> Result<Decided> {
    let ready = ready(&deciding.state)?;
    let wish = decide::Wish {
        platform: ready.url.parse().map_err(Error::internal)?,
        change: deciding.change.clone(),
        approve: deciding.approve,
        reason: deciding.reason.clone(),
    };
    let person = Person::from(ready.user(&deciding.user)?);
    decide::decide(&wish, &person, &*clock(&deciding.state)?, progress).await
}
