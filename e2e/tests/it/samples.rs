//! The example of every tool, as a person pastes it into a shell: `x-codeSamples` of the lab's own OpenAPI document, each
//! of them run. Ids come from other tools' answers, as their placeholders say.

use std::collections::BTreeMap;
use std::process::{Command, Stdio};
use std::sync::Arc;

use platform::Json;

use crate::caller::{Answer, CENTER, Caller, OWN};
use crate::lab::Lab;

/// (tool, method) → command.
type Samples = BTreeMap<(String, String), String>;

async fn samples(caller: &Caller, token: &str, server: &str) -> Samples {
    let url = format!("{}/api/v1/openapi.json", caller.lab.url());
    let document = Answer::of(caller.http.get(url).bearer_auth(token)).await.body;
    let mut samples = Samples::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        let Some(tool) = path.strip_prefix(&format!("/api/v1/mcp/{server}/tools/")) else { continue };
        for (method, operation) in item.as_object().unwrap() {
            let source = operation["x-codeSamples"][0]["source"].as_str();
            let source = source.unwrap_or_else(|| panic!("{tool} has no example by {method}"));
            samples.insert((tool.to_owned(), method.clone()), source.to_owned());
        }
    }
    assert!(samples.len() > 5, "{samples:?}");
    samples
}

/// Runs a command as a shell would; curl's exit code and the answer.
fn run(command: &str, ids: &[(&str, &str)], token: &str) -> (i32, Json) {
    let command = ids.iter().fold(command.to_owned(), |c, (name, id)| c.replace(&format!("<{name}>"), id));
    assert!(!command.contains("=<") && !command.contains("\"<"), "a placeholder is left: {command}");
    let mut shell = Command::new("sh");
    shell.args(["-c", &command]).env("INTERLOCK_TOKEN", token).env("no_proxy", "*").stdin(Stdio::null());
    let done = shell.output().unwrap();
    let answer = serde_json::from_slice(&done.stdout)
        .unwrap_or_else(|e| panic!("{e}: {command}\n{}", String::from_utf8_lossy(&done.stderr)));
    (done.status.code().unwrap(), answer)
}

/// What curl ends with when `--fail-with-body` sees a refusal.
const REFUSED: i32 = 22;

/// Tools that take a change a step further, or show what a step has left.
const STEPS: [&str; 7] = [
    "cancel_change",
    "get_change_plan",
    "get_evidence",
    "resume_change",
    "settle_change",
    "submit_change",
    "undo_change",
];

#[tokio::test(flavor = "multi_thread")]
async fn the_example_of_every_tool_works_when_it_is_pasted() {
    let caller = Caller::new(Arc::new(Lab::start()));
    let alice = caller.lab.token("alice").await;
    let center = samples(&caller, &alice, CENTER).await;
    let sample = |tool: &str, method: &str| center[&(tool.to_owned(), method.to_owned())].as_str();
    let device = caller.switches(&alice, CENTER).await.remove(0);
    let deployment = caller.deployment(&alice, CENTER, &device, 120).await;
    let template = deployment["template_id"].as_str().unwrap();
    let mut ids = vec![("device_id", device.as_str()), ("device_ids", device.as_str()), ("template_id", template)];

    let deploy = sample("deploy_template", "post");
    let (code, refused) = run(deploy, &ids, &alice);
    assert_eq!((code, refused["code"].as_str()), (REFUSED, Some("step_up_required")), "{refused}");
    caller.lab.pass_second_factor(refused["url"].as_str().unwrap(), "alice").await.unwrap();
    let (code, deployed) = run(deploy, &ids, &alice);
    assert_eq!(code, 0, "{deployed}");
    ids.push(("deployment_id", deployed["result"]["deployment_id"].as_str().unwrap()));
    let (code, saved) = run(sample("save_config", "post"), &ids, &alice);
    assert_eq!(code, 0, "{saved}");
    ids.push(("task_id", saved["result"]["task_id"].as_str().unwrap()));

    for ((tool, method), command) in &center {
        let (code, answer) = run(command, &ids, &alice);
        assert_eq!(
            (code, &answer["tool"], &answer["server"]),
            (0, &tool.as_str().into(), &CENTER.into()),
            "{method}: {answer}"
        );
    }
    let (_, configuration) = run(sample("get_device_config", "post"), &ids, &alice);
    let artifact = configuration["result"]["artifact"]["id"].as_str().unwrap();
    let own = samples(&caller, &alice, OWN).await;
    let plan = &own[&("plan_change".to_owned(), "post".to_owned())];
    let (code, planned) = run(plan, &ids, &alice);
    assert_eq!(code, 0, "{planned}");
    let change = planned["result"]["change_id"].as_str().unwrap();
    ids.extend([("artifact_id", artifact), ("change_id", change)]);
    for ((tool, method), command) in own {
        let (code, answer) = run(&command, &ids, &alice);
        match answer["code"].as_str() {
            // One change cannot be in the state that each step asks for: what is refused says that, or asks for a factor.
            Some(refusal) if STEPS.contains(&tool.as_str()) => {
                assert!(
                    ["change_state", "change_not_planned", "step_up_required"].contains(&refusal),
                    "{tool}: {answer}"
                );
                assert_eq!(code, REFUSED);
            }
            _ => assert_eq!((code, &answer["tool"]), (0, &tool.as_str().into()), "{method}: {answer}"),
        }
    }
    // The same command from the command line's own help.
    let out = caller.lab.run(&["tools", "describe", CENTER, "list_devices", "--curl", "--user", "alice"]);
    assert_eq!(String::from_utf8(out.stdout).unwrap().trim_end(), sample("list_devices", "post"));
}
