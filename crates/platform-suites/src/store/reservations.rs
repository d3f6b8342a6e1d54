//! Rules about one-time ids, counters and fenced locks.

use platform::store::{Conflict, Op, OpResult};

use super::Bench;

pub(super) async fn run(fresh: &impl Fn() -> Bench) {
    a_one_time_id_is_used_once(fresh()).await;
    a_counter_never_passes_its_limit(fresh()).await;
    a_lock_has_one_holder_and_rising_fences(fresh()).await;
}

async fn a_one_time_id_is_used_once(b: Bench) {
    let until = b.now() + 50;
    let consume = |namespace, id: &str| Op::ConsumeOnce { namespace, id: id.into(), expires_at: until };
    b.ok(consume("totp", "1")).await;
    assert_eq!(b.refused(consume("totp", "1")).await, Conflict::AlreadyUsed);
    b.ok(consume("totp", "2")).await;
    b.ok(consume("code", "1")).await;
    let twice = vec![consume("code", "2"), consume("code", "2")];
    assert_eq!(b.conflict(twice).await, (1, Conflict::AlreadyUsed));
    b.clock.advance(40);
    assert_eq!(b.refused(consume("totp", "1")).await, Conflict::AlreadyUsed);
}

async fn a_counter_never_passes_its_limit(b: Bench) {
    let window = b.now() + 60;
    let add = |amount, limit, window_ends_at| Op::AddIfBelow { counter: "c".into(), amount, limit, window_ends_at };
    assert_eq!(b.ok(add(2, 5, window)).await, OpResult::Count(2));
    assert_eq!(b.ok(add(3, 5, window)).await, OpResult::Count(5));
    assert_eq!(b.refused(add(1, 5, window)).await, Conflict::LimitReached { current: 5 });
    assert_eq!(b.ok(add(1, 6, window)).await, OpResult::Count(6));
    assert_eq!(b.refused(add(u64::MAX, u64::MAX, window)).await, Conflict::LimitReached { current: 6 });
    assert_eq!(b.refused(add(6, 5, window + 60)).await, Conflict::LimitReached { current: 0 });
    assert_eq!(b.ok(add(5, 5, window + 60)).await, OpResult::Count(5));
    // A call that is late with the old window's end finds the old count, and does not start the new window again.
    assert_eq!(b.refused(add(1, 6, window)).await, Conflict::LimitReached { current: 6 });
    assert_eq!(b.refused(add(1, 5, window + 60)).await, Conflict::LimitReached { current: 5 });
}

async fn a_lock_has_one_holder_and_rising_fences(b: Bench) {
    let lease_until = b.now() + 60;
    let take =
        |name: &str, holder: &str, lease_until| Op::TakeLock { name: name.into(), holder: holder.into(), lease_until };
    let keep = |fence, lease_until| Op::KeepLock { name: "l".into(), fence, lease_until };
    let free = |fence| Op::FreeLock { name: "l".into(), fence };
    let fence_of = |result: OpResult| match result {
        OpResult::Fence(fence) => fence,
        other => panic!("{other:?}"),
    };
    let first = fence_of(b.ok(take("l", "one", lease_until)).await);
    let held = Conflict::Locked { holder: "one".into(), lease_until };
    assert_eq!(b.refused(take("l", "two", lease_until)).await, held);
    assert_eq!(b.refused(take("l", "one", lease_until)).await, held);
    b.ok(take("other", "two", lease_until)).await;
    b.ok(free(first + 1000)).await;
    assert_eq!(b.refused(take("l", "two", lease_until)).await, held);
    assert_eq!(b.refused(keep(first + 1000, lease_until)).await, Conflict::LockLost);
    b.ok(keep(first, lease_until + 60)).await;
    b.clock.advance(90);
    let longer = Conflict::Locked { holder: "one".into(), lease_until: lease_until + 60 };
    assert_eq!(b.refused(take("l", "two", lease_until)).await, longer);
    b.clock.advance(60);
    assert_eq!(b.refused(keep(first, b.now() + 60)).await, Conflict::LockLost);
    let second = fence_of(b.ok(take("l", "two", b.now() + 60)).await);
    assert!(second > first, "{second} > {first}");
    assert_eq!(b.refused(keep(first, b.now() + 60)).await, Conflict::LockLost);
    b.ok(free(first)).await;
    b.ok(keep(second, b.now() + 60)).await;
    b.ok(free(second)).await;
    b.ok(free(second)).await;
    assert_eq!(b.refused(keep(second, b.now() + 60)).await, Conflict::LockLost);
    let third = fence_of(b.ok(take("l", "three", b.now() + 60)).await);
    assert!(third > second, "{third} > {second}");
}
