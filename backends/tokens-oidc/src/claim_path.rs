//! Where a claim stands: issuers put groups and factors in places of their own. Which claims are read is in `entry`.

use std::str::FromStr;

use platform::Json;
use platform::error::{Error, ErrorKind};
use serde_json::Map;

/// The place of one claim. Read from a text, which decides once and for all what it is, whatever a token holds:
///
/// - `/realm_access/roles` is a JSON pointer (RFC 6901);
/// - `https://example.com/groups` (anything with `://`) is one member of that name;
/// - `realm_access.roles` is a path of members;
/// - `groups` is a member.
///
/// A member whose name has a dot or a slash is written as a pointer: `/a.b`, `/a~1b`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClaimPath(Vec<String>);

impl ClaimPath {
    /// The member of that very name.
    pub fn member(name: &str) -> Self {
        Self(vec![name.to_owned()])
    }

    /// What stands there.
    pub(crate) fn find<'a>(&self, claims: &'a Map<String, Json>) -> Option<&'a Json> {
        let (first, rest) = self.0.split_first()?;
        let first = claims.get(first)?;
        rest.iter().try_fold(first, |at, name| at.as_object()?.get(name))
    }
}

impl FromStr for ClaimPath {
    type Err = Error;

    /// Error (settings): `issuer_entry_invalid`.
    fn from_str(text: &str) -> Result<Self, Error> {
        let unescaped = |part: &str| part.replace("~1", "/").replace("~0", "~");
        let parts: Vec<String> = if let Some(pointer) = text.strip_prefix('/') {
            pointer.split('/').map(unescaped).collect()
        } else if text.contains("://") {
            vec![text.to_owned()]
        } else {
            text.split('.').map(str::to_owned).collect()
        };
        if parts.iter().any(String::is_empty) {
            return Err(Error::new(
                ErrorKind::InvalidInput,
                "issuer_entry_invalid",
                format!(
                    "`{text}` names no claim. Write a name, a path such as `realm_access.roles`, or a JSON pointer."
                ),
            ));
        }
        Ok(Self(parts))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Map, Value, json};

    use super::ClaimPath;

    fn claims() -> Map<String, Value> {
        let claims = json!({
            "groups": 1, "realm_access": {"roles": 2, "a.b": 3}, "https://example.com/groups": 4, "x.y": 5,
            "https://example": {"com/groups": 6}, "a/b": 7, "list": [{"x": 8}],
        });
        claims.as_object().unwrap().clone()
    }

    #[test]
    fn t2_a_claim_is_found_in_the_one_place_that_the_entry_names() {
        for (path, wanted) in [
            ("groups", Some(1)),
            ("realm_access.roles", Some(2)),
            ("/realm_access/roles", Some(2)),
            ("/realm_access/a.b", Some(3)),
            ("https://example.com/groups", Some(4)),
            ("/x.y", Some(5)),
            ("x.y", None),
            ("/a~1b", Some(7)),
            ("realm_access.none", None),
            ("groups.x", None),
            ("/list/0/x", None),
        ] {
            let found = path.parse::<ClaimPath>().unwrap().find(&claims()).and_then(Value::as_i64);
            assert_eq!(found, wanted, "{path}");
        }
        for bad in ["", "/", "a..b", ".a", "/a//b"] {
            assert!(bad.parse::<ClaimPath>().is_err(), "{bad}");
        }
    }
}
