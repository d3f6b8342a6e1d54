//! `interlock device-config`, as engineers and scripts use it: files, standard input, exit codes.

use crate::a_lab::{json, out, run};

fn file(text: &str) -> (tempfile::TempDir, String) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("given.txt");
    std::fs::write(&path, text).unwrap();
    let path = path.to_str().unwrap().to_owned();
    (folder, path)
}

#[test]
fn classify_says_class_and_reason_of_each_line() {
    let (_folder, path) = file("sh ver\nwr mem\nfrobnicate\u{1b}[2J\n");
    let said = run(&["device-config", "classify", "--platform", "ios-xe", &path], None);
    assert_eq!(said.status.code(), Some(0));
    let text = out(&said);
    let lines: Vec<_> = text.lines().collect();
    assert_eq!(lines.len(), 3, "{text}");
    assert!(lines[0].starts_with("read        sh ver") && lines[1].starts_with("change      wr mem"), "{text}");
    assert!(lines[2].starts_with("disruptive") && lines[2].contains("\\u{1b}"), "no escape reaches a terminal: {text}");
    let column = |line: &str, reason: &str| line.find(reason).unwrap();
    assert_eq!(column(lines[0], "prints state"), column(lines[1], "saves the running"), "{text}");

    let said = json(&run(&["device-config", "classify", "--json", "--platform", "ios-xe", &path], None));
    assert_eq!(said["class"], "disruptive");
    assert_eq!((&said["lines"][1]["line"], &said["lines"][1]["class"]), (&"wr mem".into(), &"change".into()));
}

#[test]
fn a_script_asks_classify_for_its_limit() {
    let (_folder, path) = file("show version\nping 10.0.0.1\n");
    let most = |class| {
        let arguments = ["device-config", "classify", "--platform", "nx-os", "--at-most", class, &path];
        run(&arguments, None).status.code()
    };
    assert_eq!((most("probe"), most("change"), most("read"), most("nothing")), (Some(0), Some(0), Some(1), Some(2)));
    let (_folder, path) = file("do reload\n");
    let mode = |mode| run(&["device-config", "classify", "--platform", "ios-xe", "--mode", mode, &path], None);
    assert!(out(&mode("config")).contains("restarts the device"));
    assert_eq!(mode("neither").status.code(), Some(2));
}

#[test]
fn mask_tells_of_secrets_that_were_hidden_before() {
    let (_folder, path) = file("enable password ***** pbkdf2\nhostname fw\n");
    let said = json(&run(&["device-config", "mask", "--json", "--platform", "asa", &path], None));
    assert_eq!((&said["secrets_unseen"], &said["masked_secrets"]), (&true.into(), &1.into()), "{said}");
}
