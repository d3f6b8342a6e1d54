//! A policy bundle: Rego sources, data documents and a profile, and the revision that names exactly these. Next:
//! `activation.rs`, which lets a bundle in or keeps it out.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use platform::Json;
use platform::canonical;
use platform::policy::guard_rails::Vocabulary;
use platform::policy::{Profile, RiskTable};

use crate::activation::{self, ActivationError, TestReport};

/// Root documents that the engine itself puts into `data`, and the root of the policy's packages.
const RESERVED: [&str; 3] = ["interlock", "profile", "revision"];

/// Sources, data and profile.
#[derive(Debug, Clone)]
pub struct Bundle {
    sources: BTreeMap<String, String>,
    data: BTreeMap<String, Json>,
    profile: Profile,
}

impl Bundle {
    /// A bundle of `(path, Rego text)` sources and data documents: `data.<name>` of the policy is the document of that
    /// name. A path that ends in `_test.rego` holds tests and is no part of what answers.
    pub fn new(
        profile: Profile,
        sources: impl IntoIterator<Item = (String, String)>,
        data: impl IntoIterator<Item = (String, Json)>,
    ) -> Self {
        Self { sources: sources.into_iter().collect(), data: data.into_iter().collect(), profile }
    }

    /// The bundle that ships in the binary: the files of `policies/`.
    pub fn embedded(profile: Profile) -> Result<Self, ActivationError> {
        let sources = [
            ("interlock/authz.rego", include_str!("../../../policies/interlock/authz.rego")),
            ("interlock/authz_test.rego", include_str!("../../../policies/interlock/authz_test.rego")),
            ("interlock/visible.rego", include_str!("../../../policies/interlock/visible.rego")),
        ];
        let data = [
            ("profiles", include_str!("../../../policies/profiles.json")),
            ("risk", include_str!("../../../policies/risk.json")),
            ("roles", include_str!("../../../policies/roles.json")),
        ];
        let mut documents = BTreeMap::new();
        for (name, text) in data {
            documents.insert(name.to_owned(), document(name, text)?);
        }
        Ok(Self::new(profile, sources.map(|(path, text)| (path.to_owned(), text.to_owned())), documents))
    }

    /// A bundle from a folder of the same shape as `policies/`: every `*.rego` below it, and every `*.json` in the folder
    /// itself as `data.<file name without .json>`. Other files are not read.
    pub fn from_dir(folder: &Path, profile: Profile) -> Result<Self, ActivationError> {
        let mut bundle = Self::new(profile, [], []);
        bundle.read_folder(folder, folder)?;
        if bundle.sources.is_empty() {
            return Err(ActivationError::Unreadable {
                path: folder.display().to_string(),
                reason: "no .rego file is in this folder".to_owned(),
            });
        }
        Ok(bundle)
    }

    fn read_folder(&mut self, root: &Path, folder: &Path) -> Result<(), ActivationError> {
        let unreadable = |path: &Path, reason: &dyn std::fmt::Display| ActivationError::Unreadable {
            path: path.display().to_string(),
            reason: reason.to_string(),
        };
        for entry in std::fs::read_dir(folder).map_err(|e| unreadable(folder, &e))? {
            let entry = entry.map_err(|e| unreadable(folder, &e))?;
            let path = entry.path();
            // `file_type` does not follow links: a link could make the walk endless or leave the folder.
            let kind = entry.file_type().map_err(|e| unreadable(&path, &e))?;
            let (stem, extension) = (path.file_stem(), path.extension().and_then(|e| e.to_str()));
            if kind.is_dir() {
                self.read_folder(root, &path)?;
            } else if kind.is_file() && extension == Some("rego") {
                let text = std::fs::read_to_string(&path).map_err(|e| unreadable(&path, &e))?;
                let name = path.strip_prefix(root).unwrap_or(&path).display().to_string();
                self.sources.insert(name, text);
            } else if kind.is_file() && extension == Some("json") && folder == root {
                let name = stem.map(|s| s.to_string_lossy().into_owned()).unwrap_or_default();
                let text = std::fs::read_to_string(&path).map_err(|e| unreadable(&path, &e))?;
                let document = document(&name, &text)?;
                self.data.insert(name, document);
            }
        }
        Ok(())
    }

    /// The same bundle with a source added or replaced.
    #[must_use]
    pub fn with_source(mut self, path: impl Into<String>, rego: impl Into<String>) -> Self {
        self.sources.insert(path.into(), rego.into());
        self
    }

    /// The same bundle with a data document added or replaced.
    #[must_use]
    pub fn with_data(mut self, name: impl Into<String>, document: Json) -> Self {
        self.data.insert(name.into(), document);
        self
    }

    /// The source at a path.
    pub fn source(&self, path: &str) -> Option<&str> {
        self.sources.get(path).map(String::as_str)
    }

    /// The data document of a name.
    pub fn document(&self, name: &str) -> Option<&Json> {
        self.data.get(name)
    }

    /// The profile.
    pub fn profile(&self) -> Profile {
        self.profile
    }

    /// The operator's risk table, `data.risk`; a bundle without one leaves every tool `disruptive`.
    pub fn risk_table(&self) -> Result<RiskTable, ActivationError> {
        let Some(risk) = self.data.get("risk") else { return Ok(RiskTable::default()) };
        serde_json::from_value(risk.clone())
            .map_err(|error| ActivationError::Data { name: "risk".to_owned(), reason: error.to_string() })
    }

    /// Runs every test of the bundle without activating it, for `interlock policy test`.
    pub fn test(&self) -> Result<TestReport, ActivationError> {
        activation::run_tests(self)
    }

    /// The first 16 hexadecimal digits of the SHA-256 over sources, data and profile.
    pub fn revision(&self) -> Result<String, ActivationError> {
        let mut digest = self.digest()?;
        digest.truncate(16);
        Ok(digest)
    }

    /// The whole SHA-256 behind [`Self::revision`], hexadecimal.
    pub(crate) fn digest(&self) -> Result<String, ActivationError> {
        canonical::digest_hex(&(&self.sources, &self.data, self.profile.as_str()))
            .map_err(|error| ActivationError::Data { name: "*".to_owned(), reason: error.to_string() })
    }

    /// Sources that answer.
    pub(crate) fn policies(&self) -> impl Iterator<Item = (&str, &str)> {
        self.sources.iter().filter(|(path, _)| !is_test(path)).map(|(path, text)| (path.as_str(), text.as_str()))
    }

    /// Sources that test.
    pub(crate) fn tests(&self) -> impl Iterator<Item = (&str, &str)> {
        self.sources.iter().filter(|(path, _)| is_test(path)).map(|(path, text)| (path.as_str(), text.as_str()))
    }

    /// What the policy sees below `data`: the documents, the profile's under `profile`, and the revision.
    pub(crate) fn data_document(&self, revision: &str) -> Result<Json, ActivationError> {
        let mut root = serde_json::Map::new();
        for (name, document) in &self.data {
            if RESERVED.contains(&name.as_str()) {
                let reason = "this name belongs to the platform".to_owned();
                return Err(ActivationError::Data { name: name.clone(), reason });
            }
            root.insert(name.clone(), document.clone());
        }
        let profile = self.data.get("profiles").and_then(|profiles| profiles.get(self.profile.as_str()));
        let Some(profile) = profile else {
            let reason = format!("it has no profile `{}`", self.profile);
            return Err(ActivationError::Data { name: "profiles".to_owned(), reason });
        };
        root.insert("profile".to_owned(), profile.clone());
        root.insert("revision".to_owned(), Json::String(revision.to_owned()));
        Ok(Json::Object(root))
    }

    /// Every word of sources and data that could be the name of a group or a connector, for the guard rails.
    pub(crate) fn vocabulary(&self) -> Vocabulary {
        let mut words = BTreeSet::new();
        for (_, text) in self.policies() {
            // Every second piece between quotation marks is a string; the others are code and never look like a name.
            words.extend(text.split(['"', '`']).filter(|word| is_name(word)).map(str::to_owned));
        }
        for (name, document) in &self.data {
            if name != "risk" {
                collect_words(document, &mut words);
            }
        }
        Vocabulary { words: words.into_iter().collect() }
    }
}

fn is_test(path: &str) -> bool {
    path.ends_with("_test.rego")
}

fn is_name(word: &str) -> bool {
    (1..=64).contains(&word.len())
        && word.chars().all(|c| c.is_alphanumeric() || "-_.:@/".contains(c))
        && word.chars().any(char::is_alphanumeric)
}

fn collect_words(document: &Json, words: &mut BTreeSet<String>) {
    match document {
        Json::String(word) if is_name(word) => {
            words.insert(word.clone());
        }
        Json::Array(items) => items.iter().for_each(|item| collect_words(item, words)),
        Json::Object(members) => {
            for (key, value) in members {
                words.extend(is_name(key).then(|| key.clone()));
                collect_words(value, words);
            }
        }
        _ => {}
    }
}

fn document(name: &str, text: &str) -> Result<Json, ActivationError> {
    serde_json::from_str(text)
        .map_err(|error| ActivationError::Data { name: name.to_owned(), reason: error.to_string() })
}
