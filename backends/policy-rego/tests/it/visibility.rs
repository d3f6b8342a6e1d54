//! What is decided against what is listed (T10), totality (T8), and what a decision costs.

use std::time::Instant;

use platform::policy::{CatalogueEntry, Decision, Effect, PolicyEngine, Profile, RiskTable, VisibilityInput};
use platform::principal::{PrincipalKind, TokenProof};
use policy_rego::Bundle;

use crate::calls::{Dice, NOW, call, elevation, grant, shipped};

#[tokio::test]
async fn t10_whatever_is_allowed_or_challenged_is_visible() {
    const INPUTS: usize = 5_000;
    for (profile, seed) in [(Profile::LabOpen, 7), (Profile::Production, 11)] {
        let engine = shipped(profile);
        let mut dice = Dice::new(seed);
        let (mut allowed, mut challenged, mut hidden) = (0, 0, 0);
        for _ in 0..INPUTS {
            let input = dice.call();
            let decision = engine.decide(&input).await.unwrap();
            let entry = CatalogueEntry { server: input.server.clone(), tool: input.tool.clone(), action: input.action };
            let asked = VisibilityInput {
                groups: input.groups.clone(),
                kind: input.principal.kind,
                acting: !input.principal.act.is_empty(),
                proof: input.principal.proof,
                tools: vec![entry],
            };
            let visible = !engine.visible(&asked).await.unwrap().is_empty();
            assert!(visible || decision.effect == Effect::Deny, "{decision:?}\n{input:?}");
            allowed += usize::from(decision.effect == Effect::Allow);
            challenged += usize::from(decision.effect == Effect::Challenge);
            hidden += usize::from(!visible);
        }
        println!("{profile}: {INPUTS} inputs: {allowed} allowed, {challenged} challenged, {hidden} hidden");
        assert!(
            allowed > INPUTS / 20 && challenged > INPUTS / 20 && hidden > INPUTS / 20,
            "the inputs must reach every outcome"
        );
    }
}

/// T6 and T8 in Rust, written from the rules and not from the Rego: what an allowed call must have proven.
#[tokio::test]
async fn t8_what_is_allowed_was_proven() {
    use platform::policy::Risk;
    for profile in Profile::ALL {
        let engine = shipped(profile);
        let mut dice = Dice::new(23);
        let mut allowed_writes = 0;
        for _ in 0..5_000 {
            let input = dice.call();
            let Decision { allow: true, valid_until, .. } = engine.decide(&input).await.unwrap() else { continue };
            let risk = input.tool.risk;
            assert_eq!(input.action, risk.action());
            assert_eq!(input.resource, input.server.connector);
            assert_eq!(valid_until.is_some(), !risk.is_write());
            assert!(
                input.principal.proof != TokenProof::Userinfo || matches!(risk, Risk::Read | Risk::Record),
                "{input:?}"
            );
            if matches!(risk, Risk::Read | Risk::Probe | Risk::Record) {
                continue;
            }
            allowed_writes += 1;
            let p = &input.principal;
            assert_eq!(p.kind, PrincipalKind::Person);
            let fresh = |at: i64| NOW - at < 900 && at <= NOW + 60;
            let token = risk == Risk::Change && p.mfa && p.auth_time.is_some_and(fresh);
            let elevated = input.elevation.as_ref().is_some_and(|e| {
                fresh(e.authenticated_at) && e.expires_at > NOW && (risk != Risk::Disruptive || e.single_use)
            });
            let approvers = if risk == Risk::Disruptive { 2 } else { 1 };
            let run = risk != Risk::Control
                && input.change.as_ref().is_some_and(|c| {
                    c.run && c.expires_at > NOW && c.approvers >= approvers && c.proven_approvers >= approvers
                });
            assert!(token || elevated || run, "{input:?}");
            assert!(risk != Risk::Control || p.act.is_empty(), "{input:?}");
            if profile == Profile::Production && risk != Risk::Control {
                let change = input.change.as_ref().unwrap();
                assert!(!change.id.is_empty() && change.expires_at > NOW && change.approvers >= approvers, "{input:?}");
                let may = |groups: &&Vec<String>| groups.iter().any(|g| g == "network-engineers" || g == "admin");
                assert!(change.approver_groups.iter().filter(may).count() >= approvers as usize, "{input:?}");
            }
        }
        println!("{profile}: {allowed_writes} allowed calls above `record` had proven what they need");
        assert!(allowed_writes > 20);
    }
}

#[test]
fn t8_every_json_decides_and_none_is_allowed() {
    let engine = shipped(Profile::LabOpen);
    let mut dice = Dice::new(42);
    for _ in 0..5_000 {
        let input = dice.json(4);
        let decision = engine.eval(&input).unwrap_or_else(|error| panic!("{error:?} for {input}"));
        assert_eq!(decision.effect, Effect::Deny, "{input}");
    }
    // Well-typed calls with one member replaced: closer to the grants.
    for _ in 0..5_000 {
        let mut input = serde_json::to_value(dice.call()).unwrap();
        let pointers = [
            "/groups",
            "/resource",
            "/action",
            "/principal",
            "/principal/kind",
            "/principal/act",
            "/server",
            "/server/connector",
            "/tool",
            "/tool/name",
            "/tool/risk",
            "/change",
            "/elevation",
            "/now",
            "/principal/auth_time",
            "/arguments",
        ];
        *input.pointer_mut(dice.pick::<&str>(&pointers)).unwrap() = dice.json(2);
        engine.eval(&input).unwrap_or_else(|error| panic!("{error:?} for {input}"));
    }
}

#[tokio::test]
async fn t10_one_query_answers_for_a_large_catalogue() {
    let engine = shipped(Profile::Production);
    let table: RiskTable = Bundle::embedded(Profile::Production).unwrap().risk_table().unwrap();
    let mut tools = Vec::new();
    for nth in 0..1_000 {
        let name = format!("tool_{nth}");
        let connector = ["catalyst-center", "github", "servicenow", "interlock"][nth % 4];
        let input = call(&[], connector, &name, table.risk(connector, &name));
        tools.push(CatalogueEntry { server: input.server, tool: input.tool, action: input.action });
    }
    let groups = vec!["network-engineers".to_owned(), "developers".to_owned()];
    let kind = PrincipalKind::Person;
    let asked = VisibilityInput { groups, kind, acting: false, proof: TokenProof::Signature, tools };
    let started = Instant::now();
    let seen = engine.visible(&asked).await.unwrap();
    println!("visible: 1,000 tools in {:?}", started.elapsed());
    assert_eq!(seen.len(), 500);
}

#[tokio::test]
async fn what_a_decision_costs_is_printed() {
    let engine = shipped(Profile::Production);
    let read = call(&["network-engineers"], "catalyst-center", "list_devices", platform::policy::Risk::Read);
    let mut change = call(&["network-engineers"], "catalyst-center", "deploy_template", platform::policy::Risk::Change);
    change.elevation = Some(elevation());
    change.change = Some(grant(1));
    for (name, input) in [("read", read), ("change, all met", change)] {
        let mut best = u128::MAX;
        for _ in 0..20 {
            let started = Instant::now();
            for _ in 0..50 {
                assert!(engine.decide(&input).await.unwrap().allow);
            }
            best = best.min(started.elapsed().as_nanos() / 50);
        }
        println!("decision, {name}: {} us (best of 20 rounds, dev profile)", best / 1000);
    }
}
