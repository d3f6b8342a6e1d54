//! What the operator writes about an issuer, and what of it is refused at start.

use std::collections::BTreeMap;
use std::sync::Arc;

use interlock_tokens_oidc::{ClaimPath, IssuerEntry, TokenKind, own_clients};
use platform::config::{Config, IssuerConfig, IssuerTokens, load};
use platform::http::{Outbound, OutboundObserver};
use platform::secrets::SecretStore;
use platform::{Secret, SharedClock};
use platform_suites::MemorySecrets;

use crate::issuer::StillClock;

struct Nobody;

impl OutboundObserver for Nobody {
    fn attempted(&self, _: &Outbound<'_>) {}
}

async fn entry(toml: &str, kept: &[(&str, &str)]) -> Result<IssuerEntry, String> {
    let clock: SharedClock = Arc::new(StillClock::default());
    let secrets = MemorySecrets::new(clock);
    if !kept.is_empty() {
        let data = kept.iter().map(|(k, v)| ((*k).to_owned(), Secret::new(*v))).collect::<BTreeMap<_, _>>();
        secrets.put("oidc/config", data, None).await.unwrap();
    }
    let config = issuer(toml);
    let observer: Arc<dyn OutboundObserver> = Arc::new(Nobody);
    IssuerEntry::configured(&config, &secrets, &observer).await.map_err(|error| error.code().to_owned())
}

fn read(toml: &str) -> Config {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), format!("[[issuer]]\nurl = \"https://id.example/realms/x\"\n{toml}")).unwrap();
    load(Some(file.path()), []).unwrap().config
}

fn issuer(toml: &str) -> IssuerConfig {
    read(toml).issuer.remove(0)
}

#[tokio::test]
async fn a_plain_entry_is_jwts_by_keys_with_nothing_let_through() {
    let entry = entry("", &[]).await.unwrap();
    assert!(matches!(entry.tokens, TokenKind::Jwt));
    assert_eq!(
        (entry.issuer.as_str(), entry.groups_claim),
        ("https://id.example/realms/x", ClaimPath::member("groups"))
    );
    assert!(entry.allowed_groups.is_none() && entry.group_names.is_empty() && !entry.mfa.always);
}

#[tokio::test]
async fn t2_every_way_of_asking_the_issuer_is_explicit() {
    let client = [("client_id", "interlock"), ("client_secret", "s")];
    let with_url =
        [client[0], client[1], ("userinfo_url", "https://id.example/me"), ("issuer", "https://id.example/realms/x")];
    let introspection = entry("tokens = \"introspection\"", &client).await.unwrap();
    assert!(matches!(introspection.tokens, TokenKind::Introspection(client) if client.id == "interlock"));
    let userinfo = entry("tokens = \"userinfo\"", &with_url).await.unwrap();
    assert!(
        matches!(userinfo.tokens, TokenKind::Userinfo { endpoint: Some(url), introspection: Some(_) } if url.path() == "/me")
    );
    let any = entry("tokens = \"userinfo\"\nuserinfo_any_client = true", &[]).await.unwrap();
    assert!(matches!(any.tokens, TokenKind::Userinfo { endpoint: None, introspection: None }));
    for (toml, kept, code) in [
        ("tokens = \"introspection\"", &[][..], "issuer_secret_missing"),
        ("tokens = \"introspection\"\nsecret = \"oidc/other\"", &client, "issuer_secret_missing"),
        ("tokens = \"introspection\"", &client[..1], "issuer_secret_missing"),
        ("tokens = \"userinfo\"", &[], "issuer_secret_missing"),
        ("tokens = \"userinfo\"\nuserinfo_any_client = true", &client, "issuer_entry_invalid"),
        (
            "tokens = \"introspection\"",
            &[client[0], client[1], ("issuer", "https://other.example")],
            "issuer_entry_invalid",
        ),
        ("tokens = \"userinfo\"", &[client[0], client[1], ("userinfo_url", "me")], "issuer_entry_invalid"),
    ] {
        assert_eq!(entry(toml, kept).await.err().as_deref(), Some(code), "{toml} {kept:?}");
    }
}

#[tokio::test]
async fn claims_and_factors_are_read_and_checked_at_start() {
    let toml = "groups_claim = \"realm_access.roles\"\nname_claim = \"/profile/name\"\nassume_mfa = true\n\
                groups = [\"admin\"]\ngroup_names = { \"Network Engineers\" = \"network-engineers\" }";
    let good = entry(toml, &[]).await.unwrap();
    assert_eq!(good.groups_claim, "/realm_access/roles".parse().unwrap());
    assert_eq!((good.name_claim, good.mfa.always), (Some("/profile/name".parse().unwrap()), true));
    assert_eq!(good.group_names["Network Engineers"], "network-engineers");
    for (toml, code) in [
        ("groups_claim = \"\"", "issuer_entry_invalid"),
        ("groups = [\"a\"]\ngroup_names = { a = \"b\" }", "issuer_entry_invalid"),
        ("mfa_amr = [\"hwk\"]", "mfa_rule_single_factor"),
        ("ca_file = \"no-such-file.pem\"", "ca_file_unreadable"),
    ] {
        assert_eq!(entry(toml, &[]).await.err().as_deref(), Some(code), "{toml}");
    }
}

#[tokio::test]
async fn logout_tokens_are_for_our_own_clients() {
    let mut config =
        read("tokens = \"introspection\"\nclients = [\"portal\"]\n[pages]\nissuer = \"https://id.example/realms/x/\"");
    config.issuer[0].tokens = IssuerTokens::Introspection;
    let client = [("client_id", "asker"), ("client_secret", "s")];
    let entries = [entry("tokens = \"introspection\"\nclients = [\"portal\"]", &client).await.unwrap()];
    let ours = own_clients(&config, &entries);
    assert_eq!(ours["https://id.example/realms/x"], ["portal", "interlock-pages", "asker"]);
}
