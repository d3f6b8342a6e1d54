//! Policies that misbehave: each costs its own call and nothing else (T8).

use platform::ErrorKind;
use platform::policy::{PolicyEngine, Profile, Risk};
use policy_rego::{Bundle, RegoEngine};

use crate::calls::call;

/// The shipped policy with a rule in the package that the decision depends on when a call carries `arguments.trigger`.
fn with_trigger(body: &str) -> RegoEngine {
    let authz = Bundle::embedded(Profile::Production).unwrap().source("interlock/authz.rego").unwrap().to_owned();
    let decision = "denies contains \"triggered\" if {\n\tis_string(input.arguments.trigger)\n\ttrigger\n}\n\n";
    let rego = format!("{authz}\n{decision}default trigger := false\n\n{body}\n");
    RegoEngine::new(Bundle::embedded(Profile::Production).unwrap().with_source("interlock/authz.rego", rego)).unwrap()
}

async fn costs_its_own_call_only(engine: &RegoEngine, detail: &str) {
    let harmless = call(&["admin"], "github", "t", Risk::Read);
    let mut harmful = harmless.clone();
    harmful.arguments = serde_json::json!({"trigger": ""});
    for _ in 0..3 {
        let error = engine.decide(&harmful).await.unwrap_err();
        assert_eq!((error.kind(), error.code()), (ErrorKind::Unavailable, "policy_unavailable"));
        assert!(error.detail().unwrap().contains(detail), "{error:?}");
        assert!(!error.message().contains(detail), "the operator's detail is not for the caller");
        assert!(engine.decide(&harmless).await.unwrap().allow);
    }
}

#[tokio::test]
async fn t8_a_policy_that_panics_costs_its_own_call_only() {
    let engine = with_trigger("trigger if strings.count(\"abc\", input.arguments.trigger) > 0");
    costs_its_own_call_only(&engine, "panicked").await;
}

#[tokio::test]
async fn t8_a_policy_that_runs_away_costs_its_own_call_only() {
    let body = "trigger if {\n\tis_string(input.arguments.trigger)\n\tsome a in numbers.range(1, 3000)\n\tsome b in numbers.range(1, 3000)\n\ta * b == -1\n}";
    costs_its_own_call_only(&with_trigger(body), "limit").await;
}

#[tokio::test]
async fn t8_an_answer_that_is_not_the_document_is_no_decision() {
    let authz = Bundle::embedded(Profile::Production).unwrap().source("interlock/authz.rego").unwrap().to_owned();
    let at = authz.find("decision := {").unwrap();
    for (document, detail) in [
        ("decision := true", "not a decision document"),
        ("decision := {\"allow\": true}", "missing field"),
        ("decision := \"allow\"", "not a decision document"),
        ("decision := {} if input.never", "undefined"),
        (
            "decision := {\"allow\": false, \"effect\": \"deny\", \"reasons\": [], \"obligations\": {}, \"valid_until\": null, \"revision\": \"other\"}",
            "was not asked",
        ),
        (
            "decision := {\"allow\": \"no\", \"effect\": \"deny\", \"reasons\": [], \"obligations\": {}, \"valid_until\": null, \"revision\": revision}",
            "not a decision document",
        ),
        (
            "decision := {\"allow\": false, \"effect\": \"allow\", \"reasons\": [], \"obligations\": {}, \"valid_until\": null, \"revision\": revision}",
            "allow: false",
        ),
        (
            "decision := {\"allow\": false, \"effect\": \"deny\", \"reasons\": [], \"obligations\": {}, \"valid_until\": null, \"revision\": revision, \"extra\": 1}",
            "unknown field",
        ),
    ] {
        let visible =
            Bundle::embedded(Profile::Production).unwrap().source("interlock/visible.rego").unwrap().to_owned();
        let sources = [
            ("interlock/authz.rego".to_owned(), format!("{}{document}\n", &authz[..at])),
            ("interlock/visible.rego".to_owned(), visible),
        ];
        let data = ["profiles", "roles", "risk"].map(|name| {
            (name.to_owned(), Bundle::embedded(Profile::Production).unwrap().document(name).unwrap().clone())
        });
        let error = RegoEngine::new(Bundle::new(Profile::Production, sources, data)).unwrap_err().to_string();
        assert!(error.contains("every_input_decides") && error.contains(detail), "{document}: {error}");
    }
}
