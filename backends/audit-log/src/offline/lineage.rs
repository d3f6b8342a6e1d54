//! The logs of a folder against each other and against what anchors, keys and the registry know: missing, unclosed,
//! forked, swapped. Next: [`super::verify_all`].

use std::collections::BTreeMap;
use std::path::Path;

use platform::Json;
use rusqlite::OptionalExtension;

use super::check::Claim;
use super::evidence::{Standing, VerifyOptions, whole};
use super::folder::{LogPlace, short};
use super::report::{FindingKind, LogFinding, LogState, Report};
use super::walk::RETAINED;
use crate::anchor::AnchorNotes;
use crate::error::AuditFault;
use crate::registry::{LogRecord, Predecessor, RegisteredState};
use crate::tree::Hash;

/// Which log each log says that it follows.
#[derive(Debug, Default)]
pub(super) struct Ancestry(Vec<(String, Predecessor)>);

impl Ancestry {
    /// Reads the first records; where retention has removed them, the record of the removal repeats what they said.
    pub(super) fn read(places: &[LogPlace]) -> Result<Self, AuditFault> {
        let mut found = Self::default();
        for place in places {
            let connection = place.open()?;
            let line: Option<String> = connection
                .query_row(
                    "SELECT line FROM audit WHERE seq = 1 OR action = ? ORDER BY seq = 1 DESC, seq DESC LIMIT 1",
                    [RETAINED],
                    |row| row.get(0),
                )
                .optional()?;
            let record: Option<Json> = line.and_then(|line| serde_json::from_str(&line).ok());
            let said = record.and_then(|record| record.pointer("/interlock/predecessor").cloned());
            if let Some(predecessor) = said.and_then(|said| serde_json::from_value(said).ok()) {
                found.0.push((place.origin.clone(), predecessor));
            }
        }
        Ok(found)
    }

    /// What later logs claim about the tree of this one.
    pub(super) fn claims(&self, origin: &str) -> Vec<(u64, Claim)> {
        let hash = |text: &str| hex::decode(text).ok().and_then(|bytes| Hash::try_from(bytes).ok());
        let of = self.0.iter().filter(|(_, predecessor)| predecessor.log == origin && predecessor.size > 0);
        of.filter_map(|(_, predecessor)| {
            let claim = Claim {
                root: hash(&predecessor.root)?,
                chain: hash(&predecessor.chain),
                place: "the log that follows it",
                signed: false,
            };
            Some((predecessor.size, claim))
        })
        .collect()
    }

    fn of(&self, origin: &str) -> Option<&Predecessor> {
        self.0.iter().find(|(log, _)| log == origin).map(|(_, predecessor)| predecessor)
    }
}

struct Lineage<'a> {
    places: &'a [LogPlace],
    ancestry: &'a Ancestry,
    findings: Vec<LogFinding>,
    notes: Vec<String>,
}

/// Findings and notes about the logs as wholes.
pub(super) fn check(
    state: &Path,
    places: &[LogPlace],
    ancestry: &Ancestry,
    reports: &[Report],
    options: &VerifyOptions,
    anchors: &AnchorNotes,
) -> (Vec<LogFinding>, Vec<String>) {
    let mut lineage = Lineage { places, ancestry, findings: Vec::new(), notes: Vec::new() };
    lineage.standing();
    lineage.ends(reports, options);
    lineage.missing(state, options, anchors, reports);
    if options.relies() {
        for report in reports.iter().filter(|report| report.self_attested) {
            let message =
                "neither a given key nor an anchor speaks of it; one that was just made does with its first checkpoint";
            lineage.find(FindingKind::LogUnvouched, &report.origin, message);
        }
    }
    (lineage.findings, lineage.notes)
}

impl Lineage<'_> {
    fn find(&mut self, kind: FindingKind, log: &str, message: impl Into<String>) {
        self.findings.push(LogFinding { kind, log: log.to_owned(), message: message.into() });
    }

    // Each once, under its own name, and followed by one.
    fn standing(&mut self) {
        let mut standing = Standing::new();
        for place in self.places {
            standing.entry(place.origin.clone()).or_default().push(place.database.clone());
            let folder = place.database.parent().and_then(Path::file_name).and_then(|name| name.to_str());
            if let Some(folder) = folder.filter(|_| !place.current)
                // One that was put back and left again stands beside its first copy as `<name>-2`.
                && folder.split_once('-').map_or(folder, |(name, _)| name) != place.short()
            {
                self.find(FindingKind::LogMisplaced, &place.origin, format!("it stands in the folder {folder}"));
            }
        }
        for (origin, places) in standing.iter().filter(|(_, places)| places.len() > 1) {
            let forked = self.followed_by_fork(origin);
            let message = format!("it stands there {} times", places.len());
            if forked {
                self.notes.push(format!("{origin}: {message}; it was left after a restore"));
            } else {
                self.find(FindingKind::LogForked, origin, message);
            }
        }
        let mut followers: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for (log, predecessor) in &self.ancestry.0 {
            followers.entry(&predecessor.log).or_default().push(log);
        }
        for (log, of) in followers.into_iter().filter(|(_, of)| of.len() > 1) {
            self.find(FindingKind::LogForked, log, format!("{} say that they follow it", of.join(" and ")));
        }
    }

    fn followed_by_fork(&self, origin: &str) -> bool {
        self.ancestry.0.iter().any(|(_, before)| before.log == origin && before.reason.starts_with("fork"))
    }

    // What is set aside was closed, and named what follows it.
    fn ends(&mut self, reports: &[Report], options: &VerifyOptions) {
        for (place, report) in self.places.iter().zip(reports) {
            if place.current || self.followed_by_fork(&place.origin) {
                continue;
            }
            let registered = options.registered(&place.origin);
            if registered.is_some_and(|log| log.state == RegisteredState::Forked) {
                self.notes.push(format!("{} was left behind after a restore", place.origin));
            } else if report.state != LogState::Closed {
                self.find(FindingKind::LogUnclosed, &place.origin, "it was set aside and never closed");
            }
            if let Some(successor) = &report.successor
                && !self.places.iter().any(|place| place.origin == *successor)
            {
                self.find(FindingKind::LogMissing, successor, format!("the log {} names it as the next", place.origin));
            }
        }
    }

    fn missing(&mut self, state: &Path, options: &VerifyOptions, anchors: &AnchorNotes, reports: &[Report]) {
        let mut known: BTreeMap<String, &str> = BTreeMap::new();
        for key in &options.public_keys {
            known.extend(key.origin.clone().map(|origin| (origin, "a given key belongs to it")));
        }
        known.extend(anchors.origins().map(|origin| (origin.clone(), "an anchor has checkpoints of it")));
        for place in self.places {
            if let Some(before) = self.ancestry.of(&place.origin) {
                known.insert(before.log.clone(), "a log says that it follows it");
            }
        }
        let here = whole(state);
        let (mut elsewhere, mut registered) = (0, BTreeMap::new());
        for log in options.registry.iter().flatten() {
            registered.insert(log.origin.as_str(), log);
            match stood_in(log, &here) {
                true => drop(known.insert(log.origin.clone(), "the registry says that it was written here")),
                false => {
                    // Another process's: its own folder is where it is missed.
                    elsewhere += u64::from(known.remove(&log.origin).is_none());
                }
            }
        }
        if elsewhere > 0 {
            self.notes
                .push(format!("the registry knows {elsewhere} logs of other folders, which are not looked at here"));
        }
        for (origin, why) in known {
            if self.places.iter().any(|place| place.origin == origin) {
                continue;
            }
            // What a restore left behind may be gone with the machine that it stood on.
            if self.followed_by_fork(&origin) {
                self.notes.push(format!("{origin} was left behind after a restore and is not here"));
                continue;
            }
            let alone = reports.len() == 1
                && reports
                    .iter()
                    .any(|report| report.findings.iter().any(|finding| finding.kind == FindingKind::OriginMismatch));
            let hint = if alone { "; the log that is here has another name" } else { "" };
            self.find(FindingKind::LogMissing, &origin, format!("{why}, and it is not here{hint}"));
        }
        for place in self.places {
            if options.registry.is_some() && !registered.contains_key(place.origin.as_str()) {
                let message = format!("the registry does not know the log {}", short(&place.origin));
                self.find(FindingKind::LogUnvouched, &place.origin, message);
            }
        }
    }
}

fn stood_in(log: &LogRecord, folder: &Path) -> bool {
    log.sessions.last().is_some_and(|session| whole(Path::new(&session.folder)) == *folder)
}
