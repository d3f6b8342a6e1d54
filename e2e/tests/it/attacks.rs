//! Bearer values that must not pass, each on both doors of a served platform whose issuer signs anything: most of them are
//! signed by the right key, so that what refuses them is the rule that they break and not the signature. Every refusal has
//! the status and the challenge of RFC 6750.

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use platform::Clock as _;
use platform::Json;
use platform::clock::SystemClock;
use platform_suites::signing_issuer::{Signer, b64};
use reqwest::RequestBuilder;
use reqwest::header::HeaderValue;
use serde_json::json;

use crate::caller::Answer;
use crate::served::Served;

/// What has to come back.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Refused {
    /// 401 and `invalid_token`.
    Invalid,
    /// The same, and the sentence says that the token is for another resource.
    Audience,
    /// 401 without an error code: there was no bearer token (RFC 6750 section 3.1).
    Missing,
    /// 403 and `insufficient_scope`.
    Scope,
    /// 400 and `invalid_request`.
    Repeated,
}

impl Refused {
    fn expected(self) -> (u16, &'static str, &'static str) {
        match self {
            Self::Invalid => (401, "token_invalid", "error=\"invalid_token\""),
            Self::Audience => (401, "token_audience", "error=\"invalid_token\""),
            Self::Missing => (401, "token_missing", ""),
            Self::Scope => (403, "scope_missing", "error=\"insufficient_scope\""),
            Self::Repeated => (400, "authorization_repeated", "error=\"invalid_request\""),
        }
    }
}

/// One bad request: the values of its `Authorization` headers.
struct Attack {
    name: String,
    authorization: Vec<Vec<u8>>,
    refused: Refused,
}

/// The attacks on one door.
struct List<'a> {
    platform: &'a Served,
    /// The door's resource.
    resource: String,
    rsa: &'a Signer,
    attacks: Vec<Attack>,
}

impl List<'_> {
    fn good(&self) -> String {
        self.platform.key.access_token(&self.platform.claims(&self.resource, &json!({})))
    }

    fn headers(&mut self, name: impl Into<String>, values: Vec<Vec<u8>>, refused: Refused) {
        self.attacks.push(Attack { name: name.into(), authorization: values, refused });
    }

    fn value(&mut self, name: impl Into<String>, value: impl Into<Vec<u8>>, refused: Refused) {
        self.headers(name, vec![value.into()], refused);
    }

    fn token(&mut self, name: impl Into<String>, token: &str, refused: Refused) {
        self.value(name, format!("Bearer {token}"), refused);
    }

    /// Good claims with `changes`, well signed.
    fn claims(&mut self, changes: &Json, refused: Refused) {
        let token = self.platform.key.access_token(&self.platform.claims(&self.resource, changes));
        self.token(format!("claims {changes}"), &token, refused);
    }

    /// Good claims with these members written behind them, well signed: doubles and `null` survive.
    fn text(&mut self, extra: &str) {
        let claims = self.platform.claims(&self.resource, &json!({})).to_string();
        let payload = format!("{},{extra}}}", claims.strip_suffix('}').unwrap());
        let token = self.platform.key.sign(&self.platform.key.header().to_string(), &payload);
        self.token(format!("payload with {extra}"), &token, Refused::Invalid);
    }

    /// Good claims under a header with `changes`, signed by `key`; `null` removes a member.
    fn header(&mut self, key: &Signer, changes: &Json) {
        let mut header = key.header();
        for (name, value) in changes.as_object().unwrap() {
            match value {
                Json::Null => drop(header.as_object_mut().unwrap().remove(name)),
                value => header[name] = value.clone(),
            }
        }
        let token = key.sign(&header.to_string(), &self.platform.claims(&self.resource, &json!({})).to_string());
        self.token(format!("{} header {changes}", key.kid()), &token, Refused::Invalid);
    }

    fn hmac(&mut self, name: &str, secret: &[u8], header: &Json) {
        let claims = self.platform.claims(&self.resource, &json!({})).to_string();
        let signed = format!("{}.{}", b64(header.to_string().as_bytes()), b64(claims.as_bytes()));
        let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret), signed.as_bytes());
        self.token(name, &format!("{signed}.{}", b64(tag.as_ref())), Refused::Invalid);
    }

    fn algorithms(&mut self) {
        let (platform, rsa) = (self.platform, self.rsa);
        let key = &platform.key;
        let payload = b64(platform.claims(&self.resource, &json!({})).to_string().as_bytes());
        for none in ["none", "None", "NONE", "nOnE", ""] {
            let header = b64(json!({"alg": none, "kid": "k1", "typ": "at+jwt"}).to_string().as_bytes());
            self.token(format!("alg {none:?} without a signature"), &format!("{header}.{payload}."), Refused::Invalid);
            self.header(key, &json!({ "alg": none }));
        }
        for public in [key, rsa] {
            for algorithm in ["HS256", "HS512", "hs256"] {
                let header = json!({"alg": algorithm, "kid": public.kid(), "typ": "at+jwt"});
                self.hmac(&format!("{algorithm} with a public key as secret"), &public.public_bytes(), &header);
            }
            let pem = format!(
                "-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n",
                STANDARD.encode(public.public_bytes())
            );
            self.hmac(
                "HS256 with the PEM as secret",
                pem.as_bytes(),
                &json!({"alg": "HS256", "kid": public.kid(), "typ": "at+jwt"}),
            );
        }
        self.hmac(
            "HS256 with a published secret",
            b"published",
            &json!({"alg": "HS256", "kid": "oct", "typ": "at+jwt"}),
        );
        self.hmac("HS256 with an empty secret", b"", &json!({"alg": "HS256", "kid": "k1", "typ": "at+jwt"}));
        for other in ["RS256", "RS512", "PS256", "ES384", "ES512", "ES256K", "EdDSA", "es256"] {
            self.header(key, &json!({ "alg": other }));
        }
        for other in ["PS256", "RS384", "ES256", "rs256"] {
            self.header(rsa, &json!({ "alg": other }));
        }
        self.header(rsa, &json!({"kid": "k1"}));
        self.header(key, &json!({"kid": "rsa"}));
        self.header(key, &json!({"kid": "rsa", "alg": "RS256"}));
        self.header(key, &json!({"alg": ["ES256"]}));
        self.header(key, &json!({"alg": null}));
    }

    fn keys(&mut self) {
        let key = &self.platform.key;
        let mine = Signer::ec("evil");
        for kid in [
            json!(null),
            json!(""),
            json!(7),
            json!(["k1"]),
            json!("unknown"),
            json!("../../../../../dev/null"),
            json!("/proc/self/environ"),
            json!("k1' OR '1'='1"),
            json!("k1\u{0}"),
            json!("K1"),
            json!("k1 "),
            json!("http://127.0.0.1:1/jwks"),
            json!("encrypts"),
            json!("k".repeat(4_000)),
        ] {
            self.header(key, &json!({ "kid": kid }));
        }
        self.header(&Signer::ec("k1"), &json!({}));
        for (name, value) in [
            ("jku", json!(format!("{}/jwks", self.platform.issuer.url))),
            ("x5u", json!("http://127.0.0.1:1/certificate")),
            ("jwk", mine.jwk()),
            ("x5c", json!([STANDARD.encode(mine.public_bytes())])),
        ] {
            self.header(&mine, &json!({ name: value }));
            self.header(&mine, &json!({ name: value, "kid": "k1" }));
            self.header(&mine, &json!({ name: value, "kid": null }));
        }
        self.header(key, &json!({"crit": ["b64"], "b64": false}));
        self.header(key, &json!({"crit": ["exp"]}));
        self.header(key, &json!({"crit": []}));
        self.header(key, &json!({"b64": false}));
        self.header(key, &json!({"zip": "DEF"}));
        self.header(key, &json!({"enc": "A256GCM", "alg": "dir"}));
        for kind in
            ["JWT", "jwt", "logout+jwt", "secevent+jwt", "dpop+jwt", "rt+jwt", "at+jwt ", "application/x-at+jwt", ""]
        {
            self.header(key, &json!({ "typ": kind }));
        }
        self.header(key, &json!({"typ": null}));
        self.header(key, &json!({"cty": "JWT", "typ": "JWT"}));
    }

    fn audiences(&mut self) {
        let (resource, base) = (self.resource.clone(), self.platform.url.clone());
        let door = resource.strip_prefix(&base).unwrap().to_owned();
        for other in [
            json!(format!("{resource}/")),
            json!(format!("{resource}#x")),
            json!(format!("{resource}?x=1")),
            json!(format!("{resource}x")),
            json!(&resource[..resource.len() - 1]),
            json!(format!("{base}{}", door.to_uppercase())),
            json!(format!("{base}//{}", door.trim_start_matches('/'))),
            json!(format!("{resource}/readonly")),
            json!(format!("{base}/mcp/other")),
            json!(format!("{base}/pages")),
            json!(base),
            json!(format!("{base}.evil.example{door}")),
            json!(format!("http://evil.example{door}")),
            json!(format!("https://{}{door}", base.trim_start_matches("http://"))),
            json!(format!("http://user@{}{door}", base.trim_start_matches("http://"))),
            json!(format!(" {resource}")),
            json!(format!("{resource} https://other.example")),
            json!("cli"),
            json!("*"),
            json!(""),
            json!([]),
            json!([format!("{resource}/"), "cli", "*"]),
        ] {
            self.claims(&json!({ "aud": other }), Refused::Audience);
        }
        for wrong in [
            json!(null),
            json!(7),
            json!([[resource]]),
            json!({"0": resource}),
            json!([resource, 7]),
            json!([resource, null]),
        ] {
            self.claims(&json!({ "aud": wrong }), Refused::Invalid);
        }
    }

    fn issuers_and_times(&mut self) {
        let issuer = self.platform.issuer.url.clone();
        for wrong in [
            json!(null),
            json!([issuer]),
            json!([issuer, "https://evil.example"]),
            json!({"iss": issuer}),
            json!(7),
            json!(format!("{issuer}/")),
            json!(format!("{issuer}#x")),
            json!(issuer.to_uppercase()),
            json!(issuer.replace("http:", "https:")),
            json!(issuer.replace("127.0.0.1", "localhost")),
            json!(format!(" {issuer}")),
            json!("https://evil.example"),
            json!(""),
        ] {
            self.claims(&json!({ "iss": wrong }), Refused::Invalid);
        }
        let now = SystemClock.epoch_seconds();
        for wrong in [
            json!(null),
            json!(now - 60),
            json!(0),
            json!(-1),
            json!(-0.5),
            json!(i64::MIN),
            json!(i64::MAX),
            json!(u64::MAX),
            json!(1e300),
            json!(now + 90_000),
            json!((now + 600).to_string()),
            json!([now + 600]),
            json!({}),
            json!(true),
        ] {
            self.claims(&json!({ "exp": wrong }), Refused::Invalid);
        }
        for name in ["iat", "nbf", "auth_time"] {
            for wrong in [json!(now + 600), json!(i64::MAX), json!(now.to_string()), json!([now]), json!(false)] {
                self.claims(&json!({ name: wrong }), Refused::Invalid);
            }
        }
        self.claims(&json!({"iat": null}), Refused::Invalid);
        self.claims(&json!({"iat": now - 200_000}), Refused::Invalid);
        self.claims(&json!({"iat": -9e18}), Refused::Invalid);
        self.claims(&json!({"iat": now + 20, "exp": now + 10}), Refused::Invalid);
        self.claims(&json!({"auth_time": -1}), Refused::Invalid);
    }

    fn kinds(&mut self) {
        for (name, value) in [
            ("nonce", json!("n")),
            ("at_hash", json!("h")),
            ("c_hash", json!("h")),
            ("events", json!({"http://schemas.openid.net/event/backchannel-logout": {}})),
            ("toe", json!(1)),
            ("cnf", json!({"jkt": "x"})),
            ("cnf", json!({"x5t#S256": b64(&[7; 32])})),
            ("cnf", json!({"jwk": Signer::ec("x").jwk()})),
            ("cnf", json!({})),
            ("sub", json!(null)),
            ("sub", json!("")),
            ("sub", json!(7)),
            ("sub", json!("a\nb")),
            ("sub", json!("s".repeat(300))),
            ("client_id", json!(null)),
            ("client_id", json!("")),
            ("client_id", json!("stranger")),
            ("azp", json!("another")),
            ("groups", json!("network-engineers")),
            ("groups", json!([["network-engineers"]])),
            ("groups", json!({"0": "network-engineers"})),
            ("groups", json!(["network-engineers", 7])),
            ("acr", json!(["urn:mfa"])),
            ("amr", json!("mfa")),
            ("scope", json!(["mcp"])),
            ("act", json!("agent")),
            ("act", json!({"client_id": "agent"})),
            ("jti", json!(7)),
            ("sid", json!(["s1"])),
        ] {
            self.claims(&json!({ name: value }), Refused::Invalid);
        }
        for scope in [json!(null), json!(""), json!("mcpx"), json!("MCP"), json!("mcp:x openid")] {
            self.claims(&json!({ "scope": scope }), Refused::Scope);
        }
    }

    fn doubles(&mut self) {
        for double in [
            r#""groups":["admin"]"#,
            r#""sub":"root""#,
            r#""iss":"https://evil.example""#,
            r#""aud":"x""#,
            r#""exp":9999999999"#,
            r#""\u0073ub":"root""#,
            r#""deep":{"a":1,"a":2}"#,
        ] {
            self.text(double);
        }
        for null in ["nbf", "acr", "amr", "act", "azp", "nonce", "cnf"] {
            self.text(&format!(r#""{null}":null"#));
        }
        self.text(r#""big":1e999"#);
        self.text(&format!(r#""deep":{}1{}"#, "[".repeat(400), "]".repeat(400)));
        let claims = self.platform.claims(&self.resource, &json!({})).to_string();
        let key = &self.platform.key;
        let headers = [
            r#"{"alg":"none","alg":"ES256","kid":"k1","typ":"at+jwt"}"#,
            r#"{"alg":"ES256","kid":"x","kid":"k1","typ":"at+jwt"}"#,
            r#"{"alg":"ES256","kid":"k1","typ":"JWT","typ":"at+jwt"}"#,
            "[]",
            "alg: none",
            "",
        ];
        let tokens: Vec<_> = headers.iter().map(|header| (*header, key.sign(header, &claims))).collect();
        let payloads: Vec<_> = ["[]", "hello", "", "null", "7"]
            .iter()
            .map(|payload| (*payload, key.sign(&key.header().to_string(), payload)))
            .collect();
        for (what, token) in tokens.iter().chain(&payloads) {
            self.token(format!("signed {what:?}"), token, Refused::Invalid);
        }
    }

    fn shapes(&mut self) {
        let good = self.good();
        let [header, payload, signature] = good.split('.').collect::<Vec<_>>().try_into().unwrap();
        let raw = |part: &str| base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(part).unwrap();
        let inner = self
            .platform
            .key
            .sign(&json!({"alg": "ES256", "kid": "k1", "typ": "at+jwt", "cty": "JWT"}).to_string(), &good);
        let random = b64(&[9; 32]);
        let last = signature.chars().next_back().unwrap();
        let alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
        // 64 bytes leave four bits of the last character unused: 16 spellings of one signature.
        let spare = alphabet.chars().nth(alphabet.find(last).unwrap() ^ 1).unwrap();
        let other_spelling = format!("{header}.{payload}.{}{spare}", &signature[..signature.len() - 1]);
        let shapes = [
            ("one part", header.to_owned()),
            ("two parts", format!("{header}.{payload}")),
            ("no signature", format!("{header}.{payload}.")),
            ("four parts", format!("{good}.{signature}")),
            ("five parts, as a JWE", format!("{header}.{random}.{random}.{payload}.{signature}")),
            (
                "a JWE header",
                format!("{}.{random}.{random}.{random}.{random}", b64(br#"{"alg":"dir","enc":"A256GCM","kid":"k1"}"#)),
            ),
            ("a token in a token", inner),
            ("padded header", format!("{}.{payload}.{signature}", URL_SAFE.encode(raw(header)) + "=")),
            ("padded payload", format!("{header}.{payload}=.{signature}")),
            ("padded signature", format!("{good}==")),
            ("another spelling of the signature", other_spelling),
            ("the standard alphabet", format!("{header}.{payload}.{}", STANDARD.encode([0xfb; 64]))),
            ("a signature of zeros", format!("{header}.{payload}.{}", b64(&[0; 64]))),
            ("half a signature", format!("{header}.{payload}.{}", &signature[..43])),
            (
                "a DER signature",
                format!("{header}.{payload}.{}", b64(&[&[0x30, 0x44, 2, 32][..], &raw(signature)].concat())),
            ),
            ("percent-encoded dots", good.replace('.', "%2E")),
            ("in quotes", format!("\"{good}\"")),
            ("in brackets", format!("<{good}>")),
            ("twice", format!("{good}{good}")),
            ("twice with a space", format!("{good} {good}")),
            ("a list", format!("{good}, {good}")),
            ("a list of schemes", format!("{good}, Basic eDp5")),
            ("with a parameter", format!("{good}; charset=utf-8")),
            ("with realm", format!("realm=\"x\", token=\"{good}\"")),
            ("a tab before it", format!("\t{good}")),
            ("a space in it", format!("{header} .{payload}.{signature}")),
            ("large", "x".repeat(9_000)),
            ("large and shaped", format!("{header}.{}.{signature}", "A".repeat(20_000))),
            ("dots", "..".to_owned()),
            ("many dots", ".".repeat(1_000)),
            ("JSON", r#"{"access_token":"x"}"#.to_owned()),
            ("undefined", "undefined".to_owned()),
            ("null", "null".to_owned()),
            ("a link", format!("{}/elevate/abc", self.platform.url)),
        ];
        for (name, token) in shapes {
            self.token(name, &token, Refused::Invalid);
        }
    }

    fn headers_of_the_request(&mut self) {
        let good = self.good();
        for (name, value, refused) in [
            ("the scheme alone", "Bearer".to_owned(), Refused::Invalid),
            ("the scheme and a space", "Bearer ".to_owned(), Refused::Invalid),
            ("no scheme", good.clone(), Refused::Invalid),
            ("nothing", String::new(), Refused::Invalid),
            ("the scheme twice", format!("Bearer Bearer {good}"), Refused::Invalid),
            ("a colon", format!("Bearer: {good}"), Refused::Missing),
            ("an equals sign", format!("Bearer={good}"), Refused::Invalid),
            ("a tab", format!("Bearer\t{good}"), Refused::Invalid),
            ("Basic", "Basic eDp5".to_owned(), Refused::Missing),
            ("Basic with a token", format!("Basic {good}"), Refused::Missing),
            ("DPoP", format!("DPoP {good}"), Refused::Missing),
            ("Token", format!("Token {good}"), Refused::Missing),
            ("MAC", format!("MAC id=\"{good}\""), Refused::Missing),
            ("Negotiate", "Negotiate YII=".to_owned(), Refused::Missing),
        ] {
            self.value(name, value, refused);
        }
        self.value("bytes beyond ASCII", b"Bearer \xff\xfe\xfd".to_vec(), Refused::Invalid);
        self.value("UTF-8", "Bearer t\u{f6}k\u{e9}n".as_bytes().to_vec(), Refused::Invalid);
        let bearer = format!("Bearer {good}").into_bytes();
        self.headers("no header", Vec::new(), Refused::Missing);
        self.headers("two good headers", vec![bearer.clone(), bearer.clone()], Refused::Repeated);
        self.headers("a good header and Basic", vec![bearer.clone(), b"Basic eDp5".to_vec()], Refused::Repeated);
        self.headers("Basic and a good header", vec![b"Basic eDp5".to_vec(), bearer.clone()], Refused::Repeated);
        self.headers("a good header and an empty one", vec![bearer, Vec::new()], Refused::Repeated);
    }
}

fn all<'a>(platform: &'a Served, resource: String, rsa: &'a Signer) -> Vec<Attack> {
    let mut list = List { platform, resource, rsa, attacks: Vec::new() };
    list.algorithms();
    list.keys();
    list.audiences();
    list.issuers_and_times();
    list.kinds();
    list.doubles();
    list.shapes();
    list.headers_of_the_request();
    list.attacks
}

/// Sends one attack and says what is wrong with the answer.
async fn judge(request: RequestBuilder, attack: &Attack, document: &str) -> Option<String> {
    let request = attack
        .authorization
        .iter()
        .fold(request, |request, value| request.header("authorization", HeaderValue::from_bytes(value).unwrap()));
    let answer = Answer::of(request).await;
    let (status, code, error) = attack.refused.expected();
    let challenge = answer.header("www-authenticate");
    let named = challenge.starts_with(&format!("Bearer resource_metadata=\"{document}\""));
    let said = if error.is_empty() { !challenge.contains("error=") } else { challenge.contains(error) };
    let right = (answer.status, answer.code()) == (status, Some(code)) && named && said;
    (!right).then(|| {
        format!(
            "{}: wanted {status} {code} {error}, got {} {:?} {challenge}",
            attack.name,
            answer.status,
            answer.code()
        )
    })
}

#[tokio::test]
async fn t1_no_bad_bearer_value_passes_either_door_and_each_has_its_status_and_challenge() {
    let entry = "required_scopes = [\"mcp\"]\nclients = [\"cli\", \"another\"]\ngroups = [\"network-engineers\"]";
    let platform = Served::start(entry, &[]).await;
    let rsa = Signer::rsa("rsa");
    let mut encrypts = Signer::ec("encrypts").jwk();
    encrypts["use"] = json!("enc");
    let secret = json!({"kty": "oct", "kid": "oct", "k": b64(b"published"), "alg": "HS256"});
    platform.issuer.publish_raw(vec![platform.key.jwk(), rsa.jwk(), encrypts, secret]);

    let rest = || platform.rest();
    let mcp = || platform.mcp();
    let doors: [(&str, String, &dyn Fn() -> RequestBuilder); 2] =
        [("REST", platform.rest_resource(), &rest), ("MCP", platform.mcp_resource(), &mcp)];
    let (mut wrong, mut sent) = (Vec::new(), 0);
    let began = std::time::Instant::now();
    for (door, resource, request) in doors {
        let document =
            format!("{}/.well-known/oauth-protected-resource{}", platform.url, &resource[platform.url.len()..]);
        let attacks = all(&platform, resource.clone(), &rsa);
        assert!(attacks.len() >= 200, "{}", attacks.len());
        for warm in [false, true] {
            for attack in &attacks {
                sent += 1;
                if let Some(what) = judge(request(), attack, &document).await {
                    wrong.push(format!("{door}, warm {warm}: {what}"));
                }
            }
            for key in [&platform.key, &rsa] {
                let good = key.access_token(&platform.claims(&resource, &json!({})));
                let answer = Answer::of(request().bearer_auth(good)).await;
                assert_eq!((answer.status, answer.code()), (200, None), "{door}: a good token: {answer:?}");
            }
        }
        println!("{door}: {} bad bearer values, each cold and warm", attacks.len());
    }
    assert!(wrong.is_empty(), "{} of {sent}:\n{}", wrong.len(), wrong.join("\n"));
    // An unknown `kid` makes the platform look for new keys, at most once in five seconds whatever the traffic.
    let most = 2 + usize::try_from(began.elapsed().as_secs() / 5).unwrap();
    assert!(platform.issuer.fetches() <= most, "{} fetches of keys, {most} at most", platform.issuer.fetches());
}

#[tokio::test]
async fn a_token_in_the_query_the_body_or_a_cookie_is_no_token() {
    let platform = Served::start("groups = [\"network-engineers\"]", &[]).await;
    let good = platform.key.access_token(&platform.claims(&platform.rest_resource(), &json!({})));
    assert_eq!(platform.whoami(&good).await.status, 200);
    let url = format!("{}/api/v1/mcp/interlock/tools/whoami", platform.url);
    let http = &platform.http;
    for request in [
        http.get(format!("{url}?access_token={good}")),
        http.get(format!("{url}?token={good}&bearer={good}")),
        http.post(&url).form(&[("access_token", &good)]),
        http.post(&url).json(&json!({"arguments": {}, "access_token": good})),
        http.get(&url).header("cookie", format!("access_token={good}")),
        http.get(&url).header("proxy-authorization", format!("Bearer {good}")),
        http.get(&url).header("x-authorization", format!("Bearer {good}")),
        http.get(&url).header("x-forwarded-user", "alice"),
    ] {
        let answer = Answer::of(request).await;
        assert_eq!((answer.status, answer.code()), (401, Some("token_missing")), "{answer:?}");
    }
}
