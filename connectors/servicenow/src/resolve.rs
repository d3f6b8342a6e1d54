//! From what people say to what the vendor stores: a number, a user name, a group's name or a serial number becomes the one
//! `sys_id` that it stands for, or a refusal. The vendor itself stores a user name in a reference field without a word, and
//! then nobody is assigned.

use platform::policy::TargetFacts;
use platform::{Error, ErrorKind};
use tool_runtime::ToolCx;
use tool_runtime::connector::target_unknown;

use crate::client::Api;
use crate::query::{Query, Table};
use crate::record::Record;

pub(crate) static USERS: Table =
    Table { name: "sys_user", fields: &["user_name", "name", "email", "active", "sys_id", "manager.user_name"] };
pub(crate) static GROUPS: Table = Table { name: "sys_user_group", fields: &["name", "active", "sys_id"] };
pub(crate) static ITEMS: Table = Table {
    name: "cmdb_ci",
    fields: &[
        "sys_id",
        "name",
        "serial_number",
        "sys_class_name",
        "location.name",
        "ip_address",
        "install_status",
        "operational_status",
    ],
};

/// The `install_status` of items that are not there any more: retired, stolen, absent.
pub(crate) const GONE: [&str; 3] = ["7", "8", "100"];

/// Whether a text is one of the vendor's ids.
pub(crate) fn is_sys_id(text: &str) -> bool {
    text.len() == 32 && text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
}

/// A person's id, by user name, mail address or id.
pub(crate) async fn person(api: &Api, cx: &ToolCx, text: &str) -> Result<String, Error> {
    let field = match text {
        text if is_sys_id(text) => "sys_id",
        text if text.contains('@') => "email",
        _ => "user_name",
    };
    let query = Query::of(&USERS).is(field, Some(text)).is("active", Some("true")).build()?;
    only(api.few(cx, &USERS, &query, &["sys_id"]).await?, "person", text)
}

/// A group's id, by name or id.
pub(crate) async fn group(api: &Api, cx: &ToolCx, text: &str) -> Result<String, Error> {
    let field = if is_sys_id(text) { "sys_id" } else { "name" };
    let query = Query::of(&GROUPS).is(field, Some(text)).is("active", Some("true")).build()?;
    only(api.few(cx, &GROUPS, &query, &["sys_id"]).await?, "group", text)
}

/// A configuration item's id, by serial number or id (T17: none or several is a refusal).
pub(crate) async fn item(api: &Api, cx: &ToolCx, text: &str) -> Result<String, Error> {
    Ok(item_row(api, cx, text, &["sys_id"]).await?.id())
}

async fn item_row(api: &Api, cx: &ToolCx, text: &str, fields: &[&str]) -> Result<Record, Error> {
    let query = match is_sys_id(text) {
        true => Query::of(&ITEMS).is("sys_id", Some(text)),
        false => Query::of(&ITEMS).is("serial_number", Some(text)).none_of("install_status", GONE),
    };
    one_of(api.few(cx, &ITEMS, &query.build()?, fields).await?, "configuration item", text)
}

fn only(rows: Vec<Record>, kind: &'static str, text: &str) -> Result<String, Error> {
    one_of(rows, kind, text).map(|row| row.id())
}

fn one_of(mut rows: Vec<Record>, kind: &'static str, text: &str) -> Result<Record, Error> {
    match (rows.pop(), rows.len()) {
        (Some(row), 0) if is_sys_id(&row.id()) => Ok(row),
        (Some(_), 1..) => Err(Error::new(
            ErrorKind::Conflict,
            "name_ambiguous",
            format!("More than one {kind} goes by that name or number on this server. Name it by its `sys_id`."),
        )),
        _ => Err(target_unknown(kind, text)),
    }
}

/// What can be told apart by number: a table of tasks.
pub(crate) struct Kind {
    pub(crate) table: Table,
    /// As people say it, and as [`tool_runtime::Connector::look_up`] is asked.
    pub(crate) name: &'static str,
}

/// A ticket, by number or id, with these fields.
pub(crate) async fn ticket(
    api: &Api,
    cx: &ToolCx,
    kind: &'static Kind,
    text: &str,
    fields: &[&str],
) -> Result<Record, Error> {
    let field = if is_sys_id(text) { "sys_id" } else { "number" };
    let query = Query::of(&kind.table).is(field, Some(text)).build()?;
    let rows = api.few(cx, &kind.table, &query, fields).await?;
    one_of(rows, kind.name, text)
}

/// What policy and the audit log know a ticket by.
pub(crate) async fn ticket_facts(
    api: &Api,
    cx: &ToolCx,
    kind: &'static Kind,
    text: &str,
) -> Result<TargetFacts, Error> {
    let row = ticket(api, cx, kind, text, &["sys_id", "number"]).await.map_err(|e| as_unknown(e, kind.name, text))?;
    Ok(TargetFacts {
        kind: kind.name.to_owned(),
        id: row.id(),
        name: row.owned("number").unwrap_or_else(|| row.id()),
        serials: Vec::new(),
        site: None,
        role: None,
        redundancy_group: None,
        ci: None,
        source: "live".to_owned(),
        age_s: 0,
    })
}

/// What policy and the audit log know a configuration item by.
pub(crate) async fn item_facts(api: &Api, cx: &ToolCx, text: &str) -> Result<TargetFacts, Error> {
    let row = item_row(api, cx, text, &["sys_id", "name", "serial_number", "location"])
        .await
        .map_err(|e| as_unknown(e, "configuration_item", text))?;
    let id = row.id();
    Ok(TargetFacts {
        kind: "configuration_item".to_owned(),
        name: row.owned("name").unwrap_or_else(|| id.clone()),
        serials: crate::model::serials(&row),
        site: row.shown("location"),
        role: None,
        redundancy_group: None,
        ci: Some(id.clone()),
        id,
        source: "live".to_owned(),
        age_s: 0,
    })
}

/// A text that cannot be asked for names nothing.
fn as_unknown(error: Error, kind: &str, text: &str) -> Error {
    match error.code() {
        "target_not_found" | "query_value_invalid" => target_unknown(kind, text),
        _ => error,
    }
}
