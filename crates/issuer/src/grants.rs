//! What a person granted to a client: the part that a code, a device code and a refresh token have in common, and the
//! rule that a grant is worth nothing once the person's account is not what it was.

use platform::Error;
use serde::{Deserialize, Serialize};

use crate::issuer::State;
use crate::sessions::Session;
use crate::users::User;

/// A person's grant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Granted {
    pub(crate) client_id: String,
    /// Granted scopes, space-separated.
    pub(crate) scope: String,
    /// The audience that was asked for; none = the platform.
    pub(crate) resource: Option<String>,
    /// The person's name; the record itself is read again at every use.
    pub(crate) name: String,
    pub(crate) sub: String,
    /// The person's credentials at that moment: the grant ends when they change.
    pub(crate) credentials: String,
    pub(crate) mfa: bool,
    pub(crate) auth_time: i64,
    pub(crate) sid: String,
}

impl Granted {
    /// What the person behind a session grants.
    pub(crate) fn new(client_id: &str, scope: &str, resource: Option<&str>, user: &User, session: &Session) -> Self {
        Self {
            client_id: client_id.to_owned(),
            scope: scope.to_owned(),
            resource: resource.map(str::to_owned),
            name: user.name.clone(),
            sub: user.sub.clone(),
            credentials: user.credentials.clone(),
            mfa: session.mfa,
            auth_time: session.password_at,
            sid: session.sid.clone(),
        }
    }

    /// The person, if the account still is the one that granted: not removed, not disabled, no new password or second
    /// factor, and the session not signed out.
    pub(crate) async fn person(&self, state: &State) -> Result<Option<User>, Error> {
        if state.sessions.has_ended(&self.sid) {
            return Ok(None);
        }
        state.users.live(&self.name, &self.credentials).await
    }
}
