//! The commands. Each has a module of its own name.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use platform::config::{Config, Loaded, environment, load};

use crate::failure::Outcome;
use crate::terminal::Terminal;
use crate::{
    admin, audit, backup, bridge, change, check, connect, device_config, doctor, exit, login, logout, policy, secret,
    serve, tools,
};

/// MCP servers for the network, behind sign-in, policy, just-in-time credentials and a tamper-evident audit log.
#[derive(Parser)]
#[command(name = "interlock", version, after_help = exit::HELP, max_term_width = 100)]
pub(crate) struct Cli {
    /// Print one JSON document instead of text.
    #[arg(long, global = true)]
    pub(crate) json: bool,
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Run a lab: platform, issuer and simulated systems on this machine, with nothing external.
    #[cfg(feature = "lab")]
    Lab(crate::lab::Lab),
    /// Run the platform.
    Serve(serve::Serve),
    /// Read a configuration and show where each value comes from.
    Check(check::Check),
    /// Find the setting that is wrong, and say how to mend it.
    Doctor(doctor::Doctor),
    /// Sign in, and keep the token for the other commands.
    Login(login::Login),
    /// Sign out: take the kept token back and forget it.
    Logout(logout::Logout),
    /// Tell an MCP client of this machine about the platform.
    Connect(connect::Connect),
    /// Speak MCP for a client.
    Mcp(bridge::Mcp),
    /// List, describe and call tools over REST.
    Tools(tools::Tools),
    /// Plan changes, follow them, decide about them, and get their evidence.
    Change(change::Change),
    /// Get and check the evidence of a change.
    Evidence(change::evidence::Evidence),
    /// Test a policy bundle, or ask it.
    Policy(policy::Policy),
    /// Understand device configurations, offline.
    DeviceConfig(device_config::DeviceConfig),
    /// Write secrets, and read what may be shown about them.
    Secret(secret::SecretCommand),
    /// Read, verify and export the audit log.
    Audit(audit::Audit),
    /// Copy everything that a platform keeps into one archive, while it runs or not.
    Backup(backup::Backup),
    /// Put an archive's files back into a stopped platform.
    Restore(backup::Restore),
    /// People of the built-in issuer.
    User(admin::User),
    /// Groups of the built-in issuer.
    Group(admin::Group),
    /// OAuth clients of the built-in issuer.
    Client(admin::Client),
    /// The platform's own keys.
    Keys(admin::Keys),
}

impl Command {
    pub(crate) async fn run(self, terminal: &Terminal) -> Outcome {
        match self {
            #[cfg(feature = "lab")]
            Self::Lab(lab) => lab.run(terminal).await,
            Self::Serve(serve) => serve.run(terminal).await,
            Self::Check(check) => check.run(terminal),
            Self::Doctor(doctor) => doctor.run(terminal).await,
            Self::Login(login) => login.run(terminal).await,
            Self::Logout(logout) => logout.run(terminal).await,
            Self::Connect(connect) => connect.run(terminal),
            Self::Mcp(mcp) => mcp.run(terminal).await,
            Self::Tools(tools) => tools.run(terminal).await,
            Self::Change(change) => change.run(terminal).await,
            Self::Evidence(evidence) => evidence.run(terminal).await,
            Self::Policy(policy) => policy.run(terminal),
            Self::DeviceConfig(device_config) => device_config.run(terminal),
            Self::Secret(secret) => secret.run(terminal).await,
            Self::Audit(audit) => audit.run(terminal).await,
            Self::Backup(backup) => backup.run(terminal).await,
            Self::Restore(restore) => restore.run(terminal).await,
            Self::User(user) => user.run(terminal).await,
            Self::Group(group) => group.run(terminal).await,
            Self::Client(client) => client.run(terminal).await,
            Self::Keys(keys) => keys.run(terminal).await,
        }
    }
}

/// Where a platform's data stands: its configuration, or a lab's folder.
#[derive(Args, Clone)]
#[group(required = true, multiple = false)]
pub(crate) struct Place {
    /// Configuration file of the platform.
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// State folder of a lab.
    #[arg(long, value_name = "DIR")]
    pub(crate) state: Option<PathBuf>,
}

/// Reads a configuration as `serve` does: defaults, file, environment.
pub(crate) fn read_config(file: &std::path::Path) -> Outcome<Loaded> {
    Ok(load(Some(file), environment()).map_err(platform::Error::from)?)
}

impl Place {
    /// The configuration, if one was named.
    pub(crate) fn configuration(&self) -> Outcome<Option<Config>> {
        self.config.as_deref().map(|file| read_config(file).map(|loaded| loaded.config)).transpose()
    }
}

#[cfg(test)]
mod tests {
    use clap::{CommandFactory as _, Parser as _};

    use super::Cli;

    #[test]
    fn the_command_line_is_well_formed() {
        Cli::command().debug_assert();
    }

    #[test]
    fn help_is_as_it_was_agreed() {
        let mut text = String::new();
        let mut command = Cli::command().term_width(100);
        text.push_str(&command.render_help().to_string());
        for name in [
            "lab",
            "doctor",
            "login",
            "logout",
            "connect",
            "mcp",
            "tools",
            "change",
            "evidence",
            "policy",
            "device-config",
            "secret",
            "audit",
            "backup",
            "restore",
            "user",
            "group",
            "client",
            "keys",
        ] {
            let sub = command.find_subcommand_mut(name).unwrap();
            text.push_str(&format!("\n=== {name}\n{}", sub.render_help()));
        }
        let change = command.find_subcommand_mut("change").unwrap();
        let names: Vec<String> = change.get_subcommands().map(|sub| sub.get_name().to_owned()).collect();
        for name in names {
            let sub = change.find_subcommand_mut(&name).unwrap();
            text.push_str(&format!("\n=== change {name}\n{}", sub.render_help()));
        }
        let bridge = command.find_subcommand_mut("mcp").and_then(|mcp| mcp.find_subcommand_mut("bridge")).unwrap();
        text.push_str(&format!("\n=== mcp bridge\n{}", bridge.render_help()));
        insta::assert_snapshot!("help", text);
    }

    #[test]
    fn the_lab_contract_parses() {
        for line in [
            "interlock lab --state d --listen 127.0.0.1:0 --json --devices 10",
            "interlock lab --json --listen 127.0.0.1:0 --state d",
            "interlock lab world --state d",
            "interlock lab story --state d",
            "interlock lab otp --state d --user alice",
            "interlock lab token --state d --user alice --mfa --audience http://127.0.0.1:1/mcp/interlock",
            "interlock device-config mask --platform ios-xe running.cfg",
            "interlock device-config parse --platform nx-os --json",
            "interlock device-config merge --platform ios-xe --base running.cfg lines.txt --diff",
            "interlock device-config diff --platform ios-xr --base running.cfg wanted.cfg --lines",
            "interlock device-config undo --platform asa --base running.cfg -",
            "interlock audit verify --state d --json",
            "interlock evidence verify chg.tar --key K --anchor notes --json",
            "interlock change evidence verify chg.tar --state d",
            "interlock audit export --state d",
            "interlock user create dave --group operators --state d",
            "interlock user list --url http://127.0.0.1:1 --json",
            "interlock group add admin dave --state d --as ada",
            "interlock client create robot --grant client-credentials --confidential --state d",
            "interlock keys rotate issuer --now --state d",
            "interlock tools call catalyst-center get_device --arg device_id=1 --state d --user alice",
        ] {
            assert!(Cli::try_parse_from(line.split(' ')).is_ok(), "{line}");
        }
        for line in [
            "interlock",
            "interlock audit verify",
            "interlock evidence verify a.tar",
            "interlock secret put a",
            "interlock lab token --state d",
        ] {
            let code = Cli::try_parse_from(line.split(' ')).map(drop).unwrap_err().exit_code();
            assert_eq!(code, 2, "{line}");
        }
    }
}
