//! What the tools and the ports ask of Catalyst Center in the same way: its tasks, its command runner, its templates and
//! their deployments. Nothing here knows what a caller sees.
//!
//! Where to go next: [`tasks`] for the vendor's asynchronous work, [`deployments`] for the only write to devices by
//! templates, [`command_runner`] for what devices themselves say, [`templates`] for what carries lines.

pub(crate) mod command_runner;
pub(crate) mod deployments;
pub(crate) mod tasks;
pub(crate) mod templates;
