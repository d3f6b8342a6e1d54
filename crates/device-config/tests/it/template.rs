//! Directives of templates: what is sent at the prompt is judged as a command, and what is not known is refused.

use device_config::{Class, DirectiveFaultKind, Platform, TemplateLines, template_lines};

fn read(text: &str) -> TemplateLines {
    template_lines(Platform::IosXe, text).unwrap_or_else(|fault| panic!("{fault}"))
}

fn refused(text: &str) -> (usize, DirectiveFaultKind) {
    let fault = template_lines(Platform::IosXe, text).unwrap_err();
    assert!(fault.to_string().contains(&format!("line {}", fault.number)), "{fault}");
    (fault.number, fault.kind)
}

fn lines(lines: &[device_config::TemplateLine]) -> Vec<(usize, &str)> {
    lines.iter().map(|line| (line.number, line.line.as_str())).collect()
}

#[test]
fn t21_a_command_that_is_not_a_read_makes_the_step_disruptive_and_its_undo_none() {
    let only_configuration = read("vlan 20\n name Voice\n");
    assert_eq!((only_configuration.class, only_configuration.beyond_undo()), (Class::Change, None));
    let reading = read("vlan 20\n#MODE_ENABLE\nshow vlan brief\n#MODE_END_ENABLE\n name Voice");
    assert_eq!((reading.class, reading.beyond_undo()), (Class::Change, None));
    assert_eq!(reading.config_text(), "vlan 20\n name Voice\n");
    // `write memory` alone is a change; in a template nothing undoes it.
    let saving = read("vlan 20\n#MODE_ENABLE\nwrite memory\n#MODE_END_ENABLE");
    assert_eq!(saving.class, Class::Disruptive);
    let beyond = saving.beyond_undo().unwrap();
    assert_eq!((beyond.number, beyond.line.as_str(), beyond.class), (3, "write memory", Class::Change));
}

#[test]
fn lines_of_directives_are_commands_wherever_the_directive_stands() {
    let text = "#MODE_ENABLE\n#INTERACTIVE\nmkdir flash:x <IQ>Create directory<R>\n#ENDS_INTERACTIVE\n#MODE_END_ENABLE\nvlan 5\n\
                #INTERACTIVE crypto key generate rsa<IQ>yes/no<R>no #ENDS_INTERACTIVE\n\
                #INTERACTIVE<IQ>x<R>y#ENDS_INTERACTIVE\n#MODE_ENABLE reload #MODE_END_ENABLE";
    let found = read(text);
    assert_eq!(lines(&found.config), [(6, "vlan 5")]);
    let numbers: Vec<_> = found.exec.iter().map(|line| (line.number, line.class)).collect();
    let disruptive = Class::Disruptive;
    assert_eq!(numbers, [(3, Class::Change), (7, disruptive), (8, disruptive), (9, disruptive)], "{:?}", found.exec);
}

#[test]
fn an_answer_is_typed_too() {
    let answered = |answer: &str| {
        let text =
            format!("#MODE_ENABLE\n#INTERACTIVE\nshow clock<IQ>#<R>{answer}\n#ENDS_INTERACTIVE\n#MODE_END_ENABLE");
        read(&text).class
    };
    assert_eq!((answered("y"), answered(" no ")), (Class::Read, Class::Read));
    assert_eq!((answered("reload"), answered("y<IQ>#<R>reload")), (Class::Disruptive, Class::Disruptive));
}

#[test]
fn what_is_sent_as_one_command_is_configuration_only_where_it_is_a_banner() {
    let banner = read("<MLTCMD>banner motd @\n reload\n@</MLTCMD>\nvlan 3");
    let expected = [(1, "banner motd @"), (2, " reload"), (3, "@"), (4, "vlan 3")];
    assert_eq!((lines(&banner.config), banner.class), (expected.to_vec(), Class::Change));
    assert!(banner.exec.is_empty());
    let other = read("<MLTCMD>banner motd @\n@\nreload</MLTCMD>");
    assert_eq!((other.exec.len(), other.class), (3, Class::Disruptive));
    let at_the_prompt = read("#MODE_ENABLE\n<MLTCMD>banner motd @\n@</MLTCMD>\n#MODE_END_ENABLE");
    assert_eq!(at_the_prompt.class, Class::Disruptive);
}

#[test]
fn commands_inside_the_configuration_are_found() {
    let found = read("vlan 20\ndo write memory\nend\nreload\nconf t\nvlan 30");
    assert_eq!(lines(&found.exec), [(2, "do write memory"), (4, "reload"), (5, "conf t")]);
    assert_eq!(lines(&found.config), [(1, "vlan 20"), (3, "end"), (6, "vlan 30")]);
    assert_eq!(found.class, Class::Disruptive);
}

#[test]
fn an_unknown_directive_is_refused() {
    for (text, number) in [
        ("#MODE_DISABLE", 1),
        ("vlan 3\n#mode_enable\nreload\n#mode_end_enable", 2),
        ("#MODE_ENABLE_X\nreload", 1),
        ("#MODE_\u{200b}ENABLE\nreload\n#MODE_END_ENABLE", 1),
        ("## a comment", 1),
        ("<mltcmd>banner motd @\n@</mltcmd>", 1),
        ("#INTERACTIVE\nreload<iq>confirm<R>y\n#ENDS_INTERACTIVE", 2),
        ("vlan 3 #mode_enable", 1),
        ("#END_INTERACTIVE", 1),
    ] {
        assert_eq!(refused(text), (number, DirectiveFaultKind::Unknown), "{text}");
    }
}

#[test]
fn a_directive_out_of_place_or_never_closed_is_refused() {
    use DirectiveFaultKind::{Misplaced, Unclosed};
    for (text, expected) in [
        ("#MODE_END_ENABLE", (1, Misplaced)),
        ("#MODE_ENABLE\n#MODE_ENABLE", (2, Misplaced)),
        ("#ENDS_INTERACTIVE", (1, Misplaced)),
        ("#INTERACTIVE\n#MODE_ENABLE", (2, Misplaced)),
        ("#MODE_ENABLE\n#INTERACTIVE\n#MODE_END_ENABLE", (3, Misplaced)),
        ("</MLTCMD>", (1, Misplaced)),
        ("<MLTCMD>a\n<MLTCMD>", (2, Misplaced)),
        ("<MLTCMD>a\n#MODE_ENABLE\n</MLTCMD>", (2, Misplaced)),
        ("reload<IQ>confirm<R>y", (1, Misplaced)),
        ("vlan 3\n#MODE_ENABLE\nshow clock", (2, Unclosed)),
        ("#INTERACTIVE\nx", (1, Unclosed)),
        ("<MLTCMD>x", (1, Unclosed)),
        ("banner motd @\n#MODE_ENABLE\nreload\n#MODE_END_ENABLE\n@", (2, Misplaced)),
    ] {
        assert_eq!(refused(text), expected, "{text}");
    }
}

#[test]
fn a_banner_between_number_signs_is_a_banner() {
    let found = read("banner motd #\n# no entry #\nvlan 3");
    assert_eq!((found.config.len(), found.class), (3, Class::Change));
    let found = read("banner login #\nkeep out, customer #ALPHA\nvlan 3");
    assert_eq!((found.config.len(), found.class), (3, Class::Change));
}

#[test]
fn text_that_only_resembles_a_directive_stays_text() {
    let found = read("interface Gi1/0/1\n description port #12 of <UPLINK> <cr>\n");
    assert_eq!((found.config.len(), found.exec.len()), (2, 0));
}
