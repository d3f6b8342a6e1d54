//! T5: failures are counted, slow things down, tell nothing, and make few records.

use crate::lab::{Lab, MFA, PASSWORD};

#[tokio::test]
async fn t5_after_five_wrong_passwords_even_the_right_one_waits() {
    let lab = Lab::start().await;
    let mut browser = lab.browser();
    let mut page = browser.authorize(&[]).await;
    for _ in 0..5 {
        page = browser.give_password(&page, "alice", "wrong password").await;
        assert_eq!(page.status, 401);
    }
    let refused = browser.give_password(&page, "alice", PASSWORD).await;
    assert_eq!((refused.status, refused.header("retry-after")), (429, "5"));
    let mut elsewhere = lab.browser();
    let other = elsewhere.authorize(&[]).await;
    assert_eq!(elsewhere.give_password(&other, "bob", PASSWORD).await.status, 303, "others are not slowed down");
    lab.clock.advance(6);
    assert_eq!(browser.give_password(&refused, "alice", PASSWORD).await.status, 303);
    let page = browser.authorize(&[("prompt", "login")]).await;
    assert_eq!(browser.give_password(&page, "alice", "wrong password").await.status, 401, "success forgave");

    lab.refusals.flush().await.unwrap();
    let records = lab.audit.of("authentication.refused");
    let mut counts: Vec<_> =
        records.iter().map(|r| (r.code.clone().unwrap(), r.facts["count"].as_u64().unwrap())).collect();
    counts.sort();
    let expected = [("sign_in_throttled".to_owned(), 1), ("wrong_password".to_owned(), 6)];
    assert_eq!(counts, expected, "T25: one record per source, reason and minute, not one per try");
    assert!(records.iter().all(|r| r.source == Some("127.0.0.1".parse().unwrap())));
}

#[tokio::test]
async fn t5_many_names_from_one_source_are_slowed_down_too() {
    let lab = Lab::start().await;
    let mut browser = lab.browser();
    let page = browser.authorize(&[]).await;
    for n in 0..20 {
        assert_eq!(browser.give_password(&page, &format!("guess{n}"), "wrong password").await.status, 401);
    }
    assert_eq!(browser.give_password(&page, "alice", PASSWORD).await.status, 429);
}

#[tokio::test]
async fn t5_an_unknown_name_and_a_wrong_password_get_the_same_answer() {
    let lab = Lab::start().await;
    let mut answers = Vec::new();
    for name in ["alice", "nobody"] {
        let mut browser = lab.browser();
        let page = browser.authorize(&[]).await;
        let mut seen = Vec::new();
        for _ in 0..6 {
            let answer = browser.give_password(&page, name, "wrong password").await;
            let body =
                answer.body.replace(&answer.field("csrf"), "").replace(&answer.field("request"), "").replace(name, "");
            let mut headers: Vec<String> =
                answer.headers.keys().map(ToString::to_string).filter(|h| h != "date").collect();
            headers.sort();
            seen.push((answer.status, body, headers));
        }
        answers.push(seen);
    }
    let without_seconds = |s: &str| s.chars().filter(|c| !c.is_ascii_digit()).collect::<String>();
    for (known, unknown) in answers[0].iter().zip(&answers[1]) {
        assert_eq!(
            (known.0, without_seconds(&known.1), &known.2),
            (unknown.0, without_seconds(&unknown.1), &unknown.2)
        );
    }
    assert_eq!(answers[1][5].0, 429);
}

#[tokio::test]
async fn t5_wrong_codes_are_throttled_and_a_right_password_does_not_forgive_them() {
    let lab = Lab::start().await;
    let mut browser = lab.browser();
    let page = browser.authorize(&[("acr_values", MFA)]).await;
    let mut page = browser.give_password(&page, "alice", PASSWORD).await;
    let wrong = lab.wrong_otp();
    for _ in 0..5 {
        page = browser.give_code(&page, &wrong).await;
        assert_eq!(page.status, 401);
    }
    let fresh = browser.authorize(&[("acr_values", MFA), ("prompt", "login")]).await;
    let page = browser.give_password(&fresh, "alice", PASSWORD).await;
    let refused = browser.give_code(&page, &lab.otp()).await;
    assert_eq!(refused.status, 429);
    assert!(!refused.header("retry-after").is_empty());
    lab.clock.advance(30);
    assert_eq!(browser.give_code(&refused, &lab.otp()).await.status, 303);
}

#[tokio::test]
async fn t5_parallel_guesses_do_not_overtake_the_throttle() {
    let lab = Lab::start().await;
    let mut browser = lab.browser();
    let page = std::sync::Arc::new(browser.authorize(&[]).await);
    let guesses: Vec<_> = (0..16)
        .map(|n| {
            let (mut browser, page) = (browser.clone(), page.clone());
            tokio::spawn(
                async move { browser.give_password(&page, "alice", &format!("guess number {n}")).await.status },
            )
        })
        .collect();
    let mut tried = 0;
    for guess in guesses {
        let status = guess.await.unwrap();
        assert!([401, 429].contains(&status), "{status}");
        tried += u32::from(status == 401);
    }
    assert!((5..=6).contains(&tried), "five, and at most one more that was being hashed already: {tried}");
}
