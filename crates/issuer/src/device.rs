//! The device flow (RFC 8628): a program without a browser of its own gets a code that a person types on a page here, and
//! asks again until the person has decided. The store keeps keyed hashes of both codes; how often a device asks is kept in
//! memory. The pages stand in `device_pages`.

use std::time::Duration;

use axum::Json;
use axum::body::Bytes;
use axum::extract::State as Extension;
use axum::extract::rejection::BytesRejection;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, StatusCode};
use moka::sync::Cache;
use platform::store::{Collection, Expect, Index, Op, Query, TransactError};
use platform::{Error, seal};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::authorize::granted_scope;
use crate::browser::Source;
use crate::claims::ACR_MFA;
use crate::clients::{Client, GrantType};
use crate::grants::Granted;
use crate::issuer::{Issuer, State};
use crate::keys::random_id;
use crate::oauth::{OAuthError, answered, request};
use crate::parameters::Parameters;
use crate::resources;
use crate::sessions::Session;
use crate::throttle::Bucket;
use crate::users::{User, put, transact};

pub(crate) const DEVICES: Collection =
    Collection { name: "issuer_devices", indexes: &[Index { name: "user_code", pointer: "/user_code" }] };
/// How long a person may take, seconds.
const LIFE_S: i64 = 600;
/// What the hashes of both codes are told apart by.
const DEVICE_CODE: &str = "device code";
const USER_CODE_KIND: &str = "user code";
/// How often a device may ask, seconds; five more each time it asks too soon (RFC 8628, section 3.5).
const INTERVAL_S: i64 = 5;
const SLOWER_S: i64 = 5;
/// No vowels, so that no code is a word, and nothing that is taken for something else.
const ALPHABET: &[u8; 20] = b"BCDFGHJKLMNPQRSTVWXZ";
const USER_CODE: usize = 8;
/// Device flows that one address may begin before it has to wait; an hour without one, and they are forgotten.
const FREE_BEGINNINGS: u32 = 200;
const MOST_DEVICES: u64 = 50_000;

/// What the store keeps of a device that waits.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Waiting {
    client_id: String,
    scope: String,
    resource: Option<String>,
    /// Keyed hash.
    user_code: String,
    mfa: bool,
    /// How long ago the person may have signed in, seconds.
    #[serde(default)]
    max_age: Option<i64>,
    /// Address that asked, for the person to compare.
    source: Option<String>,
    began_at: i64,
    state: Decision,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Decision {
    Open,
    Denied,
    Approved(Granted),
}

/// A device that somebody is about to decide about.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct DeviceErrand {
    /// The record.
    id: String,
    pub(crate) client_id: String,
    pub(crate) scope: String,
    pub(crate) resource: Option<String>,
    pub(crate) mfa: bool,
    pub(crate) max_age: Option<i64>,
    /// As the person typed it, in its usual form.
    pub(crate) user_code: String,
    pub(crate) source: Option<String>,
}

/// When each device may ask again: seconds since the epoch, and its interval.
pub(crate) struct Polls(Cache<String, (i64, i64)>);

impl Polls {
    pub(crate) fn new() -> Self {
        Self(
            Cache::builder()
                .max_capacity(MOST_DEVICES)
                .time_to_live(Duration::from_secs(LIFE_S.unsigned_abs()))
                .build(),
        )
    }

    /// Whether the device may ask at `now`; asking too soon costs it five more seconds each time.
    fn may(&self, id: &str, now: i64) -> bool {
        let (next, interval) = self.0.get(id).unwrap_or((i64::MIN, INTERVAL_S));
        let soon = now < next;
        let interval = if soon { interval + SLOWER_S } else { interval };
        self.0.insert(id.to_owned(), (now + interval, interval));
        !soon
    }
}

/// `POST /device_authorization`.
pub(crate) async fn authorization(
    Extension(issuer): Extension<Issuer>,
    source: Source,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Response {
    let state = &*issuer.0;
    let answer = match request(state, source, &headers, body).await {
        Ok((client, form)) => begin(state, source, &client, &form).await,
        Err(error) => Err(error),
    };
    answered(state, source, answer)
}

async fn begin(state: &State, source: Source, client: &Client, form: &Parameters) -> Result<Response, OAuthError> {
    if !client.may(GrantType::DeviceCode) {
        return Err(OAuthError::new("unauthorized_client", "This client may not use the device flow."));
    }
    let (bucket, now) = (Bucket::codes("device flow", source.0, FREE_BEGINNINGS), state.clock.epoch_seconds());
    if state.throttle.wait(&[bucket], now).is_some() {
        return Err(OAuthError::new("temporarily_unavailable", "Too many device flows from here. Try again later.")
            .with_status(StatusCode::TOO_MANY_REQUESTS));
    }
    state.throttle.failed(&[bucket], now);
    let resource = match form.get("resource") {
        Some(asked) => Some(
            resources::audience(&state.platform, asked)
                .filter(|audience| state.may_ask_for(client, audience))
                .ok_or(OAuthError::new("invalid_target", "The resource is not part of this platform."))?,
        ),
        None => None,
    };
    let scope = granted_scope(form.get("scope"));
    let scope = scope.ok_or(OAuthError::new("invalid_scope", "Ask for openid, profile or mcp."))?;
    let max_age = form.get("max_age").map(str::parse::<u32>).transpose();
    let max_age = max_age.map_err(|_| OAuthError::new("invalid_request", "max_age is a number of seconds."))?;
    let max_age = max_age.map(i64::from);
    let (device_code, user_code) = (random_id()?, new_user_code()?);
    let waiting = Waiting {
        client_id: client.client_id.clone(),
        scope,
        resource,
        user_code: state.sealer.at_rest(USER_CODE_KIND, &user_code),
        // Neither is in RFC 8628; both as in a browser's request.
        max_age,
        mfa: form.get("acr_values").is_some_and(|values| values.split(' ').any(|acr| acr == ACR_MFA)),
        source: source.0.map(|ip| ip.to_string()),
        began_at: now,
        state: Decision::Open,
    };
    let body = serde_json::to_value(&waiting).map_err(Error::internal)?;
    let id = state.sealer.at_rest(DEVICE_CODE, &device_code);
    put(state.store.as_ref(), DEVICES, id, Expect::Absent, body, Some(now + LIFE_S)).await?;
    let page = format!("{}/device", state.url);
    let body = json!({
        "device_code": device_code,
        "user_code": user_code,
        "verification_uri": page,
        "verification_uri_complete": format!("{page}?user_code={user_code}"),
        "expires_in": LIFE_S,
        "interval": INTERVAL_S,
    });
    Ok(Json(body).into_response())
}

/// What a device's code came to: the grant, once.
pub(crate) async fn redeem(state: &State, client: &Client, device_code: &str) -> Result<Granted, OAuthError> {
    const UNKNOWN: OAuthError = OAuthError::new("expired_token", "The device code is unknown or too old. Start again.");
    let mut found = None;
    for id in state.sealer.kept_at_rest(DEVICE_CODE, device_code) {
        if found.is_none() {
            found = state.store.get(DEVICES, &id).await?.map(|record| (id, record));
        }
    }
    let (id, record) = found.ok_or(UNKNOWN)?;
    let waiting: Waiting = serde_json::from_value(record.body).map_err(Error::internal)?;
    let now = state.clock.epoch_seconds();
    if now - waiting.began_at >= LIFE_S {
        return Err(UNKNOWN);
    }
    if waiting.client_id != client.client_id {
        return Err(OAuthError::new("invalid_grant", "The device code is another client's."));
    }
    let granted = match waiting.state {
        Decision::Open if !state.polls.may(&id, now) => {
            return Err(OAuthError::new("slow_down", "Ask less often: five seconds more between two requests."));
        }
        Decision::Open => {
            return Err(OAuthError::new("authorization_pending", "Nobody has decided. Ask again after the interval."));
        }
        Decision::Denied => {
            return Err(OAuthError::new("access_denied", "The person said no."));
        }
        Decision::Approved(granted) => granted,
    };
    let gone = Op::Delete { collection: DEVICES, id, expect: Expect::Revision(record.revision) };
    match state.store.transact(vec![gone]).await {
        Ok(_) => Ok(granted),
        Err(TransactError::Conflict { .. }) => Err(UNKNOWN),
        Err(TransactError::Store(error)) => Err(error.into()),
    }
}

/// The device that waits under a code as a person types it.
pub(crate) async fn find(state: &State, typed: &str) -> Result<Option<DeviceErrand>, Error> {
    let Some(user_code) = usual_form(typed) else { return Ok(None) };
    let now = state.clock.epoch_seconds();
    let mut found = Vec::new();
    for hash in state.sealer.kept_at_rest(USER_CODE_KIND, &user_code) {
        let query =
            Query { collection: DEVICES, filter: Some(("user_code", &hash)), after: None, limit: 2, descending: false };
        found.extend(state.store.list(query).await?);
    }
    for record in found {
        let waiting: Waiting = serde_json::from_value(record.body).map_err(Error::internal)?;
        if matches!(waiting.state, Decision::Open) && now - waiting.began_at < LIFE_S {
            let Waiting { client_id, scope, resource, mfa, max_age, source, .. } = waiting;
            return Ok(Some(DeviceErrand {
                id: record.id,
                client_id,
                scope,
                resource,
                mfa,
                max_age,
                user_code,
                source,
            }));
        }
    }
    Ok(None)
}

/// Writes down what the person said. Error: `device_code_unknown` when the code has ended or was decided already.
pub(crate) async fn decide(
    state: &State,
    errand: &DeviceErrand,
    user: &User,
    session: &Session,
    approved: bool,
) -> Result<(), Error> {
    let record = state.store.get(DEVICES, &errand.id).await?.ok_or_else(unknown_code)?;
    let mut waiting: Waiting = serde_json::from_value(record.body).map_err(Error::internal)?;
    let now = state.clock.epoch_seconds();
    if !matches!(waiting.state, Decision::Open) || now - waiting.began_at >= LIFE_S {
        return Err(unknown_code());
    }
    waiting.state = match approved {
        true => {
            let (scope, resource) = (&waiting.scope, waiting.resource.as_deref());
            Decision::Approved(Granted::new(&waiting.client_id, scope, resource, user, session))
        }
        false => Decision::Denied,
    };
    let put = Op::Put {
        collection: DEVICES,
        id: errand.id.clone(),
        expect: Expect::Revision(record.revision),
        body: serde_json::to_value(&waiting).map_err(Error::internal)?,
        expires_at: record.expires_at,
    };
    transact(state.store.as_ref(), vec![put]).await
}

/// Nothing waits under this code.
pub(crate) fn unknown_code() -> Error {
    Error::new(
        platform::ErrorKind::NotFound,
        "device_code_unknown",
        "No device waits under this code. Check it, or start again on the device: a code lasts ten minutes.",
    )
}

/// `BCDF-GHJK`: 20^8 codes, 34 bits, against which a source has ten guesses before it waits.
fn new_user_code() -> Result<String, Error> {
    let mut code = String::with_capacity(USER_CODE + 1);
    while code.len() < USER_CODE + 1 {
        for byte in seal::random::<16>()? {
            // 240 is the largest multiple of 20: no letter is more likely than another.
            let letter = ALPHABET.get(usize::from(byte) % ALPHABET.len()).filter(|_| byte < 240);
            if let Some(letter) = letter.filter(|_| code.len() < USER_CODE + 1) {
                code.push(char::from(*letter));
                if code.len() == USER_CODE / 2 {
                    code.push('-');
                }
            }
        }
    }
    Ok(code)
}

/// A typed code in the form in which it was shown: case, dashes and spaces do not matter.
pub(crate) fn usual_form(typed: &str) -> Option<String> {
    let letters: String = typed.chars().filter(|c| !matches!(c, '-' | ' ')).map(|c| c.to_ascii_uppercase()).collect();
    let good = letters.len() == USER_CODE && letters.bytes().all(|b| ALPHABET.contains(&b));
    good.then(|| format!("{}-{}", &letters[..USER_CODE / 2], &letters[USER_CODE / 2..]))
}

#[cfg(test)]
mod tests {
    use super::{Polls, new_user_code, usual_form};

    #[test]
    fn rfc_8628_a_user_code_is_eight_consonants_and_forgives_how_it_is_typed() {
        for _ in 0..50 {
            let code = new_user_code().unwrap();
            assert_eq!(usual_form(&code).as_deref(), Some(code.as_str()));
        }
        assert_eq!(usual_form(" bcdf ghjk").as_deref(), Some("BCDF-GHJK"));
        for bad in ["", "BCDFGHJ", "BCDFGHJKL", "ACDFGHJK", "BCDF-GHJ1", "ÄÖÜẞ"] {
            assert_eq!(usual_form(bad), None, "{bad}");
        }
    }

    #[test]
    fn rfc_8628_asking_too_soon_costs_five_more_seconds_each_time() {
        let polls = Polls::new();
        assert!(polls.may("d", 100));
        assert!(!polls.may("d", 104));
        assert!(!polls.may("d", 113), "the interval is ten seconds now, counted from the last request");
        assert!(polls.may("d", 113 + 15));
        assert!(polls.may("other", 100));
    }
}
