//! What differs between operating systems when lines are entered: tables, names of interfaces, sentences, and the few
//! commands that tables cannot describe.
//!
//! Where next: the `dialect` of each operating system.

use crate::lines::entries;
use crate::lines::rule::{Table, Understood};
use crate::lines::session::{Level, Refused, Session};
use crate::lines::tree::Config;
use crate::os::Os;

/// What an operating system's own code makes of a line: nothing (the tables decide), or the result of entering it.
pub(crate) type Own = Option<Result<Option<Level>, Refused>>;

/// The ways of one operating system.
pub(crate) struct Dialect {
    pub(crate) os: Os,
    /// The outermost mode.
    pub(crate) global: &'static Table,
    /// The mode of an interface by its full name.
    pub(crate) interface: fn(&str) -> &'static Table,
    /// Kinds of interfaces in the order in which they are printed; `true` = naming one makes it.
    pub(crate) kinds: &'static [(&'static str, bool)],
    /// Lines are staged until `commit`.
    pub(crate) staged: bool,
    /// `show` may be typed in configuration mode as it is.
    pub(crate) shows: bool,
    /// The complaint about a line that no mode takes, with the marker below byte `at`.
    pub(crate) invalid: fn(at: usize) -> String,
    /// The complaint about a line that lacks something.
    pub(crate) incomplete: &'static str,
    /// The complaint about an abbreviation that fits several commands; the line follows it.
    pub(crate) ambiguous: fn(line: &str) -> String,
    /// Refuses arguments that the device checks while it reads.
    pub(crate) check: fn(&'static Table, &Understood<'_>, &Config) -> Result<(), Refused>,
    /// Takes lines that the tables cannot describe: table, blocks, whether negated, the line without `no`.
    pub(crate) own: fn(&mut Session, &'static Table, &[Vec<String>], bool, &str) -> Own,
    /// The form in which a line is stored: hashes for passwords, lengths for masks.
    pub(crate) stored: fn(&Config, &str) -> String,
    /// Refuses a candidate configuration as a whole, where lines are staged.
    pub(crate) verify: fn(&Config, &Config) -> Result<(), String>,
}

impl Dialect {
    /// The dialect of an operating system.
    pub(crate) fn of(os: Os) -> &'static Self {
        match os {
            Os::IosXe => &crate::ios_xe::dialect::DIALECT,
            Os::NxOs => &crate::nx_os::dialect::DIALECT,
            Os::IosXr => &crate::ios_xr::dialect::DIALECT,
            Os::Asa => &crate::asa::dialect::DIALECT,
        }
    }

    /// The full name of an interface as typed; nothing when no kind fits.
    pub(crate) fn interface_name(&self, typed: &str) -> Option<String> {
        entries::interface_name(self.kinds, typed)
    }

    /// Whether an interface of this name is made by naming it.
    pub(crate) fn makes(&self, name: &str) -> bool {
        self.kinds.iter().any(|(kind, made)| *made && name.starts_with(kind))
    }

    /// Orders interface names as the device prints them: by kind, then by numbers.
    pub(crate) fn interface_order(&self, name: &str) -> (usize, Vec<u32>) {
        let (kind, numbers) = entries::split_name(name);
        let rank = self.kinds.iter().position(|(known, _)| *known == kind).unwrap_or(self.kinds.len());
        (rank, numbers.split(['/', '.', ':']).filter_map(|n| n.parse().ok()).collect())
    }
}

/// For operating systems that check nothing of a whole candidate.
pub(crate) fn nothing_to_verify(_before: &Config, _candidate: &Config) -> Result<(), String> {
    Ok(())
}
