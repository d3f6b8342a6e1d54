//! `interlock audit open`: opens what is sealed beside a record, over REST as the person who asks. The platform decides who
//! may, asks for a second factor for this one record, and puts the reason on record. The other commands read the log's
//! files; this one cannot, because the keys are the platform's.

use clap::Args;
use serde_json::json;

use crate::failure::Outcome;
use crate::rest::Connection;
use crate::terminal::{Terminal, pretty};

#[derive(Args)]
pub(super) struct Open {
    /// Position of the record: `event.sequence`. Of a write, that of its intent.
    #[arg(value_name = "RECORD", value_parser = clap::value_parser!(u64).range(1..))]
    record: u64,
    /// Why it has to be read: a case, a ticket, a sentence. It stands in the audit log in clear.
    #[arg(long, value_name = "TEXT")]
    reason: String,
    #[command(flatten)]
    connection: Connection,
}

impl Open {
    pub(super) async fn run(self, terminal: &Terminal) -> Outcome {
        let arguments = json!({"record": self.record, "reason": self.reason});
        let rest = self.connection.open(terminal).await?;
        let reply = rest.call("interlock", "open_audit_payload", &arguments, None).await?;
        terminal.result(&pretty(&reply.body["result"]["payload"]), &reply.body["result"])
    }
}
