//! The road's question and change control's answer, over the whole road: a controller that writes down what it is told, and
//! policy as a closure. Next: `rig` for both, and a file for each sort of promise.

mod door;
mod grants;
mod locks;
mod recorded;
pub(crate) mod rig;
mod steps;
mod undo;
