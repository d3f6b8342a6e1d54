//! Types of changes (T14): what a type asks for, and what it would put on each device. Everything else about a plan (reading,
//! rendering, predicting, undo, checks, order, hash) is the same for all of them and stands beside this file.
//!
//! A type is Rust that is compiled in: no document, policy or template edits how a change is made.

use std::collections::BTreeSet;

use async_trait::async_trait;
use device_config::Platform;
use platform::{Error, ErrorKind, Json};
use serde_json::Map;
use tool_runtime::ArtifactReference;
use tool_runtime::ports::PortClient;
use tool_runtime::ports::config_changer::{APPLY, Carrier, SAVE};

use super::checks;
use super::template_deployment::TemplateDeployment;
use super::undo_change::UndoChange;
use crate::changes::Changes;
use crate::model::change::Change;
use crate::model::plan::{Check, TemplateReference, TypeReference};

/// A type of change.
#[async_trait]
pub trait ChangeType: Send + Sync + 'static {
    /// `template_deployment`.
    fn name(&self) -> &'static str;

    /// Raised when the same inputs would be planned otherwise than before.
    fn version(&self) -> u32;

    /// JSON Schema 2020-12 of its inputs; texts that are secrets are marked ([`tool_runtime::secret_arguments::MARK`]).
    fn inputs(&self) -> Json;

    /// Whether inputs can be understood, before anything is written down. Error: `change_inputs_invalid`; it names members
    /// and never values.
    fn check_inputs(&self, inputs: &Json, device_ids: &[String]) -> Result<(), Error>;

    /// What each device gets. Called again after a failure: what it leaves on the target, it finds there.
    async fn draft(
        &self,
        changes: &Changes,
        change: &Change,
        inputs: &Json,
        ports: &PortClient,
    ) -> Result<PlanDraft, Error>;

    /// What must hold on a device afterwards, beside *live equals predicted*, which always comes first.
    fn checks(&self, platform: Platform) -> Vec<Check> {
        checks::usual(platform)
    }

    /// The tools that its steps call on a device: to do it, to undo it, and to keep it.
    fn tools(&self) -> &'static [&'static str] {
        &[APPLY, SAVE]
    }

    /// Name, version, and the digest of what an approval of it means (T15): a word of the schema is enough to make it another.
    fn reference(&self) -> Result<TypeReference, Error> {
        let checks = |platform: Platform| {
            let own = self.checks(platform);
            (platform.name(), std::iter::once(checks::first()).chain(own).collect::<Vec<_>>())
        };
        let digest = platform::canonical::digest_hex(&serde_json::json!({
            "name": self.name(), "version": self.version(), "inputs": self.inputs(), "tools": self.tools(),
            "checks": Platform::ALL.map(checks),
        }))?;
        Ok(TypeReference { name: self.name().to_owned(), version: self.version(), digest: Some(digest) })
    }
}

/// What a type would put on devices. It has no `Debug`: parameters may be secrets.
pub struct PlanDraft {
    /// What is deployed.
    pub template: TemplateReference,
    /// One for each device of the change, in its order.
    pub devices: Vec<DeviceDraft>,
}

/// What a type would put on one device.
pub struct DeviceDraft {
    /// The device.
    pub device_id: String,
    /// The version that carries the lines.
    pub carrier: Carrier,
    /// Its parameters.
    pub params: Map<String, Json>,
    /// Which of them are secrets, as far as anybody said so.
    pub secret: BTreeSet<String>,
    /// Parameters that were sealed before and are not opened here: those of a staged text.
    pub sealed: Option<ArtifactReference>,
}

/// All types.
pub const TYPES: &[&dyn ChangeType] = &[&TemplateDeployment, &UndoChange];

/// The type of this name. Error: `change_type_unknown`.
pub fn change_type(name: &str) -> Result<&'static dyn ChangeType, Error> {
    TYPES.iter().copied().find(|known| known.name() == name).ok_or_else(|| {
        let known: Vec<&str> = TYPES.iter().map(|known| known.name()).collect();
        Error::new(
            ErrorKind::InvalidInput,
            "change_type_unknown",
            format!("There is no such type of change. These are there: {}.", known.join(", ")),
        )
    })
}

/// The refusal of inputs, which says what is wrong and where, never with a value.
pub(super) fn inputs_invalid(what: impl Into<String>) -> Error {
    Error::new(ErrorKind::Conflict, "change_inputs_invalid", what)
}

#[cfg(test)]
mod tests {
    use async_trait::async_trait;
    use device_config::Platform;
    use platform::{Error, Json};
    use serde_json::json;
    use tool_runtime::ports::PortClient;

    use super::{Change, ChangeType, Changes, Check, PlanDraft, TYPES, checks};

    #[derive(Clone)]
    struct Like {
        name: &'static str,
        version: u32,
        inputs: Json,
        of: &'static str,
        tools: &'static [&'static str],
    }

    #[async_trait]
    impl ChangeType for Like {
        fn name(&self) -> &'static str {
            self.name
        }

        fn version(&self) -> u32 {
            self.version
        }

        fn inputs(&self) -> Json {
            self.inputs.clone()
        }

        fn check_inputs(&self, _: &Json, _: &[String]) -> Result<(), Error> {
            Ok(())
        }

        async fn draft(&self, _: &Changes, _: &Change, _: &Json, _: &PortClient) -> Result<PlanDraft, Error> {
            Err(Error::internal("it plans nothing"))
        }

        fn checks(&self, _: Platform) -> Vec<Check> {
            vec![Check { of: json!({ "of": self.of }), ..checks::first() }]
        }

        fn tools(&self) -> &'static [&'static str] {
            self.tools
        }
    }

    #[test]
    fn t15_the_digest_of_a_type_is_another_when_anything_of_it_is() {
        let one =
            Like { name: "a", version: 1, inputs: json!({"type": "object"}), of: "x", tools: &["port_apply_step"] };
        let digest = |like: &Like| like.reference().unwrap().digest.unwrap();
        assert_eq!(digest(&one), digest(&one.clone()));
        for other in [
            Like { name: "b", ..one.clone() },
            Like { version: 2, ..one.clone() },
            Like { inputs: json!({"type": "object", "required": ["vlan"]}), ..one.clone() },
            Like { of: "y", ..one.clone() },
            Like { tools: &["port_apply_step", "reload_device"], ..one.clone() },
        ] {
            assert_ne!(digest(&one), digest(&other));
        }
        assert_ne!(TYPES[0].reference().unwrap().digest, TYPES[1].reference().unwrap().digest);
    }
}
