//! The master key by the environment, for where nothing else is to be had. A process's first environment stands in
//! `/proc/<pid>/environ` as long as the process lives, whatever it removes later. So the first thing that the program does
//! is to start itself again, as the same process, with an environment that is cleared of everything but an allow-list, and
//! with the key in a pipe that is read once ([`take`]).

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{Read as _, Write as _};
use std::os::fd::AsRawFd as _;
use std::os::unix::process::CommandExt as _;
use std::process::Command;
use std::sync::{Mutex, PoisonError};

use zeroize::Zeroizing;

use crate::error::{Error, ErrorKind, Result};
use crate::secret::Secret;

/// The variable that carries the key.
pub const VARIABLE: &str = "INTERLOCK_MASTER_KEY";
/// Tells the second start which descriptor the pipe is; a number, and no secret.
const PIPE: &str = "INTERLOCK_MASTER_KEY_PIPE";
/// Longer is no key. A pipe takes so much without a reader (POSIX: at least 512 bytes; Linux: 4096).
const LONGEST: usize = 256;

/// What the second start keeps of the environment: where programs, people, time zones, certificates and proxies are, what
/// the service manager says, and the settings of the configuration (`INTERLOCK__…`), which hold no secret. Tokens of the
/// command line are not among them.
const KEPT: [&str; 27] = [
    "PATH",
    "HOME",
    "USER",
    "LOGNAME",
    "TERM",
    "NO_COLOR",
    "COLUMNS",
    "LANG",
    "LANGUAGE",
    "TZ",
    "TMPDIR",
    "XDG_RUNTIME_DIR",
    "XDG_CONFIG_HOME",
    "RUST_BACKTRACE",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "NO_PROXY",
    "http_proxy",
    "https_proxy",
    "no_proxy",
    "CREDENTIALS_DIRECTORY",
    "NOTIFY_SOCKET",
    "INVOCATION_ID",
    "JOURNAL_STREAM",
    "INTERLOCK_URL",
];
const KEPT_PREFIXES: [&str; 2] = ["LC_", "INTERLOCK__"];

static HANDED_OVER: Mutex<Option<Secret>> = Mutex::new(None);

/// Must be the first thing that the program does, before any thread is there. With [`VARIABLE`] set, the process starts
/// itself again and this call returns only if that fails; in the second start it reads the key out of the pipe. Errors:
/// `master_key_malformed`, `environment_not_cleared`.
pub fn take() -> Result<()> {
    if let Some(key) = variable(VARIABLE) {
        let key = Zeroizing::new(key.into_encoded_bytes());
        return Err(start_again(&key));
    }
    let Some(descriptor) = variable(PIPE) else { return Ok(()) };
    let number = descriptor.to_str().and_then(|text| text.parse::<u32>().ok()).ok_or_else(|| failed("no pipe"))?;
    let mut text = Zeroizing::new(String::with_capacity(LONGEST));
    File::open(format!("/proc/self/fd/{number}"))
        .and_then(|pipe| pipe.take(LONGEST as u64).read_to_string(&mut text))
        .map_err(failed)?;
    *HANDED_OVER.lock().unwrap_or_else(PoisonError::into_inner) = Some(Secret::new(std::mem::take(&mut *text)));
    Ok(())
}

/// The key that came by the environment, once.
pub(super) fn handed_over() -> Option<Secret> {
    HANDED_OVER.lock().unwrap_or_else(PoisonError::into_inner).take()
}

/// A variable, without a copy of any other.
pub(super) fn variable(name: &str) -> Option<OsString> {
    std::env::vars_os().find(|(found, _)| found == name).map(|(_, value)| value)
}

fn start_again(key: &[u8]) -> Error {
    if key.len() > LONGEST {
        return Error::new(
            ErrorKind::Unavailable,
            "master_key_malformed",
            "The master key in INTERLOCK_MASTER_KEY is not 64 hexadecimal digits. Make one with `openssl rand -hex 32`.",
        );
    }
    let pipe = rustix::pipe::pipe().map_err(std::io::Error::from).and_then(|(reader, writer)| {
        File::from(writer).write_all(key)?;
        Ok(reader)
    });
    let reader = match pipe {
        Ok(reader) => reader,
        Err(error) => return failed(error),
    };
    let mut arguments = std::env::args_os();
    let mut command = Command::new("/proc/self/exe");
    if let Some(name) = arguments.next() {
        command.arg0(name);
    }
    command.args(arguments).env_clear().envs(std::env::vars_os().filter(|(name, _)| is_kept(name)));
    command.env(PIPE, reader.as_raw_fd().to_string());
    failed(command.exec())
}

fn is_kept(name: &OsStr) -> bool {
    let name = name.to_string_lossy();
    KEPT.contains(&name.as_ref()) || KEPT_PREFIXES.iter().any(|prefix| name.starts_with(prefix))
}

fn failed(why: impl std::fmt::Display) -> Error {
    Error::new(
        ErrorKind::Internal,
        "environment_not_cleared",
        "The master key stands in the environment, and the process could not be started again without it. Let \
         `secrets.master_key` name a file or a credential instead.",
    )
    .with_detail(why)
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;

    use super::is_kept;

    #[test]
    fn t28_nothing_that_may_be_a_secret_stays_in_the_environment() {
        for name in ["PATH", "LC_ALL", "INTERLOCK__PLATFORM__LISTEN", "CREDENTIALS_DIRECTORY"] {
            assert!(is_kept(OsStr::new(name)), "{name}");
        }
        for name in
            ["INTERLOCK_MASTER_KEY", "INTERLOCK_TOKEN", "INTERLOCK_ADMIN_TOKEN", "AWS_SECRET_ACCESS_KEY", "PATHS"]
        {
            assert!(!is_kept(OsStr::new(name)), "{name}");
        }
    }
}
