//! Live configurations: what `show running-config` prints now, by the command runner. The controller's stored copy may be
//! hours old and is never an answer (T18).

use async_trait::async_trait;
use device_config::Platform;
use platform::artifacts::ArtifactKind;
use platform::canonical::sha256;
use platform::{Error, ErrorKind};
use tool_runtime::ToolCx;
use tool_runtime::ports::ConfigReader;
use tool_runtime::ports::config_reader::SealedConfig;

use super::CenterPorts;
use crate::vendor::command_runner::{self, Outcome};

const SHOW: &str = "show running-config";

#[async_trait]
impl ConfigReader for CenterPorts {
    async fn read_live(&self, cx: &ToolCx, device_id: &str) -> Result<SealedConfig, Error> {
        let (device, platform) = self.configured(cx, device_id).await?;
        // Before the request: what the device says is at least as new.
        let read_at_ms = cx.clock.now().as_millisecond();
        let run = command_runner::run(&self.api, cx, std::slice::from_ref(&device.id), &[SHOW.to_owned()]).await?;
        let text = match run.outcome(&device.id, SHOW, device.hostname.as_deref()) {
            Outcome::Printed(text) => text,
            Outcome::Failed(_) => return Err(command_runner::failed()),
            Outcome::Blocked => return Err(command_runner::failed().with_detail("the controller blocks the command")),
        };
        if !is_whole(platform, &text) {
            let message = "What came back is not a whole configuration: its end is missing. Repeat later.";
            return Err(Error::new(ErrorKind::Upstream, "configuration_incomplete", message));
        }
        let artifact =
            cx.artifacts.put_sealed_unmasked(ArtifactKind::Configuration, "text/plain", text.as_bytes()).await?;
        Ok(SealedConfig {
            device_id: device.id,
            platform: platform.name().to_owned(),
            artifact,
            read_at_ms,
            source_at_ms: run.ended_ms,
            sha256: hex::encode(sha256(device_config::parse(platform, &text).text().as_bytes())),
            secrets_unseen: device_config::mask(platform, &text).unseen,
        })
    }
}

/// Whether a printed configuration came to its end: three of the platforms mark it. One that was cut short would be taken for
/// a device that has lost half of its lines.
fn is_whole(platform: Platform, text: &str) -> bool {
    let last = text.lines().rev().map(str::trim).find(|line| !line.is_empty());
    match platform {
        Platform::IosXe | Platform::IosXr => last == Some("end"),
        Platform::Asa => last == Some(": end"),
        Platform::NxOs => last.is_some(),
    }
}

#[cfg(test)]
mod tests {
    use device_config::Platform;

    use super::is_whole;

    #[test]
    fn a_configuration_that_was_cut_short_is_none() {
        for (platform, text, whole) in [
            (Platform::IosXe, "hostname a\nend\n\n", true),
            (Platform::IosXe, "hostname a\ninterface Vlan1\n", false),
            (Platform::IosXr, "hostname a\n!\nend\n", true),
            (Platform::Asa, "hostname a\n: end\n", true),
            (Platform::Asa, "hostname a\nend\n", false),
            (Platform::NxOs, "hostname a\n", true),
            (Platform::NxOs, "\n", false),
        ] {
            assert_eq!(is_whole(platform, text), whole, "{platform} {text:?}");
        }
    }
}
