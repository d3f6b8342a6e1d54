//! What the platform keeps a sealing key for. Each has a row in `docs/keys.md`, which a test holds to this table.

const MINUTE: i64 = 60;
const DAY: i64 = 86_400;

/// One purpose, one key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Purpose {
    /// Results kept for a repeat under the same idempotency key, results of tasks, what an elevation shows (T7, T4).
    Results,
    /// State that MCP clients carry between two requests.
    RequestState,
    /// Registrations and refresh tokens that clients of a façade carry.
    Facade,
    /// The built-in issuer: TOTP secrets, unfinished sign-ins, refresh tokens, hashes of codes (T5).
    IssuerSealing,
    /// Sealed artifacts (T27).
    Artifacts,
    /// Hashes that stand for arguments which are secrets (T27).
    SecretArguments,
}

impl Purpose {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::Results, Self::RequestState, Self::Facade, Self::IssuerSealing, Self::Artifacts, Self::SecretArguments];

    /// Its name: in `interlock keys`, and the last segment of its path.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Results => "results",
            Self::RequestState => "request-state",
            Self::Facade => "facade",
            Self::IssuerSealing => "issuer-sealing",
            Self::Artifacts => "artifacts",
            Self::SecretArguments => "secret-arguments",
        }
    }

    /// Its path in the secret store; version n of that secret is version n of the key.
    pub fn path(self) -> String {
        format!("platform/keys/{}", self.name())
    }

    /// Who reads it.
    pub const fn readers(self) -> &'static str {
        match self {
            Self::Results => "the pipeline: replay, tasks, elevations",
            Self::RequestState => "the MCP door: step-up by elicitation",
            Self::Facade => "the façades for plain providers",
            Self::IssuerSealing => "the built-in issuer",
            Self::Artifacts => "the artifact store",
            Self::SecretArguments => "the pipeline: what policy, audit and store see of an argument that is a secret",
        }
    }

    /// Seconds after which nothing that a replaced version sealed is of use, so that the version is destroyed; nothing
    /// where it must be sealed again first, however old it is.
    pub const fn overlap_s(self) -> Option<i64> {
        match self {
            // An idempotency key and a task end within a day.
            Self::Results => Some(2 * DAY),
            // A step-up by elicitation ends within minutes.
            Self::RequestState => Some(15 * MINUTE),
            // A client that comes back later registers again.
            Self::Facade => Some(90 * DAY),
            // A refresh token ends after 30 days; TOTP secrets are sealed again at the rotation.
            Self::IssuerSealing => Some(31 * DAY),
            Self::Artifacts => None,
            // Hashes are made and compared with new ones only.
            Self::SecretArguments => Some(0),
        }
    }

    /// Whether something that it seals outlives the overlap, and is sealed again instead.
    pub(crate) const fn must_be_sealed_again(self) -> bool {
        matches!(self, Self::IssuerSealing)
    }

    /// What its key was derived from the master key for, before it became a random one of its own.
    pub(crate) const fn derived_before(self) -> Option<&'static str> {
        match self {
            Self::Results => Some("stored results of idempotency keys"),
            Self::RequestState => Some("state that MCP clients carry"),
            Self::Facade => Some("clients and refresh tokens of the façade"),
            Self::IssuerSealing => Some("issuer"),
            Self::Artifacts | Self::SecretArguments => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Purpose;

    #[test]
    fn t28_every_purpose_has_its_row_in_the_table_of_keys() {
        let table = include_str!("../../../../docs/keys.md");
        for purpose in Purpose::ALL {
            assert!(table.contains(&format!("| `{}` | ", purpose.name())), "docs/keys.md has no row for {purpose:?}");
            assert!(table.contains(&purpose.path()), "docs/keys.md does not say where {purpose:?} is kept");
        }
    }
}
