//! The token endpoint (RFC 6749 sections 4.1.3, 5 and 6): one form in, a token or a reason out.

use platform::Secret;
use serde::Deserialize;
use url::Url;

use crate::exit::Exit;
use crate::failure::{Failure, Outcome};
use crate::web;

/// A successful answer.
#[derive(Debug, Deserialize)]
pub(crate) struct Granted {
    pub(crate) access_token: Secret,
    token_type: String,
    /// Seconds.
    pub(crate) expires_in: Option<i64>,
    pub(crate) refresh_token: Option<Secret>,
    pub(crate) scope: Option<String>,
}

/// A refusal (RFC 6749 section 5.2).
#[derive(Debug, Deserialize)]
pub(crate) struct Refused {
    pub(crate) error: String,
    error_description: Option<String>,
}

impl Refused {
    /// Whether this grant is used up: a repeat would get the same answer.
    pub(crate) fn is_final(&self) -> bool {
        matches!(&*self.error, "invalid_grant" | "invalid_client" | "unauthorized_client" | "unsupported_grant_type")
    }

    /// For the person; `what` begins the sentence.
    pub(crate) fn into_failure(self, what: &str) -> Failure {
        let why = self.error_description.unwrap_or_else(|| self.error.replace('_', " "));
        let message = format!("{what}: {}.", why.trim_end_matches('.'));
        Failure::new(Exit::NotSignedIn, "sign_in_refused", message)
    }
}

/// Asks for a token. The outer error is an issuer that could not be asked.
pub(crate) async fn ask(endpoint: &Url, form: &[(&str, &str)]) -> Outcome<Result<Granted, Refused>> {
    let response = web::post_form(endpoint, form).await?;
    if response.status.is_success() {
        let granted: Granted = response.json()?;
        // RFC 6749, section 7.1: a token of a type that we do not know must not be used.
        if granted.token_type.eq_ignore_ascii_case("bearer") {
            return Ok(Ok(granted));
        }
        let message =
            format!("The issuer gave a token of type `{}`, and only bearer is understood.", granted.token_type);
        return Err(Failure::new(Exit::NotSignedIn, "sign_in_refused", message));
    }
    match response.json::<Refused>() {
        Ok(refused) => Ok(Err(refused)),
        Err(_) => {
            let message = format!("The issuer answered HTTP {} without a reason.", response.status.as_u16());
            Err(Failure::new(Exit::of_status(response.status.as_u16()), "issuer_unreadable", message))
        }
    }
}
