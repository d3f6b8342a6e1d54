//! The clients: where each keeps its configuration, and whether it reaches a server over the network by itself. Read in
//! their own documentation and in what they write.

use std::path::PathBuf;

use clap::ValueEnum;

use super::entry::Entry;
use super::{codex, json, langgraph};
use crate::exit::Exit;
use crate::failure::{Failure, Outcome};

/// A client of this machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Client {
    /// Claude Desktop (by the bridge).
    ClaudeDesktop,
    /// Claude Code.
    ClaudeCode,
    /// Visual Studio Code.
    Vscode,
    /// Cursor.
    Cursor,
    /// Codex.
    Codex,
    /// LangGraph: a Python module for `langchain-mcp-adapters` (by the bridge).
    Langgraph,
}

impl Client {
    /// Where its configuration is: the person's own, or that of the project in the current folder.
    pub(super) fn file(self, environment: &[(String, String)], project: bool) -> Outcome<PathBuf> {
        let value =
            |name: &str| environment.iter().find(|(n, v)| n == name && !v.is_empty()).map(|(_, v)| PathBuf::from(v));
        if project {
            return match self {
                Self::ClaudeCode => Ok(".mcp.json".into()),
                Self::Vscode => Ok(".vscode/mcp.json".into()),
                Self::Cursor => Ok(".cursor/mcp.json".into()),
                Self::Codex => Ok(".codex/config.toml".into()),
                Self::Langgraph => Ok(langgraph::FILE.into()),
                Self::ClaudeDesktop => {
                    let message = "Claude Desktop knows no projects; leave --project out.";
                    Err(Failure::new(Exit::Usage, "project_unknown", message))
                }
            };
        }
        let home = || {
            value("HOME").ok_or_else(|| {
                Failure::new(Exit::Usage, "no_home", "There is no home folder; set HOME, or name a file with --file.")
            })
        };
        let applications = || {
            if cfg!(target_os = "macos") {
                return home().map(|home| home.join("Library/Application Support"));
            }
            let configured = value("XDG_CONFIG_HOME").filter(|path| path.is_absolute());
            configured.map_or_else(|| home().map(|home| home.join(".config")), Ok)
        };
        match self {
            Self::ClaudeDesktop => Ok(applications()?.join("Claude/claude_desktop_config.json")),
            Self::ClaudeCode => match value("CLAUDE_CONFIG_DIR") {
                Some(folder) => Ok(folder.join(".claude.json")),
                None => Ok(home()?.join(".claude.json")),
            },
            Self::Vscode => Ok(applications()?.join("Code/User/mcp.json")),
            Self::Cursor => Ok(home()?.join(".cursor/mcp.json")),
            Self::Codex => match value("CODEX_HOME") {
                Some(folder) => Ok(folder.join("config.toml")),
                None => Ok(home()?.join(".codex/config.toml")),
            },
            Self::Langgraph => Ok(langgraph::FILE.into()),
        }
    }

    /// Whether it speaks to a URL and signs in there by itself. The others are given the bridge.
    pub(super) fn reaches_by_itself(self) -> bool {
        !matches!(self, Self::ClaudeDesktop | Self::Langgraph)
    }

    /// The text of its configuration with this server, or without it. The error says what is wrong with the text.
    pub(super) fn edit(self, text: &str, name: &str, entry: Option<&Entry>) -> Result<String, String> {
        let (plain, typed) = (entry.map(|e| e.members(false)), entry.map(|e| e.members(true)));
        match self {
            Self::ClaudeDesktop => json::edit(text, json::STRICT, "mcpServers", name, plain.as_deref()),
            Self::ClaudeCode => json::edit(text, json::STRICT, "mcpServers", name, typed.as_deref()),
            Self::Vscode => json::edit(text, json::WITH_COMMENTS, "servers", name, typed.as_deref()),
            Self::Cursor => json::edit(text, json::WITH_COMMENTS, "mcpServers", name, plain.as_deref()),
            Self::Codex => codex::edit(text, name, plain.as_deref()),
            Self::Langgraph => langgraph::edit(text, name, entry),
        }
    }

    /// What the person does next.
    pub(super) fn next_step(self, removed: bool) -> &'static str {
        match self {
            _ if removed => "Restart the client, or reload its servers.",
            Self::ClaudeDesktop => "Restart Claude Desktop; a browser opens for the sign-in when it starts the server.",
            Self::ClaudeCode => "In Claude Code, `/mcp` shows the server and signs you in.",
            Self::Vscode => "In Visual Studio Code, `MCP: List Servers` starts the server and signs you in.",
            Self::Cursor => "In Cursor's settings, under MCP, the server appears and asks you to sign in.",
            Self::Codex => "`codex mcp login NAME` signs you in where Codex reaches the platform itself.",
            Self::Langgraph => "`from interlock_mcp import tools`, then `await tools()` in your graph.",
        }
    }
}
