//! TOTP (RFC 6238: SHA-1, six digits, 30 s): a window of one step to either side, and each step accepted once (rule T5).

use platform::store::{Conflict, Op, Store, TransactError};
use platform::{Error, ErrorKind, Secret};
use totp_rs::{Builder, Totp};

/// Seconds a code stands for.
const STEP_S: u64 = 30;
/// Steps of clock difference that are forgiven, to either side.
const SKEW: u16 = 1;

/// What came of a code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CodeCheck {
    /// Right, and now used.
    Accepted,
    /// Not a code of this secret around now.
    Wrong,
    /// Right, but used before.
    Used,
}

/// The generator of a base32 secret of at least 128 bits (RFC 4226, section 4, R6).
pub(crate) fn generator(secret: &Secret) -> Result<Totp, Error> {
    let invalid = || {
        Error::new(
            ErrorKind::InvalidInput,
            "user_invalid",
            "A TOTP secret is base32 of at least 128 bits, for example 32 characters.",
        )
    };
    let text = secret.expose().trim_end_matches('=').to_ascii_uppercase();
    let secret = totp_rs::Secret::try_from_base32(&text).map_err(|_| invalid())?;
    Builder::new().with_secret(secret).with_skew(SKEW).with_step_duration(STEP_S).build().map_err(|_| invalid())
}

/// Checks a code and uses its step up. The memory of a step outlives the window in which it could be presented again.
pub(crate) async fn check(store: &dyn Store, sub: &str, totp: &Totp, code: &str, now: i64) -> Result<CodeCheck, Error> {
    let six_digits = code.len() == 6 && code.bytes().all(|b| b.is_ascii_digit());
    let now = u64::try_from(now).map_err(Error::internal)?;
    let Some(step) = six_digits.then(|| totp.check(code, now)).flatten() else { return Ok(CodeCheck::Wrong) };
    // After a restore nobody knows which steps were used since the backup; those up to the restore count as used.
    let began_at = i64::try_from(step.saturating_mul(STEP_S)).map_err(Error::internal)?;
    if crate::floors::floor_of_all(store).await?.is_some_and(|at| began_at <= at) {
        return Ok(CodeCheck::Used);
    }
    let expires_at = i64::try_from((step + u64::from(SKEW) + 2) * STEP_S).map_err(Error::internal)?;
    let once = Op::ConsumeOnce { namespace: "issuer_totp", id: format!("{sub}:{step}"), expires_at };
    match store.transact(vec![once]).await {
        Ok(_) => Ok(CodeCheck::Accepted),
        Err(TransactError::Conflict { conflict: Conflict::AlreadyUsed, .. }) => Ok(CodeCheck::Used),
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::generator;

    #[test]
    fn t5_short_and_malformed_secrets_are_refused() {
        assert!(generator(&"GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ".into()).is_ok());
        assert!(generator(&"JBSWY3DPEHPK3PXP".into()).is_err());
        assert!(generator(&"not base32!".into()).is_err());
    }

    #[test]
    fn t5_codes_are_those_of_rfc_6238() {
        let totp = generator(&"GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ".into()).unwrap();
        assert_eq!(totp.check("287082", 59), Some(1));
        assert_eq!(totp.check("287082", 89), Some(1));
        assert_eq!(totp.check("287082", 90), None);
    }
}
