//! The kept corpus is replayed on every run of the suite: no input may break what its target asserts, and every target's
//! corpus holds inputs that are read and inputs that are refused.
#![cfg(test)]

extern crate interlock_fuzz as fuzz;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use fuzz::{TARGETS, Verdict};

fn here() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display()));
    let mut files: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

fn names(folder: &str) -> BTreeSet<String> {
    let stem = |path: PathBuf| path.file_stem().unwrap().to_str().unwrap().to_owned();
    files(&here().join(folder)).into_iter().map(stem).collect()
}

#[test]
fn every_kept_input_holds_what_its_target_asserts() {
    for target in TARGETS {
        let mut seen = BTreeSet::new();
        for file in files(&here().join("corpus").join(target.name)) {
            let data = std::fs::read(&file).unwrap();
            let verdict = std::panic::catch_unwind(|| (target.run)(&data));
            let verdict = verdict.unwrap_or_else(|_| panic!("{} breaks {}", file.display(), target.name));
            seen.insert(format!("{verdict:?}"));
        }
        assert!(seen.contains(&format!("{:?}", Verdict::Read)), "{}: the corpus holds nothing good", target.name);
        let refused = seen.contains(&format!("{:?}", Verdict::Refused));
        assert_eq!(refused, target.refuses, "{}: the corpus holds nothing bad", target.name);
    }
}

#[test]
fn every_target_has_its_program_and_its_corpus_and_no_other_has() {
    let targets: BTreeSet<String> = TARGETS.iter().map(|t| t.name.to_owned()).collect();
    assert_eq!(names("corpus"), targets);
    assert_eq!(names("libfuzzer/fuzz_targets"), targets);
    let manifest = std::fs::read_to_string(here().join("libfuzzer/Cargo.toml")).unwrap();
    for target in &targets {
        assert!(manifest.contains(&format!("name = \"{target}\"")), "{target} is no program of libfuzzer/Cargo.toml");
    }
}

#[test]
fn the_kept_corpus_stays_small() {
    let bytes: u64 = TARGETS
        .iter()
        .flat_map(|t| files(&here().join("corpus").join(t.name)))
        .map(|f| f.metadata().unwrap().len())
        .sum();
    assert!(bytes < 400_000, "{bytes} bytes; minimise it with `cargo xtask fuzz --minimise`");
}
