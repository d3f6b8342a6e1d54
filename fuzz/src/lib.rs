//! What fuzzing does with the parsers at the doors: one function per parser, from bytes to a [`Verdict`], with what must
//! always hold asserted inside.
//!
//! libFuzzer calls them from `libfuzzer/` (`cargo xtask fuzz`), and `tests/` replays the kept corpus on every run of the
//! suite. Next: [`json`], [`http`], [`oauth`], [`device`], [`configuration`] for the functions by what they read.

pub mod configuration;
pub mod device;
pub mod http;
pub mod json;
pub mod oauth;

/// What a parser did with an input. A corpus that knows only one of the two tests half a parser.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It was read.
    Read,
    /// It was refused.
    Refused,
}

impl Verdict {
    fn of(read: bool) -> Self {
        if read { Self::Read } else { Self::Refused }
    }
}

/// One parser.
pub struct Target {
    /// Name of the libFuzzer program and of the corpus folder.
    pub name: &'static str,
    /// What to call.
    pub run: fn(&[u8]) -> Verdict,
    /// Whether there are inputs that it refuses: a few parsers read everything.
    pub refuses: bool,
}

/// Every parser at the doors, and of what devices and templates say.
pub const TARGETS: &[Target] = &[
    Target { name: "strict_json", run: json::strict_json, refuses: true },
    Target { name: "mcp_message", run: json::mcp_message, refuses: true },
    Target { name: "rest_body", run: json::rest_body, refuses: true },
    Target { name: "rest_query", run: json::rest_query, refuses: true },
    Target { name: "media_types", run: http::media_types, refuses: true },
    Target { name: "traceparent", run: http::traceparent, refuses: true },
    Target { name: "forwarded_for", run: http::forwarded_for, refuses: true },
    Target { name: "references", run: http::references, refuses: true },
    Target { name: "cookies", run: http::cookies, refuses: true },
    Target { name: "http2_frames", run: http::http2_frames, refuses: true },
    Target { name: "library_answers", run: http::library_answers, refuses: true },
    Target { name: "certificates", run: http::certificates, refuses: true },
    Target { name: "bearer", run: oauth::bearer, refuses: true },
    Target { name: "oauth_form", run: oauth::form, refuses: true },
    Target { name: "redirect_uri", run: oauth::redirect_uri, refuses: true },
    Target { name: "basic_credentials", run: oauth::basic_credentials, refuses: true },
    Target { name: "command_classes", run: device::command_classes, refuses: true },
    Target { name: "configuration_mask", run: device::configuration_mask, refuses: true },
    Target { name: "template_directives", run: device::template_directives, refuses: true },
    Target { name: "show_output", run: device::show_output, refuses: true },
    Target { name: "device_config", run: configuration::device_config, refuses: true },
];
