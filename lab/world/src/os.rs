//! The operating systems that simulated devices run.
//!
//! Where next: [`crate::lines`] for how each takes lines, [`crate::show`] for how each prints.

use serde::{Deserialize, Serialize};

/// An operating system of the vendor.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Os {
    /// Campus switches, routers and wireless controllers.
    #[default]
    IosXe,
    /// Data-centre switches.
    NxOs,
    /// Routers of the wide-area core.
    IosXr,
    /// Firewalls.
    Asa,
}

impl Os {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::IosXe, Self::NxOs, Self::IosXr, Self::Asa];

    /// The name as the controller spells it in `softwareType`.
    pub fn name(self) -> &'static str {
        match self {
            Self::IosXe => "IOS-XE",
            Self::NxOs => "NX-OS",
            Self::IosXr => "IOS-XR",
            Self::Asa => "ASA",
        }
    }
}
