//! What a term means on a row. Letter case does not count, numbers compare as numbers, times as texts, which sort alike.

use std::cmp::Ordering;

use super::{Asking, Operator, Term, script};
use crate::records::{Records, Row, parse_time, time_text};
use crate::schema::SCHEMA;

/// The value that a path of references ends at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Reached {
    /// The value.
    pub(super) value: String,
    /// What people see in its place, for a reference or a choice.
    shown: Option<String>,
    is_number: bool,
}

/// Follows a path from a row. A reference on the way that is empty ends in nothing.
pub(super) fn reach(row: &Row, path: &str, records: &Records) -> Reached {
    let mut row = row;
    let mut rest = path;
    while let Some((step, after)) = rest.split_once('.') {
        let next = SCHEMA.field(row.table, step).and_then(|field| records.find(field.reference, row.get(step)));
        let Some(next) = next else { return Reached { value: String::new(), shown: None, is_number: false } };
        (row, rest) = (next, after);
    }
    let field = SCHEMA.field(row.table, rest);
    let value = if rest == "sys_class_name" { row.table } else { row.get(rest) };
    let shown = field.filter(|field| field.is_reference()).map(|field| records.display(field.reference, value));
    let is_number = field.is_some_and(|field| matches!(field.kind, "integer" | "decimal" | "float"));
    Reached { value: value.to_owned(), shown, is_number }
}

/// Order of two values of one field; a reference sorts by what people see.
pub(super) fn order(one: &Reached, other: &Reached) -> Ordering {
    match (&one.shown, &other.shown) {
        (Some(one), Some(other)) => one.to_lowercase().cmp(&other.to_lowercase()),
        _ => compare(&one.value, &other.value, one.is_number),
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
        Term::Compare { path, operator, value } => compared(row, path, *operator, value, asking),
        Term::Anywhere(words) => {
            SCHEMA.fields(row.table).iter().any(|field| row.get(field.element).to_lowercase().contains(words))
        }
        Term::Join { own, table, other, query } => {
            let mine = reach(row, own, asking.records).value;
            !mine.is_empty()
                && asking.records.family(table).any(|candidate| {
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
    let mine = reached.value.as_str();
    let shown = reached.shown.as_deref().unwrap_or(mine).to_lowercase();
    let value = script::value(value, asking);
    let by = |other: &str| compare(mine, other, reached.is_number);
    let in_list = || value.split(',').any(|one| by(one.trim()) == Ordering::Equal);
    let has = |part: &str| shown.contains(part) || mine.to_lowercase().contains(part);
    let lower = value.to_lowercase();
    // An empty field is in no order with anything.
    let ordered = |wanted: fn(Ordering) -> bool, other: &str| !mine.is_empty() && wanted(by(other));
    match operator {
        Operator::Is => by(&value) == Ordering::Equal,
        Operator::IsNot => by(&value) != Ordering::Equal,
        Operator::In => in_list(),
        Operator::NotIn => !in_list(),
        Operator::Empty => mine.is_empty(),
        Operator::NotEmpty => !mine.is_empty(),
        Operator::Anything => true,
        Operator::SameAs => mine == reach(row, &value, asking.records).value,
        Operator::NotSameAs => mine != reach(row, &value, asking.records).value,
        Operator::Like => has(&lower),
        Operator::NotLike => !has(&lower),
        Operator::StartsWith => shown.starts_with(&lower) || mine.to_lowercase().starts_with(&lower),
        Operator::EndsWith => shown.ends_with(&lower) || mine.to_lowercase().ends_with(&lower),
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
        Operator::GreaterThanField => ordered(Ordering::is_gt, &reach(row, &value, asking.records).value),
        Operator::LessThanField => ordered(Ordering::is_lt, &reach(row, &value, asking.records).value),
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
