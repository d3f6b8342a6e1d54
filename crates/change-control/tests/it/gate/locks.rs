//! T18: a step is sent under locks that are held at that moment.

use std::sync::Arc;

use change_control::ChangeId;
use change_control::model::attempt::Direction;
use platform::store::{Op, Store as _};
use tool_runtime::change_gate::{LOCK_LEASE_S, lock_name};

use super::rig::Rig;

#[tokio::test]
async fn t18_a_holder_that_stood_still_beyond_its_lease_sends_nothing() {
    let rig = Rig::new().await;
    let change = rig.applying().await;
    let attempt = rig.announce(&change, "dev-1", Direction::Forward, 1).await;
    rig.clock.advance(LOCK_LEASE_S + 1);
    rig.lock(&ChangeId::mint(), &["dev-1"]).await;
    let refused = rig.send(&change, &attempt).await.unwrap_err();
    assert_eq!(refused.code(), "lock_lost");
    assert_eq!(rig.applied(), 0);
    // Certainly not sent: nothing is left to be settled.
    assert!(rig.store.open_intents().await.unwrap().is_empty());
    // A lease that ran out is lost, also where nobody has taken the lock.
    assert_eq!(rig.forward(&change, "dev-2").await.unwrap_err().code(), "lock_lost");
}

#[tokio::test]
async fn t18_a_device_that_is_not_locked_is_not_written_to() {
    let rig = Rig::new().await;
    let change = rig.applying().await;
    rig.edit(&change, |change| change.run.fences.retain(|name, _| *name != lock_name("SN-dev-1"))).await;
    assert_eq!(rig.forward(&change, "dev-1").await.unwrap_err().code(), "run_step_refused");
    assert_eq!(rig.applied(), 0);
}

#[tokio::test]
async fn t18_sending_extends_the_lease_beyond_the_longest_request() {
    let rig = Rig::new().await;
    let change = rig.applying().await;
    // The clock goes on by itself as well, so that there is some room.
    rig.clock.advance(LOCK_LEASE_S - 60);
    rig.forward(&change, "dev-1").await.unwrap();
    rig.clock.advance(LOCK_LEASE_S - 60);
    let lease_until = i64::MAX;
    let take = Op::TakeLock { name: lock_name("SN-dev-1"), holder: "other".into(), lease_until };
    assert!(rig.store.transact(vec![take]).await.is_err(), "somebody else took a lock that was just used");
}

#[tokio::test]
async fn t18_the_lock_is_compared_last_before_the_first_byte() {
    let rig = Rig::new().await;
    let change = rig.applying().await;
    let attempt = rig.announce(&change, "dev-1", Direction::Forward, 1).await;
    let (clock, store) = (Arc::clone(&rig.clock), Arc::clone(&rig.store));
    // The process stands still after its intent, for longer than its lease, and somebody else takes the device.
    rig.audit.after_intent(|| async move {
        clock.advance(LOCK_LEASE_S + 1);
        let take = Op::TakeLock { name: lock_name("SN-dev-1"), holder: "other".into(), lease_until: i64::MAX };
        store.transact(vec![take]).await.unwrap();
    });
    assert_eq!(rig.send(&change, &attempt).await.unwrap_err().code(), "lock_lost");
    assert_eq!(rig.applied(), 0);
    // The intent says that nothing was begun, so that nobody has to settle it.
    assert!(rig.store.open_intents().await.unwrap().is_empty());
}
