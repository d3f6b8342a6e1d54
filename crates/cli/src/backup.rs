//! `interlock backup` and `interlock restore` (T24).

use std::path::PathBuf;

use clap::Args;
use serde_json::json;
use server::offline::backup::{self, Installation};

use crate::command::Place;
use crate::failure::{Failure, Outcome};
use crate::terminal::Terminal;

/// What a restore means for people.
const STALE: &str = "Everybody signs in again. What was under way at the backup has an unknown outcome.";

#[derive(Args)]
pub(crate) struct Backup {
    #[command(flatten)]
    place: Place,
    /// Archive to write; must not exist. It holds no master key: keep that elsewhere.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

#[derive(Args)]
pub(crate) struct Restore {
    #[command(flatten)]
    place: Place,
    /// Archive to restore.
    #[arg(required_unless_present = "in_place")]
    file: Option<PathBuf>,
    /// Move what stands there aside; nothing is deleted.
    #[arg(long, conflicts_with = "in_place")]
    replace: bool,
    /// The database's own tools have put the PostgreSQL store back: give up what may have gone on since.
    #[arg(long, requires = "config", conflicts_with = "file")]
    in_place: bool,
}

fn installation(place: &Place) -> Outcome<Installation> {
    Ok(match (place.configuration()?, &place.state) {
        (Some(config), _) => Installation::of(&config)?,
        (None, state) => Installation::of_lab(&state.clone().unwrap_or_default())?,
    })
}

impl Backup {
    pub(crate) async fn run(self, terminal: &Terminal) -> Outcome {
        let installation = installation(&self.place)?;
        let out = self.out.clone();
        // Copying takes a while: off the threads that serve.
        let done = tokio::task::spawn_blocking(move || installation.backup(&self.out)).await;
        let manifest = done.map_err(|e| Failure::internal(&e))??;
        let bytes: u64 = manifest.members.iter().map(|m| m.bytes).sum();
        let words = format!(
            "{}: {} files, {bytes} bytes, as of {}",
            out.display(),
            manifest.members.len(),
            manifest.created_at
        );
        let digest = manifest.digest()?;
        let value = json!({"file": out.display().to_string(), "digest": digest, "created_at": manifest.created_at,
            "files": manifest.members.len(), "bytes": bytes, "logs": manifest.logs});
        terminal.result(&words, &value)
    }
}

impl Restore {
    pub(crate) async fn run(self, terminal: &Terminal) -> Outcome {
        let Some(file) = self.file.filter(|_| !self.in_place) else {
            let config = self.place.configuration()?.ok_or_else(|| Failure::internal(&"no configuration"))?;
            let voided = backup::restored_in_place(&config).await?;
            let words = format!("{STALE}\nThe next start begins a new audit log.");
            return terminal.result(&words, &json!({ "voided": voided }));
        };
        let done = installation(&self.place)?.restore(&file, self.replace).await?;
        let aside = done.aside.map(|path| path.display().to_string());
        let mut words = format!("Restored the backup of {}.", done.manifest.created_at);
        words.push_str(&format!("\n{STALE}"));
        if let Some(aside) = &aside {
            words.push_str(&format!("\nWhat stood there before is in {aside}"));
        }
        let digest = done.manifest.digest()?;
        let value = json!({"digest": digest, "created_at": done.manifest.created_at, "aside": aside, "voided": done.voided,
            "logs": done.manifest.logs});
        terminal.result(&words, &value)
    }
}
