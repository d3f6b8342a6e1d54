//! Bad input at every door for programs and at every form: refused with a word, never a 500, never a success.

use crate::lab::Lab;

const FORMS: [&str; 4] = ["/token", "/device_authorization", "/introspect", "/revoke"];

#[tokio::test]
async fn every_endpoint_for_programs_refuses_what_it_cannot_read() {
    let lab = Lab::start().await;
    let mut browser = lab.browser();
    let long = "x".repeat(5_000);
    let large = "x".repeat(70_000);
    for path in FORMS {
        let id = ("client_id", "native");
        for (form, status) in [
            (vec![], 401),
            (vec![("client_id", "nobody")], 401),
            (vec![("client_id", "%00")], 401),
            (vec![id, id], 400),
            (vec![id, ("resource", "a"), ("resource", "b")], 400),
            (vec![id, ("token", &long)], 400),
            (vec![id, ("token", &large)], 413),
            (vec![id, ("client_secret", "not mine")], 401),
        ] {
            let answer = browser.post(path, &form).await;
            assert_eq!(answer.status, status, "{path} {} {}", form.len(), answer.body);
            assert!(answer.json()["error"].is_string(), "{path}");
            assert_eq!(answer.header("cache-control"), "no-store", "{path}");
        }
        let json = browser.http.post(format!("{}{path}", lab.url())).json(&serde_json::json!({"client_id": "native"}));
        assert_eq!(json.send().await.unwrap().status(), 400, "{path}: JSON");
        let raw = browser.http.post(format!("{}{path}", lab.url()));
        let raw = raw.header("content-type", "application/x-www-form-urlencoded").body("client_id=%ff");
        assert_eq!(raw.send().await.unwrap().status(), 400, "{path}: not UTF-8");
        assert_eq!(browser.get(path).await.status, 405, "{path}");
    }
}

#[tokio::test]
async fn every_form_of_ours_refuses_what_was_not_sent_from_its_page() {
    let lab = Lab::start().await;
    lab.issuer.setup_code().await.unwrap();
    let mut browser = lab.browser();
    for path in ["/device", "/enrol", "/logout/confirm", "/setup"] {
        assert_eq!(browser.post(path, &[("csrf", "AAAA")]).await.status, 403, "{path}");
        assert_eq!(browser.post(path, &[("csrf", "a"), ("csrf", "b")]).await.status, 400, "{path}");
    }
    for path in ["/decision", "/sign-in", "/sign-in/otp"] {
        assert_eq!(browser.post(path, &[("csrf", "AAAA"), ("request", "AAAA")]).await.status, 400, "{path}");
    }
    let large = "x".repeat(70_000);
    for path in ["/authorize", "/device", "/enrol", "/logout", "/logout/confirm", "/setup", "/sign-in", "/sign-in/otp"]
    {
        let answer = browser.post(path, &[("csrf", &large)]).await;
        assert_eq!((answer.status, answer.header("content-type")), (413, "text/html; charset=utf-8"), "{path}");
        assert!(answer.body.contains("<code>body_too_large</code>"), "{path}: {}", answer.body);
    }
    // A form of one page is none of another.
    let page = browser.get("/device").await;
    let csrf = page.field("csrf");
    assert_eq!(browser.post("/logout/confirm", &[("csrf", &csrf), ("action", "sign-out")]).await.status, 403);
}

#[tokio::test]
async fn bearer_tokens_of_every_wrong_kind_are_refused_by_the_administration() {
    let lab = Lab::start().await;
    let browser = lab.browser();
    let url = format!("{}/admin/users", lab.url());
    for value in
        ["", "Bearer", "Bearer ", "Basic YTpi", "Bearer x", "Bearer a.b.c", &format!("Bearer {}", "a".repeat(20_000))]
    {
        let answer = browser.http.get(&url).header("authorization", value).send().await.unwrap();
        assert!([401, 431].contains(&answer.status().as_u16()), "{value}: {}", answer.status());
    }
    let twice = browser.http.get(&url).header("authorization", "Bearer a").header("authorization", "Bearer b");
    assert_eq!(twice.send().await.unwrap().status(), 401);
}
