//! The platforms whose configurations are understood, and their names.

use std::fmt;
use std::str::FromStr;

/// A network operating system.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Platform {
    /// Cisco IOS XE.
    IosXe,
    /// Cisco NX-OS.
    NxOs,
    /// Cisco IOS XR.
    IosXr,
    /// Cisco ASA.
    Asa,
}

impl Platform {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::IosXe, Self::NxOs, Self::IosXr, Self::Asa];

    /// `ios-xe`, `nx-os`, `ios-xr`, `asa`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::IosXe => "ios-xe",
            Self::NxOs => "nx-os",
            Self::IosXr => "ios-xr",
            Self::Asa => "asa",
        }
    }

    /// The platform of a device whose software type a controller gives: `IOS-XE`, `NX-OS`, `IOS-XR`, `ASA`.
    pub fn of_software_type(software_type: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|platform| platform.name().eq_ignore_ascii_case(software_type))
    }
}

impl fmt::Display for Platform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A name that is no platform's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnknownPlatform;

impl fmt::Display for UnknownPlatform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the platforms are ios-xe, nx-os, ios-xr and asa")
    }
}

impl std::error::Error for UnknownPlatform {}

impl FromStr for Platform {
    type Err = UnknownPlatform;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|platform| platform.name() == text).ok_or(UnknownPlatform)
    }
}
