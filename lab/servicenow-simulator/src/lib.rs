//! A stateful ServiceNow instance on a real socket, over the lab's simulated network and its people. Shapes, encoded
//! queries, states, access rules and the instance's oddities follow the vendor's documentation and its own client; nothing
//! is shared with the platform's connector.
//!
//! Where to go next: [`simulator`] for starting one; inside, `table_api`, `change_api` and the other APIs, `rules` for what a
//! write causes, `records` for where rows stand.

mod aggregate;
mod attachments;
mod batch;
mod caller;
mod change_api;
mod cmdb_api;
mod import_set;
mod multipart;
mod oauth;
mod params;
mod query;
mod records;
mod render;
mod reply;
mod rules;
mod schema;
pub mod simulator;
mod table_api;

pub use simulator::{Running, Simulator, SimulatorOptions};
