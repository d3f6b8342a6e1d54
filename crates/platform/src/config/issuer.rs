//! `[[issuer]]`: whose tokens are accepted, how they are verified, and what of them counts. Next: [`super::Config`].

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::Deserialize;
use url::Url;

/// `[[issuer]]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IssuerConfig {
    /// Issuer identifier, exactly as in `iss`.
    pub url: Url,
    /// Whether this is the built-in issuer, served by this process below its own URL.
    #[serde(default)]
    pub builtin: bool,
    /// Whether clients may register themselves at the built-in issuer (RFC 7591). In a lab only: `serve` refuses it (T30).
    #[serde(default)]
    pub open_registration: bool,
    /// Accepted `typ` headers, without `application/`.
    #[serde(default = "default_types")]
    pub types: Vec<String>,
    /// Whether a token for the platform's base URL is accepted at every resource (T1).
    #[serde(default)]
    pub platform_audience: bool,
    /// Scopes a token must carry.
    #[serde(default)]
    pub required_scopes: Vec<String>,
    /// What it puts into `aud` for the platform, where it does not know `resource`.
    pub audience: Option<String>,
    /// Name of a façade at `<base>/oauth/<name>`, for a provider whose clients have to be registered by hand; maps every
    /// MCP client to the client that stands at `secret`.
    pub facade: Option<String>,
    /// Scopes that the façade asks for.
    #[serde(default = "default_facade_scopes")]
    pub facade_scopes: Vec<String>,
    /// What its access tokens are, and how one is verified.
    #[serde(default)]
    pub tokens: IssuerTokens,
    /// Path in the secret store of what `introspection`, `userinfo` and `facade` need: `client_id` and `client_secret` of the
    /// platform's own client, and for `userinfo` also `userinfo_url`, where discovery does not say it.
    #[serde(default = "default_issuer_secret")]
    pub secret: String,
    /// Lets userinfo mode accept tokens of any client of this issuer, without introspection (T2).
    #[serde(default)]
    pub userinfo_any_client: bool,
    /// PEM file with the certificate authorities to trust for it, instead of the system's.
    pub ca_file: Option<PathBuf>,
    /// Claim with the groups: a name, a path (`realm_access.roles`), a URL, or a JSON pointer.
    #[serde(default = "default_groups_claim")]
    pub groups_claim: String,
    /// Groups that count under their own name; others are dropped (T2). Nothing = none counts so.
    pub groups: Option<Vec<String>>,
    /// Groups that count under another name: the issuer's name = ours.
    #[serde(default)]
    pub group_names: BTreeMap<String, String>,
    /// Immutable claim by which people are counted.
    #[serde(default = "default_person_claim")]
    pub person_claim: String,
    /// Claim with the name to show. Nothing = `preferred_username`, then `name`.
    pub name_claim: Option<String>,
    /// Claim that `mfa_acr` is compared with.
    #[serde(default = "default_acr_claim")]
    pub acr_claim: String,
    /// Claim that `mfa_amr` is compared with.
    #[serde(default = "default_amr_claim")]
    pub amr_claim: String,
    /// Every sign-in there used a second factor, by the issuer's own policy, although its tokens do not say so.
    #[serde(default)]
    pub assume_mfa: bool,
    /// `acr` values that mean more than one factor.
    #[serde(default)]
    pub mfa_acr: Vec<String>,
    /// `amr` values that mean more than one factor by themselves; a key alone never does (T4).
    #[serde(default)]
    pub mfa_amr: Vec<String>,
    /// Clients whose tokens are accepted. Nothing = every client.
    pub clients: Option<Vec<String>>,
}

impl IssuerConfig {
    /// An entry with nothing but its URL, as the file would have it.
    pub fn new(url: Url) -> Self {
        Self {
            url,
            builtin: false,
            open_registration: false,
            types: default_types(),
            platform_audience: false,
            required_scopes: Vec::new(),
            audience: None,
            facade: None,
            facade_scopes: default_facade_scopes(),
            tokens: IssuerTokens::default(),
            secret: default_issuer_secret(),
            userinfo_any_client: false,
            ca_file: None,
            groups_claim: default_groups_claim(),
            groups: None,
            group_names: BTreeMap::new(),
            person_claim: default_person_claim(),
            name_claim: None,
            acr_claim: default_acr_claim(),
            amr_claim: default_amr_claim(),
            assume_mfa: false,
            mfa_acr: Vec::new(),
            mfa_amr: Vec::new(),
            clients: None,
        }
    }
}

/// How an issuer's access tokens are verified.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum IssuerTokens {
    /// JWTs, by the issuer's published keys.
    #[default]
    Jwt,
    /// The issuer is asked about each token (RFC 7662).
    Introspection,
    /// The issuer's userinfo endpoint is asked with the token: for `read` and `record` only (T2).
    Userinfo,
}

fn default_facade_scopes() -> Vec<String> {
    vec!["openid".to_owned()]
}

fn default_issuer_secret() -> String {
    "oidc/config".to_owned()
}

fn default_acr_claim() -> String {
    "acr".to_owned()
}

fn default_amr_claim() -> String {
    "amr".to_owned()
}

fn default_types() -> Vec<String> {
    vec!["at+jwt".to_owned()]
}

fn default_groups_claim() -> String {
    "groups".to_owned()
}

fn default_person_claim() -> String {
    "sub".to_owned()
}
