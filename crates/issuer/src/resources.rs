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

#[cfg(test)]
mod tests {
    use platform::resource::BaseUrl;
    use url::Url;

    use super::audience;

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
