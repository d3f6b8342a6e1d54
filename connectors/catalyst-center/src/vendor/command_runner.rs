//! The command runner: read-only commands on devices, by the controller. A request is a task, its result a file. It is sent
//! once: every run is a touch of the device, and policy counts those.

use std::collections::BTreeMap;

use http::Method;
use platform::{Error, ErrorKind};
use serde::Deserialize;
use serde_json::json;
use tool_runtime::ToolCx;
use tool_runtime::combinators::{Poll, poll_until};

use super::tasks;
use crate::client::{Api, segment};

const REQUEST: &str = "/dna/intent/api/v1/network-device-poller/cli/read-request";

/// What became of a command on a device.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// What the device printed, without the echo of the command and the prompt after it.
    Printed(String),
    /// The device complained, or did not answer.
    Failed(String),
    /// The controller does not run this command.
    Blocked,
}

/// A run of commands on devices.
pub(crate) struct Run {
    devices: Vec<Row>,
    /// When the controller was done, by its own clock, milliseconds since the epoch.
    pub(crate) ended_ms: Option<i64>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Row {
    device_uuid: String,
    command_responses: Responses,
}

#[derive(Deserialize)]
struct Responses {
    #[serde(rename = "SUCCESS", default)]
    success: BTreeMap<String, String>,
    #[serde(rename = "FAILURE", default)]
    failure: BTreeMap<String, String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Finished {
    file_id: String,
}

/// Runs commands, and waits for what the devices print.
pub(crate) async fn run(api: &Api, cx: &ToolCx, devices: &[String], commands: &[String]) -> Result<Run, Error> {
    // The call's id stands in the vendor's own record of the request (T29).
    let name = format!("interlock {}", cx.call.request_id);
    let left_s = cx.deadline.saturating_duration_since(std::time::Instant::now()).as_secs().max(1);
    let body = json!({"name": name, "commands": commands, "deviceUuids": devices, "timeout": left_s});
    let task_id = tasks::start(api, cx, Method::POST, REQUEST, &body).await?;
    let done = poll_until(cx.deadline, || async {
        let task = tasks::read(api, cx, &task_id).await?;
        // Until it is done, the text is not JSON.
        let file = task.progress.as_deref().and_then(|text| serde_json::from_str::<Finished>(text).ok());
        Ok(match file {
            Some(file) => Poll::Ready(Some((file.file_id, task.ended_ms()))),
            None if task.has_ended() => Poll::Ready(None),
            None => Poll::Pending(None),
        })
    })
    .await?;
    let (file, ended_ms) = match done {
        Poll::Ready(Some(done)) => done,
        Poll::Ready(None) => return Err(failed().with_detail(format!("task {task_id} ended without a file"))),
        Poll::Pending(_) => {
            let message = "The devices did not answer the commands in time. Repeat later, with fewer of them.";
            return Err(Error::new(ErrorKind::Timeout, "target_timeout", message));
        }
    };
    let devices = api.get(cx, &format!("/dna/intent/api/v1/file/{}", segment(&file)?)).await?;
    Ok(Run { devices, ended_ms })
}

/// The refusal for a device that does not answer.
pub(crate) fn failed() -> Error {
    let message = "The device did not answer the command as it should. Look at its reachability, and repeat later.";
    Error::new(ErrorKind::Upstream, "device_command_failed", message)
}

impl Run {
    /// What became of a command on a device.
    pub(crate) fn outcome(&self, device_id: &str, command: &str, hostname: Option<&str>) -> Outcome {
        let Some(row) = self.devices.iter().find(|row| row.device_uuid.eq_ignore_ascii_case(device_id)) else {
            return Outcome::Failed(String::new());
        };
        let Responses { success, failure } = &row.command_responses;
        match (success.get(command), failure.get(command)) {
            (Some(text), _) => {
                let printed = printed(command, text, hostname);
                // The controller calls it a success when the device has said anything at all.
                if is_complaint(&printed) { Outcome::Failed(printed) } else { Outcome::Printed(printed) }
            }
            (None, Some(text)) => Outcome::Failed(printed(command, text, hostname)),
            (None, None) => Outcome::Blocked,
        }
    }
}

/// Whether a device refused a command: the first line that is not empty begins with `%` (IOS, NX-OS, IOS XR) or is an ASA's
/// `ERROR:`.
fn is_complaint(printed: &str) -> bool {
    let first = printed.lines().map(str::trim).find(|line| !line.is_empty());
    first.is_some_and(|line| line.starts_with("% ") || line.starts_with("%Error") || line.starts_with("ERROR:"))
}

/// The text of a session without the command's echo at its beginning and the prompt at its end.
fn printed(command: &str, text: &str, hostname: Option<&str>) -> String {
    let text = text.replace("\r\n", "\n");
    let mut lines: Vec<&str> = text.lines().collect();
    let words = |line: &str| line.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
    if let Some(first) = lines.first() {
        let echo = first.rsplit_once(['#', '>']).map_or(*first, |(_, typed)| typed);
        if words(first) == words(command) || words(echo) == words(command) {
            lines.remove(0);
        }
    }
    cut_blank_end(&mut lines);
    if lines.last().is_some_and(|line| is_prompt(line, hostname)) {
        lines.pop();
        cut_blank_end(&mut lines);
    }
    let mut printed = lines.join("\n");
    printed.push('\n');
    printed
}

fn cut_blank_end(lines: &mut Vec<&str>) {
    while lines.last().is_some_and(|line| line.trim().is_empty()) {
        lines.pop();
    }
}

/// `sw-1#`, `sw-1>`, `RP/0/RP0/CPU0:xr-1#`, `asa/pri/act#`.
fn is_prompt(line: &str, hostname: Option<&str>) -> bool {
    let Some(before) = line.trim().strip_suffix(['#', '>']) else { return false };
    if before.is_empty() || before.contains(char::is_whitespace) || before.starts_with(['!', '#']) {
        return false;
    }
    let own = before.rsplit_once(':').map_or(before, |(_, name)| name);
    let own = own.split(['/', '(']).next().unwrap_or(own);
    // The inventory may know the device by its full name.
    hostname.is_none_or(|name| {
        let short = name.split('.').next().unwrap_or(name);
        own.eq_ignore_ascii_case(name) || own.eq_ignore_ascii_case(short)
    })
}

#[cfg(test)]
mod tests {
    use super::{is_complaint, printed};

    #[test]
    fn echo_and_prompt_are_cut_and_nothing_else() {
        let body = "Building configuration...\n\nhostname sw-1\nbanner motd #\nhello#\n#\nend\n";
        for (text, hostname) in [
            (format!("show running-config\n{body}sw-1#"), Some("sw-1")),
            (format!("sw-1#show  running-config\r\n{body}sw-1#\n\n"), Some("SW-1.corp.example")),
            (body.to_owned(), Some("sw-1")),
            (format!("show running-config\n{body}asa/pri/act#"), Some("asa")),
            (format!("show running-config\n{body}RP/0/RP0/CPU0:xr-1#"), Some("xr-1")),
            (format!("{body}\n\nsw-1>"), None),
        ] {
            assert_eq!(printed("show running-config", &text, hostname), body, "{text}");
        }
        // The last line of a banner is no prompt of another device's.
        assert_eq!(printed("show x", "a\nhello#", Some("sw-1")), "a\nhello#\n");
        assert_eq!(printed("show x", "a\n#", None), "a\n#\n");
    }

    #[test]
    fn a_complaint_is_told_from_a_log_line() {
        for text in ["\n% Invalid input detected at '^' marker.\n", "ERROR: % Invalid input\n", "% Incomplete command."]
        {
            assert!(is_complaint(text), "{text}");
        }
        for text in ["", "%LINK-3-UPDOWN: Interface up\n", "Vlan1 % x"] {
            assert!(!is_complaint(text), "{text}");
        }
    }
}
