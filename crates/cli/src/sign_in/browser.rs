//! The person's own browser: the command in `BROWSER` (as `xdg-utils` and Python read it), else the desktop's.
//!
//! The child gets no standard stream of ours: a bridge's standard output belongs to the protocol.

use std::process::Stdio;

use platform::config::environment;
use url::Url;

/// Whether a page can be opened from here.
pub(crate) fn available() -> bool {
    command(&environment()).is_some()
}

/// Opens a page; `false` where there is no browser or it does not start.
pub(crate) fn open(url: &Url) -> bool {
    let Some(words) = command(&environment()) else { return false };
    let placed = words.iter().any(|word| word.contains("%s"));
    let mut words: Vec<String> = words.into_iter().map(|word| word.replace("%s", url.as_str())).collect();
    if !placed {
        words.push(url.to_string());
    }
    let program = words.remove(0);
    let mut command = tokio::process::Command::new(program);
    command.args(words).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    // What a browser does not need it does not get.
    command.env_remove("INTERLOCK_TOKEN");
    command.spawn().is_ok()
}

/// The command line, as words; `%s` stands for the address.
fn command(environment: &[(String, String)]) -> Option<Vec<String>> {
    let value = |name: &str| environment.iter().find(|(n, v)| n == name && !v.is_empty()).map(|(_, v)| v.as_str());
    if let Some(listed) = value("BROWSER") {
        let first: Vec<String> = listed.split(':').next()?.split_whitespace().map(str::to_owned).collect();
        return Some(first).filter(|words| !words.is_empty());
    }
    let desktop = value("DISPLAY").or_else(|| value("WAYLAND_DISPLAY"));
    match () {
        () if cfg!(target_os = "macos") => Some(vec!["open".to_owned()]),
        () if desktop.is_some() => Some(vec!["xdg-open".to_owned()]),
        () => None,
    }
}

#[cfg(test)]
mod tests {
    use super::command;

    #[test]
    fn the_browser_is_the_persons_choice_then_the_desktops_and_none_without_either() {
        let with = |set: &[(&str, &str)]| {
            let set: Vec<(String, String)> = set.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
            command(&set).map(|words| words.join("|"))
        };
        assert_eq!(
            with(&[("BROWSER", "firefox --new-tab %s:lynx"), ("DISPLAY", ":0")]).unwrap(),
            "firefox|--new-tab|%s"
        );
        if cfg!(target_os = "linux") {
            assert_eq!(with(&[("BROWSER", ""), ("DISPLAY", ":0")]).as_deref(), Some("xdg-open"));
            assert_eq!(with(&[("WAYLAND_DISPLAY", "wayland-0")]).as_deref(), Some("xdg-open"));
            assert_eq!(with(&[("DISPLAY", "")]), None);
        }
    }
}
