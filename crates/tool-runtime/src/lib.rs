//! What a tool and a connector are, the catalogue of all of them, the combinators connectors are written with, and the
//! one road every call takes: [`pipeline`].
//!
//! The runtime never knows which connectors exist; `server` hands them in. Where to go next: [`tool`] and [`connector`]
//! to write a connector, [`combinators`] for lists, single objects and vendor tasks, [`offers`] for what goes with tools,
//! [`ports`] for what change control asks of a connector, [`change_gate`] for what the road asks change control, [`targets`] for which devices there are, `pipeline/mod.rs` to read the road.

pub mod artifacts;
pub mod catalogue;
pub mod change_gate;
pub mod combinators;
pub mod connector;
pub mod elevation;
pub mod offers;
pub mod pipeline;
pub mod ports;
mod reach;
pub mod secret_arguments;
pub mod targets;
pub mod tool;
pub mod visibility;

pub use artifacts::{ArtifactReference, CallArtifacts};
pub use catalogue::{Catalogue, Instance};
pub use connector::{Connector, Lease};
pub use offers::{CompletionSpec, OWN_FAMILIES, PromptArgument, PromptSpec, ResourceSpec, Toolset};
pub use pipeline::{Answer, CallRequest, IntentJournal, Pipeline};
pub use ports::Ports;
pub use reach::{CHANGE_TOOLS, is_change_tool, reaches};
pub use secret_arguments::SecretArgument;
pub use targets::TargetDirectory;
pub use tool::{FollowUp, SideEffect, TargetArgument, Tool, ToolCx, ToolOutput, ToolSpec};
pub use visibility::Visibility;
