//! The grammar of encoded queries. Keywords are upper-case and case-sensitive.

use std::collections::BTreeSet;

use super::{Operator, Query, Term};
use crate::schema::SCHEMA;

/// Longest first, so that `NOT IN` is not read as something else and `<=` not as `<`.
const OPERATORS: [(&str, Operator); 36] = [
    ("DOES NOT CONTAIN", Operator::NotLike),
    ("GT_OR_EQUALS_FIELD", Operator::GreaterThanField),
    ("LT_OR_EQUALS_FIELD", Operator::LessThanField),
    ("ISNOTEMPTY", Operator::NotEmpty),
    ("EMPTYSTRING", Operator::Empty),
    ("INSTANCEOF", Operator::InstanceOf),
    ("RELATIVEGT", Operator::RelativeAfter),
    ("RELATIVEGE", Operator::RelativeAfter),
    ("RELATIVELT", Operator::RelativeBefore),
    ("RELATIVELE", Operator::RelativeBefore),
    ("STARTSWITH", Operator::StartsWith),
    ("ENDSWITH", Operator::EndsWith),
    ("ANYTHING", Operator::Anything),
    ("CONTAINS", Operator::Like),
    ("GT_FIELD", Operator::GreaterThanField),
    ("LT_FIELD", Operator::LessThanField),
    ("LESSTHAN", Operator::Less),
    ("MORETHAN", Operator::Greater),
    ("NOT LIKE", Operator::NotLike),
    ("BETWEEN", Operator::Between),
    ("DYNAMIC", Operator::Dynamic),
    ("ISEMPTY", Operator::Empty),
    ("NSAMEAS", Operator::NotSameAs),
    ("NOT IN", Operator::NotIn),
    ("SAMEAS", Operator::SameAs),
    ("NOTON", Operator::NotOn),
    ("LIKE", Operator::Like),
    ("ON", Operator::On),
    ("IN", Operator::In),
    ("!=", Operator::IsNot),
    ("!*", Operator::NotLike),
    ("<=", Operator::LessOrEqual),
    (">=", Operator::GreaterOrEqual),
    ("<", Operator::Less),
    (">", Operator::Greater),
    ("=", Operator::Is),
];

/// What the vendor's text search is spelled like.
const ANYWHERE: &str = "123TEXTQUERY321=";

/// Reads a query over a table.
pub(super) fn query(table: &str, text: &str) -> Query {
    let mut query = Query::default();
    let mut rest = text;
    while !rest.is_empty() {
        let end = end_of_part(rest);
        let (part, after) = (rest.get(..end).unwrap_or_default(), rest.get(end..).unwrap_or_default());
        rest = after.strip_prefix('^').unwrap_or(after);
        part_into(&mut query, table, part);
    }
    query
}

/// A join's query and a related list's reach over the carets in them.
fn end_of_part(text: &str) -> usize {
    if text.starts_with("JOIN") {
        return text.len();
    }
    if text.starts_with("RLQUERY") {
        return text.find("^ENDRLQUERY").map_or(text.len(), |at| at + "^ENDRLQUERY".len());
    }
    text.find('^').unwrap_or(text.len())
}

fn part_into(query: &mut Query, table: &str, part: &str) {
    if part.is_empty() || part == "EQ" || part.starts_with("GROUPBY") {
        return;
    }
    for (word, descending) in [("ORDERBYDESC", true), ("ORDERBY", false)] {
        if let Some(path) = part.strip_prefix(word) {
            if known_path(table, path) {
                query.order.push((path.to_owned(), descending));
            } else {
                query.had_invalid_part = true;
            }
            return;
        }
    }
    let (part, joins_previous) = if let Some(part) = part.strip_prefix("NQ") {
        query.alternatives.push(Vec::new());
        (part, false)
    } else if let Some(part) = part.strip_prefix("OR") {
        (part, true)
    } else {
        (part, false)
    };
    if query.alternatives.is_empty() {
        query.alternatives.push(Vec::new());
    }
    let Some(all) = query.alternatives.last_mut() else { return };
    let read = term(table, part);
    query.had_invalid_part |= read.is_none();
    match (read, all.last_mut()) {
        (Some(term), Some(any)) if joins_previous => any.push(term),
        (Some(term), _) => all.push(vec![term]),
        (None, _) => {}
    }
}

/// Whether a path of references ends at a field.
pub(super) fn known_path(table: &str, path: &str) -> bool {
    let mut table = table;
    let mut steps = path.split('.').peekable();
    while let Some(step) = steps.next() {
        let Some(field) = SCHEMA.field(table, step) else { return false };
        if steps.peek().is_some() {
            if !field.is_reference() {
                return false;
            }
            table = field.reference;
        }
    }
    true
}

fn term(table: &str, part: &str) -> Option<Term> {
    if let Some(words) = part.strip_prefix(ANYWHERE) {
        return Some(Term::Anywhere(words.to_lowercase()));
    }
    if let Some(join) = part.strip_prefix("JOIN") {
        return joined(table, join);
    }
    if let Some(list) = part.strip_prefix("RLQUERY") {
        return related(list.strip_suffix("^ENDRLQUERY")?);
    }
    let end = part.find(|c: char| !(c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_' || c == '.'))?;
    let (path, rest) = part.split_at(end);
    if !known_path(table, path) {
        return None;
    }
    let (operator, value) = operator(rest)?;
    if matches!(operator, Operator::SameAs | Operator::NotSameAs | Operator::GreaterThanField | Operator::LessThanField)
        && !known_path(table, value)
    {
        return None;
    }
    // A list that a script makes is known only when somebody asks.
    let is_list =
        matches!(operator, Operator::Is | Operator::In | Operator::NotIn) && !value.starts_with("javascript:");
    let list = is_list.then(|| match operator {
        Operator::Is => BTreeSet::from([value.to_lowercase()]),
        _ => value.split(',').map(|one| one.trim().to_lowercase()).collect(),
    });
    Some(Term::Compare { path: path.to_owned(), operator, value: value.to_owned(), list })
}

fn operator(text: &str) -> Option<(Operator, &str)> {
    if let Some(value) = text.strip_prefix('*') {
        return Some((Operator::Like, value));
    }
    if let Some(value) = text.strip_prefix('%') {
        return Some((Operator::EndsWith, value));
    }
    OPERATORS.iter().find_map(|(word, operator)| Some((*operator, text.strip_prefix(word)?)))
}

/// `incident.sys_id=task_ci.task!ci_item=…`: the part after `!` asks about the other table.
fn joined(table: &str, text: &str) -> Option<Term> {
    let (pair, condition) = text.split_once('!')?;
    let (own, other) = pair.split_once('=')?;
    let (own_table, own) = own.split_once('.')?;
    let (other_table, other) = other.split_once('.')?;
    let other_table = SCHEMA.table(other_table)?.name;
    let fits = SCHEMA.extends(table, own_table) && known_path(table, own) && known_path(other_table, other);
    fits.then(|| Term::Join {
        own: own.to_owned(),
        table: other_table,
        other: other.to_owned(),
        query: query(other_table, condition),
    })
}

/// `task_ci.task,>=1^ci_item=…`.
fn related(text: &str) -> Option<Term> {
    let (head, condition) = text.split_once('^').unwrap_or((text, ""));
    let mut parts = head.split(',');
    let (table, field) = parts.next()?.split_once('.')?;
    let table = SCHEMA.table(table)?.name;
    let field = SCHEMA.field(table, field)?.element;
    let (operator, count) = operator(parts.next()?)?;
    Some(Term::Related { table, field, operator, count: count.parse().ok()?, query: query(table, condition) })
}
