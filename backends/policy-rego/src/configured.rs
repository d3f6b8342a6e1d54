//! The policy engine that a configuration names. Next: [`crate::PassedGate`] for why a restart is quick.

use std::path::Path;
use std::time::UNIX_EPOCH;

use platform::config::Config;
use platform::policy::Profile;
use platform::{Error, ErrorKind, Result};

use crate::{PassedGate, RegoEngine};

impl RegoEngine {
    /// `rego:embedded` or `rego:<folder>`, under the configured profile. Errors: `policy_profile_unknown`, `backend_unknown`,
    /// those of the activation.
    pub fn configured(config: &Config) -> Result<Self> {
        let profile: Profile = config
            .policy
            .profile
            .parse()
            .map_err(|e| Error::new(ErrorKind::InvalidInput, "policy_profile_unknown", format!("{e}.")))?;
        let engine = match config.policy.url.split_once(':') {
            Some(("rego", "embedded")) => match this_program() {
                Some(program) => {
                    let record = config.platform.state.join(format!("policy-gate-{}", profile.as_str()));
                    Self::embedded_unless_passed(profile, &PassedGate::new(record, program))
                }
                None => Self::embedded(profile),
            },
            Some(("rego", folder)) if !folder.is_empty() => Self::from_dir(Path::new(folder), profile),
            _ => {
                return Err(Error::new(
                    ErrorKind::InvalidInput,
                    "backend_unknown",
                    format!(
                        "`{}` names no policy engine of this build; there is `rego:embedded` and `rego:<folder>`.",
                        config.policy.url
                    ),
                ));
            }
        };
        Ok(engine?)
    }
}

/// Names the exact program that runs: a rebuilt or replaced one has another size or time.
fn this_program() -> Option<String> {
    let path = std::env::current_exe().ok()?;
    let metadata = path.metadata().ok()?;
    let modified = metadata.modified().ok()?.duration_since(UNIX_EPOCH).ok()?;
    Some(format!("{} {} {}", path.display(), metadata.len(), modified.as_nanos()))
}
