//! T3 with the built-in issuer: a person disabled, a token revoked, a session signed out, the keys lost. Each time the very
//! next call is refused at every door, although caches are warm, and whoever is not meant goes on.

use std::sync::Arc;

use platform::Json;
use reqwest::Method;
use serde_json::json;
use story::SignInOptions;
use story::people::LAB_CLIENT;

use crate::caller::{Answer, CENTER, Caller, OWN};
use crate::lab::Lab;

/// What an administrator does, with a second factor given just now.
struct Administrator<'a> {
    caller: &'a Caller,
    token: String,
}

impl<'a> Administrator<'a> {
    async fn sign_in(caller: &'a Caller) -> Self {
        let lab = &caller.lab;
        let options = SignInOptions {
            issuer: lab.ready.issuer.clone(),
            client_id: LAB_CLIENT.to_owned(),
            audience: format!("{}/admin", lab.ready.issuer),
            mfa: true,
        };
        let token = story::access_token(&options, &lab.person("ada"), &lab.clock(), &|_| ()).await.unwrap();
        Self { caller, token: token.token.expose().to_owned() }
    }

    async fn does(&self, method: Method, path: &str, body: &Json) -> Json {
        let url = format!("{}/admin{path}", self.caller.lab.ready.issuer);
        let answer = Answer::of(self.caller.http.request(method, url).bearer_auth(&self.token).json(body)).await;
        assert!((200..300).contains(&answer.status), "{path}: {answer:?}");
        answer.body
    }
}

/// Status and code at each door.
async fn at_the_doors(caller: &Caller, token: &str) -> Vec<(u16, Option<String>)> {
    let said = |answer: Answer| (answer.status, answer.code().map(str::to_owned));
    vec![
        said(caller.rest(token, OWN, "whoami", &json!({})).await),
        said(caller.mcp(token, OWN, "whoami", &json!({})).await),
        said(Answer::of(caller.mcp_request(token, CENTER, "tools/list", &json!({}))).await),
    ]
}

async fn is_open(caller: &Caller, token: &str) -> bool {
    at_the_doors(caller, token).await.iter().all(|seen| *seen == (200, None))
}

/// Refused at every door, and at the issuer's own.
async fn is_closed(caller: &Caller, token: &str) -> bool {
    let refused = (401, Some("token_invalid".to_owned()));
    let userinfo = caller.http.get(format!("{}/userinfo", caller.lab.ready.issuer)).bearer_auth(token);
    at_the_doors(caller, token).await.iter().all(|seen| *seen == refused) && Answer::of(userinfo).await.status == 401
}

#[tokio::test]
async fn t3_what_the_issuer_ends_is_refused_on_the_next_call_at_every_door() {
    let caller = Caller::new(Arc::new(Lab::start()));
    let admin = Administrator::sign_in(&caller).await;
    let mut tokens = Vec::new();
    for user in ["alice", "sam", "dora", "vic"] {
        tokens.push(caller.lab.token(user).await);
    }
    let [alice, sam, dora, vic] = tokens.try_into().unwrap_or_else(|_| panic!("four tokens"));
    for token in [&alice, &sam, &dora, &vic] {
        for _warm in 0..2 {
            assert!(is_open(&caller, token).await);
        }
    }

    admin.does(Method::POST, "/users/sam/disable", &json!({})).await;
    assert!(is_closed(&caller, &sam).await, "a person who was disabled");

    let form = [("token", dora.as_str()), ("client_id", LAB_CLIENT)];
    let revoked = caller.http.post(format!("{}/revoke", caller.lab.ready.issuer)).form(&form).send().await.unwrap();
    assert_eq!(revoked.status().as_u16(), 200);
    assert!(is_closed(&caller, &dora).await, "a token that was revoked");

    admin.does(Method::POST, "/users/vic/sign-out", &json!({})).await;
    assert!(is_closed(&caller, &vic).await, "a session that was signed out");

    // With overlap, what the old key signed goes on.
    admin.does(Method::POST, "/keys/rotate", &json!({})).await;
    assert!(is_open(&caller, &alice).await, "a key that was only replaced");
    admin.does(Method::POST, "/keys/rotate", &json!({"compromised": true})).await;
    assert!(is_closed(&caller, &alice).await, "a key that was lost");
}
