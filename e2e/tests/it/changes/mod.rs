//! Changes from end to end, over sockets, under the production profile: what stops one (`refused`), what goes wrong on devices
//! (`troubled`), another system than IOS XE (`nx_os`), what time does to one (`weekend`), and the guided `tale`. `desk` plays the
//! people; deaths of the platform stand in `crate::crash`.

pub(crate) mod desk;
mod nx_os;
mod refused;
mod tale;
mod troubled;
mod weekend;
