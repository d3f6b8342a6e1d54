//! Remembers that the bundle which ships in this very program passed the gate (rule T8), so that a later start of the
//! same program need not ask the same thousands of questions again. Next: `activation.rs` for the gate itself.
//!
//! Only for the embedded bundle: whoever can write the record can at most skip tests of text that is part of the program
//! and passed them when it was built. A bundle from a folder always goes through the gate. Anything that is not exactly
//! the expected record, from another program or profile to a file that cannot be read, means the full gate.

use std::io;
use std::path::PathBuf;

use platform::canonical;

use crate::activation::ActivationError;
use crate::bundle::Bundle;

/// Where a passed gate is remembered, and for which program.
#[derive(Debug, Clone)]
pub struct PassedGate {
    record: PathBuf,
    program: String,
}

impl PassedGate {
    /// The record at a path, below a folder that only the platform may write. `program` names the exact program, so that
    /// changed guard rails or a changed engine ask again.
    pub fn new(record: impl Into<PathBuf>, program: impl Into<String>) -> Self {
        Self { record: record.into(), program: program.into() }
    }

    /// Whether this bundle passed this program's gate before.
    pub(crate) fn holds_for(&self, bundle: &Bundle) -> bool {
        match (self.expected(bundle), std::fs::read_to_string(&self.record)) {
            (Ok(expected), Ok(kept)) => kept == expected,
            _ => false,
        }
    }

    /// Writes down that it passed. A record that cannot be written costs the next start its time and nothing else.
    pub(crate) fn keep(&self, bundle: &Bundle) {
        let kept = self.expected(bundle).map_err(io::Error::other).and_then(|text| {
            let new = self.record.with_extension("new");
            std::fs::write(&new, text)?;
            std::fs::rename(&new, &self.record)
        });
        if let Err(error) = kept {
            tracing::warn!(error.message = %error, "a passed policy gate could not be remembered");
        }
    }

    fn expected(&self, bundle: &Bundle) -> Result<String, ActivationError> {
        let parts = (env!("CARGO_PKG_VERSION"), self.program.as_str(), bundle.digest()?);
        canonical::digest_hex(&parts).map_err(|e| ActivationError::Compile(e.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use platform::policy::Profile;

    use super::PassedGate;
    use crate::{ActivationError, Bundle, RegoEngine};

    /// The shipped bundle with a test that does not hold.
    fn failing(profile: Profile) -> Bundle {
        let test = "package interlock.more_test\n\nimport rego.v1\n\ntest_never if false\n";
        Bundle::embedded(profile).unwrap().with_source("interlock/more_test.rego", test)
    }

    #[test]
    fn t8_a_passed_gate_is_believed_for_exactly_that_bundle_and_program() {
        let folder = tempfile::tempdir().unwrap();
        let gate = PassedGate::new(folder.path().join("gate"), "one");
        let (production, lab) = (failing(Profile::Production), failing(Profile::LabOpen));
        assert!(!gate.holds_for(&production), "nothing is remembered yet");
        let refused = RegoEngine::unless_passed(production.clone(), &gate).unwrap_err();
        assert!(matches!(refused, ActivationError::Test { .. }), "{refused}");
        assert!(!gate.holds_for(&production), "a refusal is not remembered as a pass");

        gate.keep(&production);
        assert!(RegoEngine::unless_passed(production.clone(), &gate).is_ok(), "the gate was asked again");

        assert!(!gate.holds_for(&lab), "another profile");
        assert!(!gate.holds_for(&production.clone().with_source("x_test.rego", "package x")), "another bundle");
        assert!(!PassedGate::new(folder.path().join("gate"), "two").holds_for(&production), "another program");
        let kept = std::fs::read_to_string(folder.path().join("gate")).unwrap();
        for damaged in [&kept[1..], "", &format!("{kept} ")] {
            std::fs::write(folder.path().join("gate"), damaged).unwrap();
            assert!(!gate.holds_for(&production), "a damaged record");
        }
    }

    #[test]
    fn t8_the_embedded_bundle_is_remembered_after_its_gate_and_a_missing_folder_stops_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let gate = PassedGate::new(folder.path().join("gate"), "one");
        let shipped = Bundle::embedded(Profile::Production).unwrap();
        let first = RegoEngine::embedded_unless_passed(Profile::Production, &gate).unwrap();
        assert!(gate.holds_for(&shipped));
        let second = RegoEngine::embedded_unless_passed(Profile::Production, &gate).unwrap();
        assert_eq!(first.risk_table().unwrap(), second.risk_table().unwrap());
        let nowhere = PassedGate::new(folder.path().join("no/such/gate"), "one");
        assert!(RegoEngine::embedded_unless_passed(Profile::Production, &nowhere).is_ok());
        assert!(!nowhere.holds_for(&shipped));
    }
}
