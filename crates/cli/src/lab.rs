//! `interlock lab` and what belongs to it. The contract with scripts is stable: with `--json`, exactly one line on
//! standard output when everything answers, SIGTERM drains and exits 0, a state folder can be used again.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;

use clap::{Args, Subcommand};
use platform::clock::SharedFileClock;
use platform::policy::Profile;
use platform::telemetry::{Format, Options};
use serde_json::json;
use server::lab::LabOptions;
use server::offline::lab as offline;
use server::offline::lab::{Deciding, Listener, TokenRequest, Told};
use tokio::io::{AsyncBufReadExt as _, BufReader};

use crate::exit::Exit;
use crate::failure::{Failure, Outcome};
use crate::serve::start_logging;
use crate::terminal::{Terminal, pretty};

/// Where a lab's state stands when nothing is said.
const STATE: &str = ".lab";

#[derive(Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct Lab {
    #[command(subcommand)]
    command: Option<LabCommand>,
    /// State folder; made where it is missing, used again where it is a lab's.
    #[arg(long, value_name = "DIR", default_value = STATE)]
    state: PathBuf,
    /// Loopback address; port 0 takes a free one.
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8080")]
    listen: SocketAddr,
    /// Devices per simulated controller.
    #[arg(long, value_name = "N", default_value_t = 300)]
    devices: u32,
    /// Policy profile: `lab-open` (changes need a second factor) or `production` (changes need an approved change too).
    #[arg(long, value_name = "NAME", default_value_t = Profile::Production)]
    profile: Profile,
    /// Loopback address of a web server whose client ID metadata documents are believed too; may be given several times.
    #[arg(long = "client-documents", value_name = "ADDR")]
    documents_from: Vec<SocketAddr>,
    /// Where the truth is kept: `postgres://user@host/database`; a file in the state folder when left out.
    #[arg(long, value_name = "URL")]
    store: Option<String>,
    /// Offer at `/mcp/conformance` what the official MCP conformance suite asks for.
    #[arg(long)]
    conformance: bool,
    /// End by SIGKILL at a named moment between two durable steps, NAME or NAME:N; for tests of what a crash leaves.
    #[arg(long = "kill-at", value_name = "MOMENT", hide = true)]
    kill_at: Option<String>,
}

#[derive(Subcommand)]
enum LabCommand {
    /// Play the whole tale, step by step, with no model in it; starts a lab for the time if none runs.
    Story {
        /// State folder of the lab.
        #[arg(long, value_name = "DIR")]
        state: Option<PathBuf>,
    },
    /// Print the one-time code that a person's authenticator shows now.
    Otp(Who),
    /// Sign a person in by the ordinary flow and print the access token.
    Token {
        #[command(flatten)]
        who: Who,
        /// Pass the second factor too.
        #[arg(long)]
        mfa: bool,
        /// Resource that the token is for; the platform when left out.
        #[arg(long, value_name = "URL")]
        audience: Option<String>,
    },
    /// Approve a change as a person of the lab, on its page: sign-in, a new factor for it, the decision.
    Approve(OneChange),
    /// Reject one, in the same way.
    Reject(OneChange),
    /// The simulated systems' own process; `interlock lab` starts it.
    #[command(hide = true)]
    World {
        /// State folder of the lab.
        #[arg(long, value_name = "DIR")]
        state: PathBuf,
    },
}

#[derive(Args)]
struct OneChange {
    #[command(flatten)]
    who: Who,
    /// Id of the change, `chg-…`.
    #[arg(value_name = "CHANGE")]
    change: String,
    /// Why; kept with the decision.
    #[arg(long, value_name = "TEXT", default_value = "Read on its page, in the lab.")]
    reason: String,
}

#[derive(Args)]
struct Who {
    /// State folder of the lab.
    #[arg(long, value_name = "DIR", default_value = STATE)]
    state: PathBuf,
    /// Name of a person of the lab.
    #[arg(long, value_name = "NAME")]
    user: String,
}

impl Lab {
    pub(crate) async fn run(self, terminal: &Terminal) -> Outcome {
        match self.command {
            None => {
                let Self { state, listen, devices, profile, documents_from, store, conformance, kill_at, .. } = self;
                if let Some(moment) = &kill_at {
                    platform::failpoint::arm(moment)?;
                }
                platform::process::forbid_core_dumps()?;
                log_by_the_labs_clock(&state)?;
                let json = terminal.json;
                let options = LabOptions { state, listen, devices, profile, documents_from, store, conformance, json };
                let run = server::lab::run(options);
                match Box::pin(run).await {
                    Ok(()) => Ok(()),
                    // Standard output belongs to the ready line alone.
                    Err(error) => Err(Failure::from(error).on_stderr(terminal)),
                }
            }
            Some(LabCommand::World { state }) => {
                start_logging(&Options::default())?;
                Ok(Box::pin(server::lab::world(state)).await?)
            }
            Some(LabCommand::Story { state }) => story(state, terminal).await,
            Some(LabCommand::Otp(Who { state, user })) => {
                let code = offline::one_time_code(&state, &user)?;
                let text = format!("{}  ({} s left)", code.code, code.seconds_left);
                terminal.result(&text, &json!({"user": user, "code": code.code, "seconds_left": code.seconds_left}))
            }
            Some(LabCommand::Approve(one)) => decide(one, true, terminal).await,
            Some(LabCommand::Reject(one)) => decide(one, false, terminal).await,
            Some(LabCommand::Token { who: Who { state, user }, mfa, audience }) => {
                let request = TokenRequest { state, user, mfa, audience };
                let token = offline::token(&request, &|text| terminal.progress(text)).await?;
                // The token is what was asked for; it is printed alone, so that `$(…)` takes it.
                terminal.result(token.expose(), &json!({"user": request.user, "access_token": token.expose()}))
            }
        }
    }
}

/// Plays the approver's page, and prints what a person reads there.
async fn decide(one: OneChange, approve: bool, terminal: &Terminal) -> Outcome {
    let OneChange { who: Who { state, user }, change, reason } = one;
    let deciding = Deciding { state, user, change, approve, reason };
    let decided = offline::decide(&deciding, &|text| terminal.progress(text)).await?;
    let mut text = format!("{}\n", decided.title);
    for warning in &decided.warnings {
        text.push_str(&format!("  ! {warning}\n"));
    }
    for group in &decided.groups {
        text.push_str(&format!("  {}\n", group.devices.join(", ")));
        for line in &group.difference {
            text.push_str(&format!("    {line}\n"));
        }
    }
    text.push_str(&decided.said);
    let verdict = if approve { "approve" } else { "reject" };
    terminal
        .result(&text, &json!({"user": deciding.user, "change": deciding.change, "verdict": verdict, "seen": decided}))
}

/// Log lines of a lab tell the lab's time, for people at a terminal; warnings only, so that what to click stays in sight.
fn log_by_the_labs_clock(state: &Path) -> Outcome {
    let clock = platform::lab_state::LabState::at(state).clock();
    let mut options = Options { format: Format::Human, filter: "warn".to_owned(), ..Options::default() };
    // At the very first start there is no clock yet, and it would stand at the machine's time anyway.
    if clock.exists()
        && let Ok(clock) = SharedFileClock::open(&clock)
    {
        options.clock = Arc::new(clock);
    }
    start_logging(&options)
}

async fn story(state: Option<PathBuf>, terminal: &Terminal) -> Outcome {
    let folder = state.clone().unwrap_or_else(|| PathBuf::from(STATE));
    let mut own = None;
    let folder = match running(&folder).await {
        true => folder,
        false => {
            let folder =
                state.unwrap_or_else(|| std::env::temp_dir().join(format!("interlock-story-{}", std::process::id())));
            terminal
                .progress(&format!("no lab is running; starting one in {} for the time of the tale", folder.display()));
            own = Some(start(&folder).await?);
            folder
        }
    };
    let mut teller = Teller { terminal, failed: None };
    let told = offline::play(&folder, &mut teller).await;
    if let Some(mut child) = own {
        stop(&mut child).await?;
    }
    let told = told?;
    if let Some(failure) = teller.failed {
        return Err(failure);
    }
    match terminal.json {
        true => terminal.line(&pretty(&json!({"ok": true, "steps": told}))),
        false => terminal.line("\nThat was the whole tale. Every step went through the same doors as any client."),
    }
}

/// Whether the lab of a folder answers.
async fn running(folder: &Path) -> bool {
    let Ok(ready) = offline::ready(folder) else { return false };
    let Ok(url) = ready.url.parse() else { return false };
    crate::web::get(&url, "/healthz").await.is_ok_and(|r| r.status.is_success())
}

/// Starts a lab as a child and waits for its ready line.
async fn start(folder: &Path) -> Outcome<tokio::process::Child> {
    let myself = std::env::current_exe().map_err(|e| Failure::internal(&e))?;
    let mut child = tokio::process::Command::new(myself)
        .args(["lab", "--json", "--listen", "127.0.0.1:0", "--state"])
        .arg(folder)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .map_err(|e| Failure::internal(&e))?;
    let out = child.stdout.take().ok_or_else(|| Failure::internal(&"the lab has no output"))?;
    let line = BufReader::new(out).lines().next_line().await.map_err(|e| Failure::internal(&e))?;
    match line {
        Some(_) => Ok(child),
        None => {
            Err(Failure::new(Exit::Unavailable, "lab_not_started", "The lab did not start; its own words stand above."))
        }
    }
}

/// Stops the child in order, as SIGTERM does.
async fn stop(child: &mut tokio::process::Child) -> Outcome {
    let pid = child.id().and_then(|id| i32::try_from(id).ok()).and_then(rustix::process::Pid::from_raw);
    if let Some(pid) = pid {
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).map_err(|e| Failure::internal(&e))?;
    }
    child.wait().await.map(drop).map_err(|e| Failure::internal(&e))
}

/// Prints the tale as it goes.
struct Teller<'a> {
    terminal: &'a Terminal,
    failed: Option<Failure>,
}

impl Listener for Teller<'_> {
    fn begins(&mut self, title: &str) {
        if self.terminal.json {
            self.terminal.progress(title);
        }
    }

    fn told(&mut self, told: &Told) {
        if self.terminal.json || self.failed.is_some() {
            return;
        }
        let mut text = format!("\n{}. {}\n", told.step, told.title);
        for line in &told.lines {
            text.push_str(&format!("     {line}\n"));
        }
        text.push_str(&format!("   → {}", told.shows));
        self.failed = self.terminal.line(&text).err();
    }

    fn waits(&self, why: &str) {
        self.terminal.progress(&format!("   … {why}"));
    }
}
