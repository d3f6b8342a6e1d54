//! `interlock mcp bridge`: an MCP server on standard input and output that is the platform's, for clients that cannot
//! reach its address or cannot sign in. It signs the person in, keeps and renews the token, does the step-up, and turns
//! tasks into progress; the messages themselves pass through.
//!
//! Standard output carries protocol lines and nothing else; what a person has to read goes to standard error. The way of
//! a line: `message` reads it, `relay` gives it a task of its own, `upstream` posts it, `step_up` and `task` wait on the
//! client's behalf.

pub(crate) mod challenge;
mod event_stream;
mod message;
mod progress;
mod relay;
pub(crate) mod step_up;
mod task;
mod upstream;

use std::io::Write as _;
use std::sync::Arc;
use std::time::Duration;

use clap::{Args, Subcommand};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;
use url::Url;

use self::message::Unreadable;
use self::relay::{Relay, unreadable_line};
use self::step_up::StepUpBy;
use self::upstream::{Bearer, Upstream};
use crate::exit::Exit;
use crate::failure::{Failure, Outcome};
use crate::login::By;
use crate::rest;
use crate::sign_in::browser;
use crate::terminal::{self, Terminal};

/// Longest line of the client, bytes.
const LONGEST_LINE: usize = 8 << 20;
/// How long answers under way are waited for after the client closed its side.
const DRAIN: Duration = Duration::from_secs(10);

#[derive(Args)]
pub(crate) struct Mcp {
    #[command(subcommand)]
    command: McpCommand,
}

#[derive(Subcommand)]
enum McpCommand {
    /// Be an MCP server on standard input and output, for a client that cannot reach the platform or sign in by itself.
    Bridge(Box<Bridge>),
}

#[derive(Args)]
struct Bridge {
    /// Server instance, for example `catalyst-center` or `catalyst-center/readonly`; `/mcp` for all at once.
    server: String,
    /// Public base URL of the platform; the last one signed in to when left out.
    #[arg(long, env = "INTERLOCK_URL", value_name = "URL")]
    url: Option<Url>,
    #[command(flatten)]
    by: By,
    /// How a person gets to the page where a refused call is confirmed with a second factor.
    #[arg(long, value_name = "HOW", value_enum, default_value_t = StepUpBy::Auto)]
    step_up: StepUpBy,
}

impl Mcp {
    pub(crate) async fn run(self, terminal: &Terminal) -> Outcome {
        let McpCommand::Bridge(bridge) = self.command;
        // Standard output belongs to the protocol.
        bridge.run().await.map_err(|failure| failure.on_stderr(terminal))
    }
}

/// The URL of a server's endpoint below a platform's base: what its token is for.
pub(crate) fn endpoint(base: &str, server: &str) -> Outcome<String> {
    let name = server.trim_matches('/');
    let name = name.strip_prefix("mcp/").unwrap_or(name);
    let base = base.trim_end_matches('/');
    if name == "mcp" {
        return Ok(format!("{base}/mcp"));
    }
    let plain = |segment: &str| {
        !segment.is_empty() && segment.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
    };
    if name.split('/').all(plain) {
        return Ok(format!("{base}/mcp/{name}"));
    }
    let message = format!("`{server}` is no name of a server: letters, digits, - and _; `/mcp` for all at once.");
    Err(Failure::new(Exit::Usage, "name_invalid", message))
}

impl Bridge {
    async fn run(self) -> Outcome {
        let base = rest::platform(self.url)?;
        let resource = endpoint(&base, &self.server)?;
        let url = Url::parse(&resource).map_err(|e| Failure::internal(&e))?;
        let bearer = match rest::token_from_environment() {
            Some(token) => Bearer::Given(token),
            None => Bearer::Tokens(self.by.tokens(&resource)?),
        };
        let answers_challenges = self.step_up.reaches_the_person(browser::available());
        let upstream = Upstream::new(&url, bearer, answers_challenges)?;
        let (out, lines) = mpsc::channel(256);
        let relay = Arc::new(Relay::new(upstream, self.step_up, Box::new(terminal::say), out));
        Box::pin(pump(relay, lines)).await
    }
}

/// What the reading thread hears.
enum Input {
    Line(String),
    TooLong,
}

/// Moves lines both ways until the client closes its side, or is gone, or the process is asked to end.
async fn pump(relay: Arc<Relay>, lines: mpsc::Receiver<String>) -> Outcome {
    let mut writer = write(lines);
    let mut input = read();
    let mut asked_to_end = signal(SignalKind::terminate()).map_err(|e| Failure::internal(&e))?;
    let mut work = JoinSet::new();
    loop {
        tokio::select! {
            heard = input.recv() => match heard {
                Some(Input::Line(line)) if line.trim().is_empty() => {}
                Some(Input::Line(line)) => relay.take(&line, &mut work).await,
                Some(Input::TooLong) => relay.refuse(too_long()).await,
                None => break,
            },
            Some(_) = work.join_next() => {}
            _ = asked_to_end.recv() => return Ok(()),
            _ = tokio::signal::ctrl_c() => return Ok(()),
            _ = &mut writer => return Ok(()),
        }
    }
    // A client that closes its side may still read the answers; one that is in a hurry sends SIGTERM.
    let drained = async { while work.join_next().await.is_some() {} };
    tokio::select! {
        () = drained => {}
        () = tokio::time::sleep(DRAIN) => {}
        _ = asked_to_end.recv() => return Ok(()),
        _ = &mut writer => return Ok(()),
    }
    work.shutdown().await;
    drop(relay);
    // Its end is all that it says.
    drop(writer.await);
    Ok(())
}

fn too_long() -> String {
    unreadable_line(&Unreadable {
        rpc: -32600,
        code: "line_too_long",
        message: "A line has at most 8 MiB; send less at once.",
    })
}

/// Writes lines whole, and flushes each: the client waits for it. The receiver hears when the client reads no more, or when
/// all is written.
fn write(mut lines: mpsc::Receiver<String>) -> oneshot::Receiver<()> {
    let (ended, end) = oneshot::channel();
    std::thread::spawn(move || {
        let mut out = std::io::stdout().lock();
        while let Some(line) = lines.blocking_recv() {
            if writeln!(out, "{line}").and_then(|()| out.flush()).is_err() {
                break;
            }
        }
        drop(ended);
    });
    end
}

/// Reads lines on a thread of its own, as [`write`] writes on one: neither can be interrupted, and none must keep the
/// process.
fn read() -> mpsc::Receiver<Input> {
    let (sender, input) = mpsc::channel(64);
    std::thread::spawn(move || {
        let mut stdin = std::io::stdin().lock();
        while let Some(heard) = next_line(&mut stdin) {
            if sender.blocking_send(heard).is_err() {
                return;
            }
        }
    });
    input
}

/// The next line, or `None` at the end. One that is too long is skipped whole and never held.
fn next_line(from: &mut impl std::io::BufRead) -> Option<Input> {
    let (mut line, mut too_long) = (Vec::new(), false);
    loop {
        let available = match from.fill_buf() {
            Ok(available) => available,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
            Err(_) => return None,
        };
        if available.is_empty() && line.is_empty() && !too_long {
            return None;
        }
        let end = available.iter().position(|b| *b == b'\n');
        let (part, taken) = match end {
            Some(end) => (&available[..end], end + 1),
            None => (available, available.len()),
        };
        too_long |= line.len() + part.len() > LONGEST_LINE;
        if too_long {
            line.clear();
        } else {
            line.extend_from_slice(part);
        }
        let at_end = end.is_some() || available.is_empty();
        from.consume(taken);
        if at_end {
            return Some(match (too_long, String::from_utf8(line)) {
                (true, _) => Input::TooLong,
                // What is no text is no JSON; it is answered as such.
                (false, text) => Input::Line(text.unwrap_or_else(|_| "\u{fffd}".to_owned())),
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::BufReader;

    use super::{Input, LONGEST_LINE, endpoint, next_line};

    #[test]
    fn an_endpoint_is_a_server_a_narrower_view_of_it_or_all_of_them() {
        let at = |server: &str| endpoint("http://h:1/", server).ok();
        assert_eq!(at("catalyst-center").as_deref(), Some("http://h:1/mcp/catalyst-center"));
        assert_eq!(at("/mcp/catalyst-center/readonly").as_deref(), Some("http://h:1/mcp/catalyst-center/readonly"));
        assert_eq!(at("/mcp").as_deref(), Some("http://h:1/mcp"));
        for wrong in ["", "/", "a//b", "../x", "a?b", "http://h/mcp/x"] {
            assert_eq!(at(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_line_that_is_too_long_is_skipped_and_the_next_one_is_read() {
        let mut text = vec![b'x'; LONGEST_LINE + 1];
        text.extend_from_slice(b"\nshort\n\xff\nlast");
        let mut from = BufReader::new(&text[..]);
        assert!(matches!(next_line(&mut from), Some(Input::TooLong)));
        let mut rest = Vec::new();
        while let Some(Input::Line(line)) = next_line(&mut from) {
            rest.push(line);
        }
        assert_eq!(rest, ["short", "\u{fffd}", "last"]);
    }
}
