//! Texts of devices, and for them: commands and configuration lines, running configurations, templates, `show` output.

use device_config::{Class, Mode, Platform, classify, mask, show, template_lines};

use crate::Verdict;

/// The first byte chooses the platform and the mode, the rest is the text.
fn given(data: &[u8]) -> Option<(Platform, Mode, &str)> {
    let (choice, text) = data.split_first()?;
    let platform = Platform::ALL.get(usize::from(choice % 4)).copied()?;
    let mode = if choice & 4 == 0 { Mode::Exec } else { Mode::Config };
    Some((platform, mode, std::str::from_utf8(text).ok()?))
}

/// Every line gets a class; a line of strange characters is never a read.
pub fn command_classes(data: &[u8]) -> Verdict {
    let Some((platform, mode, text)) = given(data) else { return Verdict::Refused };
    let lines = classify(platform, mode, text);
    assert_eq!(lines.len(), text.lines().count(), "a class for each line");
    for line in &lines {
        assert!(!line.reason.is_empty() || line.class == Class::Read, "a reason for {line:?}");
        assert!(line.reason.chars().all(|c| !c.is_control()), "{line:?}");
        let strange = line.line.chars().any(|c| c.is_control() && c != '\t');
        assert!(!strange || line.class == Class::Disruptive, "{line:?}");
        let comment = line.line.trim_start().starts_with(['!', ':']);
        assert!(line.class > Class::Read || line.line.is_ascii() || comment, "{line:?}");
    }
    Verdict::of(lines.iter().all(|line| line.class < Class::Disruptive))
}

/// Masking keeps the lines, and what it has masked.
pub fn configuration_mask(data: &[u8]) -> Verdict {
    let Some((platform, _, text)) = given(data) else { return Verdict::Refused };
    let masked = mask(platform, text);
    assert_eq!(masked.text.matches('\n').count(), text.matches('\n').count(), "lines are kept");
    assert!(masked.secrets > 0 || masked.text == text, "what has no secret stays");
    assert_eq!(mask(platform, &masked.text).text, masked.text, "masked once and for all");
    Verdict::Read
}

/// A template that is read loses no line, and a command that is not a read makes it disruptive.
pub fn template_directives(data: &[u8]) -> Verdict {
    let Some((platform, _, text)) = given(data) else { return Verdict::Refused };
    let Ok(read) = template_lines(platform, text) else { return Verdict::Refused };
    for line in read.config.iter().chain(&read.exec) {
        assert!((1..=text.lines().count()).contains(&line.number), "{line:?}");
        assert!(!line.line.contains("#MODE_ENABLE") && !line.line.contains("#INTERACTIVE"), "{line:?}");
    }
    assert!(read.config.iter().all(|line| line.class <= read.class));
    assert!(read.exec.iter().all(|line| line.class == Class::Read) || read.class == Class::Disruptive);
    Verdict::Read
}

/// What a device prints is read or refused, and never breaks the reader.
pub fn show_output(data: &[u8]) -> Verdict {
    let Some((platform, _, text)) = given(data) else { return Verdict::Refused };
    let read = [
        show::system::version(platform, text).is_ok(),
        show::system::inventory(platform, text).is_ok(),
        show::system::clock(platform, text).is_ok(),
        show::ports::interfaces_status(platform, text).is_ok(),
        show::ports::ip_interface_brief(platform, text).is_ok(),
        show::ports::vlan_brief(platform, text).is_ok(),
        show::ports::spanning_tree_summary(platform, text).is_ok(),
        show::neighbors::cdp_neighbors(platform, text).is_ok(),
        show::neighbors::lldp_neighbors(platform, text).is_ok(),
        show::routing::ospf_neighbors(platform, text).is_ok(),
        show::routing::bgp_summary(platform, text).is_ok(),
        show::routing::route_summary(platform, text).is_ok(),
    ];
    Verdict::of(read.contains(&true))
}
