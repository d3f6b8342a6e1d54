//! A running platform, by its URL: what any client sees.

use url::Url;

use super::{Findings, sign_in};
use crate::failure::Failure;
use crate::sign_in::discovery;
use crate::web;

/// Health, protected resource metadata, issuers.
pub(super) async fn examine(url: &Url, findings: &mut Findings) {
    let base = url.as_str().trim_end_matches('/');
    if !healthy(url, findings).await {
        return;
    }
    let check = format!("resource metadata of {base}");
    match resource(url).await {
        Ok(named) if named == base => findings.ok(&check, "names itself the same"),
        Ok(named) => findings.wrong(
            &check,
            format!("it calls itself `{named}`"),
            format!("set `platform.url` to the URL that clients use, or use {named}; tokens are bound to it"),
        ),
        Err(failure) => findings.failed(&check, &failure, "is this URL the platform's public base URL?"),
    }
    match discovery::issuers(url).await {
        Ok(issuers) => {
            for issuer in issuers {
                sign_in::issuer(&issuer, "[[issuer]] url", findings).await;
            }
        }
        Err(failure) => findings.failed("issuers", &failure, "configure at least one [[issuer]]"),
    }
}

/// Whether the platform answers.
pub(super) async fn healthy(url: &Url, findings: &mut Findings) -> bool {
    let check = format!("platform {}", url.as_str().trim_end_matches('/'));
    match web::get(url, "/healthz").await {
        Ok(response) if response.status.is_success() => {
            findings.ok(&check, "answers");
            sign_in::clock(&check, &response, findings);
            true
        }
        Ok(response) => {
            let message = format!("/healthz answered HTTP {}", response.status.as_u16());
            findings.wrong(
                &check,
                message,
                "is this the platform's URL? behind a proxy, `platform.allowed_hosts` must name the host",
            );
            false
        }
        Err(error) => {
            findings.failed(&check, &error.into(), "start the platform, and let this machine reach it");
            false
        }
    }
}

async fn resource(url: &Url) -> Result<String, Failure> {
    let document: platform::Json = web::get_url(&web::well_known(url, "oauth-protected-resource")).await?.json()?;
    Ok(document["resource"].as_str().unwrap_or_default().to_owned())
}
