//! What is asked for: the wish of a person or an agent, before anything was read.

use std::collections::BTreeSet;

use platform::{Error, ErrorKind, Json};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{MOST_DEVICES, template_deployment};
use crate::model::change::ChangeId;
use crate::model::plan::{OnStale, OnStop, SaveStartup};

/// Longest soak: undo steps may be made until its end, and at most for a day (T19). Seconds.
const LONGEST_SOAK_S: u64 = 12 * 3600;
/// Most characters of a title.
const TITLE: usize = 120;
/// Most characters of a reason.
const REASON: usize = 2000;

/// A wish. It has no `Debug`: inputs may hold secrets.
#[derive(Clone)]
pub struct PlanRequest {
    /// Server instance.
    pub server: String,
    /// Type of the change; left out, `template_deployment`, or `undo_change` where a change is to be undone.
    pub change_type: Option<String>,
    /// Inputs of the type.
    pub inputs: Json,
    /// The devices: 1 to 3 ids of the server's. An undo may leave them out, and means all of its change.
    pub device_ids: Vec<String>,
    /// A line for people.
    pub title: String,
    /// Why, in the requester's words.
    pub reason: String,
    /// How it is to be run.
    pub options: PlanOptions,
    /// The change that this one undoes. Set by the platform; no door hands it on from a caller.
    pub undoes: Option<ChangeId>,
}

/// How a change is to be run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct PlanOptions {
    /// Most devices of the first, the second … batch; the last number goes on. Devices of one redundancy group are never in one batch.
    #[schemars(length(min = 1, max = 20), inner(range(min = 1, max = 50)))]
    pub batches: Vec<u32>,
    /// How long the checks go on after the last device, seconds; at most 12 hours.
    #[schemars(range(max = 43_200))]
    pub soak_s: u64,
    /// What a stop means for devices that were written to.
    pub on_stop: OnStop,
    /// What a device means that is not what the plan was made for.
    pub on_stale: OnStale,
    /// When the startup configuration is saved.
    pub save_startup: SaveStartup,
    /// The run stops when more than this share of the devices failed, percent.
    #[schemars(range(max = 100))]
    pub max_fail_percentage: u32,
}

impl Default for PlanOptions {
    /// One device at a time, five minutes of soak, everything undone when one device fails, saved after the soak.
    fn default() -> Self {
        Self {
            batches: vec![1],
            soak_s: 300,
            on_stop: OnStop::Undo,
            on_stale: OnStale::Stop,
            save_startup: SaveStartup::AfterSoak,
            max_fail_percentage: 0,
        }
    }
}

/// What is sealed of a request: inputs may hold secrets. No `Debug`.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SealedInputs {
    pub(super) inputs: Json,
    pub(super) options: PlanOptions,
}

impl PlanRequest {
    pub(super) fn type_name(&self) -> &str {
        self.change_type.as_deref().unwrap_or(template_deployment::NAME)
    }

    /// A title that was put together of another one may have grown too long.
    pub(super) fn shorten_title(&mut self) {
        if let Some((end, _)) = self.title.char_indices().nth(TITLE) {
            self.title.truncate(end);
            self.title.pop();
            self.title.push('…');
        }
    }

    /// Errors: `too_many_devices`, `plan_request_invalid`.
    pub(super) fn check(&self) -> Result<(), Error> {
        if self.device_ids.len() > MOST_DEVICES {
            return Err(Error::new(
                ErrorKind::InvalidInput,
                "too_many_devices",
                format!(
                    "A change is planned on at most {MOST_DEVICES} devices. Plan one change for each group of them."
                ),
            )
            .with_details(json!({ "devices": self.device_ids.len(), "most": MOST_DEVICES })));
        }
        let different: BTreeSet<&String> = self.device_ids.iter().collect();
        if self.device_ids.is_empty() || different.len() < self.device_ids.len() {
            return Err(invalid("device_ids", "names 1 to 3 devices, each once"));
        }
        if self.device_ids.iter().any(|id| id.is_empty() || id.len() > 64) {
            return Err(invalid("device_ids", "holds ids of 1 to 64 characters"));
        }
        let sound = |text: &str, most: usize| {
            !text.trim().is_empty()
                && text.chars().count() <= most
                && !text.chars().any(|c| c.is_control() && c != '\n')
        };
        if !sound(&self.title, TITLE) || self.title.contains('\n') {
            return Err(invalid("title", "is one line of 1 to 120 characters"));
        }
        if !sound(&self.reason, REASON) {
            return Err(invalid("reason", "has 1 to 2,000 characters"));
        }
        let options = &self.options;
        if options.batches.is_empty()
            || options.batches.len() > 20
            || options.batches.iter().any(|n| !(1..=50).contains(n))
        {
            return Err(invalid("options.batches", "holds 1 to 20 sizes of 1 to 50 devices"));
        }
        if options.soak_s > LONGEST_SOAK_S {
            return Err(invalid("options.soak_s", "is at most 12 hours"));
        }
        if options.max_fail_percentage > 100 {
            return Err(invalid("options.max_fail_percentage", "is at most 100"));
        }
        Ok(())
    }
}

fn invalid(member: &str, rule: &str) -> Error {
    Error::new(ErrorKind::InvalidInput, "plan_request_invalid", format!("`{member}` {rule}."))
        .with_details(json!({ "member": member }))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{PlanOptions, PlanRequest};

    fn request(device_ids: &[&str]) -> PlanRequest {
        PlanRequest {
            server: "catalyst-center".into(),
            change_type: None,
            inputs: json!({}),
            device_ids: device_ids.iter().map(|&id| id.to_owned()).collect(),
            title: "Guest VLAN".into(),
            reason: "Guests need a network.".into(),
            options: PlanOptions::default(),
            undoes: None,
        }
    }

    #[test]
    fn one_to_three_devices_each_once() {
        assert!(request(&["a"]).check().is_ok() && request(&["a", "b", "c"]).check().is_ok());
        let code = |ids: &[&str]| request(ids).check().unwrap_err().code().to_owned();
        assert_eq!(code(&["a", "b", "c", "d"]), "too_many_devices");
        for ids in [&[][..], &["a", "a"], &[""]] {
            assert_eq!(code(ids), "plan_request_invalid", "{ids:?}");
        }
    }

    #[test]
    fn what_cannot_be_run_is_refused_where_it_is_asked_for() {
        let refused = |change: fn(&mut PlanRequest)| {
            let mut request = request(&["a"]);
            change(&mut request);
            request.check().unwrap_err().refusal().details.as_ref().unwrap()["member"].as_str().unwrap().to_owned()
        };
        assert_eq!(refused(|r| r.title = "two\nlines".into()), "title");
        assert_eq!(refused(|r| r.reason = "  ".into()), "reason");
        assert_eq!(refused(|r| r.options.batches.clear()), "options.batches");
        assert_eq!(refused(|r| r.options.soak_s = 43_201), "options.soak_s");
        assert_eq!(refused(|r| r.options.max_fail_percentage = 101), "options.max_fail_percentage");
    }
}
