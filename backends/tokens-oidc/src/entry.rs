//! What the operator says about one issuer: which of its tokens count, and how far. Nothing that a token says goes beyond
//! its entry (T1, T2, T4).

use std::collections::BTreeMap;

use jsonwebtoken::Algorithm;
use platform::Secret;
use platform::error::{Error, ErrorKind};
use platform::http::TargetClient;
use serde_json::Value;
use url::Url;

use crate::claim_path::ClaimPath;
use crate::compact::normal_kind;

/// Longest life that an entry may allow a token, and most that a clock may differ, in seconds.
const MAX_LIFETIME_S: i64 = 31 * 86_400;
const MAX_SKEW_S: i64 = 300;
/// No token is valid so long after it was issued.
pub(crate) const LONGEST_LIFE_S: i64 = MAX_LIFETIME_S + 2 * MAX_SKEW_S;

/// One trusted issuer. Build with [`IssuerEntry::new`] and change what differs.
#[derive(Debug, Clone)]
pub struct IssuerEntry {
    /// Issuer identifier, compared byte for byte with `iss` and with its discovery document.
    pub issuer: String,
    /// The way to the issuer. Its base URL is where discovery, keys and token endpoint must be: the issuer's own URL, or
    /// the root of its host where the endpoints stand beside the issuer's path.
    pub target: TargetClient,
    /// What this issuer's access tokens are, and how one is verified.
    pub tokens: TokenKind,
    /// Acceptable `typ` of access tokens, without `application/`. `at+jwt` by default (RFC 9068).
    pub types: Vec<String>,
    /// Acceptable algorithms; only asymmetric ones are ever accepted.
    pub algorithms: Vec<Algorithm>,
    /// Scopes that a token must carry; none by default.
    pub required_scopes: Vec<String>,
    /// The claim with the groups: a list of strings. `groups` by default.
    pub groups_claim: ClaimPath,
    /// Groups that are let through under their own name, as the issuer writes them. `None` (the default) lets none through.
    pub allowed_groups: Option<Vec<String>>,
    /// Groups that are let through under another name: the issuer's name to ours. All others are dropped. A name stands
    /// here or above, so that nobody becomes a member by founding a group that is called like ours.
    pub group_names: BTreeMap<String, String>,
    /// The immutable claim by which people are counted; `sub` by default. A person's token without it is refused.
    pub person_claim: ClaimPath,
    /// The claim with the name to show; absent, `preferred_username` or `name` are.
    pub name_claim: Option<ClaimPath>,
    /// The claim that [`MfaRule::acr`] is compared with, a text; `acr` by default.
    pub acr_claim: ClaimPath,
    /// The claim that [`MfaRule::amr`] is compared with, a list of texts; `amr` by default.
    pub amr_claim: ClaimPath,
    /// What says that more than one factor was used.
    pub mfa: MfaRule,
    /// Whether a token for the public base URL is good at every resource below it.
    pub accepts_platform_audience: bool,
    /// What this issuer puts into `aud` for the platform, where it does not know `resource` (RFC 8707): counts like the
    /// public base URL, and with or without it.
    pub platform_alias: Option<String>,
    /// Name of the façade in front of this issuer: clients are sent there and not to the issuer itself.
    pub facade: Option<String>,
    /// Longest `exp - iat` in seconds; a day by default.
    pub max_lifetime_s: i64,
    /// How far the issuer's clock may differ, in seconds; 30 by default.
    pub clock_skew_s: i64,
    /// Clients whose tokens are accepted; `None` accepts all of this issuer's. An opaque token of a client that is named
    /// here needs no audience.
    pub allowed_clients: Option<Vec<String>>,
    /// The claim by which this issuer marks tokens by client credentials, for example `gty = client-credentials`; it
    /// counts only when `auth_time` is absent. A token whose `sub` is its client is a client's in any case.
    pub client_marker: Option<ClaimMarker>,
}

/// How an issuer's access tokens are verified.
#[derive(Debug, Clone)]
pub enum TokenKind {
    /// JWTs (RFC 9068), by the issuer's published keys.
    Jwt,
    /// The issuer is asked about each token (RFC 7662).
    Introspection(ClientCredentials),
    /// The issuer's userinfo endpoint is asked with the token itself. It proves no audience and no client, which is why
    /// such a token never counts as stepped up and is good for `read` and `record` only (T2).
    Userinfo {
        /// The endpoint; absent, the discovery document says where it is.
        endpoint: Option<Url>,
        /// Introspection first, which proves audience, client and expiry. `None`: tokens of any client are accepted, which
        /// the operator has to want explicitly.
        introspection: Option<ClientCredentials>,
    },
}

impl TokenKind {
    pub(crate) fn is_jwt(&self) -> bool {
        matches!(self, Self::Jwt)
    }

    pub(crate) fn is_userinfo_of_any_client(&self) -> bool {
        matches!(self, Self::Userinfo { introspection: None, .. })
    }
}

/// The platform's own client at an issuer (`client_secret_basic`).
#[derive(Debug, Clone)]
pub struct ClientCredentials {
    /// Client id.
    pub id: String,
    /// Client secret.
    pub secret: Secret,
}

/// A claim with one value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClaimMarker {
    /// Name.
    pub claim: String,
    /// The text that it must be equal to.
    pub value: String,
}

/// Which `acr` or `amr` say that more than one factor was used (T4). Empty by default: nothing does.
#[derive(Debug, Clone, Default)]
pub struct MfaRule {
    /// Values of `acr`. They are also what step-up asks the issuer for, in this order.
    pub acr: Vec<String>,
    /// Values of `amr` of which one is enough, such as `mfa`. One factor alone (`pwd`, `otp`, `hwk`, `swk`, ...) is
    /// refused here.
    pub amr: Vec<String>,
    /// Whether two values of `amr` of different kinds (known, owned, of the body; RFC 8176) are enough together.
    pub two_factors: bool,
    /// Every sign-in of a person counts: for an issuer whose own policy always asks for a second factor and whose tokens
    /// do not say so.
    pub always: bool,
}

/// RFC 8176 values by what they prove: something known, owned, or of the body.
const FACTORS: [&[&str]; 3] = [
    &["pwd", "pin", "kba"],
    &["hwk", "swk", "otp", "sms", "tel", "sc", "pop"],
    &["fpt", "face", "iris", "retina", "vbm"],
];

/// RFC 8176 values that prove no factor by themselves.
const NO_FACTOR: [&str; 5] = ["geo", "rba", "user", "wia", "mca"];

impl MfaRule {
    /// Whether this sign-in used more than one factor.
    pub(crate) fn holds(&self, acr: Option<&str>, amr: &[String]) -> bool {
        let kinds = || FACTORS.iter().filter(|kind| amr.iter().any(|value| kind.contains(&&**value))).count();
        self.always
            || acr.is_some_and(|acr| self.acr.iter().any(|value| value == acr))
            || amr.iter().any(|value| self.amr.contains(value))
            || (self.two_factors && kinds() >= 2)
    }

    fn single_factor(&self) -> Option<&String> {
        self.amr.iter().find(|value| {
            FACTORS.iter().any(|kind| kind.contains(&&***value)) || NO_FACTOR.contains(&&***value) || value.is_empty()
        })
    }
}

impl IssuerEntry {
    /// An entry that accepts `at+jwt` tokens signed with RS256, PS256, ES256, ES384 or EdDSA, lets no group through, and
    /// believes no `acr` or `amr`.
    pub fn new(issuer: impl Into<String>, target: TargetClient) -> Self {
        Self {
            issuer: issuer.into(),
            target,
            tokens: TokenKind::Jwt,
            types: vec!["at+jwt".to_owned()],
            algorithms: vec![Algorithm::RS256, Algorithm::PS256, Algorithm::ES256, Algorithm::ES384, Algorithm::EdDSA],
            required_scopes: Vec::new(),
            groups_claim: ClaimPath::member("groups"),
            allowed_groups: None,
            group_names: BTreeMap::new(),
            person_claim: ClaimPath::member("sub"),
            name_claim: None,
            acr_claim: ClaimPath::member("acr"),
            amr_claim: ClaimPath::member("amr"),
            mfa: MfaRule::default(),
            accepts_platform_audience: false,
            platform_alias: None,
            facade: None,
            max_lifetime_s: 86_400,
            clock_skew_s: 30,
            allowed_clients: None,
            client_marker: None,
        }
    }

    /// Refuses an entry that could let somebody in by mistake.
    pub(crate) fn check(&self) -> Result<(), Error> {
        let bad = |code: &'static str, message: String| Err(Error::new(ErrorKind::InvalidInput, code, message));
        let issuer = &self.issuer;
        let url = Url::parse(issuer).ok().filter(|url| {
            matches!(url.scheme(), "https" | "http") && url.query().is_none() && url.fragment().is_none()
        });
        if url.map(|url| url.origin()) != Some(self.target.options().base.origin()) {
            return bad(
                "issuer_entry_invalid",
                format!("Issuer {issuer} must be a URL on the scheme, host and port of its own target."),
            );
        }
        if self.types.is_empty() || self.algorithms.is_empty() || self.algorithms.iter().any(is_symmetric) {
            return bad(
                "issuer_entry_invalid",
                format!("Issuer {issuer} needs a token type and algorithms, and the algorithms must be asymmetric."),
            );
        }
        if !(1..=MAX_LIFETIME_S).contains(&self.max_lifetime_s) || !(0..=MAX_SKEW_S).contains(&self.clock_skew_s) {
            return bad(
                "issuer_entry_invalid",
                format!("Issuer {issuer}: a lifetime is 1 s to 31 days, a clock's difference at most 300 s."),
            );
        }
        if self.platform_alias.as_deref() == Some("") {
            return bad("issuer_entry_invalid", format!("Issuer {issuer}: an empty `audience` names nothing."));
        }
        let twice = |name: &&String| self.group_names.contains_key(*name);
        if let Some(name) = self.allowed_groups.iter().flatten().find(twice) {
            return bad(
                "issuer_entry_invalid",
                format!("Issuer {issuer}: the group `{name}` is let through twice, under its own name and another."),
            );
        }
        match self.mfa.single_factor() {
            Some(value) => bad(
                "mfa_rule_single_factor",
                format!("Issuer {issuer}: amr `{value}` is one factor alone and cannot stand for several."),
            ),
            None => Ok(()),
        }
    }

    pub(crate) fn accepts_type(&self, kind: Option<&str>) -> bool {
        kind.is_some_and(|kind| self.types.iter().any(|allowed| normal_kind(allowed) == kind))
    }

    pub(crate) fn is_marked_client(&self, payload: &serde_json::Map<String, Value>) -> bool {
        self.client_marker
            .as_ref()
            .is_some_and(|marker| payload.get(&marker.claim).and_then(Value::as_str) == Some(&*marker.value))
    }
}

fn is_symmetric(algorithm: &Algorithm) -> bool {
    matches!(algorithm, Algorithm::HS256 | Algorithm::HS384 | Algorithm::HS512)
}

#[cfg(test)]
mod tests {
    use super::MfaRule;

    fn amr(values: &[&str]) -> Vec<String> {
        values.iter().map(|value| (*value).to_owned()).collect()
    }

    #[test]
    fn t4_nothing_is_mfa_unless_the_entry_says_so() {
        let rule = MfaRule::default();
        assert!(!rule.holds(Some("mfa"), &amr(&["mfa", "pwd", "otp"])));
    }

    #[test]
    fn t4_one_factor_alone_is_not_mfa() {
        let rule = MfaRule { acr: amr(&["urn:mfa"]), amr: amr(&["mfa"]), two_factors: true, always: false };
        for one in ["pwd", "otp", "hwk", "swk", "fpt", "sms"] {
            assert!(!rule.holds(None, &amr(&[one])), "{one}");
            assert!(!rule.holds(Some("urn:pwd"), &amr(&[one, one])), "{one} twice");
        }
        assert!(!rule.holds(None, &amr(&["hwk", "otp"])), "two of one kind");
        assert!(rule.holds(None, &amr(&["pwd", "otp"])));
        assert!(rule.holds(None, &amr(&["mfa"])));
        assert!(rule.holds(Some("urn:mfa"), &[]));
    }

    #[test]
    fn t4_an_entry_cannot_name_one_factor_as_several() {
        for one in ["hwk", "swk", "otp", "pwd", "geo", ""] {
            let rule = MfaRule { amr: amr(&["mfa", one]), ..MfaRule::default() };
            assert_eq!(rule.single_factor().unwrap(), one);
        }
    }
}
