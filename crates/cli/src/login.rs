//! `interlock login`: signs a person in and keeps the token for the other commands. How stands in [`crate::sign_in`],
//! where it is kept in [`crate::tokens`].

use clap::Args;
use serde_json::json;
use url::Url;

use crate::failure::Outcome;
use crate::sign_in::{self, More, Way};
use crate::terminal::{self, Terminal};
use crate::tokens::Tokens;
use crate::tokens::store::{Store, StoreKind};

#[derive(Args)]
pub(crate) struct Login {
    /// Public base URL of the platform, or of one of its resources, for example `https://host/mcp/catalyst-center`.
    #[arg(long, value_name = "URL")]
    url: Url,
    #[command(flatten)]
    by: By,
}

/// How a person signs in, and where the token is kept.
#[derive(Args, Debug, Clone)]
pub(crate) struct By {
    /// Registered public client with a loopback redirect.
    #[arg(long, value_name = "ID", default_value = sign_in::CLIENT_ID)]
    client_id: String,
    /// Sign in by a code on any device; chosen by itself where there is no browser.
    #[arg(long, conflicts_with = "no_browser")]
    device: bool,
    /// Only print the address to open.
    #[arg(long)]
    no_browser: bool,
    /// Where tokens are kept.
    #[arg(long, value_name = "WHERE", value_enum, default_value_t = StoreKind::Auto)]
    store: StoreKind,
}

impl By {
    /// The tokens for a resource, got and kept in this way.
    pub(crate) fn tokens(self, resource: &str) -> Outcome<Tokens> {
        let way = match (self.device, self.no_browser) {
            (true, _) => Way::Device,
            (_, true) => Way::Print,
            _ => Way::Auto,
        };
        let store = Store::open(self.store)?;
        Ok(Tokens::new(resource, Some(self.client_id), way, store, Box::new(terminal::say)))
    }
}

/// The platform's base URL, from that of one of its resources.
fn platform_of(resource: &str) -> &str {
    let host = resource.find("://").map_or(0, |at| at + 3);
    let path = resource[host..].find('/').map_or(resource.len(), |at| host + at);
    let below = resource[path..].match_indices("/mcp").find(|(at, _)| {
        let after = &resource[path + at + 4..];
        after.is_empty() || after.starts_with('/')
    });
    &resource[..below.map_or(resource.len(), |(at, _)| path + at)]
}

impl Login {
    pub(crate) async fn run(self, terminal: &Terminal) -> Outcome {
        let url = self.url.as_str().trim_end_matches('/').to_owned();
        let tokens = self.by.tokens(&url)?;
        let kept = tokens.sign_in(More::default()).await?;
        tokens.store().set_current(platform_of(&url))?;
        let place = tokens.store().place_of(&url)?;
        let text = format!("Signed in to {url}. The token is kept in {place}.\nTry: interlock tools list interlock");
        terminal.result(
            &text,
            &json!({"url": url, "issuer": kept.issuer, "expires_at": kept.expires_at,
                "renewable": kept.refresh_token.is_some(), "kept_in": place}),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::platform_of;

    #[test]
    fn the_platform_is_what_its_resources_stand_below() {
        assert_eq!(platform_of("http://h:1"), "http://h:1");
        assert_eq!(platform_of("http://mcp/mcp/x/readonly"), "http://mcp");
        assert_eq!(platform_of("https://h/base/mcp"), "https://h/base");
        assert_eq!(platform_of("https://h/mcps"), "https://h/mcps");
    }
}
