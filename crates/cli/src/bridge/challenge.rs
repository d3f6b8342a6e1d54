//! What a resource asks for when it refuses a token: the parameters of `WWW-Authenticate: Bearer` (RFC 6750 section 3,
//! RFC 9470 section 3).

use http::{HeaderMap, header};

use crate::sign_in::More;

/// The parameters that decide what to do.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Challenge {
    pub(crate) error: Option<String>,
    pub(crate) more: More,
}

impl Challenge {
    /// Reads it; one that is missing or unreadable asks for nothing in particular.
    pub(crate) fn read(headers: &HeaderMap) -> Self {
        let values = headers.get_all(header::WWW_AUTHENTICATE).iter().filter_map(|value| value.to_str().ok());
        let bearer =
            values.filter_map(|v| v.get(..7).filter(|s| s.eq_ignore_ascii_case("bearer ")).map(|_| &v[7..])).next();
        let mut challenge = Self::default();
        for (name, value) in bearer.into_iter().flat_map(parameters) {
            match &*name {
                "error" => challenge.error = Some(value),
                "scope" => challenge.more.scopes = value.split(' ').map(str::to_owned).collect(),
                "acr_values" => challenge.more.acr_values = Some(value),
                "max_age" => challenge.more.max_age = value.parse().ok(),
                _ => {}
            }
        }
        challenge
    }

    /// Whether only a new sign-in with more scopes can meet it.
    pub(crate) fn wants_scope(&self) -> bool {
        self.error.as_deref() == Some("insufficient_scope")
    }

    /// Whether a new sign-in with a stronger or fresher factor would meet it (RFC 9470).
    pub(crate) fn wants_factor(&self) -> bool {
        self.error.as_deref() == Some("insufficient_user_authentication")
    }
}

/// `name=value` and `name="value"`, separated by commas; names in lower case.
fn parameters(text: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut rest = text;
    while let Some((name, after)) = rest.split_once('=') {
        let name = name.trim_matches([' ', ',', '\t']).to_ascii_lowercase();
        let (value, next) = match after.strip_prefix('"') {
            Some(quoted) => {
                let mut value = String::new();
                let mut characters = quoted.char_indices();
                let mut end = quoted.len();
                while let Some((at, c)) = characters.next() {
                    match c {
                        '"' => {
                            end = at + 1;
                            break;
                        }
                        '\\' => value.extend(characters.next().map(|(_, c)| c)),
                        c => value.push(c),
                    }
                }
                (value, &quoted[end..])
            }
            None => {
                let end = after.find([',', ' ']).unwrap_or(after.len());
                (after[..end].to_owned(), &after[end..])
            }
        };
        found.push((name, value));
        rest = next;
    }
    found
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, HeaderValue, header};

    use super::Challenge;

    fn read(values: &[&str]) -> Challenge {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(header::WWW_AUTHENTICATE, HeaderValue::from_str(value).unwrap());
        }
        Challenge::read(&headers)
    }

    #[test]
    fn t4_a_challenge_says_what_the_next_token_needs() {
        let step_up = read(&[
            "Basic realm=\"x\"",
            "Bearer error=\"insufficient_user_authentication\", error_description=\"say \\\"again\\\", please\", acr_values=\"urn:a urn:b\", max_age=900",
        ]);
        assert!(step_up.wants_factor() && !step_up.wants_scope());
        assert_eq!((step_up.more.acr_values.as_deref(), step_up.more.max_age), (Some("urn:a urn:b"), Some(900)));
        let scope = read(&["bearer scope=\"mcp admin\", error=\"insufficient_scope\""]);
        assert!(scope.wants_scope() && scope.more.scopes == ["mcp", "admin"]);
        let invalid = read(&["Bearer error=\"invalid_token\", resource_metadata=\"http://h/x\""]);
        assert!(!invalid.wants_scope() && invalid.error.as_deref() == Some("invalid_token"));
    }

    #[test]
    fn what_cannot_be_read_asks_for_nothing() {
        for odd in
            ["", "Bearer", "Bearer ", "Bearer =", "Bearer error=\"", "Bearer x", "Basic error=\"insufficient_scope\""]
        {
            assert!(!read(&[odd]).wants_scope(), "{odd}");
        }
    }
}
