//! Time: tokens and elevations end when they say, warm caches or not. The lab's clock is moved, so this lab is nobody else's.

use std::sync::Arc;

use serde_json::json;

use crate::caller::{CENTER, Caller, OWN};
use crate::lab::Lab;

#[tokio::test]
async fn t4_an_elevation_ends_after_15_minutes_and_a_token_after_its_hour() {
    let caller = Caller::new(Arc::new(Lab::start()));
    let alice = caller.lab.token("alice").await;
    let device = caller.switches(&alice, CENTER).await.remove(0);
    let deployment = caller.deployment(&alice, CENTER, &device, 3005).await;
    caller.elevate("alice", CENTER, &deployment).await;
    let done = caller.rest(&alice, CENTER, "deploy_template", &deployment).await;
    assert!(matches!(done.status, 200 | 202), "{done:?}");

    caller.lab.advance(&caller.http, 840).await;
    let other = caller.deployment(&alice, CENTER, &device, 3006).await;
    let done = caller.rest(&alice, CENTER, "deploy_template", &other).await;
    assert!(matches!(done.status, 200 | 202), "a minute is left: {done:?}");

    caller.lab.advance(&caller.http, 61).await;
    let refused = caller.rest(&alice, CENTER, "deploy_template", &other).await;
    assert_eq!((refused.status, refused.code()), (403, Some("step_up_required")), "{refused:?}");
    let read = caller.rest(&alice, OWN, "whoami", &json!({})).await;
    assert_eq!(read.status, 200, "the token itself is good for an hour: {read:?}");

    caller.lab.advance(&caller.http, 3601 - 901).await;
    for answer in [
        caller.rest(&alice, OWN, "whoami", &json!({})).await,
        caller.mcp(&alice, OWN, "whoami", &json!({})).await,
        caller.rest(&alice, CENTER, "deploy_template", &other).await,
    ] {
        assert_eq!(answer.status, 401, "{answer:?}");
        assert!(answer.header("www-authenticate").contains("error=\"invalid_token\""), "{answer:?}");
    }
}
