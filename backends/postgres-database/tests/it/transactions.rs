//! What is repeated, what is not, and that a server which comes back is found again.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use engines::{Postgres, Settings};
use interlock_postgres_database::{Database, DatabaseError, Options};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Barrier;

use crate::open;

/// Adds one to the counter, and counts how often it was tried.
async fn add(database: &Database, tried: &Arc<AtomicU32>) -> Result<i64, DatabaseError> {
    let tried = Arc::clone(tried);
    database
        .write(move |transaction| {
            tried.fetch_add(1, Ordering::SeqCst);
            Box::pin(async move {
                let rows = transaction.query("UPDATE counter SET n = n + 1 RETURNING n", &[]).await?;
                rows[0].try_get(0).map_err(|error| DatabaseError::Defect(error.to_string()))
            })
        })
        .await
}

#[tokio::test(flavor = "multi_thread")]
async fn two_transactions_that_block_each_other_both_stand_in_the_end() {
    let Some(server) = Postgres::for_tests() else { return };
    let fresh = server.database().unwrap();
    fresh
        .psql("CREATE TABLE pair (id int PRIMARY KEY, n int NOT NULL); INSERT INTO pair VALUES (1, 0), (2, 0)")
        .unwrap();
    let database = open(&fresh).await;
    let (meet, tried) = (Arc::new(Barrier::new(2)), Arc::new(AtomicU32::new(0)));
    let crossing = [[1, 2], [2, 1]].map(|order: [i32; 2]| {
        let (database, meet, tried) = (database.clone(), meet.clone(), tried.clone());
        tokio::spawn(async move {
            let work = database.write::<(), DatabaseError, _>(move |transaction| {
                let (meet, first) = (meet.clone(), tried.fetch_add(1, Ordering::SeqCst) < 2);
                Box::pin(async move {
                    transaction.execute("UPDATE pair SET n = n + 1 WHERE id = $1", &[&order[0]]).await?;
                    if first {
                        meet.wait().await;
                    }
                    transaction.execute("UPDATE pair SET n = n + 1 WHERE id = $1", &[&order[1]]).await?;
                    Ok(())
                })
            });
            work.await
        })
    });
    for one in crossing {
        one.await.unwrap().unwrap();
    }
    assert_eq!(fresh.psql("SELECT string_agg(n::text, ',') FROM pair").unwrap(), "2,2");
    let tried = tried.load(Ordering::SeqCst);
    assert!(tried >= 3, "one of the two was taken back, and repeated: {tried}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_of_the_work_takes_everything_back() {
    let Some(server) = Postgres::for_tests() else { return };
    let fresh = server.database().unwrap();
    fresh.psql("CREATE TABLE counter (n bigint); INSERT INTO counter VALUES (0)").unwrap();
    let database = open(&fresh).await;
    let refused = database.write::<(), DatabaseError, _>(|transaction| {
        Box::pin(async move {
            transaction.execute("UPDATE counter SET n = 7", &[]).await?;
            Err(DatabaseError::Defect("of this test".to_owned()))
        })
    });
    assert_eq!(refused.await.unwrap_err(), DatabaseError::Defect("of this test".to_owned()));
    assert_eq!(fresh.psql("SELECT n FROM counter").unwrap(), "0");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_comes_back_is_found_again_without_anybody_doing_anything() {
    let Some(server) = Postgres::own_for_tests(Settings { fsync: true, ..Settings::default() }) else { return };
    let fresh = server.database().unwrap();
    fresh.psql("CREATE TABLE counter (n bigint); INSERT INTO counter VALUES (0)").unwrap();
    let (database, tried) = (open(&fresh).await, Arc::new(AtomicU32::new(0)));
    // Several connections, so that old ones are left over when it comes back.
    let warm = (0..6).map(|_| {
        let (database, tried) = (database.clone(), tried.clone());
        tokio::spawn(async move { add(&database, &tried).await })
    });
    for one in warm.collect::<Vec<_>>() {
        one.await.unwrap().unwrap();
    }
    server.kill().unwrap();
    assert!(matches!(add(&database, &tried).await, Err(DatabaseError::Unavailable(_))));
    server.restart().unwrap();
    assert_eq!(add(&database, &tried).await.unwrap(), 7);
    // A restart in between is not even noticed: the old connections end before a commit was sent.
    server.stop().unwrap();
    server.restart().unwrap();
    assert_eq!(add(&database, &tried).await.unwrap(), 8);
    assert_eq!(database.read("SELECT n FROM counter", &[]).await.unwrap()[0].get::<_, i64>(0), 8);
}

/// Passes everything on until a commit comes by: it reaches the server, and its answer reaches nobody.
async fn deaf_after_commit(server: SocketAddr) -> SocketAddr {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            tokio::spawn(async move {
                let upstream = TcpStream::connect(server).await.unwrap();
                let (mut from_client, mut to_client) = client.into_split();
                let (mut from_server, mut to_server) = upstream.into_split();
                let answers = tokio::spawn(async move { tokio::io::copy(&mut from_server, &mut to_client).await });
                let mut bytes = [0; 4096];
                while let Ok(read @ 1..) = from_client.read(&mut bytes).await {
                    let committing = bytes[..read].windows(6).any(|window| window == b"COMMIT");
                    if committing {
                        answers.abort();
                    }
                    to_server.write_all(&bytes[..read]).await.unwrap();
                    if committing {
                        // The server has done it before it notices that nobody listens.
                        let mut rest = Vec::new();
                        drop(to_server);
                        drop(from_client.read_to_end(&mut rest).await);
                        return;
                    }
                }
            });
        }
    });
    address
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_whose_answer_is_lost_is_unknown_and_never_repeated() {
    let Some(server) = Postgres::for_tests() else { return };
    let fresh = server.database().unwrap();
    fresh.psql("CREATE TABLE counter (n bigint); INSERT INTO counter VALUES (0)").unwrap();
    let real = fresh.url().rsplit_once('@').unwrap().1.split('/').next().unwrap().parse().unwrap();
    let deaf = deaf_after_commit(real).await;
    let url = format!("postgres://postgres@{deaf}/{}", fresh.name());
    let database = Database::open(&Options::new(&url, None, None).unwrap()).await.unwrap();
    let tried = Arc::new(AtomicU32::new(0));
    let answer = add(&database, &tried).await;
    assert!(matches!(answer, Err(DatabaseError::OutcomeUnknown(_))), "{answer:?}");
    assert_eq!(tried.load(Ordering::SeqCst), 1);
    let error = platform::Error::from(answer.unwrap_err());
    assert_eq!(error.code(), "store_outcome_unknown");
}
