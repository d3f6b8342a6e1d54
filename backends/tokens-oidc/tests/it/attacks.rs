//! Tokens that must not pass, each with the reason it is refused for, and random changes to a good one.

use aws_lc_rs::hmac;
use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use platform::clock::Clock;
use platform::tokens::TokenRefusal::{
    self, Algorithm, Audience, Claims, Header, Issuer, Scope, Shape, Signature, Size, Time, Type, UnknownKey,
};
use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use serde_json::{Value, json};

use crate::issuer::{BASE, Signer, World, b64};

struct Table<'a> {
    world: &'a World,
    rows: Vec<(String, String, TokenRefusal)>,
}

impl Table<'_> {
    fn raw(&mut self, name: impl ToString, token: String, refusal: TokenRefusal) {
        self.rows.push((name.to_string(), token, refusal));
    }

    /// Good claims with `changes`.
    fn claims(&mut self, changes: &Value, refusal: TokenRefusal) {
        self.raw(format!("claims {changes}"), self.world.token_with(changes), refusal);
    }

    /// The good claims' JSON with `extra` members written behind them: doubles and `null` survive.
    fn text(&mut self, extra: &str, refusal: TokenRefusal) {
        let claims = self.world.claims().to_string();
        let payload = format!("{},{extra}}}", claims.strip_suffix('}').unwrap());
        let token = self.world.key.sign(&self.world.key.header().to_string(), &payload);
        self.raw(format!("payload with {extra}"), token, refusal);
    }

    /// A good payload under a header with `changes`; `null` removes a member.
    fn header(&mut self, changes: &Value, refusal: TokenRefusal) {
        self.header_by(&self.world.key, changes, refusal);
    }

    fn header_by(&mut self, key: &Signer, changes: &Value, refusal: TokenRefusal) {
        let mut header = self.world.key.header();
        for (name, value) in changes.as_object().unwrap() {
            if value.is_null() {
                header.as_object_mut().unwrap().remove(name);
            } else {
                header[name] = value.clone();
            }
        }
        let token = key.sign(&header.to_string(), &self.world.claims().to_string());
        self.raw(format!("header {changes}"), token, refusal);
    }
}

fn hmac_token(secret: &[u8], header: &Value, claims: &Value) -> String {
    let signed = format!("{}.{}", b64(header.to_string().as_bytes()), b64(claims.to_string().as_bytes()));
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret), signed.as_bytes());
    format!("{signed}.{}", b64(tag.as_ref()))
}

fn shapes(table: &mut Table<'_>) {
    let world = table.world;
    let good = world.token_with(&json!({}));
    let parts: Vec<_> = good.split('.').collect();
    let (header, payload, signature) = (parts[0], parts[1], parts[2]);
    table.claims(&json!({"note": "x".repeat(9000)}), Size);
    table.raw("empty", String::new(), Shape);
    table.raw("one segment", header.to_owned(), Shape);
    table.raw("two segments", format!("{header}.{payload}"), Shape);
    table.raw("four segments", format!("{good}.{signature}"), Shape);
    table.raw("five segments, as of JWE", format!("{good}.x.y"), Shape);
    table.raw("padded header", format!("{header}=.{payload}.{signature}"), Shape);
    table.raw("padded payload", format!("{header}.{payload}==.{signature}"), Shape);
    table.raw("padded signature", format!("{header}.{payload}.{signature}=="), Signature);
    table.raw("newline in the payload", format!("{header}.{payload}\n.{signature}"), Shape);
    table.raw("leading space", format!(" {good}"), Shape);
    table.raw("empty header", format!(".{payload}.{signature}"), Shape);
    table.raw("empty payload", format!("{header}..{signature}"), Claims);
    table.raw("standard alphabet", format!("{header}.{payload}.{}", STANDARD_NO_PAD.encode([0xfb; 64])), Signature);
    table.raw("header is a list", world.key.sign("[]", "{}"), Shape);
    table.raw("header is no JSON", world.key.sign("alg: none", "{}"), Shape);
    table.raw("header with a double", world.key.sign(r#"{"alg":"ES256","kid":"k1","alg":"none"}"#, "{}"), Shape);
    table.raw("payload is a list", world.key.sign(&world.key.header().to_string(), "[]"), Claims);
    table.raw("payload is no JSON", world.key.sign(&world.key.header().to_string(), "hello"), Claims);
    table.text(&format!(r#""deep":{}1{}"#, "[".repeat(500), "]".repeat(500)), Claims);
}

fn signatures(table: &mut Table<'_>, rsa: &Signer) {
    let world = table.world;
    let good = world.token_with(&json!({}));
    let (signed, signature) = good.rsplit_once('.').unwrap();
    for none in ["none", "None", "NONE", "nOnE", ""] {
        let header = json!({"alg": none, "kid": "k1", "typ": "at+jwt"}).to_string();
        let payload = b64(world.claims().to_string().as_bytes());
        table.raw(format!("alg {none:?}"), format!("{}.{payload}.", b64(header.as_bytes())), Algorithm);
    }
    for key in [&world.key, rsa] {
        let header = json!({"alg": "HS256", "kid": key.kid(), "typ": "at+jwt"});
        let token = hmac_token(&key.public_bytes(), &header, &world.claims());
        table.raw(format!("HS256 with the public {} as secret", key.algorithm()), token, Algorithm);
    }
    let header = json!({"alg": "HS256", "kid": "oct", "typ": "at+jwt"});
    table.raw("HS256 with a published secret", hmac_token(b"published", &header, &world.claims()), Algorithm);
    let header = json!({"alg": "ES256", "kid": "oct", "typ": "at+jwt"});
    table.raw("a published secret as ES256", hmac_token(b"published", &header, &world.claims()), UnknownKey);
    table.header_by(rsa, &json!({"alg": "RS256"}), Algorithm);
    table.header(&json!({"kid": "rsa"}), Algorithm);
    table.header_by(rsa, &json!({"alg": "PS256", "kid": "rsa"}), Algorithm);
    table.header_by(rsa, &json!({"alg": "RS512", "kid": "rsa"}), Algorithm);
    table.header(&json!({"alg": "es256"}), Algorithm);
    table.header(&json!({"alg": ["ES256"]}), Header);
    table.header(&json!({"alg": null}), Header);
    table.raw("no signature", format!("{signed}."), Signature);
    table.raw("half a signature", format!("{signed}.{}", &signature[..43]), Signature);
    table.raw("r and s are zero", format!("{signed}.{}", b64(&[0; 64])), Signature);
    table.raw("another's signature", format!("{signed}.{}", b64(&rsa.signature(signed.as_bytes()))), Signature);
    let other = world.token_with(&json!({"sub": "mallory"}));
    let (head, rest) = other.split_once('.').unwrap();
    let swapped = format!("{head}.{}.{signature}", rest.split('.').next().unwrap());
    table.raw("another payload under this signature", swapped, Signature);
    table.header_by(&Signer::ec("k1"), &json!({}), Signature);
}

fn headers(table: &mut Table<'_>) {
    let mine = Signer::ec("evil");
    table.header(&json!({"kid": null}), Header);
    table.header(&json!({"kid": ""}), Header);
    table.header(&json!({"kid": 1}), Header);
    table.header(&json!({"kid": "k".repeat(300)}), Header);
    for kid in ["../../../../dev/null", "k1' OR '1'='1", "K1", "k1 ", "k1\u{0}", "http://evil.example/jwks", "enc"] {
        table.header(&json!({ "kid": kid }), UnknownKey);
    }
    for (name, value) in [
        ("jku", json!("http://127.0.0.1:1/jwks")),
        ("x5u", json!("http://127.0.0.1:1/cert")),
        ("jwk", mine.jwk()),
        ("x5c", json!([b64(&mine.public_bytes())])),
    ] {
        table.header_by(&mine, &json!({ name: value }), Signature);
        table.header_by(&mine, &json!({ name: value, "kid": "evil" }), UnknownKey);
    }
    table.header(&json!({"crit": ["b64"], "b64": false}), Header);
    table.header(&json!({"crit": ["exp"]}), Header);
    table.header(&json!({"crit": []}), Header);
    table.header(&json!({"b64": false}), Header);
    table.header(&json!({"zip": "DEF"}), Header);
    table.header(&json!({"enc": "A256GCM"}), Header);
    for kind in
        ["JWT", "jwt", "logout+jwt", "secevent+jwt", "id_token", "at+jwt ", "", "application/application/at+jwt"]
    {
        table.header(&json!({ "typ": kind }), Type);
    }
    table.header(&json!({"typ": null}), Type);
    table.header(&json!({"typ": ["at+jwt"]}), Header);
}

fn claims(table: &mut Table<'_>) {
    let iss = table.world.issuer.url.clone();
    let now = table.world.clock.epoch_seconds();
    for other in
        ["https://evil.example".to_owned(), format!("{iss}/"), iss.to_uppercase(), format!("{iss}#x"), String::new()]
    {
        table.claims(&json!({ "iss": other }), Issuer);
    }
    for wrong in [json!([iss]), json!([iss, "https://evil.example"]), json!(123), json!({ "iss": iss })] {
        table.claims(&json!({ "iss": wrong }), Claims);
    }
    for other in [
        json!(format!("{BASE}/mcp/b")),
        json!(format!("{BASE}/mcp/a/")),
        json!(format!("{BASE}/mcp/")),
        json!(format!("{BASE}/mcp")),
        json!(format!("{BASE}/mcp/ab")),
        json!(format!("{BASE}/mcp/A")),
        json!(format!("{BASE}/mcp/a?x=1")),
        json!(format!("{BASE}:443/mcp/a")),
        json!(format!("{BASE}.evil.example/mcp/a")),
        json!(BASE),
        json!("http://interlock.example/mcp/a"),
        json!("*"),
        json!(""),
        json!("cli"),
        json!([]),
        json!([format!("{BASE}/mcp/b"), "cli"]),
    ] {
        table.claims(&json!({ "aud": other }), Audience);
    }
    for wrong in [
        json!(7),
        json!([[format!("{BASE}/mcp/a")]]),
        json!({"a": format!("{BASE}/mcp/a")}),
        json!([format!("{BASE}/mcp/a"), 7]),
    ] {
        table.claims(&json!({ "aud": wrong }), Claims);
    }
    for missing in ["iss", "sub", "aud", "exp", "iat", "client_id"] {
        table.claims(&json!({ missing: null }), Claims);
    }
    for late in [
        json!(now - 31),
        json!(0),
        json!(-1),
        json!(1e18),
        json!(1e300),
        json!(u64::MAX),
        json!(now + 86_500),
        json!(-0.5),
    ] {
        table.claims(&json!({ "exp": late }), Time);
    }
    for wrong in [json!((now + 600).to_string()), json!(true), json!([now + 600]), json!({})] {
        table.claims(&json!({ "exp": wrong }), Claims);
        table.claims(&json!({ "iat": wrong }), Claims);
        table.claims(&json!({ "nbf": wrong }), Claims);
    }
    for name in ["nbf", "iat", "auth_time"] {
        table.claims(&json!({ name: now + 300 }), Time);
    }
    table.claims(&json!({"iat": now - 90_000}), Time);
    table.claims(&json!({"iat": -9e18}), Time);
    table.claims(&json!({"iat": now + 20, "exp": now + 10}), Time);
    table.claims(&json!({"auth_time": -5}), Time);
    for double in [
        r#""groups":["admins"]"#,
        r#""sub":"root""#,
        r#""iss":"x""#,
        r#""aud":"x""#,
        r#""exp":9"#,
        r#""\u0073ub":"root""#,
        r#""x":{"a":1,"a":2}"#,
    ] {
        table.text(double, Claims);
    }
    for null in ["nbf", "acr", "amr", "act", "azp", "nonce", "cnf"] {
        table.text(&format!(r#""{null}":null"#), Claims);
    }
    table.text(r#""big":1e999"#, Claims);
    for wrong in [
        json!([["admins"]]),
        json!("admins"),
        json!({"0": "admins"}),
        json!(["netops", 7]),
        json!([{"name": "admins"}]),
        json!(true),
    ] {
        table.claims(&json!({ "groups": wrong }), Claims);
    }
    for (name, value) in [
        ("nonce", json!("n")),
        ("at_hash", json!("h")),
        ("c_hash", json!("h")),
        ("events", json!({"http://schemas.openid.net/event/backchannel-logout": {}})),
        ("cnf", json!({"jkt": "x"})),
        ("sub", json!("")),
        ("sub", json!(7)),
        ("sub", json!("a\nb")),
        ("sub", json!("s".repeat(256))),
        ("client_id", json!("")),
        ("client_id", json!("stranger")),
        ("azp", json!("other")),
        ("acr", json!(["urn:mfa"])),
        ("amr", json!("mfa")),
        ("scope", json!(["mcp"])),
        ("act", json!({"client_id": "agent"})),
        ("act", json!("agent")),
        ("act", json!({"sub": ""})),
    ] {
        table.claims(&json!({ name: value }), Claims);
    }
    let mut chain = json!({"sub": "agent"});
    for _ in 0..8 {
        chain = json!({"sub": "agent", "act": chain});
    }
    table.claims(&json!({ "act": chain }), Claims);
    for scope in [json!(null), json!(""), json!("mcpx"), json!("MCP"), json!("x:mcp")] {
        table.claims(&json!({ "scope": scope }), Scope);
    }
}

#[tokio::test]
async fn t1_t2_no_attack_passes_and_each_is_refused_for_its_reason() {
    let world = World::with(|entry| {
        entry.required_scopes = vec!["mcp".to_owned()];
        entry.allowed_clients = Some(vec!["cli".to_owned(), "other".to_owned()]);
    })
    .await;
    let rsa = Signer::rsa("rsa");
    let mut encrypts = Signer::ec("enc").jwk();
    encrypts["use"] = json!("enc");
    let secret = json!({"kty": "oct", "kid": "oct", "k": b64(b"published"), "alg": "HS256"});
    world.issuer.publish_raw(vec![world.key.jwk(), rsa.jwk(), encrypts, secret]);

    let mut table = Table { world: &world, rows: Vec::new() };
    shapes(&mut table);
    signatures(&mut table, &rsa);
    headers(&mut table);
    claims(&mut table);
    let rows = table.rows;
    assert!(rows.len() > 150, "{}", rows.len());
    for warm in [false, true] {
        for (name, token, refusal) in &rows {
            let got = world.verify(token, "a").await;
            assert_eq!(got.as_ref().err(), Some(refusal), "{name} (warm: {warm}): {got:?}");
        }
        world.verify(&world.token_with(&json!({})), "a").await.unwrap();
    }
    assert_eq!(world.issuer.fetches(), 1, "no attack causes a fetch");
}

#[tokio::test]
async fn an_id_token_is_no_access_token_even_where_typ_jwt_is_allowed() {
    let world = World::with(|entry| entry.types = vec!["at+jwt".to_owned(), "JWT".to_owned()]).await;
    let mut header = world.key.header();
    header["typ"] = json!("JWT");
    let sign = |claims: Value| world.key.sign(&header.to_string(), &claims.to_string());
    world.verify(&sign(world.claims()), "a").await.unwrap();
    for extra in [json!({"nonce": "n"}), json!({"at_hash": "h"}), json!({"events": {}})] {
        assert_eq!(world.verify(&sign(world.claims_with(&extra)), "a").await.unwrap_err(), Claims, "{extra}");
    }
}

#[derive(Debug, Clone)]
enum Change {
    Replace(prop::sample::Index, u8),
    Insert(prop::sample::Index, u8),
    Remove(prop::sample::Index),
    Swap(prop::sample::Index, prop::sample::Index),
}

fn change() -> impl Strategy<Value = Change> {
    let byte = prop::sample::select(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.=+/ ".to_vec());
    prop_oneof![
        (any::<prop::sample::Index>(), byte.clone()).prop_map(|(at, byte)| Change::Replace(at, byte)),
        (any::<prop::sample::Index>(), byte).prop_map(|(at, byte)| Change::Insert(at, byte)),
        any::<prop::sample::Index>().prop_map(Change::Remove),
        (any::<prop::sample::Index>(), any::<prop::sample::Index>()).prop_map(|(a, b)| Change::Swap(a, b)),
    ]
}

fn changed(token: &str, changes: &[Change]) -> String {
    let mut bytes = token.as_bytes().to_vec();
    for change in changes {
        let len = bytes.len();
        match change {
            Change::Replace(at, byte) => bytes[at.index(len)] = *byte,
            Change::Insert(at, byte) => bytes.insert(at.index(len + 1), *byte),
            Change::Remove(at) => drop(bytes.remove(at.index(len))),
            Change::Swap(one, other) => bytes.swap(one.index(len), other.index(len)),
        }
    }
    String::from_utf8(bytes).unwrap()
}

#[test]
fn a_token_changed_anywhere_never_verifies() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let world = runtime.block_on(World::new());
    let good = world.token_with(&json!({}));
    runtime.block_on(world.verify(&good, "a")).unwrap();
    let mut runner = TestRunner::new(ProptestConfig { cases: 200, failure_persistence: None, ..Default::default() });
    runner
        .run(&prop::collection::vec(change(), 1..4), |changes| {
            let token = changed(&good, &changes);
            prop_assume!(token != good);
            prop_assert!(runtime.block_on(world.verify(&token, "a")).is_err(), "{token}");
            Ok(())
        })
        .unwrap();
}
