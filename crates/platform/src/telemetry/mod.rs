//! Logs and numbers: one JSON line per event with the names of the Elastic Common Schema, and the counters and
//! histograms behind `/metrics`.
//!
//! [`init`] is called once by the command line; everybody else writes with `tracing` macros under the span that
//! [`request_span`] opens at the edge. Nothing goes to standard output: that belongs to the commands.
//!
//! Where to go next: [`ecs`] for the line's shape, [`metrics`] for the numbers and the bounds on their labels.

pub mod audit_log;
pub mod ecs;
mod label;
pub mod metrics;
mod process;
mod sink;

use std::io::{self, IsTerminal};
use std::path::PathBuf;
use std::sync::Arc;

use tracing::level_filters::LevelFilter;
use tracing::{Level, Metadata, Span, Subscriber};
use tracing_subscriber::filter::{EnvFilter, FilterExt, FilterFn};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::FormatTime;
use tracing_subscriber::layer::{Layer, SubscriberExt};
use tracing_subscriber::registry::Registry;

use crate::clock::{SharedClock, SystemClock};
use crate::context::{Protocol, RequestId, TraceContext};

pub use metrics::{Metrics, OPENMETRICS_CONTENT_TYPE};
pub use sink::Output;
use sink::Sink;

/// How a line looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Format {
    /// One JSON object per line, Elastic Common Schema names (<https://www.elastic.co/docs/reference/ecs>).
    #[default]
    Ecs,
    /// For a person at a terminal.
    Human,
}

/// What [`init`] needs to know.
#[derive(Clone)]
pub struct Options {
    /// The line's shape.
    pub format: Format,
    /// Directives as `tracing_subscriber::EnvFilter` reads them, for example `info,gateway=debug`. Never read from the
    /// environment here.
    pub filter: String,
    /// Where lines go.
    pub output: Output,
    /// Whose time stands in `@timestamp`: the platform's, so that log and audit tell the same moment.
    pub clock: SharedClock,
}

impl Default for Options {
    /// ECS lines at `info` on standard error, by the machine's clock.
    fn default() -> Self {
        Self { format: Format::Ecs, filter: "info".to_owned(), output: Output::Stderr, clock: Arc::new(SystemClock) }
    }
}

/// Why logging could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// The filter does not parse.
    #[error("the log filter {filter:?} cannot be read: {source}")]
    Filter {
        /// As given.
        filter: String,
        /// What the parser says.
        source: tracing_subscriber::filter::ParseError,
    },
    /// The log file cannot be opened.
    #[error("the log file {path} cannot be opened for appending: {source}")]
    File {
        /// As given.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// [`init`] was called twice.
    #[error("logging was already set up in this process")]
    Twice,
}

/// Sets up logging for the process, once. From then on a panic is a line too, instead of free text between lines.
pub fn init(options: &Options) -> Result<(), TelemetryError> {
    let subscriber = subscriber(options)?;
    tracing::subscriber::set_global_default(subscriber).map_err(|_| TelemetryError::Twice)?;
    log_panics();
    Ok(())
}

/// The subscriber that [`init`] installs; apart from it so that a test can use one for itself alone.
pub fn subscriber(options: &Options) -> Result<Box<dyn Subscriber + Send + Sync>, TelemetryError> {
    let given = EnvFilter::builder()
        .with_default_directive(LevelFilter::INFO.into())
        .parse(&options.filter)
        .map_err(|source| TelemetryError::Filter { filter: options.filter.clone(), source })?;
    let filter = given.and(FilterFn::new(library_may_speak).with_max_level_hint(LevelFilter::TRACE));
    let sink = Sink::open(&options.output)?;
    Ok(match options.format {
        Format::Ecs => {
            Box::new(Registry::default().with(ecs::EcsLayer::new(sink, Arc::clone(&options.clock)).with_filter(filter)))
        }
        Format::Human => {
            let ansi = matches!(options.output, Output::Stderr) && io::stderr().is_terminal();
            let layer = tracing_subscriber::fmt::layer()
                .compact()
                .with_ansi(ansi)
                .with_timer(ClockTime(Arc::clone(&options.clock)))
                .with_writer(sink);
            Box::new(Registry::default().with(layer.with_filter(filter)))
        }
    })
}

/// The span of one request. Every line below it carries `trace.id`, `span.id` and `http.request.id`.
pub fn request_span(id: &RequestId, trace: &TraceContext, protocol: Protocol) -> Span {
    tracing::info_span!(
        "request",
        "http.request.id" = %id,
        "trace.id" = trace.trace_id_hex(),
        "span.id" = hex::encode(trace.span_id),
        "interlock.protocol" = protocol.as_str(),
    )
}

/// Libraries that write payloads (arguments, headers, frames) below a level never get below it, whatever the filter
/// says: a tool's arguments belong in no log (T26).
const QUIET: [(&str, Level); 6] = [
    ("rmcp", Level::WARN),
    ("h2", Level::INFO),
    ("hyper", Level::INFO),
    ("hyper_util", Level::INFO),
    ("reqwest", Level::INFO),
    ("rustls", Level::INFO),
];

fn library_may_speak(meta: &Metadata<'_>) -> bool {
    let target = meta.target();
    let root = target.split("::").next().unwrap_or(target);
    QUIET.iter().find(|(name, _)| *name == root).is_none_or(|(_, most)| meta.level() <= most)
}

struct ClockTime(SharedClock);

impl FormatTime for ClockTime {
    fn format_time(&self, w: &mut Writer<'_>) -> std::fmt::Result {
        write!(w, "{:.3}", self.0.now())
    }
}

/// A panic message may quote a value, so it is cut short; the place says what an operator needs.
fn log_panics() {
    std::panic::set_hook(Box::new(|info| {
        let text = info
            .payload()
            .downcast_ref::<&str>()
            .copied()
            .or_else(|| info.payload().downcast_ref::<String>().map(String::as_str))
            .unwrap_or("no message");
        let short: String = text.chars().take(200).collect();
        let (file, line) = info.location().map_or(("unknown", 0), |at| (at.file(), at.line()));
        tracing::error!(
            "error.type" = "panic",
            "error.message" = short,
            "interlock.panic_file" = file,
            "interlock.panic_line" = line,
            "a thread panicked"
        );
    }));
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use serde_json::{Value, json};

    use super::{Format, Options, Output, TelemetryError, init, request_span, subscriber};
    use crate::context::{Protocol, RequestId, TraceContext};

    fn record(filter: &str, format: Format, body: impl FnOnce()) -> String {
        let bytes = Arc::new(Mutex::new(Vec::new()));
        let options = Options {
            format,
            filter: filter.to_owned(),
            output: Output::Shared(Arc::clone(&bytes) as Arc<_>),
            ..Options::default()
        };
        tracing::subscriber::with_default(subscriber(&options).unwrap(), body);
        String::from_utf8(bytes.lock().unwrap().clone()).unwrap()
    }

    fn lines(filter: &str, body: impl FnOnce()) -> Vec<Value> {
        record(filter, Format::Ecs, body).lines().map(|l| serde_json::from_str(l).unwrap()).collect()
    }

    #[test]
    fn every_line_is_one_json_object_with_ecs_names() {
        let trace = TraceContext::from_headers(Some("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"), None);
        let id = RequestId::mint();
        let got = lines("info", || {
            let _in = request_span(&id, &trace, Protocol::Mcp).entered();
            tracing::warn!(target: "gateway::edge", { event.action = "refuse", attempt = 3_u64, ok = false }, "two\nlines \"quoted\"");
        });
        assert_eq!(got.len(), 1);
        let line = &got[0];
        assert_eq!(line["message"], "two\nlines \"quoted\"");
        assert_eq!(line["log.level"], "warn");
        assert_eq!(line["log.logger"], "gateway::edge");
        assert_eq!(line["ecs.version"], super::ecs::ECS_VERSION);
        assert_eq!(line["service.name"], "interlock");
        assert_eq!(line["event.action"], "refuse");
        assert_eq!(line["interlock.attempt"], 3);
        assert_eq!(line["interlock.ok"], false);
        assert_eq!(line["interlock.protocol"], "mcp");
        assert_eq!(line["trace.id"], "4bf92f3577b34da6a3ce929d0e0e4736");
        assert_eq!(line["span.id"], hex::encode(trace.span_id));
        assert_eq!(line["http.request.id"], id.to_string());
        let at = line["@timestamp"].as_str().unwrap();
        assert!(at.ends_with('Z') && at.len() == "2026-01-01T00:00:00.000Z".len(), "{at}");
    }

    #[test]
    fn names_of_the_line_itself_cannot_be_forged_by_a_field() {
        let got = lines("info", || {
            tracing::info!(log.level = "error", "@timestamp" = "1970-01-01T00:00:00Z", ecs.version = "0", "hello");
        });
        assert_eq!(got[0]["log.level"], "info");
        assert_eq!(got[0]["ecs.version"], super::ecs::ECS_VERSION);
        assert_eq!(got[0]["interlock.log.level"], "error");
        assert!(!got[0]["@timestamp"].as_str().unwrap().starts_with("1970"));
    }

    #[test]
    fn inner_spans_and_the_event_win_over_outer_spans_and_no_name_stands_twice() {
        let text = record("info", Format::Ecs, || {
            let _outer = tracing::info_span!("outer", event.action = "a", tool = "x").entered();
            let inner = tracing::info_span!("inner", event.action = "b", late = tracing::field::Empty);
            inner.record("late", 7);
            let _inner = inner.entered();
            tracing::info!(event.action = "c", "m");
        });
        assert_eq!(text.matches("event.action").count(), 1);
        let line: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(line["event.action"], "c");
        assert_eq!(line["interlock.tool"], "x");
        assert_eq!(line["interlock.late"], 7);
    }

    #[test]
    fn an_error_field_is_ecs_error_and_long_text_is_cut() {
        let got = lines("info", || {
            let error = std::io::Error::other("no route");
            tracing::error!(error = &error as &dyn std::error::Error, big = "x".repeat(100_000), "failed");
        });
        assert_eq!(got[0]["error.message"], "no route");
        assert!(got[0]["interlock.big"].as_str().unwrap().len() < 10_000);
        assert_eq!(got[0]["log.origin.file.name"], json!(file!()));
    }

    #[test]
    fn rmcp_never_speaks_below_warn_whatever_the_filter_says() {
        let got = lines("trace,rmcp=trace,rmcp::service=trace", || {
            tracing::debug!(target: "rmcp::service", arguments = "secret", "received");
            tracing::info!(target: "rmcp", "served");
            tracing::debug!(target: "h2::codec", "frame");
            tracing::warn!(target: "rmcp::service", "kept");
            tracing::debug!(target: "rmcpx", "another crate");
        });
        let said: Vec<_> = got.iter().map(|l| l["message"].as_str().unwrap().to_owned()).collect();
        assert_eq!(said, ["kept", "another crate"]);
    }

    #[test]
    fn the_human_format_is_not_json_and_has_no_colour_off_a_terminal() {
        let text = record("info", Format::Human, || tracing::info!(tool = "echo", "done"));
        assert!(text.contains("done") && text.contains("tool=\"echo\"") && !text.contains('\u{1b}'), "{text}");
    }

    #[test]
    fn a_file_is_appended_to_and_is_for_its_owner_only() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("interlock.log");
        for _ in 0..2 {
            let options = Options { output: Output::File(path.clone()), ..Options::default() };
            tracing::subscriber::with_default(subscriber(&options).unwrap(), || tracing::info!("one"));
        }
        assert_eq!(std::fs::read_to_string(&path).unwrap().lines().count(), 2);
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn a_filter_that_does_not_parse_or_a_missing_folder_is_refused() {
        let bad = Options { filter: "info,=,=".to_owned(), ..Options::default() };
        assert!(matches!(init(&bad), Err(TelemetryError::Filter { .. })));
        let nowhere = Options { output: Output::File("/nonexistent/folder/log".into()), ..Options::default() };
        assert!(matches!(init(&nowhere), Err(TelemetryError::File { .. })));
    }
}
