//! What was typed: its words with the names of interfaces in full, and whether it is a line of a configuration at all. Next:
//! [`super`] for where it goes.

use super::{Frame, Meant, Stream};
use crate::rules::{Negation, find, split_negation};
use crate::{Platform, interfaces, vlans};

impl Stream {
    /// The line's words with names of interfaces in full: several lines when it names a list. Nothing when a name has several
    /// meanings.
    pub(super) fn named(&self, body: &[&str]) -> Option<Vec<Vec<String>>> {
        let own = || body.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
        let [first, rest @ ..] = body else { return Some(vec![own()]) };
        let interface = first.len() >= 3 && "interface".starts_with(&first.to_ascii_lowercase()) && !rest.is_empty();
        if interface && self.is_global_interface() {
            return self.named_interfaces(rest);
        }
        let vlan = *first == "vlan" && matches!(self.platform, Platform::IosXe | Platform::NxOs);
        if let (true, [list]) = (vlan, rest)
            && let Some(list) = vlans::parse(list)
        {
            return Some(list.ids().map(|id| vec!["vlan".to_owned(), id.to_string()]).collect());
        }
        Some(vec![own()])
    }

    /// Whether `interface` means the global command here: some modes have one of their own.
    fn is_global_interface(&self) -> bool {
        let own = |frame: &Frame| {
            let mode = frame.mode?;
            find(mode, &["interface", "x"], Negation::None).map(|hit| hit.rule.id)
        };
        let global = self.frames.first().and_then(own);
        let nearest = self.frames.iter().rev().find_map(own);
        nearest == global
    }

    fn named_interfaces(&self, rest: &[&str]) -> Option<Vec<Vec<String>>> {
        let line = |name: String, more: &[&str]| {
            let more = more.iter().map(|word| (*word).to_owned());
            ["interface".to_owned(), name].into_iter().chain(more).collect::<Vec<_>>()
        };
        let range = match (self.platform, rest) {
            (Platform::IosXe, ["range", list @ ..]) => Some(list.join(" ")),
            (Platform::NxOs, list)
                if list.concat().contains(['-', ','])
                    && interfaces::in_full(self.platform, &list.join(" ")).is_none() =>
            {
                Some(list.join(" "))
            }
            _ => None,
        };
        if let Some(list) = range {
            let names = interfaces::range(self.platform, &list)?;
            return Some(names.into_iter().map(|name| line(name, &[])).collect());
        }
        match rest {
            [kind, number, more @ ..]
                if number.starts_with(|c: char| c.is_ascii_digit()) && !kind.contains(|c: char| c.is_ascii_digit()) =>
            {
                interfaces::in_full(self.platform, &format!("{kind}{number}")).map(|name| vec![line(name, more)])
            }
            [name, more @ ..] => {
                // Names without a number, and kinds the model has never heard of, stay as they are.
                let full = interfaces::in_full(self.platform, name).unwrap_or_else(|| (*name).to_owned());
                Some(vec![line(full, more)])
            }
            [] => None,
        }
    }
}

/// Commands of exec mode, and the directives of a controller's templates: none of them is a line of a configuration.
pub(super) fn is_exec(platform: Platform, body: &[&str]) -> bool {
    match body {
        [first, ..] if first.starts_with('#') => true,
        ["do", ..] => platform != Platform::Asa,
        _ => matches!(
            body,
            ["configure" | "reload" | "write" | "copy" | "show" | "ping" | "traceroute" | "debug" | "terminal", ..]
        ),
    }
}

/// The line as it is kept: as it was written where every word was in full, else with its words in full.
pub(super) fn text_of(
    meant: &Meant,
    body: &[&str],
    negation: Negation,
    written: &str,
    typed: &[&str],
    value: Option<&str>,
) -> String {
    if let Some(value) = value {
        return value.to_owned();
    }
    let full = match &meant.hit {
        Some(hit) => hit.body(),
        None => body.join(" "),
    };
    let (_, own) = split_negation(typed);
    let sign = match negation {
        Negation::None => "",
        Negation::No => "no ",
        Negation::Default => "default ",
    };
    if full == own.join(" ") {
        let rest = match negation {
            Negation::None => written,
            Negation::No | Negation::Default => {
                written.split_once([' ', '\t']).map_or("", |(_, rest)| rest.trim_start())
            }
        };
        return format!("{sign}{rest}");
    }
    format!("{sign}{full}")
}
