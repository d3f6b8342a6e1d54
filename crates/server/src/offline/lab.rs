//! A lab's people at the command line: one-time codes, tokens by the ordinary sign-in, and the tale.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use platform::audit::AuditFilter;
use platform::clock::SharedFileClock;
use platform::{Error, ErrorKind, Json, Result, Secret, SharedClock, canonical, private_file};
use serde::{Deserialize, Serialize};
use story::people::LAB_CLIENT;
use story::sign_in::{Person, SignInOptions, access_token};
use story::{Ledger, Ready};

pub use story::OneTimeCode;
pub use story::tale::{Listener, Told};

use super::audit;
use crate::lab_state::LabState;

/// A token is handed out again while it has this many seconds left.
const FRESH_S: i64 = 60;
/// A token with a second factor is handed out again only while the factor still counts for a change: 15 minutes (T4),
/// less the time it takes to use it.
const FACTOR_S: i64 = 600;

/// Which token.
#[derive(Debug, Clone)]
pub struct TokenRequest {
    /// The lab's state folder.
    pub state: PathBuf,
    /// Whose.
    pub user: String,
    /// With the second factor.
    pub mfa: bool,
    /// For which resource; the platform when absent.
    pub audience: Option<String>,
}

/// The last token, as it is kept below `tokens/`; no `Debug`, it holds the token.
#[derive(Serialize, Deserialize)]
struct Kept {
    token: String,
    signed_in_at: i64,
    expires_at: i64,
}

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
    let person = Person::from(ready.user(&request.user)?);
    let clock = clock(&request.state)?;
    let audience = request.audience.clone().unwrap_or_else(|| ready.url.clone());
    let key = canonical::digest_hex(&(&request.user, request.mfa, &audience, &ready.issuer))?;
    let file = LabState::at(&request.state).tokens().join(format!("{key}.json"));
    if let Some(token) = fresh(&file, request.mfa, clock.epoch_seconds()) {
        return Ok(token);
    }
    let client_id = LAB_CLIENT.to_owned();
    let options = SignInOptions { issuer: ready.issuer.clone(), client_id, audience, mfa: request.mfa };
    let token = access_token(&options, &person, &*clock, progress).await?;
    let now = clock.epoch_seconds();
    let kept = Kept {
        token: token.token.expose().to_owned(),
        signed_in_at: now,
        expires_at: now.saturating_add(token.expires_in),
    };
    let bytes = serde_json::to_vec(&kept).map_err(Error::internal)?;
    private_file::write(&file, &bytes).map_err(Error::internal)?;
    Ok(token.token)
}

fn fresh(file: &Path, mfa: bool, now: i64) -> Option<Secret> {
    let kept: Kept = serde_json::from_slice(&std::fs::read(file).ok()?).ok()?;
    let young = !mfa || now - kept.signed_in_at <= FACTOR_S;
    (kept.expires_at - now >= FRESH_S && young).then(|| Secret::new(kept.token))
}

/// Plays the tale against a running lab.
pub async fn play(state: &Path, listener: &mut dyn Listener) -> Result<Vec<Told>> {
    let ready = ready(state)?;
    let ledger = LabLedger(audit::folder_in(state)?);
    let tale = story::Tale { ready: &ready, clock: clock(state)?, ledger: &ledger };
    story::play(&tale, listener).await
}

struct LabLedger(PathBuf);

impl Ledger for LabLedger {
    fn about(&self, request_id: &str) -> Result<Vec<Json>> {
        let filter = AuditFilter { request_id: Some(request_id.to_owned()), ..AuditFilter::default() };
        Ok(audit::tail(&self.0, &filter, 10)?)
    }

    fn verify(&self) -> Result<(bool, u64)> {
        let report = audit::verify(&self.0, &audit::VerifyOptions::default())?;
        Ok((report.ok, report.records))
    }
}

#[cfg(test)]
mod tests {
    use platform::private_file;

    use super::{Kept, fresh};

    #[test]
    fn a_kept_token_is_handed_out_only_while_it_and_its_second_factor_are_fresh() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("t.json");
        let kept = Kept { token: "t".to_owned(), signed_in_at: 1000, expires_at: 4600 };
        private_file::write(&file, &serde_json::to_vec(&kept).unwrap()).unwrap();
        assert!(fresh(&file, false, 4540).is_some());
        assert!(fresh(&file, false, 4541).is_none());
        assert!(fresh(&file, true, 1600).is_some());
        assert!(fresh(&file, true, 1601).is_none());
        assert!(fresh(&folder.path().join("none"), false, 1000).is_none());
    }
}
