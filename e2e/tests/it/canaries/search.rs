//! The search for canaries: every value in every form in which a program writes text down, in files as raw bytes. Next:
//! [`super`], which plants them.

use std::path::Path;

use aho_corasick::AhoCorasick;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};

/// A value that must stay where it belongs.
pub(super) struct Canary {
    /// Where it was planted.
    pub(super) planted: String,
    /// The value.
    pub(super) value: Vec<u8>,
    /// Beginnings of paths below the searched folder where it may stand: its own file, or the simulated target's records.
    pub(super) home: &'static [&'static str],
}

/// A find.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) planted: String,
    pub(super) form: &'static str,
    pub(super) place: String,
    pub(super) at_home: bool,
}

pub(super) struct Search {
    canaries: Vec<Canary>,
    needles: Vec<(usize, &'static str)>,
    machine: AhoCorasick,
}

impl Search {
    pub(super) fn for_all(canaries: Vec<Canary>) -> Self {
        let (mut needles, mut texts) = (Vec::new(), Vec::new());
        for (index, canary) in canaries.iter().enumerate() {
            assert!(canary.value.len() >= 16, "{} is too short to be told from chance", canary.planted);
            for (form, text) in forms(&canary.value) {
                needles.push((index, form));
                texts.push(text);
            }
        }
        Self { canaries, needles, machine: AhoCorasick::new(texts).unwrap() }
    }

    /// Every canary in `bytes`, which came from `place`; each form once.
    pub(super) fn bytes(&self, place: &str, bytes: &[u8]) -> Vec<Found> {
        let mut seen: Vec<usize> = self.machine.find_overlapping_iter(bytes).map(|m| m.pattern().as_usize()).collect();
        seen.sort_unstable();
        seen.dedup();
        let found = seen.into_iter().map(|needle| {
            let (index, form) = self.needles[needle];
            let canary = &self.canaries[index];
            let at_home = canary.home.iter().any(|home| place.starts_with(home));
            Found { planted: canary.planted.clone(), form, place: place.to_owned(), at_home }
        });
        found.collect()
    }

    /// The same in every file of a folder and in every file's name. The second value is how many files there were.
    pub(super) fn folder(&self, root: &Path) -> (Vec<Found>, usize) {
        let (mut found, mut files, mut folders) = (Vec::new(), 0, vec![root.to_owned()]);
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(&folder).unwrap() {
                let path = entry.unwrap().path();
                let place = path.strip_prefix(root).unwrap().display().to_string();
                found.extend(self.bytes(&format!("name of {place}"), place.as_bytes()));
                if path.is_dir() {
                    folders.push(path);
                } else if path.is_file() {
                    // A write-ahead file may go away between the listing and the reading.
                    let Ok(bytes) = std::fs::read(&path) else { continue };
                    files += 1;
                    found.extend(self.bytes(&place, &bytes));
                }
            }
        }
        (found, files)
    }
}

/// Finds that are no canary's home.
pub(super) fn leaks(found: Vec<Found>) -> Vec<Found> {
    found.into_iter().filter(|found| !found.at_home).collect()
}

/// A value in every form; none is the beginning or the whole of another by accident, so that each tells how it leaked.
fn forms(value: &[u8]) -> Vec<(&'static str, Vec<u8>)> {
    let mut forms = vec![
        ("plain", value.to_vec()),
        ("hexadecimal", hex(value, false).into_bytes()),
        ("HEXADECIMAL", hex(value, true).into_bytes()),
        ("list of bytes", value.iter().map(u8::to_string).collect::<Vec<_>>().join(",").into_bytes()),
        ("spaced list of bytes", value.iter().map(u8::to_string).collect::<Vec<_>>().join(", ").into_bytes()),
    ];
    for skipped in 0..3 {
        forms.push(("base64", inside_base64(value, skipped, &STANDARD)));
        forms.push(("base64url", inside_base64(value, skipped, &URL_SAFE)));
    }
    if let Ok(text) = std::str::from_utf8(value) {
        forms.push(("UTF-16LE", text.encode_utf16().flat_map(u16::to_le_bytes).collect()));
        forms.push(("UTF-16BE", text.encode_utf16().flat_map(u16::to_be_bytes).collect()));
        forms.push(("percent-encoded", text.bytes().map(|b| format!("%{b:02X}")).collect::<String>().into_bytes()));
        forms.push(("percent-encoded", text.bytes().map(|b| format!("%{b:02x}")).collect::<String>().into_bytes()));
        forms.push(("escaped", text.encode_utf16().map(|u| format!("\\u{u:04x}")).collect::<String>().into_bytes()));
        forms.push(("escaped", text.encode_utf16().map(|u| format!("\\u{u:04X}")).collect::<String>().into_bytes()));
        let entities =
            |one: fn(u32) -> String| text.chars().map(|c| one(u32::from(c))).collect::<String>().into_bytes();
        forms.push(("entities", entities(|c| format!("&#{c};"))));
        forms.push(("entities", entities(|c| format!("&#x{c:x};"))));
        forms.push(("entities", entities(|c| format!("&#x{c:X};"))));
        let in_url: String = url::form_urlencoded::byte_serialize(value).collect();
        let in_json = serde_json::to_string(text).unwrap();
        let mut variants = vec![("in a URL", in_url), ("in JSON", in_json[1..in_json.len() - 1].to_owned())];
        // As pages write it: inside an element and inside an attribute, by name and by number.
        let in_element = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
        let in_attribute = in_element.replace('"', "&quot;");
        for apostrophe in ["&#39;", "&#x27;", "&apos;"] {
            variants.push(("in HTML", in_attribute.replace('\'', apostrophe)));
        }
        variants.extend([("in HTML", in_element), ("in HTML", in_attribute)]);
        forms.extend(variants.into_iter().filter(|(_, v)| v != text).map(|(form, v)| (form, v.into_bytes())));
    }
    forms
}

fn hex(value: &[u8], upper: bool) -> String {
    value.iter().map(|b| if upper { format!("{b:02X}") } else { format!("{b:02x}") }).collect()
}

/// What stands in the base64 of a longer text when the value begins `skipped` bytes after a multiple of three: only the
/// characters that no neighbour decides.
fn inside_base64(value: &[u8], skipped: usize, engine: &impl base64::Engine) -> Vec<u8> {
    let padded = [vec![0; skipped], value.to_vec()].concat();
    let text = engine.encode(&padded).into_bytes();
    let (from, to) = ((skipped * 8).div_ceil(6), padded.len() * 8 / 6);
    text[from..to].to_vec()
}

#[test]
fn the_search_finds_a_planted_leak_in_every_form_and_nothing_elsewhere() {
    let value = b"canary+with/every=\"sort\" of 'sign' \\ & more".to_vec();
    let canary = |planted: &str, value: Vec<u8>| Canary { planted: planted.to_owned(), value, home: &["home/"] };
    let search = Search::for_all(vec![
        canary("planted", value.clone()),
        canary("absent", b"another one that is nowhere".to_vec()),
    ]);
    let folder = tempfile::TempDir::new().unwrap();
    std::fs::create_dir(folder.path().join("home")).unwrap();
    let text = String::from_utf8(value.clone()).unwrap();
    let wide = |order: fn(u16) -> [u8; 2]| text.encode_utf16().flat_map(order).collect::<Vec<u8>>();
    let written: Vec<(&str, Vec<u8>)> = vec![
        ("plain", [&b"before "[..], &value, b" after"].concat()),
        ("base64", STANDARD.encode([&b"Basic user:"[..], &value].concat()).into_bytes()),
        ("base64", STANDARD.encode([&b"x"[..], &value, b"yz"].concat()).into_bytes()),
        ("base64url", URL_SAFE.encode([&b"xy"[..], &value, b"z"].concat()).into_bytes()),
        ("hexadecimal", hex(&value, false).into_bytes()),
        ("HEXADECIMAL", hex(&value, true).into_bytes()),
        ("list of bytes", serde_json::to_vec(&value).unwrap()),
        ("spaced list of bytes", format!("{value:?}").into_bytes()),
        ("UTF-16LE", wide(u16::to_le_bytes)),
        ("UTF-16BE", wide(u16::to_be_bytes)),
        ("in JSON", serde_json::to_vec(&text).unwrap()),
        ("percent-encoded", text.bytes().map(|b| format!("%{b:02x}")).collect::<String>().into_bytes()),
        ("escaped", text.encode_utf16().map(|u| format!("\\u{u:04X}")).collect::<String>().into_bytes()),
        ("entities", text.chars().map(|c| format!("&#{};", u32::from(c))).collect::<String>().into_bytes()),
        ("entities", text.chars().map(|c| format!("&#x{:x};", u32::from(c))).collect::<String>().into_bytes()),
        ("in HTML", b"<p>canary+with/every=\"sort\" of 'sign' \\ &amp; more</p>".to_vec()),
        ("in HTML", b"<p title=\"canary+with/every=&quot;sort&quot; of &#39;sign&#39; \\ &amp; more\"></p>".to_vec()),
        (
            "in a URL",
            url::form_urlencoded::Serializer::new(String::new()).append_pair("q", &text).finish().into_bytes(),
        ),
    ];
    for (form, bytes) in &written {
        std::fs::write(folder.path().join("leak"), bytes).unwrap();
        std::fs::write(folder.path().join("home/own"), bytes).unwrap();
        let (found, files) = search.folder(folder.path());
        assert_eq!(files, 2);
        assert!(found.iter().any(|f| f.at_home && f.form == *form), "{form}: {found:?}");
        let leaks = leaks(found);
        assert!(
            leaks.iter().any(|l| l.form == *form && l.place == "leak" && l.planted == "planted"),
            "{form}: {leaks:?}"
        );
    }
    std::fs::write(folder.path().join("leak"), "nothing of it").unwrap();
    assert_eq!(leaks(search.folder(folder.path()).0), []);
}
