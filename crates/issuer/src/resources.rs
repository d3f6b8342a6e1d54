//! Which `resource` a token may be asked for (RFC 8707): the platform, and what lies below it by path segment (rule T1).

use platform::resource::BaseUrl;
use url::Url;

/// The audience for a requested resource, or nothing when it is not ours. The text of the audience is the resource's
/// identifier: without the trailing slash that some clients add.
pub(crate) fn audience(platform: &BaseUrl, requested: &str) -> Option<String> {
    let url = Url::parse(requested).ok()?;
    let plain = url.query().is_none()
        && url.fragment().is_none()
        && url.username().is_empty()
        && url.password().is_none()
        && !requested.contains(['\\', '%']);
    let audience = BaseUrl::new(&url).as_str().to_owned();
    let below = audience.strip_prefix(platform.as_str())?;
    (plain && (below.is_empty() || below.starts_with('/')) && !below.contains("//")).then_some(audience)
}

/// Whether a token for `asked` gives no more than the grant for `granted` did (RFC 8707, section 2.2): the same resource, a
/// part of the platform under a grant for the platform, or a narrower endpoint of the same MCP server. The issuer's own
/// administration is never part of a wider grant.
pub(crate) fn narrows(platform: &BaseUrl, issuer: &str, granted: &str, asked: &str) -> bool {
    if granted == asked {
        return true;
    }
    let below_issuer = asked.strip_prefix(issuer).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    if granted == platform.as_str() {
        return !below_issuer;
    }
    let server = granted.strip_prefix(platform.as_str()).and_then(|path| path.strip_prefix("/mcp/"));
    let Some(rest) = asked.strip_prefix(granted).filter(|_| server.is_some_and(|name| !name.contains('/'))) else {
        return false;
    };
    rest == "/readonly" || rest.strip_prefix("/x/").is_some_and(|toolset| !toolset.is_empty() && !toolset.contains('/'))
}

#[cfg(test)]
mod tests {
    use platform::resource::BaseUrl;
    use url::Url;

    use super::{audience, narrows};

    #[test]
    fn rfc_8707_a_resource_only_narrows_what_was_granted() {
        let platform = BaseUrl::new(&Url::parse("https://n.example").unwrap());
        let narrows = |granted: &str, asked: &str| {
            let at = |path: &str| format!("https://n.example{path}");
            narrows(&platform, "https://n.example/issuer", &at(granted), &at(asked))
        };
        for (granted, asked) in [
            ("", ""),
            ("", "/mcp"),
            ("", "/mcp/a/readonly"),
            ("/mcp/a", "/mcp/a"),
            ("/mcp/a", "/mcp/a/readonly"),
            ("/mcp/a", "/mcp/a/x/t"),
            ("/issuer/admin", "/issuer/admin"),
        ] {
            assert!(narrows(granted, asked), "{granted} {asked}");
        }
        for (granted, asked) in [
            ("/mcp/a", ""),
            ("/mcp/a", "/mcp"),
            ("/mcp", "/mcp/a"),
            ("/mcp/a", "/mcp/ab/readonly"),
            ("/mcp/a/readonly", "/mcp/a"),
            ("/mcp/a", "/mcp/a/x/"),
            ("/mcp/a", "/mcp/a/x/t/u"),
            ("/api/v1", "/api/v1/readonly"),
            ("", "/issuer/admin"),
            ("", "/issuer"),
        ] {
            assert!(!narrows(granted, asked), "{granted} {asked}");
        }
    }

    #[test]
    fn t1_a_resource_is_the_platform_or_below_it_by_path_segment() {
        let platform = BaseUrl::new(&Url::parse("https://net.example/interlock").unwrap());
        let audience = |text| audience(&platform, text);
        assert_eq!(audience("https://net.example/interlock").unwrap(), "https://net.example/interlock");
        assert_eq!(audience("https://NET.example:443/interlock/").unwrap(), "https://net.example/interlock");
        assert_eq!(audience("https://net.example/interlock/mcp/x").unwrap(), "https://net.example/interlock/mcp/x");
        for foreign in [
            "https://net.example/interlocked",
            "https://net.example/",
            "https://net.example/interlock/../other",
            "https://net.example/interlock/%2e%2e/other",
            "https://net.example/interlock/a%2fb",
            "https://net.example/interlock//mcp",
            "https://net.example.evil/interlock",
            "http://net.example/interlock",
            "https://u@net.example/interlock",
            "https://net.example/interlock?x",
            "https://net.example/interlock#x",
            "urn:x",
            "",
        ] {
            assert_eq!(audience(foreign), None, "{foreign}");
        }
    }
}
