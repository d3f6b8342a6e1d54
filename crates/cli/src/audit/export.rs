//! `interlock audit export`: records as JSON lines or as a table, oldest first.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::PathBuf;

use clap::{Args, ValueEnum};
use serde_json::json;
use server::offline::audit as offline;

use super::filters::Filters;
use super::{folder, said};
use crate::command::Place;
use crate::exit::Exit;
use crate::failure::{Failure, Outcome};
use crate::terminal::{Terminal, gone};

#[derive(Args)]
pub(super) struct Export {
    #[command(flatten)]
    place: Place,
    /// Form of the records.
    #[arg(long, value_enum, default_value_t = Form::JsonLines)]
    format: Form,
    #[command(flatten)]
    filters: Filters,
    /// Write here instead of standard output; must not exist.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

#[derive(Clone, Copy, ValueEnum)]
enum Form {
    /// A canonical line per record, byte for byte as stored.
    JsonLines,
    /// A table for a spreadsheet.
    Csv,
}

impl Export {
    pub(super) fn run(self, terminal: &Terminal) -> Outcome {
        let folder = folder(&self.place)?;
        let format = match self.format {
            Form::JsonLines => offline::Format::JsonLines,
            Form::Csv => offline::Format::Csv,
        };
        let filter = self.filters.filter();
        let Some(out) = self.out else {
            let mut out = Reader { out: BufWriter::new(std::io::stdout().lock()), gone: None };
            let done = offline::export(&folder, format, &filter, &mut out);
            return match out.gone {
                Some(error) => Err(gone(&error)),
                None => done.map(drop).map_err(said),
            };
        };
        let unwritable = |e: std::io::Error| {
            let message = format!("{} cannot be written; name a file that does not exist.", out.display());
            Failure::new(Exit::Usage, "export_unwritable", message).with_detail(&e)
        };
        let mut file = BufWriter::new(File::create_new(&out).map_err(unwritable)?);
        let count = offline::export(&folder, format, &filter, &mut file).map_err(said)?;
        let text = format!("{count} records in {}", out.display());
        terminal.result(&text, &json!({"records": count, "file": out.display().to_string()}))
    }
}

/// Standard output that remembers how it failed: a reader that left is no failure of the log.
struct Reader<W> {
    out: W,
    gone: Option<std::io::Error>,
}

impl<W: Write> Reader<W> {
    fn noted<T>(&mut self, result: std::io::Result<T>) -> std::io::Result<T> {
        if let Err(error) = &result {
            self.gone = Some(error.kind().into());
        }
        result
    }
}

impl<W: Write> Write for Reader<W> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let result = self.out.write(bytes);
        self.noted(result)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        let result = self.out.flush();
        self.noted(result)
    }
}
