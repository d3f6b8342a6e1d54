//! The operator's own list of devices: what no system knows (redundancy groups), or knows wrongly (sites, roles). TOML or CSV,
//! by the ending of its name; form and columns stand in `docs/targets.md`. Read again at each refresh.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use platform::{Error, ErrorKind};
use serde::Deserialize;

use super::join::normalised;
use crate::ports::target_source::TargetRow;

/// Most bytes of the file.
const MOST_BYTES: u64 = 32 << 20;

/// A file that was readable once.
#[derive(Debug)]
pub struct TargetsFile {
    path: PathBuf,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Toml {
    #[serde(default)]
    device: Vec<TomlDevice>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TomlDevice {
    serials: Vec<String>,
    hostname: Option<String>,
    site: Option<String>,
    role: Option<String>,
    redundancy_group: Option<String>,
    ci: Option<String>,
}

/// Columns of the CSV form.
const COLUMNS: [&str; 6] = ["serials", "hostname", "site", "role", "redundancy_group", "ci"];

#[derive(Deserialize)]
struct CsvDevice {
    /// Several are separated by `;` or spaces.
    serials: String,
    #[serde(default)]
    hostname: Option<String>,
    #[serde(default)]
    site: Option<String>,
    #[serde(default)]
    role: Option<String>,
    #[serde(default)]
    redundancy_group: Option<String>,
    #[serde(default)]
    ci: Option<String>,
}

impl TargetsFile {
    /// Reads it once. Errors: `targets_file_invalid`.
    pub(crate) fn open(path: &Path) -> Result<Self, Error> {
        let file = Self { path: path.to_owned() };
        file.read().map(|_| file)
    }

    /// Its devices. Errors: `targets_file_invalid`.
    pub(crate) fn read(&self) -> Result<Vec<TargetRow>, Error> {
        let invalid = |why: &dyn std::fmt::Display| {
            Error::new(
                ErrorKind::InvalidInput,
                "targets_file_invalid",
                format!("The list of devices in `targets.file` cannot be used: {why}. Correct the file."),
            )
        };
        let size = std::fs::metadata(&self.path).map_err(|e| invalid(&e))?.len();
        if size > MOST_BYTES {
            return Err(invalid(&format!("it has {size} bytes, and at most {MOST_BYTES} are read")));
        }
        let text = std::fs::read_to_string(&self.path).map_err(|e| invalid(&e))?;
        let rows = match self.path.extension().and_then(|e| e.to_str()) {
            Some("toml") => from_toml(&text),
            Some("csv") => from_csv(&text),
            _ => Err("its name must end in .toml or .csv".to_owned()),
        };
        rows.and_then(checked).map_err(|why| invalid(&why))
    }
}

fn from_toml(text: &str) -> Result<Vec<TargetRow>, String> {
    let file: Toml = toml::from_str(text).map_err(|e| e.to_string().trim().replace('\n', "; "))?;
    let row = |d: TomlDevice| row(d.serials, [d.hostname, d.site, d.role, d.redundancy_group, d.ci]);
    Ok(file.device.into_iter().map(row).collect())
}

fn from_csv(text: &str) -> Result<Vec<TargetRow>, String> {
    let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).comment(Some(b'#')).from_reader(text.as_bytes());
    // Without rows nothing else would look at them.
    let columns: Vec<_> = reader.headers().map_err(|e| e.to_string())?.iter().map(str::to_owned).collect();
    if let Some(unknown) = columns.iter().find(|column| !COLUMNS.contains(&column.as_str())) {
        return Err(format!("there is no column `{unknown}`; there are {}", COLUMNS.join(", ")));
    }
    let row = |device: Result<CsvDevice, csv::Error>| {
        let d = device.map_err(|e| e.to_string())?;
        let serials = d.serials.split([';', ' ']).filter(|s| !s.is_empty()).map(str::to_owned).collect();
        Ok(row(serials, [d.hostname, d.site, d.role, d.redundancy_group, d.ci]))
    };
    reader.deserialize().map(row).collect()
}

fn row(serials: Vec<String>, facts: [Option<String>; 5]) -> TargetRow {
    let [hostname, site, role, redundancy_group, ci] =
        facts.map(|fact| fact.map(|f| f.trim().to_owned()).filter(|f| !f.is_empty()));
    let serials: Vec<_> = serials.iter().filter_map(|s| normalised(s)).collect();
    let id = serials.first().cloned().unwrap_or_default();
    TargetRow { id, serials, hostname, site, role, redundancy_group, ci }
}

/// A list of one's own does not contradict itself.
fn checked(rows: Vec<TargetRow>) -> Result<Vec<TargetRow>, String> {
    let mut owners: HashMap<&str, usize> = HashMap::new();
    for (at, row) in rows.iter().enumerate() {
        if row.serials.is_empty() {
            return Err(format!("device {} has no serial number", at + 1));
        }
        for serial in &row.serials {
            if let Some(other) = owners.insert(serial, at).filter(|other| *other != at) {
                return Err(format!("devices {} and {} both have the serial number {serial}", other + 1, at + 1));
            }
        }
    }
    Ok(rows)
}

#[cfg(test)]
mod tests {
    use super::{checked, from_csv, from_toml};

    #[test]
    fn both_forms_say_the_same() {
        let toml = from_toml(
            "[[device]]\nserials = [\"fcw1\", \"FCW2\"]\nredundancy_group = \"core\"\n[[device]]\nserials = [\"X\"]\nsite = \"a, b\"\n",
        );
        let csv = from_csv("serials,redundancy_group,site\n# a pair\nfcw1; FCW2,core,\nX, ,\"a, b\"\n");
        let rows = csv.unwrap();
        assert_eq!(toml.unwrap(), rows);
        assert_eq!(
            (rows[0].serials.join(","), rows[0].redundancy_group.as_deref()),
            ("FCW1,FCW2".into(), Some("core"))
        );
        assert_eq!((rows[1].redundancy_group.as_deref(), rows[1].site.as_deref()), (None, Some("a, b")));
    }

    #[test]
    fn a_list_with_a_mistake_is_refused_whole() {
        for (text, why) in [
            ("serials,sight\nA,b\n", "sight"),
            ("serials,site\nA\n", "fields"),
            ("site\nb\n", "serials"),
            ("serials\nA\nB A\n", "both have the serial number A"),
            ("serials,site\n;,x\n", "no serial number"),
        ] {
            let error = from_csv(text).and_then(checked).unwrap_err();
            assert!(error.contains(why), "{text:?}: {error}");
        }
        assert!(from_toml("[[device]]\nserial = \"A\"\n").unwrap_err().contains("serial"));
    }
}
