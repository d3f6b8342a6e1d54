//! A decision in sentences, for the operator's command line.

use platform::Json;
use platform::policy::{Decision, Effect};

/// Several lines: the outcome, the call, each reason with what it means, each obligation.
pub(crate) fn text(input: &Json, decision: &Decision) -> String {
    let at = |pointer: &str| input.pointer(pointer).and_then(Json::as_str).unwrap_or("?").to_owned();
    let outcome = match decision.effect {
        Effect::Allow => "allowed",
        Effect::Challenge => "not yet: something must be proven first",
        Effect::Deny => "denied",
    };
    let mut lines = vec![
        format!("{outcome} (policy revision {})", decision.revision),
        format!("call: {} on {} (risk {})", at("/tool/name"), at("/server/name"), at("/tool/risk")),
    ];
    lines.extend(decision.reasons.iter().map(|reason| format!("- {reason}: {}", meaning(reason))));
    for (name, obligation) in &decision.obligations {
        let parameters: Vec<String> =
            obligation.parameters.iter().map(|(key, value)| format!("{key}={value}")).collect();
        let state = if obligation.met { "met" } else { "unmet" };
        lines.push(format!("obligation {name}: {state} ({})", parameters.join(", ")));
    }
    if let Some(until) = decision.valid_until {
        lines.push(format!("may be kept until {until}"));
    }
    lines.join("\n")
}

fn meaning(reason: &str) -> &'static str {
    match reason {
        "deny:no_grant" => "no group of the caller has a grant for this connector and action",
        "deny:input_invalid" => "a member of the input is missing or has the wrong type",
        "deny:action_mismatch" => "the action is not the one of the tool's risk class",
        "deny:connector_mismatch" => "the server belongs to another connector than the one that was asked for",
        "deny:needs_a_person" => "this risk class needs a second factor, which a program cannot pass",
        "deny:control_by_agent" => "an agent never governs the platform, whoever it acts for",
        "unmet:step_up" => "the person passes a second factor first",
        "unmet:change" => "an approved change has to cover this call",
        _ if reason.starts_with("grant:") => "this group's grant covers the call",
        _ => "a reason of this policy",
    }
}
