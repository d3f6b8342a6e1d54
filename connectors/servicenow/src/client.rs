//! Requests, and the check that an answer is what it claims to be: status, content type, and rows that meet the query.
//! Next: [`crate::session`] for signing in, [`crate::query`] for what is asked, [`crate::write`] for what is stored.

use std::sync::Arc;

use http::{HeaderValue, Method, StatusCode, header};
use platform::http::{Request, Response, TargetClient};
use platform::{Error, SharedClock};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use tool_runtime::combinators::{PageRequest, PartOf};
use tool_runtime::{Lease, ToolCx};

use crate::error;
use crate::query::{Built, Table};
use crate::record::Record;
use crate::session::{Session, Sessions};

/// Rows per request where all of them are wanted.
pub(crate) const AT_ONCE: u64 = 200;
/// Most rows of a set that is read whole.
const MOST: usize = 5_000;
/// A read that every account of ours may make, and that costs the vendor little.
const CHEAP: &str = "/api/now/table/sys_user?sysparm_limit=1&sysparm_fields=sys_id";

/// `{"result": …}`, the envelope of every answer.
#[derive(Deserialize)]
struct Enveloped<T> {
    result: T,
}

/// One instance's API.
pub(crate) struct Api {
    http: TargetClient,
    clock: SharedClock,
    sessions: Sessions,
    pub(crate) plan_hash: crate::plan_hash::Place,
}

/// Rows as they came, and how many there are in all. The count includes rows that access rules hide, so that a page may be
/// shorter than asked for and still not be the last one.
pub(crate) struct Rows {
    pub(crate) rows: Vec<Record>,
    pub(crate) total: Option<u64>,
}

impl Api {
    pub(crate) fn new(http: TargetClient, clock: SharedClock, plan_hash: crate::plan_hash::Place) -> Self {
        Self { http, sessions: Sessions::new(Arc::clone(&clock)), clock, plan_hash }
    }

    /// GET, the envelope's content.
    pub(crate) async fn get<T: DeserializeOwned>(&self, cx: &ToolCx, path: &str) -> Result<T, Error> {
        let response = self.request(cx, Request::new(Method::GET, path, cx.deadline)).await?;
        Ok(response.json::<Enveloped<T>>()?.result)
    }

    /// Sends a request that changes something, and never twice.
    pub(crate) async fn send<T: DeserializeOwned>(&self, cx: &ToolCx, request: Request) -> Result<T, Error> {
        Ok(self.request(cx, request.idempotent(false)).await?.json::<Enveloped<T>>()?.result)
    }

    /// Rows of a table that meet a query, from `offset`.
    pub(crate) async fn rows(
        &self,
        cx: &ToolCx,
        table: &Table,
        query: &Built,
        fields: &[&str],
        (offset, limit): (u64, u64),
    ) -> Result<Rows, Error> {
        let mut wanted: Vec<&str> = fields.to_vec();
        let unasked = query.fields().map(|field| -> &str { field }).filter(|field| !fields.contains(field));
        wanted.extend(unasked);
        let parameters = parameters(&wanted, |pairs| {
            pairs.append_pair("sysparm_query", &query.encoded);
            pairs.append_pair("sysparm_limit", &limit.to_string());
            pairs.append_pair("sysparm_offset", &offset.to_string());
        });
        let path = format!("/api/now/table/{}?{parameters}", table.name);
        let response = self.request(cx, Request::new(Method::GET, path, cx.deadline)).await?;
        let total = response.headers.get("x-total-count").and_then(|v| v.to_str().ok()?.parse().ok());
        let rows = response.json::<Enveloped<Vec<Record>>>()?.result;
        query.check(&rows)?;
        Ok(Rows { rows, total })
    }

    /// A page for a list tool. The vendor counts rows before access rules hide some: the next page begins where this one's
    /// window ends, whatever came of it.
    pub(crate) async fn page<R: From<Record>>(
        &self,
        cx: &ToolCx,
        table: &Table,
        query: &Built,
        fields: &[&str],
        page: PageRequest,
    ) -> Result<PartOf<R>, Error> {
        let limit = u64::from(page.limit);
        let Rows { rows, total } = self.rows(cx, table, query, fields, (page.offset, limit)).await?;
        let end = page.offset + limit;
        let more = total.map_or(rows.len() as u64 == limit, |total| end < total);
        Ok(PartOf { rows: rows.into_iter().map(R::from).collect(), total, next: more.then_some(end) })
    }

    /// All rows that meet a query, at most 5,000.
    pub(crate) async fn all(
        &self,
        cx: &ToolCx,
        table: &Table,
        query: &Built,
        fields: &[&str],
    ) -> Result<Vec<Record>, Error> {
        let mut all = Vec::new();
        let mut offset = 0;
        loop {
            let Rows { rows, total } = self.rows(cx, table, query, fields, (offset, AT_ONCE)).await?;
            let short = (rows.len() as u64) < AT_ONCE;
            all.extend(rows);
            offset += AT_ONCE;
            if total.map_or(short, |total| offset >= total) {
                return Ok(all);
            }
            if all.len() >= MOST || offset > 10 * MOST as u64 {
                return Err(Error::new(
                    platform::ErrorKind::TooLarge,
                    "servicenow_too_many_rows",
                    format!(
                        "ServiceNow has more than {MOST} rows for this, more than is read at once. Narrow the question."
                    ),
                ));
            }
        }
    }

    /// The rows of a query that should have one answer: up to two of them.
    pub(crate) async fn few(
        &self,
        cx: &ToolCx,
        table: &Table,
        query: &Built,
        fields: &[&str],
    ) -> Result<Vec<Record>, Error> {
        Ok(self.rows(cx, table, query, fields, (0, 2)).await?.rows)
    }

    /// One row by its id.
    pub(crate) async fn one(&self, cx: &ToolCx, table: &Table, id: &str, fields: &[&str]) -> Result<Record, Error> {
        self.get(cx, &format!("/api/now/table/{}/{id}?{}", table.name, parameters(fields, |_| {}))).await
    }

    /// Sends a request with the session's authorization; renews an OAuth session once when the vendor says 401.
    pub(crate) async fn request(&self, cx: &ToolCx, request: Request) -> Result<Response, Error> {
        let session = self.sessions.get(&self.http, cx, None).await?;
        let response = self.attempt(cx, request.clone(), &session).await?;
        if response.status != StatusCode::UNAUTHORIZED {
            return self.succeeded(response);
        }
        if !session.can_be_renewed() {
            self.sessions.refused(&session).await;
            return self.succeeded(response);
        }
        // The vendor refused before it did anything, so that a repeat is safe for writes too.
        let renewed = self.sessions.get(&self.http, cx, Some(&session)).await?;
        let response = self.attempt(cx, request, &renewed).await?;
        if response.status == StatusCode::UNAUTHORIZED {
            self.sessions.refused(&renewed).await;
        }
        self.succeeded(response)
    }

    /// Tries the credential of `cx.lease`. A candidate signs in on its own: the session that calls share stays as it is, and
    /// so does what is known of refused versions.
    pub(crate) async fn verify(&self, cx: &ToolCx) -> Result<(), Error> {
        let request = Request::new(Method::GET, CHEAP, cx.deadline);
        if cx.lease.version() != Lease::CANDIDATE {
            return self.request(cx, request).await.map(drop);
        }
        let session = self.sessions.sign_in(&self.http, cx).await?;
        self.succeeded(self.attempt(cx, request, &session).await?).map(drop)
    }

    async fn attempt(&self, cx: &ToolCx, request: Request, session: &Session) -> Result<Response, Error> {
        let request = request
            .header(header::AUTHORIZATION, session.header()?)
            .header(header::ACCEPT, HeaderValue::from_static("application/json"))
            .trace(&cx.call.trace);
        self.http.send(request).await
    }

    fn succeeded(&self, response: Response) -> Result<Response, Error> {
        if !response.status.is_success() {
            return Err(error::of(&response, self.clock.epoch_seconds()));
        }
        if response.status != StatusCode::NO_CONTENT && !is_json(&response) {
            return Err(error::hibernating());
        }
        Ok(response)
    }
}

/// Whether an answer says that it is JSON.
pub(crate) fn is_json(response: &Response) -> bool {
    let kind = response.headers.get(header::CONTENT_TYPE).and_then(|v| v.to_str().ok()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim();
    kind.eq_ignore_ascii_case("application/json")
}

/// Query parameters of a read: both values of the fields that are wanted, and references without links.
pub(crate) fn parameters(
    fields: &[&str],
    more: impl FnOnce(&mut url::form_urlencoded::Serializer<'_, String>),
) -> String {
    let mut pairs = url::form_urlencoded::Serializer::new(String::new());
    pairs.append_pair("sysparm_display_value", "all");
    pairs.append_pair("sysparm_exclude_reference_link", "true");
    pairs.append_pair("sysparm_fields", &fields.join(","));
    more(&mut pairs);
    pairs.finish()
}
