//! Changes from end to end, over sockets, under the production profile: what stops one (`refused`), the factor of a decision
//! (`factor`), the ticket that goes with one (`ticket`), what goes wrong on devices (`troubled`), another system than IOS XE
//! (`nx_os`), what time does to one (`weekend`), work that a client follows as a task (`task`), and the guided `tale`. `desk` plays
//! the people, `visitor` one of them at the pages; deaths of the platform stand in `crate::crash`.

pub(crate) mod desk;
mod factor;
mod nx_os;
mod refused;
mod tale;
mod task;
mod ticket;
mod troubled;
pub(crate) mod visitor;
mod weekend;
