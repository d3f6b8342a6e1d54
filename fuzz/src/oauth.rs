//! What the issuer and the verifier read: tokens, forms, redirect URIs, client credentials.

use crate::Verdict;

/// A bearer token, before its signature is known. What is read has the bounds of its claims.
pub fn bearer(data: &[u8]) -> Verdict {
    let Ok(token) = std::str::from_utf8(data) else { return Verdict::Refused };
    let Ok([algorithm, kid, subject, client]) = tokens_oidc::fuzzing::bearer(token) else { return Verdict::Refused };
    assert_eq!(token.split('.').count(), 3);
    assert!(token.len() <= 8192 && kid.len() <= 256 && subject.len() <= 255 && !client.is_empty());
    assert!(!subject.chars().any(char::is_control), "{subject:?}");
    // `none` is refused where keys are compared; that it can be read at all must not hide it.
    drop(algorithm);
    Verdict::Read
}

/// A form or a query of the issuer: a value is bounded text without control characters, and a repeated name has none.
pub fn form(data: &[u8]) -> Verdict {
    let Some((value, repeated)) = issuer::fuzzing::form(data, "a") else { return Verdict::Refused };
    if let Some(value) = value {
        assert!(!value.is_empty() && value.len() <= 4_096 && !value.chars().any(char::is_control));
        let names = data.split(|b| *b == b'&').filter(|pair| *pair == b"a" || pair.starts_with(b"a="));
        assert!(names.count() <= 1, "a repeated parameter has a value");
    }
    Verdict::of(!repeated)
}

/// A requested redirect URI leads where a registered one leads, or nowhere.
pub fn redirect_uri(data: &[u8]) -> Verdict {
    let Ok(requested) = std::str::from_utf8(data) else { return Verdict::Refused };
    let registered =
        ["http://127.0.0.1/callback", "http://[::1]:9000/callback", "https://app.example/cb", "com.app:/cb"]
            .map(str::to_owned);
    let Some(url) = issuer::fuzzing::redirect(&registered, requested) else { return Verdict::Refused };
    let place = (url.scheme(), url.host_str().unwrap_or_default(), url.path());
    let known = [
        ("http", "127.0.0.1", "/callback"),
        ("http", "[::1]", "/callback"),
        ("https", "app.example", "/cb"),
        ("com.app", "", "/cb"),
    ];
    assert!(known.contains(&place), "{requested:?} leads to {url}");
    assert!(url.query().is_none() && url.fragment().is_none() && url.username().is_empty());
    assert!(url.scheme() == "http" || url.port().is_none(), "{requested:?} leads to {url}");
    Verdict::Read
}

/// HTTP Basic credentials of a client.
pub fn basic_credentials(data: &[u8]) -> Verdict {
    let Ok(header) = std::str::from_utf8(data) else { return Verdict::Refused };
    let Some(id) = issuer::fuzzing::basic(header) else { return Verdict::Refused };
    assert!(header.get(..5).is_some_and(|scheme| scheme.eq_ignore_ascii_case("basic")), "{header:?} gave {id:?}");
    Verdict::Read
}
