//! Exit codes: documented in `--help`, stable.

use platform::ErrorKind;

/// What stands at the end of `interlock --help`.
pub(crate) const HELP: &str = "\
Exit codes:
  0  done
  1  failed: a check found something, a verification or test failed, the tool's own result says failure
  2  usage: the command line, the arguments or the configuration are wrong
  3  not signed in, or the sign-in was refused
  4  refused by policy; the message says why and what comes next
  5  not available: the platform or the target does not answer, is too slow, or asks to wait";

/// Why the process ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    Failed = 1,
    Usage = 2,
    NotSignedIn = 3,
    Refused = 4,
    Unavailable = 5,
}

impl Exit {
    /// The code of a failure's kind.
    pub(crate) const fn of(kind: ErrorKind) -> Self {
        match kind {
            ErrorKind::Malformed | ErrorKind::InvalidInput | ErrorKind::TooLarge => Self::Usage,
            ErrorKind::Unauthenticated => Self::NotSignedIn,
            ErrorKind::Forbidden | ErrorKind::Unmet => Self::Refused,
            ErrorKind::RateLimited | ErrorKind::Upstream | ErrorKind::Unavailable | ErrorKind::Timeout => {
                Self::Unavailable
            }
            ErrorKind::NotFound | ErrorKind::Conflict | ErrorKind::Internal => Self::Failed,
        }
    }

    /// The code of an HTTP status that is no success.
    pub(crate) const fn of_status(status: u16) -> Self {
        match status {
            401 => Self::NotSignedIn,
            403 => Self::Refused,
            400 | 405 | 413 | 415 | 422 => Self::Usage,
            429 | 502..=504 => Self::Unavailable,
            _ => Self::Failed,
        }
    }
}

#[cfg(test)]
mod tests {
    use platform::ErrorKind;

    use super::{Exit, HELP};

    #[test]
    fn a_refusal_has_the_same_exit_code_from_here_and_over_http() {
        let kinds = [
            ErrorKind::Malformed,
            ErrorKind::InvalidInput,
            ErrorKind::Unauthenticated,
            ErrorKind::Forbidden,
            ErrorKind::Unmet,
            ErrorKind::NotFound,
            ErrorKind::Conflict,
            ErrorKind::TooLarge,
            ErrorKind::RateLimited,
            ErrorKind::Upstream,
            ErrorKind::Unavailable,
            ErrorKind::Timeout,
            ErrorKind::Internal,
        ];
        for kind in kinds {
            assert_eq!(Exit::of(kind), Exit::of_status(kind.http_status()), "{kind:?}");
            assert!(HELP.contains(&format!("\n  {}  ", Exit::of(kind) as u8)));
        }
    }
}
