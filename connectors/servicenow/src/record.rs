//! A row of the vendor's: every field has a value for machines and one for people. Values are texts, whatever they mean
//! (`"true"`, `"-5"`, `"2026-11-22 06:00:00"` in UTC); the Change Management API sends numbers and booleans as well.

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use platform::Json;
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};

/// The vendor's form of time.
const TIME: &str = "%Y-%m-%d %H:%M:%S";

/// One row.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(transparent)]
pub(crate) struct Record(BTreeMap<String, Cell>);

#[derive(Debug, Clone, Default)]
struct Cell {
    value: String,
    shown: String,
}

impl<'de> Deserialize<'de> for Cell {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(match Json::deserialize(deserializer)? {
            Json::Object(members) => {
                let member = |name: &str| members.get(name).map(text).unwrap_or_default();
                Self { value: member("value"), shown: member("display_value") }
            }
            plain => Self { value: text(&plain), shown: text(&plain) },
        })
    }
}

/// A scalar as the Table API would send it: `-5.0` is `-5`.
fn text(value: &Json) -> String {
    match value {
        Json::String(text) => text.clone(),
        Json::Bool(flag) => flag.to_string(),
        Json::Number(number) => match number.as_f64().filter(|n| n.fract() == 0.0) {
            Some(whole) => format!("{whole:.0}"),
            None => number.to_string(),
        },
        _ => String::new(),
    }
}

/// Something that a record refers to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub(crate) struct Reference {
    /// Its `sys_id`.
    pub id: String,
    /// What ServiceNow calls it.
    pub name: Option<String>,
}

/// A value out of a list of choices.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub(crate) struct Choice {
    /// The stored value, for example `2`.
    pub value: String,
    /// What ServiceNow shows for it, for example `In Progress`.
    pub label: Option<String>,
}

fn filled(text: &str) -> Option<&str> {
    Some(text).filter(|t| !t.is_empty())
}

impl Record {
    /// A field's value; nothing where it is empty.
    pub(crate) fn text(&self, field: &str) -> Option<&str> {
        self.0.get(field).and_then(|cell| filled(&cell.value))
    }

    /// The same, owned.
    pub(crate) fn owned(&self, field: &str) -> Option<String> {
        self.text(field).map(str::to_owned)
    }

    /// The row's id.
    pub(crate) fn id(&self) -> String {
        self.owned("sys_id").unwrap_or_default()
    }

    /// What people see of a field.
    pub(crate) fn shown(&self, field: &str) -> Option<String> {
        self.0.get(field).and_then(|cell| filled(&cell.shown)).map(str::to_owned)
    }

    pub(crate) fn reference(&self, field: &str) -> Option<Reference> {
        Some(Reference { id: self.owned(field)?, name: self.shown(field) })
    }

    pub(crate) fn choice(&self, field: &str) -> Option<Choice> {
        Some(Choice { value: self.owned(field)?, label: self.shown(field) })
    }

    pub(crate) fn flag(&self, field: &str) -> bool {
        matches!(self.text(field), Some("true" | "1"))
    }

    pub(crate) fn number(&self, field: &str) -> Option<u64> {
        self.text(field)?.replace(',', "").parse().ok()
    }

    /// A time, RFC 3339.
    pub(crate) fn time(&self, field: &str) -> Option<String> {
        read_time(self.text(field)?).map(|t| t.to_string())
    }

    /// A time, milliseconds since the epoch.
    pub(crate) fn time_ms(&self, field: &str) -> Option<i64> {
        read_time(self.text(field)?).map(Timestamp::as_millisecond)
    }
}

fn read_time(text: &str) -> Option<Timestamp> {
    DateTime::strptime(TIME, text).ok()?.to_zoned(TimeZone::UTC).ok().map(|z| z.timestamp())
}

/// A time as the vendor reads it: UTC, whole seconds.
pub(crate) fn vendor_time(at: Timestamp) -> String {
    at.to_zoned(TimeZone::UTC).strftime(TIME).to_string()
}

/// A time that a caller writes, RFC 3339.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(transparent)]
pub(crate) struct Time(pub(crate) Timestamp);

impl Time {
    pub(crate) fn vendor(self) -> String {
        vendor_time(self.0)
    }
}

impl JsonSchema for Time {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Time".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "type": "string",
            "pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\\.[0-9]+)?(Z|[+-][0-9]{2}:[0-9]{2})$",
            "maxLength": 40
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{Choice, Record, Reference, vendor_time};

    #[test]
    fn a_row_is_read_in_all_the_forms_that_the_vendor_sends() {
        let row: Record = serde_json::from_value(json!({
            "sys_id": "a".repeat(32),
            "state": {"display_value": "New", "value": -5.0},
            "active": {"display_value": "true", "value": true},
            "assigned_to": {"display_value": "Ada", "value": "b", "link": "https://…"},
            "start_date": {"display_value": "2026-11-22 07:00:00", "value": "2026-11-22 06:00:00", "display_value_internal": ""},
            "parent": {"display_value": "", "value": ""},
            "sys_mod_count": "1,204",
            "gone": null,
        }))
        .unwrap();
        assert_eq!(row.choice("state"), Some(Choice { value: "-5".into(), label: Some("New".into()) }));
        assert_eq!(row.reference("assigned_to"), Some(Reference { id: "b".into(), name: Some("Ada".into()) }));
        assert_eq!(row.time("start_date").as_deref(), Some("2026-11-22T06:00:00Z"));
        assert_eq!(row.time_ms("start_date"), Some(1_795_327_200_000));
        assert_eq!((row.reference("parent"), row.text("gone"), row.text("absent")), (None, None, None));
        assert_eq!((row.flag("active"), row.number("sys_mod_count")), (true, Some(1_204)));
    }

    #[test]
    fn a_time_goes_out_in_utc_and_whole_seconds() {
        assert_eq!(vendor_time("2026-11-22T07:00:00.900+01:00".parse().unwrap()), "2026-11-22 06:00:00");
    }
}
