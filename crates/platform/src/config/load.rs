//! Reading: defaults, file, environment; merged key by key, with the origin of each value, then typed.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;

use super::{Config, DEFAULTS};
use crate::error::{Error, ErrorKind};

/// Prefix of environment variables that set a value: `INTERLOCK__PLATFORM__LISTEN`.
const PREFIX: &str = "INTERLOCK__";

/// Where a value came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// Built in.
    Default,
    /// The configuration file.
    File(PathBuf),
    /// An environment variable.
    Environment(String),
}

impl std::fmt::Display for Origin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File(path) => write!(f, "{}", path.display()),
            Self::Environment(name) => write!(f, "environment {name}"),
        }
    }
}

/// A configuration that was read, and the origin of each of its values by dotted key.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// The configuration.
    pub config: Config,
    /// Dotted key → (value as TOML, origin).
    pub origins: BTreeMap<String, (String, Origin)>,
}

/// What is wrong with a configuration.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("{path}: {source}")]
    Unreadable {
        /// File.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file is not TOML.
    #[error("{path}: {message}")]
    Syntax {
        /// File.
        path: PathBuf,
        /// Where and why.
        message: String,
    },
    /// A key is unknown, missing, or has a wrong value.
    #[error("{message} (from {origin})")]
    Value {
        /// Which and why.
        message: String,
        /// Where it came from.
        origin: String,
    },
}

impl From<ConfigError> for Error {
    fn from(error: ConfigError) -> Self {
        Self::new(
            ErrorKind::InvalidInput,
            "config_invalid",
            format!("The configuration cannot be used: {error}. `interlock check` shows where each value comes from."),
        )
    }
}

/// Reads the configuration from `file` (nothing = defaults only) and the given environment.
pub fn load(
    file: Option<&Path>,
    environment: impl IntoIterator<Item = (String, String)>,
) -> Result<Loaded, ConfigError> {
    let mut origins = BTreeMap::new();
    let mut merged = parse(Path::new("built-in defaults"), DEFAULTS)?;
    note(&merged, "", &Origin::Default, &mut origins);
    if let Some(path) = file {
        let text = std::fs::read_to_string(path)
            .map_err(|source| ConfigError::Unreadable { path: path.to_owned(), source })?;
        let table = parse(path, &text)?;
        note(&table, "", &Origin::File(path.to_owned()), &mut origins);
        merge(&mut merged, table);
    }
    for (name, value) in environment {
        let Some(key) = name.strip_prefix(PREFIX) else { continue };
        let path: Vec<String> = key.split("__").map(str::to_ascii_lowercase).collect();
        let value = literal(&value);
        origins.insert(path.join("."), (value.to_string(), Origin::Environment(name.clone())));
        set(&mut merged, &path, value);
    }
    let config = typed(merged).map_err(|message| {
        let origin = blame(&message, &origins);
        ConfigError::Value { message, origin }
    })?;
    Ok(Loaded { config, origins })
}

/// The process's environment, as [`load`] takes it. Variables that are not valid Unicode are no settings of ours.
pub fn environment() -> Vec<(String, String)> {
    std::env::vars_os().filter_map(|(k, v)| Some((k.into_string().ok()?, v.into_string().ok()?))).collect()
}

fn parse(path: &Path, text: &str) -> Result<toml::Table, ConfigError> {
    text.parse::<toml::Table>()
        .map_err(|e| ConfigError::Syntax { path: path.to_owned(), message: e.to_string().trim().to_owned() })
}

fn typed<T: DeserializeOwned>(table: toml::Table) -> Result<T, String> {
    toml::Value::Table(table).try_into().map_err(|e: toml::de::Error| e.to_string().trim().replace('\n', "; "))
}

/// Later tables win key by key; arrays (`[[server]]`) are replaced as a whole.
fn merge(into: &mut toml::Table, from: toml::Table) {
    for (key, value) in from {
        match (into.get_mut(&key), value) {
            (Some(toml::Value::Table(old)), toml::Value::Table(new)) => merge(old, new),
            (_, value) => {
                into.insert(key, value);
            }
        }
    }
}

fn note(table: &toml::Table, prefix: &str, origin: &Origin, origins: &mut BTreeMap<String, (String, Origin)>) {
    for (key, value) in table {
        let path = if prefix.is_empty() { key.clone() } else { format!("{prefix}.{key}") };
        match value {
            toml::Value::Table(inner) => note(inner, &path, origin, origins),
            toml::Value::Array(items) if items.iter().all(toml::Value::is_table) && !items.is_empty() => {
                for (index, item) in items.iter().enumerate() {
                    if let toml::Value::Table(inner) = item {
                        note(inner, &format!("{path}[{index}]"), origin, origins);
                    }
                }
            }
            other => {
                origins.insert(path, (other.to_string(), origin.clone()));
            }
        }
    }
}

/// An environment value: a TOML literal where it reads as one, else text.
fn literal(text: &str) -> toml::Value {
    let parsed = format!("v = {text}").parse::<toml::Table>().ok().and_then(|mut t| t.remove("v"));
    parsed.unwrap_or_else(|| toml::Value::String(text.to_owned()))
}

fn set(table: &mut toml::Table, path: &[String], value: toml::Value) {
    let Some((first, rest)) = path.split_first() else { return };
    if rest.is_empty() {
        table.insert(first.clone(), value);
        return;
    }
    let inner = table.entry(first.clone()).or_insert_with(|| toml::Value::Table(toml::Table::new()));
    if let toml::Value::Table(inner) = inner {
        set(inner, rest, value);
    }
}

/// The origins of keys that a message names; the message comes from the typed reader, which knows no files.
fn blame(message: &str, origins: &BTreeMap<String, (String, Origin)>) -> String {
    let named = |key: &str| key.rsplit('.').next().is_some_and(|last| message.contains(&format!("`{last}`")));
    let found: Vec<String> = origins
        .iter()
        .filter(|(k, (_, o))| *o != Origin::Default && named(k))
        .map(|(_, (_, o))| o.to_string())
        .collect();
    found.first().cloned().unwrap_or_else(|| "the configuration".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(text: &str) -> Result<(tempfile::TempDir, PathBuf), std::io::Error> {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("interlock.toml");
        std::fs::write(&path, text)?;
        Ok((folder, path))
    }

    #[test]
    fn later_places_win_and_are_remembered() -> Result<(), Box<dyn std::error::Error>> {
        let (_keep, path) = file("[platform]\nlisten = \"127.0.0.1:9000\"\ndrain_s = 5\n")?;
        let env = [("INTERLOCK__PLATFORM__DRAIN_S".to_owned(), "7".to_owned()), ("HOME".to_owned(), "/".to_owned())];
        let loaded = load(Some(&path), env)?;
        assert_eq!(loaded.config.platform.listen.port(), 9000);
        assert_eq!(loaded.config.platform.drain_s, 7);
        assert_eq!(loaded.origins["platform.listen"].1, Origin::File(path));
        assert_eq!(loaded.origins["platform.drain_s"].1.to_string(), "environment INTERLOCK__PLATFORM__DRAIN_S");
        assert_eq!(loaded.origins["policy.profile"].1, Origin::Default);
        Ok(())
    }

    #[test]
    fn t31_servers_are_a_list_with_an_origin_each() -> Result<(), Box<dyn std::error::Error>> {
        let (_keep, path) = file("[[server]]\nname = \"a\"\nconnector = \"interlock\"\nenvironment = \"test\"\n")?;
        let loaded = load(Some(&path), [])?;
        assert_eq!(loaded.config.server[0].name, "a");
        assert_eq!(loaded.origins["server[0].name"].0, "\"a\"");
        Ok(())
    }

    #[test]
    fn an_unknown_key_is_refused_and_named_with_its_place() -> Result<(), Box<dyn std::error::Error>> {
        let (_keep, path) = file("[platform]\nlissen = \"127.0.0.1:9000\"\n")?;
        let error = load(Some(&path), []).map(drop).map_err(|e| e.to_string());
        let error = error.err().unwrap_or_default();
        assert!(error.contains("lissen") && error.contains("interlock.toml"), "{error}");
        Ok(())
    }

    #[test]
    fn there_are_at_most_a_hundred_keys() {
        // A field is a key, but for those of `Config` itself: they are the sections.
        let is_section = |l: &str| l.ends_with("Config,") || l.ends_with("Config>,");
        let is_key = |l: &str| l.starts_with("pub ") && l.ends_with(',') && l.contains(": ") && !is_section(l);
        let keys = include_str!("mod.rs").lines().map(str::trim).filter(|l| is_key(l)).count();
        assert!((50..=100).contains(&keys), "{keys}");
    }
}
