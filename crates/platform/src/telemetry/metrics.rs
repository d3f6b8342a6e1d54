//! The platform's numbers: counters and histograms with bounded labels, rendered as OpenMetrics text for `/metrics`.
//!
//! A tool's name becomes a label only when the catalogue knows it; a caller's invention counts as `unknown`. Handles
//! are found without a lock and updated in place, because a call touches about twenty of them.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use arc_swap::ArcSwap;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::Registry;

use super::audit_log::{AuditCollector, AuditSource};
use super::label::{Handles, Labels};
use super::process::ProcessCollector;
use crate::audit::Outcome;
use crate::http::{Outbound, OutboundObserver, Queued};
use crate::policy::Effect;

/// The content type of [`Metrics::render`] (OpenMetrics 1.0, <https://prometheus.io/docs/specs/om/open_metrics_spec/>).
pub const OPENMETRICS_CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// What stands for a server or a tool that the catalogue does not know.
pub const UNKNOWN: &str = "unknown";

/// Bounds of a whole call in seconds: from a cached read to a slow controller.
const CALL_BOUNDS: [f64; 14] =
    [0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0, 30.0];
/// Bounds of one stage in seconds: a stage takes microseconds unless it waits.
const STAGE_BOUNDS: [f64; 10] = [0.000_001, 0.000_005, 0.000_01, 0.000_05, 0.000_1, 0.000_5, 0.001, 0.01, 0.1, 1.0];
/// Bounds of one durable append in seconds: a shared flush takes a fraction of a millisecond to tens of them.
const APPEND_BOUNDS: [f64; 9] = [0.000_05, 0.000_1, 0.000_25, 0.000_5, 0.001, 0.005, 0.01, 0.05, 0.25];

type Timed = Family<Labels, Histogram, fn() -> Histogram>;
type Measured = Family<Labels, Gauge, fn() -> Gauge>;
type Counted = Family<Labels, Counter, fn() -> Counter>;
type Catalogue = HashMap<String, Server>;

#[derive(Clone)]
struct Server {
    tools: HashMap<String, Arc<ToolHandles>>,
    unknown: Arc<ToolHandles>,
}

/// The series of one tool, created when it is first called.
struct ToolHandles {
    server: String,
    tool: String,
    duration: OnceLock<Histogram>,
    calls: OnceLock<Handles<Counter, 2>>,
}

impl ToolHandles {
    fn new(server: &str, tool: &str) -> Arc<Self> {
        let (server, tool) = (server.to_owned(), tool.to_owned());
        Arc::new(Self { server, tool, duration: OnceLock::new(), calls: OnceLock::new() })
    }

    fn labels(&self) -> Labels {
        vec![("server", self.server.clone()), ("tool", self.tool.clone())]
    }
}

/// All numbers of one process.
pub struct Metrics {
    registry: Registry,
    catalogue: ArcSwap<Catalogue>,
    stranger: Arc<ToolHandles>,
    tool_calls: Counted,
    tool_duration: Timed,
    stages: Handles<Histogram, 1>,
    authn: Handles<Counter, 2>,
    authz: Handles<Counter, 1>,
    secrets: Handles<Counter, 1>,
    targets: Handles<Counter, 2>,
    target_queue: Handles<Histogram, 2>,
    target_busy: Handles<Counter, 2>,
    reads_shared: Handles<Counter, 1>,
    audit_append: Histogram,
    rate_limited: Counter,
    shed: Counter,
    edge_refused: Handles<Counter, 1>,
    connections: Gauge,
    tls_reloads: Handles<Counter, 1>,
    tls_not_after: Gauge,
    targets_refreshed: Measured,
    targets_refreshes: Handles<Counter, 2>,
    targets_known: Measured,
    audit: AuditCollector,
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Metrics").finish_non_exhaustive()
    }
}

impl Metrics {
    /// All series at zero, and an empty catalogue.
    pub fn new() -> Arc<Self> {
        let mut registry = Registry::default();
        let tool_calls = counted(&mut registry, "interlock_tool_calls", "Tool calls by outcome and refusal code");
        let tool_duration = Timed::new_with_constructor(|| Histogram::new(CALL_BOUNDS));
        registry.register(
            "interlock_tool_duration_seconds",
            "From the reading of a call to its reply",
            tool_duration.clone(),
        );
        let stage_duration = Timed::new_with_constructor(|| Histogram::new(STAGE_BOUNDS));
        registry.register(
            "interlock_stage_duration_seconds",
            "Time in one stage of the pipeline",
            stage_duration.clone(),
        );
        let authn = counted(&mut registry, "interlock_authn", "Tokens and sign-ins checked, by result and reason");
        let authz = counted(&mut registry, "interlock_authz", "Decisions of the policy, by effect");
        let secrets = counted(&mut registry, "interlock_secret_reads", "Credentials leased, by result");
        let targets = counted(&mut registry, "interlock_target_requests", "Requests to targets, by HTTP status");
        let target_queue = Timed::new_with_constructor(|| Histogram::new(CALL_BOUNDS));
        registry.register(
            "interlock_target_queue_seconds",
            "Time of a request in the line of its target's budget",
            target_queue.clone(),
        );
        let target_busy =
            counted(&mut registry, "interlock_target_busy", "Requests that could not be sent before their deadline");
        let reads_shared =
            counted(&mut registry, "interlock_reads_shared", "Reads answered by an equal one that was under way");
        let audit_append = Histogram::new(APPEND_BOUNDS);
        registry.register(
            "interlock_audit_append_seconds",
            "From handing over an audit record until it is durable",
            audit_append.clone(),
        );
        let rate_limited = Counter::default();
        registry.register("interlock_rate_limited", "Calls refused by a rate limit", rate_limited.clone());
        let shed = Counter::default();
        registry.register("interlock_load_shed", "Requests refused because the process was full", shed.clone());
        let edge_refused =
            counted(&mut registry, "interlock_edge_refused", "Connections and requests refused by a limit, by code");
        let connections = Gauge::default();
        registry.register("interlock_connections", "Open connections", connections.clone());
        let tls_reloads = counted(&mut registry, "interlock_tls_reloads", "Certificates read again, by result");
        let tls_not_after = Gauge::default();
        registry.register(
            "interlock_tls_not_after_timestamp_seconds",
            "When the listener's certificate ends; 0 without TLS of our own",
            tls_not_after.clone(),
        );
        let targets_refreshed = Measured::new_with_constructor(Gauge::default);
        registry.register(
            "interlock_targets_refreshed_timestamp_seconds",
            "When a source of the target directory was last read",
            targets_refreshed.clone(),
        );
        let targets_refreshes =
            counted(&mut registry, "interlock_targets_refreshes", "Readings of a source of the target directory");
        let targets_known = Measured::new_with_constructor(Gauge::default);
        registry.register(
            "interlock_targets_devices",
            "Devices of the target directory: all, and those whose records contradict each other",
            targets_known.clone(),
        );
        registry.register(
            "interlock_build",
            "What is running",
            Info::new(vec![("version", env!("CARGO_PKG_VERSION"))]),
        );
        registry.register_collector(Box::new(ProcessCollector));
        let audit = AuditCollector::default();
        registry.register_collector(Box::new(audit.clone()));
        Arc::new(Self {
            registry,
            catalogue: ArcSwap::default(),
            stranger: ToolHandles::new(UNKNOWN, UNKNOWN),
            tool_calls,
            tool_duration,
            stages: Handles::new(stage_duration, Vec::new(), ["stage"], 64),
            authn: Handles::new(authn, Vec::new(), ["result", "reason"], 64),
            authz: Handles::new(authz, Vec::new(), ["effect"], 8),
            secrets: Handles::new(secrets, Vec::new(), ["result"], 16),
            targets: Handles::new(targets, Vec::new(), ["target", "status"], 512),
            target_queue: Handles::new(target_queue, Vec::new(), ["target", "class"], 256),
            target_busy: Handles::new(target_busy, Vec::new(), ["target", "class"], 256),
            reads_shared: Handles::new(reads_shared, Vec::new(), ["server"], 64),
            audit_append,
            rate_limited,
            shed,
            edge_refused: Handles::new(edge_refused, Vec::new(), ["code"], 32),
            connections,
            tls_reloads: Handles::new(tls_reloads, Vec::new(), ["result"], 4),
            tls_not_after,
            targets_refreshed,
            targets_refreshes: Handles::new(targets_refreshes, Vec::new(), ["source", "result"], 256),
            targets_known,
            audit,
        })
    }

    /// Declares a server instance and its tools; only declared names become labels. Declaring it again replaces its
    /// list, and numbers of tools that stay are kept.
    pub fn declare<'a>(&self, server: &str, tools: impl IntoIterator<Item = &'a str>) {
        let tools: Vec<&str> = tools.into_iter().collect();
        self.catalogue.rcu(|now| {
            let mut next = Catalogue::clone(now);
            let before = next.remove(server);
            let handles = |tool: &str| {
                let kept = before.as_ref().and_then(|s| s.tools.get(tool)).cloned();
                (tool.to_owned(), kept.unwrap_or_else(|| ToolHandles::new(server, tool)))
            };
            let unknown = before.as_ref().map(|s| Arc::clone(&s.unknown));
            let entry = Server {
                tools: tools.iter().copied().map(handles).collect(),
                unknown: unknown.unwrap_or_else(|| ToolHandles::new(server, UNKNOWN)),
            };
            next.insert(server.to_owned(), entry);
            next
        });
    }

    /// One call: how it ended, the refusal's code (empty on success) and how long it took.
    pub fn tool_call(&self, server: &str, tool: &str, outcome: Outcome, code: &str, took: Duration) {
        let catalogue = self.catalogue.load();
        let handles = match catalogue.get(server) {
            Some(known) => known.tools.get(tool).unwrap_or(&known.unknown),
            None => &self.stranger,
        };
        handles
            .duration
            .get_or_init(|| self.tool_duration.get_or_create_owned(&handles.labels()))
            .observe(took.as_secs_f64());
        let calls = handles
            .calls
            .get_or_init(|| Handles::new(self.tool_calls.clone(), handles.labels(), ["outcome", "code"], 64));
        calls.with([outcome_name(outcome), code], bump);
    }

    /// Time spent in one stage of the pipeline or the edge.
    pub fn stage(&self, stage: &'static str, took: Duration) {
        self.stages.with([stage], |h| h.observe(took.as_secs_f64()));
    }

    /// One token or sign-in checked: `result` is `ok` or `refused`, `reason` the refusal's code or how it was known
    /// (`cache`, `verified`).
    pub fn authn(&self, result: &str, reason: &str) {
        self.authn.with([result, reason], bump);
    }

    /// One decision of the policy.
    pub fn authz(&self, effect: Effect) {
        let name = match effect {
            Effect::Allow => "allow",
            Effect::Challenge => "challenge",
            Effect::Deny => "deny",
        };
        self.authz.with([name], bump);
    }

    /// One credential leased: `ok`, or the refusal's code.
    pub fn secret(&self, result: &str) {
        self.secrets.with([result], bump);
    }

    /// One request to a target (the instance's name) and the HTTP status it answered; `None` when no answer came.
    pub fn target(&self, target: &str, status: Option<u16>) {
        match status {
            // Three digits without an allocation: the status is a label, and labels are text.
            Some(code @ 100..=599) => {
                let digit = |n: u16| b'0' + u8::try_from(n % 10).unwrap_or_default();
                let text = [digit(code / 100), digit(code / 10), digit(code)];
                self.targets.with([target, std::str::from_utf8(&text).unwrap_or(UNKNOWN)], bump);
            }
            Some(_) => self.targets.with([target, UNKNOWN], bump),
            None => self.targets.with([target, "error"], bump),
        }
    }

    /// One read was answered by an equal one that was under way.
    pub fn read_shared(&self, server: &str) {
        self.reads_shared.with([server], bump);
    }

    /// How long one audit append took until it was durable.
    pub fn audit_append(&self, took: Duration) {
        self.audit_append.observe(took.as_secs_f64());
    }

    /// One call refused by a rate limit.
    pub fn rate_limited(&self) {
        self.rate_limited.inc();
    }

    /// One request refused because the process was full.
    pub fn load_shed(&self) {
        self.shed.inc();
    }

    /// One connection or request refused by a limit of the edge.
    pub fn edge_refused(&self, code: &str) {
        self.edge_refused.with([code], bump);
    }

    /// How many connections are open.
    pub fn connections(&self, open: usize) {
        self.connections.set(i64::try_from(open).unwrap_or(i64::MAX));
    }

    /// The listener's certificates were read again.
    pub fn tls_reload(&self, usable: bool) {
        self.tls_reloads.with([if usable { "ok" } else { "refused" }], bump);
    }

    /// When the listener's certificate ends, seconds since the epoch.
    pub fn tls_not_after(&self, seconds: i64) {
        self.tls_not_after.set(seconds);
    }

    /// One source of the target directory was read (`read_at`, seconds since the epoch) or could not be read; and how many
    /// devices the directory knows. Sources come from the configuration, so that their number has a bound.
    pub fn targets(&self, source: &str, read_at: Option<i64>, devices: usize, ambiguous: usize) {
        if let Some(read_at) = read_at {
            self.targets_refreshed.get_or_create_owned(&vec![("source", source.to_owned())]).set(read_at);
        }
        self.targets_refreshes.with([source, if read_at.is_some() { "ok" } else { "failed" }], bump);
        for (state, count) in [("known", devices), ("ambiguous", ambiguous)] {
            let gauge = self.targets_known.get_or_create_owned(&vec![("state", state.to_owned())]);
            gauge.set(i64::try_from(count).unwrap_or(i64::MAX));
        }
    }

    /// Shows how this log stands, as long as it lives.
    pub fn watch_audit(&self, log: &Arc<dyn AuditSource>) {
        self.audit.watch(Arc::downgrade(log));
    }

    /// Everything as OpenMetrics text; serve it as [`OPENMETRICS_CONTENT_TYPE`].
    pub fn render(&self) -> String {
        let mut text = String::new();
        match encode(&mut text, &self.registry) {
            Ok(()) => text,
            // Writing to a String does not fail; an empty page with its end mark is still valid OpenMetrics.
            Err(_) => "# EOF\n".to_owned(),
        }
    }
}

fn counted(registry: &mut Registry, name: &str, help: &str) -> Counted {
    let family = Counted::new_with_constructor(Counter::default);
    registry.register(name, help, family.clone());
    family
}

fn bump(counter: &Counter) {
    counter.inc();
}

fn outcome_name(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Success => "success",
        Outcome::Failure => "failure",
        Outcome::Refused => "refused",
        Outcome::Pending => "pending",
        Outcome::Unknown => "unknown",
    }
}

/// Every request to a target is counted by the status it got.
impl OutboundObserver for Metrics {
    fn attempted(&self, outbound: &Outbound<'_>) {
        let status = match outbound.outcome {
            crate::http::Outcome::Status(status) => Some(status.as_u16()),
            _ => None,
        };
        self.target(outbound.target, status);
    }

    fn queued(&self, queued: &Queued<'_>) {
        let labels = [queued.target, queued.class.as_str()];
        match queued.granted {
            true => self.target_queue.with(labels, |h| h.observe(queued.waited.as_secs_f64())),
            false => self.target_busy.with(labels, bump),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::Metrics;
    use crate::audit::Outcome;
    use crate::http::{Class, OutboundObserver as _, Queued};
    use crate::policy::Effect;

    const MS: Duration = Duration::from_millis(1);

    fn has(text: &str, line: &str) -> bool {
        text.lines().any(|l| l == line)
    }

    #[test]
    fn a_tool_becomes_a_label_only_when_the_catalogue_knows_it() {
        let metrics = Metrics::new();
        metrics.declare("catalyst-center", ["get_device"]);
        metrics.tool_call("catalyst-center", "get_device", Outcome::Success, "", MS);
        metrics.tool_call("catalyst-center", "get_device", Outcome::Refused, "step_up_required", MS);
        for n in 0..50 {
            metrics.tool_call("catalyst-center", &format!("guess_{n}"), Outcome::Refused, "unknown_tool", MS);
            metrics.tool_call(&format!("server-{n}"), "x\"} 1\n", Outcome::Refused, "unknown_tool", MS);
        }
        let text = metrics.render();
        let calls = "interlock_tool_calls_total";
        for line in [
            r#"{server="catalyst-center",tool="get_device",outcome="success",code=""} 1"#,
            r#"{server="catalyst-center",tool="get_device",outcome="refused",code="step_up_required"} 1"#,
            r#"{server="catalyst-center",tool="unknown",outcome="refused",code="unknown_tool"} 50"#,
            r#"{server="unknown",tool="unknown",outcome="refused",code="unknown_tool"} 50"#,
        ] {
            assert!(has(&text, &format!("{calls}{line}")), "{line} in\n{text}");
        }
        assert!(!text.contains("guess_") && !text.contains("server-1"));
        assert!(
            text.contains(r#"interlock_tool_duration_seconds_count{server="catalyst-center",tool="get_device"} 2"#)
        );
    }

    #[test]
    fn declaring_again_keeps_the_numbers_of_tools_that_stay() {
        let metrics = Metrics::new();
        metrics.declare("s", ["a", "b"]);
        metrics.tool_call("s", "a", Outcome::Success, "", MS);
        metrics.declare("s", ["a"]);
        metrics.tool_call("s", "a", Outcome::Success, "", MS);
        metrics.tool_call("s", "b", Outcome::Refused, "unknown_tool", MS);
        let text = metrics.render();
        assert!(has(&text, r#"interlock_tool_calls_total{server="s",tool="a",outcome="success",code=""} 2"#));
        assert!(!text.contains(r#"tool="b""#));
    }

    #[test]
    fn every_counter_of_the_platform_is_rendered_and_the_text_ends_as_openmetrics_asks() {
        let metrics = Metrics::new();
        metrics.stage("authorise", Duration::from_micros(3));
        metrics.authn("refused", "wrong_audience");
        metrics.authz(Effect::Challenge);
        metrics.secret("ok");
        metrics.target("catalyst-center", Some(429));
        metrics.target("catalyst-center", Some(7));
        metrics.target("catalyst-center", None);
        metrics.read_shared("catalyst-center");
        for granted in [true, false] {
            metrics.queued(&Queued { target: "catalyst-center", class: Class::Agent, waited: 3 * MS, granted });
        }
        metrics.audit_append(MS);
        metrics.rate_limited();
        metrics.load_shed();
        metrics.edge_refused("headers_too_slow");
        metrics.connections(3);
        metrics.tls_reload(false);
        metrics.tls_not_after(1_800_000_000);
        metrics.targets("catalyst-center", Some(1_700_000_000), 300, 2);
        metrics.targets("servicenow", None, 300, 2);
        let text = metrics.render();
        for line in [
            r#"interlock_stage_duration_seconds_count{stage="authorise"} 1"#,
            r#"interlock_stage_duration_seconds_bucket{le="0.000005",stage="authorise"} 1"#,
            r#"interlock_authn_total{result="refused",reason="wrong_audience"} 1"#,
            r#"interlock_authz_total{effect="challenge"} 1"#,
            r#"interlock_secret_reads_total{result="ok"} 1"#,
            r#"interlock_target_requests_total{target="catalyst-center",status="429"} 1"#,
            r#"interlock_target_requests_total{target="catalyst-center",status="unknown"} 1"#,
            r#"interlock_target_requests_total{target="catalyst-center",status="error"} 1"#,
            r#"interlock_reads_shared_total{server="catalyst-center"} 1"#,
            r#"interlock_target_queue_seconds_bucket{le="0.005",target="catalyst-center",class="agent"} 1"#,
            r#"interlock_target_busy_total{target="catalyst-center",class="agent"} 1"#,
            "interlock_audit_append_seconds_count 1",
            "interlock_rate_limited_total 1",
            "interlock_load_shed_total 1",
            r#"interlock_edge_refused_total{code="headers_too_slow"} 1"#,
            "interlock_connections 3",
            r#"interlock_tls_reloads_total{result="refused"} 1"#,
            "interlock_tls_not_after_timestamp_seconds 1800000000",
            r#"interlock_targets_refreshed_timestamp_seconds{source="catalyst-center"} 1700000000"#,
            r#"interlock_targets_refreshes_total{source="servicenow",result="failed"} 1"#,
            r#"interlock_targets_devices{state="ambiguous"} 2"#,
        ] {
            assert!(has(&text, line), "{line} in\n{text}");
        }
        assert!(text.ends_with("# EOF\n"));
        for name in ["process_resident_memory_bytes ", "process_cpu_seconds_total ", "process_start_time_seconds "] {
            let value = text.lines().find_map(|l| l.strip_prefix(name)).and_then(|v| v.parse::<f64>().ok());
            assert!(value.is_some_and(|v| v >= 0.0), "{name} in\n{text}");
        }
    }

    #[test]
    fn reasons_past_the_bound_are_counted_together() {
        let metrics = Metrics::new();
        for n in 0..500 {
            metrics.authn("refused", &format!("reason_{n}"));
        }
        let text = metrics.render();
        let series = text.lines().filter(|l| l.starts_with("interlock_authn_total{")).count();
        assert_eq!(series, 65);
        assert!(has(&text, r#"interlock_authn_total{result="other",reason="other"} 436"#));
    }
}
