//! Every token at every endpoint, with warm caches: what passes is exactly what T1 says, read off one table.

use platform::Json;
use reqwest::RequestBuilder;
use serde_json::json;

use crate::caller::{Answer, CENTER, Caller, EMEA, OWN};

/// An endpoint: its path, which is its resource too, and what of a server's it narrows.
struct Endpoint {
    path: String,
    narrows: Option<String>,
}

impl Endpoint {
    fn new(path: impl Into<String>) -> Self {
        Self { path: path.into(), narrows: None }
    }

    fn within(server: &str, rest: &str) -> Self {
        Self { path: format!("/mcp/{server}/{rest}"), narrows: Some(format!("/mcp/{server}")) }
    }

    /// T1: a resource takes a token for itself, for the one that it narrows, and for the platform.
    fn takes(&self, audience: &str) -> bool {
        audience.is_empty() || audience == self.path || Some(audience) == self.narrows.as_deref()
    }

    fn request(&self, caller: &Caller) -> RequestBuilder {
        let url = format!("{}{}", caller.lab.url(), self.path);
        match self.path.as_str() {
            "/api/v1" => caller.http.get(format!("{url}/mcp/{OWN}/tools")),
            _ => caller
                .http
                .post(url)
                .header("accept", "application/json, text/event-stream")
                .header("mcp-protocol-version", "2025-11-25")
                .json(&json!({"jsonrpc": "2.0", "id": 1, "method": "tools/list"})),
        }
    }
}

/// The endpoints that this build has: one that does not exist says so before it asks for a token.
async fn endpoints(caller: &Caller) -> Vec<Endpoint> {
    let mut all = vec![Endpoint::new("/api/v1"), Endpoint::new("/mcp")];
    for server in [OWN, CENTER, EMEA] {
        all.push(Endpoint::new(format!("/mcp/{server}")));
        all.push(Endpoint::within(server, "readonly"));
        for toolset in ["inventory", "templates", "interfaces", "health"] {
            all.push(Endpoint::within(server, &format!("x/{toolset}")));
        }
    }
    let mut there = Vec::new();
    for endpoint in all {
        let answer = Answer::of(endpoint.request(caller)).await;
        if answer.status != 404 {
            assert_eq!((answer.status, answer.code()), (401, Some("token_missing")), "{}: {answer:?}", endpoint.path);
            there.push(endpoint);
        }
    }
    there
}

#[tokio::test]
async fn t1_with_warm_caches_only_the_pairs_of_the_rule_pass() {
    let caller = Caller::shared();
    let endpoints = endpoints(&caller).await;
    let kinds = [
        ("/api/v1", endpoints.iter().filter(|e| e.path == "/api/v1").count(), 1),
        ("/mcp", endpoints.iter().filter(|e| e.path == "/mcp").count(), 1),
        ("servers", endpoints.iter().filter(|e| e.path.starts_with("/mcp/") && e.narrows.is_none()).count(), 3),
        ("readonly", endpoints.iter().filter(|e| e.path.ends_with("/readonly")).count(), 3),
        ("toolsets", endpoints.iter().filter(|e| e.path.contains("/x/")).count(), 8),
    ];
    for (kind, there, wanted) in kinds {
        assert_eq!(there, wanted, "{kind}");
    }

    // A token for every endpoint, for the platform, and for places that are no endpoint at all.
    let mut audiences: Vec<String> = endpoints.iter().map(|e| e.path.clone()).collect();
    audiences.extend(["", "/pages", "/scim/v2", "/mcp/nobody", "/api", "/api/v1/mcp"].map(str::to_owned));
    let mut tokens = Vec::new();
    for audience in &audiences {
        // A program's token: its sign-in is the cheap one, and audience is no matter of who it is.
        let resource = format!("{}{audience}", caller.lab.url());
        let token = caller.lab.automation_token_for(&caller.http, &resource).await;
        tokens.push((audience, token));
    }

    let (mut wrong, mut pairs) = (Vec::new(), 0);
    // Twice, and the second time in the other order, so that each pair meets whatever the others left in the caches.
    for round in 0..2 {
        let order: Vec<_> = if round == 0 { tokens.iter().collect() } else { tokens.iter().rev().collect() };
        for (audience, token) in order {
            for endpoint in &endpoints {
                pairs += 1;
                let answer = Answer::of(endpoint.request(&caller).bearer_auth(token)).await;
                let expected = if endpoint.takes(audience) { (200, None) } else { (401, Some("token_audience")) };
                let seen = (answer.status, answer.code());
                if seen != expected {
                    wrong.push(format!("{audience:?} at {}: wanted {expected:?}, got {seen:?}", endpoint.path));
                }
                let document = format!("/.well-known/oauth-protected-resource{}\"", endpoint.path);
                if answer.status == 401 && !answer.header("www-authenticate").contains(&document) {
                    wrong.push(format!("{}: the challenge names another document: {answer:?}", endpoint.path));
                }
            }
        }
    }
    println!("{} tokens at {} endpoints: {pairs} pairs", tokens.len(), endpoints.len());
    assert!(wrong.is_empty(), "{} of {pairs}:\n{}", wrong.len(), wrong.join("\n"));

    // The issuer's own endpoints: no token of a resource opens them, whatever its audience.
    for (audience, token) in &tokens {
        let userinfo = caller.http.get(format!("{}/userinfo", caller.lab.ready.issuer)).bearer_auth(token);
        let answer = Answer::of(userinfo).await;
        assert_eq!(answer.status, 403, "a token without `openid`, {audience:?}: {answer:?}");
        let admin = caller.http.get(format!("{}/admin/users", caller.lab.ready.issuer)).bearer_auth(token);
        let answer = Answer::of(admin).await;
        assert!(matches!(answer.status, 401 | 403 | 404), "{audience:?} at the issuer's admin door: {answer:?}");
    }
}

#[tokio::test]
async fn what_is_no_access_token_of_ours_opens_nothing() {
    let caller = Caller::shared();
    let alice = caller.lab.token("alice").await;
    let device = caller.switches(&alice, CENTER).await.remove(0);
    let deployment = caller.deployment(&alice, CENTER, &device, 3900).await;
    let refused = caller.rest(&alice, CENTER, "deploy_template", &deployment).await;
    let link = refused.link().to_owned();
    let elevation = link.rsplit('/').next().unwrap().to_owned();
    let program = caller.lab.ready.clients.iter().find(|c| c.client_secret.is_some()).unwrap();
    let request_id = refused.request_id();
    let lab_admin = &caller.lab.ready.lab_admin.token;
    let claims: Json = claims_of(&alice);
    let text = |name: &str| claims[name].as_str().unwrap_or_default().to_owned();
    let handles = [
        ("an elevation link", link.clone()),
        ("an elevation id", elevation),
        ("a client's secret", program.client_secret.clone().unwrap()),
        ("a password", caller.lab.ready.user("alice").unwrap().password.clone()),
        ("a request id", request_id),
        ("the lab's admin token", lab_admin.clone()),
        ("a session id", text("sid")),
        ("a token id", text("jti")),
        ("a subject", text("sub")),
    ];
    for (what, handle) in &handles {
        assert!(!handle.is_empty(), "{what}");
        for answer in
            [caller.rest(handle, OWN, "whoami", &json!({})).await, caller.mcp(handle, OWN, "whoami", &json!({})).await]
        {
            assert_eq!((answer.status, answer.code()), (401, Some("token_invalid")), "{what}: {answer:?}");
            assert!(answer.header("www-authenticate").contains("error=\"invalid_token\""), "{what}: {answer:?}");
        }
    }
}

fn claims_of(token: &str) -> Json {
    use base64::Engine as _;
    let payload = token.split('.').nth(1).unwrap();
    let bytes = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(payload).unwrap();
    serde_json::from_slice(&bytes).unwrap()
}
