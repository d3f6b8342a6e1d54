//! A list tool stays small: what it does, without its arguments, is at most 25 lines.
#![cfg(test)]

const SOURCES: [(&str, &str); 3] = [
    ("incidents", include_str!("../../src/tools/incidents.rs")),
    ("changes", include_str!("../../src/tools/changes.rs")),
    ("inventory", include_str!("../../src/tools/inventory.rs")),
];

#[test]
fn a_list_tool_is_at_most_25_lines() {
    let mut seen = 0;
    for (file, source) in SOURCES {
        let lines: Vec<&str> = source.lines().collect();
        for (at, line) in lines.iter().enumerate().filter(|(_, l)| l.starts_with("pub(super) fn list_")) {
            let body = lines[at..].iter().position(|l| l.starts_with('}')).unwrap() + 1;
            assert!(body <= 25, "{file}: {line} has {body} lines");
            seen += 1;
        }
    }
    assert_eq!(seen, 5);
}
