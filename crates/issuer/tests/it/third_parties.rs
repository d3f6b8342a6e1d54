//! Clients that nobody here vouches for: documents, registration, and the question to the person.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::Json as Body;
use platform::Json;
use serde_json::json;

use crate::lab::{Answer, Browser, Lab, PASSWORD, REDIRECT, token};

/// A web server with client documents; counts what it is asked.
struct Site {
    address: SocketAddr,
    asked: Arc<AtomicUsize>,
}

async fn site() -> Site {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let asked = Arc::new(AtomicUsize::new(0));
    let counted = asked.clone();
    let app = axum::Router::new().fallback(move |uri: http::Uri| {
        counted.fetch_add(1, Ordering::SeqCst);
        async move {
            let id = format!("http://{address}{}", uri.path());
            let body = match uri.path() {
                "/good" => json!({"client_id": id, "client_name": "A <client>", "redirect_uris": [REDIRECT],
                    "token_endpoint_auth_method": "none"}),
                "/other" => json!({"client_id": "https://other.example/x", "redirect_uris": [REDIRECT]}),
                "/secret" => json!({"client_id": id, "redirect_uris": [REDIRECT], "client_secret": "s"}),
                "/confidential" => {
                    json!({"client_id": id, "redirect_uris": [REDIRECT], "token_endpoint_auth_method": "private_key_jwt"})
                }
                "/redirect" => json!({"client_id": id, "redirect_uris": ["http://app.example/cb"]}),
                "/large" => json!({"client_id": id, "redirect_uris": [REDIRECT], "x": "x".repeat(100_000)}),
                _ => return (http::StatusCode::NOT_FOUND, Body(json!({}))),
            };
            (http::StatusCode::OK, Body(body))
        }
    });
    tokio::spawn(async move { axum::serve(listener, app).await });
    Site { address, asked }
}

async fn asked(browser: &mut Browser, client_id: &str, more: &[(&str, &str)]) -> Answer {
    let mut changes = vec![("client_id", client_id)];
    changes.extend(more);
    let page = browser.authorize(&changes).await;
    if page.status == 200 && page.body.contains("name=\"password\"") {
        browser.give_password(&page, "alice", PASSWORD).await
    } else {
        page
    }
}

#[tokio::test]
async fn t13_a_client_is_known_by_its_document_and_the_person_is_asked_once() {
    let site = site().await;
    let lab = Lab::start_with("http", false, &[site.address]).await;
    let id = format!("http://{}/good", site.address);
    let mut browser = lab.browser();
    let page = asked(&mut browser, &id, &[]).await;
    assert_eq!(page.status, 200, "{}", page.body);
    assert!(
        page.body.contains("A &lt;client&gt;") && page.body.contains("<strong>127.0.0.1</strong>"),
        "{}",
        page.body
    );
    let no = browser.decide(&page, "deny").await;
    assert_eq!(no.parameter("error").unwrap(), "access_denied");

    let page = asked(&mut browser, &id, &[]).await;
    let back = browser.decide(&page, "approve").await;
    let pair = browser.redeem(&back, &[("client_id", &id)]).await.json();
    assert_eq!(token(&pair["access_token"]).1["client_id"], id);
    assert_eq!(browser.refresh(&pair["refresh_token"], &[("client_id", &id)]).await.status, 200);
    assert_eq!(site.asked.load(Ordering::SeqCst), 1, "the document is kept");

    assert!(asked(&mut browser, &id, &[]).await.parameter("code").is_some(), "remembered");
    let other_port = [("redirect_uri", "http://127.0.0.1:1/callback")];
    assert!(asked(&mut browser, &id, &other_port).await.parameter("code").is_some(), "another port is the same place");
    let silent = asked(&mut browser, &id, &[("scope", "openid profile mcp"), ("prompt", "none")]).await;
    assert_eq!(silent.parameter("error").unwrap(), "consent_required", "another scope is another question");
    assert_eq!(asked(&mut browser, &id, &[("prompt", "consent")]).await.status, 200, "asked again on request");
    let mut bob = lab.browser();
    let page = bob.authorize(&[("client_id", &id)]).await;
    assert_eq!(bob.give_password(&page, "bob", PASSWORD).await.status, 200, "another person is asked");
    let admin = [("resource", &*format!("{}/admin", lab.url()))];
    assert_eq!(asked(&mut browser, &id, &admin).await.parameter("error").unwrap(), "invalid_target");
    assert_eq!(lab.audit.of("issuer.consent").len(), 2);
}

#[tokio::test]
async fn t13_a_document_that_is_not_acceptable_or_not_public_makes_no_client() {
    let site = site().await;
    let lab = Lab::start_with("http", false, &[site.address]).await;
    let mut browser = lab.browser();
    for path in ["/missing", "/other", "/secret", "/confidential", "/redirect", "/large"] {
        let answer = browser.authorize(&[("client_id", &format!("http://{}{path}", site.address))]).await;
        assert_eq!((answer.status, answer.header("location")), (422, ""), "{path}: {}", answer.body);
    }
    let elsewhere = lab.platform.replace("http://", "");
    for url in [
        format!("http://{elsewhere}/issuer/jwks"),
        "https://127.0.0.1/x".to_owned(),
        "https://169.254.169.254/latest/meta-data".to_owned(),
        "https://[::1]/x".to_owned(),
        "https://10.0.0.1/x".to_owned(),
    ] {
        let answer = browser.authorize(&[("client_id", &url)]).await;
        assert_eq!((answer.status, answer.header("location")), (422, ""), "{url}: {}", answer.body);
    }
    for nonsense in ["https://app.example", "ftp://app.example/x", "javascript:alert(1)", "https://u:p@app.example/x"] {
        assert_eq!(browser.authorize(&[("client_id", nonsense)]).await.status, 400, "{nonsense}");
    }
}

async fn register(browser: &mut Browser, body: &Json) -> Answer {
    let request = browser.http.post(format!("{}/register", browser.issuer)).json(body);
    browser.send(request).await
}

#[tokio::test]
async fn rfc_7591_a_client_registers_itself_as_a_public_one_and_is_forgotten_when_unused() {
    let lab = Lab::start().await;
    let mut browser = lab.browser();
    let wanted = json!({"client_name": "Probe", "redirect_uris": [REDIRECT], "token_endpoint_auth_method":
        "client_secret_post", "grant_types": ["authorization_code", "refresh_token", "client_credentials"]});
    let answer = register(&mut browser, &wanted).await;
    assert_eq!(answer.status, 201, "{}", answer.body);
    let client = answer.json();
    assert_eq!(client["token_endpoint_auth_method"], "none");
    assert_eq!(client["grant_types"], json!(["authorization_code", "refresh_token"]));
    assert!(client.get("client_secret").is_none());
    let id = client["client_id"].as_str().unwrap();
    let page = asked(&mut browser, id, &[]).await;
    assert!(page.body.contains("registered by itself"), "{}", page.body);
    let back = browser.decide(&page, "approve").await;
    assert_eq!(browser.redeem(&back, &[("client_id", id)]).await.status, 200);

    let unused = register(&mut browser, &wanted).await.json()["client_id"].as_str().unwrap().to_owned();
    lab.clock.advance(86_401);
    assert_eq!(browser.authorize(&[("client_id", &unused)]).await.status, 400, "forgotten");
    assert_eq!(browser.authorize(&[("client_id", id), ("prompt", "login")]).await.status, 200, "the used one is not");
}

#[tokio::test]
async fn rfc_7591_nonsense_is_refused_and_t5_a_closed_registration_says_so() {
    let lab = Lab::start().await;
    let mut browser = lab.browser();
    for (body, error) in [
        (json!({"redirect_uris": ["http://app.example/cb"]}), "invalid_redirect_uri"),
        (json!({"redirect_uris": ["javascript:alert(1)"]}), "invalid_redirect_uri"),
        (json!({}), "invalid_redirect_uri"),
        (json!({"redirect_uris": "x"}), "invalid_client_metadata"),
        (json!([]), "invalid_client_metadata"),
    ] {
        let answer = register(&mut browser, &body).await;
        assert_eq!((answer.status, &answer.json()["error"]), (400, &error.into()), "{body}");
    }
    let document = browser.get("/.well-known/openid-configuration").await.json();
    assert_eq!(document["registration_endpoint"], format!("{}/register", lab.url()));

    let closed = Lab::start_with("http", false, &[]).await;
    let mut browser = closed.browser();
    let answer = register(&mut browser, &json!({"redirect_uris": [REDIRECT]})).await;
    assert_eq!((answer.status, &answer.json()["error"]), (403, &"registration_closed".into()));
    let document = browser.get("/.well-known/openid-configuration").await.json();
    assert!(document.get("registration_endpoint").is_none());
}
