//! The Aggregate API: counts, sums, averages, smallest and largest values of a table, together or by group. Every figure is
//! a text.

use std::collections::BTreeMap;

use axum::Router;
use axum::extract::{Path, State};
use axum::routing::get;
use serde_json::{Map, Value, json};

use crate::params::Params;
use crate::records::{Records, Row};
use crate::render::seen;
use crate::reply::{Answer, result};
use crate::schema::SCHEMA;
use crate::simulator::{Request, Shared};
use crate::table_api;

/// Routes below `/api/now` and its versions.
pub(crate) fn routes() -> Router<Shared> {
    Router::new().route("/stats/{table}", get(stats))
}

fn names<'a>(params: &'a Params, key: &str) -> Vec<&'a str> {
    params.get(key).unwrap_or_default().split(',').map(str::trim).filter(|name| !name.is_empty()).collect()
}

async fn stats(State(simulator): State<Shared>, request: Request, Path(table): Path<String>, params: Params) -> Answer {
    let table = table_api::known(&table)?.name;
    let reading = move |records: &Records| {
        let by: Vec<&str> = names(&params, "sysparm_group_by");
        let by: Vec<&str> = by.into_iter().filter(|name| SCHEMA.field(table, name).is_some()).collect();
        // Rows that the caller does not see are not counted here, unlike in a list.
        let all = params.without(&["sysparm_offset"]).replaced(&[("sysparm_limit", usize::MAX.to_string())]);
        let rows = table_api::find(records, &request.caller, table, &all)?.page;
        if by.is_empty() {
            return result(json!({ "stats": figures(&params, &rows) }));
        }
        let mut groups: BTreeMap<Vec<&str>, Vec<&Row>> = BTreeMap::new();
        for row in rows {
            groups.entry(by.iter().map(|field| row.get(field)).collect()).or_default().push(row);
        }
        let mut shown: Vec<Value> = Vec::new();
        for (key, rows) in groups.iter().filter(|(_, rows)| has(&params, rows)) {
            let fields: Vec<Value> =
                by.iter().zip(key).map(|(field, value)| group(records, table, &params, field, value)).collect();
            shown.push(json!({ "stats": figures(&params, rows), "groupby_fields": fields }));
        }
        order(&params, &mut shown);
        result(shown)
    };
    simulator.read_aside(reading).await
}

fn group(records: &Records, table: &str, params: &Params, field: &str, value: &str) -> Value {
    let mut shown = json!({ "field": field, "value": value });
    if matches!(params.get("sysparm_display_value"), Some("true" | "all"))
        && let (Some(known), Some(table)) = (SCHEMA.field(table, field), SCHEMA.table(table))
    {
        let display = seen(records, &Row::empty(table.name), known, value);
        match params.get("sysparm_display_value") {
            Some("all") => shown["display_value"] = Value::from(display),
            _ => shown["value"] = Value::from(display),
        }
    }
    shown
}

fn numbers<'a>(rows: &'a [&Row], field: &'a str) -> impl Iterator<Item = f64> {
    rows.iter().filter_map(move |row| row.get(field).parse().ok())
}

fn figures(params: &Params, rows: &[&Row]) -> Value {
    let mut shown = Map::new();
    if params.is_true("sysparm_count") {
        shown.insert("count".to_owned(), Value::from(rows.len().to_string()));
    }
    for (key, name) in [
        ("sysparm_avg_fields", "avg"),
        ("sysparm_min_fields", "min"),
        ("sysparm_max_fields", "max"),
        ("sysparm_sum_fields", "sum"),
    ] {
        let mut of_fields = Map::new();
        for field in names(params, key) {
            let text = match name {
                "min" => rows
                    .iter()
                    .map(|row| row.get(field))
                    .filter(|value| !value.is_empty())
                    .min()
                    .unwrap_or_default()
                    .to_owned(),
                "max" => rows.iter().map(|row| row.get(field)).max().unwrap_or_default().to_owned(),
                "sum" => format!("{}", numbers(rows, field).sum::<f64>()),
                _ => {
                    let count = numbers(rows, field).count();
                    if count == 0 {
                        String::new()
                    } else {
                        format!("{:.4}", numbers(rows, field).sum::<f64>() / count as f64)
                    }
                }
            };
            of_fields.insert(field.to_owned(), Value::from(text));
        }
        if !of_fields.is_empty() {
            shown.insert(name.to_owned(), Value::Object(of_fields));
        }
    }
    Value::Object(shown)
}

/// `count^state^>^10`: the only aggregate that clients compare.
fn has(params: &Params, rows: &[&Row]) -> bool {
    let Some(text) = params.get("sysparm_having") else { return true };
    let parts: Vec<&str> = text.split('^').collect();
    let [_, _, operator, number] = parts.as_slice() else { return true };
    let Ok(number) = number.parse::<usize>() else { return true };
    match *operator {
        ">" => rows.len() > number,
        ">=" => rows.len() >= number,
        "<" => rows.len() < number,
        "<=" => rows.len() <= number,
        "=" => rows.len() == number,
        "!=" => rows.len() != number,
        _ => true,
    }
}

/// `COUNT` or `COUNT^DESC`; groups stand in the order of their values else.
fn order(params: &Params, shown: &mut [Value]) {
    let asked = params.get("sysparm_order_by").or_else(|| params.get("sysparm_orderby")).unwrap_or_default();
    if !asked.to_ascii_uppercase().starts_with("COUNT") {
        return;
    }
    let count =
        |group: &Value| group["stats"]["count"].as_str().and_then(|text| text.parse::<usize>().ok()).unwrap_or(0);
    shown.sort_by_key(count);
    if asked.to_ascii_uppercase().ends_with("DESC") {
        shown.reverse();
    }
}
