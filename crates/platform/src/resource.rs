//! The OAuth resources of the platform (rule T1): what a token's audience may name, and what each endpoint accepts.

use std::fmt;

use url::Url;

/// One protected resource. Its identifier is an absolute URL below the public base URL (RFC 8707: no fragment, no
/// trailing slash).
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Resource {
    /// The platform as a whole: the public base URL.
    Platform,
    /// The aggregate MCP endpoint, `/mcp`.
    Mcp,
    /// One server instance, `/mcp/<name>`.
    McpServer(String),
    /// One server instance, its reads only: `/mcp/<name>/readonly`.
    McpReadonly(String),
    /// One server instance, one named set of its tools: `/mcp/<name>/x/<toolset>`.
    McpToolset {
        /// The instance.
        server: String,
        /// The set.
        toolset: String,
    },
    /// REST, `/api/v1`.
    Rest,
    /// The platform's own pages, `/pages`.
    Pages,
    /// Provisioning of people and groups, `/scim/v2`.
    Scim,
}

impl Resource {
    /// The path below the public base URL; empty for the platform itself.
    pub fn path(&self) -> String {
        match self {
            Self::Platform => String::new(),
            Self::Mcp => "/mcp".to_owned(),
            Self::McpServer(name) => format!("/mcp/{name}"),
            Self::McpReadonly(name) => format!("/mcp/{name}/readonly"),
            Self::McpToolset { server, toolset } => format!("/mcp/{server}/x/{toolset}"),
            Self::Rest => "/api/v1".to_owned(),
            Self::Pages => "/pages".to_owned(),
            Self::Scim => "/scim/v2".to_owned(),
        }
    }

    /// The wider resource whose tokens this one accepts too, because it only narrows it. Never the reverse.
    pub fn wider(&self) -> Option<Self> {
        match self {
            Self::McpReadonly(server) | Self::McpToolset { server, .. } => Some(Self::McpServer(server.clone())),
            _ => None,
        }
    }

    /// The resource identifier for a platform at `base` (a URL without trailing slash).
    pub fn identifier(&self, base: &BaseUrl) -> String {
        format!("{base}{}", self.path())
    }
}

/// The public base URL of the platform, without a trailing slash, query or fragment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BaseUrl(String);

impl BaseUrl {
    /// Keeps scheme, host, port and path of `url`, without the trailing slash.
    pub fn new(url: &Url) -> Self {
        let mut url = url.clone();
        url.set_query(None);
        url.set_fragment(None);
        Self(url.as_str().trim_end_matches('/').to_owned())
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for BaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use url::Url;

    use super::{BaseUrl, Resource};

    #[test]
    fn t1_identifiers_have_no_trailing_slash_and_no_fragment() -> Result<(), url::ParseError> {
        let base = BaseUrl::new(&Url::parse("http://127.0.0.1:8080/#x")?);
        assert_eq!(Resource::Platform.identifier(&base), "http://127.0.0.1:8080");
        assert_eq!(Resource::McpServer("interlock".into()).identifier(&base), "http://127.0.0.1:8080/mcp/interlock");
        Ok(())
    }
}
