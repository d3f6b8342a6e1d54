//! Kill -9 of PostgreSQL under load, and of the platform over PostgreSQL (T7, T24): refusals are coded while it is away,
//! nothing acknowledged is lost, and the same process goes on by itself when it is back.

use std::sync::Arc;

use engines::{Postgres, Settings};
use tempfile::TempDir;

use super::full_disk::until;
use super::load::{Ground, Load};
use super::runs::{Mode, prepare};
use super::verdict::{Anchor, Known};
use crate::caller::{Answer, Caller};
use crate::lab::Lab;

/// What a caller may be told while the database is away or has just come back.
const REFUSALS: [&str; 5] = [
    "store_unavailable",
    "store_outcome_unknown",
    "outcome_unknown",
    "idempotency_in_progress",
    "revocation_unconfirmed",
];
/// Deaths of the database.
const DEATHS: usize = 3;
/// Refusals before it comes back.
const ENOUGH: usize = 30;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn t24_postgresql_killed_under_load_loses_nothing_and_is_found_again_by_itself() {
    let Some(server) = Postgres::own_for_tests(Settings { fsync: true, ..Settings::default() }) else { return };
    let database = server.database().unwrap();
    let (folder, mut launch) = prepare(Mode::Kill, TempDir::new().unwrap());
    launch.more.extend(["--store".to_owned(), database.url()]);
    let outside = TempDir::new().unwrap();
    let lab = Lab::start_as(folder, launch);
    let anchor = Anchor::beside(&lab, outside.path());
    let caller = Arc::new(Caller::new(Arc::new(lab)));
    let ground = Arc::new(Ground::lay(&caller).await);
    let mut known = Known::default();
    for death in 0..DEATHS {
        let load = Load::start(&caller, &ground, &REFUSALS);
        until("a load", async || load.answers() > 50 * (death + 1)).await;
        server.kill().unwrap();
        until("refusals", async || load.refusals() > ENOUGH).await;
        let health = Answer::of(caller.http.get(format!("{}/healthz", caller.lab.url()))).await;
        assert_eq!(health.status, 200, "{health:?}");
        server.restart().unwrap();
        let answers = load.answers();
        until("calls again", async || load.answers() > answers + 50).await;
        let journal = load.stop().await;
        anchor.take();
        let mut findings = known.heard(&journal).0;
        findings.extend(known.alive(&caller, &anchor, &ground, &journal).await.0);
        println!("death {death}: {} answers, refused: {:?}", journal.acknowledged.len(), journal.refused);
        assert!(findings.is_empty(), "death {death}: {:?}\n{}", journal.refused, findings.join("\n"));
    }

    // The platform itself, over the same database.
    let load = Load::start(&caller, &ground, &[]);
    until("a load", async || load.answers() > 100).await;
    anchor.take();
    caller.lab.kill();
    let journal = load.ended().await;
    let mut lab = Arc::into_inner(Arc::into_inner(caller).unwrap().lab).unwrap();
    lab.start_again();
    let caller = Caller::new(Arc::new(lab));
    let mut findings = known.heard(&journal).0;
    findings.extend(known.alive(&caller, &anchor, &ground, &journal).await.0);
    assert!(findings.is_empty(), "started again: {}", findings.join("\n"));
}
