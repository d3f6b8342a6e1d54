//! Many callers of two replicas at a time see what one at a time could have seen (T7), also while the server is killed.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use engines::{Database as Fresh, Postgres, Settings};
use interlock_store_postgres::Sharing;
use platform::store::Store;
use platform_suites::store::history::{Answer, Load, StandingClock, check, record};
use tokio::task::spawn_blocking;
use tokio::time::sleep;

use crate::open;

fn seed() -> u64 {
    let seed = RandomState::new().build_hasher().finish();
    println!("seed {seed}");
    seed
}

async fn replicas(fresh: &Fresh, clock: &Arc<StandingClock>) -> [Arc<dyn Store>; 2] {
    let one = open(fresh, Sharing::Replicas, clock.clone()).await.unwrap();
    let other = open(fresh, Sharing::Replicas, clock.clone()).await.unwrap();
    [Arc::new(one), Arc::new(other)]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn t7_what_eight_clients_of_two_replicas_see_is_linearisable() {
    let Some(server) = Postgres::for_tests() else { return };
    let (seed, fresh, clock) = (seed(), server.database().unwrap(), StandingClock::new());
    let history = record(&replicas(&fresh, &clock).await, clock, Load::seeded(seed)).await;
    check(&history).unwrap_or_else(|violation| panic!("seed {seed}: {violation}"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn t24_what_clients_see_over_kills_of_the_server_is_linearisable() {
    let Some(server) = Postgres::own_for_tests(Settings { fsync: true, ..Settings::default() }) else { return };
    let (seed, fresh, clock) = (seed(), server.database().unwrap(), StandingClock::new());
    let stores = replicas(&fresh, &clock).await;
    let load = Load::seeded(seed);
    let (answered, calls) = (load.answered.clone(), (load.clients * load.calls) as u64);
    let clients = tokio::spawn(async move { record(&stores, clock, load).await });
    let kills = 5;
    for kill in 1..=kills {
        while answered.load(Ordering::SeqCst) < kill * calls / (kills + 1) && !clients.is_finished() {
            sleep(Duration::from_millis(1)).await;
        }
        let server = server.clone();
        spawn_blocking(move || {
            server.kill().unwrap();
            server.restart().unwrap();
        })
        .await
        .unwrap();
    }
    let history = clients.await.unwrap();
    let unknown = history.iter().filter(|event| event.answer == Answer::Unknown).count();
    println!("{kills} kills, {unknown} transactions without an answer");
    check(&history).unwrap_or_else(|violation| panic!("seed {seed}: {violation}"));
}
