//! Policy bundles without a server: tested, activated, asked.

use std::path::Path;

use platform::Result;
use platform::policy::{Profile, RiskTable};

pub use policy_rego::{ActivationError, Bundle, RegoEngine, TestOutcome, TestReport};

/// The bundle of a folder, or the one in the binary. Error: `policy_refused`, whose detail names file and line.
pub fn bundle(folder: Option<&Path>, profile: Profile) -> Result<Bundle> {
    let bundle = match folder {
        Some(folder) => Bundle::from_dir(folder, profile),
        None => Bundle::embedded(profile),
    };
    Ok(bundle?)
}

/// The bundle through the gate of an activation: its own tests and the guard rails (T8).
pub fn engine(bundle: Bundle) -> Result<RegoEngine> {
    Ok(RegoEngine::new(bundle)?)
}

/// The operator's risk table of a bundle.
pub fn risks(bundle: &Bundle) -> Result<RiskTable> {
    Ok(bundle.risk_table()?)
}
