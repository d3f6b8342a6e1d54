//! A credential is replaced while it is used: nothing changes before the target accepted the new one, a failure leaves the
//! old one in force, and a process that dies anywhere leaves one that works (T29).

use std::sync::Arc;
use std::sync::atomic::Ordering;

use platform::ErrorKind;
use platform::secrets::{SecretRules, SecretStore as _};
use serde_json::{Value, json};

use crate::governed::{Cut, Governed, Kept, NEW, OLD, SERVER};

fn to(password: &str) -> Value {
    json!({"server": SERVER, "fields": {"password": password}})
}

#[tokio::test]
async fn t29_new_is_tried_then_in_force_then_the_old_one_is_deleted_and_later_destroyed() {
    let platform = Governed::new().await;
    platform.kept.target.accept(&[OLD, NEW, "third-password-3"]);
    let done = platform.call("rotate_credential", to(NEW)).await.unwrap();
    assert_eq!(done, json!({"server": SERVER, "version": 2, "replaced": 1, "destroyed": []}));
    assert_eq!((platform.kept.password().await.as_str(), platform.read_thing().await.unwrap()), (NEW, 2));
    let versions = platform.kept.secrets.metadata("api/target").await.unwrap().versions;
    assert!(versions[0].deleted_at.is_some() && !versions[0].destroyed, "the overlap");
    let done = platform.call("rotate_credential", to("third-password-3")).await.unwrap();
    assert_eq!((&done["version"], &done["destroyed"]), (&json!(3), &json!([1])));
    let versions = platform.kept.secrets.metadata("api/target").await.unwrap().versions;
    assert!(versions[0].destroyed && versions[1].deleted_at.is_some() && !versions[1].destroyed);
    let mut back = to(NEW);
    back["keep"] = false.into();
    let done = platform.call("rotate_credential", back).await.unwrap();
    assert_eq!(done["destroyed"], json!([2, 3]));
    let record = platform.audit.entries().pop().unwrap().tool.unwrap();
    assert_eq!((record.tool.as_str(), record.targets.as_slice()), ("rotate_credential", &[SERVER.to_owned()][..]));
}

#[tokio::test]
async fn a_credential_that_the_target_refuses_changes_nothing() {
    let platform = Governed::new().await;
    let refused = platform.call("rotate_credential", to("wrong-password-9")).await.unwrap_err();
    assert_eq!((refused.kind(), refused.code()), (ErrorKind::InvalidInput, "credential_rejected"));
    platform.kept.target.unreachable.store(true, Ordering::SeqCst);
    let unreachable = platform.call("rotate_credential", to(NEW)).await.unwrap_err();
    assert_eq!(unreachable.code(), "target_unreachable");
    platform.kept.target.unreachable.store(false, Ordering::SeqCst);
    assert_eq!(platform.kept.secrets.metadata("api/target").await.unwrap().current_version, 1);
    assert_eq!(platform.read_thing().await.unwrap(), 1);
    assert!(platform.rotations.settle(true).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_credential_that_fails_in_use_is_taken_back() {
    let platform = Governed::new().await;
    platform.kept.target.accept(&[OLD, NEW]);
    platform.kept.target.fails_in_use.store(true, Ordering::SeqCst);
    let undone = platform.call("rotate_credential", to(NEW)).await.unwrap_err();
    assert_eq!(undone.code(), "rotation_undone");
    assert_eq!((platform.kept.password().await.as_str(), platform.read_thing().await.unwrap()), (OLD, 3));
    assert!(platform.kept.secrets.get("api/target", Some(2)).await.is_err(), "the new one is deleted");
    platform.kept.target.fails_in_use.store(false, Ordering::SeqCst);
    platform.call("rotate_credential", to(NEW)).await.unwrap();
    assert_eq!(platform.kept.password().await, NEW);
}

#[tokio::test]
async fn what_cannot_be_rotated_is_refused_before_the_target_is_asked() {
    let platform = Governed::new().await;
    let code = |answer: Result<Value, platform::Error>| answer.unwrap_err().code().to_owned();
    let own = platform.call("rotate_credential", json!({"server": "interlock", "fields": {"password": "x"}})).await;
    assert_eq!(code(own), "credential_not_rotatable");
    let unknown = platform.call("rotate_credential", json!({"server": "nonesuch", "fields": {"password": "x"}})).await;
    assert_eq!(code(unknown), "target_unknown");
    let one = SecretRules { max_versions: Some(1), ..SecretRules::default() };
    platform.kept.secrets.set_rules("api/target", one).await.unwrap();
    assert_eq!(code(platform.call("rotate_credential", to(NEW)).await), "credential_not_rotatable");
    platform.kept.secrets.delete_all("api/target").await.unwrap();
    assert_eq!(code(platform.call("rotate_credential", to(NEW)).await), "credential_missing");
    assert_eq!(platform.kept.target.candidates_tried.load(Ordering::SeqCst), 0);
}

/// The process dies before each of the writes in turn, whether the new credential goes on to work or not.
#[tokio::test]
async fn t20_a_rotation_that_is_killed_anywhere_is_finished_or_undone_at_the_next_start() {
    for works in [true, false] {
        let mut ends = Vec::new();
        for writes in 0.. {
            let (kept, cut) = (Kept::new().await, Cut::after(writes));
            kept.target.accept(&[OLD, NEW]);
            kept.target.fails_in_use.store(!works, Ordering::SeqCst);
            let died = Governed::over(&kept, &cut).call("rotate_credential", to(NEW)).await;
            let killed = cut.happened();
            if !works {
                // The new one was accepted as a candidate and is refused from here on; the old one works as ever.
                kept.target.fails_in_use.store(false, Ordering::SeqCst);
                kept.target.accept(&[OLD]);
            }
            let again = Governed::over(&kept, &Cut::never());
            let settled = again.rotations.settle(true).await.unwrap();
            assert!(settled.len() <= 1 && again.rotations.settle(true).await.unwrap().is_empty());
            let password = kept.password().await;
            again.read_thing().await.unwrap_or_else(|e| panic!("{writes} writes, works {works}: {password} {e}"));
            if let Some(one) = settled.first() {
                assert!(died.is_err() && killed, "{writes}");
                assert_eq!(one.finished, password == NEW, "{writes}");
            }
            assert!(works || password == OLD, "{writes}");
            // Nothing is in the way of the next one.
            kept.target.accept(&[OLD, NEW]);
            again.call("rotate_credential", to(NEW)).await.unwrap();
            assert_eq!(kept.password().await, NEW);
            ends.push(password);
            if !killed {
                break;
            }
        }
        assert!(ends.len() > 4, "there are several steps to die between: {}", ends.len());
        assert_eq!(ends.first().map(String::as_str), Some(OLD));
        assert_eq!(ends.last().map(String::as_str), Some(if works { NEW } else { OLD }));
    }
}

#[tokio::test]
async fn only_one_rotation_of_a_server_goes_on_and_a_silent_one_is_taken_over() {
    let kept = Kept::new().await;
    kept.target.accept(&[OLD, NEW]);
    let cut = Cut::after(2);
    assert!(Governed::over(&kept, &cut).call("rotate_credential", to(NEW)).await.is_err());
    let other = Governed::over(&kept, &Cut::never());
    let busy = other.call("rotate_credential", to(NEW)).await.unwrap_err();
    assert_eq!((busy.kind(), busy.code()), (ErrorKind::Conflict, "rotation_in_progress"));
    assert!(other.rotations.settle(false).await.unwrap().is_empty(), "its owner may still live");
    kept.clock.advance(91);
    other.call("rotate_credential", to(NEW)).await.unwrap();
    assert_eq!(kept.password().await, NEW);
}

#[tokio::test]
async fn calls_under_way_never_fail_while_a_credential_is_rotated() {
    let platform = Arc::new(Governed::new().await);
    let passwords: Vec<String> = (0..20).map(|n| format!("password-number-{n}")).collect();
    let all: Vec<&str> = passwords.iter().map(String::as_str).chain([OLD]).collect();
    platform.kept.target.accept(&all);
    let stop = Arc::new(std::sync::atomic::AtomicBool::new(false));
    let callers: Vec<_> = (0..32)
        .map(|_| {
            let (platform, stop) = (Arc::clone(&platform), Arc::clone(&stop));
            tokio::spawn(async move {
                let mut seen = std::collections::BTreeSet::new();
                while !stop.load(Ordering::SeqCst) {
                    seen.insert(platform.read_thing().await.unwrap());
                    tokio::task::yield_now().await;
                }
                seen
            })
        })
        .collect();
    for password in &passwords {
        platform.call("rotate_credential", to(password)).await.unwrap();
    }
    stop.store(true, Ordering::SeqCst);
    let mut seen = std::collections::BTreeSet::new();
    for caller in callers {
        seen.extend(caller.await.unwrap());
    }
    assert!(seen.len() > 3, "calls were made under several versions: {seen:?}");
    platform.kept.target.accept(&[passwords.last().unwrap()]);
    platform.read_thing().await.unwrap();
}
