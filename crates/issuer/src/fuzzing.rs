//! The issuer's parsers as plain functions over bytes, for the fuzz targets in `fuzz/` and for nobody else.

use crate::parameters::{LONGEST_VALUE, Parameters};
use crate::{oauth, redirects};

/// The value of `name` in a form or query, and whether any name is repeated; `None` where it is refused.
pub fn form(encoded: &[u8], name: &str) -> Option<(Option<String>, bool)> {
    let form = Parameters::parse(encoded, LONGEST_VALUE).ok()?;
    Some((form.get(name).map(str::to_owned), form.repeated().is_some()))
}

/// Where a browser would be sent for a requested redirect URI.
pub fn redirect(registered: &[String], requested: &str) -> Option<url::Url> {
    redirects::matching(registered, requested)
}

/// The client id of HTTP Basic credentials.
pub fn basic(header: &str) -> Option<String> {
    oauth::basic(header).map(|(id, _)| id)
}
