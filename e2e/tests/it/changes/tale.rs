//! The guided tale under the profile that a lab has when nothing is said: three people and three changes.

use platform::Json;

use crate::lab::Lab;

#[tokio::test]
async fn the_tale_of_changes_plays_from_the_refusal_to_the_audit() {
    let lab = Lab::start_under("production");
    let story = lab.run(&["lab", "story", "--json"]);
    let said = String::from_utf8_lossy(&[story.stdout.clone(), story.stderr].concat()).into_owned();
    assert!(story.status.success(), "{said}");
    let told: Json = serde_json::from_slice(&story.stdout).unwrap();
    let steps = told["steps"].as_array().unwrap();
    assert_eq!(steps.len(), 12, "{told}");
    let all = told.to_string();
    for word in ["change_required", "approver_is_requester", "rejected", "undone", "restored", "change_unknown"] {
        assert!(all.contains(word), "{word} is not told: {told}");
    }
}
