//! Redirect URIs: which may be registered, which registered one a request means, and how a browser is sent there.

use url::{Host, Url};

/// Whether a client may register this URI: https, http on loopback, or an application's own scheme (RFC 8252).
pub(crate) fn registrable(uri: &str) -> bool {
    let Ok(url) = Url::parse(uri) else { return false };
    if url.fragment().is_some() || !url.username().is_empty() || url.password().is_some() || uri.len() > 2048 {
        return false;
    }
    match url.scheme() {
        "https" => url.host_str().is_some(),
        "http" => is_loopback(&url),
        // Schemes that a browser runs or reads itself.
        "javascript" | "data" | "file" | "blob" | "about" | "vbscript" | "ws" | "wss" | "ftp" | "view-source" => false,
        _ => true,
    }
}

/// Whether the issuer itself may post there: https, or http on loopback.
pub(crate) fn reachable(uri: &str) -> bool {
    registrable(uri) && (uri.starts_with("https:") || uri.starts_with("http:"))
}

/// The URL to redirect to, if `requested` is one of `registered`: the same text, or the same loopback URL on another port
/// (RFC 8252, section 7.3).
pub(crate) fn matching(registered: &[String], requested: &str) -> Option<Url> {
    let url = Url::parse(requested).ok()?;
    let same = |uri: &String| uri == requested || same_but_port(uri, &url);
    (registrable(requested) && registered.iter().any(same)).then_some(url)
}

fn same_but_port(registered: &str, requested: &Url) -> bool {
    let Ok(registered) = Url::parse(registered) else { return false };
    is_loopback(&registered)
        && requested.scheme() == "http"
        && registered.host() == requested.host()
        && registered.path() == requested.path()
        && registered.query() == requested.query()
        && requested.fragment().is_none()
}

fn is_loopback(url: &Url) -> bool {
    let here = match url.host() {
        Some(Host::Ipv4(ip)) => ip.is_loopback(),
        Some(Host::Ipv6(ip)) => ip.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    };
    url.scheme() == "http" && here
}

/// `url` with the parameters added to its query.
pub(crate) fn with_parameters(url: &Url, parameters: &[(&str, &str)]) -> Url {
    let mut url = url.clone();
    url.query_pairs_mut().extend_pairs(parameters);
    url
}

/// The CSP source expression for the place where a form's answer redirects to: Chromium applies `form-action` to it.
/// CSP has no syntax for IPv6 hosts, and none is needed for an application's own scheme: there the scheme stands alone.
pub(crate) fn csp_source(url: &Url) -> String {
    match (url.scheme(), url.host()) {
        ("http" | "https", Some(Host::Ipv4(_) | Host::Domain(_))) => url.origin().ascii_serialization(),
        (scheme, _) => format!("{scheme}:"),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use url::Url;

    use super::{csp_source, matching, registrable};

    fn registered() -> Vec<String> {
        [
            "http://127.0.0.1/callback",
            "http://[::1]:9000/callback",
            "http://localhost/callback",
            "https://app.example/cb",
            "com.example.app:/cb",
        ]
        .map(str::to_owned)
        .to_vec()
    }

    #[test]
    fn rfc_8252_a_loopback_redirect_matches_on_any_port_and_nothing_else_changes() {
        for good in [
            "http://127.0.0.1:51234/callback",
            "http://127.0.0.1/callback",
            "http://[::1]:1/callback",
            "http://localhost:8080/callback",
            "https://app.example/cb",
            "com.example.app:/cb",
        ] {
            assert!(matching(&registered(), good).is_some(), "{good}");
        }
        for bad in [
            "http://127.0.0.1:51234/callback/",
            "http://127.0.0.1:51234/callback?x=1",
            "http://127.0.0.1:51234/callback#x",
            "http://127.0.0.1:1@evil.example/callback",
            "http://user@127.0.0.1/callback",
            "https://127.0.0.1/callback",
            "http://127.0.0.2/callback",
            "http://localhost.evil.example/callback",
            "https://app.example:444/cb",
            "https://app.example/cb?x=1",
            "https://app.example/cb/../cb2",
            "com.example.app:/cb2",
            "not a url",
        ] {
            assert!(matching(&registered(), bad).is_none(), "{bad}");
        }
    }

    #[test]
    fn only_https_loopback_and_own_schemes_can_be_registered() {
        for bad in
            ["http://app.example/cb", "javascript:alert(1)", "data:text/html,x", "https://a/#f", "https://u@a/", "/cb"]
        {
            assert!(!registrable(bad), "{bad}");
        }
    }

    #[test]
    fn a_page_names_where_its_form_may_lead() {
        let source = |text: &str| csp_source(&Url::parse(text).unwrap());
        assert_eq!(source("http://127.0.0.1:5000/cb"), "http://127.0.0.1:5000");
        assert_eq!(source("http://[::1]:5000/cb"), "http:");
        assert_eq!(source("https://app.example/cb"), "https://app.example");
        assert_eq!(source("com.example.app:/cb"), "com.example.app:");
    }

    proptest! {
        #[test]
        fn no_text_matches_that_leads_elsewhere(text in "(http|https)://[a-z0-9.@:\\[\\]/\\\\%]{0,40}callback") {
            if let Some(url) = matching(&registered(), &text) {
                prop_assert!(["127.0.0.1", "[::1]", "localhost"].contains(&url.host_str().unwrap()));
                prop_assert_eq!(url.path(), "/callback");
            }
        }
    }
}
