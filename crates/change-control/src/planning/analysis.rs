//! What lines would make of one device, on the model and without asking anybody: prediction, difference, undo, what is not
//! known and what is dangerous. Pure: texts in, findings out, all that is shown masked (T27).

use std::collections::BTreeSet;

use device_config::{
    Class, Config, DangerKind, Diff, Lines, NoUndo, PlacedLine, Platform, TemplateLine, TemplateLines, dangers, diff,
    numbered_lines, parse, placed_lines, template_lines, undo,
};
use platform::policy::Risk;
use platform::{Error, ErrorKind};
use serde_json::json;

use super::masking::Masker;
use crate::model::plan::{Danger, DiffLine, Unmodelled};

/// What is looked at. No `Debug`: configurations hold secrets.
pub(super) struct Reading<'r> {
    pub(super) platform: Platform,
    /// The running configuration, as the device printed it.
    pub(super) running: &'r str,
    /// The rendered lines, directives included.
    pub(super) rendered: &'r str,
    /// The address by which the device is managed, where it is known.
    pub(super) management: Option<&'r str>,
    /// Values that are secrets.
    pub(super) secrets: &'r [String],
}

/// What was found.
pub(super) struct Analysis {
    pub(super) before: Config,
    pub(super) after: Config,
    pub(super) masker: Masker,
    /// Masked after it was made.
    pub(super) diff: Vec<DiffLine>,
    pub(super) unmodelled: Vec<Unmodelled>,
    pub(super) dangers: Vec<Danger>,
    pub(super) risk: Risk,
    /// The lines that lead back, or why there are none.
    pub(super) undo: Result<String, String>,
}

/// The kinds of danger after which nobody may reach the device to undo anything (T21).
const CUT_OFF: [DangerKind; 4] =
    [DangerKind::ManagementPath, DangerKind::Aaa, DangerKind::Vty, DangerKind::DefaultRoute];

/// Analyses. Error: `template_directive_refused`.
pub(super) fn analyse(reading: Reading<'_>) -> Result<Analysis, Error> {
    let platform = reading.platform;
    let template = template_lines(platform, reading.rendered).map_err(|fault| {
        // The directive itself may hold what a parameter brought in.
        Error::new(
            ErrorKind::InvalidInput,
            "template_directive_refused",
            "The rendered template has a directive that is not known, not closed, or out of place. What it would do is not known.",
        )
        .with_details(json!({ "line": fault.number }))
    })?;
    let before = parse(platform, reading.running);
    let lines = Lines::new(template.config_text());
    let merged = before.merge(&lines);
    let (was, will) = (before.text(), merged.after.text());
    let masker = Masker::of(platform, &[&was, &will, reading.rendered], reading.secrets.iter().cloned());
    let difference = diff(&before, &merged.after);
    let shown = merged.unmodelled.iter().map(|unmodelled| Unmodelled {
        line: placed(&masker, &unmodelled.within, &unmodelled.line),
        why: unmodelled.why.sentence().to_owned(),
    });
    let unmodelled: Vec<Unmodelled> = shown.collect();
    let marks = marks_of(&reading, &difference);
    let idle = idle_lines(&before, &lines, &template, &marks);
    let (mut dangers, cut_off) = marked(&marks, &idle, &masker);
    dangers.extend(commands(&template, &idle, &masker));
    let changes = !difference.is_empty() || !unmodelled.is_empty() || template.beyond_undo().is_some();
    let undo = if !changes {
        Err("It changes nothing, so that there is nothing to undo.".to_owned())
    } else if let Some(line) = template.beyond_undo() {
        Err(format!("It runs a command of the prompt, which no lines take back: `{}`.", masker.line(&[], &line.line)))
    } else if cut_off {
        Err("It touches the management path, the sign-in, the terminal lines or the default route, and the device has no timer \
             that would bring them back by itself."
            .to_owned())
    } else {
        match undo(&before, &merged) {
            device_config::Undo::Generated(lines) => Ok(lines.text().to_owned()),
            device_config::Undo::None(reason) => Err(told(&reason, &masker)),
        }
    };
    let stops = template.config.iter().any(|line| line.class == Class::Disruptive && !idle.contains(&line.number));
    let disruptive = changes && (undo.is_err() || stops);
    Ok(Analysis {
        diff: shown_diff(&difference, &masker),
        unmodelled,
        dangers,
        risk: if disruptive { Risk::Disruptive } else { Risk::Change },
        undo,
        masker,
        after: merged.after,
        before,
    })
}

/// A difference as a plan shows it.
pub(super) fn shown_diff(difference: &Diff, masker: &Masker) -> Vec<DiffLine> {
    let text = difference.masked_text();
    let lines = text.lines().filter_map(|line| {
        let sign = line.chars().next()?;
        let rest = line.get(sign.len_utf8()..)?;
        Some(DiffLine { sign: sign.to_string(), line: masker.words(rest) })
    });
    lines.collect()
}

/// A line behind the sections that it stands in.
fn placed(masker: &Masker, within: &[String], line: &str) -> String {
    let parents: Vec<&str> = within.iter().map(String::as_str).collect();
    let sections = (0..parents.len()).map(|at| {
        let above = parents.get(..at).unwrap_or_default();
        masker.line(above, parents.get(at).copied().unwrap_or_default())
    });
    sections.chain([masker.line(&parents, line)]).collect::<Vec<_>>().join(" > ")
}

/// A mark on a line.
struct Mark {
    kind: DangerKind,
    line: PlacedLine,
    /// The number of the line in the rendered text, from 1; nothing where the mark is of an effect.
    number: Option<usize>,
}

/// The marks of the lines as they are entered, and of what they do to the configuration: a line without its section, or one that
/// takes others with it, is recognised by its effect.
fn marks_of(reading: &Reading<'_>, difference: &Diff) -> Vec<Mark> {
    let (numbers, mut change): (Vec<usize>, Vec<PlacedLine>) = numbered_lines(reading.rendered).into_iter().unzip();
    effects(&difference.changes, &mut Vec::new(), &mut change);
    let running = placed_lines(reading.running);
    let found = dangers(reading.platform, reading.management, &running, &change);
    let mark = |danger: device_config::Danger| {
        let line = change.get(danger.at)?.clone();
        Some(Mark { kind: danger.kind, line, number: numbers.get(danger.at).copied() })
    };
    found.into_iter().filter_map(mark).collect()
}

/// Of the lines that ask for attention, those that the device has already and that do nothing when they are entered once more;
/// by their number in the rendered text.
fn idle_lines(before: &Config, lines: &Lines, template: &TemplateLines, marks: &[Mark]) -> BTreeSet<usize> {
    let marked: BTreeSet<usize> = marks.iter().filter_map(|mark| mark.number).collect();
    let asks = |line: &TemplateLine| line.class == Class::Disruptive || marked.contains(&line.number);
    let asked = template.config.iter().enumerate().filter(|(_, line)| asks(line)).map(|(at, _)| at).collect();
    let there = before.already_there(lines, &asked).into_iter();
    there.filter_map(|at| template.config.get(at)).map(|line| line.number).collect()
}

fn effects(changes: &[device_config::Change], parents: &mut Vec<String>, out: &mut Vec<PlacedLine>) {
    for change in changes {
        match change {
            device_config::Change::Removed(node) => node_lines(node, "no ", parents, out),
            device_config::Change::Added(node) => node_lines(node, "", parents, out),
            device_config::Change::Inside { section, changes, .. } => {
                parents.push(section.clone());
                effects(changes, parents, out);
                parents.pop();
            }
        }
    }
}

fn node_lines(node: &device_config::Node, sign: &str, parents: &mut Vec<String>, out: &mut Vec<PlacedLine>) {
    let first = node.text.lines().next().unwrap_or_default();
    out.push(PlacedLine { parents: parents.clone(), line: format!("{sign}{first}") });
    parents.push(node.text.clone());
    for child in &node.children {
        node_lines(child, sign, parents, out);
    }
    parents.pop();
}

/// The marks, masked and each once, and whether one of them may cut the device off. A line that is there already cuts nothing off.
fn marked(found: &[Mark], idle: &BTreeSet<usize>, masker: &Masker) -> (Vec<Danger>, bool) {
    let is_idle = |mark: &Mark| mark.number.is_some_and(|number| idle.contains(&number));
    let mut seen = BTreeSet::new();
    let mut shown = Vec::new();
    for mark in found {
        let (line, already_there) = (placed(masker, &mark.line.parents, &mark.line.line), is_idle(mark));
        if seen.insert((mark.kind, line.clone(), already_there)) {
            shown.push(Danger { kind: mark.kind.name().to_owned(), line, already_there });
        }
    }
    (shown, found.iter().any(|mark| CUT_OFF.contains(&mark.kind) && !is_idle(mark)))
}

/// Commands of the prompt, and configuration lines that may stop traffic or lose what cannot be got back.
fn commands(template: &TemplateLines, idle: &BTreeSet<usize>, masker: &Masker) -> Vec<Danger> {
    let of = |kind: &str, line: &TemplateLine, already_there: bool| Danger {
        kind: kind.to_owned(),
        line: masker.line(&[], line.line.trim()),
        already_there,
    };
    let prompt = template.exec.iter().map(|line| of("exec_command", line, false));
    let config = template.config.iter().filter(|line| line.class == Class::Disruptive);
    prompt.chain(config.map(|line| of("disruptive_line", line, idle.contains(&line.number)))).collect()
}

/// Why there is no undo, in words that hold no secret.
fn told(reason: &NoUndo, masker: &Masker) -> String {
    match reason {
        NoUndo::Unmodelled(lines) => {
            let first = lines.first().map(|line| placed(masker, &line.within, &line.line)).unwrap_or_default();
            format!(
                "{} of the lines are not known to the model, so that their effect cannot be taken back for sure: `{first}`.",
                lines.len()
            )
        }
        NoUndo::SectionStays(section) => {
            format!("The device does not remove `{}` once it is there.", masker.line(&[], section))
        }
        NoUndo::SecretUnseen(line) => format!(
            "`{}` would have to be entered with a value that was hidden where the configuration was read.",
            masker.line(&[], line)
        ),
        NoUndo::NotRestored(left) => {
            let (gone, new) = left.counts();
            format!("The lines that take the change back would leave {} lines that differ.", gone + new)
        }
    }
}

#[cfg(test)]
mod tests {
    use device_config::Platform::IosXe;
    use platform::policy::Risk;

    use super::{Analysis, Reading, analyse};

    const RUNNING: &str = "hostname sw1\nusername ops secret 9 $9$0ld.secret\nvlan 10\n name USERS\ninterface Vlan1\n ip address \
                           10.0.0.2 255.255.255.0\ninterface GigabitEthernet1/0/1\n description desk\nsnmp-server community \
                           r3ad-0nly RO\nip route 0.0.0.0 0.0.0.0 10.0.0.1\nline vty 0 4\n login local\nend\n";

    fn found(rendered: &str) -> Analysis {
        let reading = Reading {
            platform: IosXe,
            running: RUNNING,
            rendered,
            management: Some("10.0.0.2"),
            secrets: &["known-secret".to_owned()],
        };
        analyse(reading).unwrap()
    }

    fn lines(analysis: &Analysis) -> String {
        analysis.diff.iter().map(|line| format!("{}{}\n", line.sign, line.line)).collect()
    }

    #[test]
    fn t21_a_plain_change_has_an_undo_that_was_proven() {
        let analysis = found("vlan 20\n name GUESTS\n");
        assert_eq!(lines(&analysis), "+vlan 20\n+ name GUESTS\n");
        assert_eq!(analysis.undo.as_deref(), Ok("no vlan 20\n"));
        assert_eq!((analysis.risk, analysis.dangers.len(), analysis.unmodelled.len()), (Risk::Change, 0, 0));
    }

    #[test]
    fn t21_what_may_cut_the_device_off_counts_as_without_undo() {
        for (rendered, kind) in [
            ("interface Vlan1\n ip address 10.0.0.3 255.255.255.0\n", "management_path"),
            // Without indentation, only the effect says which interface it is.
            ("interface Vlan1\nshutdown\n", "management_path"),
            ("aaa new-model\n", "aaa"),
            ("line vty 0 4\n transport input ssh\n", "vty"),
            ("no ip route 0.0.0.0 0.0.0.0 10.0.0.1\n", "default_route"),
        ] {
            let analysis = found(rendered);
            assert!(analysis.dangers.iter().any(|danger| danger.kind == kind), "{rendered}: {:?}", analysis.dangers);
            assert_eq!(analysis.risk, Risk::Disruptive, "{rendered}");
            assert!(analysis.undo.unwrap_err().contains("timer"), "{rendered}");
        }
    }

    #[test]
    fn t21_a_command_of_the_prompt_that_is_no_read_has_no_undo() {
        let analysis = found("vlan 20\n#MODE_ENABLE\nclear counters\n#MODE_END_ENABLE\n");
        assert_eq!(analysis.risk, Risk::Disruptive);
        assert!(analysis.undo.unwrap_err().contains("clear counters"));
        assert!(analysis.dangers.iter().any(|danger| danger.kind == "exec_command"));
        let read = found("vlan 20\n#MODE_ENABLE\nshow vlan\n#MODE_END_ENABLE\n");
        assert_eq!((read.risk, read.undo.is_ok()), (Risk::Change, true), "a read takes nothing away");
        let reading = Reading {
            platform: IosXe,
            running: RUNNING,
            rendered: "#MODE_UNKNOWN x\n",
            management: None,
            secrets: &[],
        };
        assert_eq!(analyse(reading).err().unwrap().code(), "template_directive_refused");
    }

    #[test]
    fn t21_a_line_that_the_model_does_not_know_has_no_undo() {
        let analysis = found("frobnicate the network known-secret\n");
        assert_eq!(analysis.unmodelled.len(), 1);
        assert_eq!(analysis.unmodelled[0].line, "frobnicate the network <masked>");
        assert_eq!(analysis.risk, Risk::Disruptive);
        let reason = analysis.undo.unwrap_err();
        assert!(!reason.contains("known-secret") && reason.contains("not known to the model"), "{reason}");
    }

    #[test]
    fn t27_secrets_are_compared_before_they_are_hidden_and_shown_nowhere() {
        let analysis = found(
            "username ops secret 9 $9$n3w.secret\ninterface GigabitEthernet1/0/1\n description known-secret r3ad-0nly\n",
        );
        let shown = lines(&analysis);
        assert!(shown.contains("changed (masked)"), "{shown}");
        for secret in ["$9$0ld", "$9$n3w", "known-secret", "r3ad-0nly"] {
            assert!(!shown.contains(secret), "{shown}");
        }
        assert!(shown.contains("description <masked> <masked>"), "{shown}");
    }

    /// A device whose baseline a hardening template has been put on before.
    const HARDENED: &str = "hostname sw1\naaa new-model\nno ip http server\nusername ops secret 9 $9$0ld.secret\nvlan 10\n name \
                            USERS\ninterface Vlan1\n ip address 10.0.0.2 255.255.255.0\nip route 0.0.0.0 0.0.0.0 10.0.0.1\nline \
                            vty 0 4\n transport input ssh\nend\n";

    fn hardened(rendered: &str) -> Analysis {
        let reading =
            Reading { platform: IosXe, running: HARDENED, rendered, management: Some("10.0.0.2"), secrets: &[] };
        analyse(reading).unwrap()
    }

    fn kinds(analysis: &Analysis, already_there: bool) -> Vec<&str> {
        let own = analysis.dangers.iter().filter(|danger| danger.already_there == already_there);
        own.map(|danger| danger.kind.as_str()).collect()
    }

    #[test]
    fn t21_lines_that_are_there_already_are_told_and_cost_no_undo() {
        let analysis = hardened(
            "aaa new-model\nno ip http server\nusername ops secret 9 $9$0ld.secret\nip route 0.0.0.0 0.0.0.0 10.0.0.1\nline vty 0 \
             4\n transport input ssh\ninterface Vlan1\n ip address 10.0.0.2 255.255.255.0\nvlan 20\n name GUESTS\n",
        );
        assert_eq!(analysis.undo.as_deref(), Ok("no vlan 20\n"), "{:?}", analysis.dangers);
        assert_eq!((analysis.risk, kinds(&analysis, false)), (Risk::Change, Vec::new()));
        let told = kinds(&analysis, true);
        for kind in ["aaa", "vty", "default_route", "management_path", "disruptive_line"] {
            assert!(told.contains(&kind), "{kind}: {told:?}");
        }
    }

    #[test]
    fn t21_a_line_that_differs_in_one_word_or_acts_by_itself_keeps_its_mark() {
        for (rendered, kind) in [
            ("username ops secret 9 $9$n3w.secret\n", "aaa"),
            ("line vty 0 4\n transport input ssh telnet\n", "vty"),
            ("no aaa new-model\naaa new-model\n", "aaa"),
            ("interface Vlan1\n shutdown\n no shutdown\n", "management_path"),
            // The configuration does not show it, so that nobody knows.
            ("interface Vlan1\n no shutdown\n", "management_path"),
            ("default interface Vlan1\ninterface Vlan1\n ip address 10.0.0.2 255.255.255.0\n", "management_path"),
            ("crypto key zeroize rsa\n", "vty"),
        ] {
            let analysis = hardened(&format!("vlan 20\n{rendered}"));
            assert!(kinds(&analysis, false).contains(&kind), "{rendered}: {:?}", analysis.dangers);
            assert_eq!((analysis.risk, analysis.undo.is_err()), (Risk::Disruptive, true), "{rendered}");
        }
        let analysis = hardened("aaa new-model\nvlan 20\n#MODE_ENABLE\nclear line vty 1\n#MODE_END_ENABLE\n");
        assert_eq!((analysis.risk, analysis.undo.is_err()), (Risk::Disruptive, true), "a command of the prompt acts");
    }

    #[test]
    fn what_is_there_already_changes_nothing() {
        let analysis = found("vlan 10\n name USERS\n");
        assert!(analysis.diff.is_empty() && analysis.undo.is_err());
        assert_eq!(analysis.risk, Risk::Change);
    }
}
