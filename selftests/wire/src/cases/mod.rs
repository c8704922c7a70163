// SPDX-License-Identifier: GPL-2.0

//! Frames to inject, in groups: what is unusual about each, and what is to be made of it.

mod addresses;
mod headers;
mod lengths;
mod tunnel;

use crate::{
    content::datagram,
    frame::{
        Ethernet,
        Ip,
        Tcp,
        Udp,
        Vxlan, //
    }, //
};

/// A frame to inject.
pub struct Case {
    /// What is unusual about it.
    pub name: String,
    /// The counter that moves when the frame arrives: of the module, or `none`. A packet to the rule's
    /// flow moves `classified`.
    pub expect: &'static str,
    /// The frame.
    pub frame: Vec<u8>,
}

/// What the inner packet carries.
#[derive(Clone)]
pub enum Transport {
    Udp(Udp),
    Tcp {
        offset: u8,
    },
    /// Nothing but the content.
    None,
}

/// All layers of a VXLAN packet.
#[derive(Clone)]
pub struct Recipe {
    pub outer_ethernet: Ethernet,
    pub outer: Ip,
    pub outer_udp: Udp,
    pub vxlan: Vxlan,
    pub ethernet: Ethernet,
    pub ip: Ip,
    pub transport: Transport,
    /// Bytes behind the inner packet, which its length does not count.
    pub padding: usize,
}

impl Recipe {
    /// The inner frame with `content`.
    pub fn inner(&self, content: &[u8]) -> Vec<u8> {
        let payload = match &self.transport {
            Transport::Udp(udp) => udp.wrap(&self.ip.pair, content),
            Transport::Tcp { offset } => Tcp {
                offset: *offset,
                ..Tcp::syn(40000, 9)
            }
            .wrap(&self.ip.pair, content),
            Transport::None => content.to_vec(),
        };
        let mut packet = self.ip.wrap(&payload);
        packet.resize(packet.len() + self.padding, 0);

        self.ethernet.wrap(&packet)
    }

    /// The outer frame around the datagram content `data`.
    pub fn outer(&self, data: &[u8]) -> Vec<u8> {
        let datagram = self.outer_udp.wrap(&self.outer.pair, data);

        self.outer_ethernet.wrap(&self.outer.wrap(&datagram))
    }

    /// The whole frame.
    pub fn build(&self, content: &[u8]) -> Vec<u8> {
        self.outer(&self.vxlan.wrap(&self.inner(content)))
    }
}

/// Collects the cases of a group. Each has content that tells its number.
pub struct Group<'a> {
    /// A well-formed packet of the flow over IPv4, and one over IPv6.
    pub v4: &'a Recipe,
    pub v6: &'a Recipe,
    pub cases: Vec<Case>,
}

impl Group<'_> {
    /// Content for the next case.
    fn content(&self) -> Vec<u8> {
        let mut content = Vec::new();

        datagram::make(self.cases.len() as u32, 40, &mut content);
        content
    }

    /// Adds `frame`.
    fn raw(&mut self, name: impl Into<String>, expect: &'static str, frame: Vec<u8>) {
        self.cases.push(Case {
            name: name.into(),
            expect,
            frame,
        });
    }

    /// Adds what `change` makes of `recipe`.
    fn of(
        &mut self,
        recipe: &Recipe,
        name: impl Into<String>,
        expect: &'static str,
        change: impl FnOnce(&mut Recipe),
    ) {
        let mut recipe = recipe.clone();
        change(&mut recipe);

        let frame = recipe.build(&self.content());
        self.raw(name, expect, frame);
    }

    /// Adds what `change` makes of the IPv4 packet.
    fn v4(
        &mut self,
        name: impl Into<String>,
        expect: &'static str,
        change: impl FnOnce(&mut Recipe),
    ) {
        self.of(self.v4, name, expect, change);
    }

    /// Adds what `change` makes of the IPv6 packet.
    fn v6(
        &mut self,
        name: impl Into<String>,
        expect: &'static str,
        change: impl FnOnce(&mut Recipe),
    ) {
        self.of(self.v6, name, expect, change);
    }

    /// Adds what `change` makes of both.
    fn both(&mut self, name: &str, expect: &'static str, change: impl Fn(&mut Recipe)) {
        self.v4(format!("{name}-v4"), expect, &change);
        self.v6(format!("{name}-v6"), expect, &change);
    }
}

/// A group's name, and what fills it.
type Filler = (&'static str, fn(&mut Group<'_>));

/// All groups.
pub const GROUPS: [Filler; 11] = [
    ("valid", headers::valid),
    ("truncated", lengths::truncated),
    ("lengths", lengths::lies),
    ("checksums", headers::checksums),
    ("options", headers::options),
    ("fragments", headers::fragments),
    ("vxlan", tunnel::header),
    ("ports", tunnel::ports),
    ("nested", tunnel::nested),
    ("ecn", headers::ecn),
    ("macs", addresses::all),
];
