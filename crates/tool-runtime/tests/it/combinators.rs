//! Lists and vendor tasks: cursors are bound to their question, bounds are the schema's, and a poll ends with the last
//! thing seen.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use platform::{Error, ErrorKind, Json};
use serde_json::json;
use tool_runtime::combinators::{Poll, poll_until};

use crate::fixture::{Lab, SERVER};

fn names(page: &Json) -> Vec<&str> {
    page["items"].as_array().unwrap().iter().map(|row| row["name"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn a_list_is_walked_by_its_cursor_to_the_end() {
    let lab = Lab::new().await;
    let mut seen = Vec::new();
    let mut arguments = json!({"prefix": "t", "limit": 3});
    loop {
        let page = lab.call("list_things", arguments.clone()).await.unwrap().structured;
        assert_eq!(page["total"], 7);
        seen.extend(names(&page).into_iter().map(str::to_owned));
        match page["next_cursor"].as_str() {
            Some(cursor) => arguments["cursor"] = json!(cursor),
            None => break,
        }
    }
    assert_eq!(seen, ["t0", "t1", "t2", "t3", "t4", "t5", "t6"]);
}

#[tokio::test]
async fn a_cursor_answers_only_the_question_it_was_issued_for() {
    let lab = Lab::new().await;
    let first = lab.call("list_things", json!({"prefix": "t", "limit": 3})).await.unwrap().structured;
    let cursor = first["next_cursor"].as_str().unwrap();
    // Another number of rows is the same question.
    let rest = lab.call("list_things", json!({"prefix": "t", "limit": 2, "cursor": cursor})).await.unwrap().structured;
    assert_eq!(names(&rest), ["t3", "t4"]);
    let mut changed = cursor.to_owned();
    changed.replace_range(0..1, "A");
    for arguments in [
        json!({"prefix": "u", "cursor": cursor}),
        json!({"cursor": cursor}),
        json!({"prefix": "t", "cursor": "nonsense"}),
        json!({"prefix": "t", "cursor": changed}),
    ] {
        let refusal = lab.call("list_things", arguments.clone()).await.unwrap_err();
        assert_eq!((refusal.kind(), refusal.code()), (ErrorKind::NotFound, "invalid_cursor"), "{arguments}");
    }
}

#[tokio::test]
async fn limits_have_bounds_and_fields_narrow_the_rows() {
    let lab = Lab::new().await;
    for limit in [json!(0), json!(501), json!(-1), json!("3"), json!(1.5)] {
        assert_eq!(lab.refused("list_things", json!({ "limit": limit })).await, "invalid_arguments");
    }
    assert_eq!(lab.call("list_things", json!({})).await.unwrap().structured["items"].as_array().unwrap().len(), 7);
    let narrow = lab.call("list_things", json!({"limit": 1, "fields": ["n"]})).await.unwrap().structured;
    assert_eq!(narrow["items"], json!([{"n": 0}]));
    // A misspelt field is a mistake, not an empty row.
    assert_eq!(lab.refused("list_things", json!({"fields": ["n", "nonesuch"]})).await, "invalid_arguments");
    let catalogue = lab.road.visibility().catalogue();
    let published = catalogue.server(SERVER).unwrap().tool("list_things").unwrap().published_output.clone();
    assert_eq!(published.pointer("/properties/items/items/properties/name/type"), Some(&json!("string")));
    assert_eq!(published.pointer("/properties/items/items/required"), None);
}

#[tokio::test]
async fn a_poll_ends_with_what_is_ready_or_with_the_last_thing_seen() {
    let polls = AtomicU32::new(0);
    let next = || async { Ok::<_, Error>(polls.fetch_add(1, Ordering::SeqCst)) };
    let third = poll_until(Instant::now() + Duration::from_secs(3600), || async {
        Ok(match next().await? {
            n @ 0..=1 => Poll::Pending(n),
            n => Poll::Ready(n),
        })
    });
    assert_eq!(third.await.unwrap(), Poll::Ready(2));
    // The wait is over: what was seen last comes back, after one poll at least.
    let over = poll_until(Instant::now(), || async { Ok(Poll::Pending(next().await?)) }).await.unwrap();
    assert_eq!(over, Poll::Pending(3));
    let failed = poll_until(Instant::now(), || async {
        Err::<Poll<u32>, _>(Error::new(ErrorKind::Upstream, "target_failed", "The target failed."))
    });
    assert_eq!(failed.await.unwrap_err().code(), "target_failed");
}
