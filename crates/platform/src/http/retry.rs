//! When a request is sent again: never more than a fifth of the traffic, never before the target's own `Retry-After`,
//! never past the caller's deadline. Used by `target`.

use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Duration;

use http::header::{DATE, RETRY_AFTER};
use http::{HeaderMap, StatusCode};
use jiff::fmt::rfc2822;

/// How a target's client retries.
#[derive(Debug, Clone, Copy)]
pub struct RetryOptions {
    /// Most attempts of one request, the first included.
    pub max_attempts: u32,
    /// Upper bound of the first pause; it doubles with every attempt, and the pause is drawn evenly below it.
    pub base_delay: Duration,
    /// Upper bound of any pause that we choose ourselves.
    pub max_delay: Duration,
    /// Retries that the budget lets through per request sent, in hundredths.
    pub budget_percent: u32,
    /// Retries in hand at the start, so that a client's first requests may be retried too.
    pub reserve: u32,
}

impl Default for RetryOptions {
    /// Three attempts, pauses below 100 ms and 200 ms, at most one retry for five requests.
    fn default() -> Self {
        Self {
            max_attempts: 3,
            base_delay: Duration::from_millis(100),
            max_delay: Duration::from_secs(2),
            budget_percent: 20,
            reserve: 3,
        }
    }
}

/// Most retries that a quiet time can save up.
const MAX_SAVED: u32 = 10;

/// A bucket of hundredths of a retry: every first attempt pays `budget_percent` in, every retry takes 100 out. When the
/// target is down, retries end by themselves instead of multiplying the load.
#[derive(Debug)]
pub(super) struct RetryBudget {
    balance: Mutex<u32>,
    percent: u32,
}

impl RetryBudget {
    pub(super) fn new(options: &RetryOptions) -> Self {
        let start = options.reserve.min(MAX_SAVED) * 100;
        Self { balance: Mutex::new(start), percent: options.budget_percent.min(100) }
    }

    pub(super) fn deposit(&self) {
        let mut balance = self.balance.lock().unwrap_or_else(PoisonError::into_inner);
        *balance = (*balance + self.percent).min(MAX_SAVED * 100);
    }

    pub(super) fn withdraw(&self) -> bool {
        let mut balance = self.balance.lock().unwrap_or_else(PoisonError::into_inner);
        let left = balance.checked_sub(100);
        *balance = left.unwrap_or(*balance);
        left.is_some()
    }
}

/// Full jitter (an even draw from zero to the bound), so that many clients do not come back together.
pub(super) fn backoff(options: &RetryOptions, attempt: u32) -> Duration {
    let bound = options.base_delay.saturating_mul(1 << attempt.saturating_sub(1).min(16)).min(options.max_delay);
    bound.mul_f64(random_fraction())
}

fn random_fraction() -> f64 {
    // A version 4 UUID holds random bits enough, and the crate is in the tree.
    let (high, _) = uuid::Uuid::new_v4().as_u64_pair();
    f64::from(u32::try_from(high >> 32).unwrap_or(0)) / f64::from(u32::MAX)
}

/// What an answer says about sending the request again.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It is the answer.
    Final,
    /// Again, but not before this time has passed; `None` leaves the pause to us.
    Again(Option<Duration>),
}

/// Reads status and `Retry-After` (RFC 9110 section 10.2.3). A 429 or 503 without it is final: the target has not said
/// that a repeat helps.
pub(super) fn verdict(status: StatusCode, headers: &HeaderMap) -> Verdict {
    match (status, retry_after(headers)) {
        (StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE, Some(after)) => Verdict::Again(Some(after)),
        (StatusCode::BAD_GATEWAY | StatusCode::GATEWAY_TIMEOUT, after) => Verdict::Again(after),
        _ => Verdict::Final,
    }
}

/// Seconds, or a date measured against the answer's own `Date`: the target's clock decides about the target's time.
pub(super) fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse::<u32>() {
        return Some(Duration::from_secs(seconds.into()));
    }
    let at = rfc2822::parse(text).ok()?.timestamp();
    let now = rfc2822::parse(headers.get(DATE)?.to_str().ok()?).ok()?.timestamp();
    Duration::try_from(at.duration_since(now)).ok().or(Some(Duration::ZERO))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use http::{HeaderMap, HeaderValue, StatusCode};

    use super::{RetryBudget, RetryOptions, Verdict, backoff, retry_after, verdict};

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs.iter().map(|(n, v)| (n.parse().unwrap(), HeaderValue::from_static(v))).collect()
    }

    #[test]
    fn retries_are_at_most_a_fifth_of_the_requests_beyond_the_reserve() {
        let budget = RetryBudget::new(&RetryOptions::default());
        let mut retries = 0;
        for _ in 0..1000 {
            budget.deposit();
            // Every request fails and asks for two retries.
            retries += u32::from(budget.withdraw()) + u32::from(budget.withdraw());
        }
        assert!((200..=203).contains(&retries), "{retries}");
    }

    #[test]
    fn a_quiet_time_saves_up_ten_retries_and_no_more() {
        let budget = RetryBudget::new(&RetryOptions::default());
        (0..10_000).for_each(|_| budget.deposit());
        assert_eq!((0..100).filter(|_| budget.withdraw()).count(), 10);
    }

    #[test]
    fn the_pause_is_drawn_below_a_bound_that_doubles_and_ends() {
        let options = RetryOptions::default();
        for attempt in 1..40 {
            let bound = Duration::from_millis(100).saturating_mul(1 << (attempt - 1).min(10)).min(options.max_delay);
            assert!((0..50).all(|_| backoff(&options, attempt) <= bound));
        }
    }

    #[test]
    fn retry_after_is_seconds_or_a_date_by_the_targets_clock() {
        assert_eq!(retry_after(&headers(&[("retry-after", "7")])), Some(Duration::from_secs(7)));
        let date =
            headers(&[("date", "Mon, 23 Nov 2026 10:00:00 GMT"), ("retry-after", "Mon, 23 Nov 2026 10:00:09 GMT")]);
        assert_eq!(retry_after(&date), Some(Duration::from_secs(9)));
        let past =
            headers(&[("date", "Mon, 23 Nov 2026 10:00:00 GMT"), ("retry-after", "Mon, 23 Nov 2026 09:00:00 GMT")]);
        assert_eq!(retry_after(&past), Some(Duration::ZERO));
        for text in ["", "-1", "soon", "1.5", "99999999999999999999"] {
            assert_eq!(retry_after(&headers(&[("retry-after", text)])), None, "{text}");
        }
    }

    #[test]
    fn only_answers_that_a_repeat_can_mend_are_sent_again() {
        let after = headers(&[("retry-after", "1")]);
        let second = Some(Duration::from_secs(1));
        assert_eq!(verdict(StatusCode::TOO_MANY_REQUESTS, &after), Verdict::Again(second));
        assert_eq!(verdict(StatusCode::SERVICE_UNAVAILABLE, &after), Verdict::Again(second));
        assert_eq!(verdict(StatusCode::TOO_MANY_REQUESTS, &HeaderMap::new()), Verdict::Final);
        assert_eq!(verdict(StatusCode::SERVICE_UNAVAILABLE, &HeaderMap::new()), Verdict::Final);
        assert_eq!(verdict(StatusCode::BAD_GATEWAY, &HeaderMap::new()), Verdict::Again(None));
        assert_eq!(verdict(StatusCode::GATEWAY_TIMEOUT, &after), Verdict::Again(second));
        for status in [200, 301, 400, 401, 404, 409, 500, 501] {
            assert_eq!(verdict(StatusCode::from_u16(status).unwrap(), &after), Verdict::Final, "{status}");
        }
    }
}
