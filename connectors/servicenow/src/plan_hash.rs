//! Where a plan's hash stands in a change request (T17): in a field that the operator names, or in the first line of the
//! implementation plan.

use platform::{Error, ErrorKind, Result};

use crate::record::Record;

const DEFAULT: &str = "implementation_plan";
/// What the first line of the implementation plan begins with.
const MARK: &str = "Interlock plan sha256:";
/// Fields that tools may write after the approval, or that mean something else: never the hash's.
const TAKEN: [&str; 14] = [
    "approval",
    "assigned_to",
    "assignment_group",
    "cmdb_ci",
    "comments",
    "correlation_display",
    "correlation_id",
    "description",
    "end_date",
    "short_description",
    "start_date",
    "state",
    "type",
    "work_notes",
];

/// The field of the hash.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Place {
    /// First line of `implementation_plan`.
    FirstLine,
    /// A field of its own.
    Field(String),
}

impl Place {
    /// As the operator names it. Errors: `plan_hash_field_invalid`.
    pub(crate) fn configured(field: Option<&str>) -> Result<Self> {
        match field {
            None | Some(DEFAULT) => Ok(Self::FirstLine),
            Some(field) => {
                let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_';
                let named = field.bytes().next().is_some_and(|b| b.is_ascii_lowercase())
                    && field.len() <= 80
                    && field.bytes().all(plain);
                let free = !TAKEN.contains(&field) && !field.starts_with("sys_");
                if !(named && free) {
                    return Err(Error::new(
                        ErrorKind::InvalidInput,
                        "plan_hash_field_invalid",
                        "`plan_hash_field` must name a field of change requests that is kept for the plan's hash, for \
                         example `u_plan_hash`: lower-case letters, digits and underscores, and no field that means \
                         something else.",
                    ));
                }
                Ok(Self::Field(field.to_owned()))
            }
        }
    }

    /// The field's name.
    pub(crate) fn field(&self) -> &str {
        match self {
            Self::FirstLine => DEFAULT,
            Self::Field(field) => field,
        }
    }

    /// What is stored for a hash.
    pub(crate) fn written(&self, hash: &str) -> String {
        match self {
            Self::FirstLine => format!("{MARK}{hash}"),
            Self::Field(_) => hash.to_owned(),
        }
    }

    /// What stands there: the hash, or whatever else somebody wrote in its place; nothing where it is empty.
    pub(crate) fn read(&self, row: &Record) -> Option<String> {
        let text = row.text(self.field())?;
        let text = match self {
            Self::FirstLine => text.lines().next().unwrap_or_default().trim(),
            Self::Field(_) => text.trim(),
        };
        let hash = text.strip_prefix(MARK).unwrap_or(text);
        Some(hash.chars().take(200).collect::<String>()).filter(|hash| !hash.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::Place;

    #[test]
    fn t17_the_hash_is_read_from_where_it_was_written() {
        let hash = "ab".repeat(32);
        for place in [Place::FirstLine, Place::Field("u_plan_hash".into())] {
            let row = serde_json::from_value(json!({place.field(): place.written(&hash)})).unwrap();
            assert_eq!(place.read(&row), Some(hash.clone()));
        }
        let edited = json!({"implementation_plan": format!("{}\r\nand more", Place::FirstLine.written(&hash))});
        assert_eq!(Place::FirstLine.read(&serde_json::from_value(edited).unwrap()), Some(hash));
        let other = json!({"implementation_plan": "1. Do it.\nInterlock plan sha256:00"});
        assert_eq!(Place::FirstLine.read(&serde_json::from_value(other).unwrap()).as_deref(), Some("1. Do it."));
        assert_eq!(Place::FirstLine.read(&serde_json::from_value(json!({})).unwrap()), None);
    }

    #[test]
    fn t17_a_field_that_tools_write_never_holds_the_hash() {
        assert_eq!(Place::configured(Some("u_plan_hash")).unwrap(), Place::Field("u_plan_hash".into()));
        assert_eq!(Place::configured(None).unwrap(), Place::configured(Some("implementation_plan")).unwrap());
        for field in ["description", "work_notes", "state", "sys_id", "U_HASH", "a.b", "a^b", "", "1a"] {
            assert_eq!(Place::configured(Some(field)).unwrap_err().code(), "plan_hash_field_invalid", "{field}");
        }
    }
}
