// SPDX-License-Identifier: GPL-2.0

//! The key of a packet: what rules are matched against.

use core::net::{
    IpAddr,
    Ipv4Addr,
    Ipv6Addr, //
};

/// A version of the Internet Protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Family {
    /// IPv4, RFC 791.
    V4,
    /// IPv6, RFC 8200.
    V6,
}

impl Family {
    /// The family of `address`.
    #[inline]
    pub const fn of(address: IpAddr) -> Self {
        match address {
            IpAddr::V4(_) => Self::V4,
            IpAddr::V6(_) => Self::V6,
        }
    }
}

/// A VXLAN Network Identifier: 24 bits, RFC 7348 section 5.
///
/// # Invariants
///
/// At most [`Vni::MAX`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Vni(u32);

impl Vni {
    /// The largest identifier.
    pub const MAX: u32 = 0x00ff_ffff;

    /// The identifier `vni`, if it fits 24 bits.
    #[inline]
    pub const fn new(vni: u32) -> Option<Self> {
        // INVARIANT: Just checked.
        if vni <= Self::MAX {
            Some(Self(vni))
        } else {
            None
        }
    }

    /// The identifier whose three bytes on the wire are `bytes`.
    #[inline]
    pub const fn from_be_bytes(bytes: [u8; 3]) -> Self {
        let [high, middle, low] = bytes;

        // INVARIANT: The most significant byte is zero.
        Self(u32::from_be_bytes([0, high, middle, low]))
    }

    /// The identifier as a number.
    #[inline]
    pub const fn get(self) -> u32 {
        self.0
    }
}

/// An Internet protocol number: IPv4's Protocol, IPv6's Next Header.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Protocol(pub u8);

impl Protocol {
    /// ICMP, RFC 792.
    pub const ICMP: Self = Self(1);
    /// TCP, RFC 9293.
    pub const TCP: Self = Self(6);
    /// UDP, RFC 768.
    pub const UDP: Self = Self(17);
    /// ICMPv6, RFC 4443.
    pub const ICMPV6: Self = Self(58);
    /// SCTP, RFC 9260.
    pub const SCTP: Self = Self(132);

    /// Whether [`parse`](super::parse) reads ports of this protocol.
    #[inline]
    pub const fn has_ports(self) -> bool {
        matches!(self, Self::TCP | Self::UDP | Self::SCTP)
    }
}

/// The source and the destination address of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Addresses {
    /// Of an IPv4 packet.
    V4 {
        /// The Source Address field.
        source: Ipv4Addr,
        /// The Destination Address field.
        destination: Ipv4Addr,
    },
    /// Of an IPv6 packet.
    V6 {
        /// The Source Address field.
        source: Ipv6Addr,
        /// The Destination Address field.
        destination: Ipv6Addr,
    },
}

/// The protocol of a packet and its ports: zero where the protocol has none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Transport {
    /// What the packet carries.
    pub protocol: Protocol,
    /// The source port.
    pub source_port: u16,
    /// The destination port.
    pub destination_port: u16,
}

/// What a packet is classified by.
///
/// It is held as the words that [`Table`](super::Table) masks and hashes; the fields come back from
/// methods.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Flow(Words);

impl Flow {
    /// The flow of a packet with these fields. `vni` is `None` for a packet that came in no tunnel;
    /// of `dscp` the six lower bits count.
    #[inline]
    pub fn new(vni: Option<Vni>, addresses: Addresses, transport: Transport, dscp: u8) -> Self {
        let words = match addresses {
            Addresses::V4 {
                source,
                destination,
            } => Words::ZERO.v4(source.to_bits(), destination.to_bits()),
            Addresses::V6 {
                source,
                destination,
            } => Words::ZERO
                .family(Family::V6)
                .v6(source.to_bits(), destination.to_bits()),
        };
        let words = words
            .protocol(transport.protocol.0)
            .ports(transport.source_port, transport.destination_port)
            .dscp(dscp);

        Self(match vni {
            Some(vni) => words.vni(vni.get()),
            None => words,
        })
    }

    /// The VNI of the tunnel in which the packet came, if it came in one.
    #[inline]
    pub fn vni(&self) -> Option<Vni> {
        self.0.get_vni().and_then(Vni::new)
    }

    /// The IP version.
    #[inline]
    pub fn family(&self) -> Family {
        self.0.get_family()
    }

    /// The source address.
    pub fn source(&self) -> IpAddr {
        match self.family() {
            Family::V4 => Ipv4Addr::from_bits(self.0.get_v4().0).into(),
            Family::V6 => Ipv6Addr::from_bits(self.0.get_v6().0).into(),
        }
    }

    /// The destination address.
    pub fn destination(&self) -> IpAddr {
        match self.family() {
            Family::V4 => Ipv4Addr::from_bits(self.0.get_v4().1).into(),
            Family::V6 => Ipv6Addr::from_bits(self.0.get_v6().1).into(),
        }
    }

    /// The protocol and the ports.
    #[inline]
    pub fn transport(&self) -> Transport {
        let (source_port, destination_port) = self.0.get_ports();

        Transport {
            protocol: Protocol(self.0.get_protocol()),
            source_port,
            destination_port,
        }
    }

    /// The Differentiated Services codepoint, 0 to 63 (RFC 2474).
    #[inline]
    pub fn dscp(&self) -> u8 {
        self.0.get_dscp()
    }

    /// The flow with the fields in `words`.
    #[inline]
    pub(super) const fn of(words: Words) -> Self {
        Self(words)
    }

    /// The words to mask and to hash.
    #[inline]
    pub(super) fn words(&self) -> &Words {
        &self.0
    }
}

/// The fields of a flow, or of a mask over flows, packed into words.
///
/// The layout keeps what most rules use in front, so that hashing a shape takes one word (VNI,
/// protocol, destination port) or two (the same and IPv4 addresses):
///
/// | word | bits                                                                           |
/// |------|--------------------------------------------------------------------------------|
/// | 0    | destination port 0-15, protocol 16-23, DSCP 24-29, IPv6 30, tunnelled 31, VNI 32-55 |
/// | 1    | IPv4: destination 0-31, source 32-63; IPv6: destination's upper half           |
/// | 2    | source port 0-15                                                               |
/// | 3    | IPv6: destination's lower half                                                 |
/// | 4, 5 | IPv6: source's upper and lower half                                            |
///
/// Each setter adds its bits to words where they are still zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Words(pub(super) [u64; Words::COUNT]);

impl Words {
    pub(crate) const COUNT: usize = 6;
    pub(crate) const ZERO: Self = Self([0; Self::COUNT]);
    pub(crate) const ALL: Self = Self([u64::MAX; Self::COUNT]);

    const PROTOCOL: u32 = 16;
    const DSCP: u32 = 24;
    const DSCP_MAX: u8 = 0x3f;
    const IPV6: u64 = 1 << 30;
    const TUNNELLED: u64 = 1 << 31;
    const VNI: u32 = 32;

    /// The mask of the bit that tells the family.
    #[inline]
    pub(crate) const fn family_mask(mut self) -> Self {
        self.0[0] |= Self::IPV6;
        self
    }

    /// The mask of the VNI and of the bit that tells whether there is one.
    #[inline]
    pub(crate) const fn vni_mask(self) -> Self {
        self.vni(Vni::MAX)
    }

    #[inline]
    pub(crate) const fn family(self, family: Family) -> Self {
        match family {
            Family::V4 => self,
            Family::V6 => self.family_mask(),
        }
    }

    #[inline]
    pub(crate) const fn vni(mut self, vni: u32) -> Self {
        self.0[0] |= Self::TUNNELLED | ((vni as u64) << Self::VNI);
        self
    }

    #[inline]
    pub(crate) const fn protocol(mut self, protocol: u8) -> Self {
        self.0[0] |= (protocol as u64) << Self::PROTOCOL;
        self
    }

    #[inline]
    pub(crate) const fn dscp(mut self, dscp: u8) -> Self {
        self.0[0] |= ((dscp & Self::DSCP_MAX) as u64) << Self::DSCP;
        self
    }

    #[inline]
    pub(crate) const fn ports(mut self, source: u16, destination: u16) -> Self {
        self.0[0] |= destination as u64;
        self.0[2] |= source as u64;
        self
    }

    #[inline]
    pub(crate) const fn v4(mut self, source: u32, destination: u32) -> Self {
        self.0[1] |= ((source as u64) << 32) | destination as u64;
        self
    }

    #[inline]
    pub(crate) const fn v6(mut self, source: u128, destination: u128) -> Self {
        self.0[1] |= (destination >> 64) as u64;
        self.0[3] |= destination as u64;
        self.0[4] |= (source >> 64) as u64;
        self.0[5] |= source as u64;
        self
    }

    /// Whether a mask looks at more than the first two words.
    pub(crate) const fn is_wide(&self) -> bool {
        let [_, _, rest @ ..] = &self.0;

        !matches!(rest, [0, 0, 0, 0])
    }

    /// Whether two flows are the same under `mask`, which [is wide](Self::is_wide) or not.
    #[inline(always)]
    pub(crate) fn is_same(&self, other: &Self, mask: &Self, is_wide: bool) -> bool {
        let differ = |one: &u64, other: &u64, mask: &u64| (one ^ other) & mask;
        let [one0, one1, one @ ..] = &self.0;
        let [other0, other1, other @ ..] = &other.0;
        let [mask0, mask1, mask @ ..] = &mask.0;
        let rest = || {
            one.iter()
                .zip(other)
                .zip(mask)
                .fold(0, |all, ((one, other), mask)| {
                    all | differ(one, other, mask)
                })
        };

        differ(one0, other0, mask0) == 0
            && differ(one1, other1, mask1) == 0
            && (!is_wide || rest() == 0)
    }

    #[inline]
    const fn get_vni(&self) -> Option<u32> {
        if self.0[0] & Self::TUNNELLED == 0 {
            None
        } else {
            Some((self.0[0] >> Self::VNI) as u32)
        }
    }

    #[inline]
    const fn get_family(&self) -> Family {
        if self.0[0] & Self::IPV6 == 0 {
            Family::V4
        } else {
            Family::V6
        }
    }

    #[inline]
    const fn get_protocol(&self) -> u8 {
        (self.0[0] >> Self::PROTOCOL) as u8
    }

    #[inline]
    const fn get_dscp(&self) -> u8 {
        (self.0[0] >> Self::DSCP) as u8 & Self::DSCP_MAX
    }

    #[inline]
    const fn get_ports(&self) -> (u16, u16) {
        (self.0[2] as u16, self.0[0] as u16)
    }

    #[inline]
    const fn get_v4(&self) -> (u32, u32) {
        ((self.0[1] >> 32) as u32, self.0[1] as u32)
    }

    #[inline]
    const fn get_v6(&self) -> (u128, u128) {
        (
            ((self.0[4] as u128) << 64) | self.0[5] as u128,
            ((self.0[1] as u128) << 64) | self.0[3] as u128,
        )
    }
}
