//! What a task tells the person in front of it. Next: [`crate::machine`] for running other programs.

use std::fmt::Display;
use std::io::Write;
use std::time::Duration;

/// Prints one line on standard output. A closed pipe is not a reason to stop a task. Silent in our own tests, whose
/// samples of summaries a reader of the log would otherwise count.
pub(crate) fn say(line: impl Display) {
    if cfg!(test) {
        return;
    }
    let mut out = std::io::stdout().lock();
    drop(writeln!(out, "{line}").and_then(|()| out.flush()));
}

/// A duration as a person reads it: `840 ms`, `12.3 s`, `4 min 05 s`.
pub(crate) fn took(time: Duration) -> String {
    match time.as_secs() {
        0 => format!("{} ms", time.as_millis()),
        s @ 1..60 => format!("{}.{} s", s, time.subsec_millis() / 100),
        s => format!("{} min {:02} s", s / 60, s % 60),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::took;

    #[test]
    fn durations_read_like_speech() {
        let read = |ms| took(Duration::from_millis(ms));
        assert_eq!([read(840), read(12_345), read(245_000)], ["840 ms", "12.3 s", "4 min 05 s"]);
    }
}
