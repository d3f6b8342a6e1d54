//! The gate: what lets a bundle in and what keeps it out (T8).

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use platform::policy::{Decision, Effect, PolicyEngine, Profile, Risk};
use policy_rego::{ActivationError, Bundle, RegoEngine};
use serde_json::json;

use crate::calls::{call, elevation, shipped};

#[test]
fn the_shipped_policy_passes_its_own_gate_in_both_profiles() {
    for profile in Profile::ALL {
        let failed: Vec<_> =
            Bundle::embedded(profile).unwrap().test().unwrap().tests.into_iter().filter(|t| !t.passed).collect();
        assert_eq!(failed, [], "tests of the shipped policy");
        let started = Instant::now();
        let engine = RegoEngine::embedded(profile).unwrap();
        let cases = platform::policy::guard_rails::cases(profile, &Default::default()).count();
        println!("{profile}: active after {:?}, more than {cases} guard-rail cases", started.elapsed());
        assert!(cases > 1000, "{cases}");
        let report = engine.test().unwrap();
        assert!(report.passed(), "{report:?}");
        assert!(report.tests.len() >= 50, "only {} tests were found", report.tests.len());
        assert_eq!(engine.profile(), profile);
    }
}

#[test]
fn the_folder_and_the_binary_hold_the_same_policy() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../policies");
    for profile in Profile::ALL {
        let from_dir = Bundle::from_dir(&folder, profile).unwrap();
        assert_eq!(from_dir.revision().unwrap(), Bundle::embedded(profile).unwrap().revision().unwrap());
    }
}

#[test]
fn a_revision_names_sources_data_and_profile() {
    let lab = Bundle::embedded(Profile::LabOpen).unwrap();
    let revision = lab.revision().unwrap();
    assert_eq!(revision.len(), 16);
    assert_ne!(revision, Bundle::embedded(Profile::Production).unwrap().revision().unwrap());
    assert_ne!(revision, lab.clone().with_data("extra", json!(1)).revision().unwrap());
    assert_ne!(revision, lab.with_source("interlock/more.rego", "package more").revision().unwrap());
}

#[test]
fn t6_every_tool_of_the_risk_table_has_its_class_and_others_are_disruptive() {
    let table = shipped(Profile::Production).risk_table().unwrap();
    assert_eq!(table.risk("catalyst-center", "deploy_template"), Risk::Change);
    assert_eq!(table.risk("catalyst-center", "list_devices"), Risk::Read);
    assert_eq!(table.risk("interlock", "whoami"), Risk::Read);
    assert_eq!(table.risk("catalyst-center", "reload"), Risk::Disruptive);
}

/// Tries to activate a bad bundle and checks that the good one still answers.
fn refused(bad: Bundle) -> ActivationError {
    let engine = shipped(Profile::Production);
    let before = engine.revision();
    let error = engine.activate(bad).unwrap_err();
    assert_eq!(engine.revision(), before, "the policy before stays active");
    let input = serde_json::to_value(call(&["admin"], "github", "t", Risk::Read)).unwrap();
    assert!(engine.eval(&input).unwrap().allow);
    error
}

fn good() -> Bundle {
    Bundle::embedded(Profile::Production).unwrap()
}

#[test]
fn t8_a_failing_test_blocks_activation_and_is_named_with_its_line() {
    let rego = "package interlock.more_test\n\nimport rego.v1\n\ntest_true if true\n\ntest_two_is_three if 2 == 3\n";
    let error = refused(good().with_source("interlock/more_test.rego", rego));
    let ActivationError::Test { test, path, line, reason } = &error else { panic!("{error}") };
    assert_eq!(
        (test.as_str(), path.as_str(), *line),
        ("data.interlock.more_test.test_two_is_three", "interlock/more_test.rego", 7)
    );
    assert_eq!(reason, "it is undefined");
    let error = platform::Error::from(error);
    assert_eq!(error.code(), "policy_refused");
    assert!(error.detail().unwrap().contains("interlock/more_test.rego:7"));
}

#[test]
fn t8_a_test_that_is_not_true_but_something_else_does_not_hold() {
    for (body, reason) in [("test_x := 7", "it is 7"), ("test_x := false", "it is false")] {
        let rego = format!("package interlock.more_test\nimport rego.v1\n{body}\n");
        let error = refused(good().with_source("interlock/more_test.rego", rego));
        assert!(matches!(&error, ActivationError::Test { reason: r, .. } if r == reason), "{error}");
    }
}

#[test]
fn t8_a_source_that_does_not_parse_is_named_with_its_line() {
    let error =
        refused(good().with_source("interlock/broken.rego", "package interlock.authz\nimport rego.v1\nallow if {"));
    let ActivationError::Source { path, reason } = &error else { panic!("{error}") };
    assert_eq!(path, "interlock/broken.rego");
    assert!(reason.contains("interlock/broken.rego:3") || reason.contains("3:"), "{reason}");
}

#[test]
fn t8_a_call_of_a_builtin_that_the_engine_lacks_is_refused_at_activation() {
    let rego = "package interlock.authz\nimport rego.v1\nclaims contains c if c := io.jwt.decode(input.token)\n";
    let error = refused(good().with_source("interlock/more.rego", rego));
    assert!(error.to_string().contains("io.jwt.decode"), "{error}");
}

#[test]
fn a_bundle_without_a_decision_does_not_compile() {
    let error = refused(Bundle::new(
        Profile::Production,
        [("x.rego".to_owned(), "package x\nimport rego.v1\na := 1".to_owned())],
        [("profiles".to_owned(), json!({"production": {}}))],
    ));
    assert!(matches!(error, ActivationError::Compile(_)), "{error}");
}

#[test]
fn data_may_not_take_the_platforms_names_or_lack_the_profile() {
    for name in ["revision", "profile", "interlock"] {
        let error = refused(good().with_data(name, json!({})));
        assert!(matches!(&error, ActivationError::Data { name: n, .. } if n == name), "{error}");
    }
    let error = refused(good().with_data("profiles", json!({"lab-open": {}})));
    assert!(error.to_string().contains("no profile `production`"), "{error}");
    let error = refused(good().with_data("risk", json!({"catalyst-center": {"x": "harmless"}})));
    assert!(matches!(&error, ActivationError::Data { name, .. } if name == "risk"), "{error}");
}

#[test]
fn an_accepted_bundle_answers_from_then_on() {
    let engine = RegoEngine::embedded(Profile::LabOpen).unwrap();
    let mut input = call(&["network-engineers"], "catalyst-center", "deploy_template", Risk::Change);
    input.elevation = Some(elevation());
    let input = serde_json::to_value(input).unwrap();
    assert_eq!(engine.eval(&input).unwrap().effect, Effect::Allow);
    let revision = engine.activate(good()).unwrap();
    let decision = engine.eval(&input).unwrap();
    assert_eq!((decision.effect, decision.revision), (Effect::Challenge, revision.0));
}

#[test]
fn t8_the_swap_is_atomic_under_concurrent_decisions() {
    let engine = RegoEngine::embedded(Profile::LabOpen).unwrap();
    let lab = Bundle::embedded(Profile::LabOpen).unwrap();
    let (open, strict) = (lab.revision().unwrap(), good().revision().unwrap());
    let mut input = call(&["network-engineers"], "catalyst-center", "deploy_template", Risk::Change);
    input.elevation = Some(elevation());
    let input = serde_json::to_value(input).unwrap();
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let askers: Vec<_> = (0..3)
            .map(|_| {
                scope.spawn(|| {
                    let (mut opened, mut challenged) = (0_u32, 0_u32);
                    while !done.load(Ordering::Relaxed) || opened == 0 || challenged == 0 {
                        // A busy machine may cost a decision its time; it never mixes two bundles.
                        let Ok(Decision { effect, revision, .. }) = engine.eval(&input) else { continue };
                        // Each answer is wholly of one bundle: its effect and its revision belong together.
                        match effect {
                            Effect::Allow => assert_eq!(revision, open),
                            _ => assert_eq!(revision, strict),
                        }
                        opened += u32::from(effect == Effect::Allow);
                        challenged += u32::from(effect == Effect::Challenge);
                        if done.load(Ordering::Relaxed) {
                            break;
                        }
                    }
                    (opened, challenged)
                })
            })
            .collect();
        for _ in 0..2 {
            engine.activate(good()).unwrap();
            engine.activate(lab.clone()).unwrap();
        }
        done.store(true, Ordering::Relaxed);
        let seen: Vec<_> = askers.into_iter().map(|asker| asker.join().unwrap()).collect();
        assert!(
            seen.iter().any(|(opened, _)| *opened > 0) && seen.iter().any(|(_, challenged)| *challenged > 0),
            "{seen:?}"
        );
    });
}
