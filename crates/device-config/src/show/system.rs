//! The device itself: `show version`, `show inventory`, `show clock`.

use super::{Os, ShowFault, behind, number, os, words};
use crate::Platform;

/// `show version`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Version {
    /// The device's name.
    pub hostname: Option<String>,
    /// The release: `17.12.4`, `10.3(4a)`.
    pub version: String,
    /// How long it has been up, in seconds, as exactly as it says.
    pub uptime_s: u64,
    /// Serial numbers, one for each member of a stack; never empty.
    pub serials: Vec<String>,
}

/// Reads `show version`.
///
/// # Errors
///
/// An unsupported platform, or a text without release, uptime or serial.
pub fn version(platform: Platform, text: &str) -> Result<Version, ShowFault> {
    const COMMAND: &str = "show version";
    let os = os(platform, COMMAND)?;
    let mut found = Version { hostname: None, version: String::new(), uptime_s: 0, serials: Vec::new() };
    let mut uptime = None;
    for line in text.lines() {
        let version = match os {
            // The first line of IOS XE writes 17.12.04, and the one that a controller repeats 17.12.4.
            Os::IosXe if line.contains("IOS Software") => line.split_once("Version ").map(|(_, rest)| rest),
            Os::IosXe => None,
            Os::NxOs => {
                ["NXOS: version ", "system:    version ", "system: version "].iter().find_map(|b| behind(line, b))
            }
        };
        if let Some(version) =
            version.and_then(|rest| rest.split([' ', ',']).next()).filter(|_| found.version.is_empty())
        {
            found.version = version.to_owned();
        }
        if let Some((name, up)) = line.split_once(" uptime is ").filter(|_| uptime.is_none()) {
            uptime = Some(seconds(up));
            found.hostname = found.hostname.or_else(|| (os == Os::IosXe).then(|| name.trim().to_owned()));
        }
        if let Some(name) = behind(line, "Device name:").filter(|_| os == Os::NxOs) {
            found.hostname = Some(name.to_owned());
        }
        let serial =
            behind(line, "Processor board ID ").or_else(|| behind(line, "Processor Board ID ")).or_else(|| {
                let (label, serial) = line.split_once(':')?;
                label.trim().eq_ignore_ascii_case("system serial number").then(|| serial.trim())
            });
        if let Some(serial) = serial.filter(|serial| !serial.is_empty() && !found.serials.iter().any(|s| s == serial)) {
            found.serials.push(serial.to_owned());
        }
    }
    found.uptime_s = uptime.ok_or(ShowFault::NotThis { command: COMMAND })?;
    let complete = !found.version.is_empty() && !found.serials.is_empty();
    if complete { Ok(found) } else { Err(ShowFault::NotThis { command: COMMAND }) }
}

/// `1 year, 2 weeks, 3 days, 4 hours, 5 minutes`, `120 day(s), 3 hour(s)`.
fn seconds(text: &str) -> u64 {
    const UNITS: [(&str, u64); 6] =
        [("year", 31_536_000), ("week", 604_800), ("day", 86_400), ("hour", 3_600), ("minute", 60), ("second", 1)];
    let parts = text.split(',').filter_map(|part| {
        let words = words(part);
        let (count, unit) = (number::<u64>(words.first()?)?, words.get(1)?);
        let (_, seconds) = UNITS.iter().find(|(name, _)| unit.starts_with(name))?;
        count.checked_mul(*seconds)
    });
    parts.fold(0, u64::saturating_add)
}

/// A row of `show inventory`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// What the part is called: `Switch 1`, `Slot 1`, `Chassis`.
    pub name: String,
    /// What it is.
    pub description: String,
    /// The product id, where it has one.
    pub product: Option<String>,
    /// The version id, where it has one.
    pub revision: Option<String>,
    /// The serial number, where it has one.
    pub serial: Option<String>,
}

/// Reads `show inventory`.
///
/// # Errors
///
/// An unsupported platform, or a text without a part.
pub fn inventory(platform: Platform, text: &str) -> Result<Vec<Part>, ShowFault> {
    const COMMAND: &str = "show inventory";
    os(platform, COMMAND)?;
    let mut parts: Vec<Part> = Vec::new();
    for line in text.lines() {
        if let Some(rest) = behind(line, "NAME:") {
            let (name, description) = rest.split_once("DESCR:").unwrap_or((rest, ""));
            let bare = |text: &str| text.trim().trim_end_matches(',').trim().trim_matches('"').trim().to_owned();
            let (name, description) = (bare(name), bare(description));
            parts.push(Part { name, description, product: None, revision: None, serial: None });
        } else if let (Some(rest), Some(part)) = (behind(line, "PID:"), parts.last_mut()) {
            let (product, rest) = rest.split_once("VID:").unwrap_or((rest, ""));
            let (revision, serial) = rest.split_once("SN:").unwrap_or((rest, ""));
            let known = |text: &str| {
                let text = text.trim().trim_end_matches(',').trim();
                (!text.is_empty() && text != "N/A").then(|| text.to_owned())
            };
            (part.product, part.revision, part.serial) = (known(product), known(revision), known(serial));
        }
    }
    if parts.is_empty() { Err(ShowFault::NotThis { command: COMMAND }) } else { Ok(parts) }
}

/// `show clock`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Clock {
    /// `10:11:12.123`, in the device's zone.
    pub time: String,
    /// The name that the device gives its zone.
    pub zone: String,
    /// The day of the month.
    pub day: u8,
    /// `Nov`.
    pub month: String,
    /// The year.
    pub year: u16,
    /// Whether the device says that its time is that of a server. IOS XE says it by the lack of `*` and `.`, NX-OS by
    /// naming its source.
    pub synchronised: bool,
}

/// Reads `show clock`.
///
/// # Errors
///
/// An unsupported platform, or a text without a time.
pub fn clock(platform: Platform, text: &str) -> Result<Clock, ShowFault> {
    const COMMAND: &str = "show clock";
    let os = os(platform, COMMAND)?;
    let read = |line: &str| {
        let words = words(line);
        let [time, zone, _weekday, month, day, year] = words.as_slice() else { return None };
        let bare = time.trim_start_matches(['*', '.']);
        if bare.split(':').count() != 3 || !bare.starts_with(|c: char| c.is_ascii_digit()) {
            return None;
        }
        let synchronised = match os {
            Os::IosXe => bare == *time,
            Os::NxOs => text.lines().any(|line| words_are(line, &["Time", "source", "is", "NTP"])),
        };
        let (time, zone, month) = (bare.to_owned(), (*zone).to_owned(), (*month).to_owned());
        Some(Clock { time, zone, day: number(day)?, month, year: number(year)?, synchronised })
    };
    text.lines().find_map(read).ok_or(ShowFault::NotThis { command: COMMAND })
}

fn words_are(line: &str, expected: &[&str]) -> bool {
    words(line) == expected
}
