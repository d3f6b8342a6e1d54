//! Query parameters as the controller reads them: repeated keys are lists, text filters of the inventory take `.*`, those
//! of the data API `*`, and `offset` counts from 1.

use std::borrow::Cow;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;

use crate::reply::Fail;

/// All parameters in order.
#[derive(Debug, Default)]
pub(crate) struct Params(Vec<(String, String)>);

impl<S: Sync> FromRequestParts<S> for Params {
    type Rejection = Fail;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Fail> {
        let query = parts.uri.query().unwrap_or_default();
        Ok(Self(url::form_urlencoded::parse(query.as_bytes()).into_owned().collect()))
    }
}

impl Params {
    /// The first value of a key; an empty one counts as absent.
    pub(crate) fn get(&self, key: &str) -> Option<&str> {
        self.0.iter().find(|(name, value)| name == key && !value.is_empty()).map(|(_, value)| value.as_str())
    }

    /// Whether a flag is set; clients write it in any case.
    pub(crate) fn is_true(&self, key: &str) -> bool {
        self.get(key).is_some_and(|value| value.eq_ignore_ascii_case("true"))
    }

    /// Every value of a key; commas separate too.
    pub(crate) fn all(&self, key: &str) -> Vec<&str> {
        let values = self.0.iter().filter(|(name, value)| name == key && !value.is_empty());
        values.flat_map(|(_, value)| value.split(',')).map(str::trim).collect()
    }

    /// Whether `value` passes the filter `key`: absent, or one of its values equal under `.*` wildcards.
    pub(crate) fn passes(&self, key: &str, value: &str) -> bool {
        let mut wanted = self.0.iter().filter(|(name, text)| name == key && !text.is_empty()).peekable();
        wanted.peek().is_none() || wanted.any(|(_, pattern)| wildcard(pattern, value))
    }

    /// As [`Params::passes`], asking for the value only where the filter is there.
    pub(crate) fn passes_with<T: AsRef<str>>(&self, key: &str, value: impl FnOnce() -> T) -> bool {
        self.get(key).is_none() || self.passes(key, value().as_ref())
    }

    /// The one value of a filter without wildcard, for a look-up instead of a walk.
    pub(crate) fn exact(&self, key: &str) -> Option<&str> {
        let mut wanted = self.0.iter().filter(|(name, value)| name == key && !value.is_empty());
        let one = wanted.next().map(|(_, value)| value.as_str()).filter(|value| !value.contains(".*"))?;
        wanted.next().is_none().then_some(one)
    }

    /// The same parameters without any but these.
    pub(crate) fn only(&self, keys: &[&str]) -> Self {
        Self(self.0.iter().filter(|(name, _)| keys.contains(&name.as_str())).cloned().collect())
    }

    /// A number, or a refusal that names the key.
    pub(crate) fn number(&self, key: &str) -> Result<Option<i64>, Fail> {
        match self.get(key) {
            None => Ok(None),
            Some(text) => {
                text.parse().map(Some).map_err(|_| Fail::bad(format!("Invalid value for parameter {key}: {text}")))
            }
        }
    }

    /// The page of a list: `offset` from 1, `limit` from 1 to `most`.
    pub(crate) fn page(&self, default: usize, most: usize) -> Result<Page, Fail> {
        let offset = self.number("offset")?.unwrap_or(1);
        let limit = self.number("limit")?.unwrap_or(i64::try_from(default).unwrap_or(i64::MAX));
        if offset < 1 {
            return Err(Fail::bad(format!("Invalid offset {offset}: it begins at 1")));
        }
        match usize::try_from(limit) {
            Ok(limit) if (1..=most).contains(&limit) => {
                Ok(Page { skip: usize::try_from(offset - 1).unwrap_or(usize::MAX), limit })
            }
            _ => Err(Fail::bad(format!("Invalid limit {limit}: it must be between 1 and {most}"))),
        }
    }
}

/// A window on a list.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Page {
    /// Rows before it.
    pub(crate) skip: usize,
    /// Most rows in it.
    pub(crate) limit: usize,
}

impl Page {
    /// The page of a query in a body: `{offset, limit}`, as text or numbers.
    pub(crate) fn read(page: &serde_json::Value, default: usize, most: usize) -> Result<Self, Fail> {
        let number = |key: &str| {
            let value = page.get(key).filter(|value| !value.is_null())?;
            Some((key.to_owned(), value.as_str().map_or_else(|| value.to_string(), str::to_owned)))
        };
        Params(["offset", "limit"].iter().filter_map(|key| number(key)).collect()).page(default, most)
    }

    /// The rows of the window.
    pub(crate) fn of<T>(self, rows: impl IntoIterator<Item = T>) -> Vec<T> {
        rows.into_iter().skip(self.skip).take(self.limit).collect()
    }
}

/// A text with a wildcard, read once for many comparisons. Letter case does not count, as in the controller.
#[derive(Debug)]
pub(crate) struct Pattern {
    /// Between two of these stands any text; one alone is the whole text.
    parts: Vec<String>,
}

impl Pattern {
    fn new(text: &str, any: &str) -> Self {
        Self { parts: text.to_ascii_lowercase().split(any).map(str::to_owned).collect() }
    }

    /// Whether it stands for a text.
    pub(crate) fn meets(&self, value: &str) -> bool {
        let [first, between @ .., last] = self.parts.as_slice() else {
            return self.parts.first().is_some_and(|whole| whole.eq_ignore_ascii_case(value));
        };
        let value = if value.bytes().any(|byte| byte.is_ascii_uppercase()) {
            Cow::Owned(value.to_ascii_lowercase())
        } else {
            Cow::Borrowed(value)
        };
        let Some(mut rest) = value.strip_prefix(first.as_str()) else { return false };
        for part in between {
            match rest.find(part.as_str()) {
                Some(at) => rest = rest.get(at + part.len()..).unwrap_or_default(),
                None => return false,
            }
        }
        rest.ends_with(last.as_str())
    }
}

/// One filter of a query: a row passes when any of the patterns meets its value.
#[derive(Debug)]
pub(crate) struct Filter {
    /// The key as the vendor writes it.
    pub(crate) key: &'static str,
    patterns: Vec<Pattern>,
}

impl Filter {
    /// Whether a value passes.
    pub(crate) fn passes(&self, value: &str) -> bool {
        self.patterns.iter().any(|pattern| pattern.meets(value))
    }
}

impl Params {
    /// The filters of these keys that the query has.
    pub(crate) fn filters(&self, keys: &[&'static str]) -> Vec<Filter> {
        let of = |key: &str| -> Vec<Pattern> {
            let values = self.0.iter().filter(|(name, value)| name == key && !value.is_empty());
            values.map(|(_, value)| Pattern::new(value, ".*")).collect()
        };
        let filters = keys.iter().map(|key| Filter { key, patterns: of(key) });
        filters.filter(|filter| !filter.patterns.is_empty()).collect()
    }
}

/// `.*` stands for any text.
fn wildcard(pattern: &str, value: &str) -> bool {
    Pattern::new(pattern, ".*").meets(value)
}

/// `*` stands for any text, as in the data API.
pub(crate) fn glob(pattern: &str, value: &str) -> bool {
    Pattern::new(pattern, "*").meets(value)
}

#[cfg(test)]
mod tests {
    use super::wildcard;

    #[test]
    fn wildcards_stand_for_any_text_and_dots_for_themselves() {
        for (pattern, value, expected) in [
            ("sjc.*", "sjc01-cs1", true),
            (".*as1", "sjc01-b1-f1-as1", true),
            (".*b1.*as.*", "sjc01-b1-f1-as1", true),
            ("sjc", "sjc01", false),
            ("10.32.0.1", "10.32.0.10", false),
            ("SJC01-CS1", "sjc01-cs1", true),
            ("a.*b", "ab", true),
            ("ab.*b", "ab", false),
        ] {
            assert_eq!(wildcard(pattern, value), expected, "{pattern} {value}");
        }
    }
}
