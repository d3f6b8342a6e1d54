//! A façade, a provider that remembers what it was asked, and a browser that is a cookie.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, Request, StatusCode, header};
use interlock_facade::{Facade, FacadeOptions};
use platform::audit::AuditLog;
use platform::clock::AdjustableClock;
use platform::resource::BaseUrl;
use platform::seal::Sealer;
use platform::secret::SecretKey;
use platform::tokens::{Provider, ProviderTokens, SignInAtProvider};
use platform::{Error, ErrorKind, Json, Secret, SharedClock};
use platform_suites::MemoryAudit;
use serde_json::json;
use tower::ServiceExt as _;
use url::{Url, form_urlencoded};

pub(crate) const BASE: &str = "https://interlock.example";
pub(crate) const PROVIDER: &str = "https://id.example";
pub(crate) const REDIRECT: &str = "http://127.0.0.1:7777/callback";
/// RFC 7636 appendix B.
pub(crate) const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
pub(crate) const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

/// Gives tokens for the code `good`, and says `iss` in its redirects.
#[derive(Default)]
pub(crate) struct FakeProvider {
    pub(crate) redeemed: Mutex<Vec<SignInAtProvider>>,
    pub(crate) refreshed: Mutex<Vec<String>>,
}

#[async_trait]
impl Provider for FakeProvider {
    fn client_id(&self) -> &str {
        "the-one-client"
    }

    async fn authorization_endpoint(&self) -> Result<Url, Error> {
        Ok(Url::parse(&format!("{PROVIDER}/authorize?tenant=a")).unwrap())
    }

    async fn redeem(
        &self,
        sign_in: &SignInAtProvider,
        code: &str,
        issuer: Option<&str>,
    ) -> Result<ProviderTokens, Error> {
        if code != "good" || issuer != Some(PROVIDER) {
            return Err(Error::new(ErrorKind::Unauthenticated, "sign_in_refused", "No."));
        }
        self.redeemed.lock().unwrap().push(sign_in.clone());
        Ok(ProviderTokens {
            access_token: Secret::new("their-access-token"),
            expires_in: Some(300),
            scope: Some("openid".to_owned()),
            refresh_token: Some(Secret::new("their-refresh-token")),
        })
    }

    async fn refresh(&self, refresh_token: &Secret) -> Result<ProviderTokens, Error> {
        self.refreshed.lock().unwrap().push(refresh_token.expose().to_owned());
        let access_token = Secret::new("their-second-access-token");
        Ok(ProviderTokens { access_token, expires_in: None, scope: None, refresh_token: None })
    }
}

/// What came back.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

impl Answer {
    pub(crate) fn json(&self) -> Json {
        serde_json::from_str(&self.text).unwrap_or_else(|e| panic!("{e}: {}", self.text))
    }

    pub(crate) fn location(&self) -> Url {
        let to = self.headers.get(header::LOCATION).unwrap_or_else(|| panic!("{}: {}", self.status, self.text));
        Url::parse(to.to_str().unwrap()).unwrap()
    }

    /// A parameter of the redirect.
    pub(crate) fn parameter(&self, name: &str) -> Option<String> {
        self.location().query_pairs().find(|(n, _)| n == name).map(|(_, v)| v.into_owned())
    }

    /// The cookie that was set.
    pub(crate) fn cookie(&self) -> String {
        let set = self.headers[header::SET_COOKIE].to_str().unwrap();
        set.split(';').next().unwrap().to_owned()
    }

    /// The sealed request in the form.
    pub(crate) fn sealed(&self) -> String {
        let rest =
            self.text.split("name=\"request\" value=\"").nth(1).unwrap_or_else(|| panic!("no form: {}", self.text));
        rest.split('"').next().unwrap().to_owned()
    }

    pub(crate) fn error(&self) -> (u16, String) {
        (self.status.as_u16(), self.json()["error"].as_str().unwrap_or_default().to_owned())
    }
}

pub(crate) struct Front {
    router: Router,
    pub(crate) provider: Arc<FakeProvider>,
    pub(crate) audit: Arc<MemoryAudit>,
    pub(crate) clock: Arc<AdjustableClock>,
}

impl Front {
    pub(crate) fn new() -> Self {
        Self::named("corporate")
    }

    pub(crate) fn named(name: &str) -> Self {
        let provider = Arc::new(FakeProvider::default());
        let audit = Arc::new(MemoryAudit::default());
        let clock = Arc::new(AdjustableClock::default());
        let log: Arc<dyn AuditLog> = audit.clone();
        let shared: SharedClock = clock.clone();
        let facade = Facade::new(FacadeOptions {
            name: name.to_owned(),
            platform: BaseUrl::new(&Url::parse(BASE).unwrap()),
            provider: provider.clone(),
            scopes: vec!["openid".to_owned(), "groups".to_owned()],
            origins: vec!["https://client.example".to_owned()],
            sealer: Sealer::derive(&SecretKey::new([7; 32]), "facade").unwrap(),
            audit: log,
            clock: shared,
        });
        Self { router: facade.unwrap().router(), provider, audit, clock }
    }

    pub(crate) async fn send(&self, request: Request<Body>) -> Answer {
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let bytes = to_bytes(body, usize::MAX).await.unwrap();
        Answer { status: parts.status, headers: parts.headers, text: String::from_utf8(bytes.to_vec()).unwrap() }
    }

    pub(crate) async fn get(&self, path: &str, cookie: &str) -> Answer {
        self.send(Request::get(path).header(header::COOKIE, cookie).body(Body::empty()).unwrap()).await
    }

    pub(crate) async fn post(&self, path: &str, cookie: &str, form: &[(&str, &str)]) -> Answer {
        let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
        self.send(Request::post(path).header(header::COOKIE, cookie).body(Body::from(body)).unwrap()).await
    }

    pub(crate) async fn register(&self, document: &Json) -> Answer {
        self.send(Request::post("/oauth/corporate/register").body(Body::from(document.to_string())).unwrap()).await
    }

    pub(crate) async fn client(&self) -> String {
        let answer =
            self.register(&json!({"redirect_uris": ["http://127.0.0.1/callback"], "client_name": "A tool"})).await;
        assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.text);
        answer.json()["client_id"].as_str().unwrap().to_owned()
    }

    /// A good authorization request with some parameters replaced; an empty one is left out.
    pub(crate) async fn authorize(&self, client_id: &str, changes: &[(&str, &str)], cookie: &str) -> Answer {
        let mut query: Vec<(&str, &str)> = vec![
            ("response_type", "code"),
            ("client_id", client_id),
            ("redirect_uri", REDIRECT),
            ("state", "client's own"),
            ("code_challenge", CHALLENGE),
            ("code_challenge_method", "S256"),
            ("resource", "https://interlock.example/mcp/interlock"),
        ];
        for (name, value) in changes {
            query.retain(|(known, _)| known != name);
            if !value.is_empty() {
                query.push((*name, *value));
            }
        }
        let query = form_urlencoded::Serializer::new(String::new()).extend_pairs(query).finish();
        self.get(&format!("/oauth/corporate/authorize?{query}"), cookie).await
    }

    /// Through the consent to the provider: the browser's cookie, and our `state` there.
    pub(crate) async fn consent(&self, client_id: &str) -> (String, String) {
        let page = self.authorize(client_id, &[], "").await;
        assert_eq!(page.status, StatusCode::OK, "{}", page.text);
        let (cookie, sealed) = (page.cookie(), page.sealed());
        let form = [("request", sealed.as_str()), ("decision", "allow")];
        let sent = self.post("/oauth/corporate/authorize", &cookie, &form).await;
        let state = sent.parameter("state").unwrap();
        (cookie, state)
    }

    /// All the way to a code for the client.
    pub(crate) async fn code(&self, client_id: &str) -> String {
        let (cookie, state) = self.consent(client_id).await;
        let query = [("code", "good"), ("state", state.as_str()), ("iss", PROVIDER)];
        let query = form_urlencoded::Serializer::new(String::new()).extend_pairs(query).finish();
        let back = self.get(&format!("/oauth/corporate/callback?{query}"), &cookie).await;
        back.parameter("code").unwrap_or_else(|| panic!("{}", back.location()))
    }

    pub(crate) async fn token(&self, client_id: &str, code: &str, changes: &[(&str, &str)]) -> Answer {
        let mut form: Vec<(&str, &str)> = vec![
            ("grant_type", "authorization_code"),
            ("client_id", client_id),
            ("code", code),
            ("redirect_uri", REDIRECT),
            ("code_verifier", VERIFIER),
        ];
        for (name, value) in changes {
            form.retain(|(known, _)| known != name);
            if !value.is_empty() {
                form.push((*name, *value));
            }
        }
        self.post("/oauth/corporate/token", "", &form).await
    }
}
