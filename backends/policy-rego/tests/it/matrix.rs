//! The role × tool matrix of both profiles, as snapshots: what each sort of caller may do with each tool (T6, T8, T10).

use std::collections::BTreeSet;
use std::fmt::Write as _;

use platform::policy::{CatalogueEntry, Effect, PolicyEngine, Profile, Risk, VisibilityInput};
use platform::principal::PrincipalKind;
use policy_rego::{Bundle, RegoEngine};

use crate::calls::{agent, call, shipped};

/// A sort of caller: its column, groups, kind, and whether an agent acts.
type Caller = (&'static str, &'static [&'static str], PrincipalKind, bool);

const CALLERS: [Caller; 8] = [
    ("admin", &["admin"], PrincipalKind::Person, false),
    ("network-engineers", &["network-engineers"], PrincipalKind::Person, false),
    ("service-desk", &["service-desk"], PrincipalKind::Person, false),
    ("developers", &["developers"], PrincipalKind::Person, false),
    ("auditors", &["auditors"], PrincipalKind::Person, false),
    ("none", &[], PrincipalKind::Person, false),
    ("client (network-engineers)", &["network-engineers"], PrincipalKind::Client, false),
    ("agent for network-engineers", &["network-engineers"], PrincipalKind::Person, true),
];

/// Connector, tool and risk of every row: the operator's table, and one tool of each class that it does not name.
fn rows(bundle: &Bundle) -> Vec<(String, String, Risk)> {
    let table = bundle.risk_table().unwrap();
    let document = bundle.document("risk").unwrap().as_object().unwrap();
    let mut rows: Vec<_> = document
        .iter()
        .flat_map(|(connector, tools)| {
            tools.as_object().unwrap().keys().map(move |tool| (connector.clone(), tool.clone()))
        })
        .map(|(connector, tool)| (table.risk(&connector, &tool), connector, tool))
        .map(|(risk, connector, tool)| (connector, tool, risk))
        .collect();
    rows.push((
        "catalyst-center".to_owned(),
        "(unannotated)".to_owned(),
        table.risk("catalyst-center", "(unannotated)"),
    ));
    rows.push(("catalyst-center".to_owned(), "(a probe)".to_owned(), Risk::Probe));
    rows.push(("interlock".to_owned(), "(a control tool)".to_owned(), Risk::Control));
    for connector in ["servicenow", "github", "rest-api-proxy"] {
        rows.push((connector.to_owned(), "(a read)".to_owned(), Risk::Read));
        rows.push((connector.to_owned(), "(a record)".to_owned(), Risk::Record));
    }
    rows
}

async fn cell(
    engine: &RegoEngine,
    (_, groups, kind, acting): Caller,
    (connector, tool, risk): &(String, String, Risk),
) -> String {
    let mut input = call(groups, connector, tool, *risk);
    input.principal.kind = kind;
    input.principal.act = if acting { vec![agent()] } else { vec![] };
    let decision = engine.decide(&input).await.unwrap();
    let entry = CatalogueEntry { server: input.server.clone(), tool: input.tool.clone(), action: input.action };
    let asked = VisibilityInput {
        groups: input.groups.clone(),
        kind,
        acting,
        proof: input.principal.proof,
        tools: vec![entry],
    };
    let seen = engine.visible(&asked).await.unwrap();
    assert!(seen.is_subset(&BTreeSet::from([(input.server.name, tool.clone())])));
    let unmet: Vec<&str> = decision.reasons.iter().filter_map(|reason| reason.strip_prefix("unmet:")).collect();
    match (decision.effect, seen.is_empty()) {
        (Effect::Allow, false) => "allow".to_owned(),
        (Effect::Challenge, false) => format!("challenge({})", unmet.join("+")),
        (Effect::Deny, false) => "deny".to_owned(),
        (Effect::Deny, true) => "hidden".to_owned(),
        (effect, true) => panic!("{effect:?} and hidden: {input:?}", input = asked),
    }
}

async fn matrix(profile: Profile) -> String {
    let bundle = Bundle::embedded(profile).unwrap();
    let rows = rows(&bundle);
    let engine = shipped(profile);
    let mut text = String::new();
    for row in &rows {
        writeln!(text, "{} {} [{}]", row.0, row.1, row.2.as_str()).unwrap();
        for caller in CALLERS {
            writeln!(text, "    {:<28} {}", caller.0, cell(engine, caller, row).await).unwrap();
        }
    }
    text
}

#[tokio::test]
async fn t6_role_and_tool_matrix_of_lab_open() {
    insta::assert_snapshot!("lab_open", matrix(Profile::LabOpen).await);
}

#[tokio::test]
async fn t6_role_and_tool_matrix_of_production() {
    insta::assert_snapshot!("production", matrix(Profile::Production).await);
}

#[tokio::test]
async fn t10_service_desk_never_sees_a_deployment() {
    let text = matrix(Profile::LabOpen).await;
    let at = text.find("deploy_template").unwrap();
    let row: Vec<&str> = text[at..].lines().skip(1).take(CALLERS.len()).collect();
    assert!(row[2].contains("service-desk") && row[2].ends_with("hidden"), "{row:?}");
    assert!(row[1].ends_with("challenge(step_up)"), "{row:?}");
}

#[tokio::test]
async fn t13_the_target_directory_may_read_devices_and_what_everybody_may_and_nobody_else_may_list_them() {
    let bundle = Bundle::embedded(Profile::Production).unwrap();
    let engine = shipped(Profile::Production);
    let directory: Caller = ("the directory", &["platform:target-directory"], PrincipalKind::Client, false);
    let nobody: Caller = ("nobody", &[], PrincipalKind::Client, false);
    for row in rows(&bundle) {
        let port = row.1 == "port_list_targets";
        let allowed = cell(engine, directory, &row).await;
        let expected = if port { "allow".to_owned() } else { cell(engine, nobody, &row).await };
        assert_eq!(allowed, expected, "{row:?}");
        for caller in CALLERS.into_iter().filter(|_| port) {
            assert_eq!(cell(engine, caller, &row).await, "hidden", "{} and {row:?}", caller.0);
        }
    }
}
