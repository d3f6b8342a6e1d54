//! Template directives of the controller: which lines of a rendered template go to configuration mode and which to exec.
//!
//! `#MODE_ENABLE` … `#MODE_END_ENABLE` brackets exec commands; `#INTERACTIVE` … `#ENDS_INTERACTIVE` brackets lines of the
//! form `command<IQ>question<R>answer`; `<MLTCMD>` … `</MLTCMD>` keeps several lines together as one command. Directives
//! are read in any case, as the controller does.
//!
//! Where next: [`crate::lines`] for the configuration lines.

/// A part of a rendered template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Step {
    /// Lines for configuration mode, in order.
    Configure(Vec<String>),
    /// One exec command with the answers given to its questions.
    Exec {
        /// The command.
        command: String,
        /// Answers in order.
        answers: Vec<String>,
    },
}

/// Splits a rendered template into steps.
pub(crate) fn steps(text: &str) -> Vec<Step> {
    let mut steps = Vec::new();
    let mut lines: Vec<String> = Vec::new();
    let mut exec = false;
    let mut multi: Option<String> = None;
    for raw in text.lines() {
        let trimmed = raw.trim();
        if let Some(held) = &mut multi {
            match raw.split_once("</MLTCMD>") {
                Some((last, _)) => {
                    held.push_str(last);
                    lines.push(multi.take().unwrap_or_default());
                }
                None => {
                    held.push_str(raw);
                    held.push('\n');
                }
            }
            continue;
        }
        if let Some(rest) = trimmed.strip_prefix("<MLTCMD>") {
            match rest.split_once("</MLTCMD>") {
                Some((whole, _)) => lines.push(whole.to_owned()),
                None => multi = Some(format!("{rest}\n")),
            }
            continue;
        }
        match trimmed.to_ascii_uppercase().as_str() {
            "#MODE_ENABLE" => {
                flush(&mut steps, &mut lines);
                exec = true;
                continue;
            }
            "#MODE_END_ENABLE" => {
                exec = false;
                continue;
            }
            "#INTERACTIVE" | "#ENDS_INTERACTIVE" | "" => continue,
            _ => {}
        }
        let (command, answers) = question(trimmed);
        if exec {
            steps.push(Step::Exec { command, answers });
        } else {
            lines.push(if answers.is_empty() { raw.to_owned() } else { command });
        }
    }
    flush(&mut steps, &mut lines);
    steps
}

fn flush(steps: &mut Vec<Step>, lines: &mut Vec<String>) {
    if !lines.is_empty() {
        steps.push(Step::Configure(std::mem::take(lines)));
    }
}

/// `crypto key generate rsa<IQ>yes/no<R>no` → command and answers.
fn question(line: &str) -> (String, Vec<String>) {
    let mut parts = line.split("<IQ>");
    let command = parts.next().unwrap_or_default().trim().to_owned();
    let answers = parts.filter_map(|part| part.split_once("<R>").map(|(_, answer)| answer.trim().to_owned())).collect();
    (command, answers)
}

#[cfg(test)]
mod tests {
    use super::{Step, steps};

    #[test]
    fn exec_lines_are_told_from_configuration_lines() {
        let text = "hostname a\n#MODE_ENABLE\n#INTERACTIVE\nclear counters<IQ>confirm<R>y\n#ENDS_INTERACTIVE\n#MODE_END_ENABLE\nvlan 5";
        assert_eq!(
            steps(text),
            [
                Step::Configure(vec!["hostname a".to_owned()]),
                Step::Exec { command: "clear counters".to_owned(), answers: vec!["y".to_owned()] },
                Step::Configure(vec!["vlan 5".to_owned()]),
            ]
        );
    }

    #[test]
    fn a_multi_line_command_stays_one_line() {
        let text = "<MLTCMD>banner motd ^C\nhello\n^C</MLTCMD>";
        assert_eq!(steps(text), [Step::Configure(vec!["banner motd ^C\nhello\n^C".to_owned()])]);
    }
}
