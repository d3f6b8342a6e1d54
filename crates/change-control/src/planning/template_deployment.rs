//! The type `template_deployment`: one committed version of a template, on one to three devices, with parameters for all of
//! them or for single ones.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use platform::{Error, ErrorKind, Json};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use serde_json::{Map, json};
use tool_runtime::ports::PortClient;
use tool_runtime::ports::config_changer::Carrier;
use tool_runtime::ports::template_source::TemplateFacts;
use tool_runtime::secret_arguments::MARK;
use tool_runtime::tool::schema_of;

use super::change_type::{ChangeType, DeviceDraft, PlanDraft, inputs_invalid};
use super::masking::LEAST;
use crate::changes::Changes;
use crate::model::change::Change;
use crate::model::plan::TemplateReference;

/// The type.
pub struct TemplateDeployment;

/// The name of the type.
pub const NAME: &str = "template_deployment";

/// Its inputs. No `Debug`: they hold secrets.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Inputs {
    /// The target system's id of the template.
    #[schemars(length(min = 1, max = 64))]
    template_id: String,
    /// A committed version, by its own id. Left out, the newest one is meant, and a newer one that is committed before the
    /// change runs stops it.
    #[schemars(length(min = 1, max = 64))]
    version_id: Option<String>,
    /// Parameters for all devices.
    #[serde(default)]
    params: Map<String, Json>,
    /// Parameters for all devices that nobody may see.
    #[serde(default)]
    secret_params: BTreeMap<String, SecretText>,
    /// Parameters for single devices, by device id; they win over the common ones.
    #[serde(default)]
    devices: BTreeMap<String, OneDevice>,
}

/// Parameters for one device.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct OneDevice {
    /// Parameters.
    #[serde(default)]
    params: Map<String, Json>,
    /// Parameters that nobody may see.
    #[serde(default)]
    secret_params: BTreeMap<String, SecretText>,
}

/// A text that nobody may see; whoever receives it seals it with the inputs.
#[derive(Deserialize)]
#[serde(transparent)]
struct SecretText(String);

impl JsonSchema for SecretText {
    fn schema_name() -> Cow<'static, str> {
        "SecretText".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "string", "minLength": LEAST, (MARK): true})
    }
}

#[async_trait]
impl ChangeType for TemplateDeployment {
    fn name(&self) -> &'static str {
        NAME
    }

    fn version(&self) -> u32 {
        1
    }

    fn inputs(&self) -> Json {
        schema_of::<Inputs>()
    }

    fn check_inputs(&self, inputs: &Json, device_ids: &[String]) -> Result<(), Error> {
        read(inputs, device_ids).map(drop)
    }

    async fn draft(&self, _: &Changes, change: &Change, inputs: &Json, ports: &PortClient) -> Result<PlanDraft, Error> {
        let inputs = read(inputs, &change.device_ids)?;
        let facts = ports.template(&inputs.template_id, inputs.version_id.as_deref()).await?;
        let devices: Vec<DeviceDraft> = change.device_ids.iter().map(|id| of_device(&inputs, &facts, id)).collect();
        require_known(&facts, &devices)?;
        let template = TemplateReference {
            newest: facts.version_id == facts.newest_version_id,
            template_id: facts.template_id,
            version_id: facts.version_id,
            name: facts.name,
        };
        Ok(PlanDraft { template, devices })
    }
}

fn read(inputs: &Json, device_ids: &[String]) -> Result<Inputs, Error> {
    // Serde's own message would repeat a value.
    let read: Inputs = serde_json::from_value(inputs.clone()).map_err(|_| {
        inputs_invalid(
            "The inputs of template_deployment are template_id, and where needed version_id, params, secret_params and devices. \
             One of them is missing, unknown, or of the wrong type.",
        )
    })?;
    let long = |id: &String| id.is_empty() || id.len() > 64;
    if long(&read.template_id) || read.version_id.as_ref().is_some_and(long) {
        return Err(inputs_invalid("template_id and version_id have 1 to 64 characters."));
    }
    if let Some(stranger) = read.devices.keys().find(|id| !device_ids.contains(id)) {
        return Err(inputs_invalid("devices gives parameters to a device that the change does not name.")
            .with_details(json!({ "device_id": stranger })));
    }
    let of_devices = read.devices.values().map(|device| (&device.params, &device.secret_params));
    for (params, secrets) in of_devices.chain([(&read.params, &read.secret_params)]) {
        if let Some(name) = secrets.keys().find(|name| params.contains_key(*name)) {
            return Err(inputs_invalid("A parameter stands in params and in secret_params.")
                .with_details(json!({ "parameter": name })));
        }
        if let Some((name, _)) = secrets.iter().find(|(_, text)| text.0.len() < LEAST) {
            return Err(inputs_invalid(format!(
                "A secret of fewer than {LEAST} characters cannot be hidden in a configuration."
            ))
            .with_details(json!({ "parameter": name })));
        }
    }
    Ok(read)
}

/// What one device gets: its own parameters win over the common ones. Secret is what anybody calls so, the caller or the template.
fn of_device(inputs: &Inputs, facts: &TemplateFacts, device_id: &str) -> DeviceDraft {
    let mut params = Map::new();
    let mut secret = BTreeSet::new();
    let own = inputs.devices.get(device_id).map(|device| (&device.params, &device.secret_params));
    for (plain, secrets) in [Some((&inputs.params, &inputs.secret_params)), own].into_iter().flatten() {
        for (name, value) in plain {
            params.insert(name.clone(), value.clone());
            secret.remove(name);
        }
        for (name, SecretText(text)) in secrets {
            params.insert(name.clone(), Json::from(text.as_str()));
            secret.insert(name.clone());
        }
    }
    let sensitive = facts.parameters.iter().filter(|p| p.sensitive && params.contains_key(&p.name));
    secret.extend(sensitive.map(|p| p.name.clone()));
    let carrier = Carrier { template_id: facts.template_id.clone(), version_id: facts.version_id.clone() };
    DeviceDraft { device_id: device_id.to_owned(), carrier, params, secret, sealed: None }
}

/// Refuses parameters that the template does not have: a mistyped name would silently leave a default in its place. A
/// template that says nothing about its parameters is not asked.
fn require_known(facts: &TemplateFacts, devices: &[DeviceDraft]) -> Result<(), Error> {
    let known: BTreeSet<&str> = facts.parameters.iter().map(|p| p.name.as_str()).collect();
    let given = devices.iter().flat_map(|device| device.params.keys().map(String::as_str));
    let unknown: BTreeSet<&str> = given.filter(|name| !known.contains(name)).collect();
    if known.is_empty() || unknown.is_empty() {
        return Ok(());
    }
    Err(Error::new(
        ErrorKind::InvalidInput,
        "template_parameter_unknown",
        "The template has no parameter of that name. Correct the name, or leave the parameter out.",
    )
    .with_details(json!({ "unknown": unknown, "known": known })))
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use tool_runtime::ports::template_source::{TemplateFacts, TemplateParameter};

    use super::{ChangeType, TemplateDeployment, of_device, read, require_known};

    fn facts() -> TemplateFacts {
        let parameter = |name: &str, sensitive| TemplateParameter { name: name.into(), sensitive };
        TemplateFacts {
            template_id: "t".into(),
            name: "access".into(),
            version_id: "v2".into(),
            newest_version_id: "v2".into(),
            parameters: vec![parameter("vlan", false), parameter("key", false), parameter("psk", true)],
        }
    }

    #[test]
    fn a_devices_own_parameters_win_and_whoever_calls_one_secret_is_heard() {
        let ids = ["d1".to_owned(), "d2".to_owned()];
        let inputs = json!({
            "template_id": "t", "params": {"vlan": 20, "psk": "templates-own"}, "secret_params": {"key": "callers-own"},
            "devices": {"d2": {"params": {"vlan": 21}}},
        });
        let inputs = read(&inputs, &ids).unwrap();
        let (first, second) = (of_device(&inputs, &facts(), "d1"), of_device(&inputs, &facts(), "d2"));
        assert_eq!((&first.params["vlan"], &second.params["vlan"]), (&json!(20), &json!(21)));
        assert_eq!(first.secret.iter().map(String::as_str).collect::<Vec<_>>(), ["key", "psk"]);
        assert!(require_known(&facts(), &[first]).is_ok());
    }

    #[test]
    fn t27_a_refusal_of_inputs_repeats_no_value() {
        let ids = ["d1".to_owned()];
        for inputs in [
            json!({"template_id": {"s3cret": 1}}),
            json!({"template_id": "t", "s3cret": 1}),
            json!({"template_id": "t", "params": {"a": "s3cret"}, "secret_params": {"a": "s3cret"}}),
            json!({"template_id": "t", "secret_params": {"a": "s3c"}}),
            json!({"template_id": "t", "devices": {"d9": {"params": {"a": "s3cret"}}}}),
        ] {
            let refused = TemplateDeployment.check_inputs(&inputs, &ids).unwrap_err();
            assert_eq!(refused.code(), "change_inputs_invalid");
            let told = serde_json::to_string(refused.refusal()).unwrap();
            assert!(!told.contains("s3c"), "{told}");
        }
    }

    #[test]
    fn a_mistyped_parameter_is_named_and_not_left_to_a_default() {
        let inputs = read(&json!({"template_id": "t", "params": {"vlna": 20}}), &["d1".to_owned()]).unwrap();
        let refused = require_known(&facts(), &[of_device(&inputs, &facts(), "d1")]).unwrap_err();
        assert_eq!(refused.code(), "template_parameter_unknown");
        assert_eq!(refused.refusal().details.as_ref().unwrap()["unknown"], json!(["vlna"]));
    }

    #[test]
    fn t27_the_schema_of_the_inputs_marks_what_is_secret() {
        let schema = TemplateDeployment.inputs();
        assert_eq!(
            schema["properties"]["secret_params"]["additionalProperties"]["x-interlock-secret"],
            json!(true),
            "{schema}"
        );
    }
}
