//! A list tool stays small: its arguments and its function, without comments and blank lines, are at most 25 lines.
#![cfg(test)]

const SOURCES: [(&str, &str); 4] = [
    ("compliance", include_str!("../../src/tools/compliance.rs")),
    ("devices", include_str!("../../src/tools/devices.rs")),
    ("sites", include_str!("../../src/tools/sites.rs")),
    ("health", include_str!("../../src/tools/health.rs")),
];

/// Lines from the one that begins with `begin` to the closing brace, with attributes before it.
fn item(source: &str, begin: &str) -> usize {
    let lines: Vec<&str> =
        source.lines().filter(|l| !l.trim_start().starts_with("//") && !l.trim().is_empty()).collect();
    let start = lines.iter().position(|l| l.starts_with(begin)).unwrap();
    let attributes = lines[..start].iter().rev().take_while(|l| l.starts_with("#[")).count();
    let body = lines[start..].iter().position(|l| l.starts_with('}')).unwrap() + 1;
    attributes + body
}

#[test]
fn a_list_tool_is_at_most_25_lines() {
    let mut seen = 0;
    for (file, source) in SOURCES {
        for line in source.lines().filter(|l| l.starts_with("pub(super) fn list_")) {
            let function = item(source, line);
            let arguments = source[source.find(line).unwrap()..].split("ToolSpec::new::<").nth(1).unwrap();
            let arguments = arguments.split(',').next().unwrap();
            let lines = function + item(source, &format!("struct {arguments} {{"));
            assert!(lines <= 25, "{file}: {line} and {arguments} have {lines} lines");
            seen += 1;
        }
    }
    assert_eq!(seen, 5);
}
