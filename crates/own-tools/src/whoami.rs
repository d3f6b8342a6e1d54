//! `whoami`: the caller as the platform sees it.

use std::sync::Arc;

use platform::SharedClock;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tool_runtime::tool::typed;
use tool_runtime::{Tool, ToolSpec};

#[derive(Deserialize, JsonSchema)]
struct Args {}

#[derive(Serialize, JsonSchema)]
struct Caller {
    /// Name.
    name: String,
    /// Subject at the issuer.
    subject: String,
    /// Issuer.
    issuer: String,
    /// `person` or `client`.
    kind: String,
    /// Groups that count here.
    groups: Vec<String>,
    /// OAuth client of this call.
    client_id: String,
    /// Authentication context class of the sign-in.
    acr: Option<String>,
    /// Authentication methods of the sign-in (RFC 8176).
    amr: Vec<String>,
    /// Whether the sign-in had more than one factor.
    mfa: bool,
    /// Seconds since the sign-in, where the token says it.
    signed_in_s_ago: Option<i64>,
    /// Seconds until the access token expires.
    token_expires_in_s: i64,
}

pub(super) fn tool(clock: SharedClock) -> Arc<dyn Tool> {
    let spec = ToolSpec::new::<Args, Caller>(
        "whoami",
        "Who am I",
        "Shows who you are here: groups, client, how you signed in, and when your token expires.",
    );
    typed(spec, move |cx, _: Args| {
        let now = clock.epoch_seconds();
        async move {
            let p = &cx.call.principal;
            Ok(Caller {
                name: p.name.clone(),
                subject: p.subject.clone(),
                issuer: p.issuer.clone(),
                kind: match p.kind {
                    platform::principal::PrincipalKind::Person => "person",
                    platform::principal::PrincipalKind::Client => "client",
                }
                .to_owned(),
                groups: p.groups.clone(),
                client_id: p.client_id.clone(),
                acr: p.acr.clone(),
                amr: p.amr.clone(),
                mfa: p.mfa,
                signed_in_s_ago: p.auth_time.map(|at| (now - at).max(0)),
                token_expires_in_s: p.token.expires_at - now,
            })
        }
    })
}
