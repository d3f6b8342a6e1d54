//! How one operation leads to another (OpenAPI's Link Object): a read whose one needed argument is an id gets it from the
//! answer of a tool of the same server. Derived from names and schemas, so that a new tool is linked without a word:
//! `template_id` comes from rows or results that have a `template_id`, `device_id` from the `id` of `list_devices`' rows.

use std::sync::Arc;

use platform::Json;
use serde_json::{Map, json};
use tool_runtime::catalogue::RegisteredTool;

use super::super::query;
use super::operation::{Names, arguments, required};

/// Adds the links between the tools of one server.
pub(super) fn add(paths: &mut Map<String, Json>, tools: &[Arc<RegisteredTool>]) {
    for from in tools {
        let links: Map<String, Json> = tools.iter().filter_map(|to| link(from, to)).collect();
        let Some(path) = paths.get_mut(&Names::of(from).path).filter(|_| !links.is_empty()) else { continue };
        for operation in path.as_object_mut().into_iter().flat_map(|path| path.values_mut()) {
            for status in ["200", "202"] {
                if let Some(response) =
                    operation.pointer_mut(&format!("/responses/{status}")).and_then(Json::as_object_mut)
                {
                    response.insert("links".to_owned(), links.clone().into());
                }
            }
        }
    }
}

fn link(from: &RegisteredTool, to: &RegisteredTool) -> Option<(String, Json)> {
    if !query::reads(to) || from.name() == to.name() {
        return None;
    }
    let schema = arguments(to);
    let [id] = required(&schema)[..] else { return None };
    let place = place_of(&from.published_output, from.name(), id)?;
    let expression = format!("$response.body#/result/{place}");
    let description = format!("`{id}` of {} is at `{place}` of the result.", to.name());
    let link = json!({"operationId": Names::of(to).get(), "parameters": {id: expression}, "description": description});
    Some((to.name().to_owned(), link))
}

/// Where a result has an id: as itself, in the first of its rows, or as the `id` of a list of such things.
fn place_of(output: &Json, tool: &str, id: &str) -> Option<String> {
    let kind = id.strip_suffix("_id")?;
    let properties = output.get("properties")?.as_object()?;
    if properties.contains_key(id) {
        return Some(id.to_owned());
    }
    properties.iter().find_map(|(name, property)| {
        let row = property.pointer("/items/properties")?.as_object()?;
        let member = match row.contains_key(id) {
            true => id,
            false if row.contains_key("id") && *tool == format!("list_{kind}s") => "id",
            false => return None,
        };
        Some(format!("{name}/0/{member}"))
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::place_of;

    #[test]
    fn an_id_is_found_where_a_result_has_it() {
        let rows = |member: &str| json!({"properties": {"items": {"items": {"properties": {member: {}}}}}});
        for (output, tool, place) in [
            (rows("id"), "list_devices", Some("items/0/id")),
            (rows("id"), "list_sites", None),
            (rows("device_id"), "list_sites", Some("items/0/device_id")),
            (json!({"properties": {"device_id": {}}}), "get_thing", Some("device_id")),
            (json!({"properties": {}}), "list_devices", None),
        ] {
            assert_eq!(place_of(&output, tool, "device_id").as_deref(), place, "{tool}");
        }
        assert_eq!(place_of(&rows("id"), "list_devices", "name"), None);
    }
}
