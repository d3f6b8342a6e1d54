//! T15, T27: what nobody may read, in the plan, in the change's record, in the audit and in what is staged in clear; and how an
//! auditor is shown a single value.

use serde_json::json;
use tool_runtime::ports::template_source::TemplateParameter;

use super::{Lab, deployment};

/// What must not be found: from the running configuration, from parameters called secret by the caller or by the template, from
/// one that nobody called secret, and from one inside other words.
const CANARIES: [&str; 6] =
    ["canary.running", "canary-community", "canary-caller", "canary-template", "canary-unmarked", "canary-fixed"];

const TEXT: &str = "username ops secret 9 $9$canary-fixed\nusername guest password {{ psk }}\nsnmp-server community {{ caller }} RO\n\
                    snmp-server location {{ caller }}\ntacacs server A\n address ipv4 10.9.9.9\n key {{ plain }}\ninterface \
                    GigabitEthernet1/0/1\n description {{ told }}\n";

async fn lab() -> Lab {
    let lab = Lab::start().await;
    lab.template("secret", &[TEXT], &["caller", "plain", "told"]);
    let sensitive = TemplateParameter { name: "psk".into(), sensitive: true };
    lab.network.state().templates.get_mut("secret").unwrap().parameters.push(sensitive);
    lab
}

fn request() -> super::PlanRequest {
    deployment(
        &["d1"],
        json!({
            "template_id": "secret", "secret_params": {"caller": "canary-caller"},
            "params": {"psk": "canary-template", "plain": "canary-unmarked", "told": "with canary-unmarked in it"},
        }),
    )
}

#[tokio::test]
async fn t27_no_canary_is_in_the_plan_the_change_or_any_record() {
    let lab = lab().await;
    let (change, plan) = lab.planned(request()).await;
    let public = serde_json::to_string_pretty(&plan).unwrap();
    let row = serde_json::to_string(&change).unwrap();
    let kept = lab.rig.kept();
    for canary in CANARIES {
        assert!(!public.contains(canary), "{canary} in {public}");
        assert!(!row.contains(canary) && !kept.contains(canary), "{canary}");
    }
    let device = &plan.devices[0];
    assert!(public.contains("changed (masked)"), "a changed secret shows as changed: {public}");
    for name in ["caller", "psk", "plain", "told"] {
        assert_eq!(device.params[name]["masked"], "<masked>", "{name}");
    }
    // The steps stand in records of attempts: what is secret in them is sealed.
    let opened = lab.changes.open_plan(&change, &lab.ports(&change)).await.unwrap();
    let forward = serde_json::to_string(&opened.sealed.devices[0].forward).unwrap();
    assert!(CANARIES.iter().all(|canary| !forward.contains(canary)), "{forward}");
    assert!(opened.sealed.devices[0].forward.params.is_empty() && opened.sealed.devices[0].forward.secrets.is_some());
}

#[tokio::test]
async fn t15_an_auditor_is_shown_single_values_and_sees_that_they_are_the_ones() {
    let lab = lab().await;
    let (change, plan) = lab.planned(request()).await;
    let ports = lab.ports(&change);
    let open = async |place: &str| lab.changes.open_commitment(&change, &ports, place).await;
    let line = open("/devices/d1/lines/2").await.unwrap();
    assert_eq!(line.value.expose(), "snmp-server community canary-caller RO");
    assert_eq!(line.commitment, plan.devices[0].lines[2].commitment);
    assert_eq!(open("/devices/d1/params/psk").await.unwrap().value.expose(), "\"canary-template\"");
    assert!(open("/devices/d1/baseline").await.unwrap().value.expose().contains("canary-community"));
    assert!(open("/devices/d1/predicted").await.unwrap().value.expose().contains("canary-unmarked"));
    let check = plan.devices[0].checks.last().unwrap();
    let before = open(&format!("/devices/d1/before/{}", check.name)).await.unwrap();
    assert_eq!(Some(&before.commitment), check.before.as_ref());
    let sealed = lab.changes.open_plan(&change, &ports).await.unwrap().sealed;
    assert_eq!(before.value.expose(), sealed.devices[0].before[&check.name].to_string());
    for unknown in ["/devices/d1/lines/99", "/devices/d2/baseline", "lines", ""] {
        assert_eq!(open(unknown).await.unwrap_err().code(), "place_unknown", "{unknown}");
    }
}

#[tokio::test]
async fn t15_two_plans_of_the_same_thing_have_no_commitment_in_common() {
    let lab = lab().await;
    let (_, first) = lab.planned(request()).await;
    let (_, second) = lab.planned(request()).await;
    assert_ne!(first.devices[0].baseline.commitment, second.devices[0].baseline.commitment);
    let all = |plan: &change_control::model::plan::PublicPlan| -> Vec<String> {
        plan.devices[0].lines.iter().map(|line| line.commitment.clone()).collect()
    };
    assert!(all(&first).iter().all(|commitment| !all(&second).contains(commitment)));
}
