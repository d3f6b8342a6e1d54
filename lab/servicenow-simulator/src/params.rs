//! Query parameters: `sysparm_*`, and plain `field=value` pairs that filter.

use axum::extract::FromRequestParts;
use axum::http::request::Parts;

use crate::reply::Fail;

/// All parameters in order.
#[derive(Debug, Default, Clone)]
pub(crate) struct Params(Vec<(String, String)>);

impl<S: Sync> FromRequestParts<S> for Params {
    type Rejection = Fail;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Fail> {
        Ok(Self::read(parts.uri.query().unwrap_or_default()))
    }
}

impl Params {
    /// From the part after `?`, or a form.
    pub(crate) fn read(query: &str) -> Self {
        Self(url::form_urlencoded::parse(query.as_bytes()).into_owned().collect())
    }

    /// The first value of a key; an empty one counts as absent.
    pub(crate) fn get(&self, key: &str) -> Option<&str> {
        self.0.iter().find(|(name, value)| name == key && !value.is_empty()).map(|(_, value)| value.as_str())
    }

    /// Whether a flag is set.
    pub(crate) fn is_true(&self, key: &str) -> bool {
        self.get(key) == Some("true")
    }

    /// A number that is not negative; what is none counts as absent, as the vendor does.
    pub(crate) fn number(&self, key: &str) -> Option<usize> {
        self.get(key)?.parse().ok()
    }

    /// Pairs that are no `sysparm_*`.
    pub(crate) fn plain(&self) -> impl Iterator<Item = (&str, &str)> {
        let pairs = self.0.iter().filter(|(name, _)| !name.starts_with("sysparm_"));
        pairs.map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// The same parameters without some keys.
    pub(crate) fn without(&self, keys: &[&str]) -> Self {
        Self(self.0.iter().filter(|(name, _)| !keys.contains(&name.as_str())).cloned().collect())
    }

    /// The same parameters with other values for some keys.
    pub(crate) fn replaced(&self, changes: &[(&str, String)]) -> Self {
        let keys: Vec<&str> = changes.iter().map(|(name, _)| *name).collect();
        let mut all = self.without(&keys);
        all.0.extend(changes.iter().map(|(name, value)| ((*name).to_owned(), value.clone())));
        all
    }

    /// The query string with other values for some keys.
    pub(crate) fn with(&self, changes: &[(&str, String)]) -> String {
        let mut out = url::form_urlencoded::Serializer::new(String::new());
        out.extend_pairs(self.replaced(changes).0);
        out.finish()
    }
}
