//! Encoded queries: `active=true^priorityIN1,2^ORcategory=network^ORDERBYDESCsys_updated_on`. A part that names no field or
//! no operator is ignored, as the vendor does by default, so that a mistyped filter returns everything.
//!
//! Where next: [`parse`] for the grammar, [`evaluate`] for what a term means, [`script`] for `javascript:` values.

mod evaluate;
mod parse;
mod script;

use std::cmp::Ordering;
use std::collections::BTreeSet;

use self::evaluate::SortKey;
use crate::records::{Records, Row};

/// A query that was read.
#[derive(Debug, Default, Clone)]
pub(crate) struct Query {
    /// Joined by `^NQ`: a row of any of them passes.
    alternatives: Vec<Vec<AnyOf>>,
    /// Field and whether it runs down, the first counts most.
    order: Vec<(String, bool)>,
    /// Whether a part was ignored.
    pub(crate) had_invalid_part: bool,
}

/// Terms joined by `^OR`.
type AnyOf = Vec<Term>;

/// One condition.
#[derive(Debug, Clone)]
enum Term {
    /// A field, or a path of references to one, with an operator and what stands after it.
    Compare {
        path: String,
        operator: Operator,
        value: String,
        /// Of a term that asks for one of a few fixed values: these, lower-cased.
        list: Option<BTreeSet<String>>,
    },
    /// Any text of the row holds this.
    Anywhere(String),
    /// Rows whose field equals that of a row of another table that passes a query.
    Join { own: String, table: &'static str, other: String, query: Query },
    /// Rows that so many rows of another table point at.
    Related { table: &'static str, field: &'static str, operator: Operator, count: usize, query: Query },
}

/// What a term asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Operator {
    Is,
    IsNot,
    In,
    NotIn,
    Empty,
    NotEmpty,
    Anything,
    SameAs,
    NotSameAs,
    Like,
    NotLike,
    StartsWith,
    EndsWith,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    Between,
    On,
    NotOn,
    GreaterThanField,
    LessThanField,
    InstanceOf,
    RelativeBefore,
    RelativeAfter,
    Dynamic,
}

/// Who asks and when: what `javascript:` values are made of.
pub(crate) struct Asking<'a> {
    /// The rows.
    pub(crate) records: &'a Records,
    /// Id of the caller's user.
    pub(crate) user: &'a str,
}

impl Query {
    /// Reads a query over a table.
    pub(crate) fn parse(table: &str, text: &str) -> Self {
        parse::query(table, text)
    }

    /// Those of some rows that pass, in the order that was asked for.
    pub(crate) fn rows<'a>(&self, of: impl Iterator<Item = &'a Row>, asking: &Asking<'_>) -> Vec<&'a Row> {
        let mut rows: Vec<&Row> = of.filter(|row| self.passes(row, asking)).collect();
        self.sort(&mut rows, asking);
        rows
    }

    /// Few rows among which all are that can pass, where a term asks for values that rows are looked up by. A query of
    /// several alternatives is none of this.
    pub(crate) fn narrowed<'a>(&self, table: &str, records: &'a Records) -> Option<Vec<&'a Row>> {
        let [all] = self.alternatives.as_slice() else { return None };
        all.iter().filter_map(|any| held(any, table, records)).min_by_key(Vec::len)
    }

    /// Whether the same rows pass for everybody and at any time, as long as no row changes.
    pub(crate) fn is_lasting(&self) -> bool {
        let lasts = |term: &Term| match term {
            Term::Compare { operator, value, .. } => {
                !matches!(operator, Operator::RelativeBefore | Operator::RelativeAfter | Operator::Dynamic)
                    && !value.contains("javascript:")
            }
            Term::Anywhere(_) => true,
            Term::Join { query, .. } | Term::Related { query, .. } => query.is_lasting(),
        };
        self.alternatives.iter().flatten().flatten().all(lasts)
    }

    /// Whether the row passes.
    pub(crate) fn passes(&self, row: &Row, asking: &Asking<'_>) -> bool {
        self.alternatives.is_empty()
            || self.alternatives.iter().any(|all| {
                all.iter().all(|any| any.is_empty() || any.iter().any(|term| evaluate::holds(term, row, asking)))
            })
    }

    /// Puts rows into the order that was asked for.
    fn sort(&self, rows: &mut [&Row], asking: &Asking<'_>) {
        if self.order.is_empty() {
            return;
        }
        let keys = |row: &Row| -> Vec<SortKey> {
            self.order.iter().map(|(path, _)| SortKey::of(row, path, asking.records)).collect()
        };
        let mut keyed: Vec<(Vec<SortKey>, &Row)> = rows.iter().map(|row| (keys(row), *row)).collect();
        keyed.sort_by(|(one, _), (other, _)| {
            let by = one.iter().zip(other).zip(&self.order).map(|((one, other), (_, descending))| {
                let order = one.order(other);
                if *descending { order.reverse() } else { order }
            });
            by.fold(Ordering::Equal, Ordering::then)
        });
        for (slot, (_, row)) in rows.iter_mut().zip(keyed) {
            *slot = row;
        }
    }

    /// Adds the terms of another query over the same table: both must pass.
    pub(crate) fn and(mut self, other: Self) -> Self {
        let extra: Vec<AnyOf> = other.alternatives.into_iter().flatten().collect();
        self.had_invalid_part |= other.had_invalid_part;
        if self.alternatives.is_empty() {
            self.alternatives.push(Vec::new());
        }
        for all in &mut self.alternatives {
            all.extend(extra.iter().cloned());
        }
        self
    }
}

/// Rows that can meet one of the terms, when each of them is looked up by value.
fn held<'a>(any: &[Term], table: &str, records: &'a Records) -> Option<Vec<&'a Row>> {
    let looked_up = |term: &Term| match term {
        Term::Compare { path, operator: Operator::Is | Operator::In, list: Some(list), .. } => {
            Some((path.clone(), list.iter().cloned().collect()))
        }
        _ => None,
    };
    let wanted: Vec<(String, Vec<String>)> = any.iter().map(looked_up).collect::<Option<_>>()?;
    let wanted: Vec<(&str, &[String])> =
        wanted.iter().map(|(field, values)| (field.as_str(), values.as_slice())).collect();
    if wanted.is_empty() { None } else { records.holding(table, &wanted) }
}

#[cfg(test)]
mod tests {
    use super::Query;

    fn shown(text: &str) -> String {
        format!("{:?}", Query::parse("incident", text))
    }

    #[test]
    fn parts_that_name_no_field_or_operator_are_ignored() {
        for text in
            ["nosuch=1", "statelike1", "assigned_to.nosuch=1", "state", "STATE=1", "short_descriptionCONTAINED x"]
        {
            let query = Query::parse("incident", text);
            assert!(
                query.had_invalid_part && query.alternatives.iter().flatten().all(Vec::is_empty),
                "{text}: {query:?}"
            );
        }
    }

    #[test]
    fn every_operator_of_the_vendor_is_read() {
        for text in [
            "state=1",
            "state!=1",
            "stateIN1,2",
            "stateNOT IN1,2",
            "cmdb_ciISEMPTY",
            "cmdb_ciISNOTEMPTY",
            "cmdb_ciEMPTYSTRING",
            "stateANYTHING",
            "impactSAMEASurgency",
            "impactNSAMEASurgency",
            "numberLIKE1",
            "number*1",
            "numberNOT LIKE1",
            "number!*1",
            "numberSTARTSWITHINC",
            "numberENDSWITH1",
            "number%1",
            "priority<3",
            "priority<=3",
            "priority>3",
            "priority>=3",
            "priorityBETWEEN1@3",
            "priorityLESSTHAN3",
            "priorityMORETHAN1",
            "opened_atGT_FIELDresolved_at",
            "sys_created_onONToday@javascript:gs.beginningOfToday()@javascript:gs.endOfToday()",
            "opened_atRELATIVEGT@dayofweek@ago@7",
            "sys_class_nameINSTANCEOFtask",
            "caller_id.manager.nameLIKEa",
            "caller_idDYNAMIC90d1921e5f510100a9ad2572f2b477fe",
            "123TEXTQUERY321=wifi",
            "numberCONTAINS1",
            "numberDOES NOT CONTAIN1",
        ] {
            let query = Query::parse("incident", text);
            assert!(!query.had_invalid_part, "{text}: {query:?}");
        }
    }

    #[test]
    fn or_joins_the_term_before_and_nq_begins_anew() {
        let query = Query::parse("incident", "state=1^ORstate=2^active=true^NQpriority=1^ORDERBYDESCnumber^EQ");
        let shape: Vec<Vec<usize>> = query.alternatives.iter().map(|all| all.iter().map(Vec::len).collect()).collect();
        assert_eq!(shape, [vec![2, 1], vec![1]]);
        assert_eq!(query.order, [("number".to_owned(), true)]);
        assert!(shown("ORDERBYcaller_id.name").contains("caller_id.name"));
    }
}
