//! A simulator on a loopback socket and a connector over it.
#![cfg(test)]

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use catalyst_center_simulator::{Pace, Running, Simulator, SimulatorOptions};
use interlock_catalyst_center::CatalystCenter;
use platform::clock::AdjustableClock;
use platform::context::{LOCAL_SOURCE, Protocol, RequestId, TraceContext};
use platform::http::{BreakerOptions, TargetClient, TargetOptions};
use platform::principal::{PrincipalKind, TokenFacts, TokenProof};
use platform::resource::Resource;
use platform::{CallContext, Error, Json, Principal, Secret, SharedClock};
use platform_suites::{MemoryArtifacts, sealed_artifacts};
use tool_runtime::connector::CredentialKind;
use tool_runtime::{CallArtifacts, Connector, Lease, Tool, ToolCx, ToolOutput};
use world::faults::Match;
use world::{CommandLog, Device, Fault, Faults, Reachability, Region, World, WorldOptions};

pub(crate) const NAME: &str = "catalyst-center";
pub(crate) const PASSWORD: &str = "correct-horse-battery";
const LOGIN: &str = "/auth/token";

pub(crate) struct Lab {
    pub(crate) world: Arc<World>,
    pub(crate) faults: Arc<Faults>,
    pub(crate) clock: Arc<AdjustableClock>,
    pub(crate) connector: Arc<dyn Connector>,
    pub(crate) running: Running,
}

/// As fast as background work can be and still be background work.
pub(crate) const QUICK: Pace = Pace { start_ms: 10, least_ms: 10, most_ms: 40 };

impl Lab {
    pub(crate) async fn start() -> Self {
        Self::with(QUICK, |_| {}).await
    }

    pub(crate) async fn with(pace: Pace, change: impl FnOnce(&mut TargetOptions)) -> Self {
        let clock = Arc::new(AdjustableClock::default());
        let shared: SharedClock = clock.clone();
        let world = World::open(WorldOptions {
            seed: 1,
            devices: 300,
            region: Region::AmerApj,
            state_dir: None,
            clock: Arc::clone(&shared),
        });
        let world = Arc::new(world.unwrap());
        let faults = Arc::new(Faults::default());
        let options = SimulatorOptions {
            faults: Arc::clone(&faults),
            commands: Arc::new(CommandLog::default()),
            pace,
            ..SimulatorOptions::new(NAME, Arc::clone(&world), "svc-interlock", PASSWORD.into(), Arc::clone(&shared))
        };
        let running = Simulator::start(options).await.unwrap();
        let mut options = TargetOptions::new(NAME, running.url.parse().unwrap());
        options.retry.base_delay = Duration::from_millis(1);
        options.breaker = BreakerOptions { failures: 0, ..options.breaker };
        change(&mut options);
        let connector = Arc::new(CatalystCenter::new(TargetClient::new(options).unwrap(), shared));
        let lab = Self { world, faults, clock, connector, running };
        // A fault that does nothing counts the logins at the simulator.
        lab.fault(LOGIN, Fault::Latency { ms: 0, done: false }, 10_000);
        lab
    }

    pub(crate) fn fault(&self, path: &str, fault: Fault, times: u32) {
        let matching = Match { path: Some(path.to_owned()), ..Match::default() };
        self.faults.inject(NAME, matching, Some(fault), times);
    }

    /// How often faults on this path were used.
    pub(crate) fn used(&self, path: &str) -> u32 {
        let on_path = |m: &Match| m.path.as_deref() == Some(path);
        self.faults.list().iter().filter(|f| on_path(&f.matching)).map(|f| f.used).sum()
    }

    pub(crate) fn logins(&self) -> u32 {
        self.used(LOGIN)
    }

    pub(crate) fn tool(&self, name: &str) -> Arc<dyn Tool> {
        self.connector.tools().into_iter().find(|t| t.spec().name == name).unwrap()
    }

    pub(crate) fn cx(&self) -> ToolCx {
        self.cx_with(1, PASSWORD)
    }

    pub(crate) fn cx_with(&self, version: u64, password: &str) -> ToolCx {
        let fields: BTreeMap<String, Secret> =
            [("username".to_owned(), "svc-interlock".into()), ("password".to_owned(), password.into())].into();
        ToolCx {
            call: Arc::new(call_context()),
            lease: Arc::new(Lease::new(CredentialKind::Shared, version, fields)),
            targets: Arc::from([]),
            deadline: Instant::now() + Duration::from_secs(30),
            clock: self.clock.clone(),
            secrets: Arc::default(),
            artifacts: CallArtifacts::apart(
                sealed_artifacts(Arc::new(MemoryArtifacts::default()), self.clock.clone()),
                NAME,
                "tool",
            ),
            journal: None,
        }
    }

    /// Calls a tool, and holds arguments and result against its schemas.
    pub(crate) async fn call(&self, tool: &str, arguments: Json) -> Result<ToolOutput, Error> {
        self.call_in(self.cx(), tool, arguments).await
    }

    pub(crate) async fn call_in(&self, cx: ToolCx, tool: &str, arguments: Json) -> Result<ToolOutput, Error> {
        let tool = self.tool(tool);
        let spec = tool.spec();
        let valid = |schema: &Json, value: &Json| {
            let mistakes: Vec<_> = jsonschema::validator_for(schema)
                .unwrap()
                .iter_errors(value)
                .map(|e| format!("{}: {e}", e.instance_path()))
                .collect();
            assert!(mistakes.is_empty(), "{}: {mistakes:?}", spec.name);
        };
        valid(&spec.input, &arguments);
        let output = tool.call(cx, arguments).await?;
        valid(&spec.output, &output.structured);
        Ok(output)
    }

    pub(crate) async fn read(&self, tool: &str, arguments: Json) -> Json {
        self.call(tool, arguments).await.unwrap().structured
    }

    /// All pages of a list, joined.
    pub(crate) async fn all(&self, tool: &str, arguments: Json, limit: u32) -> Vec<Json> {
        let mut rows = Vec::new();
        let mut cursor = None;
        loop {
            let mut asked = arguments.clone();
            asked["limit"] = limit.into();
            if let Some(cursor) = cursor {
                asked["cursor"] = cursor;
            }
            let page = self.read(tool, asked).await;
            let items = page["items"].as_array().unwrap();
            assert!(items.len() <= limit as usize);
            rows.extend(items.iter().cloned());
            match &page["next_cursor"] {
                Json::Null => return rows,
                next => cursor = Some(next.clone()),
            }
        }
    }

    /// A managed device in this state, with a configuration.
    pub(crate) fn device(&self, reachability: Reachability) -> &Device {
        let fits = |d: &&Device| d.has_configuration() && self.world.reachability(d) == reachability;
        self.world.devices().iter().find(fits).unwrap()
    }

    pub(crate) async fn template(&self, name: &str) -> String {
        let all = self.read("get_all_templates", serde_json::json!({})).await;
        let found = all["templates"].as_array().unwrap().iter().find(|t| t["name"] == name).unwrap();
        found["template_id"].as_str().unwrap().to_owned()
    }
}

pub(crate) fn principal() -> Principal {
    Principal {
        issuer: "https://issuer.example".into(),
        subject: "u-1".into(),
        person: "u-1".into(),
        name: "Ada".into(),
        kind: PrincipalKind::Person,
        groups: vec!["netops".into()],
        client_id: "lab".into(),
        scopes: Vec::new(),
        acr: None,
        amr: Vec::new(),
        auth_time: None,
        mfa: true,
        actors: Vec::new(),
        token: TokenFacts {
            id: None,
            session: None,
            key: None,
            proof: TokenProof::Signature,
            issued_at: 0,
            expires_at: i64::MAX,
        },
    }
}

pub(crate) fn call_context() -> CallContext {
    CallContext {
        request_id: RequestId::mint(),
        client_request_id: None,
        trace: TraceContext::root(),
        principal: Arc::new(principal()),
        resource: Resource::Mcp,
        protocol: Protocol::Mcp,
        source: LOCAL_SOURCE,
        references: platform::context::CallReferences::default(),
        run: None,
        deadline: Instant::now() + Duration::from_secs(60),
    }
}
