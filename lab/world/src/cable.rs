//! A cable as seen from one of its ends.
//!
//! Where next: [`crate::fleet`], which lays cables; [`crate::cabling`], which pulls them.

use std::net::Ipv4Addr;

use crate::device::Device;
use crate::fleet::{Fleet, Link};

/// A cable as one of its two devices sees it.
pub(crate) struct Cable<'a> {
    /// Number of the link.
    pub(crate) number: u32,
    pub(crate) link: &'a Link,
    /// Which end is ours.
    pub(crate) mine: usize,
    pub(crate) port: &'a str,
    pub(crate) far: &'a Device,
    pub(crate) far_port: &'a str,
}

impl Cable<'_> {
    /// Addresses of a routed cable: ours and the far one, of a network of four that no other of the first 16,384
    /// cables has.
    pub(crate) fn addresses(&self) -> (Ipv4Addr, Ipv4Addr) {
        let network = u32::from(Ipv4Addr::new(192, 168, 0, 0)) + ((self.number & 0x3FFF) << 2);
        let end = |which: usize| Ipv4Addr::from(network + if which == 0 { 1 } else { 2 });
        (end(self.mine), end(1 - self.mine))
    }
}

impl Fleet {
    /// The cables of a device, in the order of their numbers.
    pub(crate) fn cables_of(&self, device: &Device) -> impl Iterator<Item = Cable<'_>> {
        let index = device.index;
        self.cables.get(index).into_iter().flatten().filter_map(move |number| {
            let link = self.links.get(*number as usize)?;
            let mine = usize::from(link.ends[1].0 == index);
            let far = self.devices.get(link.ends[1 - mine].0)?;
            Some(Cable { number: *number, link, mine, port: &link.ends[mine].1, far, far_port: &link.ends[1 - mine].1 })
        })
    }
}
