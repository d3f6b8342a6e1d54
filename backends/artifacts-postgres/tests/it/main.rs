//! Artifacts in PostgreSQL against their contract, over a real server, and through its death.
#![cfg(test)]

use std::sync::{Arc, Mutex};

use engines::{Database as Fresh, Postgres, Settings};
use interlock_artifacts_postgres::PostgresArtifacts;
use platform::ErrorKind;
use platform::artifacts::{ArtifactId, ArtifactKind, ArtifactOrigin, ArtifactStore, Artifacts, NewArtifact, Readers};
use platform::clock::AdjustableClock;
use platform_suites::sealed_artifacts;
use postgres_database::{Database, Options};
use serde_json::json;

async fn open(fresh: &Fresh) -> Arc<dyn ArtifactStore> {
    let options = Options::new(&fresh.url(), None, None).unwrap();
    Arc::new(PostgresArtifacts::open(Database::open(&options).await.unwrap()).await.unwrap())
}

fn over(store: &Arc<dyn ArtifactStore>) -> Arc<Artifacts> {
    sealed_artifacts(Arc::clone(store), Arc::new(AdjustableClock::default()))
}

async fn put(artifacts: &Artifacts, bytes: &[u8]) -> Result<ArtifactId, platform::Error> {
    let origin = ArtifactOrigin { server: "dnac".into(), tool: "show".into(), call_id: "id".into() };
    let new = NewArtifact {
        kind: ArtifactKind::Configuration,
        media_type: "text/plain",
        bytes,
        origin,
        readers: Readers::Origin,
        call: "1",
        context: &json!({"arguments": {"device": "canary-device"}}),
        keep_until: None,
    };
    artifacts.put(new).await.map(|(id, _)| id)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn artifacts_in_postgresql_keep_the_contract() {
    let Some(server) = Postgres::for_tests() else { return };
    let databases = Mutex::new(Vec::new());
    platform_suites::artifacts::suite(|| async {
        let fresh = server.database().unwrap();
        let store = open(&fresh).await;
        databases.lock().unwrap().push(fresh);
        store
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn t27_two_replicas_share_what_one_has_put_and_nothing_in_the_tables_is_readable() {
    let Some(server) = Postgres::for_tests() else { return };
    let fresh = server.database().unwrap();
    let (one, two) = (open(&fresh).await, open(&fresh).await);
    let id = put(&over(&one), b"canary-bytes of a configuration").await.unwrap();
    assert_eq!(over(&two).open(&id).await.unwrap(), b"canary-bytes of a configuration");
    let sealed = "SELECT string_agg(encode(sealed, 'escape'), '') FROM artifacts_content";
    let references = "SELECT string_agg(facts || encode(sealed, 'escape'), '') FROM artifacts_reference";
    let all = fresh.psql(sealed).unwrap() + &fresh.psql(references).unwrap();
    assert!(all.contains("configuration") && all.len() > 100, "the kind stands in clear: {all}");
    assert!(!all.contains("canary"), "{all}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_acknowledged_survives_the_death_of_the_server_and_the_store_comes_back_by_itself() {
    let Some(server) = Postgres::own_for_tests(Settings::default()) else { return };
    let fresh = server.database().unwrap();
    let store = open(&fresh).await;
    let artifacts = over(&store);
    let id = put(&artifacts, b"kept").await.unwrap();
    server.kill().unwrap();
    let refused = put(&artifacts, b"another").await.unwrap_err();
    assert_eq!((refused.kind(), refused.code()), (ErrorKind::Unavailable, "artifacts_unavailable"));
    assert_eq!(artifacts.open(&id).await.unwrap_err().code(), "artifacts_unavailable");
    server.restart().unwrap();
    assert_eq!(artifacts.open(&id).await.unwrap(), b"kept");
    put(&artifacts, b"another").await.unwrap();
}
