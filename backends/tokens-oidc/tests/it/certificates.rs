//! Tokens bound to a client certificate (RFC 8705 section 3): good with that one, useless with another or none, and no other
//! binding is taken for it.

use platform::tokens::{ClientCertificate, TokenRefusal, TokenVerifier};
use serde_json::json;

use crate::issuer::{World, b64, resource};

const OURS: ClientCertificate = ClientCertificate([7; 32]);

#[tokio::test]
async fn a_bound_token_passes_with_its_certificate_only_warm_cache_or_not() {
    let world = World::new().await;
    let token = world.token_with(&json!({"cnf": {"x5t#S256": b64(&OURS.0)}}));
    let with = async |certificate: Option<ClientCertificate>| {
        world.verifier.verify(&token, &resource("a"), certificate.as_ref()).await.map(|p| p.subject.clone())
    };
    for _ in 0..2 {
        assert_eq!(with(None).await, Err(TokenRefusal::Certificate));
        assert_eq!(with(Some(ClientCertificate([8; 32]))).await, Err(TokenRefusal::Certificate));
        assert_eq!(with(Some(OURS)).await, Ok("alice".to_owned()));
    }
    // An unbound token does not ask what certificate came with it.
    world.verifier.verify(&world.token_with(&json!({})), &resource("a"), Some(&OURS)).await.unwrap();
}

#[tokio::test]
async fn a_binding_that_cannot_be_checked_is_no_binding() {
    let world = World::new().await;
    let thumbprint = b64(&OURS.0);
    for cnf in [
        json!({}),
        json!({"jkt": thumbprint}),
        json!({"x5t#S256": thumbprint, "jkt": thumbprint}),
        json!({"x5t#S256": ""}),
        json!({"x5t#S256": b64(&[7; 20])}),
        json!({"x5t#S256": format!("{thumbprint}=")}),
        json!({"x5t#S256": [thumbprint]}),
        json!({"x5t": thumbprint}),
        json!(thumbprint),
    ] {
        let token = world.token_with(&json!({ "cnf": cnf }));
        let got = world.verifier.verify(&token, &resource("a"), Some(&OURS)).await;
        assert_eq!(got.unwrap_err(), TokenRefusal::Claims, "{cnf}");
    }
}
