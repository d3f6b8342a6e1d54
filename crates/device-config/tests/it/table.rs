//! The table of commands (`fixtures/commands.txt`), read.

use device_config::{Class, Mode, Platform};

/// A row: a command and the class that it must have.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Row {
    pub(crate) platform: Platform,
    pub(crate) mode: Mode,
    pub(crate) command: &'static str,
    pub(crate) class: Class,
}

/// All rows, in their order.
pub(crate) fn rows() -> Vec<Row> {
    let mut place = None;
    let lines = include_str!("../../fixtures/commands.txt").lines();
    lines
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .filter_map(|line| {
            if let Some(section) = line.strip_prefix('[').and_then(|line| line.strip_suffix(']')) {
                let (platform, mode) = section.split_once(' ').unwrap();
                place = Some((platform.parse().unwrap(), mode.parse().unwrap()));
                return None;
            }
            let (platform, mode) = place.unwrap();
            let (command, why) = line.rsplit_once(" -- ").unwrap_or_else(|| panic!("{line}: no reason"));
            let (class, command) = command.split_once(' ').unwrap();
            assert!(!why.trim().is_empty(), "{line}");
            Some(Row { platform, mode, command: command.trim(), class: class.parse().unwrap() })
        })
        .collect()
}
