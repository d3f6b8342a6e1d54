//! `interlock logout`: takes the kept tokens back at the issuer (RFC 7009) and forgets them.

use clap::Args;
use platform::Secret;
use serde_json::json;
use url::Url;

use crate::failure::Outcome;
use crate::rest;
use crate::sign_in::discovery;
use crate::terminal::Terminal;
use crate::tokens::store::{Store, StoreKind};
use crate::web;

#[derive(Args)]
pub(crate) struct Logout {
    /// What was signed in to: the platform, or one of its resources; the last one when left out.
    #[arg(long, env = "INTERLOCK_URL", value_name = "URL")]
    url: Option<Url>,
    /// Where tokens are kept.
    #[arg(long, value_name = "WHERE", value_enum, default_value_t = StoreKind::Auto)]
    store: StoreKind,
}

impl Logout {
    pub(crate) async fn run(self, terminal: &Terminal) -> Outcome {
        let resource = rest::platform(self.url)?;
        let store = Store::open(self.store)?;
        let Some(kept) = store.load(&resource)? else {
            let words = format!("You are not signed in to {resource}.");
            return terminal.result(&words, &json!({"url": resource, "signed_out": false}));
        };
        // The tokens go from here whatever the issuer says: the person wants to be rid of them.
        let tokens: Vec<&Secret> = kept.refresh_token.iter().chain([&kept.access_token]).collect();
        let revoked = revoke(&kept.issuer, &kept.client_id, &tokens).await;
        store.remove(&resource)?;
        let revoked = revoked?;
        let words = match revoked {
            true => format!("Signed out of {resource}; the tokens are taken back and forgotten."),
            false => format!("Signed out of {resource}; the tokens are forgotten, and end by themselves."),
        };
        terminal.result(&words, &json!({"url": resource, "signed_out": true, "revoked": revoked}))
    }
}

/// Whether the issuer took them back. The refresh token goes first: with it go, at most issuers, the tokens from it.
async fn revoke(issuer: &str, client_id: &str, tokens: &[&Secret]) -> Outcome<bool> {
    let issuer = discovery::issuer_document(issuer).await?;
    issuer.refuse_in_clear()?;
    let Some(endpoint) = &issuer.revocation_endpoint else { return Ok(false) };
    let mut all = true;
    for token in tokens {
        let answer = web::post_form(endpoint, &[("token", token.expose()), ("client_id", client_id)]).await?;
        all &= answer.status.is_success();
    }
    Ok(all)
}
