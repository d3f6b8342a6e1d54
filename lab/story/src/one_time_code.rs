//! TOTP codes (RFC 6238: SHA-1, six digits, 30 s) as a person's authenticator app shows them, by the lab's clock.

use std::time::Duration;

use platform::{Clock, Error, ErrorKind, Secret, seal};
use totp_rs::Builder;

/// Seconds a code stands for.
pub const STEP_S: i64 = 30;

/// A code and how long the authenticator shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OneTimeCode {
    /// Six digits.
    pub code: String,
    /// Seconds until the next one, 1 to 30.
    pub seconds_left: i64,
    /// Number of the time step.
    pub step: i64,
}

impl OneTimeCode {
    /// The code of this moment. Errors: `totp_secret_invalid`.
    pub fn now(secret: &Secret, clock: &dyn Clock) -> Result<Self, Error> {
        Self::at(secret, clock.epoch_seconds())
    }

    fn at(secret: &Secret, now: i64) -> Result<Self, Error> {
        let invalid =
            || Error::new(ErrorKind::InvalidInput, "totp_secret_invalid", "This is no TOTP secret in base32.");
        let secret = totp_rs::Secret::try_from_base32(secret.expose().trim_end_matches('=')).map_err(|_| invalid())?;
        let totp = Builder::new().with_secret(secret).with_step_duration(30).build().map_err(|_| invalid())?;
        let seconds = u64::try_from(now).map_err(Error::internal)?;
        let code = totp.generate(seconds).to_string();
        Ok(Self { code, seconds_left: STEP_S - now.rem_euclid(STEP_S), step: now.div_euclid(STEP_S) })
    }

    /// Waits until the clock has left this code's step. The clock may be moved meanwhile, so it is asked again and again.
    pub async fn passed(&self, clock: &dyn Clock) {
        while clock.epoch_seconds().div_euclid(STEP_S) <= self.step {
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }
}

/// A new secret, base32 of 160 random bits (RFC 4226, section 4, R6).
pub(crate) fn new_secret() -> Result<String, Error> {
    Ok(totp_rs::Secret::from(seal::random::<20>()?.to_vec()).to_base32())
}

#[cfg(test)]
mod tests {
    use platform::Secret;

    use super::{OneTimeCode, new_secret};

    #[test]
    fn codes_are_those_of_rfc_6238() {
        let secret = Secret::new("GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ");
        let code = OneTimeCode::at(&secret, 59).unwrap();
        assert_eq!((code.code.as_str(), code.seconds_left, code.step), ("287082", 1, 1));
        assert_eq!(OneTimeCode::at(&secret, 1_111_111_109).unwrap().code, "081804");
    }

    #[test]
    fn t5_new_secrets_have_160_bits_and_differ() {
        let (one, other) = (new_secret().unwrap(), new_secret().unwrap());
        assert_eq!(one.trim_end_matches('=').len(), 32);
        assert_ne!(one, other);
        assert!(OneTimeCode::at(&one.into(), 0).is_ok());
    }
}
