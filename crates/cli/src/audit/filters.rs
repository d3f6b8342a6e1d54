//! Which records a search or an export shows: the same options for both. Next: [`super::search`], [`super::export`].

use clap::{Args, ValueEnum};
use jiff::Timestamp;
use platform::audit;
use platform::audit::AuditFilter;

/// What is not given admits every record.
#[derive(Args, Default)]
pub(super) struct Filters {
    /// Not before this time, for example 2026-08-01T00:00:00Z.
    #[arg(long, value_name = "TIME")]
    from: Option<Timestamp>,
    /// Before this time.
    #[arg(long, value_name = "TIME")]
    until: Option<Timestamp>,
    /// Only records of this person, by name or subject.
    #[arg(long, value_name = "NAME")]
    person: Option<String>,
    /// Only records of this server.
    #[arg(long, value_name = "NAME")]
    server: Option<String>,
    /// Only records of this tool.
    #[arg(long, value_name = "NAME")]
    tool: Option<String>,
    /// Only records that name this change.
    #[arg(long, value_name = "ID")]
    change: Option<String>,
    /// Only records with this outcome.
    #[arg(long, value_enum)]
    outcome: Option<Outcome>,
    /// Only records with this refusal or failure code.
    #[arg(long, value_name = "CODE")]
    code: Option<String>,
    /// Only records of this request, by the reply's `x-request-id`.
    #[arg(long, value_name = "ID")]
    request_id: Option<String>,
}

#[derive(Clone, Copy, ValueEnum)]
enum Outcome {
    /// It worked.
    Success,
    /// It was let through and failed.
    Failure,
    /// It was not let through.
    Refused,
    /// It was about to happen: the intent of a write.
    Pending,
    /// It cannot be told.
    Unknown,
}

impl Filters {
    pub(super) fn filter(self) -> AuditFilter {
        let outcome = self.outcome.map(|outcome| match outcome {
            Outcome::Success => audit::Outcome::Success,
            Outcome::Failure => audit::Outcome::Failure,
            Outcome::Refused => audit::Outcome::Refused,
            Outcome::Pending => audit::Outcome::Pending,
            Outcome::Unknown => audit::Outcome::Unknown,
        });
        AuditFilter {
            request_id: self.request_id,
            actor: None,
            person: self.person,
            server: self.server,
            tool: self.tool,
            change: self.change,
            outcome,
            code: self.code,
            from: self.from,
            until: self.until,
            after: None,
            before: None,
        }
    }
}
