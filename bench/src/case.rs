//! The cases: what is sent to whom, over how many connections; measured in rounds that take turns, so that a machine's
//! mood of a minute does not fall on one case alone.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Result;
use serde::Serialize;
use serde_json::{Value as Json, json};

use crate::load::{self, Request, percentile};
use crate::process;
use crate::stages::Stages;

/// Calls that a caller of the lab may make at once, and per second: a little less than the lab's own limits, so that the
/// benchmark waits instead of measuring refusals.
const AT_ONCE: f64 = 28_000.0;
const PER_SECOND: f64 = 950.0;

/// Which way a call takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Door {
    Mcp,
    Rest,
    BareAxum,
    BareRmcp,
}

/// A case and what was measured of it.
pub(crate) struct Case {
    pub(crate) tool: &'static str,
    pub(crate) door: Door,
    pub(crate) connections: usize,
    pub(crate) server: Server,
    request: Arc<Request>,
    command: String,
    rounds: Vec<Round>,
    latencies: Vec<u64>,
}

/// Who answers.
#[derive(Clone)]
pub(crate) struct Server {
    pub(crate) pid: u32,
    pub(crate) address: SocketAddr,
    /// The process of the system behind it.
    pub(crate) target: Option<u32>,
}

struct Round {
    cpu_us: f64,
    target_cpu_us: f64,
    per_second: f64,
    rss_mib: f64,
    stages: BTreeMap<String, f64>,
}

/// A case's numbers.
#[derive(Debug, Serialize)]
pub(crate) struct Numbers {
    pub(crate) tool: &'static str,
    pub(crate) door: Door,
    pub(crate) connections: usize,
    pub(crate) calls: usize,
    /// CPU time of the server's process per call: the middle round, and the best.
    pub(crate) cpu_us: f64,
    pub(crate) cpu_us_best: f64,
    /// `cpu_us` divided by that of bare axum at the same number of connections.
    pub(crate) times_bare: f64,
    /// CPU time of the simulated system per call.
    pub(crate) target_cpu_us: f64,
    pub(crate) p50_us: f64,
    pub(crate) p99_us: f64,
    pub(crate) calls_per_second: f64,
    pub(crate) rss_mib: f64,
    /// Wall time of each stage per call, in microseconds, of the middle round.
    pub(crate) stages_us: BTreeMap<String, f64>,
    /// One such call by hand.
    pub(crate) command: String,
}

/// The lab's limits per caller, as the benchmark keeps within them.
pub(crate) struct Allowance {
    left: f64,
    at: Instant,
}

impl Default for Allowance {
    fn default() -> Self {
        Self { left: AT_ONCE, at: Instant::now() }
    }
}

impl Allowance {
    async fn take(&mut self, calls: usize) {
        let refilled = self.left + self.at.elapsed().as_secs_f64() * PER_SECOND;
        self.left = refilled.min(AT_ONCE) - calls as f64;
        self.at = Instant::now();
        if self.left < 0.0 {
            tokio::time::sleep(Duration::from_secs_f64(-self.left / PER_SECOND)).await;
        }
    }
}

impl Case {
    /// A call of a tool of the platform, by the callers of `tokens`.
    pub(crate) fn platform(
        server: &Server,
        door: Door,
        (instance, tool): (&str, &'static str),
        arguments: &Json,
        tokens: &[String],
        connections: usize,
    ) -> Self {
        let (path, body, marker) = match door {
            Door::Rest => (
                format!("/api/v1/mcp/{instance}/tools/{tool}"),
                json!({ "arguments": arguments }),
                &br#""status":"success""#[..],
            ),
            _ => (format!("/mcp/{instance}"), message(tool, arguments), &br#""isError":false"#[..]),
        };
        let tokens = if connections == 1 { &tokens[..1.min(tokens.len())] } else { tokens };
        let bytes = tokens.iter().map(|token| {
            let bearer = format!("Bearer {token}");
            let mut headers = if door == Door::Rest { Vec::new() } else { mcp_headers(tool) };
            headers.push(("authorization", &bearer));
            crate::http::post(server.address, &path, &headers, &body)
        });
        let request = Request { address: server.address, bytes: bytes.collect(), marker };
        let command = curl(door, server.address, &path, tool, &body, true);
        Self::new(server, tool, door, connections, request, command)
    }

    /// A call of a yardstick.
    pub(crate) fn bare(server: &Server, door: Door, arguments: &Json, connections: usize) -> Self {
        let (tool, path, body) = ("echo", "/echo", message("echo", arguments));
        let bytes = vec![crate::http::post(server.address, path, &mcp_headers(tool), &body)];
        let request = Request { address: server.address, bytes, marker: br#""isError":false"# };
        let command = curl(door, server.address, path, tool, &body, false);
        Self::new(server, tool, door, connections, request, command)
    }

    fn new(
        server: &Server,
        tool: &'static str,
        door: Door,
        connections: usize,
        request: Request,
        command: String,
    ) -> Self {
        let (server, request) = (server.clone(), Arc::new(request));
        Self { tool, door, connections, server, request, command, rounds: Vec::new(), latencies: Vec::new() }
    }

    /// One round of `calls` calls, after a warm-up.
    pub(crate) async fn round(&mut self, calls: usize, allowance: &mut Allowance) -> Result<()> {
        let warm_up = (calls / 10).max(self.connections * 4);
        let limited = matches!(self.door, Door::Mcp | Door::Rest);
        if limited {
            allowance.take((calls + warm_up).div_ceil(self.request.bytes.len())).await;
        }
        load::run(&self.request, self.connections, warm_up, None).await?;
        let stages = async || if limited { Stages::read(self.server.address).await } else { Ok(Stages::default()) };
        let target_cpu = || self.server.target.map_or(Ok(0.0), process::cpu_seconds);
        let (stages_before, target_before) = (stages().await?, target_cpu()?);
        let before = process::cpu_seconds(self.server.pid)?;
        let taken = load::run(&self.request, self.connections, calls, None).await?;
        let after = process::cpu_seconds(self.server.pid)?;
        let per_call = |seconds: f64| seconds * 1e6 / calls as f64;
        self.rounds.push(Round {
            cpu_us: per_call(after - before),
            target_cpu_us: per_call(target_cpu()? - target_before),
            per_second: calls as f64 / taken.wall.as_secs_f64(),
            rss_mib: process::memory(self.server.pid)?.rss_mib,
            stages: stages().await?.since(&stages_before, calls),
        });
        self.latencies.extend(taken.latencies);
        Ok(())
    }

    /// What came of all rounds. `bare` is the yardstick's CPU time per call.
    pub(crate) fn numbers(mut self, bare: Option<f64>) -> Numbers {
        self.latencies.sort_unstable();
        self.rounds.sort_by(|one, other| one.cpu_us.total_cmp(&other.cpu_us));
        let most = |of: fn(&Round) -> f64| self.rounds.iter().map(of).fold(0.0, f64::max);
        let middle = self.rounds.get(self.rounds.len() / 2);
        let cpu_us = middle.map_or(0.0, |r| r.cpu_us);
        Numbers {
            tool: self.tool,
            door: self.door,
            connections: self.connections,
            calls: self.latencies.len(),
            cpu_us,
            cpu_us_best: self.rounds.first().map_or(0.0, |r| r.cpu_us),
            times_bare: cpu_us / bare.unwrap_or(cpu_us).max(f64::MIN_POSITIVE),
            target_cpu_us: middle.map_or(0.0, |r| r.target_cpu_us),
            p50_us: percentile(&self.latencies, 50),
            p99_us: percentile(&self.latencies, 99),
            calls_per_second: most(|r| r.per_second),
            rss_mib: most(|r| r.rss_mib),
            stages_us: middle.map(|r| r.stages.clone()).unwrap_or_default(),
            command: self.command,
        }
    }
}

/// A `tools/call` of revision 2026-07-28.
fn message(tool: &str, arguments: &Json) -> Json {
    json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {
        "name": tool, "arguments": arguments,
        "_meta": {"io.modelcontextprotocol/protocolVersion": "2026-07-28",
                  "io.modelcontextprotocol/clientInfo": {"name": "interlock-bench", "version": "0"},
                  "io.modelcontextprotocol/clientCapabilities": {}},
    }})
}

fn mcp_headers(tool: &'static str) -> Vec<(&'static str, &'static str)> {
    vec![("mcp-protocol-version", "2026-07-28"), ("mcp-method", "tools/call"), ("mcp-name", tool)]
}

fn curl(door: Door, address: SocketAddr, path: &str, tool: &'static str, body: &Json, token: bool) -> String {
    let mut line =
        "curl -H 'content-type: application/json' -H 'accept: application/json, text/event-stream'".to_owned();
    if door != Door::Rest {
        for (name, value) in mcp_headers(tool) {
            line.push_str(&format!(" -H '{name}: {value}'"));
        }
    }
    if token {
        line.push_str(" -H \"authorization: Bearer $TOKEN\"");
    }
    format!("{line} -d '{body}' http://{address}{path}")
}
