//! The guard rails against deliberately bad policies: each is kept out by the rail that was made for it (T8).

use platform::policy::Profile;
use platform::policy::guard_rails::Rail;
use policy_rego::{ActivationError, Bundle, RegoEngine};
use serde_json::json;

/// The shipped sources without their tests, with one edit of authz.rego: the rails must hold on their own.
fn edited(profile: Profile, from: &str, to: &str) -> Bundle {
    let good = Bundle::embedded(profile).unwrap();
    let authz = good.source("interlock/authz.rego").unwrap();
    assert!(authz.contains(from), "the shipped policy no longer says: {from}");
    let sources = [
        ("interlock/authz.rego".to_owned(), authz.replacen(from, to, 1)),
        ("interlock/visible.rego".to_owned(), good.source("interlock/visible.rego").unwrap().to_owned()),
    ];
    let data = ["profiles", "roles", "risk"].map(|name| (name.to_owned(), good.document(name).unwrap().clone()));
    Bundle::new(profile, sources, data)
}

fn kept_out(bundle: Bundle, rail: Rail) {
    match RegoEngine::new(bundle) {
        Err(ActivationError::GuardRails { rails, .. }) => {
            assert!(rails.contains(&rail), "{rail} held, only {rails:?} broke")
        }
        other => panic!("{rail}: {:?}", other.map(|_| "activated")),
    }
}

const NEEDS_STEP_UP: &str = "needs contains \"step_up\" if risk in step_up_risks\n";
const NEEDS_CHANGE: &str = "needs contains \"change\" if risk in change_risks\n";

#[test]
fn t8_the_shipped_sources_hold_without_their_tests() {
    for profile in Profile::ALL {
        RegoEngine::new(edited(profile, NEEDS_STEP_UP, NEEDS_STEP_UP)).unwrap();
    }
}

#[test]
fn t8_admin_exempt_from_step_up() {
    let bad = "needs contains \"step_up\" if {\n\trisk in step_up_risks\n\tcount({\"admin\"} & {g | some g in input.groups}) == 0\n}\n";
    for profile in Profile::ALL {
        kept_out(edited(profile, NEEDS_STEP_UP, bad), Rail::NoWriteWithoutStepUp);
    }
}

#[test]
fn t8_a_group_that_nobody_heard_of_exempt_from_step_up() {
    let bad = "needs contains \"step_up\" if {\n\trisk in step_up_risks\n\tcount({\"night-shift\"} & {g | some g in input.groups}) == 0\n}\n";
    let bundle = edited(Profile::LabOpen, NEEDS_STEP_UP, bad);
    let roles = json!({"everyone": [], "groups": {"night-shift": [{"connectors": "any", "actions": "any"}]}});
    kept_out(bundle.with_data("roles", roles), Rail::NoWriteWithoutStepUp);
}

#[test]
fn t8_admin_exempt_from_approval() {
    let bad = "needs contains \"change\" if {\n\trisk in change_risks\n\tcount({\"admin\"} & {g | some g in input.groups}) == 0\n}\n";
    kept_out(edited(Profile::Production, NEEDS_CHANGE, bad), Rail::NoChangeWithoutGrant);
}

#[test]
fn t8_a_profile_that_asks_for_no_change_outside_the_lab() {
    let good = Bundle::embedded(Profile::Production).unwrap();
    let lab = good.document("profiles").unwrap()["lab-open"].clone();
    let bundle =
        edited(Profile::Production, NEEDS_CHANGE, NEEDS_CHANGE).with_data("profiles", json!({"production": lab}));
    kept_out(bundle, Rail::NoChangeWithoutGrant);
}

#[test]
fn t8_a_ticket_by_its_pattern() {
    let bad = "met contains name if {\n\tsome name in [\"change\", \"step_up\"]\n\tis_string(input.arguments.ticket)\n\tregex.match(`^CHG[0-9]{7}$`, input.arguments.ticket)\n}\n\nunmet := needs - met\n";
    kept_out(edited(Profile::Production, "unmet := needs - met\n", bad), Rail::ClaimsProveNothing);
}

#[test]
fn t8_an_approval_that_the_caller_claims() {
    let bad = "met contains \"change\" if input.arguments.approval.status == \"approved\"\n\nunmet := needs - met\n";
    kept_out(edited(Profile::Production, "unmet := needs - met\n", bad), Rail::NoChangeWithoutGrant);
}

#[test]
fn t4_a_key_alone_taken_for_mfa() {
    let bad = "met contains \"step_up\" if {\n\tis_array(input.principal.amr)\n\tsome m in input.principal.amr\n\tm in {\"hwk\", \"swk\", \"otp\"}\n}\n\nunmet := needs - met\n";
    kept_out(edited(Profile::LabOpen, "unmet := needs - met\n", bad), Rail::NoWriteWithoutStepUp);
}

#[test]
fn t8_control_by_an_agent() {
    kept_out(edited(Profile::LabOpen, "\tnot acts_alone\n", "\tfalse\n"), Rail::ControlNeedsAPerson);
}

#[test]
fn t6_an_unknown_risk_taken_for_a_read() {
    kept_out(
        edited(Profile::LabOpen, "default risk := \"disruptive\"", "default risk := \"read\""),
        Rail::UnknownRiskIsDisruptive,
    );
}

#[test]
fn t8_groups_that_are_a_word() {
    let bad = "grants contains \"word\" if input.groups == \"admin\"\n\nunmet := needs - met\n";
    let bundle = edited(
        Profile::LabOpen,
        "denies contains \"input_invalid\" if not valid_input",
        "denies contains \"input_invalid\" if input.never",
    );
    let authz = bundle.source("interlock/authz.rego").unwrap().replacen("unmet := needs - met\n", bad, 1);
    kept_out(bundle.with_source("interlock/authz.rego", authz), Rail::IllTypedGroupsAllowNothing);
}

#[test]
fn t8_a_run_that_steps_up_by_itself() {
    const PROVEN: &str = "\tinput.change.proven_approvers >= approvers_needed\n";
    for profile in Profile::ALL {
        kept_out(edited(profile, PROVEN, ""), Rail::NoRunWithoutProof);
        kept_out(edited(profile, "\tinput.change.run == true\n", ""), Rail::NoRunWithoutProof);
        kept_out(edited(profile, PROVEN, "\tinput.change.proven_approvers >= 1\n"), Rail::NoRunWithoutProof);
        let governs = "step_up_until := max([elevation_until, object.get(input, [\"change\", \"expires_at\"], 0)]) if risk == \"control\"";
        kept_out(
            edited(profile, "step_up_until := elevation_until if risk == \"control\"", governs),
            Rail::NoRunWithoutProof,
        );
    }
}

#[test]
fn t8_an_exemption_hides_behind_no_approvers_of_another_name() {
    let good = Bundle::embedded(Profile::Production).unwrap();
    let mut profiles = good.document("profiles").unwrap().clone();
    for risk in ["change", "disruptive"] {
        profiles["production"]["approvers"][risk]["groups"] = json!(["advisory-board"]);
    }
    let bad = "needs contains \"step_up\" if {\n\trisk in step_up_risks\n\tcount({\"admin\"} & {g | some g in input.groups}) == 0\n}\n";
    let bundle = edited(Profile::Production, NEEDS_STEP_UP, bad).with_data("profiles", profiles);
    kept_out(bundle, Rail::NoWriteWithoutStepUp);
}

#[test]
fn t8_an_input_without_a_decision() {
    kept_out(edited(Profile::LabOpen, "default valid_until := null\n", ""), Rail::EveryInputDecides);
}

#[test]
fn t26_an_administrator_or_everybody_who_reads_the_audit() {
    const HOLDS: &str = "\tholds(entry.to, input.resource, input.tool.name)\n";
    for profile in Profile::ALL {
        kept_out(edited(profile, HOLDS, ""), Rail::AuditIsReserved);
        let good = Bundle::embedded(profile).unwrap();
        let mut roles = good.document("roles").unwrap().clone();
        roles["reserved"] = json!({});
        kept_out(edited(profile, HOLDS, HOLDS).with_data("roles", roles), Rail::AuditIsReserved);
    }
}
