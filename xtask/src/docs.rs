//! `cargo xtask docs`: pages that are written by the program: the index of error codes and of decision records.
//!
//! Next: [`crate::tidy::codes`] and [`crate::tidy::records`], which read the pages they are made from.

use anyhow::{Context, Result, bail};

use crate::tidy::{self, Finding, SourceFile, codes, records};
use crate::{terminal, workspace};

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Write nothing; fail when a page is not what it would become.
    #[arg(long)]
    check: bool,
}

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let files = tidy::read_files()?;
    if arguments.check {
        let stale = stale(&files);
        stale.iter().for_each(terminal::say);
        if !stale.is_empty() {
            bail!("generated pages are old");
        }
        return Ok(());
    }
    for (path, text) in pages(&files) {
        if current(&files, path) != Some(&text) {
            std::fs::write(workspace::root().join(path), text).with_context(|| format!("cannot write {path}"))?;
            terminal::say(format_args!("wrote {path}"));
        }
    }
    Ok(())
}

/// Pages that are not what they would become.
pub(crate) fn stale(files: &[SourceFile]) -> Vec<Finding> {
    let old = pages(files).into_iter().filter(|(path, text)| current(files, path) != Some(text));
    old.map(|(path, _)| Finding::fail(path, "is old; `cargo xtask docs` writes it again")).collect()
}

fn current<'a>(files: &'a [SourceFile], path: &str) -> Option<&'a String> {
    files.iter().find(|f| f.path == path).map(|f| &f.text)
}

fn pages(files: &[SourceFile]) -> [(&'static str, String); 2] {
    [("docs/errors/README.md", errors(files)), ("docs/adr/README.md", decisions(files))]
}

fn errors(files: &[SourceFile]) -> String {
    let mut text = "# Error codes\n\nEvery refusal carries one of these codes. It never changes its meaning; the sentence \
                    beside it may be\nworded better. Written by `cargo xtask docs`.\n\n| code | meaning |\n| --- | --- |\n"
        .to_owned();
    for (code, page) in codes::pages(files) {
        let meaning = codes::summary(page).unwrap_or_default().replace('|', "\\|");
        text += &format!("| [`{code}`]({code}.md) | {meaning} |\n");
    }
    text
}

fn decisions(files: &[SourceFile]) -> String {
    let mut text = "# Decisions\n\nWhat was decided, what else was possible, and why. A decision is replaced by a new \
                    record, never edited away.\nWritten by `cargo xtask docs`.\n\n"
        .to_owned();
    for (number, name, title) in records::records(files) {
        let title = title.trim_start_matches(&number).trim_start_matches(['.', ':', ' ']);
        text += &format!("- [{number}]({name}.md) {title}\n");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::{pages, stale};
    use crate::tidy::SourceFile;

    #[test]
    fn a_page_that_misses_a_code_or_a_record_is_old_until_it_is_written_again() {
        let file = |path: &str, text: &str| SourceFile { path: path.to_owned(), text: text.to_owned() };
        let mut files = vec![
            file("docs/errors/tool_unknown.md", "# `tool_unknown`\n\nNo such | tool.\n"),
            file("docs/adr/0001-one-road.md", "# 0001 One road\n"),
        ];
        assert_eq!(stale(&files).len(), 2);
        for (path, text) in pages(&files) {
            files.push(file(path, &text));
        }
        assert_eq!(stale(&files), []);
        let all: String = files.iter().map(|f| f.text.as_str()).collect();
        assert!(all.contains("| [`tool_unknown`](tool_unknown.md) | No such \\| tool. |"));
        assert!(all.contains("- [0001](0001-one-road.md) One road"));
    }
}
