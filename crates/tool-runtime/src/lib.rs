//! What a tool and a connector are, the catalogue of all of them, the combinators connectors are written with, and the
//! one road every call takes: [`pipeline`].
//!
//! The runtime never knows which connectors exist; `server` hands them in. Where to go next: [`tool`] and [`connector`]
//! to write a connector, [`combinators`] for lists, single objects and vendor tasks, `pipeline/mod.rs` to read the road.

pub mod combinators;
pub mod connector;
pub mod tool;

pub use connector::{Connector, Lease};
pub use tool::{SideEffect, Tool, ToolCx, ToolOutput, ToolSpec};
