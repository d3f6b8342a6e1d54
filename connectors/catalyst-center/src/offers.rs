//! What goes with the tools: toolsets for people who want fewer of them, what can be read as a resource, prompts for the
//! work that people do most, and how their arguments are completed. Data only; `tool_runtime::offers` checks it at start.

use platform::Json;
use serde_json::json;
use tool_runtime::{CompletionSpec, PromptArgument, PromptSpec, ResourceSpec, Toolset};

pub(crate) const TOOLSETS: &[Toolset] = &[
    Toolset {
        name: "inventory",
        title: "Devices, interfaces, sites, configurations",
        tools: &[
            "list_devices",
            "get_device",
            "get_device_config",
            "list_interfaces",
            "list_sites",
            "run_show_commands",
        ],
    },
    Toolset {
        name: "templates",
        title: "Templates, from looking at them to deploying them",
        // With the list of devices: a template is previewed and deployed on one.
        tools: &[
            "get_all_templates",
            "get_template",
            "preview_template",
            "deploy_template",
            "get_deployment",
            "list_devices",
        ],
    },
    Toolset {
        name: "interfaces",
        title: "Interfaces, from looking at them to changing and saving them",
        tools: &[
            "list_devices",
            "list_interfaces",
            "run_show_commands",
            "update_interface",
            "save_config",
            "list_compliance",
            "get_compliance",
            "run_compliance",
            "get_task",
        ],
    },
    Toolset {
        name: "health",
        title: "Issues and health, and where they are",
        tools: &["get_network_health", "list_issues", "list_devices", "get_device", "list_interfaces", "list_sites"],
    },
];

pub(crate) const RESOURCES: &[ResourceSpec] = &[
    ResourceSpec {
        path: "devices/{device_id}/running-config",
        name: "running-config",
        title: "Running configuration",
        description: "Running configuration of one IOS-XE device as Catalyst Center last read it. Secrets are masked.",
        mime_type: "text/plain",
        tool: "get_device_config",
        text: Some("/config"),
        completions: &[("device_id", "device_id")],
    },
    ResourceSpec {
        path: "devices/{device_id}",
        name: "device",
        title: "Device",
        description: "One network device of the inventory.",
        mime_type: "application/json",
        tool: "get_device",
        text: None,
        completions: &[("device_id", "device_id")],
    },
    ResourceSpec {
        path: "templates",
        name: "templates",
        title: "Templates",
        description: "All configuration templates with their projects and latest committed versions.",
        mime_type: "application/json",
        tool: "get_all_templates",
        text: None,
        completions: &[],
    },
    ResourceSpec {
        path: "templates/{template_id}",
        name: "template",
        title: "Template",
        description: "One configuration template: its text and its parameters.",
        mime_type: "application/json",
        tool: "get_template",
        text: None,
        completions: &[("template_id", "template_id")],
    },
    ResourceSpec {
        path: "network-health",
        name: "network-health",
        title: "Network health",
        description: "Health score of the whole network and of each kind of device.",
        mime_type: "application/json",
        tool: "get_network_health",
        text: None,
        completions: &[],
    },
];

pub(crate) const COMPLETIONS: &[CompletionSpec] = &[
    CompletionSpec {
        name: "device",
        tool: "list_devices",
        arguments: devices_like,
        rows: "/items",
        value: "hostname",
        compared: &["hostname"],
    },
    // Ids are for machines: whoever types a host name gets the id that belongs to it.
    CompletionSpec {
        name: "device_id",
        tool: "list_devices",
        arguments: devices_like,
        rows: "/items",
        value: "id",
        compared: &["hostname", "id"],
    },
    CompletionSpec {
        name: "site",
        tool: "list_sites",
        arguments: sites,
        rows: "/items",
        value: "hierarchy",
        compared: &["name", "hierarchy"],
    },
    CompletionSpec {
        name: "template",
        tool: "get_all_templates",
        arguments: nothing,
        rows: "/templates",
        value: "name",
        compared: &["name"],
    },
    CompletionSpec {
        name: "template_id",
        tool: "get_all_templates",
        arguments: nothing,
        rows: "/templates",
        value: "template_id",
        compared: &["name", "template_id"],
    },
];

/// The vendor filters by host name, where `.*` stands for any text; characters that mean more there are left to the
/// comparison afterwards.
fn devices_like(typed: &str) -> Json {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    let fields = json!(["id", "hostname"]);
    if typed.is_empty() || typed.len() > 200 || !typed.chars().all(plain) || uuid::Uuid::try_parse(typed).is_ok() {
        return json!({"limit": 500, "fields": fields});
    }
    json!({"hostname": format!("{typed}.*"), "limit": 500, "fields": fields})
}

fn sites(_: &str) -> Json {
    json!({"limit": 500, "fields": ["name", "hierarchy"]})
}

fn nothing(_: &str) -> Json {
    json!({})
}

const DEVICE: PromptArgument = PromptArgument {
    name: "device",
    description: "Host name of the device.",
    required: true,
    completion: Some("device"),
};

pub(crate) const PROMPTS: &[PromptSpec] = &[
    PromptSpec {
        name: "troubleshoot_site",
        title: "Troubleshoot a site",
        description: "Finds out what is wrong at a site, from issues and devices to interfaces and configuration.",
        arguments: &[
            PromptArgument {
                name: "site",
                description: "Full path of the site, for example `Global/USA/SAN JOSE`.",
                required: true,
                completion: Some("site"),
            },
            PromptArgument {
                name: "symptom",
                description: "What people there complain about, in a few words.",
                required: false,
                completion: None,
            },
        ],
        text: "\
Find out what is wrong at the site \"{site}\", and change nothing.
Reported: {symptom}

1. `{tool:list_sites}` with `hierarchy` = \"{site}\" gives the site's id.
2. `{tool:list_issues}` with that `site_id` and `status` = ACTIVE: begin with P1 and P2, and note the devices they name.
3. `{tool:get_network_health}`: is the site alone, or is the whole network unwell?
4. `{tool:get_device}` for each device that an issue names: can it be reached, is its collection complete, when was it \
updated?
5. `{tool:list_interfaces}` on suspicious devices: interfaces that are administratively up and down in fact, errors of \
speed or duplex, VLANs that differ.
6. `{tool:get_device_config}` only where the interfaces do not explain it. Secrets are masked; do not ask for them.

Answer with: the most likely cause and the evidence for it (device, interface, issue, time), what speaks against it, \
what you could not see, and the next step for a person. Say \"unknown\" rather than guess.",
        links: &[],
    },
    PromptSpec {
        name: "plan_template_change",
        title: "Plan a change by template",
        description: "Prepares the deployment of a template to a device, up to the preview, for a person to decide.",
        arguments: &[
            PromptArgument {
                name: "template",
                description: "Name of the template.",
                required: true,
                completion: Some("template"),
            },
            DEVICE,
            PromptArgument {
                name: "goal",
                description: "What shall be true afterwards.",
                required: false,
                completion: None,
            },
        ],
        text: "\
Prepare the deployment of the template \"{template}\" to the device \"{device}\". Do not deploy it.
Goal: {goal}

1. `{tool:get_all_templates}` gives the template's id; it must have a committed version.
2. `{tool:get_template}`: read its text and which parameters it needs.
3. `{tool:list_devices}` with `hostname` = \"{device}\" gives the device's id, its role, site and reachability. Stop if it \
cannot be reached, or if more than one device has that name.
4. `{tool:get_device_config}`: what is configured there already that the template touches? Secrets are masked.
5. Settle every parameter. Ask the person for what you cannot know; never invent a value.
6. `{tool:preview_template}` with these parameters: read the lines and the errors.

Answer with: the exact lines, what they change compared with the running configuration, what could break (management \
access, uplinks, AAA, the default route), how to undo it, and the one call that would deploy it. The deployment itself \
needs a person's second factor.",
        links: &[],
    },
    PromptSpec {
        name: "review_device_config",
        title: "Review a device's configuration",
        description: "Reviews the running configuration of one device against good practice, without changing anything.",
        arguments: &[PromptArgument {
            name: "device_id",
            description: "Catalyst Center's id of the device; type its host name to find it.",
            required: true,
            completion: Some("device_id"),
        }],
        text: "\
Review the running configuration of the device with the id \"{device_id}\", and change nothing.

Read it with `{tool:get_device_config}` (or the linked resource), and the device itself with `{tool:get_device}`. Secrets \
are masked; a masked value is not a finding.

Look at: management access (VTY, HTTP, SNMP, AAA, logging, NTP), layer 2 (spanning tree, trunks, unused ports, VLAN 1), \
layer 3 (routing protocols and their authentication, default route, ACLs), and what differs between interfaces of the \
same kind.

Answer with a table: severity, the lines, why it matters, what to do. Then say what you could not judge.",
        links: &["devices/{device_id}/running-config", "devices/{device_id}"],
    },
    PromptSpec {
        name: "summarise_health",
        title: "Summarise the network's health",
        description: "A short report of the network's health and its most important issues, for a handover.",
        arguments: &[],
        text: "\
Write a handover of at most 15 lines about the network's health.

1. `{tool:get_network_health}`: the score, and which kinds of devices are unwell.
2. `{tool:list_issues}` with `priority` = P1, then P2, `status` = ACTIVE: group them by name and site.
3. `{tool:list_devices}` with `reachability` = Unreachable: how many, where, of which role?

Lead with what needs a person today. Give counts with their source, and say when the data was measured.",
        links: &["network-health"],
    },
];
