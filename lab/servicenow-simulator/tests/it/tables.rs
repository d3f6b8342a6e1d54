//! The Table API: shapes, queries, paging, access, writes.

use reqwest::Method;
use serde_json::{Value, json};

use crate::client::{Lab, detail};

#[tokio::test]
async fn references_have_the_vendors_three_forms_and_values_are_texts() {
    let lab = Lab::start().await;
    let path =
        "/api/now/table/cmdb_ci_ip_switch?sysparm_limit=1&sysparm_fields=manufacturer,stack,install_status,nosuch";
    let row = async |form: &str| lab.get(&format!("{path}{form}")).await[0].clone();
    let plain = row("").await;
    let id = plain["manufacturer"]["value"].as_str().unwrap().to_owned();
    let link = format!("{}/api/now/table/core_company/{id}", lab.running.url);
    assert_eq!(
        plain,
        json!({ "manufacturer": { "link": link, "value": id }, "stack": "false", "install_status": "1" })
    );
    let shown = row("&sysparm_display_value=true").await;
    assert_eq!(shown["manufacturer"], json!({ "display_value": "Cisco Systems", "link": link }));
    assert_eq!(shown["install_status"], "Installed");
    let all = row("&sysparm_display_value=all&sysparm_exclude_reference_link=true").await;
    assert_eq!(all["manufacturer"], json!({ "display_value": "Cisco Systems", "value": id }));
    assert_eq!(row("&sysparm_exclude_reference_link=true").await["manufacturer"], id);
}

#[tokio::test]
async fn a_bad_part_of_a_query_is_ignored_and_returns_everything() {
    let lab = Lab::start().await;
    let all = lab.rows("incident", "").await.len();
    assert!(all > 40);
    assert_eq!(lab.rows("incident", "nosuchfield=1").await.len(), all);
    let open = lab.rows("incident", "active=true").await.len();
    assert!(open < all);
    assert_eq!(lab.rows("incident", "active=true^prioritty=1").await.len(), open);
    let (one, two) = (lab.rows("incident", "priority=1").await.len(), lab.rows("incident", "priority=2").await.len());
    assert_eq!(lab.rows("incident", "priority=1^ORpriority=2").await.len(), one + two);
    assert_eq!(lab.rows("incident", "priority=1^NQpriority=2").await.len(), one + two);
    assert_eq!(lab.rows("incident", "priorityIN1,2").await.len(), one + two);
    let by_name = lab.rows("incident", "assignment_group.name=Network^ORDERBYDESCnumber").await;
    assert!(by_name.len() > 1 && by_name[0]["number"].as_str() > by_name[1]["number"].as_str());
}

#[tokio::test]
async fn rows_are_found_by_the_values_that_they_hold_now() {
    let lab = Lab::start().await;
    let count = async |query: &str| lab.rows("cmdb_ci", query).await.len();
    let body = json!({ "name": "core-x", "serial_number": "FCW1" });
    let made = lab.insert("admin", "cmdb_ci_ip_switch", body).await["sys_id"].clone();
    let id = made.as_str().unwrap();
    // Letter case does not count, spaces in lists do not, and other terms of the query hold too.
    for query in [
        "serial_number=fcw1",
        "serial_numberINnone, Fcw1",
        "serial_number=FCW1^ORname=nobody",
        &format!("sys_id={}^nameSTARTSWITHcore", id.to_uppercase()),
    ] {
        assert_eq!(count(query).await, 1, "{query}");
    }
    assert_eq!(count("serial_number=FCW1^name=core-y").await, 0);
    assert_eq!(lab.rows("cmdb_ci_ip_router", "serial_number=FCW1").await.len(), 0);
    assert_eq!(lab.patch("admin", "cmdb_ci", &made, json!({ "serial_number": "FCW2" })).await.0, 200);
    assert_eq!((count("serial_number=FCW1").await, count("serial_number=FCW2").await), (0, 1));
    let removed = lab.send("admin", Method::DELETE, &format!("/api/now/table/cmdb_ci/{id}"), None).await;
    assert_eq!((removed.status().as_u16(), count("serial_number=FCW2").await), (204, 0));
}

#[tokio::test]
async fn an_empty_value_in_a_filter_finds_the_rows_that_have_none() {
    let lab = Lab::start().await;
    let (all, set) = (lab.rows("cmdb_ci", "").await.len(), lab.rows("cmdb_ci", "serial_numberISNOTEMPTY").await.len());
    assert!(set < all);
    let serial = lab.rows("cmdb_ci", "serial_numberISNOTEMPTY").await[0]["serial_number"].clone();
    assert_eq!(lab.rows("cmdb_ci", "serial_number=").await.len(), all - set);
    let either = format!("serial_numberIN{},", serial.as_str().unwrap());
    assert_eq!(lab.rows("cmdb_ci", &either).await.len(), all - set + 1);
}

#[tokio::test]
async fn a_list_of_ids_comes_by_class_and_id_and_in_the_order_that_is_asked_for() {
    let lab = Lab::start().await;
    let all = lab.rows("cmdb_ci", "").await;
    let some: Vec<&Value> = all.iter().step_by(7).map(|row| &row["sys_id"]).collect();
    let list: Vec<&str> = some.iter().rev().map(|id| id.as_str().unwrap()).collect();
    let ids = async |order: &str| -> Vec<Value> {
        let rows = lab.rows("cmdb_ci", &format!("sys_idIN{}{order}", list.join(","))).await;
        rows.into_iter().map(|row| row["sys_id"].clone()).collect()
    };
    assert_eq!(ids("").await.iter().collect::<Vec<_>>(), some);
    let down = ids("^ORDERBYDESCsys_id").await;
    assert!(down.len() == some.len() && down.is_sorted_by(|one, other| one.as_str() > other.as_str()));
}

#[tokio::test]
async fn a_question_that_was_asked_before_sees_what_was_written_since() {
    let lab = Lab::start().await;
    let query = "short_descriptionLIKEcoffee^ORDERBYDESCnumber";
    let ask = async || lab.rows("incident", query).await;
    let before = ask().await.len();
    let body = json!({ "short_description": "No coffee", "impact": 3, "urgency": 3 });
    let made = lab.insert("interlock", "incident", body).await;
    let found = ask().await;
    assert_eq!((found.len(), &found[0]["number"]), (before + 1, &made["number"]));
    let renamed = lab.patch("interlock", "incident", &made["sys_id"], json!({ "short_description": "No tea" })).await;
    assert_eq!((renamed.0, ask().await.len()), (200, before));
    // Who asks is part of a question that a script answers.
    let own = "user_name=javascript:gs.getUserName()";
    for who in ["alice", "bob"] {
        let path = format!("/api/now/table/sys_user?sysparm_query={own}");
        let (_, answer) = lab.call(who, Method::GET, &path, None).await;
        assert_eq!(answer["result"][0]["user_name"], who);
    }
}

#[tokio::test]
async fn pages_have_a_count_and_links_and_hidden_rows_are_counted() {
    let lab = Lab::start().await;
    let page = "/api/now/table/incident?sysparm_limit=10&sysparm_offset=10&sysparm_query=ORDERBYnumber";
    let answer = lab.send("interlock", Method::GET, page, None).await;
    let total: usize = answer.headers()["x-total-count"].to_str().unwrap().parse().unwrap();
    let links = answer.headers()["link"].to_str().unwrap().to_owned();
    assert!(links.contains(&format!("<{}/api/now/table/incident?", lab.running.url)), "{links}");
    for rel in ["first", "prev", "next", "last"] {
        assert!(links.contains(&format!("rel=\"{rel}\"")), "{links}");
    }
    let mut seen = 0;
    let mut had_short_page = false;
    for offset in (0..total).step_by(10) {
        let rows = lab.get(&format!("/api/now/table/incident?sysparm_limit=10&sysparm_offset={offset}")).await;
        let rows = rows.as_array().unwrap().len();
        had_short_page |= rows < 10 && offset + 10 < total;
        seen += rows;
    }
    assert!(had_short_page && seen < total, "{seen} of {total}");
    let hidden =
        lab.call("admin", Method::GET, "/api/now/table/incident?u_confidential=true&sysparm_limit=1", None).await;
    let id = hidden.1["result"][0]["sys_id"].as_str().unwrap().to_owned();
    let one = format!("/api/now/table/incident/{id}");
    let restricted = lab.call("interlock", Method::GET, &one, None).await;
    let absent =
        lab.call("interlock", Method::GET, "/api/now/table/incident/00000000000000000000000000000000", None).await;
    assert_eq!((restricted.0, &restricted), (404, &absent));
}

#[tokio::test]
async fn an_incident_is_written_with_defaults_audit_fields_and_a_number() {
    let lab = Lab::start().await;
    let body = json!({ "short_description": "Printer", "impact": 1, "urgency": "2", "priority": "5", "nosuch": "x",
        "caller_id": "alice", "work_notes": "Called back" });
    let answer = lab.send("interlock", Method::POST, "/api/now/table/incident", Some(body)).await;
    assert_eq!(answer.status(), 201);
    let location = answer.headers()["location"].to_str().unwrap().to_owned();
    let row = answer.json::<Value>().await.unwrap()["result"].clone();
    let id = row["sys_id"].as_str().unwrap();
    assert!(location.ends_with(&format!("/api/now/table/incident/{id}")));
    assert!(row["number"].as_str().unwrap().starts_with("INC") && row.get("nosuch").is_none());
    assert_eq!(
        (&row["priority"], &row["state"], &row["sys_created_by"]),
        (&json!("2"), &json!("1"), &json!("interlock"))
    );
    assert_eq!((&row["sys_mod_count"], &row["work_notes"], &row["active"]), (&json!("0"), &json!(""), &json!("true")));
    let notes = lab.rows("sys_journal_field", &format!("element_id={id}")).await;
    assert_eq!(
        (notes.len(), &notes[0]["value"], &notes[0]["element"]),
        (1, &json!("Called back"), &json!("work_notes"))
    );
    let (_, same) = lab.patch("interlock", "incident", &row["sys_id"], json!({ "impact": "1" })).await;
    assert_eq!(same["result"]["sys_mod_count"], "0", "nothing differs");
    let (_, other) = lab.patch("interlock", "incident", &row["sys_id"], json!({ "impact": "2" })).await;
    assert_eq!((&other["result"]["sys_mod_count"], &other["result"]["priority"]), (&json!("1"), &json!("3")));
    let (status, body) =
        lab.call("interlock", Method::POST, "/api/now/table/incident", Some(json!({ "impact": 1 }))).await;
    assert_eq!(status, 403);
    assert!(detail(&body).contains("mandatory: Short description"), "{body}");
}

#[tokio::test]
async fn states_of_an_incident_want_what_they_want_and_closed_is_closed() {
    let lab = Lab::start().await;
    let id = lab.insert("interlock", "incident", json!({ "short_description": "x" })).await["sys_id"].clone();
    let patch = |body: Value| lab.patch("interlock", "incident", &id, body);
    let (status, body) = patch(json!({ "state": "6", "close_notes": "Done" })).await;
    assert_eq!(status, 403);
    assert!(
        detail(&body).starts_with("Data Policy Exception") && detail(&body).ends_with("mandatory: Resolution code")
    );
    assert!(detail(&patch(json!({ "state": "3" })).await.1).contains("On hold reason"));
    assert!(detail(&patch(json!({ "state": "7" })).await.1).contains("aborted by Business Rule"));
    let solved = json!({ "state": "6", "close_code": "Solution provided", "close_notes": "Done" });
    let (status, row) = patch(solved.clone()).await;
    assert_eq!((status, &row["result"]["incident_state"]), (200, &json!("6")));
    assert_ne!(row["result"]["resolved_at"], "");
    let (_, again) = patch(json!({ "incident_state": "2" })).await;
    assert_eq!((&again["result"]["state"], &again["result"]["reopen_count"]), (&json!("2"), &json!("1")));
    assert_eq!(again["result"]["close_code"], "");
    assert_eq!(patch(solved).await.0, 200);
    let (_, closed) = patch(json!({ "state": "7" })).await;
    assert_eq!(closed["result"]["active"], "false");
    assert_eq!(patch(json!({ "short_description": "y" })).await.0, 403);
}

#[tokio::test]
async fn roles_decide_who_reads_and_writes() {
    let lab = Lab::start().await;
    let new = || Some(json!({ "short_description": "x" }));
    assert_eq!(lab.call("audrey", Method::POST, "/api/now/table/incident", new()).await.0, 403, "read-only");
    assert_eq!(lab.call("audrey", Method::GET, "/api/now/table/incident?sysparm_limit=1", None).await.0, 200);
    let (status, body) = lab.call("interlock", Method::GET, "/api/now/table/sys_properties", None).await;
    assert_eq!((status, &body["error"]["message"]), (403, &json!("Insufficient rights to query records")));
    let vic = lab.rows("sys_user", "user_name=vic").await[0]["sys_id"].clone();
    let own = lab.call("vic", Method::GET, "/api/now/table/incident?sysparm_exclude_reference_link=true", None).await.1;
    assert!(own["result"].as_array().unwrap().iter().all(|row| row["caller_id"] == vic), "nothing of others");
    assert_eq!(lab.call("vic", Method::GET, "/api/now/table/cmdb_ci", None).await.1["result"], json!([]));
    let (status, mine) = lab.call("vic", Method::POST, "/api/now/table/incident", new()).await;
    assert_eq!((status, &mine["result"]["sys_created_by"]), (201, &json!("vic")));
    let user = json!({ "user_name": "mallory" });
    assert_eq!(lab.call("interlock", Method::POST, "/api/now/table/sys_user", Some(user)).await.0, 403);
    let row = lab.rows("incident", "sys_created_by=vic").await[0]["sys_id"].as_str().unwrap().to_owned();
    let path = format!("/api/now/table/incident/{row}");
    assert_eq!(lab.call("interlock", Method::DELETE, &path, None).await.0, 403, "made by somebody else");
    assert_eq!(lab.call("admin", Method::DELETE, &path, None).await.0, 204);
    assert_eq!(lab.call("admin", Method::DELETE, &path, None).await.0, 404);
}

#[tokio::test]
async fn tables_of_a_family_show_their_children_and_describe_themselves() {
    let lab = Lab::start().await;
    let classes = lab.rows("cmdb_ci", "").await;
    let has = |class: &str| classes.iter().any(|row| row["sys_class_name"] == class);
    assert!(has("cmdb_ci_ip_switch") && has("cmdb_ci_wap_network") && has("cmdb_ci_cluster"));
    assert!(lab.rows("task", "sys_class_name=incident").await.len() > 1);
    let fields = lab.rows("sys_dictionary", "name=task^elementINshort_description,assigned_to").await;
    let of = |element: &str| fields.iter().find(|row| row["element"] == element).unwrap().clone();
    assert_eq!(
        (of("assigned_to")["reference"].clone(), of("short_description")["max_length"].clone()),
        (json!("sys_user"), json!("160"))
    );
    let states = lab.rows("sys_choice", "name=change_request^element=state^ORDERBYsequence").await;
    assert_eq!((&states[0]["value"], &states[0]["label"]), (&json!("-5"), &json!("New")));
}

#[tokio::test]
async fn refusals_have_the_vendors_words() {
    let lab = Lab::start().await;
    let message = async |path: &str| {
        let (status, body) = lab.call("interlock", Method::GET, path, None).await;
        (status, body["error"]["message"].as_str().unwrap().to_owned(), body["status"].clone())
    };
    assert_eq!(message("/api/now/table/nosuch").await, (400, "Invalid table nosuch".to_owned(), json!("failure")));
    assert_eq!(message("/api/now/nosuch").await.0, 400);
    assert_eq!(
        message("/api/now/v1/table/incident?number=none").await,
        (404, "No Record found".to_owned(), json!("failure"))
    );
    assert_eq!(lab.rows("incident", "number=none").await, Vec::<Value>::new());
    let text = lab
        .request("interlock", Method::POST, "/api/now/table/incident")
        .body("{}")
        .header("content-type", "text/plain");
    assert_eq!(text.send().await.unwrap().status(), 400);
    let broken = lab
        .request("interlock", Method::POST, "/api/now/table/incident")
        .body("{")
        .header("content-type", "application/json");
    assert_eq!(broken.send().await.unwrap().status(), 400);
}
