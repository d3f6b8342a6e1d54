//! The command runner: read-only commands on devices, results in a file.

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderValue, header};
use axum::routing::{get, post};
use serde_json::{Map, Value, json};
use world::DeviceCommand;

use crate::deploy::caller;
use crate::devices::find;
use crate::reply::{Answer, Fail, accepted, bare, enveloped};
use crate::simulator::{Shared, Simulator};

const FILES: &str = "file";
const MOST_COMMANDS: usize = 5;
const KEPT: usize = 200;
static KEYWORDS: &[&str] = &[
    "cat",
    "cd",
    "clear",
    "clock",
    "connect",
    "copy",
    "dir",
    "exit",
    "more",
    "ping",
    "ping6",
    "quit",
    "show",
    "sleep",
    "telnet",
    "terminal",
    "traceroute",
    "traceroute6",
    "verify",
    "wd",
];
/// What the runner lets through here: the documented list minus what changes something.
static READS: &[&str] = &["show", "ping", "traceroute", "dir", "more", "verify"];

pub(crate) fn routes() -> Router<Shared> {
    Router::new()
        .route("/dna/intent/api/v1/network-device-poller/cli/legit-reads", get(legit))
        .route("/dna/intent/api/v1/network-device-poller/cli/read-request", post(read))
        .route("/dna/intent/api/v1/file/{id}", get(file))
}

async fn legit() -> Answer {
    enveloped(KEYWORDS.iter().map(|word| Value::from(*word)).collect::<Vec<_>>())
}

fn texts(body: &Map<String, Value>, key: &str) -> Vec<String> {
    let values = body.get(key).and_then(Value::as_array).into_iter().flatten();
    values.filter_map(|value| value.as_str().map(str::to_owned)).collect()
}

async fn read(State(simulator): State<Shared>, headers: HeaderMap, body: Bytes) -> Answer {
    let body: Map<String, Value> = serde_json::from_slice(&body).map_err(|error| Fail::bad(error.to_string()))?;
    let (commands, ids) = (texts(&body, "commands"), texts(&body, "deviceUuids"));
    if commands.is_empty() || ids.is_empty() {
        return Err(Fail::bad("commands and deviceUuids are required"));
    }
    if commands.len() > MOST_COMMANDS {
        return Err(Fail::bad(format!("At most {MOST_COMMANDS} commands can be run in one request")));
    }
    for id in &ids {
        find(&simulator.world, id)?;
    }
    let task = simulator.start_task("Command Runner Service", "CLI Runner request creation", false)?;
    let headers = caller(&headers);
    tokio::spawn(async move {
        simulator.pause(simulator.pace.start_ms).await;
        let mut rows = Vec::new();
        for device in ids.iter().filter_map(|id| find(&simulator.world, id).ok()) {
            let (mut good, mut bad, mut blocked) = (Map::new(), Map::new(), Map::new());
            let mut sent = Vec::new();
            for command in &commands {
                let word = command.split_whitespace().next().unwrap_or_default().to_lowercase();
                if !READS.iter().any(|known| known.starts_with(&word) && word.len() >= 2) {
                    blocked.insert(
                        command.clone(),
                        Value::from("Command is not permitted: it is not in the list of read commands"),
                    );
                    continue;
                }
                match simulator.world.exec(device, command) {
                    Ok(output) => {
                        sent.push(command.clone());
                        let hostname = simulator.world.hostname(device);
                        let text = format!("{command}\n{output}\n{hostname}#");
                        let into = if output.starts_with('%') { &mut bad } else { &mut good };
                        into.insert(command.clone(), Value::from(text));
                    }
                    Err(error) => {
                        bad.insert(
                            command.clone(),
                            Value::from(format!("Error occurred while executing command : {command}. {error}")),
                        );
                    }
                }
            }
            record(&simulator, device, sent, &headers);
            rows.push(json!({
                "deviceUuid": device.id,
                "commandResponses": { "SUCCESS": good, "FAILURE": bad, "BLACKLISTED": blocked },
            }));
        }
        let id = uuid::Uuid::new_v4();
        let kept =
            simulator.world.put_document(FILES, &id.to_string(), json!({ "at": simulator.now_ms(), "rows": rows }));
        let error = kept.err().map(|error| error.to_string());
        forget(&simulator);
        simulator.end_task_logged(task, &json!({ "fileId": id }).to_string(), None, error);
    });
    accepted(task)
}

fn record(
    simulator: &Simulator,
    device: &world::Device,
    lines: Vec<String>,
    headers: &std::collections::BTreeMap<String, String>,
) {
    if lines.is_empty() {
        return;
    }
    let row = DeviceCommand {
        seq: 0,
        system: simulator.name.clone(),
        device_id: device.id,
        hostname: simulator.world.hostname(device),
        serial: device.serial_text(),
        mode: "exec".to_owned(),
        lines,
        at: simulator.clock.now().to_string(),
        deployment_id: None,
        via: "command_runner".to_owned(),
        headers: headers.clone(),
    };
    if let Err(error) = simulator.commands.write(row) {
        tracing::warn!(%error, "a device command could not be recorded");
    }
}

/// Drops the oldest files: they are large.
fn forget(simulator: &Simulator) {
    let mut files: Vec<(i64, String)> = simulator
        .world
        .documents(FILES)
        .into_iter()
        .map(|(key, value)| (value.get("at").and_then(Value::as_i64).unwrap_or(0), key))
        .collect();
    files.sort();
    for (_, key) in files.iter().take(files.len().saturating_sub(KEPT)) {
        if let Err(error) = simulator.world.remove_document(FILES, key) {
            tracing::warn!(%error, "a file could not be dropped");
        }
    }
}

async fn file(State(simulator): State<Shared>, Path(id): Path<String>) -> Answer {
    let found = simulator.world.document(FILES, &id).and_then(|held| held.get("rows").cloned());
    let mut answer = bare(found.ok_or_else(|| Fail::missing(format!("File not found: {id}")))?)?;
    // The SDK downloads to the name that stands here, and to nowhere without one.
    let name = format!("attachment; filename=\"{id}.json\"");
    let name = HeaderValue::from_str(&name).map_err(|error| Fail::broken(&error))?;
    answer.headers_mut().insert(header::CONTENT_DISPOSITION, name);
    Ok(answer)
}
