//! Step-up (T4): the link is nobody's key. Only the person whose call was refused can fulfil it, for one client and server.

use crate::caller::{CENTER, Caller, EMEA};

#[tokio::test]
async fn t4_another_persons_browser_grants_nothing() {
    let caller = Caller::shared();
    let alice = caller.lab.token("alice").await;
    let device = caller.switches(&alice, CENTER).await.remove(1);
    let deployment = caller.deployment(&alice, CENTER, &device, 3002).await;
    let refused = caller.rest(&alice, CENTER, "deploy_template", &deployment).await;
    assert_eq!((refused.status, refused.code()), (403, Some("step_up_required")), "{refused:?}");

    let other = caller.lab.pass_second_factor(refused.link(), "sam").await.unwrap_err();
    assert!(other.message().contains("somebody else"), "{other}");
    let again = caller.rest(&alice, CENTER, "deploy_template", &deployment).await;
    assert_eq!((again.status, again.code()), (403, Some("step_up_required")), "{again:?}");
    let sam = caller.lab.token("sam").await;
    let hidden = caller.rest(&sam, CENTER, "deploy_template", &deployment).await;
    assert_eq!((hidden.status, hidden.code()), (404, Some("tool_unknown")), "{hidden:?}");

    let records = caller.lab.audit();
    let declined = records
        .iter()
        .any(|r| r["event"]["action"] == "elevation.refused" && r["event"]["code"] == "elevation_other_person");
    assert!(declined, "the attempt is on record");
    // The link alone, opened and left, grants nothing.
    let page = caller.http.get(refused.link()).send().await.unwrap();
    assert_eq!(page.status().as_u16(), 200);
    let again = caller.rest(&alice, CENTER, "deploy_template", &deployment).await;
    assert_eq!(again.code(), Some("step_up_required"), "{again:?}");
}

#[tokio::test]
async fn t4_an_elevation_holds_for_one_server_only() {
    let caller = Caller::shared();
    let ada = caller.lab.token("ada").await;
    let here = caller.switches(&ada, EMEA).await.remove(0);
    let deployment = caller.deployment(&ada, EMEA, &here, 3003).await;
    caller.elevate("ada", EMEA, &deployment).await;
    let done = caller.rest(&ada, EMEA, "deploy_template", &deployment).await;
    assert!(matches!(done.status, 200 | 202), "{done:?}");

    let there = caller.switches(&ada, CENTER).await.remove(0);
    let deployment = caller.deployment(&ada, CENTER, &there, 3003).await;
    let refused = caller.rest(&ada, CENTER, "deploy_template", &deployment).await;
    assert_eq!((refused.status, refused.code()), (403, Some("step_up_required")), "{refused:?}");
}

#[tokio::test]
async fn t4_a_program_cannot_step_up() {
    let caller = Caller::shared();
    let (alice, program) = (caller.lab.token("alice").await, caller.lab.automation_token(&caller.http).await);
    let device = caller.switches(&alice, CENTER).await.remove(0);
    let deployment = caller.deployment(&alice, CENTER, &device, 3004).await;
    let refused = caller.rest(&program, CENTER, "deploy_template", &deployment).await;
    assert!(refused.status >= 400 && refused.body.get("url").is_none(), "no link for a program: {refused:?}");
}
