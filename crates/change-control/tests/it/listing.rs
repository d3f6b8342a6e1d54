//! A list of changes is read as far as a page needs it, however many there are.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use change_control::book::CHANGES;
use change_control::view::ListFilter;
use change_control::{Change, ChangeId};
use platform::store::{Expect, Op, Query, Record, Store as _};
use platform::{CallContext, Error};
use platform_suites::MemoryStore;
use platform_suites::store::Interceptor;
use platform_suites::tokens::person;

use crate::gate::rig::Rig;

/// Counts the rows that lists bring.
#[derive(Default)]
pub(crate) struct RowsRead(AtomicUsize);

#[async_trait]
impl Interceptor for RowsRead {
    async fn list(&self, inner: &MemoryStore, query: Query<'_>) -> Result<Vec<Record>, Error> {
        let rows = inner.list(query).await?;
        self.0.fetch_add(rows.len(), Ordering::SeqCst);
        Ok(rows)
    }
}

impl RowsRead {
    /// Since it was asked last.
    fn since(&self) -> usize {
        self.0.swap(0, Ordering::SeqCst)
    }
}

/// So many changes of this server.
async fn kept(rig: &Rig, count: usize, server: &str) {
    let first = rig.applying_of(|_| {}).await;
    let put = |number: usize| {
        let id = ChangeId::parse(&format!("chg-{number:032x}")).unwrap();
        let mut change = Change { id, approvers: None, ..first.clone() };
        change.instance.name = server.to_owned();
        let (id, body) = (change.id.to_string(), serde_json::to_value(&change).unwrap());
        Op::Put { collection: CHANGES, id, expect: Expect::Absent, body, expires_at: None }
    };
    rig.changes.book().transact((1..count).map(put).collect()).await.unwrap();
    rig.store.since();
}

fn asks(subject: &str) -> CallContext {
    let mut cx = connector_suites::rig::context();
    cx.principal = Arc::new(person(subject, &["netops"]));
    cx
}

#[tokio::test]
async fn t14_a_page_reads_its_own_rows_and_one_more() {
    let rig = Rig::new().await;
    kept(&rig, 250, crate::gate::rig::SERVER).await;
    for limit in [1, 20, 100, 200] {
        let page = rig.changes.list(&asks("alice"), &ListFilter::default(), None, limit).await.unwrap();
        assert_eq!((page.items.len(), rig.store.since()), (limit, limit + 1));
        assert!(page.next_cursor.is_some());
    }
    let (mut cursor, mut seen) = (None, 0);
    loop {
        let page = rig.changes.list(&asks("alice"), &ListFilter::default(), cursor.as_deref(), 100).await.unwrap();
        seen += page.items.len();
        cursor = page.next_cursor;
        if cursor.is_none() {
            break;
        }
    }
    assert_eq!(seen, 250, "each once, and an end");
}

#[tokio::test]
async fn t14_whoever_may_see_few_looks_through_so_many_rows_at_a_time_and_goes_on_there() {
    let rig = Rig::new().await;
    kept(&rig, 900, "elsewhere").await;
    let (mut cursor, mut pages) = (None, 0);
    loop {
        let page = rig.changes.list(&asks("sam"), &ListFilter::default(), cursor.as_deref(), 20).await.unwrap();
        assert!(rig.store.since() <= 400);
        pages += 1;
        cursor = page.next_cursor;
        if cursor.is_none() {
            break;
        }
    }
    assert_eq!(pages, 3);
}
