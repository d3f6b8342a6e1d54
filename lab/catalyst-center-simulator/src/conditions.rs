//! The filters of a query in a body: `{key, operator, value}` and groups of them under `and`, `or`, `not`, nested.
//!
//! Source: the `filters` of the data API and of `/networkDevices/query`.

use serde_json::Value;

use crate::query::glob;
use crate::reply::Fail;

/// A read condition.
#[derive(Debug)]
pub(crate) enum Conditions {
    All(Vec<Conditions>),
    Any(Vec<Conditions>),
    Not(Vec<Conditions>),
    Compare { key: String, operator: Operator, value: Value },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Operator {
    Equal,
    Different,
    In,
    NotIn,
    Below,
    AtMost,
    Above,
    AtLeast,
    Like,
}

impl Conditions {
    /// Reads the list `filters` under the operator that stands beside it; without one, all must hold.
    pub(crate) fn read(filters: Option<&Value>, operator: Option<&Value>) -> Result<Self, Fail> {
        let rows = filters.and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        let inner = rows.iter().map(Self::one).collect::<Result<Vec<Self>, Fail>>()?;
        match operator.and_then(Value::as_str).map(str::to_ascii_lowercase).as_deref() {
            None | Some("and") => Ok(Self::All(inner)),
            Some("or") => Ok(Self::Any(inner)),
            Some("not") => Ok(Self::Not(inner)),
            Some(other) => Err(Fail::bad(format!("Invalid logicalOperator {other}"))),
        }
    }

    fn one(row: &Value) -> Result<Self, Fail> {
        if row.get("filters").is_some() {
            return Self::read(row.get("filters"), row.get("logicalOperator"));
        }
        let key = row.get("key").and_then(Value::as_str).ok_or_else(|| Fail::bad("A filter has no key"))?;
        let name = row.get("operator").and_then(Value::as_str).unwrap_or("eq").to_ascii_lowercase();
        let operator = match name.as_str() {
            "eq" => Operator::Equal,
            "neq" => Operator::Different,
            "in" => Operator::In,
            "notin" | "not in" => Operator::NotIn,
            "lt" => Operator::Below,
            "lte" => Operator::AtMost,
            "gt" => Operator::Above,
            "gte" => Operator::AtLeast,
            "like" => Operator::Like,
            other => return Err(Fail::bad(format!("Invalid operator {other} for key {key}"))),
        };
        Ok(Self::Compare { key: key.to_owned(), operator, value: row.get("value").cloned().unwrap_or(Value::Null) })
    }

    /// Whether a row holds them. `field` answers for a key, and `None` for one that it does not know, which is refused.
    pub(crate) fn meets(&self, field: &dyn Fn(&str) -> Option<Value>) -> Result<bool, Fail> {
        Ok(match self {
            Self::All(inner) => {
                for one in inner {
                    if !one.meets(field)? {
                        return Ok(false);
                    }
                }
                true
            }
            Self::Any(inner) => {
                for one in inner {
                    if one.meets(field)? {
                        return Ok(true);
                    }
                }
                inner.is_empty()
            }
            Self::Not(inner) => {
                for one in inner {
                    if one.meets(field)? {
                        return Ok(false);
                    }
                }
                true
            }
            Self::Compare { key, operator, value } => {
                let held = field(key).ok_or_else(|| Fail::bad(format!("Invalid filter key {key}")))?;
                match &held {
                    Value::Array(several) => match operator {
                        Operator::Different | Operator::NotIn => {
                            several.iter().all(|one| compare(one, *operator, value))
                        }
                        _ => several.iter().any(|one| compare(one, *operator, value)),
                    },
                    one => compare(one, *operator, value),
                }
            }
        })
    }
}

fn compare(held: &Value, operator: Operator, wanted: &Value) -> bool {
    let equal = |wanted: &Value| text(held).eq_ignore_ascii_case(&text(wanted));
    match operator {
        Operator::Equal => equal(wanted),
        Operator::Different => !equal(wanted),
        Operator::In => wanted.as_array().is_some_and(|list| list.iter().any(equal)),
        Operator::NotIn => wanted.as_array().is_none_or(|list| !list.iter().any(equal)),
        Operator::Like => glob(&text(wanted), &text(held)),
        Operator::Below | Operator::AtMost | Operator::Above | Operator::AtLeast => {
            let (Some(held), Some(wanted)) = (number(held), number(wanted)) else { return false };
            match operator {
                Operator::Below => held < wanted,
                Operator::AtMost => held <= wanted,
                Operator::Above => held > wanted,
                _ => held >= wanted,
            }
        }
    }
}

fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn number(value: &Value) -> Option<f64> {
    value.as_f64().or_else(|| value.as_str().and_then(|text| text.parse().ok()))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::Conditions;

    fn meets(filters: &Value, operator: &str, row: &Value) -> bool {
        let conditions = Conditions::read(Some(filters), Some(&json!(operator))).unwrap();
        conditions.meets(&|key| row.get(key).cloned()).unwrap()
    }

    #[test]
    fn groups_nest_and_an_unknown_key_or_operator_is_refused() {
        let row = json!({ "role": "CORE", "score": 7, "serials": ["A", "B"], "name": "sjc01-cs1" });
        let filters = json!([
            { "key": "role", "operator": "in", "value": ["CORE", "ACCESS"] },
            { "logicalOperator": "or", "filters": [
                { "key": "score", "operator": "gt", "value": 9 }, { "key": "name", "operator": "like", "value": "sjc*" } ] },
        ]);
        assert!(meets(&filters, "and", &row));
        assert!(!meets(&filters, "not", &row));
        assert!(meets(&json!([{ "key": "serials", "operator": "eq", "value": "B" }]), "and", &row));
        assert!(!meets(&json!([{ "key": "serials", "operator": "neq", "value": "B" }]), "and", &row));
        let unknown = Conditions::read(Some(&json!([{ "key": "nope", "value": 1 }])), None).unwrap();
        assert!(unknown.meets(&|_| None).is_err());
        assert!(Conditions::read(Some(&json!([{ "key": "a", "operator": "is", "value": 1 }])), None).is_err());
    }
}
