//! Rules about a store that was restored from a backup: nothing that was under way is taken for undone.

use platform::store::{Conflict, Op, OpResult, Voided};
use serde_json::json;

use super::Bench;

pub(super) async fn run(fresh: &impl Fn() -> Bench) {
    what_was_under_way_has_an_unknown_outcome(fresh()).await;
    fencing_numbers_never_come_back(fresh()).await;
}

async fn what_was_under_way_has_an_unknown_outcome(b: Bench) {
    let until = b.now() + 3600;
    let reserve = |key: &str| Op::ReserveKey {
        scope: "s".into(),
        key: key.into(),
        digest: "d".into(),
        call_id: format!("call-{key}"),
        expires_at: until,
    };
    let open = |key: &str| Op::OpenIntent { call_id: format!("call-{key}"), body: json!({}) };
    for key in ["reserved", "intended", "done", "not-started"] {
        b.ok(reserve(key)).await;
    }
    for key in ["intended", "done", "not-started", "alone"] {
        b.ok(open(key)).await;
    }
    b.ok(Op::CompleteKey { scope: "s".into(), key: "done".into(), result: vec![7] }).await;
    for (key, outcome) in [("done", "success"), ("not-started", "not_started")] {
        b.ok(Op::CloseIntent { call_id: format!("call-{key}"), outcome: outcome.into() }).await;
    }
    let voided = b.store.void_after_restore().await.unwrap();
    assert_eq!(voided, Voided { keys: 2, intents: 2, locks: 0 });
    assert_eq!(b.store.release_abandoned().await.unwrap(), 0, "a start releases none of them");
    for key in ["reserved", "intended"] {
        let unknown = Conflict::KeyOutcomeUnknown { call_id: format!("call-{key}") };
        assert_eq!(b.refused(reserve(key)).await, unknown);
        b.clock.advance(10);
    }
    assert_eq!(b.refused(reserve("done")).await, Conflict::KeyDone { result: vec![7] });
    assert_eq!(b.store.key_state("s", "not-started", "d").await.unwrap(), None);
    assert!(b.store.open_intents().await.unwrap().is_empty());
    assert_eq!(b.store.void_after_restore().await.unwrap().intents, 0);
    // Who finds out what came of it settles it, and the key is what it was found to be.
    b.ok(Op::CloseIntent { call_id: "call-reserved".into(), outcome: "not_started".into() }).await;
    assert_eq!(b.store.key_state("s", "reserved", "d").await.unwrap(), None);
}

async fn fencing_numbers_never_come_back(b: Bench) {
    let until = b.now() + 60;
    let take = |holder: &str| Op::TakeLock { name: "l".into(), holder: holder.into(), lease_until: until };
    let fence_of = |result: OpResult| match result {
        OpResult::Fence(fence) => fence,
        other => panic!("{other:?}"),
    };
    let before = fence_of(b.ok(take("one")).await);
    assert_eq!(b.store.void_after_restore().await.unwrap().locks, 1);
    let keep = Op::KeepLock { name: "l".into(), fence: before, lease_until: until };
    assert_eq!(b.refused(keep).await, Conflict::LockLost);
    assert!(fence_of(b.ok(take("two")).await) > before + 1_000_000, "others may have been given out since the backup");
}
