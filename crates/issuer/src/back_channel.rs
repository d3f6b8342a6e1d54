//! OpenID Connect Back-Channel Logout 1.0: which clients took part in a session, and the logout tokens that they are sent
//! when it ends. What is to be sent stands in the store before the sign-out is answered, so that a restart forgets none;
//! sending never delays anybody.

use std::time::{Duration, Instant};

use http::Method;
use platform::http::{Request, TargetClient, TargetOptions};
use platform::store::{Collection, Expect, Index, Op, Query, Record};
use platform::{Error, Json};
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use url::Url;

use crate::claims::AccessClaims;
use crate::clients::Client;
use crate::issuer::{Issuer, State};
use crate::keys::LOGOUT_TOKEN;
use crate::refresh::LONGEST_LIFE_S;
use crate::users::{put, transact};

/// Which clients got tokens in a session.
const PARTICIPANTS: Collection = Collection {
    name: "issuer_participants",
    indexes: &[Index { name: "session", pointer: "/sid" }, Index { name: "subject", pointer: "/sub" }],
};
/// Logout tokens that are still to be sent.
const NOTICES: Collection = Collection { name: "issuer_logout_notices", indexes: &[] };
/// How long a logout token is valid, seconds.
const TOKEN_LIFE_S: i64 = 120;
/// A client that does not answer for this long is given up, seconds.
const GIVE_UP_S: i64 = 3_600;
/// Pauses between tries: doubled from the first, at most the last.
const FIRST_PAUSE_S: i64 = 2;
const LONGEST_PAUSE_S: i64 = 300;
/// Clients that are told at once.
const AT_ONCE: usize = 8;
/// How long one try may take.
const PATIENCE: Duration = Duration::from_secs(5);

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Participant {
    sid: String,
    sub: String,
    client_id: String,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Notice {
    client_id: String,
    sub: String,
    /// None = all sessions of the subject.
    sid: Option<String>,
    began_at: i64,
    due_at: i64,
    tries: u32,
}

/// What ended.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Ended<'a> {
    /// One session of a subject.
    Session { sub: &'a str, sid: &'a str },
    /// Every session of a subject.
    Subject { sub: &'a str },
}

/// Notes that a client got a token in a session, if it wants to hear of the session's end.
pub(crate) async fn note(state: &State, client: &Client, claims: &AccessClaims) -> Result<(), Error> {
    let (Some(authentication), Some(_)) = (&claims.authentication, &client.backchannel_logout_uri) else {
        return Ok(());
    };
    let id = format!("{}|{}", authentication.sid, client.client_id);
    if state.store.get(PARTICIPANTS, &id).await?.is_some() {
        return Ok(());
    }
    let participant =
        Participant { sid: authentication.sid.clone(), sub: claims.sub.clone(), client_id: client.client_id.clone() };
    let body = serde_json::to_value(&participant).map_err(Error::internal)?;
    let expires_at = state.clock.epoch_seconds() + LONGEST_LIFE_S;
    put(state.store.as_ref(), PARTICIPANTS, id, Expect::Any, body, Some(expires_at)).await
}

/// Queues a logout token for every client that took part; they leave in the background.
pub(crate) async fn announce(state: &State, ended: Ended<'_>) -> Result<(), Error> {
    let (filter, sub, sid) = match ended {
        Ended::Session { sub, sid } => (("session", sid), sub, Some(sid)),
        Ended::Subject { sub } => (("subject", sub), sub, None),
    };
    let page = Query { collection: PARTICIPANTS, filter: Some(filter), after: None, limit: 1_000, descending: false };
    let now = state.clock.epoch_seconds();
    let (mut ops, mut told) = (Vec::new(), Vec::new());
    for record in state.store.list(page).await? {
        let participant: Participant = serde_json::from_value(record.body).map_err(Error::internal)?;
        ops.push(Op::Delete { collection: PARTICIPANTS, id: record.id, expect: Expect::Any });
        if told.contains(&participant.client_id) {
            continue;
        }
        let notice = Notice {
            client_id: participant.client_id.clone(),
            sub: sub.to_owned(),
            sid: sid.map(str::to_owned),
            began_at: now,
            due_at: now,
            tries: 0,
        };
        ops.push(Op::Put {
            collection: NOTICES,
            id: uuid::Uuid::now_v7().to_string(),
            expect: Expect::Absent,
            body: serde_json::to_value(&notice).map_err(Error::internal)?,
            expires_at: Some(now + GIVE_UP_S),
        });
        told.push(participant.client_id);
    }
    if !ops.is_empty() {
        transact(state.store.as_ref(), ops).await?;
        state.logouts.notify_one();
    }
    Ok(())
}

impl Issuer {
    /// Sends logout tokens until `stop`; the server runs it beside its listener. What could not be sent by then is sent
    /// after the next start.
    pub async fn run(&self, stop: CancellationToken) {
        let state = &*self.0;
        // Each second, because the clock may be moved (T30's lab); a sign-out wakes it at once.
        let mut ticks = tokio::time::interval(Duration::from_secs(1));
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            let woken = async {
                tokio::select! {
                    _ = ticks.tick() => {}
                    () = state.logouts.notified() => {}
                }
            };
            if stop.run_until_cancelled(woken).await.is_none() {
                return;
            }
            if let Err(error) = self.send_due().await {
                tracing::warn!(code = error.code(), detail = error.detail(), "logout tokens wait for the store");
            }
        }
    }
}

impl Issuer {
    /// Tries everything that is due, some at once: a client that does not answer delays no other.
    async fn send_due(&self) -> Result<(), Error> {
        let page = Query { collection: NOTICES, filter: None, after: None, limit: 1_000, descending: false };
        let mut tries = JoinSet::new();
        for record in self.0.store.list(page).await? {
            let notice: Notice = serde_json::from_value(record.body.clone()).map_err(Error::internal)?;
            if notice.due_at > self.0.clock.epoch_seconds() {
                continue;
            }
            if tries.len() >= AT_ONCE {
                tries.join_next().await;
            }
            let issuer = self.clone();
            tries.spawn(async move {
                if let Err(error) = issuer.0.try_notice(record, notice).await {
                    tracing::warn!(code = error.code(), detail = error.detail(), "a logout token waits for the store");
                }
            });
        }
        while tries.join_next().await.is_some() {}
        Ok(())
    }
}

impl State {
    /// One try, and what is left to do after it.
    async fn try_notice(&self, record: Record, mut notice: Notice) -> Result<(), Error> {
        let now = self.clock.epoch_seconds();
        let next = match self.send(&notice, now).await {
            Ok(()) => Op::Delete { collection: NOTICES, id: record.id, expect: Expect::Any },
            Err(error) => {
                let client_id = &notice.client_id;
                tracing::warn!(client_id, code = error.code(), tries = notice.tries, "a logout token was not taken");
                notice.tries += 1;
                notice.due_at = now + (FIRST_PAUSE_S << notice.tries.min(10)).min(LONGEST_PAUSE_S);
                Op::Put {
                    collection: NOTICES,
                    id: record.id,
                    expect: Expect::Revision(record.revision),
                    body: serde_json::to_value(&notice).map_err(Error::internal)?,
                    expires_at: Some(notice.began_at + GIVE_UP_S),
                }
            }
        };
        transact(self.store.as_ref(), vec![next]).await
    }

    /// One try. A client that is gone, or takes no logout tokens any more, needs none.
    async fn send(&self, notice: &Notice, now: i64) -> Result<(), Error> {
        let client = self.clients.find(&notice.client_id).await?;
        let Some(uri) = client.as_ref().and_then(|c| c.backchannel_logout_uri.as_deref()) else { return Ok(()) };
        let token = self.keys.sign(LOGOUT_TOKEN, &claims(&self.url, notice, now))?;
        let url = Url::parse(uri).map_err(Error::internal)?;
        let mut origin = url.clone();
        origin.set_path("");
        origin.set_query(None);
        let options = TargetOptions::new("back-channel logout", origin);
        let target = match &self.observer {
            Some(observer) => TargetClient::observed(options, std::sync::Arc::clone(observer))?,
            None => TargetClient::new(options)?,
        };
        let path = url.query().map_or_else(|| url.path().to_owned(), |query| format!("{}?{query}", url.path()));
        let request =
            Request::new(Method::POST, path, Instant::now() + PATIENCE).form(&[("logout_token", token.expose())]);
        let answer = target.send(request).await?;
        match answer.status.is_success() {
            true => Ok(()),
            false => Err(Error::internal(format!("HTTP {}", answer.status.as_u16()))),
        }
    }
}

/// Claims of a logout token (section 2.4). Each try is a token of its own: its `jti` may be used once.
fn claims(issuer: &str, notice: &Notice, now: i64) -> Json {
    let mut claims = json!({
        "iss": issuer,
        "sub": notice.sub,
        "aud": notice.client_id,
        "iat": now,
        "exp": now + TOKEN_LIFE_S,
        "jti": uuid::Uuid::new_v4().to_string(),
        "events": {"http://schemas.openid.net/event/backchannel-logout": {}},
    });
    if let Some(sid) = &notice.sid {
        claims["sid"] = json!(sid);
    }
    claims
}
