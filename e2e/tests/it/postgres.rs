//! `interlock serve` on PostgreSQL (T24): its password from the secret store, its truth over a kill of the platform and a kill
//! of the database, and no second platform on the same store.

use std::process::Stdio;

use engines::{Database, Postgres, Settings};
use platform::Clock as _;
use platform::clock::SystemClock;
use serde_json::json;

use crate::lab::binary;
use crate::served::{Served, prepare};

const PASSWORD: &str = "of the database in this test";
const EVENT: &str = "http://schemas.openid.net/event/backchannel-logout";

async fn served(database: &Database) -> Served {
    let entry = format!("groups = [\"network-engineers\"]\n\n[store]\nurl = \"{}\"", database.url());
    Served::start(&entry, &[("platform/store", &[("password", PASSWORD)])]).await
}

fn token(platform: &Served, sid: &str) -> String {
    platform.key.access_token(&platform.claims(&platform.rest_resource(), &json!({"sid": sid, "jti": sid})))
}

fn logout_token(platform: &Served) -> String {
    let now = SystemClock.epoch_seconds();
    let claims = json!({
        "iss": platform.issuer.url, "aud": "interlock-pages", "iat": now, "exp": now + 120, "jti": "l1", "sub": "alice",
        "sid": "ended", "events": {EVENT: {}},
    });
    platform.key.sign(&json!({"alg": "ES256", "kid": "k1", "typ": "logout+jwt"}).to_string(), &claims.to_string())
}

#[tokio::test(flavor = "multi_thread")]
async fn t24_the_truth_of_a_platform_on_postgresql_outlives_it_and_a_kill_of_the_database() {
    let settings = Settings { fsync: true, password: Some(PASSWORD.to_owned()), ..Settings::default() };
    let Some(server) = Postgres::own_for_tests(settings) else { return };
    let database = server.database().unwrap();
    let mut platform = served(&database).await;
    let (ended, other) = (token(&platform, "ended"), token(&platform, "other"));
    for token in [&ended, &other] {
        let answer = platform.whoami(token).await;
        assert_eq!(answer.status, 200, "{answer:?}");
    }
    assert_eq!(platform.log_out(&logout_token(&platform)).await.status, 200);
    let stored = database.psql("SELECT count(*) > 0 FROM store_record").unwrap();
    assert_eq!(stored, "t", "the revocation stands in the database");
    assert_eq!(platform.whoami(&ended).await.status, 401);
    platform.kill_and_start_again().await;
    assert_eq!((platform.whoami(&ended).await.status, platform.whoami(&other).await.status), (401, 200));
    server.kill().unwrap();
    server.restart().unwrap();
    // Nobody starts the platform again: its connections come back.
    let replayed = platform.log_out(&logout_token(&platform)).await;
    assert_eq!((replayed.status, replayed.code()), (400, Some("logout_token_invalid")), "{replayed:?}");
    assert_eq!((platform.whoami(&ended).await.status, platform.whoami(&other).await.status), (401, 200));
}

#[tokio::test(flavor = "multi_thread")]
async fn t24_a_second_platform_on_the_same_database_is_refused() {
    let settings = Settings { password: Some(PASSWORD.to_owned()), ..Settings::default() };
    let Some(server) = Postgres::own_for_tests(settings) else { return };
    let database = server.database().unwrap();
    let first = served(&database).await;
    let issuers = format!("[[issuer]]\nurl = \"{}\"\n\n[store]\nurl = \"{}\"\n", first.issuer.url, database.url());
    let (folder, _) = prepare(&first.issuer.url, &issuers, &[("platform/store", &[("password", PASSWORD)])]);
    let run = |command: &str| {
        let mut program = std::process::Command::new(binary());
        program.arg(command).arg("--config").arg(folder.path().join("interlock.toml")).stdin(Stdio::null());
        let done = program.output().unwrap();
        let said = [done.stdout, done.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
        assert!(!said.contains(PASSWORD), "{said}");
        (done.status.success(), said)
    };
    let (served, said) = run("serve");
    assert!(!served && said.contains("store_in_use"), "{said}");
    let (_, said) = run("doctor");
    assert!(said.contains("store.url") && said.contains("answers"), "{said}");
    assert_eq!(first.whoami(&token(&first, "s")).await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn t24_a_database_that_its_own_tools_put_back_gives_up_what_went_on_since() {
    let settings = Settings { fsync: true, password: Some(PASSWORD.to_owned()), ..Settings::default() };
    let Some(server) = Postgres::own_for_tests(settings) else { return };
    let database = server.database().unwrap();
    let mut platform = served(&database).await;
    let before = token(&platform, "before");
    assert_eq!(platform.whoami(&before).await.status, 200);
    let in_place = ["restore", "--in-place", "--json"];
    let (done, said) = platform.command(&in_place);
    assert!(!done && said.contains("store_in_use"), "a platform that runs is left alone: {said}");

    platform.kill();
    let (done, said) = platform.command(&in_place);
    assert!(done && said.contains("\"voided\""), "{said}");
    platform.start_again().await;
    assert_eq!(platform.whoami(&before).await.status, 401, "issued before the restore");
    let now = json!({"sid": "after", "jti": "after", "iat": SystemClock.epoch_seconds()});
    let after = platform.key.access_token(&platform.claims(&platform.rest_resource(), &now));
    assert_eq!(platform.whoami(&after).await.status, 200);
    let (done, said) = platform.command(&["audit", "search", "--limit", "100", "--json"]);
    assert!(done && said.contains("platform.restored") && said.contains("put back by the database"), "{said}");
    let (done, said) = platform.command(&["audit", "verify", "--json"]);
    assert!(done, "{said}");
}
