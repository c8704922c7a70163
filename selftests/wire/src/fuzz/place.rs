// SPDX-License-Identifier: GPL-2.0

//! Where frames go: the topology that tests/differential.sh builds.

use std::net::{
    Ipv4Addr,
    Ipv6Addr, //
};

use crate::{
    cases::{
        Recipe,
        Transport, //
    },
    frame::{
        Ethernet,
        Ip,
        Mac,
        Pair,
        Udp,
        Vxlan, //
    },
};

/// The other end of the cable, which is this program.
pub const PEER_MAC: Mac = [2, 0, 0, 0, 0x0a, 2];
/// The VXLAN device of the other end.
pub const REMOTE_MAC: Mac = [2, 0, 0, 0, 0, 2];
/// What Calico's hosts have at their end of a veth.
pub const ROUTER_MAC: Mac = [0xee; 6];

/// The tag of the VLAN device on the tap.
pub const VLAN: u16 = 7;

/// The receivers of frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// The host, in no tunnel.
    Host,
    /// The host, at its VLAN device.
    Tagged,
    /// A container behind a bridge, over IPv4.
    Bridged,
    /// The same over IPv6.
    BridgedV6,
    /// A container that the host routes to.
    Routed,
}

impl Place {
    pub const ALL: [Self; 5] = [
        Self::Host,
        Self::Tagged,
        Self::Bridged,
        Self::BridgedV6,
        Self::Routed,
    ];

    /// The namespace.
    pub fn netns(self) -> &'static str {
        match self {
            Self::Host | Self::Tagged => "",
            Self::Bridged => "c1",
            Self::BridgedV6 => "c2",
            Self::Routed => "c3",
        }
    }

    pub fn is_tunnelled(self) -> bool {
        !matches!(self, Self::Host | Self::Tagged)
    }

    fn pair(self, v6: bool) -> Pair {
        let v4 = |a: [u8; 4], b: [u8; 4]| Pair::V4(Ipv4Addr::from(a), Ipv4Addr::from(b));
        let of = |a: [u16; 8], b: [u16; 8]| Pair::V6(Ipv6Addr::from(a), Ipv6Addr::from(b));
        let net = |net, host| [0xfd00, net, 0, 0, 0, 0, 0, host];

        match (self, v6) {
            (Self::Host, false) => v4([192, 168, 10, 2], [192, 168, 10, 1]),
            (Self::Host, true) => of(net(0x10, 2), net(0x10, 1)),
            (Self::Tagged, false) => v4([192, 168, 17, 2], [192, 168, 17, 1]),
            (Self::Tagged, true) => of(net(0x17, 2), net(0x17, 1)),
            (Self::Bridged, false) => v4([10, 100, 0, 2], [10, 100, 0, 11]),
            (Self::Bridged, true) => of(net(0x100, 2), net(0x100, 0x11)),
            (Self::BridgedV6, false) => v4([10, 200, 0, 2], [10, 200, 0, 12]),
            (Self::BridgedV6, true) => of(net(0x200, 2), net(0x200, 0x12)),
            (Self::Routed, false) => v4([10, 244, 1, 2], [10, 244, 0, 11]),
            (Self::Routed, true) => of([0xfd00, 0x244, 1, 0, 0, 0, 0, 2], net(0x244, 0x11)),
        }
    }

    /// A well-formed packet without a transport header. `host` is the address of the tap.
    pub fn recipe(self, v6: bool, host: Mac) -> Recipe {
        let pair = self.pair(v6);
        let outer = Self::Host.pair(self == Self::BridgedV6);
        let (vni, inner) = match self {
            Self::BridgedV6 => (200, [2, 0, 0, 0, 0, 0x12]),
            Self::Routed => (300, [2, 0, 0, 0, 0, 1]),
            _ => (100, [2, 0, 0, 0, 0, 0x11]),
        };
        let mut recipe = Recipe {
            outer_ethernet: Ethernet::new(PEER_MAC, host, outer.ethertype()),
            outer: Ip::new(outer, 17),
            outer_udp: Udp::new(50000, 4789),
            vxlan: Vxlan::new(vni),
            ethernet: Ethernet::new(REMOTE_MAC, inner, pair.ethertype()),
            ip: Ip::new(pair, 17),
            transport: Transport::None,
            padding: 0,
        };

        if !self.is_tunnelled() {
            recipe.ethernet = Ethernet::new(PEER_MAC, host, pair.ethertype());
        }
        if self == Self::Tagged {
            recipe.ethernet.tags.push((0x8100, VLAN));
        }
        recipe
    }
}
