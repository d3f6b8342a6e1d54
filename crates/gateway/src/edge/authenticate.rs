//! Authenticate: one bearer token from the one `Authorization` header becomes a principal for one resource (T1), and the
//! request gets its [`CallContext`]. Refusals are RFC 6750 challenges that name the RFC 9728 document.

use std::sync::Arc;
use std::time::Instant;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use http::{HeaderMap, HeaderValue, header};
use platform::context::{CallReferences, Protocol};
use platform::resource::Resource;
use platform::tokens::{ClientCertificate, TokenRefusal};
use platform::{CallContext, Error, ErrorKind, Principal};

use super::Identified;
use crate::Gateway;
use crate::problem::Problem;

/// A door: its resource and protocol.
#[derive(Clone)]
pub(crate) struct Door {
    pub(crate) gateway: Arc<Gateway>,
    pub(crate) resource: Resource,
    pub(crate) protocol: Protocol,
}

/// Why a request is not let in.
enum Refused {
    /// No `Authorization` header.
    Missing,
    /// Two of them, or one that cannot be read.
    Malformed,
    Token(TokenRefusal),
}

pub(crate) async fn authenticate(State(door): State<Door>, mut request: Request, next: Next) -> Response {
    let Some(identified) = request.extensions().get::<Identified>().cloned() else {
        return Problem::from(Error::internal("the edge did not identify the request")).into_response();
    };
    let certificate = request.extensions().get::<ClientCertificate>().copied();
    let principal = match recognise(&door, request.headers(), certificate.as_ref()).await {
        Ok(principal) => principal,
        Err(refused) => return challenge(&door, &identified, &refused).into_response(),
    };
    door.gateway.parts.metrics.authn("ok", "ok");
    let references = match references(request.headers()) {
        Ok(references) => references,
        Err(refusal) => return Problem::from(refusal).into_response(),
    };
    let turn = door.gateway.principals.take((&principal.issuer, &principal.subject));
    let cx = CallContext {
        request_id: identified.request_id,
        client_request_id: identified.client_request_id,
        trace: identified.trace,
        principal,
        resource: door.resource,
        protocol: door.protocol,
        source: identified.source,
        references,
        run: None,
        deadline: Instant::now() + door.gateway.parts.options.request_timeout,
    };
    request.extensions_mut().insert(Arc::new(cx));
    // The token has done its work; nothing behind this line can pass it on.
    request.headers_mut().remove(header::AUTHORIZATION);
    match turn {
        Ok(_turn) => next.run(request).await,
        Err(refusal) => {
            door.gateway.parts.metrics.edge_refused("too_many_at_once");
            Problem::from(refusal).into_response()
        }
    }
}

async fn recognise(
    door: &Door,
    headers: &HeaderMap,
    certificate: Option<&ClientCertificate>,
) -> Result<Arc<Principal>, Refused> {
    let mut given = headers.get_all(header::AUTHORIZATION).iter();
    let first = given.next().ok_or(Refused::Missing)?;
    if given.next().is_some() {
        return Err(Refused::Malformed);
    }
    let text = first.to_str().map_err(|_| Refused::Token(TokenRefusal::Shape))?;
    let (scheme, token) = text.split_once(' ').ok_or(Refused::Token(TokenRefusal::Shape))?;
    if !scheme.eq_ignore_ascii_case("bearer") {
        return Err(Refused::Missing);
    }
    // RFC 9110 section 11.4 allows several spaces between scheme and token, and HTTP has cut those at the end.
    let token = token.trim_start_matches(' ');
    door.gateway.parts.tokens.verify(token, &door.resource, certificate).await.map_err(Refused::Token)
}

/// 401 for a missing or invalid token, 403 for one without the scope, 400 for two headers (RFC 6750 section 3.1).
fn challenge(door: &Door, identified: &Identified, refused: &Refused) -> Problem {
    let parts = &door.gateway.parts;
    let (reason, error) = match refused {
        Refused::Missing => ("missing", None),
        Refused::Malformed => ("malformed", Some("invalid_request")),
        Refused::Token(TokenRefusal::Scope) => ("scope", Some("insufficient_scope")),
        Refused::Token(refusal) => (refusal.as_str(), Some("invalid_token")),
    };
    parts.metrics.authn("refused", reason);
    parts.refusals.count(identified.source, reason);
    let problem = match refused {
        Refused::Missing => Error::new(
            ErrorKind::Unauthenticated,
            "token_missing",
            "Send an access token in the Authorization header. `interlock login` gets one.",
        ),
        Refused::Malformed => {
            Error::new(ErrorKind::Malformed, "authorization_repeated", "Send exactly one Authorization header.")
        }
        Refused::Token(TokenRefusal::Scope) => Error::new(
            ErrorKind::Forbidden,
            "scope_missing",
            "The access token lacks a scope that this resource needs.",
        ),
        Refused::Token(TokenRefusal::IssuerUnavailable) => Error::new(
            ErrorKind::Unavailable,
            "issuer_unavailable",
            "The issuer cannot be asked right now, so nobody can be let in. Repeat shortly.",
        )
        .with_retry_after(std::time::Duration::from_secs(5)),
        Refused::Token(TokenRefusal::Audience) => Error::new(
            ErrorKind::Unauthenticated,
            "token_audience",
            "The access token was issued for another resource. Ask the issuer for one with this `resource`.",
        ),
        Refused::Token(_) => Error::new(
            ErrorKind::Unauthenticated,
            "token_invalid",
            "The access token is not valid here: expired, revoked, or not from a trusted issuer. Sign in again.",
        ),
    };
    let problem = Problem::from(problem);
    if matches!(refused, Refused::Token(TokenRefusal::IssuerUnavailable)) {
        return problem;
    }
    match HeaderValue::from_str(&www_authenticate(door, error)) {
        Ok(value) => problem.header(header::WWW_AUTHENTICATE, value),
        Err(_) => problem,
    }
}

fn www_authenticate(door: &Door, error: Option<&str>) -> String {
    let parts = &door.gateway.parts;
    let document = crate::metadata::document_url(&parts.options.base, &door.resource);
    let mut challenge = format!("Bearer resource_metadata=\"{document}\"");
    let scopes = parts.tokens.required_scopes();
    if !scopes.is_empty() {
        challenge.push_str(&format!(", scope=\"{}\"", scopes.join(" ")));
    }
    if let Some(error) = error {
        challenge.push_str(&format!(", error=\"{error}\""));
    }
    challenge
}

/// `Interlock-Change` and `Idempotency-Key` (T12). The latter may be quoted, as its draft standard has it.
pub(crate) fn references(headers: &HeaderMap) -> Result<CallReferences, Error> {
    let one = |name: &'static str| -> Result<Option<String>, Error> {
        let mut values = headers.get_all(name).iter();
        let Some(value) = values.next() else { return Ok(None) };
        // `to_str` lets tabs pass.
        let text = value.to_str().ok().filter(|t| values.next().is_none() && !t.contains('\t'));
        text.and_then(plain_or_quoted).map(Some).ok_or_else(|| {
            Error::new(
                ErrorKind::Malformed,
                "reference_invalid",
                format!("Send `{name}` once, in printable characters, plain or as one quoted string."),
            )
        })
    };
    Ok(CallReferences { change: one("interlock-change")?, idempotency_key: one("idempotency-key")? })
}

/// A bare value, or a string of RFC 9651 section 3.3.3. A quote that opens and does not close is neither.
fn plain_or_quoted(text: &str) -> Option<String> {
    let Some(quoted) = text.strip_prefix('"') else { return Some(text.to_owned()) };
    let mut value = String::new();
    let mut rest = quoted.chars();
    loop {
        match rest.next()? {
            '"' => return rest.as_str().is_empty().then_some(value),
            '\\' => value.push(rest.next().filter(|c| matches!(c, '"' | '\\'))?),
            other => value.push(other),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::plain_or_quoted;

    #[test]
    fn t12_a_key_is_bare_or_one_whole_quoted_string() {
        for (given, read) in [
            ("k-1", Some("k-1")),
            ("\"k-1\"", Some("k-1")),
            (r#""a\"b\\c""#, Some(r#"a"b\c"#)),
            ("a\"b", Some("a\"b")),
            ("\"k-1", None),
            ("\"", None),
            ("\"k\"x", None),
            ("\"k\";p=1", None),
            (r#""a\n""#, None),
        ] {
            assert_eq!(plain_or_quoted(given).as_deref(), read, "{given}");
        }
    }
}
