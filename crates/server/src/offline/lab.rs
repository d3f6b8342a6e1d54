//! A lab's people at the command line: one-time codes, tokens by the ordinary sign-in, and the tale.

use std::path::{Path, PathBuf};

use platform::audit::AuditFilter;
use platform::{Json, Result};
use story::Ledger;

pub use story::OneTimeCode;
pub use story::beside::{Deciding, clock, decide, one_time_code, pass_second_factor, ready, token};
pub use story::decide::Decided;
pub use story::kept_token::TokenRequest;
pub use story::tale::{Listener, Told};

use super::audit;

/// Plays the tale against a running lab.
pub async fn play(state: &Path, listener: &mut dyn Listener) -> Result<Vec<Told>> {
    let ready = ready(state)?;
    let ledger = LabLedger(audit::folder_in(state)?);
    let tale = story::Tale { ready: &ready, clock: clock(state)?, ledger: &ledger };
    story::play(&tale, listener).await
}

struct LabLedger(PathBuf);

impl Ledger for LabLedger {
    fn about(&self, request_id: &str) -> Result<Vec<Json>> {
        let filter = AuditFilter { request_id: Some(request_id.to_owned()), ..AuditFilter::default() };
        Ok(audit::tail(&self.0, &filter, 10)?)
    }

    fn verify(&self) -> Result<(bool, u64)> {
        let report = audit::verify_all(&self.0, &audit::VerifyOptions::default())?;
        Ok((report.ok, report.records))
    }
}
