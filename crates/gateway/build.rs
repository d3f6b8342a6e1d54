//! Puts the documentation of every error code (`docs/errors/*.md`) into the binary, so that a refusal's link always
//! leads to a page of the same version.

use std::fmt::Write as _;
use std::path::Path;
use std::{env, fs, io};

#[expect(clippy::disallowed_methods, reason = "cargo hands a build script its folders by the environment")]
fn main() -> io::Result<()> {
    let root = env::var_os("CARGO_MANIFEST_DIR").ok_or_else(|| io::Error::other("no manifest directory"))?;
    let out = env::var_os("OUT_DIR").ok_or_else(|| io::Error::other("no output directory"))?;
    let folder = Path::new(&root).join("../../docs/errors");
    println!("cargo::rerun-if-changed={}", folder.display());
    let mut pages: Vec<_> = match fs::read_dir(&folder) {
        Ok(entries) => entries.collect::<Result<Vec<_>, _>>()?.into_iter().map(|e| e.path()).collect(),
        Err(_) => Vec::new(),
    };
    pages.sort();
    let mut code = String::from(
        "/// The documentation of an error code, as Markdown.\nfn error_page(code: &str) -> Option<&'static str> {\n    match code {\n",
    );
    for page in pages.iter().filter(|p| p.extension().is_some_and(|e| e == "md")) {
        if let Some(name) = page.file_stem().and_then(|s| s.to_str()) {
            writeln!(code, "        {name:?} => Some(include_str!({page:?})),").map_err(io::Error::other)?;
        }
    }
    code.push_str("        _ => None,\n    }\n}\n");
    fs::write(Path::new(&out).join("error_pages.rs"), code)
}
