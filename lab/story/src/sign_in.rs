//! The one scripted sign-in: the ordinary authorization code flow with PKCE through the issuer's own pages, as a person
//! with a browser and an authenticator app goes through it. `interlock lab token`, the tale and the tests use it; there is
//! no second way to get a token.
//!
//! Sources: RFC 6749 section 4.1, RFC 7636, RFC 8252, RFC 8707, RFC 9207. The pages are described in `crates/issuer`.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use platform::{Clock, Error, ErrorKind, Secret, canonical, seal};
use serde::Deserialize;
use url::Url;

use crate::browser::{Browser, Page, unreachable};
use crate::one_time_code::OneTimeCode;
use crate::ready::ReadyUser;

/// `acr` that asks for the second factor.
pub const ACR_MFA: &str = "urn:interlock:acr:mfa";
/// Nobody listens there: the redirect is read, not followed.
const REDIRECT: &str = "http://127.0.0.1:1/callback";
/// Codes that a person types before giving up: the first may have been used a moment ago.
const CODES: u32 = 3;
/// How often a form is sent again while the issuer is busy.
const BUSY: u32 = 20;

/// Who signs in.
#[derive(Debug, Clone)]
pub struct Person {
    /// Name.
    pub name: String,
    /// Password.
    pub password: Secret,
    /// TOTP secret, base32.
    pub totp_secret: Secret,
}

impl From<&ReadyUser> for Person {
    fn from(user: &ReadyUser) -> Self {
        Self {
            name: user.name.clone(),
            password: user.password.clone().into(),
            totp_secret: user.totp_secret.clone().into(),
        }
    }
}

/// What is asked for.
#[derive(Debug, Clone)]
pub struct SignInOptions {
    /// Issuer identifier.
    pub issuer: String,
    /// Public client with a loopback redirect.
    pub client_id: String,
    /// `resource` (RFC 8707).
    pub audience: String,
    /// Whether the second factor is asked for.
    pub mfa: bool,
}

/// An access token.
#[derive(Debug, Clone)]
pub struct AccessToken {
    /// The token.
    pub token: Secret,
    /// Its life in seconds from now.
    pub expires_in: i64,
}

#[derive(Deserialize)]
struct TokenAnswer {
    access_token: Option<Secret>,
    expires_in: Option<i64>,
    error: Option<String>,
    error_description: Option<String>,
}

/// Signs in and returns an access token. Waits for the next time step when the current code was used already; `progress`
/// hears of it. Errors: `lab_not_running`, `sign_in_failed` with what the page said, `lab_user_without_factor`.
pub async fn access_token(
    options: &SignInOptions,
    person: &Person,
    clock: &dyn Clock,
    progress: &(dyn Fn(&str) + Send + Sync),
) -> Result<AccessToken, Error> {
    let mut browser = Browser::new()?;
    let (verifier, state) = (random_text()?, random_text()?);
    let challenge = URL_SAFE_NO_PAD.encode(canonical::sha256(verifier.as_bytes()));
    let mut url = Url::parse(&format!("{}/authorize", options.issuer)).map_err(Error::internal)?;
    url.query_pairs_mut()
        .append_pair("response_type", "code")
        .append_pair("client_id", &options.client_id)
        .append_pair("redirect_uri", REDIRECT)
        .append_pair("scope", "mcp")
        .append_pair("state", &state)
        .append_pair("code_challenge", &challenge)
        .append_pair("code_challenge_method", "S256")
        .append_pair("resource", &options.audience);
    if options.mfa {
        url.query_pairs_mut().append_pair("acr_values", ACR_MFA);
    }
    let callback = through_the_pages(&mut browser, &url, person, clock, progress).await?;
    let code = code_of(&callback, &state, &options.issuer)?;
    let token = Url::parse(&format!("{}/token", options.issuer)).map_err(Error::internal)?;
    let form = [
        ("grant_type", "authorization_code"),
        ("code", &*code),
        ("client_id", &*options.client_id),
        ("redirect_uri", REDIRECT),
        ("code_verifier", &*verifier),
        ("resource", &*options.audience),
    ];
    let sent = browser.bare().post(token.clone()).form(&form).send().await.map_err(|e| unreachable(&token, &e))?;
    let answer: TokenAnswer = sent.json().await.map_err(|e| failed("the issuer gave no token").with_detail(e))?;
    match answer {
        TokenAnswer { access_token: Some(token), expires_in, .. } => {
            Ok(AccessToken { token, expires_in: expires_in.unwrap_or(0) })
        }
        TokenAnswer { error, error_description, .. } => {
            Err(failed(&error_description.or(error).unwrap_or_else(|| "the issuer gave no token".to_owned())))
        }
    }
}

/// Follows the link of a refusal in a browser of its own, not the client that was refused, and passes the second factor
/// there as `person`. Errors: `lab_not_running`, `sign_in_failed` with what the last page said.
pub async fn pass_second_factor(
    link: &Url,
    person: &Person,
    clock: &dyn Clock,
    progress: &(dyn Fn(&str) + Send + Sync),
) -> Result<(), Error> {
    let mut browser = Browser::new()?;
    let page = browser.get(link).await?;
    let start = page.link("/start").ok_or_else(|| refused(&page))?;
    let page = browser.get(&start).await?;
    let away = page.location.clone().ok_or_else(|| refused(&page))?;
    let back = through_the_pages(&mut browser, &away, person, clock, progress).await?;
    let mut done = browser.get(&back).await?;
    if let Some(to) = done.location.take() {
        // What is good for one call is allowed by one more act, on the page that shows this call.
        let page = browser.get(&to).await?;
        let form = page.form(to.path()).ok_or_else(|| refused(&page))?;
        done = browser.submit(&form, &[]).await?;
    }
    if done.status == 200 { Ok(()) } else { Err(refused(&done)) }
}

/// Fills the issuer's forms in, from an authorization URL to the redirect that leaves the issuer.
pub(crate) async fn through_the_pages(
    browser: &mut Browser,
    authorize: &Url,
    person: &Person,
    clock: &dyn Clock,
    progress: &(dyn Fn(&str) + Send + Sync),
) -> Result<Url, Error> {
    let mut page = browser.get(authorize).await?;
    let (mut passwords, mut codes, mut busy) = (0, 0, 0);
    let mut typed: Option<OneTimeCode> = None;
    loop {
        if let Some(to) = page.location.take() {
            return Ok(to);
        }
        if page.status == 503 && busy < BUSY {
            busy += 1;
            tokio::time::sleep(page.retry_after.unwrap_or(Duration::from_secs(1)).min(Duration::from_secs(5))).await;
            // A form that was refused for want of a turn comes back filled in; the same answer is due again.
            passwords = 0;
        } else if page.status >= 400 && !(page.status == 401 && typed.is_some() && codes < CODES) {
            return Err(refused(&page));
        }
        if let Some(form) = page.form("/sign-in/otp") {
            if let Some(used) = &typed {
                progress("this code was used already; waiting for the next one, at most 30 s");
                used.passed(clock).await;
            }
            let code = OneTimeCode::now(&person.totp_secret, clock)?;
            codes += 1;
            page = browser.submit(&form, &[("otp", &code.code)]).await?;
            typed = Some(code);
        } else if let Some(form) = page.form("/sign-in").filter(|_| passwords == 0) {
            passwords += 1;
            let fields = [("username", &*person.name), ("password", person.password.expose())];
            page = browser.submit(&form, &fields).await?;
        } else {
            return Err(refused(&page));
        }
    }
}

/// The code in a redirect that belongs to this sign-in.
fn code_of(callback: &Url, state: &str, issuer: &str) -> Result<String, Error> {
    let value = |name: &str| callback.query_pairs().find(|(n, _)| n == name).map(|(_, v)| v.into_owned());
    if let Some(error) = value("error") {
        let said = value("error_description").unwrap_or_else(|| error.clone());
        return Err(failed(&said));
    }
    if value("state").as_deref() != Some(state) || value("iss").as_deref() != Some(issuer) {
        return Err(failed("the answer belongs to another sign-in"));
    }
    value("code").ok_or_else(|| failed("the issuer sent no code"))
}

fn refused(page: &Page) -> Error {
    let said = page.alert().unwrap_or_else(|| format!("the page answered {}", page.status));
    let error = failed(&said);
    match page.retry_after {
        Some(after) => error.with_retry_after(after),
        None => error,
    }
}

fn failed(why: &str) -> Error {
    let why = why.trim_end_matches('.');
    Error::new(ErrorKind::Unauthenticated, "sign_in_failed", format!("The sign-in did not succeed: {why}."))
}

fn random_text() -> Result<String, Error> {
    seal::random_text::<32>()
}

#[cfg(test)]
mod tests {
    use url::Url;

    use super::code_of;

    #[test]
    fn rfc_9207_a_code_from_another_issuer_or_sign_in_is_not_taken() {
        let code = |query: &str| {
            code_of(&Url::parse(&format!("http://127.0.0.1:1/callback?{query}")).unwrap(), "s", "http://i")
        };
        assert_eq!(code("code=c&state=s&iss=http://i").unwrap(), "c");
        assert!(code("code=c&state=s&iss=http://other").is_err());
        assert!(code("code=c&state=t&iss=http://i").is_err());
        assert!(code("code=c&state=s").is_err());
        let refused = code("error=access_denied&error_description=No&state=s&iss=http://i").unwrap_err();
        assert!(refused.message().contains("No"));
    }
}
