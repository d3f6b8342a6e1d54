//! Tokens that only their issuer can read: introspection (RFC 7662), and the userinfo mode. An answer counts for half a
//! minute at most, a refusal for a second; one question per token is under way at a time, and a bounded number in all.
//! What the answers are worth is decided in `verifier`.

use std::sync::Arc;
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::header::{ACCEPT, AUTHORIZATION};
use http::{HeaderValue, Method, StatusCode};
use moka::sync::Cache;
use platform::error::Error;
use platform::http::{Request, Response};
use platform::principal::TokenProof;
use platform::tokens::TokenRefusal;
use platform::{Json, Secret};
use serde_json::Map;
use tokio::sync::{Mutex, Semaphore};
use url::Url;
use url::form_urlencoded::byte_serialize;

use crate::entry::{ClientCredentials, TokenKind};
use crate::issuer::{Issuer, garbled, path_below};
use crate::strict::Strict;

/// Longest time that an issuer's answer counts, in seconds.
pub(crate) const ANSWER_S: i64 = 30;
/// Longest time that a refusal counts.
const REFUSAL: Duration = Duration::from_secs(1);
/// Most answers that are kept.
const MAX_ANSWERS: u64 = 20_000;
/// Most questions to one issuer at a time.
const MAX_QUESTIONS: usize = 32;
/// Longest time for one question.
const TIMEOUT: Duration = Duration::from_secs(5);
/// Most bytes of an answer.
const MAX_ANSWER: usize = 64 << 10;
/// Client of a token whose issuer was not asked for it; no client can be registered under a name with spaces.
const UNKNOWN_CLIENT: &str = "(not known in userinfo mode)";
/// What introspection alone may say; userinfo adds to the rest.
const PROVEN: [&str; 15] = [
    "iss",
    "sub",
    "aud",
    "exp",
    "iat",
    "nbf",
    "jti",
    "sid",
    "client_id",
    "azp",
    "scope",
    "act",
    "cnf",
    "active",
    "token_type",
];

/// SHA-256 of a token.
pub(crate) type TokenHash = [u8; 32];

/// What an issuer said about a live token, in the form of claims.
pub(crate) struct Answer {
    pub(crate) claims: Map<String, Json>,
    pub(crate) proof: TokenProof,
    /// When it was said, epoch seconds.
    pub(crate) at: i64,
}

/// The questions to one issuer.
pub(crate) struct Questions {
    answers: Cache<TokenHash, Arc<Answer>>,
    refusals: Cache<TokenHash, TokenRefusal>,
    flights: Cache<TokenHash, Arc<Mutex<()>>>,
    permits: Semaphore,
}

impl Default for Questions {
    fn default() -> Self {
        let answer = Duration::from_secs(ANSWER_S.unsigned_abs());
        Self {
            answers: Cache::builder().max_capacity(MAX_ANSWERS).time_to_live(answer).build(),
            refusals: Cache::builder().max_capacity(MAX_ANSWERS).time_to_live(REFUSAL).build(),
            flights: Cache::builder().max_capacity(MAX_ANSWERS).time_to_idle(2 * TIMEOUT).build(),
            permits: Semaphore::new(MAX_QUESTIONS),
        }
    }
}

impl Questions {
    /// What `issuer` says about `token`, at epoch second `now`.
    pub(crate) async fn ask(
        &self,
        issuer: &Issuer,
        (token, hash): (&str, TokenHash),
        now: i64,
    ) -> Result<Arc<Answer>, TokenRefusal> {
        if let Some(known) = self.known(hash, now) {
            return known;
        }
        let flight = self.flights.get_with(hash, Arc::default);
        let _one = flight.lock().await;
        if let Some(known) = self.known(hash, now) {
            return known;
        }
        let Ok(_permit) = self.permits.try_acquire() else { return Err(TokenRefusal::IssuerUnavailable) };
        match question(issuer, token, now).await {
            Ok(answer) => {
                let answer = Arc::new(answer);
                self.answers.insert(hash, Arc::clone(&answer));
                Ok(answer)
            }
            Err(refusal) => {
                self.refusals.insert(hash, refusal);
                Err(refusal)
            }
        }
    }

    fn known(&self, hash: TokenHash, now: i64) -> Option<Result<Arc<Answer>, TokenRefusal>> {
        let fresh = |answer: &Arc<Answer>| (answer.at..answer.at.saturating_add(ANSWER_S)).contains(&now);
        if let Some(answer) = self.answers.get(&hash).filter(fresh) {
            return Some(Ok(answer));
        }
        self.refusals.get(&hash).map(Err)
    }
}

async fn question(issuer: &Issuer, token: &str, now: i64) -> Result<Answer, TokenRefusal> {
    let (mut claims, proof) = match &issuer.entry.tokens {
        // Such an issuer's tokens speak for themselves.
        TokenKind::Jwt => return Err(TokenRefusal::Shape),
        TokenKind::Introspection(client) => (introspect(issuer, client, token).await?, TokenProof::Introspection),
        TokenKind::Userinfo { endpoint, introspection } => {
            let proven = match introspection {
                Some(client) => Some(introspect(issuer, client, token).await?),
                None => None,
            };
            let told = userinfo(issuer, endpoint.as_ref(), token).await?;
            (merged(proven, told, now)?, TokenProof::Userinfo)
        }
    };
    completed(issuer, &mut claims, now)?;
    Ok(Answer { claims, proof, at: now })
}

/// RFC 7662 section 2. A token of another type than a bearer's, such as a refresh token, is none.
async fn introspect(
    issuer: &Issuer,
    client: &ClientCredentials,
    token: &str,
) -> Result<Map<String, Json>, TokenRefusal> {
    let sent = async {
        let metadata = issuer.metadata().await?;
        let endpoint = metadata.introspection_endpoint.as_ref().ok_or_else(|| garbled("no introspection endpoint"))?;
        let form = [("token", token), ("token_type_hint", "access_token")];
        let request = request(issuer, Method::POST, endpoint, basic(client)?)?.form(&form).idempotent(true);
        issuer.entry.target.send(request).await
    };
    let claims = document(issuer, sent.await)?;
    if claims.get("active") != Some(&Json::Bool(true)) {
        return Err(TokenRefusal::Inactive);
    }
    let bearer =
        claims.get("token_type").and_then(Json::as_str).is_some_and(|kind| kind.eq_ignore_ascii_case("bearer"));
    // Keycloak says Bearer of every token, and what it is in `typ`.
    let other = claims.get("typ").and_then(Json::as_str).is_some_and(|kind| !kind.eq_ignore_ascii_case("bearer"));
    if bearer && !other { Ok(claims) } else { Err(TokenRefusal::Type) }
}

/// OpenID Connect Core 1.0 section 5.3. Whoever the issuer tells about holds a live token, of whatever client.
async fn userinfo(issuer: &Issuer, endpoint: Option<&Url>, token: &str) -> Result<Map<String, Json>, TokenRefusal> {
    let sent = async {
        let metadata;
        let endpoint = match endpoint {
            Some(endpoint) => endpoint,
            None => {
                metadata = issuer.metadata().await?;
                metadata.userinfo_endpoint.as_ref().ok_or_else(|| garbled("no userinfo endpoint"))?
            }
        };
        let request = request(issuer, Method::GET, endpoint, sensitive(&format!("Bearer {token}"))?)?;
        issuer.entry.target.send(request).await
    };
    let sent = sent.await;
    if let Ok(response) = &sent
        && matches!(response.status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN | StatusCode::BAD_REQUEST)
    {
        return Err(TokenRefusal::Inactive);
    }
    document(issuer, sent)
}

fn request(issuer: &Issuer, method: Method, endpoint: &Url, authorization: HeaderValue) -> Result<Request, Error> {
    let path = path_below(&issuer.entry.target, endpoint)?;
    let request = Request::new(method, path, Instant::now() + TIMEOUT).header(AUTHORIZATION, authorization);
    Ok(request.header(ACCEPT, HeaderValue::from_static("application/json")))
}

/// The object in an answer. What is no answer leaves the token undecided: nobody is let in on a guess.
fn document(issuer: &Issuer, sent: Result<Response, Error>) -> Result<Map<String, Json>, TokenRefusal> {
    let read = sent.and_then(|response| {
        if response.status != StatusCode::OK || response.body.len() > MAX_ANSWER {
            return Err(garbled(format!("{} bytes with status {}", response.body.len(), response.status)));
        }
        match serde_json::from_slice(&response.body) {
            Ok(Strict(Json::Object(members))) => Ok(members),
            _ => Err(garbled("the answer is no JSON object with single members")),
        }
    });
    read.map_err(|error| {
        tracing::warn!(issuer = %issuer.entry.issuer, ?error, "the issuer does not answer about a token");
        TokenRefusal::IssuerUnavailable
    })
}

/// RFC 6749 section 2.3.1: both parts are form-encoded before they are joined.
pub(crate) fn basic(client: &ClientCredentials) -> Result<HeaderValue, Error> {
    let encode = |text: &str| byte_serialize(text.as_bytes()).collect::<String>();
    let pair = Secret::new(format!("{}:{}", encode(&client.id), encode(client.secret.expose())));
    sensitive(&format!("Basic {}", STANDARD.encode(pair.expose())))
}

fn sensitive(text: &str) -> Result<HeaderValue, Error> {
    let mut value = HeaderValue::from_str(text).map_err(Error::internal)?;
    value.set_sensitive(true);
    Ok(value)
}

/// Userinfo's claims under those that introspection proved; without introspection, a token that lives as long as the
/// answer counts. Nothing in it says how the person signed in.
fn merged(
    proven: Option<Map<String, Json>>,
    told: Map<String, Json>,
    now: i64,
) -> Result<Map<String, Json>, TokenRefusal> {
    let subject = told.get("sub").cloned().ok_or(TokenRefusal::Claims)?;
    let mut claims: Map<String, Json> = told.into_iter().filter(|(name, _)| !PROVEN.contains(&name.as_str())).collect();
    match proven {
        // OpenID Connect Core 1.0 section 5.3.2: another person's userinfo is nobody's.
        Some(proven) if proven.get("sub") != Some(&subject) => return Err(TokenRefusal::Claims),
        Some(proven) => claims.extend(proven.into_iter().filter(|(name, _)| PROVEN.contains(&name.as_str()))),
        None => {
            claims.insert("sub".to_owned(), subject);
            claims.insert("client_id".to_owned(), UNKNOWN_CLIENT.into());
            claims.insert("exp".to_owned(), now.saturating_add(ANSWER_S).into());
        }
    }
    for name in ["acr", "amr", "auth_time"] {
        claims.remove(name);
    }
    Ok(claims)
}

/// Puts in what RFC 7662 lets an issuer leave out: itself, the subject of a client's own token, and the time of issue,
/// which is then the time of the answer, so that a revocation ends what was answered before it.
fn completed(issuer: &Issuer, claims: &mut Map<String, Json>, now: i64) -> Result<(), TokenRefusal> {
    let ours = Json::from(issuer.entry.issuer.as_str());
    if *claims.entry("iss").or_insert_with(|| ours.clone()) != ours {
        return Err(TokenRefusal::Issuer);
    }
    claims.entry("iat").or_insert_with(|| now.into());
    if let Some(client) = claims.get("client_id").cloned() {
        claims.entry("sub").or_insert(client);
    }
    if let Some(name) = claims.get("username").cloned() {
        claims.entry("preferred_username").or_insert(name);
    }
    claims.entry("aud").or_insert_with(|| Json::Array(Vec::new()));
    Ok(())
}
