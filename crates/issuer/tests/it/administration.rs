//! Administration: who may, and what it does.

use interlock_issuer::NewUser;
use platform::Json;
use platform::audit::Outcome;
use platform::revocation::Revoked;
use serde_json::json;

use crate::lab::{Browser, CLIENT_SECRET, Lab, MFA, alice, token};

async fn administrator(lab: &Lab) -> (Browser, Json) {
    let mut admin = lab.browser();
    let resource = format!("{}/admin", lab.url());
    let pair = admin.signed_in_by_two(lab, "ada", &[("resource", &resource)]).await;
    (admin, pair["access_token"].clone())
}

#[tokio::test]
async fn t5_only_a_person_in_the_group_with_a_fresh_second_factor_and_the_right_token_administers() {
    let lab = Lab::start().await;
    let resource = format!("{}/admin", lab.url());
    let mut browser = lab.browser();
    let (mut admin, good) = administrator(&lab).await;
    assert_eq!(admin.admin(&good, "GET", "/users", None).await.status, 200);

    let platform_wide = lab.browser().signed_in_by_two(&lab, "ada", &[]).await["access_token"].clone();
    let alices =
        lab.browser().signed_in_by_two(&lab, "alice", &[("resource", &resource)]).await["access_token"].clone();
    let by_password = lab.browser().signed_in("ada", &[("resource", &resource)]).await["access_token"].clone();
    let id_token = lab.browser().signed_in_by_two(&lab, "ada", &[("resource", &resource)]).await["id_token"].clone();
    for (who, token, status, code) in [
        ("nobody", json!(""), 401, "token_missing"),
        ("another resource's", platform_wide, 401, "token_invalid"),
        ("an ID token", id_token, 401, "token_invalid"),
        ("no member", alices, 403, "admin_required"),
        ("one factor", by_password, 401, "step_up_not_met"),
    ] {
        let answer = browser.admin(&token, "GET", "/users", None).await;
        assert_eq!((answer.status, &answer.json()["code"]), (status, &code.into()), "{who}: {}", answer.body);
        assert_eq!(answer.header("www-authenticate").starts_with("Bearer"), status == 401, "{who}");
    }
    let machine = [
        ("grant_type", "client_credentials"),
        ("client_id", "machine"),
        ("client_secret", CLIENT_SECRET),
        ("resource", &resource),
    ];
    assert_eq!(browser.post("/token", &machine).await.json()["error"], "invalid_target");
    lab.clock.advance(901);
    let old = admin.admin(&good, "GET", "/users", None).await;
    assert_eq!((old.status, &old.json()["code"]), (401, &"step_up_not_met".into()), "a quarter of an hour");
    assert!(old.header("www-authenticate").contains(&format!("acr_values=\"{MFA}\"")));
}

#[tokio::test]
async fn t5_who_lost_the_group_administers_no_more_whatever_the_token_says() {
    let lab = Lab::start().await;
    let (mut admin, good) = administrator(&lab).await;
    lab.issuer.create_user(NewUser { name: "ada".into(), groups: vec![], ..alice() }).await.unwrap();
    assert_eq!(admin.admin(&good, "GET", "/users", None).await.json()["code"], "admin_required");
}

#[tokio::test]
async fn t3_a_disabled_person_has_nothing_left_before_the_answer_and_can_come_back() {
    let lab = Lab::start().await;
    let (mut admin, good) = administrator(&lab).await;
    let mut person = lab.browser();
    let pair = person.signed_in("alice", &[]).await;
    let sub = token(&pair["access_token"]).1["sub"].as_str().unwrap().to_owned();
    let answer = admin.admin(&good, "POST", "/users/alice/disable", None).await;
    assert_eq!((answer.status, &answer.json()["disabled"]), (200, &true.into()));
    assert!(lab.floors.has(&Revoked::Subject(sub.clone())));
    assert!(lab.floors.has(&Revoked::Runs(sub)));
    assert_eq!(person.refresh(&pair["refresh_token"], &[]).await.status, 400);
    assert_eq!(person.authorize(&[("prompt", "none")]).await.parameter("error").unwrap(), "login_required");
    let page = person.authorize(&[]).await;
    assert_eq!(person.give_password(&page, "alice", crate::lab::PASSWORD).await.status, 401);
    let asked = person.http.get(format!("{}/userinfo", lab.url())).bearer_auth(pair["access_token"].as_str().unwrap());
    assert_eq!(asked.send().await.unwrap().status(), 401);

    assert_eq!(admin.admin(&good, "POST", "/users/alice/enable", None).await.json()["disabled"], false);
    let page = person.authorize(&[]).await;
    assert_eq!(person.give_password(&page, "alice", crate::lab::PASSWORD).await.status, 303);
    let acts = lab.audit.of("issuer.user_disabled");
    assert_eq!(acts.iter().map(|a| a.outcome).collect::<Vec<_>>(), [Outcome::Pending, Outcome::Success]);
    assert_eq!((&acts[0].facts["target"], acts[0].actor.as_ref().unwrap().name.as_str()), (&"alice".into(), "ada"));
}

#[tokio::test]
async fn t3_losing_a_group_ends_tokens_that_carry_it_and_gaining_one_ends_nothing() {
    let lab = Lab::start().await;
    let (mut admin, good) = administrator(&lab).await;
    let mut person = lab.browser();
    let pair = person.signed_in("alice", &[]).await;
    let sub = token(&pair["access_token"]).1["sub"].as_str().unwrap().to_owned();
    let more = json!({"groups": ["network-admins", "operators"]});
    assert_eq!(admin.admin(&good, "PUT", "/users/alice/groups", Some(more)).await.status, 200);
    assert!(!lab.floors.has(&Revoked::Subject(sub.clone())));
    let fewer = json!({"groups": ["operators"]});
    assert_eq!(admin.admin(&good, "PUT", "/users/alice/groups", Some(fewer)).await.status, 200);
    assert!(lab.floors.has(&Revoked::Subject(sub.clone())));
    let lost = |group: &str| Revoked::RunsByGroup { subject: sub.clone(), group: group.to_owned() };
    assert!(lab.floors.has(&lost("network-admins")) && !lab.floors.has(&lost("operators")));
    assert!(!lab.floors.has(&Revoked::Runs(sub.clone())), "runs that rest on another group go on");
    let pair = person.refresh(&pair["refresh_token"], &[]).await.json();
    assert_eq!(token(&pair["access_token"]).1["groups"], json!(["operators"]), "the sign-in itself goes on");
    let groups = admin.admin(&good, "GET", "/groups", None).await.json();
    let named: Vec<&str> = groups["groups"].as_array().unwrap().iter().map(|g| g["name"].as_str().unwrap()).collect();
    assert_eq!(named, ["admin", "automation", "network-admins", "operators"]);
    assert_eq!(groups["groups"][3]["members"], json!(["alice"]));
}

#[tokio::test]
async fn t3_runs_end_with_the_account_and_by_an_administrators_word_and_not_by_signing_out() {
    let lab = Lab::start().await;
    let (mut admin, good) = administrator(&lab).await;
    let mut person = lab.browser();
    let pair = person.signed_in("alice", &[]).await;
    let sub = token(&pair["access_token"]).1["sub"].as_str().unwrap().to_owned();
    assert_eq!(admin.admin(&good, "POST", "/users/alice/sign-out", None).await.status, 200);
    assert!(lab.floors.has(&Revoked::Subject(sub.clone())) && !lab.floors.has(&Revoked::Runs(sub.clone())));
    let pair = person.signed_in("alice", &[]).await;
    assert_eq!(admin.admin(&good, "POST", "/users/alice/end-runs", None).await.status, 200);
    assert!(lab.floors.has(&Revoked::Runs(sub)));
    assert_eq!(person.refresh(&pair["refresh_token"], &[]).await.status, 200, "sessions and tokens go on");
    let acts = lab.audit.of("issuer.user_runs_ended");
    assert_eq!(acts.iter().map(|a| a.outcome).collect::<Vec<_>>(), [Outcome::Pending, Outcome::Success]);
}

#[tokio::test]
async fn t5_the_last_administrator_stays() {
    let lab = Lab::start().await;
    let (mut admin, good) = administrator(&lab).await;
    for (method, path, body) in [
        ("POST", "/users/ada/disable", None),
        ("DELETE", "/users/ada", None),
        ("POST", "/users/ada/reset", None),
        ("PUT", "/users/ada/groups", Some(json!({"groups": []}))),
    ] {
        let answer = admin.admin(&good, method, path, body).await;
        assert_eq!((answer.status, &answer.json()["code"]), (409, &"last_administrator".into()), "{method} {path}");
    }
    let second = NewUser { name: "amy".into(), groups: vec!["admin".into()], ..alice() };
    lab.issuer.create_user(second).await.unwrap();
    assert_eq!(admin.admin(&good, "DELETE", "/users/ada", None).await.status, 204);
    assert_eq!(admin.admin(&good, "GET", "/users", None).await.status, 401, "and is gone at once");
}

#[tokio::test]
async fn t5_a_client_is_created_with_a_secret_that_is_shown_once_and_ends_with_its_tokens() {
    let lab = Lab::start().await;
    let (mut admin, good) = administrator(&lab).await;
    let new = json!({"client_id": "robot", "name": "Robot", "grants": ["client_credentials"], "groups": ["automation"],
        "confidential": true, "introspects": [format!("{}/api/v1", lab.platform)]});
    let answer = admin.admin(&good, "POST", "/clients", Some(new.clone())).await;
    assert_eq!(answer.status, 201, "{}", answer.body);
    let secret = answer.json()["client_secret"].as_str().unwrap().to_owned();
    assert!(!lab.store.text().contains(&secret));
    let again = admin.admin(&good, "POST", "/clients", Some(new)).await;
    assert_eq!((again.status, &again.json()["code"]), (409, &"client_exists".into()));
    let shown = admin.admin(&good, "GET", "/clients/robot", None).await.json();
    assert!(shown.get("client_secret").is_none() && shown["confidential"] == true);
    let form = [("grant_type", "client_credentials"), ("client_id", "robot"), ("client_secret", &secret)];
    let issued = admin.post("/token", &form).await.json();
    assert_eq!(token(&issued["access_token"]).1["groups"], json!(["automation"]));
    assert_eq!(admin.admin(&good, "DELETE", "/clients/robot", None).await.status, 204);
    assert!(lab.floors.has(&Revoked::Subject("robot".into())));
    assert_eq!(admin.post("/token", &form).await.status, 401);
    assert_eq!(admin.admin(&good, "DELETE", "/clients/robot", None).await.status, 404);
}

#[tokio::test]
async fn t28_keys_rotate_while_the_issuer_runs_and_a_compromise_ends_what_they_signed() {
    let lab = Lab::start().await;
    let (mut admin, good) = administrator(&lab).await;
    let before = admin.admin(&good, "GET", "/keys", None).await.json();
    let rotated = admin.admin(&good, "POST", "/keys/rotate", Some(json!({}))).await.json();
    assert_eq!(rotated["current"], before["keys"][1]["kid"], "the next one, which was published before");
    assert_eq!(admin.admin(&good, "GET", "/users", None).await.status, 200, "what the old key signed holds");
    assert_eq!(lab.browser().get("/jwks").await.json()["keys"].as_array().unwrap().len(), 3);
    let (_, pair) = administrator(&lab).await;
    assert_eq!(token(&pair).0["kid"], rotated["current"]);

    let rotated = admin.admin(&good, "POST", "/keys/rotate", Some(json!({"compromised": true}))).await.json();
    assert_eq!(rotated["dropped"].as_array().unwrap().len(), 3);
    for kid in rotated["dropped"].as_array().unwrap() {
        assert!(lab.floors.has(&Revoked::Key(kid.as_str().unwrap().to_owned())));
    }
    assert_eq!(lab.browser().get("/jwks").await.json()["keys"].as_array().unwrap().len(), 2);
    assert_eq!(admin.admin(&good, "GET", "/users", None).await.status, 401, "the administrator's own token too");
}

#[tokio::test]
async fn t5_bodies_are_read_strictly_and_an_act_without_its_record_does_not_happen() {
    let lab = Lab::start().await;
    let (mut admin, good) = administrator(&lab).await;
    for body in [json!({"name": "x"}), json!({"name": "dave", "display_name": "D", "sudo": true}), json!([])] {
        let answer = admin.admin(&good, "POST", "/users", Some(body)).await;
        assert_eq!((answer.status, &answer.json()["code"]), (400, &"malformed_body".into()));
    }
    for (body, code) in [
        (json!({"name": "no spaces", "display_name": "D"}), "user_invalid"),
        (json!({"name": "dave", "display_name": "D", "groups": ["a b"]}), "user_invalid"),
        (json!({"name": "alice", "display_name": "D"}), "user_exists"),
    ] {
        let answer = admin.admin(&good, "POST", "/users", Some(body)).await;
        assert_eq!(answer.json()["code"], code, "{}", answer.body);
    }
    assert_eq!(admin.admin(&good, "POST", "/users/nobody/disable", None).await.json()["code"], "user_unknown");
    lab.audit.fail_appends(true);
    let new = json!({"name": "dave", "display_name": "D"});
    assert!(admin.admin(&good, "POST", "/users", Some(new)).await.status >= 500);
    lab.audit.fail_appends(false);
    assert_eq!(admin.admin(&good, "GET", "/users/dave", None).await.status, 404);
}
