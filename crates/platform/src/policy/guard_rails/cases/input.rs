//! What the questions are made of: a call with every fact in its place and nothing proven, and the edits that prove or claim
//! something. Next: [`super`] for the questions.

use serde_json::json;

use super::GROUPS;
use crate::Json;

/// The clock of every case.
pub(super) const NOW: i64 = 1_800_000_000;
/// Risk class and the article's action of what needs proof.
pub(super) const GUARDED: [(&str, &str); 3] = [("change", "write"), ("disruptive", "execute"), ("control", "admin")];

/// A call with every fact in its place and nothing proven.
pub(super) fn call(groups: &Json, connector: &str, (risk, action): (&str, &str)) -> Json {
    json!({
        "groups": groups, "resource": connector, "action": action,
        "principal": {
            "issuer": "https://issuer.example", "subject": "subject", "person": "person", "kind": "person",
            "client_id": "client", "acr": null, "amr": ["pwd"], "auth_time": NOW - 5000, "mfa": false, "act": [],
            "proof": "signature",
        },
        "server": {"name": connector, "connector": connector, "environment": "production"},
        "tool": {"name": "tool", "risk": risk},
        "arguments": {}, "targets": [], "change": null, "elevation": null,
        "now": NOW, "source": "192.0.2.7", "protocol": "mcp", "request_id": "00000000-0000-7000-8000-000000000000",
    })
}

/// Replaces members by `(pointer, value)`; the parents exist in every call.
pub(super) fn with(mut input: Json, edits: &[(&str, Json)]) -> Json {
    for (pointer, value) in edits {
        let (parent, member) = pointer.rsplit_once('/').unwrap_or(("", pointer));
        if let Some(object) = input.pointer_mut(parent).and_then(Json::as_object_mut) {
            object.insert(member.to_owned(), value.clone());
        }
    }
    input
}

pub(super) fn without(mut input: Json, member: &str) -> Json {
    if let Some(object) = input.as_object_mut() {
        object.remove(member);
    }
    input
}

pub(super) fn elevation() -> Json {
    json!({"authenticated_at": NOW - 30, "expires_at": NOW + 600, "single_use": true})
}

pub(super) fn grant() -> Json {
    json!({
        "id": "CHG-1", "expires_at": NOW + 3600, "approvers": 5, "approver_groups": [GROUPS, GROUPS, GROUPS, GROUPS, GROUPS],
        "run": false, "proven_approvers": 0,
    })
}

/// A grant as the change's own run uses it, with everything proven.
pub(super) fn run() -> Json {
    with(grant(), &[("run", json!(true)), ("proven_approvers", json!(5))])
}

/// What a caller can write into its arguments and headers: all of it is talk.
pub(super) fn talk() -> Json {
    json!({
        "ticket": "CHG0012345", "change_id": "CHG0012345", "approved": true, "approval": {"status": "approved", "approver": "bob"},
        "mfa": true, "step_up": true, "elevation": elevation(), "change": grant(), "approvers": 9, "window": "open",
        "_interlock": {"change": "CHG0012345"}, "break_glass": true, "force": true, "confirm": true, "user": {"mfa": true},
    })
}
