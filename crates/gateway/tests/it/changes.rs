//! T16 in the browser: the plan is shown, the factor is given for it, and then a person decides. No order of steps but this
//! one comes to anything, and nobody else's form, session or factor does.

use change_control::approving::SubmitRequest;
use change_control::model::change::ApproversNeeded;
use change_control::model::plan::{PublicPlan, plan_hash};
use change_control::{Change, ChangeBook, State};
use platform::audit::Outcome;
use platform_suites::tokens::person;

use crate::fixture::{Reply, Server};
use crate::pages::{callback, form_token, session_of};

/// A planned change of alice's, submitted in her name.
async fn submitted(server: &Server) -> Change {
    let plan: PublicPlan = serde_json::from_str(include_str!("../../../change-control/fixtures/plan.json")).unwrap();
    let mut change: Change =
        serde_json::from_str(include_str!("../../../change-control/fixtures/change.json")).unwrap();
    change.plan.as_mut().unwrap().hash = plan_hash(&plan).unwrap();
    let book = server.changes.book();
    book.add(&change).await.unwrap();
    book.transact(vec![ChangeBook::put_plan(&change.id, &plan).unwrap()]).await.unwrap();
    let cx = platform::CallContext {
        request_id: platform::context::RequestId::mint(),
        client_request_id: None,
        trace: platform::context::TraceContext::root(),
        principal: std::sync::Arc::new(person("alice", &["netops"])),
        resource: platform::resource::Resource::Platform,
        protocol: platform::context::Protocol::Mcp,
        source: platform::context::LOCAL_SOURCE,
        references: platform::context::CallReferences::default(),
        run: None,
        deadline: std::time::Instant::now(),
    };
    server.changes.submit(&cx, &change.id, SubmitRequest::default()).await.unwrap();
    needing(server, &change, 1).await
}

async fn needing(server: &Server, change: &Change, count: u32) -> Change {
    let edit = |change: &mut Change| {
        change.approvers = Some(ApproversNeeded { groups: vec!["netops".into()], count });
        Ok(((), Vec::new()))
    };
    server.changes.book().update(&change.id, edit).await.unwrap().1
}

async fn state(server: &Server, change: &Change) -> State {
    server.changes.book().get(&change.id).await.unwrap().change.state
}

fn to_issuer(reply: &Reply) -> (String, String, String) {
    assert_eq!(reply.status, 303, "{reply:?}");
    let location = url::Url::parse(reply.header("location").unwrap()).unwrap();
    let query: std::collections::HashMap<_, _> = location.query_pairs().into_owned().collect();
    let cookie = reply.header("set-cookie").unwrap().split(';').next().unwrap().to_owned();
    (query["state"].clone(), cookie, query["mfa"].clone())
}

/// Goes to the issuer from `from` and comes back as `code`: where to, and the new session.
async fn through(server: &Server, from: &str, session: Option<&str>, code: &str, mfa: &str) -> (String, String) {
    let (state, cookie, asked) = to_issuer(&server.get(from, session.as_slice()).await);
    assert_eq!(asked, mfa);
    let brought = session.and_then(|s| s.strip_prefix("cookie: ")).map(|s| format!("; {s}")).unwrap_or_default();
    let back = callback(server, &state, code, Some(&format!("cookie: {cookie}{brought}"))).await;
    assert_eq!(back.status, 303, "{back:?}");
    (back.header("location").unwrap().to_owned(), session_of(&back))
}

fn path(change: &Change) -> String {
    format!("/changes/{}", change.id)
}

/// Signs in to the page of the change.
async fn signed_in(server: &Server, change: &Change, code: &str) -> String {
    let (to, session) = through(server, &format!("{}/start", path(change)), None, code, "false").await;
    assert_eq!(to, path(change));
    session
}

/// Up to the form: the session that holds the factor.
async fn with_factor(server: &Server, change: &Change, code: &str) -> String {
    let session = signed_in(server, change, code).await;
    let page = server.get(&path(change), &[&session]).await;
    assert!(page.body.contains("/decide\""), "{}", page.body);
    let (to, session) = through(server, &format!("{}/decide", path(change)), Some(&session), code, "true").await;
    assert_eq!(to, format!("{}/decision", path(change)));
    session
}

/// The submission's digest on the form.
fn digest(form: &Reply) -> String {
    let (_, rest) = form.body.split_once("name=\"submission\" value=\"").unwrap_or_else(|| panic!("no form: {form:?}"));
    rest.split('"').next().unwrap().to_owned()
}

async fn send(server: &Server, change: &Change, session: &str, fields: &[(&str, &str)]) -> Reply {
    let mut body = url::form_urlencoded::Serializer::new(String::new());
    body.extend_pairs(fields);
    let (host, body) = (server.host(), body.finish());
    let length = format!("content-length: {}", body.len());
    let headers = [host.as_str(), &length, "content-type: application/x-www-form-urlencoded", session];
    server.raw("POST", &format!("{}/decision", path(change)), &headers, body.as_bytes()).await
}

async fn decide(server: &Server, change: &Change, session: &str, verdict: &str) -> Reply {
    let form = server.get(&format!("{}/decision", path(change)), &[session]).await;
    let (token, submission) = (form_token(&form), digest(&form));
    let fields =
        [("form_token", &*token), ("submission", &submission), ("reason", "Read & meant so: ü."), ("verdict", verdict)];
    send(server, change, session, &fields).await
}

#[tokio::test]
async fn t16_a_plan_is_shown_the_factor_given_and_the_decision_made_in_this_order() {
    let server = Server::start().await;
    let change = submitted(&server).await;
    let session = signed_in(&server, &change, "bob").await;
    let page = server.get(&path(&change), &[&session]).await;
    assert_eq!(page.status, 200);
    for part in [
        "VLAN 20 on the printer ports",
        "The printers move to their own VLAN.",
        "2 devices in the same way",
        "ber-hq-acc-01",
        "switchport access vlan 20",
        "class=\"add\"",
        "class=\"del\"",
        "Danger: ber-hq-acc-03",
        "its terminal lines",
        "frobnicate all",
        "No undo: ber-hq-acc-03",
        "proven on the model",
        "exactly what was predicted",
        "everything is undone, the last device first",
        "about 9 min",
        "through <code>helper-agent</code>",
        "psk=***",
        "Needs 1 approval from netops",
    ] {
        assert!(page.body.contains(part), "{part}: {}", page.body);
    }
    assert_eq!(page.body.matches("switchport access vlan 10").count(), 2, "one diff and one undo for both");
    let session = with_factor(&server, &change, "bob").await;
    let done = decide(&server, &change, &session, "approve").await;
    assert_eq!(done.status, 200, "{done:?}");
    assert!(done.body.contains("Approved."), "{}", done.body);
    let kept = server.changes.book().get(&change.id).await.unwrap().change;
    assert_eq!((kept.state, kept.grant.is_some()), (State::Approved, true));
    let approval = &kept.approvals[0];
    assert_eq!((approval.approver.subject.as_str(), approval.reason.as_str()), ("bob", "Read & meant so: ü."));
    assert!(approval.shown_at_ms.div_euclid(1_000) <= approval.auth_time);
    let entry = server.audit.of("change.approval").pop().unwrap();
    assert_eq!((entry.outcome, entry.actor.unwrap().subject.as_str()), (Outcome::Success, "bob"));
    assert_eq!((entry.protocol.as_deref(), entry.request_id.as_deref()), (Some("page"), done.header("x-request-id")));
    let after = server.get(&path(&change), &[&session_of(&done)]).await;
    assert!(after.body.contains("Read &amp; meant so") && !after.body.contains("/decide\""), "{}", after.body);
}

#[tokio::test]
async fn t16_a_rejection_is_one_act_with_a_reason_too() {
    let server = Server::start().await;
    let change = submitted(&server).await;
    let session = with_factor(&server, &change, "bob").await;
    let done = decide(&server, &change, &session, "reject").await;
    assert!(done.status == 200 && done.body.contains("Rejected."), "{done:?}");
    assert_eq!(state(&server, &change).await, State::Rejected);
    let late = signed_in(&server, &change, "carol").await;
    let refused = server.get(&format!("{}/decide", path(&change)), &[&late]).await;
    assert!(refused.status == 409 && refused.body.contains("change_state"), "{refused:?}");
}

#[tokio::test]
async fn t16_nothing_is_decided_without_a_factor_that_was_given_for_it_after_the_plan_was_shown() {
    let server = Server::start().await;
    let change = submitted(&server).await;
    // Signed in, and not shown the plan: the way to the issuer leads to the plan.
    let session = signed_in(&server, &change, "bob").await;
    for step in ["decide", "decision"] {
        let early = server.get(&format!("{}/{step}", path(&change)), &[&session]).await;
        assert_eq!((early.status, early.header("location")), (303, Some(path(&change).as_str())), "{step}");
    }
    // Shown, and a second factor given for something else: the form is not there, and sending it comes to nothing.
    let page = server.get("/pages", &[&session]).await;
    let submission = server.changes.book().get(&change.id).await.unwrap().change.submission.unwrap().digest().unwrap();
    let token = form_token(&page);
    let fields = [("form_token", &*token), ("submission", &submission), ("reason", "So."), ("verdict", "approve")];
    let refused = send(&server, &change, &session, &fields).await;
    assert!(refused.status == 403 && refused.body.contains("second_factor_missing"), "{refused:?}");
    let entry = server.audit.of("change.approval").pop().unwrap();
    assert_eq!((entry.outcome, entry.code.as_deref()), (Outcome::Refused, Some("second_factor_missing")));
    // An issuer that did not ask again, or asked for less.
    for code in ["stale-bob", "weak-bob"] {
        let session = signed_in(&server, &change, code).await;
        server.get(&path(&change), &[&session]).await;
        let (_, session) = through(&server, &format!("{}/decide", path(&change)), Some(&session), code, "true").await;
        let refused = decide(&server, &change, &session, "approve").await;
        assert!(refused.status == 403 && refused.body.contains("second_factor_missing"), "{code}: {refused:?}");
    }
    assert_eq!(state(&server, &change).await, State::Submitted);
}

#[tokio::test]
async fn t16_a_factor_counts_once_and_for_one_submission() {
    let server = Server::start().await;
    let change = needing(&server, &submitted(&server).await, 2).await;
    let session = with_factor(&server, &change, "bob").await;
    // The submission becomes another one between the factor and the decision.
    let edit = |change: &mut Change| {
        change.submission.as_mut().unwrap().window.not_after_ms -= 1;
        Ok(((), Vec::new()))
    };
    let form = server.get(&format!("{}/decision", path(&change)), &[&session]).await;
    server.changes.book().update(&change.id, edit).await.unwrap();
    let (token, seen) = (form_token(&form), digest(&form));
    let now = server.changes.book().get(&change.id).await.unwrap().change.submission.unwrap().digest().unwrap();
    for (submission, code) in [(&seen, "submission_changed"), (&now, "second_factor_missing")] {
        let fields = [("form_token", &*token), ("submission", submission), ("reason", "So."), ("verdict", "approve")];
        let refused = send(&server, &change, &session, &fields).await;
        assert!(refused.body.contains(code), "{code}: {refused:?}");
    }
    let again = server.get(&format!("{}/decision", path(&change)), &[&session]).await;
    assert_eq!(again.status, 303, "what is submitted now is shown first");
    // Used up by the decision, like the session's id.
    let session = with_factor(&server, &change, "bob").await;
    let done = decide(&server, &change, &session, "approve").await;
    assert!(done.body.contains("needs another one"), "{done:?}");
    let after = session_of(&done);
    assert_eq!(server.get(&format!("{}/decision", path(&change)), &[&after]).await.status, 409);
    assert!(server.get(&path(&change), &[&session]).await.body.contains("Sign in"), "the old session is nobody's");
    assert_eq!(state(&server, &change).await, State::Submitted);
}

#[tokio::test]
async fn t16_who_asked_cannot_decide_and_who_comes_back_as_somebody_else_has_seen_nothing() {
    let server = Server::start().await;
    let change = submitted(&server).await;
    let alice = signed_in(&server, &change, "alice").await;
    let page = server.get(&path(&change), &[&alice]).await;
    assert!(page.body.contains("Somebody else has to decide") && !page.body.contains("/decide\""), "{}", page.body);
    let refused = server.get(&format!("{}/decide", path(&change)), &[&alice]).await;
    assert!(refused.status == 403 && refused.body.contains("approver_is_requester"), "{refused:?}");
    // Bob is shown the plan, and carol gives the factor.
    let bob = signed_in(&server, &change, "bob").await;
    server.get(&path(&change), &[&bob]).await;
    let (to, carol) = through(&server, &format!("{}/decide", path(&change)), Some(&bob), "carol", "true").await;
    assert_eq!(to, path(&change));
    let form = server.get(&format!("{}/decision", path(&change)), &[&carol]).await;
    assert_eq!((form.status, form.header("location")), (303, Some(path(&change).as_str())));
    assert_eq!(state(&server, &change).await, State::Submitted);
}

#[tokio::test]
async fn t22_a_held_change_says_on_its_page_whether_it_goes_on_by_itself() {
    let server = Server::start().await;
    let change = submitted(&server).await;
    let bob = signed_in(&server, &change, "bob").await;
    for (goes_on_at_ms, said) in [(Some(3_600_000), "Next try: 1970-01-01 01:00 UTC"), (None, "It waits for a person")]
    {
        let edit = |change: &mut Change| {
            change.state = State::Held;
            change.run.goes_on_at_ms = goes_on_at_ms;
            Ok(((), Vec::new()))
        };
        server.changes.book().update(&change.id, edit).await.unwrap();
        let page = server.get(&path(&change), &[&bob]).await;
        assert!(page.body.contains(said), "{}", page.body);
        assert_eq!(page.body.contains("It waits for a person"), goes_on_at_ms.is_none(), "{}", page.body);
    }
}

#[tokio::test]
async fn t16_who_may_not_see_a_change_learns_nothing_of_it() {
    let server = Server::start().await;
    let change = submitted(&server).await;
    let nobody = server.get(&path(&change), &[]).await;
    let invented = server.get("/changes/chg-00000000000000000000000000000000", &[]).await;
    assert_eq!((nobody.status, invented.status), (200, 200));
    let without_id = |reply: &Reply, id: &str| reply.body.replace(id, "");
    assert_eq!(without_id(&nobody, change.id.as_str()), without_id(&invented, "chg-00000000000000000000000000000000"));
    let sam = signed_in(&server, &change, "desk-sam").await;
    for page in ["", "/plan", "/decide", "/decision"] {
        let reply = server.get(&format!("{}{page}", path(&change)), &[&sam]).await;
        assert!(reply.status == 404 && reply.body.contains("change_unknown"), "{page}: {reply:?}");
        assert!(!reply.body.contains("VLAN 20"), "{page}");
    }
    assert!(!server.get("/changes", &[&sam]).await.body.contains("VLAN 20"));
    let bob = signed_in(&server, &change, "bob").await;
    assert!(server.get("/changes", &[&bob]).await.body.contains("VLAN 20"));
    let plan = server.get(&format!("{}/plan", path(&change)), &[&bob]).await;
    assert!(plan.body.contains(&change.plan.unwrap().hash) && plan.body.contains("max_fail_percentage"), "{plan:?}");
    assert_eq!(server.get("/changes/nonesuch", &[&bob]).await.status, 404);
}

#[tokio::test]
async fn t16_forms_of_others_decide_nothing() {
    let server = Server::start().await;
    let change = submitted(&server).await;
    let session = with_factor(&server, &change, "bob").await;
    let form = server.get(&format!("{}/decision", path(&change)), &[&session]).await;
    let (token, submission) = (form_token(&form), digest(&form));
    let carol = signed_in(&server, &change, "carol").await;
    let carols = form_token(&server.get("/pages", &[&carol]).await);
    let fields = |token: &str| {
        let fields = [("form_token", token), ("submission", &submission), ("reason", "So."), ("verdict", "approve")];
        fields.map(|(name, value)| (name, value.to_owned()))
    };
    let send = async |session: &str, fields: &[(&str, String)]| {
        let fields: Vec<(&str, &str)> = fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
        send(&server, &change, session, &fields).await
    };
    for (what, session, fields, status) in [
        ("no token", &session, fields(&token)[1..].to_vec(), 403),
        ("another token", &session, fields("guess").to_vec(), 403),
        ("another's token", &session, fields(&carols).to_vec(), 403),
        ("another's session", &carol, fields(&carols).to_vec(), 403),
        ("no verdict", &session, fields(&token)[..3].to_vec(), 403),
        ("two verdicts", &session, [&fields(&token)[..], &[("verdict", "reject".into())]].concat(), 403),
        ("no session", &"cookie: interlock_session=invented".to_owned(), fields(&token).to_vec(), 401),
    ] {
        let reply = send(session, &fields).await;
        assert_eq!(reply.status, status, "{what}: {reply:?}");
    }
    for header in ["origin: https://evil.test", "sec-fetch-site: cross-site"] {
        let with = format!("{session}\r\n{header}");
        assert_eq!(send(&with, &fields(&token)).await.status, 403, "{header}");
    }
    let bearer = send(crate::fixture::ALICE, &fields(&token)).await;
    assert_eq!(bearer.status, 401, "a token opens no page");
    assert_eq!(state(&server, &change).await, State::Submitted);
    assert_eq!(send(&session, &fields(&token)).await.status, 200, "and its own form does");
}

#[tokio::test]
async fn t15_a_plan_that_was_altered_is_shown_as_such_and_cannot_be_decided_about() {
    let server = Server::start().await;
    let change = submitted(&server).await;
    let session = with_factor(&server, &change, "bob").await;
    let form = server.get(&format!("{}/decision", path(&change)), &[&session]).await;
    let mut plan = server.changes.book().plan(&change.id).await.unwrap().unwrap();
    plan.devices[0].lines[2].masked.push('1');
    server.changes.book().transact(vec![ChangeBook::put_plan(&change.id, &plan).unwrap()]).await.unwrap();
    let carol = signed_in(&server, &change, "carol").await;
    let page = server.get(&path(&change), &[&carol]).await;
    assert!(page.body.contains("not the plan that was submitted") && !page.body.contains("/decide\""), "{}", page.body);
    let (token, seen) = (form_token(&form), digest(&form));
    let fields = [("form_token", &*token), ("submission", &seen), ("reason", "So."), ("verdict", "approve")];
    let refused = send(&server, &change, &session, &fields).await;
    assert!(refused.status == 409 && refused.body.contains("plan_altered"), "{refused:?}");
    assert_eq!(state(&server, &change).await, State::Voided);
    let page = server.get(&path(&change), &[&carol]).await;
    assert!(page.body.contains(&change.plan.unwrap().hash), "both hashes are there to see: {}", page.body);
    assert!(page.body.contains(&plan_hash(&plan).unwrap()), "{}", page.body);
}
