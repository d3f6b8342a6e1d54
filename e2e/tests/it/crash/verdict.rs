//! Judges a platform that came back, by three witnesses of their own: the clients' journal, the simulated network's record
//! of what reached a device, and the audit log as `audit export` and `audit verify` read it beside the process.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;

use platform::Json;
use serde_json::json;

use super::load::{Acknowledged, Ground, Journal, SECRET, Write};
use crate::caller::{Answer, Caller, OWN};
use crate::lab::Lab;

/// What is known over all deaths of one platform.
#[derive(Default)]
pub(crate) struct Known {
    /// Every answer that a client ever got.
    acknowledged: Vec<Acknowledged>,
    /// Last row of the network's record that was judged.
    last_row: u64,
    /// Rows at devices by the name of the write.
    arrived: BTreeMap<String, usize>,
}

/// What a run found; empty when all is well.
#[derive(Debug, Default)]
pub(crate) struct Findings(pub(crate) Vec<String>);

impl Findings {
    fn unless(&mut self, well: bool, what: impl FnOnce() -> String) {
        if !well {
            self.0.push(what());
        }
    }
}

/// Phases by request id, from `audit export`.
fn recorded(lab: &Lab) -> BTreeMap<String, BTreeSet<String>> {
    let mut found: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for record in lab.audit() {
        if let Some(id) = record["http"]["request"]["id"].as_str() {
            let phase = record["interlock"]["phase"].as_str().unwrap_or_default().to_owned();
            found.entry(id.to_owned()).or_default().insert(phase);
        }
    }
    found
}

/// Whether a repeat got the first result. MCP says in the result what REST says by `Location`.
fn same_result(one: &Json, other: &Json) -> bool {
    let without_next = |result: &Json| {
        let mut result = result.clone();
        result.as_object_mut().and_then(|fields| fields.remove("next"));
        result
    };
    without_next(one) == without_next(other)
}

/// A copy of the published checkpoints outside the platform's folder, as an anchor on another machine is.
pub(crate) struct Anchor {
    copy: PathBuf,
    published: PathBuf,
}

impl Anchor {
    pub(crate) fn beside(lab: &Lab, folder: &Path) -> Self {
        Self { copy: folder.join("anchor"), published: lab.state().join("audit/audit.checkpoints") }
    }

    /// Takes over what is published now. It only ever grows: a platform that takes a checkpoint back is caught.
    pub(crate) fn take(&self) {
        let now = std::fs::read(&self.published).unwrap_or_default();
        let had = std::fs::metadata(&self.copy).map_or(0, |m| m.len());
        // Whole notes only: the last one may be on its way.
        let whole = now.windows(2).rposition(|pair| pair == b"\n\n").map_or(0, |at| at + 1);
        if whole as u64 > had {
            std::fs::write(&self.copy, &now[..whole]).unwrap();
        }
    }

    fn verify(&self, lab: &Lab) -> (bool, String) {
        let anchor = self.copy.to_str().unwrap();
        let with_anchor = ["audit", "verify", "--json", "--anchor", anchor];
        let arguments = if self.copy.exists() { &with_anchor[..] } else { &with_anchor[..3] };
        let out = lab.run(arguments);
        let said = [out.stdout, out.stderr].concat();
        (out.status.success(), String::from_utf8_lossy(&said).into_owned())
    }
}

impl Known {
    /// Judges what stands on the disk: with the platform dead, or after its next start (`started`).
    async fn records(&mut self, caller: &Caller, anchor: &Anchor, started: bool, findings: &mut Findings) {
        let when = if started { "started again" } else { "dead" };
        let found = recorded(&caller.lab);
        for answer in &self.acknowledged {
            let phases = found.get(&answer.request_id);
            findings.unless(phases.is_some(), || format!("{when}: acknowledged and not in the audit: {answer:?}"));
            let whole = phases.is_none_or(|p| !answer.wrote || (p.contains("intent") && p.contains("outcome")));
            // A repeat of a key is a call of its own, without an intent: its first call has it.
            let repeat = phases.is_some_and(|p| p.contains("call"));
            findings.unless(whole || repeat, || format!("{when}: {answer:?} has only {phases:?}"));
        }
        let rows = caller.lab.admin(&caller.http, &format!("/device-commands?after={}", self.last_row), None).await;
        for row in rows["commands"].as_array().unwrap() {
            let id = row["headers"]["x-caller-id"].as_str().unwrap_or("nobody");
            let phases = found.get(id);
            findings.unless(phases.is_some_and(|p| p.contains("intent")), || {
                format!("{when}: a device saw {id}, and the audit has {phases:?}: {row}")
            });
            if started {
                self.last_row = row["seq"].as_u64().unwrap();
                let words =
                    row["lines"].as_array().unwrap().iter().filter_map(Json::as_str).flat_map(str::split_whitespace);
                let names: BTreeSet<&str> = words.filter(|word| word.starts_with("CRASH")).collect();
                for name in names {
                    *self.arrived.entry(name.to_owned()).or_default() += 1;
                }
            }
        }
        if started {
            for (id, phases) in &found {
                let open = phases.contains("intent") && !phases.contains("outcome");
                findings.unless(!open, || format!("the start left {id} open: {phases:?}"));
            }
        }
        let (passes, said) = anchor.verify(&caller.lab);
        findings.unless(passes, || format!("{when}: audit verify: {said}"));
    }

    /// The dead platform's folder.
    pub(crate) async fn dead(&mut self, caller: &Caller, anchor: &Anchor, journal: &Journal) -> Findings {
        let mut findings = self.heard(journal);
        self.records(caller, anchor, false, &mut findings).await;
        findings
    }

    /// What clients know of a platform that did not die.
    pub(crate) fn heard(&mut self, journal: &Journal) -> Findings {
        self.acknowledged.extend(journal.acknowledged.iter().cloned());
        Findings(journal.wrong.iter().map(|wrong| format!("under load: {wrong}")).collect())
    }

    /// The platform that came back.
    pub(crate) async fn alive(
        &mut self,
        caller: &Caller,
        anchor: &Anchor,
        ground: &Ground,
        journal: &Journal,
    ) -> Findings {
        let mut findings = Findings::default();
        self.records(caller, anchor, true, &mut findings).await;
        // Secrets open, and the controllers take them.
        for site in &ground.sites {
            let device = json!({"device_id": site.devices[0]});
            let read = caller.rest(&site.token, site.server, "get_device", &device).await;
            findings.unless(read.status == 200, || format!("a call that needs a credential: {read:?}"));
        }
        self.secret(caller, ground, journal, &mut findings).await;
        for token in &journal.tokens {
            let who = caller.rest(token, OWN, "whoami", &json!({})).await;
            findings.unless(who.status == 200, || format!("a token that was issued before: {who:?}"));
        }
        for write in journal.writes.values() {
            self.repeated(caller, ground, write, &mut findings).await;
        }
        // The repeats themselves may have written; each name at most once, for ever.
        self.records(caller, anchor, true, &mut findings).await;
        for (name, times) in &self.arrived {
            findings.unless(*times <= 1, || format!("{name} reached a device {times} times"));
        }
        for write in journal.writes.values().filter(|write| write.answer.is_some()) {
            let times = self.arrived.get(&write.key).copied().unwrap_or(0);
            findings
                .unless(times == 1, || format!("{} was acknowledged and reached a device {times} times", write.key));
        }
        findings
    }

    /// The administered secret has the version that was answered, or the one after it when nobody was told.
    async fn secret(&mut self, caller: &Caller, ground: &Ground, journal: &Journal, findings: &mut Findings) {
        let told = journal.secret.unwrap_or_else(|| ground.secret.load(Ordering::Relaxed));
        let untold = if journal.secret.is_none() { journal.secrets_sent } else { 0 };
        if told + untold == 0 {
            return;
        }
        let shown = caller.rest(&ground.admin, OWN, "get_secret_metadata", &json!({"path": SECRET})).await;
        let version = match (shown.status, shown.code()) {
            (200, None) => shown.result()["current_version"].as_u64(),
            (_, Some("secret_not_found")) => Some(0),
            _ => None,
        };
        let well = version.is_some_and(|version| (told..=told + untold).contains(&version));
        findings.unless(well, || format!("the secret was at {told} and {untold} more were sent: {shown:?}"));
        ground.secret.store(version.unwrap_or(told), Ordering::Relaxed);
    }

    /// Sends a write again under its key, as its client would.
    async fn repeated(&mut self, caller: &Caller, ground: &Ground, write: &Write, findings: &mut Findings) {
        let mut answer = Answer::of(write.request(caller, ground)).await;
        if answer.code() == Some("step_up_required") {
            findings.0.push(format!("the second factor that was passed is forgotten: {}", write.key));
            ground.sites[write.site].elevate(caller).await;
            answer = Answer::of(write.request(caller, ground)).await;
        }
        let same = match (&write.answer, answer.code()) {
            (Some((_, result)), None) => same_result(answer.result(), result),
            (Some(_), Some(_)) => false,
            // Nobody was told what happened: done, done now, or somebody has to look.
            (None, None) => matches!(answer.status, 200 | 202),
            (None, Some(code)) => matches!(code, "outcome_unknown" | "idempotency_in_progress"),
        };
        findings.unless(same, || format!("{write:?} answers {answer:?}"));
        self.acknowledged.push(Acknowledged {
            request_id: answer.request_id(),
            what: format!("repeat of {}", write.key),
            wrote: false,
        });
    }
}
