//! The webhook: a signed note is the body of one POST, and whatever 2xx comes back means that it was taken. Also what both
//! places over HTTP share. Next: [`super::objects`].

use std::io;
use std::time::Instant;

use aws_lc_rs::hmac;
use http::header::{AUTHORIZATION, CONTENT_TYPE, HeaderName, HeaderValue};
use platform::Secret;
use platform::http::{Request, Response, RetryOptions, TargetClient, TargetOptions};
use tokio::runtime::{Builder, Runtime};
use url::Url;

use super::{ATTEMPT, AnchorSecrets, read_back};
use crate::checkpoint::CheckpointSink;

/// Headers of a checkpoint that is sent over HTTP.
const LOG: HeaderName = HeaderName::from_static("interlock-log");
const SIZE: HeaderName = HeaderName::from_static("interlock-tree-size");
const KEY: HeaderName = HeaderName::from_static("interlock-verifier-key");
/// `sha256=<hexadecimal HMAC-SHA256 of the body>`, under the field `hmac` of `platform/anchors`.
const SIGNATURE: HeaderName = HeaderName::from_static("interlock-signature");

/// One place over HTTP, spoken to from a thread that is no runtime's.
pub(super) struct Channel {
    base: Url,
    bearer: Option<Secret>,
    // Made on the thread that uses them: a runtime must not end inside another one.
    open: Option<(Runtime, TargetClient)>,
}

impl Channel {
    /// The whole URL; only its origin and path are the base, its query is the caller's.
    pub(super) fn new(url: &Url, secrets: &AnchorSecrets) -> Self {
        let mut base = url.clone();
        base.set_query(None);
        Self { base, bearer: secrets.bearer.clone(), open: None }
    }

    pub(super) fn send(&mut self, mut request: Request) -> io::Result<Response> {
        if let Some(bearer) = &self.bearer {
            let mut value = HeaderValue::from_str(&format!("Bearer {}", bearer.expose())).map_err(io::Error::other)?;
            value.set_sensitive(true);
            request = request.header(AUTHORIZATION, value);
        }
        request.deadline = Instant::now() + ATTEMPT;
        let (runtime, client) = match &mut self.open {
            Some(open) => open,
            slot => {
                let mut options = TargetOptions::new("audit anchor", self.base.clone());
                (options.attempt_timeout, options.max_body) = (ATTEMPT, 64 << 10);
                // The lane sends again, in order and for ever; nothing below it may.
                options.retry = RetryOptions { max_attempts: 1, ..RetryOptions::default() };
                let runtime = Builder::new_current_thread().enable_all().build()?;
                let client = TargetClient::new(options).map_err(io::Error::other)?;
                slot.insert((runtime, client))
            }
        };
        runtime.block_on(client.send(request)).map_err(io::Error::other)
    }
}

/// The headers by which a receiver sorts notes without reading them.
pub(super) fn described(request: Request, note: &str, verifier_key: &str) -> io::Result<Request> {
    let checkpoint = read_back(note)?.checkpoint;
    let text = |value: &str| HeaderValue::from_str(value).map_err(io::Error::other);
    let mut request = request
        .header(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"))
        .header(LOG, text(&checkpoint.origin)?)
        .header(SIZE, HeaderValue::from(checkpoint.size))
        .header(KEY, text(verifier_key)?);
    request.body = note.to_owned().into();
    Ok(request)
}

pub(super) fn refused(response: &Response) -> io::Error {
    io::Error::other(format!("it answered {}", response.status))
}

/// `https://…`
pub(super) struct Webhook {
    channel: Channel,
    // What follows the base: the slash at its end, which the base itself does without, and the query.
    rest: String,
    signing: Option<hmac::Key>,
}

impl Webhook {
    pub(super) fn new(url: Url, secrets: &AnchorSecrets) -> Self {
        let slash = if url.path().len() > 1 && url.path().ends_with('/') { "/".to_owned() } else { String::new() };
        let key = |secret: &Secret| hmac::Key::new(hmac::HMAC_SHA256, secret.expose().as_bytes());
        Self {
            channel: Channel::new(&url, secrets),
            rest: slash + &url.query().map(|query| format!("?{query}")).unwrap_or_default(),
            signing: secrets.hmac.as_ref().map(key),
        }
    }
}

impl CheckpointSink for Webhook {
    fn publish(&mut self, note: &str, verifier_key: &str) -> io::Result<()> {
        let mut request =
            described(Request::new(http::Method::POST, self.rest.clone(), Instant::now()), note, verifier_key)?;
        if let Some(key) = &self.signing {
            let signature = format!("sha256={}", hex::encode(hmac::sign(key, note.as_bytes())));
            request = request.header(SIGNATURE, HeaderValue::from_str(&signature).map_err(io::Error::other)?);
        }
        let response = self.channel.send(request)?;
        if response.status.is_success() { Ok(()) } else { Err(refused(&response)) }
    }
}
