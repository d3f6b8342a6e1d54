//! `interlock change plan`: from a wish to a plan that can be read. It waits until the devices were read, and prints what will
//! differ; nothing was changed by then.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use platform::Json;
use serde_json::{Map, json};

use super::look::Colour;
use super::{call, follow, print, words};
use crate::exit::Exit;
use crate::failure::{Failure, Outcome};
use crate::rest::Connection;
use crate::terminal::Terminal;
use crate::tools::arguments;

#[derive(Args)]
pub(super) struct Plan {
    /// Server whose devices are changed, for example `catalyst-center`.
    server: String,
    /// The server's id of the template.
    #[arg(long, value_name = "ID")]
    template: String,
    /// A committed version of the template; the newest when left out.
    #[arg(long, value_name = "ID")]
    version: Option<String>,
    /// The server's id of a device; one to three of them.
    #[arg(long = "device", value_name = "ID", required = true)]
    devices: Vec<String>,
    /// One parameter of the template, for all devices. What reads as JSON is JSON.
    #[arg(long = "param", value_name = "NAME=VALUE")]
    params: Vec<String>,
    /// All parameters as one JSON object.
    #[arg(long, value_name = "JSON", conflicts_with = "params")]
    json_params: Option<String>,
    /// File with a JSON object of parameters that nobody may see; `-` for standard input.
    #[arg(long, value_name = "FILE")]
    secret_params: Option<PathBuf>,
    /// One line for people: what and where.
    #[arg(long, value_name = "TEXT")]
    title: String,
    /// Why, for the approver.
    #[arg(long, value_name = "TEXT")]
    reason: String,
    /// How long the checks go on after the last device, seconds.
    #[arg(long, value_name = "SECONDS")]
    soak: Option<u64>,
    /// Most devices of the first, the second … batch; the last number goes on.
    #[arg(long, value_name = "N", value_delimiter = ',')]
    batches: Vec<u32>,
    /// What a stop means for devices that were written to.
    #[arg(long, value_enum, value_name = "WHAT")]
    on_stop: Option<OnStop>,
    /// What a device means that is not what the plan was made for.
    #[arg(long, value_enum, value_name = "WHAT")]
    on_stale: Option<OnStale>,
    /// Stop when more than this share of the devices failed, percent.
    #[arg(long, value_name = "PERCENT")]
    max_fail: Option<u32>,
    /// Do not save the startup configuration after the last check.
    #[arg(long)]
    no_save: bool,
    /// Answer with the id at once, before there is a plan.
    #[arg(long)]
    no_wait: bool,
    #[command(flatten)]
    colour: Colour,
    #[command(flatten)]
    connection: Connection,
}

#[derive(Clone, Copy, ValueEnum)]
enum OnStop {
    /// They are undone, the last first.
    Undo,
    /// The run stands still and waits for a person.
    Hold,
}

#[derive(Clone, Copy, ValueEnum)]
enum OnStale {
    /// The run stops.
    Stop,
    /// The device is left out.
    SkipDevice,
}

impl Plan {
    pub(super) async fn run(self, terminal: &Terminal) -> Outcome {
        let (wish, colour, no_wait) = (self.wish()?, self.colour.is_on(), self.no_wait);
        let rest = self.connection.open(terminal).await?;
        let change = call(&rest, "plan_change", &wish).await?;
        if no_wait {
            return print(terminal, &change);
        }
        let change = follow(terminal, &rest, change, |change| change["state"] != "planning").await?;
        if change["state"] != "planned" {
            print(terminal, &change)?;
            return Err(Failure::Shown(Exit::Failed));
        }
        let plan = call(&rest, "get_change_plan", &json!({ "change_id": change["change_id"] })).await?;
        let says = format!("{}\n\n{}", words::difference(&plan, colour), words::change(&change));
        terminal.result(&says, &json!({ "change": change, "plan": plan }))
    }

    /// The arguments of `plan_change`.
    fn wish(&self) -> Outcome<Json> {
        let params = match &self.json_params {
            Some(text) => arguments::object(text)?,
            None => arguments::typed(&self.params, None)?,
        };
        let mut wish = Map::from_iter([
            ("server".to_owned(), self.server.as_str().into()),
            ("template_id".to_owned(), self.template.as_str().into()),
            ("device_ids".to_owned(), json!(self.devices)),
            ("params".to_owned(), params),
            ("title".to_owned(), self.title.as_str().into()),
            ("reason".to_owned(), self.reason.as_str().into()),
        ]);
        wish.extend(self.version.as_ref().map(|id| ("version_id".to_owned(), id.as_str().into())));
        if let Some(file) = &self.secret_params {
            wish.insert("secret_params".to_owned(), secrets(file)?);
        }
        let mut options = Map::new();
        options.extend(self.soak.map(|s| ("soak_s".to_owned(), s.into())));
        options.extend(self.max_fail.map(|p| ("max_fail_percentage".to_owned(), p.into())));
        options.extend(self.on_stop.map(|on_stop| {
            let word = if matches!(on_stop, OnStop::Undo) { "undo" } else { "hold" };
            ("on_stop".to_owned(), word.into())
        }));
        options.extend(self.on_stale.map(|on_stale| {
            let word = if matches!(on_stale, OnStale::Stop) { "stop" } else { "skip_device" };
            ("on_stale".to_owned(), word.into())
        }));
        if !self.batches.is_empty() {
            options.insert("batches".to_owned(), json!(self.batches));
        }
        if self.no_save {
            options.insert("save_startup".to_owned(), "never".into());
        }
        if !options.is_empty() {
            wish.insert("options".to_owned(), options.into());
        }
        Ok(wish.into())
    }
}

/// Parameters that never stand on a command line, which others can read.
fn secrets(file: &std::path::Path) -> Outcome<Json> {
    let text = crate::device_config::read(Some(file))?;
    // The reader's own message could repeat a value.
    let read = serde_json::from_str::<Json>(&text).ok().filter(Json::is_object);
    read.ok_or_else(|| {
        Failure::new(Exit::Usage, "arguments_unreadable", "--secret-params is one JSON object of texts.")
    })
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;
    use serde_json::json;

    use super::Plan;

    #[derive(clap::Parser)]
    struct Line {
        #[command(flatten)]
        plan: Plan,
    }

    #[test]
    fn a_wish_holds_what_was_said_and_leaves_the_rest_to_the_platform() {
        let line = "x catalyst-center --template t --device d1 --device d2 --param vlan_id=120 --param name=A --title T --reason R";
        let wish = Line::parse_from(line.split(' ')).plan.wish().unwrap();
        assert_eq!(
            wish,
            json!({"server": "catalyst-center", "template_id": "t", "device_ids": ["d1", "d2"],
                "params": {"vlan_id": 120, "name": "A"}, "title": "T", "reason": "R"})
        );
        let more = format!(
            "{line} --soak 0 --batches 1,2 --on-stop hold --on-stale skip-device --max-fail 50 --no-save --version v"
        );
        let wish = Line::parse_from(more.split(' ')).plan.wish().unwrap();
        assert_eq!(
            (&wish["options"], &wish["version_id"]),
            (
                &json!({"soak_s": 0, "batches": [1, 2], "on_stop": "hold", "on_stale": "skip_device",
                    "max_fail_percentage": 50, "save_startup": "never"}),
                &json!("v")
            )
        );
    }
}
