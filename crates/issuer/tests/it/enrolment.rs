//! Enrolment by link, and the first administrator.

use crate::lab::{Answer, Browser, Lab};

const NEW_PASSWORD: &str = "four unusual ferries";

/// The code that an app shows for the key on the page.
fn code_of(lab: &Lab, page: &Answer) -> String {
    use platform::Clock as _;
    let spaced = page.body.split("Or type it in: <code>").nth(1).unwrap().split('<').next().unwrap().replace(' ', "");
    let secret = totp_rs::Secret::try_from_base32(&spaced).unwrap();
    let totp = totp_rs::Builder::new().with_secret(secret).build().unwrap();
    totp.generate(u64::try_from(lab.clock.epoch_seconds()).unwrap()).to_string()
}

async fn submit(browser: &mut Browser, page: &Answer, password: &str, again: &str, otp: &str) -> Answer {
    let (csrf, request) = (page.field("csrf"), page.field("request"));
    let form = [("csrf", &*csrf), ("request", &*request), ("password", password), ("again", again), ("otp", otp)];
    browser.post("/enrol", &form).await
}

/// Makes a user and returns the path of the enrolment link.
pub(crate) async fn invite(lab: &Lab, name: &str, groups: &[&str]) -> String {
    let mut admin = lab.browser();
    let token = admin.signed_in_by_two(lab, "ada", &[("resource", &format!("{}/admin", lab.url()))]).await;
    let body = serde_json::json!({"name": name, "display_name": name, "groups": groups});
    let answer = admin.admin(&token["access_token"], "POST", "/users", Some(body)).await;
    assert_eq!(answer.status, 201, "{}", answer.body);
    link(lab, &answer)
}

pub(crate) fn link(lab: &Lab, answer: &Answer) -> String {
    let url = answer.json()["enrolment_url"].as_str().unwrap().to_owned();
    url.strip_prefix(&lab.url()).unwrap().to_owned()
}

#[tokio::test]
async fn t5_a_link_sets_password_and_second_factor_once_and_only_when_the_factor_is_proven() {
    let lab = Lab::start().await;
    let link = invite(&lab, "dave", &["operators"]).await;
    let mut browser = lab.browser();
    let page = browser.get(&link).await;
    assert_eq!(page.status, 200, "{}", page.body);
    assert!(page.body.contains("<svg") && page.body.contains("dave"));
    let otp = code_of(&lab, &page);
    for (password, again, code, status) in [
        ("short", "short", otp.as_str(), 422),
        ("password1234", "password1234", &otp, 422),
        (NEW_PASSWORD, "something else entirely", &otp, 422),
        (NEW_PASSWORD, NEW_PASSWORD, "", 401),
    ] {
        let answer = submit(&mut browser, &page, password, again, code).await;
        assert_eq!(answer.status, status, "{password}: {}", answer.body);
    }
    let done = submit(&mut browser, &page, NEW_PASSWORD, NEW_PASSWORD, &otp).await;
    assert!(done.body.contains("set up"), "{}", done.body);
    assert_eq!(browser.get(&link).await.status, 404, "the link was used");
    let mut person = lab.browser();
    let page = person.authorize(&[]).await;
    assert_eq!(person.give_password(&page, "dave", NEW_PASSWORD).await.status, 303);
    assert_eq!(lab.audit.of("issuer.enrolled")[0].actor.as_ref().unwrap().name, "dave");
}

#[tokio::test]
async fn t5_a_link_ends_after_a_day_and_with_the_next_one_and_cannot_be_used_by_two() {
    let lab = Lab::start().await;
    let first = invite(&lab, "dave", &[]).await;
    let mut browser = lab.browser();
    let (page, mut other) = (browser.get(&first).await, lab.browser());
    let second_page = other.get(&first).await;
    let otp = code_of(&lab, &page);
    assert_eq!(submit(&mut browser, &page, NEW_PASSWORD, NEW_PASSWORD, &otp).await.status, 200);
    let otp = code_of(&lab, &second_page);
    assert_eq!(submit(&mut other, &second_page, NEW_PASSWORD, NEW_PASSWORD, &otp).await.status, 404);

    let mut admin = lab.browser();
    let token = admin.signed_in_by_two(&lab, "ada", &[("resource", &format!("{}/admin", lab.url()))]).await;
    let reset = admin.admin(&token["access_token"], "POST", "/users/dave/reset", None).await;
    let first = link(&lab, &reset);
    let mut person = lab.browser();
    let page = person.authorize(&[]).await;
    assert_eq!(person.give_password(&page, "dave", NEW_PASSWORD).await.status, 401, "a reset takes the factors away");
    let reset = admin.admin(&token["access_token"], "POST", "/users/dave/reset", None).await;
    assert_eq!(browser.get(&first).await.status, 404, "a newer link ends an older one");
    lab.clock.advance(86_401);
    assert_eq!(browser.get(&link(&lab, &reset)).await.status, 404, "a day");
}

#[tokio::test]
async fn t5_without_its_csrf_token_nobody_is_enrolled() {
    let lab = Lab::start().await;
    let link = invite(&lab, "dave", &[]).await;
    let mut browser = lab.browser();
    let page = browser.get(&link).await;
    let otp = code_of(&lab, &page);
    let mut elsewhere = lab.browser();
    assert_eq!(submit(&mut elsewhere, &page, NEW_PASSWORD, NEW_PASSWORD, &otp).await.status, 403);
}

#[tokio::test]
async fn t5_the_terminals_code_makes_the_first_administrator_once() {
    let lab = Lab::start_empty().await;
    let mut browser = lab.browser();
    assert_eq!(browser.get("/setup").await.status, 404, "nothing is open before the terminal showed a code");
    let (code, page) = lab.issuer.setup_code().await.unwrap().unwrap();
    assert_eq!(page, format!("{}/setup", lab.url()));
    let page = browser.get("/setup").await;
    let csrf = page.field("csrf");
    let form = |code: &str| {
        vec![
            ("csrf".to_owned(), csrf.clone()),
            ("code".to_owned(), code.to_owned()),
            ("name".to_owned(), "root".to_owned()),
            ("display_name".to_owned(), "Ruth Root".to_owned()),
        ]
    };
    let post = async |browser: &mut Browser, code: &str| {
        let form = form(code);
        let form: Vec<(&str, &str)> = form.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
        browser.post("/setup", &form).await
    };
    assert_eq!(post(&mut browser, "wrong").await.status, 401);
    let answer = post(&mut browser, code.expose()).await;
    let link = answer.location().as_str().strip_prefix(&lab.url()).unwrap().to_owned();
    assert_eq!(post(&mut browser, code.expose()).await.status, 404, "used");
    let page = browser.get(&link).await;
    let otp = code_of(&lab, &page);
    assert_eq!(submit(&mut browser, &page, NEW_PASSWORD, NEW_PASSWORD, &otp).await.status, 200);
    assert!(lab.issuer.setup_code().await.unwrap().is_none(), "somebody can sign in now");
    lab.clock.advance(30);
    let page = browser.authorize(&[("acr_values", crate::lab::MFA), ("prompt", "login")]).await;
    assert_eq!(browser.give_password(&page, "root", NEW_PASSWORD).await.status, 200, "asked for the second factor");
}

#[tokio::test]
async fn t5_guesses_at_the_setup_code_are_throttled() {
    let lab = Lab::start_empty().await;
    lab.issuer.setup_code().await.unwrap().unwrap();
    let mut browser = lab.browser();
    let page = browser.get("/setup").await;
    let csrf = page.field("csrf");
    let form = [("csrf", &*csrf), ("code", "x"), ("name", "root"), ("display_name", "R")];
    for _ in 0..5 {
        assert_eq!(browser.post("/setup", &form).await.status, 401);
    }
    assert_eq!(browser.post("/setup", &form).await.status, 429);
}
