//! The names that a bundle uses, each as a group and as a connector: a policy that gives one of them a back door is found.

use serde_json::json;

use super::GROUPS;
use super::input::{GUARDED, call, elevation, grant, talk, with};
use crate::policy::Profile;
use crate::policy::guard_rails::{Bound, Case, Rail, Vocabulary};

/// Words of the decision document and its input: asked in the set of all words, but not each alone.
const OWN_WORDS: [&str; 50] = [
    "allow",
    "challenge",
    "deny",
    "effect",
    "reasons",
    "obligations",
    "valid_until",
    "revision",
    "met",
    "until",
    "read",
    "write",
    "execute",
    "probe",
    "record",
    "change",
    "disruptive",
    "control",
    "null",
    "object",
    "person",
    "client",
    "step_up",
    "max_age_s",
    "by",
    "approvers",
    "approver_groups",
    "proven_approvers",
    "run",
    "sites",
    "groups",
    "count",
    "rate",
    "rates",
    "per_minute",
    "scope",
    "grant:",
    "deny:",
    "unmet:",
    "elevation",
    "fresh_token",
    "unversioned",
    "actions",
    "connectors",
    "tools",
    "reserved",
    "change_required_for",
    "input_invalid",
    "userinfo",
    "userinfo_only",
];
/// Words of a bundle beyond these are not asked, so that a large data file cannot hold up activation.
const MAX_WORDS: usize = 256;

/// Each name of the bundle, once as the caller's only group and once as the connector, in the plainest cases.
pub(super) fn words(all: &mut Vec<Case>, profile: Profile, vocabulary: &Vocabulary) {
    let everybody = json!(everybody(vocabulary));
    let single = vocabulary.words.iter().filter(|word| !OWN_WORDS.contains(&word.as_str()));
    for word in single.take(MAX_WORDS) {
        for (groups, connector) in [(&json!([word]), "catalyst-center"), (&everybody, word.as_str())] {
            for risk in GUARDED {
                let base = call(groups, connector, risk);
                let unproven = with(base.clone(), &[("/change", grant()), ("/arguments", talk())]);
                all.push(Case { rail: Rail::NoWriteWithoutStepUp, input: unproven, bound: Bound::NotAllowed });
                if risk.0 == "control" {
                    let agent = [("/principal/act", json!([{"subject": "agent"}])), ("/elevation", elevation())];
                    all.push(Case { rail: Rail::ControlNeedsAPerson, input: with(base, &agent), bound: Bound::Denied });
                } else if profile != Profile::LabOpen {
                    let no_grant = with(base, &[("/elevation", elevation()), ("/arguments", talk())]);
                    all.push(Case { rail: Rail::NoChangeWithoutGrant, input: no_grant, bound: Bound::NotAllowed });
                }
            }
        }
    }
}

/// The groups that we know, and every name that may be one.
fn everybody(vocabulary: &Vocabulary) -> Vec<&str> {
    GROUPS.into_iter().chain(vocabulary.words.iter().map(String::as_str).take(MAX_WORDS)).collect()
}

/// Whoever a bundle lets approve did: else a change that is not covered would hide what else the bundle asks nobody for.
pub(super) fn approved_by_whoever_may(all: &mut [Case], vocabulary: &Vocabulary) {
    let everybody = everybody(vocabulary);
    let groups = json!([everybody, everybody, GROUPS, GROUPS, GROUPS]);
    let plain = grant()["approver_groups"].take();
    for case in all {
        if let Some(found) = case.input.pointer_mut("/change/approver_groups")
            && *found == plain
        {
            *found = groups.clone();
        }
    }
}
