//! What people read about secrets.

use platform::Json;

use crate::table::table;

/// Paths, one a line.
pub(super) fn list(listed: &Json) -> String {
    let paths: Vec<&str> = listed["paths"].as_array().into_iter().flatten().filter_map(Json::as_str).collect();
    if paths.is_empty() { "There are no secrets here.".to_owned() } else { paths.join("\n") }
}

/// Versions as a table, with the rules above it.
pub(super) fn metadata(found: &Json) -> String {
    let state = |version: &Json| match (&version["destroyed"], &version["deleted_at"]) {
        (Json::Bool(true), _) => "destroyed",
        (_, Json::String(_)) => "deleted",
        _ => "kept",
    };
    let rows = found["versions"].as_array().into_iter().flatten();
    let rows: Vec<Vec<String>> =
        rows.map(|v| vec![v["version"].to_string(), text(&v["created_at"]), state(v).to_owned()]).collect();
    let head = format!("{} at version {}\n{}", text(&found["path"]), found["current_version"], rules_in_words(found));
    if rows.is_empty() { head } else { format!("{head}\n\n{}", table(&["version", "written", "state"], &rows)) }
}

/// The rules alone.
pub(super) fn rules(now: &Json) -> String {
    format!("{}\n{}", text(&now["path"]), rules_in_words(now))
}

/// `version 1`, `versions 1, 2`.
pub(super) fn numbers(versions: &[u64]) -> String {
    let all: Vec<String> = versions.iter().map(u64::to_string).collect();
    format!("version{} {}", if all.len() == 1 { "" } else { "s" }, all.join(", "))
}

/// The same of an answer.
pub(super) fn versions(done: &Json) -> String {
    let all: Vec<u64> = done["versions"].as_array().into_iter().flatten().filter_map(Json::as_u64).collect();
    numbers(&all)
}

fn rules_in_words(of: &Json) -> String {
    let named = if of["cas_required"] == true { "writes name the version they replace" } else { "writes are free" };
    let mut words = format!("{} versions are kept; {named}", of["max_versions"]);
    for (name, value) in of["custom"].as_object().into_iter().flatten() {
        words.push_str(&format!("\n  {name}: {}", text(value)));
    }
    words
}

fn text(value: &Json) -> String {
    value.as_str().unwrap_or("-").to_owned()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{metadata, numbers};

    #[test]
    fn a_secret_is_shown_with_its_rules_and_the_state_of_each_version() {
        let found = json!({"path": "api/a", "current_version": 3, "cas_required": true, "max_versions": 10,
            "custom": {"owner": "netops"}, "versions": [
                {"version": 1, "created_at": "T1", "deleted_at": "T4", "destroyed": true},
                {"version": 2, "created_at": "T2", "deleted_at": "T4", "destroyed": false},
                {"version": 3, "created_at": "T3", "deleted_at": null, "destroyed": false}]});
        insta::assert_snapshot!(metadata(&found), @r"
        api/a at version 3
        10 versions are kept; writes name the version they replace
          owner: netops

        VERSION  WRITTEN  STATE
        1        T1       destroyed
        2        T2       deleted
        3        T3       kept
        ");
        assert_eq!((numbers(&[1]).as_str(), numbers(&[1, 2]).as_str()), ("version 1", "versions 1, 2"));
    }
}
