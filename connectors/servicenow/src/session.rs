//! How the platform signs in: by basic authentication, or by OAuth with the client's own credentials or with a user's password
//! on top. The fields of the stored credential decide. An OAuth token is shared by all calls and renewed once when the
//! vendor refuses it.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderValue, Method, StatusCode};
use platform::http::{Request, TargetClient};
use platform::{Error, ErrorKind, Secret, SharedClock};
use serde::Deserialize;
use tokio::sync::Mutex;
use tool_runtime::{Lease, ToolCx};

use crate::error;

const TOKEN: &str = "/oauth_token.do";
/// A token is renewed this long before it ends.
const EARLY_S: i64 = 60;
/// How long a token lives when the vendor does not say it.
const LIFE_S: i64 = 1_800;
/// How long a refused credential is not tried again.
const REFUSED_S: i64 = 60;

/// A way in that worked, or is believed to.
pub(crate) struct Session {
    /// Value of the `Authorization` header.
    authorization: Secret,
    /// Version of the stored credential it was made with.
    version: u64,
    /// Nothing for basic authentication, which does not run out.
    renew_at: Option<i64>,
}

impl Session {
    /// The header; marked so that nothing prints it.
    pub(crate) fn header(&self) -> Result<HeaderValue, Error> {
        let mut value = HeaderValue::from_str(self.authorization.expose()).map_err(Error::internal)?;
        value.set_sensitive(true);
        Ok(value)
    }

    /// Whether a refusal may only mean that it ran out.
    pub(crate) fn can_be_renewed(&self) -> bool {
        self.renew_at.is_some()
    }
}

enum Slot {
    Empty,
    Open(Arc<Session>),
    /// The vendor refused this version of the credential: it is not tried again for a while, since accounts are locked
    /// after a few wrong passwords.
    Refused {
        version: u64,
        until: i64,
    },
}

/// The session that calls share.
pub(crate) struct Sessions {
    clock: SharedClock,
    slot: Mutex<Slot>,
}

impl Sessions {
    pub(crate) fn new(clock: SharedClock) -> Self {
        Self { clock, slot: Mutex::new(Slot::Empty) }
    }

    /// The session, made or renewed by one caller while the others wait. `refused` is the one that got a 401.
    pub(crate) async fn get(
        &self,
        http: &TargetClient,
        cx: &ToolCx,
        refused: Option<&Arc<Session>>,
    ) -> Result<Arc<Session>, Error> {
        let now = self.clock.epoch_seconds();
        let version = cx.lease.version();
        let mut slot = self.slot.lock().await;
        match &*slot {
            // A call that leased before a rotation may use the session of the credential that came after.
            Slot::Open(session)
                if session.version >= version
                    && session.renew_at.is_none_or(|at| now < at)
                    && refused.is_none_or(|refused| !Arc::ptr_eq(refused, session)) =>
            {
                return Ok(Arc::clone(session));
            }
            Slot::Refused { version: known, until } if *known >= version && now < *until => {
                return Err(error::rejected_credential());
            }
            _ => {}
        }
        *slot = Slot::Empty;
        match self.sign_in(http, cx).await {
            Ok(session) => {
                let session = Arc::new(session);
                *slot = Slot::Open(Arc::clone(&session));
                Ok(session)
            }
            Err(error) => {
                if error.code() == "target_rejected_credential" {
                    *slot = Slot::Refused { version, until: now + REFUSED_S };
                }
                Err(error)
            }
        }
    }

    /// The vendor refused a session that cannot be renewed, or a new one.
    pub(crate) async fn refused(&self, session: &Session) {
        let until = self.clock.epoch_seconds() + REFUSED_S;
        let mut slot = self.slot.lock().await;
        let newer = matches!(&*slot, Slot::Open(open) if open.version > session.version);
        if !newer {
            *slot = Slot::Refused { version: session.version, until };
        }
    }

    /// Makes a session of the leased credential and keeps it nowhere.
    pub(crate) async fn sign_in(&self, http: &TargetClient, cx: &ToolCx) -> Result<Session, Error> {
        let lease: &Lease = &cx.lease;
        let version = lease.version();
        let Ok(client_id) = lease.field("client_id") else {
            let (user, password) = (lease.field("username")?, lease.field("password")?);
            let basic = STANDARD.encode(format!("{}:{}", user.expose(), password.expose()));
            return Ok(Session { authorization: format!("Basic {basic}").into(), version, renew_at: None });
        };
        let mut form =
            vec![("client_id", client_id.expose()), ("client_secret", lease.field("client_secret")?.expose())];
        match lease.field("username") {
            Ok(user) => form.extend([
                ("grant_type", "password"),
                ("username", user.expose()),
                ("password", lease.field("password")?.expose()),
            ]),
            Err(_) => form.push(("grant_type", "client_credentials")),
        }
        let now = self.clock.epoch_seconds();
        let request = Request::new(Method::POST, TOKEN, cx.deadline).form(&form).idempotent(true);
        let response = http.send(request.trace(&cx.call.trace)).await?;
        if matches!(response.status, StatusCode::UNAUTHORIZED | StatusCode::BAD_REQUEST) {
            // RFC 6749 section 5.2: `invalid_client` is 401, `invalid_grant` is 400.
            return Err(error::rejected_credential());
        }
        if !response.status.is_success() {
            return Err(error::of(&response, now));
        }
        if !crate::client::is_json(&response) {
            return Err(error::hibernating());
        }
        let token: Token = response.json()?;
        if !token.token_type.eq_ignore_ascii_case("bearer") {
            return Err(Error::new(
                ErrorKind::Upstream,
                "target_garbled",
                "ServiceNow answered the sign-in with something unreadable.",
            ));
        }
        let life = token.expires_in.unwrap_or(LIFE_S);
        let authorization = Secret::from(format!("Bearer {}", token.access_token.expose()));
        Ok(Session { authorization, version, renew_at: Some(now + (life - EARLY_S).max(life / 2)) })
    }
}

/// RFC 6749 section 5.1.
#[derive(Deserialize)]
struct Token {
    access_token: Secret,
    token_type: String,
    expires_in: Option<i64>,
}
