//! Replay of recorded decisions (T26): the policy that made them makes them again, and what cannot be evaluated is counted.

use std::collections::BTreeMap;

use platform::audit_payload::{DecisionRecord, NotEvaluated, replay};
use platform::policy::{PolicyEngine, Profile, Risk};
use serde_json::{Value, json};

use crate::calls::{Dice, call, shipped};

/// What the log would hold of `n` calls of every sort, decided by the shipped policy.
async fn recorded(profile: Profile, n: usize) -> Vec<Value> {
    let (policy, mut dice) = (shipped(profile), Dice::new(7));
    let mut payloads = Vec::new();
    for _ in 0..n {
        let input = dice.call();
        let decision = policy.decide(&input).await.unwrap();
        let record = DecisionRecord::new(input.clone(), input.now, policy.revision(), Some(decision));
        // As the log hands it back: through the bytes.
        let bytes = serde_json::to_vec(&record).unwrap();
        payloads.push(serde_json::from_slice(&bytes).unwrap());
    }
    payloads
}

#[tokio::test]
async fn t26_replaying_what_was_recorded_gives_what_was_decided() {
    for profile in Profile::ALL {
        let payloads = recorded(profile, 300).await;
        let found = replay(shipped(profile), &payloads).await;
        assert_eq!((found.same, found.other_revision, found.different), (300, 0, vec![]), "{profile}");
        assert_eq!(found.not_evaluated, BTreeMap::new(), "{profile}");
    }
}

#[tokio::test]
async fn t26_another_policy_and_a_changed_record_show_as_differences() {
    let payloads = recorded(Profile::LabOpen, 300).await;
    let stricter = replay(shipped(Profile::Production), &payloads).await;
    assert_eq!(stricter.other_revision, 300);
    assert!(!stricter.different.is_empty());
    assert!(stricter.different.iter().all(|d| d.then.revision != d.now.revision));

    let input = call(&["network-engineers"], "catalyst-center", "list_devices", Risk::Read);
    let policy = shipped(Profile::LabOpen);
    let decision = policy.decide(&input).await.unwrap();
    let mut record = DecisionRecord::new(input.clone(), input.now, policy.revision(), Some(decision));
    record.input.groups.clear();
    let found = replay(policy, [&json!(record)]).await;
    assert_eq!((found.same, found.different.len()), (0, 1));
}

#[tokio::test]
async fn t26_what_cannot_be_evaluated_is_counted_by_its_reason() {
    let mut payloads = recorded(Profile::LabOpen, 2).await;
    payloads[0]["version"] = json!(2);
    payloads[1]["decision"] = Value::Null;
    payloads.extend([json!({"version": 1, "input": {}}), json!("text")]);
    let found = replay(shipped(Profile::LabOpen), &payloads).await;
    let counted =
        BTreeMap::from([(NotEvaluated::OtherVersion, 1), (NotEvaluated::Undecided, 1), (NotEvaluated::Unreadable, 2)]);
    assert_eq!((found.same, found.not_evaluated), (0, counted));
}
