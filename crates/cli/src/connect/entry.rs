//! What a client is told about one server: a URL that it reaches by itself, or a program that it starts. Never a token.

use platform::Json;
use serde_json::json;

/// One server in a client's configuration.
#[derive(Debug, Clone)]
pub(super) enum Entry {
    /// Streamable HTTP; the client signs in.
    Direct { url: String },
    /// Standard input and output of the bridge.
    Bridge { program: String, arguments: Vec<String> },
}

/// What belongs to either way, and goes when the other one is written.
pub(super) const MEMBERS: [&str; 4] = ["type", "url", "command", "args"];

impl Entry {
    /// The members as most clients name them; `typed` where a client wants the kind of transport said.
    pub(super) fn members(&self, typed: bool) -> Vec<(&'static str, Json)> {
        let (kind, mut members) = match self {
            Self::Direct { url } => ("http", vec![("url", json!(url))]),
            Self::Bridge { program, arguments } => {
                ("stdio", vec![("command", json!(program)), ("args", json!(arguments))])
            }
        };
        if typed {
            members.insert(0, ("type", json!(kind)));
        }
        members
    }
}
