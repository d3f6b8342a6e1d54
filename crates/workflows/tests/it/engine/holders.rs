//! Two holders of one device, each a platform of its own over one store (T18, T20): one that stood still beyond its lease, or
//! died, and one that got the device meanwhile. The first writes nothing more to it, and takes nothing back that is not its own;
//! the second begins with what the first left open.

use change_control::model::attempt::{AttemptOutcome, Direction};
use change_control::model::change::{DeviceState, RunResult};
use change_control::model::plan::PublicPlan;
use change_control::run::contract::SettledBy;
use change_control::run::steer::SettleRequest;
use change_control::{Change, ChangeId, State, book};
use platform::Clock as _;
use platform::store::Op;

use super::network::Fault;
use super::quick;
use super::rig::{OTHER_SERVER, Rig, cx_of, devices, trouble};
use super::standing::Standing;

/// A lease is over after this long, and so is every time in which a target may still take a step up.
const LEASE_OVER_S: i64 = 700;
/// From now on, long enough.
const WINDOW_S: (i64, i64) = (0, 36_000);

/// A forward step of this device is written down.
fn announces(device: &str) -> impl Fn(&Op) -> bool + Send + 'static {
    let device = device.to_owned();
    move |op| match op {
        Op::Put { collection, body, .. } => {
            collection.name == book::ATTEMPTS.name
                && body["device_id"] == device.as_str()
                && body["direction"] == Direction::Forward.as_str()
                && body["outcome"]["outcome"] == "open"
        }
        _ => false,
    }
}

/// A write is about to leave: its locks are proven, and nothing but its intent stands before the first byte.
fn intends(op: &Op) -> bool {
    matches!(op, Op::OpenIntent { .. })
}

/// Whether an audit record about this change has this code.
fn has_record(rig: &Rig, id: &ChangeId, action: Option<&str>, code: &str) -> bool {
    rig.audit.entries().iter().any(|entry| {
        entry.code.as_deref() == Some(code)
            && entry.facts.get("change").is_some_and(|change| change == id.as_str())
            && action.is_none_or(|action| entry.action == action)
    })
}

/// One of two platforms stands still between the comparison of its devices and the step on `device`; its lease ends, and the
/// other one changes the same device meanwhile, as it was planned before. How both ended.
async fn overtaken(first: &Rig, devices: &[&str], device: &'static str, at_intent: bool) -> (Change, Change) {
    let second = first.beside();
    let (mine, plan) = first.planned(devices, quick()).await;
    let (theirs, their_plan) = second.planned(&[device], quick()).await;
    let mut still = first.stands_before(announces(device));
    first.approved(&mine, &plan, WINDOW_S).await;
    first.stands(&mut still).await;
    if at_intent {
        let mut before_the_first_byte = first.stands_before(intends);
        still.go_on();
        first.stands(&mut before_the_first_byte).await;
        still = before_the_first_byte;
    }
    let lock = format!("device:S-{device}");
    let held = first.change(&mine.id).await.run.fences[&lock];
    first.clock.advance(LEASE_OVER_S);

    // The other one stands still too, for a moment: to see by what number it holds the device.
    let mut writing = second.stands_before(intends);
    second.approved(&theirs, &their_plan, WINDOW_S).await;
    second.stands(&mut writing).await;
    let fence = second.change(&theirs.id).await.run.fences[&lock];
    assert!(fence > held, "{fence} is not above {held}");
    writing.go_on();
    let theirs = second.ended(&theirs.id).await;
    still.go_on();
    (first.ended(&mine.id).await, theirs)
}

#[tokio::test(flavor = "multi_thread")]
async fn t18_a_holder_that_stood_still_before_its_first_write_writes_nothing_and_undoes_nothing_of_the_next_one() {
    for at_intent in [false, true] {
        let rig = Rig::of(&["d1"]).await;
        let (mine, theirs) = overtaken(&rig, &["d1"], "d1", at_intent).await;
        assert_eq!((theirs.state, theirs.run.result), (State::Done, Some(RunResult::Complete)), "{:?}", theirs.trouble);
        assert_eq!((mine.state, trouble(&mine)), (State::Stale, "plan_stale"), "{:#?}", mine.history);
        assert_eq!(rig.network.reached(), ["d1 forward"], "once, by the second holder");
        assert!(rig.network.running("d1").contains("vlan 20"), "what the second one did is not taken back");
        let attempts = rig.changes.book().attempts(&mine.id).await.unwrap();
        assert!(attempts.iter().all(|attempt| attempt.outcome == AttemptOutcome::NotDone), "{attempts:?}");
        assert!(has_record(&rig, &mine.id, None, "lock_lost"), "the step that was not sent is on record");
        assert!(has_record(&rig, &mine.id, Some("change.ended"), "plan_stale"));
        assert!(mine.run.fences.is_empty() && theirs.run.fences.is_empty());
        assert_eq!(devices(&mine)["d1"], DeviceState::Waiting, "nothing is claimed of it");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn t18_a_holder_that_lost_its_second_device_to_another_one_undoes_its_first_and_no_more() {
    for at_intent in [false, true] {
        let rig = Rig::of(&["d1", "d2"]).await;
        let (mine, theirs) = overtaken(&rig, &["d1", "d2"], "d2", at_intent).await;
        assert_eq!(theirs.state, State::Done, "{:?}", theirs.trouble);
        assert_eq!((mine.state, trouble(&mine)), (State::Undone, "plan_stale"), "{:#?}", mine.history);
        assert_eq!(mine.run.result, Some(RunResult::Restored));
        assert_eq!(rig.network.reached(), ["d1 forward", "d2 forward", "d1 undo"]);
        assert!(!rig.network.running("d1").contains("vlan 20"));
        assert!(rig.network.running("d2").contains("vlan 20"), "what the second one did is not taken back");
        assert_eq!(devices(&mine)["d1"], DeviceState::Restored);
        assert_eq!(devices(&mine)["d2"], DeviceState::Waiting, "nothing is claimed of it");
        assert!(has_record(&rig, &mine.id, None, "lock_lost"));
        assert!(has_record(&rig, &mine.id, Some("change.ended"), "plan_stale"));
    }
}

/// What became of a step is about to be kept: that its call came back, or what the target's records say of it.
fn hears(op: &Op) -> bool {
    match op {
        Op::CloseIntent { .. } => true,
        Op::Put { collection, body, .. } => {
            collection.name == book::ATTEMPTS.name && body["outcome"]["outcome"] != "open"
        }
        _ => false,
    }
}

/// A change of `d1` whose platform died before it had kept how its step ended; its lease is over. What is dead stays so while the
/// second value lives.
async fn left_open(rig: &mut Rig, fault: Option<Fault>) -> (ChangeId, Standing) {
    rig.network.fail("d1", fault.as_slice());
    let (change, plan) = rig.planned(&["d1"], quick()).await;
    let mut still = rig.stands_before(hears);
    rig.approved(&change, &plan, WINDOW_S).await;
    rig.stands(&mut still).await;
    rig.die();
    assert_eq!(outcome(rig, &change.id).await, AttemptOutcome::Open, "nobody knows what became of it");
    rig.clock.advance(LEASE_OVER_S);
    (change.id, still)
}

/// Two platforms; the second one has planned a change of `d1` before anything happened.
async fn two(server: Option<&str>) -> (Rig, Rig, Change, PublicPlan) {
    let first = Rig::of(&["d1"]).await;
    let second = first.beside();
    let (change, plan) = match server {
        None => second.planned(&["d1"], quick()).await,
        Some(server) => second.planned_at(server, &["d1"], quick()).await,
    };
    (first, second, change, plan)
}

async fn outcome(rig: &Rig, id: &ChangeId) -> AttemptOutcome {
    rig.changes.book().attempts(id).await.unwrap().remove(0).outcome
}

#[tokio::test(flavor = "multi_thread")]
async fn t20_what_a_dead_holder_did_not_do_is_settled_before_the_next_one_writes_and_is_not_undone_later() {
    let (mut first, second, theirs, plan) = two(None).await;
    let (mine, _dead) = left_open(&mut first, Some(Fault::RequestLost)).await;
    let mut writing = second.stands_before(intends);
    second.approved(&theirs, &plan, WINDOW_S).await;
    second.stands(&mut writing).await;
    assert_eq!(outcome(&second, &mine).await, AttemptOutcome::NotDone, "settled before the first byte of the next one");
    writing.go_on();
    let theirs = second.ended(&theirs.id).await;
    assert_eq!(theirs.state, State::Done, "{:?}", theirs.trouble);
    // The first one comes back: its step may not be sent any more, and what is on the device is not its own.
    first.live_again();
    let mine = first.ended(&mine).await;
    assert_eq!((mine.state, trouble(&mine)), (State::Stale, "plan_stale"), "{:#?}", mine.history);
    assert_eq!(first.network.reached(), ["d1 forward"]);
    assert!(first.network.running("d1").contains("vlan 20"));
}

#[tokio::test(flavor = "multi_thread")]
async fn t20_what_a_dead_holder_did_is_settled_and_the_next_one_finds_the_device_changed() {
    let (mut first, second, theirs, plan) = two(None).await;
    let (mine, _dead) = left_open(&mut first, None).await;
    second.approved(&theirs, &plan, WINDOW_S).await;
    let theirs = second.ended(&theirs.id).await;
    assert_eq!((theirs.state, trouble(&theirs)), (State::Stale, "plan_stale"));
    assert!(matches!(outcome(&second, &mine).await, AttemptOutcome::Succeeded { .. }));
    first.live_again();
    let mine = first.ended(&mine).await;
    assert_eq!((mine.state, mine.run.result), (State::Done, Some(RunResult::Complete)), "{:?}", mine.trouble);
    assert_eq!(first.network.reached(), ["d1 forward"], "nothing is sent twice");
}

#[tokio::test(flavor = "multi_thread")]
async fn t20_where_nobody_can_tell_what_a_dead_holder_did_the_next_one_waits_for_a_person() {
    // By the same server, and by another one that reaches the same device.
    for server in [None, Some(OTHER_SERVER)] {
        let (mut first, second, theirs, plan) = two(server).await;
        let (mine, _dead) = left_open(&mut first, Some(Fault::Hidden)).await;
        second.approved(&theirs, &plan, WINDOW_S).await;
        let waits = second.until(&theirs.id, |change| trouble(change) == "device_locked").await;
        assert_eq!(
            (waits.state, &waits.trouble.unwrap().detail["holder"]),
            (State::Scheduled, &mine.to_string().into())
        );
        assert!(matches!(outcome(&second, &mine).await, AttemptOutcome::Unknown { .. }));
        // It asks again and again, and never guesses; nor does it keep the device from the one who has to settle it.
        second.clock.advance(3_600);
        let now = second.clock.epoch_seconds();
        let still = second.until(&theirs.id, |_| second.clock.epoch_seconds() > now + 60).await;
        assert_eq!((still.state, still.run.fences.len()), (State::Scheduled, 0));
        assert_eq!(second.network.reached(), ["d1 forward"], "{server:?}");
        first.live_again();
        first.in_state(&mine, State::Parked).await;
        let request = SettleRequest { outcome: SettledBy::Done, reason: "I looked at the device.".to_owned() };
        first.changes.settle(&cx_of("alice"), &mine, request).await.unwrap();
        assert_eq!(first.ended(&mine).await.state, State::Done);
        let theirs = second.ended(&theirs.id).await;
        assert_eq!((theirs.state, trouble(&theirs)), (State::Stale, "plan_stale"));
        assert_eq!(second.network.reached(), ["d1 forward"]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn t18_a_device_is_the_same_by_whichever_server_it_is_reached() {
    let (first, second, theirs, plan) = two(Some(OTHER_SERVER)).await;
    let (mine, my_plan) = first.planned(&["d1"], quick()).await;
    let mut still = first.stands_before(intends);
    first.approved(&mine, &my_plan, WINDOW_S).await;
    first.stands(&mut still).await;
    second.approved(&theirs, &plan, WINDOW_S).await;
    let waits = second.until(&theirs.id, |change| trouble(change) == "device_locked").await;
    assert_eq!(waits.trouble.unwrap().detail["holder"], mine.id.as_str());
    still.go_on();
    assert_eq!(first.ended(&mine.id).await.state, State::Done);
    assert_eq!(second.ended(&theirs.id).await.state, State::Stale);
    assert_eq!(first.network.reached(), ["d1 forward"]);
}
