//! Hand-reviewed cases for ASA (`fixtures/asa.txt`): what lines make of a configuration, and the lines that lead back.

use std::path::Path;

use device_config::{Lines, Platform, Undo, parse, undo};

struct Case<'t> {
    name: &'t str,
    running: &'t str,
    lines: &'t str,
    after: &'t str,
    undo: &'t str,
}

fn cases(text: &str) -> Vec<Case<'_>> {
    let part = |rest: &mut &'_ str| -> usize { rest.find("\n--- ").unwrap_or(rest.len()) };
    text.split("\n=== ")
        .skip(1)
        .map(|case| {
            let mut rest = case;
            let mut next = |skip: &str| {
                let end = part(&mut rest);
                let own = &rest[..end];
                rest = rest.get(end + 1..).unwrap_or_default();
                own.strip_prefix(skip)
                    .unwrap_or_else(|| panic!("{own:?} does not begin with {skip:?}"))
                    .trim_matches('\n')
            };
            let name = next("");
            let [running, lines, after, undo] = ["--- running", "--- lines", "--- after", "--- undo"].map(&mut next);
            Case { name, running, lines, after, undo }
        })
        .collect()
}

#[test]
fn t21_asa_lines_make_what_the_device_makes_of_them_and_are_taken_back() {
    let text = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/asa.txt")).unwrap();
    let cases = cases(&text);
    assert!(cases.len() >= 40, "{} cases", cases.len());
    let mut wrong = Vec::new();
    let mut none = 0;
    for case in &cases {
        let before = parse(Platform::Asa, case.running);
        let merged = before.merge(&Lines::new(case.lines));
        let after = merged.after.text();
        if after.trim_matches('\n') != case.after {
            wrong.push(format!("{}: after\n{after}", case.name));
        }
        let back = match undo(&before, &merged) {
            Undo::Generated(lines) => lines.text().trim_matches('\n').to_owned(),
            Undo::None(reason) => {
                none += 1;
                format!("none {}", reason.name())
            }
        };
        if back != case.undo {
            wrong.push(format!("{}: undo\n{back}", case.name));
        }
    }
    println!("asa: {} hand-reviewed cases, {none} without an undo ({} %)", cases.len(), none * 100 / cases.len());
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
    assert!(none * 5 <= cases.len(), "more than 20 % of the cases have no undo");
}
