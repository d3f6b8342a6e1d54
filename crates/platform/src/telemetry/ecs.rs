//! One event as one JSON line with the names of the Elastic Common Schema, in the order the ECS logging specification
//! asks for (<https://github.com/elastic/ecs-logging/tree/main/spec>): `@timestamp`, `log.level`, `message`, the rest.
//!
//! A field with a dot in its name is taken as an ECS name and written as it is; any other goes under `interlock.`, so
//! that our names never collide with the schema's. Next: [`super::metrics`].

use std::borrow::Cow;
use std::cell::RefCell;
use std::error::Error;
use std::fmt::{self, Write as _};
use std::io::Write as _;

use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::layer::{Context, Layer};
use tracing_subscriber::registry::LookupSpan;

use super::sink::Sink;
use crate::Json;
use crate::clock::SharedClock;

/// The version of the schema whose names are used.
pub const ECS_VERSION: &str = "8.17.0";

/// Longest text of one field, in bytes; what is longer is cut and ends with an ellipsis.
const LONGEST: usize = 8 * 1024;

/// Names that the line itself sets.
const RESERVED: [&str; 7] =
    ["@timestamp", "log.level", "log.logger", "ecs.version", "service.name", "service.version", "log.origin.file.name"];

pub(super) struct EcsLayer {
    sink: Sink,
    clock: SharedClock,
}

impl EcsLayer {
    pub(super) fn new(sink: Sink, clock: SharedClock) -> Self {
        Self { sink, clock }
    }
}

#[derive(Default)]
struct Fields(Vec<(Cow<'static, str>, Json)>);

impl Fields {
    fn put(&mut self, name: Cow<'static, str>, value: Json) {
        match self.0.iter_mut().find(|(n, _)| *n == name) {
            Some((_, old)) => *old = value,
            None => self.0.push((name, value)),
        }
    }

    fn take(&mut self, name: &str) -> Option<Json> {
        let at = self.0.iter().position(|(n, _)| n == name)?;
        Some(self.0.remove(at).1)
    }

    fn text(&mut self, field: &Field, text: &str) {
        self.put(ecs_name(field.name()), Json::String(cut(text)));
    }
}

fn ecs_name(name: &'static str) -> Cow<'static, str> {
    match name {
        "message" => Cow::Borrowed("message"),
        "error" => Cow::Borrowed("error.message"),
        dotted if dotted.contains('.') && !RESERVED.contains(&dotted) => Cow::Borrowed(dotted),
        other => Cow::Owned(format!("interlock.{}", other.trim_start_matches(['@', '_']))),
    }
}

fn cut(text: &str) -> String {
    if text.len() <= LONGEST {
        return text.to_owned();
    }
    let end = (0..=LONGEST).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
    format!("{}…", &text[..end])
}

impl Visit for Fields {
    fn record_f64(&mut self, field: &Field, value: f64) {
        self.put(ecs_name(field.name()), Json::from(value));
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.put(ecs_name(field.name()), Json::from(value));
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.put(ecs_name(field.name()), Json::from(value));
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.put(ecs_name(field.name()), Json::from(value));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.text(field, value);
    }

    fn record_error(&mut self, field: &Field, value: &(dyn Error + 'static)) {
        let mut text = value.to_string();
        let mut cause = value.source();
        while let Some(inner) = cause {
            // The only failure of writing to a String is a broken Display of the cause; the text so far is still good.
            if write!(text, ": {inner}").is_err() {
                break;
            }
            cause = inner.source();
        }
        self.text(field, &text);
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.text(field, &format!("{value:?}"));
    }
}

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for EcsLayer {
    fn on_new_span(&self, attrs: &Attributes<'_>, id: &Id, ctx: Context<'_, S>) {
        if let Some(span) = ctx.span(id) {
            let mut fields = Fields::default();
            attrs.record(&mut fields);
            span.extensions_mut().replace(fields);
        }
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, ctx: Context<'_, S>) {
        if let Some(span) = ctx.span(id)
            && let Some(fields) = span.extensions_mut().get_mut::<Fields>()
        {
            values.record(fields);
        }
    }

    fn on_event(&self, event: &Event<'_>, ctx: Context<'_, S>) {
        thread_local! {
            static LINE: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
        }
        let mut fields = Fields::default();
        if let Some(scope) = ctx.event_scope(event) {
            for span in scope.from_root() {
                if let Some(known) = span.extensions().get::<Fields>() {
                    known.0.iter().for_each(|(name, value)| fields.put(name.clone(), value.clone()));
                }
            }
        }
        event.record(&mut fields);
        LINE.with_borrow_mut(|line| {
            line.clear();
            if self.write(line, event, fields).is_ok() {
                // Nobody to tell: this is the place where failures are told.
                drop(self.sink.write_line(line));
            }
        });
    }
}

impl EcsLayer {
    fn write(&self, line: &mut Vec<u8>, event: &Event<'_>, mut fields: Fields) -> serde_json::Result<()> {
        let meta = event.metadata();
        let level = match *meta.level() {
            Level::ERROR => "error",
            Level::WARN => "warn",
            Level::INFO => "info",
            Level::DEBUG => "debug",
            Level::TRACE => "trace",
        };
        let message = fields.take("message").unwrap_or_else(|| Json::from(meta.name()));
        write!(line, "{{\"@timestamp\":\"{:.3}\",\"log.level\":\"{level}\",\"message\":", self.clock.now())
            .map_err(serde_json::Error::io)?;
        serde_json::to_writer(&mut *line, &message)?;
        member(line, "ecs.version", &ECS_VERSION)?;
        member(line, "service.name", &"interlock")?;
        member(line, "service.version", &env!("CARGO_PKG_VERSION"))?;
        member(line, "log.logger", &meta.target())?;
        if *meta.level() <= Level::WARN {
            if let Some(file) = meta.file() {
                member(line, "log.origin.file.name", &file)?;
            }
            if let Some(at) = meta.line() {
                member(line, "log.origin.file.line", &at)?;
            }
        }
        for (name, value) in &fields.0 {
            member(line, name, value)?;
        }
        line.extend_from_slice(b"}\n");
        Ok(())
    }
}

fn member(line: &mut Vec<u8>, name: &str, value: &impl serde::Serialize) -> serde_json::Result<()> {
    line.push(b',');
    serde_json::to_writer(&mut *line, name)?;
    line.push(b':');
    serde_json::to_writer(line, value)
}
