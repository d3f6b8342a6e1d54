//! Show commands on devices, by the controller's command runner. What a command does is judged by `device-config`, and only
//! what reads is run; what comes back is masked.

use std::sync::Arc;
use std::time::Duration;

use device_config::{Class, Mode, Platform, classify};
use platform::{Error, ErrorKind};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;
use tool_runtime::combinators::single;
use tool_runtime::{Tool, ToolCx, ToolSpec};

use super::changes::DEVICES;
use super::devices::{self, platform_of};
use crate::client::Api;
use crate::model::Device;
use crate::vendor::command_runner::{self, Outcome};

/// Most bytes of one command's output that are shown.
const MOST_SHOWN: usize = 32 << 10;

#[derive(Deserialize, JsonSchema)]
struct RunShowCommands {
    /// Catalyst Center's ids of the devices, from `list_devices`.
    #[schemars(length(min = 1, max = 20), inner(length(min = 1, max = 64)), extend("uniqueItems" = true))]
    device_ids: Vec<String>,
    /// Commands that show something, for example `show ip interface brief`; at most five.
    #[schemars(length(min = 1, max = 5), inner(length(min = 1, max = 200), regex(pattern = r"^[\x20-\x7e]+$")))]
    commands: Vec<String>,
}

/// What devices printed.
#[derive(Serialize, JsonSchema)]
struct Shown {
    /// One entry per device, in the order asked.
    devices: Vec<DeviceShown>,
}

/// What one device printed.
#[derive(Serialize, JsonSchema)]
struct DeviceShown {
    /// Device.
    device_id: String,
    /// Host name.
    hostname: Option<String>,
    /// One entry per command, in the order asked.
    results: Vec<CommandShown>,
}

/// What became of a command.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum CommandStatus {
    /// The device printed something.
    Ok,
    /// The device complained, or did not answer.
    Failed,
    /// Catalyst Center does not run this command.
    Blocked,
}

/// One command on one device.
#[derive(Serialize, JsonSchema)]
struct CommandShown {
    /// The command.
    command: String,
    /// `ok`, `failed` or `blocked`.
    status: CommandStatus,
    /// What came back; secrets are masked.
    output: Option<String>,
    /// Whether `output` was cut at 32 KiB.
    cut: bool,
}

pub(super) fn run_show_commands(api: &Arc<Api>) -> Arc<dyn Tool> {
    let spec = ToolSpec::new::<RunShowCommands, Shown>(
        "run_show_commands",
        "Run show commands",
        "Runs up to five show commands on devices and shows what each printed now. Only commands that read are run; secrets \
         in their output are masked. Narrow long output on the device: `show interfaces | include error`.",
    )
    .targets(DEVICES)
    .timeout(Duration::from_secs(90))
    .example(json!({"device_ids": ["…"], "commands": ["show version", "show ip interface brief"]}));
    single(api, spec, |api, cx, args: RunShowCommands| async move { shown(&api, &cx, args).await })
}

async fn shown(api: &Api, cx: &ToolCx, args: RunShowCommands) -> Result<Shown, Error> {
    let mut devices = Vec::new();
    for device in devices::several(api, cx, &args.device_ids).await? {
        let platform = platform_of(&device)?;
        for command in &args.commands {
            only_reads(platform, command)?;
        }
        devices.push((device, platform));
    }
    let ids: Vec<String> = devices.iter().map(|(device, _)| device.id.clone()).collect();
    let run = command_runner::run(api, cx, &ids, &args.commands).await?;
    let of_device = |(device, platform): (Device, Platform)| DeviceShown {
        results: args
            .commands
            .iter()
            .map(|command| of_command(platform, command, run.outcome(&device.id, command, device.hostname.as_deref())))
            .collect(),
        device_id: device.id,
        hostname: device.hostname,
    };
    Ok(Shown { devices: devices.into_iter().map(of_device).collect() })
}

fn of_command(platform: Platform, command: &str, outcome: Outcome) -> CommandShown {
    let (status, output) = match outcome {
        Outcome::Printed(text) => (CommandStatus::Ok, Some(text)),
        Outcome::Failed(text) => (CommandStatus::Failed, Some(text).filter(|text| !text.is_empty())),
        Outcome::Blocked => (CommandStatus::Blocked, None),
    };
    // Masked before it is cut: a secret in two halves is not known for one.
    let masked = output.map(|text| device_config::mask(platform, &text).text);
    let cut = masked.as_ref().is_some_and(|text| text.len() > MOST_SHOWN);
    let output = masked.map(|mut text| {
        text.truncate(text.floor_char_boundary(MOST_SHOWN));
        text
    });
    CommandShown { command: command.to_owned(), status, output, cut }
}

/// Refuses what does more than read, or shows secrets in a form of its own.
fn only_reads(platform: Platform, command: &str) -> Result<(), Error> {
    let refused = |why: &str| {
        let message =
            format!("`{command}` is not run: {why}. This tool runs commands that show something, and no others.");
        Err(Error::new(ErrorKind::InvalidInput, "command_not_read", message).with_details(json!({"command": command})))
    };
    if let Some(why) = why_not_read(platform, command) {
        return refused(&why);
    }
    if shows_secrets(command) {
        return refused("its output is secrets");
    }
    Ok(())
}

/// Why a command is more than a read.
fn why_not_read(platform: Platform, command: &str) -> Option<String> {
    let lines = classify(platform, Mode::Exec, command);
    let worst = lines.into_iter().max_by_key(|line| line.class).filter(|line| line.class > Class::Read)?;
    Some(format!("{} ({})", worst.reason, worst.class))
}

/// Commands whose output is secrets and no configuration, so that masking does not know them.
const SECRETS: [&[&str]; 5] = [
    &["snmp", "community"],
    &["key", "chain"],
    &["crypto", "isakmp", "key"],
    &["crypto", "key", "mypubkey"],
    &["wlan", "psk"],
];

fn shows_secrets(command: &str) -> bool {
    let words: Vec<String> = command.split_whitespace().skip(1).map(str::to_ascii_lowercase).collect();
    SECRETS.iter().any(|full| {
        words.len() >= full.len() && full.iter().zip(&words).all(|(full, word)| full.starts_with(word.as_str()))
    })
}

#[cfg(test)]
mod tests {
    use device_config::Platform;

    use super::only_reads;

    #[test]
    fn what_reads_is_run_and_nothing_else() {
        for command in ["show version", "sh ver", "SHOW interfaces | include error", "show key", "show snmp user"] {
            assert!(only_reads(Platform::IosXe, command).is_ok(), "{command}");
        }
        for command in [
            "reload",
            "s",
            "write memory",
            "show running-config | redirect flash:x",
            "show tech | tee flash:x",
            "show version | ap flash:x",
            "show run > bootflash:x",
            "clear counters",
            "configure terminal",
            "debug all",
            "show snmp community",
            "sh sn com",
            "show key chain",
            "show crypto isakmp key",
        ] {
            let code = only_reads(Platform::IosXe, command).map_err(|error| error.code().to_owned());
            assert_eq!(code, Err("command_not_read".to_owned()), "{command}");
        }
    }
}
