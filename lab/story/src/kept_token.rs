//! Tokens of a lab's people, kept between two commands while they are fresh: `interlock lab token`, and every command that
//! acts as somebody of a lab. Where next: [`crate::sign_in`], which gets a new one.

use std::path::{Path, PathBuf};

use platform::{Clock, Error, Result, Secret, canonical, private_file};
use serde::{Deserialize, Serialize};

use crate::people::LAB_CLIENT;
use crate::ready::Ready;
use crate::sign_in::{Person, SignInOptions, access_token};

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

/// The last token, as it is kept; no `Debug`, it holds the token.
#[derive(Serialize, Deserialize)]
struct Kept {
    token: String,
    signed_in_at: i64,
    expires_at: i64,
}

/// The last token of this sort from `folder` while it is fresh, or a new one by the ordinary sign-in, which is kept there.
/// `progress` hears why it takes longer. Errors: `lab_user_unknown`, those of the sign-in.
pub async fn token(
    ready: &Ready,
    folder: &Path,
    clock: &dyn Clock,
    request: &TokenRequest,
    progress: &(dyn Fn(&str) + Send + Sync),
) -> Result<Secret> {
    let person = Person::from(ready.user(&request.user)?);
    let audience = request.audience.clone().unwrap_or_else(|| ready.url.clone());
    let key = canonical::digest_hex(&(&request.user, request.mfa, &audience, &ready.issuer))?;
    let file = folder.join(format!("{key}.json"));
    if let Some(token) = fresh(&file, request.mfa, clock.epoch_seconds()) {
        return Ok(token);
    }
    let client_id = LAB_CLIENT.to_owned();
    let options = SignInOptions { issuer: ready.issuer.clone(), client_id, audience, mfa: request.mfa };
    let token = access_token(&options, &person, clock, progress).await?;
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
