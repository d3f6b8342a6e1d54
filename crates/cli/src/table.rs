//! Columns for people.

use platform::Json;

/// Widest cell, characters; the rest is cut.
const WIDEST: usize = 48;
/// Most columns of a table made from objects.
const COLUMNS: usize = 6;

/// Rows under headings, columns as wide as their widest cell; the last one is not padded.
pub(crate) fn table(headings: &[&str], rows: &[Vec<String>]) -> String {
    let heading: Vec<String> = headings.iter().map(|h| h.to_uppercase()).collect();
    let all: Vec<&Vec<String>> = std::iter::once(&heading).chain(rows).collect();
    let width =
        |column: usize| all.iter().filter_map(|r| r.get(column)).map(|cell| cell.chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..headings.len()).map(width).collect();
    let line = |row: &&Vec<String>| {
        let cells: Vec<String> = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
        cells.join("  ").trim_end().to_owned()
    };
    all.iter().map(line).collect::<Vec<_>>().join("\n")
}

/// A list of objects as a table of their first plain members; nothing when there is no such list.
pub(crate) fn of_objects(items: &[Json]) -> Option<String> {
    let first = items.first()?.as_object()?;
    let plain = |name: &&String| items.iter().all(|i| !i[name.as_str()].is_object() && !i[name.as_str()].is_array());
    let told = |name: &&String| items.iter().any(|i| !i[name.as_str()].is_null());
    let mut names: Vec<&str> = first.keys().filter(plain).filter(told).map(String::as_str).collect();
    // What a person looks for first, then whatever there is.
    let rank = |name: &&str| ["name", "hostname", "title", "status"].iter().position(|n| n == name).unwrap_or(9);
    names.sort_by_key(|name| rank(name));
    names.truncate(COLUMNS);
    let rows: Vec<Vec<String>> = items.iter().map(|i| names.iter().map(|name| cell(&i[*name])).collect()).collect();
    (!names.is_empty()).then(|| table(&names, &rows))
}

fn cell(value: &Json) -> String {
    let text = match value {
        Json::Null => "-".to_owned(),
        Json::String(text) => text.replace('\n', " "),
        other => other.to_string(),
    };
    match text.char_indices().nth(WIDEST) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::of_objects;

    #[test]
    fn objects_become_columns_with_the_name_first() {
        let items = [
            json!({"id": "1", "hostname": "ac-1", "serials": ["x"], "empty": null}),
            json!({"id": "22", "hostname": "core", "serials": [], "empty": null}),
        ];
        insta::assert_snapshot!(of_objects(&items).unwrap(), @r"
        HOSTNAME  ID
        ac-1      1
        core      22
        ");
        assert!(of_objects(&[]).is_none());
    }
}
