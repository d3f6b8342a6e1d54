//! The lab contract: what scripts and checks from outside rely on.

use crate::a_lab::{ALab, json, lab, out};

#[test]
fn the_ready_line_has_every_member_of_the_contract() {
    let lab = lab();
    let ready = &lab.ready;
    assert_eq!(ready["ready"], true);
    for pointer in [
        "/pid",
        "/url",
        "/issuer",
        "/mcp/catalyst-center",
        "/mcp/catalyst-center-emea",
        "/mcp/interlock",
        "/users/0/name",
        "/users/0/password",
        "/users/0/totp_secret",
        "/users/0/groups",
        "/clients/0/client_id",
        "/simulators/catalyst-center/url",
        "/simulators/catalyst-center/username",
        "/simulators/catalyst-center/password",
        "/lab_admin/url",
        "/lab_admin/token",
    ] {
        assert!(ready.pointer(pointer).is_some_and(|v| !v.is_null()), "{pointer}");
    }
    let kept: serde_json::Value =
        serde_json::from_slice(&std::fs::read(lab.state().join("lab.json")).unwrap()).unwrap();
    assert_eq!(&kept, ready);
}

#[test]
fn a_token_is_handed_out_again_while_fresh_and_is_somebody_elses_for_another_user() {
    let lab = lab();
    let token = |user: &str| out(&lab.run(&["lab", "token", "--user", user]));
    // Nobody else signs Dora in meanwhile: a token that another command gets is kept in place of hers.
    let (first, again, other) = (token("dora"), token("dora"), token("sam"));
    assert!(first.split('.').count() == 3 && first == again && first != other);
    let code = json(&lab.run(&["lab", "otp", "--user", "alice", "--json"]));
    assert!(code["code"].as_str().unwrap().len() == 6 && code["seconds_left"].as_i64().unwrap() <= 30);
    let unknown = lab.run(&["lab", "token", "--user", "nobody"]);
    assert_eq!(unknown.status.code(), Some(2));
}

#[test]
fn t5_two_tokens_with_a_second_factor_use_two_codes() {
    let lab = lab();
    let base = lab.ready["url"].as_str().unwrap();
    let audience = format!("{base}/mcp/interlock");
    let one = lab.run(&["lab", "token", "--user", "bob", "--mfa"]);
    let other = lab.run(&["lab", "token", "--user", "bob", "--mfa", "--audience", &audience]);
    assert!(one.status.success() && other.status.success(), "{}", String::from_utf8_lossy(&other.stderr));
    assert_ne!(out(&one), out(&other));
}

#[test]
fn t11_a_refused_deployment_says_why_and_where_to_go_with_exit_code_4() {
    let lab = lab();
    let call = |arguments: &[&str]| {
        let mut all = vec!["tools", "call", "catalyst-center"];
        all.extend(arguments);
        all.extend(["--user", "alice", "--json"]);
        lab.run(&all)
    };
    let templates = json(&call(&["get_all_templates"]));
    let template = templates["result"]["templates"].as_array().unwrap().iter().find(|t| t["name"] == "access-vlan");
    let template = template.unwrap()["template_id"].as_str().unwrap().to_owned();
    let devices = json(&call(&["list_devices", "--arg", "limit=1", "--arg", "role=ACCESS"]));
    let device = devices["result"]["items"][0]["id"].as_str().unwrap().to_owned();
    let (template, device) = (format!("template_id={template}"), format!("device_id={device}"));
    let refused = call(&["deploy_template", "--arg", &template, "--arg", &device, "--arg", "params.vlan_id=7"]);
    assert_eq!(refused.status.code(), Some(4));
    let said = json(&refused);
    assert_eq!(said["error"]["code"], "step_up_required");
    assert!(said["error"]["url"].as_str().unwrap().contains("/elevate/"));
    let id = said["error"]["request_id"].as_str().unwrap();
    let record = json(&lab.run(&["audit", "tail", "--json", "--request-id", id]));
    assert_eq!(
        (&record["interlock"]["tool"], &record["event"]["code"]),
        (&"deploy_template".into(), &"step_up_required".into())
    );
}

#[test]
fn t10_the_service_desk_has_no_such_tool() {
    let lab = lab();
    let tools = json(&lab.run(&["tools", "list", "catalyst-center", "--user", "sam", "--json"]));
    assert!(tools["count"].as_u64().unwrap() > 0 && !tools.to_string().contains("\"deploy_template\""));
    let hidden = lab.run(&["tools", "call", "catalyst-center", "deploy_template", "--user", "sam", "--json"]);
    assert_eq!((hidden.status.code(), &json(&hidden)["error"]["code"]), (Some(1), &"tool_unknown".into()));
}

#[test]
fn the_whole_tale_plays_and_the_doctor_finds_nothing() {
    let lab = lab();
    let story = lab.run(&["lab", "story", "--json"]);
    assert!(story.status.success(), "{}", String::from_utf8_lossy(&story.stderr));
    assert_eq!(json(&story)["steps"].as_array().unwrap().len(), 9);
    let doctor = lab.run(&["doctor", "--json"]);
    assert_eq!(json(&doctor)["ok"], true, "{}", out(&doctor));
}

#[test]
fn t25_a_stopped_lab_exits_0_its_audit_verifies_and_its_folder_is_used_again() {
    let lab = ALab::start();
    assert!(lab.run(&["lab", "token", "--user", "alice"]).status.success());
    let running = json(&lab.run(&["audit", "verify", "--json"]));
    assert_eq!((&running["ok"], &running["state"]), (&true.into(), &"running".into()));
    assert_eq!(lab.stop(), Some(0));
    let stopped = json(&lab.run(&["audit", "verify", "--json"]));
    assert_eq!((&stopped["ok"], &stopped["state"]), (&true.into(), &"closed".into()));
    let lines = out(&lab.run(&["audit", "export"])).lines().count() as u64;
    assert_eq!(stopped["records"].as_u64(), Some(lines));
    let secret = json(&lab.run(&["secret", "show", "api/catalyst-center", "--json"]));
    assert_eq!(secret["current_version"], 1);
    let again = lab.again();
    assert_eq!(again["users"], lab.ready["users"]);
    assert!(lab.run(&["lab", "token", "--user", "alice"]).status.success());
}

#[test]
fn t5_an_administrator_creates_disables_and_lists_people_while_the_lab_runs() {
    let lab = ALab::start();
    let created = lab.run(&["user", "create", "dave", "--group", "developers", "--json"]);
    assert_eq!(created.status.code(), Some(0), "{}", out(&created));
    let url = json(&created)["enrolment_url"].as_str().unwrap().to_owned();
    assert!(url.starts_with(lab.ready["issuer"].as_str().unwrap()), "{url}");
    let added = lab.run(&["group", "add", "service-desk", "dave"]);
    assert_eq!(added.status.code(), Some(0), "{}", out(&added));
    let shown = json(&lab.run(&["user", "show", "dave", "--json"]));
    assert_eq!(shown["groups"], serde_json::json!(["developers", "service-desk"]));
    assert_eq!(shown["enrolled"], false);
    let table = out(&lab.run(&["user", "list"]));
    assert!(table.contains("NAME") && table.contains("not enrolled"), "{table}");

    // A warm token of somebody who is disabled is worth nothing on the next call.
    let call = ["tools", "list", "interlock", "--user", "alice"];
    assert_eq!(lab.run(&call).status.code(), Some(0));
    assert_eq!(lab.run(&["user", "disable", "alice"]).status.code(), Some(0));
    assert_eq!(lab.run(&call).status.code(), Some(3), "refused with warm caches");

    let nobody = lab.run(&["user", "list", "--as", "bob"]);
    assert_eq!(nobody.status.code(), Some(4), "no member of the group admin");
    let last = lab.run(&["user", "disable", "ada", "--json"]);
    assert_eq!(json(&last)["error"]["code"], "last_administrator");

    let secret =
        json(&lab.run(&["client", "create", "robot", "--grant", "client-credentials", "--confidential", "--json"]));
    assert!(secret["client_secret"].as_str().unwrap().len() >= 24);
}
