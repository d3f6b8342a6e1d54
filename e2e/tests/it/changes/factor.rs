//! The second factor of a decision (T16) at the pages of platform and issuer themselves, step by step as a browser takes them. One
//! that was given for something else, before the plan was shown, too long ago, or for a decision that is made, decides nothing:
//! the refusal has its code and is on record, and the submission stands until somebody gives a new one for it.

use platform::Json;
use serde_json::json;
use url::Url;

use super::desk::{Desk, told};
use super::visitor::Visitor;

/// A factor counts this long, seconds.
const FACTOR_S: i64 = 15 * 60;
/// What the pages say to whoever has given no factor that counts.
const MISSING: &str = "second_factor_missing";

/// The decisions about a change that are on record as refused with this code.
fn refusals(desk: &Desk, id: &str, code: &str) -> usize {
    let refused = |r: &&Json| r["event"]["action"] == "change.approval" && r["event"]["code"] == code;
    desk.audited(id).iter().filter(refused).count()
}

#[tokio::test]
async fn t16_a_factor_that_was_given_for_something_else_or_before_the_plan_was_shown_decides_nothing() {
    let desk = Desk::open().await;
    let devices = [desk.switches[0].clone()];
    let wish = desk.wish(&devices, 751);
    let id = desk.submitted(&wish, 0).await;

    // A password, and the plan.
    let mut bob = Visitor::new(&desk, "bob");
    bob.reads(&id).await;
    let form = bob.forged(&id).await;
    assert_eq!(bob.approves(&form).await, Err(MISSING.to_owned()), "a password alone");

    // A second factor of a moment ago, for another act, and then the plan.
    let settling = json!({"change_id": id, "outcome": "done", "reason": "Seen at the device's console"});
    let refused = desk.own("bob", "settle_change", &settling).await;
    assert_eq!(refused.code(), Some("step_up_required"), "{refused:?}");
    let mut bob = Visitor::new(&desk, "bob");
    let link = bob.browser.get(&Url::parse(refused.link()).unwrap()).await.unwrap();
    let asked = bob.goes(&link.link("/start").unwrap()).await;
    assert!(asked.form(asked.url.path()).is_some(), "the factor was passed: {} {}", asked.status, asked.text);
    bob.passes(5).await;
    let page = bob.reads(&id).await;
    let form = bob.forged(&id).await;
    assert_eq!(bob.approves(&form).await, Err(MISSING.to_owned()), "a factor for another act");

    // The issuer knows him with his second factor, and is asked for another one all the same.
    let decide = page.link("/decide").unwrap();
    let away = bob.browser.get(&decide).await.unwrap().location.unwrap();
    let asked = bob.browser.get(&away).await.unwrap();
    assert!(asked.location.is_none() && asked.form("/sign-in").is_some(), "{} {}", asked.status, asked.text);
    // A browser that leaves this wish out gets a code for the factor of before, and the page's own form with it.
    let kept: Vec<(String, String)> = away.query_pairs().into_owned().filter(|(name, _)| name != "max_age").collect();
    let mut away = away;
    away.query_pairs_mut().clear().extend_pairs(kept);
    let back = bob.browser.get(&away).await.unwrap().location.unwrap_or_else(|| panic!("the issuer asks: {away}"));
    let to = bob.browser.get(&back).await.unwrap().location.unwrap_or_else(|| panic!("{back}"));
    let page = bob.browser.get(&to).await.unwrap();
    let form = page.form("/decision").unwrap_or_else(|| panic!("no form: {} {}", page.status, page.text));
    assert_eq!(bob.approves(&form).await, Err(MISSING.to_owned()), "a factor from before the plan was shown");
    assert_eq!(refusals(&desk, &id, MISSING), 3, "each of them is on record");
    let view = desk.view(&id).await;
    assert_eq!((&view["state"], &view["approvals"]), (&json!("submitted"), &json!([])), "{}", told(&view));
    assert_eq!(desk.times(&devices[0], &wish).await, (0, 0));

    // A new one, for this.
    let form = bob.form(&id).await;
    assert_eq!(bob.approves(&form).await, Ok(()));
    let view = desk.ends(&id).await;
    assert_eq!(view["state"], "done", "{}", told(&view));
    assert_eq!(desk.times(&devices[0], &wish).await, (1, 0));
}

#[tokio::test]
async fn t16_a_factor_counts_for_a_quarter_of_an_hour_for_one_change_and_once() {
    let desk = Desk::open().await;
    let wishes = [desk.wish(&desk.switches[..1], 752), desk.wish(&desk.switches[1..2], 753)];
    let (one, other) = (desk.submitted(&wishes[0], 0).await, desk.submitted(&wishes[1], 0).await);

    let mut bob = Visitor::new(&desk, "bob");
    let form = bob.form(&one).await;
    bob.passes(FACTOR_S + 1).await;
    assert_eq!(bob.approves(&form).await, Err(MISSING.to_owned()), "a factor that is too old");
    assert_eq!(refusals(&desk, &one, MISSING), 1);

    // Given for one change, it is worth nothing for the other one.
    let form = bob.form(&one).await;
    bob.reads(&other).await;
    let shown = bob.browser.get(&bob.address(&format!("/changes/{other}/decision"))).await.unwrap();
    assert!(shown.location.is_some_and(|to| to.path() == format!("/changes/{other}")), "it leads to the plan");
    let strange = bob.forged(&other).await;
    assert_eq!(bob.approves(&strange).await, Err(MISSING.to_owned()), "a factor for another change");
    assert_eq!(refusals(&desk, &other, MISSING), 1);

    // It counts for its own, and is used then: for the session of before, for the one after, for either change.
    let mut before = bob.clone();
    assert_eq!(bob.approves(&form).await, Ok(()));
    assert_eq!(before.approves(&form).await, Err("session_missing".to_owned()), "the same form in the same session");
    let replayed = bob.forged(&other).await;
    assert_eq!(bob.approves(&replayed).await, Err(MISSING.to_owned()), "a factor that was used");
    let view = desk.view(&other).await;
    assert_eq!((&view["state"], &view["approvals"]), (&json!("submitted"), &json!([])), "{}", told(&view));
    assert_eq!(desk.times(&desk.switches[1], &wishes[1]).await, (0, 0));

    let form = bob.form(&other).await;
    assert_eq!(bob.approves(&form).await, Ok(()), "a new one counts");
    for id in [&one, &other] {
        let view = desk.ends(id).await;
        assert_eq!(view["state"], "done", "{}", told(&view));
    }
}
