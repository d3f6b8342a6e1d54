//! Codex keeps its configuration in TOML; everything but the server's own keys stays as it is written, comments included.

use platform::Json;
use toml_edit::{Array, DocumentMut, Item, Table, Value};

use super::entry::MEMBERS;

const SERVERS: &str = "mcp_servers";

/// Sets the keys of `[mcp_servers.name]`, or takes the table out.
pub(super) fn edit(text: &str, name: &str, members: Option<&[(&'static str, Json)]>) -> Result<String, String> {
    let mut document: DocumentMut = text.parse().map_err(|e: toml_edit::TomlError| e.message().to_owned())?;
    let no_table = |what: &str| format!("`{what}` is no table");
    let Some(members) = members else {
        let Some(servers) = document.get_mut(SERVERS) else { return Ok(text.to_owned()) };
        let servers = servers.as_table_like_mut().ok_or_else(|| no_table(SERVERS))?;
        return Ok(if servers.remove(name).is_some() { document.to_string() } else { text.to_owned() });
    };
    let mut none = Table::new();
    // Written only as the head of its tables.
    none.set_implicit(true);
    let servers = document.entry(SERVERS).or_insert(Item::Table(none));
    let servers = servers.as_table_like_mut().ok_or_else(|| no_table(SERVERS))?;
    let entry = servers.entry(name).or_insert(Item::Table(Table::new()));
    let entry = entry.as_table_like_mut().ok_or_else(|| no_table(name))?;
    for stale in MEMBERS.iter().filter(|m| members.iter().all(|(member, _)| member != *m)) {
        entry.remove(stale);
    }
    for (member, value) in members {
        let value = toml(value);
        match entry.get_mut(member) {
            Some(Item::Value(old)) if same(old, &value) => {}
            Some(Item::Value(old)) => {
                // A comment behind the value is the person's.
                let decor = old.decor().clone();
                *old = value;
                *old.decor_mut() = decor;
            }
            _ => drop(entry.insert(member, Item::Value(value))),
        }
    }
    Ok(document.to_string())
}

fn toml(value: &Json) -> Value {
    match value {
        Json::Array(items) => Value::Array(items.iter().map(toml).collect::<Array>()),
        Json::String(text) => Value::from(text.as_str()),
        other => Value::from(other.to_string()),
    }
}

fn same(old: &Value, new: &Value) -> bool {
    match (old, new) {
        (Value::Array(old), Value::Array(new)) => {
            old.len() == new.len() && old.iter().zip(new.iter()).all(|(old, new)| same(old, new))
        }
        (old, new) => old.as_str().is_some() && old.as_str() == new.as_str(),
    }
}
