//! A running issuer with users and clients, and a caller that keeps cookies as a browser does.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use interlock_issuer::{GrantType, Issuer, IssuerOptions, KeyRing, NewClient, NewUser};
use platform::audit_refusals::RefusalCounter;
use platform::http::{AddressRule, ForeignClient, ForeignOptions};
use platform::keys::{Purpose, PurposeKeys};
use platform::resource::BaseUrl;
use platform::revocation::{Revocations, Revoked};
use platform::secret::SecretKey;
use platform::{Clock, Json};
use url::Url;

use platform_suites::{MemoryAudit, MemorySecrets, MemoryStore};

pub(crate) const PASSWORD: &str = "correct horse battery";
pub(crate) const TOTP_SECRET: &str = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ";
pub(crate) const CLIENT_SECRET: &str = "a-generated-secret-of-good-length";
pub(crate) const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
pub(crate) const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
pub(crate) const REDIRECT: &str = "http://127.0.0.1:43210/callback";
pub(crate) const MFA: &str = "urn:interlock:acr:mfa";

/// A clock that stands still until it is moved, so that no delay of the machine changes an answer.
pub(crate) struct ManualClock(AtomicI64);

impl Default for ManualClock {
    /// At the beginning of a minute.
    fn default() -> Self {
        Self(AtomicI64::new(1_900_000_020 / 60 * 60))
    }
}

impl ManualClock {
    pub(crate) fn advance(&self, seconds: i64) {
        self.0.fetch_add(seconds, Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> jiff::Timestamp {
        jiff::Timestamp::from_second(self.0.load(Ordering::SeqCst)).unwrap()
    }
}

/// Remembers the floors that were raised.
#[derive(Default)]
pub(crate) struct Floors {
    raised: Mutex<Vec<(Revoked, i64)>>,
    failing: AtomicBool,
}

#[async_trait::async_trait]
impl Revocations for Floors {
    async fn revoke(&self, _issuer: &str, what: Revoked, at: i64) -> Result<(), platform::Error> {
        if self.failing.load(Ordering::SeqCst) {
            return Err(platform::Error::internal("the store is gone"));
        }
        self.raised.lock().unwrap().push((what, at));
        Ok(())
    }
}

impl Floors {
    pub(crate) fn has(&self, what: &Revoked) -> bool {
        self.raised.lock().unwrap().iter().any(|(w, _)| w == what)
    }

    pub(crate) fn fail(&self, failing: bool) {
        self.failing.store(failing, Ordering::SeqCst);
    }
}

/// A running issuer.
pub(crate) struct Lab {
    pub(crate) issuer: Issuer,
    pub(crate) floors: Arc<Floors>,
    pub(crate) store: Arc<MemoryStore>,
    pub(crate) refusals: Arc<RefusalCounter>,
    pub(crate) audit: Arc<MemoryAudit>,
    pub(crate) clock: Arc<ManualClock>,
    /// The platform's URL; the issuer is at `/issuer` below it.
    pub(crate) platform: String,
    /// The keys that seal.
    pub(crate) purposes: PurposeKeys,
}

pub(crate) fn alice() -> NewUser {
    NewUser {
        name: "alice".into(),
        display_name: "Alice Admin".into(),
        password: PASSWORD.into(),
        totp_secret: Some(TOTP_SECRET.into()),
        groups: vec!["network-admins".into()],
        mfa_always: false,
        seeded: true,
    }
}

pub(crate) fn native_client() -> NewClient {
    NewClient {
        client_id: "native".into(),
        secret: None,
        redirect_uris: vec![
            "http://127.0.0.1/callback".into(),
            "http://[::1]/callback".into(),
            "https://app.example/cb".into(),
        ],
        grants: vec![GrantType::AuthorizationCode, GrantType::RefreshToken, GrantType::DeviceCode],
        groups: vec![],
        name: "Native <client>".into(),
        post_logout_redirect_uris: vec!["https://app.example/bye".into()],
        ..NewClient::default()
    }
}

impl Lab {
    pub(crate) async fn start() -> Self {
        Self::start_as("http").await
    }

    /// With public URLs of this scheme; the socket itself speaks plain HTTP, as behind a proxy that ends TLS.
    pub(crate) async fn start_as(scheme: &str) -> Self {
        Self::start_with(scheme, true, &[]).await
    }

    /// With registration open or closed, and foreign documents allowed at these loopback addresses.
    pub(crate) async fn start_with(scheme: &str, open_registration: bool, foreign: &[SocketAddr]) -> Self {
        let lab = Self::start_bare(scheme, open_registration, foreign).await;
        lab.seed().await;
        lab
    }

    /// With the public client and nobody in it.
    pub(crate) async fn start_empty() -> Self {
        let lab = Self::start_bare("http", false, &[]).await;
        lab.issuer.create_client(native_client()).await.unwrap();
        lab
    }

    async fn start_bare(scheme: &str, open_registration: bool, foreign: &[SocketAddr]) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let platform = format!("{scheme}://{}", listener.local_addr().unwrap());
        let clock = Arc::new(ManualClock::default());
        let (store, audit) = (Arc::new(MemoryStore::new(clock.clone())), Arc::new(MemoryAudit::default()));
        let refusals = Arc::new(RefusalCounter::new(audit.clone(), clock.clone()));
        let floors = Arc::new(Floors::default());
        let secrets = Arc::new(MemorySecrets::new(clock.clone()));
        let purposes = PurposeKeys::open(secrets.clone(), &SecretKey::new([7; 32])).await.unwrap();
        let keys = KeyRing::open(secrets, "platform/keys/issuer", clock.epoch_seconds()).await.unwrap();
        let rule = foreign.iter().fold(AddressRule::public_only(), |rule, at| rule.with_loopback(*at));
        let issuer = Issuer::open(IssuerOptions {
            url: Url::parse(&format!("{platform}/issuer")).unwrap(),
            platform: BaseUrl::new(&Url::parse(&platform).unwrap()),
            clock: clock.clone(),
            store: store.clone(),
            audit: audit.clone(),
            refusals: refusals.clone(),
            keys,
            sealing_key: purposes.key(Purpose::IssuerSealing),
            revocations: floors.clone(),
            foreign: ForeignClient::new(ForeignOptions::new(rule)).unwrap(),
            observer: None,
            open_registration,
        })
        .unwrap();
        let app =
            axum::Router::new().nest("/issuer", issuer.router()).into_make_service_with_connect_info::<SocketAddr>();
        tokio::spawn(async move { axum::serve(listener, app).await });
        Self { issuer, floors, store, audit, refusals, clock, platform, purposes }
    }

    async fn seed(&self) {
        let (issuer, platform) = (&self.issuer, &self.platform);
        issuer.create_user(alice()).await.unwrap();
        issuer
            .create_user(NewUser {
                name: "bob".into(),
                display_name: "Bob".into(),
                totp_secret: None,
                groups: vec![],
                ..alice()
            })
            .await
            .unwrap();
        issuer.create_user(NewUser { name: "carol".into(), mfa_always: true, ..alice() }).await.unwrap();
        issuer.create_client(native_client()).await.unwrap();
        issuer
            .create_client(NewClient {
                client_id: "machine".into(),
                secret: Some(CLIENT_SECRET.into()),
                redirect_uris: vec![REDIRECT.into()],
                grants: vec![GrantType::AuthorizationCode, GrantType::ClientCredentials],
                groups: vec!["automation".into()],
                name: "Machine".into(),
                introspects: vec![format!("{platform}/mcp/interlock")],
                ..NewClient::default()
            })
            .await
            .unwrap();
        let ada = NewUser { name: "ada".into(), groups: vec!["admin".into()], ..alice() };
        issuer.create_user(ada).await.unwrap();
    }

    pub(crate) fn url(&self) -> String {
        format!("{}/issuer", self.platform)
    }

    pub(crate) fn browser(&self) -> Browser {
        #[expect(clippy::disallowed_methods, reason = "the test is the caller, not the platform")]
        let http = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
        Browser { http, issuer: self.url().replace("https:", "http:"), cookies: BTreeMap::new() }
    }

    /// The code that the authenticator shows now.
    pub(crate) fn otp(&self) -> String {
        let secret = totp_rs::Secret::try_from_base32(TOTP_SECRET).unwrap();
        let totp = totp_rs::Builder::new().with_secret(secret).build().unwrap();
        totp.generate(u64::try_from(self.clock.epoch_seconds()).unwrap()).to_string()
    }

    /// A code that no window around now accepts.
    pub(crate) fn wrong_otp(&self) -> String {
        let secret = totp_rs::Secret::try_from_base32(TOTP_SECRET).unwrap();
        let totp = totp_rs::Builder::new().with_secret(secret).build().unwrap();
        let now = u64::try_from(self.clock.epoch_seconds()).unwrap();
        let around: Vec<String> = (0..=20).map(|n| totp.generate(now + 30 * n - 60).to_string()).collect();
        (0..).map(|n| format!("{n:06}")).find(|code| !around.contains(code)).unwrap()
    }
}

/// An answer with its body read.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: reqwest::header::HeaderMap,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map(|v| v.to_str().unwrap()).unwrap_or_default()
    }

    pub(crate) fn json(&self) -> Json {
        serde_json::from_str(&self.body).unwrap()
    }

    /// Where it redirects to.
    pub(crate) fn location(&self) -> Url {
        assert_eq!(self.status, 303, "{}", self.body);
        Url::parse(self.header("location")).unwrap()
    }

    /// A parameter of the redirect.
    pub(crate) fn parameter(&self, name: &str) -> Option<String> {
        self.location().query_pairs().find(|(n, _)| n == name).map(|(_, v)| v.into_owned())
    }

    /// The value of a hidden or visible field of the form.
    pub(crate) fn field(&self, name: &str) -> String {
        let after =
            self.body.split(&format!("name=\"{name}\"")).nth(1).unwrap_or_else(|| panic!("no {name} in {}", self.body));
        let tag = after.split('>').next().unwrap();
        tag.split("value=\"").nth(1).and_then(|v| v.split('"').next()).unwrap_or_default().to_owned()
    }
}

/// A caller with cookies.
#[derive(Clone)]
pub(crate) struct Browser {
    pub(crate) http: reqwest::Client,
    pub(crate) issuer: String,
    pub(crate) cookies: BTreeMap<String, String>,
}

impl Browser {
    pub(crate) async fn send(&mut self, request: reqwest::RequestBuilder) -> Answer {
        let cookies: Vec<String> = self.cookies.iter().map(|(n, v)| format!("{n}={v}")).collect();
        let request = if cookies.is_empty() { request } else { request.header("cookie", cookies.join("; ")) };
        let response = request.send().await.unwrap();
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        for cookie in headers.get_all("set-cookie") {
            let (name, rest) = cookie.to_str().unwrap().split_once('=').unwrap();
            match rest.split(';').next().unwrap() {
                "" => self.cookies.remove(name),
                value => self.cookies.insert(name.to_owned(), value.to_owned()),
            };
        }
        Answer { status, headers, body: response.text().await.unwrap() }
    }

    pub(crate) async fn get(&mut self, path: &str) -> Answer {
        let request = self.http.get(format!("{}{path}", self.issuer));
        self.send(request).await
    }

    pub(crate) async fn post(&mut self, path: &str, form: &[(&str, &str)]) -> Answer {
        let request = self.http.post(format!("{}{path}", self.issuer)).form(form);
        self.send(request).await
    }

    /// `/authorize` with the usual parameters; `changes` replace them, or remove them when empty.
    pub(crate) async fn authorize(&mut self, changes: &[(&str, &str)]) -> Answer {
        let mut parameters = BTreeMap::from([
            ("response_type", "code"),
            ("client_id", "native"),
            ("redirect_uri", REDIRECT),
            ("scope", "openid mcp"),
            ("state", "st&te"),
            ("nonce", "n-1"),
            ("code_challenge", CHALLENGE),
            ("code_challenge_method", "S256"),
        ]);
        parameters.extend(changes.iter().copied());
        parameters.retain(|_, value| !value.is_empty());
        let url = Url::parse_with_params(&format!("{}/authorize", self.issuer), parameters).unwrap();
        let request = self.http.get(url);
        self.send(request).await
    }

    /// Posts the password form of `page`.
    pub(crate) async fn give_password(&mut self, page: &Answer, name: &str, password: &str) -> Answer {
        assert_eq!(page.field("username").len() + page.field("password").len(), page.field("username").len());
        let (csrf, request) = (page.field("csrf"), page.field("request"));
        let form = [("csrf", &*csrf), ("request", &*request), ("username", name), ("password", password)];
        self.post("/sign-in", &form).await
    }

    /// Posts the code form of `page`.
    pub(crate) async fn give_code(&mut self, page: &Answer, code: &str) -> Answer {
        assert_eq!(page.field("otp"), "");
        let (csrf, request) = (page.field("csrf"), page.field("request"));
        self.post("/sign-in/otp", &[("csrf", &csrf), ("request", &request), ("otp", code)]).await
    }

    /// Posts the decision form of `page`.
    pub(crate) async fn decide(&mut self, page: &Answer, action: &str) -> Answer {
        let (csrf, request) = (page.field("csrf"), page.field("request"));
        self.post("/decision", &[("csrf", &csrf), ("request", &request), ("action", action)]).await
    }

    /// Signs somebody in with a password and redeems the code.
    pub(crate) async fn signed_in(&mut self, name: &str, changes: &[(&str, &str)]) -> Json {
        let page = self.authorize(changes).await;
        let back = self.give_password(&page, name, PASSWORD).await;
        let answer = self.redeem(&back, &[]).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        answer.json()
    }

    /// The same with the second factor.
    pub(crate) async fn signed_in_by_two(&mut self, lab: &Lab, name: &str, changes: &[(&str, &str)]) -> Json {
        // Everybody here has the same secret, and a step counts once for each of them.
        lab.clock.advance(30);
        let mut all = vec![("acr_values", MFA)];
        all.extend(changes);
        let page = self.authorize(&all).await;
        let page = self.give_password(&page, name, PASSWORD).await;
        let back = self.give_code(&page, &lab.otp()).await;
        let answer = self.redeem(&back, &[]).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        answer.json()
    }

    /// Uses a refresh token as the public client.
    pub(crate) async fn refresh(&mut self, token: &Json, changes: &[(&str, &str)]) -> Answer {
        let mut form = BTreeMap::from([
            ("grant_type", "refresh_token"),
            ("client_id", "native"),
            ("refresh_token", token.as_str().unwrap()),
        ]);
        form.extend(changes.iter().copied());
        form.retain(|_, value| !value.is_empty());
        let form: Vec<(&str, &str)> = form.into_iter().collect();
        self.post("/token", &form).await
    }

    /// What introspection says of a token to the confidential client.
    pub(crate) async fn introspect(&mut self, token: &Json) -> Json {
        let form = [("token", token.as_str().unwrap()), ("client_id", "machine"), ("client_secret", CLIENT_SECRET)];
        let answer = self.post("/introspect", &form).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        answer.json()
    }

    /// A request of the administration; `body` is JSON.
    pub(crate) async fn admin(&mut self, token: &Json, method: &str, path: &str, body: Option<Json>) -> Answer {
        let method = reqwest::Method::from_bytes(method.as_bytes()).unwrap();
        let request = self.http.request(method, format!("{}/admin{path}", self.issuer));
        let request = request.bearer_auth(token.as_str().unwrap());
        let request = match body {
            Some(body) => request.json(&body),
            None => request,
        };
        self.send(request).await
    }

    /// Redeems the code of a redirect as the public client.
    pub(crate) async fn redeem(&mut self, redirect: &Answer, changes: &[(&str, &str)]) -> Answer {
        let code = redirect.parameter("code").unwrap_or_else(|| panic!("{}", redirect.location()));
        let mut form = BTreeMap::from([
            ("grant_type", "authorization_code"),
            ("client_id", "native"),
            ("redirect_uri", REDIRECT),
            ("code_verifier", VERIFIER),
            ("code", &*code),
        ]);
        form.extend(changes.iter().copied());
        form.retain(|_, value| !value.is_empty());
        let form: Vec<(&str, &str)> = form.into_iter().collect();
        self.post("/token", &form).await
    }
}

/// Header and claims of a token, unverified.
pub(crate) fn token(text: &Json) -> (Json, Json) {
    let part = |n: usize| {
        let encoded = text.as_str().unwrap().split('.').nth(n).unwrap();
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(encoded).unwrap()).unwrap()
    };
    (part(0), part(1))
}
