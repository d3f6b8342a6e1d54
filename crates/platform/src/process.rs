//! What the operating system is told about this process: no copy of its memory goes to a disk when it ends badly (T28).

use rustix::process::{DumpableBehavior, Resource, Rlimit, set_dumpable_behavior, setrlimit};

use crate::error::{Error, ErrorKind, Result};

/// No core dump from now on, neither to a file nor to a program that collects them; other processes of the same user
/// cannot attach to this one or read its memory. Call it before any secret is read. Error: `core_dumps_possible`.
pub fn forbid_core_dumps() -> Result<()> {
    let none = Rlimit { current: Some(0), maximum: Some(0) };
    // The limit alone does not stop a collector that `core_pattern` pipes to; not being dumpable does.
    setrlimit(Resource::Core, none).and_then(|()| set_dumpable_behavior(DumpableBehavior::NotDumpable)).map_err(|e| {
        let message = "The system does not let this process forbid core dumps, which would hold secrets. Let it set \
                       RLIMIT_CORE and PR_SET_DUMPABLE.";
        Error::new(ErrorKind::Unavailable, "core_dumps_possible", message).with_detail(e)
    })
}
