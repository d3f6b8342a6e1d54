//! What a connector offers beside tools is checked when the catalogue is built: nothing half-described is ever served.

use std::sync::Arc;

use async_trait::async_trait;
use platform::policy::{Risk, RiskTable, TargetFacts};
use platform::{Error, Json};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;
use tool_runtime::connector::{CredentialKind, target_unknown};
use tool_runtime::tool::typed;
use tool_runtime::{
    Catalogue, CompletionSpec, Connector, Instance, PromptArgument, PromptSpec, ResourceSpec, Tool, ToolCx, ToolSpec,
    Toolset,
};

#[derive(Deserialize, JsonSchema)]
struct Args {
    #[expect(dead_code, reason = "only its schema counts")]
    device_id: String,
}

#[derive(Serialize, JsonSchema)]
struct Empty {}

/// Offers whatever a test puts into it, over the tools `read_one` and `write_one`, which take a `device_id`.
#[derive(Clone)]
struct Offering {
    instructions: &'static str,
    toolsets: &'static [Toolset],
    resources: &'static [ResourceSpec],
    prompts: &'static [PromptSpec],
    completions: &'static [CompletionSpec],
}

#[async_trait]
impl Connector for Offering {
    fn name(&self) -> &'static str {
        "lab-target"
    }

    fn instructions(&self) -> &'static str {
        self.instructions
    }

    fn credential(&self) -> CredentialKind {
        CredentialKind::None
    }

    fn tools(&self) -> Vec<Arc<dyn Tool>> {
        let tool =
            |name| typed(ToolSpec::new::<Args, Empty>(name, "A tool", "A tool."), |_, _: Args| async { Ok(Empty {}) });
        vec![tool("read_one"), tool("write_one")]
    }

    fn toolsets(&self) -> &'static [Toolset] {
        self.toolsets
    }

    fn resources(&self) -> &'static [ResourceSpec] {
        self.resources
    }

    fn prompts(&self) -> &'static [PromptSpec] {
        self.prompts
    }

    fn completions(&self) -> &'static [CompletionSpec] {
        self.completions
    }

    async fn look_up(&self, _: &ToolCx, kind: &str, id: &str) -> Result<TargetFacts, Error> {
        Err(target_unknown(kind, id))
    }
}

const SET: Toolset = Toolset { name: "some-tools", title: "Some", tools: &["read_one"] };
const RESOURCE: ResourceSpec = ResourceSpec {
    path: "devices/{device_id}",
    name: "device",
    title: "Device",
    description: "A device.",
    mime_type: "application/json",
    tool: "read_one",
    text: None,
    completions: &[("device_id", "device")],
};
const COMPLETION: CompletionSpec = CompletionSpec {
    name: "device",
    tool: "read_one",
    arguments: |typed| json!({ "device_id": typed }),
    rows: "/items",
    value: "id",
    compared: &["id"],
};
const ARGUMENT: PromptArgument =
    PromptArgument { name: "device_id", description: "A device.", required: true, completion: Some("device") };
const PROMPT: PromptSpec = PromptSpec {
    name: "look_at",
    title: "Look",
    description: "Looks.",
    arguments: &[ARGUMENT],
    text: "Call {tool:read_one} for {device_id}.",
    links: &["devices/{device_id}"],
};
const GOOD: Offering = Offering {
    instructions: "Only for tests.",
    toolsets: &[SET],
    resources: &[RESOURCE],
    prompts: &[PROMPT],
    completions: &[COMPLETION],
};

fn build(name: &str, offering: Offering) -> Result<Catalogue, String> {
    let risks =
        RiskTable::from_rows([("lab-target", "read_one", Risk::Read), ("lab-target", "write_one", Risk::Record)]);
    let instance = Instance { name: name.into(), environment: "test".into(), connector: Arc::new(offering) };
    Catalogue::build(vec![instance], &risks).map_err(|e| e.detail().unwrap_or_default().to_owned())
}

#[track_caller]
fn defect(offering: Offering) -> String {
    build("lab-1", offering).err().expect("it was accepted")
}

#[test]
fn what_fits_together_is_accepted() {
    let catalogue = build("lab-1", GOOD).unwrap();
    let tool = catalogue.by_aggregate_name("lab_1__read_one").unwrap();
    assert_eq!((tool.name(), &tool.toolsets), ("read_one", &vec!["some-tools"]));
    assert!(catalogue.by_aggregate_name("lab_1__write_one").unwrap().toolsets.is_empty());
    assert!(catalogue.by_aggregate_name("read_one").is_none());
}

#[test]
fn names_at_the_aggregate_are_at_most_64_long() {
    let long = "a".repeat(40);
    assert!(build(&long, GOOD).is_ok());
    #[derive(Clone)]
    struct LongName;
    let name: &'static str = "r123456789012345678901234567890123456789";
    #[async_trait]
    impl Connector for LongName {
        fn name(&self) -> &'static str {
            "lab-target"
        }
        fn instructions(&self) -> &'static str {
            ""
        }
        fn credential(&self) -> CredentialKind {
            CredentialKind::None
        }
        fn tools(&self) -> Vec<Arc<dyn Tool>> {
            let spec = ToolSpec::new::<Args, Empty>("r123456789012345678901234567890123456789", "A tool", "A tool.");
            vec![typed(spec, |_, _: Args| async { Ok(Empty {}) })]
        }
        async fn look_up(&self, _: &ToolCx, kind: &str, id: &str) -> Result<TargetFacts, Error> {
            Err(target_unknown(kind, id))
        }
    }
    assert_eq!(name.len(), 40);
    for (server, fits) in [("a".repeat(22), true), ("a".repeat(23), false)] {
        let instance = Instance { name: server, environment: "test".into(), connector: Arc::new(LongName) };
        assert_eq!(Catalogue::build(vec![instance], &RiskTable::default()).is_ok(), fits);
    }
}

#[test]
fn instructions_are_short() {
    let long: &'static str = Box::leak("x".repeat(1_001).into_boxed_str());
    assert!(defect(Offering { instructions: long, ..GOOD }).contains("1001 bytes"));
}

#[test]
fn what_names_something_that_does_not_exist_is_a_defect() {
    let toolsets: [(&'static [Toolset], &str); 5] = [
        (&[Toolset { name: "Some", ..SET }], "names are"),
        (&[Toolset { tools: &[], ..SET }], "empty"),
        (&[Toolset { tools: &["nonesuch"], ..SET }], "`nonesuch` is not a listed tool"),
        (&[Toolset { tools: &["read_one", "read_one"], ..SET }], "two of tool `read_one`"),
        (&[SET, SET], "two of toolset"),
    ];
    for (toolsets, why) in toolsets {
        let said = defect(Offering { toolsets, ..GOOD });
        assert!(said.contains(why), "{said}");
    }
    let resources: [(&'static [ResourceSpec], &str); 6] = [
        (&[ResourceSpec { tool: "nonesuch", ..RESOURCE }], "no tool `nonesuch`"),
        (&[ResourceSpec { tool: "write_one", ..RESOURCE }], "writes by the operator's table"),
        (&[ResourceSpec { path: "devices", completions: &[], ..RESOURCE }], "needs `device_id`"),
        (&[ResourceSpec { path: "devices/{id}", completions: &[], ..RESOURCE }], "no argument `id`"),
        (&[ResourceSpec { path: "Devices/{device_id}", ..RESOURCE }], "a segment is"),
        (&[ResourceSpec { completions: &[("device_id", "nonesuch")], ..RESOURCE }], "`nonesuch`"),
    ];
    for (resources, why) in resources {
        let said = defect(Offering { resources, prompts: &[], ..GOOD });
        assert!(said.contains(why), "{said}");
    }
    let prompts: [(&'static [PromptSpec], &str); 5] = [
        (&[PromptSpec { name: "Look", ..PROMPT }], "names are"),
        (&[PromptSpec { text: "Call {tool:nonesuch}.", ..PROMPT }], "its text names `nonesuch`"),
        (&[PromptSpec { text: "Call {site}.", ..PROMPT }], "its text names `site`"),
        (&[PromptSpec { links: &["sites/{device_id}"], ..PROMPT }], "is no resource"),
        (
            &[PromptSpec { arguments: &[PromptArgument { completion: Some("x"), ..ARGUMENT }], ..PROMPT }],
            "no completion `x`",
        ),
    ];
    for (prompts, why) in prompts {
        let said = defect(Offering { prompts, ..GOOD });
        assert!(said.contains(why), "{said}");
    }
    let completions: &'static [CompletionSpec] =
        &[CompletionSpec { arguments: |_: &str| -> Json { json!({"device_id": "a", "limit": 5}) }, ..COMPLETION }];
    assert!(defect(Offering { completions, ..GOOD }).contains("no argument `limit`"));
}
