//! Many requests without a valid token from one source: beyond a number that a whole office behind one address does not
//! reach, a failure is told to wait (429) instead of how to sign in (401). A valid token is let in all the same, so that
//! nobody can lock a neighbour out.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use axum::response::Response;
use http::{StatusCode, header};
use moka::sync::Cache;
use platform::{Error, ErrorKind};

use crate::problem::Problem;
use crate::serve::bucket;

const WINDOW: Duration = Duration::from_secs(60);
/// Sources that are counted at one time; a flood from more forgets the oldest.
const MOST_SOURCES: u64 = 20_000;

/// Counts failures by source.
pub(super) struct Failures {
    counts: Cache<IpAddr, Arc<AtomicU32>>,
    most: u32,
}

impl Failures {
    pub(super) fn new(most: u32) -> Self {
        // From the first failure on: a count that lived as long as failures go on would never end.
        let counts = Cache::builder().max_capacity(MOST_SOURCES).time_to_live(WINDOW).build();
        Self { counts, most: most.max(1) }
    }

    /// Counts the answer that a source is about to get, if it is a failure, and says whether that is one too many.
    pub(super) fn is_one_too_many(&self, source: IpAddr, response: &Response) -> bool {
        let bearer = |value: &http::HeaderValue| value.as_bytes().starts_with(b"Bearer ");
        let failed = response.status() == StatusCode::UNAUTHORIZED
            && response.headers().get(header::WWW_AUTHENTICATE).is_some_and(bearer);
        failed && {
            let count = self.counts.get_with(bucket(source), Arc::default);
            count.fetch_add(1, Ordering::Relaxed) >= self.most
        }
    }
}

/// What a source gets instead of one failure too many.
pub(super) fn told_to_wait() -> Problem {
    let refusal = Error::new(
        ErrorKind::RateLimited,
        "too_many_failures",
        "Too many requests without a valid token came from your address. Get a token, then repeat.",
    );
    Problem::from(refusal.with_retry_after(WINDOW))
}

#[cfg(test)]
mod tests {
    use axum::response::IntoResponse as _;
    use http::{StatusCode, header};

    use super::Failures;

    #[test]
    fn failures_are_told_to_wait_and_a_good_answer_never_is() {
        let failures = Failures::new(2);
        let (here, there) = ("192.0.2.1".parse().unwrap(), "192.0.2.2".parse().unwrap());
        let failed = || (StatusCode::UNAUTHORIZED, [(header::WWW_AUTHENTICATE, "Bearer error=\"x\"")]).into_response();
        assert_eq!([(); 3].map(|()| failures.is_one_too_many(here, &failed())), [false, false, true]);
        assert!(!failures.is_one_too_many(there, &failed()));
        assert!(!failures.is_one_too_many(here, &StatusCode::OK.into_response()));
        assert!(
            !failures.is_one_too_many(here, &StatusCode::UNAUTHORIZED.into_response()),
            "the issuer counts its own"
        );
    }
}
