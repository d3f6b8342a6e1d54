//! The policy profiles that ship: what a deployment asks for beyond the role grants (rule T6). Next: `guard_rails`, which
//! holds every policy to what its profile promises.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A named set of obligations.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Profile {
    /// For a lab: `change` and above need a step-up only. `serve` refuses it outside a lab (T30).
    LabOpen,
    /// `change` and `disruptive` need an approved change and a step-up.
    Production,
}

impl Profile {
    /// Every profile.
    pub const ALL: [Self; 2] = [Self::LabOpen, Self::Production];

    /// The name that configuration and policy data use: `lab-open`, `production`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::LabOpen => "lab-open",
            Self::Production => "production",
        }
    }
}

impl fmt::Display for Profile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A name that is no profile.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no policy profile; use `lab-open` or `production`")]
pub struct UnknownProfile(pub String);

impl FromStr for Profile {
    type Err = UnknownProfile;

    fn from_str(name: &str) -> Result<Self, UnknownProfile> {
        Self::ALL.into_iter().find(|profile| profile.as_str() == name).ok_or_else(|| UnknownProfile(name.to_owned()))
    }
}
