//! Sign-in by a code on any device (RFC 8628): for machines without a browser. The person reads a short code here and
//! types it there; this side asks the issuer until they are done, no more often than it allows.

use std::time::Duration;

use platform::Secret;
use serde::Deserialize;

use super::discovery::IssuerDocument;
use super::grant::{self, Granted};
use super::{Say, Wanted};
use crate::exit::Exit;
use crate::failure::{Failure, Outcome};
use crate::web;

/// `grant_type` of RFC 8628, section 3.4.
const GRANT: &str = "urn:ietf:params:oauth:grant-type:device_code";
/// Section 3.5: what `slow_down` adds.
const SLOWER: Duration = Duration::from_secs(5);

/// The answer of the device authorization endpoint (section 3.2).
#[derive(Deserialize)]
struct Started {
    device_code: Secret,
    user_code: String,
    verification_uri: String,
    verification_uri_complete: Option<String>,
    expires_in: u64,
    #[serde(default = "five")]
    interval: u64,
}

fn five() -> u64 {
    5
}

/// Signs in; `scope` is what is asked for.
pub(super) async fn sign_in(issuer: &IssuerDocument, wanted: &Wanted, scope: &str, say: &Say) -> Outcome<Granted> {
    let endpoint = issuer.device_authorization_endpoint.as_ref().ok_or_else(|| {
        let message = "The issuer knows no sign-in by a code; sign in where a browser is, without --device.";
        Failure::new(Exit::Usage, "device_flow_unknown", message)
    })?;
    let mut form = vec![("client_id", &*wanted.client_id), ("scope", scope), ("resource", &*wanted.resource)];
    let max_age = wanted.more.max_age.map(|age| age.to_string());
    form.extend(wanted.more.acr_values.as_deref().map(|acr| ("acr_values", acr)));
    form.extend(max_age.as_deref().map(|age| ("max_age", age)));
    let response = web::post_form(endpoint, &form).await?;
    if !response.status.is_success() {
        return Err(match response.json::<grant::Refused>() {
            Ok(refused) => refused.into_failure("The issuer began no sign-in"),
            Err(error) => Failure::from(error),
        });
    }
    let started: Started = response.json()?;
    let complete = started.verification_uri_complete.as_deref();
    let direct = complete.map(|url| format!("\n\nor go straight to\n\n  {url}")).unwrap_or_default();
    say(&format!(
        "To sign in, open\n\n  {}\n\non any device and enter the code {}{direct}\n\nWaiting for you, at most {} minutes …",
        started.verification_uri,
        started.user_code,
        started.expires_in.div_ceil(60)
    ));
    let life = Duration::from_secs(started.expires_in);
    tokio::time::timeout(life, poll(issuer, wanted, &started)).await.unwrap_or_else(|_| Err(code_expired()))
}

async fn poll(issuer: &IssuerDocument, wanted: &Wanted, started: &Started) -> Outcome<Granted> {
    let mut pause = Duration::from_secs(started.interval.max(1));
    let form = [
        ("grant_type", GRANT),
        ("device_code", started.device_code.expose()),
        ("client_id", &wanted.client_id),
        ("resource", &wanted.resource),
    ];
    loop {
        tokio::time::sleep(pause).await;
        match grant::ask(&issuer.token_endpoint, &form).await {
            Ok(Ok(granted)) => return Ok(granted),
            Ok(Err(refused)) => match &*refused.error {
                "authorization_pending" => {}
                "slow_down" => pause += SLOWER,
                "expired_token" => return Err(code_expired()),
                _ => return Err(refused.into_failure("The sign-in did not succeed")),
            },
            // Section 3.5: an issuer that does not answer is asked less often, until the code ends.
            Err(failure) if failure.exit() == Exit::Unavailable as u8 => {
                pause = (pause * 2).min(Duration::from_secs(60))
            }
            Err(failure) => return Err(failure),
        }
    }
}

fn code_expired() -> Failure {
    Failure::new(Exit::NotSignedIn, "sign_in_expired", "Nobody entered the code in time; start again.")
}
