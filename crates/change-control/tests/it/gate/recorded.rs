//! T25: what a run puts on record and what stands in its row are one story, whoever was faster.

use std::sync::Arc;

use change_control::model::change::{Change, Trouble};
use change_control::run::contract::{ADVANCE, Advance, FINISH, Finish};
use change_control::{ChangeId, State, run};
use platform::Json;
use platform::audit::{AuditEntry, Outcome};
use serde_json::json;

use super::rig::Rig;

/// Does what an activity of this name does.
async fn act(rig: &Rig, name: &str, input: Json) -> Json {
    let all = run::activities(&rig.changes);
    let (_, activity) = all.iter().find(|(known, _)| *known == name).unwrap();
    activity(input).await.unwrap()
}

fn held(change: &Change) -> Json {
    json!(Advance {
        change: change.id.clone(),
        to: Some(State::Held),
        why: "it waits for a person".into(),
        trouble: Some(Trouble::new("check_failed", "A check does not hold.")),
        again_in_ms: None,
        batch: None,
        devices: Vec::new(),
    })
}

fn undone(change: &Change) -> Json {
    json!(Finish { change: change.id.clone(), to: State::Undone, why: "undone".into(), result: None, trouble: None })
}

fn stops(rig: &Rig) -> Vec<AuditEntry> {
    let is_stop = |entry: &AuditEntry| matches!(entry.action.as_str(), "change.stopped" | "change.ended");
    rig.audit.entries().into_iter().filter(is_stop).collect()
}

/// Somebody changes the row right after the next record of a stop.
fn meanwhile(rig: &Rig, id: &ChangeId, edit: fn(&mut Change)) {
    let (changes, id) = (Arc::clone(&rig.changes), id.clone());
    let is_stop = |entry: &AuditEntry| matches!(entry.action.as_str(), "change.stopped" | "change.ended");
    rig.audit.after(is_stop, move || async move {
        let edit = |change: &mut Change| {
            edit(change);
            Ok(((), Vec::new()))
        };
        changes.book().update(&id, edit).await.unwrap();
    });
}

/// The revision of the row as the last record of a stop names it, and the one that stands.
async fn revisions(rig: &Rig, id: &ChangeId) -> (u64, u64) {
    let named = stops(rig).last().unwrap().facts["revision"].as_u64().unwrap();
    (named, rig.changes.book().get(id).await.unwrap().revision)
}

#[tokio::test]
async fn t25_a_record_is_made_of_the_row_that_the_move_is_written_over() {
    let rig = Rig::new().await;
    let change = rig.applying().await;
    meanwhile(&rig, &change.id, |change| change.become_state(State::Verifying, 1, "somebody was faster").unwrap());
    act(&rig, ADVANCE, held(&change)).await;
    let from: Vec<Json> = stops(&rig).iter().map(|entry| entry.facts["from"].clone()).collect();
    assert_eq!(from, ["applying", "verifying"]);
    let (named, stands) = revisions(&rig, &change.id).await;
    assert_eq!(named + 1, stands, "the record names the row that was written over");
    let row = rig.changes.book().get(&change.id).await.unwrap().change;
    let went: Vec<State> = row.history.iter().map(|step| step.to).collect();
    assert_eq!(went, [State::Verifying, State::Held]);
}

#[tokio::test]
async fn t25_a_record_that_nothing_came_of_is_followed_by_one_that_says_so() {
    let rig = Rig::new().await;
    let change = rig.applying().await;
    rig.edit(&change, |change| change.state = State::Undoing).await;
    meanwhile(&rig, &change.id, |change| change.become_state(State::UndoFailed, 1, "by the other one").unwrap());
    act(&rig, FINISH, undone(&change)).await;
    let told: Vec<_> = stops(&rig).into_iter().map(|entry| (entry.outcome, entry.code)).collect();
    assert_eq!(told, [(Outcome::Success, None), (Outcome::Refused, Some("change_state".into()))]);
    assert_eq!(rig.changes.book().get(&change.id).await.unwrap().change.state, State::UndoFailed);
}
