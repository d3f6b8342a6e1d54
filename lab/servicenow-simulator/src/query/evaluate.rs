//! What a term means on a row. Letter case does not count, numbers compare as numbers, times as texts, which sort alike.

use std::cmp::Ordering;

use super::{Asking, Operator, Term, script};
use crate::records::{Records, Row, parse_time, time_text};
use crate::schema::SCHEMA;

/// The value that a path of references ends at.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reached<'a> {
    /// The value.
    pub(super) value: &'a str,
    /// The table that a reference names.
    reference: Option<&'static str>,
    is_number: bool,
}

impl Reached<'_> {
    /// What people see in place of the value.
    fn shown(&self, records: &Records) -> String {
        self.reference.map_or_else(|| self.value.to_owned(), |table| records.display(table, self.value))
    }

    /// Whether the value equals another.
    fn is(&self, other: &str) -> bool {
        compare(self.value, other, self.is_number) == Ordering::Equal
    }
}

/// Follows a path from a row. A reference on the way that is empty ends in nothing.
pub(super) fn reach<'a>(row: &'a Row, path: &str, records: &'a Records) -> Reached<'a> {
    let mut row = row;
    let mut rest = path;
    while let Some((step, after)) = rest.split_once('.') {
        let next = SCHEMA.field(row.table, step).and_then(|field| records.find(field.reference, row.get(step)));
        let Some(next) = next else { return Reached { value: "", reference: None, is_number: false } };
        (row, rest) = (next, after);
    }
    let field = SCHEMA.field(row.table, rest);
    let value = if rest == "sys_class_name" { row.table } else { row.get(rest) };
    let reference = field.filter(|field| field.is_reference()).map(|field| field.reference);
    let is_number = field.is_some_and(|field| matches!(field.kind, "integer" | "decimal" | "float"));
    Reached { value, reference, is_number }
}

/// A value as rows are sorted by it; a reference sorts by what people see.
pub(super) struct SortKey {
    text: String,
    number: Option<f64>,
}

impl SortKey {
    /// The key of a row for a path.
    pub(super) fn of(row: &Row, path: &str, records: &Records) -> Self {
        let reached = reach(row, path, records);
        let number = reached.is_number.then(|| reached.value.parse().ok()).flatten();
        Self { text: reached.shown(records).to_lowercase(), number }
    }

    /// Order of two values of one field.
    pub(super) fn order(&self, other: &Self) -> Ordering {
        match (self.number, other.number) {
            (Some(one), Some(other)) => one.total_cmp(&other),
            _ => self.text.cmp(&other.text),
        }
    }
}

fn compare(one: &str, other: &str, as_numbers: bool) -> Ordering {
    if as_numbers && let (Ok(one), Ok(other)) = (one.parse::<f64>(), other.parse::<f64>()) {
        return one.total_cmp(&other);
    }
    one.to_lowercase().cmp(&other.to_lowercase())
}

/// Whether the term holds on the row.
pub(super) fn holds(term: &Term, row: &Row, asking: &Asking<'_>) -> bool {
    match term {
        Term::Compare { path, operator: operator @ (Operator::In | Operator::NotIn), list: Some(list), .. } => {
            let reached = reach(row, path, asking.records);
            let is_listed = if reached.is_number {
                list.iter().any(|one| reached.is(one))
            } else {
                list.contains(&reached.value.to_lowercase())
            };
            is_listed == (*operator == Operator::In)
        }
        Term::Compare { path, operator, value, .. } => compared(row, path, *operator, value, asking),
        Term::Anywhere(words) => {
            SCHEMA.fields(row.table).iter().any(|field| row.get(field.element).to_lowercase().contains(words))
        }
        Term::Join { own, table, other, query } => {
            let mine = reach(row, own, asking.records).value;
            if mine.is_empty() {
                return false;
            }
            if !other.contains('.') && other != "sys_class_name" {
                return asking.records.all(table, other, mine).any(|candidate| query.passes(candidate, asking));
            }
            asking.records.family(table).any(|candidate| {
                reach(candidate, other, asking.records).value == mine && query.passes(candidate, asking)
            })
        }
        Term::Related { table, field, operator, count, query } => {
            let of_row = asking.records.all(table, field, row.id()).filter(|candidate| query.passes(candidate, asking));
            let (seen, wanted) = (of_row.count(), *count);
            match operator {
                Operator::Is => seen == wanted,
                Operator::IsNot => seen != wanted,
                Operator::Less => seen < wanted,
                Operator::LessOrEqual => seen <= wanted,
                Operator::Greater => seen > wanted,
                _ => seen >= wanted,
            }
        }
    }
}

fn compared(row: &Row, path: &str, operator: Operator, value: &str, asking: &Asking<'_>) -> bool {
    let reached = reach(row, path, asking.records);
    let mine = reached.value;
    let value = script::value(value, asking);
    let by = |other: &str| compare(mine, other, reached.is_number);
    let in_list = || value.split(',').any(|one| reached.is(one.trim()));
    // Texts are looked at as people see them, and as they are.
    let either = |test: fn(&str, &str) -> bool| {
        let lower = value.to_lowercase();
        test(&reached.shown(asking.records).to_lowercase(), &lower) || test(&mine.to_lowercase(), &lower)
    };
    // An empty field is in no order with anything.
    let ordered = |wanted: fn(Ordering) -> bool, other: &str| !mine.is_empty() && wanted(by(other));
    match operator {
        Operator::Is => reached.is(&value),
        Operator::IsNot => !reached.is(&value),
        Operator::In => in_list(),
        Operator::NotIn => !in_list(),
        Operator::Empty => mine.is_empty(),
        Operator::NotEmpty => !mine.is_empty(),
        Operator::Anything => true,
        Operator::SameAs => mine == reach(row, &value, asking.records).value,
        Operator::NotSameAs => mine != reach(row, &value, asking.records).value,
        Operator::Like => either(|text, part| text.contains(part)),
        Operator::NotLike => !either(|text, part| text.contains(part)),
        Operator::StartsWith => either(|text, part| text.starts_with(part)),
        Operator::EndsWith => either(|text, part| text.ends_with(part)),
        Operator::Less => ordered(Ordering::is_lt, &value),
        Operator::LessOrEqual => ordered(Ordering::is_le, &value),
        Operator::Greater => ordered(Ordering::is_gt, &value),
        Operator::GreaterOrEqual => ordered(Ordering::is_ge, &value),
        Operator::Between => {
            let (from, to) = value.split_once('@').unwrap_or((&value, &value));
            let (from, to) = (script::value(from, asking), script::value(to, asking));
            ordered(Ordering::is_ge, &from) && ordered(Ordering::is_le, &to)
        }
        Operator::On | Operator::NotOn => {
            let mut bounds = value.split('@').skip(1).map(|bound| script::value(bound, asking));
            let (from, to) = (bounds.next().unwrap_or_default(), bounds.next().unwrap_or_default());
            let on = ordered(Ordering::is_ge, &from) && ordered(Ordering::is_le, &to);
            on == (operator == Operator::On)
        }
        Operator::GreaterThanField => ordered(Ordering::is_gt, reach(row, &value, asking.records).value),
        Operator::LessThanField => ordered(Ordering::is_lt, reach(row, &value, asking.records).value),
        Operator::InstanceOf => SCHEMA.extends(mine, &value),
        Operator::RelativeAfter => relative(&value, asking).is_some_and(|at| ordered(Ordering::is_gt, &at)),
        Operator::RelativeBefore => relative(&value, asking).is_some_and(|at| ordered(Ordering::is_lt, &at)),
        // The vendor's own dynamic filter that everybody uses: `Me`.
        Operator::Dynamic => mine == asking.user,
    }
}

/// `@hour@ago@3`, `@dayofweek@ahead@7`.
fn relative(text: &str, asking: &Asking<'_>) -> Option<String> {
    let mut parts = text.trim_start_matches('@').split('@');
    let (unit, direction, count) = (parts.next()?, parts.next()?, parts.next()?.parse::<i64>().ok()?);
    let seconds = match unit {
        "minute" => 60,
        "hour" => 3_600,
        "dayofweek" | "day" => 86_400,
        "week" => 7 * 86_400,
        "month" => 30 * 86_400,
        "quarter" => 91 * 86_400,
        "year" => 365 * 86_400,
        _ => return None,
    };
    let shift = seconds * if direction == "ago" { -count } else { count };
    let now = asking.records.now();
    let at = now.checked_add(jiff::SignedDuration::from_secs(shift)).ok()?;
    parse_time(&time_text(at)).map(time_text)
}
