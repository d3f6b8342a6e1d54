//! Who may depend on whom, which libraries stay behind one crate, and which cargo features exist.
//!
//! The table is ARCHITECTURE.md's, as data: a crate without a row fails, so a new one is placed before it is built.

use cargo_metadata::{DependencyKind, Metadata};

use super::Finding;

/// A row of the table: crates by folder (`backends/*` means every one of them) and what they may name.
struct Row {
    who: &'static [&'static str],
    may: &'static [&'static str],
    why: &'static str,
}

const ROWS: &[Row] = &[
    Row {
        who: &["crates/api", "crates/device-config", "crates/workflow-api", "crates/platform"],
        may: &[],
        why: "the ground floor stands on nothing of ours, so that everybody may stand on it",
    },
    Row {
        who: &["crates/platform-suites", "crates/issuer", "crates/facade", "crates/mcp"],
        may: &["crates/platform"],
        why: "they know the platform's traits and no other room",
    },
    Row {
        who: &["crates/workflow-suites"],
        may: &["crates/workflow-api"],
        why: "what every workflow engine must keep, told by its trait alone",
    },
    Row {
        who: &["crates/tool-runtime"],
        may: &["crates/platform", "crates/device-config"],
        why: "the pipeline knows tools and classes of command lines, never a vendor, a protocol or an engine",
    },
    Row {
        who: &["crates/connector-suites"],
        may: &["crates/tool-runtime", "crates/platform", "crates/platform-suites", "lab/world"],
        why: "what all connectors are tested with; it knows the faults of the simulated world, and no connector",
    },
    Row {
        who: &["crates/change-control"],
        may: &["crates/tool-runtime", "crates/device-config", "crates/platform"],
        why: "a change acts through the pipeline's ports; it knows no vendor and no engine",
    },
    Row {
        who: &["crates/workflows"],
        may: &["crates/workflow-api", "crates/change-control", "crates/platform"],
        why: "bodies of workflows name no clock, no randomness and no I/O, so that they replay; the platform's error is for the engine's side",
    },
    Row {
        who: &["crates/insights"],
        may: &["crates/change-control", "crates/tool-runtime", "crates/platform"],
        why: "it reads what happened and acts on nothing",
    },
    Row {
        who: &["crates/agents", "crates/own-tools"],
        may: &[
            "crates/workflows",
            "crates/insights",
            "crates/change-control",
            "crates/tool-runtime",
            "crates/platform",
        ],
        why: "agents and our own tools act through tools and changes, as every caller does",
    },
    Row {
        who: &["backends/workflow-*"],
        may: &["crates/platform", "backends/sqlite-file", "backends/postgres-database", "crates/workflow-api"],
        why: "a workflow engine runs bodies it does not know",
    },
    Row {
        who: &["backends/*"],
        may: &["crates/platform", "backends/sqlite-file", "backends/postgres-database"],
        why: "a backend implements one trait of the platform over one engine",
    },
    Row {
        who: &["connectors/mcp-upstream"],
        may: &["crates/tool-runtime", "crates/device-config", "crates/platform", "crates/mcp"],
        why: "the one connector whose system speaks MCP",
    },
    Row {
        who: &["connectors/*"],
        may: &["crates/tool-runtime", "crates/device-config", "crates/platform"],
        why: "a connector knows its system and the runtime, never another connector",
    },
    Row {
        who: &["crates/gateway"],
        may: &[
            "crates/api",
            "crates/mcp",
            "crates/agents",
            "crates/workflows",
            "crates/insights",
            "crates/change-control",
            "crates/tool-runtime",
            "crates/platform",
        ],
        why: "the edge never names a connector, a backend or the issuer; those reach it through traits and HTTP",
    },
    Row {
        who: &["lab/systems"],
        may: &["lab/*", "crates/platform"],
        why: "the world process stands above the simulators, which do not know each other",
    },
    Row {
        who: &["lab/*"],
        may: &["lab/world", "crates/platform", "crates/mcp"],
        why: "a simulator must not agree with us by construction: no connector, no device-config",
    },
    Row {
        who: &["crates/server"],
        may: &["crates/*", "backends/*", "connectors/*", "lab/*"],
        why: "the composition root, the only crate that names concrete connectors, backends and simulators",
    },
    Row {
        who: &["crates/cli"],
        may: &["crates/server", "crates/api", "crates/mcp", "crates/platform"],
        why: "the command line reaches a running server over HTTP and everything else through `server`",
    },
    Row {
        who: &["e2e"],
        may: &["crates/server", "crates/api", "crates/platform", "lab/*"],
        why: "end-to-end tests stand outside, as a caller does",
    },
    Row {
        who: &["fuzz"],
        may: &[
            "crates/device-config",
            "crates/gateway",
            "crates/issuer",
            "crates/mcp",
            "crates/platform",
            "backends/tokens-oidc",
        ],
        why: "fuzz targets call the parsers at the doors, those of what devices say, and nothing behind them",
    },
    Row { who: &["engines"], may: &[], why: "real servers for tests know nothing of the product" },
    Row {
        who: &["bench"],
        may: &[
            "crates/api",
            "crates/platform",
            "crates/platform-suites",
            "crates/tool-runtime",
            "crates/change-control",
            "backends/audit-log",
            "backends/audit-postgres",
            "backends/postgres-database",
            "backends/store-sqlite",
            "backends/workflow-sqlite",
            "crates/workflow-api",
            "engines",
        ],
        why: "the benchmark stands outside the product; the audit log, the engine of workflows and changes over their store are measured by themselves",
    },
    Row { who: &["xtask"], may: &["crates/api", "engines"], why: "tools of the workspace stand outside the product" },
];

/// What dev-dependencies may name beyond the table.
const IN_TESTS: &[Row] = &[
    Row {
        who: &["crates/*", "backends/*", "connectors/*", "lab/*", "e2e"],
        may: &["crates/platform-suites", "engines"],
        why: "contract suites, fakes and real servers are for everybody's tests",
    },
    Row {
        who: &["connectors/*"],
        may: &["crates/connector-suites", "lab/world", "lab/<self>-simulator"],
        why: "a connector is tested against its own simulator, over a real socket, in the rig of all connectors",
    },
    Row {
        who: &["crates/change-control"],
        may: &["crates/connector-suites"],
        why: "a change is tested on the road that connectors are tested on, over a network of texts",
    },
    Row {
        who: &["crates/workflows"],
        may: &["backends/workflow-sqlite", "crates/tool-runtime", "crates/device-config", "crates/platform"],
        why: "bodies are tested as whole runs, on the engine that ships and the road that their activities take",
    },
    Row {
        who: &["backends/workflow-*"],
        may: &["crates/workflow-suites"],
        why: "every workflow engine keeps the same suite",
    },
    Row {
        who: &["backends/tokens-oidc"],
        may: &["crates/issuer"],
        why: "the verifier is tested against the issuer people will really use, over HTTP",
    },
];

/// Crates that no shipped crate may name outside tests.
const ONLY_IN_TESTS: &[&str] = &[
    "crates/platform-suites",
    "crates/connector-suites",
    "crates/workflow-suites",
    "crates/cli",
    "engines",
    "e2e",
    "bench",
    "fuzz",
    "xtask",
];

/// Libraries that stay behind a border: only these crates name them outside tests.
struct Fence {
    library: &'static str,
    inside: &'static [&'static str],
    why: &'static str,
}

const FENCES: &[Fence] = &[
    Fence {
        library: "rmcp",
        inside: &["crates/mcp", "bench"],
        why: "the protocol library changes often; everybody else sees `mcp`'s own types",
    },
    Fence {
        library: "reqwest",
        inside: &["crates/platform", "crates/server", "crates/cli", "lab/story", "bench"],
        why: "outbound requests go through the two clients of platform::http (T13)",
    },
    Fence {
        library: "regorus",
        inside: &["backends/policy-rego"],
        why: "the policy engine is behind the platform's policy trait",
    },
    Fence {
        library: "tokio-postgres",
        inside: &["backends/*"],
        why: "a database is an engine, and engines are backends",
    },
    Fence { library: "rusqlite", inside: &["backends/*"], why: "a database is an engine, and engines are backends" },
    Fence {
        library: "jsonwebtoken",
        inside: &["backends/tokens-oidc", "crates/issuer", "lab/*"],
        why: "one place issues tokens and one verifies them",
    },
    Fence {
        library: "tracing-subscriber",
        inside: &["crates/platform"],
        why: "what may stand in a log line is decided in one place",
    },
    Fence { library: "prometheus-client", inside: &["crates/platform"], why: "labels are bounded in one place" },
    Fence {
        library: "maud",
        inside: &["crates/gateway", "crates/issuer", "crates/facade"],
        why: "pages are the edge's, the issuer's and the façade's",
    },
];

/// Every feature a crate of ours may have. A switch that nobody builds is a switch that nobody tests.
const FEATURES: &[&str] = &["default", "temporal", "lab", "console"];

/// One package of the workspace.
pub(super) struct Package {
    /// Its folder, relative to the root: `crates/platform`.
    pub(super) folder: String,
    pub(super) features: Vec<String>,
    pub(super) dependencies: Vec<Dependency>,
}

/// One dependency as the manifest has it.
pub(super) struct Dependency {
    /// Folder of a crate of ours, else the library's name.
    pub(super) on: String,
    pub(super) ours: bool,
    pub(super) in_tests: bool,
}

/// The packages of the workspace from what cargo says.
pub(super) fn packages(metadata: &Metadata) -> Vec<Package> {
    let relative = |path: &cargo_metadata::camino::Utf8Path| {
        path.strip_prefix(&metadata.workspace_root).unwrap_or(path).to_string()
    };
    metadata
        .packages
        .iter()
        .map(|p| Package {
            folder: p.manifest_path.parent().map(relative).unwrap_or_default(),
            features: p.features.keys().cloned().collect(),
            dependencies: p
                .dependencies
                .iter()
                .map(|d| Dependency {
                    on: d.path.as_deref().map_or_else(|| d.name.clone(), relative),
                    ours: d.path.is_some(),
                    in_tests: d.kind == DependencyKind::Development,
                })
                .collect(),
        })
        .collect()
}

/// Checks every package against the table.
pub(super) fn check(packages: &[Package]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for package in packages {
        let who = package.folder.as_str();
        let Some(row) = ROWS.iter().find(|r| r.who.iter().any(|w| matches(w, who))) else {
            findings.push(Finding::fail(
                who,
                "stands in no row of the table of arrows (xtask/src/tidy/arrows.rs, ARCHITECTURE.md)",
            ));
            continue;
        };
        for feature in package.features.iter().filter(|f| !FEATURES.contains(&f.as_str())) {
            findings
                .push(Finding::fail(who, format!("has a feature `{feature}`; features are temporal, lab, console")));
        }
        for dependency in &package.dependencies {
            findings.extend(if dependency.ours { arrow(who, row, dependency) } else { fence(who, dependency) });
        }
    }
    findings
}

fn arrow(who: &str, row: &Row, dependency: &Dependency) -> Option<Finding> {
    let on = dependency.on.as_str();
    let in_product = !ONLY_IN_TESTS.contains(&who);
    if in_product && !dependency.in_tests && ONLY_IN_TESTS.contains(&on) {
        return Some(Finding::fail(who, format!("depends on {on}, which is for tests and tasks only")));
    }
    let own_simulator = who.strip_prefix("connectors/").map(|name| format!("lab/{name}-simulator"));
    let in_tests = || {
        let rows = IN_TESTS.iter().filter(|r| r.who.iter().any(|w| matches(w, who)));
        rows.flat_map(|r| r.may)
            .any(|may| matches(may, on) || (*may == "lab/<self>-simulator" && own_simulator.as_deref() == Some(on)))
    };
    if row.may.iter().any(|may| matches(may, on)) || (dependency.in_tests && in_tests()) {
        return None;
    }
    let kind = if dependency.in_tests { "dev-depends" } else { "depends" };
    let extra = IN_TESTS.iter().filter(|r| dependency.in_tests && r.who.iter().any(|w| matches(w, who)));
    let extra: String = extra.map(|r| format!("; in tests: {}", r.why)).collect();
    Some(Finding::fail(who, format!("{kind} on {on}, and no arrow allows that: {}{extra}", row.why)))
}

fn fence(who: &str, dependency: &Dependency) -> Option<Finding> {
    let fence = FENCES.iter().find(|f| f.library == dependency.on)?;
    if dependency.in_tests || fence.inside.iter().any(|w| matches(w, who)) {
        return None;
    }
    Some(Finding::fail(who, format!("names the library {}: {}", fence.library, fence.why)))
}

/// `backends/*` and `backends/workflow-*` match by what stands before the star.
fn matches(pattern: &str, folder: &str) -> bool {
    pattern.strip_suffix('*').map_or(pattern == folder, |start| folder.starts_with(start))
}

#[cfg(test)]
mod tests {
    use super::{Dependency, Package, check};

    fn judge(folder: &str, on: &str, in_tests: bool) -> Vec<String> {
        let ours = on.contains('/');
        let dependencies = vec![Dependency { on: on.to_owned(), ours, in_tests }];
        let package = Package { folder: folder.to_owned(), features: Vec::new(), dependencies };
        check(&[package]).into_iter().map(|f| f.message).collect()
    }

    #[test]
    fn arrows_of_the_table_pass() {
        for (who, on, in_tests) in [
            ("crates/tool-runtime", "crates/platform", false),
            ("backends/store-sqlite", "backends/sqlite-file", false),
            ("backends/workflow-sqlite", "crates/workflow-api", false),
            ("connectors/mcp-upstream", "crates/mcp", false),
            ("crates/server", "connectors/github", false),
            ("crates/server", "lab/world", false),
            ("lab/systems", "lab/servicenow-simulator", false),
            ("connectors/github", "lab/github-simulator", true),
            ("crates/gateway", "crates/platform-suites", true),
            ("backends/tokens-oidc", "crates/issuer", true),
            ("crates/mcp", "rmcp", false),
            ("crates/issuer", "reqwest", true),
        ] {
            assert_eq!(judge(who, on, in_tests), Vec::<String>::new(), "{who} -> {on}");
        }
    }

    #[test]
    fn arrows_outside_the_table_are_flagged() {
        for (who, on, in_tests) in [
            ("crates/platform", "crates/api", false),
            ("crates/gateway", "connectors/catalyst-center", false),
            ("crates/gateway", "backends/store-sqlite", false),
            ("crates/gateway", "crates/issuer", true),
            ("crates/tool-runtime", "crates/mcp", false),
            ("connectors/github", "connectors/servicenow", false),
            ("connectors/github", "lab/servicenow-simulator", true),
            ("connectors/github", "lab/github-simulator", false),
            ("backends/store-sqlite", "backends/audit-log", false),
            ("backends/store-sqlite", "crates/workflow-api", false),
            ("lab/catalyst-center-simulator", "crates/device-config", true),
            ("lab/servicenow-simulator", "lab/catalyst-center-simulator", false),
            ("crates/server", "crates/platform-suites", false),
            ("crates/server", "crates/cli", false),
            ("xtask", "crates/server", false),
        ] {
            assert_eq!(judge(who, on, in_tests).len(), 1, "{who} -> {on}");
        }
    }

    #[test]
    fn a_crate_without_a_row_is_flagged() {
        assert_eq!(judge("crates/surprise", "crates/platform", false).len(), 1);
        assert_eq!(judge("tools/x", "serde", false).len(), 1);
    }

    #[test]
    fn a_library_outside_its_fence_is_flagged_except_in_tests() {
        assert_eq!(judge("crates/gateway", "rmcp", false).len(), 1);
        assert_eq!(judge("connectors/github", "reqwest", false).len(), 1);
        assert_eq!(judge("crates/server", "rusqlite", false).len(), 1);
        assert!(judge("crates/gateway", "reqwest", true).is_empty());
    }

    #[test]
    fn a_fourth_feature_is_flagged() {
        let features = ["default", "lab", "fast"].map(str::to_owned).to_vec();
        let package = Package { folder: "crates/server".to_owned(), features, dependencies: Vec::new() };
        let found = check(&[package]);
        assert_eq!(found.len(), 1);
        assert!(found[0].message.contains("`fast`"));
    }

    #[test]
    fn the_workspace_as_it_stands_has_its_rows() {
        let metadata = crate::workspace::metadata().unwrap();
        let missing: Vec<_> =
            check(&super::packages(&metadata)).into_iter().filter(|f| f.message.contains("no row")).collect();
        assert_eq!(missing, Vec::new());
    }
}
