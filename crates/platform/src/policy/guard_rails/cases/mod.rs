//! The fixed questions of the guard rails, rail by rail. No randomness: the same binary asks the same questions.
//!
//! Next: [`input`] for what a question is made of, [`words`] for the names that a bundle uses.

mod input;
mod words;

use serde_json::{Map, json};

use self::input::{GUARDED, NOW, call, elevation, grant, run, talk, with, without};
use self::words::{approved_by_whoever_may, words};
use super::{Bound, Case, Rail, Vocabulary};
use crate::Json;
use crate::policy::Profile;

const GROUPS: [&str; 4] = ["admin", "network-engineers", "service-desk", "developers"];
const CONNECTORS: [&str; 4] = ["catalyst-center", "servicenow", "github", "interlock"];
/// Tools of the server `interlock` that show what others did, with their risk class and action.
const AUDIT_TOOLS: [(&str, (&str, &str)); 3] = [
    ("search_audit", ("read", "read")),
    ("get_audit_record", ("read", "read")),
    ("open_audit_payload", ("control", "admin")),
];
/// Every case for a profile and the names that its bundle uses.
pub fn cases(profile: Profile, vocabulary: &Vocabulary) -> impl Iterator<Item = Case> {
    let groups = group_sets(vocabulary);
    let mut all = Vec::with_capacity(4096);
    broken_inputs(&mut all);
    ill_typed_groups(&mut all);
    without_step_up(&mut all, &groups);
    claims(&mut all, &groups);
    control(&mut all, &groups);
    unknown_risk(&mut all, &groups);
    userinfo(&mut all, &groups);
    audit(&mut all);
    runs(&mut all, &groups);
    if profile != Profile::LabOpen {
        without_grant(&mut all, &groups);
    }
    words(&mut all, profile, vocabulary);
    approved_by_whoever_may(&mut all, vocabulary);
    all.into_iter()
}

/// No group, each known group alone, all of them together, and all names of the bundle together.
fn group_sets(vocabulary: &Vocabulary) -> Vec<Json> {
    let mut sets = vec![json!([]), json!(GROUPS)];
    sets.extend(GROUPS.iter().map(|group| json!([group])));
    if !vocabulary.words.is_empty() {
        sets.push(json!(vocabulary.words));
    }
    sets
}

fn broken_inputs(all: &mut Vec<Case>) {
    let mut push = |input: Json| all.push(Case { rail: Rail::EveryInputDecides, input, bound: Bound::NotAllowed });
    for input in [json!(null), json!(true), json!(7), json!("input"), json!([]), json!([[]]), json!({})] {
        push(input);
    }
    let base = call(&json!(["admin"]), "catalyst-center", ("disruptive", "execute"));
    let members: Vec<String> = base.as_object().map(|map| map.keys().cloned().collect()).unwrap_or_default();
    let wrong = [
        json!(null),
        json!(true),
        json!(-1),
        json!(1.5),
        json!(1e300),
        json!(""),
        json!("x"),
        json!([]),
        json!([null]),
        json!({}),
        json!({"x": []}),
    ];
    for member in &members {
        push(without(base.clone(), member));
        for value in &wrong {
            push(with(base.clone(), &[(&format!("/{member}"), value.clone())]));
        }
        let nested: Vec<String> =
            base[member.as_str()].as_object().map(Map::keys).into_iter().flatten().cloned().collect();
        for inner in nested {
            for value in &wrong {
                push(with(base.clone(), &[(&format!("/{member}/{inner}"), value.clone())]));
            }
        }
    }
    for (fact, full) in [("elevation", elevation()), ("change", grant())] {
        for member in full.as_object().map(Map::keys).into_iter().flatten() {
            for value in &wrong {
                let edit = with(full.clone(), &[(member, value.clone())]);
                // A member may happen to be right; what must not happen is no decision.
                let input = with(base.clone(), &[(&format!("/{fact}"), edit)]);
                all.push(Case { rail: Rail::EveryInputDecides, input, bound: Bound::Any });
            }
        }
    }
}

fn ill_typed_groups(all: &mut Vec<Case>) {
    let admin = json!(["admin"]);
    let ill = [
        json!("admin"),
        json!({"admin": "admin"}),
        json!({"0": "admin"}),
        json!([["admin"]]),
        json!([{"name": "admin"}]),
        json!([{"admin": true}]),
        json!(["admin", 7]),
        json!([null, "admin"]),
        json!(["admin", ["admin"]]),
        json!(["admin", true]),
        json!(null),
        json!(7),
        json!(true),
        json!(1.5),
        json!({"groups": ["admin"]}),
    ];
    let risks = [
        ("read", "read"),
        ("probe", "execute"),
        ("record", "write"),
        ("change", "write"),
        ("disruptive", "execute"),
        ("control", "admin"),
    ];
    for connector in CONNECTORS {
        for risk in risks {
            let proven = [("/elevation", elevation()), ("/change", grant())];
            let base = with(call(&admin, connector, risk), &proven);
            for groups in &ill {
                let input = with(base.clone(), &[("/groups", groups.clone())]);
                all.push(Case { rail: Rail::IllTypedGroupsAllowNothing, input, bound: Bound::Denied });
            }
            all.push(Case {
                rail: Rail::IllTypedGroupsAllowNothing,
                input: without(base, "groups"),
                bound: Bound::Denied,
            });
        }
    }
}

/// Ways of not having passed a second factor, as edits of a call.
fn no_step_up() -> Vec<Vec<(&'static str, Json)>> {
    let token = |amr: Json, acr: Json, auth_time: Json, mfa: Json| {
        vec![
            ("/principal/amr", amr),
            ("/principal/acr", acr),
            ("/principal/auth_time", auth_time),
            ("/principal/mfa", mfa),
        ]
    };
    let elevated = |authenticated_at: i64, expires_at: i64| {
        vec![(
            "/elevation",
            json!({"authenticated_at": authenticated_at, "expires_at": expires_at, "single_use": true}),
        )]
    };
    vec![
        vec![],
        token(json!(["hwk"]), json!(null), json!(NOW - 10), json!(false)),
        token(json!(["swk", "otp", "mfa", "duo"]), json!("phrh"), json!(NOW - 10), json!(false)),
        token(json!(["pwd", "otp"]), json!("mfa"), json!(NOW - 3600), json!(true)),
        token(json!(["pwd", "otp"]), json!("mfa"), json!(NOW + 3600), json!(true)),
        token(json!(["pwd", "otp"]), json!("mfa"), json!(null), json!(true)),
        token(json!(["pwd", "otp"]), json!("mfa"), json!("1800000000"), json!(true)),
        elevated(NOW - 300, NOW - 1),
        elevated(NOW - 300, NOW),
        elevated(NOW + 3600, NOW + 7200),
        vec![("/elevation", json!({}))],
        vec![("/elevation", json!(true))],
    ]
}

fn without_step_up(all: &mut Vec<Case>, groups: &[Json]) {
    let mut push = |input: Json| all.push(Case { rail: Rail::NoWriteWithoutStepUp, input, bound: Bound::NotAllowed });
    // Every group on the first connector in every way; every group on every other connector in the plainest way.
    for groups in groups {
        for risk in GUARDED {
            for edits in no_step_up() {
                push(with(with(call(groups, "catalyst-center", risk), &[("/change", grant())]), &edits));
            }
        }
    }
    for groups in groups {
        for connector in CONNECTORS.into_iter().skip(1) {
            for risk in GUARDED {
                push(with(call(groups, connector, risk), &[("/change", grant())]));
            }
        }
        // A fresh token is enough for `change`, never for more (T4); an elevation for many calls is none for a disruptive one.
        let fresh = [
            ("/principal/amr", json!(["pwd", "otp"])),
            ("/principal/mfa", json!(true)),
            ("/principal/auth_time", json!(NOW - 10)),
            ("/change", grant()),
        ];
        push(with(call(groups, "catalyst-center", GUARDED[1]), &fresh));
        let reusable = json!({"authenticated_at": NOW - 30, "expires_at": NOW + 600, "single_use": false});
        push(with(call(groups, "catalyst-center", GUARDED[1]), &[("/elevation", reusable), ("/change", grant())]));
    }
}

fn claims(all: &mut Vec<Case>, groups: &[Json]) {
    for groups in groups {
        for risk in GUARDED {
            for protocol in ["mcp", "rest", "page", "internal"] {
                let mut edits = vec![("/protocol", json!(protocol)), ("/arguments", talk())];
                if protocol != "mcp" {
                    edits.extend([
                        ("/ticket", json!("CHG0012345")),
                        ("/approval", json!({"status": "approved", "approver": "bob"})),
                        ("/context", talk()),
                        ("/mfa", json!(true)),
                        ("/approved", json!(true)),
                        ("/window", json!("open")),
                        ("/principal/approved", json!(true)),
                        ("/tool/approved", json!(true)),
                        ("/server/environment", json!("lab")),
                    ]);
                }
                let input = with(call(groups, "catalyst-center", risk), &edits);
                all.push(Case { rail: Rail::ClaimsProveNothing, input, bound: Bound::NotAllowed });
            }
        }
    }
}

fn control(all: &mut Vec<Case>, groups: &[Json]) {
    let act = json!([{"subject": "agent"}]);
    let callers: [Vec<(&str, Json)>; 4] = [
        vec![("/principal/act", act.clone())],
        vec![("/principal/kind", json!("client"))],
        vec![("/principal/kind", json!("client")), ("/principal/act", act.clone())],
        vec![("/principal/act", json!([{"subject": "a"}, {"subject": "b", "issuer": "https://other.example"}]))],
    ];
    let proven = [
        ("/elevation", elevation()),
        ("/change", grant()),
        ("/principal/mfa", json!(true)),
        ("/principal/amr", json!(["pwd", "otp"])),
        ("/principal/auth_time", json!(NOW - 10)),
    ];
    for connector in CONNECTORS {
        for groups in groups {
            for caller in &callers {
                let input = with(with(call(groups, connector, GUARDED[2]), &proven), caller);
                all.push(Case { rail: Rail::ControlNeedsAPerson, input, bound: Bound::Denied });
            }
        }
    }
}

/// Everything is proven but the token itself.
fn userinfo(all: &mut Vec<Case>, groups: &[Json]) {
    let edits = [("/principal/proof", json!("userinfo")), ("/elevation", elevation()), ("/change", grant())];
    for groups in groups {
        for connector in CONNECTORS {
            for risk in GUARDED.into_iter().chain([("probe", "execute")]) {
                let input = with(call(groups, connector, risk), &edits);
                all.push(Case { rail: Rail::UserinfoReadsAndRecords, input, bound: Bound::Denied });
            }
        }
    }
}

/// The tools that show what others did, with everything proven, for the groups that operate.
fn audit(all: &mut Vec<Case>) {
    let sets = [json!([]), json!(GROUPS)].into_iter().chain(GROUPS.iter().map(|group| json!([group])));
    for groups in sets {
        for (tool, risk) in AUDIT_TOOLS {
            let named = [("/tool/name", json!(tool)), ("/elevation", elevation()), ("/change", grant())];
            let input = with(call(&groups, "interlock", risk), &named);
            all.push(Case { rail: Rail::AuditIsReserved, input, bound: Bound::Denied });
        }
    }
}

fn unknown_risk(all: &mut Vec<Case>, groups: &[Json]) {
    let risks = [
        json!("telepathic"),
        json!("READ"),
        json!("read "),
        json!(""),
        json!(null),
        json!(0),
        json!(["read"]),
        json!({"read": "read"}),
        json!(true),
    ];
    let fresh = [
        ("/principal/amr", json!(["pwd", "otp"])),
        ("/principal/mfa", json!(true)),
        ("/principal/auth_time", json!(NOW - 10)),
        ("/change", grant()),
    ];
    for groups in groups {
        for risk in &risks {
            for action in ["read", "execute"] {
                // What `change` would be allowed by is not enough here: only a single-use elevation is (T4).
                let input = with(
                    with(call(groups, "catalyst-center", ("disruptive", action)), &fresh),
                    &[("/tool/risk", risk.clone())],
                );
                all.push(Case { rail: Rail::UnknownRiskIsDisruptive, input, bound: Bound::NotAllowed });
            }
        }
        let mut input = with(call(groups, "interlock", ("read", "read")), &fresh);
        if let Some(tool) = input["tool"].as_object_mut() {
            tool.remove("risk");
        }
        all.push(Case { rail: Rail::UnknownRiskIsDisruptive, input, bound: Bound::NotAllowed });
    }
}

/// A run's facts with something missing: too few proven approvers, none, one for what is disruptive, an end that has come, a
/// run that says it is one by another word.
fn runs(all: &mut Vec<Case>, groups: &[Json]) {
    let unproven = [
        ("proven_approvers", json!(0)),
        ("proven_approvers", json!(-1)),
        ("proven_approvers", json!(null)),
        ("proven_approvers", json!("5")),
        ("proven_approvers", json!([5])),
        ("proven_approvers", json!(true)),
        ("run", json!(false)),
        ("run", json!("true")),
        ("run", json!(1)),
        ("run", json!(null)),
        ("expires_at", json!(NOW)),
        ("expires_at", json!("never")),
        ("id", json!("")),
    ];
    let mut push = |groups: &Json, risk, change: Json, bound| {
        for protocol in ["internal", "mcp"] {
            let edits = [("/change", change.clone()), ("/protocol", json!(protocol)), ("/arguments", talk())];
            let input = with(call(groups, "catalyst-center", risk), &edits);
            all.push(Case { rail: Rail::NoRunWithoutProof, input, bound });
        }
    };
    for groups in groups {
        for (member, value) in &unproven {
            for risk in GUARDED {
                push(groups, risk, with(run(), &[(*member, value.clone())]), Bound::NotAllowed);
            }
        }
        push(groups, GUARDED[1], with(run(), &[("proven_approvers", json!(1))]), Bound::NotAllowed);
        push(groups, GUARDED[2], run(), Bound::NotAllowed);
    }
    for groups in groups {
        for caller in [("/principal/kind", json!("client")), ("/principal/act", json!([{"subject": "agent"}]))] {
            let proven = [("/change", run()), ("/elevation", elevation()), caller];
            let input = with(call(groups, "catalyst-center", GUARDED[2]), &proven);
            all.push(Case { rail: Rail::NoRunWithoutProof, input, bound: Bound::Denied });
        }
    }
}

fn without_grant(all: &mut Vec<Case>, groups: &[Json]) {
    let proven = [
        ("/elevation", elevation()),
        ("/principal/mfa", json!(true)),
        ("/principal/amr", json!(["pwd", "otp"])),
        ("/principal/auth_time", json!(NOW - 10)),
    ];
    let edited = |edit: (&str, Json)| with(grant(), &[edit]);
    let no_grant = [
        json!(null),
        json!({}),
        json!(true),
        edited(("expires_at", json!(NOW))),
        edited(("expires_at", json!(NOW - 1))),
        edited(("approvers", json!(0))),
        edited(("id", json!(""))),
        edited(("expires_at", json!("never"))),
        edited(("approvers", json!("5"))),
    ];
    let mut push = |groups: &Json, connector: &str, risk, change: &Json| {
        for arguments in [json!({}), talk()] {
            let edits = [("/change", change.clone()), ("/arguments", arguments)];
            let input = with(with(call(groups, connector, risk), &proven), &edits);
            all.push(Case { rail: Rail::NoChangeWithoutGrant, input, bound: Bound::NotAllowed });
        }
    };
    for groups in groups {
        for change in &no_grant {
            push(groups, "catalyst-center", GUARDED[0], change);
            push(groups, "catalyst-center", GUARDED[1], change);
        }
        // Two approvers for what is disruptive (T6).
        push(groups, "catalyst-center", GUARDED[1], &edited(("approvers", json!(1))));
        for connector in CONNECTORS.into_iter().skip(1) {
            push(groups, connector, GUARDED[0], &no_grant[0]);
            push(groups, connector, GUARDED[1], &no_grant[0]);
        }
    }
}
