//! Parameters of queries and forms: strictly decoded, bounded, and never twice (RFC 6749, section 3.1).

use std::collections::{BTreeMap, BTreeSet};

use percent_encoding::percent_decode;
use platform::Secret;

/// Most parameters of one request.
const MOST: usize = 64;
/// Longest value of an OAuth parameter, bytes.
pub(crate) const LONGEST_VALUE: usize = 4_096;
/// Longest value of a sign-in form: its `request` carries a whole authorization request, sealed.
pub(crate) const LONGEST_FORM_VALUE: usize = 40_960;

/// Why parameters cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ParameterError {
    #[error("The request has too many parameters.")]
    TooMany,
    #[error("A parameter is too long.")]
    TooLong,
    #[error("A parameter is not UTF-8 or holds control characters.")]
    Encoding,
}

/// Decoded parameters. An empty value counts as an absent one.
pub(crate) struct Parameters {
    values: BTreeMap<String, String>,
    repeated: BTreeSet<String>,
}

impl Parameters {
    /// Decodes `application/x-www-form-urlencoded`.
    pub(crate) fn parse(encoded: &[u8], longest: usize) -> Result<Self, ParameterError> {
        let (mut values, mut repeated) = (BTreeMap::new(), BTreeSet::new());
        for (n, pair) in encoded.split(|b| *b == b'&').filter(|p| !p.is_empty()).enumerate() {
            if n >= MOST {
                return Err(ParameterError::TooMany);
            }
            let equals = pair.iter().position(|b| *b == b'=').unwrap_or(pair.len());
            let (name, value) = (decode(&pair[..equals])?, decode(pair.get(equals + 1..).unwrap_or_default())?);
            if name.len() > 128 || value.len() > longest {
                return Err(ParameterError::TooLong);
            }
            if values.insert(name.clone(), value).is_some() {
                repeated.insert(name);
            }
        }
        Ok(Self { values, repeated })
    }

    /// A value, unless it is absent, empty or repeated.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        let value = self.values.get(name).map(String::as_str);
        value.filter(|v| !v.is_empty() && !self.repeated.contains(name))
    }

    /// Takes a secret value out.
    pub(crate) fn secret(&mut self, name: &str) -> Option<Secret> {
        self.values.remove(name).filter(|v| !v.is_empty()).map(Secret::new)
    }

    /// Whether a parameter came more than once.
    pub(crate) fn repeats(&self, name: &str) -> bool {
        self.repeated.contains(name)
    }

    /// The first parameter that came more than once.
    pub(crate) fn repeated(&self) -> Option<&str> {
        self.repeated.first().map(String::as_str)
    }
}

fn decode(encoded: &[u8]) -> Result<String, ParameterError> {
    let spaced: Vec<u8> = encoded.iter().map(|b| if *b == b'+' { b' ' } else { *b }).collect();
    let text = percent_decode(&spaced).decode_utf8().map_err(|_| ParameterError::Encoding)?;
    if text.chars().any(char::is_control) {
        return Err(ParameterError::Encoding);
    }
    Ok(text.into_owned())
}

#[cfg(test)]
mod tests {
    use super::{ParameterError, Parameters};

    #[test]
    fn a_repeated_parameter_has_no_value() {
        let p = Parameters::parse(b"a=1&b=x+y%2B&a=2&c", 16).map_err(|e| e.to_string()).unwrap();
        assert_eq!((p.get("a"), p.get("b"), p.get("c")), (None, Some("x y+"), None));
        assert_eq!(p.repeated(), Some("a"));
    }

    #[test]
    fn what_is_too_long_too_much_or_not_text_is_refused() {
        assert_eq!(Parameters::parse(b"a=12345", 4).err(), Some(ParameterError::TooLong));
        assert_eq!(Parameters::parse("a&".repeat(65).as_bytes(), 4).err(), Some(ParameterError::TooMany));
        assert_eq!(Parameters::parse(b"a=%ff", 4).err(), Some(ParameterError::Encoding));
        assert_eq!(Parameters::parse(b"a=%00", 4).err(), Some(ParameterError::Encoding));
    }
}
