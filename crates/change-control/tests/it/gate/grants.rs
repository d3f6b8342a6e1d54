//! T15, T16, T28: what a grant binds, who signed it, and whose acts it rests on.

use change_control::Change;
use change_control::evidence::public_keys;
use change_control::model::approval::{Approval, PersonRef};
use change_control::model::grant::Grant;
use platform::Error;
use platform::keys::Rotation;
use platform::policy::Effect;
use platform::principal::Actor;
use platform_suites::StaticPolicy;

use super::rig::{Rig, alice};

fn code<T: std::fmt::Debug>(result: Result<T, Error>) -> String {
    result.unwrap_err().code().to_owned()
}

#[tokio::test]
async fn t15_one_character_changed_after_the_approval_stops_the_run_and_both_hashes_are_on_record() {
    let rig = Rig::new().await;
    let change = rig.applying().await;
    let mut plan = rig.changes.book().plan(&change.id).await.unwrap().unwrap();
    plan.devices[1].hostname.push('x');
    let put = change_control::ChangeBook::put_plan(&change.id, &plan).unwrap();
    rig.changes.book().transact(vec![put]).await.unwrap();
    assert_eq!(code(rig.forward(&change, "dev-1").await), "grant_mismatch");
    let record = rig.last_record();
    let facts = &record.facts["change_refused"];
    assert_eq!(facts["approved"], change.plan.as_ref().unwrap().hash.as_str());
    assert_eq!(facts["found"], change_control::model::plan::plan_hash(&plan).unwrap().as_str());
    assert_eq!(rig.applied(), 0);
}

#[tokio::test]
async fn t15_what_the_submission_binds_stays_as_it_was() {
    let rig = Rig::new().await;
    let edits: [fn(&mut Change); 6] = [
        |change| change.submission.as_mut().unwrap().window.not_after_ms += 1,
        |change| change.submission.as_mut().unwrap().ticket = Some("CHG0030001".into()),
        |change| change.submission.as_mut().unwrap().plan.push('0'),
        |change| change.plan.as_mut().unwrap().hash.push('0'),
        |change| change.requester.groups.push("admin".into()),
        |change| change.submission = None,
    ];
    for edit in edits {
        let change = rig.applying().await;
        rig.edit(&change, edit).await;
        let refused = code(rig.changes.still_allowed(&change).await);
        assert!(["grant_mismatch", "grant_invalid"].contains(&refused.as_str()), "{refused}");
        assert_eq!(code(rig.forward(&change, "dev-1").await), refused);
        let free: Vec<_> = change.run.fences.iter().collect();
        let free =
            free.into_iter().map(|(name, fence)| platform::store::Op::FreeLock { name: name.clone(), fence: *fence });
        rig.changes.book().transact(free.collect()).await.unwrap();
    }
    assert_eq!(rig.applied(), 0);
}

#[tokio::test]
async fn t19_a_grant_that_nobody_signed_so_is_worth_nothing() {
    let edits: [fn(&mut Change); 6] = [
        |change| change.grant.as_mut().unwrap().grant.writes += 1,
        |change| change.grant.as_mut().unwrap().grant.targets.push("dev-9".into()),
        |change| change.grant.as_mut().unwrap().grant.approvals.clear(),
        |change| change.grant.as_mut().unwrap().key += 1,
        |change| change.grant.as_mut().unwrap().signature.replace_range(0..1, "_"),
        |change| change.grant = None,
    ];
    for edit in edits {
        let rig = Rig::new().await;
        let change = rig.applying().await;
        rig.edit(&change, edit).await;
        assert_eq!(code(rig.forward(&change, "dev-1").await), "grant_invalid");
        assert_eq!(rig.applied(), 0);
    }
}

#[tokio::test]
async fn t19_a_grant_of_another_change_covers_nothing_here() {
    let rig = Rig::new().await;
    let one = rig.applying().await;
    let free = one.run.fences.iter();
    let free = free.map(|(name, fence)| platform::store::Op::FreeLock { name: name.clone(), fence: *fence }).collect();
    rig.changes.book().transact(free).await.unwrap();
    let other = rig.applying().await;
    rig.edit(&other, |change| change.grant.clone_from(&one.grant)).await;
    assert_eq!(code(rig.forward(&other, "dev-1").await), "grant_mismatch");
}

/// Approvals that are none, also when policy would be content (T8).
#[tokio::test]
async fn t16_only_the_act_of_another_person_after_the_plan_was_shown_counts() {
    let edits: [fn(&mut Grant); 7] = [
        |grant| grant.approvals.clear(),
        |grant| grant.approvals[0].approver = grant.requester.who.clone(),
        |grant| grant.approvals[0].approver.subject = grant.requester.who.subject.clone(),
        |grant| {
            let bob = grant.approvals[0].approver.subject.clone();
            grant.requester.actors = vec![Actor { subject: bob, issuer: None }];
        },
        |grant| grant.approvals[0].auth_time = grant.approvals[0].shown_at_ms / 1000 - 1,
        |grant| grant.approvals[0].submission.push('0'),
        |grant| grant.approvals[0].verdict = change_control::model::approval::Verdict::Reject,
    ];
    for edit in edits {
        let rig = Rig::new().await;
        let change = rig.applying_as(|_| {}, edit).await;
        // The requester of the row is the one of the grant.
        let requester = change.grant.as_ref().unwrap().grant.requester.clone();
        rig.edit(&change, |change| change.requester = requester.clone()).await;
        rig.decide(|_| Ok(StaticPolicy::decision(Effect::Allow, &["grant:all"])));
        assert_eq!(code(rig.forward(&change, "dev-1").await), "grant_invalid");
        assert_eq!(rig.applied(), 0);
    }
}

#[tokio::test]
async fn t16_one_person_approves_once_whatever_the_account() {
    let rig = Rig::new().await;
    let twice = |grant: &mut Grant| {
        let again = Approval {
            approver: PersonRef { subject: "bob-2".into(), ..grant.approvals[0].approver.clone() },
            ..grant.approvals[0].clone()
        };
        grant.approvals.push(again);
    };
    let change = rig.applying_as(|plan| plan.devices[0].risk = platform::policy::Risk::Disruptive, twice).await;
    rig.decide(|_| Ok(StaticPolicy::decision(Effect::Allow, &["grant:all"])));
    assert_eq!(code(rig.forward(&change, "dev-1").await), "grant_invalid");
}

#[tokio::test]
async fn t28_a_rotation_leaves_running_changes_alone_and_one_after_a_loss_stops_them() {
    let rig = Rig::new().await;
    let change = rig.applying().await;
    let key = rig.keys.managed();
    key.rotate(&Rotation::default()).await.unwrap();
    rig.forward(&change, "dev-1").await.unwrap();
    let keys = rig.keys.public_keys();
    assert_eq!(keys.iter().map(|key| key.version).collect::<Vec<_>>(), [2, 1]);
    key.rotate(&Rotation { compromised: true, ..Rotation::default() }).await.unwrap();
    assert_eq!(code(rig.forward(&change, "dev-2").await), "grant_invalid");
    assert_eq!(rig.keys.public_keys().len(), 1);
}

#[tokio::test]
async fn t28_the_public_halves_are_written_down_at_a_rotation_as_at_a_start() {
    let (rig, state) = (Rig::new().await, tempfile::tempdir().unwrap());
    let written =
        || -> Vec<String> { public_keys::beside(state.path()).unwrap().into_iter().map(|key| key.key).collect() };
    let kept = || -> Vec<String> { rig.keys.public_keys().into_iter().map(|key| key.key).collect() };
    let key = public_keys::published(state.path(), &rig.keys).unwrap();
    let first = written();
    assert_eq!((first.len(), &first), (1, &kept()));
    key.rotate(&Rotation::default()).await.unwrap();
    assert_eq!((written().len(), written()), (2, kept()));
    assert_eq!(written()[1], first[0], "what the old one signed still verifies");
    key.rotate(&Rotation { compromised: true, ..Rotation::default() }).await.unwrap();
    assert_eq!((written().len(), written()), (1, kept()), "nobody is told to rely on a key that was lost");
    // A file that cannot be written takes no rotation back, and is told.
    std::fs::remove_file(state.path().join(public_keys::KEYS_FILE)).unwrap();
    std::fs::create_dir(state.path().join(public_keys::KEYS_FILE)).unwrap();
    let rotated = key.rotate(&Rotation::default()).await.unwrap();
    assert!(rotated.note.is_some_and(|note| note.contains("could not be written")));
}

#[tokio::test]
async fn t28_what_is_signed_for_one_purpose_is_worth_nothing_for_another() {
    let rig = Rig::new().await;
    let signature = rig.keys.sign_for("interlock evidence v1", b"bytes");
    assert!(rig.keys.verify_for("interlock evidence v1", b"bytes", &signature).await.unwrap());
    assert!(!rig.keys.verify_for("interlock evidence v2", b"bytes", &signature).await.unwrap());
    assert!(!rig.keys.verify_for("interlock evidence v1", b"byteS", &signature).await.unwrap());
    let public = &rig.keys.public_keys()[0];
    assert!(public.verifies("interlock evidence v1", b"bytes", &signature.signature));
    assert_eq!(alice().subject, "alice");
}
