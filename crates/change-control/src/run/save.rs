//! Saving what has held: the running configuration becomes the one that a device starts with. It may be repeated without harm,
//! and a device that cannot be saved is told: the change itself is done.

use platform::Error;
use platform::context::RunStep;

use super::contract::{Devices, Saved};
use crate::changes::Changes;
use crate::planning::is_worth_repeating;

/// How often one device is asked.
const TRIES: u32 = 3;
/// Wait between two tries.
const BETWEEN: std::time::Duration = std::time::Duration::from_secs(5);

impl Changes {
    /// See [`super::contract::SAVE`].
    pub(super) async fn save_startup(&self, input: Devices) -> Result<Saved, Error> {
        let change = self.book().get(&input.change).await?.change;
        let step = RunStep { change: change.id.to_string(), undo: false, attempt: None };
        let ports = self.ports(&change, Some(step))?;
        let mut failed = Vec::new();
        for device_id in input.devices {
            let mut tries = 0;
            let saved = loop {
                tries += 1;
                match ports.save_startup(&device_id).await {
                    Err(error) if is_worth_repeating(&error) && tries < TRIES => tokio::time::sleep(BETWEEN).await,
                    result => break result,
                }
            };
            if let Err(error) = saved {
                tracing::warn!(
                    device.id = device_id,
                    error.code = error.code(),
                    "a startup configuration was not saved"
                );
                failed.push(device_id);
            }
        }
        Ok(Saved { failed })
    }
}
