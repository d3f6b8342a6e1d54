//! `interlock user|group|client`: the built-in issuer's people and programs, over its administration (`<issuer>/admin`), for
//! which `session` signs in; and `keys`, the platform's own keys. Each command has a file of its own name.

mod client;
mod group;
mod keys;
mod session;
mod user;

pub(crate) use self::client::Client;
pub(crate) use self::group::Group;
pub(crate) use self::keys::Keys;
pub(crate) use self::user::User;

use platform::Json;

/// The texts of an array, in one cell.
fn joined(value: &Json) -> String {
    let texts: Vec<&str> = value.as_array().into_iter().flatten().filter_map(Json::as_str).collect();
    if texts.is_empty() { "-".to_owned() } else { texts.join(" ") }
}

/// A text member, or a dash.
fn text(value: &Json, member: &str) -> String {
    value[member].as_str().unwrap_or("-").to_owned()
}

/// A name in a path: what it cannot hold unescaped is escaped.
fn segment(name: &str) -> String {
    let mut escaped = String::new();
    for byte in name.bytes() {
        match byte {
            b if b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'~') => escaped.push(char::from(b)),
            b'.' if name != "." && name != ".." => escaped.push('.'),
            b => escaped.push_str(&format!("%{b:02X}")),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::segment;

    #[test]
    fn a_name_never_leaves_its_segment() {
        assert_eq!(segment("alice.b-c_d~1"), "alice.b-c_d~1");
        assert_eq!(segment("a@b/../c"), "a%40b%2F..%2Fc");
        assert_eq!(segment(".."), "%2E%2E");
    }
}
