//! What the machine itself has to give: disk, a writable folder, a free port, files that only their owner reads.

use std::net::{SocketAddr, TcpListener};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use super::Findings;

/// Below this the audit log, and with it every call, may stop soon.
const LEAST_FREE: u64 = 256 << 20;

/// Free space where the state folder stands.
pub(super) fn disk(check: &str, folder: &Path, findings: &mut Findings) {
    let shown = folder.display();
    match rustix::fs::statvfs(folder) {
        Ok(stat) => {
            let free = stat.f_bavail.saturating_mul(stat.f_frsize);
            let told = format!("{} MiB free at {shown}", free >> 20);
            if free < LEAST_FREE {
                let fix = "free some space, or move `platform.state` to another disk; a full disk refuses every call, because nothing could be audited";
                findings.wrong(check, told, fix);
            } else {
                findings.ok(check, told);
            }
        }
        Err(error) => findings.skipped(check, format!("{shown}: {error}")),
    }
}

/// Whether a file can be made in a folder.
pub(super) fn writable(check: &str, folder: &Path, findings: &mut Findings) -> bool {
    let shown = folder.display();
    let probe = folder.join(format!(".doctor-{}", std::process::id()));
    match std::fs::File::create_new(&probe).and_then(|_| std::fs::remove_file(&probe)) {
        Ok(()) => {
            findings.ok(check, format!("{shown} is writable"));
            true
        }
        Err(error) => {
            let fix =
                format!("make the folder and give it to the user that runs Interlock: `install -d -m 0700 {shown}`");
            findings.wrong(check, format!("{shown}: {error}"), fix);
            false
        }
    }
}

/// Whether an address can be listened on.
pub(super) fn port_free(address: SocketAddr) -> Result<(), std::io::Error> {
    TcpListener::bind(address).map(drop)
}

/// Whether a secret file is its owner's alone.
pub(super) fn private(check: &str, file: &Path, mode: u32, findings: &mut Findings) {
    let shown = file.display();
    match std::fs::metadata(file) {
        Ok(metadata) => {
            let has = metadata.permissions().mode() & 0o777;
            if has & 0o077 == 0 {
                findings.ok(check, format!("{shown} is its owner's alone (mode {has:04o})"));
            } else {
                let message = format!("{shown} can be read by others (mode {has:04o})");
                findings.wrong(
                    check,
                    message,
                    format!("`chmod {mode:04o} {shown}`, and make a new secret if others may have read it"),
                );
            }
        }
        Err(error) => findings.wrong(check, format!("{shown}: {error}"), "make the file, or name the right one"),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::super::{Findings, State};
    use super::{port_free, private, writable};

    #[test]
    fn t28_a_key_that_others_can_read_is_wrong() {
        let folder = tempfile::tempdir().unwrap();
        let key = folder.path().join("master.key");
        std::fs::write(&key, "00").unwrap();
        for (mode, state) in [(0o400, State::Ok), (0o440, State::Wrong), (0o644, State::Wrong)] {
            std::fs::set_permissions(&key, std::fs::Permissions::from_mode(mode)).unwrap();
            let mut findings = Findings::default();
            private("key", &key, 0o400, &mut findings);
            assert_eq!(findings.0[0].state, state, "{mode:o}");
        }
    }

    #[test]
    fn a_taken_port_and_a_missing_folder_are_found() {
        let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        assert!(port_free(taken.local_addr().unwrap()).is_err());
        let folder = tempfile::tempdir().unwrap();
        let mut findings = Findings::default();
        assert!(writable("state", folder.path(), &mut findings));
        assert!(!writable("state", &folder.path().join("none"), &mut findings));
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}
