//! A lab by its state folder.

use std::path::Path;

use platform::lab_state::LabState;
use server::offline::{audit, lab};

use super::{Findings, machine, running};
use crate::web;

/// The folder, then the running lab, its simulators and its audit log.
pub(super) async fn examine(state: &Path, findings: &mut Findings) {
    let paths = LabState::at(state);
    let restart = format!("start it again: `interlock lab --state {}`", state.display());
    if !machine::writable("state folder", state, findings) {
        return;
    }
    machine::disk("disk", state, findings);
    let ready = match lab::ready(state) {
        Ok(ready) => ready,
        Err(error) => return findings.failed("lab.json", &error.into(), restart),
    };
    machine::private("lab.json", &paths.ready(), 0o600, findings);
    machine::private("master key", &paths.master_key(), 0o400, findings);
    match ready.url.parse() {
        Ok(url) => running::examine(&url, findings).await,
        Err(error) => findings.wrong("lab.json", format!("its URL is none: {error}"), restart.clone()),
    }
    for (name, simulator) in &ready.simulators {
        let check = format!("simulator {name}");
        match simulator.url.parse() {
            Ok(url) => match web::get(&url, "/").await {
                Ok(_) => findings.ok(&check, format!("answers at {}", simulator.url)),
                Err(error) => findings.failed(&check, &error.into(), restart.clone()),
            },
            Err(error) => findings.wrong(&check, format!("{}: {error}", simulator.url), restart.clone()),
        }
    }
    let verified = audit::folder_in(state).and_then(|f| Ok(audit::verify_all(&f, &audit::VerifyOptions::default())?));
    match verified {
        Ok(report) if report.ok => findings.ok("audit", format!("{} records verify", report.records)),
        Ok(_) => findings.wrong(
            "audit",
            "the log is not as it was written",
            "`interlock audit verify` names the record; keep the file",
        ),
        Err(error) => findings.failed("audit", &error.into(), restart),
    }
}
