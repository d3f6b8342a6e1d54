//! A platform by its configuration, running or not.

use std::path::Path;

use platform::clock::SystemClock;
use platform::config::Config;
use platform::keys::master::MasterKeySource;
use platform::{Clock as _, Error};
use server::offline::{policy, secrets, store};

use super::{Findings, machine, running, sign_in};
use crate::command::read_config;
use crate::failure::Failure;
use crate::web;

const DAY: i64 = 86_400;
/// A certificate that ends within this time is to be replaced now.
const SOON: i64 = 14 * DAY;

/// Everything that the configuration names, in the order in which `serve` needs it.
pub(super) async fn examine(file: &Path, findings: &mut Findings) {
    let config = match read_config(file) {
        Ok(loaded) => loaded.config,
        Err(failure) => {
            return findings.failed(
                "configuration",
                &failure,
                "mend the file; `interlock check --config FILE` shows every value and its place",
            );
        }
    };
    findings.ok("configuration", format!("{} is readable", file.display()));
    for refusal in server::production_refusals(&config) {
        let check = format!("serve refuses `{}`", refusal.code());
        findings.wrong(&check, refusal.message(), "the sentence names the setting");
    }
    let state = &config.platform.state;
    if machine::writable("platform.state", state, findings) {
        machine::disk("disk", state, findings);
    }
    if let MasterKeySource::File(path) = &config.secrets.master_key {
        machine::private("secrets.master_key", path, 0o400, findings);
    }
    certificate(&config, findings);
    let is_running = listen(&config, findings).await;
    issuers(&config, is_running, findings).await;
    policy_activates(&config, findings);
    database(&config, findings).await;
    credentials(&config, findings).await;
    targets(&config, findings).await;
}

/// The listener's own certificate: usable, and for how long.
fn certificate(config: &Config, findings: &mut Findings) {
    let check = "platform.tls_certificate";
    let fix = "put the new chain and key in place of the files; the running platform reads them within seconds";
    match server::certificate_end(config).map(|end| end.map(|end| end - SystemClock.epoch_seconds())) {
        Ok(None) => {}
        Ok(Some(left @ ..=0)) => findings.wrong(check, format!("expired {} days ago", -left / DAY), fix),
        Ok(Some(left)) if left < SOON => findings.wrong(check, format!("expires in {} days", left / DAY), fix),
        Ok(Some(left)) => findings.ok(check, format!("is valid for {} days", left / DAY)),
        Err(error) => findings.failed(check, &error.into(), "the sentence names the file"),
    }
    if let Some(key) = &config.platform.tls_key {
        machine::private("platform.tls_key", key, 0o400, findings);
    }
}

/// The port is free, or it is we who have it.
async fn listen(config: &Config, findings: &mut Findings) -> bool {
    let address = config.platform.listen;
    match machine::port_free(address) {
        Ok(()) => {
            findings.ok("platform.listen", format!("{address} is free"));
            false
        }
        Err(error) => {
            let ours = web::get(&config.platform.url, "/healthz").await.is_ok_and(|r| r.status.is_success());
            if ours {
                findings.ok(
                    "platform.listen",
                    format!("{address} is taken, and the platform answers at {}", config.platform.url),
                );
            } else {
                findings.wrong(
                    "platform.listen",
                    format!("{address}: {error}"),
                    "set `platform.listen` to an address of this machine and a free port, or stop who has it",
                );
            }
            ours
        }
    }
}

async fn issuers(config: &Config, is_running: bool, findings: &mut Findings) {
    if is_running {
        running::examine(&config.platform.url, findings).await;
    }
    for (index, issuer) in config.issuer.iter().enumerate() {
        let check = format!("issuer {}", issuer.url);
        let seen = findings.0.iter().any(|f| f.check == check);
        match (issuer.builtin, is_running, seen) {
            (_, _, true) => {}
            (true, false, _) => findings.skipped(&check, "it is built in and answers once the platform runs"),
            _ => {
                sign_in::issuer(issuer.url.as_str().trim_end_matches('/'), &format!("issuer[{index}].url"), findings)
                    .await
            }
        }
    }
}

fn policy_activates(config: &Config, findings: &mut Findings) {
    let fix = "mend the policy; `interlock policy test --bundle DIR` names file, test or guard rail";
    let folder = config.policy.url.strip_prefix("rego:").filter(|f| *f != "embedded").map(Path::new);
    let profile = match config.policy.profile.parse() {
        Ok(profile) => profile,
        Err(error) => {
            return findings.wrong("policy.profile", format!("{error}"), "set `policy.profile` to `production`");
        }
    };
    match policy::bundle(folder, profile).and_then(policy::engine) {
        Ok(_) => findings.ok("policy", format!("{} activates under the profile {profile}", config.policy.url)),
        Err(error) => findings.failed("policy", &error.into(), fix),
    }
}

/// The database of the store answers and lets us in.
async fn database(config: &Config, findings: &mut Findings) {
    if !store::is_database(config) {
        return;
    }
    match store::look(config).await {
        Ok(Some(address)) => findings.ok("store.url", format!("{address} answers")),
        Ok(None) => {}
        Err(error) if error.code() == "store_in_use" => {
            findings.skipped("store.url", "the running platform has the secret store with its password")
        }
        Err(error) => {
            let fix = format!(
                "check `store.url` and the server; the password is put by `interlock secret put {} password --config FILE`",
                config.store.secret
            );
            findings.failed("store.url", &error.into(), fix);
        }
    }
}

/// A credential for each server that has a target.
async fn credentials(config: &Config, findings: &mut Findings) {
    let store = match secrets::open(config) {
        Ok(store) => store,
        Err(error) if error.code() == "store_in_use" => {
            return findings.skipped("secrets", "the running platform has the store; stop it to look inside");
        }
        Err(error) => return findings.failed("secrets.url", &error.into(), "the sentence names the setting"),
    };
    for server in config.server.iter().filter(|s| s.target.is_some()) {
        let path = format!("api/{}", server.name);
        let found: Result<_, Error> = store.metadata(&path).await;
        match found {
            Ok(found) => findings.ok(&path, format!("is at version {}", found.current_version)),
            Err(error) => {
                let fix = format!("interlock secret put {path} username password --config FILE");
                findings.failed(&path, &Failure::from(error), fix);
            }
        }
    }
}

/// Each target answers HTTP at all; what it answers is the connector's business.
async fn targets(config: &Config, findings: &mut Findings) {
    for (index, server) in config.server.iter().enumerate() {
        let Some(target) = &server.target else { continue };
        let check = format!("target {target} of {}", server.name);
        let trusted = server.ca_file.is_none() && server.pin_sha256.is_none();
        if !trusted {
            findings.skipped(&check, "it is trusted by `ca_file` or `pin_sha256`; the first call tells");
            continue;
        }
        match web::get_url(target).await {
            Ok(response) => findings.ok(&check, format!("answers (HTTP {})", response.status.as_u16())),
            Err(error) => {
                let fix = format!(
                    "set `server[{index}].target` to the system's base URL, and let this machine reach it; a private authority goes to `server[{index}].ca_file`"
                );
                findings.failed(&check, &error.into(), fix);
            }
        }
    }
}
