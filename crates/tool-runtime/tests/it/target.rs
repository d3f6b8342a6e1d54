//! A connector whose tools do what a test tells them; without more ado they answer with their arguments.

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use platform::policy::TargetFacts;
use platform::{Error, ErrorKind, Json};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;
use tool_runtime::combinators::{Page, PageOf, PageRequest, paged};
use tool_runtime::connector::{CredentialKind, target_unknown};
use tool_runtime::tool::typed;
use tool_runtime::{Connector, SecretArgument, SideEffect, TargetArgument, Tool, ToolCx, ToolOutput, ToolSpec};

use crate::recorders::Recorded;

type Running = Pin<Box<dyn Future<Output = Result<ToolOutput, Error>> + Send>>;
type Script = Arc<dyn Fn(ToolCx, Json) -> Running + Send + Sync>;

/// The connector.
pub(crate) struct Target {
    recorded: Recorded,
    scripts: Arc<Mutex<HashMap<&'static str, Script>>>,
}

impl Target {
    pub(crate) fn new(recorded: &Recorded) -> Self {
        Self { recorded: recorded.clone(), scripts: Arc::default() }
    }

    /// From now on `tool` does this.
    pub(crate) fn script<F, Fut>(&self, tool: &'static str, script: F)
    where
        F: Fn(ToolCx, Json) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<ToolOutput, Error>> + Send + 'static,
    {
        let script: Script = Arc::new(move |cx, arguments| Box::pin(script(cx, arguments)));
        self.scripts.lock().unwrap().insert(tool, script);
    }

    /// From now on `tool` answers so.
    pub(crate) fn answers(&self, tool: &'static str, answer: Json) {
        self.script(tool, move |_, _| {
            let structured = answer.clone();
            async move { Ok(ToolOutput { structured, follow_up: None }) }
        });
    }

    /// From now on `tool` fails so.
    pub(crate) fn fails(&self, tool: &'static str, error: impl Fn() -> Error + Send + Sync + 'static) {
        self.script(tool, move |_, _| {
            let error = error();
            async move { Err(error) }
        });
    }
}

/// Arguments of every tool here: all optional but what is `required`.
fn input(required: &[&str]) -> Json {
    json!({
        "type": "object",
        "properties": {
            "text": {"type": "string", "maxLength": 20},
            "count": {"type": "integer", "minimum": 1, "maximum": 9},
            "device": {"type": "string"},
            "devices": {"type": "array", "items": {"type": "string"}},
            "tree": {},
            "wait_s": {"type": "integer"}
        },
        "required": required
    })
}

const DEVICES: &[TargetArgument] =
    &[TargetArgument { argument: "device", kind: "device" }, TargetArgument { argument: "devices", kind: "device" }];

fn spec(name: &'static str) -> ToolSpec {
    ToolSpec {
        name,
        title: "A tool",
        description: "A tool of the tests.",
        input: input(&[]),
        output: json!({"type": "object", "properties": {"said": {"type": "object"}}, "required": ["said"]}),
        effect: SideEffect::Idempotent,
        targets: &[],
        proven_targets: false,
        cache_for: None,
        timeout: Duration::from_secs(30),
        listed: true,
        confidential: false,
        per_caller: false,
        example: None,
    }
}

fn specs() -> Vec<ToolSpec> {
    let port = ToolSpec { listed: false, ..spec("port") };
    vec![
        spec("read_thing"),
        spec("read_cached").cache_for(Duration::from_secs(600)),
        spec("show_device").targets(DEVICES),
        spec("add_note").effect(SideEffect::Discoverable).timeout(Duration::from_millis(200)),
        spec("tell_once").confidential(),
        spec("put_note").timeout(Duration::from_millis(200)),
        spec("configure_device").targets(DEVICES).effect(SideEffect::Once),
        spec("reload_device").targets(DEVICES).effect(SideEffect::Once),
        spec("approve_change"),
        port,
    ]
}

#[derive(Deserialize, JsonSchema)]
struct ListArgs {
    prefix: Option<String>,
}

#[derive(Clone, Serialize, JsonSchema)]
struct Thing {
    name: String,
    n: u64,
}

/// Tools that take a secret; they answer how long it is.
fn with_secret(name: &'static str) -> Arc<dyn Tool> {
    let spec = ToolSpec::new::<PasswordArgs, Length>(name, "A password", "Takes a password.");
    typed(spec, |cx, args: PasswordArgs| async move {
        let extra = args.data.values().map(|s| s.reveal(&cx).map(|s| s.expose().len())).sum::<Result<usize, _>>()?;
        let password = args.password.reveal(&cx)?.expose();
        match args.device.as_str() {
            "broken" => Err(Error::new(ErrorKind::Upstream, "target_failed", format!("no login with {password}"))
                .with_detail(password)),
            _ => Ok(Length { length: password.len() + extra, said: format!("{} has {password}", args.device) }),
        }
    })
}

#[derive(Deserialize, JsonSchema)]
struct PasswordArgs {
    device: String,
    password: SecretArgument,
    #[serde(default)]
    data: std::collections::BTreeMap<String, SecretArgument>,
}

#[derive(Serialize, JsonSchema)]
struct Length {
    length: usize,
    said: String,
}

/// Seven things, in pages.
fn list_things() -> Arc<dyn Tool> {
    let spec = ToolSpec::new::<ListArgs, Page>("list_things", "List things", "Lists the things of the tests.");
    paged(spec, |_, args: ListArgs, page: PageRequest| async move {
        let prefix = args.prefix.unwrap_or_else(|| "t".into());
        let all = (0..7).map(|n| Thing { name: format!("{prefix}{n}"), n });
        let rows: Vec<_> = all.skip(page.offset as usize).take(page.limit as usize).collect();
        let more = page.offset + (rows.len() as u64) < 7;
        Ok(PageOf { rows, total: Some(7), more })
    })
}

struct Scripted {
    spec: ToolSpec,
    recorded: Recorded,
    scripts: Arc<Mutex<HashMap<&'static str, Script>>>,
}

#[async_trait]
impl Tool for Scripted {
    fn spec(&self) -> &ToolSpec {
        &self.spec
    }

    async fn call(&self, cx: ToolCx, arguments: Json) -> Result<ToolOutput, Error> {
        self.recorded.note("execute");
        let script = self.scripts.lock().unwrap().get(self.spec.name).cloned();
        match script {
            Some(script) => script(cx, arguments).await,
            None => Ok(ToolOutput { structured: json!({"said": arguments}), follow_up: None }),
        }
    }
}

#[async_trait]
impl Connector for Target {
    fn name(&self) -> &'static str {
        "lab-target"
    }

    fn instructions(&self) -> &'static str {
        "Only for tests."
    }

    fn credential(&self) -> CredentialKind {
        CredentialKind::Shared
    }

    fn tools(&self) -> Vec<Arc<dyn Tool>> {
        let scripted = |spec| {
            let (recorded, scripts) = (self.recorded.clone(), Arc::clone(&self.scripts));
            Arc::new(Scripted { spec, recorded, scripts }) as Arc<dyn Tool>
        };
        let secret = ["set_password", "try_password", "reset_password"].map(with_secret);
        specs().into_iter().map(scripted).chain([list_things()]).chain(secret).collect()
    }

    /// Knows every device whose id begins with `dev-`.
    async fn look_up(&self, cx: &ToolCx, kind: &str, id: &str) -> Result<TargetFacts, Error> {
        self.recorded.note(format!("look_up:{id}"));
        cx.lease.field("password")?;
        if !id.starts_with("dev-") {
            return Err(target_unknown(kind, id));
        }
        Ok(TargetFacts {
            kind: kind.to_owned(),
            id: format!("uuid-of-{id}"),
            name: id.to_owned(),
            serials: vec![format!("SN-{id}")],
            site: Some("Global/Lab".into()),
            source: "live".into(),
            ..TargetFacts::default()
        })
    }
}
