//! Decision records in `docs/adr`: numbered without a gap, each with a status, so that a decision can be found and its
//! age be told.

use super::{Finding, SourceFile};

/// Where they are.
pub(crate) const FOLDER: &str = "docs/adr/";

/// Number, file name, title, of every record, in order.
pub(crate) fn records(files: &[SourceFile]) -> Vec<(String, &str, &str)> {
    let mut all: Vec<_> = files
        .iter()
        .filter_map(|f| {
            let name = f.path.strip_prefix(FOLDER)?.strip_suffix(".md").filter(|n| *n != "README")?;
            let title = f.text.lines().next().unwrap_or_default().trim_start_matches('#').trim();
            Some((name.split('-').next().unwrap_or_default().to_owned(), name, title))
        })
        .collect();
    all.sort();
    all
}

pub(super) fn check(files: &[SourceFile]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (at, (number, name, title)) in records(files).iter().enumerate() {
        let place = format!("{FOLDER}{name}.md");
        if *number != format!("{:04}", at + 1) {
            findings.push(Finding::fail(
                &place,
                format!("is not number {:04}: records are numbered without a gap", at + 1),
            ));
        }
        if title.is_empty() {
            findings.push(Finding::fail(&place, "has no title"));
        }
        let text = files.iter().find(|f| f.path == place).map_or("", |f| f.text.as_str());
        if !text.lines().any(|l| l.starts_with("Status: ")) {
            findings.push(Finding::fail(&place, "has no line `Status: …`"));
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::check;
    use crate::tidy::SourceFile;

    fn record(name: &str, text: &str) -> SourceFile {
        SourceFile { path: format!("docs/adr/{name}.md"), text: text.to_owned() }
    }

    #[test]
    fn gaps_doubles_and_records_without_a_status_are_flagged() {
        const GOOD: &str = "# Title\n\nStatus: accepted\n";
        assert_eq!(check(&[record("0001-a", GOOD), record("0002-b", GOOD), record("README", "")]), []);
        assert_eq!(check(&[record("0001-a", GOOD), record("0003-b", GOOD)]).len(), 1);
        assert_eq!(check(&[record("0001-a", GOOD), record("0001-b", GOOD)]).len(), 1);
        assert_eq!(check(&[record("0001-a", "# Title\n")]).len(), 1);
    }
}
