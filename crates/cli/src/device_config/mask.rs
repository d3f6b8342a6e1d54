//! `interlock device-config mask`.

use clap::Args;
use serde_json::json;
use server::offline::device_config::mask;

use super::Given;
use crate::failure::Outcome;
use crate::terminal::Terminal;

#[derive(Args)]
pub(super) struct Mask {
    #[command(flatten)]
    given: Given,
}

impl Mask {
    pub(super) fn run(self, terminal: &Terminal) -> Outcome {
        let masked = mask(self.given.platform, &self.given.read()?);
        terminal.result(
            &masked.text,
            &json!({"text": masked.text, "masked_secrets": masked.secrets, "secrets_unseen": masked.unseen}),
        )
    }
}
