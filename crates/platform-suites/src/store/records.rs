//! Rules about records, indexes, expiry, and all-or-nothing.

use platform::store::{Conflict, Expect, Op, OpResult, Query, Record, Store};
use serde_json::json;

use super::{Bench, NOTES};

pub(super) async fn run(fresh: &impl Fn() -> Bench) {
    revisions_count_up_and_guard_writes(fresh()).await;
    an_expired_record_is_as_good_as_absent(fresh()).await;
    a_conflict_undoes_the_whole_transaction(fresh()).await;
    pages_follow_ids_and_indexes_follow_bodies(fresh()).await;
    pages_go_backwards_too(fresh()).await;
    what_no_caller_may_ask_for_is_a_failure(fresh()).await;
}

fn put(id: &str, expect: Expect, body: serde_json::Value, expires_at: Option<i64>) -> Op {
    Op::Put { collection: NOTES, id: id.into(), expect, body, expires_at }
}

fn delete(id: &str, expect: Expect) -> Op {
    Op::Delete { collection: NOTES, id: id.into(), expect }
}

async fn ids(store: &dyn Store, filter: Option<(&'static str, &str)>, after: Option<&str>, limit: usize) -> String {
    let page = store.list(Query { collection: NOTES, filter, after, limit, descending: false }).await.unwrap();
    page.into_iter().map(|record| record.id).collect::<Vec<_>>().join(" ")
}

async fn revisions_count_up_and_guard_writes(b: Bench) {
    assert_eq!(b.store.get(NOTES, "a").await.unwrap(), None);
    assert_eq!(b.ok(put("a", Expect::Absent, json!({"n": 1}), None)).await, OpResult::Revision(1));
    assert_eq!(b.ok(put("a", Expect::Revision(1), json!({"n": 2}), None)).await, OpResult::Revision(2));
    assert_eq!(b.ok(put("a", Expect::Any, json!({"n": [3, "ä", null]}), None)).await, OpResult::Revision(3));
    let stands = Record { id: "a".into(), revision: 3, body: json!({"n": [3, "ä", null]}), expires_at: None };
    assert_eq!(b.store.get(NOTES, "a").await.unwrap(), Some(stands));
    let at_3 = Conflict::Revision { current: Some(3) };
    assert_eq!(b.refused(put("a", Expect::Absent, json!(0), None)).await, at_3);
    assert_eq!(b.refused(put("a", Expect::Revision(2), json!(0), None)).await, at_3);
    assert_eq!(b.refused(delete("a", Expect::Revision(4))).await, at_3);
    assert_eq!(b.refused(delete("a", Expect::Absent)).await, at_3);
    assert_eq!(b.refused(put("b", Expect::Revision(1), json!(0), None)).await, Conflict::Revision { current: None });
    assert_eq!(b.ok(delete("a", Expect::Revision(3))).await, OpResult::Done);
    assert_eq!(b.store.get(NOTES, "a").await.unwrap(), None);
    assert_eq!(b.ok(delete("a", Expect::Any)).await, OpResult::Done);
    assert_eq!(b.ok(delete("a", Expect::Absent)).await, OpResult::Done);
    assert_eq!(b.refused(delete("a", Expect::Revision(3))).await, Conflict::Revision { current: None });
    assert_eq!(b.ok(put("a", Expect::Absent, json!({}), None)).await, OpResult::Revision(1));
}

async fn an_expired_record_is_as_good_as_absent(b: Bench) {
    let ends = b.now() + 50;
    b.ok(put("a", Expect::Absent, json!({"owner": "eve"}), Some(ends))).await;
    assert_eq!(b.store.get(NOTES, "a").await.unwrap().unwrap().expires_at, Some(ends));
    assert_eq!(ids(&*b.store, Some(("owner", "eve")), None, 10).await, "a");
    b.clock.advance(60);
    assert_eq!(b.store.get(NOTES, "a").await.unwrap(), None);
    assert_eq!(ids(&*b.store, Some(("owner", "eve")), None, 10).await, "");
    assert_eq!(ids(&*b.store, None, None, 10).await, "");
    assert_eq!(b.refused(put("a", Expect::Revision(1), json!(0), None)).await, Conflict::Revision { current: None });
    assert_eq!(b.ok(put("a", Expect::Absent, json!({"owner": "bob"}), None)).await, OpResult::Revision(1));
    assert_eq!(ids(&*b.store, Some(("owner", "eve")), None, 10).await, "");
    assert_eq!(ids(&*b.store, Some(("owner", "bob")), None, 10).await, "a");
}

async fn a_conflict_undoes_the_whole_transaction(b: Bench) {
    b.ok(put("stands", Expect::Absent, json!({"owner": "eve"}), None)).await;
    let window = b.now() + 600;
    let ops = vec![
        put("new", Expect::Absent, json!({"owner": "eve"}), None),
        put("stands", Expect::Any, json!({"owner": "bob"}), None),
        Op::AddIfBelow { counter: "c".into(), amount: 3, limit: 5, window_ends_at: window },
        Op::ConsumeOnce { namespace: "n", id: "i".into(), expires_at: window },
        Op::TakeLock { name: "l".into(), holder: "me".into(), lease_until: window },
        Op::OpenIntent { call_id: "call".into(), body: json!({}) },
        put("stands", Expect::Absent, json!({}), None),
    ];
    // The last operation sees what the ones before it did: one more revision.
    assert_eq!(b.conflict(ops).await, (6, Conflict::Revision { current: Some(2) }));
    assert_eq!(b.store.get(NOTES, "new").await.unwrap(), None);
    assert_eq!(ids(&*b.store, Some(("owner", "eve")), None, 10).await, "stands");
    assert!(b.store.open_intents().await.unwrap().is_empty());
    let again = vec![
        Op::AddIfBelow { counter: "c".into(), amount: 5, limit: 5, window_ends_at: window },
        Op::ConsumeOnce { namespace: "n", id: "i".into(), expires_at: window },
        Op::TakeLock { name: "l".into(), holder: "me".into(), lease_until: window },
    ];
    let results = b.store.transact(again).await.unwrap();
    assert!(matches!(results[..], [OpResult::Count(5), OpResult::Done, OpResult::Fence(_)]), "{results:?}");
    assert!(b.store.transact(vec![]).await.unwrap().is_empty());
}

async fn pages_follow_ids_and_indexes_follow_bodies(b: Bench) {
    for (id, body) in [
        ("d", json!({"owner": "eve", "state": "open"})),
        ("a", json!({"owner": "eve", "state": "done"})),
        ("c", json!({"owner": "bob", "state": "open"})),
        ("b", json!({"owner": 7})),
        ("e", json!({"owner": "eve"})),
    ] {
        b.ok(put(id, Expect::Absent, body, None)).await;
    }
    let other = platform::store::Collection { name: "suite_other", indexes: &[] };
    b.ok(Op::Put { collection: other, id: "aa".into(), expect: Expect::Any, body: json!({}), expires_at: None }).await;
    assert_eq!(ids(&*b.store, None, None, 1000).await, "a b c d e");
    assert_eq!(ids(&*b.store, None, Some("b"), 2).await, "c d");
    assert_eq!(ids(&*b.store, Some(("owner", "eve")), None, 2).await, "a d");
    assert_eq!(ids(&*b.store, Some(("owner", "eve")), Some("a"), 10).await, "d e");
    assert_eq!(ids(&*b.store, Some(("owner", "7")), None, 10).await, "");
    b.ok(put("d", Expect::Revision(1), json!({"owner": "bob", "state": "done"}), None)).await;
    assert_eq!(ids(&*b.store, Some(("owner", "eve")), None, 10).await, "a e");
    assert_eq!(ids(&*b.store, Some(("state", "done")), None, 10).await, "a d");
    b.ok(delete("a", Expect::Any)).await;
    assert_eq!(ids(&*b.store, Some(("state", "done")), None, 10).await, "d");
}

async fn pages_go_backwards_too(b: Bench) {
    for id in ["d", "a", "ä", "c", "b"] {
        let owner = if id == "c" { "bob" } else { "eve" };
        b.ok(put(id, Expect::Absent, json!({ "owner": owner }), None)).await;
    }
    b.ok(put("z", Expect::Absent, json!({"owner": "eve"}), Some(b.now() + 50))).await;
    b.clock.advance(60);
    let page = async |filter, after, limit| {
        let query = Query { collection: NOTES, filter, after, limit, descending: true };
        let page = b.store.list(query).await.unwrap();
        page.into_iter().map(|record| record.id).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(page(None, None, 1000).await, "ä d c b a");
    assert_eq!(page(None, None, 2).await, "ä d");
    assert_eq!(page(None, Some("d"), 2).await, "c b");
    assert_eq!(page(None, Some("cc"), 1).await, "c", "a position need not be an id");
    assert_eq!(page(None, Some("a"), 5).await, "");
    let eves = Some(("owner", "eve"));
    assert_eq!(page(eves, None, 2).await, "ä d");
    assert_eq!(page(eves, Some("d"), 10).await, "b a");
}

async fn what_no_caller_may_ask_for_is_a_failure(b: Bench) {
    b.defect(put(&"x".repeat(513), Expect::Any, json!({}), None)).await;
    b.defect(put("", Expect::Any, json!({}), None)).await;
    b.ok(put(&"ü".repeat(512), Expect::Any, json!({}), None)).await;
    b.defect(Op::AddIfBelow { counter: "c".into(), amount: 0, limit: 5, window_ends_at: 1 }).await;
    b.defect(Op::CompleteKey { scope: "s".into(), key: "k".into(), result: vec![] }).await;
    b.ok(Op::OpenIntent { call_id: "c".into(), body: json!({}) }).await;
    b.defect(Op::OpenIntent { call_id: "c".into(), body: json!({}) }).await;
    b.defect(Op::CloseIntent { call_id: "c".into(), outcome: "perhaps".into() }).await;
    for (filter, limit) in [(None, 0), (None, 1001), (Some(("colour", "red")), 1)] {
        let query = Query { collection: NOTES, filter, after: None, limit, descending: false };
        assert!(b.store.list(query).await.is_err(), "{filter:?} {limit}");
    }
}
