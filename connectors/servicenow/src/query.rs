//! Encoded queries, built and never pasted. The vendor ignores a clause that it does not understand and answers with every
//! row, so that a mistake in a filter widens the answer instead of failing. Three things stand against it: fields come from
//! a fixed list, a value that could be read as more than a value is refused, and [`Built::check`] holds every row that comes
//! back against the clauses.

use std::collections::BTreeSet;

use platform::{Error, ErrorKind};

use crate::error;
use crate::record::Record;

/// Longest value.
const LONGEST: usize = 255;

/// A table, and the fields of it that queries may name.
pub(crate) struct Table {
    pub(crate) name: &'static str,
    pub(crate) fields: &'static [&'static str],
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Operator {
    Is,
    OneOf,
    NoneOf,
    Contains,
    StartsWith,
    NotBefore,
    Before,
    IsSet,
}

impl Operator {
    fn encoded(self) -> &'static str {
        match self {
            Self::Is => "=",
            Self::OneOf => "IN",
            Self::NoneOf => "NOT IN",
            Self::Contains => "LIKE",
            Self::StartsWith => "STARTSWITH",
            Self::NotBefore => ">=",
            Self::Before => "<",
            Self::IsSet => "ISNOTEMPTY",
        }
    }
}

#[derive(Debug)]
struct Clause {
    field: &'static str,
    operator: Operator,
    values: Vec<String>,
}

/// A query under construction; its first mistake is told by [`Query::build`].
pub(crate) struct Query {
    table: &'static Table,
    clauses: Vec<Clause>,
    order: Vec<(&'static str, bool)>,
    mistake: Option<Error>,
}

/// A query that can be sent.
#[derive(Debug)]
pub(crate) struct Built {
    pub(crate) encoded: String,
    clauses: Vec<Clause>,
}

impl Query {
    pub(crate) fn of(table: &'static Table) -> Self {
        Self { table, clauses: Vec::new(), order: Vec::new(), mistake: None }
    }

    /// The field has this value.
    pub(crate) fn is(self, field: &'static str, value: Option<impl Into<String>>) -> Self {
        self.one(field, Operator::Is, value)
    }

    /// The text of the field contains this one; the case of letters does not count.
    pub(crate) fn contains(self, field: &'static str, value: Option<impl Into<String>>) -> Self {
        self.one(field, Operator::Contains, value)
    }

    /// The text of the field begins with this one; the case of letters does not count.
    pub(crate) fn starts_with(self, field: &'static str, value: Option<impl Into<String>>) -> Self {
        self.one(field, Operator::StartsWith, value)
    }

    /// The time in the field is this one or later; the vendor's form of time.
    pub(crate) fn not_before(self, field: &'static str, value: Option<impl Into<String>>) -> Self {
        self.one(field, Operator::NotBefore, value)
    }

    /// The time in the field is earlier; the vendor's form of time.
    pub(crate) fn before(self, field: &'static str, value: Option<impl Into<String>>) -> Self {
        self.one(field, Operator::Before, value)
    }

    /// The field has one of these values; none of them matches nothing, and is a mistake.
    pub(crate) fn one_of<S: Into<String>>(self, field: &'static str, values: impl IntoIterator<Item = S>) -> Self {
        self.with(field, Operator::OneOf, values.into_iter().map(Into::into).collect())
    }

    /// The field has none of these values.
    pub(crate) fn none_of<S: Into<String>>(self, field: &'static str, values: impl IntoIterator<Item = S>) -> Self {
        self.with(field, Operator::NoneOf, values.into_iter().map(Into::into).collect())
    }

    /// The field is not empty.
    pub(crate) fn present(self, field: &'static str) -> Self {
        self.with(field, Operator::IsSet, Vec::new())
    }

    /// In this order; rows that are equal in it come by their ids, so that pages do not overlap.
    pub(crate) fn newest_first(mut self, field: &'static str) -> Self {
        self.order.push((field, true));
        self
    }

    fn one(self, field: &'static str, operator: Operator, value: Option<impl Into<String>>) -> Self {
        match value {
            Some(value) => self.with(field, operator, vec![value.into()]),
            None => self,
        }
    }

    fn with(mut self, field: &'static str, operator: Operator, values: Vec<String>) -> Self {
        let list = matches!(operator, Operator::OneOf | Operator::NoneOf);
        let mistake = if !self.table.fields.contains(&field) {
            Some(Error::internal(format!("`{field}` is no field of {} that queries name", self.table.name)))
        } else if values.is_empty() && operator != Operator::IsSet {
            Some(refused(field, "it is empty"))
        } else {
            values.iter().find_map(|value| why_not(value, list)).map(|why| refused(field, why))
        };
        self.mistake = self.mistake.or(mistake);
        self.clauses.push(Clause { field, operator, values });
        self
    }

    /// Errors: `query_value_invalid`.
    pub(crate) fn build(self) -> Result<Built, Error> {
        if let Some(mistake) = self.mistake {
            return Err(mistake);
        }
        let clause = |c: &Clause| format!("{}{}{}", c.field, c.operator.encoded(), c.values.join(","));
        let order = |(field, newest): &(&str, bool)| format!("ORDERBY{}{field}", if *newest { "DESC" } else { "" });
        let parts = self.clauses.iter().map(clause);
        let parts = parts.chain(self.order.iter().map(order)).chain(["ORDERBYsys_id".to_owned()]);
        Ok(Built { encoded: parts.collect::<Vec<_>>().join("^"), clauses: self.clauses })
    }
}

impl Built {
    /// Fields that the clauses name: they are asked for too, or their rows could not be checked.
    pub(crate) fn fields(&self) -> impl Iterator<Item = &'static str> {
        self.clauses.iter().map(|c| c.field)
    }

    /// Whether rows meet every clause. Errors: `servicenow_query_ignored`.
    pub(crate) fn check(&self, rows: &[Record]) -> Result<(), Error> {
        for clause in &self.clauses {
            // Once for all rows: a list of ids is as long as a page.
            let values: BTreeSet<String> = clause.values.iter().map(|value| value.to_lowercase()).collect();
            if !rows.iter().all(|row| clause.is_met(&values, row.text(clause.field).unwrap_or_default())) {
                return Err(error::query_ignored(clause.field));
            }
        }
        Ok(())
    }
}

impl Clause {
    /// As the vendor's database compares: the case of letters does not count; its times compare as texts. `values` are the
    /// clause's own in lower case.
    fn is_met(&self, values: &BTreeSet<String>, found: &str) -> bool {
        let found = found.to_lowercase();
        match self.operator {
            Operator::Is | Operator::OneOf => values.contains(&found),
            Operator::NoneOf => !values.contains(&found),
            Operator::Contains => values.iter().all(|v| found.contains(v)),
            Operator::StartsWith => values.iter().all(|v| found.starts_with(v)),
            Operator::NotBefore => values.iter().all(|v| found >= *v),
            Operator::Before => values.iter().all(|v| !found.is_empty() && found < *v),
            Operator::IsSet => !found.is_empty(),
        }
    }
}

/// Why a value may not stand in a query. `^` ends it and begins another clause; `javascript:` runs on the vendor's server;
/// `NULL` stands for the empty value.
fn why_not(value: &str, list: bool) -> Option<&'static str> {
    let lower = value.to_lowercase();
    if value.trim().is_empty() {
        Some("it is empty")
    } else if value.chars().count() > LONGEST {
        Some("it is longer than 255 characters")
    } else if value.contains('^') {
        Some("it contains `^`")
    } else if value.chars().any(|c| c.is_control() || matches!(c, '\u{2028}' | '\u{2029}')) {
        Some("it contains a line break or another control character")
    } else if lower.contains("javascript:") {
        Some("it contains `javascript:`")
    } else if lower == "null" {
        Some("`NULL` stands for the empty value")
    } else if list && value.contains(',') {
        Some("it contains a comma")
    } else {
        None
    }
}

fn refused(field: &str, why: &str) -> Error {
    Error::new(
        ErrorKind::InvalidInput,
        "query_value_invalid",
        format!("The value for `{field}` cannot be searched for: {why}. Nothing was asked."),
    )
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{Query, Table};
    use crate::record::Record;

    static TABLE: Table = Table {
        name: "incident",
        fields: &["number", "state", "short_description", "opened_at", "assigned_to.user_name"],
    };

    fn row(value: serde_json::Value) -> Record {
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn a_query_is_its_clauses_in_order_and_ends_with_a_total_order() {
        let built = Query::of(&TABLE)
            .is("number", Some("INC0010001"))
            .is("state", None::<String>)
            .one_of("state", ["1", "2"])
            .contains("short_description", Some("link down"))
            .not_before("opened_at", Some("2026-11-01 00:00:00"))
            .newest_first("opened_at")
            .build()
            .unwrap();
        assert_eq!(
            built.encoded,
            "number=INC0010001^stateIN1,2^short_descriptionLIKElink down^opened_at>=2026-11-01 00:00:00\
             ^ORDERBYDESCopened_at^ORDERBYsys_id"
        );
    }

    #[test]
    fn a_value_that_is_more_than_a_value_is_refused() {
        for value in [
            "x^active=true",
            "^ORnumberISNOTEMPTY",
            "a\nb",
            "a\r",
            "\u{0}",
            "a\u{2028}b",
            "javascript:gs.getUserID()",
            "x JavaScript:alert(1)",
            "NULL",
            "null",
            "",
            "  ",
            &"x".repeat(256),
        ] {
            for query in [
                Query::of(&TABLE).is("number", Some(value)),
                Query::of(&TABLE).contains("short_description", Some(value)),
                Query::of(&TABLE).starts_with("number", Some(value)),
                Query::of(&TABLE).one_of("state", ["1", value]),
            ] {
                assert_eq!(query.build().unwrap_err().code(), "query_value_invalid", "{value:?}");
            }
        }
        assert_eq!(Query::of(&TABLE).one_of("state", ["1,2"]).build().unwrap_err().code(), "query_value_invalid");
        assert_eq!(
            Query::of(&TABLE).one_of("state", [""; 0]).build().unwrap_err().code(),
            "query_value_invalid",
            "an empty list would match everything"
        );
        assert!(
            Query::of(&TABLE).contains("short_description", Some("100 % of <GSM> = \"down\", 日本")).build().is_ok()
        );
    }

    #[test]
    fn a_field_that_is_not_on_the_list_is_never_sent() {
        assert!(Query::of(&TABLE).is("stat", Some("1")).build().is_err());
        assert!(Query::of(&TABLE).is("assigned_to.password", Some("1")).build().is_err());
    }

    #[test]
    fn rows_that_a_clause_excludes_show_that_it_was_ignored() {
        let met = |query: Query, value: serde_json::Value| query.build().unwrap().check(&[row(value)]).is_ok();
        let state = |value: &str| json!({"state": {"display_value": "New", "value": value}});
        assert!(met(Query::of(&TABLE).is("state", Some("1")), state("1")));
        assert!(!met(Query::of(&TABLE).is("state", Some("1")), state("2")));
        assert!(!met(Query::of(&TABLE).is("state", Some("1")), json!({})), "a field that the instance does not have");
        assert!(met(Query::of(&TABLE).one_of("state", ["1", "2"]), state("2")));
        assert!(!met(Query::of(&TABLE).one_of("state", ["1", "2"]), state("3")));
        assert!(!met(Query::of(&TABLE).none_of("state", ["7"]), state("7")));
        assert!(met(
            Query::of(&TABLE).contains("short_description", Some("LINK")),
            json!({"short_description": "a link"})
        ));
        assert!(!met(Query::of(&TABLE).starts_with("number", Some("INC")), json!({"number": "CHG1"})));
        let opened = json!({"opened_at": "2026-11-02 00:00:00"});
        assert!(met(Query::of(&TABLE).not_before("opened_at", Some("2026-11-02 00:00:00")), opened.clone()));
        assert!(!met(Query::of(&TABLE).before("opened_at", Some("2026-11-02 00:00:00")), opened));
        assert!(!met(Query::of(&TABLE).present("number"), json!({"number": ""})));
    }
}
