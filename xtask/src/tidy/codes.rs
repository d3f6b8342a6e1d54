//! Every refusal code has a page: `docs/errors/<code>.md`. Codes are found in the sources, pages in `docs/`.

use std::collections::{BTreeMap, BTreeSet};

use super::source::{is_test_file, product_text};
use super::{Finding, SourceFile};

/// Where the pages are.
pub(crate) const FOLDER: &str = "docs/errors/";

pub(super) fn check(files: &[SourceFile]) -> Vec<Finding> {
    let used = used(files);
    let pages = pages(files);
    let missing = used
        .iter()
        .filter(|(code, _)| !pages.contains_key(code.as_str()))
        .map(|(code, path)| Finding::fail(path.clone(), format!("the code `{code}` has no page {FOLDER}{code}.md")));
    let unused = pages
        .keys()
        .filter(|code| !used.contains_key(**code))
        .map(|code| Finding::warn(format!("{FOLDER}{code}.md"), "explains a code that no source uses"));
    let thin = pages.iter().filter(|(_, text)| !is_whole(text)).map(|(code, _)| {
        Finding::fail(
            format!("{FOLDER}{code}.md"),
            "needs a title, a sentence, and the headings `## Why` and `## What to do`",
        )
    });
    missing.chain(unused).chain(thin).collect()
}

/// Codes with the first file that uses each.
pub(crate) fn used(files: &[SourceFile]) -> BTreeMap<String, String> {
    let mut used = BTreeMap::new();
    for file in files.iter().filter(|f| is_product(&f.path)) {
        for code in codes(product_text(&file.text)) {
            used.entry(code).or_insert_with(|| file.path.clone());
        }
    }
    used
}

/// Pages by code.
pub(crate) fn pages(files: &[SourceFile]) -> BTreeMap<&str, &str> {
    let page = |f: &'_ SourceFile| f.path.strip_prefix(FOLDER).and_then(|n| n.strip_suffix(".md")).is_some();
    let all = files.iter().filter(|f| page(f));
    let code = |f: &'_ SourceFile| (FOLDER.len(), f.path.len() - ".md".len());
    all.map(|f| (&f.path[code(f).0..code(f).1], f.text.as_str())).filter(|(code, _)| *code != "README").collect()
}

fn is_whole(text: &str) -> bool {
    let lines: BTreeSet<&str> = text.lines().map(str::trim).collect();
    text.starts_with("# ") && summary(text).is_some() && lines.contains("## Why") && lines.contains("## What to do")
}

/// The first sentence under the title.
pub(crate) fn summary(text: &str) -> Option<&str> {
    text.lines().skip(1).map(str::trim).find(|l| !l.is_empty()).filter(|l| !l.starts_with('#'))
}

/// Simulators speak their vendor's errors, and tasks of the workspace have none; the process that runs the simulators and
/// the person who is played before them have their own. Suites are tests.
fn is_product(path: &str) -> bool {
    let ours =
        ["crates/", "backends/", "connectors/", "lab/systems/", "lab/story/"].iter().any(|d| path.starts_with(d));
    let suite = path.split('/').nth(1).is_some_and(|name| name.ends_with("-suites"));
    ours && path.ends_with(".rs") && !is_test_file(path) && !suite
}

/// The literal after every `ErrorKind::X,`, the second argument of every `Error::new(`, every literal in a method called
/// `code`, the code in the data of every `ErrorData`, what stands after a code of JSON-RPC, and what [`in_data`] finds.
fn codes(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for (at, start) in text.match_indices("ErrorKind::") {
        let after = text[at + start.len()..].trim_start_matches(|c: char| c.is_alphanumeric()).trim_start();
        if !text[..at].ends_with("io::") {
            found.extend(after.strip_prefix(',').and_then(literal));
        }
    }
    for (at, start) in text.match_indices("Error::new(") {
        let other_type = text[..at].ends_with("io::") || text[..at].ends_with(|c: char| c.is_alphanumeric());
        let second = text[at + start.len()..].split_once(',').map(|(_, rest)| rest);
        found.extend(second.filter(|_| !other_type).and_then(literal));
    }
    // The MCP door's own faults: the code is the first argument, and the second where HTTP's status comes first.
    for (at, start) in text.match_indices("Fault::") {
        let call = &text[at + start.len()..];
        let Some((name, arguments)) = call.split_once('(') else { continue };
        match name {
            "unreadable" | "invalid_request" | "invalid_params" => found.extend(literal(arguments)),
            "http" => found.extend(arguments.split_once(',').and_then(|(_, rest)| literal(rest))),
            _ => {}
        }
    }
    for (at, start) in text.match_indices("Some(json!({\"code\":") {
        found.extend(literal(&text[at + start.len()..]));
    }
    for (at, start) in text.match_indices("-32") {
        let after = text[at + start.len()..].trim_start_matches(|c: char| c.is_ascii_digit() || c == '_').trim_start();
        let Some(after) = after.strip_prefix(',').or_else(|| after.strip_prefix("=>")) else { continue };
        // The next member of an object is no code.
        found.extend(literal(after).filter(|code| !after.trim_start().starts_with(&format!("\"{code}\":"))));
    }
    for (at, start) in text.match_indices("fn code(&self") {
        let body = body(&text[at + start.len()..]);
        found.extend(body.match_indices('"').filter_map(|(quote, _)| literal(&body[quote..])));
    }
    found.extend(in_data(text));
    let mut once = BTreeSet::new();
    found.retain(|code| once.insert(code.clone()));
    found
}

/// Codes that no error carries, but what is kept about a change: why it stands still (`Trouble`), why a device is in its
/// state, and why a check was not made.
fn in_data(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for (at, start) in text.match_indices("Trouble") {
        let after = &text[at + start.len()..];
        let other_type = text[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_');
        let first =
            after.strip_prefix("::new(").or_else(|| after.strip_prefix(" {")?.trim_start().strip_prefix("code:"));
        found.extend(first.filter(|_| !other_type).and_then(literal));
    }
    for (at, start) in text.match_indices("(DeviceState::") {
        let after = text[at + start.len()..].trim_start_matches(char::is_alphanumeric);
        found.extend(after.strip_prefix(',').and_then(literal));
    }
    for (at, start) in text.match_indices("\"not_compared\",") {
        let after = text[at + start.len()..].trim_start().strip_prefix("json!({").map(str::trim_start);
        found.extend(after.and_then(|after| after.strip_prefix("\"code\":")).and_then(literal));
    }
    found
}

/// From the first `{` to the `}` that closes it.
fn body(text: &str) -> &str {
    let Some(open) = text.find('{') else { return "" };
    let mut depth = 0_usize;
    for (at, c) in text[open..].char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 1 => return &text[open..open + at],
            '}' => depth -= 1,
            _ => {}
        }
    }
    &text[open..]
}

/// The string literal that `text` begins with, when it has a code's form.
fn literal(text: &str) -> Option<String> {
    let inside = text.trim_start().strip_prefix('"')?.split('"').next()?;
    let form = inside.len() > 2
        && inside.starts_with(|c: char| c.is_ascii_lowercase())
        && inside.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
    form.then(|| inside.to_owned())
}

#[cfg(test)]
mod tests {
    use super::{check, codes};
    use crate::tidy::{SourceFile, Weight};

    fn file(path: &str, text: &str) -> SourceFile {
        SourceFile { path: path.to_owned(), text: text.to_owned() }
    }

    const PAGE: &str = "# `tool_unknown`\n\nNo such tool.\n\n## Why\n\nx\n\n## What to do\n\ny\n";

    #[test]
    fn codes_are_found_however_the_call_is_laid_out() {
        let text = r#"
            Error::new(ErrorKind::NotFound, "tool_unknown", "x");
            platform::Error::new(
                ErrorKind::Malformed,
                "reference_conflict",
                format!("…"),
            );
            io::Error::new(io::ErrorKind::Other, "word");
            TokenError::new(status, "oauth_error");
            Self::new(ErrorKind::InvalidInput, "policy_refused", message);
            Error::new(kind_of(status), "target_refused", message);
            Fault::unreadable("empty_body", "…");
            Fault::http(
                StatusCode::NOT_ACCEPTABLE,
                "not_acceptable",
                "…",
            );
            Fault::new(status, "from_elsewhere");
            ErrorData::invalid_params(message, Some(json!({"code": "unknown_name", "name": name})));
            json!({"event": {"action": "tool.call", "code": "somebody_elses"}});
            Self::new(StatusCode::OK, -32601, "no_such_method", message);
            json!({"code": -32603, "message": text});
            match number { -32_020 => "headers_differ", _ => "anything" }
            fn code(request: Request) -> &'static str { "handler" }
            Error::new(kind, code, message);
            fn code(&self) -> &'static str { match self { Self::A => "wrong_audience", Self::B { .. } => "token_expired" } }
            fn other() -> &'static str { "not_a_code" }
        "#;
        let want = [
            "tool_unknown",
            "reference_conflict",
            "policy_refused",
            "target_refused",
            "empty_body",
            "not_acceptable",
            "unknown_name",
            "no_such_method",
            "headers_differ",
            "wrong_audience",
            "token_expired",
        ];
        assert_eq!(codes(text), want);
    }

    #[test]
    fn codes_in_what_is_kept_about_a_change_are_found() {
        let text = r#"
            Trouble::new("plan_stale", "…");
            Trouble::new(
                "step_not_taken",
                "…",
            );
            Trouble::new(&code, message);
            Trouble {
                code: "check_failed".to_owned(),
                message: format!("…"),
            };
            Trouble { code: refusal.code.clone(), message: "sentence".to_owned() };
            OtherTrouble::new("somebody_elses", "…");
            pub struct Trouble { pub code: String }
            let (state, code) = match direction {
                Forward => (DeviceState::AppliedWithDifferences, "applied_with_differences"),
                Undo => (DeviceState::Restored, None),
            };
            result("not_compared", json!({"code": "observation_stale"}), None);
            ("not_compared", json!({ "code": error.code(), "message": "no_code" }), None);
            json!({"code": "anything"});
        "#;
        let want = ["plan_stale", "step_not_taken", "check_failed", "applied_with_differences", "observation_stale"];
        assert_eq!(codes(text), want);
    }

    #[test]
    fn a_code_that_only_a_sentence_a_test_or_another_file_names_does_not_use_its_page() {
        let page = file("docs/errors/tool_unknown.md", PAGE);
        for (path, text) in [
            ("crates/x/src/a.rs", "//! Answers `tool_unknown`.\nlet x = \"tool_unknown\";\n"),
            ("crates/x/src/a.rs", "fn a() {}\n#[cfg(test)]\nmod tests { Trouble::new(\"tool_unknown\", \"…\") }"),
            ("crates/x-suites/src/a.rs", "Trouble::new(\"tool_unknown\", \"…\")"),
            ("CHANGELOG.md", "Trouble::new(\"tool_unknown\", \"…\")"),
        ] {
            let found = check(&[file(path, text), file(&page.path, &page.text)]);
            assert!(found.len() == 1 && found[0].weight == Weight::Warn, "{path}: {found:?}");
        }
    }

    #[test]
    fn a_code_without_a_page_and_a_thin_page_fail_and_a_page_without_a_code_warns() {
        let source = file("crates/x/src/a.rs", "Error::new(K, \"tool_unknown\", \"…\")");
        assert_eq!(check(&[file("crates/x/src/a.rs", &source.text), file("docs/errors/tool_unknown.md", PAGE)]), []);
        let missing = check(std::slice::from_ref(&source));
        assert!(missing.len() == 1 && missing[0].weight == Weight::Fail);
        assert!(missing[0].message.contains("docs/errors/tool_unknown.md"));
        let thin = check(&[source, file("docs/errors/tool_unknown.md", "# `tool_unknown`\n")]);
        assert!(thin.len() == 1 && thin[0].weight == Weight::Fail);
        let unused = check(&[file("docs/errors/tool_unknown.md", PAGE)]);
        assert!(unused.len() == 1 && unused[0].weight == Weight::Warn);
    }

    #[test]
    fn codes_of_tests_simulators_and_tasks_need_no_page() {
        let text = "Error::new(K, \"some_code\", \"…\")";
        for path in ["crates/x/tests/it/a.rs", "lab/sim/src/a.rs", "xtask/src/a.rs", "crates/platform-suites/src/a.rs"]
        {
            assert_eq!(check(&[file(path, text)]), [], "{path}");
        }
        let in_module = format!("fn a() {{}}\n#[cfg(test)]\nmod tests {{ {text} }}");
        assert_eq!(check(&[file("crates/x/src/a.rs", &in_module)]), []);
    }
}
