//! The command runner: read-only commands on devices, at most five a request, answers in a file.
//!
//! Where next: `world::World::exec` for what a device prints, [`crate::effects`] for what faults do to a run.

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderValue, header};
use axum::routing::{get, post};
use serde_json::{Map, Value, json};
use uuid::Uuid;
use world::Device;

use crate::devices::find;
use crate::effects::Origin;
use crate::reply::{Answer, Fail, accepted, bare, enveloped};
use crate::simulator::{Shared, Simulator};

const PATH: &str = "/dna/intent/api/v1/network-device-poller/cli/read-request";
const FILES: &str = "file";
const MOST_COMMANDS: usize = 5;
const MOST_DEVICES: usize = 100;
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
        .route(PATH, post(read))
        .route("/dna/intent/api/v1/file/{id}", get(file))
        .route("/dna/intent/api/v1/file/namespace", get(namespaces))
        .route("/dna/intent/api/v1/file/namespace/{name}", get(namespace))
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
    if ids.len() > MOST_DEVICES {
        return Err(Fail::bad(format!("At most {MOST_DEVICES} devices can be asked in one request")));
    }
    let devices = ids.iter().map(|id| find(&simulator.world, id)).collect::<Result<Vec<&Device>, Fail>>()?;
    let origin = Origin::new("POST", PATH, "command_runner", &headers);
    let told = "CLI Runner request creation";
    let task = simulator.start_work(&origin, &devices, "Command Runner Service", told)?;
    let ids: Vec<Uuid> = devices.iter().map(|device| device.id).collect();
    tokio::spawn(async move {
        simulator.pause(simulator.pace().start_ms).await;
        let devices = ids.iter().filter_map(|id| simulator.world.device(*id));
        let rows: Vec<Value> = devices.map(|device| simulator.run_on(device, &commands, &origin)).collect();
        let id = Uuid::new_v4();
        let held = json!({ "at": simulator.now_ms(), "rows": rows });
        let kept = simulator.world.put_document(FILES, &id.to_string(), held);
        let error = kept.err().map(|error| error.to_string());
        forget(&simulator);
        simulator.end_task_logged(task, &json!({ "fileId": id }).to_string(), None, error);
    });
    accepted(task)
}

fn is_read(command: &str) -> bool {
    let word = command.split_whitespace().next().unwrap_or_default().to_lowercase();
    word.len() >= 2 && !command.contains(['\n', '\r']) && READS.iter().any(|known| known.starts_with(&word))
}

impl Simulator {
    /// The answers of one device.
    fn run_on(&self, device: &Device, commands: &[String], origin: &Origin) -> Value {
        let effects = self.effects_on_reading(origin, device);
        let (mut good, mut bad, mut blocked) = (Map::new(), Map::new(), Map::new());
        let mut sent = Vec::new();
        for (at, command) in commands.iter().enumerate() {
            if !is_read(command) {
                let told = "Command is not permitted: it is not in the list of read commands";
                blocked.insert(command.clone(), Value::from(told));
                continue;
            }
            if effects.bend.reject_line == Some(at) {
                bad.insert(
                    command.clone(),
                    Value::from(format!("{command}\n% Invalid input detected at '^' marker.\n")),
                );
                continue;
            }
            if !effects.keeps(at, commands.len()) {
                continue;
            }
            match self.world.exec(device, command) {
                Ok(output) => {
                    sent.push(command.clone());
                    let text = format!("{command}\n{output}\n{}#", self.world.hostname(device));
                    let into = if output.starts_with('%') { &mut bad } else { &mut good };
                    into.insert(command.clone(), Value::from(text));
                }
                Err(error) => {
                    let told = format!("Error occurred while executing command : {command}. {error}");
                    bad.insert(command.clone(), Value::from(told));
                }
            }
        }
        let kept = self.record(origin, device, "exec", sent, None);
        if let Err(error) = kept
            .map_err(|error| error.to_string())
            .and_then(|()| self.aftermath(device, effects).map_err(|error| error.to_string()))
        {
            tracing::warn!(error, "a run of commands could not be kept");
        }
        json!({
            "deviceUuid": device.id,
            "commandResponses": { "SUCCESS": good, "FAILURE": bad, "BLACKLISTED": blocked },
        })
    }
}

/// Drops the oldest files: they are large.
fn forget(simulator: &Simulator) {
    let held = simulator.world.document_keys(FILES);
    if held.len() <= KEPT {
        return;
    }
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

async fn namespaces() -> Answer {
    enveloped(json!(["config-archive", "cli-runner", "ejbca"]))
}

async fn namespace(State(simulator): State<Shared>, Path(name): Path<String>) -> Answer {
    if name != "cli-runner" {
        return enveloped(json!([]));
    }
    let rows = simulator.world.document_keys(FILES).into_iter().map(|id| {
        json!({
            "id": id, "nameSpace": "cli-runner", "name": format!("{id}.json"), "fileFormat": "application/json",
            "downloadPath": format!("/file/{id}"), "encrypted": false, "attributeInfo": {}, "sftpServerList": [],
        })
    });
    enveloped(rows.collect::<Vec<_>>())
}
